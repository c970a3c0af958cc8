"""Postfix with the real program and the real store: .forward, aliases, pipe(8) with and without a copy."""

import base64
import contextlib
import email.policy
import mailbox
from collections import Counter
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser import browser, load
from tests.conftest import missing

from . import messages, promises, stand_in
from .behind import Behind
from .box import CONFIG, STATE, wait_until
from .dovecot import run_as_dmarc
from .listener import CHECKS, ByLmtp
from .packages import UnavailableError
from .postfix import ARCHIVE, LMTP, TRAP, WAYS, Postfix
from .wires import Sink

pytestmark = pytest.mark.postfix
__all__ = ["browser"]  # a fixture
ADMIN = "/opt/email-report-processor/bin/email-report-admin"


@pytest.fixture(scope="module")
def server(sink: Sink) -> Iterator[Postfix]:
    """Postfix with every example."""
    try:
        postfix = Postfix(sink)
    except UnavailableError as reason:
        missing(str(reason))
    with contextlib.closing(postfix):
        yield postfix


@pytest.mark.parametrize("way", [way for way in WAYS if way != "copy"])
@pytest.mark.parametrize("check", promises.CHECKS, ids=lambda check: check.__name__)
def test_promise(check: promises.Check, way: str, server: Postfix, behind: Behind) -> None:
    promises.run(check, server, behind, WAYS[way])


def test_killed_fifty_times(server: Postfix, behind: Behind) -> None:
    promises.run(promises.killed, server, behind, WAYS["pipe"])


@pytest.mark.parametrize("way", ["pipe", "forward"])
def test_ended_while_it_writes(server: Postfix, behind: Behind, way: str) -> None:
    promises.run(partial(promises.cut_short, times=4), server, behind, WAYS[way])


@pytest.mark.long
@pytest.mark.timeout(3600)  # 60 to 300 s on an idle machine
@pytest.mark.parametrize("way", ["pipe", "forward"])
def test_ended_a_hundred_times_while_it_writes(server: Postfix, behind: Behind, way: str) -> None:
    promises.run(partial(promises.cut_short, times=100), server, behind, WAYS[way])


def test_two_recipients_of_one_message_are_stored_once(server: Postfix, behind: Behind) -> None:
    behind.configure(server.box)
    server.deliver(messages.report(rows=4), WAYS["forward"], WAYS["aliases"], WAYS["pipe"])
    assert server.waiting() == 0
    assert len(behind.documents()) == 5
    assert server.sink.messages == []


def test_the_address_decides_between_tenants(server: Postfix, behind: Behind) -> None:
    """local(8) says ORIGINAL_RECIPIENT, for .forward and for aliases; pipe(8) what its command line is told to."""
    tenants = "".join(
        f'[[tenants]]\nname = "{name}"\nrecipients = ["{WAYS[name]}"]\n'
        f'[tenants.store]\nindex_prefix = "{behind.prefix}{name}-"\n'
        for name in ("forward", "aliases", "pipe")
    )
    all_of_them, behind.prefix = behind.prefix, f"{behind.prefix}site-"
    behind.configure(server.box, more=tenants)
    behind.prefix = all_of_them
    for way in ("forward", "aliases", "pipe"):
        server.deliver(messages.report(rows=2), WAYS[way])
    assert server.waiting() == 0
    found = Counter(one.index.removeprefix(behind.prefix).partition("-")[0] for one in behind.documents())
    assert found == {"forward": 3, "aliases": 3, "site": 3}
    service = server.box.path("/etc/postfix/master.cf")
    before = service.read_text("utf-8")
    line = "argv=/usr/local/bin/email-report-processor-pipe\n"
    assert line in before
    service.write_text(before.replace(line, f"{line.rstrip()} --recipient=${{original_recipient}}\n", 1), "utf-8")
    try:
        server.box.run("postfix", "reload")
        server.deliver(messages.report(rows=2), WAYS["pipe"])
    finally:
        service.write_text(before, "utf-8")
        server.box.run("postfix", "reload")
    assert len(behind.node.documents(f"{behind.prefix}pipe-*")) == 3
    assert server.sink.messages == []


def test_the_queue_shows_what_waits(server: Postfix, behind: Behind) -> None:
    behind.configure(server.box, deadline=1)
    behind.gate.close()
    server.deliver(messages.report(), WAYS["pipe"])
    (waiting,) = server.queue()
    assert waiting["queue_name"] == "deferred"
    assert waiting["recipients"][0]["address"] == "filter@email-report.invalid"
    assert stand_in.SECRET not in str(waiting)
    behind.gate.open()
    behind.configure(server.box)
    server.retry()
    assert server.queue() == []


def test_with_a_copy(server: Postfix, behind: Behind) -> None:
    promises.run(promises.store_down, server, behind, WAYS["copy"])


def test_a_retry_makes_no_second_copy(server: Postfix) -> None:
    mailbox = server.box.path(ARCHIVE)
    mailbox.unlink(missing_ok=True)
    stand_in.install(server.box, "exit 1")
    server.deliver(messages.plain(), WAYS["copy"])
    server.retry()
    stand_in.install(server.box, "good")
    server.retry()
    assert server.waiting() == 0
    assert mailbox.read_bytes().count(promises.BODY) == 1
    stand_in.remove(server.box)


def test_the_sink_catches_a_bounce(server: Postfix) -> None:
    """Without the wrapper and without owner-: what the reporter would get. The proof that the other tests look."""
    server.box.write("/home/alice/.forward", "\"|/usr/bin/sh -c 'echo S3CRET; exit 65'\"\n")
    server.deliver(messages.report(), "alice@example.org")
    wait_until(lambda: bool(server.sink.messages), "no bounce")
    assert b"S3CRET" in server.sink.messages[0]
    server.sink.messages.clear()
    server.box.path("/home/alice/.forward").unlink()


def test_a_spam_trap(server: Postfix, behind: Behind) -> None:
    """Spam becomes a document, once for however many copies; a report is a report; nothing is kept or bounced."""
    behind.configure(server.box, more='[site]\nown_domains = ["example.org"]\n')
    spam = messages.spoof()
    for message in (spam, spam, messages.report(rows=3)):
        server.deliver(message, TRAP)
    assert server.waiting() == 0
    found = [one.source for one in behind.documents()]
    assert Counter(one["event"]["dataset"] for one in found) == {"dmarc-failure": 1, "report": 2, "dmarc-aggregate": 3}
    (failure,) = [one for one in found if one["event"]["dataset"] == "dmarc-failure"]
    assert failure["report"] | failure["feedback"] | {"class": failure["class"]} == {
        "feed": "spamtrap",
        "feed_kind": "spamtrap",
        "format": "rfc5322",
        "authentication": "unchecked",
        "received": failure["report"]["received"],
        "reported_domain": ["example.org"],
        "class": "spoof",
        "original_mail_from": messages.REPORTER,
        "original_rcpt_to": [TRAP],
    }
    assert server.sink.messages == []


@pytest.fixture(scope="module")
def by_lmtp(server: Postfix) -> ByLmtp:
    """The same, and the listener."""
    return ByLmtp(server)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_promise_by_lmtp(check: promises.Check, by_lmtp: ByLmtp, behind: Behind) -> None:
    promises.run(check, by_lmtp, behind, LMTP)


@pytest.mark.long
def test_killed_fifty_times_by_lmtp(by_lmtp: ByLmtp, behind: Behind) -> None:
    promises.run(promises.killed, by_lmtp, behind, LMTP)


def test_init_sends_itself_a_report(server: Postfix) -> None:
    """`email-report-admin init --test`: by sendmail, through Postfix and the wrapper, into the embedded store."""
    box = server.box
    box.run("rm", "-f", CONFIG)
    program = "/opt/email-report-processor/bin/email-report-admin"
    words = ["init", "--yes", "--no-dns", "--domain", "example.org", "--address", WAYS["pipe"], "--test"]
    done = box.run(program, *words, check=False)
    said = done.stdout.decode()
    assert (done.returncode, "it came through the mail server" in said) == (0, True), (said, server.log())
    assert f"postfix-pipe.sh {WAYS['pipe']}" in said
    found = box.run("stat", "-c", "%U:%G:%a", CONFIG).stdout
    assert found == b"root:email-report:640\n"
    box.run("rm", "-rf", CONFIG, f"{STATE}/reports.sqlite")


def test_init_says_what_does_not_arrive(server: Postfix) -> None:
    words = ["init", "--yes", "--no-dns", "--domain", "example.org", "--address", "alice@example.org", "--test"]
    program = "/opt/email-report-processor/bin/email-report-admin"
    done = server.box.run(program, *words, "--wait", "1", check=False)
    assert done.returncode == 1
    assert b"is not in the store after 1 s" in done.stdout
    server.box.run("rm", "-rf", CONFIG)


# What `digest` and `alert` send


_TOLD = """
[store]
index_prefix = "demo-email-report-"
[alerts]
mail_to = ["alice@example.org"]
mail_from = "reports@example.org"
{more}
"""


def made_up(server: Postfix) -> None:
    """Three weeks of reports; once more they change nothing."""
    server.box.write(CONFIG, "")
    made = run_as_dmarc(server.box, ADMIN, "demo", "--weeks", "3")
    assert made.returncode == 0, made.stderr


def read_mail(server: Postfix) -> list[EmailMessage]:
    """What is in alice's mailbox, as a mail client reads it."""
    server.settle()
    path = server.box.path(ARCHIVE)
    if not path.exists():
        return []
    with contextlib.closing(mailbox.mbox(path, create=False)) as box:
        read = [message_from_bytes(bytes(one), policy=email.policy.default) for one in box]
    return [one for one in read if isinstance(one, EmailMessage)]


def shown(message: EmailMessage) -> str:
    """Its HTML with the pictures that it brings along, as a mail client shows it."""
    html = message.get_body(("html",))
    assert html is not None
    text = str(html.get_content())
    for part in message.walk():
        if part.get_content_type() == "image/png":
            data = base64.b64encode(part.get_content()).decode()
            text = text.replace(f"cid:{part['Content-ID'].strip('<>')}", f"data:image/png;base64,{data}")
    assert "cid:" not in text
    return text


def test_the_digest_arrives_and_can_be_looked_at(server: Postfix, browser: Browser, tmp_path: Path) -> None:
    """Handed to sendmail by the program's user, delivered by Postfix, and drawn by Chromium without a request."""
    server.box.path(ARCHIVE).unlink(missing_ok=True)
    made_up(server)
    server.box.write(CONFIG, _TOLD.format(more=""))
    done = run_as_dmarc(server.box, ADMIN, "digest", "--always")
    assert done.returncode == 0, done.stderr
    (message,) = read_mail(server)
    assert (message["To"], message["Auto-Submitted"]) == ("alice@example.org", "auto-generated")
    assert message["Return-Path"] == "<reports@example.org>"
    file = tmp_path / "digest.html"
    file.write_text(shown(message), encoding="utf-8")
    page, told = load(browser, file.as_uri(), width=800)
    assert [one for one in told if not one.startswith("data:")] == []
    assert "message" in page.inner_text("body")
    assert page.evaluate("document.documentElement.scrollWidth") <= 800
    pictures = page.evaluate("[...document.images].map(one => [one.naturalWidth, one.alt])")
    assert len(pictures) == 2
    assert all(width > 100 and alt for width, alt in pictures)
    phone, _ = load(browser, file.as_uri(), width=380)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 400
    page.screenshot(path=tmp_path / "digest.png", full_page=True)


def test_an_alert_arrives_once(server: Postfix) -> None:
    """By SMTP this time; the event lasts, and is not told again."""
    server.box.path(ARCHIVE).unlink(missing_ok=True)
    run_as_dmarc(server.box, "rm", "-f", f"{STATE}/alerts.json")
    made_up(server)
    server.box.write(CONFIG, _TOLD.format(more=f'smtp = "127.0.0.1:{server.port}"'))
    for _ in range(2):
        told = run_as_dmarc(server.box, ADMIN, "alert")
        assert told.returncode == 0, told.stderr
    (message,) = read_mail(server)
    assert "TLS sessions to example.net failed." in str(message.get_content())
    assert message["Subject"].startswith("Warning: ")
    assert message["Auto-Submitted"] == "auto-generated"
