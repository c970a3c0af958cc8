"""csv:DIR and parquet:DIR: every document once, whatever fails in between; columns that stay; nothing a formula."""

import csv
import json
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.documents.datasets import DATASETS
from email_report_processor.documents.encode import encode
from email_report_processor.stores import tables
from email_report_processor.stores.csv_files import CsvStore
from email_report_processor.stores.opening import open_store
from email_report_processor.stores.parquet import ParquetStore
from email_report_processor.stores.store import Question, Row, Store, StoreError, Written
from email_report_processor.values.cells import safe
from tests.conftest import Program
from tests.stores.documents import rows

KINDS: list[Callable[[str], Store]] = [CsvStore, ParquetStore]


def lines(directory: Path) -> list[dict[str, str]]:
    """All rows of all CSV files."""
    found = []
    for path in sorted(directory.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            found += list(csv.DictReader(file))
    return found


def table(directory: Path) -> list[dict[str, Any]]:
    """All rows of all Parquet files."""
    found: list[dict[str, Any]] = []
    for path in sorted(directory.rglob("*.parquet")):
        found += pyarrow.parquet.ParquetFile(path).read().to_pylist()
    return found


def ids(store: Store, directory: Path) -> list[str]:
    """Of all documents in the files."""
    found = lines(directory) if isinstance(store, CsvStore) else table(directory)
    return sorted(one["id"] for one in found)


@pytest.mark.parametrize("kind", KINDS)
def test_each_document_once(kind: Callable[[str], Store], tmp_path: Path) -> None:
    some = rows(30)
    store = kind(str(tmp_path / "deep/files"))
    assert store.write(some[:20]) == Written(20, 0)
    assert store.write([*some, *some]) == Written(len(some) - 20, len(some) + 20)
    store.close()
    assert kind(str(tmp_path / "deep/files")).write(some) == Written(0, len(some))
    assert ids(store, tmp_path / "deep/files") == sorted(one.id for one in some)
    for path in (tmp_path / "deep").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600) or path.name.endswith(
            ("-wal", "-shm")
        )


def test_one_file_for_each_dataset_and_period(tmp_path: Path) -> None:
    CsvStore(str(tmp_path)).write(rows(3))
    names = sorted(path.name for path in tmp_path.glob("*.csv"))
    assert names == ["email-report-dmarc-aggregate-2025.11.csv", "email-report-report-2025.11.csv"]
    ParquetStore(str(tmp_path / "parquet")).write(rows(3))
    places = sorted(str(path.parent.relative_to(tmp_path)) for path in tmp_path.rglob("*.parquet"))
    assert places == [
        "parquet/dataset=dmarc-aggregate/period=2025.11",
        "parquet/dataset=report/period=2025.11",
    ]


def test_what_stands_in_a_row(tmp_path: Path) -> None:
    store, columnar = CsvStore(str(tmp_path)), ParquetStore(str(tmp_path))
    source = {
        "@timestamp": "2026-11-20T12:00:00.500Z",
        "event.dataset": "dmarc-failure",
        "count": 2,
        "sample.subject": "=HYPERLINK(1)",
        "sample.headers_only": True,
        "url.full": ["https://a.example/?x,y", 'quote"d'],
        "file": [{"name": "a.zip", "size": 5}],
        "raw": {"source.ip": "no address"},
        "future.field": "new",
    }
    row = Row("email-report-dmarc-failure-2026.11", "a" * 40, encode(source))
    for one in (store, columnar):
        assert one.write([row]) == Written(1, 0)
    (line,) = lines(tmp_path)
    assert line["id"] == "a" * 40
    assert line["@timestamp"] == "2026-11-20T12:00:00.500Z"
    assert line["count"] == "2"
    assert line["sample.subject"] == "'=HYPERLINK(1)"
    assert line["sample.headers_only"] == "true"
    assert json.loads(line["url.full"]) == source["url.full"]
    assert json.loads(line["file"]) == source["file"]
    assert json.loads(line["other"])["future.field"] == "new"
    assert line["source.ip"] == ""
    (found,) = table(tmp_path)
    assert found["@timestamp"].isoformat() == "2026-11-20T12:00:00.500000+00:00"
    assert (found["count"], found["sample.headers_only"], found["url.full"]) == (2, True, source["url.full"])
    assert found["sample.subject"] == "=HYPERLINK(1)"
    assert json.loads(found["file"]) == source["file"]
    assert json.loads(found["other"])["future.field"] == "new"


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda one: one.name)
def test_every_field_has_its_column_and_arrives(dataset: Any, tmp_path: Path) -> None:
    fields: dict[str, Any] = {}
    for field in dataset.fields:
        if not field.objects:
            fields[field.name] = (
                [field.example] if field.many and not isinstance(field.example, list) else field.example
            )
        else:
            inner = fields.setdefault(field.objects, [{}])[0]
            inner[field.name.removeprefix(field.objects + ".")] = field.example
    row = Row(f"email-report-{dataset.name}-2026.11", "b" * 40, encode(fields))
    for store in (CsvStore(str(tmp_path)), ParquetStore(str(tmp_path))):
        assert store.write([row]) == Written(1, 0)
    (line,), (found,) = lines(tmp_path), table(tmp_path)
    assert "" not in {value for name, value in line.items() if name != "other"}
    assert line["other"] == ""
    assert [name for name, value in found.items() if value is None] == ["other"]


def test_columns_of_another_version_begin_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    some = rows(10)
    store = CsvStore(str(tmp_path))
    store.write(some[:5])
    before = {path.name: path.read_bytes() for path in tmp_path.glob("*.csv")}
    old = tables.columns
    monkeypatch.setattr(
        tables, "columns", lambda dataset: (*old(dataset)[:-1], tables.Column("zz.new", None), old(dataset)[-1])
    )
    store.write(some[5:8])
    monkeypatch.setattr(tables, "columns", old)
    store.write(some[8:])
    names = sorted(path.name for path in tmp_path.glob("*aggregate*.csv"))
    assert [name.split("-", 4)[4] for name in names] == ["2025.11.2.csv", "2025.11.csv"]
    for name, data in before.items():
        assert (tmp_path / name).read_bytes().startswith(data)
    assert ids(store, tmp_path) == sorted(one.id for one in some)


@given(st.text(max_size=30))
def test_no_cell_is_a_formula(text: str) -> None:
    made = safe(text)
    assert made == "-" or not made.startswith(("=", "+", "-", "@", "\t", "\r"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", ["write", "fsync", "rename"])
def test_a_disk_that_fails_takes_everything_back(
    kind: Callable[[str], Store], step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = rows(40)
    store = kind(str(tmp_path / "files"))
    store.write(some[:10])
    before = {path: path.read_bytes() for path in (tmp_path / "files").rglob("*.csv")}
    real = getattr(os, step)
    calls = []

    def fail(*arguments: Any) -> Any:
        calls.append(arguments)
        if step == "write" and len(calls) == 2:
            real(arguments[0], bytes(arguments[1])[:100])
        if len(calls) >= 2:
            raise OSError(28, "No space left on device")
        return real(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(os, step, fail)
        if step == "rename" and kind is CsvStore:
            return  # it renames nothing
        with pytest.raises(StoreError, match="No space left"):
            store.write(some)
    assert before == {path: path.read_bytes() for path in before}
    assert store.write(some) == Written(len(some) - 10, 10)
    assert ids(store, tmp_path / "files") == sorted(one.id for one in some)


KILLED = """
import os, signal, sys
from email_report_processor.stores import journal
from email_report_processor.stores.opening import open_store
from tests.stores.documents import rows
step, number, url = sys.argv[1], int(sys.argv[2]), sys.argv[3]
real = getattr(os, step)
def killed(*arguments):
    global number
    number -= 1
    if step == "write" and not number:
        real(arguments[0], bytes(arguments[1])[:50])
    if not number:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments)
store = open_store(url)
store.write(rows(40)[:10])
setattr(os, step, killed)
store.write(rows(40))
"""


@pytest.mark.parametrize("scheme", ["csv", "parquet"])
@pytest.mark.parametrize(
    ("step", "number"), [("write", 1), ("write", 2), ("fsync", 1), ("fsync", 2), ("rename", 1), ("rename", 2)]
)
def test_killed_in_mid_write(scheme: str, step: str, number: int, tmp_path: Path) -> None:
    directory = tmp_path / "files"
    arguments = [sys.executable, "-c", KILLED, step, str(number), f"{scheme}:{directory}"]
    done = subprocess.run(arguments, check=False)
    assert done.returncode == (0 if (scheme, step) == ("csv", "rename") else -signal.SIGKILL)
    store = open_store(f"{scheme}:{directory}")
    store.write(rows(40))
    assert ids(store, directory) == sorted(one.id for one in rows(40))


def test_writers_at_once(tmp_path: Path) -> None:
    some = rows(60)
    results: list[Written] = []

    def write() -> None:
        results.append(CsvStore(str(tmp_path)).write(some))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sum((one for one in results), Written(0, 0)) == Written(len(some), 3 * len(some))
    assert ids(CsvStore(str(tmp_path)), tmp_path) == sorted(one.id for one in some)


def test_a_lock_that_hangs(tmp_path: Path) -> None:
    store = CsvStore(str(tmp_path), budget=0.01)
    with store._journal._opened(), pytest.raises(StoreError, match="another process writes"):
        store.write(rows(1))


def test_files_that_were_taken_away_do_not_come_back(tmp_path: Path) -> None:
    store = CsvStore(str(tmp_path))
    store.write(rows(5))
    for path in tmp_path.glob("*.csv"):
        path.unlink()
    assert store.write(rows(5)) == Written(0, 6)
    assert lines(tmp_path) == []


def test_an_index_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no index of ours"):
        CsvStore(str(tmp_path)).write([Row("email-report-arf-../../x", "a" * 40, b"{}")])
    with pytest.raises(StoreError, match="no index of ours"):
        CsvStore(str(tmp_path)).write([Row("other-arf-2026", "a" * 40, b"{}")])


@pytest.mark.parametrize("kind", KINDS)
def test_it_cannot_be_read_back(kind: Callable[[str], Store], tmp_path: Path) -> None:
    store = kind(str(tmp_path))
    for ask in (store.scan, lambda: store.totals(Question("arf")), lambda: store.select(None)):  # type: ignore[arg-type]  # nothing is asked
        with pytest.raises(StoreError, match="cannot be read back"):
            ask()


def test_urls() -> None:
    assert open_store("csv:/var/x").name == "csv:/var/x"
    for url in ("csv:", "parquet:"):
        with pytest.raises(ValueError, match="DIR"):
            open_store(url)


def test_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(StoreError, match=r"email-report-processor\[parquet\]"):
        ParquetStore(str(tmp_path)).write(rows(1))


@pytest.mark.parametrize("scheme", ["csv", "parquet"])
def test_the_filter_writes_to_it(scheme: str, run_filter: Program, tmp_path: Path) -> None:
    from benchmarks.messages import message

    for _ in range(2):
        assert run_filter(message(7), store=f"{scheme}:{tmp_path / 'out'}").status == 0
    found = lines(tmp_path / "out") or table(tmp_path / "out")
    assert len(found) == 8
    (tmp_path / "file").touch()
    failed = run_filter(message(7), "--log=stderr", store=f"{scheme}:{tmp_path / 'file'}")
    assert failed.status == 75
