"""Drafts in the state directory: `TOKEN.eml` as it will be sent, for people to read, and its record beside it.

The record is written first and removed last, so that a message without a record is nobody's draft.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from ..stores import kept, owner
from .events import Incident

FOLDER = "drafts"
_SENT = "sent"  # within the folder
_REMEMBERED = 86400  # seconds
_LOCK = "lock"
_NAME = re.compile(r"[a-z2-7]{20}")


class DraftError(ValueError):
    """What is in the folder cannot be read; the text says what to do."""


class Changed(ValueError):  # noqa: N818 - it says what happened, which is no error of ours
    """A draft is no longer what somebody looked at."""


class Held(NamedTuple):
    """One draft."""

    incident: Incident
    at: str  # when it was prepared, RFC 3339
    by: str
    looked: str = ""  # who looked at it last; '' nobody
    seen: str = ""  # the digest of what that was
    sent: str = ""  # when the mail server took it, RFC 3339: its event and copies may be owed still
    sent_by: str = ""
    owed: tuple[str, ...] = ()  # addresses that get a copy
    fault: str = ""  # what went wrong when it was sent last


def place(directory: Path) -> Path:
    """Where the drafts are."""
    return directory / FOLDER


def write(directory: Path, held: Held, message: bytes) -> None:
    """Keep a draft. message: with CRLF or LF. Raises OSError."""
    folder = place(directory)
    kept.make_directory(folder)
    record(directory, held)
    _replace(_path(directory, held.incident.token, ".eml"), message.replace(b"\r\n", b"\n"))


def record(directory: Path, held: Held) -> None:
    """Write down what became of a draft. Raises OSError."""
    _replace(_path(directory, held.incident.token, ".json"), _encoded(held))


def listing(directory: Path) -> list[Held]:
    """All drafts, the oldest first. Raises OSError, DraftError for a record that cannot be read."""
    folder = place(directory)
    found = [path for path in folder.glob("*.json") if _NAME.fullmatch(path.stem)] if folder.is_dir() else []
    held = [_decoded(path) for path in found if path.with_suffix(".eml").exists()]
    return sorted(held, key=lambda one: (one.at, one.incident.token))


def read(directory: Path, token: str) -> Held:
    """One draft. Raises OSError, DraftError when its record cannot be read."""
    return _decoded(_path(directory, token, ".json"))


def _encoded(held: Held) -> bytes:
    content = {**held._asdict(), "incident": held.incident._asdict()}
    return json.dumps(content, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _decoded(path: Path) -> Held:
    try:
        content = json.loads(path.read_text("utf-8"))
        said = content["incident"].items()
        about: dict[str, Any] = {name: tuple(one) if isinstance(one, list) else one for name, one in said}
        return Held(**{**content, "incident": Incident(**about), "owed": tuple(content["owed"])})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        what = "remove it and the .eml beside it, and prepare again"
        raise DraftError(f"{path} cannot be read ({error}): {what}") from error


def look(directory: Path, token: str, by: str, seen: str = "") -> bytes:
    """The message of a draft, with LF; that somebody looked at it is written down.

    seen: the digest of what was looked at, '' what is there now. Raises OSError, DraftError, Changed.
    """
    with locked(directory):
        content = message(directory, token)
        now = digest(content)
        if seen and seen != now:
            raise Changed(f"the draft {token} was changed since you looked at it: look again")
        record(directory, read(directory, token)._replace(looked=by, seen=now))
    return content


def digest(content: bytes) -> str:
    """Names one state of a draft's text."""
    return hashlib.sha256(content).hexdigest()


def message(directory: Path, token: str) -> bytes:
    """The message of a draft, with LF. Raises OSError."""
    return _path(directory, token, ".eml").read_bytes()


def done(directory: Path, held: Held, now: datetime) -> None:
    """Forget a draft that was sent, but for its record: a store may show the event only some seconds later."""
    folder = place(directory) / _SENT
    kept.make_directory(folder)
    for path in folder.glob("*.json"):
        if now.timestamp() - path.stat().st_mtime > _REMEMBERED:
            path.unlink(missing_ok=True)
    _replace(folder / f"{held.incident.token}.json", _encoded(held))
    remove(directory, held.incident.token)


def lately_sent(directory: Path) -> list[Held]:
    """Records of what was sent lately. Raises OSError, DraftError when one cannot be read."""
    folder = place(directory) / _SENT
    return [_decoded(path) for path in sorted(folder.glob("*.json"))] if folder.is_dir() else []


def remove(directory: Path, token: str) -> None:
    """Forget a draft. Raises OSError."""
    for suffix in (".eml", ".json"):
        _path(directory, token, suffix).unlink(missing_ok=True)


def _path(directory: Path, token: str, suffix: str) -> Path:
    """A token comes from a command line or a browser. Raises ValueError."""
    if not _NAME.fullmatch(token):
        raise ValueError(f"{token!r} is no token of a report: `abuse drafts` lists them")
    return place(directory) / f"{token}{suffix}"


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """While it lasts, nobody else prepares or sends. Raises OSError."""
    kept.make_directory(directory)
    descriptor = os.open(directory / _LOCK, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        owner.give(descriptor, directory / _LOCK)
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _replace(path: Path, content: bytes) -> None:
    """Whole or not at all."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".new-", delete=False) as file:
        owner.give(file.fileno(), file.name)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(file.name, path)
