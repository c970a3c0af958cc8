"""`email-report-admin verdict`, as a person types it."""

from pathlib import Path

import pytest

from email_report_processor.desk.verdicts import add, remove
from email_report_processor.job import read_entries
from email_report_processor.settings import load
from tests.conftest import Program
from tests.places import GOLDEN

REPORT = (GOLDEN / "dmarc-aggregate" / "rfc9990.eml").read_bytes()


@pytest.fixture
def file(run_admin: Program, tmp_path: Path) -> Path:
    path = tmp_path / "senders.toml"
    run_admin.settings.write_text(f"[site]\nsenders_file = '{path}'\n")
    return path


@pytest.mark.parametrize(
    ("what", "key", "value"),
    [
        ("192.0.2.0/24", "network", "192.0.2.0/24"),
        ("2001:db8::/32", "network", "2001:db8::/32"),
        ("AS64500", "as", 64500),
        ("crm.example", "domain", "crm.example"),
        ("dkim:crm.example", "dkim", "crm.example"),
        ("sender:The CRM", "sender", "The CRM"),
    ],
)
def test_it_is_written(run_admin: Program, file: Path, what: str, key: str, value: object) -> None:
    done = run_admin(b"", "verdict", what, "service", "--comment", 'a "quoted" \\ word', "--by", "anna")
    assert (done.status, str(file) in done.stdout) == (0, True)
    (entry,) = read_entries(str(file))
    assert entry.pop("at")
    assert entry == {key: value, "verdict": "service", "comment": 'a "quoted" \\ word', "by": "anna"}


def test_what_stands_there_stays(run_admin: Program, file: Path) -> None:
    file.write_text("# ours\n[[senders]]\nas = 1\nname = 'One' # a comment\n")
    file.chmod(0o640)
    assert run_admin(b"", "verdict", "AS2", "stranger").status == 0
    assert file.read_text().startswith("# ours\n[[senders]]\nas = 1\nname = 'One' # a comment\n\n[[senders]]\nas = 2\n")
    assert file.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in file.parent.iterdir() if "senders" in path.name] == [file.name]


def test_the_filter_names_by_it(run_admin: Program, run_filter: Program, file: Path) -> None:
    addresses = {
        line["_source"]["source"]["ip"] for line in run_filter(REPORT, store="-").lines if "count" in line["_source"]
    }
    for address in addresses:
        assert run_admin(b"", "verdict", address, "mine", "--name", "Our own").status == 0
    rows = [line["_source"] for line in run_filter(REPORT, store="-").lines if "count" in line["_source"]]
    assert {row["source"]["name"] for row in rows} == {"Our own"}


def test_they_are_listed(run_admin: Program, file: Path) -> None:
    assert "no verdicts yet" in run_admin(b"", "verdict").stdout
    run_admin(b"", "verdict", "dkim:crm.example/k2", "service")
    assert "dkim:crm.example/k2  service" in run_admin(b"", "verdict").stdout


def test_a_day_that_is_over_is_said(run_admin: Program, file: Path) -> None:
    assert "That day is over" in run_admin(b"", "verdict", "AS1", "mine", "--until", "2020-01-01").stdout
    assert "That day is over" not in run_admin(b"", "verdict", "AS1", "mine", "--until", "2999-01-01").stdout


def test_without_a_file_it_says_what_to_set(run_admin: Program) -> None:
    done = run_admin(b"", "verdict", "AS1", "mine")
    assert (done.status, "[site]\nsenders_file = " in done.stdout) == (0, True)
    assert (run_admin.state / "senders.toml").exists()
    assert "[site]\nsenders_file = " in run_admin(b"", "verdict").stdout  # the list says so, too


ENTRIES = """\
# ours
[[senders]]
network = "192.0.2.0/24" # the first
verdict = "mine"
# about the CRM
[[senders]]
dkim = "crm.example"
selector = "k2"
verdict = "service"

[[senders]]
dkim = "crm.example"
verdict = "stranger"
[[senders]]
as = 64500
verdict = "stranger"
"""


@pytest.mark.parametrize(
    ("what", "left"),
    [
        ("192.0.2.0/24", ENTRIES.replace('[[senders]]\nnetwork = "192.0.2.0/24" # the first\nverdict = "mine"\n', "")),
        ("AS64500", ENTRIES.rpartition("[[senders]]")[0]),
        ("dkim:crm.example/k2", "stranger"),
        ("dkim:crm.example", "k2"),
    ],
)
def test_a_verdict_is_taken_back(tmp_path: Path, what: str, left: str) -> None:
    """With its entry alone: comments are a person's."""
    file = tmp_path / "senders.toml"
    file.write_text(ENTRIES)
    settings = load({}, None, {"EMAIL_REPORT_PROCESSOR_SITE_SENDERS_FILE": str(file)})
    assert remove(settings, what) == 1
    assert left in {file.read_text(), "stranger", "k2"}
    assert left in file.read_text()
    assert "# ours\n" in file.read_text()
    assert "# about the CRM\n" in file.read_text()
    assert len(read_entries(str(file))) == 3
    assert remove(settings, what) == 0


def test_taken_back_by_the_command(run_admin: Program, file: Path) -> None:
    run_admin(b"", "verdict", "AS2", "mine")
    done = run_admin(b"", "verdict", "AS2", "--remove")
    assert (done.status, "AS2: taken back" in done.stdout) == (0, True)
    again = run_admin(b"", "verdict", "AS2", "--remove")
    assert (again.status, "names it" in again.stderr) == (1, True)
    assert run_admin(b"", "verdict", "--remove").status == 2


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["AS1"], "say a verdict or a --name"),
        (["somebody", "mine"], "names no sender"),
        (["300.1.1.1", "mine"], "neither a network"),
        (["AS1", "ignore"], "write until"),
        (["AS1", "mine", "--until", "soon"], "until = 'soon' is no day; write it as 2026-12-31"),
    ],
)
def test_what_is_refused_changes_nothing(run_admin: Program, file: Path, arguments: list[str], reason: str) -> None:
    done = run_admin(b"", "verdict", *arguments)
    assert (done.status, reason in done.stderr) == (2, True)
    assert not file.exists()


def test_a_broken_file_is_said_and_kept(run_admin: Program, run_filter: Program, file: Path) -> None:
    file.write_text("[[senders]]\nas = 1\n")
    done = run_admin(b"", "verdict", "AS2", "mine")
    assert (done.status, "entry 1: it says nothing" in done.stderr, str(file) in done.stderr) == (2, True, True)
    assert run_filter(REPORT).status == 75
    file.write_text("senders = 1\n")
    assert "[[senders]] tables and nothing else" in run_admin(b"", "verdict").stderr


def test_any_text_is_toml(tmp_path: Path) -> None:
    text = "".join(chr(one) for one in range(32, 256)) + "\u2028\ud7ff\U0001f600\n\t"
    add(tmp_path / "senders.toml", {"as": 1, "comment": text})
    assert read_entries(str(tmp_path / "senders.toml")) == [{"as": 1, "comment": text}]
