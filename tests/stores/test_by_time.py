"""Single messages are found by their time in the embedded store, and nothing is found otherwise than without it."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from email_report_processor.stores import by_time
from email_report_processor.stores.query import And, Ids, Node, parse
from email_report_processor.stores.sqlite import SqliteStore
from email_report_processor.stores.store import Question, Row, Selection

NOW = datetime(2026, 11, 20, tzinfo=UTC)
FAILURES = ("dmarc-failure", "arf")
QUERIES = ("", "since:3d", "since:9d until:2d class:spoof", "-since:3d", "since:3d or class:spoof", "date:2026-11-15")


def rows() -> Iterator[Row]:
    """Documents of twenty days, some with milliseconds, some without a date, and others beside them."""
    for number in range(200):
        at = NOW - timedelta(hours=number * 2.4)
        moment = f"{at:%Y-%m-%dT%H:%M:%S}{'.500' if number % 3 else ''}Z"
        date = f'"@timestamp":"{moment}",' if number % 17 else ""
        dataset = ("dmarc-failure", "arf", "dmarc-aggregate")[number % 3]
        class_ = "spoof" if number % 2 else "forwarded"
        source = f'{{{date}"event":{{"dataset":"{dataset}"}},"class":"{class_}","count":{number}}}'
        yield Row(f"email-report-{dataset}-{at:%Y.%m}", f"{number:040x}", source.encode())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    made = SqliteStore(str(tmp_path / "reports.sqlite"))
    made.write(rows())
    yield made
    made.close()


def answers(store: SqliteStore, node: Node) -> list[object]:
    """Everything that can be asked with a query."""
    found = list(store.select(Selection(node, FAILURES)))
    behind = list(store.select(Selection(node, FAILURES, 5), found[2].place)) if len(found) > 2 else []
    sums = [store.totals(Question(one, ("class",), node=node, every="day")) for one in FAILURES]
    return [[one.row.id for one in found], [one.row.id for one in behind], sums]


@pytest.mark.parametrize("query", QUERIES)
def test_the_same_is_found_as_without_it(store: SqliteStore, query: str, monkeypatch: pytest.MonkeyPatch) -> None:
    node = parse(query, NOW)
    with_it = answers(store, node)
    monkeypatch.setattr(by_time, "_DATASETS", frozenset())
    assert answers(store, node) == with_it
    assert with_it[0]


def plans(store: SqliteStore, node: Node) -> str:
    """How SQLite goes about it."""
    store.totals(Question("arf"))  # opens it
    connection = store._connection
    assert connection is not None
    seen: list[str] = []
    connection.set_trace_callback(seen.append)
    answers(store, node)
    connection.set_trace_callback(None)
    asked = [one for one in seen if "FROM documents" in one and "WHERE rowid" not in one]
    return "\n".join(str(row[3]) for one in asked for row in connection.execute(f"EXPLAIN QUERY PLAN {one}"))


def test_it_is_used_where_it_helps(store: SqliteStore) -> None:
    timed = plans(store, parse("since:3d class:spoof", NOW))
    assert "USING INDEX documents_by_time" in timed
    assert "USE TEMP B-TREE FOR ORDER BY" not in timed
    named = plans(store, And((Ids(frozenset({f"{7:040x}"})), parse("since:20d", NOW))))
    assert "documents_by_id" in named
    assert "documents_by_time" not in named


def test_an_older_file_gets_it_when_it_is_opened(store: SqliteStore) -> None:
    before = answers(store, parse("since:9d", NOW))
    store.close()
    with sqlite3.connect(store.name) as connection:
        connection.execute("DROP INDEX documents_by_time")
        connection.execute("PRAGMA user_version=1")
    connection.close()
    assert answers(store, parse("since:9d", NOW)) == before
    assert "documents_by_time" in plans(store, parse("since:9d", NOW))
