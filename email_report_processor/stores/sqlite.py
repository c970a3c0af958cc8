"""The embedded store: the same documents as in OpenSearch, in one SQLite file. The id alone is the key.

One table, one transaction for each batch, write-ahead log: readers and writers don't wait for each other, parallel
deliveries only for each other's commits. A committed batch is on disk (synchronous=FULL).
A rowid table of 8 KiB pages: against WITHOUT ROWID, 20,000 documents are written in 0.16 s instead of 0.84 s, the
same again in 0.04 s instead of 0.09 s, and the file is smaller (35 MB for 30 MB of documents; 43 with 4 KiB pages).
"""

import os
import resource
import sqlite3  # 5 ms: store.py imports this module only for `sqlite:`
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from ..documents.datasets import DATASETS, Dataset
from . import owner
from .store import Found, Question, Row, Selection, StoreError, Total, Written, in_batches

if TYPE_CHECKING:
    from .follow import Entry, Known, Place  # 5 ms, for `copy --follow` only
    from .kinds import Asked, Combined
    from .renewing import Renewal, Versioned

_T = TypeVar("_T")

_BATCH_ROWS = 2000
_BATCH_BYTES = 2 * 1024**2
_SMALL = 1024**2  # bytes: making the file may already take more than such a limit, and leaves nothing to measure
_PAGE_ROWS = 500  # read at once by `scan`: between pages nothing is locked and the log can be folded in
_FORM = 9  # of the tables, and of the views beside their fields

_INSERT = "INSERT OR IGNORE INTO documents VALUES (?, ?, CAST(? AS TEXT))"
_RENEW = "UPDATE documents SET source = CAST(? AS TEXT) WHERE id = ? AND source = CAST(? AS TEXT)"
_TABLE = "CREATE TABLE IF NOT EXISTS documents (idx TEXT, id TEXT, source TEXT NOT NULL)"
_BY_ID = "CREATE UNIQUE INDEX IF NOT EXISTS documents_by_id ON documents (id)"
_BY_INDEX = "CREATE INDEX IF NOT EXISTS documents_by_index ON documents (idx)"
# In form 1 the index was part of the key, and a report that came again much later was there twice: the first one stays.
_LATER_ONES = "DELETE FROM documents WHERE rowid NOT IN (SELECT min(rowid) FROM documents GROUP BY id)"
_SCAN = "SELECT rowid, id, CAST(source AS BLOB) FROM documents WHERE idx = ? AND rowid > ? ORDER BY rowid LIMIT ?"
_NEXT_INDEX = "SELECT min(idx) FROM documents WHERE idx > ?"
_PLACE = "SELECT rowid FROM documents WHERE idx = ? AND id = ?"

# Somebody else has the lock: worth waiting for. PROTOCOL is what a crowd at the write-ahead log is told.
_LOCKED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})


class SqliteStore:
    """Documents in the file `path`, which the first `write` makes (0600, in a directory of 0700).

    prefix: of the indices that `totals` looks at. budget: seconds to wait for other writers.
    """

    def __init__(
        self,
        path: str,
        *,
        prefix: str = "email-report-",
        budget: float = 30.0,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = path
        self._prefix = prefix
        self._budget = budget
        self._sleep = sleep
        self._clock = clock
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None  # device and inode of what is open
        self._frozen: tuple[int, ...] | None = None  # what it was when it was opened only to be read

    def write(self, rows: Iterable[Row]) -> Written:
        """See Store. Nothing is refused for its content."""
        stored = already = 0
        for batch in in_batches(rows, _BATCH_ROWS, _BATCH_BYTES):
            new = self._patiently(_insert, batch, writes=True)
            stored += new
            already += len(batch) - new
        return Written(stored, already)

    def write_together(self, parcels: Sequence[Sequence[Row]]) -> list[Written]:
        """See together.py: one transaction for all of them, or none."""
        new = self._patiently(_insert_parcels, parcels, writes=True)
        return [Written(stored, len(parcel) - stored) for stored, parcel in zip(new, parcels, strict=True)]

    def scan(self, after: tuple[str, str] | None = None) -> Iterator[Row]:
        """See Store."""
        self._must_exist()
        index: str | None = after[0] if after else ""
        last = self._patiently(_place, after) if after else 0
        while index is not None:
            while page := self._patiently(_page, (index, last)):
                yield from (Row(index, id_, source) for _, id_, source in page)
                last = page[-1][0]
            index, last = self._patiently(_next_index, index), 0

    def totals(self, question: Question) -> list[Total]:
        """See Store. Raises ValueError when the question names what is not there."""
        from .totals import check  # 5 ms with re and ipaddress, for people only
        from .totals_sqlite import answer

        checked = check(question)
        self._must_exist()

        def ask(connection: sqlite3.Connection, size: int) -> list[Total]:
            return answer(connection, checked, question.dataset, self._prefix, size)

        return self._patiently(ask, question.size)

    def combined(self, asked: "Asked") -> "Iterator[Combined]":
        """Sums of rows of aggregate reports by kind, host, reporter and day (see kinds.py). Raises StoreError."""
        from . import kinds_sqlite, sums_sqlite  # 5 ms with re and ipaddress, for people only
        from .kinds import DATASET, of_rows

        self._must_exist()
        if not (asked.whole_days and self._patiently(lambda connection, _: sums_sqlite.catch_up(connection), None)):
            yield from of_rows(one.row for one in self.select(Selection(asked.node, (DATASET,))))
            return
        try:
            yield from kinds_sqlite.read(self._connected(), asked, self._prefix)
        except sqlite3.Error as error:
            raise _explain(error, self.name, self._budget) from error
        if self._was_written():
            from .reading_sqlite import changed

            raise changed(self.name)

    def select(self, selection: Selection, after: tuple[Any, ...] = ()) -> Iterator[Found]:
        """See Store. What is found is noted at the beginning and read in pages: nothing is locked between them."""
        from . import select_sqlite  # 5 ms with re and ipaddress, for people only
        from .totals import check_datasets

        check_datasets(selection.datasets)
        self._must_exist()
        wanted = select_sqlite.Wanted(selection, self._prefix, after)
        numbers = self._patiently(select_sqlite.find, wanted)
        for first in range(0, len(numbers), _PAGE_ROWS):
            yield from self._patiently(select_sqlite.read, (numbers[first : first + _PAGE_ROWS], selection.fields))

    def log(self, place: "Place", since: str, known: "Known") -> "Iterator[list[Entry]]":
        """See follow.Log. Nothing comes late; known is asked all the same, where row numbers have changed."""
        from . import follow, log_sqlite  # 5 ms, for `copy --follow` only

        self._must_exist()
        after = self._patiently(log_sqlite.begin, log_sqlite.Start(place, since))
        while page := self._patiently(log_sqlite.page, after):
            yield from follow.pages(page, known)
            after = page[-1].mark

    def versioned(self, selection: Selection, after: tuple[Any, ...] = ()) -> "Iterator[Versioned]":
        """See Renewable: what it says is its version."""
        from .renewing import Versioned  # 1 ms, for people only

        return (Versioned(found, found.row.source) for found in self.select(selection, after))

    def renew(self, renewals: "Sequence[Renewal]") -> int:
        """See Renewable. In one transaction, with the daily sums."""
        return self._patiently(_renew, renewals, writes=True)

    def remove(self) -> int:
        """Take away every document under the prefix: for what was made up. Returns how many there were."""
        self._must_exist()
        return self._patiently(_remove, self._prefix, writes=True)

    def delete(self, rows: Iterable[Row]) -> int:
        """See privacy.documents.Erasable."""
        from . import forget_sqlite  # 1 ms, for people only

        return self._patiently(forget_sqlite.delete, list(rows), writes=True)

    def replace(self, rows: Iterable[Row]) -> int:
        """See privacy.documents.Erasable."""
        from . import forget_sqlite  # 1 ms, for people only

        return self._patiently(forget_sqlite.replace, list(rows), writes=True)

    def settle(self) -> None:
        """See privacy.documents.Erasable."""
        from . import forget_sqlite  # 1 ms, for people only

        self._patiently(forget_sqlite.settle, None, writes=True)

    def prune(self, before: Mapping[str, str], *, really: bool) -> Iterator[tuple[str, int]]:
        """See privacy.prune.Prunable."""
        from . import forget_sqlite  # 1 ms, for people only

        self._must_exist()
        place = forget_sqlite.Place(0, self._prefix, before)
        while True:
            old = self._patiently(forget_sqlite.look, place)
            for first in range(0, len(old.rows), forget_sqlite.AT_ONCE):
                step = old.rows[first : first + forget_sqlite.AT_ONCE]
                if really:
                    self._patiently(forget_sqlite.take, [rowid for rowid, _ in step], writes=True)
                yield from ((dataset, 1) for _, dataset in step)
            if not old.last:
                return
            place = place._replace(rowid=old.last)

    def close(self) -> None:
        """See Store. The last one to close folds the log into the file."""
        connection, self._connection = self._connection, None
        self._frozen = None
        if connection is not None:
            try:
                connection.close()
            except sqlite3.Error as error:
                raise _explain(error, self.name, self._budget) from error

    def _patiently(self, work: Callable[[sqlite3.Connection, Any], _T], argument: Any, *, writes: bool = False) -> _T:
        """Do the work, again while others hold the lock. SQLite itself does not wait for all of them."""
        until = self._clock() + self._budget
        while True:
            try:
                found = work(self._connected(writes=writes), argument)
                if not self._was_written():
                    return found
                if self._clock() >= until:
                    from .reading_sqlite import changed

                    raise changed(self.name)
            except sqlite3.Error as error:
                if not self._was_written() and (_code(error) not in _LOCKED or self._clock() >= until):
                    raise _explain(error, self.name, self._budget) from error
            except UnicodeDecodeError as error:  # Python's module, for a message that quotes damaged names
                raise StoreError(
                    f"{self.name}: its names are malformed: {_REMEDIES[sqlite3.SQLITE_CORRUPT]}"
                ) from error
            import random  # 2 ms, only to wait

            self._sleep(random.uniform(0.005, 0.05))  # noqa: S311  # not a secret: neighbours must not wake together

    def _connected(self, *, writes: bool = False) -> sqlite3.Connection:
        if self._connection is not None and _identity(self.name) != self._file:
            self.close()  # somebody moved the file away, and what goes into it now may be lost
        if self._connection is None:
            try:
                _make_file(self.name)
            except OSError as error:
                raise StoreError(f"{self.name}: {error.strerror}: {_WHERE}") from error
            self._connection = self._opened(writes=writes)
            self._file = _identity(self.name)
        return self._connection

    def _opened(self, *, writes: bool) -> sqlite3.Connection:
        try:
            return _connect(self.name, self._budget)
        except sqlite3.Error as error:
            if writes:
                raise
            from . import reading_sqlite  # 2 ms, for people who may not write

            if _code(error) not in reading_sqlite.REFUSED:
                raise
            try:
                self._frozen = reading_sqlite.state(self.name)
                return reading_sqlite.connect(self.name, _version())
            except (OSError, sqlite3.Error) as reason:
                raise error from reason

    def _was_written(self) -> bool:
        """Whether somebody changed what was opened only to be read; it is opened anew then."""
        if self._frozen is None:
            return False
        from . import reading_sqlite

        try:
            same = reading_sqlite.state(self.name) == self._frozen
        except OSError:
            same = False
        if not same:
            self.close()
        return not same

    def _must_exist(self) -> None:
        """Reading makes no file: it would hide a wrong path."""
        if self._connection is None and not os.path.exists(self.name):
            raise StoreError(
                f"{self.name}: there is no such file: nothing was stored there yet, or the path is wrong "
                "(email-report-processor FILE stores a report, email-report-admin demo made-up ones)"
            )


def size_state(path: str) -> tuple[int, int]:
    """Bytes of the store's largest file, and the limit on files that the mail server set (RLIMIT_FSIZE; 0 is none)."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    return max(_size(path), _size(path + "-wal")), 0 if limit == resource.RLIM_INFINITY else limit


def _identity(path: str) -> tuple[int, int] | None:
    """Which file stands there: a process that stays must see when it is another one."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _make_file(path: str) -> None:
    """An empty file of ours alone; SQLite gives its log the same rights."""
    if path == ":memory:" or os.path.exists(path):
        return
    directory = os.path.dirname(path) or "."
    _make_directory(directory)
    _make_empty(path)
    parent = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(parent)  # the name is on disk too
    finally:
        os.close(parent)


def _make_empty(path: str) -> None:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:  # a neighbour was quicker; or it is a link to where nothing is yet
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        return
    try:
        owner.give(descriptor, path)  # SQLite gives its log to the owner of the file
    finally:
        os.close(descriptor)


def _make_directory(path: str) -> None:
    """With those above it; os.makedirs would leave their mode to the umask."""
    if not os.path.isdir(path):
        _make_directory(os.path.dirname(path) or ".")
        with suppress(FileExistsError):  # a neighbour was quicker; or it is a file, which the next step says
            owner.make_directory(path)


def _connect(path: str, budget: float) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=budget, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous=FULL")
        if connection.execute("PRAGMA user_version").fetchone()[0] != _version():
            _set_up(connection)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _version() -> int:
    """Another number when the views would be others."""
    names = "\n".join(f"{dataset.name} {field.name}" for dataset in DATASETS for field in dataset.fields)
    return zlib.crc32(f"{_FORM}\n{names}".encode()) & 0x7FFFFFFF


def _set_up(connection: sqlite3.Connection) -> None:
    from . import by_time  # 5 ms with re and ipaddress, once for a file
    from .sums_sqlite import create as create_sums  # 1 ms, once for a file

    connection.execute("PRAGMA page_size=8192")  # without effect once there is a page
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(_TABLE)
    try:
        connection.execute(_BY_ID)
    except sqlite3.IntegrityError:
        connection.execute(_LATER_ONES)
        connection.execute(_BY_ID)
    connection.execute(_BY_INDEX)
    connection.execute(by_time.CREATE)
    create_sums(connection)
    for dataset in DATASETS:
        connection.execute(f"DROP VIEW IF EXISTS {_view_name(dataset)}")
        connection.execute(_view(dataset))
    connection.execute(f"PRAGMA user_version={_version()}")
    connection.execute("COMMIT")


def _view_name(dataset: Dataset) -> str:
    return dataset.name.replace("-", "_")


def _view(dataset: Dataset) -> str:
    """One column for each field, for people with `sqlite3`; a list of objects is one column of JSON."""
    names = dict.fromkeys(field.objects or field.name for field in dataset.fields)
    columns = ", ".join(f"json_extract(source, {_path(name)}) AS {_quoted(name)}" for name in names)
    return (
        f"CREATE VIEW {_view_name(dataset)} AS SELECT idx, id, {columns} FROM documents "  # noqa: S608  # our own names
        f"WHERE idx GLOB '*{dataset.name}-*' "  # the prefix is not known here; spares most of the JSON
        f"AND json_extract(source, {_path('event.dataset')}) = '{dataset.name}'"
    )


def _path(name: str) -> str:
    """A JSON path as an SQL literal: `source.ip` is '$."source"."ip"'."""
    return "'$" + "".join(f'."{part}"' for part in name.split(".")) + "'"


def _quoted(name: str) -> str:
    return f'"{name}"'


def _insert(connection: sqlite3.Connection, batch: Sequence[Row]) -> int:
    """How many were new."""
    return _insert_parcels(connection, [batch])[0]


def _insert_parcels(connection: sqlite3.Connection, parcels: Sequence[Sequence[Row]]) -> list[int]:
    """How many of each were new."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        stored = [connection.executemany(_INSERT, parcel).rowcount for parcel in parcels]
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.rollback()
    return stored


def _renew(connection: sqlite3.Connection, renewals: "Sequence[Renewal]") -> int:
    with connection:  # one transaction
        connection.execute("BEGIN IMMEDIATE")
        values = [(one.row.source, one.row.id, one.version) for one in renewals]
        return connection.executemany(_RENEW, values).rowcount


def _remove(connection: sqlite3.Connection, prefix: str) -> int:
    with connection:  # one transaction
        gone = connection.execute("DELETE FROM documents WHERE substr(idx, 1, ?) = ?", (len(prefix), prefix)).rowcount
    # Else the room is used again: VACUUM may give rows other numbers, and sums are made up to a number.
    if not connection.execute("SELECT EXISTS (SELECT 1 FROM documents)").fetchone()[0]:
        with suppress(sqlite3.OperationalError):  # somebody reads, or the disk is full
            connection.execute("VACUUM")
    return gone


def _place(connection: sqlite3.Connection, after: tuple[str, str]) -> int:
    """Where a document stands in its index; before the first one when it is not there."""
    found = connection.execute(_PLACE, after).fetchone()
    return int(found[0]) if found else 0


def _page(connection: sqlite3.Connection, after: tuple[str, int]) -> list[tuple[int, str, bytes]]:
    return connection.execute(_SCAN, (*after, _PAGE_ROWS)).fetchall()


def _next_index(connection: sqlite3.Connection, index: str) -> str | None:
    found: str | None = connection.execute(_NEXT_INDEX, (index,)).fetchone()[0]
    return found


# Errors

_WHERE = "check the path and its owner, or name another one with --store sqlite:PATH"

_REMEDIES = {
    sqlite3.SQLITE_BUSY: "another program has it locked: see who has it open (fuser), and end what hangs",
    sqlite3.SQLITE_FULL: "the disk is full: make room, or name a place with room with --store sqlite:PATH",
    sqlite3.SQLITE_READONLY: "it cannot be written: give the file and its directory to the user of the filter",
    sqlite3.SQLITE_CANTOPEN: f"it cannot be opened: {_WHERE}",
    sqlite3.SQLITE_PERM: f"it cannot be opened: {_WHERE}",
    sqlite3.SQLITE_CORRUPT: "the file is damaged: move it away, and recover what it holds with `sqlite3 OLD .recover`",
    sqlite3.SQLITE_NOTADB: "that is no SQLite file: name another one with --store sqlite:PATH",
    sqlite3.SQLITE_IOERR: "the disk or the limit of file sizes refused: look at the system's log and at `ulimit -f`",
}
_REMEDIES |= dict.fromkeys((sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL), _REMEDIES[sqlite3.SQLITE_BUSY])


def _code(error: sqlite3.Error) -> int:
    """The primary result code; 0 when the error is Python's own."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _explain(error: sqlite3.Error, path: str, budget: float) -> StoreError:
    remedy = _REMEDIES.get(_code(error), "see the message of SQLite")
    waited = f" (waited {budget:g} s)" if _code(error) in _LOCKED else ""
    size, limit = size_state(path)
    if limit and _code(error) in {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL} and (size > limit * 0.8 or limit < _SMALL):
        remedy = (
            f"the file has {size} of the {limit} bytes that the mail server allows (RLIMIT_FSIZE): run the filter by "
            "pipe(8) instead of .forward, or store into OpenSearch"
        )
    return StoreError(f"{path}: {error}{waited}: {remedy}")
