"""A reported message as the desk sees it: one stored feedback document, flat and typed."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

DATASETS = ("dmarc-failure", "arf")


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

    @property
    def delivered(self) -> bool:
        """Whether the receiver says that it came through (RFC 6591 §3.2.2)."""
        return self.delivery_result in {"delivered", "spam"}


def from_source(id_: str, source: bytes | Mapping[str, Any]) -> Message:
    """The message of a stored document."""
    document = source if isinstance(source, Mapping) else json.loads(source)
    sample, feedback = _at(document, "sample"), _at(document, "feedback")
    place, url = _at(document, "source"), _at(document, "url")
    return Message(
        id_,
        document.get("@timestamp", ""),
        document.get("class", ""),
        document.get("count", 1),
        place.get("ip", ""),
        _at(place, "as").get("number", 0),
        _at(_at(place, "as"), "organization").get("name", ""),
        _at(place, "geo").get("country_iso_code", ""),
        sample.get("subject", ""),
        sample.get("from", ""),
        feedback.get("original_mail_from", ""),
        tuple(dict.fromkeys([*feedback.get("original_rcpt_to", ()), *sample.get("to", ())])),
        tuple(url.get("full", ())),
        tuple(url.get("domain", ())),
        tuple(_files(document.get("file", ()))),
        feedback.get("delivery_result", ""),
        tuple(feedback.get("reported_domain", ())),
        sample.get("message_id", ""),
        sample.get("headers", ""),
        sample.get("body", ""),
        _at(document, "report").get("feed", ""),
    )


def _at(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object within; an empty one where there is none."""
    value: Mapping[str, Any] = document.get(name) or {}
    return value


def _files(files: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for one in files:
        yield one.get("name", ""), _at(one, "hash").get("sha256", "")
