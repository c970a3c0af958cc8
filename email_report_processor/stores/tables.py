"""Documents as rows of a table, one for each dataset: stable columns from `datasets.py`. Pure."""

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from ..documents.datasets import BY_NAME
from ..documents.encode import decode
from ..documents.layout import dataset_of
from ..values.fields import Field
from .store import Row, StoreError

OTHER = "other"  # the last column: what has no column of its own, as JSON


class Column(NamedTuple):
    """One column; a list of objects is one column of JSON."""

    name: str
    field: Field | None  # None: the id, and what has no column


@lru_cache
def columns(dataset: str) -> tuple[Column, ...]:
    """The columns of a dataset, in the order of its fields."""
    names = {field.objects or field.name: field for field in BY_NAME[dataset].fields}
    return (Column("id", None), *(Column(name, field) for name, field in names.items()), Column(OTHER, None))


def values(row: Row, dataset: str) -> dict[str, Any]:
    """Column -> value, without those that are absent. Raises ValueError for what is no JSON object."""
    fields = decode(row.source)
    known = {column.name for column in columns(dataset)}
    others = {name: value for name, value in fields.items() if name not in known or name in {"id", OTHER}}
    found = {name: value for name, value in fields.items() if name not in others}
    return {"id": row.id, **found, **({OTHER: others} if others else {})}


def by_index(rows: Iterable[Row], prefix: str) -> Mapping[tuple[str, str], list[Row]]:
    """(dataset, index) -> rows. Raises StoreError for an index that is none of ours."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        dataset = dataset_of(row.index, prefix)
        if dataset not in BY_NAME or "/" in row.index:
            raise StoreError(f"{row.index} is no index of ours: set [store] index_prefix to its prefix")
        groups.setdefault((dataset, row.index), []).append(row)
    return groups


def compact(value: Any) -> str:
    """As JSON, on one line."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
