"""A store as a log: everything that is new goes on, at least once, whatever happens in between."""

import contextlib
import json
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from email_report_processor.stores import follow
from email_report_processor.stores.follow import PAGE, Cursor, Log, Sent, followers, send_on
from email_report_processor.stores.ndjson import NdjsonStore
from email_report_processor.stores.opening import open_store
from email_report_processor.stores.sqlite import SqliteStore
from email_report_processor.stores.store import Rejected, Row, Store, StoreError, Written
from email_report_processor.values.fields import write_date
from tests.nodes import Node


@cache
def clock() -> datetime:
    """When the test began. The window counts from the clock, and this file may be read long before its tests run."""
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(autouse=True)
def begun() -> None:
    """Each test begins anew."""
    clock.cache_clear()


def row(number: int, ago: float = 0, prefix: str = "email-report-") -> Row:
    """A document that was stored so many seconds ago."""
    fields = {"@timestamp": "2026-11-20T12:00:00Z", "event": {"dataset": "arf"}}
    fields["event"]["ingested"] = write_date(clock() - timedelta(seconds=ago))  # type: ignore[index]  # a dict
    return Row(f"{prefix}arf-2026.11", f"{number:040x}", json.dumps(fields).encode())


class Target:
    """A store that counts what comes, and fails when it is told to."""

    name = "target"

    def __init__(self) -> None:
        self.came: Counter[str] = Counter()
        self.fail: list[str] = []  # for each write to come: '', before, or after it was stored
        self.refuse: set[str] = set()

    def write(self, rows: Iterable[Row]) -> Written:
        how = self.fail.pop(0) if self.fail else ""
        if how == "before":
            raise StoreError("target is away")
        rows = list(rows)
        refused = tuple(Rejected(one, "no") for one in rows if one.id in self.refuse)
        before = len(self.came)
        self.came.update(one.id for one in rows if one.id not in self.refuse)
        if how == "after":
            raise StoreError("the answer was lost")
        new = len(self.came) - before
        return Written(new, len(rows) - new - len(refused), refused)

    scan = totals = select = close = None


def target_store(target: Target) -> Store:
    return target  # type: ignore[return-value]  # as much of a store as is asked for


@pytest.fixture
def source(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(str(tmp_path / "source.sqlite"))
    yield store
    store.close()


@contextlib.contextmanager
def cursor(state: Path, since: str = "") -> Iterator[Cursor]:
    made = Cursor(str(state), "source", "target", "email-report-", since)
    try:
        yield made
    finally:
        made.close()


def ids(numbers: Iterable[int]) -> set[str]:
    return {f"{number:040x}" for number in numbers}


def test_what_is_new_and_only_that(source: SqliteStore, tmp_path: Path) -> None:
    target = Target()
    source.write(row(number, 100) for number in range(PAGE + 10))
    for new in (0, 3, 0, PAGE * 2):
        first = len(target.came) or PAGE + 10
        source.write(row(number) for number in range(first, first + new))
        with cursor(tmp_path) as where:
            send_on(source, target_store(target), where)
    assert target.came == dict.fromkeys(ids(range(PAGE * 3 + 13)), 1)


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 700), st.sampled_from(["", "before", "after"])), max_size=8))
def test_nothing_is_lost_and_only_a_lost_answer_sends_twice(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, str]]
) -> None:
    directory = tmp_path_factory.mktemp("follow")
    source = SqliteStore(str(directory / "source.sqlite"))
    source.write([row(10**6)])
    target = Target()
    number = 0
    lost = 0
    for new, how in [*steps, (0, "")]:
        source.write(row(one) for one in range(number, number + new))
        number += new
        target.fail = [how]
        with cursor(directory) as where, contextlib.suppress(StoreError):
            send_on(source, target_store(target), where)
        lost += how == "after"
    source.close()
    assert set(target.came) == ids(range(number)) | ids([10**6])
    assert max(target.came.values()) <= 1 + lost


def test_row_numbers_that_changed(source: SqliteStore, tmp_path: Path) -> None:
    """Somebody removed documents and packed the file: the numbers are others, and nothing is lost or doubled."""
    target = Target()
    source.write(row(number, 30) for number in range(100))
    with cursor(tmp_path) as where:
        send_on(source, target_store(target), where)
    with contextlib.closing(sqlite3.connect(source.name)) as connection:
        connection.execute("DELETE FROM documents WHERE rowid % 2 = 0 OR rowid > 90")
        connection.commit()
        connection.execute("VACUUM")
    source.write(row(number) for number in range(100, 130))
    with cursor(tmp_path) as where:
        send_on(source, target_store(target), where)
        assert where.place.mark == 119  # of the last row: numbers up to 100 were given a second time
    assert target.came == dict.fromkeys(ids(range(130)), 1)


def test_since_is_where_it_begins(source: SqliteStore, tmp_path: Path) -> None:
    target = Target()
    source.write([row(1, 100_000), row(2, 10)])
    with cursor(tmp_path, write_date(clock() - timedelta(seconds=5000))) as where:
        send_on(source, target_store(target), where)
    assert set(target.came) == ids([2])


def test_what_was_copied_in_with_an_old_date_is_sent_too(source: SqliteStore, tmp_path: Path) -> None:
    target = Target()
    source.write([row(1)])
    for new in (row(2, 10**7), row(3)):
        with cursor(tmp_path) as where:
            send_on(source, target_store(target), where)
        source.write([new])
    with cursor(tmp_path) as where:
        send_on(source, target_store(target), where)
    assert target.came == dict.fromkeys(ids([1, 2, 3]), 1)


def test_what_is_refused_is_said_and_passed(source: SqliteStore, tmp_path: Path) -> None:
    target = Target()
    target.refuse = ids([1])
    source.write([row(0), row(1), row(2)])
    with cursor(tmp_path) as where:
        sent = send_on(source, target_store(target), where)
        assert [one.row.id for one in sent.written.rejected] == list(ids([1]))
        assert send_on(source, target_store(target), where).written == Written(0, 0)
    (behind,) = followers(str(tmp_path))
    assert (behind.sent, behind.rejected) == (2, 1)


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with cursor(tmp_path), pytest.raises(StoreError, match="another process follows"):
        Cursor(str(tmp_path), "source", "target", "email-report-")


def test_a_state_directory_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="state directory"):
        Cursor(str(tmp_path / "file"), "source", "target", "")


def test_it_stops_between_two_pages(source: SqliteStore, tmp_path: Path) -> None:
    target = Target()
    source.write(row(number) for number in range(PAGE * 3))
    with cursor(tmp_path) as where:
        sent = send_on(source, target_store(target), where, stop=lambda: True)
        assert (len(target.came), sent.complete) == (PAGE, False)
        assert followers(str(tmp_path))[0].caught_up == ""
        send_on(source, target_store(target), where)
    assert target.came == dict.fromkeys(ids(range(PAGE * 3)), 1)


def test_it_waits_longer_and_longer_and_says_a_trouble_once(tmp_path: Path) -> None:
    waits: list[float] = []
    said: list[str] = []
    results = iter([StoreError("away"), StoreError("away"), StoreError("full"), None, None])

    def round_() -> Sent:
        error = next(results)
        if error:
            raise error
        return Sent(Written(0, 0, (Rejected(row(1), "no"),)), complete=True)

    def stop(wait: float) -> bool:
        waits.append(wait)
        return len(waits) == 6

    refused: list[Rejected] = []
    with cursor(tmp_path) as where:
        follow.follow(round_, where, every=10, stop=stop, tell=said.append, refused=refused.append)
        (behind,) = followers(str(tmp_path))
    assert waits == [0, 10, 20, 40, 10, 10]
    assert [one.partition(";")[0] for one in said] == ["away", "full", "it goes on"]
    assert behind.trouble == "full"  # this round_ moves no cursor
    assert len(refused) == 2


def test_lag_is_since_all_was_sent(source: SqliteStore, tmp_path: Path) -> None:
    source.write([row(1)])
    with cursor(tmp_path) as where:
        (behind,) = followers(str(tmp_path))
        assert behind.lag(datetime.now(UTC) + timedelta(hours=1)) >= 3600
        where.stuck("target is away")
        assert followers(str(tmp_path))[0].trouble == "target is away"
        send_on(source, target_store(Target()), where)
    (behind,) = followers(str(tmp_path))
    assert (behind.source, behind.target, behind.sent, behind.trouble) == ("source", "target", 1, "")
    assert behind.lag(datetime.fromisoformat(behind.caught_up) + timedelta(seconds=7)) == 7


def test_a_cursor_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    assert followers(str(tmp_path)) == []
    (tmp_path / "follow").mkdir()
    (tmp_path / "follow/x.sqlite").write_text("no database")
    assert followers(str(tmp_path)) == []


def test_a_stream_cannot_be_followed() -> None:
    assert not isinstance(open_store("-"), Log)
    assert isinstance(open_store("https://a"), Log)


def test_writers_at_work_while_it_follows(source: SqliteStore, tmp_path: Path) -> None:
    """Four writers, each with a connection of its own, and a follower that never waits for them."""
    target = Target()
    done = threading.Event()

    def write(first: int) -> None:
        with contextlib.closing(SqliteStore(source.name)) as store:
            for number in range(first, first + 60):
                store.write([row(number * 10 + one) for one in range(5)])

    source.write([row(10**7)])
    writers = [threading.Thread(target=write, args=(first,)) for first in range(0, 240, 60)]
    for one in writers:
        one.start()

    def end() -> None:
        for one in writers:
            one.join()
        done.set()

    ending = threading.Thread(target=end)
    ending.start()
    with cursor(tmp_path) as where:
        last = False
        while not last:
            last = done.is_set()
            send_on(source, target_store(target), where)
    ending.join()
    assert target.came == dict.fromkeys(
        ids([10**7, *(number * 10 + one for number in range(240) for one in range(5))]), 1
    )


# OpenSearch as the log


@pytest.fixture
def cluster(node: Node, prefix: str) -> Iterator[Store]:
    store = open_store(node.url, prefix=prefix)
    yield store
    store.close()


def refreshed(node: Node, prefix: str) -> None:
    node.ask("POST", f"/{prefix}*/_refresh")


def round_of(store: Store, target: Target, state: Path, window: float = 600) -> Any:
    assert isinstance(store, Log)
    with cursor(state) as where:
        return send_on(store, target_store(target), where, window=window).written


def test_opensearch_late_writers_are_caught(node: Node, prefix: str, cluster: Store, tmp_path: Path) -> None:
    target = Target()
    assert round_of(cluster, target, tmp_path) == Written(0, 0)  # there is no index yet
    cluster.write(row(number, 1000 - number, prefix) for number in range(700))
    refreshed(node, prefix)
    assert round_of(cluster, target, tmp_path) == Written(700, 0)
    cluster.write(
        [row(1000, 500, prefix), row(1001, 10, prefix), row(1002, -(10**6), prefix)]
    )  # the last: a wrong clock
    refreshed(node, prefix)
    assert round_of(cluster, target, tmp_path) == Written(3, 0)
    cluster.write([row(1003, 20, prefix)])
    refreshed(node, prefix)
    assert round_of(cluster, target, tmp_path) == Written(1, 0)
    assert round_of(cluster, target, tmp_path) == Written(0, 0)
    assert target.came == dict.fromkeys(ids([*range(700), 1000, 1001, 1002, 1003]), 1)


def test_opensearch_nothing_is_lost_among_documents_of_one_second(
    node: Node, prefix: str, cluster: Store, tmp_path: Path
) -> None:
    """More than a page of the same moment, and a target that fails in between."""
    target = Target()
    cluster.write(row(number, 0, prefix) for number in range(6000))
    refreshed(node, prefix)
    target.fail = ["", "", "after"]
    with pytest.raises(StoreError):
        round_of(cluster, target, tmp_path)
    assert len(target.came) == 3 * PAGE
    round_of(cluster, target, tmp_path)
    assert set(target.came) == ids(range(6000))
    assert Counter(target.came.values()) == {1: 6000 - PAGE, 2: PAGE}


def test_the_memory_of_the_window_stays_small(source: SqliteStore, tmp_path: Path) -> None:
    source.write(row(number, 100_000 - number * 10) for number in range(2000))
    with cursor(tmp_path) as where:
        send_on(source, target_store(Target()), where, window=600)
        with contextlib.closing(sqlite3.connect(where.path)) as connection:
            assert connection.execute("SELECT count(*) FROM sent").fetchone()[0] < PAGE


def test_what_arrives_is_what_was_stored(source: SqliteStore, tmp_path: Path) -> None:
    with (tmp_path / "lines").open("wb") as stream, cursor(tmp_path) as where:
        source.write([row(1)])
        send_on(source, NdjsonStore(stream), where)
    (line,) = (tmp_path / "lines").read_text().splitlines()
    assert json.loads(line) == {"_index": row(1).index, "_id": row(1).id, "_source": json.loads(row(1).source)}
