"""Text to plain text: without comments and processing instructions, CDATA sections escaped.

What reads records and tags after this never meets a `<` that is none.
"""

from collections.abc import Iterator
from itertools import chain

from ...values.patterns import pattern

DECLARATION = pattern(r"(\s{0,80})<\?xml\s[^<>]{0,400}>")
_SPECIAL = pattern(r"<(?:!--|!\[CDATA\[|\?(?:xml\s)?|![A-Za-z])")
_CDATA = "<![CDATA["
_OPENINGS = {"<!--": "a comment", _CDATA: "a CDATA section", "<?": "a processing instruction"}
_CLOSINGS = {"<!--": "-->", _CDATA: "]]>", "<?": "?>", "<?xml": ">"}
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def plain(texts: Iterator[str], unfinished: list[str]) -> Iterator[str]:
    """The plain text; what was still open at its end goes into `unfinished`. Raises DefusedXmlException."""
    rest = opening = ""
    first = next(texts, "")
    declaration = DECLARATION.match(first)  # without it, most have nothing that is special
    if declaration:
        first = declaration[1] + first[declaration.end() :]
    for text in chain((first,), texts):
        whole = rest + text
        stop = whole.rfind("<", -8)  # the longest mark has nine characters: one may begin here
        stop = stop if stop >= 0 else len(whole)
        if not opening and not may_be_special(whole):
            yield whole[:stop]
            rest = whole[stop:]
        else:
            stripped, rest, opening = _strip(whole, stop, opening)
            yield stripped
    stripped, rest, opening = _strip(rest, len(rest), opening)
    yield stripped if opening else stripped + rest
    if opening:
        unfinished.append(_OPENINGS.get(opening, "an XML declaration"))


def may_be_special(text: str) -> bool:
    """Looking for one character is 50 times as fast as for two."""
    return ("!" in text and "<!" in text) or ("?" in text and "<?" in text)


def _strip(text: str, stop: int, opening: str) -> tuple[str, str, str]:
    """The plain text up to `stop` or the end of what is open there, the rest, and what is open in the rest."""
    plain: list[str] = []
    place = 0
    while opening or place < stop:
        if opening:
            closing = _CLOSINGS.get(opening, ">")
            end = text.find(closing, place)
            upto = end if end >= 0 else max(place, len(text) - len(closing) + 1)
            if opening == _CDATA:
                plain.append(text[place:upto].translate(_ESCAPES))
            if end < 0:
                return "".join(plain), text[upto:], opening
            place, opening = end + len(closing), ""
        else:
            found = _SPECIAL.search(text, place, stop)
            plain.append(text[place : found.start() if found else stop])
            if not found:
                break
            place, opening = found.end(), found[0].rstrip()
            if opening[1] == "!" and opening not in _CLOSINGS:
                from .judge import refuse_declaration  # it is there; who reads no XML need not load it

                refuse_declaration(text[found.start() : place + 20])
    return "".join(plain), text[max(place, stop) :], opening
