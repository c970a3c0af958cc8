"""The two ends of the wire: what leaves a mail server, and the way to a store that can be cut."""

import contextlib
import select
import smtplib
import socket
import socketserver
import threading
from collections.abc import Sequence

from .box import wait_for_port
from .messages import REPORTER


class Sink:
    """An SMTP server that takes everything: whatever a mail server sends away, a bounce above all, ends here."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self._server = _server(_Smtp, self)
        self.port: int = self._server.server_address[1]

    def close(self) -> None:
        """Stop listening."""
        _stop(self._server)


class _Smtp(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.wfile.write(b"220 sink.example ESMTP\r\n")
        for line in self.rfile:
            verb = line.strip().upper()
            if verb == b"DATA":
                self._data()
            elif verb.startswith(b"EHLO"):
                self.wfile.write(b"250-sink.example\r\n250-8BITMIME\r\n250 SIZE 0\r\n")
            elif verb == b"QUIT":
                self.wfile.write(b"221 Bye\r\n")
                return
            else:
                self.wfile.write(b"250 Ok\r\n")

    def _data(self) -> None:
        self.wfile.write(b"354 Go on\r\n")
        lines = []
        for line in self.rfile:
            if line == b".\r\n":
                break
            lines.append(line)
        self.server.owner.messages.append(b"".join(lines))  # type: ignore[attr-defined]  # set by _server
        self.wfile.write(b"250 Ok\r\n")


class Gate:
    """A TCP forwarder in front of the store, which can be closed (connection refused) and held (no answer)."""

    def __init__(self, host: str, port: int) -> None:
        self.target = (host, port)
        self.held = threading.Event()
        self._server: socketserver.ThreadingTCPServer | None = None
        self.port = 0
        self.open()

    def open(self) -> None:
        """Let connections through (again), on the same port as before."""
        self.held.clear()
        if self._server is None:
            self._server = _server(_Forward, self, self.port)
            self.port = self._server.server_address[1]

    def close(self) -> None:
        """Refuse connections, and break those that are there."""
        self.held.clear()
        if self._server is not None:
            _stop(self._server)
            self._server = None

    def hold(self) -> None:
        """Take connections, and let nothing through them."""
        self.held.set()


class _Forward(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        gate: Gate = self.server.owner  # type: ignore[attr-defined]  # set by _server
        with socket.create_connection(gate.target) as far, contextlib.suppress(OSError):
            pairs = {self.request: far, far: self.request}
            while gate._server is self.server:
                ready = [] if gate.held.wait(0) else select.select(list(pairs), [], [], 0.05)[0]
                if gate.held.is_set():
                    threading.Event().wait(0.02)
                for one in ready:
                    piece = one.recv(65536)
                    if not piece:
                        return
                    pairs[one].sendall(piece)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int, handler: type[socketserver.BaseRequestHandler], owner: object) -> None:
        self.owner = owner
        super().__init__(("127.0.0.1", port), handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Broken connections are what a gate is for."""


def _server(handler: type[socketserver.BaseRequestHandler], owner: object, port: int = 0) -> _Server:
    server = _Server(port, handler, owner)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    return server


def _stop(server: socketserver.BaseServer) -> None:
    server.shutdown()
    server.server_close()


def send(port: int, message: bytes, recipients: Sequence[str], *, lmtp: bool = False) -> None:
    """Hand a message to a mail server as the reporter does. Raises smtplib.SMTPException when it is refused."""
    wait_for_port(port)
    client = (smtplib.LMTP if lmtp else smtplib.SMTP)("127.0.0.1", port, "reporter.example", timeout=60)
    with client:
        refused = client.sendmail(REPORTER, recipients, message, ["BODY=8BITMIME"])
        assert not refused, refused
