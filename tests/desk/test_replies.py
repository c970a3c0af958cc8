"""What comes back: bounces of real mail servers' forms, answers, tickets, machines, forms; nothing of it raises."""

from email.message import EmailMessage
from email.policy import SMTP

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.desk.replies import Reply, about, believed, read_reply
from email_report_processor.desk.tokens import find, is_ours, make_token
from tests.desk.world import NOW
from tests.linear import assert_linear

KEY = b"k" * 32
TOKEN = make_token(KEY, "abuse@network.example", ["1"])
TO = f"abuse-reply+{TOKEN}@example.org"


def test_tokens() -> None:
    assert is_ours(TOKEN, KEY)
    assert is_ours(TOKEN.upper(), KEY)
    assert not is_ours(TOKEN, b"another key of 32 bytes.........")
    assert not is_ours(TOKEN[:-1] + ("a" if TOKEN[-1] != "a" else "b"), KEY)
    assert make_token(KEY, "abuse@network.example", ["1"]) == TOKEN
    others = [("other@network.example", ["1"], 0), ("abuse@network.example", ["1", "2"], 0)]
    assert TOKEN not in {make_token(KEY, *one) for one in [*others, ("abuse@network.example", ["1"], 1)]}
    assert find(f"x {'a' * 20} <{TO}>", KEY) == TOKEN
    assert find(f"x{TOKEN}", KEY) == ""


@given(st.text(max_size=60))
def test_nobody_makes_a_token(text: str) -> None:
    assert find(text, KEY) == ""


def mail(body: str = "", *, to: str = TO, subject: str = "Re: Fraud report", **fields: str) -> bytes:
    """A message of the network; fields: further ones, _ for -."""
    made = EmailMessage()
    made["From"] = "NOC <noc@network.example>"
    made["To"] = to
    made["Subject"] = subject
    made["Date"] = "Sat, 28 Nov 2026 08:00:00 +0000"
    made["Message-ID"] = "<answer@network.example>"
    for name, value in fields.items():
        made[name.replace("_", "-")] = value
    made.set_content(body)
    return made.as_bytes(policy=SMTP)


def read(raw: bytes) -> Reply:
    found = read_reply(raw, KEY)
    assert found is not None
    return found


# Bounces


CONTACT = "abuse@network.example"


def dsn(
    status: str,
    reason: str,
    action: str = "failed",
    final: str = CONTACT,
    to: str = TO,
    original: str = "",
    id_: str = "bounce",
) -> bytes:
    """As Postfix writes it, with our report in it."""
    return f"""Return-Path: <>
Received: by mx.example.org; Sat, 28 Nov 2026 08:30:00 +0000
Date: Sat, 28 Nov 2026 08:29:00 +0000
From: MAILER-DAEMON@mx.example.org (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: {to}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"
Message-Id: <{id_}@mx.example.org>

--b
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mx.example.org.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org
Arrival-Date: Sat, 28 Nov 2026 08:00:00 +0000

Final-Recipient: rfc822; {final}
Original-Recipient: rfc822;{original or final}
Action: {action}
Status: {status}
Remote-MTA: dns; mail.network.example
Diagnostic-Code: smtp; {reason}

--b
Content-Type: message/rfc822

From: abuse@example.org
Message-ID: <abuse.{TOKEN}@example.org>
Subject: Fraud report
Content-Type: multipart/report; report-type=feedback-report; boundary="c"

--c
Content-Type: message/feedback-report

Feedback-Type: fraud
Source-IP: 192.0.2.1

--c--
--b--
""".encode()


@pytest.mark.parametrize(
    ("status", "reason", "outcome"),
    [
        ("5.1.1", "550 5.1.1 <abuse@network.example>: user unknown", "dead"),
        ("5.1.2", "Host or domain name not found", "dead"),
        ("5.1.10", "556 5.1.10 null MX", "dead"),
        ("5.2.1", "550 5.2.1 mailbox disabled", "dead"),
        ("5.0.0", "550 no such user here", "dead"),
        ("5.2.2", "552 5.2.2 mailbox full", "full"),
        ("5.0.0", "552 over quota", "full"),
        ("5.7.1", "550 5.7.1 message contains spam", "refused"),
        ("5.7.26", "550 5.7.26 policy", "refused"),
        ("5.3.4", "552 5.3.4 too big", "refused"),
        ("", "554 denied by policy", "refused"),
        ("4.4.1", "connect to mail.network.example: Connection timed out", "unreachable"),
        ("5.4.4", "unrouteable", "unreachable"),
        ("4.4.7", "delivery time expired", "unreachable"),
    ],
)
def test_bounces(status: str, reason: str, outcome: str) -> None:
    found = read(dsn(status, reason))
    assert [one.address for one in found.failed] == [CONTACT]
    assert about(found, CONTACT) == found
    assert found._replace(failed=()) == Reply(
        TOKEN, "bounced", outcome, "2026-11-28T08:30:00Z", "abuse@network.example", "bounce@mx.example.org",
        reason, status,
    )  # fmt: skip


@pytest.mark.parametrize("action", ["delayed", "delivered", "relayed", "expanded"])
def test_notices_that_are_no_bounce(action: str) -> None:
    assert read_reply(dsn("4.4.1", "later", action), KEY) is None


@pytest.mark.parametrize(
    ("final", "outcome"),
    [
        (CONTACT, "dead"),
        ("Abuse@Network.Example", "dead"),
        ("abuse@mail.network.example", "dead"),  # a server that writes addresses anew
        ("tom@network.example", "member"),
        ("abuse@elsewhere.example", "member"),  # it is forwarded there
        ("abuse@evilnetwork.example", "member"),
        ("IMCEAEX-_o=Org", "dead"),  # no address: whoever we sent to
    ],
)
def test_whom_a_bounce_is_about(final: str, outcome: str) -> None:
    """A member of an alias has the alias as Original-Recipient, and those who got it are not in the notice."""
    found = read(dsn("5.1.1", "550 unknown", final=final, original=CONTACT))
    assert about(found, CONTACT).outcome == outcome


def test_a_notice_about_members_and_the_contact_itself() -> None:
    block = "Final-Recipient: rfc822; {}\nAction: failed\nStatus: {}\n\n"
    raw = dsn("5.2.2", "552 full", final="tom@network.example", original=CONTACT)
    members = raw.replace(b"--b\nContent-Type: message/rfc822", block.format("eva@network.example", "5.1.1").encode())
    assert about(read(members), CONTACT).outcome == "member", "all that it names failed, but it does not name all"
    both = raw.replace(b"--b\nContent-Type: message/rfc822", block.format(CONTACT, "5.1.1").encode())
    said = about(read(both), CONTACT)
    assert (said.outcome, said.sender, said.status) == ("dead", CONTACT, "5.1.1")


def test_a_bounce_that_names_the_form() -> None:
    found = read(dsn("5.7.1", "550 5.7.1 please use our web form https://network.example/abuse/report"))
    assert (found.outcome, found.form) == ("form", "https://network.example/abuse/report")


def test_the_bounce_of_a_copy_says_nothing_of_the_contact() -> None:
    """It comes to the sender without a token, with the report in it."""
    assert read_reply(dsn("5.1.1", "550 unknown", final="apwg@copies.example", to="abuse@example.org"), KEY) is None


EXIM = f"""Return-path: <>
From: Mail Delivery System <Mailer-Daemon@mx.example.org>
To: {TO}
Subject: Mail delivery failed: returning message to sender
X-Failed-Recipients: abuse@network.example
Message-Id: <E1@mx.example.org>

This message was created automatically by mail delivery software.

  abuse@network.example
    host mail.network.example [198.51.100.25]
    SMTP error from remote mail server after RCPT TO:<abuse@network.example>:
    550 5.1.1 No such user
""".encode()
QMAIL = f"""Return-Path: <>
From: MAILER-DAEMON@mx.example.org
To: {TO}
Subject: failure notice

Hi. This is the qmail-send program at mx.example.org.

<abuse@network.example>:
Sorry, no mailbox here by that name. (#5.1.1)

--- Below this line is a copy of the message.
""".encode()


@pytest.mark.parametrize("raw", [EXIM, QMAIL], ids=["exim", "qmail"])
def test_older_bounces(raw: bytes) -> None:
    found = read(raw)
    assert (found.action, found.outcome, found.status) == ("bounced", "dead", "5.1.1")
    assert found.sender == "abuse@network.example"


# Answers

AUTOMATIC = {"Auto_Submitted": "auto-replied"}


@pytest.mark.parametrize(
    ("body", "fields", "outcome"),
    [
        ("Could you send us the full headers?", {}, "person"),
        ("Done: the host has been suspended.", {}, "solved"),
        ("Gesperrt.", {}, "solved"),
        ("This will be fixed tomorrow.", {}, "person"),
        ("It is not resolved yet.", {}, "person"),
        ("> please stop it\n> it is solved when\n\nwe look into it", {}, "person"),
        ("We received your report. Your ticket is 4711.", AUTOMATIC, "ticket"),
        ("Thank you for contacting us. Most cases are resolved within a day.", AUTOMATIC, "ticket"),
        ("Your ticket #4711 has been resolved.", AUTOMATIC, "solved"),
        ("I am on holiday until Monday.", AUTOMATIC, "machine"),
        ("I am away.", {"Precedence": "auto_reply"}, "machine"),
        ("I am away.", {"X_Autoreply": "yes"}, "machine"),
        ("I am here.", {"Auto_Submitted": "no"}, "person"),
        ("We do not accept reports by mail: use our web form at https://network.example/abuse.", AUTOMATIC, "form"),
        ("This mailbox is not monitored, see https://network.example/x", AUTOMATIC, "form"),
        ("Please use the web form next time; I stopped it.", {}, "person"),
    ],
)
def test_answers(body: str, fields: dict[str, str], outcome: str) -> None:
    found = read(mail(body, **fields))
    assert (found.action, found.outcome) == ("answered", outcome)
    assert found.sender == "noc@network.example"
    assert found.at == "2026-11-28T08:00:00Z"


def test_the_form_that_is_named() -> None:
    body = "See https://network.example/ and use our web form: https://network.example/abuse/form."
    assert read(mail(body, Auto_Submitted="auto-generated")).form == "https://network.example/abuse/form"


def test_an_answer_in_html() -> None:
    made = EmailMessage()
    made["From"], made["To"] = "noc@network.example", TO
    made.set_content("<p>The host was <b>fixed</b>.</p><p>The NOC</p>", subtype="html")
    found = read(made.as_bytes())
    assert (found.outcome, found.text.split()) == ("solved", ["The", "host", "was", "fixed", ".", "The", "NOC"])


@pytest.mark.parametrize(
    "raw",
    [
        mail("x", to="abuse@example.org", In_Reply_To=f"<abuse.{TOKEN}@example.org>"),
        mail("x", to="abuse@example.org", References=f"<a@b.example> <abuse.{TOKEN}@example.org>"),
        mail("x", to="abuse@example.org", subject=f"Re: Fraud report: 192.0.2.1 ({TOKEN})"),
        mail("x", to="abuse@example.org", Delivered_To=TO.upper()),
    ],
    ids=["In-Reply-To", "References", "Subject", "Delivered-To"],
)
def test_where_the_token_may_be(raw: bytes) -> None:
    assert read(raw).token == TOKEN


def test_forged_tokens_change_nothing() -> None:
    forged = "a" * 20
    assert read_reply(mail("solved", to=f"abuse-reply+{forged}@example.org"), KEY) is None
    assert read_reply(mail("solved", to="abuse@example.org"), KEY) is None
    assert read_reply(mail("solved"), b"another key") is None


def test_our_own_report_that_comes_back() -> None:
    found = read(f"From: abuse@example.org\nMessage-ID: <abuse.{TOKEN}@example.org>\nTo: {TO}\n\nHello".encode())
    assert (found.action, found.outcome) == ("bounced", "loop")


def test_two_copies_of_one_message_are_one_event() -> None:
    assert read(b"Received: from a\n" + mail("x")).message_id == read(b"Received: from b\n" + mail("x")).message_id


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-11-28T08:00:00Z", "2026-11-28T08:00:00Z"),
        ("2027-01-01T00:00:00Z", "2026-11-28T09:00:00Z"),
        ("2020-01-01T00:00:00Z", "2026-11-28T09:00:00Z"),
        ("", "2026-11-28T09:00:00Z"),
    ],
)
def test_times_that_are_believed(at: str, expected: str) -> None:
    assert believed(at, "2026-11-27T00:00:00Z", NOW) == expected


# Whatever comes


@given(st.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    read_reply(data, KEY)
    head = f"To: {TO}\n".encode()
    found = read_reply(head + data, KEY)
    assert found is None or found.token == TOKEN


PIECES = st.sampled_from(
    [
        b"--b\n", b"--b--\n", b"\n", b"Action: failed\n", b"Status: 5.1.1\n", b"Content-Type: ", b"!",
        b"message/delivery-status\n", b"text/plain; charset=nonsense\n", b"message/rfc822\n",
        b"Subject: =?utf-8?q?=FF?=\n", b"To: \xff\n", b"Content-Transfer-Encoding: base64\n",
    ]
)  # fmt: skip


@given(st.lists(PIECES, max_size=30))
def test_pieces_of_bounces(pieces: list[bytes]) -> None:
    head = f"To: {TO}\nContent-Type: multipart/report; boundary=b\n\n".encode()
    read_reply(head + b"".join(pieces), KEY)


def test_parts_within_each_other() -> None:
    deep = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(5000))
    read_reply(f"To: {TO}\n".encode() + deep, KEY)
    nested = f"To: {TO}\n".encode() + b"Content-Type: message/rfc822\n\n" * 5000
    read_reply(nested, KEY)


@pytest.mark.parametrize(
    "piece",
    ["use ", "ticket [a", "<a@b>:\n", "not ", "<", "https://", "solved will ", "> ", "mailbox ", "no longer accept"],
)
def test_linear(piece: str) -> None:
    fields = {"Auto-Submitted": "auto-replied"}

    def raw(size: int) -> bytes:
        return f"To: {TO}\nAuto-Submitted: {fields['Auto-Submitted']}\n\n{piece * (size // len(piece))}".encode()

    assert_linear(lambda data: read_reply(data, KEY), raw, 10_000)
