"""Prometheus text: few series, by domain and class, never one for each address."""

import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .event import Event
from .look import RECENT, Look

_DOMAINS = 50  # series of domains at the most: the largest; the others are one


def registry(look: Look, events: Sequence[Event]) -> Any:
    """A registry of prometheus-client with everything in it."""
    from prometheus_client import CollectorRegistry, Gauge  # 40 ms, extra [metrics]

    made = CollectorRegistry()
    messages = Gauge(
        "email_reports_messages_day", "Messages of rows stored within a day", ["domain", "class"], registry=made
    )
    names = _domains(look)
    counts: Counter[tuple[str, str]] = Counter()
    for one in look.recent:
        counts[one.domain if one.domain in names else "other", one.class_ or "none"] += one.messages
    for (domain, class_), number in counts.items():
        messages.labels(domain, class_).set(number)
    documents = Gauge("email_reports_documents_day", "Documents stored within a day", ["dataset"], registry=made)
    for dataset in ("report", "dmarc-aggregate", "dmarc-failure", "arf", "smtp-tls"):
        found = look.ask(dataset, (), look.now - RECENT, look.now, sums=())
        documents.labels(dataset).set(sum(one.documents for one in found))
    kept = Gauge("email_reports_kept_messages", "Messages kept beside the store", ["category"], registry=made)
    for category, number in Counter(one.category for one in look.kept).items():
        kept.labels(category).set(number)
    firing = Gauge("email_reports_alerts", "Rules that find something", ["rule", "level"], registry=made)
    for (rule, level), number in Counter((one.rule, one.level) for one in events).items():
        firing.labels(rule, level).set(number)
    _followers(look, made)
    Gauge("email_reports_evaluated_seconds", "Unix time of this evaluation", registry=made).set(look.now.timestamp())
    return made


def _followers(look: Look, made: Any) -> None:
    """One series for each `copy --follow`."""
    from prometheus_client import Gauge  # loaded by then

    labels = ["source", "target"]
    lag = Gauge("email_reports_follow_lag_seconds", "How far copy --follow is behind", labels, registry=made)
    sent = Gauge("email_reports_follow_documents", "Documents that copy --follow has sent on", labels, registry=made)
    for one in look.followers:
        lag.labels(one.source, one.target).set(one.lag(look.now))
        sent.labels(one.source, one.target).set(one.sent)


def _domains(look: Look) -> set[str]:
    counts: Counter[str] = Counter()
    for one in look.recent:
        counts[one.domain] += one.messages
    return {domain for domain, _ in counts.most_common(_DOMAINS)}


def write_text(path: Path, made: Any) -> None:
    """A file for the textfile collector: a reader sees the one before or this. Raises OSError."""
    from prometheus_client import generate_latest

    with tempfile.NamedTemporaryFile("wb", dir=path.parent, prefix=f".{path.name}-", delete=False) as file:
        file.write(generate_latest(made))
        os.fchmod(file.fileno(), 0o644)  # the collector is another user
    os.replace(file.name, path)
