"""A desk for tests: an embedded store with failure reports, registries on loopback, and a mail server in memory."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

from email_report_processor.alerts.channels import ChannelError
from email_report_processor.alerts.options import AlertOptions
from email_report_processor.desk.contacts import ContactOptions, read_overrides
from email_report_processor.desk.message import DATASETS, Message, from_row
from email_report_processor.desk.report import ReportOptions
from email_report_processor.desk.reporting import Desk, SendOptions
from email_report_processor.documents.classify import Site
from email_report_processor.documents.encode import encode
from email_report_processor.process import Layout
from email_report_processor.stores.opening import open_store
from email_report_processor.stores.query import And
from email_report_processor.stores.store import Row, Selection

NOW = datetime(2026, 11, 28, 9, tzinfo=UTC)
URL = "https://login.phish.example/mail.htm?e=anna@example.com"
HEADERS = """Received: from h ([192.0.2.1]) by mx.example.com for <anna@example.com>; Fri, 27 Nov 2026 08:00:00 +0000
From: Boss <boss@example.org>
To: Anna <anna@example.com>
Subject: Wire transfer
Message-ID: <1@example.org>
Content-Type: multipart/mixed; boundary=b
"""


class Clock:
    """The time, as a test has it."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def wait(self, **span: float) -> None:
        """Let it pass."""
        self.now += timedelta(**span)


class Post:
    """A mail server that keeps what it gets: (sender, recipients, message). `refuses` is whom it does not take."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, tuple[str, ...], bytes]] = []
        self.refuses: set[str] = set()

    def __call__(self, raw: bytes, sender: str, recipients: Sequence[str], options: AlertOptions) -> None:
        if "*" in self.refuses or self.refuses & set(recipients):
            raise ChannelError("mail: 127.0.0.1:1 did not take it (away): see [alerts] smtp and its log")
        self.sent.append((sender, tuple(recipients), raw))


def failure(number: int, address: str = "192.0.2.1", more: Mapping[str, Any] = MappingProxyType({})) -> Row:
    """A failure report about one message. more: further fields, or other values."""
    fields = {
        "@timestamp": f"2026-11-27T08:{number % 60:02}:00Z",
        "event.dataset": "dmarc-failure",
        "class": "spoof",
        "count": 1,
        "source.ip": address,
        "source.as.number": 64500,
        "source.as.organization.name": "US Net",
        "source.geo.country_iso_code": "US",
        "feedback.original_mail_from": "bounce@attacker.example",
        "feedback.original_rcpt_to": ["anna@example.com"],
        "feedback.reported_domain": ["example.org"],
        "sample.subject": f"Invoice {number}",
        "sample.headers": HEADERS,
        "url.full": [URL, "https://www.example.org/"],
        "url.domain": ["login.phish.example", "www.example.org"],
        **more,
    }
    return Row("email-report-dmarc-failure-2026.11", f"{number:040x}", encode(fields))


def make(directory: Path, rdap: str = "", **more: Any) -> Desk:
    """A desk on an embedded store. more: other values of Desk."""
    store = open_store(f"sqlite:{directory / 'reports.sqlite'}")
    desk = Desk(
        store,
        directory / "abuse",
        ReportOptions(sender="abuse@example.org", reply_to="abuse-reply@example.org"),
        ContactOptions(rdap=rdap, lookup=("rdap",) if rdap else (), lookup_seconds=5),
        SendOptions(),
        AlertOptions(),
        read_overrides({} if rdap else {"AS64500": "abuse@us-net.example", "AS64501": "abuse@eu-net.example"}),
        Site(own_domains=("example.org",), own_networks=("198.51.100.128/25",)),
        Layout(),
        Clock(),
    )
    return desk._replace(**more)


def messages(desk: Desk) -> list[Message]:
    """All that the store has, newest first."""
    return [from_row(one.row) for one in desk.store.select(Selection(And(), DATASETS))]
