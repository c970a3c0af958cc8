"""Logs that grow: by inode across rotation, or the journal by its cursor. Nothing is lost or read twice over restarts.

A place in a log is known by what the file begins with, not by its name: a rotated, copied-and-truncated or compressed
file is found again among its siblings, its rest is read, and then what was rotated after it.
"""

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from .files import BROKEN, CHUNK, Part, opened
from .lines.journal import read_cursor

_MARK = 256  # bytes at the beginning of a log that tell it from others: its first line has a time and a process


class Place(NamedTuple):
    """How far a log was read."""

    offset: int = 0  # bytes, uncompressed
    length: int = 0  # of the mark
    mark: str = ""  # SHA-256 of the first `length` bytes

    def text(self) -> str:
        """For the state."""
        return json.dumps(self)


def read_place(text: str) -> Place | None:
    """A place that `text` wrote, None for ''."""
    return Place(*json.loads(text)) if text else None


class Follower:
    """One log file. `warnings` are sentences for people."""

    def __init__(self, path: str, place: Place | None) -> None:
        self.path = path
        self.place = place
        self.warnings: list[str] = []

    def poll(self) -> Iterator[Part]:
        """What is new, as chunks of whole lines; after each, `place` is behind it. Raises OSError but for no file."""
        start = self._offset()
        for path in self._files():
            try:
                yield from self._rest(path, start)
            except BROKEN as error:
                self.warnings.append(f"{path}: is cut or damaged; what stands before that was read ({error})")
            start = 0  # of what came after a rotated file

    def text(self) -> str:
        """The place for the state."""
        return self.place.text() if self.place else ""

    def _files(self) -> list[str]:
        """What is to be read: the file as it was, or the rest of a rotated one and what came after it."""
        place = self.place
        if place is None or not place.length or self._is(self.path, place):
            return [self.path]
        siblings = sorted(self._siblings(), key=lambda path: path.stat().st_mtime)
        for number, sibling in enumerate(siblings):
            if self._is(str(sibling), place):  # while it is being compressed there are two of them
                later = [str(path) for path in siblings[number + 1 :] if not self._is(str(path), place)]
                return [str(sibling), *later, self.path]
        if not os.path.exists(self.path):
            return []
        self.warnings.append(
            f"{self.path}: the file that was read last is gone; what was added to it since is not read"
        )
        self.place = None
        return [self.path]

    def _siblings(self) -> list[Path]:
        """`mail.log.1`, `mail.log-20261128.gz`, but not the log itself."""
        path = Path(self.path)
        return [one for one in path.parent.glob(path.name + "*") if one.name != path.name and one.is_file()]

    def _is(self, path: str, place: Place) -> bool:
        """Whether a file is the one that a place is in."""
        try:
            with open(path, "rb") as file, opened(file) as stream:
                if hashlib.sha256(_head(stream, place.length)).hexdigest() != place.mark:
                    return False
                return stream is not file or os.fstat(file.fileno()).st_size >= place.offset
        except (OSError, *BROKEN):
            return False

    def _rest(self, path: str, start: int) -> Iterator[Part]:
        try:
            file = open(path, "rb")  # noqa: SIM115  # the block below closes it
        except FileNotFoundError:
            return  # between two names, or not there yet
        with file, opened(file) as stream:
            end = os.fstat(file.fileno()).st_mtime
            head = _head(stream, _MARK)
            offset = stream.seek(0 if self.place is None else start)
            for chunk in _whole_lines(stream, path != self.path):
                offset += len(chunk)
                length = min(len(head), offset)
                self.place = Place(offset, length, hashlib.sha256(head[:length]).hexdigest())
                yield Part(chunk.rstrip(b"\n"), end)

    def _offset(self) -> int:
        return self.place.offset if self.place else 0


def _head(stream: IO[bytes], length: int) -> bytes:
    stream.seek(0)
    return stream.read(length)


def _whole_lines(stream: IO[bytes], rotated: bool) -> Iterator[bytes]:
    """Chunks that end with a line; the end of a rotated file is the end of a line."""
    rest = b""
    while block := stream.read(CHUNK):
        cut = block.rfind(b"\n") + 1
        if not cut and len(rest) + len(block) < 2 * CHUNK:
            rest += block
            continue
        cut = cut or len(block)
        yield rest + block[:cut]
        rest = block[cut:]
    if rest and rotated:
        yield rest


class Journal:
    """The journal, by `journalctl`. `cursor` is behind the last entry that was given."""

    def __init__(self, cursor: str, units: Sequence[str] = (), program: str = "journalctl") -> None:
        self.cursor = cursor
        self.warnings: list[str] = []
        self._command = [program, "--output=json", "--all", "--no-pager", "--quiet"]
        self._command += [f"--identifier={unit}" for unit in units]

    def poll(self) -> Iterator[Part]:
        """What is new. Raises OSError when there is no journalctl, or it fails."""
        after = [f"--after-cursor={self.cursor}"] if self.cursor else []
        process = subprocess.Popen([*self._command, *after], stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # noqa: S603  # no shell
        with process:
            assert process.stdout is not None
            assert process.stderr is not None
            for entries in _batches(process.stdout):
                self.cursor = read_cursor(entries[-1]) or self.cursor
                yield Part(b"\n".join(entries), 0.0)  # each entry has its own time
            said = process.stderr.read().decode("utf-8", "replace").strip()
        if process.returncode:
            raise OSError(0, f"journalctl failed ({said[:200] or process.returncode})", self._command[0])


def _batches(lines: IO[bytes], size: int = 2000) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    for line in lines:
        batch.append(line.rstrip(b"\n"))
        if len(batch) >= size:
            yield batch
            batch = []
    if batch:
        yield batch
