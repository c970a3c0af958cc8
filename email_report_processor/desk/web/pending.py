"""What was pasted or uploaded and only looked at: in memory, bounded, until it is stored or makes room."""

from collections import OrderedDict
from hashlib import sha256
from threading import Lock

_MOST = 20  # messages
_BYTES = 64 * 1024 * 1024  # of all of them


class Pending:
    """Messages by user and digest: nobody stores what another one looked at."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._lock = Lock()

    def put(self, who: str, data: bytes) -> str:
        """Hold a message; returns its name. The oldest go when there is no room."""
        name = sha256(data).hexdigest()
        with self._lock:
            self._held[who, name] = data
            self._held.move_to_end((who, name))
            while len(self._held) > _MOST or sum(map(len, self._held.values())) > _BYTES:
                self._held.popitem(last=False)
        return name

    def take(self, who: str, name: str) -> bytes | None:
        """A message that this user looked at, and no longer held; None when it had to go."""
        with self._lock:
            return self._held.pop((who, name), None)
