"""Whether reporters can be told from strangers, by what is stored: over the embedded store and a real node."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from email_report_processor.admin.command import main
from email_report_processor.checking.believing import check_believing
from email_report_processor.documents.classify import Site
from email_report_processor.documents.encode import encode
from email_report_processor.reports.report import Options
from email_report_processor.stores import templates
from email_report_processor.stores.client import OpenSearchOptions
from email_report_processor.stores.opensearch import OpenSearchStore
from email_report_processor.stores.sqlite import SqliteStore
from email_report_processor.stores.store import Row, Store, StoreError
from tests import nodes

NOW = datetime(2026, 11, 28, tzinfo=UTC)
IDS, NETWORKS = Options(authserv_ids=("mx.example.org",)), Site(own_networks=("192.0.2.0/24",))


def _rows(prefix: str, *counts: tuple[str, int], date: str = "2026-11-01T12:00:00Z") -> list[Row]:
    texts = [text for text, number in counts for _ in range(number)]
    documents: list[dict[str, Any]] = [{"@timestamp": date, "report.authentication": text} for text in texts]
    return [Row(f"{prefix}report-2026.11", f"{date}{one}", encode(body)) for one, body in enumerate(documents)]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return SqliteStore(str(tmp_path / "reports.sqlite"))


@pytest.mark.parametrize(
    ("unchecked", "options", "site", "words"),
    [
        (4, Options(), Site(), ["4 of 10 reports of the last 90 days are unchecked"]),
        (5, IDS, NETWORKS, ["although [read] authserv_ids believes mx.example.org"]),
        (5, Options(), NETWORKS, ["nobody's Authentication-Results are believed"]),
        (5, IDS, Site(), ["although [read]", "no host is known as yours"]),
        (10, Options(), Site(), ["nobody's", "no host is known as yours"]),
    ],
)
def test_what_is_said(store: Store, unchecked: int, options: Options, site: Site, words: list[str]) -> None:
    store.write(_rows("email-report-", ("unchecked", unchecked), ("pass", 6 - unchecked // 2), ("fail", 0)))
    store.write(_rows("email-report-", ("pass", 4 - unchecked + unchecked // 2), date="2026-11-02T12:00:00Z"))
    store.write(_rows("email-report-", ("unchecked", 50), date="2025-11-01T12:00:00Z"))  # long ago
    found = list(check_believing(store, options, site, NOW))
    assert [one.result for one in found] == ["ok" if unchecked < 5 else "warning"] * len(words)
    for one, word in zip(found, words, strict=True):
        assert word in one.text
        assert bool(one.remedy) == (one.result != "ok")
    store.close()


def test_few_reports_say_nothing(store: Store) -> None:
    store.write(_rows("email-report-", ("unchecked", 9)))
    assert list(check_believing(store, Options(), Site(), NOW)) == []
    store.close()


def test_who_may_not_search_is_told_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_question: object) -> None:
        raise StoreError("403")

    monkeypatch.setattr(store, "totals", refused)
    assert list(check_believing(store, Options(), Site(), NOW)) == []
    store.close()


def test_opensearch(node: nodes.Node, prefix: str) -> None:
    for request in templates.requests(prefix):
        node.ask(*request)
    store = OpenSearchStore([node.url], OpenSearchOptions(), prefix=prefix)
    store.write(_rows(prefix, ("unchecked", 6), ("pass", 5)))
    node.ask("POST", f"/{prefix}*/_refresh")
    (found,) = check_believing(store, IDS, NETWORKS, NOW)
    assert found.text.startswith("6 of 11 reports")
    store.close()


def test_the_doctor_says_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = tmp_path / "state"
    state.mkdir(0o700)
    path = state / "reports.sqlite"
    store = SqliteStore(str(path))
    store.write(_rows("email-report-", ("unchecked", 12), date=f"{datetime.now(UTC):%Y-%m-%dT00:00:00Z}"))
    store.close()
    config = tmp_path / "settings.toml"
    config.touch(0o640)
    main(["doctor", f"--config={config}", f"--state={state}", "--json", f"--store=sqlite:{path}"])
    found = [one for one in json.loads(capsys.readouterr().out) if one["about"] == "senders"]
    assert [one["result"] for one in found] == ["warning", "warning"]
