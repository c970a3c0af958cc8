"""Whether the mail server's process that writes the message is still there when the message ends.

A mail server that is killed, or stopped in an orderly way, while it writes a message leaves behind what looks like a
whole one: standard input simply ends. What then tells is that the process above us has gone, or is about to: the
kernel closes its files first, and gives its children another parent a moment later. Between it and us there may be
shells, timeout(1) and procmail: each of them is watched, up to the first process of another user. The wrapper says
who called it (EMAIL_REPORT_CALLER), since it starts some milliseconds before Python does. In OpenSMTPD it is not our
parent that writes but a process beside us, and the parent waits for us before it ends: these are watched, too; where
the one that writes was gone before we looked, a message that does not end in a line break is not whole.
"""

import os
import stat
import time
from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

CALLER = "EMAIL_REPORT_CALLER"  # `PID:PPID` of the wrapper, and `:PPID` of each above it

_HIGHEST = 8  # processes above us that are looked at
_EXITING = 0x4  # PF_EXITING of the kernel: set before a process's files are closed
_A_MOMENT = 0.02  # seconds, where the kernel hides the processes of others (hidepid)
_INITS = frozenset(
    {"systemd", "init", "tini", "dumb-init", "docker-init", "catatonit", "s6-svscan", "runit", "launchd"}
)


class CutShortError(Exception):
    """The message is not whole: the mail server has to send it again (75)."""


class Process(NamedTuple):
    """What the kernel says of a process."""

    name: str
    parent: int
    exiting: bool


class Writer:
    """The processes above this one, as they were when it started."""

    def __init__(self, environ: Mapping[str, str], descriptor: int = 0) -> None:
        """descriptor: of standard input. Where it is a file, its end is the end."""
        self._piped = _is_pipe(descriptor)
        self._above = above()
        self._beside = beside(*self._above[-1])
        self._unseen = _is_opensmtpd(self._above[-1][1]) and not any(_writes(pid) for pid, _ in self._beside)
        self._orphan = _is_orphan(self._above) or _lost_its_caller(environ.get(CALLER, ""), self._above)

    def must_be_there(self, last: bytes = b"\n") -> None:
        """Raises CutShortError when the writer is gone. last: byte of the message."""
        if self.gone() or (self._piped and self._unseen and last != b"\n"):
            raise CutShortError("the process that wrote the message ended before the message did")

    def gone(self) -> bool:
        """Whether one of them is gone, or about to go."""
        if not self._piped:
            return False
        if self._orphan or os.getppid() != self._above[0][0]:
            return True
        if self._above[-1][1] is None:  # its end shows only when we are given another parent
            time.sleep(_A_MOMENT)
        watched = (*self._above, *self._beside)
        return os.getppid() != self._above[0][0] or any(_has_gone(*one) for one in watched)


def above() -> list[tuple[int, Process | None]]:
    """The processes above this one: the last is of another user, or the first of all, or cannot be seen (None)."""
    found: list[tuple[int, Process | None]] = []
    pid = os.getppid()
    while len(found) < _HIGHEST:
        process = look(pid)
        found.append((pid, process))
        if process is None or process.parent <= 1 or _owner(pid) != os.geteuid():
            break
        pid = process.parent
    return found


def beside(pid: int, process: Process | None) -> list[tuple[int, Process | None]]:
    """Of OpenSMTPD the other processes: children of the one that started us, of users of their own."""
    if not _is_opensmtpd(process):
        return []
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            found = [int(one) for one in file.read().split()]
    except OSError:
        return []
    ours = (0, os.geteuid())  # root's is one that is about to become a delivery
    return [(one, look(one)) for one in found if _owner(one) not in ours]


def _is_opensmtpd(process: Process | None) -> bool:
    return process is not None and process.name == "smtpd"


def _writes(pid: int) -> bool:
    """Whether this is the process of OpenSMTPD that writes, by its title (6.8 and 7.x)."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            title = file.read()
    except OSError:
        return False
    return b"pony" in title or b"dispatcher" in title


def look(pid: int) -> Process | None:
    """What /proc says of a process; None when it says nothing."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            text = file.read()
        name = text[text.index("(") + 1 : text.rindex(")")]
        values = text[text.rindex(")") + 1 :].split()
        return Process(name, int(values[1]), values[0] in "ZX" or bool(int(values[6]) & _EXITING))
    except (OSError, ValueError, IndexError):
        return None


def _has_gone(pid: int, before: Process | None) -> bool:
    if before is None:
        return False
    now = look(pid)
    return now is None or now.exiting or (now.parent != before.parent and _owner(pid) == os.geteuid())


def _is_pipe(descriptor: int) -> bool:
    try:
        mode = os.fstat(descriptor).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _owner(pid: int) -> int:
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return -1


def _is_orphan(processes: list[tuple[int, Process | None]]) -> bool:
    """Whether the first process of all has taken us over before we looked: it pipes no mail itself."""
    pid, process = processes[0]
    return pid == 1 and process is not None and process.name in _INITS


def _lost_its_caller(said: str, processes: list[tuple[int, Process | None]]) -> bool:
    """Whether the wrapper, or a process of ours above it, has another parent than when the wrapper started."""
    numbers = [int(part) for part in said.split(":") if part.isascii() and part.isdigit()]
    above = dict(processes)
    for pid, parent in pairwise(numbers):
        process = above.get(pid)
        if process is None:  # not above us, or of another user: nothing to compare
            return False
        if process.parent != parent and _owner(pid) == os.geteuid():
            return True
    return False
