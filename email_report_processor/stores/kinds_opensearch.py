"""Sums of rows by kind, from OpenSearch.

All combinations of kind, host, reporter and day would be as many as rows, so each is asked for by itself; and what a
row's host and single results cannot change is asked for without them.
"""

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any
from urllib.parse import quote

from ..documents.datasets import BY_NAME
from ..values.fields import Fields
from .client import Client
from .kinds import DATASET, FIELDS, Asked, Combined, from_values
from .query import And, Exists, Node, Not, Or, field_of
from .search import composite
from .select_opensearch import translate

_DAY, _HOST, _REPORTER = "@timestamp", "source.ip", "report.org_name"
_SENDER = ("source.name", "source.as.organization.name")
_FEW = tuple(name for name in FIELDS if not BY_NAME[DATASET].by_name[name].many and not name.startswith("source."))


def combined(client: Client, prefix: str, asked: Asked) -> Iterator[Combined]:
    """See SqliteStore.combined: here a sum says one of host, reporter and day."""
    path = f"/{quote(prefix)}{DATASET}-*/_search"
    numbers = count()

    def ask(by: Sequence[str], *nodes: Node, like: str = "") -> Iterator[Combined]:
        kinds = _Kinds(numbers)
        for values, messages in _groups(client, path, by, And((asked.node, *nodes))):
            yield kinds.combined(values, messages, like)

    named = Or(tuple(Exists(field_of(name)) for name in _SENDER))
    for one in ask((*_FEW, *_SENDER), asked.closed, named):
        yield one._replace(address="")
    yield from ask((*_FEW, _HOST), asked.closed, Not(named))
    yield from ask((*_FEW, _REPORTER), asked.closed)
    yield from ask((*_FEW, _DAY), asked.closed)
    judged = tuple(name for name in FIELDS if name not in asked.telling)
    rest = And((Not(asked.closed), Not(asked.single)))
    for part in asked.parts:
        like = ""
        for one in ask((*FIELDS, _HOST), rest, part):
            like = like or one.address or ""
            yield one
        for beside in (_REPORTER, _DAY):
            yield from ask((*judged, beside), rest, part, like=like)
    yield from ask((*FIELDS, _HOST, _REPORTER, _DAY), Not(asked.closed), asked.single)


def _groups(client: Client, path: str, by: Sequence[str], node: Node) -> Iterator[tuple[dict[str, Any], int]]:
    """The values of each group and its messages."""
    question = {"size": 0, "query": translate(node), "track_total_hits": False}
    sources = [{f"k{n}": _source(name)} for n, name in enumerate(by)]
    for group in composite(client, path, question, sources, {"count": {"sum": {"field": "count"}}}):
        yield {name: group["key"].get(f"k{n}") for n, name in enumerate(by)}, round(group["count"]["value"] or 0)


def _source(name: str) -> dict[str, Any]:
    if name == _DAY:
        histogram = {"field": name, "calendar_interval": "day", "format": "yyyy-MM-dd", "missing_bucket": True}
        return {"date_histogram": histogram}
    if _is_list(name):  # a list as a whole: sorted, each value once
        # A line end as such: Painless knows no \\n. Texts of ours have none (`fields.clean`).
        script = f"doc['{name}'].size() == 0 ? '' : String.join('\n', doc['{name}'])"
        return {"terms": {"script": {"source": script}}}
    return {"terms": {"field": name, "missing_bucket": True}}


class _Kinds:
    """Gives the kinds of one question their numbers: the fields of one question are not those of another."""

    def __init__(self, numbers: Iterator[int]) -> None:
        self._numbers = numbers
        self._known: dict[tuple[Any, ...], tuple[int, Fields]] = {}

    def combined(self, values: dict[str, Any], messages: int, like: str) -> Combined:
        """One group."""
        address, reporter, day = (_taken(values, name) for name in (_HOST, _REPORTER, _DAY))
        key = tuple(values.values())
        if key not in self._known:
            lists = {name: value.split("\n") if value else None for name, value in values.items() if _is_list(name)}
            self._known[key] = (next(self._numbers), from_values(values | lists))
        kind, fields = self._known[key]
        return Combined(fields, address, reporter, day, messages, kind, like)


def _taken(values: dict[str, Any], name: str) -> str | None:
    """None where the question does not say it, '' where no document has it."""
    if name not in values:
        return None
    value = values.pop(name)
    return str(value) if value is not None else ""


def _is_list(name: str) -> bool:
    return BY_NAME[DATASET].by_name[name].many
