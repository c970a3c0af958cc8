"""Content-Transfer-Encoding undone as a stream, however badly it was done (RFC 2045 §6)."""

import binascii
import re
from collections.abc import Callable, Iterator
from itertools import chain

from ..values.patterns import pattern
from .blob import CHUNK, Damaged

MOST_ENDS = 100_000  # times that base64 text may be padded and go on: each costs a microsecond
LINE = 1024  # bytes of a line that are enough to know what it is
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NO_BASE64 = bytes(set(range(256)) - set(_ALPHABET))
_EQUALS = pattern(rb"=+")
_BETWEEN = pattern(rb"[=\s]*")
_RUN = pattern(rb"[A-Za-z0-9+/=]{0,%d}" % LINE)
_BLANKS = 1000  # behind a soft line break
_SOFT_BREAK = pattern(rb"=[ \t]{0,%d}(?:\r\n|\r|\n)" % _BLANKS)
_UNFINISHED = pattern(rb"=(?:[0-9A-Fa-f]?|[ \t]{0,%d}\r?)\Z" % _BLANKS)
_EQUALS_TWICE = pattern(rb"=(?==|\Z)")


def decoded(pieces: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """The bytes behind `encoding` (lower case); unknown encodings are taken as none. Raises Damaged at a broken end."""
    decoder = DECODERS.get(encoding)
    return decoder(pieces) if decoder else pieces


def undone(text: bytes, encoding: str) -> bytes | None:
    """All bytes behind `encoding` at once; None where the end is broken, so that only a stream has what comes before.

    Base64 that is written as RFC 2045 §6.8 has it takes a tenth of what reading it as anything else takes.
    """
    if encoding in _BASE64:
        try:
            return binascii.a2b_base64(text.translate(None, b"\r\n"), strict_mode=True)
        except binascii.Error:
            pass
    elif encoding not in DECODERS:
        return text
    try:
        return b"".join(decoded(iter((text,)), encoding))
    except Damaged:
        return None


def unbase64(text: bytes) -> bytes:
    """One piece of base64 text: characters outside the alphabet are skipped, padding need not be there."""
    clean = text.translate(None, _NO_BASE64)
    clean = clean[:-1] if len(clean) % 4 == 1 else clean
    return binascii.a2b_base64(clean + b"=" * (-len(clean) % 4))


def _base64(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Any layout of lines, blanks and stray characters; missing padding.

    Padding ends the data, as what follows is a list's footer, unless it is base64 again: some encoders pad
    each of their buffers.
    """
    rest = b""  # fewer than four characters
    padded, ends, held = False, 0, b""
    for arrived in chain(pieces, (b"\n",)):
        piece, held = held + arrived, b""
        at = believed = 0  # up to `believed` it is known to be base64
        while at < len(piece):
            if padded and at >= believed:
                at, believed = _again(piece, at)
                if believed == at:
                    return
                if ends > MOST_ENDS:
                    raise Damaged(f"the base64 text is padded more than {MOST_ENDS} times")
                if believed < 0:
                    held = piece[at:]
                    break
            sign = _EQUALS.search(piece, at)
            clean = rest + piece[at : sign.start() if sign else len(piece)].translate(None, _NO_BASE64)
            at = sign.end() if sign else len(piece)
            padded = sign is not None and len(clean) % 4 > 1
            ends += padded
            whole = clean + b"=" * (-len(clean) % 4) if padded else clean[: len(clean) & ~3]
            rest = clean[len(whole) :]
            if whole:
                yield binascii.a2b_base64(whole)
    if len(rest) == 1:
        raise Damaged("the base64 text ends in the middle of a group of four characters")
    yield unbase64(rest)


def _again(piece: bytes, at: int) -> tuple[int, int]:
    """Behind padding: where the next line begins, and how far it is base64 again; -1 when its end is not there yet."""
    start = _skip(_BETWEEN, piece, at)
    stop = _skip(_RUN, piece, start)
    if stop - start == LINE:
        return start, stop
    if stop == len(piece):
        return start, -1
    whole = piece[stop : stop + 1] in {b"\r", b"\n"} and (stop - start) % 4 == 0
    return start, stop if whole else start


def _skip(pattern: re.Pattern[bytes], data: bytes, at: int) -> int:
    match = pattern.match(data, at)
    return match.end() if match else at


def _quoted_printable(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """RFC 2045 §6.7, also with blanks behind a soft line break; escapes that are none stay as they are."""
    rest = b""
    for piece in pieces:
        data = rest + piece
        unfinished = _UNFINISHED.search(data, max(0, len(data) - _BLANKS - 2))
        cut = unfinished.start() if unfinished else len(data)
        rest = data[cut:]
        yield _unquoted(data[:cut])
    yield _unquoted(rest.removesuffix(b"="))


def _unquoted(data: bytes) -> bytes:
    """Whole escapes undone; a sign at the end, which another one follows, is none."""
    data = _SOFT_BREAK.sub(b"=\n", data)
    if b"==" in data or data.endswith(b"="):  # a2b_qp takes both signs for one, and the last for none
        data = _EQUALS_TWICE.sub(b"=3D", data)
    return binascii.a2b_qp(data)


def _uuencode(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The file between `begin` and `end` (POSIX uuencode); the first file when there are several."""
    begun = False
    for line in lines(pieces):
        if not begun:
            begun = line.startswith(b"begin ")
        elif line.rstrip() == b"end":
            return
        elif line.strip():
            yield _uu_line(line)
    raise Damaged("the uuencoded file has no end line" if begun else "the uuencoded file has no begin line")


def _uu_line(line: bytes) -> bytes:
    try:
        return binascii.a2b_uu(line)
    except binascii.Error:
        pass
    length = ((line[0] - 32 & 63) * 4 + 5) // 3  # some encoders put a checksum behind the line
    try:
        return binascii.a2b_uu(line[:length])
    except binascii.Error as error:
        raise Damaged(f"the uuencoded file has a broken line ({error})") from error


def lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Lines of at most CHUNK bytes, without their ends."""
    rest = b""
    for piece in pieces:
        *lines, rest = re.split(rb"\r\n|\n|\r", rest + piece)
        yield from lines
        rest = rest[:CHUNK]
    yield rest


UUENCODE = frozenset({"x-uuencode", "uuencode", "x-uue", "uue"})
_BASE64 = frozenset({"base64", "base-64"})
DECODERS: dict[str, Callable[[Iterator[bytes]], Iterator[bytes]]] = {
    **dict.fromkeys(_BASE64, _base64),
    "quoted-printable": _quoted_printable,
    **dict.fromkeys(UUENCODE, _uuencode),
}
