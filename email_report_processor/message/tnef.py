"""TNEF as MIME: `winmail.dat`, which Exchange and Outlook make of what they send to others like them (MS-OXTNEF)."""

import codecs
import struct
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from .blob import Blob, Damaged, Slice, chunks
from .letter import DEPTH, VALUE, Enclosed, Letter, as_mime

SIGNATURE = b"\x78\x9f\x3e\x22"
MOST = 10_000  # attributes of one message
MOST_PROPERTIES = 1000  # of one attribute, and values of one property
MOST_FILES = 1000  # attachments of one message

_ATTRIBUTE = struct.Struct("<BLL")
_ATTACHMENT_BEGINS, _TITLE, _DATA, _ATTACHED = 0x00069002, 0x00018010, 0x0006800F, 0x00069005
_SUBJECT, _BODY, _PROPERTIES = 0x00018004, 0x0002800C, 0x00069003
# Properties by number (MS-OXPROPS)
_NAMES, _MEDIA_TYPE, _OBJECT = (0x3707, 0x3704), 0x370E, 0x3701
_PLAIN, _HTML, _TOPIC, _HEADERS = 0x1000, 0x1013, 0x0037, 0x007D
_FIXED = {1: 0, 2: 4, 3: 4, 4: 4, 5: 8, 6: 8, 7: 8, 0xA: 4, 0xB: 4, 0x14: 8, 0x40: 8, 0x48: 16}  # bytes by type
_OBJECTS, _STRINGS, _VARIABLE = 0x0D, {0x1E, 0x1F}, {0x0D, 0x1E, 0x1F, 0x102}
_MANY, _NAMED = 0x1000, 0x8000
_INTERFACE = 16  # bytes in front of an object that say what it is


class Range(NamedTuple):
    """Where a value stands; the type says how it is written."""

    start: int
    stop: int
    type: int = 0x102


def tnef_as_mime(blob: Blob) -> Iterator[bytes]:
    """The message in a TNEF file. Raises Damaged, behind everything that can be read."""
    faults: list[Damaged] = []
    yield from as_mime(_letter(blob, 1, faults))
    if faults:
        raise faults[0]


class _Attachment:
    """What is known of one attachment so far."""

    def __init__(self) -> None:
        self.title = b""
        self.data: Range | None = None
        self.properties: dict[int, Range] = {}


def _letter(blob: Blob, depth: int, faults: list[Damaged]) -> Letter:
    subject = b""
    body: Range | None = None
    properties: dict[int, Range] = {}
    attached: list[_Attachment] = []
    for kind, value in _attributes(blob, faults):
        if kind == _SUBJECT:
            subject = _read(blob, value)
        elif kind == _BODY:
            body = value
        elif kind == _PROPERTIES:
            properties = properties or dict(_properties(blob, value))
        elif kind == _ATTACHMENT_BEGINS:
            attached.append(_Attachment())
        elif attached:
            _note(blob, attached[-1], kind, value)
        if len(attached) > MOST_FILES:
            faults.append(Damaged(f"the TNEF file has more than {MOST_FILES} attachments"))
            break
    topic = _text(blob, properties.get(_TOPIC)) or subject.decode("utf-8", "replace")
    files = [part for one in attached for part in _parts(blob, one, depth, faults)]
    headers = _text(blob, properties.get(_HEADERS), 64 * VALUE).encode("utf-8", "replace")
    return Letter(headers, topic.strip("\0 "), "", [*_bodies(blob, body, properties), *files])


def _note(blob: Blob, attachment: _Attachment, kind: int, value: Range) -> None:
    if kind == _TITLE:
        attachment.title = _read(blob, value)
    elif kind == _DATA:
        attachment.data = value
    elif kind == _ATTACHED:
        attachment.properties = attachment.properties or dict(_properties(blob, value))


def _attributes(blob: Blob, faults: list[Damaged]) -> Iterator[tuple[int, Range]]:
    """What is whole; a fault where the file is cut or broken."""
    at = 6  # behind the signature and a key
    for _ in range(MOST):
        head = blob.read(at, at + _ATTRIBUTE.size)
        if not head:
            return
        if len(head) < _ATTRIBUTE.size or head[0] not in {1, 2}:
            break
        _, kind, length = _ATTRIBUTE.unpack(head)
        start = at + _ATTRIBUTE.size
        yield kind, Range(start, start + length)
        at = start + length + 2  # a checksum
        if at > blob.size + 2:
            break
    faults.append(Damaged("the TNEF file is broken or ends early"))


def _properties(blob: Blob, within: Range) -> Iterator[tuple[int, Range]]:
    """The properties in an attribute, by number; nothing more where they are broken."""
    walk = _Walk(blob, within)
    try:
        for _ in range(min(walk.number(), MOST_PROPERTIES)):
            kind, number = walk.pair()
            if number >= _NAMED:
                walk.skip_name()
            value = walk.value(kind)
            yield number, value
    except (Damaged, struct.error):
        return


class _Walk:
    """Reads one number after the other."""

    def __init__(self, blob: Blob, within: Range) -> None:
        self.blob = blob
        self.at = within.start
        self.stop = min(within.stop, blob.size)

    def _take(self, size: int) -> bytes:
        if self.at + size > self.stop:
            raise Damaged("the properties end early")
        self.at += size
        return self.blob.read(self.at - size, self.at)

    def number(self) -> int:
        return int.from_bytes(self._take(4), "little")

    def pair(self) -> tuple[int, int]:
        both = self.number()
        return both & 0xFFFF, both >> 16

    def skip(self, size: int) -> Range:
        """Over a value, which is filled up to four bytes."""
        start = self.at
        self.at += -(-size // 4) * 4
        if self.at > self.stop + 3:
            raise Damaged("the properties end early")
        return Range(start, start + size)

    def skip_name(self) -> None:
        self._take(16)
        kind, size = self.number(), self.number()
        if kind == 1:
            self.skip(size)

    def value(self, kind: int) -> Range:
        """Where the value stands; of several the first."""
        base = kind & ~_MANY
        if base in _VARIABLE:
            count = self.number()
        elif kind & _MANY:
            return self.skip(self.number() * _FIXED.get(base, 4))
        elif base in _FIXED:
            return self.skip(_FIXED[base])
        else:
            raise Damaged("a property of unknown type")
        found = [self.skip(self.number()) for _ in range(min(count, MOST_PROPERTIES))]
        return found[0]._replace(type=base) if found else Range(self.at, self.at)


def _bodies(blob: Blob, body: Range | None, properties: dict[int, Range]) -> Iterator[Enclosed]:
    if plain := properties.get(_PLAIN):
        yield Enclosed("text/plain", "", partial(_text_pieces, blob, plain))
    elif body is not None:
        yield Enclosed("text/plain", "", partial(_text_pieces, blob, body))
    elif html := properties.get(_HTML):
        yield Enclosed("text/html", "", partial(_pieces, blob, html))


def _parts(blob: Blob, one: _Attachment, depth: int, faults: list[Damaged]) -> Iterator[Enclosed | Letter]:
    names = (_text(blob, one.properties.get(number)) for number in _NAMES)
    name = next(filter(None, names), "") or one.title.decode("utf-8", "replace").strip("\0 ")
    object_ = one.properties.get(_OBJECT)
    if object_ is not None and object_.stop - object_.start > _INTERFACE:
        start = object_.start + (_INTERFACE if object_.type == _OBJECTS else 0)
        inner = Slice(blob, start, min(object_.stop, blob.size))
        if inner.read(0, 4) == SIGNATURE:
            if depth < DEPTH:
                yield _letter(inner, depth + 1, faults)
            return
        if one.data is None:
            one.data = object_._replace(start=start)
    media_type = _text(blob, one.properties.get(_MEDIA_TYPE))
    yield Enclosed(media_type, name, partial(_pieces, blob, one.data or Range(0, 0)))  # without data it lies elsewhere


def _pieces(blob: Blob, value: Range) -> Iterator[bytes]:
    """The bytes of a value. Raises Damaged when the file ends before it does."""
    yield from chunks(blob, value.start, min(value.stop, blob.size))
    if value.stop > blob.size:
        raise Damaged("the TNEF file ends early")


def _text_pieces(blob: Blob, value: Range) -> Iterator[bytes]:
    if value.type != 0x1F:
        yield from _pieces(blob, value)
        return
    decoder = codecs.getincrementaldecoder("utf-16-le")("replace")
    for piece in _pieces(blob, value):
        yield decoder.decode(piece).encode("utf-8", "replace")


def _text(blob: Blob, value: Range | None, most: int = VALUE) -> str:
    """A short text: a name, a type; '' when there is none."""
    if value is None or value.type not in _STRINGS:
        return ""
    data = _read(blob, value, 4 * most)
    return data.decode("utf-16-le" if value.type == 0x1F else "utf-8", "replace")[:most].strip("\0 ")


def _read(blob: Blob, value: Range, most: int = 4 * VALUE) -> bytes:
    return blob.read(value.start, min(value.stop, value.start + most, blob.size))
