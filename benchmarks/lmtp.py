"""Messages a second by LMTP on 20 connections, against a process for each message, in the same run.

Both store the same messages into stores of the same kind. The mail server's side is as cheap as can be made: one
process that writes prepared bytes to its connections, and one that starts processes as a pipe does.
"""

import contextlib
import os
import secrets
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from . import messages
from .one_message import PROGRAM

CONNECTIONS = 20
MESSAGES = 2000  # by LMTP
PROCESSES = 40  # messages that are given to a process each
AT_ONCE = (2, 4)  # such processes; the better counts
ROUNDS = 3


class Rate(NamedTuple):
    """What came of one run."""

    per_second: float
    p50: float  # seconds from the final dot to the answer
    p99: float


def main(node: str = "") -> bool:
    """Run both comparisons; the one with OpenSearch needs the URL of a node. Whether every target was met."""
    with tempfile.TemporaryDirectory() as folder:
        met = [_compare("SQLite", Path(folder), "")]
        if node:
            met.append(_compare("OpenSearch", Path(folder), node))
    return all(met)


def _compare(what: str, folder: Path, node: str) -> bool:
    """Rounds of both in turn; the ratio is the median of theirs."""
    prefix = f"bench-{secrets.token_hex(4)}-"
    pairs = []
    try:
        for turn in range(ROUNDS):
            place = folder / f"{what}-{turn}"
            place.mkdir()
            environ = {"EMAIL_REPORT_PROCESSOR_STORE_INDEX_PREFIX": f"{prefix}{turn}-"}
            pipe = max(_pipe(place, node or f"sqlite:{place}/{n}.sqlite", environ, n) for n in AT_ONCE)
            with _listener(place, node or f"sqlite:{place}/lmtp.sqlite", environ) as path:
                send(path, _some(200, 10**17 + turn * 10**6))  # the templates, the file
                pairs.append((pipe, send(path, _some(MESSAGES, 10**18 + turn * 10**6))))
    finally:
        if node:
            from tests.nodes import Node

            Node(node).wipe(prefix)
    return _say(what, pairs)


def _say(what: str, pairs: list[tuple[float, Rate]]) -> bool:
    ratio = statistics.median(rate.per_second / pipe for pipe, rate in pairs)
    pipe = statistics.median(pipe for pipe, _ in pairs)
    rate = statistics.median(rate.per_second for _, rate in pairs)
    p50, p99 = (statistics.median(getattr(rate, part) for _, rate in pairs) * 1000 for part in ("p50", "p99"))
    met = ratio >= 40
    line = f"{'LMTP → ' + what + ', messages a second':<44} {rate:7,.0f} /s / {pipe:7,.1f} /s = {ratio:5.1f} (≥ 40)"
    print(f"{line}  median {p50:.0f} ms, p99 {p99:.0f} ms{'' if met else '  MISSED'}")
    sys.stdout.flush()
    return met


def _some(number: int, first: int) -> list[bytes]:
    return [messages.message(1 + one % 20, str(first + one)) for one in range(number)]


def _arguments(place: Path, store: str) -> list[str]:
    settings = place / "settings.toml"
    settings.write_text('[log]\nto = "none"\n')
    return [PROGRAM, "--config", str(settings), "--state", str(place / "state"), "--store", store]


def _pipe(place: Path, store: str, environ: dict[str, str], at_once: int) -> float:
    """Messages a second by a process for each, so many at once."""
    files = []
    for number, message in enumerate(_some(PROCESSES, 10**16 + at_once * 10**6)):
        file = place / f"{at_once}-{number}.eml"
        file.write_bytes(message)
        files.append(file)
    command = _arguments(place, store)
    _run_all(command, environ, files[:at_once], at_once)
    began = time.monotonic()
    _run_all(command, environ, files, at_once)
    return len(files) / (time.monotonic() - began)


def _run_all(command: list[str], environ: dict[str, str], files: list[Path], at_once: int) -> None:
    running: list[subprocess.Popen[bytes]] = []
    for file in files:
        if len(running) == at_once:
            _finish(running)
        with file.open("rb") as message:
            running.append(subprocess.Popen(command, stdin=message, env=os.environ | environ))
    while running:
        _finish(running)


def _finish(running: list[subprocess.Popen[bytes]]) -> None:
    pid, status = os.waitpid(-1, 0)
    assert status == 0, status
    for one in [one for one in running if one.pid == pid]:
        one.returncode = 0
        running.remove(one)


@contextlib.contextmanager
def _listener(place: Path, store: str, environ: dict[str, str]) -> Iterator[str]:
    path = str(place / "lmtp")
    command = [*_arguments(place, store), "--lmtp", f"unix:{path}"]
    with subprocess.Popen(command, env=os.environ | environ) as process:
        try:
            while not os.path.exists(path):
                assert process.poll() is None
                time.sleep(0.01)
            yield path
        finally:
            process.terminate()


class _Client:
    """One connection of the mail server's side."""

    def __init__(self, path: str, queue: Iterator[bytes]) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.queue = queue
        self.buffer = b""
        self.sent = 0.0
        self.message: bytes | None = None
        self.socket.sendall(b"LHLO bench.example\r\n")

    def next(self) -> bool:
        """Say the envelope of the next message; False when there is none."""
        self.message = next(self.queue, None)
        if self.message is None:
            return False
        self.socket.sendall(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<rua@example.org>\r\nDATA\r\n")
        return True


def send(path: str, some: Iterable[bytes]) -> Rate:
    """Send the messages on CONNECTIONS connections. None may have a line that begins with a dot."""
    queue = (message + b".\r\n" for message in some)
    selector = selectors.DefaultSelector()
    took: list[float] = []
    began = time.monotonic()
    for _ in range(CONNECTIONS):
        client = _Client(path, queue)
        selector.register(client.socket, selectors.EVENT_READ, client)
    while selector.get_map():
        for key, _ in selector.select():
            _hear(key.data, selector, took)
    seconds = time.monotonic() - began
    took.sort()
    return Rate(len(took) / seconds, took[len(took) // 2], took[len(took) * 99 // 100])


def _hear(client: _Client, selector: selectors.BaseSelector, took: list[float]) -> None:
    client.buffer += client.socket.recv(65536)
    if not client.buffer.endswith(b"\r\n"):
        return
    last = client.buffer.splitlines()[-1]
    if client.message is None:
        if last.startswith(b"250 "):  # of LHLO
            client.buffer = b""
            _next(client, selector)
    elif last.startswith(b"354 "):
        client.buffer = b""
        client.socket.sendall(client.message)
        client.sent = time.monotonic()
    elif client.sent:
        assert last.startswith(b"250 "), last
        took.append(time.monotonic() - client.sent)
        client.buffer, client.sent = b"", 0.0
        _next(client, selector)


def _next(client: _Client, selector: selectors.BaseSelector) -> None:
    if not client.next():
        selector.unregister(client.socket)
        client.socket.close()
