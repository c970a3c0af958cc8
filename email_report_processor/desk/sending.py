"""Reports leave: a draft that somebody looked at, or one of a saved search that may send by itself.

The mail server takes it, that is written down beside the draft, the event is stored, copies go out, the draft is gone.
Whoever is killed in between goes on from there; between the mail server and the disk the report may be sent again,
under the same Message-ID. What a mail server did not take is owed, and nowhere marked as sent.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from ..alerts.channels import ChannelError, hand_over
from ..alerts.options import AlertOptions
from ..values.fields import write_date
from . import drafts, history
from .drafts import Held
from .events import Event
from .report import message_id, reply_address
from .reporting import Desk, ReportingError, write_events

SEARCH = "search "  # before the name of a saved search that sent by itself
_GIVES_UP = 2  # drafts after each other that the mail server did not take


class Result(NamedTuple):
    """What became of one draft."""

    token: str
    contact: str
    state: Literal["sent", "waits", "failed"]
    text: str = ""  # why it waits, or what went wrong


Post = Callable[[bytes, str, Sequence[str], AlertOptions], None]


def send_reports(desk: Desk, tokens: Iterable[str] | None, by: str, *, post: Post = hand_over) -> list[Result]:
    """Send drafts by their tokens, None is all; what nobody looked at as it is now waits.

    Raises StoreError, OSError, ValueError.
    """
    with drafts.locked(desk.directory):
        known = set(tokens) if tokens is not None else None
        held = drafts.listing(desk.directory)
        chosen = [one for one in held if one.incident.token in known] if known is not None else held
        return list(_send(desk, chosen, by, post))


def send_unseen(desk: Desk, search: str, *, post: Post = hand_over) -> list[Result]:
    """Send the drafts of a saved search that may send by itself, as far as the limit of 24 hours allows.

    Raises ReportingError when it may not, StoreError, OSError, ValueError.
    """
    if search not in desk.sending.auto:
        raise ReportingError(f"the search {search!r} may not send by itself: name it in [abuse] auto")
    by = f"{SEARCH}{search}"
    with drafts.locked(desk.directory):
        room = _room(desk, history.read(desk.store))
        chosen = [_as_seen(desk, one, by) for one in drafts.listing(desk.directory) if one.by == by]
        return list(_send(desk, chosen[:room], by, post))


def _as_seen(desk: Desk, held: Held, by: str) -> Held:
    return held._replace(looked=by, seen=drafts.digest(drafts.message(desk.directory, held.incident.token)))


def _send(desk: Desk, chosen: Sequence[Held], by: str, post: Post) -> Iterator[Result]:
    events = history.read(desk.store)
    failures = 0
    for held in chosen:
        now = desk.clock().replace(microsecond=0)
        raw = drafts.message(desk.directory, held.incident.token)
        waits = "" if held.sent else _why_wait(desk, held, raw, events, now)
        if failures >= _GIVES_UP:
            waits = waits or "the mail server took none of the last reports: this one was not tried"
        if waits:
            yield _result(held, "waits", waits)
            continue
        result = _one(desk, held, raw, by, post, now)
        failures = failures + 1 if result.state == "failed" else 0
        if result.state == "sent":
            events.append(_sent_event(desk, held._replace(sent=held.sent or write_date(now), sent_by=by)))
        yield result


def _why_wait(desk: Desk, held: Held, raw: bytes, events: Sequence[Event], now: datetime) -> str:
    """Why a draft cannot leave now, '' when it can."""
    contact = held.incident.contact
    if not held.looked:
        return f"nobody looked at it: email-report-admin abuse show {held.incident.token}"
    if held.seen != drafts.digest(raw):
        return f"it was changed since {held.looked} looked at it: email-report-admin abuse show {held.incident.token}"
    known = history.contacts(events, now, desk.contacts.dead_days).get(contact)
    if known and known.reach in {"dead", "form"}:
        return f"{contact} cannot be reached by mail since {known.since[:10]}: close this one, and prepare again"
    if history.sent_within(events, contact, now) >= desk.sending.contact_daily:
        return f"{contact} got {desk.sending.contact_daily} reports within 24 hours ([abuse] contact_daily)"
    return ""


def _one(
    desk: Desk,
    held: Held,
    raw: bytes,
    by: str,
    post: Post,
    now: datetime,
) -> Result:
    token = held.incident.token
    if not held.sent:
        try:
            post(raw, reply_address(desk.report, token), [held.incident.contact], desk.mail)
        except ChannelError as error:
            drafts.record(desk.directory, held._replace(fault=str(error)))
            return _result(held, "failed", str(error))
        held = held._replace(sent=write_date(now), sent_by=by, fault="")
        drafts.record(desk.directory, held)
    write_events(desk, [_sent_event(desk, held)])
    fault = _copies(desk, held, raw, post)
    return _result(held, "sent", fault)


def _copies(desk: Desk, held: Held, raw: bytes, post: Post) -> str:
    """Send the copies that are owed, each by itself; their bounces go to the sender without a token."""
    for address in held.owed:
        try:
            post(raw, desk.report.sender, [address], desk.mail)
        except ChannelError as error:
            fault = f"the copy for {address} is owed: {error}"
            drafts.record(desk.directory, held._replace(fault=fault))
            return fault
        held = held._replace(owed=held.owed[1:])
        drafts.record(desk.directory, held)
    drafts.done(desk.directory, held, desk.clock())
    return ""


def _sent_event(desk: Desk, held: Held) -> Event:
    id_ = message_id(desk.report, held.incident.token).strip("<>")
    return Event("sent", held.incident, held.sent, held.sent_by, message_id=id_)


def _result(held: Held, state: Literal["sent", "waits", "failed"], text: str = "") -> Result:
    return Result(held.incident.token, held.incident.contact, state, text)


def _room(desk: Desk, events: Iterable[Event]) -> int:
    """How many reports may still be sent within these 24 hours though nobody looked at them."""
    since = desk.clock() - timedelta(days=1)
    sent = (one for one in events if one.action == "sent" and one.by.startswith(SEARCH))
    return max(0, desk.sending.auto_daily - sum(datetime.fromisoformat(one.at) > since for one in sent))
