"""Logins at real servers: what Postfix and Dovecot write is what `logins` reads."""

import contextlib
from collections.abc import Callable, Iterator
from datetime import UTC
from pathlib import Path
from time import time

import pytest

from email_report_processor.logins.lines.login import Login
from email_report_processor.logins.lines.scan import Scanner
from email_report_processor.logins.lines.times import Clock
from tests.conftest import missing

from .box import wait_until
from .logins import Logins, plain
from .packages import UnavailableError
from .talk import session
from .wires import Sink

pytestmark = pytest.mark.postfix


@pytest.fixture(scope="module")
def server(sink: Sink) -> Iterator[Logins]:
    """Postfix and Dovecot."""
    try:
        logins = Logins(sink)
    except UnavailableError as reason:
        missing(str(reason))
    with contextlib.closing(logins):
        yield logins


def read(path: Path, number: int, head: bytes = b"") -> list[Login]:
    """The logins of a log, once there are so many."""

    def found() -> list[Login]:
        lines = [head + line for line in path.read_bytes().split(b"\n") if line]
        return Scanner().scan(b"\n".join(lines), Clock(time(), None if not head else UTC))

    wait_until(lambda: len(found()) >= number, lambda: f"not {number} logins: {path.read_text(errors='replace')}")
    return found()


def since(path: Path) -> Callable[[int], list[Login]]:
    """The logins that are new since now."""
    before = len(read(path, 0))
    return lambda number: read(path, before + number)[before:]


def message(server: Logins, service: str, account: str, extra: str = "", **xclient: str) -> None:
    """A message by somebody who logs in."""
    smtp = server.smtp(service, **xclient)
    assert smtp.docmd("AUTH", "PLAIN " + plain(account))[0] == 235
    assert smtp.docmd("MAIL", f"FROM:<{account.replace(' ', '.')}>{extra}")[0] == 250
    assert smtp.docmd("RCPT", "TO:<x@sink.example>")[0] == 250
    smtp.data(b"Subject: x\r\n\r\nhello\r\n")
    smtp.quit()


def test_postfix(server: Logins) -> None:
    new = since(server.postfix_log)
    message(server, "submission", "alice@example.org", addr="192.0.2.1", name="host.example.net")
    message(server, "submission", "alice@example.org", addr="IPV6:2001:db8::25", name="[UNAVAILABLE]")
    message(server, "smtps", "alice smith@example.org", addr="198.51.100.7", name="[TEMPUNAVAIL]", port="52123")
    message(server, "smtp", "alice@example.org", " AUTH=boss@example.org", addr="198.51.100.7", name="a.example")
    one, two, three, four = new(4)
    assert (one.account, one.address, one.name, one.service) == (
        "alice@example.org", "192.0.2.1", "host.example.net", "submission",
    )  # fmt: skip
    assert (two.address, two.name) == ("2001:db8::25", "")
    assert (three.account, three.service, three.port) == ("alice smith@example.org", "smtps", 52123)
    assert (four.sender, four.service, four.account) == ("boss@example.org", "smtp", "alice@example.org")
    assert {login.outcome for login in (one, two, three, four)} == {"success"}
    assert all(abs(login.time - time()) < 60 for login in (one, two, three, four))


def test_postfix_failures(server: Logins) -> None:
    """A wrong password, and a mechanism that there is not, where nobody has said a name."""
    new = since(server.postfix_log)
    smtp = server.smtp("submission", addr="203.0.113.9", name="bad.example")
    assert smtp.docmd("AUTH", "PLAIN " + plain("alice@example.org", "wrong"))[0] == 535
    smtp.close()
    smtp = server.smtp("submission", addr="203.0.113.10", name="bad.example")
    assert smtp.docmd("AUTH", "CRAM-MD5")[0] == 535
    smtp.close()
    named, nameless = new(2)
    assert (named.account, named.address, named.method, named.outcome) == (
        "alice@example.org", "203.0.113.9", "PLAIN", "failure",
    )  # fmt: skip
    assert (nameless.account, nameless.address, nameless.method) == ("", "203.0.113.10", "CRAM-MD5")


def test_postfix_behind_a_proxy(server: Logins) -> None:
    new = since(server.postfix_log)
    smtp = server.smtp("smtp")
    assert smtp.docmd("XFORWARD", "NAME=orig.example ADDR=203.0.113.200 IDENT=ABC123")[0] == 250
    assert smtp.docmd("AUTH", "PLAIN " + plain("carol@example.org"))[0] == 235
    smtp.sendmail("carol@example.org", ["x@sink.example"], b"Subject: y\r\n\r\nz\r\n")
    smtp.quit()
    (login,) = new(1)
    assert (login.account, login.address, login.relay) == ("carol@example.org", "203.0.113.200", "127.0.0.1")


def test_dovecot(server: Logins) -> None:
    """Each service, from the address that a trusted proxy names; then a wrong password."""
    before = len(read(server.dovecot_log, 0, DATE))
    with session(server.ports["imap"]) as imap:
        imap.say('a ID ("x-originating-ip" "192.0.2.55")')
        assert "b OK" in imap.say("b LOGIN {17+}\r\nalice@example.org secret")
    with session(server.ports["pop3"]) as pop3:
        pop3.say("XCLIENT ADDR=2001:db8::56 PORT=99")
        pop3.say("USER alice smith@example.org")
        assert "+OK" in pop3.say("PASS secret")
    with session(server.ports["managesieve"]) as sieve:
        sieve.say("XCLIENT ADDR=192.0.2.57 PORT=99")
        assert "OK" in sieve.say(f'AUTHENTICATE "PLAIN" "{plain("alice@example.org")}"')
    with session(server.ports["imap"]) as imap:
        imap.say('a ID ("x-originating-ip" "192.0.2.58")')
        assert "b NO" in imap.say("b LOGIN bob@example.org wrong")
    found = {login.service + login.address: login for login in read(server.dovecot_log, before + 4, DATE)[before:]}
    assert found["imap192.0.2.55"].account == "alice@example.org"
    assert found["pop32001:db8::56"].account == "alice smith@example.org"
    assert found["managesieve192.0.2.57"].outcome == "success"
    failed = found["imap192.0.2.58"]
    assert (failed.account, failed.outcome, failed.attempts) == ("bob@example.org", "failure", 1)


DATE = b"2026-11-28T08:00:00Z mail dovecot: "  # `log_timestamp` of the test is empty: what syslog puts in front
