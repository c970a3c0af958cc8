"""Feedback reports: DMARC failure reports and any other ARF (RFC 5965, 6591, 9991), and Exim's plain-text notices.

A report is recognised by its content: a `message/feedback-report` part in any multipart or alone, a part under another
label that begins with a Feedback-Type field, or a text that says what Exim says. It claims its whole multipart, and
its sample is never searched for reports.

What is stored of the sample is `Options.sample`:

* `none`: `sample.signals` and `sample.headers_only`; also no `feedback.original_rcpt_to`, no `feedback.reported_uri`,
  no `url.*`, no `file.*` and no `raw.sample.*`;
* `headers`: also addresses, subject, date, Message-ID, the header, URLs and the description of attachments;
* `full`: also the beginning of the text.

A notice has no Feedback-Type and follows no RFC: `feedback.type` and `report.format` are absent, what it says of SPF,
DKIM and DMARC is one entry of `feedback.authentication_results` in its own words (Identity-Alignment has two opposite
meanings in the RFCs, so its yes and no are not translated into it).

`report.sha256` is that of the decoded feedback part, of a notice that of its text part.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from ..documents.datasets import ARF, FAILURE, REPORT, SCHEMA_VERSION, Dataset
from ..documents.document import Document, make_id, sum_ids
from ..message.bounds import Problem
from ..message.mail import BEGINNING, Part, addresses, domain_of
from ..values import authres
from ..values.dates import read_rfc5322, without_comments
from ..values.fields import Field, Fields, believed, clean, read_domain, read_ip, write_date
from .report import Context, Envelope, Kind, Options, Report
from .sample import (
    HEADERS_CHARS,
    TYPES,
    Sample,
    attachments,
    author,
    bare_address,
    begins_with_header,
    body_text,
    decode,
    envelope_from,
    evidence,
    header_text,
    headers_only,
    open_sample,
    read_fields,
    sample_bytes,
    urls,
)
from .signals import SIGNALS, signals_of

__all__ = ["KIND", "SIGNALS", "read"]

VALUES = 100  # of one field that may be repeated
NOTICE_BYTES = 1024**2  # read of a notice with its copy; Exim copies the header alone

_NOTICE = re.compile(  # folded elsewhere by whoever passes it on
    r"^[ \t]*A\s+message\s+claiming\s+to\s+be\s+from\s+you\s+has\s+failed\s+the\s+published\s+DMARC\s+policy\b",
    re.MULTILINE,
)
_NOTICE_FIELD = re.compile(r"^[ \t]*(Sender Domain|Sender IP Address)[ \t]*:", re.MULTILINE | re.IGNORECASE)
_COPY = re.compile(r"^-{4,} ?This is a copy of [^\n]*(?:\n[ \t]+[^\s][^\n]*)*\n", re.MULTILINE)
_NOTICE_RESULTS = ("spf alignment", "dkim alignment", "dmarc results")
_COMMENT = re.compile(r"\(([^()\s]{3,253})\)")
_IN_BRACKETS = re.compile(r"[\[(]([0-9A-Fa-f.:]{2,45})[\])]")

# The fields of a feedback part, by their name on the wire (RFC 5965 §3, RFC 6591 §3, RFC 6692).
_WIRE: Mapping[str, Field] = {
    field.wire.lower(): field
    for field in FAILURE.fields
    if field.name.startswith("feedback.") or field.name in {"source.ip", "source.port"}
}
_REGISTERED = frozenset({"abuse", "auth-failure", "fraud", "not-spam", "other", "virus", "xarf"})
_ARRIVAL = ("arrival-date", "received-date")  # the second is historic (RFC 5965 §3.2); Yahoo uses it
_RECIPIENTS = frozenset({"feedback.original_rcpt_to", "feedback.reported_uri"})


class Found(NamedTuple):
    """One report within the node that was looked at."""

    report: Part
    sample: Part | None
    notice: bool


class Text(NamedTuple):
    """The report itself, read."""

    fields: Sequence[Sequence[str]]  # [name, value]
    canonical: object  # what its id is made of
    sample: Sample | None
    notice: bool
    sha256: str


class Draft:
    """A document in the making: typed values go in, what cannot be read becomes `raw` and a warning."""

    def __init__(self, options: Options) -> None:
        self.fields: Fields = {}
        self.warnings: list[str] = []
        self.limit = options.bounds.string_chars
        self.max_count = options.bounds.max_count

    def warn(self, warning: str) -> None:
        """Say once what had to be repaired or could not be read."""
        if warning not in self.warnings and len(self.warnings) < VALUES:
            self.warnings.append(warning)

    def put(self, field: Field, text: str) -> None:
        """Read a value by the field's type. One that may occur once keeps its first value."""
        try:
            value = believed(field.type.read(self.cut(field.name, text)), field.type, self.max_count)
        except ValueError:
            self.fields.setdefault(f"raw.{field.name}", clean(text)[: self.limit])
            self.warn(f"{field.name}: cannot be read")
            return
        if not field.many:
            if field.name in self.fields:
                self.warn(f"{field.name}: given more than once, the first counts")
            self.fields.setdefault(field.name, value)
        elif len(values := self.fields.setdefault(field.name, [])) < VALUES:
            values.append(value)
        else:
            self.warn(f"{field.name}: more than {VALUES} values")

    def cut(self, name: str, text: str) -> str:
        """The text within the bound for strings."""
        if len(text) > self.limit:
            self.warn(f"{name}: cut at bounds.string_chars = {self.limit}")
        return text[: self.limit]

    def set(self, name: str, text: str) -> None:
        """Put a value that comes from elsewhere than the feedback part; nothing when there is none."""
        if text:
            self.put(FAILURE.by_name[name], text)


def read(part: Part, context: Context) -> Report | Problem | None:
    """Read the feedback reports of a node of the message tree; None when it has none of its own (see Kind)."""
    found = _find(part)
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


# Finding


def _find(part: Part) -> list[Found]:
    siblings = part.parts if part.content_type.startswith("multipart/") else (part,)
    if found := _find_among(siblings):
        return found
    for number, one in enumerate(siblings):  # some who pass mail on put its texts, and only them, into a multipart
        if one is part or not one.content_type.startswith("multipart/"):
            continue
        inner = _find_among(one.parts)
        if len(inner) == 1 and inner[0].sample is None:
            sample = _find_sample(siblings[number + 1 :], ())
            return [inner[0]._replace(sample=sample)] if sample is not None else []
    return []


def _find_among(siblings: Sequence[Part]) -> list[Found]:
    places = [number for number, one in enumerate(siblings) if _is_feedback(one)]
    notices = () if any(siblings[place].body(BEGINNING).strip() for place in places) else filter(_is_notice, siblings)
    for one in notices:
        others = [other for other in siblings if other is not one]
        return [Found(one, _find_sample(others, ()), True)]
    ends = [*places[1:], len(siblings)]  # one report a message is the rule; each gets the sample behind it
    return [
        Found(siblings[begin], _find_sample(siblings[begin + 1 : end], siblings if len(places) == 1 else ()), False)
        for begin, end in zip(places, ends, strict=False)
    ]


def _is_feedback(part: Part) -> bool:
    if part.content_type == "message/feedback-report":
        return True
    if part.parts or part.content_type in TYPES or part.content_type.startswith("multipart/"):
        return False
    head = decode(part.body(BEGINNING)).lstrip() if _may_be_text(part) else ""
    if not _is_known(head.partition(":")[0].strip()):
        return False
    said = {name.lower(): value for name, value in read_fields(head) if _is_known(name)}
    # User-Agent and Version are required as well (RFC 5965 §3.1); forms on web sites have such fields, too
    kind = without_comments(said.get("feedback-type", "")[:200]).lower()
    return (kind in _REGISTERED and len(said) >= 3) or (kind != "" and len(said) >= 6)


def _is_known(name: str) -> bool:
    return name.lower() in _WIRE or name.lower() in _ARRIVAL


def _may_be_text(part: Part) -> bool:
    return part.content_type.startswith(("text/", "message/")) or part.content_type == "application/octet-stream"


def _is_notice(part: Part) -> bool:
    if part.content_type != "text/plain" or part.parts:
        return False
    head = part.text(BEGINNING).replace("\r\n", "\n")
    begin = _NOTICE.search(head)
    return begin is not None and _NOTICE_FIELD.search(head, begin.end()) is not None


def _find_sample(behind: Sequence[Part], anywhere: Sequence[Part]) -> Part | None:
    """The sample: what is labelled as one behind the report, else anywhere, else what begins like a header."""
    for parts in (behind, anywhere):
        for part in _flat(parts):
            if part.content_type in TYPES:
                return part
    for part in _flat(behind):
        if _may_be_text(part) and begins_with_header(part.body(BEGINNING)):
            return part
    return None


def _flat(parts: Sequence[Part]) -> Iterator[Part]:
    """The parts, and those of multiparts among them in their place; a loop, since a stranger chooses how deep."""
    waiting = [*reversed(parts)]
    while waiting:
        part = waiting.pop()
        if part.content_type.startswith("multipart/"):
            waiting.extend(reversed(part.parts))
        else:
            yield part


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
        return _open_notice(found.report, sample, sha256, context)
    fields = read_fields(decode(data))
    if not any(_is_known(name) for name, _ in fields):
        fields = _fields_of_header(found.report)
    if not fields:
        return Problem(_place(found.report), "the feedback part has no field of RFC 5965")
    return Text(fields, fields, sample, False, sha256)


def _fields_of_header(part: Part) -> list[list[str]]:
    """The report where the empty line in front of it is missing, so that it became the part's header."""
    fields = [field for field in read_fields(decode(part.headers.raw)) if _is_known(field[0])]
    return fields if any(name.lower() == "feedback-type" for name, _ in fields) else []


def _place(part: Part) -> str:
    return f"part {part.place}" if part.place else "message"


def _open_notice(part: Part, sample: Sample | None, sha256: str, context: Context) -> Text:
    """Exim's notice: fields in words, a line that announces the copy, and the copy in the same text or a part."""
    bounds = context.options.bounds
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
    return Text(fields, " ".join(said.split()), sample, True, sha256)


def _notice_fields(text: str) -> Iterator[tuple[str, str]]:
    for line in text.split("\n"):
        name, colon, value = line.partition(":")
        if colon:
            yield " ".join(name.split()), " ".join(value.split())


def _results(text: str) -> Iterator[tuple[str, str]]:
    return ((name, value) for name, value in _notice_fields(text) if name.lower() in _NOTICE_RESULTS)


# Values


def _whole(value: str) -> list[str]:
    return [value]


def _plain(value: str) -> list[str]:
    return [without_comments(value)]


def _listed(value: str) -> list[str]:
    """A list as RFC 7489 §7.3.1 writes Identity-Alignment; also for Auth-Failure, which is one word by RFC 6591."""
    return [word.strip() for word in without_comments(value).split(",")]


def _envelope_address(value: str) -> list[str]:
    return [bare_address(value)]


def _recipients(value: str) -> list[str]:
    """One by RFC 5965; some put several into one field."""
    several = [bare_address(one) for one in value.split(",")]
    return several if all("@" in one for one in several) else [bare_address(value)]


def _host_address(value: str) -> list[str]:
    """The address among comments and host names; as it stands when there is none."""
    for text in (without_comments(value), *_IN_BRACKETS.findall(value)):
        try:
            return [read_ip(text)]
        except ValueError:
            continue
    return [value]


_PREPARE: Mapping[str, Callable[[str], list[str]]] = {
    "feedback.type": _plain,
    "feedback.auth_failure": _listed,
    "feedback.delivery_result": _plain,
    "feedback.identity_alignment": _listed,
    "feedback.original_mail_from": _envelope_address,
    "feedback.original_rcpt_to": _recipients,
    "feedback.reported_domain": _plain,
    "feedback.dkim_domain": _plain,
    "feedback.dkim_selector": _plain,
    "feedback.incidents": _plain,
    "source.ip": _host_address,
    "source.port": _plain,
}


def _commented_host(value: str) -> str:
    """The host name that OpenDMARC puts behind the address as a comment; '' when there is none."""
    match = _COMMENT.search(value)
    host = "" if match is None else match.group(1)
    return host if "." in host and host[0] != "[" and not host.replace(".", "").isdigit() else ""


def _put_fields(draft: Draft, text: Text, options: Options) -> None:
    for name, value in text.fields:
        field = _WIRE.get(name.lower())
        if field is None or (options.sample == "none" and field.name in _RECIPIENTS):
            continue
        for one in _PREPARE.get(field.name, _whole)(value):
            # An empty MAIL FROM is the null reverse-path; anything else that is empty was not reported.
            if one or field.name == "feedback.original_mail_from":
                draft.put(field, one)
        if field.name == "source.ip":
            draft.set("source.domain", _commented_host(value))
    draft.fields["count"] = draft.fields.get("feedback.incidents") or 1


def _put_sample(draft: Draft, sample: Sample | None, options: Options) -> None:
    sender = draft.fields.get("feedback.original_mail_from")
    signals = signals_of(evidence(sample, sender))
    if signals:
        draft.fields["sample.signals"] = signals
    if sample is None or not sample.fields:
        return
    draft.fields["sample.headers_only"] = headers_only(sample)
    if sample.cut:
        draft.warn(f"sample: cut at bounds.part_bytes = {options.bounds.part_bytes}")
    if options.sample == "none":
        return
    _put_header(draft, sample)
    if files := attachments(sample):
        draft.fields["file"] = files
    if options.sample == "full" and (body := body_text(sample)):
        draft.fields["sample.body"] = body


def _put_header(draft: Draft, sample: Sample) -> None:
    headers = sample.mail.headers
    draft.set("sample.from", author(sample))
    for recipient in dict.fromkeys(addresses(sample.get("to") or "")):
        draft.set("sample.to", recipient)
    draft.set("sample.subject", headers.get("subject") or "")
    draft.set("sample.message_id", sample.get("message-id") or "")
    if (text := sample.get("date")) and (date := _read_date(draft, "sample.date", text)):
        draft.fields["sample.date"] = date
    header = header_text(sample)
    if len(header) > HEADERS_CHARS:
        draft.warn(f"sample.headers: cut after {HEADERS_CHARS} characters")
    draft.fields["sample.headers"] = header[:HEADERS_CHARS]


def _put_urls(draft: Draft, sample: Sample | None, options: Options) -> None:
    if options.sample == "none":
        return
    from ..values.urls import MAX_URLS, find_urls, host_of  # 3 ms, html and urllib.parse

    found = dict.fromkeys(find_urls(" ".join(draft.fields.get("feedback.reported_uri", ())), MAX_URLS))
    if sample is not None:
        found |= dict.fromkeys(urls(sample, MAX_URLS))
    for url in list(found)[:MAX_URLS]:
        draft.set("url.full", url)
    hosts = dict.fromkeys(host_of(url) for url in list(found)[:MAX_URLS])
    for host in hosts:
        draft.set("url.domain", host)


def _read_date(draft: Draft, name: str, text: str) -> str:
    try:
        return write_date(read_rfc5322(text))
    except ValueError:
        draft.fields[f"raw.{name}"] = clean(text)[: draft.limit]
        draft.warn(f"{name}: cannot be read")
        return ""


def _put_timestamp(draft: Draft, text: Text, envelope: Envelope) -> None:
    """Arrival of the failed message, else its own date, else the date of the report mail."""
    arrivals = [value for name, value in text.fields if name.lower() in _ARRIVAL and value]
    if len(arrivals) > 1:
        draft.warn("Arrival-Date: given more than once, the first counts")
    timestamp = _read_date(draft, "@timestamp", arrivals[0]) if arrivals else ""
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


# Documents


def _dataset(text: Text) -> Dataset:
    """Failure reports by their Feedback-Type; one that has none (malformed) by its Auth-Failure field."""
    names = {name.lower(): without_comments(value[:1000]).lower() for name, value in reversed(text.fields)}
    kind = names.get("feedback-type", "auth-failure" if "auth-failure" in names else "")
    return FAILURE if text.notice or kind == "auth-failure" else ARF


def _document(text: Text, context: Context) -> Document:
    dataset = _dataset(text)
    draft = Draft(context.options)
    _put_fields(draft, text, context.options)
    if not text.notice and "feedback.type" not in draft.fields:
        draft.warn("feedback.type: not reported")
    _put_sample(draft, text.sample, context.options)
    _put_urls(draft, text.sample, context.options)
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
    dated = any(name.lower() in _ARRIVAL and value for name, value in text.fields)
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
