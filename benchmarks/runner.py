"""Runs one command, and prints its seconds of CPU, its seconds on the clock, its peak in KiB, and its status.

A small process in between: what is started from a big one begins with the peak memory of that one.
"""

import os
import sys
import time


def main(stdin: str, stdout: str, *argv: str) -> None:
    """Run a program by its path, with its arguments."""
    started = time.monotonic()
    pid = os.posix_spawn(
        argv[0],
        argv,
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, stdin, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, stdout, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
        ],
    )
    _, status, usage = os.wait4(pid, 0)
    wall = time.monotonic() - started
    print(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss, os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main(*sys.argv[1:])
