"""The one file on disk: how far logs were read, what is remembered, what was found, who is stopped, who did what.

SQLite in the state directory, shared by `follow`, `policy` and the commands of a person. What was read of a log, what
is remembered of it and what was found in it is committed together: a restart continues with all or none of it.
"""

import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from ..documents.document import make_id
from ..stores import owner
from ..stores.kept import make_directory
from .lines.times import write_time
from .rules import Finding, key

_T = TypeVar("_T")

FILE = "logins.sqlite"
_TABLES = """
CREATE TABLE IF NOT EXISTS cursors (source TEXT PRIMARY KEY, value TEXT NOT NULL, time REAL NOT NULL);
CREATE TABLE IF NOT EXISTS memory (role TEXT, kind TEXT, key TEXT, value TEXT NOT NULL, PRIMARY KEY (role, kind, key));
CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY, time REAL NOT NULL, severity TEXT NOT NULL,
    account TEXT NOT NULL, finding TEXT NOT NULL, told INTEGER NOT NULL DEFAULT 0, answer TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS stops (account TEXT PRIMARY KEY, time REAL NOT NULL, who TEXT NOT NULL, why TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS lessons (number INTEGER PRIMARY KEY, account TEXT, kind TEXT, value TEXT);
CREATE TABLE IF NOT EXISTS audit (number INTEGER PRIMARY KEY, time REAL NOT NULL, who TEXT, action TEXT,
    account TEXT, why TEXT);
"""
_WAIT = 10.0  # seconds for another process that writes


Change = tuple[str, str, str | None]  # of a memory: kind, key, text; None for what is gone


class StateError(Exception):
    """The state cannot be read or written; the text names the file and what to do."""


class Event(NamedTuple):
    """A finding as it was written down."""

    id: str
    finding: Finding
    answer: str  # of the user: yes, no, or ''


class Stop(NamedTuple):
    """An account that is stopped."""

    account: str
    time: float
    who: str
    why: str


class Deed(NamedTuple):
    """One line of the audit trail."""

    time: float
    who: str
    action: str
    account: str
    why: str


class Lesson(NamedTuple):
    """What a person said, for every memory: kind `countries`, `systems` or `networks` is known, `clear` forgets."""

    number: int
    account: str
    kind: str
    value: str


class State:
    """The open file. Every method raises StateError."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE
        try:
            make_directory(directory)
            # Closing a descriptor of a database that this process has open gives up its locks (POSIX): only a new one.
            if not self.path.exists():
                _make_empty(self.path)
            self._database = sqlite3.connect(self.path, timeout=_WAIT, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise _explain(self.path, error) from error
        self._do(
            lambda database: database.executescript(f"PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;{_TABLES}")
        )

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def cursor(self, source: str) -> str:
        """How far a log was read, '' for not at all."""
        rows = self._ask("SELECT value FROM cursors WHERE source = ?", source)
        return str(rows[0][0]) if rows else ""

    def read_at(self) -> float:
        """When a log was last read by `follow`; 0.0 for never."""
        return float(self._ask("SELECT coalesce(max(time), 0) FROM cursors WHERE source NOT LIKE 'lessons:%'")[0][0])

    def memory(self, role: str) -> list[tuple[str, str, str]]:
        """What `commit` was given for a role."""
        return self._ask("SELECT kind, key, value FROM memory WHERE role = ?", role)

    def commit(
        self,
        role: str,
        now: float,
        cursors: Mapping[str, str],
        memory: Iterable[Change] = (),
        findings: Iterable[Finding] = (),
    ) -> list[Event]:
        """Write all of it or nothing; the findings that were not there before come back as events."""
        kept, gone = [], []
        for kind, name, value in memory:
            if value is None:
                gone.append((role, kind, name))
            else:
                kept.append((role, kind, name, value))

        def write(database: sqlite3.Connection) -> list[Event]:
            database.executemany(
                "INSERT OR REPLACE INTO cursors VALUES (?, ?, ?)", [(*item, now) for item in cursors.items()]
            )
            database.executemany("INSERT OR REPLACE INTO memory VALUES (?, ?, ?, ?)", kept)
            database.executemany("DELETE FROM memory WHERE role = ? AND kind = ? AND key = ?", gone)
            return [event for event in map(_event, findings) if _is_new(database, event)]

        return self._transaction(write)

    def untold(self) -> list[Event]:
        """Events that nobody was told of."""
        return self._events("told = 0")

    def told(self, event: Event) -> None:
        """Remember that it was told."""
        self._ask("UPDATE events SET told = 1 WHERE id = ?", event.id)

    def events(self, since: float = 0.0, account: str = "") -> list[Event]:
        """Events in the order of their times, of one account where one is named."""
        return self._events("time >= ? AND ? IN ('', account)", since, account)

    def event(self, id_: str) -> Event | None:
        """An event by its id, or by its first 16 digits."""
        return next(iter(self._events("id = ? OR substr(id, 1, 16) = ?", id_, id_)), None)

    def answer(self, event: Event, answer: str) -> None:
        """Write down what a user said."""
        self._ask("UPDATE events SET answer = ? WHERE id = ?", answer, event.id)

    def stops(self) -> dict[str, Stop]:
        """The accounts that are stopped."""
        return {row[0]: Stop(*row) for row in self._ask("SELECT account, time, who, why FROM stops")}

    def stop(self, stop: Stop) -> bool:
        """Stop an account, and write down who did; False when it was stopped already."""

        def write(database: sqlite3.Connection) -> bool:
            new = database.execute("INSERT OR IGNORE INTO stops VALUES (?, ?, ?, ?)", stop).rowcount > 0
            if new:
                _write_down(database, Deed(stop.time, stop.who, "stop", stop.account, stop.why))
            return new

        return self._transaction(write)

    def release(self, account: str, time: float, who: str, why: str) -> bool:
        """Release an account; False when it was not stopped."""

        def write(database: sqlite3.Connection) -> bool:
            gone = database.execute("DELETE FROM stops WHERE account = ?", (account,)).rowcount > 0
            if gone:
                database.execute("INSERT INTO lessons (account, kind, value) VALUES (?, 'clear', '')", (account,))
                _write_down(database, Deed(time, who, "release", account, why))
            return gone

        return self._transaction(write)

    def teach(self, account: str, kind: str, value: str) -> None:
        """Something is known to be an account's own."""
        self._ask("INSERT INTO lessons (account, kind, value) VALUES (?, ?, ?)", account, kind, value)

    def lessons(self, after: int) -> list[Lesson]:
        """What was taught since."""
        rows = self._ask("SELECT number, account, kind, value FROM lessons WHERE number > ? ORDER BY number", after)
        return [Lesson(*row) for row in rows]

    def write_down(self, deed: Deed) -> None:
        """Add to the audit trail."""
        self._transaction(lambda database: _write_down(database, deed))

    def audit(self, account: str = "") -> list[Deed]:
        """The audit trail, of one account where one is named."""
        rows = self._ask(
            "SELECT time, who, action, account, why FROM audit WHERE ? IN ('', account) ORDER BY number", account
        )
        return [Deed(*row) for row in rows]

    def version(self) -> int:
        """Another number when another process has written."""
        return int(self._ask("PRAGMA data_version")[0][0])

    def _events(self, where: str, *values: Any) -> list[Event]:
        rows = self._ask(f"SELECT id, finding, answer FROM events WHERE {where} ORDER BY time, id", *values)  # noqa: S608  # our own words
        return [Event(id_, _read_finding(text), answer) for id_, text, answer in rows]

    def _ask(self, sql: str, *values: Any) -> list[Any]:
        return self._do(lambda database: database.execute(sql, values).fetchall())

    def _transaction(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        def whole(database: sqlite3.Connection) -> _T:
            database.execute("BEGIN IMMEDIATE")
            try:
                result = work(database)
                database.execute("COMMIT")
            finally:
                if database.in_transaction:
                    database.rollback()
            return result

        return self._do(whole)

    def _do(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        try:
            return work(self._database)
        except sqlite3.Error as error:
            raise _explain(self.path, error) from error


def _make_empty(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return  # a neighbour was quicker
    try:
        owner.give(descriptor, path)
    finally:
        os.close(descriptor)


def _event(finding: Finding) -> Event:
    """One a day for an account and what is told once, also when `follow` and `policy` both see it."""
    day = write_time(finding.time).strftime("%Y-%m-%d")
    return Event(make_id("mail-login-event", key(finding), finding.account, day), finding, "")


def _is_new(database: sqlite3.Connection, event: Event) -> bool:
    finding = event.finding
    values = (event.id, finding.time, finding.severity, finding.account, _write_finding(finding))
    sql = "INSERT OR IGNORE INTO events (id, time, severity, account, finding) VALUES (?, ?, ?, ?, ?)"
    return database.execute(sql, values).rowcount > 0


def _write_finding(finding: Finding) -> str:
    return json.dumps([*finding[:5], [line.decode("latin-1") for line in finding.lines], *finding[6:]])


def _read_finding(text: str) -> Finding:
    values = json.loads(text)
    values[5] = tuple(line.encode("latin-1") for line in values[5])
    return Finding(*values)


def _write_down(database: sqlite3.Connection, deed: Deed) -> None:
    database.execute("INSERT INTO audit (time, who, action, account, why) VALUES (?, ?, ?, ?, ?)", deed)


def _explain(path: Path, error: Exception) -> StateError:
    said = getattr(error, "strerror", None) or str(error)
    return StateError(f"{path}: {said}: check the directory, its owner and the disk; see [state] dir")
