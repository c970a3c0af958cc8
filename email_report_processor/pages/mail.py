"""Figures about mail in our name, from DMARC aggregate reports."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from math import sqrt
from typing import NamedTuple

from ..stores.store import Store
from . import words
from .asking import DOMAIN, Scope, ask, cut, is_long
from .days import Trends, stepping, steps
from .figure import Column, Figure, Part, Value
from .fixing import FAILING, turn_of

DATASET = "dmarc-aggregate"
NO_REPORTS = "There are no DMARC aggregate reports of this time."
NONE_EVER = (
    " None ever came: `email-report-admin dns DOMAIN` says whether your records ask for them, and"
    " `email-report-admin doctor` whether the filter can store them."
)
_Z = 1.96  # 95 %


class Slice(NamedTuple):
    """The messages of one day, result and class."""

    day: str
    result: str  # pass, fail, '' not said
    class_: str  # '' none
    rule: str  # that made the class, '' none
    long: bool  # of a report whose period belongs to no single day
    messages: int


class OfDomain(NamedTuple):
    """The messages of one day, domain and result."""

    day: str
    domain: str
    result: str  # as above
    messages: int


class Mail(NamedTuple):
    """What the aggregate reports of a scope say, day by day: most figures are sums of it."""

    slices: tuple[Slice, ...]
    domains: tuple[OfDomain, ...] = ()

    def count(self, holds: Callable[[Slice], bool] = lambda one: True) -> int:
        """Messages of the slices for which something holds."""
        return sum(one.messages for one in self.slices if holds(one))

    @property
    def passed(self) -> int:
        """Messages that were authenticated."""
        return self.count(lambda one: one.result == "pass")

    @property
    def failed(self) -> int:
        """Messages that were not."""
        return self.count(lambda one: one.result == "fail")

    def by_group(self) -> tuple[Part, ...]:
        """Messages of the four groups of `volume_by_day`."""
        counts = Counter[str]()
        for one in self.slices:
            counts[group_of(one)] += one.messages
        return tuple(Part(key, name, counts[key]) for key, name in _GROUPS)

    def by_failing_class(self) -> tuple[Part, ...]:
        """Messages that were not authenticated, by class."""
        failing = Counter[str]()
        for one in self.slices:
            failing[failing_class(one)] += one.messages if one.result == "fail" else 0
        return tuple(Part(name, name, failing[name]) for name in (*FAILING, "other") if failing[name])

    def by_rule(self) -> Counter[tuple[str, str]]:
        """Messages by class and rule."""
        counts = Counter[tuple[str, str]]()
        for one in self.slices:
            counts[one.class_, one.rule] += one.messages
        return counts

    def trend(self) -> tuple[int, ...]:
        """Messages by day, or by as many days as `trend_days` says."""
        trends = Trends(one.day for one in self.slices)
        for one in self.slices:
            trends.add("", one.day, one.messages)
        return trends.of("")

    def trend_days(self) -> int:
        """Days of one bar of `trend`."""
        return Trends(one.day for one in self.slices).width


def unjudged(found: Mail) -> str:
    """A sentence about messages that neither passed nor failed, '' where there are none."""
    number = found.count(lambda one: one.result not in {"pass", "fail"})
    if not number:
        return ""
    return f"{words.count(number, 'message')} {words.verb(number, 'is')} without a result: the report does not say one."


def read(store: Store, scope: Scope) -> Mail:
    """Ask for what most figures need. (Twice: classes by domain are many, and no figure shows them.)"""
    classes = ask(store, scope, DATASET, ("dmarc.result", "class", "class_rule", "report.duration"), every="day")
    domains = ask(store, scope, DATASET, (DOMAIN[DATASET], "dmarc.result"), every="day")
    return Mail(
        tuple(
            Slice(day, result or "", class_ or "", rule or "", is_long(duration), group.sums[0])
            for group in classes
            for day, result, class_, rule, duration in (group.key,)
        ),
        tuple(OfDomain(one.key[0], one.key[1] or "", one.key[2] or "", one.sums[0]) for one in domains),
    )


# By day


def _on_days(mail: Mail) -> tuple[list[Slice], tuple[str, ...]]:
    """The slices that belong to a day, and a sentence about the others."""
    long = mail.count(lambda one: one.long)
    said = (
        f"{words.count(long, 'message')} of reports about more than 26 hours {words.verb(long, 'is')} on no day here."
    )
    return [one for one in mail.slices if not one.long], (said,) if long else ()


def rate_by_day(mail: Mail, scope: Scope) -> Figure:
    """The share that is authenticated, with the band in which it lies with 95 % confidence (Wilson)."""
    slices, left_out = _on_days(mail)
    marks = steps(one.day for one in slices)
    mark, name = stepping(marks)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for one in slices:
        counts[mark(one.day)][one.result] += one.messages
    return Figure(
        "pass-rate",
        f"How much of my mail is authenticated, by {name}",
        (
            Column(name.capitalize(), "day"),
            Column("Messages", "number"),
            Column("Authenticated", "number"),
            Column("Pass rate", "share", "pass"),
            Column("Band from", "share", "low"),
            Column("Band to", "share", "high"),
        ),
        tuple(_rate_row(mark, counts[mark]) for mark in marks),
        chart="rate",
        period=scope.period,
        left_out=left_out,
        note="The band is what the number of messages allows to say (95 %, Wilson): wide where few were reported.",
        empty=NO_REPORTS,
    )


def _rate_row(mark: str, counts: Counter[str]) -> tuple[Value, ...]:
    good, all_ = counts["pass"], counts["pass"] + counts["fail"]
    return (mark, counts.total(), good, words.part(good, all_), *(wilson(good, all_) if all_ else (None, None)))


def wilson(good: int, all_: int) -> tuple[float, float]:
    """The interval of a share at 95 % (E. B. Wilson, 1927); it stays within 0 and 1 and is right for few messages."""
    rate, square = good / all_, _Z * _Z
    middle = (rate + square / (2 * all_)) / (1 + square / all_)
    half = _Z * sqrt(rate * (1 - rate) / all_ + square / (4 * all_ * all_)) / (1 + square / all_)
    return max(0.0, min(rate, middle - half)), min(1.0, max(rate, middle + half))  # rounding must not leave it


_GROUPS = (
    ("aligned", "Authenticated twice"),
    ("partly", "Authenticated once"),
    ("fix", "Not authenticated, to fix"),
    ("stranger", "Not authenticated, others"),
)


def group_of(one: Slice) -> str:
    """Which of four groups a slice belongs to."""
    if one.class_ == "aligned":
        return "aligned"
    if one.result != "fail":
        return "partly"
    return "fix" if turn_of(one.class_) == "fix" else "stranger"


def volume_by_day(mail: Mail, scope: Scope) -> Figure:
    """All messages, in four groups."""
    slices, left_out = _on_days(mail)
    note = "Twice: by SPF and by DKIM; such mail survives when one of them breaks."
    return _stack("messages", "Mail in my name", slices, _GROUPS, group_of)._replace(
        period=scope.period, left_out=left_out, note=note
    )


def failing_class(one: Slice) -> str:
    """The class under which a slice is drawn."""
    return one.class_ if one.class_ in FAILING else "other"


def failing_by_day(mail: Mail, scope: Scope) -> Figure:
    """What was not authenticated, by class."""
    slices, left_out = _on_days(mail)
    failing = [one for one in slices if one.result == "fail"]
    there = {failing_class(one) for one in failing}
    columns = [(name, name) for name in (*FAILING, "other") if name in there]
    figure = _stack("failing", "What is not authenticated", failing, columns, failing_class)
    empty = "Every message of this time was authenticated." if mail.slices else NO_REPORTS
    return figure._replace(period=scope.period, left_out=left_out, empty=empty)


def _stack(
    name: str,
    title: str,
    slices: list[Slice],
    columns: Iterable[tuple[str, str]],
    group: Callable[[Slice], str],
) -> Figure:
    counts: Counter[tuple[str, str]] = Counter()
    marks = steps(one.day for one in slices)
    mark, step = stepping(marks)
    for one in slices:
        counts[mark(one.day), group(one)] += one.messages
    named = tuple(columns)
    return Figure(
        name,
        f"{title}, by {step}",
        (Column(step.capitalize(), "day"), *(Column(text, "number", key) for key, text in named)),
        tuple((one, *(counts[one, key] for key, _ in named)) for one in marks),
        chart="stack",
        empty=NO_REPORTS,
    )


# Tables


def domains(mail: Mail, scope: Scope) -> Figure:
    """Every domain whose policy was applied."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    trends = Trends(one.day for one in mail.domains)
    for one in mail.domains:
        counts[one.domain][one.result] += one.messages
        trends.add(one.domain, one.day, one.messages)
    ordered = sorted(counts, key=lambda domain: (-counts[domain].total(), domain))
    rows = [
        (
            domain or "-",
            counts[domain].total(),
            counts[domain]["pass"],
            counts[domain]["fail"],
            words.part(counts[domain]["pass"], counts[domain]["pass"] + counts[domain]["fail"]),
            trends.of(domain),
        )
        for domain in ordered
    ]
    columns = (
        Column("Domain"),
        Column("Messages", "number"),
        Column("Pass", "number"),
        Column("Fail", "number"),
        Column("Pass rate", "share"),
        Column("Trend", "trend"),
    )
    said = (unjudged(mail),) if unjudged(mail) else ()
    title = "Is my mail authenticated? By policy domain"
    return cut(Figure("domains", title, columns, tuple(rows), left_out=said, empty=NO_REPORTS), scope)
