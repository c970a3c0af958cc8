"""Write the demo's sample messages: one of each kind, one broken, one that is no report.

Everything in them is made up (RFC 2606 and RFC 5737 names and addresses). Dates count back from today, so that the
summary and the dashboards show them.
"""

import gzip
import json
import random
import sys
import zipfile
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from io import BytesIO
from pathlib import Path

# Who sends in the name of example.org: address, messages a day, DKIM and SPF verdict, From domain, signer, envelope.
SENDERS = (
    ("192.0.2.10", 410, "pass", "pass", "example.org", "example.org", "example.org"),
    ("192.0.2.11", 96, "pass", "fail", "news.example.org", "news.example.org", "bounce.mailer.example"),
    ("198.51.100.23", 38, "fail", "pass", "example.org", "", "example.org"),
    ("198.51.100.77", 21, "fail", "fail", "example.org", "crm.example", "crm.example"),
    ("203.0.113.5", 14, "pass", "fail", "example.org", "example.org", "example.org"),
    ("203.0.113.66", 9, "fail", "fail", "example.org", "", "spammer.example"),
)
POLICY = "<domain>example.org</domain><adkim>r</adkim><aspf>r</aspf><p>quarantine</p><sp>none</sp>"


def main(folder: Path, days: int = 3) -> None:
    """Write the messages into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for day in range(1, days + 1):
        begin = today - timedelta(days=day)
        write(folder, f"aggregate-{day}-google-like", aggregate_zip(begin))
        write(folder, f"aggregate-{day}-rfc9990", aggregate_rfc9990(begin))
        write(folder, f"tls-{day}", tls(begin))
    begin = today - timedelta(days=1)
    write(folder, "failure", failure(begin))
    write(folder, "abuse", abuse(begin))
    write(folder, "broken", broken(begin))
    write(folder, "unreadable", unreadable(begin))
    write(folder, "no-report", no_report(begin))


def write(folder: Path, name: str, message: EmailMessage | bytes) -> None:
    """Write one message as a mail server hands it over."""
    (folder / f"{name}.eml").write_bytes(message if isinstance(message, bytes) else message.as_bytes(policy=SMTP))


def mail(sender: str, subject: str, date: datetime, text: str = "This is a report.\n") -> EmailMessage:
    """The frame of a message."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = "reports@example.org"
    message["Subject"] = subject
    message["Date"] = format_datetime(date + timedelta(hours=30))
    message["Message-ID"] = f"<{date:%Y%m%d}.{abs(hash_of(subject + sender))}@{sender.split('@')[1]}>"
    message.set_content(text)
    return message


def hash_of(text: str) -> int:
    """A number that is the same in every run."""
    return random.Random(text).getrandbits(40)


def rows(day: datetime, extra: str = "") -> str:
    """One record for each sender, with amounts that vary by the day."""
    vary = random.Random(f"{day:%Y-%m-%d}{extra}")
    return "".join(record(*sender, amount=max(1, round(sender[1] * vary.uniform(0.7, 1.3)))) for sender in SENDERS)


def record(ip: str, _usual: int, dkim: str, spf: str, from_: str, signer: str, envelope: str, *, amount: int) -> str:
    """One record of an aggregate report."""
    action = "none" if "pass" in {dkim, spf} else "quarantine"
    signature = f"<dkim><domain>{signer}</domain><selector>s1</selector><result>pass</result></dkim>" if signer else ""
    check = "pass" if spf == "pass" or envelope == "crm.example" else "fail"
    return (
        f"<record><row><source_ip>{ip}</source_ip><count>{amount}</count><policy_evaluated>"
        f"<disposition>{action}</disposition><dkim>{dkim}</dkim><spf>{spf}</spf></policy_evaluated></row>"
        f"<identifiers><header_from>{from_}</header_from><envelope_from>{envelope}</envelope_from></identifiers>"
        f"<auth_results>{signature}<spf><domain>{envelope}</domain><scope>mfrom</scope><result>{check}</result></spf>"
        "</auth_results></record>\n"
    )


def xml(day: datetime, org: str, email: str, records: str, *, rfc9990: bool = False) -> str:
    """An aggregate report, in the shape of RFC 7489 or of RFC 9990."""
    begin = int(day.timestamp())
    space = ' xmlns="urn:ietf:params:xml:ns:dmarc-2.0"' if rfc9990 else ""
    more = (
        "<np>reject</np><testing>n</testing><discovery_method>treewalk</discovery_method>"
        if rfc9990
        else "<pct>100</pct>"
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<feedback{space}><version>1.0</version><report_metadata>'
        f"<org_name>{org}</org_name><email>{email}</email><report_id>{hash_of(org + str(begin))}</report_id>"
        f"<date_range><begin>{begin}</begin><end>{begin + 86399}</end></date_range></report_metadata>\n"
        f"<policy_published>{POLICY}{more}</policy_published>\n{records}</feedback>\n"
    )


def aggregate_zip(day: datetime) -> EmailMessage:
    """As Google sends it: a zip archive that is the whole body."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("report.xml", xml(day, "Big Mail", "noreply@bigmail.example", rows(day)))
    message = mail("noreply@bigmail.example", f"Report domain: example.org Submitter: bigmail.example {day:%d}", day)
    message.set_content(buffer.getvalue(), "application", "zip", filename="bigmail.example!example.org.zip")
    return message


def aggregate_rfc9990(day: datetime) -> EmailMessage:
    """As RFC 9990 has it: gzip, attached."""
    report = xml(day, "Small Provider", "dmarc@provider.example", rows(day, "small"), rfc9990=True)
    subject = f"Report Domain: example.org Submitter: provider.example Report-ID: <{day:%Y%m%d}@provider.example>"
    message = mail("dmarc@provider.example", subject, day)
    data = gzip.compress(report.encode(), mtime=0)
    message.add_attachment(data, "application", "gzip", filename="provider.example!example.org.xml.gz")
    return message


def tls(day: datetime) -> EmailMessage:
    """An SMTP TLS report (RFC 8460) with one failure."""
    report = {
        "organization-name": "Big Mail",
        "date-range": {"start-datetime": f"{day:%Y-%m-%d}T00:00:00Z", "end-datetime": f"{day:%Y-%m-%d}T23:59:59Z"},
        "contact-info": "tls@bigmail.example",
        "report-id": f"{day:%Y-%m-%d}T00:00:00Z_example.org",
        "policies": [
            {
                "policy": {
                    "policy-type": "sts",
                    "policy-string": ["version: STSv1", "mode: enforce", "mx: mx.example.org", "max_age: 86400"],
                    "policy-domain": "example.org",
                    "mx-host": ["mx.example.org"],
                },
                "summary": {"total-successful-session-count": 1200 + day.day, "total-failure-session-count": 3},
                "failure-details": [
                    {
                        "result-type": "certificate-expired",
                        "sending-mta-ip": "192.0.2.200",
                        "receiving-mx-hostname": "mx.example.org",
                        "receiving-ip": "198.51.100.2",
                        "failed-session-count": 3,
                    }
                ],
            }
        ],
    }
    message = mail("tls@bigmail.example", f"Report Domain: example.org Submitter: bigmail.example {day:%F}", day)
    message["TLS-Report-Domain"] = "example.org"
    message["TLS-Report-Submitter"] = "bigmail.example"
    data = gzip.compress(json.dumps(report).encode(), mtime=0)
    message.add_attachment(data, "application", "tlsrpt+gzip", filename="bigmail.example!example.org.json.gz")
    return message


def feedback(day: datetime, fields: str, sample: str, text: str) -> bytes:
    """A feedback report (RFC 5965): text, fields, sample."""
    head = mail("arf@provider.example", "FW: Earn money", day, text)
    lines = [f"{name}: {value}" for name, value in head.items() if not name.lower().startswith(("content-", "mime-"))]
    parts = {"text/plain": text, "message/feedback-report": fields, "message/rfc822": sample}
    body = "".join(f"--frontier\nContent-Type: {type_}\n\n{content}\n" for type_, content in parts.items())
    report = 'MIME-Version: 1.0\nContent-Type: multipart/report; report-type=feedback-report; boundary="frontier"\n\n'
    return ("\n".join(lines) + "\n" + report + body + "--frontier--\n").encode()


def failure(day: datetime) -> bytes:
    """A DMARC failure report (RFC 6591, RFC 9991)."""
    arrival = format_datetime(day + timedelta(hours=9))
    fields = (
        "Feedback-Type: auth-failure\nUser-Agent: Provider-ARF/2.1\nVersion: 1\nAuth-Failure: dmarc\n"
        f"Arrival-Date: {arrival}\nSource-IP: 203.0.113.66\nReported-Domain: example.org\n"
        "Original-Mail-From: <billing@spammer.example>\nOriginal-Rcpt-To: <user@provider.example>\n"
        "Authentication-Results: mx.provider.example; dmarc=fail header.from=example.org\n"
        "Delivery-Result: reject\nIdentity-Alignment: none\n"
    )
    sample = (
        f'From: "Accounts" <ceo@example.org>\nTo: user@provider.example\nSubject: Invoice overdue\nDate: {arrival}\n'
        "Message-ID: <1@spammer.example>\nContent-Type: text/plain\n\nPay at https://pay.spammer.example/now\n"
    )
    return feedback(day, fields, sample, "An authentication failure report.\n")


def abuse(day: datetime) -> bytes:
    """A complaint (RFC 5965)."""
    fields = (
        "Feedback-Type: abuse\nUser-Agent: Provider-FBL/1.0\nVersion: 1\nSource-IP: 192.0.2.11\n"
        f"Arrival-Date: {format_datetime(day + timedelta(hours=11))}\nReported-Domain: example.org\n"
        "Original-Mail-From: <bounce@mailer.example>\n"
    )
    sample = (
        "From: News <news@news.example.org>\nTo: user@provider.example\nSubject: Our autumn catalogue\n"
        "Message-ID: <2@news.example.org>\nList-Id: <news.example.org>\n\nHello.\n"
    )
    return feedback(day, fields, sample, "A user says that this is spam.\n")


def broken(day: datetime) -> EmailMessage:
    """An aggregate report that ends in the middle, with a tag that is never closed: five of its records are whole."""
    whole = xml(day, "Old Gateway", "reports@gateway.example", "<xs:schema>" + rows(day, "old"))
    message = mail("reports@gateway.example", "Report Domain: example.org Submitter: gateway.example", day)
    cut = whole[: whole.rindex("<auth_results>")]
    message.add_attachment(cut.encode(), "text", "xml", filename="gateway.example!example.org.xml")
    return message


def unreadable(day: datetime) -> EmailMessage:
    """An archive that is none."""
    message = mail("reports@gateway.example", "Report Domain: example.org Submitter: gateway.example (2)", day)
    message.add_attachment(b"PK\x03\x04 this was a zip file once", "application", "zip", filename="report.zip")
    return message


def no_report(day: datetime) -> EmailMessage:
    """A person who wrote to the address of the reports."""
    return mail("someone@example.net", "Question about your newsletter", day, "Hello, how do I unsubscribe?\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
