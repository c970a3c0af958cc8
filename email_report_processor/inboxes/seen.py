"""Which messages of a folder were read already: for mailboxes in which nothing may be changed.

A UID is a name of a message only together with the UIDVALIDITY of its folder (RFC 3501 §2.3.1.1): when that changes,
everything is forgotten and read again, which counts nothing twice.
"""

from bisect import bisect_right
from collections.abc import Iterable

from . import remembered


class Ranges:
    """A set of numbers of which most follow each other."""

    def __init__(self, pairs: Iterable[tuple[int, int]] = ()) -> None:
        self._pairs: list[tuple[int, int]] = []  # first and last, in their order
        for first, last in sorted(pairs):
            self._append(first, last)

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._pairs, (number, 2**63))
        return at > 0 and self._pairs[at - 1][1] >= number

    def add(self, numbers: Iterable[int]) -> None:
        """Add some."""
        pairs = sorted([*self._pairs, *((number, number) for number in numbers)])
        self._pairs = []
        for first, last in pairs:
            self._append(first, last)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """First and last of each run."""
        return list(self._pairs)

    @property
    def low(self) -> int:
        """Everything from 1 to here is in it."""
        return self._pairs[0][1] if self._pairs and self._pairs[0][0] <= 1 else 0

    def _append(self, first: int, last: int) -> None:
        if self._pairs and first <= self._pairs[-1][1] + 1:
            self._pairs[-1] = (self._pairs[-1][0], max(last, self._pairs[-1][1]))
        else:
            self._pairs.append((first, last))


class Seen:
    """The UIDs of one folder, on disk."""

    def __init__(self, state: str, name: str) -> None:
        self.path = remembered.place(state, name)
        self._name = name
        self._validity = 0
        self._uids = Ranges()
        self.fault = ""  # why the file was not read, for the log

    def begin(self, validity: int) -> bool:
        """Turn to a folder; whether what was remembered is of another one, and is forgotten."""
        if self._validity == validity:
            return False
        before, pairs = self._load()
        self._validity = validity
        self._uids = Ranges(pairs if before == validity else ())
        return before not in {0, validity}

    def __contains__(self, uid: int) -> bool:
        return uid in self._uids

    @property
    def low(self) -> int:
        """All messages up to this UID were read."""
        return self._uids.low

    def add(self, uids: Iterable[int]) -> None:
        """Remember messages that are safe. Raises OSError."""
        self._uids.add(uids)
        self._save()

    def whole(self, last: int, left: Iterable[int]) -> None:
        """Everything up to this UID was looked at, and these alone are not safe. Raises OSError."""
        pairs, first = [], 1
        for uid in sorted(left):
            pairs.append((first, uid - 1))
            first = uid + 1
        pairs.append((first, last))
        ranges = Ranges(one for one in pairs if one[0] <= one[1])
        if ranges.pairs != self._uids.pairs:
            self._uids = ranges
            self._save()

    def _load(self) -> tuple[int, list[tuple[int, int]]]:
        try:
            content = remembered.read(self.path)
            if content is None:
                return 0, []
            return int(content["uidvalidity"]), [(int(first), int(last)) for first, last in content["uids"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            self.fault = remembered.damaged(self.path, error)
            return 0, []

    def _save(self) -> None:
        content = {"folder": self._name, "uidvalidity": self._validity, "uids": self._uids.pairs}
        remembered.write(self.path, content)
