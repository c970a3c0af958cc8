"""The change journal: reports carry the policy that receivers saw, so they say when it changed, and what came of it.

A change is told by the reporters that saw the old value and then the new one; each has its own day, since receivers
keep a record for as long as its TTL says.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from itertools import pairwise
from typing import NamedTuple

from ..pages.asking import Scope, ask
from ..pages.mail import wilson
from ..stores.store import Store, Total
from ..values.domains import aligned

TAGS = ("p", "sp", "np", "adkim", "aspf", "pct", "testing")
_AGGREGATE, _TLS = "dmarc-aggregate", "smtp-tls"
_WITHIN = 45  # days from the first reporter to the last that one change may take
WINDOW = 14  # days before a change, and after it, whose mail is compared
_GONE = 14  # days without a sign, until the end of the time, after which a selector counts as gone
_SHORT = 3  # days between first and last sight of a selector below which it is chance
_FEW = 20  # messages below which a selector's coming and going is chance

Sighting = tuple[str, str, str]  # day, reporter, value


class Change(NamedTuple):
    """One value that became another."""

    what: str  # a tag, `DKIM selector`, `MTA-STS mode`, `TLS policy`
    before: str  # '' none
    after: str
    first: str  # day of the first reporter
    reporters: tuple[tuple[str, str], ...]  # day and reporter, each where it saw it first, in order

    @property
    def last(self) -> str:
        """The day of the last reporter."""
        return self.reporters[-1][0] if self.reporters else self.first


class Effect(NamedTuple):
    """Mail of one window."""

    messages: int
    passed: int
    spoofs: int  # class spoof, delivered
    refused: int  # of classes that are the site's own, not delivered

    @property
    def band(self) -> tuple[float, float] | None:
        """The pass rate, as an interval at 95 %."""
        return wilson(self.passed, self.messages) if self.messages else None


class Entry(NamedTuple):
    """A change with what came of it."""

    change: Change
    before: Effect
    after: Effect


def read(store: Store, scope: Scope) -> list[Entry]:
    """The journal of the scope's domain, newest first. Raises StoreError."""
    changes = [*_tags(store, scope), *_selectors(store, scope), *_tls(store, scope)]
    days = _days(store, scope)
    newest = sorted(changes, key=lambda one: (one.first, one.what, one.after), reverse=True)
    return [Entry(one, *effects(one, days)) for one in newest]


def changes(what: str, sightings: Iterable[Sighting]) -> list[Change]:
    """What changed, from each reporter's own sequence of values."""
    by_reporter: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for day, reporter, value in sorted(sightings):
        by_reporter[reporter].append((day, value))
    steps: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for reporter, seen in by_reporter.items():
        for (_, before), (day, after) in pairwise(seen):
            if before != after:
                steps[before, after].append((day, reporter))
    return [
        Change(what, before, after, group[0][0], tuple(group))
        for (before, after), found in steps.items()
        for group in _together(sorted(found))
    ]


def _together(steps: list[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    """Steps that are one change: not too far from its first day, and each reporter once."""
    group: list[tuple[str, str]] = []
    for day, reporter in steps:
        again = any(reporter == known for _, known in group)
        if group and (again or _apart(group[0][0], day) > _WITHIN):
            yield group
            group = []
        group.append((day, reporter))
    if group:
        yield group


def _apart(one: str, other: str) -> int:
    return abs((date.fromisoformat(other) - date.fromisoformat(one)).days)


def _tags(store: Store, scope: Scope) -> Iterator[Change]:
    """A day on which a reporter saw two values has the change in it: the one that was there less often is newer."""
    by = ("report.org_name", *(f"policy_published.{tag}" for tag in TAGS))
    seen: dict[tuple[str, str], list[Total]] = defaultdict(list)
    for one in ask(store, scope, _AGGREGATE, by, every="day", sum=()):
        seen[str(one.key[0]), str(one.key[1] or "")].append(one)
    days = sorted(seen.items(), key=lambda item: item[0])
    for number, tag in enumerate(TAGS, 2):
        yield from changes(tag, ((day, who, _most(groups, number)) for (day, who), groups in days))


def _most(groups: list[Total], number: int) -> str:
    """The value that most documents of a day have, of this part of the key; nearly always there is one."""
    if len(groups) == 1:
        return _value(groups[0].key[number])
    values: Counter[str] = Counter()
    for one in groups:
        values[_value(one.key[number])] += one.documents
    return values.most_common(1)[0][0]


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "y" if value else "n"
    return "" if value is None else str(value)


def _selectors(store: Store, scope: Scope) -> Iterator[Change]:
    """Selectors of the domain's own keys that began to pass, or are no longer seen."""
    groups = ask(store, scope, _AGGREGATE, ("dkim.signatures",), every="day")
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for one in groups:
        parts = str(one.key[1] or "").split(" / ")
        if len(parts) == 3 and parts[2] == "pass" and parts[1] not in {"", "-"} and aligned(parts[0], scope.domain):
            seen[parts[1]][str(one.key[0])] += one.sums[0]
    days = sorted(str(one.key[0]) for one in groups)
    for selector, counts in seen.items():
        first, last = min(counts), max(counts)
        if counts.total() < _FEW or _apart(first, last) < _SHORT:
            continue
        if _apart(days[0], first) > _GONE:
            yield Change("DKIM selector", "", selector, first, ())
        if _apart(last, days[-1]) > _GONE:
            yield Change("DKIM selector", selector, "", last, ())


def _tls(store: Store, scope: Scope) -> Iterator[Change]:
    """Modes of the MTA-STS policy, and which kind of policy there was."""
    modes = ask(store, scope, _TLS, ("report.org_name", "policy.string"), every="day", sum=())
    found = ((_words(one.key), str(one.key[2] or "")) for one in modes)
    yield from changes("MTA-STS mode", ((*who, mode[5:].strip()) for who, mode in found if mode.startswith("mode:")))
    kinds = ask(store, scope, _TLS, ("report.org_name", "policy.type"), every="day", sum=())
    yield from changes("TLS policy", ((*_words(one.key), str(one.key[2] or "")) for one in kinds))


def _words(key: tuple[object, ...]) -> tuple[str, str]:
    return str(key[0]), str(key[1] or "")


# What came of it


def _days(store: Store, scope: Scope) -> dict[str, Counter[str]]:
    """Day -> what of it there was, as the names of Effect."""
    by = ("dmarc.result", "class", "policy_evaluated.disposition")
    days: dict[str, Counter[str]] = defaultdict(Counter)
    for one in ask(store, scope, _AGGREGATE, by, every="day"):
        day, result, class_, disposition = (str(value or "") for value in one.key)
        delivered = disposition not in {"quarantine", "reject"}
        counts = days[day]
        counts["messages"] += one.sums[0] if result else 0
        counts["passed"] += one.sums[0] if result == "pass" else 0
        counts["spoofs"] += one.sums[0] if class_ == "spoof" and delivered else 0
        counts["refused"] += one.sums[0] if class_.startswith("own-") and not delivered else 0
    return days


def effects(change: Change, days: Mapping[str, Counter[str]]) -> tuple[Effect, Effect]:
    """The days before the first reporter saw it, and those after the last did."""
    first, last = date.fromisoformat(change.first), date.fromisoformat(change.last)
    before = (first - timedelta(days=number) for number in range(1, WINDOW + 1))
    after = (last + timedelta(days=number) for number in range(1, WINDOW + 1))
    return _sum(days, before), _sum(days, after)


def _sum(days: Mapping[str, Counter[str]], wanted: Iterable[date]) -> Effect:
    whole: Counter[str] = Counter()
    for day in wanted:
        whole.update(days.get(day.isoformat(), {}))
    return Effect(*(whole[name] for name in Effect._fields))
