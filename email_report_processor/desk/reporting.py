"""What reporting needs, made once, and its two decisions that are no sending: prepare drafts, close a report.

The desk's events are in the store; keys, drafts and answers of registries are in the state directory.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

from ..alerts.options import AlertOptions
from ..documents.classify import Site
from ..documents.senders import OURS, Senders, verdict
from ..job import choose_senders
from ..process import Layout
from ..settings import Settings, SettingsError, state_dir
from ..stores.store import Store, StoreError
from ..values.fields import read_domain, write_date
from ..values.networks import read_network
from . import drafts, history
from .campaigns import find_campaigns
from .contacts import Choice, ContactOptions, Overrides, choose, read_overrides
from .drafts import Held
from .events import Event, Incident, to_row
from .lookup import Lookup
from .message import Message
from .preparing import Given, LeftOut, prepare
from .report import ReportOptions
from .tokens import read_key

FOLDER = "abuse"  # in the state directory
OUTCOMES = ("solved", "silent", "dropped")  # of a report that is closed


class SendOptions(NamedTuple):
    """How reports leave, by the sendmail or SMTP server of [alerts]."""

    copy_to: tuple[str, ...] = ()  # addresses that get a copy of each report
    contact_daily: int = 10  # reports that one contact gets in 24 hours; the others wait
    auto: tuple[str, ...] = ()  # names of [searches] whose reports are sent though nobody looked at them
    auto_daily: int = 20  # reports in 24 hours that are sent so
    silent_days: float = 14  # days without an answer after which a network is silent


class ReportingError(Exception):
    """It cannot be done; the text says what to do."""


@runtime_checkable
class Refreshed(Protocol):
    """A store whose searches see what was written only after a while, or when they are told (OpenSearch)."""

    def refresh(self) -> bool:
        """Tell them; False where this user may not."""
        ...


class Desk(NamedTuple):
    """The store, the state directory and the settings."""

    store: Store
    directory: Path
    report: ReportOptions
    contacts: ContactOptions
    sending: SendOptions
    mail: AlertOptions  # how mail leaves
    overrides: Overrides
    site: Site
    layout: Layout
    clock: Callable[[], datetime]
    senders: Senders | None = None  # verdicts of the site

    @property
    def own_domains(self) -> list[str]:
        """Ours by the settings: never what reports name, which anybody may send."""
        senders = (one.rpartition("@")[2] for one in (self.report.sender, self.report.reply_to) if one)
        return list(dict.fromkeys(read_domain(one) for one in (*self.site.own_domains, *senders)))


class Outcome(NamedTuple):
    """What became of `prepare_reports`."""

    prepared: tuple[Held, ...]  # now in the drafts
    left_out: tuple[LeftOut, ...]


def open_desk(
    settings: Settings,
    environ: Mapping[str, str],
    store: Store,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Desk:
    """From the settings. Raises SettingsError."""
    said = settings.mapping("contacts")
    try:
        overrides = read_overrides(said)
    except ValueError as error:
        raise SettingsError(f"[contacts] {error}") from error
    return Desk(
        store,
        state_dir(settings, environ) / FOLDER,
        settings.record("abuse", ReportOptions),
        settings.record("abuse", ContactOptions),
        settings.record("abuse", SendOptions),
        settings.record("alerts", AlertOptions),
        overrides,
        settings.record("site", Site),
        settings.record("store", Layout),
        clock,
        choose_senders(settings),
    )


def prepare_reports(
    desk: Desk, messages: Sequence[Message], by: str, *, campaign: str = "", lookup: Lookup | None = None
) -> Outcome:
    """Drafts of reports about these messages. campaign: only of this one.

    Raises ReportingError, StoreError, OSError, SettingsError.
    """
    if "@" not in desk.report.sender:
        raise ReportingError("reports need a sender: set [abuse] sender to an address of yours that is read")
    campaigns = find_campaigns(messages, own_domains=desk.own_domains)
    if campaign:
        campaigns = [one for one in campaigns if one.name == campaign]
        messages = [message for one in campaigns for message in one.messages]
        if not campaigns:
            raise ReportingError(f"there is no campaign {campaign} in these messages; `campaigns` lists them")
    with drafts.locked(desk.directory):
        events = history.read(desk.store)
        asked = lookup or _lookup(desk)
        given = _given(desk, events, asked)
        made, left_out = prepare(messages, campaigns, given)
        asked.save()
        held = [Held(one.incident, write_date(given.now), by, owed=desk.sending.copy_to) for one in made]
        for one, draft in zip(held, made, strict=True):
            drafts.write(desk.directory, one, draft.message)
        write_events(desk, [Event("prepared", one.incident, one.at, by) for one in held])
    return Outcome(tuple(held), tuple(left_out))


def _lookup(desk: Desk) -> Lookup:
    try:
        return Lookup(desk.directory, desk.contacts, desk.clock())
    except ValueError as error:
        raise SettingsError(f"[abuse] {error}") from error


def _given(desk: Desk, events: Sequence[Event], lookup: Lookup) -> Given:
    now = desk.clock().replace(microsecond=0)
    known = history.contacts(events, now, desk.contacts.dead_days)
    seen = {one.incident.token for one in events if one.action == "sent"}
    unseen = [one for one in drafts.lately_sent(desk.directory) if one.incident.token not in seen]
    held = [*drafts.listing(desk.directory), *unseen]
    waiting = {id_: one.incident.token for one in held for id_ in one.incident.documents}

    def is_wanted(message: Message) -> bool:
        fields = {"source.ip": message.source_ip, "source.as.number": message.as_number}
        said = verdict(fields, desk.senders, write_date(now)[:10])
        return said is not None and said.verdict in OURS

    def contact_of(address: str, system: int) -> Choice:
        return choose(address, system, desk.overrides, lookup.candidates(address), known, desk.own_domains)

    return Given(
        options=desk.report,
        key=read_key(desk.directory),
        now=now,
        own_domains=desk.own_domains,
        own_networks=tuple(read_network(one) for one in desk.site.own_networks),
        done={**history.reported(events), **waiting},
        earlier=history.earlier(events),
        contact_of=contact_of,
        is_wanted=is_wanted,
    )


def close_report(desk: Desk, token: str, by: str, outcome: str, reason: str = "") -> Incident:
    """Say what became of a report; a draft of it is removed. Raises ReportingError, StoreError, OSError."""
    if outcome not in OUTCOMES:
        raise ReportingError(f"a report is closed as {', '.join(OUTCOMES)}, not as {outcome!r}")
    with drafts.locked(desk.directory):
        events = history.of(desk.store, "report.id", token)
        if not events:
            raise ReportingError(f"{token!r} is no token of a report: `abuse reports` lists them")
        about = next((one.incident for one in events if one.incident.documents), events[0].incident)
        write_events(
            desk, [Event("closed", about, write_date(desk.clock().replace(microsecond=0)), by, outcome, reason)]
        )
        if any(one.incident.token == token for one in drafts.listing(desk.directory)):
            drafts.remove(desk.directory, token)
    return about


def write_events(desk: Desk, events: Iterable[Event]) -> None:
    """Store events, and let searches see them. Raises StoreError when one is not there afterwards."""
    now = write_date(desk.clock().replace(microsecond=0))
    rows = [to_row(event, now=now, layout=desk.layout) for event in events]
    written = desk.store.write(rows)
    if written.rejected:
        first = written.rejected[0]
        raise StoreError(
            f"{desk.store.name} refuses an event of the desk ({first.reason}): run `email-report-admin setup`"
        )
    if isinstance(desk.store, Refreshed):
        desk.store.refresh()  # where this user may; else they are seen half a minute later
