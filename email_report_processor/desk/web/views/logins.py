"""Logins: what was found, an account's map and days, and its answer: that was me, or stop this account."""

import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from flask import Response, redirect

from ....documents.encode import decode
from ....logins.acting import Acting
from ....logins.ask import answer
from ....logins.options import LoginOptions
from ....logins.state import FILE, Event, State, Stop
from ....pages.days import stepping, steps
from ....pages.figure import Column, Figure, Period
from ....settings import state_dir
from ....stores.query import And, Between, Node, Text, field_of
from ....stores.store import Question, Total
from ..asking import listing, part
from ..desk import Answer, Asked
from ..guard import Refused
from ..route import Route
from .overview import PERIODS, period_of

_DATASET = "mail-login"
_FOUND = 30 * 86400.0  # seconds back that findings are listed
_GROUPS = 100_000
_ANSWERS = ("yes", "no")


@contextmanager
def state_of(asked: Asked) -> Iterator[State | None]:
    """The state of the login watch; None where nothing was read yet: looking makes no file."""
    directory = state_dir(asked.desk.settings, os.environ)
    if not (directory / FILE).exists():
        yield None
        return
    state = State(directory)
    try:
        yield state
    finally:
        state.close()


def show(asked: Asked) -> Answer:
    """Findings, the newest first, and the accounts that are stopped."""
    with state_of(asked) as state:
        events = state.events(time.time() - _FOUND)[::-1] if state else []
        stops = list(state.stops().values()) if state else []
    return asked.page("logins.html", page=part(asked, events), stops=stops, said=moment_of)


def show_one(asked: Asked, account: str) -> Answer:
    """An account: from where, when, with what result."""
    account = account.lower()
    since = asked.args.get("since", "30d")
    period = period_of(since)
    node: Node = Text(field_of("user.name"), (account,))
    if period.since:
        node = And((node, Between(field_of("@timestamp"), period.since, None)))
    asked.note("saw logins", account=account)
    page = listing(asked, node, (_DATASET,))
    by = ("source.geo.country_iso_code", "event.outcome")
    groups = asked.store.totals(Question(_DATASET, by, node=node, every="day", size=_GROUPS))
    with state_of(asked) as state:
        events = state.events(0.0, account)[::-1] if state else []
        stop = state.stops().get(account) if state else None
    return asked.page(
        "account.html",
        account=account,
        since=since,
        periods=PERIODS,
        lines=[_line(decode(one.row.source)) for one in page.found],
        next=page.next,
        figures=[by_day(groups, period), places(groups)],
        events=events[:20],
        stop=stop,
        said=moment_of,
    )


def _line(fields: dict[str, Any]) -> dict[str, str]:
    return {
        "at": str(fields.get("@timestamp", "")),
        "outcome": str(fields.get("event.outcome", "")),
        "service": str(fields.get("login.service", "")),
        "address": str(fields.get("source.ip", "")),
        "network": str(fields.get("source.as.organization.name", "")),
        "country": str(fields.get("source.geo.country_iso_code", "")),
        "reason": str(fields.get("event.reason", "")),
    }


def by_day(groups: list[Total], period: Period) -> Figure:
    """Logins and failed ones by day."""
    marks = steps(one.key[0] for one in groups)
    mark, step = stepping(marks)
    counts: Counter[tuple[str, bool]] = Counter()
    for one in groups:
        counts[mark(one.key[0]), one.key[2] == "success"] += one.sums[0]
    columns = (Column(step.capitalize(), "day"), Column("Logins", "number", "ok"), Column("Failed", "number", "failed"))
    rows = tuple((one, counts[one, True], counts[one, False]) for one in marks)
    empty = "No login of this account is stored."
    return Figure("logins", f"Logins by {step}", columns, rows, "logins", "stack", period, empty=empty)


def places(groups: list[Total]) -> Figure:
    """A map: countries by logins, circles by what failed."""
    good: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for one in groups:
        (good if one.key[2] == "success" else failed)[one.key[1] or ""] += one.sums[0]
    known = sorted({*good, *failed} - {""}, key=lambda one: (-good[one], -failed[one], one))
    columns = (Column("Country", "country"), Column("Logins", "number", "pass"), Column("Failed", "number", "failed"))
    rows = tuple((one, good[one], failed[one]) for one in known)
    return Figure("places", "From where?", columns, rows, "logins", "map", empty="No country is known of any login.")


def moment_of(seconds: float) -> str:
    """Seconds since 1970 as pages say it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


# What a person decides


def decide(asked: Asked, account: str) -> Answer:
    """Stop an account, or release it."""
    account = account.lower()
    action, why = asked.form.get("action", ""), asked.form.get("why", "").strip()[:300]
    if action not in {"stop", "release"}:
        raise Refused(400, "an account is stopped or released")
    asked.note(f"{action} an account", account=account, why=why)
    state = State(state_dir(asked.desk.settings, os.environ))
    try:
        if action == "stop":
            state.stop(Stop(account, time.time(), asked.user.name, why))
        else:
            state.release(account, time.time(), asked.user.name, why)
    finally:
        state.close()
    return _to(f"/logins/{quote(account, safe='')}")


def respond(asked: Asked, id_: str) -> Answer:
    """What the user says of a finding, as the user's own answer by mail is taken (docs/logins.md)."""
    said = asked.form.get("answer", "")
    if said not in _ANSWERS:
        raise Refused(400, "the answer is yes or no")
    with state_of(asked) as state:
        event = state.event(id_) if state else None
        if state is None or event is None:
            raise Refused(404, "there is no finding of this id")
        asked.note("answered for a user", account=event.finding.account, answer=said)
        _take(asked, state, event, said)
    return _to(f"/logins/{quote(event.finding.account, safe='')}")


def _take(asked: Asked, state: State, event: Event, said: str) -> None:
    options = asked.desk.settings.record("logins", LoginOptions)
    denied = answer(event, "yes" if said == "yes" else "no", state, options, time.time())
    for told in state.commit("desk", time.time(), {}, findings=[denied] if denied else []):
        Acting(options, state, asked.desk.log).tell(told)
        state.told(told)


def _to(path: str) -> Response:
    back = redirect(path, 303)
    return Response(back.get_data(), back.status, back.headers)


ROUTES = (
    Route("/logins", show, role="analyst", whole=True),
    Route("/logins/<account>", show_one, role="analyst", whole=True),
    Route("/logins/<account>", decide, role="sender", method="POST", whole=True),
    Route("/logins/findings/<id_>", respond, role="sender", method="POST", whole=True),
)
