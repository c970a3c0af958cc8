"""What comes of a finding: a command, mails, the question to the user and what the answer teaches."""

import json
import re
import stat
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.logins.acting import Acting
from email_report_processor.logins.ask import make_token, read_key, read_reply, read_token, subject_and_text
from email_report_processor.logins.options import LoginOptions
from email_report_processor.logins.rules import Finding
from email_report_processor.logins.state import Event, State
from tests.conftest import Program

NOW = 1_800_000_000.0
NOTICE = Finding(
    "new-country", "notice", "alice@example.org", NOW, "a login from BR, new within 90 days (known: DE)",
    (b"line \xff",), "198.51.100.7", "BR", "AS64500",
)  # fmt: skip
ALARM = NOTICE._replace(rule="many-countries", severity="alarm", sentence="3 new countries")
EVENT = Event("ab" * 20, NOTICE, "")


class Stage:
    """Somebody who acts, with a sendmail and a command that write down what they get."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.state = State(directory / "state")
        self.said: list[str] = []

    def script(self, name: str, body: str, mode: int = stat.S_IRWXU) -> str:
        """An executable."""
        path = self.directory / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(mode)
        return str(path)

    def tell(self, finding: Finding, **options: Any) -> list[str]:
        """The log after an event."""
        defaults: dict[str, Any] = {
            "sendmail": self.script("sendmail", f'echo "$@" >>"{self.directory}/args"; cat >>"{self.directory}/mail"')
        }
        acting = Acting(
            LoginOptions(**defaults | options), self.state, lambda level, text: self.said.append(f"{level}: {text}")
        )
        acting.tell(EVENT._replace(finding=finding))
        return self.said

    def mail(self) -> Message:
        """The mail that was sent."""
        return message_from_bytes((self.directory / "mail").read_bytes())


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """An empty one."""
    return Stage(tmp_path)


def test_a_command_gets_json_and_no_shell(stage: Stage) -> None:
    script = stage.script("command", f'echo "$#:$1" >"{stage.directory}/argv"; cat >"{stage.directory}/json"')
    hostile = NOTICE._replace(account="$(reboot)`id`;x@example.org")
    assert len(stage.tell(hostile, command=(script, "$HOME;x"))) == 1
    assert (stage.directory / "argv").read_text() == "1:$HOME;x\n"
    said = json.loads((stage.directory / "json").read_text())
    assert said["account"] == "$(reboot)`id`;x@example.org"
    assert said["time"] == "2027-01-15T08:00:00Z"
    assert said["lines"] == ["line \ufffd"]
    assert {"id", "rule", "severity", "sentence", "address", "country", "system"} <= said.keys()


@pytest.mark.parametrize(
    ("body", "mode", "said"),
    [
        ("exit 3", stat.S_IRWXU, "ended with status 3"),
        ("echo it hurts >&2; exit 1", stat.S_IRWXU, "ended with status 1 (it hurts)"),
        ("exec sleep 60", stat.S_IRWXU, "did not end within 0.3 s and was ended"),
        ("exit 0", stat.S_IRUSR, "cannot be run (Permission denied)"),  # (i) of the old tool: a traceback
    ],
)
def test_a_command_that_fails_is_said(body: str, mode: int, said: str, stage: Stage) -> None:
    log = stage.tell(NOTICE, command=(stage.script("command", body, mode),), command_seconds=0.3)
    assert [line for line in log if line.startswith("error") and said in line]
    assert any("cannot be run" in line for line in stage.tell(NOTICE, command=("/nowhere/x",)))


def test_the_postmaster_is_told_of_alarms(stage: Stage) -> None:
    stage.tell(NOTICE, postmaster="pm@example.org")
    assert not (stage.directory / "mail").exists()
    stage.tell(ALARM._replace(account="a\r\nBcc: x@example.net"), postmaster="pm@example.org")
    mail = stage.mail()
    assert (mail["To"], mail["From"], mail["Auto-Submitted"]) == ("pm@example.org", "pm@example.org", "auto-generated")
    assert mail["Bcc"] is None
    body = mail.get_payload(decode=True)
    assert isinstance(body, bytes)
    assert b"3 new countries" in body
    assert b"Nothing was stopped (mode = observe)" in body
    assert (stage.directory / "args").read_text() == "-i -f pm@example.org -- pm@example.org\n"


def test_nobody_is_asked_by_default(stage: Stage) -> None:
    stage.tell(NOTICE)
    assert not (stage.directory / "mail").exists()


def test_the_user_is_asked_about_places_alone(stage: Stage) -> None:
    stage.tell(ALARM, ask=True, mail_from="pm@example.org")
    stage.tell(NOTICE._replace(rule="slow-guessing"), ask=True, mail_from="pm@example.org")
    assert not (stage.directory / "mail").exists()
    stage.tell(NOTICE, ask=True, mail_from="pm@example.org")
    mail = stage.mail()
    assert mail["To"] == "alice@example.org"
    assert re.fullmatch(r"Was this you\? \[[0-9a-f]{16}-[a-z2-7]{16}\]", mail["Subject"])
    body = mail.get_payload(decode=True)
    assert isinstance(body, bytes)
    assert b"country   BR" in body
    assert b"2027-01-15 08:00 UTC" in body


def test_a_second_address(stage: Stage) -> None:
    addresses = stage.directory / "addresses"
    addresses.write_text("# ours\n\nbob@example.org bob@example.net\nAlice@Example.org alice@example.net home\n")
    stage.tell(NOTICE, ask=True, mail_from="pm@example.org", second_addresses=str(addresses))
    assert stage.mail()["To"] == "alice@example.net"
    log = stage.tell(NOTICE, ask=True, mail_from="pm@example.org", second_addresses="/nowhere/x")
    assert "nobody was asked about alice@example.org" in log[-1]


# Tokens and answers


def test_tokens(stage: Stage) -> None:
    (event,) = stage.state.commit("follow", NOW, {}, findings=[NOTICE])
    key = read_key(stage.directory)
    assert read_key(stage.directory) == key
    assert (stage.directory / "logins.key").stat().st_mode & 0o777 == 0o600
    token = make_token(event, key)
    assert read_token(f"Re: Was this you? [{token}]", key, stage.state, NOW) == event
    assert read_token(token, key, stage.state, NOW + 15 * 86400) is None
    assert read_token(token, b"another key", stage.state, NOW) is None
    forged = token[:-1] + ("a" if token[-1] != "a" else "b")
    assert read_token(forged, key, stage.state, NOW) is None
    assert read_token(f"{forged} {token}", key, stage.state, NOW) == event


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ("YES\n", "yes"),
        ("\n  No!\n> YES\n", "no"),
        ("Nein, das war ich nicht", "no"),
        ("> Was this you?\n\nyes, in Rio.\n", "yes"),
        ("I do not know\nyes", None),
        ("> yes", None),
        ("", None),
    ],
)
def test_replies(body: str, answer: str | None) -> None:
    assert read_reply("Re: x", body)[1] == answer


@given(st.binary(max_size=300))
def test_any_reply(message: bytes) -> None:
    read_reply(*subject_and_text(message))


@pytest.mark.parametrize("mode", ["observe", "stop"])
def test_no_is_an_alarm(mode: str, run_admin: Program) -> None:
    token, settings = asked(run_admin), f"[logins]\nmode = '{mode}'\n[log]\nto = 'log'\n"
    reply = f"From: a@b\r\nSubject: =?utf-8?q?Re=3A?= Was this you? [{token}]\r\n\r\nNO\r\n".encode()
    assert run_admin(reply, "logins", "answer", settings=settings) == (0, "", "")
    assert ("alice@example.org" in run_admin(b"", "logins", "stopped").stdout) == (mode == "stop")
    events = run_admin(b"", "logins", "events", "--hours", "1e6").stdout
    assert "alarm denied for alice@example.org: the user says that it was somebody else" in events
    assert "answer no" in run_admin(b"", "logins", "audit").stdout
    assert run_admin(b"", "logins", "check", "--hours", "1e6").status == 2


def test_yes_teaches(run_admin: Program) -> None:
    token = asked(run_admin)
    assert run_admin(b"", "logins", "answer", token, "yes").status == 0
    state = State(run_admin.state)
    assert {(one.account, one.kind, one.value) for one in state.lessons(0)} == {
        ("alice@example.org", "countries", "BR"), ("alice@example.org", "systems", "AS64500"),
    }  # fmt: skip
    state.close()
    assert "[answer: yes]" in run_admin(b"", "logins", "events", "--hours", "1e6").stdout


def test_a_mail_that_is_no_answer_makes_no_bounce(run_admin: Program) -> None:
    token = asked(run_admin)
    settings = "[log]\nto = 'log'\n"
    for mail in (b"", b"\xff\x00", b"Subject: hello\r\n\r\nyes", f"Subject: [{token}]\r\n\r\nperhaps".encode()):
        assert run_admin(mail, "logins", "answer", settings=settings) == (0, "", "")
    assert run_admin(b"", "logins", "answer", token[:-4] + "aaaa", "yes").status == 1
    assert run_admin(b"", "logins", "audit").stdout == "nothing was done yet\n"


def asked(run_admin: Program) -> str:
    """The token of a question that was just mailed."""
    import time

    state = State(run_admin.state)
    (event,) = state.commit("follow", NOW, {"log": ""}, findings=[NOTICE._replace(time=time.time())])
    state.told(event)
    state.close()
    return make_token(event, read_key(run_admin.state))
