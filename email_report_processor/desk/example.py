"""Some reports of ours, made up: what `email-report-admin demo` adds to the weeks of `pages.example`. Pure."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from ..documents.document import Document, make_id
from ..values.fields import Fields, write_date
from .events import Event, Incident

_MOST = 6  # messages of one report
# AS -> days until the network reacted, and how; (0, '') never.
_REACTIONS = {65536: (0, ""), 65537: (2, "solved"), 65538: (1, "person")}
_SAID = {"solved": "The host was taken off the net.", "person": "Thank you, we look into it."}


def events(documents: Iterable[Document], last: datetime) -> Iterator[Event]:
    """What became of a report to each of these networks. last: the last day of the documents."""
    spoofs: dict[int, list[Document]] = {}
    for one in documents:
        system = one.fields.get("source.as.number", 0)
        old = one.fields["@timestamp"] < write_date(last - timedelta(days=6))
        if one.dataset == "dmarc-failure" and one.fields.get("class") == "spoof" and system in _REACTIONS and old:
            spoofs.setdefault(system, []).append(one)
    for system, some in sorted(spoofs.items()):
        newest = sorted(some, key=lambda one: one.fields["@timestamp"])[-_MOST:]
        yield from _happened(_incident(system, newest), *_REACTIONS[system])


def _incident(system: int, documents: list[Document]) -> Incident:
    fields: list[Fields] = [one.fields for one in documents]
    first = fields[0]
    domain = first["source.as.organization.name"].split()[0].lower() + ".example"
    letters = str.maketrans("0189", "abcd")
    return Incident(
        token=make_id("example", system)[:20].translate(letters),
        contact=f"abuse@{domain}",
        begin=first["@timestamp"],
        end=fields[-1]["@timestamp"],
        address=first["source.ip"],
        count=len(documents),
        via="rdap",
        as_number=system,
        as_name=first["source.as.organization.name"],
        country=first["source.geo.country_iso_code"],
        domains=tuple(dict.fromkeys(name for one in fields for name in one["feedback.reported_domain"])),
        addresses=tuple(dict.fromkeys(one["source.ip"] for one in fields)),
        documents=tuple(one.id for one in documents),
    )


def _happened(about: Incident, days: int, outcome: str) -> Iterator[Event]:
    sent = datetime.fromisoformat(about.end) + timedelta(hours=1)
    yield Event("prepared", about, write_date(sent - timedelta(minutes=10)), "ana")
    yield Event("sent", about, write_date(sent), "sam", message_id=f"abuse.{about.token}@example.org")
    if outcome:
        said = _SAID[outcome]
        id_ = f"{about.token}@{about.contact.rpartition('@')[2]}"
        at = write_date(sent + timedelta(days=days))
        yield Event("answered", about, at, outcome=outcome, sender=about.contact, message_id=id_, text=said)
