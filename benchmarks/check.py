"""The rules of `email-report-admin check` over a million rows of the embedded store, against the same without sums.

The rows are those of `page`, which runs this, with the reports that they came in and as many of TLS: a year of fifty
reporters. The rules are the real ones, with verdicts on a sender, an AS and a network.
"""

import sqlite3
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from email_report_processor.alerts.evaluate import evaluate
from email_report_processor.alerts.event import Event
from email_report_processor.alerts.look import Look
from email_report_processor.alerts.options import AlertOptions
from email_report_processor.documents.senders import Senders, read_senders
from email_report_processor.stores import totals_sqlite
from email_report_processor.stores.sqlite import SqliteStore
from email_report_processor.stores.store import Row

_REPORT = (
    '{"@timestamp":"%sT00:00:00Z","event":{"dataset":"report","ingested":"%sT18:00:00Z"},'
    '"report":{"org_name":"Reporter %d","authentication":"pass"},"rows":55}'
)
_TLS = (
    '{"@timestamp":"%sT00:00:00Z","event":{"dataset":"smtp-tls","ingested":"%sT18:00:00Z"},'
    '"report":{"org_name":"Reporter %d","authentication":"pass"},"sessions":{"successful":1000,"failed":%d},'
    '"policy":{"domain":"example.org","string":["version: STSv1","mode: testing","mx: mx.example.org"]}}'
)
SENDERS = read_senders(
    {},
    [
        {"sender": "example.org", "verdict": "mine"},
        {"as": "AS64501", "verdict": "stranger"},
        {"network": "192.0.2.0/24", "verdict": "mine"},
    ],
)


def reports(last: datetime, days: int) -> Iterator[Row]:
    """What stands beside the rows of so many days up to the last."""
    for day in range(days):
        date = f"{last - timedelta(days=day):%Y-%m-%d}"
        for reporter in range(50):
            for dataset, source in (
                ("report", _REPORT % (date, date, reporter)),
                ("smtp-tls", _TLS % (date, date, reporter, reporter % 7)),
            ):
                index = f"email-report-{dataset}-{date[:4]}.{date[5:7]}"
                yield Row(index, f"{dataset}{day:020}{reporter:010}", source.encode())


def rules(path: Path, now: datetime, senders: Senders | None) -> tuple[float, list[Event]]:
    """Seconds of CPU of one evaluation, and what it finds."""
    store = SqliteStore(str(path))
    started = time.process_time()
    look = Look(store, now, senders, (), 1000, 10**9)
    events = evaluate(look, AlertOptions())
    seconds = time.process_time() - started
    store.close()
    return seconds, events


def _read(path: Path) -> float:
    """Seconds of CPU of reading one field of every document."""
    connection = sqlite3.connect(path)
    started = time.process_time()
    connection.execute("SELECT sum(json_extract(source, '$.count')) FROM documents").fetchone()
    seconds = time.process_time() - started
    connection.close()
    return seconds


def measure(path: Path, last: datetime, days: int) -> bool:
    """Measure over a store with rows of so many days up to the last, print, and say whether the targets were met."""
    store = SqliteStore(str(path))
    store.write(reports(last, days))
    store.close()
    now = last + timedelta(days=1, hours=6)
    rules(path, now, SENDERS)  # adds up what is new
    plain, _ = rules(path, now, None)
    seconds, events = rules(path, now, SENDERS)
    holding, totals_sqlite.holding = totals_sqlite.holding, lambda checked, dataset: None
    try:
        floor, same = rules(path, now, SENDERS)
    finally:
        totals_sqlite.holding = holding
    assert same == events, "the same events"
    print(
        f"rules of check: {seconds:.2f} s / {floor:.1f} s from documents = {seconds / floor:.3f} (<= 0.05, below 1 s)"
    )
    print(f"  without verdicts {plain:.2f} s; reading every document once {_read(path):.2f} s; events {len(events)}")
    return seconds / floor <= 0.05
