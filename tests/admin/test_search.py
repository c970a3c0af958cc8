"""`email-report-admin search`, as a person types it."""

import csv
import io
import json
from pathlib import Path

import pytest

from email_report_processor.admin.search import harmless
from tests.conftest import Program
from tests.places import GOLDEN

FAILURE = (GOLDEN / "dmarc-failure" / "everything.eml").read_bytes()


@pytest.fixture
def search(run_filter: Program, run_admin: Program) -> Program:
    """After one failure report was stored."""
    assert run_filter(FAILURE).status == 0
    return run_admin


def test_a_table(search: Program) -> None:
    found = search(b"", "search", "dataset:dmarc-failure", "count:>2")
    assert found.status == 0
    head, line = found.stdout.splitlines()
    assert head.split() == ["when", "dataset", "what", "number", "from", "country", "AS", "about", "id"]
    assert "2001:db8::25" in line


def test_nothing_fits(search: Program) -> None:
    found = search(b"", "search", "class:nothing")
    assert (found.status, found.stdout, found.stderr) == (1, "", "nothing fits\n")


def test_json_is_what_is_stored(search: Program) -> None:
    (line,) = search(b"", "search", "--json", "dataset:dmarc-failure").lines
    assert line["_id"]
    assert line["source"]["ip"] == "2001:db8::25"


def test_csv_has_a_column_for_each_field(search: Program) -> None:
    (row,) = csv.DictReader(io.StringIO(search(b"", "search", "--csv", "dataset:dmarc-failure").stdout))
    assert row["source.ip"] == "2001:db8::25"
    assert json.loads(row["feedback.auth_failure"]) == ["dmarc"]


def test_messages_as_files(search: Program, tmp_path: Path) -> None:
    assert search(b"", "search", "--eml", str(tmp_path / "found"), "dataset:dmarc-failure").status == 0
    (path,) = (tmp_path / "found").iterdir()
    assert path.read_text("utf-8").startswith(("From:", "Received:", "Return-Path:", "DKIM-Signature:"))


def test_a_query_that_cannot_be_read_says_where(search: Program) -> None:
    found = search(b"", "search", "class:spoof", "count:many")
    assert found.status == 2
    assert "write a number" in found.stderr
    assert found.stderr.splitlines()[-1].index("^") == found.stderr.splitlines()[-2].index("count:many")


def test_a_query_may_begin_with_what_it_leaves_out(search: Program) -> None:
    assert search(b"", "search", "-class:nothing", "dataset:dmarc-failure").status == 0
    assert search(b"", "search", "-(class:nothing", "or", "count:>100)", "-dataset:report").status == 0
    assert search(b"", "search", "-class:*").status == 0  # the document of a report that has none
    assert search(b"", "search", "-x").status == 2


def test_an_unknown_dataset(search: Program) -> None:
    found = search(b"", "search", "--dataset=spam", "class:spoof")
    assert (found.status, "there is no dataset 'spam'" in found.stderr) == (2, True)


def test_a_saved_search(search: Program) -> None:
    search.settings.write_text('[searches]\nfailures = "dataset:dmarc-failure or dataset:arf"\n')
    assert len(search(b"", "search", "--json", "@failures").lines) == 1
    assert search(b"", "search", "--json", "@failures", "count:>100").status == 1
    found = search(b"", "search", "@failurs")
    assert found.status == 2
    assert "no search 'failurs' is saved in [searches]; there are failures" in found.stderr


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@sum", "\t=1", "\r=1"])
def test_no_cell_is_a_formula(text: str) -> None:
    assert harmless(text) == "'" + text


@pytest.mark.parametrize(
    ("value", "cell"), [(-5, "-5"), (True, "True"), (None, ""), ("a=b", "a=b"), (["=1"], '["=1"]')]
)
def test_other_cells_stay(value: object, cell: str) -> None:
    assert harmless(value) == cell
