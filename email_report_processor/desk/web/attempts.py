"""How often somebody may try: log-ins that fail are counted by name and by address."""

from collections import OrderedDict, deque
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from math import ceil
from threading import Lock

WINDOW = 300.0  # seconds within which attempts count
_MOST = 10_000  # names and addresses that are remembered
_LONGEST = 200  # characters of one: what was typed as a name is a stranger's


class Attempts:
    """Failures of the last minutes. most: of one name or address. clock: any that only grows."""

    def __init__(self, clock: Callable[[], float], most: int) -> None:
        self._clock = clock
        self._most = most
        self._failed: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = Lock()

    def wait(self, *who: str) -> int:
        """Seconds until any of these may try again, 0 when all may."""
        with self._lock:
            return max((self._seconds(one[:_LONGEST]) for one in who), default=0)

    def _seconds(self, who: str) -> int:
        failed = self._failed.get(who, deque())
        while failed and failed[0] <= self._clock() - WINDOW:
            failed.popleft()
        return ceil(failed[-self._most] + WINDOW - self._clock()) if len(failed) >= self._most else 0

    def fail(self, *who: str) -> None:
        """Count one for each of these; those that were longest without go when there are too many."""
        with self._lock:
            for one in (text[:_LONGEST] for text in who):
                failed = self._failed.setdefault(one, deque(maxlen=self._most))
                failed.append(self._clock())
                self._failed.move_to_end(one)
            while len(self._failed) > _MOST:
                self._failed.popitem(last=False)

    def forget(self, who: str) -> None:
        """Somebody came in: the failures of this name are over."""
        with self._lock:
            self._failed.pop(who[:_LONGEST], None)


def place(address: str) -> str:
    """Whom failures of an address are counted for: of IPv6 its /64, of which one customer has all (RFC 6177)."""
    try:
        parsed = ip_address(address)
    except ValueError:  # `unix`
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    return str(parsed.ipv4_mapped or f"{IPv6Address(int(parsed) >> 64 << 64)}/64")
