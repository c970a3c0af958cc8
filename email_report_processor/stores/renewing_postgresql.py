"""Documents written anew in PostgreSQL: where what stands there is still what was read."""

from collections.abc import Iterable, Sequence
from typing import Any

from .renewing import Renewal
from .select_postgresql import TABLE

# Locked in the order of their ids: two that do this at once do not wait for each other in a circle.
_LOCK = f"SELECT 1 FROM {TABLE} WHERE id = ANY(%s) ORDER BY id FOR UPDATE"  # noqa: S608  # our own name
_RENEW = (
    f"UPDATE {TABLE} AS old SET source = new.c FROM ROWS FROM "  # noqa: S608  # our own name
    "(unnest(%s::text[]), jsonb_array_elements(%s::jsonb), jsonb_array_elements(%s::jsonb)) AS new (a, b, c) "
    "WHERE old.id = new.a AND old.source = new.b"
)


def renew(connection: Any, renewals: Sequence[Renewal]) -> int:
    """See Renewable. In one transaction; the version is the document itself."""
    connection.execute("SET LOCAL synchronous_commit = on")
    ids = [one.row.id for one in renewals]
    connection.execute(_LOCK, (ids,)).fetchall()
    versions = _array(one.version for one in renewals)
    written: int = connection.execute(_RENEW, (ids, versions, _array(one.row.source for one in renewals))).rowcount
    return written


def _array(sources: Iterable[bytes]) -> str:
    """One text for all: psycopg would escape an array of texts one by one."""
    return (b"[%b]" % b",".join(sources)).decode()
