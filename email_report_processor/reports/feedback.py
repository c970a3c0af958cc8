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
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from ..documents.datasets import ARF, FAILURE, REPORT, SCHEMA_VERSION, Dataset
from ..documents.document import Document, make_id, sum_ids
from ..message.bounds import Problem
from ..message.mail import Part, domain_of
from ..values import authres
from ..values.dates import read_rfc5322, without_comments
from ..values.fields import Fields, read_domain, write_date
from .feedback_fields import ARRIVAL, VALUES, Draft, is_known, put_fields, put_sample, put_urls, read_date
from .feedback_parts import Found, find
from .notice import read_notice
from .report import Context, Envelope, Kind, Report
from .sample import Sample, author, decode, open_sample, read_fields, sample_bytes


class Text(NamedTuple):
    """The report itself, read."""

    fields: Sequence[Sequence[str]]  # [name, value]
    canonical: object  # what its id is made of
    sample: Sample | None
    notice: bool
    sha256: str


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
    return _report(texts, context)


KIND = Kind("feedback", read)


# Reading


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
    fields = read_fields(decode(data))
    if not any(is_known(name) for name, _ in fields):
        fields = _fields_of_header(found.report)
    if not fields:
        return Problem(_place(found.report), "the feedback part has no field of RFC 5965")
    return Text(fields, fields, sample, False, sha256)


def _fields_of_header(part: Part) -> list[list[str]]:
    """The report where the empty line in front of it is missing, so that it became the part's header."""
    fields = [field for field in read_fields(decode(part.headers.raw)) if is_known(field[0])]
    return fields if any(name.lower() == "feedback-type" for name, _ in fields) else []


def _place(part: Part) -> str:
    return f"part {part.place}" if part.place else "message"


# Documents


def _put_timestamp(draft: Draft, text: Text, envelope: Envelope) -> None:
    """Arrival of the failed message, else its own date, else the date of the report mail."""
    arrivals = [value for name, value in text.fields if name.lower() in ARRIVAL and value]
    if len(arrivals) > 1:
        draft.warn("Arrival-Date: given more than once, the first counts")
    timestamp = read_date(draft, "@timestamp", arrivals[0]) if arrivals else ""
    if not timestamp and text.sample is not None:
        timestamp = _quiet_date(text.sample.get("date") or "")
    if not timestamp and envelope.received:
        draft.warn("@timestamp: neither an arrival nor a date of the sample, taken from the report mail")
        timestamp = envelope.received
    if timestamp:
        draft.fields["@timestamp"] = timestamp
    else:
        draft.warn("@timestamp: no date anywhere")
        draft.fields["@timestamp"] = write_date(datetime.fromtimestamp(0, UTC))  # as other kinds have it: never absent


def _quiet_date(text: str) -> str:
    try:
        return write_date(read_rfc5322(text))
    except ValueError:
        return ""


def _dataset(text: Text) -> Dataset:
    """Failure reports by their Feedback-Type; one that has none (malformed) by its Auth-Failure field."""
    names = {name.lower(): without_comments(value[:1000]).lower() for name, value in reversed(text.fields)}
    kind = names.get("feedback-type", "auth-failure" if "auth-failure" in names else "")
    return FAILURE if text.notice or kind == "auth-failure" else ARF


def _document(text: Text, context: Context) -> Document:
    dataset = _dataset(text)
    draft = Draft(context.options)
    put_fields(draft, text.fields, context.options)
    if not text.notice and "feedback.type" not in draft.fields:
        draft.warn("feedback.type: not reported")
    put_sample(draft, text.sample, context.options)
    put_urls(draft, text.sample, context.options)
    _put_timestamp(draft, text, context.envelope)
    fields = _common(dataset.name, context) | draft.fields
    if not text.notice:
        fields["report.format"] = "rfc6591" if dataset is FAILURE else "rfc5965"
    if draft.warnings:
        fields["warnings"] = draft.warnings
    return Document(dataset.name, _id(dataset, text, context.envelope), fields)


def _common(dataset: str, context: Context) -> Fields:
    envelope = context.envelope
    fields: Fields = {
        "event.dataset": dataset,
        "schema_version": SCHEMA_VERSION,
        "report.from_domain": envelope.from_domain,
        "report.message_id": envelope.message_id,
        "report.received": envelope.received,
        "report.feed": context.options.feed,
        "report.authentication": authres.verdict(envelope.authentication, (envelope.from_domain,)),
    }
    return {name: value for name, value in fields.items() if value != ""}


def _id(dataset: Dataset, text: Text, envelope: Envelope) -> str:
    """From the report and the sample's header as they were sent, before any normalisation (design §4)."""
    sample = [] if text.sample is None else text.sample.fields
    dated = any(name.lower() in ARRIVAL and value for name, value in text.fields)
    named = text.sample is not None and text.sample.get("message-id")
    message = [] if dated or named else [envelope.message_id]
    return make_id(dataset.name, text.canonical, sample, *message)


def _report(texts: Sequence[Text], context: Context) -> Report:
    once = {document.id: document for document in (_document(text, context) for text in texts)}
    documents = tuple(once.values())
    first = documents[0]
    head = _common(REPORT.name, context)
    head |= {name: first.fields[name] for name in ("@timestamp", "report.format") if name in first.fields}
    head["report.dataset"] = first.dataset
    head["report.sha256"] = texts[0].sha256
    head["report.identity"] = make_id(first.dataset, *sorted(document.id for document in documents))
    head["rows"] = len(documents)
    head["messages"] = sum(document.fields["count"] for document in documents)
    if domains := _domains(texts):
        head["report.domain"] = domains
    if warnings := dict.fromkeys(warning for document in documents for warning in document.fields.get("warnings", ())):
        head["warnings"] = list(warnings)
    last = make_id(REPORT.name, head["report.identity"], sum_ids(document.id for document in documents))

    def stream() -> Iterator[Document]:
        for document in (*documents, Document(REPORT.name, last, head)):
            yield document._replace(own=dict(document.own))

    return Report(first.dataset, head, len(documents), stream)


def _domains(texts: Sequence[Text]) -> list[str]:
    """What the reports are about: Reported-Domain, else the author's domain in the sample."""
    found: dict[str, None] = {}
    for text in texts:
        reported = [without_comments(value) for name, value in text.fields if name.lower() == "reported-domain"]
        if not any(reported) and text.sample is not None:
            reported = [domain_of(author(text.sample))]
        found |= dict.fromkeys(read_domain(domain) for domain in reported[:VALUES])
    found.pop("", None)
    return list(found)
