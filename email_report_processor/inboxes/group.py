"""What a worker does with messages that arrived together: each is read for itself, and their rows are stored at once.

A message is done with when its own rows are safe, or a copy of it is kept. One with many rows is stored alone, as they
come; what fails is one message's failure, and its mail server keeps it.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from ..log import Log
from ..message.blob import Blob
from ..process import (
    Job,
    Outcome,
    PureError,
    Verdict,
    Work,
    describe,
    failed,
    keep,
    read,
    settle,
    store,
    stored,
)
from ..stores.bulk import size_of
from ..stores.kept import PLAIN, KeepError
from ..stores.store import Row, Store, StoreError, Written
from ..stores.together import write_together
from .board import Board

ROOM = 1024**2  # bytes of rows of one group; a message with more is stored alone
FRESH = 600.0  # seconds after which the store is opened anew: what it remembers of templates and rights may be past

SAFE, OURS = 0, 75  # what becomes of a message: as the statuses of the filter


class Task(NamedTuple):
    """A message for a worker."""

    number: int
    feed: str
    came: float  # time.monotonic() at its end
    category: str = ""  # to keep a copy for this, without reading it
    reason: str = ""
    to: tuple[str, ...] = ()  # tenants whose address it came to


class _Read(NamedTuple):
    """A message of which all rows are in memory."""

    task: Task
    blob: Blob
    work: Work
    rows: list[Row]


class Group:
    """The work on some messages. `answer` is told of each, as soon as it is known: number, SAFE or OURS, category.

    The category is that of the verdict (process.Verdict); '' says that all of the message is stored.
    """

    def __init__(self, worker: "Worker", answer: Callable[[int, int, str], None]) -> None:
        self._worker = worker
        self._answer = answer
        self._read: list[_Read] = []
        self._size = 0

    def take(self, task: Task, blob: Blob) -> None:
        """Read a message, and store its rows now if they are many."""
        board = self._worker.board
        board.begin(task.number)
        try:
            self._take(task, blob)
        except (StoreError, KeepError, OSError) as error:
            self._give_back(task, error)
        board.begin(0)

    def commit(self) -> None:
        """Store what is read, and answer for it."""
        waiting, self._read, self._size = self._read, [], 0
        try:
            if len(waiting) == 1:
                self._store_alone(waiting[0])
                return
            results = write_together(self._worker.store(), [one.rows for one in waiting]) if waiting else []
        except (StoreError, OSError) as error:
            for one in waiting:
                self._give_back(one.task, error)
            return
        for one, written in zip(waiting, results, strict=True):
            if isinstance(written, StoreError):
                self._give_back(one.task, written)
            else:
                self._done(one.task, one.blob, stored(one.work, written))

    def _take(self, task: Task, blob: Blob) -> None:
        job = self._worker.job_for(task.feed, task.to)
        if task.category:
            self._kept(task, keep(blob, job, Outcome(None, Written(0, 0), 0, Verdict(task.category, task.reason))))
            return
        work = read(blob, job)
        if isinstance(work, Outcome):
            self._done(task, blob, work)
        elif not work.reports:
            self._done(task, blob, stored(work, Written(0, 0)))
        else:
            self._take_rows(_Read(task, blob, work, []))

    def _take_rows(self, one: _Read) -> None:
        size = 0
        try:
            for row in one.work.rows:
                one.rows.append(row)
                size += size_of(row)
                if size > ROOM:
                    self._store_alone(one)
                    return
        except (PureError, MemoryError) as error:
            self._done(one.task, one.blob, failed(one.work, error))
            return
        if self._size + size > ROOM:
            self.commit()
        self._read.append(one)
        self._size += size

    def _store_alone(self, one: _Read) -> None:
        self._worker.board.begin(one.task.number)
        rows = self._passing(chain(one.rows, one.work.rows))
        outcome = store(one.work._replace(rows=rows), self._worker.store().write)
        self._worker.board.begin(0)
        self._done(one.task, one.blob, outcome)

    def _passing(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows as the store takes them; the parent sees that it does."""
        taken = self._worker.board.taken
        for row in rows:
            taken()
            yield row

    def _done(self, task: Task, blob: Blob, outcome: Outcome) -> None:
        try:
            outcome = settle(blob, self._worker.job_for(task.feed, task.to), outcome)
        except KeepError as error:
            self._give_back(task, error)
            return
        for note in outcome.notes:
            self._worker.log("error", note)
        level = "info" if outcome.verdict is None or outcome.verdict.category in PLAIN else "warning"
        self._worker.log(level, describe(outcome, round(1000 * (time.monotonic() - task.came))))
        self._answer(task.number, SAFE, outcome.verdict.category if outcome.verdict else "")

    def _kept(self, task: Task, outcome: Outcome) -> None:
        for note in outcome.notes:
            self._worker.log("error", note)
        self._worker.log("error", f"{task.reason}; a copy is kept: email-report-admin kept --retry")
        self._answer(task.number, SAFE, task.category)

    def _give_back(self, task: Task, error: Exception) -> None:
        said = str(error)
        if isinstance(error, OSError):
            said = f"{error.filename or 'input or output'}: {error.strerror or error}"
        self._worker.log("error", f"the mail server keeps the message: {said}")
        self._answer(task.number, OURS, "")


class Worker:
    """What a worker has for all its messages: the job, the log, and an open store."""

    def __init__(self, job: Job, log: Log, board: Board) -> None:
        self.job = job
        self.log = log
        self.board = board
        self._store: Store | None = None
        self._opened = 0.0

    def job_for(self, feed: str, to: tuple[str, ...]) -> Job:
        """The job for a message that came to an address of this feed, and of these tenants."""
        routes = self.job.routes
        if routes is not None:
            return routes.addressed(to or routes.of_message((), feed), feed)
        return self.job._replace(options=self.job.options._replace(feed=feed)) if feed else self.job

    def store(self) -> Store:
        """The store, opened when it is needed. Raises StoreError."""
        if self._store is not None and time.monotonic() - self._opened > FRESH:
            self.close()
        if self._store is None:
            self._store = self.job.open_store()
            self._opened = time.monotonic()
        return self._store

    def close(self) -> None:
        """Close the store. Raises StoreError."""
        held, self._store = self._store, None
        if held is not None:
            held.close()

    def warn(self) -> None:
        """Say what turned out to be broken while it was used."""
        databases = self.job.databases
        if databases and databases.faults:
            for fault in databases.faults:
                self.log("warning", fault)
            databases.faults.clear()
