"""The two passes over a payload: `survey` judges it and finds its head, `bodies` gives its records."""

import hashlib
import re
from collections.abc import Callable, Hashable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from ...message.bounds import Bounds
from ...message.payload import SMALL, Damaged, OverBound, Payload, Recent
from ...values.patterns import pattern
from .encoding import REPAIR, Text, guess_encoding
from .plain import plain
from .reader import Shapes
from .records import PREFIX, Outside, records
from .shape import RECORD_LEVEL, Shape, read_shape, split
from .unlike import Unlike, check_rows

if TYPE_CHECKING:
    from .judge import Judge

UNCLOSED = 1000  # records without an end tag, after which expat is asked no more: it holds 130 bytes for each level
CHUNK = 64 * 1024  # bytes given to expat and decoded at once
MOST_TAGS = 20_000  # of one record, or outside of all: a tag costs 300 bytes of memory while a shape is worked out

_REPORT = pattern(rf"<{PREFIX}(?:feedback|report_metadata|policy_published)[\s/>]", re.IGNORECASE)
ROOT = pattern(rf"\s*<{PREFIX}feedback[\s/>]", re.IGNORECASE)
_IN_A_PAGE = pattern(rf"<{PREFIX}feedback[\s/>][^<>]{{0,1000}}<{PREFIX}report_metadata[\s/>]")
_HTML = ("<html", "<!doctype html")
_QUOTED_BEFORE = pattern(r"(?:\A|[\r\n])[ \t]*+>++[ \t][ \t>]*+\Z")  # a mail that quotes a report is none


class ForbiddenError(Exception):
    """What defusedxml forbids: refused on every path (design §6), whatever it would do. Its cause is its exception."""


class Survey(NamedTuple):
    """What the first pass found out."""

    encoding: str  # the codec of both passes
    shape: Shape  # of everything outside of the records
    texts: list[str]  # of the leaves of the shape, stripped
    root: str  # the outermost start tag with its attributes, as it stands
    is_report: bool  # whether the root element is `feedback`
    sha256: str  # of the bytes
    rows: int
    strict: bool  # well-formed; else salvaged
    damage: str  # why the payload ends early, '' when it does not
    warnings: tuple[str, ...]
    cost: int = 0  # of unusual records, in rows (see unlike.py)


def _one_row(_: str) -> int:
    return 1


def survey(
    payload: Payload,
    bounds: Bounds,
    containers: frozenset[str],
    rows_in: Callable[[str], int] = _one_row,
    kind_of: Callable[[str], Hashable] = str,
) -> Survey | None:
    """Read a payload to its end and judge it; None when nothing in it looks like a DMARC report.

    containers: names of elements that hold others (see `read_shape`). rows_in: how many rows a record has that speaks
    of more than one. kind_of: what is the same for records that are read at once. Raises OverBound, ForbiddenError.
    """
    damage: list[str] = []
    sha256 = hashlib.sha256()
    pieces = _hashed(pieces_of(payload.chunks, damage), sha256)
    first = next(pieces, b"")
    encoding, complaint = guess_encoding(first)
    if not may_be_report(first.decode(encoding, REPAIR)):
        return None
    from .judge import DefusedXmlException, Judge, why_forbidden  # 1 ms; only for what looks like a report

    judge = Judge(encoding, complaint, bounds.record_bytes)
    text, outside = Text(encoding), Outside(bounds.record_bytes)
    unfinished: list[str] = []
    small: list[str] = []
    found = records(plain(_watched(first, pieces, judge, text, outside), unfinished), outside, bounds.record_bytes)
    try:
        rows, cost = _count(_noted(found, small), bounds, containers, rows_in, kind_of)
    except DefusedXmlException as error:
        raise ForbiddenError(why_forbidden(error)) from error
    if len(small) == rows:
        _small.put((sha256.hexdigest(), bounds.record_bytes), small)
    complaint = "".join(damage) or judge.complaint or (text.repaired and f"bytes that are not {encoding}") or ""
    return Survey(
        encoding,
        *read_head(outside.text, containers, bounds.xml_depth),
        outside.first_tag(),
        ROOT.match(outside.text) is not None,
        sha256.hexdigest(),
        rows,
        not complaint,
        "".join(damage),
        (*payload.warnings, *_warnings(complaint, text, outside, "".join(unfinished))),
        cost,
    )


def may_be_report(start: str) -> bool:
    """Whether a text that begins like this may be a report, or what is left of one."""
    found = _REPORT.search(start)
    if not found or (start.lstrip()[:20].lower().startswith(_HTML) and not _IN_A_PAGE.search(start)):
        return False
    return not _QUOTED_BEFORE.search(start, 0, found.start())


def surveyed_bodies(payload: Payload, surveyed: Survey, bounds: Bounds) -> Iterator[str]:
    """The same as `bodies`; of a small report that was surveyed just now they are there already."""
    known = _small.get((surveyed.sha256, bounds.record_bytes))
    return iter(known) if known is not None else bodies(payload, surveyed.encoding, bounds)


def bodies(payload: Payload, encoding: str, bounds: Bounds) -> Iterator[str]:
    """The inside of each record, in order: the second pass over what `survey` has seen. Raises nothing of its own."""
    text = Text(encoding)
    return records(plain(text.read(pieces_of(payload.chunks, [])), []), Outside(2**62), bounds.record_bytes)


_small: Recent[list[str]] = Recent()  # records of small reports, by SHA-256 and bound


def _noted(found: Iterator[str], small: list[str]) -> Iterator[str]:
    """The records, and the first SMALL characters of them in a list."""
    size = 0
    for body in found:
        size += len(body)
        if size <= SMALL:
            small.append(body)
        yield body


def _warnings(complaint: str, text: Text, outside: Outside, unfinished: str) -> Iterator[str]:
    if complaint:
        yield f"salvaged: {complaint}"
    if text.repaired:
        yield f"encoding: bytes that are not {text.encoding} were repaired"
    if outside.unclosed:
        yield f"record: {outside.unclosed} without an end tag left out"
    if unfinished:
        yield f"{unfinished} without its end: what follows was not read"


def _watched(first: bytes, pieces: Iterator[bytes], judge: "Judge", text: Text, outside: Outside) -> Iterator[str]:
    """The text of the pieces while they are judged. Raises DefusedXmlException, OverBound."""
    piece: bytes | None = first
    while piece is not None:
        following = next(pieces, None)
        if outside.unclosed > UNCLOSED and not judge.complaint:
            judge.complaint = "records without an end tag"
        decoded = text.decode(piece, final=following is None)
        judge.feed(piece if judge.native else decoded.encode("utf-8", "surrogatepass"), final=following is None)
        yield decoded
        piece = following


def _count(
    found: Iterator[str],
    bounds: Bounds,
    containers: frozenset[str],
    rows_in: Callable[[str], int],
    kind_of: Callable[[str], Hashable],
) -> tuple[int, int]:
    """How many rows there are, and what the unusual ones cost. Raises OverBound, also for a record that is too deep."""
    rows = 0
    unlike = Unlike(bounds.kinds)
    most = bounds.xml_depth - RECORD_LEVEL
    for body in found:
        unlike.is_new(kind_of(body), body)
        rows += 1 if body.count("<row") + body.count(":row") < 2 else rows_in(body)
        check_rows(rows, unlike.cost, bounds)
        tags = body.count("<")
        if tags > MOST_TAGS:
            raise OverBound(f"a record has more than {MOST_TAGS} tags")
        # No element is deeper than there are start tags: few records need the exact answer.
        if tags > most and tags - body.count("</") > most:
            read_shape(split(body)[1::2], "record", containers, bounds.xml_depth)
    return rows, unlike.cost


def _hashed(pieces: Iterator[bytes], sha256: "hashlib._Hash") -> Iterator[bytes]:
    for piece in pieces:
        sha256.update(piece)
        yield piece


def pieces_of(chunks: Callable[[], Iterator[bytes]], damage: list[str]) -> Iterator[bytes]:
    """The payload in pieces of CHUNK, however it is cut; where it breaks it ends, and `damage` says why."""
    held: list[bytes] = []
    size = 0
    try:
        for chunk in chunks():
            if len(chunk) == CHUNK and not held:
                yield chunk
                continue
            held.append(chunk)
            size += len(chunk)
            if size < CHUNK:
                continue
            whole = b"".join(held)
            start = 0
            while size - start >= CHUNK:
                yield whole[start : start + CHUNK]
                start += CHUNK
            held, size = [whole[start:]], size - start
    except Damaged as error:
        damage.append(str(error) or "the data ends early")
    if size:
        yield b"".join(held)


@lru_cache(maxsize=2)  # one in a process, and another in a test
def _heads(containers: frozenset[str], depth: int) -> Shapes[None]:
    return Shapes(containers, depth, lambda _: None, root="")


def read_head(text: str, containers: frozenset[str], depth: int) -> tuple[Shape, list[str]]:
    """What stands outside of the records: its shape, and the text of each leaf. Raises OverBound."""
    if text.count("<") > MOST_TAGS:
        raise OverBound(f"more than {MOST_TAGS} tags outside of the records")
    shape, _, texts = _heads(containers, depth).read(text)
    return shape, texts
