"""OpenSMTPD on a loopback port, with the examples behind an address each."""

from typing import NamedTuple

from .box import DMARC, EXAMPLES, Box, User, free_port, wait_until
from .packages import unpacked
from .wires import Sink, send

LMTP = "lmtp@example.org"
WAYS = {"action": "dmarc@example.org", "forward": "dmarcfwd@example.org"}

_FORWARD = User("dmarcfwd", DMARC.uid, "/var/lib/dmarcfwd")
_USERS = (User("opensmtpd", 4030, "/var/lib/opensmtpd/empty"), User("opensmtpq", 4031, "/nonexistent"), _FORWARD)
_CONFIG = """
listen on 127.0.0.1 port {port}
action "sink" relay host "smtp://127.0.0.1:{sink}"
action "mailbox" mbox
{example}
match from any for domain "example.org" action "mailbox"
match from local for any action "sink"
"""


class Envelope(NamedTuple):
    """A recipient in the queue."""

    id: str
    tries: int
    state: str  # pending or inflight


class OpenSmtpd:
    """A running OpenSMTPD. Ends with its box."""

    mortal: tuple[str, ...] = ("bin/email-report-processor ",)

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.port = free_port()
        self.box = Box([unpacked("opensmtpd", "opensmtpd")], _USERS)
        example = (EXAMPLES / "smtpd.conf").read_text(encoding="utf-8")
        lmtp = (EXAMPLES / "smtpd-lmtp.conf").read_text(encoding="utf-8").replace("tlsrpt", "tls-lmtp")
        lmtp = lmtp.replace('"dmarc"', '"lmtp"').replace("dmarc@", "lmtp@")  # at an address of its own
        self.box.write("/etc/smtpd.conf", _CONFIG.format(port=self.port, sink=sink.port, example=example + lmtp))
        self.box.write("/etc/mailname", "mail.example.org\n")
        forward = (EXAMPLES / "forward").read_text(encoding="utf-8")
        self.box.write(f"{_FORWARD.home}/.forward", forward, 0o600, _FORWARD)
        self.box.run("install", "-d", "-m", "711", "/var/spool/smtpd", "/var/lib/opensmtpd/empty")
        self.box.run("chgrp", "opensmtpq", "/usr/sbin/smtpctl")
        self.box.run("chmod", "g+s", "/usr/sbin/smtpctl")
        self.box.run("smtpd", "-n")
        self._start()

    def deliver(self, message: bytes, *recipients: str) -> None:
        """Hand in a message and wait until every delivery was tried once."""
        send(self.port, message, recipients)
        wait_until(self._tried, "deliveries do not end", 60)

    def retry(self) -> None:
        """Try everything at once."""
        before = {envelope.id: envelope.tries for envelope in self._queue()}
        self.box.run("smtpctl", "schedule", "all", check=False)
        wait_until(
            lambda: all(envelope.tries > before.get(envelope.id, -1) for envelope in self._queue()),
            "the queue is not run",
            60,
        )
        wait_until(self._tried, "deliveries do not end", 60)

    def waiting(self) -> int:
        """How many envelopes are in the queue."""
        return len(self._queue())

    def writers(self) -> list[int]:
        """All of it, while a wrapper of its runs: one process writes and another one has started the wrapper."""
        return self._all() if self.box.processes("/bin/sh /usr/local/bin/email-report") else []

    def stop(self) -> None:
        """In an orderly way."""
        self.box.end(*self._all())

    def start(self) -> None:
        """Start it again: one of its processes that ended takes the others with it."""
        wait_until(lambda: not self._all() or self._runs(), lambda: f"it neither runs nor ends: {self._all()}", 60)
        if not self._all():
            self._start()

    def _all(self) -> list[int]:
        return [pid for word in ("smtpd -d", "smtpd: ") for pid in self.box.processes(word)]

    def _runs(self) -> bool:
        return self.box.run("smtpctl", "show", "status", check=False).returncode == 0

    def _start(self) -> None:
        self.box.spawn(self.port, "smtpd", "-d")

    def close(self) -> None:
        """End it."""
        self.box.close()

    def _tried(self) -> bool:
        return all(envelope.tries and envelope.state == "pending" for envelope in self._queue())

    def _queue(self) -> list[Envelope]:
        shown = self.box.run("smtpctl", "show", "queue", check=False)
        if shown.returncode:  # it was ended, see promises.Ender
            return [Envelope("", 0, "unknown")]
        lines = shown.stdout.decode().splitlines()
        return [Envelope(columns[0], int(columns[10]), columns[11]) for columns in (line.split("|") for line in lines)]
