"""Line ends that a gateway doubled or turned round, put right before a message is read (RFC 5322 §2.1 has CR LF).

Who writes CR LF through a text file of Windows makes CR CR LF of it; who then takes each CR for a line end makes an
empty line behind every line; a few write LF CR, or CR alone. It happens to whole messages, and to those within others.
"""

import re
from collections.abc import Callable, Iterator

from ..values.patterns import pattern
from .blob import IN_MEMORY, Blob, Memory, chunks, spool

_BEGINNING = 64 * 1024  # bytes that tell whether there is an empty line behind each line
_PAIRS = 6  # lines with an empty one behind each of them that are no accident
_DOUBLED = pattern(rb"\r{2,}\n")
_FIELDS_APART = pattern(
    rb"(?:>?From [^\n]{0,1000}\n\n)?(?:[!-9;-~]{1,100}[ \t]*:[^\n]{0,1000}\n\n(?:[ \t][^\n]{1,1000}\n\n){0,50}){2}[!-~]"
)
_ODD = pattern(rb"(?<!\n)\n(?:\n\n)*+[^\n]")  # an odd number of line ends
_NEEDS_IT = pattern(rb"(?:\A|\n)--[^\n]{1,80}\n\ncontent-[a-z-]{1,40}[ \t]*:|=\n\n", re.IGNORECASE)

Change = Callable[[bytes], bytes]


def mended(blob: Blob) -> Blob:
    """The same message with line ends as they were meant; the blob itself where nothing is to be done.

    Beside bytes that are no text (a file in binary) doubled line ends may be the file's own: such a message is changed
    only when its first line shows what happened to it. Raises OSError when a temporary file cannot be written.
    """
    beginning = blob.read(0, _BEGINNING)
    first = beginning.find(b"\n")
    if first > 0 and beginning[first + 1 : first + 2] == b"\r" and beginning[first + 2 : first + 3] not in b"\r\n":
        return _changed(blob, lambda data: data.replace(b"\n\r", b"\n"), b"\n")
    if first < 0 and b"\r" in beginning:  # a Mac of the nineties, or somebody who took LF away
        return _changed(blob, lambda data: data.replace(b"\r\n", b"\n").replace(b"\r", b"\n"), b"\r")
    if _has_doubled(blob, first > 1 and beginning.startswith(b"\r\r", first - 2)):
        return _changed(blob, lambda data: _DOUBLED.sub(b"\r\n", data), b"\r")
    if (start := _where_apart(beginning)) >= 0 and _all_apart(blob, start):
        return _changed(blob, lambda data: data.replace(b"\r\n", b"\n").replace(b"\n\n", b"\n"), b"\r\n", start)
    return blob


def _has_doubled(blob: Blob, in_the_first_line: bool) -> bool:
    if in_the_first_line:
        return True
    doubled = any(b"\r\r\n" in piece for piece in _whole_runs(chunks(blob), b"\r"))
    return doubled and not any(b"\0" in piece for piece in chunks(blob))


def _where_apart(beginning: bytes) -> int:
    """From where on an empty line may stand behind each line, from the first one on or from the body on; else -1."""
    lines = beginning.replace(b"\r\n", b"\n")
    header, _, body = lines.partition(b"\n\n")
    if b"\n" not in header:
        return 0 if _FIELDS_APART.match(lines) else -1
    if body.count(b"\n\n") < _PAIRS or _ODD.search(body) or not _NEEDS_IT.search(body):
        return -1
    return re.search(rb"\n\r?\n", beginning).end()  # type: ignore[union-attr]  # it was found above


def _all_apart(blob: Blob, start: int) -> bool:
    pieces = (piece.replace(b"\r\n", b"\n") for piece in _whole_runs(chunks(blob, start), b"\r\n"))
    return not any(_ODD.search(piece) for piece in pieces)


def _changed(blob: Blob, change: Change, run: bytes, start: int = 0) -> Blob:
    """The blob with what stands behind `start` changed; `run` are the characters within which it is not cut."""
    if blob.size <= IN_MEMORY:
        return Memory(blob.read(0, start) + change(blob.read(start, blob.size)))
    pieces = _changed_pieces(blob, change, run, start)
    return spool(lambda _: next(pieces, b""), blob.size).blob


def _changed_pieces(blob: Blob, change: Change, run: bytes, start: int) -> Iterator[bytes]:
    yield from chunks(blob, 0, start)
    for piece in _whole_runs(chunks(blob, start), run):
        yield change(piece)


def _whole_runs(pieces: Iterator[bytes], run: bytes) -> Iterator[bytes]:
    """The same bytes, cut in front of runs of these characters and never within one."""
    rest = b""
    for arrived in pieces:
        piece = rest + arrived
        kept = piece.rstrip(run)
        rest = piece[len(kept) :]
        if kept:
            yield kept
    if rest:
        yield rest
