"""The sums of the embedded store say what its documents say, whatever was written, changed or removed in between."""

import random
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from email_report_processor.documents.encode import encode
from email_report_processor.stores import select_sqlite, sums_sqlite, totals_sqlite
from email_report_processor.stores.kinds import DATASET, FIELDS, Asked, Combined, from_values, of_rows
from email_report_processor.stores.query import And, Between, Exists, Ids, Is, Node, Not, Or, Text, Within, field_of
from email_report_processor.stores.sqlite import SqliteStore
from email_report_processor.stores.store import Question, Row, Selection
from email_report_processor.stores.totals import check, largest

PREFIXES = ("email-report-", "demo-email-report-")
VALUES: dict[str, list[Any]] = {
    "class": ["aligned", "spoof", "", None],
    "class_rule": ["A2", "A2s", None],
    "policy_published.domain": ["example.org", "example.net", None],
    "policy_published.p": ["none", "reject", None],
    "policy_published.sp": ["none", None],
    "policy_published.np": [None],
    "policy_evaluated.disposition": ["none", "reject", None],
    "dmarc.result": ["pass", "fail", None],
    "report.duration": [86399, 86400, 7 * 86400, None],
    "report.authentication": ["pass", "fail", "unchecked", None],
    "report.org_name": ["One", "Two", None],
    "source.ip": ["192.0.2.1", "2001:db8::1", None],
    "source.name": ["example.org", "", None],
    "source.as.number": [64496, 0, None],
    "source.as.organization.name": ["Example", None],
    "source.geo.country_iso_code": ["DE", "US", None],
    "identifiers.header_from": ["example.org", None],
    "dkim.signatures": [["a / b / pass"], ["a / b / pass", "c / d / fail", "a / b / pass"], [], None],
    "warnings": [["x"], ["x", "y"], None],
    "@timestamp": ["2026-10-31T23:59:59.999Z", "2026-11-01T00:00:00Z", "2026-11-02T12:00:00Z", None],
    "count": [0, 1, 12, None],
    "event.ingested": ["2026-11-02T05:59:59.999Z", "2026-11-02T06:00:00Z", "2026-11-02T06:00:00.001Z", None],
    **{f"policy_published.{tag}": ["r", None] for tag in ("adkim", "aspf")},
    "policy_published.testing": [True, False, None],
    "policy.domain": ["example.org", None],
    "policy.string": [["version: STSv1", "mode: enforce"], ["mode: testing"], None],
    "failure.result_type": ["certificate-expired", None],
    "feedback.type": ["auth-failure", "abuse", None],
    "feedback.delivery_result": ["delivered", "reject", None],
    "feedback.reported_domain": [["example.org"], ["example.org", "example.net", "example.org"], None],
    **{name: [0, 3, None] for name in ("sessions.successful", "sessions.failed", "failure.failed_session_count")},
}
DATASETS = ("dmarc-aggregate", "dmarc-aggregate", "dmarc-aggregate", "report", "smtp-tls", "arf", "dmarc-failure")
MOMENTS = ("2026-11-02T05:59:59.999Z", "2026-11-02T06:00:00Z", "2026-11-02T06:00:00.001Z", "2026-11-03T00:00:00Z")


def row(dice: random.Random, number: int) -> Row:
    fields = {name: dice.choice(values) for name, values in VALUES.items()}
    document = {name: value for name, value in fields.items() if value is not None}
    dataset = dice.choice(DATASETS)
    index = f"{dice.choice(PREFIXES)}{dataset}-2026.{dice.choice(('10', '11'))}"
    return Row(index, f"{number:040x}", encode(document | {"event.dataset": dataset}))


def question(dice: random.Random) -> Question:
    """Any that sums of some table hold."""
    one = dice.choice(sums_sqlite.SUMS)
    scalar = [name for name in one.fields if not one.field(name).many]
    return Question(
        one.dataset,
        by=tuple(dice.sample(one.fields, dice.randint(0, min(3, len(one.fields))))),
        sum=dice.choice(((), one.sums)),
        where={name: dice.choice(VALUES[name]) for name in dice.sample(scalar, dice.randint(0, 2))},
        unless={name: dice.choice(VALUES[name]) for name in dice.sample(scalar, dice.randint(0, 1))},
        different=tuple(dice.sample(scalar, dice.randint(0, 1))),
        since=dice.choice(("", "2026-11-01T00:00:00Z", *(MOMENTS if one.exact else ()))),
        until=dice.choice(("", "2026-11-02T00:00:00Z", *(MOMENTS if one.exact else ()))),
        every=dice.choice(("", "day")),
        size=10_000,
        node=query(dice, one) if dice.random() < 0.7 else None,
    )


def query(dice: random.Random, one: sums_sqlite.Sum) -> Node:
    """Any of what a table knows, of each kind of test."""
    terms: list[Node] = [Exists(one.field(name)) for name in one.fields]
    low, high = dice.choice((None, *MOMENTS)), dice.choice((None, *MOMENTS))
    if "stored" in one.times:
        terms.append(Between(field_of("event.ingested"), low, high or "9999"))
    if one.exact:
        terms.append(Between(field_of("@timestamp"), low or "2026", None))
    terms += [Text(one.field(name), ("", text)) for name, text in (("dkim.signatures", "pass"),) if name in one.fields]
    terms += [Within(one.field(name), "192.0.2.0/24") for name in ("source.ip",) if name in one.fields]
    terms += [Is(one.field(name), True) for name in ("policy_published.testing",) if name in one.fields]
    terms += [Between(one.field(name), 64496, 64496) for name in ("source.as.number",) if name in one.fields]
    some = tuple(dice.choice((term, Not(term))) for term in dice.sample(terms, dice.randint(1, min(3, len(terms)))))
    last = (terms[len(one.fields)],) if one.exact and dice.random() < 0.7 else ()
    return And((*last, dice.choice((And, Or))(some)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "reports.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    made = SqliteStore(str(path))
    yield made
    made.close()


def without_sums(path: Path, asked: Question) -> Any:
    """The answer from every document."""
    checked = check(asked)
    sql, parameters = totals_sqlite._from_documents(checked, asked.dataset, "email-report-")
    connection = sqlite3.connect(path)
    select_sqlite.prepare(connection)
    try:
        found = [totals_sqlite._total(checked, values) for values in connection.execute(sql, parameters)]
    finally:
        connection.close()
    return largest(found, asked.size)


@pytest.mark.parametrize("seed", range(6))
def test_sums_are_true_at_any_moment(
    store: SqliteStore, path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sums_sqlite, "_SLICE", 7)
    dice = random.Random(seed)
    number = 0
    for _ in range(25):
        step = dice.choice(("write", "write", "delete", "change", "last"))
        if step == "write":
            number += 20
            store.write(row(dice, number + n) for n in range(dice.randint(1, 20)))
        else:
            disturb(path, step, row(dice, 10_000_000 + number))
        asked = question(dice)
        assert totals_sqlite.holding(check(asked), asked.dataset) is not None
        assert store.totals(asked) == without_sums(path, asked), (step, asked)
        every = Asked("example.org")
        rows = of_rows(one.row for one in store.select(Selection(every.node, (DATASET,))))
        assert by_kind(store.combined(every)) == by_kind(rows), step


def by_kind(sums: Iterable[Combined]) -> Counter[str]:
    """Messages of each combination, of documents as of kinds."""
    found: Counter[str] = Counter()
    for one in sums:
        kind = one.fields if one.kind is not None else from_values({name: one.fields.get(name) for name in FIELDS})
        found[f"{sorted(kind.items())} {one.address} {one.reporter} {one.day}"] += one.messages
    return +found


def disturb(path: Path, step: str, other: Row) -> None:
    """What others do to documents."""
    connection = sqlite3.connect(path)
    if connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'documents'").fetchone()[0]:
        with connection:
            if step == "delete":
                connection.execute("DELETE FROM documents WHERE rowid % 3 = 1")
            elif step == "last":
                connection.execute("DELETE FROM documents WHERE rowid = (SELECT max(rowid) FROM documents)")
            else:
                connection.execute("UPDATE documents SET source = CAST(? AS TEXT) WHERE rowid % 5 = 2", (other.source,))
    connection.close()


def test_what_the_sums_do_not_hold_is_asked_of_the_documents() -> None:
    held = Question("dmarc-aggregate", by=("class",))
    assert totals_sqlite.holding(check(held), held.dataset) is not None
    for other in (
        Question("arf", by=("source.port",)),
        held._replace(by=("auth_results.dkim.domain",)),
        held._replace(by=("report.id",)),
        held._replace(sum=("policy_published.pct",)),
        held._replace(by=("source.geo.country_iso_code",), since="2026-11-01T06:00:00Z"),
        held._replace(by=("source.geo.country_iso_code",), node=Between(field_of("event.ingested"), MOMENTS[0], None)),
        held._replace(node=Not(Ids(frozenset({"1"})))),
        held._replace(node=Exists(field_of("report.id"))),
        held._replace(where={"dkim.signatures": "a / b / pass"}),
    ):
        assert totals_sqlite.holding(check(other), other.dataset) is None


def test_who_may_not_write_gets_the_same_answer(store: SqliteStore, path: Path) -> None:
    """Another user's store is read without its sums."""
    dice = random.Random(3)
    store.write(row(dice, number) for number in range(100))
    asked = Question("dmarc-aggregate", by=("class",), size=100)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA query_only = 1")
    found = totals_sqlite.answer(connection, check(asked), asked.dataset, "email-report-", 100)
    assert connection.execute("SELECT upto FROM sums_upto").fetchone() == (0,)
    connection.close()
    assert found == store.totals(asked) == without_sums(path, asked)


def test_an_older_file_gets_its_sums(store: SqliteStore, path: Path) -> None:
    dice = random.Random(4)
    store.write(row(dice, number) for number in range(50))
    store.close()
    connection = sqlite3.connect(path)
    with connection:
        for name in ("sums_upto", *(one.table for one in sums_sqlite.SUMS)):
            connection.execute(f"DROP TABLE {name}")
        for event in ("delete", "update"):
            connection.execute(f"DROP TRIGGER sums_{event}")
        connection.execute("PRAGMA user_version = 2")
    connection.close()
    asked = Question("dmarc-aggregate", by=("class", "source.ip"), size=100)
    assert store.totals(asked) == without_sums(path, asked)
