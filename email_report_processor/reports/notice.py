"""Notices of a failed message in plain text, as Exim writes them (also within cPanel and Baruwa), by no RFC.

A notice has no Feedback-Type: `feedback.type` and `report.format` are absent, what it says of SPF, DKIM and DMARC is
one entry of `feedback.authentication_results` in its own words (Identity-Alignment has two opposite meanings in the
RFCs, so its yes and no are not translated into it).
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from ..message.bounds import Bounds
from ..message.mail import BEGINNING, Part
from ..values.patterns import pattern
from .sample import Sample, envelope_from, open_sample

NOTICE_BYTES = 1024**2  # read of a notice with its copy; Exim copies the header alone

_NOTICE = pattern(  # folded elsewhere by whoever passes it on
    r"^[ \t]*A\s+message\s+claiming\s+to\s+be\s+from\s+you\s+has\s+failed\s+the\s+published\s+DMARC\s+policy\b",
    re.MULTILINE,
)
_NOTICE_FIELD = pattern(r"^[ \t]*(Sender Domain|Sender IP Address)[ \t]*:", re.MULTILINE | re.IGNORECASE)
_COPY = pattern(r"^-{4,} ?This is a copy of [^\n]*(?:\n[ \t]+[^\s][^\n]*)*\n", re.MULTILINE)
_NOTICE_RESULTS = ("spf alignment", "dkim alignment", "dmarc results")


class Notice(NamedTuple):
    """A notice, read: fields as a feedback part would have them, its words, and the copy of the message."""

    fields: list[list[str]]  # [name, value]
    words: str  # what its id is made of
    sample: Sample | None


def is_notice(part: Part) -> bool:
    """Whether a text says what Exim says."""
    if part.content_type != "text/plain" or part.parts:
        return False
    head = part.text(BEGINNING).replace("\r\n", "\n")
    begin = _NOTICE.search(head)
    return begin is not None and _NOTICE_FIELD.search(head, begin.end()) is not None


def read_notice(part: Part, sample: Sample | None, bounds: Bounds) -> Notice:
    """Fields in words, a line that announces the copy, and the copy in the same text or a part."""
    text = part.text(min(NOTICE_BYTES, bounds.part_bytes)).replace("\r\n", "\n")
    copy = _COPY.search(text)
    said = text[:BEGINNING] if copy is None else text[: copy.start()][:BEGINNING]
    if sample is None and copy is not None:
        sample = open_sample(text[copy.end() :].lstrip("\n").encode("utf-8", "replace"), bounds)
    words = {name.lower(): value for name, value in reversed(list(_notice_fields(said)))}
    fields = [
        ["Reported-Domain", words.get("sender domain", "")],
        ["Source-IP", words.get("sender ip address", "")],
        ["Arrival-Date", words.get("received date", "")],
        ["Authentication-Results", "; ".join(f"{name}: {value}" for name, value in _results(said))],
    ]
    sender = None if sample is None else envelope_from(sample)
    if sender is not None:
        fields.append(["Original-Mail-From", f"<{sender}>"])
    return Notice(fields, " ".join(said.split()), sample)


def _notice_fields(text: str) -> Iterator[tuple[str, str]]:
    for line in text.split("\n"):
        name, colon, value = line.partition(":")
        if colon:
            yield " ".join(name.split()), " ".join(value.split())


def _results(text: str) -> Iterator[tuple[str, str]]:
    return ((name, value) for name, value in _notice_fields(text) if name.lower() in _NOTICE_RESULTS)
