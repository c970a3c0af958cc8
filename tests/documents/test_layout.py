"""Which index a document belongs to."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.documents.layout import GRANULARITIES, dataset_of, index_of, period_of

ANCHOR = "2026-11-20T06:12:40Z"


def index(begin: str, anchor: str = ANCHOR, *, bare: bool = False, granularity: str = "month") -> str:
    return index_of(begin, anchor, bare=bare, prefix="email-report-", dataset="smtp-tls", granularity=granularity)


@pytest.mark.parametrize(
    ("date", "granularity", "period"),
    [
        ("2026-11-19T00:00:00Z", "year", "2026"),
        ("2026-11-19T00:00:00Z", "month", "2026.11"),
        ("2026-11-19T00:00:00Z", "week", "2026.w47"),
        ("2026-11-19T00:00:00Z", "day", "2026.11.19"),
        ("2026-11-19T00:00:00Z", "none", "all"),
        ("2027-01-01T12:00:00Z", "week", "2026.w53"),  # ISO 8601: the week belongs to the year of its Thursday
        ("2025-12-29T00:00:00.123Z", "week", "2026.w01"),
        ("2026-12-31T23:30:00-01:00", "month", "2027.01"),  # the period is UTC
        ("2026-11-30T23:59:59.999Z", "day", "2026.11.30"),
    ],
)
def test_periods(date: str, granularity: str, period: str) -> None:
    assert period_of(date, granularity) == period


def test_wrong_granularity() -> None:
    with pytest.raises(ValueError, match="year, month, week, day, none, not 'hour'"):
        period_of(ANCHOR, "hour")
    with pytest.raises(ValueError, match="hour"):
        index(ANCHOR, granularity="hour")


@pytest.mark.parametrize("date", ["", "yesterday", "0001-01-01T00:00:00+10:00", "9999-12-31T23:00:00-10:00"])
def test_wrong_date(date: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # datetime's own words
        period_of(date, "month")
    assert index(date) == "email-report-smtp-tls-outofrange"
    assert index(ANCHOR, date) == "email-report-smtp-tls-outofrange"


@pytest.mark.parametrize(
    ("begin", "period"),
    [
        ("2026-11-19T00:00:00Z", "2026.11"),
        ("2026-11-22T06:12:40Z", "2026.11"),  # two days later, to the second
        ("2026-11-22T06:12:41Z", "outofrange"),
        ("2025-10-16T06:12:40Z", "2025.10"),  # 400 days earlier
        ("2025-10-16T06:12:39Z", "outofrange"),
    ],
)
def test_held_against_the_message(begin: str, period: str) -> None:
    assert index(begin) == f"email-report-smtp-tls-{period}"


@pytest.mark.parametrize(
    ("begin", "period"),
    [
        ("2000-01-01T00:00:00Z", "2000.01"),
        ("2099-12-31T23:59:59Z", "2099.12"),
        ("1999-12-31T23:59:59Z", "outofrange"),
        ("2100-01-01T00:00:00Z", "outofrange"),
    ],
)
def test_a_bare_report_needs_only_a_century(begin: str, period: str) -> None:
    assert index(begin, "", bare=True) == f"email-report-smtp-tls-{period}"
    assert index(begin, "") == "email-report-smtp-tls-outofrange"


def test_a_forged_message_date_opens_no_new_century() -> None:
    assert index("9998-01-01T00:00:00Z", "9998-01-02T00:00:00Z").endswith("outofrange")


@given(st.datetimes().map(lambda one: one.isoformat()) | st.text(max_size=12), st.datetimes(), st.booleans())
def test_any_date_has_an_index(begin: str, anchor: object, bare: bool) -> None:
    for granularity in GRANULARITIES:  # 1 January 2000 lies in the ISO week 1999.w52
        name = index(begin, str(anchor), bare=bare, granularity=granularity)
        assert re.fullmatch(r"email-report-smtp-tls-((20\d\d|1999)(\.(\d\d|w\d\d)(\.\d\d)?)?|all|outofrange)", name)


@pytest.mark.parametrize("granularity", GRANULARITIES)
@pytest.mark.parametrize("prefix", ["email-report-", "", "a-b", "smtp-"])
def test_the_dataset_of_an_index(prefix: str, granularity: str) -> None:
    for begin in (ANCHOR, ""):
        name = index_of(begin, ANCHOR, bare=False, prefix=prefix, dataset="smtp-tls", granularity=granularity)
        assert dataset_of(name, prefix) == "smtp-tls"
        assert dataset_of("x" + name, prefix) != "smtp-tls"
