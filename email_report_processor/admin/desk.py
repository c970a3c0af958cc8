"""`email-report-admin desk`: the web pages of the desk, for people who look, judge and report (docs/abuse-desk.md)."""

import argparse
import getpass
import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

from ..inboxes import systemd
from ..log import Log, LogOptions, open_log
from ..settings import Settings, SettingsError, state_dir
from .text import fail

_TOKEN = "desk-address"  # noqa: S105  # the name of a file in the state directory
_SHORTEST = 10  # characters of a password


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of this sub-command."""
    parser.add_argument("--hash", action="store_true", help="read a password and print its hash for [[users]]")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Serve the pages until a signal. 0 then, 2 when the settings do not allow it."""
    try:
        import flask  # noqa: F401  # 150 ms with werkzeug, extra [desk]
        import waitress  # noqa: F401  # 40 ms
    except ImportError:
        return fail("the desk needs Flask and waitress: pip install 'email-report-processor[desk]'", 2)
    if arguments.hash:
        return _hash()
    return _serve(settings, open_log(settings.record("log", LogOptions)))


def _serve(settings: Settings, log: Log) -> int:
    from ..desk.web.front import make_front
    from ..desk.web.serving import listen, serving
    from ..desk.web.start import make_desk

    made = make_desk(settings, log)
    listening = listen(made.desk.options, os.environ)
    signal.signal(signal.SIGTERM, _end)
    with serving(make_front(made.desk), listening, made.desk.options) as server:
        if made.token:
            _tell(f"{listening.url}/enter/{made.token}", state_dir(settings, os.environ))
        else:
            _say(f"The desk is at {listening.url}")
        others = f"; tenants: {', '.join(made.desk.tenants)}" if made.desk.tenants else ""
        log("info", f"desk: listens on {listening.url}, shows {made.choice.url}{others}")
        systemd.notify(os.environ, "READY=1")
        server.run()
    log("info", "desk: ends")
    return 0


def _end(_number: int, _frame: object) -> NoReturn:
    raise SystemExit(0)


def _tell(url: str, state: Path) -> None:
    """The address that lets one browser in: on a terminal, else in a file, since standard output may be a log."""
    if sys.stdout.isatty():
        _say(f"Open the desk in your browser; this address works once:\n\n    {url}\n")
        return
    path = state / _TOKEN
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "w") as file:
        file.write(url + "\n")
    _say(f"The address that opens the desk once is in {path}")


def _say(text: str) -> None:
    print(text, flush=True)


def _hash() -> int:
    """Read a password twice on a terminal, else once on standard input, and print its hash."""
    from ..desk.web.users import hash_password

    if sys.stdin.isatty():
        password = getpass.getpass("Password: ")
        if password != getpass.getpass("Again: "):
            return fail("these are two different passwords", 1)
    else:
        password = sys.stdin.readline().rstrip("\n")
    if len(password) < _SHORTEST:
        raise SettingsError(f"a password has {_SHORTEST} characters at the least")
    print(hash_password(password))
    return 0
