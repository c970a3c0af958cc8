"""The embedded store for somebody who may read its file and write nothing there, not even a log beside it.

To read a file with a write-ahead log SQLite wants to write marks beside it. Where the log is there and may be read, it
manages by itself; where there is none, all stands in the file, and SQLite is told that nobody changes it. Whoever reads
looks afterwards whether that was true.
"""

import os
import sqlite3
from urllib.parse import quote

from .store import StoreError

REFUSED = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY})  # what such a user is told
State = tuple[int, ...]


def state(path: str) -> State:
    """What changes when somebody writes. Raises OSError."""
    found = os.stat(path)
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, _log_size(path)


def connect(path: str, version: int) -> sqlite3.Connection:
    """Open what is all in the file. version: of the tables. Raises OSError, sqlite3.Error, StoreError."""
    os.close(os.open(path, os.O_RDONLY))
    if _log_size(path):
        raise StoreError(
            f"{path}: the newest stands in {path}-wal, which this user cannot read with it: ask as the user of the "
            "filter, or give this user the right to write there"
        )
    connection = sqlite3.connect(f"file:{quote(path)}?mode=ro&immutable=1", uri=True, isolation_level=None)
    try:
        found = connection.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.Error:
        connection.close()
        raise
    if found != version:
        connection.close()
        raise StoreError(
            f"{path}: another version of this program wrote it, and this user may not bring it up to date: ask once as "
            "the user of the filter (email-report-admin summary)"
        )
    return connection


def changed(path: str) -> StoreError:
    """Somebody wrote while it was read."""
    return StoreError(f"{path}: somebody wrote to it while it was read: ask again")


def _log_size(path: str) -> int:
    try:
        return os.stat(f"{path}-wal").st_size
    except FileNotFoundError:
        return 0
