"""The end of a service that was told by a signal, for loops that look and wait.

Not by threading.Event: its `set`, called by a handler while the main thread is within `wait`, waits for ever for the
lock that the main thread holds.
"""

import contextlib
import os
import select
import signal

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class Ending:
    """Whether a service was told to end. Made in the main thread."""

    def __init__(self) -> None:
        self._told = False
        self._hears, self._says = os.pipe()
        os.set_blocking(self._says, False)
        for number in SIGNALS:
            signal.signal(number, self._tell)

    def is_set(self) -> bool:
        """Whether a signal came."""
        return self._told

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until a signal; whether one came."""
        select.select([self._hears], [], [], seconds)
        return self._told

    def _tell(self, _number: int, _frame: object) -> None:
        self._told = True
        with contextlib.suppress(BlockingIOError):  # full: it was said often enough
            os.write(self._says, b".")
