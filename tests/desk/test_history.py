"""Events of reports: documents that never change, and what they say of reports, messages and contacts."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from email_report_processor.desk import history
from email_report_processor.desk.events import Event, event_id, from_row, to_row
from email_report_processor.process import Layout
from email_report_processor.stores.opening import open_store
from email_report_processor.stores.query import parse
from email_report_processor.stores.store import Row, Selection, Store
from tests.desk.happened import EVENTS, INCIDENT, OTHER, PAIR, documents, rows

NOW = datetime(2026, 12, 6, tzinfo=UTC)
PREPARED, SENT, BOUNCED = EVENTS[:3]


def test_golden() -> None:
    assert [list(one) for one in documents()] == json.loads(PAIR.read_text("utf-8"))


def test_they_are_read_as_they_were_written() -> None:
    for event, row in zip(EVENTS, rows(), strict=True):
        seen = from_row(row)
        whole = event.action in {"prepared", "sent"}
        about = event.incident if whole else event.incident._replace(addresses=(), documents=())
        assert seen == event._replace(incident=about)


def test_no_event_is_in_two_indices() -> None:
    """Whenever it happens, and whenever it is written down."""
    late = [event._replace(at="2027-03-01T00:00:00Z") for event in EVENTS]
    found = {to_row(event, now="2027-03-02T00:00:00Z", layout=Layout()).index for event in (*EVENTS, *late)}
    assert found == {"email-report-abuse-2026.11"}


def test_ids() -> None:
    assert len({event_id(one) for one in EVENTS}) == len(EVENTS)
    assert event_id(SENT) == event_id(SENT._replace(at="2027-01-01T00:00:00Z", by="bob"))
    assert event_id(BOUNCED) != event_id(BOUNCED._replace(message_id="bounce2@mx.network.example"))


def test_other_documents_are_no_events() -> None:
    with pytest.raises(ValueError, match="no event"):
        from_row(Row("i", "1", b'{"event":{"action":"login"}}'))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:{tmp_path / 'reports.sqlite'}")
    opened.write(rows())
    opened.write(rows())  # once more changes nothing
    yield opened
    opened.close()


def test_asking(store: Store) -> None:
    assert [one.action for one in history.read(store)].count("sent") == 2
    assert [one.action for one in history.of_message(store, "b" * 40)] == ["prepared", "sent", "bounced"]
    assert history.of_message(store, "e" * 40) == []
    assert len(history.of(store, "source.as.number", 64501)) == 4
    assert len(history.of(store, "abuse.campaign", "lusab-babad")) == 3
    assert len(history.of(store, "report.id", INCIDENT.token)) == 3


def test_the_word_reported(store: Store) -> None:
    """What bounced told nobody."""
    failures = [Row("email-report-dmarc-failure-2026.11", id_ * 40, b'{"class":"spoof"}') for id_ in "ade"]
    store.write(failures)
    flags = history.flags(history.read(store))
    for text, expected in (("class:spoof reported", {"d"}), ("class:spoof -reported", {"a", "e"})):
        found = store.select(Selection(parse(text, NOW, flags), ("dmarc-failure",)))
        assert {one.row.id[0] for one in found} == expected


@pytest.mark.parametrize(
    ("outcome", "reported"), [("dead", 0), ("form", 0), ("unreachable", 0), ("refused", 3), ("full", 3)]
)
def test_what_a_bounce_leaves_to_be_reported(outcome: str, reported: int) -> None:
    """A contact that refuses would be sent the same again every day."""
    events = [PREPARED, SENT, BOUNCED._replace(outcome=outcome)]
    assert len(history.reported(events)) == reported
    assert len(history.earlier(events)) == 3 - reported


def states(*events: Event, now: datetime = NOW) -> list[str]:
    return [one.state for one in history.standings(events, now)]


def answered(outcome: str) -> Event:
    return EVENTS[5]._replace(outcome=outcome)


def test_states() -> None:
    sent = EVENTS[4]
    assert states(EVENTS[3]) == ["prepared"]
    assert states(sent, now=datetime(2026, 11, 21, tzinfo=UTC)) == ["sent"]
    assert states(sent) == ["silent"]
    assert states(sent, answered("machine")) == ["silent"]
    assert states(sent, answered("ticket")) == ["answered"]
    assert states(sent, answered("person"), answered("solved")) == ["solved"]
    assert states(*EVENTS) == ["closed", "bounced"]
    bounced = history.standings(EVENTS, NOW)[1]
    assert (bounced.incident, bounced.sent, bounced.reacted) == (INCIDENT, SENT.at, False)


def contact(*events: Event, now: datetime = NOW) -> history.Contact:
    (found,) = history.contacts(events, now).values()
    return found


def test_contacts() -> None:
    dead = contact(*EVENTS[:3])
    assert (dead.reach, dead.reason, dead.sent) == ("dead", "550 5.1.1 user unknown", 1)
    assert contact(*EVENTS[:3], now=NOW + timedelta(days=200)).reach == "open"
    form = contact(*EVENTS[3:])
    assert (form.address, form.reach, form.form) == (OTHER.contact, "form", "https://other.example/abuse")
    later = answered("person")._replace(at="2026-11-22T00:00:00Z")
    assert contact(*EVENTS[3:], later).reach == "open"
    once = BOUNCED._replace(outcome="unreachable")
    twice = once._replace(at="2026-11-25T00:00:00Z")
    assert (contact(once).reach, contact(once, twice).reach) == ("unreachable", "dead")
    assert contact(BOUNCED._replace(outcome="full")).reach == "open"


def test_the_limit_of_a_day() -> None:
    now = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
    assert history.sent_within(EVENTS, INCIDENT.contact, now) == 0
    assert history.sent_within(EVENTS, INCIDENT.contact, now - timedelta(seconds=1)) == 1
    assert history.sent_within(EVENTS, "nobody@other.example", now) == 0
