"""What has to hold in every mail server: nothing lost, nothing twice, no bounce (design §1).

Each check takes a mail server, the store and an address that the program stands behind. A mail server without a queue
counts what it leaves elsewhere for another try.
"""

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from . import messages, stand_in
from .behind import Behind
from .box import DMARC, STATE, Box, wait_until
from .wires import Sink

KILLS = 50
BODY = b"From here on it is about lunch."


class Server(Protocol):
    """A mail server (or filter) with the program behind some of its addresses."""

    box: Box
    sink: Sink
    # What may be killed in mid-run without a bounce: words of command lines. The wrapper is a direct child of the
    # mail server, and only Postfix takes its death for a reason to try again.
    mortal: tuple[str, ...]

    def deliver(self, message: bytes, *recipients: str) -> None:
        """Hand in a message, and return when every delivery was tried once."""
        ...

    def retry(self) -> None:
        """Try once more what waits, and return when that is over."""
        ...

    def waiting(self) -> int:
        """How many messages wait for another try."""
        ...

    def close(self) -> None:
        """End it."""
        ...


Check = Callable[[Server, Behind, str], None]


def stored(server: Server, behind: Behind, to: str) -> None:
    """A report is stored, every row of it, and the log says so."""
    server.deliver(messages.report(rows=3), to)
    assert server.waiting() == 0
    assert _datasets(behind) == {"dmarc-aggregate": 3, "report": 1}
    wait_until(lambda: any("stored=4" in line for line in server.box.lines), f"no line in the log: {server.box.lines}")


def store_down(server: Server, behind: Behind, to: str) -> None:
    """The store is down: the message waits; it is up again: stored once."""
    behind.configure(server.box, deadline=1)
    behind.gate.close()
    server.deliver(messages.report(rows=3), to)
    assert server.waiting() == 1
    server.retry()
    assert server.waiting() == 1
    behind.gate.open()
    behind.configure(server.box)
    server.retry()
    assert server.waiting() == 0
    assert _datasets(behind) == {"dmarc-aggregate": 3, "report": 1}


def duplicate(server: Server, behind: Behind, to: str) -> None:
    """The same message twice is stored once."""
    message = messages.report()
    server.deliver(message, to)
    server.deliver(message, to)
    assert server.waiting() == 0
    assert _datasets(behind) == {"dmarc-aggregate": 2, "report": 1}


def no_report(server: Server, behind: Behind, to: str) -> None:
    """A message that is no report is kept, as it came."""
    server.deliver(messages.looks_like_report(), to)
    assert server.waiting() == 0
    assert behind.documents() == []
    assert b"nothing to report" in _kept_one(server.box)


def broken(server: Server, behind: Behind, to: str) -> None:
    """A report that cannot be read is kept."""
    server.deliver(messages.broken_report(), to)
    assert server.waiting() == 0
    assert b"Report-ID: broken" in _kept_one(server.box)


def full_disk(server: Server, behind: Behind, to: str) -> None:
    """No room for a copy: the message waits until there is."""
    with full(server.box, f"{STATE}/kept"):
        server.deliver(messages.looks_like_report(), to)
        assert server.waiting() == 1
    server.retry()
    assert server.waiting() == 0
    assert b"nothing to report" in _kept_one(server.box)


def bad_settings(server: Server, behind: Behind, to: str) -> None:
    """Our own mistake is no reason to bounce."""
    behind.configure(server.box, more="no_such_key = 1\n")
    server.deliver(messages.report(), to)
    assert server.waiting() == 1
    behind.configure(server.box)
    server.retry()
    assert server.waiting() == 0
    assert _datasets(behind) == {"dmarc-aggregate": 2, "report": 1}


def misbehaving(server: Server, behind: Behind, to: str) -> None:
    """Whatever the program does, behind the wrapper the message waits and nothing of it is seen outside."""
    for number, behaviour in enumerate(list(stand_in.BEHAVIOURS)[1:], start=1):
        stand_in.install(server.box, behaviour, reads=number % 3 != 0)
        server.deliver(messages.report(rows=2), to)
        assert server.waiting() == number, behaviour
    stand_in.install(server.box, "good")
    server.retry()
    assert server.waiting() == 0
    assert len(set(stand_in.seen(server.box))) >= len(stand_in.BEHAVIOURS) - 1


def killed(server: Server, behind: Behind, to: str) -> None:
    """Killed 50 times in mid-run: nothing lost, nothing doubled."""
    rows = sent = 0
    with contextlib.closing(Killer(server)) as killer:
        while killer.kills < KILLS:
            if server.waiting():
                server.retry()
            else:
                for _ in range(4):
                    sent, rows = sent + 1, rows + 5
                    server.deliver(messages.report(rows=5), to)
    for _ in range(3):
        if server.waiting():
            server.retry()
    assert server.waiting() == 0
    assert [path.read_bytes()[:500] for path in _kept(server.box)] == []
    assert _datasets(behind) == {"dmarc-aggregate": rows, "report": sent}


class Mortal(Server, Protocol):
    """A mail server that can be ended while it writes."""

    def writers(self) -> list[int]:
        """The processes that write to a run of the program now."""
        ...

    def stop(self) -> None:
        """End it in an orderly way, whatever it is doing."""
        ...

    def start(self) -> None:
        """Start it again; nothing where it runs."""
        ...


def cut_short(server: Mortal, behind: Behind, to: str, times: int) -> None:
    """The mail server ended while it wrote, killed and stopped in turn: nothing lost, doubled, salvaged, or kept."""
    sent = 0
    with contextlib.closing(Ender(server, times)) as ender:
        while ender.ends < times:
            sent += 1
            server.deliver(messages.big_report(), to)
            ender.pause()
            settle(server)
            ender.go_on()
    settle(server)
    assert server.waiting() == 0
    assert [path.read_bytes()[:500] for path in _kept(server.box)] == []
    assert _datasets(behind) == {"dmarc-aggregate": 5 * sent, "report": sent}
    assert ender.in_vain < 3 * times, "it hardly ever died in mid-write"


def settle(server: Mortal) -> None:
    """Nothing waits any more."""
    for _ in range(20):
        server.start()
        if not server.waiting():
            return
        server.retry()


CHECKS: tuple[Check, ...] = (stored, store_down, duplicate, no_report, broken, full_disk, bad_settings, misbehaving)


def run(check: Check, server: Server, behind: Behind, to: str) -> None:
    """One check in a clean place; whatever it is, nothing may leave the mail server."""
    _clean(server.box)
    behind.configure(server.box)
    try:
        check(server, behind, to)
        assert server.sink.messages == []
    except AssertionError:
        print(*server.box.lines[-100:], sep="\n")
        raise
    finally:
        if server.waiting():  # a failed check is not to fail the next
            stand_in.install(server.box, "good")
            server.retry()
        server.sink.messages.clear()
        stand_in.remove(server.box)


class Killer:
    """Kills runs of the program at random moments, in a thread of its own."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.kills = 0
        self._over = threading.Event()
        self._random = random.Random(5)
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """No more."""
        self._over.set()
        self._thread.join()

    def _work(self) -> None:
        while self.kills < KILLS and not self._over.is_set():
            victims = [pid for word in self.server.mortal for pid in self.server.box.processes(word)]
            if victims:
                time.sleep(self._random.uniform(0, 0.35))
                self.kills += self.server.box.kill(self._random.choice(victims))
            else:
                time.sleep(0.01)


class Ender:
    """Ends a mail server at random moments while it writes, in a thread of its own: by SIGKILL, or orderly."""

    def __init__(self, server: Mortal, times: int) -> None:
        self.server = server
        self.times = times
        self.ends = self.in_vain = 0
        self._over = threading.Event()
        self._may = threading.Event()
        self._may.set()
        self._idle = threading.Lock()
        self._random = random.Random(5)
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def pause(self) -> None:
        """None for now, until `go_on`."""
        self._may.clear()
        with self._idle:
            return

    def go_on(self) -> None:
        """More of them."""
        self._may.set()

    def close(self) -> None:
        """No more."""
        self._over.set()
        self._may.set()
        self._thread.join()

    def _work(self) -> None:
        while self.ends < self.times and not self._over.is_set():
            self._may.wait()
            with self._idle:
                if self._may.is_set() and self.server.writers():
                    time.sleep(self._random.uniform(0, 0.25))
                    self._end()
            time.sleep(0.005)

    def _end(self) -> None:
        writers = self.server.writers()
        if not writers:  # it had written everything by then
            self.in_vain += 1
        elif self.ends % 2:
            self.server.stop()
            self.server.start()
            self.ends += 1
        else:
            self.ends += self.server.box.kill(self._random.choice(writers))
            self.server.start()


def _datasets(behind: Behind) -> dict[str, int]:
    found = [document.source["event"]["dataset"] for document in behind.documents()]
    return {name: found.count(name) for name in sorted(set(found))}


def _kept(box: Box) -> list[Path]:
    maildir = box.path(f"{STATE}/kept")
    return [path for name in ("new", "cur") if (maildir / name).is_dir() for path in (maildir / name).iterdir()]


def _kept_one(box: Box) -> bytes:
    kept = _kept(box)
    assert len(kept) == 1, kept
    assert kept[0].stat().st_mode & 0o777 == 0o600
    return kept[0].read_bytes()


@contextlib.contextmanager
def full(box: Box, place: str) -> Iterator[None]:
    """A directory without room."""
    box.run("mkdir", "-p", place)
    box.run("mount", "-t", "tmpfs", "-o", f"size=16k,mode=700,uid={DMARC.uid},gid={DMARC.uid}", "tmpfs", place)
    box.run("sh", "-c", f"head -c 1000000 /dev/zero > {place}/ballast || :")
    try:
        yield
    finally:
        box.run("umount", place)
        box.run("chown", DMARC.name, place)


def _clean(box: Box) -> None:
    box.run("rm", "-rf", f"{STATE}/kept")
    box.lines.clear()
