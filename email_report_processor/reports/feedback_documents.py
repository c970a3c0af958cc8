"""From what a feedback report says to its documents: a row, and the `report` document."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from ..documents.datasets import ARF, FAILURE, REPORT, SCHEMA_VERSION, Dataset
from ..documents.document import Document, make_id, sum_ids
from ..message.mail import domain_of
from ..values import authres
from ..values.dates import read_rfc5322
from ..values.fields import Fields, read_domain, write_date
from .feedback_fields import ARRIVAL, Draft, put_fields, put_sample, put_urls, put_values, read_date, type_of
from .report import Context, Envelope, Report
from .sample import Sample, author

if TYPE_CHECKING:
    from .xarf import Xarf

# Fields of the first document that the report has, too.
_OF_THE_FIRST = ("@timestamp", "report.format", "report.id", "report.org_name", "report.email")


class Raw(NamedTuple):
    """What is said of a message that nobody reported: it came through a feed of messages (see raw_message)."""

    kind: str  # of the feed
    domains: tuple[str, ...]  # of ours, that it is about
    problems: tuple[str, ...]  # what in it could not be opened


class Text(NamedTuple):
    """The report itself, read."""

    fields: Sequence[Sequence[str]]  # [name, value]
    canonical: object  # what its id is made of
    sample: Sample | None
    notice: bool
    sha256: str  # of the part that it was read from
    samples: int = 1  # messages beside it, of which the first is the sample
    xarf: "Xarf | None" = None
    raw: Raw | None = None


def _put_timestamp(draft: Draft, text: Text, envelope: Envelope) -> str:
    """Arrival of the failed message, else its own date, else the date of the report mail.

    Returns the date that every copy of the report has: that of the report mail only where the id is of this mail.
    """
    arrival = _arrival(draft, text)
    written = "" if text.sample is None else _quiet_date(text.sample.get("date") or "")
    said = arrival or written
    timestamp = next(
        (date for date, most in ((arrival, _ARRIVED), (written, _WRITTEN)) if _is_near(date, envelope, most)), ""
    )
    if said and said != timestamp:
        draft.warn(f"@timestamp: {said} is too far from the date of the report mail")
    if not timestamp and (timestamp := envelope.received) and not said:
        draft.warn("@timestamp: neither an arrival nor a date of the sample, taken from the report mail")
    if timestamp:
        draft.fields["@timestamp"] = timestamp
    else:
        draft.warn("@timestamp: when it was stored, as there is no date anywhere")
    return said or (envelope.date if envelope.received and envelope.message_id and not _named(text) else "")


def _arrival(draft: Draft, text: Text) -> str:
    arrivals = [value for name, value in text.fields if name.lower() in ARRIVAL and value]
    if not arrivals and text.xarf is not None and text.xarf.date:
        arrivals = [text.xarf.date]
    if len(arrivals) > 1:
        draft.warn("Arrival-Date: given more than once, the first counts")
    return read_date(draft, "@timestamp", arrivals[0]) if arrivals else ""


# How long before its report a message may have arrived (a complaint comes when somebody reads it), and be dated by its
# sender, who may write anything.
_ARRIVED, _WRITTEN = timedelta(days=400), timedelta(days=30)
_AHEAD = timedelta(days=2)  # zones, and clocks that are wrong


def _is_near(date: str, envelope: Envelope, before: timedelta) -> bool:
    if not (date and envelope.received):
        return date != ""
    return -before <= datetime.fromisoformat(date) - datetime.fromisoformat(envelope.received) <= _AHEAD


def _quiet_date(text: str) -> str:
    try:
        return write_date(read_rfc5322(text))
    except ValueError:
        return ""


def _dataset(text: Text) -> Dataset:
    """Failure reports by their Feedback-Type; one that has none (malformed) by its Auth-Failure field."""
    names = {name.lower(): value for name, value in reversed(text.fields)}
    kind = type_of(names.get("feedback-type", "auth-failure" if "auth-failure" in names else ""))
    return FAILURE if text.notice or text.raw or kind == "auth-failure" else ARF


def _document(text: Text, context: Context) -> Document:
    dataset = _dataset(text)
    draft = Draft(context.options)
    put_fields(draft, text.fields, context.options)
    if text.raw is not None:
        _put_raw(draft, text.raw)
    elif not text.notice and "feedback.type" not in draft.fields:
        draft.warn("feedback.type: not reported")
    if text.xarf is not None:
        put_values(draft, text.xarf.values, context.options)
        draft.warnings += text.xarf.warnings
    draft.fields["count"] = draft.fields.get("feedback.incidents") or 1
    if text.samples > 1:
        draft.warn(f"sample: the first of {text.samples} messages is used")
    put_sample(draft, text.sample, context.options)
    put_urls(draft, text.sample, context.options)
    date = _put_timestamp(draft, text, context.envelope)
    if context.options.redaction.mode != "none":
        _redact(draft, text, context)
    fields = _common(dataset.name, context) | draft.fields
    if not text.notice:
        fields["report.format"] = _format(dataset, text)
    if draft.warnings:
        fields["warnings"] = draft.warnings
    return Document(dataset.name, _id(dataset, text, context.envelope), fields, date=date)


def _redact(draft: Draft, text: Text, context: Context) -> None:
    from .redacting import redact_document  # 2 ms, only where the site hides addresses

    header = "" if text.sample is None else text.sample.header.replace("\r\n", "\n")
    recipients = [one for name, value in text.fields if name.lower() == "original-rcpt-to" for one in value.split(",")]
    redact_document(draft.fields, header, recipients, context.options.redaction)


def _put_raw(draft: Draft, raw: Raw) -> None:
    draft.set("report.feed_kind", raw.kind)
    for domain in raw.domains:
        draft.set("feedback.reported_domain", domain)
    for problem in raw.problems:
        draft.warn(f"sample: {problem}")


def _format(dataset: Dataset, text: Text) -> str:
    if text.xarf is not None:
        return "xarf"
    if text.raw is not None:
        return "rfc5322"
    return "rfc6591" if dataset is FAILURE else "rfc5965"


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
    if text.raw is not None:
        return make_id(dataset.name, text.canonical)
    sample = [] if text.sample is None else text.sample.fields
    message = [] if _named(text) else [envelope.message_id]
    return make_id(dataset.name, text.canonical, sample, *message)


def _named(text: Text) -> bool:
    """Whether the report tells which failed message it is about; if not, its mail has to tell it from others."""
    dated = any(name.lower() in ARRIVAL and value for name, value in text.fields)
    named = text.sample is not None and text.sample.get("message-id")
    return bool(dated or named or (text.xarf and text.xarf.date))


def report_of(texts: Sequence[Text], context: Context) -> Report:
    once = {document.id: (document, text) for document, text in ((_document(text, context), text) for text in texts)}
    documents = tuple(document for document, _ in once.values())
    first = documents[0]
    head = _common(REPORT.name, context)
    head |= {name: first.fields[name] for name in _OF_THE_FIRST if name in first.fields}
    head["report.dataset"] = first.dataset
    head["report.sha256"] = texts[0].sha256
    head["report.identity"] = make_id(first.dataset, *sorted(document.id for document in documents))
    head["rows"] = len(documents)
    if any(text.xarf is not None and text.xarf.salvaged for text in texts):
        head["salvaged"] = True
    head["messages"] = sum(document.fields["count"] for document in documents)
    if domains := _domains(once.values()):
        head["report.domain"] = domains
    if warnings := dict.fromkeys(warning for document in documents for warning in document.fields.get("warnings", ())):
        head["warnings"] = list(warnings)
    last = make_id(REPORT.name, head["report.identity"], sum_ids(document.id for document in documents))

    def stream() -> Iterator[Document]:
        date = min(document.date for document in documents)  # whatever their order
        for document in (*documents, Document(REPORT.name, last, head, date=date)):
            yield document._replace(own=dict(document.own))

    return Report(first.dataset, head, len(documents), stream)


def _domains(pairs: Iterable[tuple[Document, Text]]) -> list[str]:
    """What the reports are about: Reported-Domain, else the hosts that X-ARF names, else the author's domain."""
    found: dict[str, None] = {}
    for document, text in pairs:
        domains = document.own.get("feedback.reported_domain", ())
        if not domains and text.xarf is not None:
            domains = _hosts(document.own.get("feedback.reported_uri", ()))
        if not domains and text.sample is not None and text.raw is None:
            domains = (read_domain(domain_of(author(text.sample))),)
        found |= dict.fromkeys(domains)
    found.pop("", None)
    return list(found)


def _hosts(urls: Iterable[str]) -> list[str]:
    from ..values.urls import host_of  # 3 ms, html and urllib.parse

    return [host_of(url) for url in urls]
