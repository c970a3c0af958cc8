"""Lines to a server and its answers, where a client library would be in the way."""

import contextlib
import socket
from collections.abc import Iterator


@contextlib.contextmanager
def session(port: int) -> Iterator["Session"]:
    """A connection that has read the greeting."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as wire:
        talk = Session(wire)
        talk.read()
        yield talk


class Session:
    """One connection."""

    def __init__(self, wire: socket.socket) -> None:
        self._wire = wire

    def read(self) -> str:
        """What the server says next."""
        return self._wire.recv(65536).decode(errors="replace")

    def say(self, line: str) -> str:
        """A line, and the answer."""
        self._wire.sendall(line.encode() + b"\r\n")
        return self.read()
