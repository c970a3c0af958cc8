"""What a worker of an import does: messages become rows, rows become bulks, and the parent hears what became of them.

Each worker stores by itself: rows stay where they were made, as many bulks are on their way as there are workers, and
a store that is slow makes its workers wait, and nobody else. Rows of many messages share a bulk; a message is reported
as done when its last row is stored.
"""

import errno
import marshal
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import BinaryIO, NamedTuple, Protocol, cast

from ..objects import ObjectsError, S3Options
from ..process import Job, Outcome, PureError, Verdict, failure, guarded, judge, keep, together, work_on
from ..reports.reading import read_message
from ..reports.report import Reading
from ..stores.bulk import size_of
from ..stores.kept import KeepError
from ..stores.ndjson import NdjsonStore
from ..stores.store import Row, StoreError, Written
from .sources import Item, Opener
from .workers import Channel

MOST_ITEMS = 500  # messages that are reported at once: those without rows fill no bulk

# What is counted: messages (of them outside of --since and --until), reports, rows (documents that were read), those
# stored, already there and rejected, repaired (warnings), weight (bytes of the sources that are done with).
Count = Counter[str]

# Kinds of frames
DONE, OUTPUT, FAILED = 0, 1, 2

# Faults of this machine; any other OSError is about one file.
_OURS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.EROFS, errno.ENOMEM, errno.EFBIG, errno.EPIPE}
)


class Plan(NamedTuple):
    """How an import differs from the filter."""

    since: datetime | None = None  # messages of this date or later
    until: datetime | None = None  # messages before this date
    keep: bool = False  # copy what cannot be read to the kept messages
    dry_run: bool = False
    stream: bool = False  # documents go to the parent, as lines for standard output
    bulk_bytes: int = 4 * 1024**2  # rows stored at once
    unpacked: int = -1  # descriptor of the temporary file of compressed mboxes
    s3: S3Options = S3Options()  # how PATHs of S3 are reached


class Trouble(NamedTuple):
    """A message that is not simply stored."""

    number: int  # of the item
    place: str
    category: str  # one of kept.CATEGORIES
    reason: str


class _Writes(Protocol):
    """What is needed of a store."""

    def write(self, rows: Iterable[Row]) -> Written: ...


class _Nowhere:
    """The store of a dry run."""

    def write(self, rows: Iterable[Row]) -> Written:
        return Written(0, 0)


class _Lines:
    """A stream to the parent, which writes the lines of one worker after those of another."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._lines: list[bytes] = []
        self.write = self._lines.append

    def flush(self) -> None:
        self._channel.send(OUTPUT, 0, b"".join(self._lines))
        self._lines.clear()


def _open_store(channel: Channel, job: Job, plan: Plan) -> _Writes:
    if plan.dry_run:
        return _Nowhere()
    if not plan.stream:
        return job.open_store()
    lines = NdjsonStore(cast("BinaryIO", _Lines(channel)))
    return lines if job.routes is None else job.routes.open_store(lines)


def serve(channel: Channel, job: Job, plan: Plan) -> None:
    """Do all tasks. What goes wrong on our side ends the worker and, by a frame FAILED, the import."""
    intake = Intake(channel, job, plan)
    try:
        while (task := channel.receive()) is not None:
            for values in task:
                intake.take(Item(*values))
            if channel.idle():
                intake.flush()
        intake.flush()
    except (StoreError, KeepError, ObjectsError) as error:
        channel.send(FAILED, 0, str(error).encode("utf-8", "replace"))
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise
        channel.send(FAILED, 0, f"{error.filename or 'a temporary file'}: {error.strerror}".encode("utf-8", "replace"))


class Intake:
    """Takes messages, and holds their rows until there are enough for a bulk."""

    def __init__(self, channel: Channel, job: Job, plan: Plan) -> None:
        self._channel = channel
        self._job = job
        self._plan = plan
        self._opener = Opener(plan.unpacked, plan.s3)
        self._store = _open_store(channel, job, plan)
        self._rows: list[Row] = []
        self._size = 0
        self._items: list[Item] = []  # whose rows these are; nobody has heard of them yet
        self._first: list[int] = []  # of the rows of each
        self._verdicts: dict[int, Verdict] = {}  # by number of the item
        self._said: dict[int, set[str]] = {}  # categories, by number of the item
        self._owners: dict[int, tuple[str, ...]] = {}  # tenants, by number of the item
        self._count: Count = Counter()

    def take(self, item: Item) -> None:
        """Read a message. Raises StoreError, KeepError; OSError when it is ours."""
        self._items.append(item)
        self._first.append(len(self._rows))
        try:
            verdict = self._read(item)
        except OSError as error:
            if error.errno in _OURS:
                raise
            verdict = Verdict("unreadable", error.strerror or str(error))
        if verdict is not None:
            self._judged(item, verdict)
        self._count["messages"] += 1
        self._count["weight"] += item.weight
        if len(self._items) >= MOST_ITEMS:
            self.flush()

    def flush(self) -> None:
        """Store what is held, and report the messages. Raises StoreError, KeepError."""
        self._write()
        self._report(self._items)
        self._items, self._first = [], []

    def _read(self, item: Item) -> Verdict | None:
        try:
            blob = self._opener.blob(item)
            reading = guarded(lambda: read_message(blob, self._job.options))
            if not self._is_within(reading):
                self._count["outside"] += 1
                return None
            work = work_on(blob, reading, self._job)
            self._owners[item.number] = work.owners
            for row in work.rows:
                size = size_of(row)
                if self._rows and self._size + size > self._plan.bulk_bytes:
                    self._write()
                self._rows.append(row)
                self._size += size
        except (PureError, MemoryError) as error:
            verdict, notes = failure(error)
            return Verdict(verdict.category, " | ".join((verdict.reason, *notes)))
        self._count["reports"] += len(reading.reports)
        self._count["repaired"] += work.tally.repaired
        return judge(reading, Written(0, 0), work.tally)

    def _is_within(self, reading: Reading) -> bool:
        """Whether the date of the message, or the end of a bare report's period, is wanted; without one it is."""
        since, until = self._plan.since, self._plan.until
        if since is None and until is None:
            return True
        ends = [str(report.head.get("report.end", "")) for report in reading.reports] if reading.envelope.bare else []
        text = max([reading.envelope.received, *ends])
        if not text:
            return True
        date = datetime.fromisoformat(text)
        return (since is None or date >= since) and (until is None or date < until)

    def _judged(self, item: Item, verdict: Verdict) -> None:
        """Of several verdicts about a message the strongest counts, and all are said (of each kind the first)."""
        there = self._verdicts.get(item.number)
        if there is None:
            self._verdicts[item.number] = verdict
        elif verdict.category not in self._said[item.number]:
            self._verdicts[item.number] = together(there, verdict)
        self._said.setdefault(item.number, set()).add(verdict.category)

    def _write(self) -> None:
        """Store the rows, and report the messages of which none is still to come."""
        if self._rows:
            written = self._store.write(self._rows)
            for rejected in written.rejected:
                at = next(number for number, row in enumerate(self._rows) if row is rejected.row)
                item = self._items[bisect_right(self._first, at) - 1]
                self._judged(item, Verdict("rejected", f"the store refuses {rejected.row.id}: {rejected.reason}"))
            self._count["rows"] += len(self._rows)
            self._count["stored"] += written.stored
            self._count["already"] += written.already
            self._count["rejected"] += len(written.rejected)
        self._rows, self._size = [], 0
        done, self._items, self._first = self._items[:-1], self._items[-1:], [0]
        self._report(done)

    def _report(self, items: list[Item]) -> None:
        troubles = [
            self._trouble(item, verdict) for item in items if (verdict := self._verdicts.pop(item.number, None))
        ]
        for item in items:
            self._said.pop(item.number, None)
            self._owners.pop(item.number, None)
        data = marshal.dumps((dict(self._count), [tuple(trouble) for trouble in troubles]))
        self._channel.send(DONE, len(items), data)
        self._count.clear()

    def _trouble(self, item: Item, verdict: Verdict) -> Trouble:
        category, reason = verdict
        if self._plan.keep and category != "no-report":
            outcome = Outcome(None, Written(0, 0), 0, verdict, owners=self._owners.get(item.number, ()))
            try:
                keep(self._opener.blob(item), self._job, outcome)
            except OSError as error:  # of the message: what is wrong with the Maildir is a KeepError
                reason = f"{reason}; no copy is kept: {error.strerror}"
        return Trouble(item.number, item.place, category, reason)
