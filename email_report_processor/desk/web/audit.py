"""The audit trail: who came in, who saw a sample, who changed or sent what. One JSON object a line, only added to."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

FILE = "desk-audit.jsonl"  # in the state directory
_LONGEST = 300  # characters of one value: what was typed as a name is a stranger's


class AuditError(Exception):
    """The entry cannot be written, so that what it is about does not happen."""


class Audit:
    """The file (0600). now: RFC 3339."""

    def __init__(self, path: Path, now: Callable[[], str]) -> None:
        self.path = path
        self._now = now

    def __call__(self, who: str, address: str, what: str, **about: Any) -> None:
        """Add an entry, on disk before this returns. Raises AuditError."""
        said = {name: str(value)[:_LONGEST] for name, value in about.items()}
        entry = {"at": self._now(), "who": who[:_LONGEST], "address": address, "what": what, **said}
        line = json.dumps(entry, ensure_ascii=True) + "\n"
        try:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(self.path, flags, 0o600)
            try:
                os.write(descriptor, line.encode())  # in one piece: entries of threads do not mix
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise AuditError(f"{self.path}: {error.strerror}: make room, or correct its owner or mode") from error
