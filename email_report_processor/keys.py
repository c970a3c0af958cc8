"""Keys of this site: made once in the state directory, whole or not at all; a damaged one is told, and never used.

That of the tokens that stand for addresses may be in a file of the site's.
"""

import os
from collections.abc import Mapping
from threading import get_ident

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


def own_key(path: "os.PathLike[str] | str", loss: str) -> bytes:
    """A key of 32 bytes; made when there is none. loss: what another key would cost. Raises SettingsError, OSError.

    An empty file, as a full disk leaves it, would be a key that everybody knows.
    """
    path = os.fspath(path)
    for _ in range(2):  # another process may be quicker
        try:
            with open(path, "rb") as file:
                key = file.read(BYTES + 1)
        except FileNotFoundError:
            from secrets import token_bytes  # 4 ms, once for a site

            _write(path, token_bytes(BYTES))
        else:
            if len(key) != BYTES:
                raise SettingsError(
                    f"{path}: is no key of {BYTES} bytes; put it back from a backup, or remove it: a new one is made, "
                    f"and {loss}"
                )
            return key
    raise SettingsError(f"{path}: cannot be made")


def _make(state: str, path: str) -> None:
    from secrets import token_hex  # 4 ms, once for a site

    kept.make_directory(state)
    _write(path, f"{token_hex(BYTES)}\n".encode("ascii"))


def _write(path: str, content: bytes) -> None:
    """Whole or not at all: a reader must never see half of it. Raises OSError."""
    temporary = f"{path}.{os.getpid()}.{get_ident()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            owner.give(descriptor, temporary)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        os.link(temporary, path)
    except FileExistsError:  # another process was quicker, and its key counts
        pass
    finally:
        os.unlink(temporary)
