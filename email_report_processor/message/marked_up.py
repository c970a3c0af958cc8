"""The text of an HTML page, as far as files and reports in it need it: lines, and `<` where `&lt;` stands."""

import re
from collections.abc import Callable, Iterator

Open = Callable[[], Iterator[bytes]]

_TAG = re.compile(
    rb"<(?:(?P<line>(?:br|hr|/?(?:p|div|pre|tr|li|td|body|blockquote))\b)|[/!a-z])[^<>]{0,2000}>", re.IGNORECASE
)
_PAGE = re.compile(rb"<(?:!doctype html|html|body|head|pre|div|br|table)\b", re.IGNORECASE)
_CHARACTERS = (
    (b"&nbsp;", b" "),
    (b"&#160;", b" "),
    (b"&lt;", b"<"),
    (b"&gt;", b">"),
    (b"&quot;", b'"'),
    (b"&#34;", b'"'),
    (b"&apos;", b"'"),
    (b"&#39;", b"'"),
    (b"&amp;", b"&"),
)
_LONGEST = 2048  # bytes of a tag or of a character's name that may stand in two pieces


def is_page(beginning: bytes) -> bool:
    """Whether a text is HTML."""
    return _PAGE.search(beginning) is not None


def text_of(open_: Open) -> Iterator[bytes]:
    """The text in pieces. Raises what reading does."""
    rest = b""
    for piece in open_():
        data = rest + piece
        cut = _begun(data)
        rest = data[cut:]
        yield _text(data[:cut])
    yield _text(rest)


def _begun(data: bytes) -> int:
    """Where a tag or a character's name begins that is not at its end; else the length of data."""
    for begin, ends in ((b"<", b">"), (b"&", b";<>")):  # a tag may have names in it, a name no tag
        found = data.rfind(begin, max(0, len(data) - _LONGEST))
        if found >= 0 and not any(end in data[found:] for end in ends):
            return found
    return len(data)


def _text(data: bytes) -> bytes:
    data = _TAG.sub(lambda tag: b"\n" if tag["line"] else b"", data)
    for name, character in _CHARACTERS:
        data = data.replace(name, character)
    return data
