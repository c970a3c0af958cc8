"""The embedded store: promises 1 and 2 on a disk that may fail."""

import contextlib
import os
import resource
import sqlite3
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from email_report_processor.documents.datasets import DATASETS
from email_report_processor.documents.encode import decode, encode
from email_report_processor.stores.sqlite import SqliteStore, size_state
from email_report_processor.stores.store import Question, Row, StoreError, Total, Written
from email_report_processor.values.fields import Fields

INDEX = "email-report-dmarc-aggregate-2026.11"


def row(number: int, index: str = INDEX, **fields: Any) -> Row:
    document: Fields = {"event.dataset": "dmarc-aggregate", "count": number, **fields}
    return Row(index, f"{number:040x}", encode(document))


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "new" / "store.db")


@pytest.fixture
def store(path: str) -> Iterator[SqliteStore]:
    store = SqliteStore(path)
    yield store
    store.close()


def test_each_document_once(store: SqliteStore) -> None:
    rows = [row(1), row(2)]
    assert store.write(rows) == Written(2, 0)
    assert store.write([*rows, row(3), row(3)]) == Written(1, 3)
    assert store.write([]) == Written(0, 0)
    assert list(store.scan()) == [row(1), row(2), row(3)]


def test_the_first_writer_wins(store: SqliteStore) -> None:
    store.write([row(1, **{"source.ip": "192.0.2.1"})])
    store.write([row(1, **{"source.ip": "192.0.2.2"})])
    assert [decode(one.source)["source.ip"] for one in store.scan()] == ["192.0.2.1"]


def test_it_is_there_for_the_next_process(store: SqliteStore, path: str) -> None:
    """Also when the first one never closed (the filter leaves by os._exit)."""
    store.write([row(1)])
    other = SqliteStore(path)
    assert list(other.scan()) == [row(1)]
    other.close()


def test_rights(store: SqliteStore, path: str) -> None:
    old = os.umask(0o007)
    try:
        store.write([row(1)])
    finally:
        os.umask(old)
    for name in (path, path + "-wal"):
        assert stat.S_IMODE(os.stat(name).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o700


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_directories_are_ours_alone(tmp_path: Path, umask: int) -> None:
    old = os.umask(umask)
    try:
        store = SqliteStore(str(tmp_path / "a" / "b" / "store.db"))
        store.write([row(1)])
    finally:
        os.umask(old)
    store.close()
    for place in (tmp_path / "a", tmp_path / "a" / "b"):
        assert stat.S_IMODE(place.stat().st_mode) == 0o700


def test_sync_and_log(store: SqliteStore, path: str) -> None:
    """What was answered with 0 is on disk: full synchronisation, write-ahead log."""
    store.write([row(1)])
    connection = store._connected()
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_scan_in_order_from_any_place(store: SqliteStore) -> None:
    rows = [row(1000 * place + n, index) for place, index in enumerate(("a", INDEX, "z")) for n in range(700)]
    store.write(sorted(rows, key=lambda one: one.index, reverse=True))
    assert list(store.scan()) == rows
    assert list(store.scan((INDEX, rows[703].id))) == [*rows[704:]]
    assert list(store.scan((INDEX, "unknown"))) == rows[700:]  # the whole of its index again
    assert list(store.scan(("zz", ""))) == []


def test_the_id_alone_is_the_key(store: SqliteStore) -> None:
    """A report that comes again meets itself, whatever its index is called by then."""
    assert store.write([row(1), row(1, "email-report-dmarc-aggregate-outofrange")]) == Written(1, 1)
    assert store.write([row(1, "email-report-dmarc-aggregate-2026")]) == Written(0, 1)
    assert list(store.scan()) == [row(1)]


@pytest.mark.parametrize("doubled", [False, True])
def test_a_file_of_the_older_form(store: SqliteStore, path: str, *, doubled: bool) -> None:
    """Its key had the index in it: what was counted twice is there once, and nothing comes again."""
    other = "email-report-dmarc-aggregate-2027.01"
    rows = [row(1), row(2), row(3, other), *([row(1, other), row(2, other)] if doubled else [])]
    os.mkdir(os.path.dirname(path))
    with contextlib.closing(sqlite3.connect(path)) as old, old:
        old.execute("CREATE TABLE documents (idx TEXT, id TEXT, source TEXT NOT NULL, PRIMARY KEY (idx, id))")
        old.executemany("INSERT INTO documents VALUES (?, ?, CAST(? AS TEXT))", rows)
        old.execute("PRAGMA user_version=77")
    assert list(store.scan()) == [row(1), row(2), row(3, other)]
    assert store.write([row(1, other), row(3), row(4)]) == Written(1, 2)
    assert store.totals(Question("dmarc-aggregate", sum=("count",)))[0].sums == (1 + 2 + 3 + 4,)


def test_writing_while_scanning(store: SqliteStore, path: str) -> None:
    store.write([row(number) for number in range(1000)])
    other = SqliteStore(path, budget=0.0)
    scan = store.scan()
    next(scan)
    assert other.write([row(1000)]) == Written(1, 0)
    assert sum(1 for _ in scan) == 1000
    other.close()


def test_the_rows_may_fail(store: SqliteStore) -> None:
    """Reading the report goes wrong half-way: its error comes through and the store goes on."""

    def broken() -> Iterator[Row]:
        yield row(1)
        raise KeyError("reader")

    with pytest.raises(KeyError):
        store.write(broken())
    assert store.write([row(2)]) == Written(1, 0)


def test_memory_is_flat(store: SqliteStore) -> None:
    """60 MB of documents in batches of 2 MiB."""
    import tracemalloc

    body = encode({"count": 1, "text": "x" * 30_000})
    tracemalloc.start()
    store.write(Row(INDEX, f"{number:040x}", body + b" " * (number % 2)) for number in range(2000))
    size = sum(len(one.source) for one in store.scan())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size > 60_000_000
    assert peak < 40_000_000  # a page of `scan` is 500 documents


WRITER = """
import sys
from email_report_processor.documents.encode import encode
from email_report_processor.stores.sqlite import SqliteStore
from email_report_processor.stores.store import Row
path, first = sys.argv[1], int(sys.argv[2]) + 1
stored = 0
for turn in range(10):  # a new connection each time, as each message is a process
    store = SqliteStore(path)
    rows = [Row("shared", f"{turn:040x}", b"{}")]
    rows += [Row(sys.argv[2], f"{first:08x}{turn * 10 + n:032x}", encode({"count": n})) for n in range(10)]
    stored += store.write(rows).stored
    if turn % 2:
        store.close()
print(stored)
"""


def test_eight_writers_at_once(path: str) -> None:
    """From before the file exists: nobody is told that the database is locked, and the shared rows are there once."""
    processes = [
        subprocess.Popen([sys.executable, "-c", WRITER, path, str(number)], stdout=subprocess.PIPE, text=True)
        for number in range(8)
    ]
    stored = [int(process.communicate(timeout=60)[0]) for process in processes]
    assert [process.returncode for process in processes] == [0] * 8
    assert sum(stored) == 8 * 100 + 10
    store = SqliteStore(path)
    assert sum(1 for _ in store.scan()) == 810
    store.close()


# Questions


@pytest.fixture
def filled(store: SqliteStore) -> SqliteStore:
    def aggregate(number: int, day: str, **fields: Any) -> Row:
        return row(number, **{"@timestamp": day, **fields})

    store.write(
        [
            aggregate(1, "2026-11-01T12:00:00Z", **{"source.ip": "192.0.2.1", "policy_published.testing": True}),
            aggregate(2, "2026-11-02T12:00:00Z", **{"source.ip": "192.0.2.1", "dkim.signatures": ["a", "b", "a"]}),
            aggregate(4, "2026-11-02T12:00:00.500Z", **{"source.ip": "192.0.2.2", "dkim.signatures": ["b"]}),
            aggregate(
                8,
                "2026-11-03T12:00:00Z",
                **{"auth_results.dkim": [{"domain": "x.example"}, {"domain": "y.example"}, {"result": "none"}]},
            ),
            row(16, "email-report-dmarc-failure-2026.11"),
            row(32, "other-dmarc-aggregate-2026.11"),
        ]
    )
    return store


def ask(store: SqliteStore, **question: Any) -> list[Total]:
    return store.totals(Question("dmarc-aggregate", **question))


def test_sum_of_everything(filled: SqliteStore) -> None:
    assert ask(filled) == [Total((), 4, (15,))]
    assert ask(filled, sum=()) == [Total((), 4, ())]
    assert filled.totals(Question("smtp-tls", sum=("sessions.failed",))) == [Total((), 0, (0,))]


def test_groups(filled: SqliteStore) -> None:
    assert ask(filled, by=("source.ip",)) == [
        Total((None,), 1, (8,)),
        Total(("192.0.2.2",), 1, (4,)),
        Total(("192.0.2.1",), 2, (3,)),
    ]
    assert ask(filled, by=("source.ip",), sum=(), size=1) == [Total(("192.0.2.1",), 2, ())]
    assert ask(filled, by=("policy_published.testing",), where={"source.ip": "192.0.2.1"}) == [
        Total((None,), 1, (2,)),
        Total((True,), 1, (1,)),
    ]


def test_each_value_of_a_list_is_a_group(filled: SqliteStore) -> None:
    assert ask(filled, by=("dkim.signatures",)) == [
        Total((None,), 2, (9,)),
        Total(("b",), 2, (6,)),
        Total(("a",), 1, (2,)),
    ]
    assert ask(filled, by=("auth_results.dkim.domain",), sum=()) == [
        Total((None,), 3, ()),
        Total(("x.example",), 1, ()),
        Total(("y.example",), 1, ()),
    ]


def test_conditions(filled: SqliteStore) -> None:
    assert ask(filled, where={"dkim.signatures": "a"}) == [Total((), 1, (2,))]
    assert ask(filled, where={"dkim.signatures": None}) == [Total((), 2, (9,))]
    assert ask(filled, where={"source.ip": None}) == [Total((), 1, (8,))]
    assert ask(filled, where={"policy_published.testing": True}) == [Total((), 1, (1,))]
    assert ask(filled, where={"auth_results.dkim.domain": "y.example", "count": 8}) == [Total((), 1, (8,))]


def test_dates(filled: SqliteStore) -> None:
    assert ask(filled, since="2026-11-02") == [Total((), 3, (14,))]
    assert ask(filled, since="2026-11-02T12:00:00Z", until="2026-11-02T12:00:00.500Z") == [Total((), 1, (2,))]
    assert ask(filled, since="2026-11-02T13:00:00.500+01:00") == [Total((), 2, (12,))]


@pytest.mark.parametrize(
    ("question", "words"),
    [
        (Question("dmarc"), "no dataset 'dmarc'"),
        (Question("smtp-tls", by=("source.ipp",)), "no field 'source.ipp'"),
        (Question("smtp-tls", sum=("policy.domain",)), "cannot be summed"),
        (Question("arf", by=("sample.headers",)), "cannot be grouped"),
        (Question("arf", where={"x' OR 1": 1}), "no field"),
        (Question("arf", since="yesterday"), "'yesterday' is no date"),
    ],
)
def test_questions_that_name_what_is_not_there(store: SqliteStore, question: Question, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        store.totals(question)


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda dataset: dataset.name)
def test_a_view_for_people(store: SqliteStore, dataset: Any) -> None:
    fields = {field.name: field.example for field in dataset.fields if not field.objects}
    lists = {field.objects: [{"name": "x"}] for field in dataset.fields if field.objects}
    store.write([Row(f"p-{dataset.name}-2026.11", "1", encode(fields | lists | {"event.dataset": dataset.name}))])
    connection = store._connected()
    cursor = connection.execute(f"SELECT * FROM {dataset.name.replace('-', '_')}")
    seen = dict(zip([column[0] for column in cursor.description], cursor.fetchone(), strict=True))
    assert seen.keys() == {"idx", "id", *fields, *lists}
    assert all(value is not None for value in seen.values())
    assert seen["event.dataset"] == dataset.name
    assert cursor.fetchone() is None


def test_views_follow_the_program(store: SqliteStore, path: str) -> None:
    store.write([row(1)])
    store._connected().execute("DROP VIEW report")
    store._connected().execute("PRAGMA user_version=7")
    store.close()
    store.write([row(2)])
    assert store._connected().execute("SELECT count(*) FROM report").fetchone() == (0,)
    assert store._connected().execute("SELECT count(*) FROM dmarc_aggregate").fetchone() == (2,)


# Errors


def test_locked(store: SqliteStore, path: str) -> None:
    store.write([row(1)])
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    impatient = SqliteStore(path, budget=0.2)
    with pytest.raises(StoreError, match=r"locked \(waited 0.2 s\): another program"):
        impatient.write([row(2)])
    assert list(impatient.scan()) == [row(1)]
    holder.execute("ROLLBACK")
    assert impatient.write([row(2)]) == Written(1, 0)
    holder.close()
    impatient.close()


def test_damaged(path: str) -> None:
    os.makedirs(os.path.dirname(path))
    Path(path).write_bytes(b"no database, certainly" * 1000)
    store = SqliteStore(path)
    for work in (lambda: store.write([row(1)]), lambda: list(store.scan())):
        with pytest.raises(StoreError, match=r"store\.db: file is not a database: .* name another one"):
            work()
    store.close()


def test_damaged_within(path: str) -> None:
    store = SqliteStore(path)
    store.write([row(number, text="x" * 1000) for number in range(200)])
    store.close()
    with open(path, "r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * 8192 * 20)
    with pytest.raises(StoreError, match=r"malformed: the file is damaged: .*recover"):
        store.write([row(number) for number in range(300)])
    store.close()


def test_a_directory_in_the_place_of_the_file(tmp_path: Path) -> None:
    store = SqliteStore(str(tmp_path))
    with pytest.raises(StoreError, match="unable to open database file: it cannot be opened: check the path"):
        store.write([row(1)])


def test_a_file_in_the_place_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = SqliteStore(str(tmp_path / "file" / "store.db"))
    with pytest.raises(StoreError, match=r"(Not a directory|File exists): check the path"):
        store.write([row(1)])


def test_reading_makes_no_file(store: SqliteStore, path: str) -> None:
    with pytest.raises(StoreError, match="no such file"):
        list(store.scan())
    with pytest.raises(StoreError, match="no such file"):
        ask(store)
    assert not os.path.exists(os.path.dirname(path))


UNPRIVILEGED = """
import os, sys
from email_report_processor.stores.sqlite import SqliteStore
from email_report_processor.stores.store import Row, StoreError
os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    SqliteStore(sys.argv[1], budget=0.2).write([Row("a", "1", b"{}")])
except StoreError as error:
    print(error)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("mode", [0o444, 0o400])
def test_not_ours_to_write(path: str, mode: int) -> None:
    store = SqliteStore(path)
    store.write([row(1)])
    store.close()
    os.chmod(path, mode)
    _open_up(Path(path).parent)
    said = subprocess.run([sys.executable, "-c", UNPRIVILEGED, path], capture_output=True, text=True, check=True)
    assert "give the file and its directory to the user" in said.stdout or "check the path and its owner" in said.stdout


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_not_ours_to_make(tmp_path: Path) -> None:
    _open_up(tmp_path)
    said = subprocess.run(
        [sys.executable, "-c", UNPRIVILEGED, str(tmp_path / "new" / "store.db")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Permission denied: check the path and its owner" in said.stdout


def _open_up(directory: Path) -> None:
    """pytest's directories are for one user alone."""
    for one in (directory, *directory.parents):
        if one.stat().st_uid == os.getuid() and str(one).startswith("/tmp/"):
            one.chmod(0o755)


LIMITED = textwrap.dedent("""
    import resource, sys
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000_000, 20_000_000))
    from email_report_processor.stores.sqlite import SqliteStore, size_state
    from email_report_processor.stores.store import Row, StoreError
    store = SqliteStore(sys.argv[1])
    stored = 0
    try:
        for first in range(0, 20000, 50):
            rows = [Row("a", f"{number:040x}", b'{"x":"' + b"y" * 2000 + b'"}') for number in range(first, first + 50)]
            stored += store.write(rows).stored
    except StoreError as error:
        print(stored, *size_state(sys.argv[1]), error, sep="\\n")
""")


def test_the_limit_of_file_sizes(path: str) -> None:
    """Postfix's local(8) sets one of 50 MB. What was answered for is there afterwards, and nothing else."""
    said = subprocess.run([sys.executable, "-c", LIMITED, path], capture_output=True, text=True, check=True)
    stored, size, limit, reason = said.stdout.splitlines()
    assert int(limit) == 20_000_000
    assert 0.8 * int(limit) < int(size) <= int(limit)
    assert "(RLIMIT_FSIZE): run the filter by pipe(8)" in reason
    store = SqliteStore(path)
    assert sum(1 for _ in store.scan()) == int(stored) > 5000
    store.close()


def test_the_disk_is_full(tmp_path: Path) -> None:
    """A real file system without room, where one can be mounted."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("cannot mount a tmpfs here")
    store = SqliteStore(str(place / "store.db"))
    try:
        with pytest.raises(StoreError, match="the disk is full: make room"):
            store.write([row(number, text="x" * 1000) for number in range(1000)])
        assert store.write([row(1)]) == Written(1, 0)
        assert list(store.scan()) == [row(1)]
    finally:
        store.close()
        subprocess.run(["umount", str(place)], check=True)


def test_size_state_without_limit(path: str, store: SqliteStore) -> None:
    assert size_state(path)[0] == 0
    store.write([row(1)])
    size, limit = size_state(path)
    assert size > 8192
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    assert (limit == 0) == unlimited


def test_every_error_of_the_driver_is_a_store_error(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever class sqlite3 has, now or later."""
    classes = [one for one in vars(sqlite3).values() if isinstance(one, type) and issubclass(one, sqlite3.Error)]
    assert len(classes) > 8
    for one in classes:

        def fail(*_: object, one: type[sqlite3.Error] = one) -> int:
            raise one("told")

        monkeypatch.setattr("email_report_processor.stores.sqlite._insert", fail)
        with pytest.raises(StoreError, match="told"):
            store.write([row(1)])
