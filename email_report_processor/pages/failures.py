"""Figures about single messages: failure reports, complaints and other feedback."""

from collections import Counter
from collections.abc import Iterable

from ..stores.store import Store, Total
from . import words
from .asking import Scope, ask, cut
from .days import stepping, steps
from .figure import Column, Figure, Value

_DATASETS = ("dmarc-failure", "arf")
NO_REPORTS = (
    "There are no failure reports and no complaints of this time. Few receivers send them; failure reports are asked"
    " for by `ruf` in the DMARC record."
)
_DRAWN = (
    "own-unaligned",
    "own-misconfigured",
    "broken-signature",
    "third-party-unaligned",
    "mailing-list",
    "forwarded",
    "complaint",
    "incident",
    "spoof",
)


def read(store: Store, scope: Scope) -> list[Total]:
    """Counts by day, feedback type, class and what became of the message."""
    by = ("feedback.type", "class", "feedback.delivery_result")
    return [group for dataset in _DATASETS for group in ask(store, scope, dataset, by, every="day")]


def by_day(groups: Iterable[Total], scope: Scope) -> Figure:
    """Failed messages and complaints by class."""
    groups = list(groups)
    marks = steps(one.key[0] for one in groups)
    mark, step = stepping(marks)
    counts: Counter[tuple[str, str]] = Counter()
    for one in groups:
        counts[mark(one.key[0]), _drawn(one.key[2])] += one.sums[0]
    shown = [name for name in (*_DRAWN, "other") if any(counts[one, name] for one in marks)]
    return Figure(
        "failed-messages",
        f"Failed messages and complaints, by {step}",
        (Column(step.capitalize(), "day"), *(Column(name, "number", name) for name in shown)),
        tuple((one, *(counts[one, name] for name in shown)) for one in marks),
        chart="stack",
        period=scope.period,
        empty=NO_REPORTS,
    )


def _drawn(class_: str | None) -> str:
    return class_ if class_ in _DRAWN else "other"


def classes(groups: Iterable[Total], scope: Scope) -> Figure:
    """By feedback type and class, and how many were delivered all the same."""
    messages: Counter[tuple[str, str]] = Counter()
    delivered: Counter[tuple[str, str]] = Counter()
    for one in groups:
        key = (one.key[1] or "-", one.key[2] or "-")
        messages[key] += one.sums[0]
        delivered[key] += one.sums[0] if one.key[3] == "delivered" else 0
    rows: tuple[tuple[Value, ...], ...] = tuple(
        (*key, messages[key], delivered[key], words.what(key[1]))
        for key in sorted(messages, key=lambda key: (-messages[key], key))
    )
    columns = (
        Column("Feedback", "code"),
        Column("Class", "class"),
        Column("Messages", "number"),
        Column("Delivered", "number"),
        Column("What it is"),
    )
    title = "What the failed messages and complaints are"
    return cut(Figure("feedback", title, columns, rows, empty=NO_REPORTS), scope)
