"""The same report in X-ARF v4 (xarf.org, 4.2.0), where its schema can be met without inventing anything. Pure.

`messaging/spam` over SMTP demands the TCP port of the host and the envelope's sender: what a failure report does not
say is not made up, and then there is no such part.
"""

import json
from base64 import b64encode
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid5

from .rdap import is_address
from .report import MOST_URLS, Draft, ReportOptions, one_line

VERSION = "4.2.0"
_NEVER = frozenset(' "<>\\^`{|}')  # in a URI (RFC 3986 §2)
_SPACE = UUID("b6f1cf25-6d0a-4f52-9f3c-6d9b6a0f7a31")  # of our report ids: the same report has the same


def to_json(draft: Draft, options: ReportOptions, sample: bytes) -> bytes:
    """The report as JSON; b'' where the schema cannot be met. sample: redacted already, b'' for none."""
    first = draft.messages[0]
    sender = one_line(first.mail_from)
    if not (first.source_ip and first.port and is_address(sender)):
        return b""
    us = {
        "org": one_line(options.sender_name)[:200],
        "contact": options.sender,
        "domain": options.sender.rpartition("@")[2],
    }
    report: dict[str, Any] = {
        "xarf_version": VERSION,
        "report_id": str(uuid5(_SPACE, draft.token)),
        "timestamp": first.at,
        "reporter": us,
        "sender": us,
        "source_identifier": first.source_ip,
        "source_port": first.port,
        "category": "messaging",
        "type": "spam",
        "evidence_source": "spamtrap" if first.feed == "spamtrap" else "automated_filter",
        "protocol": "smtp",
        "smtp_from": sender,
    }
    if links := [url for url in draft.urls[:MOST_URLS] if _is_link(url)]:
        report["spam_indicators"] = {"suspicious_links": links}
    if sample:
        report["evidence"] = [_evidence(sample, options)]
    return json.dumps(report, indent=1).encode()


def _evidence(sample: bytes, options: ReportOptions) -> dict[str, Any]:
    whole = options.sample == "full"
    return {
        "content_type": "message/rfc822" if whole else "text/rfc822-headers",
        "description": "The message, redacted" if whole else "Its header, redacted",
        "payload": b64encode(sample).decode(),
        "hash": f"sha256:{sha256(sample).hexdigest()}",
        "size": len(sample),
    }


def _is_link(url: str) -> bool:
    """A URI as RFC 3986 has it: strangers write others."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    plain = url.isascii() and url.isprintable() and not set(url) & _NEVER
    return plain and bool(parts.scheme and parts.netloc)
