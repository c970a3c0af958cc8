"""Other writings of a text: what a program or a person reads where codes stand, and where each character came from.

`a%6ena@example.org`, `anna@exam=` with its line broken after it, `&#97;nna＠example.org` and `anna@` folded before its
domain are one address. A writing is ambiguous (`?u=adam@` has no code, `=61dam@` has), so each is read by itself, and
then all of them together. Linear in the text. Pure.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from html import unescape
from typing import NamedTuple
from unicodedata import normalize

from .patterns import pattern


class Reading(NamedTuple):
    """A text as it is read, and the pieces that it came from, in order."""

    text: str
    places: list[int]  # where each piece begins in it
    pieces: list[tuple[int, int, bool]]  # where it begins and ends in the original; whether it stands there as it is

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Where the characters from start to end stand in the original; start is below end."""
        return self._place(start, 0), self._place(end - 1, 1)

    def _place(self, character: int, behind: int) -> int:
        number = bisect_right(self.places, character) - 1
        begin, end, plain = self.pieces[number]
        return begin + character - self.places[number] + behind if plain else (end if behind else begin)


class _Writing(NamedTuple):
    sign: str  # without it there is no such code
    codes: str  # of one character, or of all octets of some beyond ASCII
    read: Callable[[str], str]


def _percent(codes: str) -> str:
    """In URLs, also twice and more (RFC 3986 §2.1)."""
    return _of_octets("".join(re.findall(r"%(?:25){0,3}([0-9A-Fa-f]{2})", codes)))


def _quoted(codes: str) -> str:
    """Quoted-printable (RFC 2045 §6.7): octets, and line breaks that are none."""
    return _of_octets("".join(re.findall(r"=([0-9A-Fa-f]{2})", codes)))


def _of_octets(digits: str) -> str:
    data = bytes.fromhex(digits)
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _escaped(code: str) -> str:
    """In JSON and JavaScript."""
    return chr(int(code.lstrip("\\xu"), 16))


def _narrow(character: str) -> str:
    """Full-width and small forms, and dots of other scripts (UTS 46 §4); what is invisible goes."""
    return normalize("NFKC", character.translate(_OTHERS))


def _nothing(_fold: str) -> str:
    return ""


_INVISIBLE = "\u00ad\u180e\u200b-\u200f\u2060-\u2064\ufeff"
_DOTS = "\u3002\uff61"
_OTHERS: dict[int, str] = {
    **dict.fromkeys(map(ord, _DOTS), "."),
    **dict.fromkeys((0xAD, 0x180E, *range(0x200B, 0x2010), *range(0x2060, 0x2065), 0xFEFF), ""),
}
_WRITINGS = (
    _Writing("%", r"(?:%(?:25){0,3}[89A-Fa-f][0-9A-Fa-f])+|%(?:25){0,3}[0-7][0-9A-Fa-f]", _percent),
    _Writing("=", r"(?:=[89A-Fa-f][0-9A-Fa-f])+|=[0-7][0-9A-Fa-f]|=\r?\n", _quoted),
    _Writing("&", r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{3,8});?", unescape),
    _Writing("\\", r"\\x[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}", _escaped),
    _Writing("", rf"[\uff01-\uff5e\ufe50-\ufe6b{_DOTS}{_INVISIBLE}]", _narrow),
    # A field that is folded (RFC 5322 §2.2.3), and the white space that the grammar allows beside the sign (§3.4.1).
    _Writing(
        "", r"\r?\n[ \t]{1,20}(?=[.@\uff20])|(?<=[.@\uff20])(?:\r?\n)?[ \t]{1,20}|[ \t]{1,20}(?=[@\uff20])", _nothing
    ),
    _Writing("\n", r"\r?\n[ \t]{1,20}", _nothing),  # a long word that was broken anywhere
)
MOST = len(_WRITINGS) + 1
_EACH = tuple(pattern(one.codes) for one in _WRITINGS)
_ALL = pattern("|".join(f"({one.codes})" for one in _WRITINGS))


def readings(text: str) -> Iterator[Reading]:
    """The text in each writing that changes it, and in all of them together where there are several."""
    return filter(None, (reading(text, number) for number in range(MOST)))


def reading(text: str, number: int) -> Reading | None:
    """The text in one of MOST writings, the last of which is all together; None where it would change nothing."""
    if number == len(_WRITINGS):
        several = sum(
            one.sign in text and bool(codes.search(text)) for one, codes in zip(_WRITINGS, _EACH, strict=True)
        )
        return _reading(text, _ALL, lambda code: _WRITINGS[(code.lastindex or 1) - 1].read) if several > 1 else None
    writing = _WRITINGS[number]
    return _reading(text, _EACH[number], lambda _: writing.read) if writing.sign in text else None


def _reading(text: str, codes: re.Pattern[str], way: Callable[[re.Match[str]], Callable[[str], str]]) -> Reading | None:
    """None where no code stands."""
    texts: list[str] = []
    places: list[int] = []
    pieces: list[tuple[int, int, bool]] = []
    last = place = 0
    for begin, end, said, plain in _pieces(text, codes, way):
        texts.append(said)
        places.append(place)
        pieces.append((begin, end, plain))
        place += len(said)
        last = max(last, 0 if plain else end)
    return Reading("".join(texts), places, pieces) if last else None


def _pieces(
    text: str, codes: re.Pattern[str], way: Callable[[re.Match[str]], Callable[[str], str]]
) -> Iterator[tuple[int, int, str, bool]]:
    """Where each begins and ends, what it says, and whether it stands there as it is."""
    last = 0
    for code in codes.finditer(text):
        if last < code.start():
            yield last, code.start(), text[last : code.start()], True
        yield *code.span(), way(code)(code[0]), False
        last = code.end()
    if last < len(text):
        yield last, len(text), text[last:], True
