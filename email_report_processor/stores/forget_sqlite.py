"""Taking documents away from the embedded store: those of an erasure, and those whose time is over.

Each step is a short transaction, so that deliveries wait for milliseconds. The triggers of the daily sums take each
document out of them; an empty sum still has the words that it was kept by, and goes as well.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..documents.layout import dataset_of
from .store import Row

_LOOK = (
    "SELECT rowid, idx, coalesce(json_extract(source, '$.event.ingested'), json_extract(source, '$.\"@timestamp\"')) "
    "FROM documents WHERE rowid > ? ORDER BY rowid LIMIT ?"
)
_TAKE = "DELETE FROM documents WHERE rowid IN (SELECT value FROM json_each(?))"
_LOOKED_AT = 5000  # documents at once: reading locks nobody out
AT_ONCE = 200  # documents that one transaction takes away: the triggers open each


class Place(NamedTuple):
    """How far `prune` is, and what it looks for."""

    rowid: int
    prefix: str
    before: Mapping[str, str]  # dataset -> RFC 3339; what was stored before goes


class Old(NamedTuple):
    """What `look` found."""

    rows: list[tuple[int, str]]  # rowid and dataset
    last: int  # rowid up to which it looked, 0 at the end


def delete(connection: sqlite3.Connection, rows: Sequence[Row]) -> int:
    """By their ids, and overwritten in the file."""
    connection.execute("PRAGMA secure_delete=ON")
    sql = "DELETE FROM documents WHERE id IN (SELECT value FROM json_each(?))"
    return connection.execute(sql, (json.dumps([row.id for row in rows]),)).rowcount


def replace(connection: sqlite3.Connection, rows: Sequence[Row]) -> int:
    """By their ids; what was there is overwritten in the file."""
    connection.execute("PRAGMA secure_delete=ON")
    connection.execute("BEGIN IMMEDIATE")
    try:
        sql = "UPDATE documents SET source = CAST(? AS TEXT) WHERE id = ?"
        number = connection.executemany(sql, [(row.source, row.id) for row in rows]).rowcount
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.rollback()
    return number


def settle(connection: sqlite3.Connection, _: object = None) -> None:
    """Empty sums go, and the log is folded into the file."""
    connection.execute("PRAGMA secure_delete=ON")
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name GLOB 'sums_*'").fetchall()
    for (table,) in tables:
        if table != "sums_upto":
            connection.execute(f"DELETE FROM {table} WHERE documents = 0")  # noqa: S608  # our own name
    connection.execute("DELETE FROM kinds WHERE number NOT IN (SELECT kind FROM sums_kinds)")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def look(connection: sqlite3.Connection, place: Place) -> Old:
    """The next documents whose time is over."""
    found = connection.execute(_LOOK, (place.rowid, _LOOKED_AT)).fetchall()
    old = [
        (rowid, dataset)
        for rowid, index, stored in found
        for dataset in (dataset_of(index, place.prefix),)
        if stored is not None and stored < place.before.get(dataset, "")
    ]
    return Old(old, found[-1][0] if len(found) == _LOOKED_AT else 0)


def take(connection: sqlite3.Connection, rowids: Sequence[int]) -> int:
    """Take these away; how many there were."""
    return connection.execute(_TAKE, (json.dumps(list(rowids)),)).rowcount
