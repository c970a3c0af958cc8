"""Promise 2 over time: the same report is there once, whenever and however it comes, and forged dates make few indices.

With the real process, into the embedded store and into a real node.
"""

import io
import itertools
import random
import sqlite3
import zipfile
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path

import pytest

from email_report_processor.message.blob import Memory
from email_report_processor.reports.reading import read_message
from email_report_processor.stores import kept
from tests.conftest import Program
from tests.nodes import Node
from tests.places import CASES
from tools import samples

DAY = datetime(2025, 9, 14, tzinfo=UTC)
XML = samples.xml(
    DAY,
    "Big Mail",
    "noreply@bigmail.example",
    samples.record("192.0.2.7", 0, "pass", "fail", "example.org", "example.org", "x.example", amount=3),
).encode()
EXPECTED = {document.id for report in read_message(XML).reports for document in report.documents()}


def zipped() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("bigmail.example!example.org!1.xml", XML)
    return data.getvalue()


def mailed(date: datetime | None, *received: datetime) -> bytes:
    """The report in a mail of this date, with a Received field for each hop, the last one first."""
    message = EmailMessage()
    for one in received:
        message["Received"] = f"from a.example by b.example; {format_datetime(one)}"
    message["From"] = "noreply@bigmail.example"
    message["To"] = "reports@example.org"
    message["Subject"] = "Report Domain: example.org"
    if date:
        message["Date"] = format_datetime(date)
    message.add_attachment(zipped(), "application", "zip", filename="bigmail.example!example.org!1.zip")
    return message.as_bytes(policy=SMTP)


ARRIVAL = DAY + timedelta(hours=30)
COPIES = {
    "first": mailed(ARRIVAL, ARRIVAL),
    "410 days later": mailed(ARRIVAL, ARRIVAL + timedelta(days=410), ARRIVAL),
    "sent again much later": mailed(ARRIVAL + timedelta(days=410), ARRIVAL + timedelta(days=410)),
    "a clock that was reset": mailed(ARRIVAL, datetime(1970, 1, 1, 0, 1, tzinfo=UTC)),
    "a clock ahead": mailed(ARRIVAL, ARRIVAL + timedelta(days=9999)),
    "no date": mailed(None),
    "a bare zip": zipped(),
    "a bare file": XML,
}
ORDERS = [*([one, "first"] for one in COPIES if one != "first"), ["first", *COPIES], ["a bare zip", "410 days later"]]

Stored = Callable[[], Counter[str]]


@pytest.fixture(params=["sqlite", "opensearch"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str, Stored]:
    """A store: its URL, its settings, and how often each id is in it."""
    if request.param == "sqlite":
        path = tmp_path / "store.sqlite"
        return f"sqlite:{path}", "", lambda: Counter(id_ for _, id_ in in_sqlite(path))
    node: Node = request.getfixturevalue("node")
    prefix: str = request.getfixturevalue("prefix")
    settings = f'[store]\nindex_prefix = "{prefix}"\n'
    return node.url, settings, lambda: Counter(one.id for one in node.documents(f"{prefix}*"))


def in_sqlite(path: Path) -> list[tuple[str, str]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute("SELECT idx, id FROM documents").fetchall()
    finally:
        connection.close()


@pytest.mark.parametrize("order", ORDERS, ids=", ".join)
def test_whenever_it_comes(run_filter: Program, tmp_path: Path, order: list[str]) -> None:
    path = tmp_path / "store.sqlite"
    for one in order:
        assert run_filter(COPIES[one], store=f"sqlite:{path}").status == 0
    assert Counter(id_ for _, id_ in in_sqlite(path)) == Counter(EXPECTED)
    assert {index for index, _ in in_sqlite(path)} == {f"email-report-{name}-2025.09" for name in DATASETS}


DATASETS = ("dmarc-aggregate", "report")


def test_all_of_them(run_filter: Program, store: tuple[str, str, Stored]) -> None:
    url, settings, stored = store
    for one in ORDERS[-2]:
        assert run_filter(COPIES[one], store=url, settings=settings).status == 0
    assert stored() == Counter(EXPECTED)


@pytest.mark.skipif(not CASES.is_dir(), reason=f"there are no cases in {CASES}")
def test_cases(run_filter: Program, store: tuple[str, str, Stored]) -> None:
    url, settings, stored = store
    names = ("first.eml", "again-410-days-later.eml", "bare.zip")
    for order in list(itertools.permutations(names)) if url.startswith("sqlite") else [names, names[::-1]]:
        for name in order:
            assert run_filter((CASES / "13-dup" / name).read_bytes(), store=url, settings=settings).status == 0
        assert set(stored().values()) == {1}
    assert len(stored()) == 2


@pytest.fixture
def prefixed(node: Node, prefix: str) -> tuple[Node, str]:
    return node, prefix


LONG_AGO = datetime(2019, 9, 14, tzinfo=UTC)


# Where an older version stored it: by the month of its begin, or because it came too late.
@pytest.mark.parametrize(("begin", "period"), [(DAY, "outofrange"), (LONG_AGO, "2019.09")], ids=["late", "month"])
@pytest.mark.parametrize("how", ["filter", "import", "kept", "copy"])
def test_a_store_of_the_older_layout(
    run_filter: Program,
    run_admin: Program,
    prefixed: tuple[Node, str],
    tmp_path: Path,
    period: str,
    begin: datetime,
    how: str,
) -> None:
    """Before, the index came from the day of arrival. What lies there is not stored again."""
    node, prefix = prefixed
    settings = f'[store]\nindex_prefix = "{prefix}"\n'
    xml = XML.replace(b"%d" % DAY.timestamp(), b"%d" % begin.timestamp())
    expected = {one.id: one for report in read_message(xml).reports for one in report.documents()}
    assert run_admin(b"", "setup", "--only=templates", store=node.url, settings=settings).status == 0
    for one in expected.values():
        document = {"event": {"dataset": one.dataset}, "report": {"begin": f"{begin:%Y-%m-%dT00:00:00Z}"}}
        node.ask("PUT", f"/{prefix}{one.dataset}-{period}/_doc/{one.id}", document)
    if how == "filter":
        assert run_filter(xml, store=node.url, settings=settings).status == 0
    elif how == "import":
        (tmp_path / "report.xml").write_bytes(xml)
        assert run_filter(b"", str(tmp_path / "report.xml"), store=node.url, settings=settings).status == 0
    elif how == "kept":
        kept.keep(
            kept.directory(run_filter.state), Memory(xml), "unfinished", "x", "2025-09-20T00:00:00Z", kept.KeptOptions()
        )
        assert run_admin(b"", "kept", "--retry", store=node.url, settings=settings).status == 0
    else:
        copy_there_and_back(run_admin, node, prefix, settings, tmp_path)
        assert run_filter(xml, store=node.url, settings=settings).status == 0
    assert Counter(one.id for one in node.documents(f"{prefix}*")) == Counter(list(expected))


def copy_there_and_back(run_admin: Program, node: Node, prefix: str, settings: str, tmp_path: Path) -> None:
    """What is copied lies where the filter looks for it, also in a store that is made anew."""
    node.request("POST", f"/{prefix}*/_refresh")
    file = f"sqlite:{tmp_path / 'copy.sqlite'}"
    assert run_admin(b"", "copy", f"--from={node.url}", f"--to={file}", settings=settings).status == 0
    node.request("DELETE", f"/{prefix}*")
    assert run_admin(b"", "copy", f"--from={file}", f"--to={node.url}", settings=settings).status == 0


def test_forged_dates_make_few_indices(run_filter: Program, tmp_path: Path) -> None:
    """10,000 messages whose every date is forged: one index a year before 2024, one a month since then, one."""
    chosen = random.Random(11)
    now = datetime.now(UTC)
    mbox = tmp_path / "forged.mbox"
    with mbox.open("wb") as file:
        for number in range(10_000):
            begin, sent, received = (datetime.fromtimestamp(chosen.uniform(1, 4.2e9), UTC) for _ in range(3))
            xml = XML.replace(b"%d" % DAY.timestamp(), b"%d" % begin.timestamp())
            file.write(
                b"From a@b Thu Jan  1 00:00:00 2026\nReceived: by b.example; %s\nFrom: a@b.example\nDate: %s\n"
                b"Message-ID: <%d@b.example>\nContent-Type: text/xml\n\n%s\n"
                % (format_datetime(received).encode(), format_datetime(sent).encode(), number, xml)
            )
    path = tmp_path / "store.sqlite"
    assert run_filter(b"", str(mbox), store=f"sqlite:{path}").status == 0
    made = Counter(index.rpartition("-")[0] for index in {index for index, _ in in_sqlite(path)})
    months = (now.year - 2024) * 12 + (now + timedelta(days=2)).month
    assert set(made) == {"email-report-dmarc-aggregate", "email-report-report"}
    assert max(made.values()) <= (2024 - 2012) + months + 1
    assert len(in_sqlite(path)) == 20_000
