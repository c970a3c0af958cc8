"""The console script: loads the program, and answers the mail server when even that fails."""

import gc
import os
import signal
import sys
import syslog
from typing import NoReturn


def run() -> NoReturn:
    """Start the filter. A broken installation is our fault: the mail server tries again (75)."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, _leave)  # until the settings are read and the watch takes them
    gc.set_threshold(100_000, 50, 100)  # importing makes no garbage: 11 of 185 ms with OpenSearch
    try:
        from .cli import run as run_cli

        run_cli()
    except (ImportError, SyntaxError, OSError, MemoryError) as error:
        syslog.openlog("email-report-processor", syslog.LOG_PID, syslog.LOG_MAIL)
        syslog.syslog(syslog.LOG_ERR, f"it cannot start, the mail server keeps the message: {error}")
        if os.isatty(2):
            sys.stderr.write(f"email-report-processor: it cannot start: {error}; install it again\n")
        os._exit(75)


def _leave(_number: int, _frame: object) -> NoReturn:
    os._exit(75)


if __name__ == "__main__":
    run()
