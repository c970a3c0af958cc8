"""Where our one line per message goes: syslog, standard error, a file, or nowhere.

Nothing else in the program writes to standard output or standard error: a mail server sends what it finds there to
the sender (docs/mail-servers.md).
"""

import fcntl
import os
import syslog
import time
from collections.abc import Callable
from typing import Literal, NamedTuple

from .values.fields import clean

IDENT = "email-report-processor"

_PRIORITIES = {"info": syslog.LOG_INFO, "warning": syslog.LOG_WARNING, "error": syslog.LOG_ERR}
_LEVELS = tuple(_PRIORITIES)


class LogOptions(NamedTuple):
    """Where the log goes."""

    to: str = ""  # syslog, stderr, none, or the path of a file; empty: stderr on a terminal, else syslog
    level: Literal["info", "warning", "error"] = "info"  # what is less than this is left out


Log = Callable[[str, str], None]  # (level, text)


def open_log(options: LogOptions, stderr: int = 2) -> Log:
    """The log of this process. A file that cannot be written falls back to syslog, which says so."""
    to = options.to or ("stderr" if _is_terminal(stderr) else "syslog")
    least = _LEVELS.index(options.level)
    sink = {"syslog": _syslog, "stderr": _standard_error(stderr), "none": _nowhere}.get(to) or _file(to)

    def log(level: str, text: str) -> None:
        if _LEVELS.index(level) >= least:
            sink(level, clean(text))

    return log


def _nowhere(_level: str, _text: str) -> None:
    pass


def _syslog(level: str, text: str) -> None:
    syslog.openlog(IDENT, syslog.LOG_PID, syslog.LOG_MAIL)
    syslog.syslog(_PRIORITIES[level], text.encode("utf-8", "replace").decode())


def _standard_error(descriptor: int) -> Log:
    def log(level: str, text: str) -> None:
        line = f"{IDENT}: {text}\n" if level == "info" else f"{IDENT}: {level}: {text}\n"
        try:
            os.write(descriptor, line.encode("utf-8", "replace"))
        except OSError:
            _syslog(level, text)

    return log


def _file(path: str) -> Log:
    def log(level: str, text: str) -> None:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        line = f"{stamp} {IDENT}[{os.getpid()}]: {level}: {text}\n".encode("utf-8", "replace")
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            _syslog("warning", f"the log file {path} cannot be written ({error.strerror}); set [log] to")
            _syslog(level, text)
            return
        try:
            os.write(descriptor, line)
        except OSError as error:
            _syslog("warning", f"the log file {path} cannot be written ({error.strerror}); set [log] to")
            _syslog(level, text)
        finally:
            os.close(descriptor)

    return log


def _is_terminal(descriptor: int) -> bool:
    try:
        return os.isatty(descriptor)
    except OSError:
        return False


class Descriptors(NamedTuple):
    """The standard descriptors as they were when the process began; -1 for one that was closed."""

    stdin: int
    stdout: int
    stderr: int


def take_descriptors() -> Descriptors:
    """Put the standard descriptors aside for our own use, and let nobody else reach one that is no terminal.

    Libraries and the interpreter write to standard output and standard error when something goes wrong, and a mail
    server puts what it finds there into a bounce. Closed descriptors are opened on /dev/null, so that no file or
    socket gets their numbers.
    """
    taken = Descriptors(*(_duplicate(descriptor) for descriptor in (0, 1, 2)))
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for descriptor, mine in enumerate(taken):
        if mine < 0 or (descriptor > 0 and not _is_terminal(descriptor)):
            os.dup2(null, descriptor, inheritable=True)
    if null > 2:
        os.close(null)
    return taken


def _duplicate(descriptor: int) -> int:
    try:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)
    except OSError:
        return -1
