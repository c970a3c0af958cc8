"""A message that comes in another form than MIME, written as MIME: what reads messages reads it then.

Outlook and Exchange have their own forms of a message (`outlook`, `tnef`), and whoever forwards a report with them
sends it inside one. Everything but the header is base64, so that nothing in it can look like a delimiter.
"""

import binascii
import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Union

from .blob import CHUNK, Damaged

DEPTH = 16  # messages within each other; deeper ones are left out
VALUE = 1000  # characters of a name or a type

_PART = re.compile(r"[a-z0-9!#$&^_.+-]{1,100}/[a-z0-9!#$&^_.+-]{1,100}\Z", re.IGNORECASE)
_OURS = re.compile(rb"(?im)^(?:content-[^\r\n:]*|mime-version)[ \t]*:[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*(?:\r?\n|\Z)")
_EMPTY_LINES = re.compile(rb"(?:\r?\n|\r)[ \t]*(?=[\r\n])")
_LINE = 57  # bytes that make a line of base64 (RFC 2045 §6.8)
_AT_ONCE = CHUNK // _LINE * _LINE

Open = Callable[[], Iterator[bytes]]


class Enclosed(NamedTuple):
    """One part: a text or a file."""

    type: str  # its media type as it is stated there, '' for none
    name: str
    open: Open


class Letter(NamedTuple):
    """One message, with what is in it."""

    header: bytes  # as it came through the Internet, b"" where nobody kept it
    subject: str
    sender: str
    parts: Sequence[Union[Enclosed, "Letter"]]


def as_mime(letter: Letter) -> Iterator[bytes]:
    """The message as RFC 5322 and RFC 2046 have it, in pieces. Raises Damaged, behind its end, when a part does."""
    faults: list[Damaged] = []
    yield from _message(letter, "1", faults)
    if faults:
        raise faults[0]


def _message(letter: Letter, place: str, faults: list[Damaged]) -> Iterator[bytes]:
    yield _header(letter)
    yield b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="=_%b"\r\n' % place.encode()
    for number, part in enumerate(letter.parts, 1):
        yield b"\r\n--=_%b\r\n" % place.encode()
        if isinstance(part, Letter):
            yield b"Content-Type: message/rfc822\r\n\r\n"
            yield from _message(part, f"{place}.{number}", faults)
        else:
            yield from _enclosed(part, faults)
    yield b"\r\n--=_%b--\r\n" % place.encode()


def _header(letter: Letter) -> bytes:
    """What the message says of itself, without what says how it is written."""
    header = _EMPTY_LINES.sub(b"", _OURS.sub(b"", letter.header)).strip(b"\r\n")
    if header:
        return header + b"\r\n"
    fields = (("From", letter.sender), ("Subject", letter.subject))
    return b"".join(f"{name}: {_word(value)}\r\n".encode() for name, value in fields if value)


def _enclosed(part: Enclosed, faults: list[Damaged]) -> Iterator[bytes]:
    stated = part.type if _PART.match(part.type) and not part.type.lower().startswith("multipart/") else ""
    label = f"Content-Type: {stated or 'application/octet-stream'}\r\n"
    if part.name:
        label += f'Content-Disposition: attachment; filename="{_word(part.name)}"\r\n'
    yield label.encode() + b"Content-Transfer-Encoding: base64\r\n\r\n"
    yield from _base64(_undamaged(part.open(), faults))


def _undamaged(pieces: Iterator[bytes], faults: list[Damaged]) -> Iterator[bytes]:
    """What can be read of a part: the others may be whole."""
    try:
        yield from pieces
    except Damaged as fault:
        faults.append(fault)


def _word(text: str) -> str:
    """Text for a header field (RFC 2047): one encoded word, as long as it is, unless it is plain."""
    text = " ".join(text[:VALUE].split())
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text and "=?" not in text:
        return text
    encoded = binascii.b2a_base64(text.encode("utf-8", "replace"), newline=False).decode()
    return f"=?utf-8?B?{encoded}?="


def _base64(pieces: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        rest += piece
        whole = len(rest) // _AT_ONCE * _AT_ONCE
        for at in range(0, whole, _AT_ONCE):
            yield _lines(rest[at : at + _AT_ONCE])
        rest = rest[whole:]
    yield _lines(rest)


def _lines(data: bytes) -> bytes:
    """One long line for each piece: nobody else than this program reads it."""
    return binascii.b2a_base64(data)
