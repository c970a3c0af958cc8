"""`email-report-admin names`: hosts get names from the DNS, each with the rule that found it, over both stores."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.advice.large_senders import LARGE_SENDERS, maker_of
from email_report_processor.advice.names import RULES, host_of, read_map
from email_report_processor.checking.record import is_name
from email_report_processor.checking.resolver import Records
from email_report_processor.documents.document import make_id
from email_report_processor.documents.encode import decode, encode
from email_report_processor.stores.opening import open_store
from email_report_processor.stores.query import And
from email_report_processor.stores.store import Row, Selection
from tests import dns_server
from tests.conftest import Program
from tests.dns_server import DnsServer
from tests.nodes import Node

HOSTS: dict[str, tuple[str, str]] = {  # address -> name and rule
    "192.0.2.1": ("spf-service.example", "spf"),
    "192.0.2.2": ("example.org", "spf"),
    "192.0.2.3": ("Amazon SES", "table"),
    "192.0.2.4": ("Mapped Inc.", "map"),
    "192.0.2.5": ("plain.example", "ptr"),
    "192.0.2.6": ("Example Network", "as"),  # its name is somebody else's: not confirmed
    "192.0.2.7": ("", ""),
    "2001:db8::8": ("plain.example", "ptr"),
}


@pytest.fixture
def server() -> Iterator[DnsServer]:
    with dns_server.running() as server:
        server.txt("example.org", "v=spf1 ip4:192.0.2.2 include:_spf.spf-service.example -all")
        server.txt("_spf.spf-service.example", "v=spf1 ip4:192.0.2.1 -all")
        server.txt("amazonses.com", "v=spf1 ip4:192.0.2.3 -all")
        for last, host in ((4, "a.mapped.example"), (5, "mail.plain.example"), (6, "mail.plain.example")):
            server.records[f"{last}.2.0.192.in-addr.arpa", "PTR"] = [f"{host}."]
        server.records["a.mapped.example", "A"] = ["192.0.2.4"]
        server.records["mail.plain.example", "A"] = ["192.0.2.5"]
        server.records["mail.plain.example", "AAAA"] = ["2001:db8::8"]
        server.records[f"8.{'0.' * 23}8.b.d.0.1.0.0.2.ip6.arpa", "PTR"] = ["mail.plain.example."]
        yield server


def rows(prefix: str) -> Iterator[Row]:
    for address in HOSTS:
        fields: dict[str, Any] = {
            "@timestamp": "2026-11-20T12:00:00Z",
            "event.dataset": "dmarc-aggregate",
            "count": 1,
            "source.ip": address,
            "identifiers.header_from": "example.org",
            "policy_published.domain": "example.org",
        }
        if address in {"192.0.2.5", "192.0.2.6"}:
            fields["source.as.organization.name"] = "Example Network"
        yield Row(f"{prefix}dmarc-aggregate-2026.11", make_id(prefix, address), encode(fields))
    signed = {"auth_results.dkim": [{"domain": "known.example", "result": "pass"}], "source.ip": "192.0.2.250"}
    known = {**fields, **signed, "source.name": "known.example", "source.name_rule": "authenticated"}
    yield Row(f"{prefix}dmarc-aggregate-2026.11", make_id(prefix, "known"), encode(known))


@pytest.mark.parametrize("kind", ["sqlite", "node"])
def test_each_rule(
    kind: str, request: pytest.FixtureRequest, server: DnsServer, run_admin: Program, tmp_path: Path
) -> None:
    url, prefix = f"sqlite:{tmp_path / 'reports.sqlite'}", "email-report-"
    if kind == "node":
        node: Node = request.getfixturevalue("node")
        url, prefix = node.url, request.getfixturevalue("prefix")
    store = open_store(url, prefix=prefix)
    store.write(rows(prefix))
    (tmp_path / "map.csv").write_text("base_reverse_dns,name,type\nmapped.example,Mapped Inc.,SaaS\n")
    settings = f'[store]\nurl = "{url}"\nindex_prefix = "{prefix}"\n'
    arguments = ("names", "--since", "all", "--server", server.address, "--map", str(tmp_path / "map.csv"))

    def refresh() -> None:
        if kind == "node":
            node.ask("POST", f"/{prefix}*/_refresh")

    def said() -> dict[str, tuple[str, str]]:
        refresh()
        found = [decode(one.row.source) for one in store.select(Selection(And()))]
        pairs = [(one["source.ip"], one.get("source.name", ""), one.get("source.name_rule", "")) for one in found]
        assert ("192.0.2.250", "known.example", "authenticated") in pairs
        return {address: (name, rule) for address, name, rule in pairs if name != "known.example"}

    refresh()
    dry = run_admin(b"", *arguments, "--dry-run", settings=settings)
    assert (dry.status, set(said().values())) == (0, {("", "")})
    assert dry.stdout.startswith("7 documents would get a name")
    done = run_admin(b"", *arguments, settings=settings)
    assert done.status == 0, done.stderr
    assert said() == HOSTS
    again = run_admin(b"", *arguments, settings=settings)
    assert again.stdout.startswith("0 documents got a name")
    assert run_admin(b"", "reclassify", settings=settings).status == 0
    assert said() == HOSTS  # what was found in the background stays
    assert run_admin(b"", "reclassify", settings=settings + '[senders]\n"192.0.2.5" = "Ours"\n').status == 0
    assert said()["192.0.2.5"] == ("Ours", "verdict")
    store.close()


@pytest.mark.parametrize(("broken", "status"), [(dns_server.SILENT, 75), (dns_server.SERVFAIL, 0)])
def test_a_resolver_that_says_nothing_gives_no_name_of_a_lower_rule(
    server: DnsServer, run_admin: Program, tmp_path: Path, broken: str, status: int
) -> None:
    """Else a time-out of today would name 192.0.2.5 by its AS for ever."""
    store = open_store(f"sqlite:{run_admin.state / 'reports.sqlite'}")
    store.write(row for row in rows("email-report-") if b"192.0.2.5" in row.source)
    server.records["5.2.0.192.in-addr.arpa", "PTR"] = [broken]
    arguments = ("names", "--since", "all", "--server", server.address, "--timeout", "0.4")
    done = run_admin(b"", *arguments)
    assert done.status == status, done.stderr
    named = [decode(one.row.source).get("source.name") for one in store.select(Selection(And()))]
    store.close()
    if broken == dns_server.SILENT:
        assert named == [None]
        assert "the DNS told nothing of the hosts of 1 more (no answer within 0.4 s): run it again later" in done.stderr
    else:  # a reverse zone that is broken stays so
        assert named == ["Example Network"]
    del server.records["5.2.0.192.in-addr.arpa", "PTR"]


def test_maps_that_are_none(run_admin: Program, tmp_path: Path) -> None:
    (tmp_path / "map.csv").write_text("domain;name\n")
    for name, reason in (("map.csv", "no columns base_reverse_dns and name"), ("absent.csv", "No such file")):
        found = run_admin(b"", "names", "--map", str(tmp_path / name), "--server", "127.0.0.1:9")
        assert (found.status, reason in found.stderr) == (2, True)


@given(st.lists(st.text(max_size=40), max_size=5))
def test_any_lines_are_a_map_or_are_refused(lines: list[str]) -> None:
    try:
        found = read_map(["base_reverse_dns,name", *lines])
    except ValueError:
        return
    assert all(found)
    assert all(found.values())


def test_a_name_is_confirmed() -> None:
    records = {
        ("1.2.0.192.in-addr.arpa", "PTR"): ("liar.example", "True.Example."),
        ("true.example", "A"): ("192.0.2.1",),
    }
    assert host_of("192.0.2.1", lambda name, kind: Records(records.get((name, kind), ()))) == "true.example"
    assert host_of("192.0.2.9", lambda name, kind: Records(fault="SERVFAIL")) == ""


def test_the_table_names_its_sources() -> None:
    domains = [domain for one in LARGE_SENDERS for domain in one.spf]
    assert len(domains) == len(set(domains)) >= len({one.name for one in LARGE_SENDERS}) == len(LARGE_SENDERS)
    assert all(one.source.startswith("https://") and one.name for one in LARGE_SENDERS)
    assert all(is_name(domain) and "." in domain for domain in domains)
    assert json.dumps(RULES) == '["spf", "table", "map", "ptr", "as"]'


@pytest.mark.parametrize(
    ("selector", "maker"),
    [
        ("selector1", "Microsoft 365"),
        ("k2", "Mailchimp"),
        ("zendesk2", "Zendesk"),
        ("protonmail", "Proton"),
        ("20260101093000pm", "Postmark"),
        ("abcdefghijklmnopqrstuvwxyz234567", "Amazon SES"),
        ("s1", ""),
        ("selector10", ""),
        ("", ""),
    ],
)
def test_who_names_keys_so(selector: str, maker: str) -> None:
    assert maker_of(selector) == maker
