"""`logins follow`: logs to documents, findings and what comes of them, over and over.

Documents first (an id that is there already changes nothing), then the state with the place behind them, in one
commit, then people are told. Ended anywhere, it goes on with the first thing that is not done.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from datetime import tzinfo
from itertools import islice
from typing import NamedTuple, Protocol

from ..log import Log
from ..process import Layout
from ..stores.store import Row, Store, StoreError
from .files import Part
from .judge import Judge
from .lines.login import Login
from .lines.scan import Scanner
from .lines.times import Clock
from .rows import row_of
from .rules import Finding
from .state import Event, State

ROLE = "follow"
_ROWS = 2000  # written at once
_PULSE = 60.0  # seconds


class Source(Protocol):
    """A log that grows."""

    warnings: list[str]

    def poll(self) -> Iterator[Part]:
        """What is new."""
        ...


class Followed(NamedTuple):
    """A source, its name in the state, and how far it was read, as text."""

    name: str
    source: Source
    place: Callable[[], str]

    def is_there(self) -> bool:
        """A path that leads nowhere is not read, whoever looks at it; the journal has no path."""
        return not os.path.isabs(self.name) or os.path.exists(self.name)


class Writer:
    """Logins into the store."""

    def __init__(self, store: Store, judge: Judge, layout: Layout, now: Callable[[], str]) -> None:
        self.stored = self.already = self.rejected = 0
        self._store = store
        self._judge = judge
        self._layout = layout
        self._now = now

    def write(self, logins: Sequence[Login]) -> None:
        """Store them. Raises StoreError."""
        now = self._now()
        rows = (self._row(login, now) for login in logins)
        while batch := list(islice(rows, _ROWS)):
            written = self._store.write(batch)
            self.stored += written.stored
            self.already += written.already
            self.rejected += len(written.rejected)

    def _row(self, login: Login, now: str) -> Row:
        place = self._judge.places.fields(login.address)
        return row_of(login, place, now=now, layout=self._layout)


class Watch(NamedTuple):
    """What `follow` works with. wait: seconds -> whether to go on (False: it was asked to end)."""

    scanner: Scanner
    judge: Judge
    writer: Writer
    state: State
    tell: Callable[[Event], None]
    found: Callable[[Finding], None]  # at once: may stop the account
    log: Log
    clock: Callable[[], float]
    wait: Callable[[float], bool]
    zone: tzinfo | None = None


def follow(watch: Watch, sources: Sequence[Followed], seconds: float, once: bool = False) -> None:
    """Read what is new, every so many seconds, until `wait` says to end. Raises StateError."""
    load(watch.judge, watch.state, ROLE)
    tell_untold(watch)
    seen = 0.0
    while True:
        if watch.clock() - seen >= _PULSE:  # `logins check` asks whether anybody is reading
            seen = watch.clock()
            watch.state.commit(ROLE, seen, {one.name: one.place() for one in sources if one.is_there()})
        if cursors := learn(watch.judge, watch.state, ROLE):
            watch.state.commit(ROLE, watch.clock(), cursors, watch.judge.memory.changes())
        for followed in sources:
            if not _poll(watch, followed):
                return
        if once or not watch.wait(seconds):
            return


def load(judge: Judge, state: State, role: str) -> None:
    """Take up the memory of a role where it was left."""
    judge.memory.load(state.memory(role))


def learn(judge: Judge, state: State, role: str) -> dict[str, str]:
    """Take in what people said since; the cursor to commit with what the memory then is, {} for nothing new."""
    source = f"lessons:{role}"
    lessons = state.lessons(int(state.cursor(source) or 0))
    for lesson in lessons:
        if lesson.kind == "clear":
            judge.memory.clear(lesson.account)
        else:
            judge.memory.teach(lesson.account, lesson.kind, lesson.value)
    return {source: str(lessons[-1].number)} if lessons else {}


def tell_untold(watch: Watch) -> None:
    """Tell what an earlier run wrote down and did not get to tell."""
    for event in watch.state.untold():
        watch.tell(event)
        watch.state.told(event)


def _poll(watch: Watch, followed: Followed) -> bool:
    try:
        for part in followed.source.poll():
            if not _take(watch, part, followed):
                return False
    except OSError as error:
        watch.log(
            "error", f"{error.filename or followed.name}: cannot be read ({error.strerror or error}); trying again"
        )
    for warning in followed.source.warnings:
        watch.log("warning", warning)
    followed.source.warnings.clear()
    return True


def _take(watch: Watch, part: Part, followed: Followed) -> bool:
    """One chunk: store, judge, commit, tell. False when it was asked to end before it was stored."""
    logins = watch.scanner.scan(part.chunk, Clock(part.end, watch.zone))
    if not _patiently(watch, logins):
        return False
    findings = [finding for login in logins for finding in watch.judge.judge(login)]
    for fault in watch.judge.places.said():
        watch.log("warning", fault)
    for finding in findings:
        watch.found(finding)
    cursors = {followed.name: followed.place()}
    events = watch.state.commit(ROLE, watch.clock(), cursors, watch.judge.memory.changes(), findings)
    for event in events:
        watch.tell(event)
        watch.state.told(event)
    return True


def _patiently(watch: Watch, logins: Sequence[Login]) -> bool:
    """Store, as often as it takes."""
    pause = 1.0
    while True:
        try:
            watch.writer.write(logins)
        except StoreError as error:
            watch.log("error", f"{error}; trying again in {pause:.0f} s")
            if not watch.wait(pause):
                return False
            pause = min(2 * pause, 60.0)
        else:
            return True
