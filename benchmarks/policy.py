"""What a stricter policy would have cost, against the store's own sums over the same rows."""

import secrets
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from email_report_processor.advice.asking import rows as asked_rows
from email_report_processor.advice.cost import Cost, Site, reckon
from email_report_processor.advice.record import Record
from email_report_processor.documents.senders import read_senders
from email_report_processor.pages.figure import Period
from email_report_processor.stores.opening import open_store
from email_report_processor.stores.opensearch import OpenSearchStore
from email_report_processor.stores.store import Row, Store

from .page import rows

LONG = (1_000_000, 10_000_000)  # rows in SQLite, and on the node
_TRIED = Record("example.org", p="reject")
_VERDICTS = [{"network": "192.0.2.0/24", "verdict": "mine"}, {"as": 64503, "verdict": "stranger"}]
_SITE = Site(read_senders({}, _VERDICTS), "2026-11-28")
_MOST = 2.0


def _judge(store: Store) -> Cost:
    return reckon(asked_rows(store, Period(), _TRIED, _SITE), _TRIED, _SITE)


def _sum(store: Store) -> int:
    """The same sums, and nothing done with them."""
    return sum(1 for _ in asked_rows(store, Period(), _TRIED, _SITE))


def _least(work: Callable[[Store], object], store: Store) -> float:
    """Seconds on the wall: a node's work is none of this process."""
    times = []
    for _ in range(3):
        started = time.perf_counter()
        work(store)
        times.append(time.perf_counter() - started)
    return min(times)


def _measure(name: str, store: Store, number: int) -> bool:
    messages = _judge(store).messages  # which also brings the sums of the embedded store up to date
    floor, ours = _least(_sum, store), _least(_judge, store)
    print(
        f"policy over {number:,} rows ({messages:,} messages) in {name}: "
        f"{ours:.2f} s / {floor:.2f} s of its sums = {ours / floor:.2f} (<= {_MOST:g})"
    )
    return ours / floor <= _MOST


def main(url: str, embedded: int = 400_000, node: int = 50_000) -> bool:
    """Measure, print, and say whether the targets were met. url: of a plain node."""
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"sqlite:{Path(folder) / 'reports.sqlite'}")
        store.write(rows(embedded))
        met = _measure("SQLite", store, embedded)
        store.close()
    prefix = f"bench-{secrets.token_hex(4)}-"
    opened = open_store(url, prefix=prefix)
    assert isinstance(opened, OpenSearchStore)
    try:
        opened.write(Row(prefix + row.index.removeprefix("email-report-"), row.id, row.source) for row in rows(node))
        opened.refresh()
        return _measure("OpenSearch", opened, node) and met
    finally:
        opened.remove()
        opened.close()


if __name__ == "__main__":
    sys.exit(not main(sys.argv[1], *map(int, sys.argv[2:])))
