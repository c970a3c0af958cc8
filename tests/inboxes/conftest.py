"""What the tests of inboxes share: a real Dovecot, and who may log in to it with which token."""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.conftest import missing
from tests.mta.packages import UnavailableError

from .mailbox import Server


class Tokens(ThreadingHTTPServer):
    """Whom Dovecot asks about tokens, as it asks Google's tokeninfo: token -> user name."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.users: dict[str, str] = {}
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Answer as Google's tokeninfo does."""
        assert isinstance(self.server, Tokens)
        token = parse_qs(urlsplit(self.path).query).get("access_token", [""])[0]
        user = self.server.users.get(token)
        body = json.dumps({"username": user} if user else {"error": "invalid_token"}).encode()
        self.send_response(200 if user else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name in the standard library
        """Nothing."""


@pytest.fixture(scope="session")
def tokens() -> Iterator[Tokens]:
    """Tokens that Dovecot believes."""
    server = Tokens()
    with contextlib.closing(server.socket):
        yield server
        server.shutdown()


@pytest.fixture(scope="session")
def imap(tokens: Tokens) -> Iterator[Server]:
    """A real Dovecot."""
    try:
        server = Server(tokens.server_address[1])
    except UnavailableError as reason:
        missing(str(reason))
    with contextlib.closing(server):
        yield server
