"""Replies become events: those that the filter kept unread (`--feed abuse-replies`), or files that somebody names.

The token says which report; only one that we made, of a report that we sent, changes anything.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from ..message.blob import Blob, File
from ..stores import kept
from . import drafts, history
from .events import Event
from .replies import LARGEST, Reply, about, believed, read_reply
from .reporting import Desk, write_events
from .tokens import read_key

_NO_REPLY = "no report in it, and no reply to one of ours"


class Taken(NamedTuple):
    """What became of one message."""

    name: str  # of the file
    reply: Reply | None  # None: it is none of ours, or says nothing
    why: str = ""  # it is left where it is, and this is why


def take(desk: Desk, messages: Iterable[tuple[str, bytes]]) -> Iterator[Taken]:
    """Read replies and store what they say. Raises StoreError, OSError."""
    key = read_key(desk.directory)
    for name, raw in messages:
        reply = read_reply(raw, key)
        yield _take(desk, name, reply) if reply else Taken(name, None)


def _take(desk: Desk, name: str, reply: Reply) -> Taken:
    """Store the event of a reply, or say why it cannot be stored yet."""
    events = history.of(desk.store, "report.id", reply.token)
    sent = next((one for one in events if one.action == "sent"), None)
    if sent is None:
        return Taken(name, reply, _why_not(desk, reply.token))
    reply = about(reply, sent.incident.contact)
    event = Event(
        reply.action,
        sent.incident,
        believed(reply.at, sent.at, desk.clock().replace(microsecond=0)),
        outcome=reply.outcome,
        reason=reply.reason,
        status=reply.status,
        sender=reply.sender,
        message_id=reply.message_id,
        form=reply.form,
        text=reply.text,
    )
    write_events(desk, [event])
    return Taken(name, reply)


def _why_not(desk: Desk, token: str) -> str:
    held = [*drafts.listing(desk.directory), *drafts.lately_sent(desk.directory)]
    if any(one.incident.token == token for one in held):
        return "the store does not show its report yet: it is read next time"
    return "this store knows no such report"


def take_kept(desk: Desk, maildir: Path, keeping: kept.KeptOptions) -> Iterator[Taken]:
    """Replies that the filter kept: those that are read go away, what is none of ours stays as mail without a report.

    Raises StoreError, OSError, KeepError.
    """
    for one in list(kept.listing(maildir)):
        if one.category != "reply":
            continue
        blob = _open(one.path)
        (taken,) = take(desk, [(one.path.name, blob.read(0, LARGEST))])
        if taken.reply is None:
            kept.keep(maildir, blob, "no-report", _NO_REPLY, one.time, keeping)
        elif not taken.why:
            one.path.unlink(missing_ok=True)
        yield taken


def _open(path: Path) -> Blob:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    return kept.untouched(File(descriptor, os.fstat(descriptor).st_size))
