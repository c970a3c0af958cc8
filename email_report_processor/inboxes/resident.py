"""`email-report-processor --lmtp ADDRESS`: listen until a signal says to end; SIGHUP reads the settings again."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from ..flags import Arguments, flags, now
from ..job import StoreChoice, choose_store, make_job
from ..log import Log, LogOptions, open_log
from ..process import FilterOptions, Job
from ..settings import Settings, SettingsError, load
from ..stores.store import StoreError
from . import systemd
from .address import AddressError, Listening, listen
from .board import Board
from .connections import Bounds, Connections
from .dispatch import TICK, Dispatch, Limits
from .group import Worker
from .lmtp import Message
from .options import LmtpOptions
from .spool import Spool
from .worker import Process, load_all, start

TEMPFAIL = 75
ENDING = (signal.SIGTERM, signal.SIGINT)


class Setup(NamedTuple):
    """Everything that the settings say, read at the start and at each SIGHUP."""

    options: LmtpOptions
    filter: FilterOptions
    feeds: Mapping[str, str]  # of recipients, in lower case
    job: Job
    log: Log
    choice: StoreChoice

    @property
    def limits(self) -> Limits:
        """For the workers."""
        workers = self.options.workers or max(2, len(os.sched_getaffinity(0)))
        return Limits(workers, self.filter.deadline, self.options.worker_bytes)

    @property
    def bounds(self) -> Bounds:
        """For the connections."""
        return Bounds(self.options.connections, self.options.recipients, self.options.idle)


def main(arguments: Arguments) -> int:
    """Listen until it is told to end; the exit status."""
    log = open_log(LogOptions(to=arguments.log or ""))
    try:
        read = partial(read_setup, arguments)
        setup = read()
        log = setup.log
        load_all(setup.choice.url)
        listening = listen(
            arguments.lmtp or "", int(setup.options.socket_mode, 8), setup.options.socket_group, os.environ
        )
    except (SettingsError, StoreError, AddressError) as error:
        return _refuse(log, str(error))
    except OSError as error:
        return _refuse(log, f"{error.filename or 'input or output'}: {error.strerror or error}")
    asyncio.run(Resident(setup, listening, read).run())
    return 0


def _refuse(log: Log, said: str) -> int:
    """A wrong setting; systemd and a terminal see it too."""
    log("error", f"it does not listen, and the mail server keeps its messages: {said}")
    sys.stderr.write(f"email-report-processor: {said}\n")
    return TEMPFAIL


def read_setup(arguments: Arguments) -> Setup:
    """Read the settings. Raises SettingsError, StoreError, OSError."""
    settings = load(flags(arguments), arguments.config, os.environ)
    log = open_log(settings.record("log", LogOptions))
    options = settings.record("lmtp", LmtpOptions)
    filter_ = settings.record("filter", FilterOptions)
    if filter_.unreadable == "65":
        raise SettingsError("[filter] unreadable = '65' is for filters that sort; with --lmtp it would be a bounce")
    choice = choose_store(settings, os.environ, budget=filter_.deadline * 0.8)
    if choice.url == "-":
        raise SettingsError("--store - writes to whoever called; with --lmtp that is nobody: name a store")
    choice.open().close()  # says now what is wrong with its URL or options
    job = make_job(settings, os.environ, choice, now, partial(log, "warning"))
    if arguments.tenant or job.routes is not None:
        job = _addressed(job, arguments)
    if choice.first_use:
        log("warning", f"no [store] url is set: storing into {choice.url}")
    return Setup(options, filter_, _feeds(settings), job, log, choice)


def _addressed(job: Job, arguments: Arguments) -> Job:
    """Where there are tenants: all their settings are read now. --tenant has what comes to no address of another."""
    from ..routing import addressed

    job = addressed(job, arguments.tenant or "", (), {})
    if job.routes is not None:
        job.routes.check()
    return job


def _feeds(settings: Settings) -> dict[str, str]:
    return {key.lower(): name for key, name in settings.mapping("feeds").items()}


def feed_of(recipients: tuple[str, ...], feeds: Mapping[str, str]) -> str:
    """The feed of the first recipient that has one: by its address, local part, what is behind a +, or before it."""
    for recipient in recipients if feeds else ():
        address = recipient.lower()
        local = address.rpartition("@")[0] or address
        base, _, detail = local.partition("+")
        for key in (address, local, f"+{detail}", base):
            if key in feeds:
                return feeds[key]
    return ""


class Resident:
    """The process: its connections, its workers, its signals."""

    def __init__(self, setup: Setup, listening: Listening, read: Callable[[], Setup]) -> None:
        self._setup = setup
        self._listening = listening
        self._read = read
        # What was open before anybody listened may stay open in workers; what comes later is of connections.
        self._descriptors = _descriptors() - {one.fileno() for one in listening.sockets}
        self._over = asyncio.Event()

    async def run(self) -> None:
        """Until it is told to end, and what is on its way is done."""
        loop = asyncio.get_running_loop()
        self._connections = Connections(self._setup.bounds, self._take)
        self._dispatch = Dispatch(self._start, self._connections.coming, self._setup.limits, self._setup.log)
        for number in ENDING:
            loop.add_signal_handler(number, self._over.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        servers = [await loop.create_server(self._connections.make, sock=one) for one in self._listening.sockets]
        self._setup.log("info", f"listens on {self._listening.name}, stores into {self._setup.choice.url}")
        systemd.notify(os.environ, "READY=1")
        ticking = asyncio.create_task(self._tick())
        over = asyncio.create_task(self._over.wait())
        await asyncio.wait({over, ticking}, return_when=asyncio.FIRST_COMPLETED)
        if ticking.done():
            ticking.result()  # a bug of ours: nothing would end any more, so this process does, with its traceback
        systemd.notify(os.environ, "STOPPING=1")
        for server in servers:
            server.close()
        await self._drain()
        ticking.cancel()
        self._listening.close()

    async def _drain(self) -> None:
        """Messages whose data are coming, and those that wait, have some seconds; then they are the mail server's."""
        self._connections.end()
        until = asyncio.get_running_loop().time() + self._setup.options.drain
        while self._connections.all and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.02)
        self._dispatch.close()
        self._connections.abort()
        await asyncio.sleep(0)  # their transports close
        self._setup.log("info", "ends")

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        life = systemd.watchdog_seconds(os.environ) / 3
        told = 0.0
        while True:
            await asyncio.sleep(TICK)
            self._dispatch.tick()
            self._connections.tick()
            if life and loop.time() - told >= life:
                told = loop.time()
                systemd.notify(os.environ, "WATCHDOG=1")

    def _take(self, message: Message, answer: Callable[[int], None]) -> None:
        assert isinstance(message.content, Spool)
        feed = feed_of(message.recipients, self._setup.feeds)
        routes = self._setup.job.routes
        to = routes.of_message(message.recipients, feed) if routes else ()
        self._dispatch.add(message.content, feed, answer, to or self._setup.job.to)

    def _start(self) -> Process:
        setup = self._setup

        def make(board: Board) -> Worker:
            return Worker(setup.job, setup.log, board)

        return start(make, setup.options.memory_bytes, lambda: self._descriptors)

    def _reload(self) -> None:
        """SIGHUP: new settings, or the old ones when something is wrong with those. The address stays."""
        systemd.reloading(os.environ)
        before = _descriptors()
        try:
            setup = self._read()
            load_all(setup.choice.url)
        except (SettingsError, StoreError) as error:
            self._setup.log("error", f"the settings are wrong, and those before stay: {error}")
        except OSError as error:
            said = f"{error.filename or 'input or output'}: {error.strerror or error}"
            self._setup.log("error", f"the settings are wrong, and those before stay: {said}")
        else:
            self._descriptors |= _descriptors() - before  # databases
            self._setup = setup
            self._connections.bounds = setup.bounds
            self._dispatch.renew(self._start, setup.limits, setup.log)
            setup.log("info", f"has read its settings again, stores into {setup.choice.url}")
        systemd.notify(os.environ, "READY=1")


def _descriptors() -> set[int]:
    """What is open."""
    with os.scandir("/proc/self/fd") as entries:
        names = [int(entry.name) for entry in entries]
    return {name for name in names if os.path.lexists(f"/proc/self/fd/{name}")}  # not that of the directory
