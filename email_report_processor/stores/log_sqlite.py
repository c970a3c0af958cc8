"""The embedded store as a log: rows in the order of their commits, which is that of their row numbers.

One writer at a time gives numbers, so behind a number nothing comes late. Numbers change when rows are removed and the
file is packed (VACUUM): where the last document is no longer under its number, `event.ingested` tells where to go on.
"""

import json
import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

from .follow import PAGE, Entry, Place
from .store import Row

_INGESTED = "replace(json_extract(source, '$.event.ingested'), 'Z', '')"
_PAGE = "SELECT rowid, idx, id, CAST(source AS BLOB) FROM documents WHERE rowid > ? ORDER BY rowid LIMIT ?"
_FIRST = f"SELECT min(rowid) FROM documents WHERE {_INGESTED} >= ?"  # noqa: S608  # our own names
_THERE = "SELECT 1 FROM documents WHERE rowid = ? AND id = ?"


class Start(NamedTuple):
    """Where to begin."""

    place: Place
    since: str


def begin(connection: sqlite3.Connection, start: Start) -> int:
    """The row number behind which everything new stands."""
    place = start.place
    if place.mark and connection.execute(_THERE, (place.mark, place.id)).fetchone():
        return place.mark
    if not start.since:
        return 0
    (first,) = connection.execute(_FIRST, (start.since.removesuffix("Z"),)).fetchone()
    if first is None:
        first = connection.execute("SELECT coalesce(max(rowid), 0) + 1 FROM documents").fetchone()[0]
    return int(first) - 1


def page(connection: sqlite3.Connection, after: int) -> list[Entry]:
    """The next documents."""
    return list(_entries(connection.execute(_PAGE, (after, PAGE))))


def _entries(found: sqlite3.Cursor) -> Iterator[Entry]:
    for number, index, id_, source in found:
        yield Entry(Row(index, id_, source), json.loads(source).get("event", {}).get("ingested", ""), number)
