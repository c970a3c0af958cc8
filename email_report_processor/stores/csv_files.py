"""`csv:DIR`: one file for each dataset and period, for spreadsheets and whatever reads RFC 4180.

Columns are those of `datasets.py`, in their order. A version with other columns begins a second file of the period
(`….2.csv`) and leaves the first as it is. Each document is in the files once (journal.py).
"""

import csv
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..values.cells import safe
from . import tables
from .journal import Journal, Part
from .others import Chosen
from .store import Row, Store, Written
from .unreadable import Unreadable


def open_url(url: str, chosen: Chosen) -> Store:
    """See others.open_other."""
    directory = url.partition(":")[2]
    if not directory:
        raise ValueError("write csv:DIR, the directory that gets the files")
    return CsvStore(directory, prefix=chosen.prefix, budget=chosen.budget)


class CsvStore(Unreadable):
    """Files in a directory, which the first `write` makes (0600 and 0700)."""

    def __init__(self, directory: str, *, prefix: str = "email-report-", budget: float = 30.0) -> None:
        self.name = f"csv:{directory}"
        self._directory = directory
        self._prefix = prefix
        self._journal = Journal(directory, "csv", budget)

    def write(self, rows: Iterable[Row]) -> Written:
        """See Store."""
        return self._journal.write(rows, self._parts)

    def close(self) -> None:
        """Nothing is open between two calls."""

    def _parts(self, rows: Sequence[Row]) -> list[Part]:
        return [self._part(*key, some) for key, some in tables.by_index(rows, self._prefix).items()]

    def _part(self, dataset: str, index: str, rows: Iterable[Row]) -> Part:
        names = [column.name for column in tables.columns(dataset)]
        file, new = self._file(index, names)
        out = io.StringIO()
        writer = csv.writer(out)
        if new:
            writer.writerow(names)
        for row in rows:
            found = tables.values(row, dataset)
            writer.writerow([_cell(found.get(name)) for name in names])
        return Part(file, out.getvalue().encode())

    def _file(self, index: str, names: Sequence[str]) -> tuple[str, bool]:
        """The first file of the period that has these columns, or is not there or empty yet, and whether so."""
        for file in _numbered(index):
            head = _head(os.path.join(self._directory, file))
            if not head or head == names:
                return file, not head
        raise AssertionError("not reached")


def _numbered(index: str) -> Iterator[str]:
    yield f"{index}.csv"
    number = 2
    while True:
        yield f"{index}.{number}.csv"
        number += 1


def _head(path: str) -> list[str]:
    """The columns of a file, none when it is not there or empty."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return next(csv.reader(file), [])
    except FileNotFoundError:
        return []


def _cell(value: Any) -> str:
    """Lists and objects are JSON, which a spreadsheet takes for text."""
    if value is None:
        return ""
    if isinstance(value, str):
        return safe(value)
    return tables.compact(value)
