"""Several log files as one stream of logins in the order of their times: rotated parts, servers beside each other."""

import heapq
import time as clocks
from collections.abc import Callable, Iterator, Sequence
from datetime import tzinfo
from typing import NamedTuple

from .files import BROKEN, Part, read
from .lines.login import Login
from .lines.scan import Scanner
from .lines.times import Clock, read_head
from .parallel import Pool

_LATE = float("inf")  # the beginning of a file without a date


class Log(NamedTuple):
    """A file, and when it begins."""

    begin: float
    path: str


class Reader:
    """Reads files; `problems` are sentences about what could not be read, `lines` says how many lines there were.

    pool: scans instead of this process.
    """

    def __init__(
        self,
        scanner: Scanner,
        zone: tzinfo | None = None,
        now: Callable[[], float] = clocks.time,
        pool: Pool | None = None,
    ) -> None:
        self.problems: list[str] = []
        self.lines = 0
        self._scanner = scanner
        self._zone = zone
        self._now = now
        self._pool = pool

    def logins(self, paths: Sequence[str]) -> Iterator[Login]:
        """The logins of all files, merged by time; a file is opened when its first line's time has come."""
        waiting = sorted((self._look(path) for path in paths), reverse=True)
        streams: list[tuple[float, int, Login, Iterator[Login]]] = []
        number = 0
        while waiting or streams:
            while waiting and (not streams or waiting[-1].begin <= streams[0][0]):
                number += 1
                self._push(streams, number, self.file(waiting.pop().path))
            if streams:
                _, turn, login, rest = heapq.heappop(streams)
                yield login
                until = min(streams[0][0] if streams else _LATE, waiting[-1].begin if waiting else _LATE)
                for login in rest:  # mostly one file is all there is for a long time
                    if login.time > until:
                        heapq.heappush(streams, (login.time, turn, login, rest))
                        break
                    yield login

    def file(self, path: str) -> Iterator[Login]:
        """The logins of one file."""
        try:
            for logins in self._scan(self._counted(read(path, self._now()))):
                yield from logins
        except OSError as error:
            self.problems.append(f"{path}: cannot be read ({error.strerror or error}): check its path and permissions")
        except BROKEN as error:
            self.problems.append(f"{path}: is cut or damaged; what stands before that was read ({error})")

    def _scan(self, parts: Iterator[Part]) -> Iterator[list[Login]]:
        if self._pool is not None:
            return self._pool.scan(parts)
        return (self._scanner.scan(chunk, Clock(end, self._zone)) for chunk, end in parts)

    def _counted(self, parts: Iterator[Part]) -> Iterator[Part]:
        for part in parts:
            self.lines += part.chunk.count(b"\n") + 1
            yield part

    @staticmethod
    def _push(streams: list[tuple[float, int, Login, Iterator[Login]]], number: int, rest: Iterator[Login]) -> None:
        login = next(rest, None)
        if login is not None:
            heapq.heappush(streams, (login.time, number, login, rest))

    def _look(self, path: str) -> Log:
        if path == "-":
            return Log(-_LATE, path)
        try:
            for chunk, end in read(path, self._now()):
                for line in chunk[:65536].split(b"\n"):
                    head = read_head(line, Clock(end, self._zone))
                    if head is not None:
                        return Log(head.time, path)
                break
        except (OSError, *BROKEN):
            pass  # `file` says it
        return Log(_LATE, path)
