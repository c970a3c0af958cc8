"""`email-report-admin prune`: what is older than its retention goes, nothing else, while others write."""

import json
import sqlite3
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from email_report_processor.admin import command
from email_report_processor.documents.datasets import DATASETS
from email_report_processor.privacy.prune import cutoffs, prune
from email_report_processor.stores.sqlite import SqliteStore
from email_report_processor.stores.store import Question, Row
from email_report_processor.values.fields import write_date

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def row(number: int, dataset: str, days: float, **more: object) -> Row:
    """A document that was stored so many days ago."""
    ingested = write_date(NOW - timedelta(days=days))
    fields = {
        "event": {"dataset": dataset, "ingested": ingested}, "@timestamp": "2020-01-01T00:00:00Z", "count": 1, **more,
    }  # fmt: skip
    return Row(f"email-report-{dataset}-2026.11", f"{number:040x}", json.dumps(fields).encode())


@pytest.fixture
def store(state: Path) -> SqliteStore:
    return SqliteStore(str(state / "reports.sqlite"))


def held(store: SqliteStore) -> set[int]:
    return {int(one.id, 16) for one in store.scan()}


def test_each_dataset_has_its_own_time(store: SqliteStore) -> None:
    """Counted from when a document was stored, whatever its report is about."""
    rows = []
    for number, dataset in enumerate(DATASETS):
        days = dataset.retention_days
        rows += [row(10 * number, dataset.name, days - 0.01), row(10 * number + 1, dataset.name, days + 0.01)]
    store.write(rows)
    before = cutoffs({"report": 0}, NOW)
    assert "report" not in before
    expected = {dataset.name: 1 for dataset in DATASETS if dataset.name != "report" and dataset.retention_days}
    assert prune(store, before, really=False) == expected
    assert len(held(store)) == len(rows)
    assert prune(store, before, really=True) == expected
    gone = {10 * number + 1 for number, one in enumerate(DATASETS) if one.name in expected}
    assert held(store) == {int(one.id, 16) for one in rows} - gone
    assert prune(store, before, really=True) == {}


def test_other_prefixes_are_left_alone(state: Path) -> None:
    store = SqliteStore(str(state / "reports.sqlite"), prefix="mine-")
    store.write([row(1, "arf", 1000)])
    assert prune(store, cutoffs({}, NOW), really=True) == {}


def test_the_daily_sums_stay_true(store: SqliteStore) -> None:
    policy = {"policy_published": {"domain": "example.org"}, "report": {"authentication": "unchecked"}}
    store.write(row(number, "dmarc-aggregate", 10 * (number % 60), **policy) for number in range(1200))
    question = Question("dmarc-aggregate", ("policy_published.domain",))
    assert store.totals(question)[0].sums == (1200,)
    went = prune(store, cutoffs({}, NOW), really=True)["dmarc-aggregate"]
    assert 0 < went < 1200
    assert store.totals(question)[0].sums == (1200 - went,)


def test_deliveries_go_on_meanwhile(store: SqliteStore, state: Path) -> None:
    """Each step is a transaction of its own, so that a writer with no patience to speak of finds its turn."""
    store.write(row(number, "arf", 400) for number in range(6000))
    writer = SqliteStore(str(state / "reports.sqlite"), budget=5.0)
    writer.write([row(10**6, "arf", 0)])
    steps = store.prune(cutoffs({}, NOW), really=True)
    stored = 0
    for number, _ in enumerate(steps):
        if number % 1000 == 0:
            stored += writer.write([row(10**6 + 1 + number, "arf", 0)]).stored
    assert stored == 6
    assert len(held(store)) == 7


def test_many_processes_prune_at_once(store: SqliteStore, state: Path) -> None:
    store.write(row(number, "arf", 400) for number in range(3000))
    file = str(state / "reports.sqlite")
    work = [lambda: prune(SqliteStore(file), cutoffs({}, NOW), really=True)] * 3
    threads = [threading.Thread(target=one) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert held(store) == set()


def test_the_command(store: SqliteStore, state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store.write([row(1, "arf", 1000), row(2, "report", 0)])
    store.close()
    arguments = ["prune", f"--state={state}"]
    assert command.main([*arguments, "--retention", "arf=0"]) == 0
    assert "nothing is old enough" in capsys.readouterr().out
    assert command.main([*arguments, "--dry-run"]) == 0
    assert "arf: 1 document stored before" in (said := capsys.readouterr().out)
    assert said.endswith("would go\n")
    assert command.main(arguments) == 0
    assert capsys.readouterr().out.endswith("went\n")
    with sqlite3.connect(state / "reports.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM documents").fetchone() == (1,)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--retention", "arf"], 2, "--retention: write arf=DAYS"),
        (["--retention", "x=1"], 2, "there is no dataset 'x'"),
        (["--store=http://127.0.0.1:9"], 75, "setup --only retention"),
    ],
)
def test_what_is_refused(
    arguments: list[str], status: int, words: str, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["prune", f"--state={state}", *arguments]) == status
    assert words in capsys.readouterr().err
