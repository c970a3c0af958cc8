"""`logins policy`: a service that mail servers ask, on a Unix socket or a loopback port; it speaks both protocols.

One thread answers, from memory; others write the state and tell people, after the answer. What cannot be understood is
answered with "go on", and the log says so.
"""

import asyncio
import os
import signal
import stat
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from ..log import Log
from .acting import Acting
from .judge import Judge
from .policy import Policy
from .rules import Finding
from .service import learn, load
from .state import Change, Event, State, StateError

ROLE = "policy"
_MOST = 65536  # bytes of one request
_FLUSH = 0.05  # seconds after an answer until what was learnt is written
_LOOK = 1.0  # seconds between two looks for accounts that were stopped or released by others


class Place(NamedTuple):
    """Where to listen: a path, or a loopback address and a port."""

    path: str = ""
    host: str = ""
    port: int = 0


def read_place(text: str) -> Place:
    """`unix:PATH` or `inet:127.0.0.1:PORT`. Raises ValueError."""
    kind, _, rest = text.partition(":")
    if kind == "unix" and rest.startswith("/"):
        return Place(rest)
    host, _, port = rest.rpartition(":")
    try:
        if kind == "inet" and ip_address(host.strip("[]")).is_loopback and 0 < int(port) < 65536:
            return Place("", host.strip("[]"), int(port))
    except ValueError:
        pass
    raise ValueError(f"{text!r} is no place to listen: write unix:/PATH or inet:127.0.0.1:PORT")


class Service:
    """The running service. looking, writing: the same state, opened for each of two threads."""

    def __init__(self, judge: Judge, looking: State, writing: State, acting: Acting, log: Log) -> None:
        load(judge, looking, ROLE)
        self._policy = Policy(acting.options, judge, looking.stops(), self.found)
        self._judge = judge
        self._looking = looking
        self._writing = writing
        self._acting = acting
        self._log = log
        self._writer = ThreadPoolExecutor(1, "state")
        self._teller = ThreadPoolExecutor(1, "tell")
        self._findings: list[Finding] = []
        self._pending: set[str] = set()  # stopped here, not yet on disk
        self._due = False
        self._version = -1
        self._connections: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}

    async def run(self, places: list[Place], mode: int, ready: Callable[[], None] = lambda: None) -> None:
        """Serve until SIGTERM or SIGINT. mode: of a Unix socket. Raises OSError when it cannot listen."""
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ended.set)
        servers = [await self._listen(place, mode) for place in places]
        ready()
        while not ended.is_set():
            self._look()
            try:
                await asyncio.wait_for(ended.wait(), _LOOK)
            except TimeoutError:
                continue
        for server in servers:
            server.close()
        for writer in self._connections:
            writer.close()
        await asyncio.gather(*self._connections.values())
        self._flush()
        for executor in (self._writer, self._teller):  # what was learnt is on disk, what is being told is told
            executor.submit(lambda: None).result()
        self._writer.shutdown()

    async def _listen(self, place: Place, mode: int) -> asyncio.Server:
        if not place.path:
            return await asyncio.start_server(self._serve, place.host, place.port, limit=_MOST)
        path = Path(place.path)
        if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
            path.unlink()  # of a run that was killed
        server = await asyncio.start_unix_server(self._serve, place.path, limit=_MOST)
        os.chmod(place.path, mode)
        return server

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, with as many questions as the mail server likes."""
        task = asyncio.current_task()
        assert task is not None  # a connection is one
        self._connections[writer] = task
        try:
            while line := await reader.readline():
                if line.startswith((b"POST ", b"GET ")):
                    await self._http(line, reader, writer)
                else:
                    request = await _attributes(line, reader)
                    writer.write(self._answer(partial(self._policy.postfix, request), b"action=DUNNO\n\n"))
                await writer.drain()
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            if not isinstance(error, ConnectionError):
                self._log("warning", f"logins policy: a question was not understood ({error}); it was not answered")
        finally:
            writer.close()
            self._connections.pop(writer, None)

    async def _http(self, line: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length = 0
        while (header := await reader.readline()).strip():
            name, _, value = header.partition(b":")
            if name.strip().lower() == b"content-length":
                length = int(value)
        if not 0 <= length <= _MOST:
            raise ValueError(f"a body of {length} bytes")
        body = await reader.readexactly(length)
        command = "report" if b"command=report" in line else "allow"
        answer = self._answer(partial(self._policy.dovecot, command, body), b'{"status":0,"msg":""}')
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer)
        )

    def _answer(self, decide: Callable[[float], bytes], open_: bytes) -> bytes:
        """The answer; "go on" to what is no question."""
        try:
            answer = decide(time.time())
        except (ValueError, RecursionError) as error:
            self._log("warning", f"logins policy: a question was not understood ({error}); the answer was: go on")
            return open_
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_later(_FLUSH, self._flush)
        return answer

    def found(self, finding: Finding) -> None:
        """What the policy found; it is written with the next flush."""
        self._findings.append(finding)
        self._pending.add(finding.account)

    def _flush(self, cursors: Mapping[str, str] = MappingProxyType({})) -> None:
        """Hand what was learnt to the thread that writes."""
        self._due = False
        findings, self._findings = self._findings, []
        changes = list(self._judge.memory.changes())
        if changes or findings or cursors:
            loop = asyncio.get_running_loop()
            written = asyncio.wrap_future(self._writer.submit(self._write, cursors, changes, findings), loop=loop)
            written.add_done_callback(lambda done: self._written(findings, done.exception()))

    def _written(self, findings: list[Finding], fault: BaseException | None) -> None:
        if fault is not None:
            self._log("error", f"logins policy: what was learnt is not on disk: {fault!r}")
        self._pending.difference_update(one.account for one in findings)

    def _write(self, cursors: Mapping[str, str], changes: list[Change], findings: list[Finding]) -> None:
        try:
            for finding in findings:
                self._acting.found(finding)
            events = self._writing.commit(ROLE, time.time(), cursors, changes, findings)
        except StateError as error:
            self._log("error", f"logins policy: what was learnt is not on disk: {error}")
            return
        for event in events:
            self._teller.submit(self._tell, event)

    def _tell(self, event: Event) -> None:
        self._acting.tell(event)
        self._writer.submit(self._told, event)

    def _told(self, event: Event) -> None:
        try:
            self._writing.told(event)
        except StateError as error:
            self._log("error", f"logins policy: {error}")

    def _look(self) -> None:
        """Take over what others stopped, released and taught."""
        try:
            version = self._looking.version()
            if version == self._version:
                return
            self._version = version
            self._policy.stopped = set(self._looking.stops()) | (self._pending & self._policy.stopped)
            cursors = learn(self._judge, self._looking, ROLE)
        except StateError as error:
            self._log("error", f"logins policy: who is stopped cannot be read: {error}")
            return
        if cursors:
            self._flush(cursors)


async def _attributes(first: bytes, reader: asyncio.StreamReader) -> bytes:
    """A request of Postfix: lines up to an empty one."""
    request = line = first
    while line.strip() and (line := await reader.readline()):
        request += line
        if len(request) > _MOST:
            raise ValueError(f"a request of more than {_MOST} bytes")
    return request
