"""Ten million rows on an OpenSearch node: loaded once, kept, and asked by one command a figure.

    python -m benchmarks.ten_million serve   a node of its own in the foreground, until a signal; its data stay
    python -m benchmarks.ten_million load    fills it with thirteen months, up to yesterday

EMAIL_REPORT_TEN_MILLION names the directory (build/ten-million), which takes 6 GB; the node has a heap of 4 GB.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from email_report_processor.documents.datasets import BY_NAME
from email_report_processor.stores import bulk, templates
from email_report_processor.stores.store import Row, in_batches
from tests import nodes
from tests.opensearch import jars

from . import many_reports

ROWS = 10_000_000
DIRECTORY = Path(os.environ.get("EMAIL_REPORT_TEN_MILLION", "build/ten-million")).absolute()
_HEAP = "4g"
_BULK = 6 * 1024**2  # bytes
PREFIX = "email-report-"


def serve() -> None:
    """The node, with the data of the last time. Its address stands in the file `url`."""
    directory = DIRECTORY / "node"
    directory.mkdir(parents=True, exist_ok=True)
    port = int((DIRECTORY / "port").read_text()) if (DIRECTORY / "port").exists() else nodes._free_port()
    jdk = jars.plain_jdk()
    node = nodes.plain_node(jdk, jars.plain(jdk), directory, port, heap=_HEAP)
    (DIRECTORY / "port").write_text(str(port))
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    node.start()
    (DIRECTORY / "url").write_text(node.url)
    print(node.url, flush=True)
    stopped.wait()
    node.stop()


def url() -> str:
    """Of the node that runs."""
    return (DIRECTORY / "url").read_text()


def load(rows: int = ROWS) -> None:
    """Fill the node, the oldest day first, each document with its id: again, nothing is stored twice."""
    node, started = nodes.Node(url()), time.monotonic()
    for method, path, body in templates.requests(PREFIX):
        node.ask(method, path, body)
    pool = many_reports.pool()
    print(f"{time.monotonic() - started:.0f} s for {sum(map(len, pool.reports)):,} reports by the program", flush=True)
    last = datetime.now(UTC).date() - timedelta(days=1)
    _fill(node, pool, rows, last, started)
    _settle(node)
    print(f"loaded in {(time.monotonic() - started) / 60:.1f} min, load {os.getloadavg()[1]:.1f}", flush=True)
    for line in _sizes(node):
        print(line)


def _fill(node: nodes.Node, pool: many_reports.Pool, rows: int, last: date, started: float) -> None:
    made, days, pending = 0, round(rows / pool.rows), list[Future[int]]()
    with ThreadPoolExecutor(2) as senders:
        for back in reversed(range(days)):
            when = last - timedelta(days=back)
            for batch in in_batches(_day(node, pool, when), 20_000, _BULK):
                made += sum("-dmarc-aggregate-" in row.index for row in batch)
                pending.append(senders.submit(_send, node.url, batch))
                while len(pending) > 3:
                    pending.pop(0).result()
            if back % 14 == 0:
                print(f"{when}: {made:,} rows, {time.monotonic() - started:.0f} s", flush=True)
        for one in pending:
            one.result()


_seen: set[str] = set()


def _day(node: nodes.Node, pool: many_reports.Pool, when: date) -> Iterator[Row]:
    for row in many_reports.day(pool, when, PREFIX):
        if row.index not in _seen:
            _seen.add(row.index)
            node.request("PUT", f"/{row.index}")
            node.ask("PUT", f"/{row.index}/_settings", {"index": {"refresh_interval": "-1"}})
        yield row


def _send(address: str, rows: list[Row]) -> int:
    node = nodes.Node(address)
    status, answer = node.request(
        "POST", "/_bulk?filter_path=errors,items.*.error.type", bulk.body(rows, {}), timeout=600
    )
    assert status == 200, (status, answer)
    kinds = {one["create"]["error"]["type"] for one in answer.get("items", ()) if one}
    assert kinds <= {"version_conflict_engine_exception"}, kinds
    return len(rows)


def _settle(node: nodes.Node) -> None:
    """As the templates have it again, refreshed, and merged as far as the node does by itself."""
    node.ask("PUT", f"/{PREFIX}*/_settings", {"index": {"refresh_interval": None}})
    node.request("POST", f"/{PREFIX}*/_refresh", timeout=600)
    node.request("POST", f"/{PREFIX}*/_flush", timeout=600)


def _sizes(node: nodes.Node) -> Iterator[str]:
    for name in BY_NAME:
        path = f"/_cat/indices/{PREFIX}{name}-*?format=json&bytes=mb&h=docs.count,store.size"
        found: list[dict[str, Any]] = node.ask("GET", path)
        if found:
            number = sum(int(one["docs.count"]) for one in found)
            size = sum(int(one["store.size"]) for one in found)
            yield f"{name}: {number:,} documents in {len(found)} indices, {size:,} MiB"


def main(argv: list[str]) -> int:
    """The command line: see the module."""
    if argv[:1] == ["serve"]:
        serve()
    elif argv[:1] == ["load"]:
        load(*map(int, argv[1:]))
    else:
        print(__doc__)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
