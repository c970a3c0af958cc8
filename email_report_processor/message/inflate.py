"""Deflate and gzip undone as a stream, with everything that a broken one still gives (RFC 1951, 1952)."""

import zlib
from collections.abc import Generator, Iterable, Iterator
from itertools import chain

from .blob import Damaged

RAW = -zlib.MAX_WBITS  # deflate without a wrapper, as in zip
GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS  # told apart by their headers
AT_ONCE = 256 * 1024  # bytes that are inflated at once
_SLICE = 16 * 1024  # compressed bytes that are fed at once: thousands of tiny members are copied less often
_GZIP = (b"\x1f\x8b",)
_PADDING = b"\0 \t\r\n"
MOST_MEMBERS = 50_000  # of one file: `bgzip` makes one of each 64 KiB, an attacker one of 20 bytes that holds nothing
_MOST_PADDING = 64 * 1024  # bytes behind the data in which another member is looked for


class Source:
    """Pieces in small slices, of which one can be put back."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        """Take any pieces."""
        self._slices = (piece[at : at + _SLICE] for piece in pieces for at in range(0, len(piece), _SLICE))
        self.back = b""
        self.members = 1

    def skip_blanks(self) -> None:
        """Pass over white space in front of the data."""
        self.back = _skip(self, b" \t\r\n", _MOST_PADDING)

    def __iter__(self) -> Iterator[bytes]:
        """Itself."""
        return self

    def __next__(self) -> bytes:
        """What was put back, else the next slice."""
        if self.back:
            piece, self.back = self.back, b""
            return piece
        return next(self._slices)


def inflate(source: Source, wbits: int, what: str) -> Generator[bytes, None, None]:
    """One stream; what follows it is put back. Raises Damaged when it breaks or ends early, after all that it gave."""
    inflater = zlib.decompressobj(wbits)
    for piece in source:
        data, full = piece, True
        while data or full:
            spare = inflater.copy()  # zlib drops what it had inflated in the call that fails
            try:
                out = inflater.decompress(data, AT_ONCE)
            except zlib.error as error:
                yield from _last_bytes(spare, data)
                raise Damaged(f"{what} is broken ({error})") from error
            if out:
                yield out
            if inflater.eof:
                source.back = inflater.unused_data
                return
            data, full = inflater.unconsumed_tail, len(out) == AT_ONCE
    raise Damaged(f"{what} ends early")


def _last_bytes(inflater: "zlib._Decompress", data: bytes) -> Iterator[bytes]:
    """What can be inflated before the error: in ever smaller steps, in the end byte by byte of the input."""
    for step in (4096, 64):
        while True:
            spare = inflater.copy()
            try:
                out = inflater.decompress(data, step)
            except zlib.error:
                inflater = spare
                break
            data = inflater.unconsumed_tail
            if not (out or data):
                return
            yield out
    for at in range(len(data)):
        try:
            yield inflater.decompress(data[at : at + 1])
        except zlib.error:
            return


def gunzip(pieces: Iterable[bytes], notes: list[str]) -> Iterator[bytes]:
    """All members of a gzip file (or one zlib stream). Raises Damaged.

    Blanks before it and bytes behind it are ignored, the latter with a note: Mimecast adds CR LF.
    """
    arriving = iter(pieces)
    first = next(arriving, b"")
    if whole := small_member(first):
        yield whole
        source = Source(arriving)
        if not next_member(source, notes, "the gzip data", _GZIP):
            return
    else:
        source = Source(chain((first,), arriving))
        source.skip_blanks()
    while True:
        yield from inflate(source, GZIP_OR_ZLIB, "the gzip data")
        if not next_member(source, notes, "the gzip data", _GZIP):
            return


def small_member(data: bytes) -> bytes:
    """What the small member holds that the data are, at a third of the cost; b"" when they are anything else."""
    if len(data) > _SLICE:
        return b""
    inflater = zlib.decompressobj(GZIP_OR_ZLIB)
    try:
        whole = inflater.decompress(data, AT_ONCE)
    except zlib.error:
        return b""
    return whole if inflater.eof and not inflater.unused_data else b""


def next_member(source: Source, notes: list[str], what: str, marks: tuple[bytes, ...]) -> bool:
    """Whether another member or stream, which begins with one of `marks`, follows; else what does gets a note.

    Raises Damaged when there are more than MOST_MEMBERS.
    """
    behind = source.back
    longest = max(map(len, marks))
    try:
        rest = _skip(source, _PADDING, _MOST_PADDING)
        while rest and len(rest) < longest and (piece := next(source, b"")):
            rest += piece
    except Damaged as error:
        _note(notes, f"behind {what}: {error}")
        return False
    if rest.startswith(marks):
        source.back = rest
        source.members += 1
        if source.members > MOST_MEMBERS:
            raise Damaged(f"{what} have more than {MOST_MEMBERS} members")
        return True
    if behind or rest:
        _note(notes, f"bytes behind {what} were ignored")
    return False


def _skip(source: Source, padding: bytes, limit: int) -> bytes:
    """The next bytes that are no padding; '' at the end, or after `limit` bytes of padding."""
    for piece in source:
        rest = piece.lstrip(padding)
        if rest or limit < 0:
            return rest
        limit -= len(piece)
    return b""


def _note(notes: list[str], text: str) -> None:
    if text not in notes:
        notes.append(text)
