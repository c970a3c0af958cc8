"""Kept messages: what could not be stored, and why; each can be read, and fed again."""

from pathlib import Path

from flask import Response, redirect

from ....importing.again import feed, open_blob
from ....stores import kept
from ....stores.kept import Kept
from ..asking import part
from ..desk import Answer, Asked
from ..guard import Refused
from ..rendering import link
from ..route import Route

_SHOWN = 256 * 1024  # bytes of one message


def show(asked: Asked) -> Answer:
    """The list, the newest first."""
    messages = list(kept.listing(asked.desk.job.maildir))[::-1]
    return asked.page("kept.html", page=part(asked, messages), said=asked.args.get("said", ""))


def show_one(asked: Asked, name: str) -> Answer:
    """The message as text. Who saw it is written down first."""
    one = _named(asked, name)
    asked.note("saw a kept message", name=one.path.name)
    blob = kept.untouched(open_blob(one.path))
    text = blob.read(0, _SHOWN).decode("utf-8", "replace")
    return asked.page("kept_one.html", one=one, text=text, cut=blob.size > _SHOWN)


def again(asked: Asked, name: str) -> Answer:
    """Feed it again, as `email-report-admin kept --retry` does."""
    one = _named(asked, name)
    asked.note("fed again", name=one.path.name)
    verdict = feed(one.path, asked.desk.job)
    said = f"still {verdict.category}: {verdict.reason}" if verdict else "stored, and not kept any more"
    back = redirect(link("/kept", said=f"{one.path.name[:12]}: {said}"[:500]), 303)
    return Response(back.get_data(), back.status, back.headers)


def _named(asked: Asked, name: str) -> Kept:
    """The message of a link: one of the Maildir's and nothing else. Raises Refused."""
    maildir = Path(asked.desk.job.maildir)
    for folder in ("new", "cur"):
        if name in {path.name for path in (maildir / folder).iterdir()} if (maildir / folder).is_dir() else ():
            return kept.look(maildir / folder / name)
    raise Refused(404, "no kept message has this name: it may be stored by now")


ROUTES = (
    Route("/kept", show, role="analyst", whole=True),
    Route("/kept/<name>", show_one, role="analyst", whole=True),
    Route("/kept/<name>", again, role="analyst", method="POST", whole=True),
)
