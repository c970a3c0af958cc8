"""The Maildir of kept messages: what could not be stored, and would not get better by trying again.

A message is named by its SHA-256, so that keeping it twice makes no second copy. In front of the untouched message
stand our own header fields, which `read` takes off again.
"""

import hashlib
import os
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, NamedTuple

from ..message.blob import CHUNK, Blob, chunks
from ..values.fields import clean
from . import owner

if TYPE_CHECKING:
    from pathlib import Path

FIELD = b"X-Email-Report-Processor-"
CATEGORIES = ("no-report", "reply", "salvaged", "unreadable", "rejected", "unfinished", "failed")
BROKEN = ("salvaged", "unreadable")  # given up after BROKEN_DAYS, when there is no room
BROKEN_DAYS = 30
PLAIN = frozenset({"no-report", "reply"})  # nothing is wrong with them; they go first when there is no room

_NAMES = ("Category", "Reason", "Time")  # of our fields, in the order in which they are written
_TO = FIELD + b"Tenant: "  # in front of these, where the message came to an address of tenants
_HEADER_LIMIT = 16 * 1024
_ABANDONED = 36 * 3600  # seconds after which nobody writes a file in tmp/ any more (maildir(5))


class KeptOptions(NamedTuple):
    """What is kept, and how much of it."""

    no_report: Literal["keep", "ignore"] = "keep"  # what becomes of a message without any report
    replies: tuple[str, ...] = ("abuse-replies",)  # feeds whose messages are kept unread, for `abuse answers`
    max_messages: int = 10_000  # kept messages at the most
    max_bytes: int = 2 * 1024**3  # bytes of kept messages at the most


class KeepError(Exception):
    """A copy cannot be kept: the mail server has to keep the message (75)."""


class Kept(NamedTuple):
    """One kept message."""

    path: "Path"
    category: str  # one of CATEGORIES
    reason: str
    time: str  # RFC 3339
    size: int  # bytes of the message itself
    offset: int  # where the message begins in the file
    to: tuple[str, ...] = ()  # tenants whose address it came to


def directory(state: "Path") -> "Path":
    """The Maildir of a state directory."""
    return state / "kept"


def place(state: str) -> str:
    """The path of the Maildir of a state directory."""
    return os.path.join(state, "kept")


def keep(
    maildir: "Path | str",
    blob: Blob,
    category: str,
    reason: str,
    time: str,
    options: KeptOptions,
    to: tuple[str, ...] = (),
) -> list[str]:
    """Keep a copy: written, synced, renamed. Returns what had to be dropped for it, for the log.

    to: tenants whose address the message came to. Raises KeepError when there is no room or the directory cannot be
    written.
    """
    from pathlib import Path  # 3 ms, only to keep

    maildir = Path(maildir)
    try:
        _make(maildir)
        name = _sha256(blob)
        dropped = [] if (maildir / "new" / name).exists() else _make_room(maildir, blob.size, time, options)
        _write(maildir, name, _header(category, reason, time, to), blob)
    except OSError as error:
        raise KeepError(
            f"no copy can be kept in {maildir} ({error.strerror or error});"
            " make room there, or correct its owner or mode"
        ) from error
    return dropped


def listing(maildir: "Path | str") -> Iterator[Kept]:
    """Every kept message, oldest first. A file that is not ours counts as a message without a reason.

    What cannot be read (another's file, a directory) is listed as such: it must not hide the others.
    """
    from pathlib import Path

    maildir = Path(maildir)
    found = []
    for folder in ("new", "cur"):
        for entry in os.scandir(maildir / folder) if (maildir / folder).is_dir() else ():
            try:
                found.append(look(Path(entry.path)))
            except FileNotFoundError:
                continue  # another process took it away
            except OSError as error:
                reason = f"it cannot be read ({error.strerror}): correct its owner and mode, or move it away"
                found.append(Kept(Path(entry.path), "failed", reason, "", 0, 0))
    yield from sorted(found, key=lambda kept: (kept.time, kept.path.name))


def look(path: "Path") -> Kept:
    """What is written in front of one kept message. Raises OSError."""
    with path.open("rb") as file:
        fields, offset = _own_fields(file.read(_HEADER_LIMIT))
        size = os.fstat(file.fileno()).st_size
    return Kept(
        path,
        fields.get("category", "failed"),
        fields.get("reason", ""),
        fields.get("time", ""),
        size - offset,
        offset,
        tuple(filter(None, fields.get("tenant", "").split(","))),
    )


def untouched(blob: Blob) -> Blob:
    """The message as it came: without the fields that `keep` puts in front."""
    _, offset = _own_fields(blob.read(0, _HEADER_LIMIT))
    return _From(blob, offset) if offset else blob


class _From:
    """A blob without its beginning."""

    def __init__(self, blob: Blob, offset: int) -> None:
        self.blob = blob
        self.offset = offset
        self.size = blob.size - offset

    def read(self, start: int, stop: int) -> bytes:
        return self.blob.read(start + self.offset, min(stop, self.size) + self.offset)


def _own_fields(head: bytes) -> tuple[dict[str, str], int]:
    """Our fields and where they end. No more than `_header` writes: a stranger's message may begin with such too."""
    fields: dict[str, str] = {}
    offset = 0
    for name in (*(["Tenant"] if head.startswith(_TO) else []), *_NAMES):
        end = head.find(b"\n", offset)
        start = FIELD + name.encode() + b": "
        if end < 0 or not head.startswith(start, offset):
            return {}, 0
        fields[name.lower()] = head[offset + len(start) : end].decode("utf-8", "replace").strip()
        offset = end + 1
    return fields, offset


def _header(category: str, reason: str, time: str, to: tuple[str, ...]) -> bytes:
    values = (category, clean(reason)[:900], time)
    lines = zip(_NAMES, values, strict=True)
    first = _TO + ",".join(to).encode("ascii") + b"\n" if to else b""
    return first + b"".join(FIELD + f"{name}: {value}\n".encode("utf-8", "replace") for name, value in lines)


def _sha256(blob: Blob) -> str:
    """Of the message itself: local(8) and Exim put a line with the time of the attempt in front of it (RFC 4155)."""
    digest = hashlib.sha256()
    for piece in chunks(blob, _separator(blob)):
        digest.update(piece)
    return digest.hexdigest()


def _separator(blob: Blob) -> int:
    """Bytes of the line `From …` in front of a message, 0 when it has none."""
    head = blob.read(0, _HEADER_LIMIT)
    return head.find(b"\n") + 1 if head.startswith(b"From ") else 0


def _make(maildir: "Path") -> None:
    for folder in ("new", "cur", "tmp"):
        path = maildir / folder
        if not path.is_dir():
            make_directory(path)
            _sync(maildir)
            _sync(maildir.parent)


def make_directory(path: "Path | str") -> None:
    """Make a directory that only its owner may enter, and those above it. Raises OSError."""
    above = os.path.dirname(path)
    if above and not os.path.isdir(above):  # os.makedirs leaves their mode to the umask
        make_directory(above)
    try:
        owner.make_directory(path or ".")
    except FileExistsError:
        if not os.path.isdir(path or "."):
            raise


def _write(maildir: "Path", name: str, header: bytes, blob: Blob) -> None:
    # At the deadline the watch may keep what the main thread is keeping already.
    temporary = maildir / "tmp" / f"{name}.{os.getpid()}.{threading.get_native_id()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb", buffering=CHUNK) as file:
            owner.give(descriptor, temporary)
            file.write(header)
            for piece in chunks(blob):
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, maildir / "new" / name)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    _sync(maildir / "new")


def _sync(path: "Path") -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_room(maildir: "Path", size: int, now: str, options: KeptOptions) -> list[str]:
    """Remove what may go until there is room for a message of this size; nothing when that would not be enough."""
    _sweep(maildir / "tmp")
    sizes = list(_sizes(maildir))
    messages, used = len(sizes) + 1, sum(sizes) + size
    going: list[Kept] = []
    for kept in _droppable(maildir, now) if messages > options.max_messages or used > options.max_bytes else ():
        if messages <= options.max_messages and used <= options.max_bytes:
            break
        going.append(kept)
        messages, used = messages - 1, used - kept.size - kept.offset
    if messages > options.max_messages or used > options.max_bytes:
        raise KeepError(
            f"{maildir} is full ({options.max_messages} messages or {options.max_bytes} bytes); look at it with"
            " `email-report-admin kept`, or raise [kept] max_messages and max_bytes"
        )
    for kept in going:
        kept.path.unlink(missing_ok=True)
    return [f"{kept.path.name} ({kept.category}, {kept.time}: {kept.reason})" for kept in going]


def _sizes(maildir: "Path") -> Iterator[int]:
    for folder in ("new", "cur"):
        for entry in os.scandir(maildir / folder):
            try:
                yield entry.stat().st_size
            except FileNotFoundError:
                continue  # another process took it away


def _sweep(tmp: "Path") -> None:
    """Remove what a process that was killed left behind."""
    old = time.time() - _ABANDONED
    for entry in os.scandir(tmp):
        try:
            if entry.stat(follow_symlinks=False).st_mtime < old:
                os.unlink(entry.path)
        except FileNotFoundError:
            continue  # it was another's turn


def _droppable(maildir: "Path", now: str) -> list[Kept]:
    # What is no report, or a reply that nobody read, goes first; broken reports only after 30 days; the others never.
    from datetime import datetime, timedelta

    old = (datetime.fromisoformat(now) - timedelta(days=BROKEN_DAYS)).isoformat()
    messages = list(listing(maildir))
    return [kept for kept in messages if kept.category in PLAIN] + [
        kept for kept in messages if kept.category in BROKEN and kept.time < old
    ]
