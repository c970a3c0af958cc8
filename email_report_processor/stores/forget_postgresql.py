"""Taking documents away from PostgreSQL: those of an erasure, and those whose time is over.

What went is gone for every query at once; the server itself overwrites it when it cleans up (autovacuum), and keeps it
in its archive of the log as long as it keeps that.
"""

from collections.abc import Sequence
from typing import Any

from .select_postgresql import TABLE
from .store import Row

AT_ONCE = 2000  # documents of one transaction


def delete(connection: Any, rows: Sequence[Row]) -> int:
    """By their ids."""
    gone: int = connection.execute(f"DELETE FROM {TABLE} WHERE id = ANY(%s)", ([row.id for row in rows],)).rowcount  # noqa: S608  # our own name
    return gone


def replace(connection: Any, rows: Sequence[Row]) -> int:
    """By their ids."""
    sql = f"UPDATE {TABLE} SET source = %s::jsonb WHERE id = %s"  # noqa: S608  # our own name
    return sum(connection.execute(sql, (row.source.decode(), row.id)).rowcount for row in rows)


def prune(connection: Any, index: tuple[str, str]) -> int:
    """Take away some documents of the indices that begin so and were stored before a date; how many there were."""
    begin, before = index
    sql = (
        f"DELETE FROM {TABLE} WHERE id IN (SELECT id FROM {TABLE} WHERE starts_with(idx, %s) "  # noqa: S608  # our own names
        f"AND coalesce(nullif(ingested, ''), moment) < %s LIMIT {AT_ONCE})"
    )
    gone: int = connection.execute(sql, (begin, before.removesuffix("Z"))).rowcount
    return gone


def count(connection: Any, index: tuple[str, str]) -> int:
    """How many there are."""
    begin, before = index
    sql = f"SELECT count(*) FROM {TABLE} WHERE starts_with(idx, %s) AND coalesce(nullif(ingested, ''), moment) < %s"  # noqa: S608  # our own names
    (number,) = connection.execute(sql, (begin, before.removesuffix("Z"))).fetchone()
    return int(number)
