"""The league table of networks that react: a year of made-up reports, and each column."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from email_report_processor.desk import history, league
from email_report_processor.desk.events import Event, Incident, to_row
from email_report_processor.desk.reporting import Desk
from email_report_processor.process import Layout
from tests.desk import world
from tests.desk.world import failure

NOW = datetime(2026, 12, 10, tzinfo=UTC)
SENT = "2026-11-20T00:00:00Z"


def incident(number: int, system: int, address: str) -> Incident:
    name = {64500: "Fast Net", 64501: "Silent Net", 64502: "Dead Net", 0: ""}[system]
    return Incident(
        f"token{number}", f"abuse@as{system}.example", "2026-11-19T00:00:00Z", "2026-11-19T01:00:00Z", address, 3,
        as_number=system, as_name=name, country="US" if system else "", addresses=(address,), documents=(str(number),),
        network="203.0.113.0/24" if not system else "",
    )  # fmt: skip


def sent(one: Incident, at: str = SENT) -> list[Event]:
    return [Event("prepared", one, at, "alice"), Event("sent", one, at, "alice")]


def events() -> list[Event]:
    fast = [incident(number, 64500, f"192.0.2.{number}") for number in (1, 2, 3)]
    silent = incident(4, 64501, "198.51.100.4")
    dead = incident(5, 64502, "198.51.100.5")
    unknown = incident(6, 0, "203.0.113.6")
    return [
        *(event for one in (*fast, silent, dead, unknown) for event in sent(one)),
        Event("answered", fast[0], "2026-11-20T12:00:00Z", outcome="ticket", message_id="1"),
        Event("answered", fast[0], "2026-11-21T12:00:00Z", outcome="solved", message_id="2"),
        Event("answered", fast[1], "2026-11-23T00:00:00Z", outcome="person", message_id="3"),
        Event("answered", fast[2], "2026-11-20T00:00:01Z", outcome="machine", message_id="4"),
        Event("bounced", dead, "2026-11-20T00:00:02Z", outcome="dead", message_id="5"),
        Event("closed", unknown, "2026-11-22T00:00:00Z", "bob", "solved"),
        Event("prepared", incident(7, 64501, "198.51.100.7"), SENT, "alice"),
    ]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = world.make(tmp_path)
    made.store.write([to_row(event, now="2026-12-10T00:00:00Z", layout=Layout()) for event in events()])
    again = {"@timestamp": "2026-12-08T00:00:00Z"}
    made.store.write([failure(1, "198.51.100.4", again), failure(2, "192.0.2.1"), failure(3, "192.0.2.3", again)])
    yield made
    made.store.close()


def test_rows(desk: Desk) -> None:
    found = history.standings(history.read(desk.store), NOW)
    rows = league.rows(found, league.still_sending(desk.store, NOW), NOW)
    assert [(row.name, row.reports, row.reacted, row.days) for row in rows] == [
        ("203.0.113.0/24", 1, 1, 2.0),
        ("Fast Net", 3, 2, 1.75),
        ("Dead Net", 1, 0, None),
        ("Silent Net", 1, 0, None),
    ]
    by_name = {row.name: row for row in rows}
    assert [(row.solved, row.bounced, row.silent, row.stopped, row.old) for row in by_name.values()] == [
        (1, 0, 0, 1, 1),
        (1, 0, 1, 2, 3),
        (0, 1, 0, 1, 1),
        (0, 0, 1, 0, 1),
    ]
    assert by_name["Fast Net"].messages == 9


def test_the_page(desk: Desk) -> None:
    page = league.page(desk.store, NOW, 14)
    figure = page.figure("league")
    assert [row[0] for row in figure.rows] == ["203.0.113.0/24", "Fast Net", "Dead Net", "Silent Net"]
    assert all(len(row) == len(figure.columns) for row in figure.rows)
    assert league.page(desk.store, NOW, 14, "2026-11-21T00:00:00Z").figures[0].rows == ()


def test_what_is_young_has_not_stopped(desk: Desk) -> None:
    early = datetime(2026, 11, 21, tzinfo=UTC)
    (row, *_) = league.rows(history.standings(history.read(desk.store), early), set(), early)
    assert (row.stopped, row.old) == (0, 0)
