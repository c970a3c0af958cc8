"""A service that is told to end does, whatever it was at when the signal came."""

import signal
import subprocess
import sys

LOOP = """
import os, signal, threading
from email_report_processor.ending import Ending
ending = Ending()
threading.Thread(target=lambda: [os.kill(os.getpid(), {number}) for _ in range(100_000)], daemon=True).start()
while not ending.wait(0):
    pass
for _ in range(2000):
    assert ending.wait(5)  # at once: else this takes hours
assert ending.is_set()
"""


def test_signals_without_end_end_it() -> None:
    """More than the pipe holds, and at every place of the loop."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        done = subprocess.run([sys.executable, "-c", LOOP.format(number=int(number))], timeout=60, check=False)
        assert done.returncode == 0
