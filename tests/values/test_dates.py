"""Dates as reporters write them, and what must be left alone."""

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.values import dates
from email_report_processor.values.dates import MAX_CHARS, lacks_offset, read_rfc3339, read_rfc5322, without_comments
from tests.linear import assert_linear


def utc(*fields: int) -> datetime:
    return datetime(*fields, tzinfo=UTC)  # type: ignore[misc, arg-type]  # mypy cannot see that there are at most seven


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Thu, 19 Nov 2026 08:30:15 +0100", utc(2026, 11, 19, 7, 30, 15)),
        ("19 Nov 2026 08:30 -0000", utc(2026, 11, 19, 8, 30)),
        ("Thu, 19 Nov 2026 08:30:00 EDT", utc(2026, 11, 19, 12, 30)),  # obsolete zones, RFC 5322 §4.3
        ("Thu, 19 Nov 2026 08:30:00 CEST", utc(2026, 11, 19, 6, 30)),
        ("Thu, 19 Nov 2026 08:30:00 UTC+2", utc(2026, 11, 19, 6, 30)),
        ("Thu, 19 Nov 2026 08:30:00 GMT-03:30", utc(2026, 11, 19, 12, 0)),
        ("Thu, 19 Nov 2026 08:30:00 QXT", utc(2026, 11, 19, 8, 30)),  # unknown names count as -0000
        ("Thu, 19 Nov 2026 08:30:00", utc(2026, 11, 19, 8, 30)),
        ("Wed, 14 Apr 2010 12:15:31 -0700 (PDT)", utc(2010, 4, 14, 19, 15, 31)),
        ("(on) Thu (or (maybe) Friday), 19 Nov 2026 08:30:15 +0100", utc(2026, 11, 19, 7, 30, 15)),
        ("Mon, 19 Nov 2026 08:30:15 +0100", utc(2026, 11, 19, 7, 30, 15)),  # the wrong weekday
        ("19 Nov 26 08:30:15 GMT", utc(2026, 11, 19, 8, 30, 15)),
        ("19 Nov 99 08:30:15 GMT", utc(1999, 11, 19, 8, 30, 15)),
        ("19 Nov 126 08:30:15 GMT", utc(2026, 11, 19, 8, 30, 15)),
        ("Thu Nov 19 08:30:15 2026", utc(2026, 11, 19, 8, 30, 15)),  # asctime
        ("Thu Nov  9 08:30:15 CET 2026", utc(2026, 11, 9, 7, 30, 15)),  # date(1)
        ("Thu Nov 19 08:30 -0500 2026", utc(2026, 11, 19, 13, 30)),
        ("1795077015", utc(2026, 11, 19, 8, 30, 15)),
        ("1795077015.25", utc(2026, 11, 19, 8, 30, 15)),
        ("Thu, 31 Dec 2026 23:59:60 +0000", utc(2026, 12, 31, 23, 59, 59)),
        ("2026-11-19T08:30:15+01:00", utc(2026, 11, 19, 7, 30, 15)),
    ],
)
def test_mail_dates(text: str, expected: datetime) -> None:
    assert read_rfc5322(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("November 19, 2026 8:30:15 PM", utc(2026, 11, 19, 20, 30, 15)),
        ("2026/11/09 08:30", utc(2026, 11, 9, 8, 30)),
        ("2026-11-09 08:30:15 CEST", utc(2026, 11, 9, 6, 30, 15)),
        ("9.11.2026 08:30:15", utc(2026, 11, 9, 8, 30, 15)),
        ("11/19/2026 08:30:15", utc(2026, 11, 19, 8, 30, 15)),
        ("November 19, 2026 08:30:15 CET", utc(2026, 11, 19, 7, 30, 15)),
    ],
)
def test_dates_by_hand(text: str, expected: datetime) -> None:
    assert read_rfc5322(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "Thursday",
        "Thursday 08:30",
        "19 Nov 2026",  # no time: midnight would be made up
        "11/09/2026 08:30",  # September or November
        "31 Feb 2026 08:30:00 +0000",
        "19 Nov 2026 25:30:00 +0000",
        "19 Nov 2026 08:30:00 +9900",
        "19 Nov 2026 08:30:00 +99999999999999999999",
        "19/20/2026 08:30 -99999999999999999999",
        "19 Nov 1969 08:30:00 +0000",
        "1 Jan 1970 00:30:00 +0100",
        "31 Dec 9999 23:30:00 -0100",
        "9" * 90,
        "19 Nov 2026 08:30:00 +0000 " + "(x)" * 200,
    ],
)
def test_what_is_no_date(text: str) -> None:
    with pytest.raises(ValueError, match=r"date|offset"):
        read_rfc5322(text)


@pytest.mark.parametrize(
    "date", ["Thu, 19 Nov 2026 08:30:15 +0100 (CET)", "19 Nov 2026 08:30 GMT", "2026-11-19T08:30:15Z"]
)
def test_ordinary_dates_import_little(date: str) -> None:
    code = "import sys; from email_report_processor.values.dates import read_rfc5322; "
    code += f"read_rfc5322({date!r}); print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"email.utils", "dateutil"} & set(run.stdout.split())


PIECES = st.tuples(
    st.sampled_from(["Thu, ", "Thu,", ""]),
    st.sampled_from(["19", "9", "31", "0"]),
    st.sampled_from(["Nov", "fEB", "Xyz"]),
    st.sampled_from(["2026", "1969", "0026"]),
    st.sampled_from(["08:30:15", "08:30", "23:59:60", "24:00:00", "08:60:00"]),
    st.sampled_from(["+0100", "-0000", "-2359", "+9900", "GMT", "EDT", "cest", "Z", "A", "XYZ"]),
)


@given(PIECES)
def test_short_cut_agrees_with_the_standard_library(pieces: tuple[str, ...]) -> None:
    text = "{}{} {} {} {} {}".format(*pieces)
    assert outcome(dates.read_rfc5322, text) == outcome(dates._read_standard, text)


def outcome(read: Callable[[str], datetime], text: str) -> datetime | None:
    try:
        return read(text)
    except ValueError:
        return None


def test_length_is_bounded_on_both_sides() -> None:
    date = "19 Nov 2026 08:30:00 +0000"
    comment = "(" + "x" * (MAX_CHARS - len(date) - 2) + ")"
    assert read_rfc5322(date + comment) == utc(2026, 11, 19, 8, 30)
    with pytest.raises(ValueError, match=f"{MAX_CHARS} characters"):
        read_rfc5322(date + comment + " ")


@pytest.mark.parametrize(
    ("text", "expected", "assumed"),
    [
        ("2026-11-19T00:00:00Z", utc(2026, 11, 19), False),
        ("2026-11-19t00:00:00z", utc(2026, 11, 19), False),
        ("2026-11-19 00:00:00Z", utc(2026, 11, 19), False),
        ("2026-11-19T00:00:00+02:00", utc(2026, 11, 18, 22), False),
        ("2026-11-19T00:00:00-0230", utc(2026, 11, 19, 2, 30), False),
        ("2026-11-19T00:00:00", utc(2026, 11, 19), True),
        ("2026-11-19T10:20", utc(2026, 11, 19, 10, 20), True),
        ("2026-11-19T00:00:00.5Z", utc(2026, 11, 19, 0, 0, 0, 500_000), False),
        ("2026-11-19T00:00:00.123456789Z", utc(2026, 11, 19, 0, 0, 0, 123_456), False),
        ("2016-12-31T23:59:60Z", utc(2016, 12, 31, 23, 59, 59), False),
    ],
)
def test_internet_dates(text: str, expected: datetime, assumed: bool) -> None:
    assert read_rfc3339(text) == expected
    assert lacks_offset(text) is assumed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-19",
        "2026-11-19T24:00:00Z",
        "2026-13-19T00:00:00Z",
        "2026-11-19T00:00:00+24:00",
        "2026-11-19T00:00:00+01:60",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "٢٠٢٦-11-19T00:00:00Z",
        "Thu, 19 Nov 2026 08:30:15 +0100",
    ],
)
def test_what_is_no_internet_date(text: str) -> None:
    with pytest.raises(ValueError, match=r"date|offset|must be in|out of range"):
        read_rfc3339(text)
    assert lacks_offset(text) is False


MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30)).map(lambda moment: moment.replace(microsecond=0))  # noqa: DTZ001  # the zone is drawn beside it
OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(MOMENTS, OFFSETS)
def test_what_the_standard_library_writes_is_read_back(moment: datetime, zone: timezone) -> None:
    written = moment.replace(tzinfo=zone)
    assert read_rfc5322(format_datetime(written)) == written
    assert read_rfc3339(written.isoformat()) == written


@given(st.one_of(st.text(max_size=120), st.text("0123456789 :,+-/.TZ()JanFebMrGMT", max_size=60)))
def test_only_value_error(text: str) -> None:
    for read in (read_rfc5322, read_rfc3339):
        try:
            value = read(text)
        except ValueError:
            continue
        assert value.tzinfo is UTC
        assert 1970 <= value.year <= 9999


def test_comments_take_linear_time() -> None:
    def work(text: str) -> None:
        assert without_comments(text) == ""

    assert_linear(work, lambda size: "(" * size + "a" + ")" * size, 25_000)
