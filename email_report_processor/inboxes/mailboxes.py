"""`email-report-admin inbox`: a process for each folder and bucket, and this one, which looks after them.

A process holds one connection and reads, stores and files away by itself. This one starts it anew when it ends, and
when it was ended over a message (out of memory, the deadline), tells the next one to keep a copy of that.
"""

import gc
import os
import random
import resource
import select
import signal
import sys
import syslog
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import NamedTuple, NoReturn, Protocol

from ..log import Log
from ..objects import Bucket, ObjectsError, S3Options
from ..process import FilterOptions, Job, Verdict
from ..settings import SettingsError
from ..stores.store import StoreError
from . import remembered, systemd
from .board import Board
from .bucket import BucketReader, Marks
from .credentials import CredentialError, credential
from .folder import Folder, Looked
from .group import Worker
from .imap import InboxError, connect
from .options import BucketOptions, InboxOptions, LmtpOptions
from .seen import Seen
from .worker import resident

TICK = 0.25  # seconds between two looks at the processes
SHORTEST, LONGEST = 1.0, 300.0  # seconds until the next try after a failure
WORKED = 3.0  # seconds after which a process that ended is started again soon
ENOUGH = 2  # deaths at the same message, after which a copy is kept
STILL_TAKING = 10.0  # seconds, or half of the deadline: a store that took a row within them was answering, as in cli
DRAIN = 30.0  # seconds that the processes have to be done when this one is told to end

DONE, REFUSED, RENEW, TEMPFAIL = 0, 1, 3, 75  # how a process ends; REFUSED: by the server; RENEW: it has grown


class Setup(NamedTuple):
    """Everything that the settings say."""

    inboxes: tuple[InboxOptions, ...]
    buckets: tuple[BucketOptions, ...]
    s3: S3Options
    filter: FilterOptions
    limits: LmtpOptions  # memory of a process
    job: Job
    log: Log
    state: str
    name: str  # of the store, for people


class Backoff:
    """How long to wait after failures that follow each other: twice as long each time, not all at the same moment."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._since = 0.0  # of the last failure; time.monotonic()

    def next(self) -> float:
        """Seconds."""
        self._since = time.monotonic()
        self._seconds = min(LONGEST, max(SHORTEST, self._seconds * 2))
        return self._seconds * random.uniform(0.75, 1.0)  # noqa: S311  # no secret

    def reset(self) -> None:
        """It works again."""
        self._seconds = 0.0

    def lasted(self) -> None:
        """It did work, if some seconds have passed since the wait was over."""
        if time.monotonic() - self._since - self._seconds > WORKED:
            self.reset()


class Way(Protocol):
    """A folder or a bucket, as its process sees it. Everything raises what `FAULTS` names."""

    def open(self) -> None:
        """Connect."""

    def look(self) -> Looked:
        """Store what is new."""

    def wait(self, other: int) -> None:
        """Wait until it is worth another look, or `other` can be read."""

    def close(self) -> None:
        """Disconnect."""

    def drop(self) -> None:
        """Disconnect after a fault."""


FAULTS = (InboxError, CredentialError, ObjectsError, OSError)


class Reading(NamedTuple):
    """What a way needs of its process."""

    setup: Setup
    worker: Worker
    over: Callable[[], bool]
    suspects: Mapping[int, Verdict]


class Place(NamedTuple):
    """Where messages come from."""

    name: str  # for people
    way: Callable[[Reading], Way]


def places(setup: Setup) -> list[Place]:
    """Each folder of each inbox, and each bucket."""
    folders = [
        Place(f"{folder} of {inbox.username} on {inbox.host}", partial(Mailbox, inbox, folder))
        for inbox in setup.inboxes
        for folder in inbox.folders
    ]
    return folders + [Place(bucket.url, partial(Objects, bucket)) for bucket in setup.buckets]


class Mailbox:
    """A folder of a mailbox."""

    def __init__(self, options: InboxOptions, folder: str, reading: Reading) -> None:
        self._options = options
        seen = Seen(reading.setup.state, f"{options.host} {options.username} {folder}")
        self._folder = Folder(options, folder, reading.worker, seen, reading.over, reading.suspects)

    def open(self) -> None:
        """See Way."""
        self._connection = connect(self._options, credential(self._options, os.environ))

    def look(self) -> Looked:
        """See Way."""
        return self._folder.look(self._connection)

    def wait(self, other: int) -> None:
        """See Way."""
        self._connection.idle(self._options.look_seconds, other)

    def close(self) -> None:
        """See Way."""
        self._connection.close()

    def drop(self) -> None:
        """See Way."""
        self._connection.drop()


class Objects:
    """A bucket."""

    def __init__(self, options: BucketOptions, reading: Reading) -> None:
        self._seconds = options.look_seconds
        marks = Marks(remembered.place(reading.setup.state, options.url))
        bucket = Bucket(options.url, reading.setup.s3)
        to = (options.tenant,) if options.tenant else ()
        self._reader = BucketReader(bucket, options.feed, reading.worker, marks, reading.over, reading.suspects, to=to)

    def open(self) -> None:
        """See Way: each request connects by itself."""

    def look(self) -> Looked:
        """See Way."""
        return self._reader.look()

    def wait(self, other: int) -> None:
        """See Way."""
        select.select([other], [], [], self._seconds)

    def close(self) -> None:
        """See Way."""

    def drop(self) -> None:
        """See Way."""


class Child:
    """The process of a folder, and what is known about it."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.board = Board()
        self.pid = 0
        self.status = DONE
        self.over = False  # with once: it has done what there was
        self.rest = 0.0  # not started before; time.monotonic()
        self.backoff = Backoff()
        self.deaths: dict[int, int] = {}  # by number of the message
        self.suspects: dict[int, Verdict] = {}


class Mailboxes:
    """All processes. once: each looks at its folder one time."""

    def __init__(self, setup: Setup, *, once: bool) -> None:
        self._setup = setup
        self._once = once
        self._life, self._end = os.pipe()
        self._children = [Child(place) for place in places(setup)]

    def tick(self) -> bool:
        """Look at the processes, and start those that are not there; whether there is anything left to do."""
        now = time.monotonic()
        for child in self._children:
            if child.pid:
                self._look(child, now)
            if not child.pid and not child.over and now >= child.rest:
                self._start(child)
        return not all(child.over for child in self._children)

    @property
    def status(self) -> int:
        """The worst of all."""
        return max((child.status for child in self._children), default=DONE)

    def close(self) -> None:
        """End all processes: each finishes the group that it has."""
        os.close(self._end)
        until = time.monotonic() + DRAIN
        for child in self._children:
            while child.pid and _waited(child) is None and time.monotonic() < until:
                time.sleep(0.02)
            if child.pid:
                os.kill(child.pid, signal.SIGKILL)
                os.waitpid(child.pid, 0)
            child.board.close()
        os.close(self._life)

    def _look(self, child: Child, now: float) -> None:
        at = child.board.at()
        if at.number and now - at.since > self._setup.filter.deadline:
            self._cut(child, now)
        elif (how := _waited(child)) is not None:
            self._ended(child, how, now)

    def _ended(self, child: Child, how: int, now: float) -> None:
        """A process has ended by itself, or was ended."""
        if how == RENEW:
            return
        if how >= 0 and self._once:
            child.over, child.status = True, how if how in {DONE, REFUSED} else TEMPFAIL
            return
        said = f"was ended by {signal.Signals(-how).name}" if how < 0 else f"ended with status {how}"
        self._setup.log("error", f"{child.place.name}: the process that read it {said}")
        child.backoff.lasted()
        child.rest = now + child.backoff.next()
        number = child.board.at().number
        child.deaths[number] = child.deaths.get(number, 0) + 1
        if child.deaths[number] < ENOUGH:
            return
        if number:
            child.suspects[number] = Verdict("failed", "the process that read it died twice (not enough memory?)")
            child.rest = now
        elif self._once:
            child.over, child.status = True, TEMPFAIL

    def _cut(self, child: Child, now: float) -> None:
        """The deadline of a message has passed, and nobody but the kernel can stop it: see Dispatch."""
        at, seconds = child.board.at(), self._setup.filter.deadline
        os.kill(child.pid, signal.SIGKILL)
        os.waitpid(child.pid, 0)
        child.pid = 0
        if not at.taken or now - at.taken < min(STILL_TAKING, seconds / 2):
            child.suspects[at.number] = Verdict("unfinished", f"reading and storing it takes longer than {seconds:g} s")
        else:
            self._setup.log(
                "error", f"{child.place.name}: a message was not stored within {seconds:g} s; it stays there"
            )
            child.rest = now + child.backoff.next()

    def _start(self, child: Child) -> None:
        child.board.begin(0)
        gc.freeze()  # what is here already is never garbage, and stays shared
        try:
            pid = os.fork()
        except OSError as error:  # no memory, too many processes
            self._setup.log("error", f"no process can be started to read {child.place.name}: {error.strerror}")
            child.rest = time.monotonic() + child.backoff.next()
            return
        if pid == 0:
            os.close(self._end)
            _live(partial(self._serve, child))
        child.pid = pid

    def _serve(self, child: Child) -> int:
        return Reader(self._setup, child, self._life).run(once=self._once)


def _waited(child: Child) -> int | None:
    """How a process ended: its status, or a signal as a negative number; None as long as it has not."""
    pid, status = os.waitpid(child.pid, os.WNOHANG)
    if not pid:
        return None
    child.pid = 0
    return os.waitstatus_to_exitcode(status)


def _live(serve: Callable[[], int]) -> NoReturn:
    """A process from its first to its last moment. Signals are for the parent, whose end it sees by a pipe."""
    status = 70  # EX_SOFTWARE
    try:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        syslog.closelog()
        status = serve()
    finally:
        if status == 70:
            sys.excepthook(*sys.exc_info())
        os._exit(status)


class Reader:
    """What the process of a place does: connect, look, wait; and after a failure wait longer each time."""

    def __init__(self, setup: Setup, child: Child, life: int) -> None:
        self._setup = setup
        self._life = life  # can be read when it is to end
        self._log = _prefixed(setup.log, child.place.name)
        self._backoff = Backoff()
        worker = Worker(setup.job, setup.log, child.board)
        self._way = child.place.way(Reading(setup, worker, self._over, child.suspects))

    def run(self, *, once: bool) -> int:
        """Until it is told to end, or once; DONE, REFUSED, RENEW or TEMPFAIL."""
        if self._setup.limits.memory_bytes:
            resource.setrlimit(resource.RLIMIT_DATA, (self._setup.limits.memory_bytes,) * 2)
        while not self._over():
            status = self._connected(once=once)
            if once or status == RENEW:
                return status
            if status != DONE:
                self._wait(self._backoff.next())
        return DONE

    def _connected(self, *, once: bool) -> int:
        """One connection, for as long as it lasts."""
        try:
            self._way.open()
        except FAULTS as error:
            return self._failed(error)
        try:
            status = self._look(once=once)
        except FAULTS as error:
            self._way.drop()
            return self._failed(error)
        self._way.close()
        return status

    def _look(self, *, once: bool) -> int:
        before = resident()
        while not self._over():
            looked = self._way.look()
            if looked.safe:
                self._log("info", f"{looked.safe} messages are safe, {looked.left} are left")
            if not looked.away:
                self._backoff.reset()
            if once:
                return TEMPFAIL if looked.left else DONE
            if looked.safe and resident() - before > self._setup.limits.worker_bytes:
                return RENEW
            if looked.away:
                self._wait(self._backoff.next())
            else:
                self._way.wait(self._life)
        return DONE

    def _failed(self, error: Exception) -> int:
        said = str(error)
        if isinstance(error, OSError):
            said = f"{error.filename or 'input or output'}: {error.strerror or error}"
        lasting = isinstance(error, CredentialError) or getattr(error, "lasting", False)
        self._log("error" if lasting else "warning", f"{said}; nothing is moved")
        return REFUSED if lasting else TEMPFAIL

    def _wait(self, seconds: float) -> None:
        select.select([self._life], [], [], seconds)

    def _over(self) -> bool:
        return bool(select.select([self._life], [], [], 0)[0])


def _prefixed(log: Log, name: str) -> Log:
    return lambda level, text: log(level, f"{name}: {text}")


def serve(read: Callable[[], Setup], setup: Setup, *, once: bool) -> int:
    """Until a signal says to end, or once; SIGHUP reads the settings again. The exit status."""
    ending = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, {*ending, signal.SIGHUP})
    for one in (*ending, signal.SIGHUP):
        signal.signal(one, signal.SIG_DFL)  # an ignored signal is never pending
    mailboxes = Mailboxes(setup, once=once)
    life = systemd.watchdog_seconds(os.environ) / 3
    told = 0.0
    setup.log("info", f"reads {', '.join(one.name for one in places(setup))}; stores into {setup.name}")
    systemd.notify(os.environ, "READY=1")
    for number in _signals({*ending, signal.SIGHUP}):
        if number == signal.SIGHUP:
            mailboxes = _reload(read, mailboxes, setup.log, once=once)
        elif number in ending or not mailboxes.tick():
            break
        if life and time.monotonic() - told >= life:
            told = time.monotonic()
            systemd.notify(os.environ, "WATCHDOG=1")
    systemd.notify(os.environ, "STOPPING=1")
    mailboxes.close()
    setup.log("info", "ends")
    return mailboxes.status


def _signals(numbers: set[signal.Signals]) -> Iterator[int]:
    """Signals as they come; 0 where none came within a tick."""
    while True:
        received = signal.sigtimedwait(numbers, TICK)
        yield received.si_signo if received else 0


def _reload(read: Callable[[], Setup], before: Mailboxes, log: Log, *, once: bool) -> Mailboxes:
    """New settings, or those before when something is wrong with the new ones."""
    systemd.reloading(os.environ)
    try:
        setup = read()
    except (SettingsError, StoreError) as error:
        log("error", f"the settings are wrong, and those before stay: {error}")
        return before
    except OSError as error:
        said = f"{error.filename or 'input or output'}: {error.strerror or error}"
        log("error", f"the settings are wrong, and those before stay: {said}")
        return before
    finally:
        systemd.notify(os.environ, "READY=1")
    before.close()
    setup.log("info", f"has read its settings again, stores into {setup.name}")
    return Mailboxes(setup, once=once)
