"""Which index a document belongs to (design §4).

The period comes from the report, so that a resend meets its own index. Its dates are a stranger's to choose, and each
new period makes an index: they are held against the date of the message that brought it, never against the clock.
"""

from datetime import UTC, datetime, timedelta

GRANULARITIES = ("year", "month", "week", "day", "none")
OUT_OF_RANGE = "outofrange"  # the one period of all dates that are not believed
EVERYTHING = "all"  # the one period of the granularity none

_EARLIEST = timedelta(days=-400)
_LATEST = timedelta(days=2)
_YEARS = range(2000, 2100)


def period_of(date: str, granularity: str) -> str:
    """The period of a date: `2026`, `2026.11`, `2026.w47` (ISO week), `2026.11.19` or `all`.

    Raises ValueError when `date` is not RFC 3339 or the granularity is not in GRANULARITIES.
    """
    return _period(_read(date), granularity)


def index_of(begin: str, anchor: str, *, bare: bool, prefix: str, dataset: str, granularity: str) -> str:
    """The index of a document: `<prefix><dataset>-<period>`.

    begin: begin of the report's period, or the document's own date. anchor: the date of the message that brought it
    (Envelope.received). bare: the input was a report without a message, so there is no anchor. Dates are RFC 3339,
    '' when unknown. Raises ValueError for an unknown granularity.
    """
    try:
        date = _read(begin)
        believed = date.year in _YEARS and (bare or _EARLIEST <= date - _read(anchor) <= _LATEST)
    except ValueError:
        believed = False
    return f"{prefix}{dataset}-{_period(date, granularity) if believed else OUT_OF_RANGE}"


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
