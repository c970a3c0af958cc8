"""Senders: who sends in our name, with what the site says of each; a verdict is given by a click."""

import sys
from collections.abc import Mapping
from typing import NamedTuple

from flask import Response, redirect

from ....documents.senders import VERDICTS, Senders, verdict
from ....pages import sources
from ....pages.asking import Scope
from ....pages.figure import Value
from ....settings import SenderFile, SettingsError
from ...verdicts import give, make_entry
from ..asking import part
from ..desk import Answer, Asked, made
from ..guard import Refused
from ..rendering import link
from ..route import Route
from .overview import PERIODS, period_of

_PAGE = 50


class _Line(NamedTuple):
    """A sender of the table."""

    name: str
    cells: tuple[Value, ...]
    said: str  # the verdict, '' none
    detail: str  # who said so, when, why, until when


def show(asked: Asked) -> Answer:
    """The senders of some days, the largest first."""
    since = asked.args.get("since", "30d")
    scope = Scope(period_of(since), top=sys.maxsize)
    figure = sources.senders(asked.store, scope)
    page = part(asked, figure.rows, _PAGE)
    senders = asked.senders
    return asked.page(
        "senders.html",
        figure=figure,
        lines=[_for(asked, _line(row, senders)) for row in page.lines],
        verdicts=VERDICTS,
        since=since,
        periods=PERIODS,
        page=page,
        said=asked.args.get("said", ""),
        unread=not asked.desk.settings.record("site", SenderFile).senders_file,
        may=asked.user.may("analyst") and not asked.user.domains,
    )


def _line(row: tuple[Value, ...], senders: Senders | None) -> _Line:
    name = "" if row[0] == sources.NOBODY else str(row[0])
    found = verdict({"source.name": name}, senders, made()[:10]) if name else None
    if found is None and name and senders is not None:
        found = next((one for domain, one in senders.domains.items() if domain == name and one.verdict), None)
    if found is None:
        return _Line(name, row, "", "")
    parts = (
        found.comment,
        f"by {found.by}" if found.by else "",
        found.at[:10],
        f"until {found.until}" if found.until else "",
    )
    return _Line(name, row, found.verdict, ", ".join(part for part in parts if part))


def _for(asked: Asked, line: _Line) -> _Line:
    """By whom and why a verdict was given is for who sees all domains: the remark may be about another's."""
    return line._replace(detail="") if asked.user.domains else line


def say(asked: Asked) -> Answer:
    """Write a verdict into the file of verdicts, as `email-report-admin verdict` does."""
    what = asked.form.get("what", "").strip()
    try:
        entry = make_entry(what, _said(asked.form, asked.user.name))
    except SettingsError as error:
        raise Refused(400, str(error)) from error
    asked.note("verdict", about=what, verdict=entry.get("verdict", ""))
    path = give(asked.desk.settings, entry)
    asked.desk.log("info", f"desk: {asked.user.name} says {entry.get('verdict', '')} of {what}, in {path}")
    since, domain = asked.form.get("since") or None, asked.form.get("domain")
    place = link("/senders", since=since, said=what)
    if domain:  # the click was on the page of the policy
        place = link(
            "/policy", **{"domain": domain, "try": asked.form.get("try") or None, "since": since, "said": what}
        )
    back = redirect(place, 303)
    return Response(back.get_data(), back.status, back.headers)


def _said(form: Mapping[str, str], by: str) -> dict[str, str]:
    given = {name: form.get(name, "").strip() for name in ("verdict", "name", "until", "comment")}
    return {**given, "by": by, "at": made()}


ROUTES = (
    Route("/senders", show),
    Route("/senders", say, role="analyst", method="POST", whole=True),
)
