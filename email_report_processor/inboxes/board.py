"""What a worker and its parent both see: the small messages of a group, and what the worker is at.

The parent reads it when a worker has died, or is at one message for long: no frame can tell it then. Times are those
of time.monotonic(), which is one clock for all processes of a machine.
"""

import mmap
import struct
import time
from typing import NamedTuple

ROOM = 1024**2  # bytes for the messages of one group

_STATE = struct.Struct("<Qdd")
_HEAD = mmap.PAGESIZE


class At(NamedTuple):
    """What a worker is at."""

    number: int  # of the message that it reads, or whose rows a store takes one by one; 0: none, or a group is stored
    since: float
    taken: float  # when a store took the last row of it, 0.0 while it is read


class Board:
    """Memory that is shared with one worker."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _HEAD + ROOM)

    def begin(self, number: int) -> None:
        """The worker turns to a message; 0 is none."""
        _STATE.pack_into(self._memory, 0, number, time.monotonic(), 0.0)

    def taken(self) -> None:
        """The store has taken a row."""
        number, since, _ = _STATE.unpack_from(self._memory, 0)
        _STATE.pack_into(self._memory, 0, number, since, time.monotonic())

    def at(self) -> At:
        """What the worker is at."""
        return At(*_STATE.unpack_from(self._memory, 0))

    def put(self, place: int, data: bytes) -> None:
        """Write a message."""
        self._memory[_HEAD + place : _HEAD + place + len(data)] = data

    def get(self, place: int, size: int) -> bytes:
        """Read a message."""
        return self._memory[_HEAD + place : _HEAD + place + size]

    def close(self) -> None:
        """Let go of it."""
        self._memory.close()
