"""SPF by the letters of RFC 7208: each mechanism, each limit, macros, and records of anybody's making."""

import contextlib
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.checking.resolver import Look, Records
from email_report_processor.checking.spf import SpfError, check_host, expand, parse, tree


def zone(**txt: str) -> dict[tuple[str, str], tuple[str, ...]]:
    """`a__example="v=spf1 …"` is a record at a.example."""
    return {(name.replace("__", "."), "TXT"): (text,) for name, text in txt.items()}


def looking(records: Mapping[tuple[str, str], tuple[str, ...]]) -> Look:
    return lambda name, kind: Records(records.get((name, kind), ()))


HOSTS = {
    ("example.org", "A"): ("192.0.2.10", "192.0.2.11"),
    ("example.org", "AAAA"): ("2001:db8::10",),
    ("example.org", "MX"): ("mail-a.example.org", "mail-b.example.org"),
    ("mail-a.example.org", "A"): ("192.0.2.129",),
    ("mail-b.example.org", "A"): ("192.0.2.130",),
    ("amy.example.org", "A"): ("192.0.2.65",),
    ("65.2.0.192.in-addr.arpa", "PTR"): ("amy.example.org",),
    ("66.2.0.192.in-addr.arpa", "PTR"): ("amy.example.org",),  # not confirmed
    ("other.example", "TXT"): ("something else", "v=spf1 ip4:203.0.113.0/24 -all"),
    ("192.0.2.1.allowed.example", "A"): ("127.0.0.2",),
}


@pytest.mark.parametrize(
    ("record", "address", "result"),
    [
        ("v=spf1 +all", "192.0.2.1", "pass"),
        ("v=spf1 -all", "192.0.2.1", "fail"),
        ("v=spf1", "192.0.2.1", "neutral"),
        ("V=SPF1 ~ALL", "192.0.2.1", "softfail"),
        ("v=spf1 a -all", "192.0.2.10", "pass"),
        ("v=spf1 a -all", "192.0.2.12", "fail"),
        ("v=spf1 a/30 -all", "192.0.2.9", "pass"),
        ("v=spf1 a//126 -all", "2001:db8::13", "pass"),
        ("v=spf1 a/24//127 -all", "2001:db8::13", "fail"),
        ("v=spf1 a:amy.example.org ?all", "192.0.2.65", "pass"),
        ("v=spf1 mx -all", "192.0.2.129", "pass"),
        ("v=spf1 mx/30 mx:example.org/30 -all", "192.0.2.131", "pass"),
        ("v=spf1 mx -all", "192.0.2.140", "fail"),
        ("v=spf1 ptr -all", "192.0.2.65", "pass"),
        ("v=spf1 ptr:example.org -all", "192.0.2.66", "fail"),
        ("v=spf1 ip4:192.0.2.128/28 -all", "192.0.2.129", "pass"),
        ("v=spf1 ip4:192.0.2.128/28 -all", "2001:db8::1", "fail"),
        ("v=spf1 ip6:2001:db8::/32 -all", "2001:db8::1", "pass"),
        ("v=spf1 include:other.example -all", "203.0.113.5", "pass"),
        ("v=spf1 include:other.example ~all", "192.0.2.1", "softfail"),
        ("v=spf1 ?include:other.example -all", "203.0.113.5", "neutral"),
        ("v=spf1 include:absent.example -all", "192.0.2.1", "permerror"),
        ("v=spf1 redirect=other.example", "203.0.113.5", "pass"),
        ("v=spf1 redirect=absent.example", "203.0.113.5", "permerror"),
        ("v=spf1 redirect=other.example ~all", "192.0.2.1", "softfail"),
        ("v=spf1 exists:%{i}.allowed.example -all", "192.0.2.1", "pass"),
        ("v=spf1 exists:%{i}.allowed.example -all", "192.0.2.2", "fail"),
        ("v=spf1 a:one.example a:two.example a:three.example -all", "192.0.2.1", "permerror"),  # void look-ups
        ("v=spf1 ip4:192.0.2.0 exp=why.example unknown=x -all", "192.0.2.1", "fail"),
        ("v=spf1 include:example.org -all", "192.0.2.1", "permerror"),  # of itself: the limit ends it
        ("v=spf1 ipv4:192.0.2.1 -all", "192.0.2.1", "permerror"),
        ("v=spf1 ip4:192.0.2.1/33 -all", "192.0.2.1", "permerror"),
        ("v=spf1 a/33 -all", "192.0.2.1", "permerror"),
        ("v=spf1 include: -all", "192.0.2.1", "permerror"),
        ("v=spf1 all:x", "192.0.2.1", "permerror"),
        ("v=spf1 redirect=a.example redirect=b.example", "192.0.2.1", "permerror"),
        ("v=spf10 +all", "192.0.2.1", "none"),
    ],
)
def test_each_mechanism(record: str, address: str, result: str) -> None:
    assert check_host(address, "example.org", looking({**HOSTS, ("example.org", "TXT"): (record,)})).result == result


def test_the_path_to_what_matched() -> None:
    records = zone(a__example="v=spf1 include:b.example -all", b__example="v=spf1 redirect=c.example")
    records |= zone(c__example="v=spf1 ip4:192.0.2.0/24 -all")
    found = check_host("192.0.2.1", "a.example", looking(records))
    assert found.path == (
        ("a.example", "include:b.example"),
        ("b.example", "redirect=c.example"),
        ("c.example", "ip4:192.0.2.0/24"),
    )
    assert (found.result, found.lookups) == ("pass", 2)
    gone = check_host("192.0.2.1", "a.example", looking(records), lambda _, term: term.text == "include:b.example")
    assert (gone.result, gone.path) == ("fail", (("a.example", "-all"),))


@pytest.mark.parametrize(("number", "result"), [(10, "pass"), (11, "permerror")])
def test_ten_look_ups(number: int, result: str) -> None:
    records = {(f"{n}.example", "TXT"): (f"v=spf1 include:{n + 1}.example -all",) for n in range(number)}
    records |= {(f"{number}.example", "TXT"): ("v=spf1 ip4:192.0.2.1 -all",)}
    found = check_host("192.0.2.1", "0.example", looking(records))
    assert (found.result, found.lookups) == (result, number)


@pytest.mark.parametrize(("number", "result"), [(10, "fail"), (11, "permerror")])
def test_mail_servers_of_one_mx(number: int, result: str) -> None:
    names = tuple(f"mx{n}.example" for n in range(number))
    records = {("a.example", "MX"): names, **{(name, "A"): ("192.0.2.7",) for name in names}}
    found = check_host("192.0.2.1", "a.example", looking(records | zone(a__example="v=spf1 mx -all")))
    assert found.result == result


def test_the_dns_cannot_tell() -> None:
    def look(name: str, kind: str) -> Records:
        return Records(("v=spf1 a -all",)) if kind == "TXT" else Records(fault="SERVFAIL")

    assert check_host("192.0.2.1", "a.example", look).result == "temperror"
    assert check_host("192.0.2.1", "a.example", lambda name, kind: Records(fault="x")).result == "temperror"


@pytest.mark.parametrize(
    ("spec", "address", "name"),
    [  # RFC 7208 §7.4, with the sender postmaster
        ("%{s}", "192.0.2.3", "postmaster@email.example.com"),
        ("%{o}", "192.0.2.3", "email.example.com"),
        ("%{d4}", "192.0.2.3", "email.example.com"),
        ("%{d2}", "192.0.2.3", "example.com"),
        ("%{dr}", "192.0.2.3", "com.example.email"),
        ("%{d2r}", "192.0.2.3", "example.email"),
        ("%{l}%%%_%-", "192.0.2.3", "postmaster% %20"),
        ("%{ir}.%{v}._spf.%{d2}", "192.0.2.3", "3.2.0.192.in-addr._spf.example.com"),
        (
            "%{ir}.%{v}._spf.%{d2}",
            "2001:db8::cb01",
            "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com",
        ),
    ],
)
def test_macros(spec: str, address: str, name: str) -> None:
    assert expand(spec, ip_address(address), "email.example.com", "email.example.com") == name


@pytest.mark.parametrize("spec", ["%{x}", "%", "%{d", "%{d0}", "%{d9999}", "%a"])
def test_macros_that_are_none(spec: str) -> None:
    with pytest.raises(SpfError):
        expand(spec, ip_address("192.0.2.3"), "a.example", "a.example")


def test_a_tree_and_what_it_costs() -> None:
    records = zone(a__example="v=spf1 mx include:b.example include:gone.example include:a.example -all")
    records |= zone(b__example="v=spf1 include:c.example a:x.example", c__example="v=spf1 ip4:192.0.2.0/24")
    found = [
        (one.domain, one.term.text, one.depth, one.lookups, one.fault) for one in tree("a.example", looking(records))
    ]
    assert found == [
        ("a.example", "mx", 0, 1, ""),
        ("a.example", "include:b.example", 0, 3, ""),
        ("b.example", "include:c.example", 1, 1, ""),
        ("c.example", "ip4:192.0.2.0/24", 2, 0, ""),
        ("b.example", "a:x.example", 1, 1, ""),
        ("a.example", "include:gone.example", 0, 1, "there is no record"),
        ("a.example", "include:a.example", 0, 1, "it names a record that it is below"),
        ("a.example", "-all", 0, 0, ""),
    ]


def test_a_tree_that_grows_without_end_is_cut() -> None:
    def look(name: str, kind: str) -> Records:
        return Records(("v=spf1 " + " ".join(f"include:{letter}{name}" for letter in "abcdefgh"),))

    assert 100 < len(list(tree("a.example", look))) < 1000


WORDS = (
    "all -all a mx ptr ip4:192.0.2.0/28 ip6:2001:db8::/32 include:b.example include:c.example redirect=b.example "
    "exists:%{ir}.c.example a:c.example/28 ~mx:b.example x=y ip4: % a/99"
)
words = st.sampled_from(WORDS.split())
names = st.sampled_from(["a.example", "b.example", "c.example"])


@given(st.dictionaries(names, st.lists(words, max_size=6)), st.ip_addresses())
def test_any_records_have_a_result(terms: dict[str, list[str]], address: Any) -> None:
    """Also those that name each other; and a term that is left out never makes another one match before it."""
    records = {(name, "TXT"): (" ".join(["v=spf1", *some]),) for name, some in terms.items()}
    look = looking({**records, ("b.example", "A"): ("192.0.2.1",), ("b.example", "MX"): ("b.example",)})
    found = check_host(str(address), "a.example", look)
    assert found.result in {"none", "pass", "fail", "softfail", "neutral", "permerror"}
    assert (found.result == "permerror") == bool(found.why)
    assert found.lookups <= 11
    assert check_host(str(address), "a.example", look, lambda domain, term: True).result in {
        "none",
        "neutral",
        "permerror",
    }


@given(st.text(alphabet="v=spf1 +-~?:/.%{}aimnpxludecoritsh4629d_" + "\x00é", max_size=80))
def test_any_text_is_a_record_or_is_not(text: str) -> None:
    with contextlib.suppress(SpfError):
        assert all(term.name for term in parse(f"v=spf1 {text}"))
