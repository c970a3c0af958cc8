"""The Maildir of kept messages: what could not be stored, and would not get better by trying again.

A message is named by its SHA-256, so that keeping it twice makes no second copy. In front of the untouched message
stand our own header fields, which `read` takes off again.
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from .blob import CHUNK, Blob, chunks
from .fields import clean

FIELD = b"X-Email-Report-Processor-"
CATEGORIES = ("no-report", "salvaged", "unreadable", "rejected", "unfinished", "failed")
BROKEN = ("salvaged", "unreadable")  # given up after BROKEN_DAYS, when there is no room
BROKEN_DAYS = 30

_HEADER_LIMIT = 16 * 1024


class KeptOptions(NamedTuple):
    """What is kept, and how much of it."""

    no_report: Literal["keep", "ignore"] = "keep"  # what becomes of a message without any report
    max_messages: int = 10_000  # kept messages at the most
    max_bytes: int = 2 * 1024**3  # bytes of kept messages at the most


class KeepError(Exception):
    """A copy cannot be kept: the mail server has to keep the message (75)."""


class Kept(NamedTuple):
    """One kept message."""

    path: Path
    category: str  # one of CATEGORIES
    reason: str
    time: str  # RFC 3339
    size: int  # bytes of the message itself
    offset: int  # where the message begins in the file


def directory(state: Path) -> Path:
    """The Maildir of a state directory."""
    return state / "kept"


def keep(maildir: Path, blob: Blob, category: str, reason: str, time: str, options: KeptOptions) -> list[str]:
    """Keep a copy: written, synced, renamed. Returns what had to be dropped for it, for the log.

    Raises KeepError when there is no room or the directory cannot be written.
    """
    try:
        _make(maildir)
        name = _sha256(blob)
        dropped = [] if (maildir / "new" / name).exists() else _make_room(maildir, blob.size, time, options)
        _write(maildir, name, _header(category, reason, time), blob)
    except OSError as error:
        raise KeepError(
            f"no copy can be kept in {maildir} ({error.strerror or error});"
            " make room there, or correct its owner or mode"
        ) from error
    return dropped


def listing(maildir: Path) -> Iterator[Kept]:
    """Every kept message, oldest first. A file that is not ours counts as a message without a reason."""
    found = []
    for folder in ("new", "cur"):
        for entry in os.scandir(maildir / folder) if (maildir / folder).is_dir() else ():
            try:
                found.append(look(Path(entry.path)))
            except FileNotFoundError:
                continue  # another process took it away
    yield from sorted(found, key=lambda kept: (kept.time, kept.path.name))


def look(path: Path) -> Kept:
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
    fields = {}
    offset = 0
    while head.startswith(FIELD, offset):
        end = head.find(b"\n", offset)
        if end < 0:
            break
        name, _, value = head[offset + len(FIELD) : end].decode("utf-8", "replace").partition(":")
        fields[name.lower()] = value.strip()
        offset = end + 1
    return fields, offset


def _header(category: str, reason: str, time: str) -> bytes:
    lines = {"Category": category, "Reason": clean(reason)[:900], "Time": time}
    return b"".join(FIELD + f"{name}: {value}\n".encode("utf-8", "replace") for name, value in lines.items())


def _sha256(blob: Blob) -> str:
    digest = hashlib.sha256()
    for piece in chunks(blob):
        digest.update(piece)
    return digest.hexdigest()


def _make(maildir: Path) -> None:
    for folder in ("new", "cur", "tmp"):
        path = maildir / folder
        if not path.is_dir():
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            _sync(maildir)
            _sync(maildir.parent)


def _write(maildir: Path, name: str, header: bytes, blob: Blob) -> None:
    temporary = maildir / "tmp" / f"{name}.{os.getpid()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb", buffering=CHUNK) as file:
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


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_room(maildir: Path, size: int, now: str, options: KeptOptions) -> list[str]:
    sizes = [entry.stat().st_size for folder in ("new", "cur") for entry in os.scandir(maildir / folder)]
    messages, used = len(sizes) + 1, sum(sizes) + size
    if messages <= options.max_messages and used <= options.max_bytes:
        return []
    dropped: list[str] = []
    for kept in _droppable(maildir, now):
        if messages <= options.max_messages and used <= options.max_bytes:
            return dropped
        kept.path.unlink(missing_ok=True)
        messages, used = messages - 1, used - kept.size
        dropped.append(f"{kept.path.name} ({kept.category}, {kept.time}: {kept.reason})")
    if messages <= options.max_messages and used <= options.max_bytes:
        return dropped
    raise KeepError(
        f"{maildir} is full ({options.max_messages} messages or {options.max_bytes} bytes); look at it with"
        " `email-report-admin kept`, or raise [kept] max_messages and max_bytes"
    )


def _droppable(maildir: Path, now: str) -> list[Kept]:
    # What is no report goes first; broken reports only after 30 days; the others never.
    from datetime import datetime, timedelta

    old = (datetime.fromisoformat(now) - timedelta(days=BROKEN_DAYS)).isoformat()
    messages = list(listing(maildir))
    return [kept for kept in messages if kept.category == "no-report"] + [
        kept for kept in messages if kept.category in BROKEN and kept.time < old
    ]
