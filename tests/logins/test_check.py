"""The plug-in for monitoring systems."""

from pathlib import Path

import pytest

from email_report_processor.logins.check import check
from email_report_processor.logins.rules import Finding
from email_report_processor.logins.state import State
from tests.conftest import Program

NOW = 1_800_000_000.0


def finding(account: str = "alice@example.org", age: float = 3600.0, severity: str = "alarm") -> Finding:
    assert severity in {"alarm", "notice"}
    return Finding("quota", "alarm" if severity == "alarm" else "notice", account, NOW - age, "so many", (b"line",))


@pytest.mark.parametrize(
    ("findings", "read", "status", "text"),
    [
        ([], 0, 3, "LOGINS UNKNOWN - logins follow has never read a log | alarms=0;;1 notices=0 stopped=0 age=U"),
        ([], 60, 0, "LOGINS OK - no alarm in 24 h | alarms=0;;1 notices=0 stopped=0 age=60s;600"),
        ([], 601, 1, "LOGINS WARNING - no log was read for 601 s: is logins follow running? | "),
        ([finding(severity="notice")], 60, 0, "LOGINS OK - no alarm in 24 h | alarms=0;;1 notices=1"),
        ([finding()], 601, 2, "LOGINS CRITICAL - 1 alarms in 24 h: quota alice@example.org | alarms=1;;1"),
        ([finding(age=25 * 3600)], 60, 0, "LOGINS OK"),
        ([finding("a|alarms=0 x")], 60, 2, "quota a/alarms=0 x | alarms=1;;1"),
    ],
)
def test_verdicts(findings: list[Finding], read: float, status: int, text: str, tmp_path: Path) -> None:
    state = State(tmp_path)
    if read:
        state.commit("follow", NOW - read, {"/var/log/mail.log": ""})
    state.commit("follow", NOW, {}, findings=findings)
    verdict = check(state, NOW, 24, 600)
    state.close()
    assert verdict.status == status
    assert text in verdict.line
    assert verdict.line.count("|") == 1


def test_an_alarm_that_the_user_explained(tmp_path: Path) -> None:
    state = State(tmp_path)
    (event,) = state.commit("follow", NOW, {"log": ""}, findings=[finding()])
    state.answer(event, "yes")
    assert check(state, NOW, 24, 600).status == 0
    state.close()


def test_the_command(run_admin: Program, tmp_path: Path) -> None:
    (tmp_path / "mail.log").touch()
    assert run_admin(b"", "logins", "check").status == 3
    missing = run_admin(b"", "logins", "follow", "--once", str(tmp_path / "mial.log"))
    assert f"{tmp_path}/mial.log: there is no such file; it is read when it is there" in missing.stderr
    assert run_admin(b"", "logins", "check").status == 3  # a path with a mistake in it is no log that is read
    assert run_admin(b"", "logins", "follow", "--once", str(tmp_path / "mail.log")).stderr == ""
    done = run_admin(b"", "logins", "check")
    assert (done.status, done.stdout.startswith("LOGINS OK - ")) == (0, True)


def test_a_state_that_cannot_be_read(run_admin: Program) -> None:
    run_admin.state.mkdir()
    (run_admin.state / "logins.sqlite").write_bytes(b"no database" * 100)
    done = run_admin(b"", "logins", "check")
    assert done.status == 3
    assert "LOGINS UNKNOWN" in done.stdout
    assert "logins.sqlite: file is not a database" in done.stdout
