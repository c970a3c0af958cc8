"""The period of an aggregate report: what of it is believed, and the date that its documents stand under."""

from datetime import datetime, timedelta

from ..values.fields import Fields, write_date
from .aggregate_values import Warnings
from .report import TOO_EARLY

LONGEST = timedelta(days=400)  # a period: reports are of a day, the longest that was seen of some weeks
_DAY = timedelta(days=1)


def settle_period(metadata: Fields, reported_end: str, warnings: Warnings) -> Fields:
    """Add the duration, or take an unbelievable end out; returns what cannot be read."""
    begin, end = _date(metadata, "report.begin"), _date(metadata, "report.end")
    if not (begin and end):
        return {}
    if begin == end and any(text.startswith("report.end: a day alone") for text in warnings.texts):
        # a day named twice is that day
        end = begin + _DAY - timedelta(seconds=1)
        metadata["report.end"] = write_date(end)
    if begin <= end <= begin + LONGEST:
        metadata["report.duration"] = int((end - begin).total_seconds())
        return {}
    what = "before report.begin" if end < begin else f"more than {LONGEST.days} days after report.begin"
    warnings.add(f"report.end: {what}")
    del metadata["report.end"]
    return {"raw.report.end": reported_end}


def timestamp(metadata: Fields, received: str, warnings: Warnings) -> Fields:
    """`@timestamp`: the middle of the period, so that a day's report falls on that day in every time zone.

    A report that says no date, and came without a message, has none: what is ours to say of it is when it was stored.
    """
    begin, end = _date(metadata, "report.begin"), _date(metadata, "report.end")
    if begin and end:
        return {"@timestamp": write_date(begin + timedelta(seconds=metadata["report.duration"] // 2))}
    if end:
        return {"@timestamp": write_date(end)}
    if received:
        warnings.add("@timestamp: the date of the message, as the report has no end")
        return {"@timestamp": received}
    if begin:
        warnings.add("@timestamp: the begin of the report, as it has no end")
        return {"@timestamp": write_date(begin)}
    warnings.add("@timestamp: when it was stored, as neither the report nor a message has a date")
    return {}


def delay(metadata: Fields, received: str, warnings: Warnings) -> Fields:
    """How long after its period a report came."""
    end = _date(metadata, "report.end")
    if not (end and received):
        return {}
    seconds = int((datetime.fromisoformat(received) - end).total_seconds())
    if seconds < 0:
        warnings.add(TOO_EARLY)
    return {"report.delay": seconds}


def _date(metadata: Fields, name: str) -> datetime | None:
    text = metadata.get(name)
    return datetime.fromisoformat(text) if text else None
