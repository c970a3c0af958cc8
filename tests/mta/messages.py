"""Messages that a reporter might send, and some that are no reports. All names are examples."""

import gzip
import itertools
from collections.abc import Callable
from email.message import EmailMessage
from xml.sax.saxutils import escape

Change = Callable[[bytes], bytes]

REPORTER = "noreply-dmarc@reporter.example"

_number = itertools.count(1)

_RECORD = """<record><row><source_ip>192.0.2.{last}</source_ip><count>{count}</count><policy_evaluated>
<disposition>none</disposition><dkim>pass</dkim><spf>fail</spf></policy_evaluated></row>
<identifiers><header_from>example.org</header_from></identifiers>
<auth_results><dkim><domain>example.org</domain><selector>s1</selector><result>pass</result></dkim>
<spf><domain>bounce.example</domain><result>fail</result></spf></auth_results></record>
"""
_REPORT = """<?xml version="1.0" encoding="UTF-8"?>
<feedback><version>1.0</version><report_metadata><org_name>{name}</org_name>
<email>noreply-dmarc@reporter.example</email><report_id>{id}</report_id>
<date_range><begin>1763510400</begin><end>1763596799</end></date_range></report_metadata>
<policy_published><domain>example.org</domain><adkim>r</adkim><aspf>r</aspf><p>none</p><sp>none</sp><pct>100</pct>
</policy_published>
{records}</feedback>
"""


def spoof(subject: str = "Wire transfer") -> bytes:
    """A message of nobody's that claims to be from example.org."""
    message = _message(subject)
    message.replace_header("From", "Accounts <accounts@example.org>")
    message.set_content("Please confirm at https://pay.example.net/mail.htm today.\n.\n.. and be quick.\n")
    return message.as_bytes()


def report(rows: int = 2, *, organisation: str = "Reporter Example", text: int = 0) -> bytes:
    """An aggregate report that no other call has made, as Google sends it: gzip in an attachment.

    `text` is how many bytes of text stand before the attachment.
    """
    identity = f"mta-{next(_number)}"
    records = "".join(_RECORD.format(last=n % 250 + 1, count=n + 1) for n in range(rows))
    name = escape(organisation)
    payload = gzip.compress(_REPORT.format(id=identity, name=name, records=records).encode(), mtime=0)
    message = _message("Report Domain: example.org Submitter: reporter.example Report-ID: " + identity)
    if text:
        message.set_content("This is an aggregate report.\n" * (text // 29 + 1))
    message.add_attachment(
        payload,
        maintype="application",
        subtype="gzip",
        filename="reporter.example!example.org!1763510400!1763596799.xml.gz",
    )
    return message.as_bytes()


def big_report() -> bytes:
    """A report that no other call has made, of more than a pipe holds: wherever it is cut, something can be read."""
    identity = f"mta-{next(_number)}"
    padding = "<!-- " + "about nothing " * 8000 + "-->"
    records = "".join(_RECORD.format(last=n + 1, count=n + 1) + padding for n in range(5))
    message = _message("Report Domain: example.org Submitter: reporter.example Report-ID: " + identity)
    report = _REPORT.format(id=identity, name="Reporter Example", records=records)
    message.add_attachment(report.encode(), maintype="application", subtype="xml", filename="reporter.example.xml")
    return message.as_bytes()


def broken_report() -> bytes:
    """A report whose gzip ends before its first row."""
    message = _message("Report Domain: example.org Submitter: reporter.example Report-ID: broken")
    payload = gzip.compress(
        _REPORT.format(id=f"broken-{next(_number)}", name="Reporter Example", records="").encode(), mtime=0
    )[:60]
    message.add_attachment(payload, maintype="application", subtype="gzip", filename="reporter.example!example.org.gz")
    return message.as_bytes()


def plain(size: int = 0) -> bytes:
    """A message without any report, with a line that begins with From, of about `size` bytes."""
    message = _message(f"Lunch {next(_number)}")
    line = "From here on it is about lunch.\n"
    message.set_content(line * (size // len(line) + 1))
    return message.as_bytes()


def looks_like_report() -> bytes:
    """What the filters take for a report by its subject, though there is none in it."""
    message = _message("Report Domain: example.org Submitter: reporter.example")
    message.set_content(f"There was nothing to report {next(_number)}.\n")
    return message.as_bytes()


def _message(subject: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = f"Reporter <{REPORTER}>"
    message["To"] = "dmarc@example.org"
    message["Subject"] = subject
    message["Date"] = "Thu, 20 Nov 2025 06:00:00 +0000"
    message["Message-ID"] = f"<{next(_number)}.test@reporter.example>"
    message.set_content("This is an aggregate report.\n")
    return message
