"""Several JSON objects in one file: an array of reports, or one object after the other (JSON lines, RFC 7464).

RFC 8460 has one report in a file; who collects reports, or asks an API for them, writes them so.
"""

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from ..message.bounds import Bounds, OverBound
from ..message.payload import Damaged, Payload

_BLANKS = b" \t\r\n\x00\x1e\xef\xbb\xbf\xff\xfe"  # white space, byte order marks, zeros of UTF-16, record separators
_ANOTHER = re.compile(rb"\}[\s\x1e]{0,100}\{")  # in one object this stands in strings alone
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
# An array or several objects of anything else are left alone.
_MENTIONS = re.compile(rb'"(?:organization.name|date.range|contact.info|report.id|policies)"\s{0,100}:', re.IGNORECASE)


class Texts(NamedTuple):
    """The objects in a file, as byte ranges of `data`, and why there may be more."""

    data: bytes
    ranges: tuple[tuple[int, int], ...]
    fault: str = ""


def read_texts(payload: Payload, beginning: bytes, bounds: Bounds) -> Texts | None:
    """The objects in a file that begins with an array, or has several; None for anything else. May take its bytes."""
    head = beginning.lstrip(_BLANKS)
    array = head[:1] == b"[" and head[1:].lstrip(_BLANKS)[:1] == b"{"  # a banner may begin with a bracket, too
    if not (array or head[:1] == b"{") or not _may_mention(beginning):
        return None
    data, fault = _bytes(payload, bounds)
    data = _as_utf8(data)
    first = _MENTIONS.search(data)
    level = _depth(data, first.start()) - 1 if first else 0  # arrays and objects around the reports
    if not first or not (level > 0 or _ANOTHER.search(data)):
        return None
    ranges = []
    for start, stop in _objects(data, level):
        ranges.append((start, stop))
        if len(ranges) > bounds.archive_members:
            fault = f"more reports than bounds.archive_members = {bounds.archive_members}"
            break
    if not ranges or not (level > 0 or len(ranges) > 1):
        return None
    if not array and level > 0 and not all(b'"policies"' in data[start:stop] for start, stop in ranges):
        return None  # an object with something like a report in it
    return Texts(data, tuple(ranges[: bounds.archive_members]), fault)


def _may_mention(beginning: bytes) -> bool:
    return b"\0" in beginning or _MENTIONS.search(beginning) is not None


def _bytes(payload: Payload, bounds: Bounds) -> tuple[bytes, str]:
    data = bytearray()
    try:
        for piece in payload.chunks():
            data += piece
            if len(data) > bounds.part_bytes:
                return bytes(data[: bounds.part_bytes]), f"more bytes than bounds.part_bytes = {bounds.part_bytes}"
    except (Damaged, OverBound) as fault:
        return bytes(data), str(fault)
    return bytes(data), ""


def _as_utf8(data: bytes) -> bytes:
    """JSON is UTF-8 (RFC 8259 §8.1); older texts may be UTF-16 or UTF-32."""
    encoding = json.detect_encoding(data)
    if encoding in {"utf-8", "utf-8-sig"}:
        return data
    return data.decode(encoding, "replace").encode("utf-8", "replace")


def _depth(data: bytes, at: int) -> int:
    """How many arrays and objects are open at a place."""
    marks = [token[0] for token in _TOKEN.finditer(data, 0, at)]
    return sum(mark in {b"{", b"["} for mark in marks) - sum(mark in {b"}", b"]"} for mark in marks)


def _objects(data: bytes, level: int) -> Iterator[tuple[int, int]]:
    """Where the objects stand that have `level` arrays around them; one that breaks off goes to the end."""
    depth, start = 0, -1
    for token in _TOKEN.finditer(data):
        mark = token[0]
        if mark in {b"{", b"["}:
            if depth == level and mark == b"{":
                start = token.start()
            depth += 1
        elif mark in {b"}", b"]"}:
            depth -= 1
            if depth == level and start >= 0:
                yield start, token.end()
                start = -1
            if depth <= 0 and level:
                return
    if start >= 0:
        yield start, len(data)
