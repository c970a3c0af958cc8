"""The connections of a listener: what comes goes to a conversation (lmtp.py), what it says goes back.

While a message waits for its answer nothing is read, and neither while the other side does not read: what a connection
can make this process hold is bounded.
"""

import asyncio
import os
from collections.abc import Callable
from typing import NamedTuple

from .group import SAFE
from .lmtp import Message, Session
from .spool import Spool

STORED = "250 2.0.0 it is safe"
LATER = "451 4.3.0 not now; the log of email-report-processor says why"
UNREAD = 64 * 1024  # bytes of replies that may wait for the other side


class Bounds(NamedTuple):
    """How much the other side may ask for."""

    connections: int
    recipients: int
    idle: float  # seconds without a byte


class Connections:
    """All connections. `take` is given each message, and what to call with its status."""

    def __init__(self, bounds: Bounds, take: Callable[[Message, Callable[[int], None]], None]) -> None:
        self.bounds = bounds
        self.take = take
        self.all: set[Connection] = set()
        self.ending = False
        self.host = os.uname().nodename

    def make(self) -> "Connection":
        """For asyncio, which has accepted one."""
        return Connection(self)

    def coming(self) -> int:
        """How many messages are on their way."""
        return sum(one.session.coming for one in self.all)

    def tick(self) -> None:
        """Close what is idle."""
        now = asyncio.get_running_loop().time()
        for one in list(self.all):
            if now - one.heard > self.bounds.idle and one.session.message is None:
                one.expire()

    def end(self) -> None:
        """Take no new message; those that are on their way may come to their end."""
        self.ending = True
        for one in list(self.all):
            if not (one.session.receiving or one.session.message):
                one.end("421 4.3.2 this process ends")

    def abort(self) -> None:
        """Close all of them now."""
        for one in list(self.all):
            one.end("421 4.3.2 this process ends")


class Connection(asyncio.Protocol):
    """One connection."""

    transport: asyncio.Transport

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self.session = Session(connections.host, connections.bounds.recipients, Spool)
        self.heard = self._loop.time()
        self._full = False  # the other side does not read
        self._half = False  # the other side has said all that it will

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.set_write_buffer_limits(UNREAD)
        self._connections.all.add(self)
        if len(self._connections.all) > self._connections.bounds.connections:
            self.end("421 4.3.2 too many connections")
        elif self._connections.ending:
            self.end("421 4.3.2 this process ends")
        else:
            transport.write(self.session.greeting())

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol. A message without its end is nobody's; one that has it is worked on."""
        self._connections.all.discard(self)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self.heard = self._loop.time()
        self._went_on(self.session.feed(data))

    def eof_received(self) -> bool:
        """See asyncio.Protocol. Who only wrote its end may still read what becomes of its message."""
        self._half = True
        return self.session.message is not None

    def pause_writing(self) -> None:
        """See asyncio.Protocol."""
        self._full = True
        self._choose()

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        self._full = False
        self._choose()

    def end(self, reply: str) -> None:
        """Say why, and close; at once when the other side does not read."""
        self.session.over = True
        if self.transport.is_closing():
            return
        if self._full:
            self.transport.abort()
        else:
            self.transport.write(f"{reply}\r\n".encode())
            self.transport.close()

    def expire(self) -> None:
        """Nothing came for too long; who does not even read the last reply is cut off."""
        if self.transport.is_closing():
            self.transport.abort()
        else:
            self.end("421 4.4.2 nothing came for too long")

    def _went_on(self, replies: bytes) -> None:
        if self.transport.is_closing():
            return
        if replies:
            self.transport.write(replies)
        message = self.session.message
        if self.session.over or (self._half and message is None):
            self.transport.close()
        elif self._connections.ending and message is None and not self.session.receiving:
            self.end("421 4.3.2 this process ends")
        else:
            self._choose()
            if message is not None:
                self._connections.take(message, self._answered)

    def _answered(self, status: int) -> None:
        self.heard = self._loop.time()
        if self.session.message is not None:
            self._went_on(self.session.answer(STORED if status == SAFE else LATER))

    def _choose(self) -> None:
        """Read, or not now."""
        if self.transport.is_closing():
            return
        if self._full or self.session.message is not None:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()
