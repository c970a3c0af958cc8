"""Archives undone by content, bounded, as chunks: what is left is a report or is none of ours."""

import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, NamedTuple, TypeVar

from .blob import CHUNK, Blob, Damaged, Memory, Scratch
from .bounds import Bounds, Problem
from .inflate import GZIP_OR_ZLIB, gunzip
from .zipped import DEFLATED, STORED, Directory, Member, read_directory, read_member

__all__ = ["Damaged", "OverBound", "Payload", "find_payloads", "head"]

TOTAL = 4  # times a bound, for all files of one attachment together
_SNIFFED = 512  # bytes that tell an archive
SMALL = 32 * 1024  # bytes of a file that is worth remembering
_BLANKS = b" \t\r\n"
_GZIP = b"\x1f\x8b\x08"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08PK\x03\x04", b"PK00PK\x03\x04")
_ZLIB = (b"x\x01", b"x\x9c", b"x\xda")

Open = Callable[[], Iterator[bytes]]
Value = TypeVar("Value")


class OverBound(Exception):  # noqa: N818 - it says where reading stopped, not what went wrong here
    """A bound of `Bounds` was met; the text names it and its value."""


class Recent(Generic[Value]):
    """The last few small values: what is read several times in a row is made once, and memory stays what it was."""

    def __init__(self, most: int = 4) -> None:
        self._most = most
        self._values: dict[object, Value] = {}

    def get(self, key: object) -> Value | None:
        """The value, None when it is not there any more."""
        return self._values.get(key)

    def put(self, key: object, value: Value) -> None:
        """Remember a value in the place of the oldest one."""
        if len(self._values) >= self._most:
            del self._values[next(iter(self._values))]
        self._values[key] = value


_unpacked: Recent[bytes] = Recent()


class Payload(NamedTuple):
    """One file that was attached, with every archive around it undone."""

    place: str  # for people: part, file name, member
    name: str  # file name, a hint at most
    chunks: Open  # opened anew at each call; raises Damaged or OverBound while it is read
    warnings: Sequence[str] = ()  # complete once the file was read to its end


def head(payload: Payload, size: int) -> bytes:
    """The first bytes of a file, fewer when it is shorter, damaged or over a bound."""
    return _first_bytes(payload.chunks, size)[0]


def find_payloads(place: str, name: str, open_: Open, bounds: Bounds) -> Iterator[Payload | Problem]:
    """The files in one attachment: itself, or what gzip and zip hold, in each other up to bounds.archive_depth.

    All of them together may inflate to TOTAL times bounds.xml_bytes and hold TOTAL times bounds.archive_members.
    `open_` gives the bytes of the attachment, anew at each call; it may raise Damaged while they are read.
    """
    yield from _Attachment(bounds).find(_File(place, name, _remembering(open_), []), 0)


class _File(NamedTuple):
    place: str
    name: str
    open: Open
    notes: list[str]


class _Attachment:
    """What the files of one attachment share: the bounds, and what is left of them."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.members = TOTAL * bounds.archive_members
        self.inflated = TOTAL * bounds.xml_bytes

    def find(self, file: _File, depth: int) -> Iterator[Payload | Problem]:
        """The files in a file that lies in `depth` archives."""
        first, fault = _first_bytes(file.open, _SNIFFED)
        archive = _archive_in(first)
        if fault and not first and depth:
            yield Problem(file.place, str(fault))
        elif not archive:
            yield Payload(file.place, file.name, _Leaf(self, file.open).chunks, file.notes)
        elif depth >= self.bounds.archive_depth:
            yield Problem(file.place, f"more archives in each other than bounds.archive_depth = {depth}")
        elif archive == "zip":
            yield from self._unzip(file, depth)
        else:
            yield from self.find(self._gunzipped(file), depth + 1)

    def _gunzipped(self, file: _File) -> _File:
        def unpacked() -> Iterator[bytes]:
            return self._bounded(gunzip(file.open(), file.notes))

        open_ = _remembering(unpacked)
        name = file.name[:-3] if file.name.lower().endswith(".gz") else file.name
        return file._replace(name=name, open=open_)

    def _unzip(self, file: _File, depth: int) -> Iterator[Payload | Problem]:
        archive = _Zip(file, self.bounds)
        try:
            directory = archive.directory()
        except OverBound as bound:
            yield Problem(file.place, str(bound))
            return
        if directory.note:
            file.notes.append(directory.note)
        if not directory.members and directory.note:
            yield Problem(file.place, f"{directory.note}, and no file was found in it")
        for member in directory.members:
            if self.members <= 0:
                break
            self.members -= 1
            yield from self._member(file, archive, member, depth)
        if directory.more or self.members <= 0:
            yield Problem(file.place, f"more files than bounds.archive_members = {self.bounds.archive_members}")

    def _member(self, file: _File, archive: "_Zip", member: Member, depth: int) -> Iterator[Payload | Problem]:
        place = f"{file.place} / {member.name}" if file.place else member.name
        if member.name.endswith("/") and not member.size:
            return  # a folder
        if member.encrypted:
            yield Problem(place, f"the zip member {member.name!r} is encrypted")
        elif member.method not in {STORED, DEFLATED}:
            yield Problem(place, f"the zip member {member.name!r} is compressed by method {member.method}")
        else:

            def unpacked() -> Iterator[bytes]:
                return self._bounded(read_member(archive.blob(), member))

            yield from self.find(_File(place, member.name, _remembering(unpacked), list(file.notes)), depth + 1)

    def _bounded(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        return _bounded(pieces, self.bounds.xml_bytes, "bounds.xml_bytes")

    def spend(self, size: int) -> None:
        """Count bytes of a file that were not read before. Raises OverBound."""
        self.inflated -= size
        if self.inflated < 0:
            raise OverBound(f"the attachment holds more than {TOTAL} times bounds.xml_bytes = {self.bounds.xml_bytes}")


class _Leaf:
    """A file that is no archive."""

    def __init__(self, attachment: _Attachment, open_: Open) -> None:
        self._attachment = attachment
        self._open = open_
        self._counted = 0  # bytes that were read before

    def chunks(self) -> Iterator[bytes]:
        """The file in pieces of about CHUNK bytes. Raises Damaged, OverBound."""
        bound = self._attachment.bounds.xml_bytes
        size = 0
        for piece in _coalesce(_bounded(self._open(), bound, "bounds.xml_bytes")):
            size += len(piece)
            if size > self._counted:
                self._attachment.spend(size - self._counted)
                self._counted = size
            yield piece


class _Zip:
    """A zip file, for which its bytes are needed in any order: a small one is read anew each time, a big one once."""

    def __init__(self, file: _File, bounds: Bounds) -> None:
        self._file = file
        self._bounds = bounds
        self._kept: Blob | None = None

    def blob(self) -> Blob:
        """Its bytes. Raises OverBound, and OSError when a temporary file cannot be written."""
        if self._kept is not None:
            return self._kept
        pieces = _bounded(self._file.open(), self._bounds.message_bytes, "bounds.message_bytes")
        blob = Scratch().keep(_undamaged(pieces, self._file.notes))
        if not isinstance(blob, Memory):
            self._kept = blob
        return blob

    def directory(self) -> Directory:
        """Its files. Raises as `blob` does."""
        return read_directory(self.blob(), self._bounds.archive_members)


def _remembering(open_: Open) -> Open:
    """The same bytes; a small file is unpacked once, and not each time that it is looked at."""
    key = object()

    def opened() -> Iterator[bytes]:
        known = _unpacked.get(key)
        if known is not None:
            if known:
                yield known
            return
        arriving = open_()
        pieces: list[bytes] = []
        size = 0
        try:
            for piece in arriving:
                pieces.append(piece)
                size += len(piece)
                if size > SMALL:
                    break
            else:
                whole = b"".join(pieces)
                pieces = [whole] if whole else []
                _unpacked.put(key, whole)
        except (Damaged, OverBound):
            yield from pieces
            raise
        yield from pieces
        yield from arriving

    return opened


def _archive_in(first: bytes) -> str:
    """What archive begins with these bytes, '' for none."""
    first = first.lstrip(_BLANKS)
    if first.startswith(_GZIP):
        return "gzip"
    if first.startswith(_ZIP):
        return "zip"
    return "zlib" if first.startswith(_ZLIB) and _inflates(first) else ""


def _inflates(first: bytes) -> bool:
    try:
        return bool(zlib.decompressobj(GZIP_OR_ZLIB).decompress(first, 1))
    except zlib.error:
        return False


def _first_bytes(open_: Open, size: int) -> tuple[bytes, Damaged | OverBound | None]:
    """The first bytes, and why there are no more."""
    data = b""
    try:
        for piece in open_():
            data += piece
            if len(data) >= size:
                break
    except (Damaged, OverBound) as fault:
        return data[:size], fault
    return data[:size], None


def _undamaged(pieces: Iterator[bytes], notes: list[str]) -> Iterator[bytes]:
    try:
        yield from pieces
    except Damaged as fault:
        if str(fault) not in notes:
            notes.append(str(fault))


def _bounded(pieces: Iterator[bytes], bound: int, name: str) -> Iterator[bytes]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > bound:
            yield piece[: len(piece) - (size - bound)]
            raise OverBound(f"the file has more bytes than {name} = {bound}")
        yield piece


def _coalesce(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Join small pieces, so that nobody pays for each."""
    small: list[bytes] = []
    size = 0
    try:
        for piece in pieces:
            small.append(piece)
            size += len(piece)
            if size >= CHUNK // 2:
                yield b"".join(small)
                small.clear()
                size = 0
    except (Damaged, OverBound):
        if small:
            yield b"".join(small)
        raise
    if small:
        yield b"".join(small)
