"""How an inbox says who it is: a password, or a token that a command prints.

What the command printed is a secret: it is in no log and in no error, and neither is what it wrote to standard error.
"""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..settings import SettingsError, read_secret
from .options import InboxOptions

LONGEST = 64 * 1024  # bytes of a token


class CredentialError(Exception):
    """There is no password or token now: the text says why."""


class Credential(NamedTuple):
    """What a mailbox is opened with."""

    secret: str
    is_token: bool  # an OAuth2 access token; else a password

    def __repr__(self) -> str:
        return "Credential(…)"  # never in a traceback


def credential(options: InboxOptions, environ: Mapping[str, str]) -> Credential:
    """The password or token, read anew each time: files change, and tokens live for an hour. Raises CredentialError."""
    if options.token_command:
        return Credential(_token(options), is_token=True)
    if options.password_file:
        try:
            password = read_secret(options.password_file, f"[[inbox]] password_file = {options.password_file!r}")
        except SettingsError as error:
            raise CredentialError(str(error)) from None
        return Credential(password, is_token=False)
    if options.password_variable:
        if not environ.get(options.password_variable):
            raise CredentialError(f"[[inbox]] password_variable: there is no variable {options.password_variable}")
        return Credential(environ[options.password_variable], is_token=False)
    return Credential(options.password, is_token=False)


def _token(options: InboxOptions) -> str:
    name = options.token_command[0]
    try:
        status, output = _run(options.token_command, options.token_seconds)
    except subprocess.TimeoutExpired:
        raise CredentialError(f"token_command {name} was not done within {options.token_seconds:g} s") from None
    except OSError as error:
        raise CredentialError(f"token_command {name} cannot be run: {os.strerror(error.errno or 0)}") from None
    if status:
        how = f"status {status}" if status > 0 else f"signal {-status}"
        raise CredentialError(f"token_command {name} ended with {how}; run it by hand to see what it says")
    token = output[:LONGEST].partition(b"\n")[0].strip()
    if not token or not token.isascii() or any(byte < 0x21 for byte in token):
        raise CredentialError(f"token_command {name} printed no token: its first line must be the access token alone")
    return token.decode("ascii")


def _run(command: Sequence[str], seconds: float) -> tuple[int, bytes]:
    """Run a command; when it takes too long, it and what it has started are killed."""
    with subprocess.Popen(  # noqa: S603  # the command of the settings, as a list
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return process.returncode, output


def check(options: InboxOptions) -> None:
    """Raise ValueError when a mailbox cannot be opened with what the settings say."""
    if not options.host or not options.username:
        raise ValueError("an inbox needs host and username")
    ways = ("password", "password_file", "password_variable", "token_command")
    given = [name for name in ways if getattr(options, name)]
    if len(given) != 1:
        raise ValueError(f"an inbox needs one of {', '.join(ways)}, and has {' and '.join(given) or 'none'}")
    if options.security == "none" and options.host not in {"127.0.0.1", "::1", "localhost"}:
        raise ValueError("security = 'none' would show the password to the network: write 'tls' or 'starttls'")
    if not options.folders:
        raise ValueError("an inbox needs folders, such as ['INBOX']")
    targets = {"move": (options.archive, options.unreadable), "delete": (options.unreadable,), "leave": ()}
    for target in targets[options.done]:
        if not target or target in options.folders:
            raise ValueError(f"messages cannot be moved to the folder {target!r}: name one that is not read")
