"""`email-report-admin init`: in a script, and on a terminal, as a person answers it."""

import os
import pty
import select
import stat
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.admin.init import records
from email_report_processor.checking import first_settings, mail_server, trial
from email_report_processor.checking.first_settings import Wanted
from email_report_processor.settings import load
from tests.conftest import Program
from tests.dns_server import running

YES = ("init", "--yes", "--no-dns")
WANTED = Wanted("example.org", "dmarc@example.org", "")


@pytest.fixture
def config(run_admin: Program) -> Path:
    """Where it writes; nothing is there yet."""
    run_admin.settings.touch()
    return run_admin.settings


def test_a_script_says_which_domain(run_admin: Program, config: Path) -> None:
    done = run_admin(b"", *YES)
    assert (done.status, "--domain: say which, such as example.org" in done.stderr) == (2, True)


def test_in_a_script(run_admin: Program, config: Path) -> None:
    done = run_admin(b"", *YES, "--domain", "example.org", "--mail-server", "postfix")
    assert done.status == 1  # no test report was sent
    assert '_dmarc.example.org. IN TXT "v=DMARC1; p=none; rua=mailto:dmarc@example.org"' in done.stdout
    assert '_smtp._tls.example.org. IN TXT "v=TLSRPTv1; rua=mailto:dmarc@example.org"' in done.stdout
    assert "postfix-pipe.sh dmarc@example.org" in done.stdout
    assert stat.S_IMODE(config.stat().st_mode) == 0o640
    assert load({}, str(config), {}).table["site"]["own_domains"].value == ["example.org"]


def test_the_address_may_be_in_another_domain(run_admin: Program, config: Path) -> None:
    done = run_admin(b"", *YES, "--domain", "example.org", "--address", "r@reports.example", "--mail-server", "exim")
    assert 'example.org._report._dmarc.reports.example. IN TXT "v=DMARC1;"' in done.stdout
    assert "driver = " in done.stdout
    assert "dmarc@example.org" not in done.stdout


def test_opensearch(run_admin: Program, config: Path) -> None:
    done = run_admin(
        b"", *YES, "--domain", "example.org", "--mail-server", "none", "--username", "writer", "--password-file",
        "/nowhere/password", store="https://127.0.0.1:1",
    )  # fmt: skip
    assert done.status == 1
    assert "failure  store:" in done.stdout
    table = load({}, str(config), {}).table
    assert table["store"]["url"].value == "https://127.0.0.1:1"
    assert table["opensearch"]["password_file"].value == "/nowhere/password"


def test_other_settings_are_not_lost(run_admin: Program, config: Path) -> None:
    theirs = '[store]\nurl = "sqlite:/their/own"\n'
    config.write_text(theirs)
    ours = (*YES, "--domain", "example.org", "--mail-server", "none")
    left = run_admin(b"", *ours)
    assert (left.status, config.read_text()) == (1, theirs)
    assert "is left as it is" in left.stdout
    written = run_admin(b"", *ours, "--overwrite")
    assert config.read_text() == first_settings.text(WANTED)
    (copy,) = config.parent.glob("settings.toml.before-*")
    assert copy.read_text() == theirs
    assert str(copy) in written.stdout
    again = run_admin(b"", *ours)
    assert "says this already" in again.stdout
    assert len(list(config.parent.glob("settings.toml.before-*"))) == 1


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ((), "--domain"),
        (("--domain", "no domain"), "--domain"),
        (("--domain", "example.org", "--address", "nobody"), "--address"),
        (("--domain", "example.org", "--username", "x"), "--password-file"),
    ],
)
def test_wrong_answers_write_nothing(run_admin: Program, config: Path, flags: tuple[str, ...], said: str) -> None:
    done = run_admin(b"", *YES, *flags, store="https://127.0.0.1:1" if "--username" in flags else "")
    assert (done.status, said in done.stderr, config.read_text()) == (2, True, "")


def test_without_a_terminal_it_asks_nothing(run_admin: Program, config: Path) -> None:
    done = run_admin(b"example.org\n", "init", "--domain", "example.org")
    assert (done.status, "--yes" in done.stderr, config.read_text()) == (2, True, "")


def test_what_dns_lacks_is_said(run_admin: Program, config: Path) -> None:
    with running() as server:
        server.txt("_smtp._tls.example.org", "v=TLSRPTv1; rua=mailto:dmarc@example.org")
        done = run_admin(
            b"", "init", "--yes", "--domain", "example.org", "--mail-server", "none", "--server", server.address
        )
    assert done.status == 1
    missing = done.stdout.partition("what is still missing")[2]
    assert "_dmarc.example.org" in missing


def test_a_person_answers(run_admin: Program, config: Path) -> None:
    """A wrong answer is asked for again; an empty one is the default; every question says why."""
    answers = {"Domain: ": "not a domain\n", "such as example.org": "example.org\n", "Address for reports [": "\n"}
    answers |= {"Mail server [": "postfix\n", "Store: ": "\n", "Send a test report": "n\n"}
    pid, terminal = pty.fork()
    if pid == 0:
        command = run_admin.command("init", "--no-dns")
        os.execve(command[0], command, {"TERM": "dumb"})
    seen = ""
    for prompt, answer in answers.items():
        seen += _until(terminal, prompt)
        os.write(terminal, answer.encode())
    seen += _until(terminal, "none was sent")
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 1
    assert "anyone may write to it" in seen
    assert config.read_text() == first_settings.text(WANTED)


def _until(terminal: int, word: str) -> str:
    seen, end = "", time.monotonic() + 60
    while word not in seen:
        ready, _, _ = select.select([terminal], [], [], max(0, end - time.monotonic()))
        assert ready, f"{word!r} does not come: {seen}"
        seen += os.read(terminal, 4096).decode(errors="replace")
    return seen


def test_the_report_of_the_test_counts_for_nothing(run_filter: Program, run_admin: Program, config: Path) -> None:
    mail = trial.message("example.org", "dmarc@example.org", "init-1", datetime(2026, 11, 28, tzinfo=UTC))
    done = run_filter(mail, store="-")
    assert [line["_source"]["event"]["dataset"] for line in done.lines] == ["report"]
    assert done.lines[0]["_source"]["report"]["id"] == "init-1"
    assert "warnings" not in done.lines[0]["_source"]


@pytest.mark.parametrize("server", mail_server.SERVERS, ids=lambda server: server.name)
def test_each_mail_server_has_its_lines(server: mail_server.MailServer) -> None:
    said = "\n".join(mail_server.lines(server, "reports@example.net"))
    assert bool(said) == bool(server.files)
    assert "dmarc@example.org" not in said


def test_the_mail_server_that_is_here_is_found(tmp_path: Path) -> None:
    assert mail_server.found(str(tmp_path)) == "none"
    (tmp_path / "exim4").touch(0o755)
    assert mail_server.found(str(tmp_path)) == "exim"


@given(st.text(max_size=30), st.text(max_size=30))
def test_what_is_written_is_toml(tmp_path_factory: pytest.TempPathFactory, name: str, file: str) -> None:
    path = tmp_path_factory.mktemp("s") / "s.toml"
    path.write_text(first_settings.text(Wanted("example.org", "a@b", "https://x:1", f"u{name}", file)), "utf-8")
    table = load({}, str(path), {}).table["opensearch"]
    assert (table["username"].value, table["password_file"].value) == (f"u{name}", file)


def test_records() -> None:
    assert len(list(records(WANTED))) == 2
