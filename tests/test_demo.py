"""`email-report-admin demo`: made-up weeks that mix with nothing and go away again, in both stores."""

import json
import re
import sqlite3
from pathlib import Path

import pytest

from tests import nodes
from tests.conftest import Program
from tests.fake_opensearch import FakeOpenSearch, Fault

PREFIX = "demo-email-report-"


def stored(text: str) -> int:
    return int(text.split(maxsplit=1)[0].replace(",", ""))


def test_weeks_come_and_go(run_admin: Program, run_filter: Program, tmp_path: Path) -> None:
    from benchmarks.messages import message

    store = f"sqlite:{tmp_path}/reports.sqlite"
    assert run_filter(message(3), store=store).status == 0
    done = run_admin(b"", "demo", "--weeks=1", store=store)
    assert (done.status, done.stderr) == (0, "")
    number = stored(done.stdout)
    assert number > 500
    again = run_admin(b"", "demo", "--weeks=1", store=store)
    assert again.stdout.startswith(f"0 documents stored in {tmp_path}/reports.sqlite, {number:,} already there")
    own = run_admin(b"", "summary", "--since=all", store=store).stdout
    assert "example.net" not in own
    shown = run_admin(b"", "summary", store=store, env={"EMAIL_REPORT_PROCESSOR_STORE_INDEX_PREFIX": PREFIX})
    assert "example.net" in shown.stdout
    removed = run_admin(b"", "demo", "--remove", store=store)
    assert removed.stdout == f"{number:,} documents removed from {tmp_path}/reports.sqlite\n"
    with sqlite3.connect(tmp_path / "reports.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM documents").fetchone() == (4,)
    connection.close()


def test_nothing_is_left_of_a_demo(run_admin: Program, node: nodes.Node, prefix: str, tmp_path: Path) -> None:
    """Not the room in the file; and OpenSearch removes, and counts, what was written a moment ago."""
    store, file = f"sqlite:{tmp_path}/reports.sqlite", tmp_path / "reports.sqlite"
    number = stored(run_admin(b"", "demo", "--weeks=1", store=store).stdout)
    before = file.stat().st_size
    run_admin(b"", "demo", "--remove", store=store)
    assert file.stat().st_size < before / 4
    flag = f"--prefix={prefix}"
    assert stored(run_admin(b"", "demo", "--weeks=1", flag, store=node.url).stdout) == number
    assert stored(run_admin(b"", "demo", "--remove", flag, store=node.url).stdout) == number


def test_copy_gives_another_prefix(run_admin: Program, run_filter: Program, tmp_path: Path) -> None:
    """What has the one prefix gets the other, and what has neither stays; without it OpenSearch says what to do."""
    from benchmarks.messages import message

    first, last = f"sqlite:{tmp_path}/reports.sqlite", tmp_path / "last.sqlite"
    assert run_filter(message(3), store=first).status == 0
    number = stored(run_admin(b"", "demo", "--weeks=1", store=first).stdout)
    done = run_admin(b"", "copy", f"--from={first}", f"--to=sqlite:{last}", f"--from-prefix={PREFIX}")
    assert (done.status, done.stderr) == (0, "")
    assert done.stdout == f"{number:,} copied, 0 already there, 0 refused\n"
    with sqlite3.connect(last) as connection:
        names = [name for (name,) in connection.execute("SELECT DISTINCT idx FROM documents")]
    connection.close()
    assert names
    assert all(name.startswith("email-report-") for name in names)
    with FakeOpenSearch() as fake:
        refused = run_admin(b"", "copy", f"--from={first}", f"--to={fake.url}")
    assert refused.status == 75
    assert "its name would have to begin with email-report- and a dataset" in refused.stderr
    assert "--from-prefix" in refused.stderr


def test_copy_says_when_it_may_not_refresh(run_admin: Program, tmp_path: Path) -> None:
    with FakeOpenSearch() as fake:
        fake.faults = [Fault(status=403)]
        done = run_admin(b"", "copy", f"--from={fake.url}", f"--to=sqlite:{tmp_path}/last.sqlite")
    assert "what was written in the last 30 seconds may be missing" in done.stderr


def test_what_is_your_own_is_never_taken_for_a_demo(run_admin: Program, tmp_path: Path) -> None:
    store = f"sqlite:{tmp_path}/reports.sqlite"
    done = run_admin(b"", "demo", "--remove", "--prefix=email-report-", store=store)
    assert done.status == 2
    assert "that is where your own reports are" in done.stderr
    assert run_admin(b"", "demo", store="-").status == 2


@pytest.mark.parametrize("store", ["sqlite", "node"])
def test_the_page_that_the_readme_promises(
    run_admin: Program, node: nodes.Node, prefix: str, tmp_path: Path, store: str
) -> None:
    url = f"sqlite:{tmp_path}/reports.sqlite" if store == "sqlite" else node.url
    done = run_admin(b"", "demo", "--weeks=1", f"--prefix={prefix}", store=url)
    assert (done.status, done.stderr) == (0, "")
    if store == "node":
        node.request("POST", f"/{prefix}*/_refresh")
    environment = {"EMAIL_REPORT_PROCESSOR_STORE_INDEX_PREFIX": prefix}
    page = tmp_path / "page.html"
    done = run_admin(b"", "summary", "--since=all", f"--html={page}", "--domain=all", store=url, env=environment)
    assert done.stdout.split() == [str(page), *(str(tmp_path / f"page-example.{top}.html") for top in ("org", "net"))]
    assert re.search(r"Of [\d,]+ messages in your name", page.read_text("utf-8"))
    done = run_admin(b"", "summary", "--json", f"--csv={tmp_path / 'csv'}", store=url, env=environment)
    assert done.status == 0
    assert len(list((tmp_path / "csv").glob("*.csv"))) == len(json.loads(done.stdout)["figures"]) == 18
    removed = run_admin(b"", "demo", "--remove", f"--prefix={prefix}", store=url)
    assert stored(removed.stdout) > 500
