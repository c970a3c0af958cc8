"""A league table of networks that react to reports: who answers, who solves, who is silent, whose hosts went on.

The row of a network is its AS where that is known, else the range that the registry names.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import NamedTuple

from ..pages.figure import Column, Figure, Page, Period, Value
from ..stores.store import Question, Store
from ..values.fields import write_date
from .history import Standing, read, standings
from .message import DATASETS

LOOKED_AT = timedelta(days=7)  # a host that sent nothing for so long has stopped
_ADDRESSES = 100_000

_COLUMNS = (
    Column("Network"),
    Column("AS", "code"),
    Column("Country", "country"),
    Column("Reports", "number"),
    Column("Messages", "number"),
    Column("Reacted", "share"),
    Column("Days", "number"),
    Column("Solved", "number"),
    Column("Bounced", "number"),
    Column("Silent", "number"),
    Column("Stopped", "share"),
)
NOTE = (
    "Reacted: an answer of a person or of a ticket system, or solved. Days: until the first of them, the median. "
    "Stopped: of the reports that are a week old, those of whose hosts no message was reported for a week."
)
EMPTY = "No report was sent to a network yet: email-report-admin abuse prepare"


class Row(NamedTuple):
    """One network."""

    name: str
    as_number: int  # 0 unknown
    country: str
    reports: int  # sent
    messages: int  # that they stand for
    reacted: int
    days: float | None  # median until a reaction
    solved: int
    bounced: int
    silent: int
    stopped: int
    old: int  # reports of which can be said whether the hosts stopped


def still_sending(store: Store, now: datetime) -> set[str]:
    """Hosts of which messages were reported within the last week. Raises StoreError."""
    since = write_date(now - LOOKED_AT)
    asked = (Question(dataset, ("source.ip",), (), since=since, size=_ADDRESSES) for dataset in DATASETS)
    return {str(one.key[0]) for question in asked for one in store.totals(question) if one.key[0]}


def rows(found: Iterable[Standing], sending: set[str], now: datetime) -> list[Row]:
    """Networks that reports were sent to, those that react first."""
    grouped: dict[tuple[int, str], list[Standing]] = {}
    for one in found:
        if one.sent:
            about = one.incident
            key = (about.as_number, "" if about.as_number else about.network or about.address)
            grouped.setdefault(key, []).append(one)
    made = [_row(some, sending, now) for some in grouped.values()]
    return sorted(made, key=lambda row: (-row.reacted / row.reports, -row.reports, row.name))


def _row(some: Sequence[Standing], sending: set[str], now: datetime) -> Row:
    about = some[0].incident
    waits = [days for one in some if (days := _days(one)) is not None]
    old = [one for one in some if now - datetime.fromisoformat(one.sent) >= LOOKED_AT]
    stopped = [one for one in old if not sending & {one.incident.address, *one.incident.addresses}]
    solved = [one for one in some if _solved(one)]
    return Row(
        about.as_name or about.network or about.address,
        about.as_number,
        about.country,
        len(some),
        sum(one.incident.count for one in some),
        sum(one.reacted for one in some),
        median(waits) if waits else None,
        len(solved),
        sum(one.state == "bounced" for one in some),
        sum(one.state == "silent" or _closed_as(one, "silent") for one in some),
        len(stopped),
        len(old),
    )


def _solved(one: Standing) -> bool:
    return one.state == "solved" or _closed_as(one, "solved")


def _closed_as(one: Standing, outcome: str) -> bool:
    return any(event.action == "closed" and event.outcome == outcome for event in one.events)


def _days(one: Standing) -> float | None:
    """Days from the report to the first reaction."""
    reacted = one.reaction
    if reacted is None:
        return None
    waited = datetime.fromisoformat(reacted.at) - datetime.fromisoformat(one.sent)
    return max(0.0, waited / timedelta(days=1))


def figure(found: Sequence[Row], period: Period = Period()) -> Figure:  # noqa: B008  # a tuple of two texts
    """The table."""
    lines: tuple[tuple[Value, ...], ...] = tuple(
        (
            row.name,
            f"AS{row.as_number}" if row.as_number else "",
            row.country,
            row.reports,
            row.messages,
            row.reacted / row.reports,
            None if row.days is None else round(row.days, 1),
            row.solved,
            row.bounced,
            row.silent,
            row.stopped / row.old if row.old else None,
        )
        for row in found
    )
    title = "Networks that react to our reports"
    return Figure("league", title, _COLUMNS, lines, unit="reports", period=period, note=NOTE, empty=EMPTY)


def page(
    store: Store,
    now: datetime,
    silent_days: float,
    since: str = "",
    is_shown: Callable[[Standing], bool] = lambda _: True,
) -> Page:
    """The table as a page of its own, of reports from `since` on (RFC 3339). Raises StoreError."""
    found = [one for one in standings(read(store), now, silent_days) if one.sent >= since and is_shown(one)]
    table = figure(rows(found, still_sending(store, now), now), Period(since, write_date(now)))
    return Page("Reports to networks", store.name, "", table.period, write_date(now), (), (), (table,))
