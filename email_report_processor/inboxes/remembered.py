"""A small file of the state directory in which a way in remembers how far it is: written, synced, renamed."""

import hashlib
import json
import os
from typing import Any

from ..stores import owner
from ..stores.kept import make_directory


def place(state: str, name: str) -> str:
    """The file of a folder or bucket, whose name may have any character."""
    return os.path.join(state, "inboxes", hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:16] + ".json")


def read(path: str) -> Any:
    """What was remembered; None when nothing was. Raises OSError, ValueError when it is damaged."""
    try:
        with open(path, encoding="ascii") as file:
            return json.load(file)
    except FileNotFoundError:
        return None


def write(path: str, content: Any) -> None:
    """Remember something. Raises OSError."""
    make_directory(os.path.dirname(path))
    temporary = f"{path}.{os.getpid()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            owner.give(descriptor, temporary)
            file.write(json.dumps(content).encode("ascii"))
            file.flush()
            os.fsync(descriptor)
        os.rename(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise


def damaged(path: str, error: Exception) -> str:
    """What is said about a file that cannot be read."""
    reason = getattr(error, "strerror", None) or "it is damaged"
    return f"{path} cannot be read ({reason}): what it remembered is read again, and counts once"
