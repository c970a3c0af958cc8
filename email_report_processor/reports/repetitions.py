"""How often the same record came before in one report: part of a row's id (design §4).

A dict is exact and costs about 150 bytes a row. For huge reports an open-addressing table holds a mark of 40 bits and
a count of 24 bits in eight bytes a slot, five slots for four rows: 10 MiB a million rows, where a dict or a Counter
costs more than 117. Each look-up takes a few steps, also when all million rows are identical.

Two different records share a mark and a neighbourhood once in some 500,000 reports of a million rows; the second then
has the id of a repetition, which is as unique as any other.
"""

from array import array
from typing import Protocol

HUGE = 50_000  # rows above which the table is used

_COUNT_BITS = 24  # enough for 16 million repetitions; reports are bounded at 2 million rows
_COUNT = (1 << _COUNT_BITS) - 1
_PLACE = (1 << 64) - 1


class Repetitions(Protocol):
    """Counts digests."""

    def count(self, digest: bytes) -> int:
        """How many times this digest came before, and note that it came again."""
        ...


class Exact:
    """A dict of digests."""

    def __init__(self) -> None:
        self.seen: dict[bytes, int] = {}

    def count(self, digest: bytes) -> int:
        """See Repetitions."""
        key = digest[:16]
        before = self.seen.get(key, 0)
        self.seen[key] = before + 1
        return before


class Table:
    """An open-addressing table for at most `rows` digests."""

    def __init__(self, rows: int) -> None:
        self.size = rows + rows // 4 + 1
        self.slots = array("Q", bytes(8 * self.size))

    def count(self, digest: bytes) -> int:
        """See Repetitions."""
        slots, size = self.slots, self.size
        number = int.from_bytes(digest[:13], "big")
        mark = (number >> 64 or 1) << _COUNT_BITS  # 0 is an empty slot
        place = (number & _PLACE) % size
        while slot := slots[place]:
            if slot & ~_COUNT == mark:
                slots[place] = slot + 1
                return slot & _COUNT
            place = place + 1 if place + 1 < size else 0
        slots[place] = mark + 1
        return 0


def repetitions(rows: int) -> Repetitions:
    """A counter for a report of so many rows."""
    return Exact() if rows <= HUGE else Table(rows)
