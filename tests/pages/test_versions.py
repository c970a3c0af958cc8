"""Two reports under one id, and a report sent again with other rows: the page says what does not add up."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from email_report_processor.message.blob import Memory
from email_report_processor.pages import html, text
from email_report_processor.pages.overview import overview
from email_report_processor.pages.versions import read
from email_report_processor.process import Job, Layout, process
from email_report_processor.stores.client import OpenSearchOptions
from email_report_processor.stores.opensearch import OpenSearchStore
from email_report_processor.stores.sqlite import SqliteStore
from email_report_processor.stores.store import Store
from tests import nodes
from tests.pages.conftest import NOW, SCOPE

DAY = 1795046400  # 2026-11-19, UTC
SENTENCE = "1 report came in several versions: they say 16 messages or sessions, 14 are stored, a difference of 2."
Feed = Callable[[bytes], object]


def report(rows: dict[str, int], id_: str = "example.org.1", begin: int = DAY) -> bytes:
    """An aggregate report with so many messages of each address."""
    records = "".join(
        f"<record><row><source_ip>{address}</source_ip><count>{count}</count><policy_evaluated>"
        "<disposition>none</disposition><dkim>pass</dkim><spf>pass</spf></policy_evaluated></row>"
        "<identifiers><header_from>example.org</header_from></identifiers><auth_results/></record>"
        for address, count in rows.items()
    )
    return (
        "<feedback><report_metadata><org_name>Two in One</org_name><email>dmarc@reporter.example</email>"
        f"<report_id>{id_}</report_id><date_range><begin>{begin}</begin><end>{begin + 86399}</end></date_range>"
        f"</report_metadata><policy_published><domain>example.org</domain><p>none</p></policy_published>{records}"
        "</feedback>"
    ).encode()


@pytest.fixture(params=["sqlite", "opensearch"])
def fed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Store, Feed]]:
    """An empty store of either kind, and how to feed it."""
    prefix = "email-report-"
    made: Store = SqliteStore(str(tmp_path / "reports.sqlite"))
    if request.param == "opensearch":
        made.close()
        prefix = request.getfixturevalue("prefix")
        node: nodes.Node = request.getfixturevalue("node")
        made = OpenSearchStore((node.url,), OpenSearchOptions(), prefix=prefix)
    job = Job(lambda: made, lambda: NOW, tmp_path / "kept", layout=Layout(index_prefix=prefix))

    def feed(data: bytes) -> None:
        assert process(Memory(data), job).verdict is None
        if request.param == "opensearch":
            node.request("POST", f"/{prefix}*/_refresh")

    yield made, feed
    made.close()
    if request.param == "opensearch":
        node.wipe(prefix)


def test_two_reports_under_one_id_and_period(fed: tuple[Store, Feed]) -> None:
    """As rspamd sends them: 9 and 7 messages, of which 2 stand in a row of both."""
    store, feed = fed
    feed(report({"192.0.2.1": 2, "192.0.2.2": 7}))
    feed(report({"192.0.2.1": 2, "192.0.2.3": 5}))
    page = overview(store, SCOPE, [], NOW)
    row = ("Two in One", "example.org.1", "example.org", "2026-11-19", 2, 16, 14, 2)
    assert page.figure("versions").rows == (row,)
    assert SENTENCE in " ".join(text.page(page, 10_000).split())
    assert SENTENCE in html.overview(page)


def test_a_report_of_another_day_under_that_id_is_none(fed: tuple[Store, Feed]) -> None:
    """Some reporters count from one each day, or never change the id."""
    store, feed = fed
    feed(report({"192.0.2.1": 2}))
    feed(report({"192.0.2.1": 2}))  # the same again
    feed(report({"192.0.2.1": 3}, begin=DAY - 86400))
    feed(report({"192.0.2.1": 3}, "example.org.2"))
    assert read(store, SCOPE) == ([], 0)
    page = overview(store, SCOPE, [], NOW)
    assert page.figure("versions").left_out == ()
    assert "several versions" not in text.page(page)
    feed(report({"192.0.2.4": 40}, begin=DAY - 86400))
    ((one,), more) = read(store, SCOPE)
    assert (one.day, one.versions, one.said, one.stored, more) == ("2026-11-18", 2, 43, 43, 0)
