"""What became of our reports, of the messages in them, and of the contacts: all of it read from the events.

Nothing else remembers: whoever asks reads the events, and two who ask see the same.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from ..documents.datasets import ABUSE
from ..stores.query import And, Between, Ids, Node, Or, Text, field_of
from ..stores.store import Selection, Store
from .events import Action, Event, Incident, from_row

# From the weakest to the strongest: what is said of a report is the strongest that happened to it.
State = Literal["prepared", "sent", "silent", "bounced", "answered", "solved", "closed"]
Reach = Literal["open", "unreachable", "form", "dead"]

ORDER: tuple[Action, ...] = ("prepared", "sent", "bounced", "answered", "closed")
REACTIONS = frozenset({"person", "solved", "ticket"})  # of an answer: somebody, or something of theirs, took it up
# Of a bounce: another contact may be told, or the same once more. Who refuses a report, or whose mailbox is full, is
# there, and would refuse it again and again.
LOST = frozenset({"dead", "loop", "form", "unreachable"})
_PARTLY = "member"  # of a bounce: somebody behind the contact did not get it, others may have


class Standing(NamedTuple):
    """One report, and what became of it so far."""

    incident: Incident
    state: State
    events: tuple[Event, ...]  # oldest first

    def first(self, action: str) -> Event | None:
        """The first event of an action."""
        return next((one for one in self.events if one.action == action), None)

    @property
    def sent(self) -> str:
        """When it was sent, RFC 3339; '' when it was not."""
        event = self.first("sent")
        return event.at if event else ""

    @property
    def reaction(self) -> Event | None:
        """The first answer of a person or of a ticket system, or that it was closed as solved."""
        return next((one for one in self.events if _reacts(one)), None)

    @property
    def reacted(self) -> bool:
        """Whether the network reacted."""
        return self.reaction is not None


class Contact(NamedTuple):
    """What is known of an address that we write to."""

    address: str
    reach: Reach  # open: nothing speaks against writing
    since: str = ""  # when it became so, RFC 3339
    reason: str = ""
    form: str = ""  # URL of a web form that it asks to use
    sent: int = 0  # reports
    reacted: int = 0
    last: str = ""  # the last report, RFC 3339


def _reacts(event: Event) -> bool:
    if event.action == "answered":
        return event.outcome in REACTIONS
    return event.action == "closed" and event.outcome == "solved"


# Asking the store


def read(store: Store, node: Node = And()) -> list[Event]:  # noqa: B008  # a tuple without terms: every event
    """Events that fit, oldest first. Raises StoreError."""
    found = store.select(Selection(node, (ABUSE.name,)))
    return sorted((from_row(one.row) for one in found), key=_order)


def _order(event: Event) -> tuple[str, int]:
    """Of one second, as one follows the other."""
    return event.at, ORDER.index(event.action)


def of_message(store: Store, id_: str) -> list[Event]:
    """All events of the reports about one message, by the id of its document. Raises StoreError."""
    tokens = {one.incident.token for one in read(store, Text(field_of("abuse.document"), (id_,)))}
    return read(store, Or(tuple(Text(field_of("report.id"), (token,)) for token in sorted(tokens)))) if tokens else []


def of(store: Store, name: str, value: str | int) -> list[Event]:
    """All events of the reports with one value of a field that every event has. Raises StoreError, KeyError.

    name: report.id, abuse.contact, abuse.network, abuse.campaign, or source.as.number.
    """
    field = field_of(name)
    return read(store, Between(field, value, value) if isinstance(value, int) else Text(field, (value,)))


def reported(events: Iterable[Event]) -> dict[str, str]:
    """Document id -> token of the report that was sent about it. One that met nobody does not count: see LOST."""
    events = list(events)
    lost = {one.incident.token for one in events if one.action == "bounced" and one.outcome in LOST}
    reached = {one.incident.token for one in events if one.action == "answered" and one.outcome in REACTIONS}
    sent = [one.incident for one in events if one.action == "sent" and one.incident.token not in lost - reached]
    return {id_: one.token for one in sent for id_ in one.documents}


def earlier(events: Iterable[Event]) -> dict[str, int]:
    """Document id -> how many reports about it came to nothing: they bounced, or were dropped before they were sent."""
    events = list(events)
    standing = set(reported(events).values())
    ended = (one for one in events if one.action in {"bounced", "closed"} and one.outcome != _PARTLY)
    over = {one.incident.token for one in ended} - standing
    found: dict[str, set[str]] = {}
    for one in events:
        if one.incident.token in over:
            for id_ in one.incident.documents:
                found.setdefault(id_, set()).add(one.incident.token)
    return {id_: len(tokens) for id_, tokens in found.items()}


def flags(events: Iterable[Event]) -> Mapping[str, Node]:
    """Words of the query language: `reported`, and its opposite `-reported`."""
    return {"reported": Ids(frozenset(reported(events)))}


def flags_of(text: str, store: Store) -> Mapping[str, Node]:
    """The flags for a query; the store is asked only where the query has such a word. Raises StoreError."""
    return flags(read(store)) if "reported" in text.lower() else {}


# What became of it


def standings(events: Iterable[Event], now: datetime, silent_days: float = 14) -> list[Standing]:
    """Reports, the newest first. silent_days: without an answer for so long a network is silent."""
    grouped: dict[str, list[Event]] = {}
    for event in events:
        grouped.setdefault(event.incident.token, []).append(event)
    found = [_standing(sorted(one, key=_order), now, silent_days) for one in grouped.values()]
    return sorted(found, key=lambda one: (one.events[0].at, one.incident.token), reverse=True)


def _standing(events: list[Event], now: datetime, silent_days: float) -> Standing:
    whole = next((one for one in events if one.incident.documents), events[0])
    return Standing(whole.incident, _state(events, now, silent_days), tuple(events))


def _state(events: list[Event], now: datetime, silent_days: float) -> State:
    actions = {one.action for one in events}
    if "closed" in actions:
        return "closed"
    answers = {one.outcome for one in events if one.action == "answered"}
    if "solved" in answers:
        return "solved"
    if answers & REACTIONS:
        return "answered"
    if any(one.action == "bounced" and one.outcome != _PARTLY for one in events):
        return "bounced"
    sent = [one.at for one in events if one.action == "sent"]
    if not sent:
        return "prepared"
    return "silent" if now - datetime.fromisoformat(sent[0]) >= timedelta(days=silent_days) else "sent"


def contacts(events: Iterable[Event], now: datetime, dead_days: float = 90) -> dict[str, Contact]:
    """Address -> what is known of it. dead_days: a bounce counts for so long, then the address is tried again."""
    grouped: dict[str, list[Event]] = {}
    for event in sorted(events, key=_order):
        if event.incident.contact:
            grouped.setdefault(event.incident.contact, []).append(event)
    return {address: _contact(address, one, now, dead_days) for address, one in grouped.items()}


def _contact(address: str, events: list[Event], now: datetime, dead_days: float) -> Contact:
    """What the last word says; who asked for a web form is believed for as long as who is dead."""
    known = Contact(address, "open")
    for event in _words(events):
        old = now - datetime.fromisoformat(event.at) > timedelta(days=dead_days)
        known = known if old else _after(known, event)
    sent = [one.at for one in events if one.action == "sent"]
    reacted = {one.incident.token for one in events if one.action == "answered" and one.outcome in REACTIONS}
    return known._replace(sent=len(sent), reacted=len(reacted), last=sent[-1] if sent else "")


def _words(events: Iterable[Event]) -> Iterator[Event]:
    return (one for one in events if one.action in {"bounced", "answered"})


def _after(known: Contact, event: Event) -> Contact:
    """The contact after an event."""
    heard = known._replace(since=event.at, reason=event.reason)
    match event.action, event.outcome:
        case "bounced", "dead" | "loop":
            return heard._replace(reach="dead")
        case "bounced", "unreachable":  # once may be a bad week of theirs
            return heard._replace(reach="dead" if known.reach in {"unreachable", "dead"} else "unreachable")
        case _, "form":
            return heard._replace(reach="form", form=event.form)
        case "answered", "person" | "solved" | "ticket":
            return Contact(known.address, "open")
    return known


def sent_within(events: Iterable[Event], contact: str, now: datetime, span: timedelta = timedelta(days=1)) -> int:
    """How many reports a contact was sent lately: for the daily limit."""
    since = now - span
    return sum(
        1
        for one in events
        if one.action == "sent" and one.incident.contact == contact and datetime.fromisoformat(one.at) > since
    )
