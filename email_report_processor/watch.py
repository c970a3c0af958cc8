"""Signals and the deadline of a piped run, in one thread that waits for either.

An exception raised in a signal handler is swallowed by the handlers of the client libraries, and no handler runs
while the main thread is inside C code. So the signals are blocked, and a daemon thread takes them and leaves with
`os._exit`; promise 2 (nothing counted twice) makes leaving at any moment safe.
"""

import os
import signal
import threading
import time
from collections.abc import Callable

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
TEMPFAIL = 75  # EX_TEMPFAIL: the only status that every mail server answers by trying again


class Watch:
    """Ends the process at a signal or at the deadline; `when_late` says what to do about the message then."""

    def __init__(self, seconds: float, log: Callable[[str, str], None]) -> None:
        self.deadline = time.monotonic() + seconds
        self.seconds = seconds
        self.log = log
        self.when_late: Callable[[], int] = self.give_back
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        for number in SIGNALS:  # below Exim they start ignored, and an ignored signal is never pending
            signal.signal(number, signal.SIG_DFL)
        threading.Thread(target=self._wait, name="watch", daemon=True).start()

    def left(self) -> float:
        """Seconds until the deadline, 0 or more."""
        return max(0.0, self.deadline - time.monotonic())

    def give_back(self) -> int:
        """The mail server keeps the message."""
        self.log("error", f"not done after {self.seconds:g} s; the mail server keeps the message")
        return TEMPFAIL

    def _wait(self) -> None:
        status = TEMPFAIL
        try:
            received = signal.sigtimedwait(SIGNALS, self.left())
            if received is None:
                status = self._late()
            else:
                name = signal.Signals(received.si_signo).name
                self.log("error", f"ended by {name}; the mail server keeps the message")
        finally:  # whatever went wrong: nobody else ends this process
            os._exit(status)

    def _late(self) -> int:
        try:
            return self.when_late()
        except OSError as error:
            self.log("error", f"not done after {self.seconds:g} s, and no copy can be kept: {error}")
            return TEMPFAIL
