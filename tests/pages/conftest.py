"""Weeks of reports in both stores, and the page that is made of them."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from email_report_processor.documents.document import Document
from email_report_processor.documents.encode import encode
from email_report_processor.documents.layout import index_of
from email_report_processor.pages.asking import Scope
from email_report_processor.pages.example import weeks
from email_report_processor.pages.figure import Page, Period
from email_report_processor.pages.overview import overview
from email_report_processor.stores.sqlite import SqliteStore
from email_report_processor.stores.store import Row

LAST = datetime(2026, 11, 20, tzinfo=UTC)
NOW = "2026-11-21T06:00:00Z"
SINCE = "2026-10-22T00:00:00Z"
SCOPE = Scope(Period(SINCE, ""), top=10_000)


def rows(documents: Iterable[Document], prefix: str = "email-report-") -> Iterator[Row]:
    """Documents as they are stored."""
    for document in documents:
        fields = document.fields
        begin = str(fields.get("report.begin", fields["@timestamp"]))
        index = index_of(
            begin,
            NOW,
            prefix=prefix,
            dataset=document.dataset,
            granularity="month",
            months_since=2024,
        )
        yield Row(index, document.id, encode(fields))


@pytest.fixture(scope="session")
def documents() -> list[Document]:
    """Five weeks."""
    return list(weeks(LAST))


@pytest.fixture(scope="session")
def store(documents: list[Document], tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteStore]:
    """The embedded store with these weeks."""
    path: Path = tmp_path_factory.mktemp("pages") / "reports.sqlite"
    made = SqliteStore(str(path))
    made.write(rows(documents))
    yield made
    made.close()


@pytest.fixture(scope="session")
def page(store: SqliteStore) -> Page:
    """The page of the last thirty days, with every row of every table."""
    return overview(store, SCOPE, [], NOW)
