"""The key of the tokens that stand for addresses: made once in the state directory, or in a file of the site's."""

import os
from collections.abc import Mapping

from .settings import Settings, SettingsError, secret, state_place
from .stores import kept, owner

FILE = "redaction.key"
BYTES = 32


def redaction_key(settings: Settings, environ: Mapping[str, str]) -> bytes:
    """The key; made when there is none. Raises SettingsError, OSError."""
    named = secret(settings, "read", "redact_key")
    return named.encode() if named else _of_state(state_place(settings, environ))


def _of_state(state: str) -> bytes:
    path = os.path.join(state, FILE)
    for _ in range(2):  # another process may be quicker
        try:
            with open(path, "rb") as file:
                key = bytes.fromhex(file.read(2 * BYTES + 2).decode("ascii", "replace").strip())
        except FileNotFoundError:
            _make(state, path)
        except ValueError as error:
            raise _damaged(path) from error
        else:
            if len(key) != BYTES:
                raise _damaged(path)
            return key
    raise SettingsError(f"{path}: cannot be made")


def _damaged(path: str) -> SettingsError:
    return SettingsError(
        f"{path}: is no key of {BYTES} bytes; put it back from a backup, or remove it: a new one is made, and addresses"
        " become other tokens from then on"
    )


def _make(state: str, path: str) -> None:
    """Whole or not at all: a reader must never see half of it. Raises OSError."""
    from secrets import token_hex  # 4 ms, once for a site

    kept.make_directory(state)
    temporary = f"{path}.{os.getpid()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        owner.give(descriptor, temporary)
        file.write(f"{token_hex(BYTES)}\n")
        file.flush()
        os.fsync(descriptor)
    try:
        os.link(temporary, path)
    except FileExistsError:  # another process was quicker, and its key counts
        pass
    finally:
        os.unlink(temporary)
