"""Reports of any size, made up, always the same for the same arguments."""

import gzip
import random
from base64 import encodebytes
from collections.abc import Iterator
from pathlib import Path

_HEAD = """<?xml version="1.0" encoding="UTF-8" ?>
<feedback>
  <report_metadata>
    <org_name>bigmail.example</org_name>
    <email>noreply-dmarc-support@bigmail.example</email>
    <extra_contact_info>https://support.bigmail.example/a/answer/2466580</extra_contact_info>
    <report_id>{id}</report_id>
    <date_range>
      <begin>1763596800</begin>
      <end>1763683199</end>
    </date_range>
  </report_metadata>
  <policy_published>
    <domain>example.org</domain>
    <adkim>r</adkim>
    <aspf>r</aspf>
    <p>quarantine</p>
    <sp>quarantine</sp>
    <pct>100</pct>
  </policy_published>
"""
_RECORD = """  <record>
    <row>
      <source_ip>{ip}</source_ip>
      <count>{count}</count>
      <policy_evaluated>
        <disposition>{disposition}</disposition>
        <dkim>{dkim}</dkim>
        <spf>{spf}</spf>
      </policy_evaluated>
    </row>
    <identifiers>
      <header_from>{host}</header_from>
    </identifiers>
    <auth_results>
      <dkim>
        <domain>{host}</domain>
        <result>{dkim}</result>
        <selector>s{selector}</selector>
      </dkim>
      <spf>
        <domain>{envelope}</domain>
        <result>{spf}</result>
      </spf>
    </auth_results>
  </record>
"""


def xml(rows: int, id_: str = "9391651994964116463") -> Iterator[bytes]:
    """The XML of an aggregate report, about 600 bytes a row."""
    dice = random.Random(f"{id_} {rows}")
    yield _HEAD.format(id=id_).encode()
    for number in range(rows):
        dkim, spf = dice.choice(("pass", "pass", "fail")), dice.choice(("pass", "fail"))
        yield _RECORD.format(
            ip=f"{192 + number // 16777216 % 8}.{number // 65536 % 256}.{number // 256 % 256}.{number % 256}",
            count=1 + dice.getrandbits(6),
            disposition="none" if "pass" in {dkim, spf} else "quarantine",
            dkim=dkim,
            spf=spf,
            host=dice.choice(("example.org", "news.example.org", "shop.example.org")),
            envelope=dice.choice(("example.org", "bounce.mailer.example", "crm.example")),
            selector=dice.getrandbits(2),
        ).encode()
    yield b"</feedback>\n"


def message(rows: int, id_: str = "9391651994964116463") -> bytes:
    """A message with such a report as a gzip attachment."""
    data = gzip.compress(b"".join(xml(rows, id_)), 6, mtime=0)
    return (
        b"Return-Path: <noreply@bigmail.example>\r\nReceived: from mx.bigmail.example (192.0.2.1) by mx.example.org;"
        b" Thu, 20 Nov 2025 06:12:44 +0000\r\nFrom: noreply-dmarc-support@bigmail.example\r\n"
        b"To: dmarc@example.org\r\nDate: Thu, 20 Nov 2025 06:12:40 +0000\r\n"
        b"Subject: Report Domain: example.org Submitter: bigmail.example Report-ID: <" + id_.encode() + b">\r\n"
        b"Message-ID: <" + id_.encode() + b"@bigmail.example>\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/mixed; boundary="frontier"\r\n\r\n--frontier\r\nContent-Type: text/plain\r\n\r\n'
        b"This is an aggregate report.\r\n--frontier\r\nContent-Type: application/gzip\r\n"
        b'Content-Disposition: attachment; filename="bigmail.example!example.org.xml.gz"\r\n'
        b"Content-Transfer-Encoding: base64\r\n\r\n" + encodebytes(data) + b"\r\n--frontier--\r\n"
    )


def write_xml(path: Path, rows: int) -> Path:
    """The XML in a file."""
    with path.open("wb") as file:
        file.writelines(xml(rows))
    return path


NO_REPORT = (
    b"From: someone@example.net\r\nTo: dmarc@example.org\r\nDate: Thu, 20 Nov 2025 06:12:40 +0000\r\n"
    b"Subject: Hello\r\nMessage-ID: <hello@example.net>\r\n\r\n" + b"How do I unsubscribe from this?\r\n" * 40
)
