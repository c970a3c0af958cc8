"""Which index a document belongs to (design §4).

The period is that of the report, as the report itself says it, never how or when it came: so a resend, another
recipient's copy and a bare file meet the same index. Its dates are a stranger's to choose, and each new period makes an
index: so long ago there is one for each year, and what is not believed shares one. The clock tells only what lies
ahead; a report that came too early and comes again lies in `…-outofrange`, where stores look for it (`overlapping`).
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

GRANULARITIES = ("year", "month", "week", "day", "none")
OUT_OF_RANGE = "outofrange"  # the one period of all dates that are not believed, and of what has none
EVERYTHING = "all"  # the one period of the granularity none

_FIRST_YEAR = 2012  # of DMARC; no kind of report that is read here is older in the wild
_AHEAD = timedelta(days=2)  # of zones, and of clocks that are wrong
_PERIOD = re.compile(r"(\d{4})(?:\.(?:w(\d\d)|(\d\d)(?:\.(\d\d))?))?", re.ASCII)

Span = tuple[date, date]  # the first day, and the first day after


def period_of(date: str, granularity: str) -> str:
    """The period of a date: `2026`, `2026.11`, `2026.w47` (ISO week), `2026.11.19` or `all`.

    Raises ValueError when `date` is not RFC 3339 or the granularity is not in GRANULARITIES.
    """
    return _period(_read(date), granularity)


def index_of(date: str, now: str, *, prefix: str, dataset: str, granularity: str, months_since: int) -> str:
    """The index of a document: `<prefix><dataset>-<period>`.

    date: what the report says of its time, '' when it says nothing. now: the clock. Both RFC 3339. months_since: the
    year before which a period is a year, if the granularity is finer. Raises ValueError for an unknown granularity.
    """
    if granularity not in GRANULARITIES:
        raise ValueError(f"granularity is one of {', '.join(GRANULARITIES)}, not {granularity!r}")
    try:
        when = _read(date)
        believed = when.year >= _FIRST_YEAR and when - _AHEAD <= _read(now)
    except ValueError:
        believed = False
    if not believed:
        return f"{prefix}{dataset}-{OUT_OF_RANGE}"
    coarse = when.year < months_since and granularity != "none"
    return f"{prefix}{dataset}-{_period(when, 'year' if coarse else granularity)}"


def date_of(fields: Mapping[str, Any]) -> str:
    """What a report with a period says of its time, RFC 3339; '' for any other."""
    date: str = fields.get("report.begin") or fields.get("report.end") or ""
    return date


def stored_date(source: Mapping[str, Any]) -> str:
    """The date by which a document that is stored has its index, as far as it tells; '' when it does not.

    source: `_source`, as objects within each other.
    """
    report = source.get("report", {})
    date: str = report.get("begin") or report.get("end") or ""
    if date or any(warning.startswith("@timestamp:") for warning in source.get("warnings", ())):
        return date
    return "" if report.get("format") in _WITH_PERIOD else str(source.get("@timestamp", ""))


WITH_ROWS = ("dmarc-aggregate", "smtp-tls")  # a report of these may have a million
_WITH_PERIOD = ("draft", "rfc7489", "rfc9990", "rfc8460")


def overlapping(index: str, others: Iterable[str], prefix: str) -> list[str]:
    """Which other indices of its dataset may hold a document that belongs to this index.

    Those whose period overlaps: `…-outofrange`, what another granularity made, and another year of months_since.
    """
    dataset = dataset_of(index, prefix)
    own = _span(index)
    return [one for one in others if one != index and dataset_of(one, prefix) == dataset and _meet(own, _span(one))]


def covering(day: str, indices: Iterable[str]) -> list[str]:
    """Those of some indices whose period has this date (RFC 3339) in it, and those that have no period."""
    try:
        begin = _read(day).date()
    except ValueError:
        begin = date.min
    return [one for one in indices if (span := _span(one))[0] <= begin <= span[1]]


def _meet(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _span(index: str) -> Span:
    """The days of an index's period; any day when it is none."""
    match = _PERIOD.fullmatch(index.rpartition("-")[2])
    try:
        if match is None:
            return date.min, date.max
        year, week, month, day = (int(part) if part else 0 for part in match.groups())
        if week:
            begin = date.fromisocalendar(year, week, 1)
            return begin, begin + timedelta(days=7)
        if day:
            return date(year, month, day), date(year, month, day) + timedelta(days=1)
        if month:
            return date(year, month, 1), date(year + month // 12, month % 12 + 1, 1)
        return date(year, 1, 1), date(year + 1, 1, 1)
    except ValueError:
        return date.min, date.max


def _read(date: str) -> datetime:
    try:
        value = datetime.fromisoformat(date)
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError as error:  # the year 1 east of Greenwich
        raise ValueError(f"not a date: {date}") from error


def _period(date: datetime, granularity: str) -> str:
    match granularity:
        case "year":
            return f"{date.year:04d}"
        case "month":
            return f"{date.year:04d}.{date.month:02d}"
        case "week":
            year, week, _ = date.isocalendar()
            return f"{year:04d}.w{week:02d}"
        case "day":
            return f"{date.year:04d}.{date.month:02d}.{date.day:02d}"
        case "none":
            return EVERYTHING
    raise ValueError(f"granularity is one of {', '.join(GRANULARITIES)}, not {granularity!r}")


def dataset_of(index: str, prefix: str) -> str:
    """The dataset of an index named by `index_of`; '' when the name does not begin with the prefix."""
    return index.removeprefix(prefix).rpartition("-")[0] if index.startswith(prefix) else ""
