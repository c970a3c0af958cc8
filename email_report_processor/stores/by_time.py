"""The embedded store's index of single messages by their time: what people look at is the newest, and of some days.

Failure reports and complaints alone have it: rows of aggregate reports are summed, and nothing is paid for them.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from .query import And, Between, Ids, Node

# With milliseconds a date sorts behind the same one without, but not with its Z.
MOMENT = "replace(json_extract(source, '$.\"@timestamp\"'), 'Z', '')"
_DATASETS = frozenset({"dmarc-failure", "arf"})
# A query uses the index only where it says the same, word for word.
_THESE = "(" + " OR ".join(f"idx GLOB '*{dataset}-*'" for dataset in sorted(_DATASETS)) + ")"
CREATE = f"CREATE INDEX IF NOT EXISTS documents_by_time ON documents ({MOMENT}, id) WHERE {_THESE}"

Conditions = tuple[list[str], list[Any]]


def by_order(datasets: Iterable[str], node: Node) -> Conditions:
    """What lets documents of these datasets be read newest first, within the time that a query names."""
    if not _has(datasets) or any(isinstance(one, Ids) for one in terms(node)):
        return [], []
    conditions, parameters = _bounds(node)
    return [_THESE, *conditions], parameters


def by_period(datasets: Iterable[str], node: Node | None) -> Conditions:
    """What lets documents of these datasets be found by the time that a query names; nothing where it names none."""
    if not _has(datasets) or node is None or any(isinstance(one, Ids) for one in terms(node)):
        return [], []
    conditions, parameters = _bounds(node)
    return ([_THESE, *conditions], parameters) if conditions else ([], [])


def ranges(prefix: str, datasets: Sequence[str], *, found: bool) -> Conditions:
    """The indices of some datasets. found: they are only looked at, since documents are found by their time."""
    column = "+idx" if found else "idx"  # an operator keeps SQLite from using the index of the column
    begins = [f"{prefix}{dataset}-" for dataset in datasets]
    condition = "(" + " OR ".join([f"{column} >= ? AND {column} < ?"] * len(begins)) + ")"
    return [condition], [bound for one in begins for bound in (one, one.removesuffix("-") + ".")]


def _has(datasets: Iterable[str]) -> bool:
    names = set(datasets)
    return bool(names) and names <= _DATASETS


def terms(node: Node) -> Iterator[Node]:
    """What must hold, each for itself."""
    if isinstance(node, And):
        for one in node.nodes:
            yield from terms(one)
    else:
        yield node


def _bounds(node: Node) -> Conditions:
    conditions: list[str] = []
    parameters: list[Any] = []
    for one in terms(node):
        if isinstance(one, Between) and one.field.name == "@timestamp":
            for bound, operator in ((one.low, ">="), (one.high, "<")):
                if isinstance(bound, str):
                    conditions.append(f"{MOMENT} {operator} ?")
                    parameters.append(bound.removesuffix("Z"))
    return conditions, parameters
