"""Logins: who logs in from where, and who tries to. (one document per login or failed attempt)"""

from email_report_processor.cluster.saved_objects import PREFIX
from email_report_processor.documents.datasets import LOGIN

from . import bars
from . import objects as o
from .common import FORMATS, OURS, id_of, links

NAME = "logins"

LOGINS = o.Pattern(f"{OURS}-mail-login", f"{PREFIX}mail-login-*", "@timestamp")
PATTERN = o.index_pattern(
    LOGINS,
    LOGIN,
    {**FORMATS, "@timestamp": o.MINUTES, "event.outcome": o.coloured(success=o.PASS, failure=o.FAIL)},
)

_LOGIN = "event.outcome: success"
_FAILED = "event.action: login and event.outcome: failure"
_QUOTA = "event.action: quota"
_ATTEMPTS = o.total("count", "Logins")
_LAST = o.metric("max", "@timestamp", "Last")


def _id(name: str) -> str:
    return f"{OURS}-logins-{name}"


def _intro() -> o.Object:
    return o.text(
        _id("intro"),
        "Logins: how to read",
        f"""
**Who logs in from where?** An account with many countries or providers in a short time is what to look for: choose the
last day. What the rules say of it, with the lines: `email-report-admin logins events --lines`. A click on an
account narrows everything to it. Where a panel says "No results found": choose a longer time, or run
`email-report-admin logins read` over a log. Other dashboards: {links(NAME)}
""",
    )


def _first_screen() -> list[tuple[int, list[o.Panel]]]:
    return [
        (4, [o.Panel(_totals(), 48, titled=False)]),
        (8, [o.Panel(_per_day(), 34), o.Panel(_intro(), 14, titled=False)]),
        (13, [o.Panel(_accounts(), 28), o.Panel(_countries(), 20)]),
    ]


def _totals() -> o.Object:
    numbers = [
        o.total_where(_LOGIN, "count", "Logins"),
        o.total_where(_FAILED, "count", "Failed"),
        o.total_where(_QUOTA, "count", "Refused over a quota"),
        o.different("user.name", "Accounts"),
        o.different("source.ip", "Addresses"),
        o.different("source.geo.country_iso_code", "Countries"),
    ]
    return o.numbers(_id("totals"), "Logins in figures", LOGINS, numbers)


def _per_day() -> o.Object:
    parts = [
        bars.Part("logins", "#209280", _LOGIN),
        bars.Part("failed", "#CC5642", _FAILED),
        bars.Part("refused over a quota", "#DA8B45", _QUOTA),
    ]
    return bars.by_day(_id("per-day"), "Logins by day", LOGINS, _ATTEMPTS, parts)


def _accounts() -> o.Object:
    aggs = [
        o.different("source.geo.country_iso_code", "Countries"),
        o.different("source.as.number", "Providers"),
        o.different("source.ip", "Addresses"),
        _ATTEMPTS,
        _LAST,
        o.terms("user.name", "Account", 200),
    ]
    return o.table(_id("accounts"), "Accounts by the countries they came from", LOGINS, aggs, query=_LOGIN)


def _countries() -> o.Object:
    aggs = [
        o.different("user.name", "Accounts"),
        _ATTEMPTS,
        o.terms("source.geo.country_iso_code", "Country", 100, missing="(unknown)"),
    ]
    return o.table(_id("countries"), "Countries", LOGINS, aggs, query=_LOGIN)


def _details() -> list[tuple[int, list[o.Panel]]]:
    return [
        (4, [o.Panel(_choose(), 48, titled=False)]),
        (12, [o.Panel(_guessed(), 24), o.Panel(_guessers(), 24)]),
        (12, [o.Panel(_providers(), 24), o.Panel(_services(), 24)]),
        (10, [o.Panel(_quota(), 48)]),
        (16, [o.Panel(_documents(), 48)]),
    ]


def _choose() -> o.Object:
    fields = {"user.domain": "Domain", "login.service": "Service", "event.outcome": "Outcome"}
    return o.controls(_id("controls"), "Logins: choose", LOGINS, fields)


def _guessed() -> o.Object:
    aggs = [
        o.total("count", "Failed"),
        o.different("source.ip", "Addresses"),
        _LAST,
        o.terms("user.name", "Account", 100, missing="(none named)"),
    ]
    return o.table(_id("guessed"), "Accounts that logins failed for", LOGINS, aggs, query=_FAILED)


def _guessers() -> o.Object:
    aggs = [
        o.total("count", "Failed"),
        o.different("user.name", "Accounts"),
        o.terms("source.ip", "Address", 100),
        o.terms("source.geo.country_iso_code", "Country", 1, missing="(unknown)"),
    ]
    return o.table(_id("guessers"), "Addresses that fail", LOGINS, aggs, query=_FAILED)


def _providers() -> o.Object:
    aggs = [
        o.different("user.name", "Accounts"),
        _ATTEMPTS,
        o.terms("source.as.number", "AS", 100),
        o.terms("source.geo.country_iso_code", "Country", 1, missing="(unknown)"),
    ]
    return o.table(_id("providers"), "Providers (AS)", LOGINS, aggs, query=_LOGIN)


def _services() -> o.Object:
    aggs = [
        _ATTEMPTS,
        o.different("user.name", "Accounts"),
        o.terms("login.server", "Server", 5),
        o.terms("login.service", "Service", 10, missing="—"),
        o.terms("login.method", "Method", 5, missing="—"),
    ]
    return o.table(_id("services"), "Servers, services and methods", LOGINS, aggs)


def _quota() -> o.Object:
    aggs = [
        o.total("count", "Refused"),
        _LAST,
        o.terms("user.name", "Sender", 100),
        o.terms("event.reason", "What it was told", 3, missing="—"),
    ]
    return o.table(_id("quota"), "Senders over a quota", LOGINS, aggs, query=_QUOTA)


def _documents() -> o.Object:
    columns = [
        "user.name",
        "event.outcome",
        "source.ip",
        "source.geo.country_iso_code",
        "source.as.organization.name",
        "login.server",
        "login.service",
        "event.reason",
    ]
    return o.search(_id("documents"), "Logins: one by one", LOGINS, columns)


def objects() -> list[o.Object]:
    """Everything of this dashboard, the dashboard last."""
    placed = [*_first_screen(), *_details()]
    board = o.dashboard(id_of(NAME), "E-mail reports: Logins", "Who logs in from where?", placed)
    return [PATTERN, *(panel.object for _, row in placed for panel in row), board]
