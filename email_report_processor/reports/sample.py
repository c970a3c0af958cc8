"""The failed message that a feedback report brings along: its header, text, URLs and attachments.

It is a stranger's message about which somebody complains: nothing in it is believed, opened or searched for reports.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from ..message.blob import Damaged, Memory
from ..message.bounds import Bounds
from ..message.mail import BEGINNING, Part, address, read_mail
from ..values.fields import clean, clean_lines
from ..values.patterns import pattern
from .receiver import passed
from .signals import Evidence, collect

HEADERS_CHARS = 16 * 1024  # stored of a header
BODY_CHARS = 64 * 1024  # stored of a text
TEXT_BYTES = 2 * 1024**2  # of all texts that are searched for URLs
LINES = 20_000  # of a header, or of a feedback part
ATTACHMENTS = 100  # attachments described

# RFC 6522 §4 knows message/rfc822 and text/rfc822-headers; the others are seen in the wild.
TYPES = frozenset(
    f"{kind}/{name}"
    for kind in ("message", "text")
    for name in ("rfc822", "rfc-822", "rfc822-headers", "rfc-822-headers")
)

_FIELD = pattern(r"([!-9;-~]{1,200})[ \t]*:(.*)", re.DOTALL)  # RFC 5322 §2.2
_USUAL = frozenset(
    {"received", "return-path", "from", "to", "subject", "date", "message-id", "mime-version", "content-type", "sender"}
)
_ENVELOPE = _USUAL - {"mime-version", "content-type"}  # of these, the header of a part has none
_LABELS = pattern(
    rb"\A(?:(?:Content-|MIME-)[^\r\n]*+(?:\r\n|\r|\n)(?:[ \t][^\r\n]*+(?:\r\n|\r|\n))*+)++", re.IGNORECASE
)
_LINE_OR_BREAK = pattern(r"([^\r\n]+)|[\r\n]+")
_ENVELOPE_FROM = pattern(r"\(envelope-from <([^<>\s]*)>\)")  # Exim, also as Baruwa


class Sample(NamedTuple):
    """One failed message, or what the reporter sent of it."""

    mail: Part
    header: str  # as it came, decoded
    fields: list[list[str]]  # [name, value] of the header, unfolded, white space collapsed, nothing decoded
    cut: bool  # it is longer than what was read

    def get(self, name: str) -> str | None:
        """The first field of this lower-case name, encoded words as they stand: they must not become addresses."""
        return next((value for field, value in self.fields if field.lower() == name), None)


def sample_bytes(part: Part, limit: int) -> bytes:
    """At most `limit` bytes of the message in a part; also where the empty line in front of it is missing."""
    names = {name.lower() for name, _ in part.headers.items()}
    if len(names & _ENVELOPE) < 2 or begins_with_header(part.body(BEGINNING)):
        return part.body(limit)
    header = _LABELS.sub(b"", part.headers.raw, count=1) + b"\r\n"
    pieces, size = [header], len(header)
    for piece in part.raw_chunks():  # the transfer encoding that stands in front of it is its own
        if size >= limit:
            break
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)[:limit]


def open_sample(data: bytes, bounds: Bounds) -> Sample:
    """Read a message, or its header alone; at most `bounds.part_bytes` of it."""
    mail = read_mail(Memory(data[: bounds.part_bytes]), mime_depth=bounds.mime_depth, mime_parts=bounds.mime_parts)
    header = decode(mail.headers.raw)
    return Sample(mail, header, read_fields(header), len(data) > bounds.part_bytes)


def decode(data: bytes) -> str:
    """UTF-8, else ISO 8859-1, which reads anything."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def read_fields(text: str) -> list[list[str]]:
    """Header-style fields as [name, value]: unfolded, white space collapsed (RFC 5322 §2.2).

    Lines that are no fields are passed over, and empty lines between fields too. Reads LINES lines. Never raises;
    linear time.
    """
    unfolded: list[list[str]] = [[]]  # the lines of each field
    for line in islice(_lines(text), LINES):
        if not line.strip():
            unfolded.append([])
        elif line[0] in " \t" and unfolded[-1]:
            unfolded[-1].append(line)
        else:
            unfolded.append([line.strip()])
    matches = (_FIELD.fullmatch(" ".join(lines)) for lines in unfolded)
    return [[match.group(1), " ".join(match.group(2).split())] for match in matches if match is not None]


def _lines(text: str) -> Iterator[str]:
    """The lines of a text without their ends, any number of empty ones as one."""
    for token in _LINE_OR_BREAK.finditer(text):
        if token.group(1) is not None:
            yield token.group(1)
        elif token.group() not in {"\r\n", "\n", "\r"}:
            yield ""


def begins_with_header(data: bytes) -> bool:
    """Whether a text begins like the header of a message: fields only, two of the usual ones among them."""
    lines = re.split(r"\r?\n", decode(data).lstrip("\r\n"))
    if len(data) > 200 and len(lines) > 1:
        lines.pop()  # cut in the middle, perhaps
    names: set[str] = set()
    for number, line in enumerate(lines):
        match = _FIELD.fullmatch(line)
        if not line.strip():
            break
        if match is not None:
            names.add(match.group(1).lower())
        elif not (line[0] in " \t" and names) and not (number == 0 and line.startswith("From ")):
            return False
    return len(names & _USUAL) >= 2


def evidence(sample: Sample | None, sender: str | None, reported: Sequence[str]) -> Evidence:
    """What the signals are computed from.

    sender: the envelope sender as reported, None when it was not. reported: the report's Authentication-Results.
    """
    if sample is None:
        return Evidence({}, sender=sender)
    return Evidence(
        collect((name, value) for name, value in sample.fields),
        author=author(sample).lower(),
        sender=sender if sender is not None else return_path(sample),
        content_type=sample.mail.content_type,
        report_type=sample.mail.parameters.get("report-type", "").lower(),
        passed=tuple(passed(sample.fields, reported)),
    )


def author(sample: Sample) -> str:
    """The address in From, '' when there is none."""
    return address(sample.get("from") or "")


def return_path(sample: Sample) -> str | None:
    """The envelope sender by the sample's Return-Path, '' for the null one; None when there is none."""
    value = sample.get("return-path")
    return None if value is None else bare_address(value)


def envelope_from(sample: Sample) -> str | None:
    """The envelope sender by the topmost Received field, which Exim at the reporter's wrote; None when not there."""
    match = _ENVELOPE_FROM.search(sample.get("received") or "")
    return None if match is None else match.group(1)


def bare_address(value: str) -> str:
    """An envelope address without its angle brackets; '' for `<>` and for nothing at all (LinkedIn)."""
    if "<" in value:
        value = value.rpartition("<")[2].partition(">")[0]
    return value.strip()


def headers_only(sample: Sample) -> bool:
    """Whether the header came alone, whatever the part is called (Netease's headers have a body)."""
    return not any(chunk.strip() for chunk in sample.mail.raw_chunks())


def header_text(sample: Sample) -> str:
    """The header as it came, for people to read; of any length."""
    return clean_lines(sample.header).strip("\n")


def body_text(sample: Sample) -> str:
    """The beginning of the first plain text, else of the first HTML; '' when there is neither."""
    texts = list(_texts(sample.mail))
    for kind in ("text/plain", "text/html"):
        for part in texts:
            if part.content_type == kind and (text := clean_lines(part.text(4 * BODY_CHARS)).strip()):
                return text[:BODY_CHARS]
    return ""


def urls(sample: Sample, limit: int) -> list[str]:
    """URLs in the texts of the message, in their order, each once."""
    from ..values.urls import find_urls  # 3 ms, html and urllib.parse

    found: dict[str, None] = {}
    left = TEXT_BYTES
    for part in _texts(sample.mail):
        if left > 0:
            text = part.text(left)
            left -= len(text)
            found |= dict.fromkeys(find_urls(text, limit))
    return list(found)[:limit]


def attachments(sample: Sample) -> list[dict[str, Any]]:
    """Name, type, size and SHA-256 of what is attached to the message."""
    found: list[dict[str, Any]] = []
    for part in _leaves(sample.mail):
        if _is_text(part) or len(found) >= ATTACHMENTS:
            continue
        size, sha256 = _measure(part)
        one = {"name": clean(part.name), "type": part.content_type, "size": size, "hash.sha256": sha256}
        found.append({key: value for key, value in one.items() if value != ""})
    return found


def _measure(part: Part) -> tuple[int, str]:
    """Size and SHA-256 of an attachment, as far as it can be decoded."""
    size, digest = 0, hashlib.sha256()
    try:
        for chunk in part.chunks():
            size += len(chunk)
            digest.update(chunk)
    except Damaged:
        pass  # the hash of what is there
    return size, digest.hexdigest()


def _leaves(part: Part) -> Iterator[Part]:
    """Parts without parts; a loop, since a stranger chooses how deep they go."""
    waiting = [part]
    while waiting:
        part = waiting.pop()
        if not part.parts:
            yield part
        waiting.extend(reversed(part.parts))


def _is_text(part: Part) -> bool:
    """Text that is shown, not attached."""
    shown = part.disposition != "attachment" and not part.name
    return shown and (part.content_type in {"text/plain", "text/html"} or part.content_type.startswith("multipart/"))


def _texts(part: Part) -> Iterator[Part]:
    return (leaf for leaf in _leaves(part) if _is_text(leaf))
