"""The mail server's side of LMTP, byte by byte, and the running listener.

Not smtplib.LMTP: of the replies to one message it reads the first alone (CPython's issue 76984), and takes the second
for the reply to its next command.
"""

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.conftest import Program

TO = "dmarc@example.org"


def stuffed(message: bytes) -> bytes:
    """As a client sends it, with its end."""
    text = message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    text = text if text.endswith(b"\r\n") else text + b"\r\n"
    return (b"\r\n" + text).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"


class Client:
    """One connection."""

    def __init__(self, address: Path | tuple[str, int], seconds: float = 60) -> None:
        self.socket = socket.socket(socket.AF_UNIX if isinstance(address, Path) else socket.AF_INET)
        self.socket.settimeout(seconds)
        try:
            self.socket.connect(str(address) if isinstance(address, Path) else address)
        except OSError:
            self.socket.close()
            raise
        self._file = self.socket.makefile("rb")

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self.socket.close()

    def reply(self) -> str:
        """The next reply; of one of many lines the last; '' when the other side has hung up."""
        line = b""
        with contextlib.suppress(ConnectionResetError):
            while (line := self._file.readline())[3:4] == b"-":
                continue
        return line.decode().rstrip("\r\n")

    def say(self, command: str) -> str:
        """A command, and its reply."""
        self.socket.sendall(command.encode() + b"\r\n")
        return self.reply()

    def hello(self) -> "Client":
        """The greeting and LHLO."""
        assert self.reply().startswith("220 ")
        assert self.say("LHLO mail.example.org").startswith("250 ")
        return self

    def envelope(self, recipients: Sequence[str] = (TO,)) -> None:
        """Everything up to the data, all at once (RFC 2920)."""
        rcpt = "".join(f"RCPT TO:<{one}>\r\n" for one in recipients)
        self.socket.sendall(f"MAIL FROM:<r@example.net> BODY=8BITMIME\r\n{rcpt}DATA\r\n".encode())
        for _ in range(len(recipients) + 1):
            assert self.reply().startswith("250 ")
        assert self.reply().startswith("354 ")

    def send(self, message: bytes, recipients: Sequence[str] = (TO,)) -> list[str]:
        """A message; the reply for each recipient."""
        self.envelope(recipients)
        self.socket.sendall(stuffed(message))
        return [self.reply() for _ in recipients]


class Listener:
    """A running `email-report-processor --lmtp`, on a socket in the directory of its program."""

    def __init__(self, program: Program, *flags: str, address: str = "", **start: Any) -> None:
        self.path = program.directory / "lmtp"
        self.log = program.directory / "log"
        self.process = program.start(f"--lmtp={address or f'unix:{self.path}'}", f"--log={self.log}", *flags, **start)
        try:
            self.wait_until(lambda: f"[{self.process.pid}]: info: listens on" in self.said, "listens not")
        except AssertionError:
            self.process.kill()
            raise

    def __enter__(self) -> "Listener":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.communicate()

    @property
    def said(self) -> str:
        """Its log so far."""
        return self.log.read_text("utf-8") if self.log.exists() else ""

    def wait_for(self, *words: str) -> None:
        """Until all of them are in its log."""
        self.wait_until(lambda: all(word in self.said for word in words), f"not said: {words}")

    def wait_until(self, condition: Callable[[], bool], failure: str = "not in time") -> None:
        """Until something holds; EndedError when the process ends before."""
        end = time.monotonic() + 60
        while not condition():
            if self.process.poll() is not None:
                raise EndedError(self.process.returncode, *self.process.communicate())
            assert time.monotonic() < end, f"{failure}: {self.said}"
            time.sleep(0.005)

    def client(self, seconds: float = 60) -> Client:
        """A new connection, greeted."""
        return Client(self.path, seconds).hello()

    def send(self, message: bytes, *recipients: str) -> list[str]:
        """A message on a connection of its own; the reply for each recipient."""
        with self.client() as client:
            return client.send(message, recipients or (TO,))

    def workers(self) -> list[int]:
        """Its worker processes."""
        return children(self.process.pid)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Tell it to end; its status. Nothing may have been printed."""
        self.process.send_signal(number)
        stdout, stderr = self.process.communicate(timeout=60)
        assert (stdout, stderr) == (b"", b"")
        return self.process.returncode


class EndedError(Exception):
    """It did not start: status, standard output, standard error."""


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process that does nothing meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def codes(replies: Sequence[str]) -> list[str]:
    """Their first three characters."""
    return [reply[:3] for reply in replies]
