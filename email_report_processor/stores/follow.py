"""A store as a log: what is new in it goes on to another store, at least once, from a cursor on disk.

Documents are read in the order in which they were stored, again over a window: a writer may still be at work, or its
clock be wrong. What was sent within the window is remembered by its id, so that the window sends nothing twice. The
cursor moves when the other store has answered: a process that is killed sends the last page again, under the same ids.
"""

import os
import sqlite3  # 5 ms, for people only
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import NamedTuple, Protocol, runtime_checkable

from ..values.fields import write_date
from . import owner
from .store import Rejected, Row, Store, StoreError, Written

PAGE = 500  # documents that are sent at once
WINDOW = 600.0  # seconds; a message takes up to 120, an import holds rows for up to 300, OpenSearch shows them after 30
_DIRECTORY = "follow"  # in the state directory


class Place(NamedTuple):
    """Up to where a store was read."""

    ingested: str = ""  # RFC 3339: the newest event.ingested that was sent, never after the clock; '' is the beginning
    mark: int = 0  # of the last document, where the store has an order of its own
    id: str = ""  # of that document


class Entry(NamedTuple):
    """A document as it stands in the log."""

    row: Row
    ingested: str  # event.ingested, RFC 3339
    mark: int = 0  # where the store has an order of its own


Known = Callable[[Sequence[str]], set[str]]  # of these ids, those that were sent


@runtime_checkable
class Log(Protocol):
    """A store that can be followed."""

    def log(self, place: Place, since: str, known: Known) -> Iterator[list[Entry]]:
        """Pages of documents, in the order in which they were stored, that came after the place.

        since: event.ingested from which on documents may have come late; '' is all. When the next page is asked for,
        the one before is safe. Raises StoreError.
        """
        ...


class Sent(NamedTuple):
    """What one round sent."""

    written: Written
    complete: bool  # nothing was left


class Behind(NamedTuple):
    """How far a follower is, for people and monitoring."""

    source: str
    target: str
    caught_up: str  # RFC 3339: everything that was there at this time was sent; '' is never
    begun: str  # RFC 3339
    sent: int  # documents, ever
    rejected: int  # documents that the target refuses for their content, ever
    trouble: str  # why it stands still, '' when it does not
    file: str = ""  # of its cursor

    def lag(self, now: datetime) -> float:
        """Seconds."""
        return max(0.0, (now - datetime.fromisoformat(self.caught_up or self.begun)).total_seconds())


class Cursor:
    """Where a follower is, in a small file of its own. One process at a time holds it. Raises StoreError."""

    def __init__(self, state: str, source: str, target: str, prefix: str, since: str = "") -> None:
        name = sha256(f"{source}\n{target}\n{prefix}".encode()).hexdigest()[:16]
        self.path = os.path.join(state, _DIRECTORY, f"{name}.sqlite")
        self._source, self._target = source, target
        with self._explained():
            self._lock = _locked(self.path)
            self._connection = sqlite3.connect(self.path, isolation_level=None)
            self._connection.executescript(_TABLES)
            now = write_date(datetime.now(UTC).replace(microsecond=0))
            self._connection.execute(_BEGIN, (source, target, now, since))

    @property
    def place(self) -> Place:
        """Up to where everything was sent."""
        with self._explained():
            return Place(*self._connection.execute("SELECT ingested, mark, id FROM follower").fetchone())

    def known(self, ids: Sequence[str]) -> set[str]:
        """Those of the ids that were sent within the window."""
        marks = ", ".join("?" * len(ids))
        with self._explained():
            found = self._connection.execute(f"SELECT id FROM sent WHERE id IN ({marks})", ids)  # noqa: S608  # only ?
            return {id_ for (id_,) in found}

    def sent(self, page: Sequence[Entry], written: Written, window: float) -> None:
        """The page is safe where it was sent to."""
        clock = write_date(datetime.now(UTC).replace(microsecond=0))
        newest = max([self.place.ingested, *(min(one.ingested, clock) for one in page)])
        number = written.stored + written.already
        with self._explained():
            self._connection.execute("BEGIN")
            self._connection.executemany(
                "INSERT OR IGNORE INTO sent VALUES (?, ?)", ((one.row.id, one.ingested) for one in page)
            )
            self._connection.execute("DELETE FROM sent WHERE ingested < ?", (back(newest, window),))
            self._connection.execute(_FORWARD, (newest, page[-1].mark, page[-1].row.id, number, len(written.rejected)))
            self._connection.execute("COMMIT")

    def caught_up(self, moment: str) -> None:
        """Everything that was there at this moment was sent."""
        with self._explained():
            self._connection.execute("UPDATE follower SET caught_up = ?, trouble = ''", (moment,))

    def stuck(self, trouble: str) -> None:
        """Why it does not go on."""
        with self._explained():
            self._connection.execute("UPDATE follower SET trouble = ?", (trouble,))

    def close(self) -> None:
        """Another process may go on."""
        self._connection.close()
        os.close(self._lock)

    def _explained(self) -> "_Explained":
        return _Explained(self.path)


_TABLES = """
PRAGMA journal_mode=WAL;
PRAGMA synchronous=FULL;
CREATE TABLE IF NOT EXISTS follower (one INTEGER PRIMARY KEY, source TEXT, target TEXT, begun TEXT, ingested TEXT,
    mark INTEGER, id TEXT, sent INTEGER, rejected INTEGER, caught_up TEXT, trouble TEXT);
CREATE TABLE IF NOT EXISTS sent (id TEXT PRIMARY KEY, ingested TEXT) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sent_by_time ON sent (ingested);
"""
_BEGIN = "INSERT OR IGNORE INTO follower VALUES (1, ?, ?, ?, ?, 0, '', 0, 0, '', '')"
_FORWARD = "UPDATE follower SET ingested = ?, mark = ?, id = ?, sent = sent + ?, rejected = rejected + ?, trouble = ''"
_BEHIND = "SELECT source, target, caught_up, begun, sent, rejected, trouble FROM follower"


class _Explained:
    """Faults of the disk, as ours."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sqlite3.Error | OSError):
            remedy = "see that the state directory can be written and has room"
            raise StoreError(f"{self._path}: {getattr(error, 'strerror', None) or error}: {remedy}") from error


def _locked(path: str) -> int:
    """A descriptor that holds the file's lock. Raises OSError, StoreError."""
    import fcntl  # 1 ms, for people only

    for directory in (os.path.dirname(os.path.dirname(path)), os.path.dirname(path)):
        if not os.path.isdir(directory):
            owner.make_directory(directory)
    descriptor = os.open(f"{path}.lock", os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise StoreError(f"{path}: another process follows the same stores: end that one first") from None
    owner.give(descriptor, f"{path}.lock")
    made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    owner.give(made, path)
    os.close(made)
    return descriptor


def back(moment: str, seconds: float) -> str:
    """So many seconds before a moment (RFC 3339); '' stays open."""
    return write_date(datetime.fromisoformat(moment) - timedelta(seconds=seconds)) if moment else ""


def send_on(
    source: Log,
    target: Store,
    cursor: Cursor,
    *,
    window: float = WINDOW,
    move: Callable[[Row], Row] = lambda row: row,
    only: Callable[[Row], bool] = lambda row: True,
    stop: Callable[[], bool] = lambda: False,
) -> Sent:
    """One round: everything that is new. stop: asked after each page. Raises StoreError; what was sent stays sent."""
    began = write_date(datetime.now(UTC).replace(microsecond=0))
    total = Written(0, 0)
    place = cursor.place
    for page in source.log(place, back(place.ingested, window), cursor.known):
        written = target.write([move(one.row) for one in page if only(one.row)])
        total += written
        cursor.sent(page, written, window)
        if stop():
            return Sent(total, complete=False)
    cursor.caught_up(began)
    return Sent(total, complete=True)


def follow(
    round_: Callable[[], Sent],
    cursor: Cursor,
    *,
    every: float,
    stop: Callable[[float], bool],
    tell: Callable[[str], None],
    refused: Callable[[Rejected], None],
) -> None:
    """Rounds until `stop`, which waits so many seconds, says to end. What goes wrong is told when it changes."""
    said = ""
    wait = 0.0
    while not stop(wait):
        try:
            sent = round_()
        except StoreError as error:
            cursor.stuck(str(error))
            if str(error) != said:
                tell(f"{error}; nothing is lost, and it goes on by itself")
            said, wait = str(error), min(max(every, 2 * wait), max(every, _LONGEST))
            continue
        if said:
            tell("it goes on")
        said, wait = "", every
        for one in sent.written.rejected:
            refused(one)


_LONGEST = 300.0  # seconds between two attempts


def followers(state: str) -> list[Behind]:
    """The followers whose cursors stand in a state directory. One that cannot be read is none. Raises nothing."""
    directory = os.path.join(state, _DIRECTORY)
    try:
        names = sorted(name for name in os.listdir(directory) if name.endswith(".sqlite"))
    except OSError:
        return []
    found = (_behind(os.path.join(directory, name)) for name in names)
    return [one for one in found if one is not None]


def _behind(path: str) -> Behind | None:
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            row = connection.execute(_BEHIND).fetchone()
        finally:
            connection.close()
    except sqlite3.Error:
        return None
    return Behind(*row)._replace(file=path) if row else None


def pages(entries: Iterable[Entry], known: Known) -> Iterator[list[Entry]]:
    """Those that were not sent, page by page."""
    page: list[Entry] = []
    for one in entries:
        page.append(one)
        if len(page) == PAGE:
            yield from _new(page, known)
            page = []
    yield from _new(page, known)


def _new(page: list[Entry], known: Known) -> Iterator[list[Entry]]:
    sent = known([one.row.id for one in page]) if page else set()
    if rest := [one for one in page if one.row.id not in sent]:
        yield rest
