"""A site with two tenants, its messages, and a second opinion on whose each report is."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any, NamedTuple

from email_report_processor.process import Job
from email_report_processor.reports.reading import read_message
from email_report_processor.stores.sqlite import SqliteStore
from tools import samples

NAMES = ("", "acme", "beta")  # '' is the site itself
OWNERS = {"acme.example": "acme", "sub.acme.example": "acme", "beta.example": "beta", "site.example": "", "x.test": ""}
ADDRESSES = {
    "reports+acme@msp.example": ("acme",),
    "dmarc@ACME.example": ("acme",),
    "beta@msp.example": ("beta",),
    "Beta+2026@msp.example": ("beta",),
    "dmarc@msp.example": (),
}
SETTINGS = """
[[tenants]]
name = "acme"
recipients = ["+acme", "@acme.example"]
feeds = ["fbl-acme"]
domains = ["acme.example"]
[tenants.read]
sample = "none"

[[tenants]]
name = "beta"
recipients = ["beta@msp.example"]
domains = ["Beta.example"]
[tenants.site]
own_networks = ["203.0.113.0/24"]
"""


def day() -> datetime:
    """The day before yesterday: pages and alerts look at what is new."""
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=2)


class Part(NamedTuple):
    """A report."""

    kind: str  # aggregate, tls, failure, abuse
    domains: tuple[str, ...]
    number: int = 0  # another report for each


def owners(part: Part, to: tuple[str, ...]) -> tuple[str, ...]:
    """The table of docs/tenants.md, once more and by itself."""
    of = {OWNERS[domain] for domain in part.domains}
    if part.kind == "abuse" and to:
        return to
    if of == {""}:
        return to or ("",)
    if len(of) == 1:
        return (of.pop(),)
    mine = of - {""}
    return tuple(mine) if len(mine) == 1 and mine <= set(to) else ("",)


def report(part: Part) -> tuple[bytes, str, str]:
    """Its bytes, and the type of what holds them."""
    if part.kind == "aggregate":
        rows = samples.record(
            "192.0.2.9", 0, "pass", "pass", part.domains[0], part.domains[0], part.domains[0], amount=300
        )
        text = samples.xml(day(), f"Org {part.number} of {part.domains[0]}", "a@reporter.example", rows)
        return (
            text.replace("<domain>example.org</domain>", f"<domain>{part.domains[0]}</domain>").encode(),
            "text",
            "xml",
        )
    policies = [
        {
            "policy": {"policy-type": "sts", "policy-domain": domain},
            "summary": {"total-successful-session-count": 5, "total-failure-session-count": 0},
        }
        for domain in part.domains
    ]
    period = {"start-datetime": f"{day():%Y-%m-%d}T00:00:00Z", "end-datetime": f"{day():%Y-%m-%d}T23:59:59Z"}
    head = {
        "organization-name": f"Org {part.number} of {part.domains[0]}",
        "date-range": period,
        "report-id": f"{part.number}@x",
    }
    return json.dumps({**head, "policies": policies}).encode(), "application", "tlsrpt+json"


def mail(*parts: Part, more: bytes = b"") -> bytes:
    """A message with these reports. `more`: an attachment that is called a report and is none."""
    if parts and parts[0].kind in {"failure", "abuse"}:
        made = samples.failure(day()) if parts[0].kind == "failure" else samples.abuse(day())
        made = made.replace(b"example.org", parts[0].domains[0].encode())
        return made.replace(b"@spammer.example>\nContent", b"%d@spammer.example>\nContent" % parts[0].number)
    message: EmailMessage = samples.mail("a@reporter.example", "Reports", day())
    for one in parts:
        data, main, sub = report(one)
        message.add_attachment(data, main, sub, filename=f"report-{one.number}.{sub[-4:]}")
    if more:
        message.add_attachment(more, "application", "gzip", filename="reporter!x!1!2.xml.gz")
    return message.as_bytes(policy=SMTP)


def ids(message: bytes) -> list[list[str]]:
    """Of the documents of each report."""
    return [[document.id for document in one.documents()] for one in read_message(message).reports]


def expected(messages: Iterable[tuple[Sequence[Part], bytes, tuple[str, ...]]]) -> dict[str, set[str]]:
    """Tenant -> ids that its store must have, and no others: of messages with their reports and addressees."""
    found: dict[str, set[str]] = {name: set() for name in NAMES}
    for parts, message, to in messages:
        for part, documents in zip(parts, ids(message), strict=True):
            for owner in owners(part, to):
                found[owner] |= set(documents)
    return found


def database(state: Path, name: str) -> Path:
    """The embedded store of a tenant."""
    return (state / "tenants" / name if name else state) / "reports.sqlite"


def stored(state: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """Tenant -> id -> document."""
    return {name: _documents(database(state, name)) for name in NAMES}


def _documents(path: Path) -> dict[str, dict[str, Any]]:
    if not path.exists():
        return {}
    store = SqliteStore(str(path))
    try:
        return {row.id: json.loads(row.source) for row in store.scan()}
    finally:
        store.close()


def stored_ids(state: Path) -> dict[str, set[str]]:
    """Tenant -> ids."""
    return {name: set(documents) for name, documents in stored(state).items()}


def addressed(job: Job, to: tuple[str, ...], feed: str = "") -> Job:
    """The job of a message to these."""
    assert job.routes is not None
    return job.routes.addressed(to, feed)
