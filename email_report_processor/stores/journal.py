"""A directory of files that grows: which documents are in it, and what to take back after a crash.

Beside the files stands a small database. A batch is written in three steps, under a lock: what is about to change is
noted and on disk; the files grow, and are on disk; the ids and the end of the note are on disk. Whoever comes next and
finds a note takes back what it says. So each document is in the files once, whole, also after a crash in mid-write.
"""

import fcntl
import json
import os
import sqlite3  # 5 ms
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import NamedTuple

from . import owner
from .store import Row, StoreError, Written, in_batches

BATCH_ROWS, BATCH_BYTES = 5000, 8 * 1024**2
_TABLES = """
PRAGMA journal_mode=WAL;
PRAGMA synchronous=FULL;
CREATE TABLE IF NOT EXISTS ids (id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS notes (file TEXT PRIMARY KEY, size INTEGER NOT NULL);
"""


class Part(NamedTuple):
    """What one file gets."""

    file: str  # its path within the directory
    data: bytes
    whole: bool = False  # a new file that is there at once or not at all; else it grows, and is made if need be


class Journal:
    """The directory; nothing is made before the first write. form: of its files. budget: seconds for other writers."""

    def __init__(self, directory: str, form: str, budget: float) -> None:
        self.directory = directory
        self._database = f".{form}.sqlite"
        self._budget = budget

    def write(self, rows: Iterable[Row], parts: Callable[[Sequence[Row]], Sequence[Part]]) -> Written:
        """Store the rows that are not there, as the files that `parts` makes of them. Raises StoreError."""
        written = Written(0, 0)
        for batch in in_batches(rows, BATCH_ROWS, BATCH_BYTES):
            with self._explained(), self._opened() as connection:
                new = _new(connection, batch)
                if new:
                    self._put(connection, parts(new), [row.id for row in new])
                written += Written(len(new), len(batch) - len(new))
        return written

    def _put(self, connection: sqlite3.Connection, parts: Sequence[Part], ids: Sequence[str]) -> None:
        with connection:
            notes = ((part.file, -1 if part.whole else _size(self._path(part.file))) for part in parts)
            connection.executemany("INSERT INTO notes VALUES (?, ?)", notes)
        try:
            for part in parts:
                self._grow(part)
        except OSError:
            self._take_back(connection)
            raise
        with connection:
            connection.executemany("INSERT OR IGNORE INTO ids VALUES (?)", ((id_,) for id_ in ids))
            connection.execute("DELETE FROM notes")

    def _grow(self, part: Part) -> None:
        path = self._path(part.file)
        _make_directory(os.path.dirname(path))
        place = f"{path}.part" if part.whole else path
        new = part.whole or not os.path.exists(place)
        descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            if new:
                owner.give(descriptor, place)
            view = memoryview(part.data)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if part.whole:
            os.rename(place, path)
        if new:
            _sync(os.path.dirname(path))

    def _take_back(self, connection: sqlite3.Connection) -> None:
        """What a note says: the files are as before. A file that somebody has taken away stays away."""
        notes = connection.execute("SELECT file, size FROM notes").fetchall()
        for file, size in notes:
            path = self._path(file)
            with suppress(FileNotFoundError):
                if size < 0:
                    with suppress(FileNotFoundError):
                        os.unlink(f"{path}.part")
                    os.unlink(path)
                elif os.path.getsize(path) > size:
                    os.truncate(path, size)
        if notes:
            with connection:
                connection.execute("DELETE FROM notes")

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """The database, for this process alone; what a crash left is taken back."""
        _make_directory(self.directory)
        path = os.path.join(self.directory, self._database)
        lock = os.open(f"{path}.lock", os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            owner.give(lock, f"{path}.lock")
            self._wait_for(lock)
            connection = self._connect(path)
            try:
                self._take_back(connection)
                yield connection
            finally:
                connection.close()
        finally:
            os.close(lock)

    def _connect(self, path: str) -> sqlite3.Connection:
        made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        owner.give(made, path)
        os.close(made)
        connection = sqlite3.connect(path)
        connection.executescript(_TABLES)
        return connection

    def _wait_for(self, lock: int) -> None:
        until = time.monotonic() + self._budget
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    raise StoreError(
                        f"{self.directory}: another process writes (waited {self._budget:g} s): see who (fuser)"
                    ) from None
                time.sleep(0.01)
            else:
                return

    def _path(self, file: str) -> str:
        return os.path.join(self.directory, file)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            where = getattr(error, "filename", None) or self.directory
            remedy = "see that the directory can be written and has room"
            raise StoreError(f"{where}: {getattr(error, 'strerror', None) or error}: {remedy}") from error


def _new(connection: sqlite3.Connection, batch: Sequence[Row]) -> list[Row]:
    """Each once."""
    question = "SELECT id FROM ids WHERE id IN (SELECT value FROM json_each(?))"
    there = {id_ for (id_,) in connection.execute(question, (json.dumps([row.id for row in batch]),))}
    return list({row.id: row for row in reversed(batch) if row.id not in there}.values())[::-1]


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except FileNotFoundError:
        return 0


def _make_directory(path: str) -> None:
    """With those above it."""
    if not os.path.isdir(path):
        _make_directory(os.path.dirname(path) or ".")
        with suppress(FileExistsError):
            owner.make_directory(path)
        _sync(os.path.dirname(path) or ".")


def _sync(directory: str) -> None:
    """The name is on disk too."""
    descriptor = os.open(directory or ".", os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
