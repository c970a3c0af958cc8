"""100,000 messages through one listener, with hostile ones in between: its memory, and that of its workers, is flat."""

import itertools
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

from benchmarks import lmtp, messages
from tests.conftest import Program
from tests.lmtp import Listener, stuffed
from tests.test_hostile import MESSAGES, SLOW

MEBI = 1024**2
MANY = 100_000
EVERY = 2_000  # messages between two hostile ones
PAUSE = 0.2  # seconds between two looks


def mixed(number: int) -> Iterator[bytes]:
    """Reports of a few rows, and now and then something hostile; as `send` wants them, dots doubled."""
    hostile = itertools.cycle(sorted(MESSAGES.keys() - SLOW))
    for one in range(number):
        yield messages.message(1 + one % 3, f"m{one}")
        if one % EVERY == EVERY - 1:
            yield stuffed(MESSAGES[next(hostile)]())[: -len(b".\r\n")]


class Looking(threading.Thread):
    """Resident bytes of the listener and of its workers, now and then."""

    def __init__(self, listener: Listener) -> None:
        super().__init__(daemon=True)
        self.listener = listener
        self.over = threading.Event()
        self.listeners: list[int] = []
        self.workers: list[int] = []

    def run(self) -> None:
        while not self.over.wait(PAUSE):
            self.listeners.append(resident(self.listener.process.pid))
            self.workers += [size for pid in self.listener.workers() if (size := resident(pid))]


def resident(pid: int) -> int:
    """Resident bytes of a process; 0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_memory_is_flat(run_filter: Program, state: Path) -> None:
    with Listener(run_filter, store=f"sqlite:{state}/r.sqlite") as listener:
        looking = Looking(listener)
        looking.start()
        lmtp.send(str(listener.path), mixed(MANY))
        looking.over.set()
        looking.join()
    for name, sizes in (("listener", looking.listeners), ("workers", looking.workers)):
        early, late = halves(sizes)
        most = sorted(sizes)[len(sizes) * 9 // 10]  # above it a worker is at something hostile, and replaced behind it
        print(
            f"{name}: {median(early) / MEBI:.1f}, then {median(late) / MEBI:.1f} MiB, 9 of 10 below {most / MEBI:.1f}"
        )
        assert abs(median(early) - median(late)) < 5 * MEBI
        assert most < 60 * MEBI


def halves(values: list[int]) -> tuple[list[int], list[int]]:
    """Without the first tenth, in which everything is used for the first time."""
    rest = values[len(values) // 10 :]
    return rest[: len(rest) // 2], rest[len(rest) // 2 :]
