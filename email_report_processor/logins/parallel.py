"""Lines to logins in several processes, in the order of the lines. What is judged stays in one: order matters there."""

import gc
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from datetime import tzinfo

from .files import BROKEN, Part
from .lines.login import Login
from .lines.scan import Scanner
from .lines.times import Clock

WORTH = 16 * 1024**2  # bytes of logs from which on more processes are quicker than one (they start in 50 ms)
_AHEAD = 3  # chunks for each process that are read before they are asked for

_scanner = Scanner(())
_zone: tzinfo | None = None


def seldom_garbage() -> None:
    """Logins and what is remembered of them hold no circles, and looking for some took a fifth of the time."""
    gc.set_threshold(50_000, 10, 10)


def _begin(quota: tuple[str, ...], zone: tzinfo | None) -> None:
    global _scanner, _zone  # a process of the pool has one of each
    _scanner, _zone = Scanner(quota), zone
    seldom_garbage()


def _scan(chunk: bytes, end: float) -> list[Login]:
    return _scanner.scan(chunk, Clock(end, _zone))


class Pool:
    """Processes that scan; close it."""

    def __init__(self, quota: tuple[str, ...], zone: tzinfo | None, jobs: int = 0) -> None:
        self._jobs = jobs or min(4, os.cpu_count() or 1)
        self._executor = ProcessPoolExecutor(self._jobs, initializer=_begin, initargs=(quota, zone))

    def scan(self, parts: Iterable[Part]) -> Iterator[list[Login]]:
        """The logins of each part. What comes before a fault of the file is given first."""
        waiting: deque[Future[list[Login]]] = deque()
        try:
            for chunk, end in parts:
                waiting.append(self._executor.submit(_scan, chunk, end))
                if len(waiting) > _AHEAD * self._jobs:
                    yield waiting.popleft().result()
        except (OSError, *BROKEN):
            yield from (one.result() for one in waiting)
            raise
        yield from (one.result() for one in waiting)

    def close(self) -> None:
        """End the processes."""
        self._executor.shutdown(cancel_futures=True)
