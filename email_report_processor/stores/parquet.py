"""`parquet:DIR`: a file for each batch, dataset and period, for DuckDB, Spark, Athena and the like. Extra [parquet].

`DIR/dataset=…/period=…/ID.parquet`, as Hive lays them out; each file is there whole or not at all, and each document in
one of them (journal.py). The only module that imports pyarrow.
"""

import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from . import tables
from .journal import Journal, Part
from .others import Chosen
from .store import Row, Store, StoreError, Written
from .unreadable import Unreadable


def open_url(url: str, chosen: Chosen) -> Store:
    """See others.open_other."""
    directory = url.partition(":")[2]
    if not directory:
        raise ValueError("write parquet:DIR, the directory that gets the files")
    return ParquetStore(directory, prefix=chosen.prefix, budget=chosen.budget)


class ParquetStore(Unreadable):
    """Files in a directory, which the first `write` makes (0600 and 0700)."""

    def __init__(self, directory: str, *, prefix: str = "email-report-", budget: float = 30.0) -> None:
        self.name = f"parquet:{directory}"
        self._prefix = prefix
        self._journal = Journal(directory, "parquet", budget)

    def write(self, rows: Iterable[Row]) -> Written:
        """See Store."""
        return self._journal.write(rows, self._parts)

    def close(self) -> None:
        """Nothing is open between two calls."""

    def _parts(self, rows: Sequence[Row]) -> list[Part]:
        made: list[Part] = []
        for (dataset, index), some in tables.by_index(rows, self._prefix).items():
            period = index.rpartition("-")[2]
            file = f"dataset={dataset}/period={period}/{some[0].id}.parquet"  # a document is in one file, so it is new
            made.append(Part(file, _file(self.name, dataset, some), whole=True))
        return made


def _file(name: str, dataset: str, rows: Sequence[Row]) -> bytes:
    try:
        import pyarrow  # 120 ms
        import pyarrow.parquet
    except ImportError as error:
        raise StoreError(f"{name} needs pyarrow: pip install 'email-report-processor[parquet]'") from error
    columns = tables.columns(dataset)
    found = [tables.values(row, dataset) for row in rows]
    types = [pyarrow.field(column.name, _type(pyarrow, column)) for column in columns]
    arrays = [
        pyarrow.array([_value(column, one.get(column.name)) for one in found], field.type)
        for column, field in zip(columns, types, strict=True)
    ]
    out = io.BytesIO()
    table = pyarrow.Table.from_arrays(arrays, schema=pyarrow.schema(types))
    pyarrow.parquet.write_table(table, out, compression="zstd")
    return out.getvalue()


_TYPES = {"long": "int64", "integer": "int64", "boolean": "bool_"}


def _type(pyarrow: Any, column: tables.Column) -> Any:
    field = column.field
    if field is None or field.objects:
        return pyarrow.string()
    one = pyarrow.timestamp("ms", tz="UTC") if field.type.name == "date" else None
    one = one or getattr(pyarrow, _TYPES.get(field.type.name, "string"))()
    return pyarrow.list_(one) if field.many else one


def _value(column: tables.Column, value: Any) -> Any:
    field = column.field
    if value is None or (field is None and column.name != tables.OTHER):
        return value
    if field is None or field.objects:
        return tables.compact(value)
    if field.many:
        return [_scalar(field.type.name, one) for one in value]
    return _scalar(field.type.name, value)


def _scalar(kind: str, value: Any) -> Any:
    if kind == "date":
        return datetime.fromisoformat(value)
    if kind in _TYPES:
        return value
    return value if isinstance(value, str) else tables.compact(value)
