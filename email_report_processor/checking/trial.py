"""A report of our own, to see that the mail server hands reports over: it has no record, so it counts for nothing."""

import smtplib
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

from ..stores.query import parse
from ..stores.store import Selection, Store

ORGANIZATION = "email-report-admin init"
_TRIED_EVERY = 0.5  # seconds
_SENDMAIL = ("/usr/sbin/sendmail", "/usr/lib/sendmail")
_XML = """\
<?xml version="1.0" encoding="UTF-8"?>
<feedback><version>1.0</version>
<report_metadata><org_name>{organization}</org_name><email>{address}</email><report_id>{ident}</report_id>
<date_range><begin>{begin}</begin><end>{end}</end></date_range></report_metadata>
<policy_published><domain>{domain}</domain><p>none</p></policy_published>
</feedback>
"""


class TrialError(Exception):
    """The test report could not be handed to the mail server; the text says what to do."""


def message(domain: str, address: str, ident: str, moment: datetime) -> bytes:
    """An aggregate report (RFC 9990) of yesterday without a record, in a message to the address."""
    begin = moment.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    report = _XML.format(
        organization=ORGANIZATION, address=address, ident=ident, domain=domain, begin=int(begin.timestamp()),
        end=int(begin.timestamp()) + 86399,
    )  # fmt: skip
    made = EmailMessage()
    made["From"] = made["To"] = address
    made["Subject"] = f"Report Domain: {domain} Submitter: {ORGANIZATION} Report-ID: {ident}"
    made["Date"] = format_datetime(moment)
    made["Message-ID"] = f"<{ident}@{domain}>"
    made.set_content("A test report, sent by email-report-admin init. It has no record.\n")
    made.add_attachment(report.encode(), "text", "xml", filename=f"init!{domain}.xml")
    return made.as_bytes()


def send(mail: bytes, address: str, smtp: str) -> None:
    """Give it to sendmail, or to an SMTP server at HOST:PORT. Raises TrialError."""
    try:
        _smtp(mail, address, smtp) if smtp else _sendmail(mail, address)
    except (OSError, smtplib.SMTPException, ValueError, subprocess.SubprocessError) as error:
        raise TrialError(f"the mail server did not take the test report ({error}); see its log") from error


def _smtp(mail: bytes, address: str, place: str) -> None:
    host, _, port = place.rpartition(":")
    with smtplib.SMTP(host or "127.0.0.1", int(port), timeout=30) as client:
        client.sendmail(address, [address], mail)


def _sendmail(mail: bytes, address: str) -> None:
    program = next((name for name in _SENDMAIL if Path(name).exists()), "")
    if not program:
        raise TrialError("there is no sendmail here; name an SMTP server with --smtp HOST:PORT")
    done = subprocess.run(  # noqa: S603  # an absolute path, and an address that was read as one
        [program, "-i", "-f", address, "--", address], input=mail, capture_output=True, timeout=60, check=False
    )
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise TrialError(f"sendmail ended with {done.returncode}: {said or 'it said nothing'}")


def arrives(ident: str, open_store: Callable[[], Store | None], seconds: float) -> bool:
    """Whether the report is in the store within so many seconds. open_store: None as long as there is none."""
    end = time.monotonic() + seconds
    while not _is_there(ident, open_store()):
        if time.monotonic() > end:
            return False
        time.sleep(_TRIED_EVERY)
    return True


def _is_there(ident: str, store: Store | None) -> bool:
    if store is None:
        return False
    try:
        wanted = Selection(parse(f'report.id:"{ident}"', datetime.now(UTC)), ("report",), 1)
        return any(True for _ in store.select(wanted))
    finally:
        store.close()
