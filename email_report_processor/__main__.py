"""The console script: loads the program, and answers the mail server when even that fails."""

import os
import sys
import syslog
from typing import NoReturn


def run() -> NoReturn:
    """Start the filter. A broken installation is our fault: the mail server tries again (75)."""
    try:
        from .cli import run as run_cli
    except (ImportError, SyntaxError, OSError) as error:
        syslog.openlog("email-report-processor", syslog.LOG_PID, syslog.LOG_MAIL)
        syslog.syslog(syslog.LOG_ERR, f"the installation is broken, the mail server keeps the message: {error}")
        if os.isatty(2):
            sys.stderr.write(f"email-report-processor: the installation is broken: {error}; install it again\n")
        os._exit(75)
    run_cli()


if __name__ == "__main__":
    run()
