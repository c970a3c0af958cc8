"""Feedback reports: DMARC failure reports and any other ARF (RFC 5965, 6591, 9991), and Exim's plain-text notices.

`feedback_parts` finds them in a message, `feedback_fields` makes fields of what they say, `notice` reads the texts.

What is stored of the sample is `Options.sample`:

* `none`: `sample.signals` and `sample.headers_only`; also no `feedback.original_rcpt_to`, no `feedback.reported_uri`,
  no `url.*`, no `file.*` and no `raw.sample.*`;
* `headers`: also addresses, subject, date, Message-ID, the header, URLs and the description of attachments;
* `full`: also the beginning of the text.

`report.sha256` is that of the decoded feedback part, of a notice that of its text part.
"""

import hashlib
from collections.abc import Sequence

from ..message.bounds import Bounds, Problem
from ..message.mail import BEGINNING, Part
from ..values.patterns import pattern
from .feedback_documents import Text, report_of
from .feedback_fields import is_known, type_of
from .feedback_parts import Found, find
from .notice import read_notice
from .report import Context, Report
from .sample import Sample, begins_with_header, decode, open_sample, read_fields, sample_bytes

_EMPTY_LINE = pattern(r"(?:\r\n|\n|\r)[ \t]*(?:\r\n|\n|\r)")


def read(part: Part, context: Context) -> Report | Problem | None:
    """Read the feedback reports of a node of the message tree; None when it has none of its own (see Kind)."""
    found = find(part)
    if not found:
        return None
    texts = []
    for one in found:
        text = _open(one, context)
        if isinstance(text, Problem):
            return text
        texts.append(text)
    return report_of(texts, context)


def _open(found: Found, context: Context) -> Text | Problem:
    bounds = context.options.bounds
    data = found.report.body(bounds.part_bytes + 1)
    if len(data) > bounds.part_bytes:
        reason = f"the feedback part has more than bounds.part_bytes = {bounds.part_bytes} bytes"
        return Problem(_place(found.report), reason)
    sample = None if found.sample is None else open_sample(sample_bytes(found.sample, bounds.part_bytes + 1), bounds)
    sha256 = hashlib.sha256(data).hexdigest()
    if found.notice:
        notice = read_notice(found.report, sample, bounds)
        return Text(notice.fields, notice.words, notice.sample, True, sha256)
    if found.yaml:
        from .xarf_mail import read_yaml_part  # 3 ms, only for a message that says it is X-ARF

        said = read_yaml_part(found.report, sha256, bounds)
        return said or Problem(_place(found.report), "an X-ARF report without category, type and source")
    fields = read_fields(decode(data))
    if not any(is_known(name) for name, _ in fields):
        fields = _fields_of_header(found.report)
    if not fields:
        return Problem(_place(found.report), "the feedback part has no field of RFC 5965")
    if sample is None:
        sample = _sample_below(decode(data), bounds)
    text = Text(fields, fields, sample, False, sha256, samples=found.samples)
    return _with_xarf(text, found, bounds) if _says_xarf(fields, found.beside) else text


def _sample_below(text: str, bounds: Bounds) -> Sample | None:
    """The message in the same text: some who pass a report on make one text of all its parts."""
    below = _EMPTY_LINE.split(text.lstrip("\r\n"), maxsplit=1)[1:]
    data = "".join(below).encode("utf-8", "replace")
    return open_sample(data, bounds) if begins_with_header(data[:BEGINNING]) else None


def _with_xarf(text: Text, found: Found, bounds: Bounds) -> Text:
    from .xarf_mail import read_beside  # 3 ms, only for Feedback-Type: xarf

    about = read_beside(found.beside, bounds)
    if about is None:
        return text
    evidence = about.evidence if text.sample is None else None
    sample = text.sample if evidence is None else open_sample(evidence, bounds)
    said: object = [text.fields, about.said] if about.whole else text.canonical  # without a reporter it is no report
    return text._replace(canonical=said, sample=sample, xarf=about)


def _says_xarf(fields: Sequence[Sequence[str]], beside: Sequence[Part]) -> bool:
    types = {type_of(value) for name, value in fields if name.lower() == "feedback-type"}
    return "xarf" in types or any(part.name.lower() == "xarf.json" for part in beside)


def _fields_of_header(part: Part) -> list[list[str]]:
    """The report where the empty line in front of it is missing, so that it became the part's header."""
    fields = [field for field in read_fields(decode(part.headers.raw)) if is_known(field[0])]
    return fields if any(name.lower() == "feedback-type" for name, _ in fields) else []


def _place(part: Part) -> str:
    return f"part {part.place}" if part.place else "message"
