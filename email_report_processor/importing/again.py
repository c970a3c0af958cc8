"""A kept message is fed again: for `kept --retry` and for the desk."""

import os
from collections.abc import Iterator
from functools import reduce
from pathlib import Path

from ..message import mbox
from ..message.blob import Blob, File, Memory, Slice, chunks
from ..process import Job, Verdict, store_message, together
from ..stores import kept


def feed(path: Path, job: Job) -> Verdict | None:
    """Store what it holds and take it away; a Verdict says why it stays. Raises StoreError, OSError."""
    try:
        blob = kept.untouched(open_blob(path))
    except FileNotFoundError:
        return None  # another process did it
    if job.routes is not None and (to := job.routes.known(kept.look(path).to)):
        job = job.routes.addressed(to)
    verdicts = [outcome.verdict for one in _messages(blob) if (outcome := store_message(one, job)).verdict is not None]
    if verdicts:
        return reduce(together, dict.fromkeys(verdicts))
    path.unlink(missing_ok=True)
    return None


def _messages(blob: Blob) -> Iterator[Blob]:
    """The message; of an mbox that was piped each one."""
    several = mbox.holds_several(blob)
    if not several:
        yield blob
    for start, stop in mbox.messages(chunks(blob)) if several else ():
        yield mbox.unquoted(Slice(blob, start, stop))


def open_blob(path: Path) -> File | Memory:
    """A file as a blob. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    return File(descriptor, os.fstat(descriptor).st_size)
