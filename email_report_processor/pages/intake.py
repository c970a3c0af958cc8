"""Figures about the intake itself: who reports, who has fallen silent, what had to be repaired, what was kept."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date
from itertools import pairwise
from typing import NamedTuple

from ..stores.kept import Kept
from ..stores.query import Exists, field_of
from ..stores.store import Store
from . import words
from .asking import Scope, ask, cut
from .days import Trends
from .figure import Column, Figure
from .mail import NO_REPORTS

_DATASET = "report"
_PATIENCE = 3  # times the longest usual gap, and
_LEAST = 3  # days at least, before a reporter is silent
_REGULAR = 3  # days with reports, before anything is expected of a reporter


class Reporter(NamedTuple):
    """Who reports, and when last."""

    name: str
    reports: int
    messages: int
    last: str  # day of its latest report's period
    silent: int  # days without a report, 0 when that is usual
    trend: tuple[int, ...]


def reporters(store: Store, scope: Scope, today: str) -> list[Reporter]:
    """Who reports; the silent first, the longest first, then those with the most messages."""
    days: dict[str, set[str]] = defaultdict(set)
    reports: Counter[str] = Counter()
    messages: Counter[str] = Counter()
    groups = ask(store, scope, _DATASET, ("report.org_name",), every="day", sum=("messages",), where=_AGGREGATE)
    trends = Trends(one.key[0] for one in groups)
    for one in groups:
        day, name = one.key[0], one.key[1] or "-"
        days[name].add(day)
        reports[name] += one.documents
        messages[name] += one.sums[0]
        trends.add(name, day, one.documents)
    end = _end(scope, today)
    found = [
        Reporter(name, reports[name], messages[name], max(days[name]), silence(days[name], end), trends.of(name))
        for name in days
    ]
    return sorted(found, key=lambda one: (-one.silent, -one.messages, one.name))


_AGGREGATE = {"report.dataset": "dmarc-aggregate"}


def _end(scope: Scope, today: str) -> date:
    """Until when a report could have come: today, or the end of the asked time."""
    last = date.fromisoformat(words.day(today))
    return min(last, date.fromisoformat(words.day(scope.period.until))) if scope.period.until else last


def silence(days: Iterable[str], end: date) -> int:
    """Days since the last report of a reporter that came regularly; 0 while that is no longer than usual.

    A report is about the day before, so that one day without any is usual even for those that come daily.
    """
    known = sorted(date.fromisoformat(day) for day in set(days) if date.fromisoformat(day) <= end)
    if len(known) < _REGULAR:
        return 0
    gap = max((later - earlier).days for earlier, later in pairwise(known))
    since = (end - known[-1]).days
    return since if since > max(_LEAST, _PATIENCE * gap) else 0


def reporting(found: list[Reporter], scope: Scope) -> Figure:
    """The table of the reporters."""
    rows = tuple(
        (one.name, f"silent for {words.count(one.silent, 'day')}" if one.silent else "reports", *one[1:4], one.trend)
        for one in found
    )
    columns = (
        Column("Reporter"),
        Column("State"),
        Column("Reports", "number"),
        Column("Messages", "number"),
        Column("Last day", "day"),
        Column("Trend", "trend"),
    )
    note = "Silent: no report for three times its longest gap in this time, and for more than three days."
    return cut(
        Figure(
            "reporters", "Who reports? The silent first", columns, rows, unit="reports", note=note, empty=NO_REPORTS
        ),
        scope,
    )


# Where in its input a parser stopped (expat, json): different in every report of one broken reporter.
_POSITION = re.compile(r"(?:[:,] | \()line \d+,? column \d+(?: \(char \d+\))?\)?")


def repairs(store: Store, scope: Scope) -> Figure:
    """What had to be repaired or could not be read, by warning and kind of document."""
    found = Counter[tuple[str, str]]()
    for dataset in (_DATASET, "dmarc-aggregate", "smtp-tls", "dmarc-failure", "arf"):
        for one in ask(store, scope, dataset, ("warnings",), sum=(), node=Exists(field_of("warnings"))):
            if one.key[0] is not None:
                found[_POSITION.sub("", str(one.key[0])), dataset] += one.documents
    rows = tuple((*key, number) for key, number in sorted(found.items(), key=lambda one: (-one[1], one[0])))
    columns = (Column("Warning"), Column("In", "code"), Column("Documents", "number"))
    empty = "Nothing of this time had to be repaired."
    return cut(Figure("warnings", "What had to be repaired", columns, rows, unit="documents", empty=empty), scope)


_MEANING = {
    "no-report": "mail without any report",
    "reply": "answers and bounces of our own reports: `abuse answers` reads them",
    "salvaged": "read in part: what could be read is stored",
    "unreadable": "claims to be a report and cannot be read",
    "rejected": "the store refuses a document for its content",
    "unfinished": "not stored, or not as a whole: `kept --retry` finishes it",
    "failed": "an error of this program: please report it",
}


def kept(messages: Iterable[Kept], scope: Scope) -> Figure:
    """Messages that were kept, by category: of this machine, which the store knows nothing of."""
    found = list(messages)
    counts = Counter(message.category for message in found)
    rows = tuple((name, number, _MEANING.get(name, "")) for name, number in counts.most_common())
    columns = (Column("Category", "code"), Column("Messages", "number"), Column("What it is"))
    note = "`email-report-admin kept` lists them; `kept --retry` feeds them again."
    if oldest := min((message.time for message in found if message.time), default=""):
        size = sum(message.size for message in found) / 1024**2
        note = f"On this machine, {size:,.1f} MiB, the oldest of {words.day(oldest)}. {note}"
    empty = "No message had to be kept."
    return cut(Figure("kept", "Kept messages, of all time", columns, rows, note=note, empty=empty), scope)
