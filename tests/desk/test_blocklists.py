"""Blocking lists: what stands in them, and that each form is what its readers read."""

import csv
import io
import json
from datetime import UTC, datetime

import dns.rdatatype
import dns.zone
import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.desk.blocklists import FORMATS, Zone, collect
from email_report_processor.desk.message import Message
from email_report_processor.desk.report import draft_urls

NOW = datetime(2026, 11, 28, tzinfo=UTC)
ZONE = Zone("rpz.example.org")


def message(number: int, *urls: str, count: int = 1) -> Message:
    return Message(str(number), f"2026-11-{number:02}T00:00:00Z", count=count, urls=urls)


MESSAGES = [
    message(1, "https://phish.example/a", "https://www.example.org/", "https://münchen.example/x'y"),
    message(2, "https://phish.example/a", "https://login.phish.example/b", "https://evilexample.org/"),
    message(
        3, "https://login.phish.example/b", "https://münchen.example/x'y", "https://mail.service.example/", count=5
    ),
    message(
        4,
        "http://192.0.2.1/a",
        "http://192.0.2.1/a",
        "https://once.example/",
        "http://[::1",
        "https://evilexample.org/",
    ),
]
LISTED = collect(MESSAGES, own=["example.org"], trusted=["service.example"])


def test_what_is_listed() -> None:
    assert [(one.url, one.messages) for one in LISTED] == [
        ("https://login.phish.example/b", 6),
        ("https://münchen.example/x'y", 6),
        ("https://evilexample.org/", 2),
        ("https://phish.example/a", 2),
    ]
    assert (LISTED[3].first, LISTED[3].last) == ("2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z")


def test_one_message_is_not_enough_unless_it_is() -> None:
    assert "https://once.example/" in {one.url for one in collect(MESSAGES, own=[], least=1)}


def test_plain_and_csv() -> None:
    assert FORMATS["plain"](LISTED, NOW, ZONE).splitlines() == [one.url for one in LISTED]
    rows = list(csv.DictReader(io.StringIO(FORMATS["csv"](LISTED, NOW, ZONE))))
    assert [row["messages"] for row in rows] == ["6", "6", "2", "2"]


def test_hosts_are_a_labels() -> None:
    assert FORMATS["hosts"](LISTED, NOW, ZONE).splitlines() == [
        "0.0.0.0 evilexample.org",
        "0.0.0.0 login.phish.example",
        "0.0.0.0 phish.example",
        "0.0.0.0 xn--mnchen-3ya.example",
    ]


def test_a_response_policy_zone_is_a_zone() -> None:
    zone = dns.zone.from_text(FORMATS["rpz"](LISTED, NOW, ZONE), relativize=True, check_origin=True)
    assert str(zone.origin) == "rpz.example.org."
    names = {str(name) for name, _, rdata in zone.iterate_rdatas(dns.rdatatype.CNAME) if rdata.to_text() == "."}
    assert names == {
        "evilexample.org", "*.evilexample.org", "phish.example", "*.phish.example",
        "xn--mnchen-3ya.example", "*.xn--mnchen-3ya.example",
    }  # fmt: skip


def test_nobody_blocks_a_public_suffix() -> None:
    urls = ("https://co.uk/", "https://github.io/", "https://phish.co.uk/", "https://a.phish.co.uk/")
    zone = FORMATS["rpz"](collect([message(1, *urls), message(2, *urls)], own=[]), NOW, ZONE)
    names = [line.split()[0] for line in zone.splitlines() if line.endswith("CNAME .")]
    assert names == ["co.uk", "github.io", "phish.co.uk", "*.phish.co.uk"]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://phish.example\\@example.org/", "phish.example"),  # browsers read \ as /
        ("https://www.example.org\\.phish.example/", ""),
        ("http://%65xample.org/", ""),
        ("http://example.org@phish.example/", "phish.example"),
    ],
)
def test_the_host_is_the_one_that_browsers_go_to(url: str, host: str) -> None:
    assert [one.host for one in collect([message(1, url)], own=["example.org"], least=1)] == [host] * bool(host)
    assert draft_urls([message(1, url)], ["example.org"]) == (url,) * bool(host)


def test_misp() -> None:
    event = json.loads(FORMATS["misp"](LISTED, NOW, ZONE))["Event"]
    assert [one["value"] for one in event["Attribute"]] == [one.url for one in LISTED]
    assert {one["type"] for one in event["Attribute"]} == {"url"}


def test_stix() -> None:
    bundle = json.loads(FORMATS["stix"](LISTED, NOW, ZONE))
    assert [one["pattern"] for one in bundle["objects"]][1] == "[url:value = 'https://münchen.example/x\\'y']"
    again = json.loads(FORMATS["stix"](LISTED[:1], NOW, ZONE))
    assert again["objects"][0]["id"] == bundle["objects"][0]["id"]
    assert json.loads(FORMATS["stix"]([], NOW, ZONE)).keys() == {"type", "id"}, "no list is empty (STIX 2.1 §2.9)"


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_is_a_list_too(form: str) -> None:
    assert isinstance(FORMATS[form]([], NOW, ZONE), str)


@given(st.lists(st.text(max_size=30).map(lambda text: f"http://{text}"), max_size=5))
def test_hostile_urls(urls: list[str]) -> None:
    listed = collect([message(1, *urls), message(2, *urls)], own=["example.org"])
    hosts = {one.host for one in listed}
    lines = FORMATS["hosts"](listed, NOW, ZONE).splitlines()
    assert sorted(lines) == sorted(f"0.0.0.0 {host}" for host in hosts)
    dns.zone.from_text(FORMATS["rpz"](listed, NOW, ZONE), check_origin=True)
