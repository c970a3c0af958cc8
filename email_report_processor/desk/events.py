"""What happens to a report of ours: events that never change, documents of the dataset `abuse`.

An event's id is what it is about: the same bounce read twice, or a report that is sent again after a crash, changes
nothing. All events of one report lie in the index of its first message, so that no id is in two indices. Pure.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from ..documents.datasets import ABUSE, SCHEMA_VERSION
from ..documents.document import make_id
from ..documents.encode import decode, encode
from ..process import Layout
from ..process import index as index_of
from ..stores.store import Row
from ..values.fields import Fields, clean, clean_lines

Action = Literal["prepared", "sent", "bounced", "answered", "closed"]
Kind = Literal["fraud", "abuse"]

LONGEST_REASON = 500  # characters
LONGEST_TEXT = 4000  # of an answer


class Incident(NamedTuple):
    """What one report is about: messages of one network that belong together, for one contact."""

    token: str  # names the report; what answers bring back
    contact: str  # address
    begin: str  # RFC 3339: the first message
    end: str  # the last one
    address: str  # that the report names first (Source-IP)
    count: int = 1  # type: ignore[assignment]  # messages; nobody counts in an Incident
    kind: Kind = "fraud"
    network: str = ""  # as the registry has it: 192.0.2.0/24, or the first and last address
    via: str = ""  # how the contact was found: settings, rdap, abusix
    campaign: str = ""
    as_number: int = 0
    as_name: str = ""
    country: str = ""  # ISO 3166-1
    domains: tuple[str, ...] = ()  # ours, that the messages claimed to be from
    hosts: tuple[str, ...] = ()  # of the URLs
    addresses: tuple[str, ...] = ()  # of the network, that sent them; only prepared and sent have them
    documents: tuple[str, ...] = ()  # ids of the messages; only prepared and sent have them


class Event(NamedTuple):
    """One thing that happened to a report."""

    action: Action
    incident: Incident
    at: str  # RFC 3339
    by: str = ""  # a user, or `search NAME`
    outcome: str = ""  # see the field abuse.outcome
    reason: str = ""
    status: str = ""  # of a bounce (RFC 3463)
    sender: str = ""  # who answered, or whom a bounce is about
    message_id: str = ""  # of the report, the bounce or the answer
    form: str = ""  # URL of a web form
    text: str = ""  # the beginning of an answer


def event_id(event: Event) -> str:
    """What the event is about: a report is prepared and sent once, and answered once by each message."""
    what: dict[str, tuple[str, ...]] = {
        "prepared": (),
        "sent": (),
        "bounced": (event.message_id,),
        "answered": (event.message_id,),
        "closed": (event.by, event.outcome),
    }
    return make_id(ABUSE.name, event.action, event.incident.token, *what[event.action])


def to_row(event: Event, *, now: str, layout: Layout) -> Row:
    """The document of an event. now: RFC 3339."""
    fields = {**_fields(event), "event.ingested": now}
    return Row(index_of(ABUSE.name, event.incident.begin, now, layout), event_id(event), encode(fields))


def _fields(event: Event) -> Fields:
    """What is not known is absent."""
    about = event.incident
    whole = event.action in {"prepared", "sent"}
    said = {
        "@timestamp": event.at,
        "event.dataset": ABUSE.name,
        "schema_version": SCHEMA_VERSION,
        "event.action": event.action,
        "event.reason": clean(event.reason)[:LONGEST_REASON],
        "user.name": event.by,
        "report.id": about.token,
        "report.begin": about.begin,
        "report.end": about.end,
        "feedback.type": about.kind,
        "feedback.reported_domain": list(about.domains),
        "count": about.count,
        "source.ip": about.address,
        "source.as.number": about.as_number,
        "source.as.organization.name": about.as_name,
        "source.geo.country_iso_code": about.country,
        "url.domain": list(about.hosts),
        "abuse.contact": about.contact,
        "abuse.via": about.via,
        "abuse.network": about.network,
        "abuse.campaign": about.campaign,
        "abuse.address": list(about.addresses) if whole else [],
        "abuse.document": list(about.documents) if whole else [],
        "abuse.outcome": event.outcome,
        "abuse.status": event.status,
        "abuse.from": clean(event.sender)[:LONGEST_REASON],
        "abuse.message_id": clean(event.message_id)[:LONGEST_REASON],
        "abuse.form": clean(event.form)[:2000],
        "abuse.text": clean_lines(event.text)[:LONGEST_TEXT].strip(),
    }
    return {name: value for name, value in said.items() if value not in ("", 0, [])}


def from_row(row: Row) -> Event:
    """The event of a stored document. Raises ValueError when it is none."""
    fields = decode(row.source)
    if fields.get("event.action") not in {"prepared", "sent", "bounced", "answered", "closed"}:
        raise ValueError(f"document {row.id} is no event of a report")

    def text(name: str) -> str:
        return str(fields.get(name, ""))

    return Event(
        fields["event.action"],
        _incident(fields),
        text("@timestamp"),
        text("user.name"),
        text("abuse.outcome"),
        text("event.reason"),
        text("abuse.status"),
        text("abuse.from"),
        text("abuse.message_id"),
        text("abuse.form"),
        text("abuse.text"),
    )


def _incident(fields: Mapping[str, Any]) -> Incident:
    def text(name: str) -> str:
        return str(fields.get(name, ""))

    return Incident(
        text("report.id"),
        text("abuse.contact"),
        text("report.begin"),
        text("report.end"),
        text("source.ip"),
        fields.get("count", 1),
        "abuse" if fields.get("feedback.type") == "abuse" else "fraud",
        text("abuse.network"),
        text("abuse.via"),
        text("abuse.campaign"),
        fields.get("source.as.number", 0),
        text("source.as.organization.name"),
        text("source.geo.country_iso_code"),
        tuple(fields.get("feedback.reported_domain", ())),
        tuple(fields.get("url.domain", ())),
        tuple(fields.get("abuse.address", ())),
        tuple(fields.get("abuse.document", ())),
    )
