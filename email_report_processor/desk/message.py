"""A reported message as the desk sees it: one stored feedback document, flat and typed."""

from typing import NamedTuple

from ..documents.encode import decode
from ..stores.store import Row

DATASETS = ("dmarc-failure", "arf")
# What many messages are looked at by: all that `from_row` reads, without what is large.
BRIEF = (
    "@timestamp",
    "class",
    "count",
    "source.ip",
    "source.as.number",
    "source.as.organization.name",
    "source.geo.country_iso_code",
    "sample.subject",
    "sample.from",
    "feedback.original_rcpt_to",
    "sample.to",
    "url.full",
    "url.domain",
    "file",
    "feedback.delivery_result",
    "feedback.reported_domain",
)


class Message(NamedTuple):
    """What the desk looks at of one document. Texts are '' and lists () where the report said nothing."""

    id: str
    at: str  # RFC 3339: when the message arrived, as the document's @timestamp
    class_: str = ""
    count: int = 1  # type: ignore[assignment]  # messages that the report stands for; nobody counts in a Message
    source_ip: str = ""
    as_number: int = 0
    as_name: str = ""
    country: str = ""  # ISO 3166-1
    subject: str = ""
    from_: str = ""
    mail_from: str = ""
    recipients: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    files: tuple[tuple[str, str], ...] = ()  # name, SHA-256
    delivery_result: str = ""
    reported_domains: tuple[str, ...] = ()
    message_id: str = ""
    headers: str = ""
    body: str = ""
    feed: str = ""
    user_agent: str = ""  # the program that made the report about it
    port: int = 0  # TCP port of the sending host, 0 unknown
    reporter: str = ""  # address of who reports, where the format has one (X-ARF)

    @property
    def delivered(self) -> bool:
        """Whether the receiver says that it came through (RFC 6591 §3.2.2)."""
        return self.delivery_result in {"delivered", "spam"}


def from_row(row: Row) -> Message:
    """The message of a stored document."""
    fields = decode(row.source)

    def text(name: str) -> str:
        return str(fields.get(name, ""))

    return Message(
        row.id,
        text("@timestamp"),
        text("class"),
        fields.get("count", 1),
        text("source.ip"),
        fields.get("source.as.number", 0),
        text("source.as.organization.name"),
        text("source.geo.country_iso_code"),
        text("sample.subject"),
        text("sample.from"),
        text("feedback.original_mail_from"),
        tuple(dict.fromkeys([*fields.get("feedback.original_rcpt_to", ()), *fields.get("sample.to", ())])),
        tuple(fields.get("url.full", ())),
        tuple(fields.get("url.domain", ())),
        tuple((one.get("name", ""), one.get("hash", {}).get("sha256", "")) for one in fields.get("file", ())),
        text("feedback.delivery_result"),
        tuple(fields.get("feedback.reported_domain", ())),
        text("sample.message_id"),
        text("sample.headers"),
        text("sample.body"),
        text("report.feed"),
        text("feedback.user_agent"),
        fields.get("source.port", 0),
        text("report.email"),
    )
