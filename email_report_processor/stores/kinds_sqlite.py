"""Sums for whoever judges each row of aggregate reports again: by kind of row, host, reporter and day.

A kind is everything about a row that a judgement looks at, as one JSON text with a number of its own: there are few,
and so the table is narrow. It follows the documents as the tables of `sums_sqlite` do, and stands beside them.
"""

import json
import sqlite3
from collections.abc import Iterator

from ..values.fields import Fields
from .kinds import DATASET, FIELDS, Asked, Combined, from_values

_PREFIX = f"substr({{index}}, 1, instr({{index}}, '{DATASET}-') - 1)"
_READ = 10_000  # rows read at once


def path(name: str) -> str:
    """A JSON path as an SQL literal: `source.ip` is '$."source"."ip"'."""
    return "'$" + "".join(f'."{part}"' for part in name.split(".")) + "'"


def _value(source: str, name: str) -> str:
    return f"json_extract({source}, {path(name)})"


def _said(source: str) -> str:
    """The kind of a document."""
    return f"json_array({', '.join(_value(source, name) for name in FIELDS)})"


def _keys(source: str, index: str) -> list[str]:
    """What stands beside the kind in the key of a sum."""
    named = [f"ifnull({_value(source, name)}, '')" for name in ("source.ip", "report.org_name")]
    day = f"ifnull(substr({_value(source, '@timestamp')}, 1, 10), '')"
    return [*named, day, _PREFIX.format(index=index)]


def create(connection: sqlite3.Connection) -> None:
    """Empty tables. Within a transaction."""
    for name in ("kinds", "sums_kinds"):
        connection.execute(f"DROP TABLE IF EXISTS {name}")
    connection.execute("CREATE TABLE kinds (number INTEGER PRIMARY KEY, said TEXT NOT NULL UNIQUE)")
    connection.execute(
        "CREATE TABLE sums_kinds (kind INTEGER, address, reporter, day, prefix, documents INTEGER NOT NULL, "
        "messages INTEGER NOT NULL, PRIMARY KEY (kind, address, reporter, day, prefix)) WITHOUT ROWID"
    )


def take_out() -> str:
    """The step of a trigger that takes the old document out."""
    keys = zip(("address", "reporter", "day", "prefix"), _keys("old.source", "old.idx"), strict=True)
    same = " AND ".join(f"{column} = {value}" for column, value in keys)
    messages = f"ifnull({_value('old.source', 'count')}, 0)"
    return (
        f"UPDATE sums_kinds SET documents = documents - 1, messages = messages - {messages} "  # noqa: S608  # our names
        f"WHERE {_of('old.idx')} AND kind = (SELECT number FROM kinds WHERE said = {_said('old.source')}) AND {same}"
    )


def put_in() -> list[str]:
    """The steps of a trigger that count the new document."""
    values = ", ".join(_keys("new.source", "new.idx"))
    number = f"(SELECT number FROM kinds WHERE said = {_said('new.source')})"  # noqa: S608  # our own names
    messages = f"ifnull({_value('new.source', 'count')}, 0)"
    return [
        f"INSERT OR IGNORE INTO kinds (said) SELECT {_said('new.source')} WHERE {_of('new.idx')}",
        _upsert(f"SELECT {number}, {values}, 1, {messages} WHERE {_of('new.idx')}"),
    ]


def count(connection: sqlite3.Connection, after: int, last: int) -> None:
    """Count the documents of these row numbers: `after` exclusive, `last` inclusive. Within a transaction."""
    columns = ", ".join(
        f"{value} AS {name}"
        for name, value in zip(("address", "reporter", "day", "prefix"), _keys("source", "idx"), strict=True)
    )
    connection.execute(
        f"CREATE TEMP TABLE opened AS SELECT {_said('source')} AS said, {columns}, "  # noqa: S608  # our own names
        f"ifnull({_value('source', 'count')}, 0) AS messages FROM documents "
        f"WHERE rowid > {after:d} AND rowid <= {last:d} AND {_of('idx')}"
    )
    connection.execute("INSERT OR IGNORE INTO kinds (said) SELECT DISTINCT said FROM temp.opened")
    connection.execute(
        _upsert(
            "SELECT number, address, reporter, day, prefix, count(*), sum(messages) "
            "FROM temp.opened JOIN kinds USING (said) WHERE true GROUP BY 1, 2, 3, 4, 5"
        )
    )
    connection.execute("DROP TABLE temp.opened")


def _of(index: str) -> str:
    return f"instr({index}, '{DATASET}-') > 0"


def _upsert(selection: str) -> str:
    return (
        f"INSERT INTO sums_kinds {selection} ON CONFLICT (kind, address, reporter, day, prefix) DO UPDATE SET "
        "documents = documents + excluded.documents, messages = messages + excluded.messages"
    )


def read(connection: sqlite3.Connection, asked: Asked, prefix: str) -> Iterator[Combined]:
    """Every combination; whole days. Raises sqlite3.Error."""
    kinds = {number: fields for number, fields in _kinds(connection) if asked.fits(fields)}
    found = connection.execute(
        "SELECT kind, address, reporter, day, messages FROM sums_kinds WHERE kind IN (SELECT value FROM json_each(?)) "
        "AND prefix = ? AND documents > 0 AND day >= ? AND (? = '' OR (day < ? AND day <> ''))",
        (json.dumps(list(kinds)), prefix, asked.since[:10], asked.until[:10], asked.until[:10]),
    )
    while page := found.fetchmany(_READ):
        for kind, address, reporter, day, messages in page:
            yield Combined(kinds[kind], address, reporter, day, messages, kind)


def _kinds(connection: sqlite3.Connection) -> Iterator[tuple[int, Fields]]:
    for number, said in connection.execute("SELECT number, said FROM kinds"):
        yield number, from_values(dict(zip(FIELDS, json.loads(said), strict=True)))
