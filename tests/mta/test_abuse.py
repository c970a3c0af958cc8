"""The desk's whole way through a real Postfix: failure reports in, a report to each network out, what comes back read.

The same over OpenSearch and over the embedded store. The registries are those of tests/desk on loopback; of the two
networks one reads its mail, and at the other the mailbox is gone.
"""

import contextlib
import json
from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any, NamedTuple

import pytest

from tests.conftest import missing
from tests.desk import registries
from tests.nodes import Node

from .behind import Behind
from .box import CONFIG, DMARC, EXAMPLES, Box
from .packages import UnavailableError
from .postfix import WAYS, Postfix
from .wires import Sink, send

pytestmark = pytest.mark.postfix

_MAILBOX = "/var/mail/us-net"
_MAIN = """
recipient_delimiter = +
mydestination = example.org, us-net.example
transport_maps = inline:{ {eu-net.example = error:5.1.1 no such mailbox} }
"""
_SETTINGS = """
[abuse]
sender = "abuse@example.org"
reply_to = "abuse-reply@example.org"
lookup = ["rdap"]
rdap = "%s"
[site]
own_domains = ["example.org"]
"""
_OURS = ("setpriv", "--reuid", str(DMARC.uid), "--regid", str(DMARC.uid), "--clear-groups")


@pytest.fixture(scope="module")
def server(sink: Sink) -> Iterator[Postfix]:
    """Postfix with the desk's alias, and the mailbox of a network."""
    try:
        postfix = Postfix(sink, main=_MAIN)
    except UnavailableError as reason:
        missing(str(reason))
    with contextlib.closing(postfix):
        box = postfix.box
        aliases = box.path("/etc/aliases").read_text() + (EXAMPLES / "aliases-replies").read_text(encoding="utf-8")
        box.write("/etc/aliases", f"{aliases}abuse: {_MAILBOX}\nteam: {_MAILBOX}, gone@eu-net.example\n")
        box.run("sh", "-c", "touch -d 2001-01-01 /etc/postfix/main.cf; newaliases")
        yield postfix


@pytest.fixture(scope="module")
def rdap() -> Iterator[str]:
    """The URL of the registries."""
    with registries.running() as found:
        yield found.url


def failure(number: int, address: str) -> bytes:
    """A failure report as LinkedIn and others send it, in our own words."""
    message = EmailMessage()
    message["From"] = "noreply@reporter.example"
    message["To"] = WAYS["pipe"]
    message["Subject"] = "FW: Wire transfer"
    message["Message-ID"] = f"<failure.{number}@reporter.example>"
    message["Date"] = "Sat, 28 Nov 2026 06:00:00 +0000"
    message.set_content("A message that claimed to be from you failed DMARC.\n")
    message.make_mixed()
    text = message.as_bytes(policy=SMTP)
    boundary = message_from_bytes(text).get_boundary()
    report = (
        f"Feedback-Type: auth-failure\r\nUser-Agent: test/1\r\nVersion: 1\r\nSource-IP: {address}\r\n"
        "Original-Mail-From: <x@attacker.example>\r\nOriginal-Rcpt-To: <anna@example.com>\r\n"
        "Arrival-Date: Sat, 28 Nov 2026 05:00:00 +0000\r\nAuth-Failure: dmarc\r\nReported-Domain: example.org\r\n"
        "Authentication-Results: mx.example.com; dmarc=fail header.from=example.org; spf=fail\r\n"
        "Delivery-Result: delivered\r\nIdentity-Alignment: none\r\n"
    )
    sample = (
        f"From: Boss <boss@example.org>\r\nTo: Anna <anna@example.com>\r\nSubject: Wire transfer {number}\r\n"
        f"Message-ID: <forged.{number}@example.org>\r\nDate: Sat, 28 Nov 2026 04:59:00 +0000\r\n\r\n"
        "See https://pay.phish.example/mail.htm\r\n"
    )
    parts = f"--{boundary}\r\nContent-Type: message/feedback-report\r\n\r\n{report}\r\n--{boundary}\r\n"
    parts += f"Content-Type: message/rfc822\r\n\r\n{sample}\r\n--{boundary}--\r\n"
    head = text.replace(b"multipart/mixed;", b"multipart/report; report-type=feedback-report;")
    return head.replace(f"--{boundary}--\r\n".encode(), parts.encode())


def admin(box: Box, *arguments: str) -> str:
    """A command as the user of the program."""
    done = box.run(*_OURS, "/opt/email-report-processor/bin/email-report-admin", *arguments, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def lines(box: Box, *arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in admin(box, *arguments).splitlines()]


class Ready(NamedTuple):
    """A mail server, and a way to let the store's searches see what was stored (they would after 30 seconds)."""

    postfix: Postfix
    refresh: Callable[[], object]


@pytest.fixture(params=["opensearch", "sqlite"])
def ready(request: pytest.FixtureRequest, server: Postfix, rdap: str) -> Iterator[Ready]:
    """With the settings of one store, and nothing in it."""
    box = server.box
    box.run("sh", "-c", f"rm -rf /var/lib/email-report-processor/* {_MAILBOX}")
    box.write(_MAILBOX, "", 0o600, DMARC)
    if request.param == "sqlite":
        box.write(CONFIG, _SETTINGS % rdap)
        yield Ready(server, lambda: None)
        return
    node: Node = request.getfixturevalue("node")
    prefix = request.getfixturevalue("prefix")
    with contextlib.closing(Behind(node, prefix)) as behind:
        behind.configure(box, more=_SETTINGS % rdap)
        yield Ready(server, lambda: node.ask("POST", f"/{prefix}*/_refresh"))


def test_from_failure_reports_to_a_league(ready: Ready) -> None:
    server, box = ready.postfix, ready.postfix.box
    for number in range(1, 5):
        address = f"192.0.2.{number}" if number < 3 else f"198.51.100.{number}"
        send(server.port, failure(number, address), [WAYS["pipe"]])
    server.settle()
    query = 'class:spoof subject:"wire transfer" url:*mail.htm -reported'
    ready.refresh()
    assert _found(box, query) == 4
    (campaign,) = lines(box, "campaigns", "--json", query)
    assert len(campaign["addresses"]) == 4

    said = admin(box, "abuse", "prepare", query, f"--campaign={campaign['name']}")
    tokens = {line.split()[1]: line.split()[0] for line in said.splitlines()[1:3]}
    assert tokens.keys() == {"abuse@us-net.example", "abuse@eu-net.example"}
    admin(box, "abuse", "show", *tokens.values())
    assert admin(box, "abuse", "send", "--all").count(" sent") == 2
    server.settle()

    (raw,) = [part for part in box.path(_MAILBOX).read_bytes().split(b"\nFrom ") if part]
    report = message_from_bytes(raw.partition(b"\n")[2])
    assert (report["To"], report["Auto-Submitted"]) == ("abuse@us-net.example", "auto-generated")
    assert report["Return-Path"] == f"<abuse-reply+{tokens['abuse@us-net.example']}@example.org>"
    assert b"198.51.100." not in raw, "one network does not see the other"
    assert b"anna@" not in raw

    answer = f"From: noc@us-net.example\r\nTo: {report['Reply-To']}\r\nSubject: Re: it\r\n\r\nThe host is fixed.\r\n"
    send(server.port, answer.encode(), [str(report["Reply-To"])])
    server.settle()
    assert sorted(line.split()[2] for line in admin(box, "abuse", "answers").splitlines()[1:]) == [
        "answered:", "bounced:",
    ]  # fmt: skip
    known = {one["address"]: one["reach"] for one in lines(box, "abuse", "contacts", "--json")}
    assert known == {"abuse@us-net.example": "open", "abuse@eu-net.example": "dead"}
    states = {one["contact"]: (one["state"], one["count"]) for one in lines(box, "abuse", "reports", "--json")}
    assert states == {"abuse@us-net.example": ("solved", 2), "abuse@eu-net.example": ("bounced", 2)}
    (figure,) = json.loads(admin(box, "abuse", "league", "--json"))["figures"]
    columns = [one["name"] for one in figure["columns"]]
    rows = [dict(zip(columns, row, strict=True)) for row in figure["rows"]]
    assert [(row["Network"], row["Reacted"], row["Solved"], row["Bounced"]) for row in rows] == [
        ("192.0.2.0/24", 1.0, 1, 0),
        ("198.51.100.0/24", 0.0, 0, 1),
    ]
    assert _found(box, "class:spoof reported") == 2, "what bounced told nobody"
    assert _found(box, "dataset:arf") == 0, "the bounce has our report in it, and it is no complaint about us"


@pytest.mark.parametrize("ready", ["sqlite"], indirect=True)
def test_a_member_of_an_alias_is_not_the_alias(ready: Ready) -> None:
    """Postfix names the member as Final-Recipient, the alias as Original-Recipient, and not who got it."""
    server, box = ready.postfix, ready.postfix.box
    contacts = '[contacts]\n"192.0.2.0/24" = "team@us-net.example"\n'
    box.write(CONFIG, box.path(CONFIG).read_text() + contacts)
    send(server.port, failure(9, "192.0.2.9"), [WAYS["pipe"]])
    server.settle()
    token = admin(box, "abuse", "prepare", "class:spoof").splitlines()[1].split()[0]
    admin(box, "abuse", "show", token)
    assert admin(box, "abuse", "send", token).count(" sent") == 1
    server.settle()
    assert box.path(_MAILBOX).read_bytes().count(token.encode()) > 1, "one member got it"
    assert "bounced: member" in admin(box, "abuse", "answers")
    (contact,) = lines(box, "abuse", "contacts", "--json")
    assert (contact["address"], contact["reach"]) == ("team@us-net.example", "open")
    (report,) = lines(box, "abuse", "reports", "--json")
    assert (report["state"], report["events"][-1]["sender"]) == ("sent", "gone@eu-net.example")


def _found(box: Box, query: str) -> int:
    done = box.run(*_OURS, "/opt/email-report-processor/bin/email-report-admin", "search", "--json", query, check=False)
    return len(done.stdout.splitlines())
