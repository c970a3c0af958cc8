"""Each event is told once by each channel, or is still owed, whatever is killed and whatever fails."""

import contextlib
import json
import os
import random
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest

from email_report_processor.alerts import memory
from email_report_processor.alerts.channels import ChannelError, Telling, body, subject, telling
from email_report_processor.alerts.event import Event
from email_report_processor.alerts.memory import ForgottenError
from email_report_processor.alerts.options import AlertOptions
from email_report_processor.alerts.tell import is_quiet, tell, worst

NOW = datetime(2026, 11, 28, 9, tzinfo=UTC)
OPTIONS = AlertOptions()


def event(name: str, *, lasts: bool = True, critical: bool = False) -> Event:
    return Event("rule", name, "critical" if critical else "warning", f"{name} is wrong.", "mend it", lasts)


class Channel:
    """Takes what it is told, when it can; who gets the same id twice has it once."""

    def __init__(self) -> None:
        self.told: dict[str, Telling] = {}
        self.fails = False
        self.dies = False

    def __call__(self, told: Telling) -> None:
        if self.fails:
            raise ChannelError("it hangs")
        self.told[told.id] = told
        if self.dies:
            raise KeyboardInterrupt

    def heard(self) -> list[tuple[str, bool]]:
        """Events, and whether it was their end."""
        return [(note.event.about, bool(note.over)) for told in self.told.values() for note in told.notes]


def test_once_and_its_end_once(tmp_path: Path) -> None:
    path, channel = tmp_path / "alerts.json", Channel()
    for hour, found in enumerate([[event("a")], [event("a")], [], [], [event("a")]]):
        assert tell(path, found, {"mail": channel}, OPTIONS, NOW + timedelta(hours=hour)) == []
    assert channel.heard() == [("a", False), ("a", True), ("a", False)]


def test_what_happened_once_has_no_end(tmp_path: Path) -> None:
    path, channel = tmp_path / "alerts.json", Channel()
    for day, found in enumerate([[event("a", lasts=False)], [], [event("a", lasts=False)]]):
        tell(path, found, {"mail": channel}, OPTIONS, NOW + timedelta(days=day))
    assert channel.heard() == [("a", False)]


def test_again_after_some_days(tmp_path: Path) -> None:
    path, channel = tmp_path / "alerts.json", Channel()
    options = OPTIONS._replace(again_days=3)
    for day in range(7):
        tell(path, [event("a")], {"mail": channel}, options, NOW + timedelta(days=day))
        channel.told = {f"{day} {name}": told for name, told in channel.told.items()}
    assert channel.heard() == [("a", False)] * 3


def test_a_channel_that_fails_is_told_later_and_the_others_now(tmp_path: Path) -> None:
    path, mail, chat = tmp_path / "alerts.json", Channel(), Channel()
    mail.fails = True
    assert tell(path, [event("a")], {"mail": mail, "chat": chat}, OPTIONS, NOW) == ["it hangs"]
    mail.fails = False
    assert tell(path, [event("a")], {"mail": mail, "chat": chat}, OPTIONS, NOW + timedelta(hours=1)) == []
    assert mail.heard() == chat.heard() == [("a", False)]


def test_a_dead_channel_loses_nothing(tmp_path: Path) -> None:
    path, channel = tmp_path / "alerts.json", Channel()
    channel.fails = True
    tell(path, [event("a")], {"mail": channel}, OPTIONS, NOW)
    channel.fails = False
    tell(path, [], {"mail": channel}, OPTIONS, NOW + timedelta(hours=1))
    assert channel.heard() == [("a", False), ("a", True)]


def test_quiet_hours_hold_back_what_is_not_critical(tmp_path: Path) -> None:
    path, channel = tmp_path / "alerts.json", Channel()
    at = NOW.astimezone().time()
    options = OPTIONS._replace(quiet=f"{at:%H:%M}-{(NOW + timedelta(hours=1)).astimezone():%H:%M}")
    found = [event("a"), event("b", critical=True)]
    tell(path, found, {"mail": channel}, options, NOW)
    assert channel.heard() == [("b", False)]
    tell(path, found, {"mail": channel}, OPTIONS, NOW + timedelta(hours=2))
    assert channel.heard() == [("b", False), ("a", False)]


@pytest.mark.parametrize(
    ("hours", "at", "quiet"),
    [
        ("", "03:00", False),
        ("22:00-07:00", "03:00", True),
        ("22:00-07:00", "22:00", True),
        ("22:00-07:00", "07:00", False),
        ("22:00-07:00", "12:00", False),
        ("12:00-13:00", "12:30", True),
        ("12:00-13:00", "13:00", False),
    ],
)
def test_hours(hours: str, at: str, quiet: bool) -> None:
    assert is_quiet(hours, time.fromisoformat(at)) is quiet


@pytest.mark.parametrize("hours", ["22", "22:00-soon", "25:00-07:00"])
def test_wrong_hours(hours: str) -> None:
    with pytest.raises(ValueError, match=r"hours|isoformat|hour"):
        is_quiet(hours, time(3))


class Killed(BaseException):
    """The process ends here."""


class History:
    """Evaluations with channels that fail, and a process that is killed anywhere."""

    def __init__(self, seed: int, path: Path) -> None:
        self.random = random.Random(seed)
        self.path = path
        self.channels = {"mail": Channel(), "chat": Channel()}
        self.now = NOW

    def write(self, path: Path, notes: memory.Memory) -> None:
        if self.random.random() < 0.1:
            raise Killed
        memory.write(path, notes)
        if self.random.random() < 0.1:
            raise Killed

    def evaluate(self) -> None:
        self.now += timedelta(hours=1)
        found = [event(name) for name in "abc" if self.random.random() < 0.6]
        for channel in self.channels.values():
            channel.fails, channel.dies = self.random.random() < 0.3, self.random.random() < 0.1
        with contextlib.suppress(Killed, KeyboardInterrupt):
            tell(self.path, found, self.channels, OPTIONS, self.now, write=self.write)

    def end(self, found: list[Event]) -> None:
        """An evaluation in which nothing goes wrong."""
        for channel in self.channels.values():
            channel.fails = channel.dies = False
        assert tell(self.path, found, self.channels, OPTIONS, self.now + timedelta(hours=1)) == []


@pytest.mark.parametrize("seed", range(10))
def test_a_hundred_random_histories(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the other seeds a thousand. Each channel hears begin and end in turn, and at last what is so."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # the disk is not what is killed here
    for number in range(100):
        history = History(1000 * seed + number, tmp_path / f"{number}.json")
        for _ in range(8):
            history.evaluate()
        history.end([event("a")])
        for channel in history.channels.values():
            heard = channel.heard()
            for about in "abc":
                ends = [over for other, over in heard if other == about]
                assert ends == [bool(place % 2) for place in range(len(ends))], (history.random, about, heard)
                assert len(ends) % 2 == (about == "a")


def test_a_broken_memory_is_said_and_tells_nobody(tmp_path: Path) -> None:
    path, channel = tmp_path / "alerts.json", Channel()
    path.write_text("{")
    with pytest.raises(ForgottenError, match="move it away"):
        tell(path, [event("a")], {"mail": channel}, OPTIONS, NOW)
    assert channel.heard() == []


def test_the_memory_is_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "alerts.json"
    notes = memory.begin(memory.renew(memory.Memory(), [event("ü"), event("b", lasts=False)], NOW), "mail", ())
    memory.write(path, notes)
    assert memory.read(path) == notes
    assert json.loads(path.read_text("utf-8"))["form"] == 1


def test_what_is_forgotten() -> None:
    notes = memory.renew(memory.Memory(), [event("a", lasts=False)], NOW)
    assert memory.renew(notes, [], NOW + timedelta(days=59)).notes
    assert not memory.renew(notes, [], NOW + timedelta(days=61)).notes


def test_the_words() -> None:
    notes = tuple(memory.renew(memory.Memory(), [event("a"), event("b", critical=True)], NOW).notes.values())
    told = telling("mail", notes, NOW)
    assert subject(told) == "Critical: b is wrong. (and 1 more)"
    assert body(told) == "WARNING: a is wrong.\n  mend it\n\nCRITICAL: b is wrong.\n  mend it\n"
    assert telling("mail", notes[::-1], NOW + timedelta(days=1)).id == told.id
    assert worst([event("a")]) == 1
    assert worst([]) == 0
