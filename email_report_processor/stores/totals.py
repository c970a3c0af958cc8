"""What the stores share in answering a question: its fields, its dates, the order of the answer. Pure."""

import heapq
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from ..documents.datasets import BY_NAME
from ..values.fields import Field, write_date
from .query import Node
from .store import Question, Total


class Checked(NamedTuple):
    """A question whose names are fields and whose dates are dates, in the store's own form ('' is open)."""

    by: tuple[Field, ...]
    sum: tuple[Field, ...]
    where: tuple[tuple[Field, Any], ...]
    since: str
    until: str
    node: Node | None
    every: bool  # by day, before `by`
    unless: tuple[tuple[Field, Any], ...]
    different: tuple[Field, ...]


def check(question: Question) -> Checked:
    """Raises ValueError, with a sentence for people, when the question names what is not there."""
    return Checked(
        tuple(_field(question.dataset, name, searched=True) for name in question.by),
        tuple(_number(question.dataset, name) for name in question.sum),
        tuple((_field(question.dataset, name, searched=True), value) for name, value in question.where.items()),
        _moment(question.since),
        _moment(question.until),
        question.node,
        bool(question.every),
        tuple((_single(question.dataset, name), value) for name, value in question.unless.items()),
        tuple(_single(question.dataset, name) for name in question.different),
    )


def largest(totals: Iterable[Total], size: int) -> list[Total]:
    """The largest groups by their first sum, else by documents; equal ones in the order of their keys."""
    found = list(totals)  # of a list it is known whether all are wanted: they are sorted at once
    return heapq.nsmallest(size, found, key=_rank)


def _rank(total: Total) -> tuple[int, tuple[str, ...]]:
    weight = total.sums[0] if total.sums else total.documents
    return -weight, tuple(["" if value is None else str(value) for value in total.key])


def check_datasets(names: Iterable[str]) -> None:
    """Raises ValueError, with a sentence for people, when one is none of ours."""
    for name in names:
        if name not in BY_NAME:
            raise ValueError(f"there is no dataset {name!r}; there are {', '.join(BY_NAME)}")


def _field(dataset: str, name: str, *, searched: bool) -> Field:
    check_datasets((dataset,))
    field = BY_NAME[dataset].by_name.get(name)
    if field is None:
        raise ValueError(f"documents of {dataset} have no field {name!r} (see docs/fields.md)")
    if searched and field.type.name in {"text", "geo_point"}:
        raise ValueError(f"{name} is kept to be read and cannot be grouped or searched by")
    return field


def _single(dataset: str, name: str) -> Field:
    field = _field(dataset, name, searched=True)
    if field.many or field.objects:
        raise ValueError(f"{name} is a list, and what a question leaves out or counts must be one value")
    return field


def _number(dataset: str, name: str) -> Field:
    field = _field(dataset, name, searched=False)
    if field.type.name not in {"long", "integer"}:
        raise ValueError(f"{name} is a {field.type.name} and cannot be summed")
    return field


def _moment(text: str) -> str:
    if not text:
        return ""
    try:
        value = datetime.fromisoformat(text)
        return write_date(value.replace(tzinfo=UTC) if value.tzinfo is None else value)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text!r} is no date: write 2026-11-20 or 2026-11-20T06:00:00Z") from error
