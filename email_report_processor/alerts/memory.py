"""What was told already, on disk: for each event what each channel has heard of it last.

A channel is owed what differs from that: the begin of an event that it has not heard of, the end of one that it has.
What lasts is over when no rule finds it any more; what happened once is remembered, so that it is not told again while
its reports are still within a rule's window. Before a channel is told, what it will be told is written down: after a
kill or a failure it is told the same again, under the same id, since it may have heard.
"""

import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from ..stores import kept, owner
from .event import Event

REMEMBERED = timedelta(days=60)  # after which what happened once may be told again
_FORM = 1


class ForgottenError(Exception):
    """What was told cannot be read or written: then nobody is told, and the text says what to do."""


class Note(NamedTuple):
    """One event in memory. Times are RFC 3339, '' never."""

    event: Event
    first: str
    last: str  # when a rule found it last
    over: str = ""  # when it was over
    heard: Mapping[str, str] = {}  # channel -> when it was told of the begin; one that was told of the end is not there
    times: Mapping[str, int] = {}  # channel -> how often it was told of begin or end: no two tellings have one id


class Memory(NamedTuple):
    """Everything that is known between two evaluations."""

    notes: Mapping[str, Note] = {}  # by the event's key
    sending: Mapping[str, tuple[Note, ...]] = {}  # channel -> what it is just being told


def renew(memory: Memory, found: Iterable[Event], now: datetime) -> Memory:
    """The memory after an evaluation."""
    at = now.isoformat()
    events = {one.key: one for one in found}
    notes: dict[str, Note] = {}
    for key, event in events.items():
        old = memory.notes.get(key)
        goes_on = old is not None and (not old.over or _may_be_known(memory, old))
        notes[key] = old._replace(event=event, last=at, over="") if old and goes_on else Note(event, at, at)
    for key, old in memory.notes.items():
        if key not in events and (kept := _ended(memory, old, now)) is not None:
            notes[key] = kept
    return memory._replace(notes=notes)


def _ended(memory: Memory, old: Note, now: datetime) -> Note | None:
    """A note whose event no rule finds any more; None when it can be forgotten."""
    if not old.event.lasts:
        return old if now - datetime.fromisoformat(old.last) < REMEMBERED else None
    if not _may_be_known(memory, old):  # nobody has heard of it, or everybody of its end
        return None
    return old if old.over else old._replace(over=now.isoformat())


def _may_be_known(memory: Memory, note: Note) -> bool:
    """Whether a channel has heard of it and not of its end, or is just being told."""
    being = (one for notes in memory.sending.values() for one in notes)
    return bool(note.heard) or any(one.event.key == note.event.key and one.first == note.first for one in being)


def owed(
    memory: Memory, channel: str, now: datetime, again_days: float, *, critical_only: bool = False
) -> tuple[Note, ...]:
    """What a channel has to be told."""
    notes = (note for note in memory.notes.values() if _is_owed(note, channel, now, again_days))
    return tuple(note for note in notes if note.event.level == "critical" or not critical_only)


def _is_owed(note: Note, channel: str, now: datetime, again_days: float) -> bool:
    heard = note.heard.get(channel)
    if note.over:
        return heard is not None
    if heard is None:
        return True
    return again_days > 0 and note.event.lasts and now - datetime.fromisoformat(heard) >= timedelta(days=again_days)


def begin(memory: Memory, channel: str, notes: tuple[Note, ...]) -> Memory:
    """The memory while a channel is being told."""
    return memory._replace(sending={**memory.sending, channel: notes})


def took(memory: Memory, channel: str, now: datetime) -> Memory:
    """The memory after a channel took what it was being told."""
    notes = dict(memory.notes)
    for told in memory.sending.get(channel, ()):
        note = notes.get(told.event.key)
        if note is None or note.first != told.first:
            continue
        others = {name: at for name, at in note.heard.items() if name != channel}
        heard = others if told.over else {**others, channel: now.isoformat()}
        times = {**note.times, channel: told.times.get(channel, 0) + 1}
        notes[told.event.key] = note._replace(heard=heard, times=times)
    return Memory(notes, {name: being for name, being in memory.sending.items() if name != channel})


def read(path: Path) -> Memory:
    """The memory; empty when there is none yet. Raises ForgottenError."""
    try:
        content = json.loads(path.read_text("utf-8"))
        notes = {key: _note(value) for key, value in content["notes"].items()}
        return Memory(notes, {name: tuple(map(_note, being)) for name, being in content["sending"].items()})
    except FileNotFoundError:
        return Memory()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ForgottenError(f"{path} cannot be read ({error}): move it away, and everything is told again") from error


def _note(value: dict[str, Any]) -> Note:
    return Note(**{**value, "event": Event(**value["event"])})


def write(path: Path, memory: Memory) -> None:
    """Write it whole: a reader sees the one before or this. Raises ForgottenError."""
    content = {
        "form": _FORM,
        "notes": {key: _as_dict(note) for key, note in memory.notes.items()},
        "sending": {name: [_as_dict(note) for note in notes] for name, notes in memory.sending.items()},
    }
    try:
        kept.make_directory(path.parent)
        _replace(path, json.dumps(content, ensure_ascii=False))
    except OSError as error:
        reason = f"{error.strerror}: make room, or correct its owner"
        raise ForgottenError(f"{path}: what was told cannot be written ({reason})") from error


def _replace(path: Path, text: str) -> None:
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, prefix=".alerts-", delete=False) as file:
        owner.give(file.fileno(), file.name)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(file.name, path)


def _as_dict(note: Note) -> dict[str, Any]:
    return note._asdict() | {"event": note.event._asdict()}
