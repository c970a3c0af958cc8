"""Names of senders, and MMDB files of three makers, missing ones and broken ones."""

import random
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.documents.datasets import AGGREGATE
from email_report_processor.documents.encode import decode, encode
from email_report_processor.documents.enrich import Databases, open_databases, read_record, source_name
from email_report_processor.documents.senders import Senders, read_senders
from tests import mmdb

Object = dict[str, Any]

COUNTRY, PLACE = "source.geo.country_iso_code", "source.geo.location"
NUMBER, ORGANIZATION = "source.as.number", "source.as.organization.name"


def row(dkim: list[tuple[str, str]], spf: list[tuple[str, str]], author: str = "news.example.org") -> Object:
    return {
        "event.dataset": "dmarc-aggregate",
        "source.ip": "192.0.2.9",
        "identifiers.header_from": author,
        "auth_results.dkim": [{"domain": domain, "result": result} for domain, result in dkim],
        "auth_results.spf": [{"domain": domain, "result": result} for domain, result in spf],
    }


@pytest.mark.parametrize(
    ("dkim", "spf", "expected"),
    [
        ([], [], ""),
        ([("example.org", "pass")], [], "example.org"),
        ([], [("bounce.example.org", "pass")], "example.org"),
        ([("example.org", "pass"), ("mail.esp.example.com", "pass")], [], "example.com"),
        ([("a.example.com", "pass"), ("b.example.net", "pass")], [], "example.com"),
        ([("a.example.com", "fail")], [("b.example.net", "pass")], "example.net"),
        ([("example.org", "pass")], [("b.example.net", "pass")], "example.net"),
        ([("example.org", "pass")], [("b.example.net", "fail")], "example.org"),
        ([("a.example.com", "fail")], [("b.example.net", "softfail")], ""),
        ([("", "pass")], [("192.0.2.1", "pass")], ""),
        ([("tenant.github.io", "pass")], [], "tenant.github.io"),
    ],
)
def test_who_authenticated(dkim: list[tuple[str, str]], spf: list[tuple[str, str]], expected: str) -> None:
    assert source_name(row(dkim, spf)) == expected
    assert source_name(decode(encode(row(dkim, spf)))) == expected


@pytest.mark.parametrize(
    ("results", "sender", "expected"),
    [
        (["mx.example.com; dkim=pass header.d=esp.example.net"], "a@example.org", "example.net"),
        (["mx.example.com; spf=pass smtp.mailfrom=x@b.example.net", "mx; dkim=pass header.d=a.test"], "", "a.test"),
        (["mx.example.com; spf=pass smtp.mailfrom=x@mail.example.org"], "a@example.org", "example.org"),
        (["mx.example.com; dkim=fail header.d=example.net; dmarc=fail"], "a@example.org", ""),
        (["mx.example.com; dkim=pass"], "a@example.org", ""),
    ],
)
def test_who_authenticated_in_a_failure_report(results: list[str], sender: str, expected: str) -> None:
    fields = {"event.dataset": "dmarc-failure", "feedback.authentication_results": results, "sample.from": sender}
    assert source_name(fields) == expected


def test_reported_domain_stands_for_a_missing_from() -> None:
    fields = {
        "feedback.authentication_results": ["mx; dkim=pass header.d=example.org; spf=pass smtp.helo=mx.example.net"],
        "feedback.reported_domain": ["example.org"],
    }
    assert source_name(fields) == "example.net"


SENDERS = read_senders(
    {
        "192.0.2.0/24": "Office",
        "192.0.2.8/29": "Shop",
        "2001:db8::/32": "Office 6",
        "198.51.100.7": "Printer",
        "AS64500": "Hosting",
        "as64501": "Other hosting",
        "Example.NET": "Newsletter",
        "mail.example.net": "Mailer",
        "example.org": "Ourselves",
    }
)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"source.ip": "192.0.2.9"}, "Shop"),  # the smallest network
        ({"source.ip": "192.0.2.77"}, "Office"),
        ({"source.ip": "2001:db8:1::1"}, "Office 6"),
        ({"source.ip": "198.51.100.7"}, "Printer"),
        ({"source.ip": "198.51.100.8"}, ""),
        ({"source.ip": "198.51.100.8", NUMBER: 64500}, "Hosting"),
        ({NUMBER: 64501}, "Other hosting"),
        ({"auth_results.dkim": [{"domain": "x.mail.example.net", "result": "pass"}]}, "Mailer"),
        ({"auth_results.dkim": [{"domain": "x.example.net", "result": "pass"}]}, "Newsletter"),
        ({"auth_results.dkim": [{"domain": "example.net", "result": "fail"}]}, ""),
        ({"auth_results.spf": [{"domain": "example.org", "result": "pass"}]}, "Ourselves"),
        ({"auth_results.spf": [{"domain": "a.test", "result": "pass"}]}, "a.test"),
        ({"source.ip": "192.0.2.77", NUMBER: 64500}, "Office"),
        ({}, ""),
    ],
)
def test_names_of_the_site(fields: Object, expected: str) -> None:
    assert source_name(fields, SENDERS) == expected


def test_no_senders() -> None:
    assert read_senders({}) is None
    assert source_name({"source.ip": "192.0.2.1"}, Senders()) == ""


@pytest.mark.parametrize("key", ["192.0.2.0/33", "192.0.2", "AS", "a b..c", "", "fe80::/x"])
def test_wrong_senders(key: str) -> None:
    with pytest.raises(ValueError, match=r"is neither a network|is no network"):
        read_senders({key: "x"})


def test_sender_without_a_name() -> None:
    with pytest.raises(ValueError, match=r"'example\.net' has no name"):
        read_senders({"example.net": " "})


@given(st.text(max_size=30), st.text(max_size=10))
def test_any_senders(key: str, name: str) -> None:
    try:
        senders = read_senders({key: name})
    except ValueError:
        return
    source_name({"source.ip": "192.0.2.1", "auth_results.dkim": [{"domain": key, "result": "pass"}]}, senders)


# Databases

GEOLITE_CITY = {
    "country": {"iso_code": "US", "names": {"en": "x"}},
    "location": {"latitude": 37.75, "longitude": -97.8},
}
GEOLITE_ASN = {"autonomous_system_number": 64500, "autonomous_system_organization": "Example LLC"}
DBIP_CITY = {
    "city": {"names": {"en": "Bern"}},
    "country": {"iso_code": "CH"},
    "location": {"latitude": 46, "longitude": 7},
}
IPINFO_LITE = {"country": "Germany", "country_code": "DE", "asn": "AS64501", "as_name": "Example AG", "as_domain": "x"}
IPINFO_OLD = {"country": "FR", "country_name": "France", "asn": "AS64502", "as_name": "Exemple"}
IPINFO_ASN = {"asn": "AS64503", "name": "Esempio", "domain": "esempio.example", "type": "isp"}
IPINFO_CITY = {"city": "Roma", "country": "IT", "lat": "41.89", "lng": "12.48"}


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (GEOLITE_CITY, {COUNTRY: "US", PLACE: {"lat": 37.75, "lon": -97.8}}),
        (GEOLITE_ASN, {NUMBER: 64500, ORGANIZATION: "Example LLC"}),
        (DBIP_CITY, {COUNTRY: "CH", PLACE: {"lat": 46.0, "lon": 7.0}}),
        (IPINFO_LITE, {COUNTRY: "DE", NUMBER: 64501, ORGANIZATION: "Example AG"}),
        (IPINFO_OLD, {COUNTRY: "FR", NUMBER: 64502, ORGANIZATION: "Exemple"}),
        (IPINFO_ASN, {NUMBER: 64503, ORGANIZATION: "Esempio"}),
        (IPINFO_CITY, {COUNTRY: "IT", PLACE: {"lat": 41.89, "lon": 12.48}}),
        ({"name": "not an organization"}, {}),
        ({"country": "Germany"}, {}),
        ({"country": {"iso_code": 7}, "location": {"latitude": 91.0, "longitude": 0.0}}, {}),
        ({"location": {"latitude": float("nan"), "longitude": 0.0}, "asn": "AS", "as_name": ""}, {}),
        ({"location": "40.7,-74.0", "autonomous_system_number": "-1"}, {}),
        ("US", {}),
        (None, {}),
    ],
)
def test_schemas(record: Any, expected: Object) -> None:
    assert read_record(record) == expected
    assert expected.keys() <= AGGREGATE.by_name.keys()


def database(path: Path, networks: Object, **more: Any) -> str:
    path.write_bytes(mmdb.write(networks, **more))
    return str(path)


def opened(*paths: str) -> Databases:
    databases, warnings = open_databases(paths)
    assert warnings == []
    assert databases is not None
    return databases


def test_real_files(tmp_path: Path) -> None:
    databases = opened(
        database(tmp_path / "city.mmdb", {"192.0.2.0/24": GEOLITE_CITY, "2001:db8::/32": DBIP_CITY}),
        database(tmp_path / "asn.mmdb", {"192.0.2.0/25": GEOLITE_ASN}, ip_version=4),
        database(tmp_path / "lite.mmdb", {"192.0.2.0/24": IPINFO_LITE, "198.51.100.0/24": IPINFO_LITE}),
    )
    assert databases.look_up("192.0.2.1") == read_record(GEOLITE_CITY) | read_record(GEOLITE_ASN)
    assert databases.look_up("192.0.2.200") == read_record(GEOLITE_CITY) | {NUMBER: 64501, ORGANIZATION: "Example AG"}
    assert databases.look_up("198.51.100.1") == read_record(IPINFO_LITE)
    assert databases.look_up("2001:db8::1") == read_record(DBIP_CITY)
    assert databases.look_up("203.0.113.1") == databases.look_up("2001:db9::1") == {}
    assert databases.faults == []


def test_the_cache_is_bounded(tmp_path: Path) -> None:
    databases = opened(database(tmp_path / "asn.mmdb", {"192.0.2.0/24": GEOLITE_ASN}))
    for number in range(6000):
        databases.look_up(f"10.0.{number >> 8}.{number & 255}")
    assert databases.look_up.cache_info().currsize <= 4096  # type: ignore[attr-defined]  # of lru_cache


def test_nothing_configured() -> None:
    assert open_databases(()) == (None, [])


def test_the_country_of_allocation() -> None:
    """What iptocc says of addresses whose allocation is old; nothing of those that are nobody's."""
    databases, warnings = open_databases((), allocation=True)
    assert databases is not None
    assert warnings == []
    assert databases.look_up("8.8.8.8") == {"source.geo.country_iso_code": "US"}
    assert databases.look_up("2001:67c:2e8::1") == {"source.geo.country_iso_code": "NL"}
    assert databases.look_up("192.0.2.1") == databases.look_up("10.0.0.1") == databases.look_up("2001:db8::1") == {}


def test_a_database_of_the_site_wins_over_the_allocation(tmp_path: Path) -> None:
    path = database(tmp_path / "own.mmdb", {"8.8.8.0/24": {"country": {"iso_code": "DE"}}})
    databases, _ = open_databases((path,), allocation=True)
    assert databases is not None
    assert databases.look_up("8.8.8.8") == {"source.geo.country_iso_code": "DE"}
    assert databases.look_up("8.8.4.4") == {"source.geo.country_iso_code": "US"}


def test_without_iptocc_there_is_no_country(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "iptocc", None)
    databases, warnings = open_databases((), allocation=True)
    assert databases is not None
    assert databases.look_up("8.8.8.8") == {}
    assert warnings == []


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    good = database(tmp_path / "good.mmdb", {"192.0.2.0/24": GEOLITE_ASN})
    broken = tmp_path / "broken.mmdb"
    broken.write_bytes(b"this is no database" * 100)
    missing = str(tmp_path / "missing.mmdb")
    databases, warnings = open_databases((missing, str(broken), str(tmp_path), good))
    assert [warning.split(":")[0] for warning in warnings] == [missing, str(broken), str(tmp_path)]
    assert databases is not None
    assert databases.look_up("192.0.2.1") == read_record(GEOLITE_ASN)
    assert open_databases((missing,))[0] is None


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "maxminddb", None)
    databases, warnings = open_databases(("x.mmdb",))
    assert databases is None
    assert len(warnings) == 1
    assert "email-report-processor[geo]" in warnings[0]


def test_broken_while_it_is_used(tmp_path: Path) -> None:
    data = bytearray(mmdb.write({"192.0.2.0/24": GEOLITE_ASN}))
    place = data.index(b"Example LLC")
    data[place - 1 : place + 11] = b"\xff" * 12  # a text longer than the file
    path = tmp_path / "broken.mmdb"
    path.write_bytes(data)
    good = database(tmp_path / "good.mmdb", {"192.0.2.0/24": GEOLITE_CITY})
    databases = opened(str(path), good)
    assert databases.look_up("192.0.2.1") == read_record(GEOLITE_CITY)
    assert databases.look_up("192.0.2.2") == read_record(GEOLITE_CITY)
    assert len(databases.faults) == 1
    assert databases.faults[0].startswith(f"{path}: the database is broken")


def test_damaged_files_lose_no_row(tmp_path: Path) -> None:
    whole = mmdb.write({"192.0.2.0/24": GEOLITE_CITY | GEOLITE_ASN, "2001:db8::/32": IPINFO_LITE})
    chance = random.Random(1)
    path = tmp_path / "damaged.mmdb"
    opened_ones = 0
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.unlink(missing_ok=True)
        path.write_bytes(data[: chance.choice([len(data), chance.randrange(len(data))])])
        databases, warnings = open_databases((str(path),))
        assert (databases is None) == bool(warnings)
        if databases is not None:
            opened_ones += 1
            for address in ("192.0.2.1", "2001:db8::1", "203.0.113.1"):
                assert set(databases.look_up(address)) <= {COUNTRY, PLACE, NUMBER, ORGANIZATION}
    assert opened_ones > 50
