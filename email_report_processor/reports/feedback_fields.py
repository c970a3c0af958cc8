"""What a feedback report and its sample say, as fields of a document (RFC 5965 §3, RFC 6591 §3, RFC 6692).

Every value goes through its field's type; what cannot be read becomes `raw` and a warning.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..documents.datasets import FAILURE
from ..message.mail import addresses
from ..values.dates import read_rfc5322, without_comments
from ..values.fields import Field, Fields, believed, clean, read_ip, write_date
from ..values.patterns import pattern
from .report import Options
from .sample import (
    HEADERS_CHARS,
    Sample,
    attachments,
    author,
    bare_address,
    body_text,
    evidence,
    header_text,
    headers_only,
    urls,
)
from .signals import signals_of

ARRIVAL = ("arrival-date", "received-date")  # the second is historic (RFC 5965 §3.2); Yahoo uses it
VALUES = 100  # of one field that may be repeated

# The fields of a feedback part, by their name on the wire.
_WIRE: Mapping[str, Field] = {
    field.wire.lower(): field
    for field in FAILURE.fields
    if field.wire and (field.name.startswith("feedback.") or field.name in {"source.ip", "source.port"})
}
_BY_NAME = FAILURE.by_name
_RECIPIENTS = frozenset({"feedback.original_rcpt_to", "feedback.reported_uri"})
_BETWEEN = pattern(r"[\s,;]+")
_ADDRESS_TYPE = pattern(r"(?i)\A\s*rfc822\s*;")  # as in delivery status notifications (RFC 3464 §2.3.1)
_COMMENT = pattern(r"\(([^()\s]{3,253})\)")
_IN_BRACKETS = pattern(r"[\[(]([0-9A-Fa-f.:]{2,45})[\])]")


def is_known(name: str) -> bool:
    """Whether a name is one of a field of a feedback part, in any case."""
    return name.lower() in _WIRE or name.lower() in ARRIVAL


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
            value = believed(self._read(field, self.cut(field.name, text)), field.type, self.max_count)
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

    def _read(self, field: Field, text: str) -> Any:
        try:
            return field.type.read(text)
        except ValueError:
            if not field.type.repair:
                raise
        from ..values.repairs import read_or_repair  # 1 ms, only for what cannot be read as it stands

        value, done = read_or_repair(field.type, text)
        self.warn(f"{field.name}: {done}")
        return value

    def cut(self, name: str, text: str) -> str:
        """The text within the bound for strings."""
        if len(text) > self.limit:
            self.warn(f"{name}: cut at bounds.string_chars = {self.limit}")
        return text[: self.limit]

    def set(self, name: str, text: str) -> None:
        """Put a value that comes from elsewhere than the feedback part; nothing when there is none."""
        if text:
            self.put(FAILURE.by_name[name], text)


# The feedback part


def _whole(value: str) -> list[str]:
    return [value]


def _plain(value: str) -> list[str]:
    return [without_comments(value)]


def type_of(value: str) -> str:
    """A Feedback-Type as the registry has it (RFC 5965 §7.3)."""
    return without_comments(value[:1000]).strip(" \"';,.").replace("_", "-").lower()


def _type(value: str) -> list[str]:
    return [type_of(value)]


def _domains(value: str) -> list[str]:
    """One by RFC 5965; some put several into one field."""
    return [domain for domain in _BETWEEN.split(without_comments(value)) if domain]


def _uri(value: str) -> list[str]:
    return [value.strip("<> ")]


def _listed(value: str) -> list[str]:
    """A list as RFC 7489 §7.3.1 writes Identity-Alignment; also for Auth-Failure, which is one word by RFC 6591."""
    return [word.strip() for word in without_comments(value).split(",")]


def _envelope_address(value: str) -> list[str]:
    return [bare_address(_ADDRESS_TYPE.sub("", value))]


def _recipients(value: str) -> list[str]:
    """One by RFC 5965; some put several into one field."""
    several = [address for one in value.split(",") for address in _envelope_address(one)]
    return several if all("@" in one for one in several) else _envelope_address(value)


def _host_address(value: str) -> list[str]:
    """The address among comments and host names; as it stands when there is none."""
    for text in (without_comments(value), *_IN_BRACKETS.findall(value)):
        try:
            return [read_ip(text)]
        except ValueError:
            continue
    return [value]


_PREPARE: Mapping[str, Callable[[str], list[str]]] = {
    "feedback.type": _type,
    "feedback.auth_failure": _listed,
    "feedback.delivery_result": _plain,
    "feedback.identity_alignment": _listed,
    "feedback.original_mail_from": _envelope_address,
    "feedback.original_rcpt_to": _recipients,
    "feedback.reported_domain": _domains,
    "feedback.reported_uri": _uri,
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


def put_fields(draft: Draft, fields: Sequence[Sequence[str]], options: Options) -> None:
    """The fields of the feedback part, [name, value] each."""
    for name, value in fields:
        field = _WIRE.get(name.lower())
        if field is None or (options.sample == "none" and field.name in _RECIPIENTS):
            continue
        for one in _PREPARE.get(field.name, _whole)(value):
            # An empty MAIL FROM is the null reverse-path; anything else that is empty was not reported.
            if one or field.name == "feedback.original_mail_from":
                draft.put(field, one)
        if field.name == "source.ip":
            draft.set("source.domain", _commented_host(value))


def put_values(draft: Draft, values: Sequence[tuple[str, str]], options: Options) -> None:
    """Values that do not come from the feedback part, by the name of their field; what stands there already counts."""
    there = frozenset(draft.fields)
    for name, value in dict.fromkeys(values):
        if name in there or (options.sample == "none" and name in _RECIPIENTS):
            continue
        for one in _PREPARE.get(name, _whole)(value):
            draft.put(_BY_NAME[name], one)


# The sample


def put_sample(draft: Draft, sample: Sample | None, options: Options) -> None:
    """What is stored of the sample, by `Options.sample`; its signals whatever that is."""
    sender = draft.fields.get("feedback.original_mail_from")
    signals = signals_of(evidence(sample, sender, draft.fields.get("feedback.authentication_results", ())))
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
    if (text := sample.get("date")) and (date := read_date(draft, "sample.date", text)):
        draft.fields["sample.date"] = date
    header = header_text(sample)
    if len(header) > HEADERS_CHARS:
        draft.warn(f"sample.headers: cut after {HEADERS_CHARS} characters")
    draft.fields["sample.headers"] = header[:HEADERS_CHARS]


def put_urls(draft: Draft, sample: Sample | None, options: Options) -> None:
    """URLs that the report names, then those in the texts of the sample."""
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


def read_date(draft: Draft, name: str, text: str) -> str:
    """A date as the store has it; '' when it cannot be read, which is said."""
    try:
        return write_date(read_rfc5322(text))
    except ValueError:
        draft.fields[f"raw.{name}"] = clean(text)[: draft.limit]
        draft.warn(f"{name}: cannot be read")
        return ""
