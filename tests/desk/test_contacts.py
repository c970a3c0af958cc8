"""Whom to write to: what the site says, five registries on loopback, Abusix's zone on loopback, and who is left out."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.desk.contacts import Choice, ContactOptions, Found, choose, read_overrides
from email_report_processor.desk.fetching import FetchError, fetch
from email_report_processor.desk.history import Contact
from email_report_processor.desk.lookup import FILE, Lookup
from tests import dns_server
from tests.desk import registries
from tests.desk.registries import Registries
from tests.dns_server import SERVFAIL, DnsServer

NOW = datetime(2026, 11, 28, 9, tzinfo=UTC)


@pytest.fixture(scope="module")
def _registries() -> Iterator[Registries]:
    with registries.running() as server:
        yield server


@pytest.fixture
def rdap(_registries: Registries) -> Registries:
    _registries.answers = dict(registries.SHAPES)
    _registries.seen.clear()
    return _registries


@pytest.fixture
def dns() -> Iterator[DnsServer]:
    with dns_server.running() as server:
        yield server


def lookup(directory: Path, rdap: Registries, dns: DnsServer | None = None, now: datetime = NOW) -> Lookup:
    options = ContactOptions(rdap=rdap.url, lookup=("rdap", "abusix") if dns else ("rdap",), lookup_seconds=5)
    return Lookup(directory, options._replace(dns_server=dns.address if dns else ""), now)


@pytest.mark.parametrize(
    ("address", "network", "contacts"),
    [
        ("192.0.2.77", "192.0.2.0/24", ("abuse@us-net.example",)),
        ("198.51.100.7", "198.51.100.0/24", ("abuse@eu-net.example",)),
        ("203.0.113.5", "203.0.113.0/25", ("abuse@as-net.example", "irt@as-net.example")),
        ("203.0.113.200", "203.0.113.128/25", ("abuse@br-net.example",)),
        ("2001:db8::7", "2001:db8::/32", ("tech@za-net.example",)),
    ],
)
def test_five_registries(
    tmp_path: Path, rdap: Registries, address: str, network: str, contacts: tuple[str, ...]
) -> None:
    assert list(lookup(tmp_path, rdap).candidates(address)) == [Found("rdap", network, contacts)]


def test_a_registry_is_asked_once_in_a_while(tmp_path: Path, rdap: Registries) -> None:
    first = lookup(tmp_path, rdap)
    for address in ("192.0.2.1", "192.0.2.200", "192.0.2.1"):
        next(first.candidates(address))
    first.save()
    assert rdap.seen == ["/ipv4.json", "/arin/ip/192.0.2.1"]
    again = lookup(tmp_path, rdap, now=NOW + timedelta(days=6))
    assert next(again.candidates("192.0.2.9")).contacts == ("abuse@us-net.example",)
    assert again.asked == 0
    later = lookup(tmp_path, rdap, now=NOW + timedelta(days=31))
    next(later.candidates("192.0.2.9"))
    assert later.asked == 2


def test_what_is_remembered_ends_where_the_network_ends(tmp_path: Path, rdap: Registries) -> None:
    one = lookup(tmp_path, rdap)
    assert next(one.candidates("203.0.113.5")).contacts[0] == "abuse@as-net.example"
    assert next(one.candidates("203.0.113.200")).contacts[0] == "abuse@br-net.example"


def test_a_file_that_cannot_be_read_is_asked_for_again(tmp_path: Path, rdap: Registries) -> None:
    for text in ("{", "[]", '{"rdap 192.0.2.0/24": {"at": "yesterday"}, "list ipv4.json": 3}'):
        (tmp_path / FILE).write_text(text)
        assert next(lookup(tmp_path, rdap).candidates("192.0.2.1")).contacts


def test_a_registry_that_is_away_is_asked_once(tmp_path: Path, rdap: Registries) -> None:
    rdap.answers["arin"] = 429
    one = lookup(tmp_path, rdap)
    faults = [next(one.candidates(address)).fault for address in ("192.0.2.1", "192.0.2.2")]
    assert all("127.0.0.1 answered 429" in fault for fault in faults)
    assert len(rdap.seen) == 2
    rdap.answers["arin"] = registries.arin()
    assert next(lookup(tmp_path, rdap).candidates("192.0.2.1")).contacts, "it was not remembered"


def test_iana_away_keeps_the_old_list(tmp_path: Path, rdap: Registries) -> None:
    first = lookup(tmp_path, rdap)
    next(first.candidates("192.0.2.1"))
    first.save()
    options = ContactOptions(rdap="http://127.0.0.1:1/", lookup=("rdap",))
    later = Lookup(tmp_path, options, NOW + timedelta(days=60))
    assert next(later.candidates("192.0.2.1")).contacts == ("abuse@us-net.example",)
    new = next(Lookup(tmp_path / "new", options, NOW).candidates("192.0.2.1"))
    assert "RDAP: 127.0.0.1 gave no answer" in new.fault


def test_an_answer_about_another_network(tmp_path: Path, rdap: Registries) -> None:
    rdap.answers["arin"] = registries.network("198.51.100.0", "198.51.100.255", *registries.arin()["entities"])
    assert next(lookup(tmp_path, rdap).candidates("192.0.2.1")).network == "192.0.2.0/24"


@pytest.mark.parametrize("target", ["http://192.0.2.1/", "ftp://127.0.0.1/", "file:///etc/passwd"])
def test_redirections_stay_with_tls(rdap: Registries, target: str) -> None:
    rdap.answers["arin"] = target
    with pytest.raises(FetchError):
        fetch(f"{rdap.url}arin/ip/192.0.2.1", 5)


def test_redirections(rdap: Registries) -> None:
    rdap.answers["arin"] = f"{rdap.url}ripe/ip/198.51.100.1"
    assert fetch(f"{rdap.url}arin/ip/192.0.2.1", 5)["country"] == "NL"
    rdap.answers["arin"] = f"{rdap.url}arin/again"
    with pytest.raises(FetchError, match="answered 302"):
        fetch(f"{rdap.url}arin/ip/192.0.2.1", 5)


@pytest.mark.parametrize("answer", [{"x": "y" * 3_000_000}, 500])
def test_answers_that_are_none(rdap: Registries, answer: object) -> None:
    rdap.answers["arin"] = answer  # type: ignore[assignment]  # as a registry may
    with pytest.raises(FetchError):
        fetch(f"{rdap.url}arin/ip/192.0.2.1", 5)


# Abusix


def test_abusix_is_asked_where_rdap_knows_nobody(tmp_path: Path, rdap: Registries, dns: DnsServer) -> None:
    rdap.answers["arin"] = registries.network("192.0.2.0", "192.0.2.255")
    dns.txt("7.2.0.192.abuse-contacts.abusix.zone", "Abuse@other.example, not-disclosed@x.example")
    found = list(lookup(tmp_path, rdap, dns).candidates("192.0.2.7"))
    assert found == [Found("rdap", "192.0.2.0/24"), Found("abusix", "192.0.2.0/24", ("abuse@other.example",))]
    assert choose("192.0.2.7", 0, read_overrides({}), found, {}, ()).contact == "abuse@other.example"


def test_abusix_is_not_asked_without_need(tmp_path: Path, rdap: Registries, dns: DnsServer) -> None:
    candidates = lookup(tmp_path, rdap, dns).candidates("192.0.2.7")
    assert choose("192.0.2.7", 0, read_overrides({}), candidates, {}, ()).via == "rdap"
    assert dns.seen == []


def test_a_record_of_several_strings(tmp_path: Path, rdap: Registries, dns: DnsServer) -> None:
    """The old desk cut it in the middle: it took the answer as text and the quotes off its ends."""
    dns.records["7.2.0.192.abuse-contacts.abusix.zone", "TXT"] = ['"abuse@net" "work.example"', '"b@other.example"']
    found = Lookup(tmp_path, ContactOptions(lookup=("abusix",), dns_server=dns.address), NOW).candidates("192.0.2.7")
    assert sorted(next(found).contacts) == ["abuse@network.example", "b@other.example"]


def test_abusix_away(tmp_path: Path, dns: DnsServer) -> None:
    dns.records["7.2.0.192.abuse-contacts.abusix.zone", "TXT"] = [SERVFAIL]
    one = Lookup(tmp_path, ContactOptions(lookup=("abusix",), dns_server=dns.address), NOW)
    assert "SERVFAIL" in next(one.candidates("192.0.2.7")).fault
    assert next(one.candidates("192.0.2.8")).contacts == (), "no record: nobody is known there"


def test_an_ipv6_address_at_abusix(tmp_path: Path, dns: DnsServer) -> None:
    one = Lookup(tmp_path, ContactOptions(lookup=("abusix",), dns_server=dns.address), NOW)
    next(one.candidates("2001:db8::7"))
    assert dns.seen[-1][0] == "7" + ".0" * 23 + ".8.b.d.0.1.0.0.2.abuse-contacts.abusix.zone"


def test_an_unknown_place_to_ask(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="write some of rdap, abusix"):
        Lookup(tmp_path, ContactOptions(lookup=("whois",)), NOW)


# What the site says, and whom nobody writes to

OVERRIDES = read_overrides(
    {
        "AS64500": "cert@us-net.example",
        "192.0.2.0/28": "https://us-net.example/abuse",
        "192.0.2.8": "never",
        "eu-net.example": "never",
        "abuse@br-net.example": "cert@br.example",
    }
)
CONTACT = Found("rdap", "198.51.100.0/24", ("abuse@network.example", "second@network.example"))


def chosen(address: str = "198.51.100.7", system: int = 0, found: Found = CONTACT, **known: Contact) -> Choice:
    by_address = {one.address: one for one in known.values()}
    return choose(address, system, OVERRIDES, [found], by_address, ["example.org", "sister.example"])


def with_contacts(*addresses: str) -> Found:
    return CONTACT._replace(contacts=addresses)


def test_one_contact_alone() -> None:
    """Several networks never see each other, and neither do several contacts of one."""
    assert chosen() == Choice("abuse@network.example", "198.51.100.0/24", "rdap")


def test_what_the_site_says() -> None:
    assert chosen(system=64500) == Choice("cert@us-net.example", "AS64500", "settings")
    assert chosen("192.0.2.9", 64500).form == "https://us-net.example/abuse"
    assert chosen("192.0.2.8", 64500) == Choice(network="192.0.2.8/32", via="settings", why="[contacts] says never")
    assert chosen(found=with_contacts("abuse@eu-net.example")).why == "[contacts] says never"
    assert chosen(found=with_contacts("abuse@sub.eu-net.example")).why == "[contacts] says never"
    assert chosen(found=with_contacts("abuse@noteu-net.example")).contact == "abuse@noteu-net.example"
    assert chosen(found=with_contacts("abuse@br-net.example")).contact == "cert@br.example"


@pytest.mark.parametrize("address", ["abuse@example.org", "abuse@mail.Example.org", "x@sister.example"])
def test_our_own_addresses_are_no_contacts(address: str) -> None:
    assert chosen(found=with_contacts(address)).contact == ""
    assert "ours" in chosen(found=with_contacts(address)).why
    assert chosen(found=with_contacts(address, "abuse@notexample.org")).contact == "abuse@notexample.org"


def test_who_cannot_be_reached() -> None:
    dead = Contact("abuse@network.example", "dead", "2026-11-01T00:00:00Z", "550 no such user")
    assert chosen(a=dead).contact == "second@network.example"
    nobody = chosen(a=dead, b=dead._replace(address="second@network.example"))
    assert (nobody.contact, "cannot be reached since 2026-11-01 (550 no such user)" in nobody.why) == ("", True)
    form = Contact("abuse@network.example", "form", form="https://network.example/abuse")
    assert chosen(found=with_contacts("abuse@network.example"), a=form).form == "https://network.example/abuse"
    assert chosen(a=dead._replace(reach="unreachable")).contact == "abuse@network.example"


def test_nobody() -> None:
    assert "name one in [contacts]" in choose("192.0.2.200", 0, OVERRIDES, [], {}, ()).why
    assert chosen(found=Found("rdap", fault="RDAP: away")).why == "RDAP: away"


@pytest.mark.parametrize(
    ("key", "value"), [("nowhere", "a@b.example"), ("AS1", "a@b"), ("AS1", "ftp://x"), ("1.2.3.0/33", "never")]
)
def test_overrides_that_say_nothing(key: str, value: str) -> None:
    with pytest.raises(ValueError, match=r"write|neither"):
        read_overrides({key: value})


@given(st.dictionaries(st.text(max_size=12), st.text(max_size=12), max_size=3))
def test_nothing_else_is_raised(said: dict[str, str]) -> None:
    with contextlib.suppress(ValueError):
        read_overrides(said)
