"""Reports to networks: prepare, look, send; and what became of each."""

import os
from collections.abc import Sequence

from flask import Response, redirect

from ....stores.query import Ids, parse
from ....stores.store import Selection
from ... import drafts, history, league
from ...drafts import Held
from ...events import Incident
from ...history import Standing
from ...message import DATASETS, Message, from_row
from ...reporting import OUTCOMES, Desk, close_report, open_desk, prepare_reports
from ...sending import Result, send_reports
from ..asking import flags, newest, part
from ..desk import Answer, Asked, moment
from ..guard import Refused
from ..route import Route
from .campaigns import campaigns

_BYTES = 256 * 1024  # of a draft that is shown
_GONE = "there is no such draft: it was sent or dropped, or it is none of yours"
_DOCUMENTS = 100  # links to messages of a report


def desk_of(asked: Asked) -> Desk:
    """Reporting, with the store as it is: events are written, and limits count the reports of all users."""
    return open_desk(asked.desk.settings, os.environ, asked.desk.stores.get())


def visible(asked: Asked, incident: Incident) -> bool:
    """Whether all domains of a report are the user's."""
    own = asked.user.domains
    within = (any(name == one or name.endswith(f".{one}") for one in own) for name in incident.domains)
    return not own or (bool(incident.domains) and all(within))


# What became of them


def show(asked: Asked) -> Answer:
    """Reports, the newest first."""
    desk = desk_of(asked)
    found = history.standings(history.read(asked.store), moment(), desk.sending.silent_days)
    page = part(asked, [one for one in found if visible(asked, one.incident)])
    waiting = sum(visible(asked, one.incident) for one in drafts.listing(desk.directory))
    return asked.page("reports.html", page=page, waiting=waiting)


def show_one(asked: Asked, token: str) -> Answer:
    """One report with its events."""
    one = _standing(asked, token)
    return asked.page(
        "report.html", one=one, about=one.incident, documents=one.incident.documents[:_DOCUMENTS], outcomes=OUTCOMES
    )


def _standing(asked: Asked, token: str) -> Standing:
    """The report of a link. Raises Refused."""
    events = history.of(asked.store, "report.id", token)
    found = history.standings(events, moment(), desk_of(asked).sending.silent_days)
    if not found or not visible(asked, found[0].incident):
        raise Refused(404, "there is no report of this token, or it is none of yours")
    return found[0]


def close(asked: Asked, token: str) -> Answer:
    """Say what became of a report; a draft of it is dropped."""
    one = _standing(asked, token)
    outcome = asked.form.get("outcome", "")
    asked.note("closed a report", token=token, outcome=outcome)
    close_report(desk_of(asked), one.incident.token, asked.user.name, outcome, asked.form.get("why", "").strip())
    return _to(f"/reports/{token}")


def table(asked: Asked) -> Answer:
    """The league of networks that react."""
    silent = desk_of(asked).sending.silent_days
    page = league.page(asked.store, moment(), silent, is_shown=lambda one: visible(asked, one.incident))
    return asked.page("league.html", figures=page.figures)


# Prepare, look, send


def prepare(asked: Asked) -> Answer:
    """Drafts about one message, or about a campaign of a query."""
    name = asked.form.get("campaign", "")
    messages = _campaign(asked, name) if name else _message(asked, asked.form.get("document", ""))
    asked.note("prepared", campaign=name, documents=" ".join(one.id for one in messages))
    done = prepare_reports(desk_of(asked), messages, asked.user.name, campaign="")
    return asked.page("prepared.html", prepared=done.prepared, left_out=done.left_out)


def _message(asked: Asked, id_: str) -> list[Message]:
    found = [from_row(one.row) for one in asked.store.select(Selection(Ids(frozenset({id_})), DATASETS, 1))]
    if not found:
        raise Refused(404, "there is no message of this id, or it is none of yours")
    return found


def _campaign(asked: Asked, name: str) -> list[Message]:
    text = asked.form.get("q", "")
    found = newest(asked, parse(text, moment(), flags(asked, text)))
    one = next((one for one in campaigns(asked, found) if one.name == name), None)
    if one is None:
        raise Refused(404, f"there is no campaign of this name among the messages of the query {text}")
    whole = Selection(Ids(frozenset(message.id for message in one.messages)), DATASETS)
    return [from_row(one.row) for one in asked.store.select(whole)]


def listing(asked: Asked) -> Answer:
    """The drafts, the newest first."""
    held = [one for one in drafts.listing(desk_of(asked).directory) if visible(asked, one.incident)]
    return asked.page("drafts.html", page=part(asked, held[::-1]))


def draft(asked: Asked, token: str) -> Answer:
    """A draft as it will be sent. Whoever presses the button below it says that it was looked at."""
    desk = desk_of(asked)
    held = _held(asked, desk, token)
    asked.note("saw a draft", token=token)
    try:
        message = drafts.message(desk.directory, token)
    except FileNotFoundError:
        raise Refused(404, _GONE) from None
    text = message[:_BYTES].decode("utf-8", "replace")
    seen, cut = drafts.digest(message), len(message) > _BYTES
    return asked.page("draft.html", held=held, about=held.incident, text=text, seen=seen, cut=cut)


def send(asked: Asked, token: str) -> Answer:
    """Send it: it was looked at by who presses the button of its page, as that page showed it."""
    desk = desk_of(asked)
    _held(asked, desk, token)
    if not (seen := asked.form.get("seen", "")):
        raise Refused(400, "open the draft and look at it first: its page has the button")
    asked.note("sent", token=token)
    try:
        drafts.look(desk.directory, token, asked.user.name, seen)
    except drafts.Changed as error:
        raise Refused(409, str(error)) from error
    except FileNotFoundError:
        raise Refused(404, _GONE) from None
    results: Sequence[Result] = send_reports(desk, [token], asked.user.name)
    for one in results:
        asked.desk.log("info", f"desk: {asked.user.name}: report {one.token} to {one.contact}: {one.state} {one.text}")
    return asked.page("sent.html", results=results)


def _held(asked: Asked, desk: Desk, token: str) -> Held:
    """The draft of a link. Raises Refused."""
    found = next((one for one in drafts.listing(desk.directory) if one.incident.token == token), None)
    if found is None or not visible(asked, found.incident):
        raise Refused(404, _GONE)
    return found


def _to(path: str) -> Response:
    back = redirect(path, 303)
    return Response(back.get_data(), back.status, back.headers)


ROUTES = (
    Route("/reports", show),
    Route("/reports/<token>", show_one),
    Route("/reports/<token>", close, role="sender", method="POST"),
    Route("/league", table),
    Route("/prepare", prepare, role="analyst", method="POST"),
    Route("/drafts", listing, role="analyst"),
    Route("/drafts/<token>", draft, role="analyst"),
    Route("/drafts/<token>", send, role="sender", method="POST"),
)
