"""The file on disk: together or not at all, twice is once, and memories that come back as they were."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from email_report_processor.logins.judge import memory_of
from email_report_processor.logins.lines.login import Outcome
from email_report_processor.logins.options import LoginOptions
from email_report_processor.logins.rules import Finding
from email_report_processor.logins.service import learn
from email_report_processor.logins.state import Lesson, State, StateError, Stop
from tests.logins.world import World, address

FINDING = Finding(
    "quota", "alarm", "a@example.org", 1_700_000_000.0, "text", (b"\xff line", b"x"), "192.0.2.1", "DE", "AS1"
)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    """An empty one."""
    with contextlib.closing(State(tmp_path / "state")) as state:
        yield state


def test_an_event_is_new_once_a_day(state: State) -> None:
    (event,) = state.commit("follow", 1.0, {}, findings=[FINDING, FINDING])
    assert event.finding == FINDING
    later = FINDING._replace(time=FINDING.time + 60)
    assert state.commit("policy", 1.0, {}, findings=[later]) == []
    assert len(state.commit("policy", 1.0, {}, findings=[FINDING._replace(time=FINDING.time + 86400)])) == 1
    assert [one.finding for one in state.events()] == [FINDING, FINDING._replace(time=FINDING.time + 86400)]
    assert len(state.untold()) == 2
    state.told(event)
    assert len(state.untold()) == 1
    assert state.event(event.id) == event


def test_nothing_is_half_written(state: State) -> None:
    other = sqlite3.connect(state.path)
    other.execute("ALTER TABLE events RENAME TO elsewhere")
    with pytest.raises(StateError, match="no such table: events"):
        state.commit("follow", 1.0, {"log": "place"}, [("account", "a", "text")], [FINDING])
    other.close()
    assert (state.cursor("log"), state.memory("follow")) == ("", [])


def test_files_are_ours_alone(state: State) -> None:
    assert state.path.stat().st_mode & 0o777 == 0o600
    assert state.path.parent.stat().st_mode & 0o777 == 0o700


def test_a_second_opening_keeps_the_locks_of_the_first(state: State, tmp_path: Path) -> None:
    """Closing any descriptor of the file would give them up, and others would take the log away under us."""
    second, third = State(tmp_path / "state"), State(tmp_path / "state")
    other = sqlite3.connect(state.path)
    other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    other.close()
    assert state.stop(Stop("a", 1.0, "me", "")) is True
    assert set(second.stops()) == {"a"}
    second.close()
    third.close()
    assert set(state.stops()) == {"a"}


def test_what_a_memory_remembers_comes_back(state: State) -> None:
    """Two worlds see the same, one of them written and read again after each login."""
    one, other = World(), World()
    for number in range(120):
        country = ("DE", "DE", "DE", "BR", "VN", "ZA")[number % 6 if number > 60 else 0]
        outcome: Outcome = "failure" if number % 7 == 0 else "quota" if number % 11 == 0 else "success"
        for world in (one, other):
            world.login(9 * number, address(country, number % 9, number % 50), outcome=outcome, server="postfix")
        state.commit("follow", 1.0, {}, other.judge.memory.changes())
        other.judge.memory = memory_of(LoginOptions())
        other.judge.memory.load(state.memory("follow"))
    assert one.findings == other.findings
    assert len(one.findings) >= 3


def test_lessons(state: State) -> None:
    world = World()
    world.habit()
    state.teach("alice@example.org", "countries", "BR")
    state.teach("nobody@example.org", "countries", "BR")
    assert learn(world.judge, state, "follow") == {"lessons:follow": "2"}
    state.commit("follow", 1.0, learn(world.judge, state, "follow"))
    assert learn(world.judge, state, "follow") == {}
    assert state.lessons(1) == [Lesson(2, "nobody@example.org", "countries", "BR")]
    assert world.login(24 * 31, address("BR", 2)) == []


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match="check the directory"):
        State(tmp_path / "file")
