"""Bytes that can be read again: in memory while they are few, else in an unnamed temporary file."""

import os
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import NamedTuple, Protocol

CHUNK = 64 * 1024  # bytes read at once
IN_MEMORY = 1024 * 1024  # bytes above which input is spooled


class Damaged(Exception):  # noqa: N818 - it says what the bytes are, not what went wrong here
    """The bytes end early or break here; everything that was yielded before is good to be salvaged."""


class Blob(Protocol):
    """Bytes of known size that can be read at any place, any number of times."""

    size: int

    def read(self, start: int, stop: int) -> bytes:
        """The bytes from `start` to before `stop`, fewer only at the end."""
        ...


class Memory:
    """A blob in memory."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)

    def read(self, start: int, stop: int) -> bytes:
        """See Blob."""
        return self.data[start:stop]


class File:
    """A blob in an open file; the descriptor is closed with the object."""

    def __init__(self, descriptor: int, size: int) -> None:
        self.descriptor = descriptor
        self.size = size

    def read(self, start: int, stop: int) -> bytes:
        """See Blob."""
        stop = min(stop, self.size)
        pieces = []
        while start < stop:
            piece = os.pread(self.descriptor, stop - start, start)
            if not piece:
                break
            pieces.append(piece)
            start += len(piece)
        return b"".join(pieces)

    def __del__(self) -> None:
        os.close(self.descriptor)


class Spooled(NamedTuple):
    """What was read: the blob, and how many bytes there were (more than the blob has when it met the bound)."""

    blob: Blob
    seen: int

    @property
    def complete(self) -> bool:
        """Whether everything is in the blob."""
        return self.seen == self.blob.size


def spool(read: Callable[[int], bytes], bound: int, *, in_memory: int = IN_MEMORY) -> Spooled:
    """Read a stream to its end, and keep its first `bound` bytes.

    The stream is drained even when the bound is met: a writer that is not read to the end counts as a failure for
    several mail servers (docs/mail-servers.md). Raises OSError when the temporary file cannot be written.
    """
    pieces: list[bytes] = []
    kept = seen = 0
    descriptor = -1
    while piece := read(CHUNK):
        seen += len(piece)
        piece = piece[: max(0, bound - kept)]
        kept += len(piece)
        if descriptor < 0 and kept > in_memory:
            descriptor = temporary_file()
            _write_all(descriptor, b"".join(pieces))
            pieces.clear()
        if descriptor >= 0:
            _write_all(descriptor, piece)
        else:
            pieces.append(piece)
    return Spooled(File(descriptor, kept) if descriptor >= 0 else Memory(b"".join(pieces)), seen)


def temporary_file() -> int:
    """The descriptor of an unnamed file that vanishes when it is closed. Raises OSError."""
    import tempfile  # 6 ms, only for what is above IN_MEMORY

    with tempfile.TemporaryFile(prefix="email-report-processor-") as file:
        return os.dup(file.fileno())


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def chunks(blob: Blob, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
    """The bytes of a range in pieces of CHUNK."""
    stop = blob.size if stop is None else stop
    while start < stop and (piece := blob.read(start, min(start + CHUNK, stop))):
        start += len(piece)
        yield piece


FULL = 8 * 1024**2  # bytes of a temporary file after which the next one is begun: several mail servers bound a file


class Scratch:
    """Blobs made on the way, which share one budget of memory and, beyond it, a few unnamed temporary files."""

    def __init__(self, in_memory: int = IN_MEMORY) -> None:
        self.left = in_memory
        self.file: File | None = None

    def keep(self, pieces: Iterable[bytes]) -> Blob:
        """Everything the pieces hold. Raises OSError when the temporary file cannot be written."""
        kept: list[bytes] = []
        size = 0
        arriving = iter(pieces)
        for piece in arriving:
            kept.append(piece)
            size += len(piece)
            if size > self.left:
                return self._write(chain(kept, arriving))
        self.left -= size
        return Memory(b"".join(kept))

    def _write(self, pieces: Iterable[bytes]) -> Blob:
        if self.file is None or self.file.size > FULL:
            self.file = File(temporary_file(), 0)
        file = self.file
        start = file.size
        for piece in pieces:
            _write_all(file.descriptor, piece)
            file.size += len(piece)
        return Slice(file, start, file.size)


class Slice:
    """A part of another blob."""

    def __init__(self, blob: Blob, start: int, stop: int) -> None:
        self.blob = blob
        self.start = start
        self.size = stop - start

    def read(self, start: int, stop: int) -> bytes:
        """See Blob."""
        return self.blob.read(self.start + start, self.start + min(stop, self.size))
