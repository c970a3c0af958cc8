"""Questions that the figures share: what they are about, and what is never counted."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from ..stores.store import Question, Store, Total
from ..values.fields import write_date
from . import words
from .figure import Figure, Period

_SPAN = re.compile(r"(\d{1,4})([dwmy])\Z")
_DAYS = {"d": 1, "w": 7, "m": 30, "y": 365}
ALL = "all"
_GROUPS = 200_000  # of one answer
# A forger must not move a figure: reports whose own mail failed authentication are counted nowhere but in `forged`.
NOT_FORGED: Mapping[str, Any] = {"report.authentication": "fail"}
_LONG = 26 * 3600  # seconds; a longer period belongs to no day

DOMAIN = {
    "dmarc-aggregate": "policy_published.domain",
    "dmarc-failure": "feedback.reported_domain",
    "arf": "feedback.reported_domain",
    "smtp-tls": "policy.domain",
    "report": "report.domain",
}


class Scope(NamedTuple):
    """What the figures are about."""

    period: Period = Period()
    domain: str = ""  # '' all
    top: int = 15  # rows of a table


def since(text: str, now: datetime) -> str:
    """A date or a span back from now, such as 30d, as RFC 3339; '' for all. Raises ValueError."""
    if text in {"", ALL}:
        return ""
    span = _SPAN.match(text)
    try:
        if span:
            back = now - timedelta(days=int(span[1]) * _DAYS[span[2]])
            return f"{back.date().isoformat()}T00:00:00Z"
        moment = datetime.fromisoformat(text).replace(microsecond=0)
        return write_date(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is neither a span such as 30d nor a date such as 2026-11-01") from None


def ask(store: Store, scope: Scope, dataset: str, by: tuple[str, ...] = (), **more: Any) -> list[Total]:
    """The groups of a dataset within the scope, the largest first, without what forged reports say."""
    where = dict(more.pop("where", {}))
    if scope.domain:
        where[DOMAIN[dataset]] = scope.domain
    question = Question(
        dataset, by, where=where, since=scope.period.since, until=scope.period.until, unless=NOT_FORGED, size=_GROUPS
    )
    return store.totals(question._replace(**more))


def forged(store: Store, scope: Scope) -> tuple[str, ...]:
    """What is left out everywhere: reports whose mail failed authentication, with how many messages they claim."""
    groups = ask(
        store, scope, "report", where={"report.authentication": "fail"}, sum=("messages",), unless={}, every=""
    )
    reports, messages = sum(one.documents for one in groups), sum(one.sums[0] for one in groups)
    if not reports:
        return ()
    claim = words.count(messages, "message or session", "messages or sessions")
    whose = "whose own mail failed authentication"
    return (f"{words.count(reports, 'report')} {whose}, with {claim}, {words.verb(reports, 'is')} left out.",)


def until_now(store: Store, scope: Scope, made: str) -> Scope:
    """The scope up to the end of the day on which it is asked: a date in the future would flatten every chart.

    It stays open where nothing lies behind: a store may keep sums of all time.
    """
    tomorrow = f"{date.fromisoformat(words.day(made)) + timedelta(days=1)}T00:00:00Z"
    later = scope._replace(period=Period(tomorrow, scope.period.until))
    if scope.period.until <= tomorrow and scope.period.until:
        return scope
    if any(one.documents for dataset in DOMAIN for one in ask(store, later, dataset, sum=())):
        return scope._replace(period=scope.period._replace(until=tomorrow))
    return scope


def future(store: Store, scope: Scope) -> tuple[str, ...]:
    """What is left out because it says that it is about a time to come; the scope is that of `until_now`."""
    later = scope._replace(period=Period(scope.period.until))
    reports = sum(one.documents for one in ask(store, later, "report", sum=())) if scope.period.until else 0
    if not reports:
        return ()
    about = "it says that it is" if reports == 1 else "they say that they are"
    return (f"{words.count(reports, 'report')} {words.verb(reports, 'is')} left out: {about} about days to come.",)


def is_long(duration: int | None) -> bool:
    """Whether a period of so many seconds belongs to no single day."""
    return duration is not None and duration > _LONG


def cut(figure: Figure, scope: Scope) -> Figure:
    """The first rows of a table, and how many there are beyond."""
    kept = figure.rows[: scope.top]
    return figure._replace(rows=kept, more=len(figure.rows) - len(kept), period=scope.period)
