"""Which index a document belongs to."""

import random
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.documents.layout import (
    GRANULARITIES,
    covering,
    dataset_of,
    index_of,
    overlapping,
    period_of,
    stored_date,
)

NOW = "2026-11-20T06:12:40Z"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def index(date: str, now: str = NOW, *, granularity: str = "month", months_since: int = 2024) -> str:
    return index_of(
        date, now, prefix="email-report-", dataset="smtp-tls", granularity=granularity, months_since=months_since
    )


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
        period_of(NOW, "hour")
    with pytest.raises(ValueError, match="hour"):
        index(NOW, granularity="hour")


@pytest.mark.parametrize("date", ["", "yesterday", "0001-01-01T00:00:00+10:00", "9999-12-31T23:00:00-10:00"])
def test_wrong_date(date: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # datetime's own words
        period_of(date, "month")
    assert index(date) == "email-report-smtp-tls-outofrange"
    assert index(NOW, date) == "email-report-smtp-tls-outofrange"


@pytest.mark.parametrize(
    ("date", "period"),
    [
        ("2026-11-19T00:00:00Z", "2026.11"),
        ("2026-11-22T06:12:40Z", "2026.11"),  # two days ahead, to the second
        ("2026-11-22T06:12:41Z", "outofrange"),
        ("2024-01-01T00:00:00Z", "2024.01"),
        ("2023-12-31T23:59:59Z", "2023"),
        ("2012-01-01T00:00:00Z", "2012"),
        ("2011-12-31T23:59:59Z", "outofrange"),
    ],
)
def test_what_is_believed(date: str, period: str) -> None:
    assert index(date) == f"email-report-smtp-tls-{period}"


@pytest.mark.parametrize(
    ("granularity", "period"),
    [("year", "2023"), ("month", "2023"), ("week", "2023"), ("day", "2023"), ("none", "all")],
)
def test_long_ago_a_period_is_a_year(granularity: str, period: str) -> None:
    assert index("2023-05-01T00:00:00Z", granularity=granularity) == f"email-report-smtp-tls-{period}"
    assert index("2024-05-01T00:00:00Z", granularity=granularity, months_since=2026).endswith(
        "all" if granularity == "none" else "2024"
    )


def test_strangers_make_few_indices() -> None:
    """One for each year up to 2023, one for each month from then on, and one for the rest."""
    chosen = random.Random(7)
    days = (EPOCH + timedelta(days=chosen.uniform(0, 60_000)) for _ in range(10_000))
    made = {index(day.isoformat()) for day in days}
    assert len(made) == (2024 - 2012) + (2 * 12 + 11) + 1


@given(st.datetimes(), st.datetimes(), st.datetimes())
def test_only_what_lies_ahead_depends_on_the_clock(date: datetime, now: datetime, later: datetime) -> None:
    first, again = (index(date.isoformat(), clock.isoformat()) for clock in (now, later))
    assert first == again or "outofrange" in first + again
    assert again in {first, *overlapping(first, [again], "email-report-")}


@pytest.mark.parametrize(
    ("own", "others"),
    [
        ("2026.11", ["2026", "2026.11.05", "2026.w44", "2026.w48", "2026.w49", "all", "outofrange", "odd"]),
        ("2026", ["2026.01", "2026.11", "2026.11.05", "2026.w01", "2026.w44", "2026.w48", "2026.w49", "all"]),
        ("2026.w49", ["2026", "2026.11", "2026.12", "all"]),
        ("2025.12.29", ["2026.w01", "all"]),
        ("outofrange", ["2026", "2026.11", "all", "odd"]),
    ],
)
def test_where_else_a_document_may_lie(own: str, others: list[str]) -> None:
    there = ["2026", "2026.01", "2026.11", "2026.12", "2026.11.05", "2026.12.05", "2026.w01", "2026.w44", "2026.w48"]
    names = [f"x-smtp-tls-{one}" for one in [*there, "2026.w49", "2026.13", "all", "outofrange", "odd"]]
    found = overlapping(f"x-smtp-tls-{own}", [*names, "x-arf-all", "y-report-all"], "x-")
    assert set(found) >= {f"x-smtp-tls-{one}" for one in others}
    assert f"x-smtp-tls-{own}" not in found
    assert all(one.startswith("x-smtp-tls-") for one in found)
    if own == "2026.11":
        assert {one.rpartition("-")[2] for one in found} == {*others, "2026.13"}


def test_of_a_date_few_indices() -> None:
    names = [f"x-smtp-tls-{one}" for one in ("all", "2011.12", "2012", "2026.11", "2026.w48", "outofrange")]
    always = [names[0], names[-1]]
    assert covering("2026-11-25T10:00:00Z", names) == [names[0], names[3], names[4], names[-1]]
    assert covering("2012-05-01T00:00:00Z", names) == [names[0], names[2], names[-1]]
    assert covering("1970-05-01T00:00:00Z", names) == covering("", names) == always


@pytest.mark.parametrize(
    ("source", "date"),
    [
        ({"report": {"begin": "2026-11-19T00:00:00Z", "end": "2026-11-20T00:00:00Z"}}, "2026-11-19T00:00:00Z"),
        ({"report": {"end": "2026-11-20T00:00:00Z"}, "@timestamp": "2026-11-21T00:00:00Z"}, "2026-11-20T00:00:00Z"),
        ({"report": {"format": "rfc7489"}, "@timestamp": "2026-11-21T00:00:00Z"}, ""),
        ({"report": {"format": "rfc6591"}, "@timestamp": "2026-11-21T00:00:00Z"}, "2026-11-21T00:00:00Z"),
        ({"@timestamp": "2026-11-21T00:00:00Z"}, "2026-11-21T00:00:00Z"),
        ({"@timestamp": "2026-11-21T00:00:00Z", "warnings": ["@timestamp: no date anywhere"]}, ""),
    ],
)
def test_the_date_of_what_is_stored(source: dict[str, Any], date: str) -> None:
    assert stored_date(source) == date


@given(st.datetimes().map(lambda one: one.isoformat()) | st.text(max_size=12), st.datetimes())
def test_any_date_has_an_index(date: str, now: object) -> None:
    for granularity in GRANULARITIES:
        name = index(date, str(now), granularity=granularity)
        assert re.fullmatch(r"email-report-smtp-tls-(\d{4}(\.(\d\d|w\d\d)(\.\d\d)?)?|all|outofrange)", name)


@pytest.mark.parametrize("granularity", GRANULARITIES)
@pytest.mark.parametrize("prefix", ["email-report-", "", "a-b", "smtp-"])
def test_the_dataset_of_an_index(prefix: str, granularity: str) -> None:
    for date in (NOW, ""):
        name = index_of(date, NOW, prefix=prefix, dataset="smtp-tls", granularity=granularity, months_since=2024)
        assert dataset_of(name, prefix) == "smtp-tls"
        assert dataset_of("x" + name, prefix) != "smtp-tls"
