"""What can be told for certain of odd texts, and what is not guessed."""

import ipaddress
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.values.fields import (
    EPOCH,
    IP,
    ONE_DOMAIN,
    Type,
    is_domain,
    write_date,
)
from email_report_processor.values.repairs import MAX_CHARS, REPAIRS, read_or_repair, repair_domain
from tests.linear import assert_linear

DAY = "2026-11-19T00:00:00Z"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1795046400", (DAY, "")),
        (" 1795046400.0 ", (DAY, "")),
        ("1795046400000", (DAY, "read as milliseconds")),
        ("1795046400000.5", (DAY, "read as milliseconds")),
        ("1795046400000000", (DAY, "read as microseconds")),
        ("1795046400000000000", (DAY, "read as nanoseconds")),
        ("2026-11-19T00:00:00Z", (DAY, "a date, not Unix time")),
        ("2026-11-19T02:00:00+02:00", (DAY, "a date, not Unix time")),
        ("2026-11-19 00:00:00", (DAY, "a date, not Unix time, in UTC as it names no zone")),
        ("20261119T000000Z", (DAY, "a date, not Unix time")),
        ("Thu, 19 Nov 2026 01:00:00 +0100", (DAY, "a date, not Unix time")),
        ("2026-11-19", (DAY, "a day alone, read as its beginning")),
        ("20261119", (DAY, "a day alone, read as its beginning")),
        ("2026/11/19", (DAY, "a day alone, read as its beginning")),
        ("19.11.2026", (DAY, "a day alone, read as its beginning")),
        ("11/19/2026", (DAY, "a day alone, read as its beginning")),
        ("19/11/2026", (DAY, "a day alone, read as its beginning")),
        ("20261119000000", (DAY, "a date, not Unix time, in UTC as it names no zone")),
        ('"1795046400"', (DAY, "marks around it taken away")),
        ("+1795046400", (DAY, "marks around it taken away")),
        ("1795046400 UTC", (DAY, "marks around it taken away")),
        ("1795046400s", (DAY, "marks around it taken away")),
        ("\ufeff1795046400\u200b", (DAY, "marks around it taken away")),
        ("1,795,046,400", (DAY, "read without marks between its digits")),
        ("1 795 046 400", (DAY, "read without marks between its digits")),
        ("1.7950464e9", (DAY, "read as a whole number")),
        ("1.7950464E+09", (DAY, "read as a whole number")),
        ("/Date(1795046400000)/", (DAY, "read as milliseconds")),
        ("134395200000000000", (DAY, "read as time of Windows")),
    ],
)
def test_dates_that_can_be_told(text: str, expected: tuple[str, str]) -> None:
    assert read_or_repair(EPOCH, text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "86400",
        "20261319",
        "999999999",
        "1,795,046",
        "17950464000",
        "soon",
        "11/12/2026",
        "2026-11",
        "2026-13-01",
        "-1",
    ],
)
def test_dates_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"date|Unix|month"):
        read_or_repair(EPOCH, text)


@given(st.integers(1_000_000_000, 9_999_999_999), st.sampled_from([3, 6, 9]), st.integers(0, 999))
def test_units_of_unix_time(seconds: int, zeros: int, rest: int) -> None:
    text = f"{seconds}{rest:0<3}".ljust(10 + zeros, "0")[: 10 + zeros]
    assert read_or_repair(EPOCH, text)[0] == write_date(datetime.fromtimestamp(seconds, UTC))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.10", ("192.0.2.10", "")),
        ("[192.0.2.10]", ("192.0.2.10", "")),
        ("[IPv6:2001:db8::1]", ("2001:db8::1", "")),
        ("2001:DB8:0:0::1%eth0", ("2001:db8::1", "")),
        ("::ffff:192.0.2.10", ("192.0.2.10", "")),
        ("192.0.2.10:25", ("192.0.2.10", "its port left out")),
        ("[192.0.2.10]:25", ("192.0.2.10", "its port left out")),
        ("[2001:db8::1]:25", ("2001:db8::1", "its port left out")),
        ("192.0.2.10/32", ("192.0.2.10", "its prefix left out")),
        ("2001:db8::1/128", ("2001:db8::1", "its prefix left out")),
        ("192.000.002.001", ("192.0.2.1", "zeros in front of its numbers left out")),
        ("192.0.2.090", ("192.0.2.90", "zeros in front of its numbers left out")),
        ("mail.example.net [192.0.2.10]", ("192.0.2.10", "taken out of its brackets")),
        ("mail.example.net (192.0.2.10)", ("192.0.2.10", "taken out of its brackets")),
        ('"192.0.2.10"', ("192.0.2.10", "marks around it taken away")),
        ("192.0.2.10.", ("192.0.2.10", "marks around it taken away")),
        ("ip4:192.0.2.10", ("192.0.2.10", "marks around it taken away")),
        ("dns; 192.0.2.10", ("192.0.2.10", "marks around it taken away")),
        ("\ufeff192.0.2.10\u200b", ("192.0.2.10", "marks around it taken away")),
        ("192.0.2.10#25", ("192.0.2.10", "its port left out")),
        ("192.0.2.10 port 25", ("192.0.2.10", "its port left out")),
    ],
)
def test_addresses_with_one_meaning(text: str, expected: tuple[str, str]) -> None:
    assert read_or_repair(IP, text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("192.0.2.0/24", "2001:db8::/32", "192.0.2.010", "192.000.002.010", "192.0.2.10,192.0.2.11"),
        *("3221225994", "192.0.2", "192.0.2.256", "X.X.X.X", "[]", "mail.example.net", "0xC0.0.2.1", ""),
    ],
)
def test_addresses_with_two_meanings_or_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"address|network|octal"):
        read_or_repair(IP, text)


@given(st.ip_addresses(), st.integers(1, 65535))
def test_what_is_written_around_an_address_does_not_matter(address: ipaddress.IPv4Address, port: int) -> None:
    expected = read_or_repair(IP, str(address))[0]
    for text in (f"[{address}]", f"[{address}]:{port}", f"{address}/{address.max_prefixlen}", f'"{address}"'):
        assert read_or_repair(IP, text)[0] == expected


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("Example.ORG.", "example.org"),
        ("_dmarc.example.org", "_dmarc.example.org"),
        ("[192.0.2.1]", "[192.0.2.1]"),
        ("mailer", "mailer"),
        ("example.dev<<<", "example.dev"),
        ("example.com<foo", "example.com"),
        ("<example.org>", "example.org"),
        ('"example.org"', "example.org"),
        ("example.org;", "example.org"),
        (".example.org", "example.org"),
        ("example.org:25", "example.org"),
        ("example.org (ok)", "example.org"),
        ("example.org, example.org", "example.org"),
        ("news@example.org", "example.org"),
        ("@example.org", "example.org"),
        ('"News" <news@example.org>', "example.org"),
        ("mailto:news@example.org", "example.org"),
        ("SRS0=x=y=example.net=u@example.org", "example.org"),
        ("https://u@example.org:8443/path?x", "example.org"),
        ("a.example<b@example.org", "example.org"),  # a name in front of an address
        ("<>", ""),
        ('"a@b"@example.org', "example.org"),
    ],
)
def test_the_one_domain_in_a_text(text: str, domain: str) -> None:
    assert read_or_repair(ONE_DOMAIN, text)[0] == domain


@pytest.mark.parametrize(
    "text",
    [
        *("a.example b.example", "a.example,b.example", "exam ple.org", "a@a.example, b@b.example", "a..b", ".."),
        *("(null)", "n/a", "@", "<", "x" * 254, "&", "example.org/path"),
    ],
)
def test_two_domains_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="not a domain"):
        read_or_repair(ONE_DOMAIN, text)


@pytest.mark.parametrize("type_", [EPOCH, IP, ONE_DOMAIN], ids=REPAIRS)
@given(text=st.one_of(st.text(max_size=60), st.text("0123456789.:-/[]<>@ TZabc\"',;%", max_size=40)))
def test_any_text_is_a_value_or_a_value_error(type_: Type, text: str) -> None:
    try:
        value, done = read_or_repair(type_, text)
    except ValueError:
        return
    assert isinstance(value, str)
    assert len(done) < 80
    if type_ is ONE_DOMAIN:
        assert value == "" or is_domain(value)
    assert read_or_repair(type_, value) == (value, "") or not value or type_ is EPOCH


@pytest.mark.parametrize("name", REPAIRS)
@pytest.mark.parametrize("unit", ["(", "<", "@", "a ", "0", "[1", "://a", "1.", "a.", " "])
def test_long_texts_cost_nothing(name: str, unit: str) -> None:
    try:
        value, _ = REPAIRS[name](unit * 1_000_000)
    except ValueError:
        return
    assert len(value) <= MAX_CHARS


@pytest.mark.parametrize("piece", ["ä.", "a", "a ", '"', "a:b ", "<"])
def test_looking_for_a_domain_is_linear(piece: str) -> None:
    """Each character once was the beginning of a local part that has no end."""

    def look(text: str) -> None:
        with suppress(ValueError):
            repair_domain(text)

    assert_linear(look, lambda size: piece * (size // len(piece)) + " b@", 1000)
