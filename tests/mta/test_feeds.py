"""Feeds of messages: what rspamd refuses behind Postfix, and what a user of Dovecot moves to Junk; all of it real."""

import contextlib
import imaplib
import smtplib
import ssl
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import missing

from . import messages
from .behind import Behind
from .box import DMARC, EXAMPLES, STATE, User, free_port, wait_until
from .dovecot import IMAP_HOST, Dovecot, count, run_as_dmarc
from .packages import UnavailableError, unpacked
from .postfix import Postfix
from .wires import Sink

pytestmark = pytest.mark.mta

SPOOFED = "spoofed@example.org"
JUNK = f"{STATE}/Maildir/.Junk"
RETRY = f"{STATE}/Maildir/.DMARC.retry"
# Everything of the package as it is, but for the network: no DNS, no Redis, one process that scans.
RSPAMD = {
    "options.inc": 'url_tld = "/etc/rspamd/local.d/suffixes";\n'  # to compile the whole list takes minutes
    'dns { timeout = 0.05s; retransmits = 1; nameserver = ["127.0.0.1:1"]; }\nlocal_addrs = [];\n',
    "suffixes": "com\nexample\nnet\norg\n",
    "actions.conf": "add_header = 60;\nreject = 90;\n",
    "worker-normal.inc": "enabled = false;\n",
    "worker-controller.inc": "enabled = false;\n",
    "worker-fuzzy.inc": "enabled = false;\n",
    "regexp.conf": 'SPOOFED_HERE { re = "Subject=/wire transfer/i{header}"; score = 99; }\n',
    "groups.conf": 'group "here" { symbol "SPOOFED_HERE" { weight = 99; } }\n',
    "classifier-bayes.conf": "enabled = false;\n",
}
PROXY = 'bind_socket = "127.0.0.1:{port}";\nmilter = yes;\nupstream "local" {{ default = yes; self_scan = yes; }}\n'


class WithRspamd(Postfix):
    """Postfix with rspamd as its milter; what rspamd refuses comes back through a door of its own."""

    def __init__(self, sink: Sink) -> None:
        milter, self.door = free_port(), free_port()
        main = f"smtpd_milters = inet:127.0.0.1:{milter}\nsmtpd_authorized_xclient_hosts = 127.0.0.1\n"
        user = User("_rspamd", 4050, "/var/lib/rspamd")
        super().__init__(sink, [unpacked("rspamd", "rspamd")], [user], main + "milter_default_action = accept\n")
        self._script("postfix-feed.sh", "own-mx", SPOOFED, str(self.door))
        self.box.run("postfix", "reload")
        for name, text in (RSPAMD | {"worker-proxy.inc": PROXY.format(port=milter)}).items():
            self.box.write(f"/etc/rspamd/local.d/{name}", text)
        example = (EXAMPLES / "rspamd-metadata_exporter.conf").read_text(encoding="utf-8")
        self.box.write("/etc/rspamd/local.d/metadata_exporter.conf", example.replace("10026", str(self.door)))
        self.box.run("install", "-d", "-o", user.name, "/run/rspamd", "/var/log/rspamd", "/var/lib/rspamd")
        self.box.spawn(milter, "rspamd", "-f", "-u", user.name, "-g", user.name)

    def send(self, message: bytes, client: str = "203.0.113.9") -> int:
        """What the client at that address is answered behind DATA."""
        with smtplib.SMTP("127.0.0.1", self.port, timeout=60) as smtp:
            smtp.ehlo("liar.example")
            smtp.docmd("XCLIENT", f"ADDR={client} NAME=bot.example.net")
            smtp.ehlo("[198.51.100.1]")
            smtp.mail("bounce@bot.example.net")
            smtp.rcpt("alice@example.org")
            return smtp.data(message)[0]

    def said(self) -> str:
        """The log of rspamd."""
        return self.box.path("/var/log/rspamd/rspamd.log").read_text(errors="replace")


@pytest.fixture(scope="module")
def postfix(sink: Sink) -> Iterator[WithRspamd]:
    try:
        server = WithRspamd(sink)
    except UnavailableError as reason:
        missing(str(reason))
    with contextlib.closing(server):
        yield server


def failures(behind: Behind) -> list[dict[str, Any]]:
    return [one.source for one in behind.documents() if one.source["event"]["dataset"] == "dmarc-failure"]


def test_what_rspamd_refuses(postfix: WithRspamd, behind: Behind) -> None:
    """The client's address, the envelope and the dots of the message are those of the wire; others are left alone."""
    behind.configure(postfix.box, more='[read]\nsample = "full"\n[site]\nown_domains = ["example.org"]\n')
    assert postfix.send(messages.spoof("Other mail")) == 250
    assert postfix.send(messages.spoof("Wire transfer").replace(b"accounts@example.org", b"a@bot.example")) == 554
    message = messages.spoof("Wire transfer").replace(b"\n", b"\r\n")
    assert postfix.send(message) == 554
    assert postfix.send(message) == 554
    wait_until(lambda: len(failures(behind)) > 0, lambda: postfix.said()[-3000:] + postfix.log()[-2000:], 60)
    postfix.settle()
    (failure,) = failures(behind)
    assert failure["source"]["ip"] == "203.0.113.9"
    assert failure["report"]["feed_kind"] == "own-mx"
    assert failure["feedback"]["original_mail_from"] == "bounce@bot.example.net"
    assert failure["feedback"]["original_rcpt_to"][:1] == ["alice@example.org"]
    assert failure["sample"]["body"].endswith(".\n.. and be quick.")
    assert failure["class"] == "spoof"
    assert postfix.sink.messages == []


def test_what_rspamd_refuses_waits_for_the_store(postfix: WithRspamd, behind: Behind) -> None:
    behind.configure(postfix.box, deadline=1)
    behind.gate.close()
    assert postfix.send(messages.spoof("Wire transfer").replace(b"\n", b"\r\n"), "203.0.113.10") == 554
    wait_until(lambda: postfix.waiting() == 1, lambda: postfix.log()[-3000:], 60)
    behind.gate.open()
    behind.configure(postfix.box)
    postfix.retry()
    assert postfix.waiting() == 0
    assert [one["source"]["ip"] for one in failures(behind)] == ["203.0.113.10"]


@pytest.fixture(scope="module")
def dovecot(sink: Sink) -> Iterator[Dovecot]:
    try:
        server = Dovecot(sink)
    except UnavailableError as reason:
        missing(str(reason))
    with contextlib.closing(server):
        box = server.box
        box.write("/etc/dovecot/sieve/junk.sieve", (EXAMPLES / "junk.sieve").read_text(encoding="utf-8"), owner=DMARC)
        example = (EXAMPLES / "dovecot-imapsieve.conf").read_text(encoding="utf-8")
        with box.path("/etc/dovecot/conf.d/95-email-report.conf").open("a", encoding="utf-8") as file:
            file.write(example)
        box.run("doveadm", "reload")
        box.run("sievec", "-c", "/etc/dovecot/dovecot.conf", "/etc/dovecot/sieve/junk.sieve")
        yield server


@contextlib.contextmanager
def imap(server: Dovecot) -> Iterator[imaplib.IMAP4_SSL]:
    """A mail client with Junk and the inbox."""
    hosts = server.box.path("/etc/hosts").read_text(encoding="utf-8")
    address = next(line.split()[0] for line in hosts.splitlines() if line.endswith(IMAP_HOST))
    context = ssl.create_default_context(cadata=server.box.path("/etc/ssl/imap.crt").read_text())
    context.check_hostname = False
    with imaplib.IMAP4_SSL(address, 993, ssl_context=context, timeout=60) as client:
        client.login("dmarc", "secret")
        client.create("Junk")
        yield client


def to_junk(server: Dovecot, *delivered: bytes) -> None:
    """A user moves what was delivered to Junk."""
    for message in delivered:
        server.deliver(message, "dmarc@example.org")
    with imap(server) as client:
        client.select("INBOX")
        found = client.search(None, "ALL")[1][0].replace(b" ", b",").decode()
        assert client.copy(found, "Junk")[0] == "OK"
        client.store(found, "+FLAGS", r"(\Deleted)")
        client.expunge()


def test_what_a_user_moves_to_junk(dovecot: Dovecot, behind: Behind) -> None:
    """A document for each message, however often it is moved; a report is a report; Junk has them all."""
    behind.configure(dovecot.box, more='[site]\nown_domains = ["example.org"]\n')
    message = messages.spoof()
    before = count(dovecot.box, JUNK)
    to_junk(dovecot, message, messages.report(rows=3))
    to_junk(dovecot, message)
    assert count(dovecot.box, JUNK) == before + 3
    counts = Counter(one.source["event"]["dataset"] for one in behind.documents())
    assert counts == {"dmarc-failure": 1, "report": 2, "dmarc-aggregate": 3}
    (failure,) = failures(behind)
    assert failure["report"]["feed"] == "own-mx"
    assert failure["class"] == "spoof"


def test_junk_while_the_store_is_down(dovecot: Dovecot, behind: Behind) -> None:
    behind.configure(dovecot.box, deadline=1)
    behind.gate.close()
    to_junk(dovecot, messages.spoof())
    assert count(dovecot.box, RETRY) == 1
    behind.gate.open()
    behind.configure(dovecot.box)
    retry = ("/usr/local/bin/email-report-processor-retry", RETRY, "--feed", "own-mx")
    assert run_as_dmarc(dovecot.box, *retry).returncode == 0
    assert count(dovecot.box, RETRY) == 0
    assert len(failures(behind)) == 1
