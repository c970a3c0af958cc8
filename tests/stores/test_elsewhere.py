"""What lies in another index than the one it belongs to is not stored again: by the writer's rights, on real nodes."""

import json
from collections.abc import Callable, Iterator

import pytest

from email_report_processor.documents.encode import encode
from email_report_processor.stores.client import OpenSearchOptions
from email_report_processor.stores.opensearch import OpenSearchStore
from email_report_processor.stores.store import Row, StoreError, Written
from tests.fake_opensearch import FakeOpenSearch
from tests.nodes import Node

Open = Callable[..., OpenSearchStore]


@pytest.fixture
def open_(node: Node, prefix: str) -> Iterator[Open]:
    opened: list[OpenSearchStore] = []

    def make(state: str = "") -> OpenSearchStore:
        opened.append(OpenSearchStore((node.url,), OpenSearchOptions(), prefix=prefix, state=state))
        return opened[-1]

    yield make
    for store in opened:
        store.close()


def row(prefix: str, period: str, number: int = 1) -> Row:
    return Row(f"{prefix}report-{period}", f"{number:040x}", encode({"event.dataset": "report", "rows": number}))


@pytest.mark.parametrize(
    ("there", "comes"),
    [
        ("outofrange", "2026.11"),  # it came before its time
        ("2023.05", "2023"),  # an older version stored it
        ("2026.11", "2026"),  # index_period was changed
        ("2026.w47", "2026.11"),
        ("all", "2026.11"),
        ("2026.11", "outofrange"),  # an older version gave it the day of arrival
    ],
)
@pytest.mark.parametrize("remembered", [False, True])
def test_it_is_there_already(
    open_: Open, prefix: str, tmp_path: object, there: str, comes: str, *, remembered: bool
) -> None:
    state = str(tmp_path) if remembered else ""
    assert open_(state).write([row(prefix, there)]) == Written(1, 0)
    assert open_(state).write([row(prefix, comes), row(prefix, comes, 2)]) == Written(1, 1)
    assert open_(state).write([row(prefix, comes), row(prefix, comes, 2)]) == Written(0, 2)


def test_the_same_store_sees_what_it_stored(open_: Open, prefix: str) -> None:
    store = open_()
    assert store.write([row(prefix, "outofrange")]) == Written(1, 0)
    assert store.write([row(prefix, "2026.11")]) == Written(0, 1)


def test_what_cannot_be_there_is_not_asked_for(open_: Open, prefix: str, node: Node) -> None:
    """Another month, and another dataset; and asking makes no index."""
    open_().write([row(prefix, "2026.10"), row(prefix, "2023.05", 2)])
    assert open_().write([row(prefix, "2026.11"), row(prefix, "2022", 3)]) == Written(2, 0)
    names = {one["index"] for one in node.ask("GET", f"/_cat/indices/{prefix}*?format=json&h=index")}
    assert names == {f"{prefix}report-{period}" for period in ("2026.10", "2023.05", "2026.11", "2022")}


@pytest.mark.parametrize("shut", ["close", "block"])
def test_an_index_that_is_shut_stops_no_mail(open_: Open, prefix: str, node: Node, shut: str) -> None:
    open_().write([row(prefix, "outofrange")])
    if shut == "close":
        node.ask("POST", f"/{prefix}report-outofrange/_close")
    else:
        node.ask("PUT", f"/{prefix}report-outofrange/_settings", {"index.blocks.write": True})
    assert open_().write([row(prefix, "2026.11", 2)]) == Written(1, 0)


def test_an_index_that_went_away_meanwhile(open_: Open, prefix: str, node: Node, tmp_path: object) -> None:
    state = str(tmp_path)
    open_(state).write([row(prefix, "2023.05")])
    open_(state).write([row(prefix, "2022", 9)])
    store = open_(state)
    node.ask("DELETE", f"/{prefix}report-2023.05")
    assert store.write([row(prefix, "2023")]) == Written(1, 0)


@pytest.mark.parametrize(
    "item",
    [
        {"status": 409, "error": {"type": "version_conflict_engine_exception", "reason": "new words"}},
        {"status": 200},
        {"status": 403, "error": {"type": "security_exception", "reason": "no permissions"}},
        None,
    ],
)
def test_an_answer_that_says_neither_loses_nothing(monkeypatch: pytest.MonkeyPatch, item: object) -> None:
    """Taken for `there`, the document would be lost; taken for absent, it might be there twice."""
    with FakeOpenSearch() as fake:
        fake.documents["email-report-report-outofrange", "x"] = {}
        monkeypatch.setattr(fake, "asked", lambda body: {"items": [{"index": item}]})
        store = OpenSearchStore((fake.url,), OpenSearchOptions())
        with pytest.raises(StoreError, match="to a question for a document"):
            store.write([row("email-report-", "2026.11")])
        assert len(fake.documents) == 1
        store.close()


def test_many_at_once(open_: Open, prefix: str) -> None:
    rows = [row(prefix, "outofrange", number) for number in range(5000)]
    assert open_().write(rows) == Written(5000, 0)
    moved = [one._replace(index=f"{prefix}report-2026.11") for one in rows]
    new = row(prefix, "2026.11", 5001)
    assert open_().write([*moved, new]) == Written(1, 5000)
    assert json.loads(new.source)["rows"] == 5001


def test_together(open_: Open, prefix: str) -> None:
    """Of several messages at once each hears of its own."""
    assert open_().write([row(prefix, "outofrange"), row(prefix, "2026.11", 2)]) == Written(2, 0)
    parcels = [
        [row(prefix, "2026.11"), row(prefix, "2026.11", 3)],
        [row(prefix, "2026.11", 2)],
        [row(prefix, "2026.11")],
    ]
    assert open_().write_together(parcels) == [Written(1, 1), Written(0, 1), Written(0, 1)]


def test_rows_out_of_range_are_looked_for_where_their_date_is(open_: Open, prefix: str, node: Node) -> None:
    """The clock was set back: what is stored lies ahead now. Other months are not asked."""
    source = encode({"event.dataset": "smtp-tls", "report.begin": "2026-11-19T00:00:00Z"})
    rows = [Row(f"{prefix}smtp-tls-{period}", f"{n:040x}", source) for n, period in enumerate(("2026.11", "2026.10"))]
    assert open_().write(rows) == Written(2, 0)
    moved = [one._replace(index=f"{prefix}smtp-tls-outofrange") for one in rows]
    assert open_().write(moved) == Written(1, 1)
