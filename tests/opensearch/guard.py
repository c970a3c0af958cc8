"""Runs a node, and ends it when the test run ends, however that ends.

    guard.py DIRECTORY USER COMMAND...

Whoever starts this holds the other end of its standard input. When that end closes (the run is over, or was killed),
the node is killed and DIRECTORY removed; after the line `stop` the node is asked to end, and DIRECTORY stays. USER is
'' for the same user. The node's output goes to DIRECTORY/log.
"""

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
import threading

GRACE = 20  # seconds from SIGTERM to SIGKILL
PR_SET_PDEATHSIG = 1  # prctl(2)


def start(directory: str, user: str, command: list[str]) -> subprocess.Popen[bytes]:
    """The node in a process group of its own; the kernel kills it should this process be killed."""
    group = pwd.getpwnam(user).pw_gid if user else None
    prctl = ctypes.CDLL(None).prctl  # looked up here: little is allowed between fork and exec
    with open(os.path.join(directory, "log"), "ab") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=directory,
            start_new_session=True,
            user=user or None,
            group=group,
            extra_groups=[] if user else None,
            preexec_fn=lambda: prctl(PR_SET_PDEATHSIG, signal.SIGKILL),  # noqa: PLW1509  # no thread runs yet
        )


def follow(child: subprocess.Popen[bytes], words: list[str]) -> None:
    """Wait for the end of standard input, then end the node."""
    words.append(sys.stdin.read())
    if "stop" in words[0]:
        child.terminate()
        try:
            child.wait(GRACE)
        except subprocess.TimeoutExpired:
            print("the node did not stop in time and is killed", file=sys.stderr)
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # it has ended by itself


def main(directory: str, user: str, *command: str) -> int:
    """The node's exit status."""
    child = start(directory, user, list(command))
    words: list[str] = []
    watcher = threading.Thread(target=follow, args=(child, words), daemon=True)
    watcher.start()
    status = child.wait()
    if words:
        watcher.join()
        if "stop" not in words[0]:
            shutil.rmtree(directory, ignore_errors=True)
    return abs(status)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
