"""`abuse …`, as a person types it: drafts, looking, sending by sendmail, what came back, the league."""

import io
import json
import sys
from contextlib import closing
from email import message_from_bytes
from pathlib import Path

import pytest

from email_report_processor.admin import command
from email_report_processor.admin.abuse import shown
from email_report_processor.stores import kept
from email_report_processor.stores.opening import open_store
from email_report_processor.stores.store import Store
from tests.conftest import Outcome, Program
from tests.desk.test_replies import dsn
from tests.desk.world import failure

SENDMAIL = """#!/bin/sh
cat > "$0.$(ls "$0".* 2>/dev/null | wc -l).mail"
echo "$@" >> "$0.arguments"
"""
SETTINGS = """
[abuse]
sender = "abuse@example.org"
reply_to = "abuse-reply@example.org"
lookup = []
auto = ["wire"]
[alerts]
sendmail = "{sendmail}"
[site]
own_domains = ["example.org"]
[contacts]
AS64500 = "abuse@us-net.example"
"203.0.113.0/24" = "https://form.example/abuse"
[searches]
wire = "class:spoof ip:192.0.2.9 -reported"
"""
ALL = "class:spoof -reported"


@pytest.fixture
def sendmail(tmp_path: Path) -> Path:
    path = tmp_path / "sendmail"
    path.write_text(SENDMAIL)
    path.chmod(0o755)
    return path


class Admin:
    """email-report-admin within this process: a start of Python for each call would be most of the time."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.state = directory / "state"
        self.settings = directory / "settings.toml"
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def __call__(self, stdin: bytes, name: str, *arguments: str, settings: str | None = None) -> Outcome:
        if settings is not None:
            self.settings.write_text(settings)
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        status = command.main([name, f"--config={self.settings}", f"--state={self.state}", *arguments])
        said = self._capsys.readouterr()
        return Outcome(status, said.out, said.err)


@pytest.fixture
def admin(tmp_path: Path, sendmail: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Admin:
    """With three spoofs of one network, one of another that has a web form alone, and one of nobody's."""
    made = Admin(tmp_path, capsys, monkeypatch)
    with closing(store_of(made)) as store:
        store.write([failure(number, f"192.0.2.{number}") for number in range(1, 4)])
        store.write([failure(4, "203.0.113.4"), failure(5, "198.51.100.9", {"source.as.number": 64999})])
    made.settings.write_text(SETTINGS.format(sendmail=sendmail))
    return made


def store_of(admin: Admin) -> Store:
    admin.state.mkdir(exist_ok=True)
    return open_store(f"sqlite:{admin.state / 'reports.sqlite'}")


def ok(admin: Admin, *arguments: str, stdin: bytes = b"") -> str:
    done = admin(stdin, "abuse", *arguments)
    assert done.status == 0, done.stderr
    return done.stdout


def token_of(admin: Admin) -> str:
    return ok(admin, "drafts").splitlines()[1].split()[0]


def mails(sendmail: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(sendmail.parent.glob("sendmail.*.mail"))]


def test_from_a_query_to_a_dead_contact(admin: Admin, sendmail: Path) -> None:
    said = ok(admin, "prepare", ALL)
    assert "abuse@us-net.example" in said
    assert "reports only by the web form https://form.example/abuse" in said
    assert "name one in [contacts]" in said
    assert "reported already, or in a draft" in ok(admin, "prepare", ALL)
    token = token_of(admin)
    waits = admin(b"", "abuse", "send", token)
    assert (waits.status, "nobody looked at it" in waits.stdout) == (1, True), "it was to leave, and did not"
    assert "nobody looked at it" in ok(admin, "send", "--all"), "all that somebody looked at: none"
    assert mails(sendmail) == []
    assert "Feedback-Type: fraud" in ok(admin, "show", token)
    assert "sent" in ok(admin, "send", "--all")
    (raw,) = mails(sendmail)
    assert message_from_bytes(raw)["To"] == "abuse@us-net.example"
    arguments = (sendmail.parent / "sendmail.arguments").read_text().split()
    assert arguments == ["-i", "-f", f"abuse-reply+{token}@example.org", "--", "abuse@us-net.example"]
    assert ok(admin, "drafts").startswith("no drafts")
    (report,) = [json.loads(line) for line in ok(admin, "reports", "--json").splitlines()]
    assert (report["token"], report["state"], report["count"]) == (token, "sent", 3)
    assert ok(admin, "reports", "--message", report["documents"][0]).splitlines()[1].split()[0] == token

    bounce = dsn("5.1.1", "550 unknown", final="abuse@us-net.example", to=f"abuse-reply+{token}@example.org")
    assert "bounced: dead" in ok(admin, "answers", "-", stdin=bounce)
    assert "bounced: dead" in ok(admin, "answers", "-", stdin=bounce)
    assert ok(admin, "contacts").splitlines()[1].split()[:4] == ["abuse@us-net.example", "dead", "1", "0"]
    assert len(json.loads(ok(admin, "reports", "--json"))["events"]) == 3
    assert "cannot be reached" in ok(admin, "prepare", ALL)
    (row,) = json.loads(ok(admin, "league", "--json"))["figures"][0]["rows"]
    assert row[:4] == ["US Net", "AS64500", "US", 1]
    assert "US Net" in ok(admin, "league")
    page = sendmail.parent / "pages/league.html"
    ok(admin, "league", "--html", str(page))
    assert "US Net" in page.read_text()


def test_the_word_reported_in_other_commands(admin: Admin) -> None:
    ok(admin, "prepare", ALL)
    ok(admin, "show", token_of(admin))
    ok(admin, "send", "--all")
    assert len(admin(b"", "search", "--json", "class:spoof reported").lines) == 3
    assert len(admin(b"", "search", "--json", "class:spoof -reported").lines) == 2
    assert admin(b"", "campaigns", "reported ip:192.0.2.1").stdout.startswith("1 messages, and no three of them")


def test_a_daily_limit_is_told_by_the_status(admin: Admin, sendmail: Path) -> None:
    admin.settings.write_text(admin.settings.read_text().replace("lookup = []", "lookup = []\ncontact_daily = 0"))
    ok(admin, "prepare", ALL)
    ok(admin, "show", token_of(admin))
    done = admin(b"", "abuse", "send", "--all")
    assert (done.status, "within 24 hours" in done.stdout, mails(sendmail)) == (1, True, [])


SPAM = b"""Received: from evil.example (evil.example [192.0.2.77])
\tby mx.example.net with ESMTP for <anna@example.net>; Sat, 28 Nov 2026 10:00:00 +0000
From: Lottery <win@lottery.example>
To: anna@example.net
Subject: You won
Message-ID: <x@lottery.example>

Click https://win.lottery.example/?u=anna@example.net
"""


def test_spam_that_somebody_got(admin: Admin, tmp_path: Path) -> None:
    """Lafayette's /reportspam on the command line: one message becomes drafts, and can be found afterwards."""
    admin.settings.write_text(admin.settings.read_text().replace("AS64500 =", '"192.0.2.0/24" ='))
    (tmp_path / "spam.eml").write_bytes(SPAM)
    assert "abuse@us-net.example" in ok(admin, "prepare", "--eml", str(tmp_path / "spam.eml"))
    shown = ok(admin, "show", token_of(admin))
    assert "Feedback-Type: abuse" in shown
    assert "Source-IP: 192.0.2.77" in shown
    assert "anna" not in shown
    assert "reported already, or in a draft" in ok(admin, "prepare", "--eml", "-", stdin=SPAM)
    assert (
        len(admin(b"", "search", "--json", "feed:pasted dataset:dmarc-failure or feed:pasted dataset:arf").lines) == 1
    )
    nothing = admin(b"", "abuse", "prepare", "--eml", "-")
    assert (nothing.status, "nothing of it can be reported" in nothing.stderr) == (1, True)
    assert admin(b"", "abuse", "prepare", "--eml", "-", ALL).status == 2


def test_copies_that_are_asked_for(admin: Admin, sendmail: Path) -> None:
    ok(admin, "prepare", ALL, "--copy-to", "feed@copies.example", "--copy-to", "other@copies.example")
    ok(admin, "show", token_of(admin))
    ok(admin, "send", "--all")
    to = [line.split()[-1] for line in (sendmail.parent / "sendmail.arguments").read_text().splitlines()]
    assert to == ["abuse@us-net.example", "feed@copies.example", "other@copies.example"]
    assert len(set(mails(sendmail))) == 1, "the same as it went out"
    assert admin(b"", "abuse", "prepare", ALL, "--copy-to", "nobody").status == 2


def test_without_a_query_the_usual_one_is_meant(admin: Admin) -> None:
    assert admin(b"", "abuse", "prepare").status == 0


def test_a_bounce_of_a_member_of_an_alias_leaves_the_contact(admin: Admin) -> None:
    ok(admin, "prepare", ALL)
    token = token_of(admin)
    ok(admin, "show", token)
    ok(admin, "send", token)
    to = f"abuse-reply+{token}@example.org"
    gone = dsn("5.1.1", "550 unknown", final="tom@us-net.example", original="abuse@us-net.example", to=to)
    assert "bounced: member" in ok(admin, "answers", "-", stdin=gone)
    assert ok(admin, "contacts").splitlines()[1].split()[:4] == ["abuse@us-net.example", "open", "1", "0"]
    report = json.loads(ok(admin, "reports", "--json"))
    assert (report["state"], report["events"][-1]["sender"]) == ("sent", "tom@us-net.example")
    assert len(admin(b"", "search", "--json", "class:spoof reported").lines) == 3, "others may have got it"
    ok(admin, "answers", "-", stdin=dsn("5.1.1", "550 unknown", final="abuse@us-net.example", to=to, id_="second"))
    assert ok(admin, "contacts").splitlines()[1].split()[1] == "dead"


def test_what_the_filter_kept(admin: Admin, run_filter: Program) -> None:
    """The way of a mail server's alias: `--feed abuse-replies`; the desk reads it later."""
    ok(admin, "prepare", ALL)
    token = token_of(admin)
    ok(admin, "show", token)
    ok(admin, "send", token)
    settings = admin.settings.read_text()
    ours = dsn("5.2.2", "552 full", final="abuse@us-net.example", to=f"abuse-reply+{token}@example.org")
    forged = dsn("5.1.1", "550 unknown", to=f"abuse-reply+{'a' * 20}@example.org")
    other = b"From: a@b.example\nTo: abuse-reply@example.org\n\nBuy this\n"
    for raw in (ours, ours, forged, other):
        assert run_filter(raw, "--feed=abuse-replies", settings=settings).status == 0
    maildir = kept.directory(admin.state)
    assert [one.category for one in kept.listing(maildir)] == ["reply"] * 3
    assert len(admin(b"", "search", "--json", "dataset:arf").lines) == 0, "nothing in it was taken for a report"
    assert "0 stored and removed, 0 still kept" in admin(b"", "kept", "--retry").stdout
    assert ok(admin, "answers").count("none of ours") == 2
    assert sorted(one.category for one in kept.listing(maildir)) == ["no-report", "no-report"]
    assert ok(admin, "answers") == "no replies\n"
    (report,) = [json.loads(line) for line in ok(admin, "reports", "--json").splitlines()]
    assert [one["outcome"] for one in report["events"]] == ["", "", "full"]


def test_a_saved_search_that_sends_by_itself(admin: Admin, sendmail: Path) -> None:
    with closing(store_of(admin)) as store:
        store.write([failure(9, "192.0.2.9")])
    assert "wire: 1 prepared" in ok(admin, "auto")
    assert len(mails(sendmail)) == 1
    assert "wire: 0 prepared" in ok(admin, "auto")
    assert len(mails(sendmail)) == 1


@pytest.mark.parametrize("terminal", [True, False])
def test_no_search_that_sends_by_itself(admin: Admin, monkeypatch: pytest.MonkeyPatch, terminal: bool) -> None:
    """Somebody at a terminal hears why nothing happens; a timer stays silent."""
    admin.settings.write_text(admin.settings.read_text().replace('auto = ["wire"]', ""))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    assert ("[abuse] auto names no saved search" in ok(admin, "auto")) == terminal


def test_closing(admin: Admin) -> None:
    ok(admin, "prepare", ALL)
    token = token_of(admin)
    ok(admin, "close", token, "dropped", "--why", "a test")
    assert ok(admin, "drafts").startswith("no drafts")
    assert json.loads(ok(admin, "reports", "--json"))["state"] == "closed"


def test_maildirs_and_mboxes_of_answers(admin: Admin, tmp_path: Path) -> None:
    ok(admin, "prepare", ALL)
    token = token_of(admin)
    ok(admin, "show", token)
    ok(admin, "send", token)
    answer = f"From: noc@us-net.example\nTo: abuse-reply+{token}@example.org\nMessage-ID: <%d@x.example>\n\n%s\n"
    (tmp_path / "answers/new").mkdir(parents=True)
    (tmp_path / "answers/new/1").write_text(answer % (1, "Which host?"))
    mbox = f"From a@b.example Sat Nov 28 08:00:00 2026\n{answer % (2, 'It is fixed.')}\n"
    (tmp_path / "mbox").write_text(mbox + mbox.replace("<2@", "<3@"))
    said = ok(admin, "answers", str(tmp_path / "answers"), str(tmp_path / "mbox"))
    assert said.count("answered: person") == 1
    assert said.count("answered: solved") == 2
    assert json.loads(ok(admin, "reports", "--json"))["state"] == "solved"


@pytest.mark.parametrize(
    ("arguments", "status", "why"),
    [
        (("send",), 2, "--all"),
        (("send", "a" * 20), 1, "no such draft"),
        (("show", "../key"), 1, "no token"),
        (("close", "a" * 20, "solved"), 1, "no token of a report"),
        (("prepare", "--campaign", "nobody", ALL), 1, "no campaign nobody"),
        (("prepare", "count:many"), 2, "write a number"),
        (("answers", "/nonexistent/there"), 75, "nonexistent"),
    ],
)
def test_mistakes(admin: Admin, arguments: tuple[str, ...], status: int, why: str) -> None:
    done = admin(b"", "abuse", *arguments)
    assert (done.status, why in done.stderr) == (status, True), done.stderr


def test_settings_that_are_wrong(admin: Admin) -> None:
    settings = admin.settings.read_text()
    for wrong, why in (("lookup = []", "lookup"), ('AS64500 = "abuse@us-net.example"', "contacts")):
        broken = settings.replace(wrong, 'lookup = ["whois"]' if why == "lookup" else 'AS64500 = "nobody"')
        done = admin(b"", "abuse", "prepare", ALL, settings=broken)
        assert (done.status, why in done.stderr) == (2, True), done.stderr


def test_a_terminal_does_nothing_that_a_stranger_wrote() -> None:
    text = "Subject: \x1b]0;owned\x07 \x1b[2J\u202e x\n\nBody\tof it\n"
    assert shown(text, terminal=False) == text
    plain = shown(text, terminal=True)
    assert not set(plain) & set("\x1b\x07\u202e")
    assert "\n\nBody" in plain
