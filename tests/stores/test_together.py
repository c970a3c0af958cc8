"""Group commit: what becomes of each message's rows, whatever becomes of the others'."""

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from email_report_processor.stores import together
from email_report_processor.stores.client import OpenSearchOptions
from email_report_processor.stores.opensearch import OpenSearchStore
from email_report_processor.stores.sqlite import SqliteStore
from email_report_processor.stores.store import Row, StoreError, Written
from tests.fake_opensearch import FakeOpenSearch, Fault

INDEX = "email-report-dmarc-aggregate-2026.11"


def parcel(*ids: str) -> list[Row]:
    return [Row(INDEX, id_, json.dumps({"id": id_}).encode()) for id_ in ids]


A, B, C = parcel("a1", "a2"), parcel("b1", "b2", "b3"), parcel("c1")


def opensearch(fake: FakeOpenSearch, **options: object) -> OpenSearchStore:
    return OpenSearchStore((fake.url,), OpenSearchOptions(**options), budget=0.0)  # type: ignore[arg-type]


def test_sqlite_stores_all_and_counts_each(tmp_path: Path) -> None:
    store = SqliteStore(str(tmp_path / "r.sqlite"))
    store.write(parcel("b1"))
    assert together.write_together(store, [A, B, C, A]) == [Written(2, 0), Written(2, 1), Written(1, 0), Written(0, 2)]
    store.close()


def test_sqlite_stores_the_others_when_one_cannot_be(tmp_path: Path) -> None:
    store = SqliteStore(str(tmp_path / "r.sqlite"))
    no_text = [Row(INDEX, "x", [])]  # type: ignore[arg-type]  # what SQLite cannot bind
    results = together.write_together(store, [A, no_text, C])
    assert results[0] == Written(2, 0)
    assert isinstance(results[1], StoreError)
    assert results[2] == Written(1, 0)
    store.close()


def test_opensearch_stores_all_in_one_bulk() -> None:
    with FakeOpenSearch() as fake:
        store = opensearch(fake)
        store.write(parcel("b1"))
        assert together.write_together(store, [A, B, C]) == [Written(2, 0), Written(2, 1), Written(1, 0)]
        assert [len(one) for one in fake.bulks] == [1, 6]


def test_opensearch_what_one_parcel_meets_is_its_own() -> None:
    with FakeOpenSearch() as fake:
        store = opensearch(fake)
        fault = (400, "index_closed_exception", "closed")
        fake.faults = [Fault(stores=4, item=fault), Fault(), Fault(stores=0, item=fault)]
        results = together.write_together(store, [A, B, C])
        assert results[:2] == [Written(2, 0), Written(3, 0)]
        assert isinstance(results[2], StoreError)
        assert "open the index" in str(results[2])
        assert [len(one) for one in fake.bulks] == [6, 1, 1]


def test_opensearch_refuses_a_document() -> None:
    with FakeOpenSearch() as fake:
        fake.faults = [Fault(stores=5, item=(400, "mapper_parsing_exception", "no"))]
        fake.always = Fault(stores=0, item=(400, "mapper_parsing_exception", "no"))
        results = together.write_together(opensearch(fake), [A, B, C])
        assert results[:2] == [Written(2, 0), Written(3, 0)]
        assert isinstance(results[2], Written)
        assert [one.row for one in results[2].rejected] == C


@pytest.mark.parametrize("fault", [Fault(status=401), Fault(status=413, body=b""), Fault(body=b"{"), Fault(short=1)])
def test_opensearch_a_bulk_that_fails_as_such_is_sent_in_parts(fault: Fault) -> None:
    with FakeOpenSearch() as fake:
        fake.faults = [fault]
        results = together.write_together(opensearch(fake), [A, B, C])
        assert all(isinstance(one, Written) for one in results)
        assert len(fake.documents) == 6


def test_opensearch_that_is_away_fails_all() -> None:
    with FakeOpenSearch() as fake:
        fake.always = Fault(status=503)
        store = opensearch(fake)
        results = together.write_together(store, [A, B, C])
        assert all("answers 503" in str(one) for one in results)


def test_opensearch_too_much_for_one_bulk() -> None:
    with FakeOpenSearch() as fake:
        assert together.write_together(opensearch(fake, bulk_bytes=200), [A, B]) == [Written(2, 0), Written(3, 0)]
        assert len(fake.bulks) > 2


class Waiting:
    """A store that is waited for in vain."""

    name = "waiting"

    def __init__(self) -> None:
        self.asked = 0

    def write(self, rows: Iterable[Row]) -> Written:
        self.asked += 1
        raise StoreError("away")


def test_a_store_that_was_waited_for_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Waiting()
    assert len(together.each(store.write, [A, B, C])) == 3
    assert store.asked == 3
    monkeypatch.setattr(together, "WAITED", -1.0)
    results = together.each(store.write, [A, B, C])
    assert [str(one) for one in results] == ["away"] * 3
    assert store.asked == 4
