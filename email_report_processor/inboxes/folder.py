"""One folder of a mailbox: its messages are read and stored in groups, and then filed away, or remembered.

A message is moved or deleted only after its documents are stored or a copy is kept; whatever is ours leaves it where
it is. Doing it twice changes nothing, so that this may end at any moment.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

from ..log import Log
from ..message.blob import Blob
from ..process import Verdict
from .group import SAFE, Group, Task, Worker
from .imap import PIECE, Connection, Found
from .options import InboxOptions
from .seen import Seen
from .spool import Spool

MOST = 64  # messages of one group
DELETE = ""  # in the place of a folder: messages that are deleted


class Looked(NamedTuple):
    """What came of looking at a folder."""

    safe: int  # messages
    left: int  # messages that are not safe yet, or cannot be filed away
    away: bool  # nothing of a whole group could be stored: it is of no use to go on


class Safe(NamedTuple):
    """A message that is safe."""

    uid: int
    category: str  # of its verdict; '': all of it is stored


class Folder:
    """What is known of one folder while a process lives. `over` says whether it is to end."""

    def __init__(
        self,
        options: InboxOptions,
        name: str,
        worker: Worker,
        seen: Seen,
        over: Callable[[], bool],
        suspects: Mapping[int, Verdict],
    ) -> None:
        self._options = options
        self._name = name
        self._worker = worker
        self._log: Log = worker.log
        self._seen = seen
        self._over = over
        self._suspects = suspects  # by number: at these a process died, or had no more time
        self._validity = 0
        self._unfiled: dict[str, set[int]] = {}  # by folder: safe, and the server refused to move them there
        self._failed: set[int] = set()  # not safe yet: their turn is behind that of others

    def look(self, connection: Connection) -> Looked:
        """Store everything that is new. Raises InboxError; OSError when what was read cannot be remembered."""
        leave = self._options.done == "leave"
        selected = connection.select(self._name, read_only=leave)
        self._begin(selected.validity)
        self._file_again(connection)
        safe = 0
        last = connection.last() if leave and selected.messages else 0
        for group in self._groups(connection) if selected.messages else ():
            done, missed = self._store(connection, group)
            safe += len(done)
            self._failed = self._failed - {one.uid for one in done} | missed
            self._file(connection, done)
            if (missed and not done) or self._over():
                return Looked(safe, self._left(), away=not done)
        if last:
            self._seen.whole(last, self._failed)
        return Looked(safe, self._left(), away=False)

    def _left(self) -> int:
        return len(self._failed) + sum(map(len, self._unfiled.values()))

    def _begin(self, validity: int) -> None:
        if validity != self._validity:
            if self._validity:
                self._log(
                    "warning", f"{self._name} has another UIDVALIDITY: its messages are read anew, and count once"
                )
            self._validity = validity
            self._failed.clear()
            self._unfiled.clear()
        if self._options.done == "leave" and self._seen.begin(validity):
            self._log("warning", f"{self._name} has another UIDVALIDITY: its messages are read anew, and count once")
        if self._seen.fault:
            self._log("warning", self._seen.fault)
            self._seen.fault = ""

    def _groups(self, connection: Connection) -> Iterator[list[Found]]:
        """What is to be read, in groups; what failed before is behind the others."""
        failed, there = set(self._failed), set()
        behind: list[Found] = []
        filed: set[int] = set().union(*self._unfiled.values())
        for page in connection.pages(self._seen.low if self._options.done == "leave" else 0):
            new = [one for one in page if self._is_new(one) and one.uid not in filed]
            behind += [one for one in new if one.uid in failed]
            there |= {one.uid for one in new} & failed
            yield from grouped(one for one in new if one.uid not in failed)
        self._failed -= failed - there  # somebody took them away
        yield from grouped(behind)

    def _is_new(self, one: Found) -> bool:
        return one.uid not in self._seen if self._options.done == "leave" else not one.deleted

    def _store(self, connection: Connection, group: Sequence[Found]) -> tuple[list[Safe], set[int]]:
        """Fetch and store some messages: which are safe, and which are not. One that is gone is in neither."""
        done: list[Safe] = []
        missed: set[int] = set()

        def answer(number: int, status: int, category: str) -> None:
            uid = number & 0xFFFFFFFF
            if status == SAFE:
                done.append(Safe(uid, category))
            else:
                missed.add(uid)

        working = Group(self._worker, answer)
        first = connection.fetch([one.uid for one in group])
        for one in group:
            try:
                blob = self._whole(connection, one.uid, first.pop(one.uid, None))
            except _NoRoomError as error:
                self._log("error", f"message {one.uid} of {self._name} stays on the server: {error}")
                missed.add(one.uid)
                continue
            if blob is not None:
                number = number_of(self._validity, one.uid)
                category, reason = self._suspects.get(number, ("", ""))
                to = (self._options.tenant,) if self._options.tenant else ()
                working.take(Task(number, self._options.feed, time.monotonic(), category, reason, to), blob)
        working.commit()
        self._worker.warn()
        return done, missed

    def _whole(self, connection: Connection, uid: int, piece: bytes | None) -> Blob | None:
        """All of a message, whose first piece is here; None when it is gone. Raises _NoRoomError."""
        lines, spool, at = Lines(), Spool(), 0
        while piece:
            spool.write(lines.feed(piece))
            at += len(piece)
            if len(piece) < PIECE:
                break
            piece = connection.fetch([uid], at).get(uid)
        if piece is None:
            return None
        spool.write(lines.end())
        if spool.fault:
            raise _NoRoomError(spool.fault)
        return spool.blob()

    # What becomes of messages that are safe

    def _file(self, connection: Connection, done: Sequence[Safe]) -> None:
        if self._options.done == "leave":
            if done:
                self._seen.add(one.uid for one in done)
            return
        stored = DELETE if self._options.done == "delete" else self._options.archive
        for target, uids in (
            (stored, [one.uid for one in done if not one.category]),
            (self._options.unreadable, [one.uid for one in done if one.category]),
        ):
            if uids:
                self._put(connection, uids, target)

    def _put(self, connection: Connection, uids: Sequence[int], target: str) -> None:
        if target in self._unfiled:  # refused a moment ago; the next look tries again
            self._unfiled[target].update(uids)
            return
        said, copied = connection.move(uids, target) if target else (connection.delete(uids), True)
        if said:
            what = "deleted" if copied else f"moved to {target}"
            self._log("warning", f"{len(uids)} messages of {self._name} are stored and cannot be {what}: {said}")
            self._unfiled.setdefault(DELETE if copied else target, set()).update(uids)

    def _file_again(self, connection: Connection) -> None:
        waiting, self._unfiled = self._unfiled, {}
        for target, uids in waiting.items():
            ordered = sorted(uids)
            for at in range(0, len(ordered), MOST):
                self._put(connection, ordered[at : at + MOST], target)


class _NoRoomError(Exception):
    """There is no room for a message on this machine."""


class Lines:
    """CR LF of the wire becomes LF, as in every local delivery: documents and kept copies are those of a pipe."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, piece: bytes) -> bytes:
        """A piece; a CR at its end waits for what follows."""
        data = self._held + piece
        self._held = b"\r" if data.endswith(b"\r") else b""
        return (data[:-1] if self._held else data).replace(b"\r\n", b"\n")

    def end(self) -> bytes:
        """What is left."""
        held, self._held = self._held, b""
        return held


class Sized(Protocol):
    """Something with a size in bytes."""

    @property
    def size(self) -> int: ...


One = TypeVar("One", bound=Sized)


def grouped(found: Iterable[One]) -> Iterator[list[One]]:
    """Messages that are fetched and stored together: as many as fit into a piece; a large one alone."""
    group: list[One] = []
    size = 0
    for one in found:
        if group and (len(group) >= MOST or size + one.size > PIECE):
            yield group
            group, size = [], 0
        group.append(one)
        size += one.size
    if group:
        yield group


def number_of(validity: int, uid: int) -> int:
    """What a message is called on the board; both parts have 32 bits (RFC 3501 §2.3.1.1)."""
    return validity << 32 | uid
