"""Files within a text: uuencode, base64 without a label, and what cannot be undone (OpenPGP, yEnc, BinHex).

Programs of the nineties wrote them so, and so does whoever pastes the source of a mail into a mail.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from .blob import CHUNK, Blob, chunks
from .forms import CMS_IN_BASE64
from .transfer import decoded, lines

Open = Callable[[], Iterator[bytes]]

_BEFORE = 2048  # bytes of the line before a place that are looked at
_BEHIND = 1024  # bytes that tell whether a place is one
# What base64 begins with: gzip, zip, bzip2, xz, zstd, 7z, RAR, OLE, TNEF; `<?xml`, `<feedback`, `{"`, `[{`, `Received:`
_ARCHIVES = rb"H4sI|UEsDB|QlpoO|/Td6WFo|KLUv/|N3q8ryc|UmFyIRoH|0M8R4KGxGu|eJ8\+I"
_TEXTS = rb"(?:77u/)?(?:PD94bWw|PGZlZWRi|ey[AJI]|ew[ok]|ew0K|W3s[iK]|W3sN|Wwo|Ww0K)|//48AD8A|UmVjZWl2ZWQ6"
_QUOTES = rb" \t>|:"  # what programs put in front of the lines that they quote
_PLACE = re.compile(
    rb"[\r\n](?P<quotes>[%b]{0,20}+)(?:"
    rb"(?P<uu>begin(?P<posix>-base64)?[ \t]+[0-7]{1,7}(?:[ \t]+(?P<name>[^\r\n]{1,400}))?[ \t]*)"
    rb"(?:\r\n|\r|\n){1,2}(?P<line>[^\r\n]{0,100})"
    rb"|(?P<base64>(?:%b)[A-Za-z0-9+/]{16}|(?:%b)[A-Za-z0-9+/]{48}|MI[A-Za-z0-9+/]{3,12}(?:%b))"
    rb"|(?P<pgp>-----BEGIN PGP MESSAGE-----)|(?P<yenc>=ybegin [^\r\n]{0,200}name=)"
    rb"|(?P<binhex>\(This file must be converted with BinHex)"
    rb")" % (_QUOTES, _ARCHIVES, _TEXTS, b"|".join(CMS_IN_BASE64))
)
_FULL_LINE = re.compile(rb"[ \t>|:]*[A-Za-z0-9+/]{40,}[ \t]*\Z")
# Where base64 ends: a line with something else in it, or a short one behind an empty line.
_END = re.compile(
    rb"[\r\n][ \t>|:]*+(?:[A-Za-z0-9+/=]{0,1000}+[^A-Za-z0-9+/=\s>]"
    rb"|(?:\r\n|\r|\n)[ \t>|:\r\n]{0,80}+[A-Za-z0-9+/]{1,39}+(?=[\r\n]))"
)
_REFUSED = {
    "pgp": "a text that is encrypted by OpenPGP, which cannot be opened",
    "yenc": "a file in yEnc, which cannot be opened",
    "binhex": "a file in BinHex, which cannot be opened",
}


class Place(NamedTuple):
    """Where a file begins in a text."""

    start: int
    encoding: str  # uuencode, base64, or why it cannot be undone
    name: str = ""
    quotes: bytes = b""  # in front of each of its lines

    @property
    def refused(self) -> str:
        """Why it cannot be undone, '' when it can."""
        return _REFUSED.get(self.encoding, "")


def find_places(open_: Open, limit: int, most: int) -> list[Place]:
    """Where files begin, the first `limit` of them, in the first `most` bytes. Raises what reading does."""
    found: list[Place] = []
    data, base = b"\n", -1  # the first line stands behind a line break, too
    for piece in open_():
        data += piece
        _look(data, base, len(data) - _BEHIND, found)
        if len(found) >= limit or base + len(data) > most:
            return found[:limit]
        cut = max(len(data) - _BEFORE - _BEHIND, 0)
        data, base = data[cut:], base + cut
    _look(data, base, len(data), found)
    return found[:limit]


def _look(data: bytes, base: int, stop: int, found: list[Place]) -> None:
    """Add the places before `stop` that are not known yet."""
    for match in _PLACE.finditer(data):
        if match.start() >= stop:
            return
        place = _place(match, base)
        if place is not None and not (found and place.start <= found[-1].start):
            found.append(place)


def _place(match: re.Match[bytes], base: int) -> Place | None:
    kind = match.lastgroup or ""
    if match["uu"] is not None:
        if not (match["posix"] or _is_uu(_unquoted(match["line"], match["quotes"]))):
            return None
        start = match.end("uu") if match["posix"] else match.start("uu")
        name = (match["name"] or b"").decode("utf-8", "replace").strip()
        return Place(base + start, "base64" if match["posix"] else "uuencode", name, match["quotes"])
    if kind == "base64" and _FULL_LINE.match(_line_before(match.string, match.start())):
        return None  # one line of many
    return Place(base + match.start(kind), kind)


def _line_before(data: bytes, at: int) -> bytes:
    before = data[max(at - _BEFORE, 0) : at].removesuffix(b"\r")
    return before[max(before.rfind(b"\n"), before.rfind(b"\r")) + 1 :]


def _unquoted(line: bytes, quotes: bytes) -> bytes:
    """A line without the marks in front of it, of which blanks may be gone at its end."""
    return line.removeprefix(quotes) if line.startswith(quotes) else line.removeprefix(quotes.rstrip())


def _is_uu(line: bytes) -> bool:
    """Whether the first line of a file says how many bytes it has, and has them."""
    length = (line[0] - 32 & 63) if line else 0
    return 0 < length <= 45 and len(line.rstrip()) > 1 and len(line) <= (length + 2) // 3 * 4 + 2


def files_at(places: list[Place], blob: Blob) -> Iterator[tuple[Place, Open]]:
    """Each file, up to where the next one begins. What reads it raises Damaged at a broken end."""
    stops = [*(place.start for place in places[1:]), blob.size]
    for place, stop in zip(places, stops, strict=False):
        end = _end_of_base64(blob, place.start, stop) if place.encoding == "base64" else stop
        yield place, _opener(blob, place, end)


def _end_of_base64(blob: Blob, start: int, stop: int) -> int:
    at = start
    while at < stop:
        window = blob.read(at, min(at + CHUNK + _BEHIND, stop))
        found = _END.search(window)
        if found and found.start() < CHUNK:
            return at + found.start()
        at += CHUNK
    return stop


def _opener(blob: Blob, place: Place, stop: int) -> Open:
    def pieces() -> Iterator[bytes]:
        as_it_is = chunks(blob, place.start, stop)
        return _lines_without(as_it_is, place.quotes) if place.quotes and place.encoding == "uuencode" else as_it_is

    return lambda: (piece for piece in decoded(pieces(), place.encoding) if piece)


def _lines_without(pieces: Iterator[bytes], quotes: bytes) -> Iterator[bytes]:
    for line in lines(pieces):
        yield _unquoted(line, quotes) + b"\n"
