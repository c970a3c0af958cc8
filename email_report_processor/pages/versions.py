"""Reports of which there are several versions: sent again with other rows, or two different ones under one id.

Rows that are the same in both are stored once, so that what the versions say adds up to more than what is stored. Which
of the two it is nobody can tell, and a document never says what was there before it: so it is worked out here.
"""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any, NamedTuple

from ..stores.query import Exists, field_of
from ..stores.store import Store
from ..stores.totals import largest
from . import words
from .asking import DOMAIN, Scope, ask
from .figure import Column, Figure, Period

_DATASET = "report"
_IDENTIFIED = Exists(field_of("report.identity"))  # those of single messages have none, and no versions
_MOST_DAYS = 10  # that are asked for one by one
_MOST = 50  # reports that are compared; two questions each
# What the documents of a report hold of what it says, by dataset. Feedback reports have no versions.
_SUMS: Mapping[str, tuple[str, ...]] = {
    "dmarc-aggregate": ("count",),
    "smtp-tls": ("sessions.successful", "sessions.failed"),
}


class Versions(NamedTuple):
    """A report with several versions."""

    reporter: str
    id: str
    dataset: str
    domain: str  # '' several
    day: str
    versions: int
    said: int  # messages (or sessions) by the `report` documents
    stored: int  # by the documents of their rows


def read(store: Store, scope: Scope) -> tuple[list[Versions], int]:
    """The reports with the most versions, and how many there are beyond those."""
    several = list(_several(store, scope))
    whole = scope._replace(domain="")  # what a report says is about all its domains
    return [_compared(store, whole, one) for one in several[:_MOST]], len(several[_MOST:])


def _several(store: Store, scope: Scope) -> Iterator[str]:
    """The identities of reports with several versions, those with the most first: all versions are of one day."""
    counts = ask(store, scope, _DATASET, sum=(), different=("report.identity",), every="day", node=_IDENTIFIED)
    days = [one.key[0] for one in counts if one.documents != one.different[0]]  # an estimate is hardly the same
    parts = [_of_day(scope, day) for day in days] if len(days) <= _MOST_DAYS else [scope]
    by = ("report.identity",)
    groups = [one for part in parts for one in ask(store, part, _DATASET, by, sum=(), node=_IDENTIFIED)]
    for one in largest(groups, len(groups)):
        if one.documents > 1:
            yield one.key[0]


def _of_day(scope: Scope, day: str) -> Scope:
    """The scope's part on a day."""
    following = f"{date.fromisoformat(day) + timedelta(days=1)}T00:00:00Z"
    since, until = scope.period
    return scope._replace(period=Period(max(since, f"{day}T00:00:00Z"), min(until or following, following)))


def _compared(store: Store, scope: Scope, identity: str) -> Versions:
    fields = ("report.dataset", "report.org_name", "report.id", "report.domain")
    groups = ask(store, scope, _DATASET, fields, every="day", sum=("messages",), where={"report.identity": identity})
    first = groups[0]  # every version has the same; of a report about several domains there is a group for each
    day, dataset, reporter, id_, domain = first.key
    domain = domain if len(groups) == 1 else None
    of_it = {"report.org_name": reporter, "report.id": id_}
    if dataset == "dmarc-aggregate" and domain:
        of_it[DOMAIN[dataset]] = domain
    stored = _stored(store, scope, dataset, day, of_it) if dataset in _SUMS else first.sums[0]
    return Versions(reporter or "-", id_ or "-", dataset, domain or "", day, first.documents, first.sums[0], stored)


def _stored(store: Store, scope: Scope, dataset: str, day: str, of_it: dict[str, Any]) -> int:
    """What the rows of that day hold: some reporters give every report the same id."""
    found = ask(store, scope, dataset, every="day", sum=_SUMS[dataset], where=of_it)
    return sum(sum(one.sums) for one in found if one.key[0] == day)


def figure(found: list[Versions], more: int, scope: Scope) -> Figure:
    """The table of them."""
    kept = found[: scope.top]
    columns = (
        Column("Reporter"),
        Column("Report id"),
        Column("About"),
        Column("Day", "day"),
        Column("Versions", "number"),
        Column("Said", "number"),
        Column("Stored", "number"),
        Column("Difference", "number"),
    )
    rows = tuple(
        (
            *(one.reporter, one.id, one.domain or one.dataset, one.day, one.versions),
            *(one.said, one.stored, one.said - one.stored),
        )
        for one in kept
    )
    return Figure(
        "versions",
        "Reports that came in several versions",
        columns,
        rows,
        unit="messages or sessions",
        period=scope.period,
        more=len(found) - len(kept) + more,
        left_out=(_sentence(found, more),) if found else (),
        note="A report sent again with other rows, or two under one id. Rows that are equal in both are stored once.",
        empty="No report of this time came in several versions.",
    )


def _sentence(found: list[Versions], more: int) -> str:
    """`1 report came in several versions: they say 16 messages or sessions, 14 are stored, a difference of 2.`"""
    said, stored = sum(one.said for one in found), sum(one.stored for one in found)
    came = f"{words.count(len(found) + more, 'report')} came in several versions"
    which = f" (the first {_MOST} are compared)" if more else ""
    told = f"they say {words.count(said, 'message or session', 'messages or sessions')}"
    kept = f"{words.number(stored)} {words.verb(stored, 'is')} stored"
    return f"{came}{which}: {told}, {kept}, a difference of {words.number(said - stored)}."
