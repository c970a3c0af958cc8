"""Mail servers that ask `logins policy`: Postfix's protocol and Dovecot's JSON, over a socket."""

import contextlib
import http.client
import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.conftest import Program
from tests.mta.box import wait_until

CLOSED = b""


class Asking:
    """A running service, and questions to it."""

    def __init__(self, path: Path, process: subprocess.Popen[bytes]) -> None:
        self.path = path
        self.process = process
        self._number = 0

    def connect(self) -> socket.socket:
        """A connection."""
        with contextlib.ExitStack() as opened:
            wire = opened.enter_context(socket.socket(socket.AF_UNIX))
            wire.settimeout(20)
            wire.connect(str(self.path))
            opened.pop_all()
        return wire

    def answers(self) -> bool:
        """Whether it listens: between bind(2) and listen(2) the socket is there, and refuses."""
        try:
            self.connect().close()
        except OSError:
            return False
        return True

    def raw(self, request: bytes) -> bytes:
        """The answer to any bytes, CLOSED when the connection is closed."""
        with self.connect() as wire:
            wire.sendall(request)
            return wire.recv(65536)

    def postfix(self, account: str, address: str, **more: str) -> str:
        """The action for a message of somebody who logged in."""
        self._number += 1
        said = {
            "request": "smtpd_access_policy", "protocol_state": "RCPT", "instance": f"i{self._number}",
            "sasl_username": account, "sasl_method": "PLAIN", "client_address": address, **more,
        }  # fmt: skip
        lines = "".join(f"{name}={value}\n" for name, value in said.items())
        return self.raw(f"{lines}\n".encode()).decode().removeprefix("action=").strip()

    def dovecot(self, account: str, address: str, command: str = "allow", **more: Any) -> int:
        """The status for a login."""
        connection = http.client.HTTPConnection("localhost")
        connection.sock = self.connect()
        body = json.dumps({"login": account, "remote": address, "protocol": "imap", **more})
        connection.request("POST", f"/?command={command}", body)
        with contextlib.closing(connection):
            return int(json.loads(connection.getresponse().read())["status"])


@contextlib.contextmanager
def running(
    run_admin: Program, path: Path, settings: str, *places: str, number: signal.Signals = signal.SIGTERM
) -> Iterator[Asking]:
    """`logins policy`, ended with a signal. places: where it listens beside the path."""
    listen = [word for place in (f"unix:{path}", *places) for word in ("--listen", place)]
    process = run_admin.start("logins", "policy", *listen, settings=settings)
    try:
        asking = Asking(path, process)
        wait_until(asking.answers, "the service does not listen", 30)
        yield asking
        process.send_signal(number)
        said = process.communicate(timeout=30)
        assert (process.returncode, said) == (0 if number == signal.SIGTERM else -number, (b"", b""))
    finally:
        process.kill()
        process.wait()
        path.unlink(missing_ok=True)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe:
                pipe.close()
