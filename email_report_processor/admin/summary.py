"""`email-report-admin summary`: is my mail authenticated, who sends in my name, what do I have to fix?

The same over SQLite and OpenSearch: everything is asked with `Store.totals`.
"""

import argparse
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from ..documents.classify import CLASSES
from ..flags import now
from ..job import choose_store, make_job
from ..settings import Settings, SettingsError
from ..stores import kept
from ..stores.store import Question, Store, Total
from .text import table

_PERIOD = re.compile(r"(\d{1,4})([dwmy])\Z")
_DAYS = {"d": 1, "w": 7, "m": 30, "y": 365}


class Scope(NamedTuple):
    """What a summary is about."""

    since: str
    until: str
    domain: str
    top: int  # lines of one table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of this sub-command."""
    parser.add_argument(
        "--since", metavar="WHEN", default="30d", help="30d, 12w, 6m, 1y, or a date (default: 30d); all"
    )
    parser.add_argument("--until", metavar="DATE", default="", help="before this date")
    parser.add_argument("--domain", metavar="DOMAIN", default="", help="only this policy domain")
    parser.add_argument("--top", metavar="N", type=int, default=15, help="lines of one table (15)")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print the summary."""
    choice = choose_store(settings, os.environ)
    job = make_job(settings, os.environ, choice, now)
    scope = Scope(when(arguments.since), when(arguments.until), arguments.domain.lower(), max(1, arguments.top))
    store = choice.open()
    try:
        parts = [_authenticated(store, scope), _senders(store, scope), _failures(store, scope), _tls(store, scope)]
    finally:
        store.close()
    period = f"since {scope.since[:10]}" if scope.since else "of all time"
    until = f", before {scope.until[:10]}" if scope.until else ""
    print(f"{store.name}, {period}{until}\n")
    print("\n\n".join(part for part in (*parts, _kept(kept.listing(job.maildir))) if part))
    return 0


def when(text: str) -> str:
    """A date or a span back from now as RFC 3339; '' for all. Raises SettingsError."""
    if text in {"", "all"}:
        return ""
    span = _PERIOD.match(text)
    try:
        if span:
            date = datetime.now(UTC) - timedelta(days=int(span[1]) * _DAYS[span[2]])
            return date.strftime("%Y-%m-%dT00:00:00Z")
        return datetime.fromisoformat(text).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError):
        raise SettingsError(f"{text!r} is neither a span such as 30d nor a date such as 2026-11-01") from None


def _ask(store: Store, scope: Scope, dataset: str, by: tuple[str, ...], **more: Any) -> list[Total]:
    return store.totals(Question(dataset, by, since=scope.since, until=scope.until, **more))


def _where(scope: Scope, field: str, **fixed: str) -> Mapping[str, Any]:
    return {
        **({field: scope.domain} if scope.domain else {}),
        **{key.replace("__", "."): value for key, value in fixed.items()},
    }


def _authenticated(store: Store, scope: Scope) -> str:
    field = "policy_published.domain"
    groups = _ask(store, scope, "dmarc-aggregate", (field, "dmarc.result"), where=_where(scope, field))
    if not groups:
        return "Is my mail authenticated?\n  There are no DMARC aggregate reports of this time."
    by_domain: dict[str, Counter[str]] = defaultdict(Counter)
    for group in groups:
        domain, result = group.key
        by_domain[domain or "-"][result or "unknown"] += group.sums[0]
    rows = [
        (domain, counts.total(), counts["pass"], counts["fail"], rate(counts["pass"], counts["fail"]))
        for domain, counts in sorted(by_domain.items(), key=lambda item: -item[1].total())[: scope.top]
    ]
    return "Is my mail authenticated? (messages by policy domain)\n" + table(
        ("domain", "messages", "pass", "fail", "pass rate"), rows
    )


def rate(good: int, bad: int) -> str:
    """Good of both, as a percentage that never rounds up to 100 %."""
    if good + bad == 0:
        return "-"
    percent = 100 * good / (good + bad)
    return "99.9%" if bad and percent >= 99.95 else f"{percent:.1f}%"


def _senders(store: Store, scope: Scope) -> str:
    field = "policy_published.domain"
    groups = _ask(store, scope, "dmarc-aggregate", (field, "source.name", "class"), where=_where(scope, field))
    if not groups:
        return ""
    top = groups[: scope.top]
    rows = [(group.key[0], group.key[1] or "(nobody authenticated)", group.key[2], group.sums[0]) for group in top]
    text = "Who sends in its name?\n" + table(("domain", "sender", "class", "messages"), rows)
    return text + "\n\nWhat do I have to fix?\n" + advice(Counter({}), groups)


def advice(counts: Counter[str], groups: Iterable[Total]) -> str:
    """Every class that calls for something, by messages, with what to do."""
    for group in groups:
        counts[str(group.key[-1] or "unknown")] += group.sums[0]
    rows = [(name, number, CLASSES[name].do) for name, number in counts.most_common() if name in CLASSES]
    return table(("class", "messages", "what to do"), rows)


def _failures(store: Store, scope: Scope) -> str:
    field = "feedback.reported_domain"
    groups = [
        group
        for dataset in ("dmarc-failure", "arf")
        for group in _ask(store, scope, dataset, ("feedback.type", "class"), where=_where(scope, field))
    ]
    if not groups:
        return ""
    rows = [(group.key[0], group.key[1], group.sums[0]) for group in groups[: scope.top]]
    return "Failed messages and complaints\n" + table(("feedback", "class", "messages"), rows)


def _tls(store: Store, scope: Scope) -> str:
    sums = ("sessions.successful", "sessions.failed")
    where = _where(scope, "policy.domain", tls__record="policy")
    policies = _ask(store, scope, "smtp-tls", ("policy.domain", "policy.type"), sum=sums, where=where)
    if not policies:
        return ""
    rows = [(*group.key, *group.sums, rate(*group.sums)) for group in policies[: scope.top]]
    text = "TLS sessions\n" + table(("domain", "policy", "successful", "failed", "success rate"), rows)
    where = _where(scope, "policy.domain", tls__record="failure")
    by = ("policy.domain", "failure.result_type")
    failures = _ask(store, scope, "smtp-tls", by, sum=("failure.failed_session_count",), where=where)
    if not failures:
        return text
    rows = [(*group.key, *group.sums) for group in failures[: scope.top]]
    return text + "\n\n" + table(("domain", "failure", "sessions"), rows)


def _kept(messages: Iterable[kept.Kept]) -> str:
    counts = Counter(message.category for message in messages)
    if not counts:
        return "Kept messages\n  none"
    return "Kept messages (email-report-admin kept)\n" + table(("category", "messages"), counts.most_common())
