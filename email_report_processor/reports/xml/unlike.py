"""Records that are unlike those before them: each takes ten times as long as any other, so they are bounded."""

from collections.abc import Hashable

from ...message.bounds import Bounds, OverBound
from ...values.remembered import Generations

LONGEST = 4096  # characters of a record that is remembered; an honest one has about 700
# Kinds, and texts of records that are like no other but for address and count. Who remembers what they say has twice as
# many, so that what is no news here is none there.
REMEMBERED = 1024
FEW = 128
_OF_A_KIND = 40  # what a record of a new kind costs, in tags: to read and store it takes 100 µs and 2 for each tag
_TAGS = 40  # of a record, as an honest one has them
_ATTRIBUTE = 3  # what an attribute costs, likewise: 6 µs
_OF_A_ROW = 4  # what any other costs, likewise: 8 µs


class Unlike:
    """Counts the kinds of records in one report, and how often one comes that was not there shortly before."""

    def __init__(self, kinds: int) -> None:
        """kinds: bounds.kinds."""
        self._kinds = kinds
        self._unread = kinds * (_OF_A_KIND + _TAGS)
        self._forgotten = 2 * self._unread  # a kind that was forgotten is read again
        self.cost = 0  # of these records beyond that of others, in rows
        self._ever: set[int] = set()
        self._seen: Generations[int, bool] = Generations(REMEMBERED)
        self._texts: Generations[int, bool] = Generations(FEW)

    def is_new(self, kind: Hashable, body: str) -> bool:
        """Whether a record is of such a kind, or too long to be remembered. Raises OverBound."""
        mark, seen = hash(kind), self._texts if kind is body else self._seen
        if len(body) <= LONGEST and seen.get(mark):
            return False
        seen.put(mark, True)
        self._charge(mark, _in_tags(body))
        return True

    def _charge(self, mark: int, cost: int) -> None:
        self.cost += cost // _OF_A_ROW
        if mark not in self._ever:
            self._ever.add(mark)
            self._unread -= cost
        self._forgotten -= cost
        if self._unread < 0:
            raise OverBound(f"the report has more records unlike each other than bounds.kinds = {self._kinds}")
        if self._forgotten < 0:
            what = f"records of a kind that was not there shortly before than twice bounds.kinds = {self._kinds}"
            raise OverBound(f"the report has more {what}")


def _in_tags(body: str) -> int:
    return _OF_A_KIND + body.count("<") + _ATTRIBUTE * body.count("=")


def cost_of(body: str) -> int:
    """What a record of a new kind costs beyond any other, in rows."""
    return _in_tags(body) // _OF_A_ROW


def check_rows(rows: int, cost: int, bounds: Bounds) -> None:
    """Raise OverBound when a report has too many rows, or rows that cost too much."""
    if rows > bounds.rows:
        raise OverBound(f"the report has more rows than bounds.rows = {bounds.rows}")
    if rows + cost > bounds.cost:
        each = (_OF_A_KIND + _TAGS) // _OF_A_ROW
        raise OverBound(f"its rows cost more than bounds.cost = {bounds.cost}, each unlike those before it some {each}")
