"""Lines of real servers, what must be left alone, the heads of lines, and any bytes."""

import json
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.logins.lines.login import Login
from email_report_processor.logins.lines.scan import MAX_LINE, Scanner
from email_report_processor.logins.lines.times import Clock
from email_report_processor.logins.rows import id_of
from tests.logins.logs import CLOCK, LOGS, documents, one, scan

HEAD = b"Nov 28 08:29:51 mail postfix/submission/smtpd[1]: "
LOGIN = b"A1: client=host.example.net[192.0.2.1], sasl_method=PLAIN, sasl_username=alice@example.org"


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
def test_golden(path: Path) -> None:
    expected = json.loads(path.with_suffix(".json").read_text("utf-8"))
    assert [list(one) for one in documents(path)] == expected


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
def test_lines_alone_or_together_are_the_same(path: Path) -> None:
    chunk = path.read_bytes()
    alone = [login for line in chunk.split(b"\n") for login in scan(line)]
    assert scan(chunk) == alone
    crlf = scan(chunk.replace(b"\n", b"\r\n"))
    assert [id_of(login) for login in crlf] == [id_of(login) for login in alone]


# The clients' own words


@pytest.mark.parametrize(
    "account",
    [
        b"alice smith@example.org",
        b"a, sasl_method=LOGIN, sasl_username=b@example.org",
        b"a]: SASL LOGIN authentication failed: x, sasl_username=b",
        "élise@example.org".encode(),
        b"Recipient address rejected",
        b"Quota per hour exceeded NOQUEUE: reject: RCPT",
    ],
)
def test_an_account_may_hold_anything(account: bytes) -> None:
    """(a) and (m) of the old tool: a blank ended in a traceback, words in a name hid the login."""
    login = one(HEAD + b"A1: client=h.example[192.0.2.1], sasl_method=PLAIN, sasl_username=" + account)
    assert (login.account, login.address) == (account.decode().lower(), "192.0.2.1")
    login = one(
        b"Nov 28 08:29:51 mail dovecot: imap-login: Login: user=<" + account + b">, method=PLAIN, rip=192.0.2.1, x"
    )
    assert (login.account, login.address) == (account.decode().lower(), "192.0.2.1")


def test_a_forwarded_client_is_believed_of_our_own_hosts_alone() -> None:
    """`orig_client=` stands behind the account, which a client chose."""
    tail = b", sasl_method=PLAIN, sasl_username=a@example.org, orig_client=x.example[198.51.100.9]"
    assert one(HEAD + b"A1: client=relay[10.0.0.5]" + tail)[7:8] == ("198.51.100.9",)
    forged = one(HEAD + b"A1: client=h.example[203.0.113.9]" + tail)
    assert (forged.address, forged.relay) == ("203.0.113.9", "")
    assert forged.account == "a@example.org, orig_client=x.example[198.51.100.9]"


def test_the_last_address_of_dovecot_counts() -> None:
    account = b"a>, method=PLAIN, rip=198.51.100.1, lip=x"
    line = (
        b"Nov 28 08:29:51 mail dovecot: imap-login: Login: user=<"
        + account
        + b">, method=PLAIN, rip=203.0.113.9, lip=y"
    )
    assert one(line).address == "203.0.113.9"


DOVECOT = b"Nov 28 08:29:51 mail dovecot: imap-login: "
QUOTED = b"Nov 28 08:29:51 mail postfix/cleanup[1]: A1: warning: header Subject: "


@pytest.mark.parametrize(
    "line",
    [
        QUOTED + LOGIN,  # a mail about logins
        QUOTED + b"x: warning: h[192.0.2.1]: SASL PLAIN authentication failed: no, sasl_username=a",
        QUOTED + b"imap-login: Login: user=<a>, method=PLAIN, rip=192.0.2.1, lip=x",
        HEAD + b"disconnect from host.example.net[192.0.2.1] ehlo=2 auth=1 commands=6",
        HEAD + b"A1: client=host.example.net[192.0.2.1]",
        DOVECOT + b"Disconnected: Connection closed (no auth attempts in 0 secs): user=<>, rip=192.0.2.1, lip=x",
        DOVECOT + b"Login aborted: Logged out (proxy_dest_connect_failed): user=<a>, method=PLAIN, rip=192.0.2.1, x",
        HEAD + b"NOQUEUE: reject: RCPT from h[192.0.2.1]: 554 5.7.1 <x@y>: Relay access denied; from=<a@b> to=<x@y>",
        HEAD + b"NOQUEUE: reject: RCPT from h[192.0.2.1]: 554 no; from=<a@b> to=<x@y> helo=<Quota per hour exceeded>",
        b"2026-11-28 08:30:08 1xXDou-00000l-1W <= a@example.org H=h [192.0.2.1] P=esmtp S=242 T=\" A=plain:a S=1\"",
        b"2026-11-28 08:30:08 1xXDou-00000l-1W => x <x@example.org> R=all T=box A=plain_server",
        LOGIN,  # no date
        b"Foo 28 08:29:51 mail postfix/smtpd[1]: " + LOGIN,
    ],
)  # fmt: skip
def test_what_is_no_login(line: bytes) -> None:
    assert scan(line) == []


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"UGFzc3dvcmQ6", ""),  # Password:
        (b"PDEyMy40QG1haWwuZXhhbXBsZT4=", ""),  # <123.4@mail.example>, of CRAM-MD5
        (b"authentication failure", "authentication failure"),
        (b"overload", "overload"),  # base64 by chance
        (b"", ""),
    ],
)
def test_a_challenge_is_no_reason(said: bytes, reason: str) -> None:
    line = HEAD + b"warning: h[192.0.2.1]: SASL LOGIN authentication failed: " + said + b", sasl_username=a"
    assert one(line).reason == reason


def test_lines_that_are_too_long_are_left_alone() -> None:
    assert scan(HEAD + LOGIN + b"x" * MAX_LINE) == []
    assert len(scan(HEAD + LOGIN + b"x" * 1000)) == 1


def test_the_texts_of_a_refusal_are_settings() -> None:
    line = (
        HEAD + b"NOQUEUE: reject: RCPT from h[192.0.2.1]: 450 4.7.1 <x@y>: slow down; from=<A@b> to=<x@y> proto=ESMTP"
    )
    assert Scanner().scan(line, CLOCK) == []
    (login,) = Scanner(("slow down",)).scan(line, CLOCK)
    assert (login.outcome, login.account) == ("quota", "a@b")
    assert Scanner(()).scan(line, CLOCK) == []


# Heads


def time_of(stamp: str, clock: Clock = CLOCK) -> datetime:
    return datetime.fromtimestamp(one(stamp.encode() + HEAD[15:] + LOGIN, clock).time, UTC)


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        ("Nov 28 08:29:51", "2026-11-28T08:29:51"),
        ("Nov  1 00:00:00", "2026-11-01T00:00:00"),
        ("Dec 24 08:00:00", "2025-12-24T08:00:00"),  # the file ends in November
        ("Nov 29 01:00:00", "2026-11-29T01:00:00"),  # a clock that is ahead
        ("Feb 29 12:00:00", "2024-02-29T12:00:00"),
        ("<22>Nov 28 08:29:51", "2026-11-28T08:29:51"),
        ("2026-11-28T08:29:51Z", "2026-11-28T08:29:51"),
        ("2026-11-28T08:29:51.123456+01:00", "2026-11-28T07:29:51.123456"),
        ("2026-11-28T08:29:51.123456789-0500", "2026-11-28T13:29:51.123457"),
        ("2026-11-28 08:29:51,5", "2026-11-28T08:29:51.500000"),
        ("2026-11-28 08:29:51 +0200", "2026-11-28T06:29:51"),
    ],
)
def test_times(stamp: str, expected: str) -> None:
    assert time_of(stamp) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_the_zone_of_dates_without_one() -> None:
    berlin = CLOCK._replace(zone=ZoneInfo("Europe/Berlin"))
    assert time_of("Jul  1 12:00:00", berlin) == datetime(2026, 7, 1, 10, tzinfo=UTC)
    assert time_of("2026-11-28 12:00:00", berlin) == datetime(2026, 11, 28, 11, tzinfo=UTC)


def test_new_year_within_a_log() -> None:
    clock = CLOCK._replace(end=datetime(2027, 1, 2, tzinfo=UTC).timestamp())
    assert time_of("Dec 31 23:59:59", clock).year == 2026
    assert time_of("Jan  1 00:00:01", clock).year == 2027


# Journald


def entry(message: object, **more: object) -> bytes:
    fields = {"__REALTIME_TIMESTAMP": "1795854591123456", "_HOSTNAME": "mail", "SYSLOG_PID": "7", **more}
    return json.dumps({"MESSAGE": message, "SYSLOG_IDENTIFIER": "postfix/smtpd", **fields}).encode()


def test_the_journal() -> None:
    """Messages that are not UTF-8 are arrays of numbers (systemd.journal-fields(7))."""
    raw = LOGIN + b"\xff"
    chunk = b"\n".join([entry(LOGIN.decode()), b"{broken", entry(None), entry(list(raw)), b"{}", b"[]", entry([999])])
    first, second = scan(chunk)
    assert (first.account, first.host, first.service) == ("alice@example.org", "mail", "smtp")
    assert first.time == pytest.approx(1795854591.123, abs=0.001)
    assert second.account == "alice@example.org\ufffd"


# Any bytes


PIECES = [
    b"Nov 28 08:29:51 mail ", b"2026-11-28T08:29:51Z mail ", b"postfix/smtpd[1]: ", b"dovecot: ", b"A1: client=",
    b"h[192.0.2.1]", b", sasl_method=", b", sasl_username=", b"warning: ", b": SASL x", b" authentication failed: ",
    b"imap-login: ", b"Login: ", b"user=<", b">, method=PLAIN, ", b"rip=::1", b" authenticator failed for ", b"[", b"]",
    b" A=", b" <= ", b": reject: ", b"Quota per hour exceeded", b"\n", b"{", b'"MESSAGE":[', b"\xff\x00",
    b"1xXDou-00000l-1W", b" H=", b" P=x", b" S=1",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=14).map(b"".join))
def test_nothing_raises(chunk: bytes) -> None:
    for login in scan(chunk):
        assert isinstance(login, Login)
        assert login.line in chunk or chunk.startswith(b"{")


@given(st.binary(max_size=300))
def test_any_account(raw: bytes) -> None:
    account = raw.replace(b"\n", b"").replace(b"\r", b"")
    login = one(HEAD + b"A1: client=h[192.0.2.1], sasl_method=PLAIN, sasl_username=" + account)
    assert login.address in {"192.0.2.1", ""}
