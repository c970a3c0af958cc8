"""How long is waited for a store: back-off and jitter, until nothing has moved for the time budget.

Where nobody takes the connection, nothing is half done, and the mail server is the one that waits best: each node gets
a second try a moment later, and no more. An import, whose `--patience` a person chose, insists.
"""

import errno
from collections.abc import Callable

from .bulk import Trouble
from .store import StoreError

A_MOMENT = 1.0  # seconds
_NO_WAY = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN})
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 30.0  # seconds; doubled each time, then anything from 0 to it


class Patience:
    """How long is waited for a store from which nothing comes. nodes: how many may answer; 0 insists."""

    # Told once when waiting begins: a person at a terminal sets it (admin.command), a mail server hears nothing.
    tell: Callable[[str], None] = staticmethod(lambda text: None)

    def __init__(
        self, name: str, budget: float, sleep: Callable[[float], None], clock: Callable[[], float], nodes: int = 0
    ) -> None:
        self._name = name
        self._nodes = nodes
        self._budget = budget
        self._sleep = sleep
        self._clock = clock
        self.progress()

    def progress(self) -> None:
        """Something moved: the budget begins anew."""
        self._until = self._clock() + self._budget
        self._turn = 0
        self._unheard = 0

    def left(self) -> float:
        """Seconds, never below 1: what is sent at all gets a chance."""
        return max(1.0, self._until - self._clock())

    def wait(self, trouble: Trouble) -> None:
        """Until it is time to send again. Raises StoreError when the time budget is used up, or would be."""
        left = self._until - self._clock()
        if trouble.unheard and self._nodes:
            self._unheard += 1
            if self._unheard >= 2 * self._nodes or left <= 0:
                raise StoreError(f"{self._name} {trouble.reason} (tried twice)")
            self._sleep(min(left, A_MOMENT) if self._unheard == self._nodes else 0.0)
            return
        self._unheard = 0
        if left <= 0 or trouble.wait > left:
            asked = f" and asks to wait {trouble.wait:g} s" if trouble.wait > left > 0 else ""
            raise StoreError(f"{self._name} {trouble.reason}{asked} (tried for {self._budget - max(0.0, left):.0f} s)")
        if self._turn == 0:
            Patience.tell(f"{self._name} {trouble.reason}; waiting up to {left:.0f} s for it")
        import random  # 2 ms, and opensearch-py has it loaded

        jitter = random.uniform(0, min(_LONGEST_WAIT, _FIRST_WAIT * 2**self._turn))  # noqa: S311  # no secret
        self._turn += 1
        self._sleep(min(left, max(jitter, trouble.wait)))


def nobody_took(error: BaseException) -> bool:
    """Refused, no way to it, no such name, or TLS that was broken off: told at once, before anything was sent."""
    import socket  # loaded by then

    if isinstance(error, ConnectionRefusedError | socket.gaierror):
        return True
    return isinstance(error, OSError) and (error.errno in _NO_WAY or _while_connecting(error))


def _while_connecting(error: OSError) -> bool:
    """A balancer with nothing behind it takes the connection and ends it; of a request without TLS all was sent."""
    frames = error.__traceback__
    while frames is not None:
        if frames.tb_frame.f_code.co_name in {"create_connection", "connect", "do_handshake"}:
            return isinstance(error, ConnectionError)
        frames = frames.tb_next
    return False
