"""Hostile messages through the real process with 256 MB of address space: answered, soon, in little memory.

Each is of a kind that once cost a reader of reports minutes or gigabytes.
"""

import base64
import bz2
import gzip
import io
import itertools
import json
import lzma
import os
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from email_report_processor.stores import kept
from tests import containers
from tests.conftest import Program

MEBI = 1024**2
ADDRESS_SPACE = 256 * MEBI  # what several mail servers give a filter
SECONDS = 20.0  # of CPU, on a slow machine
HEAD = b"From: r@example.net\r\nDate: Fri, 20 Nov 2026 06:00:00 +0000\r\nMessage-ID: <1@example.net>\r\n"
MIXED = HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
REPORT = (
    b'<?xml version="1.0"?><feedback><report_metadata><org_name>Example</org_name><email>r@example.net</email>'
    b"<report_id>1</report_id><date_range><begin>1763424000</begin><end>1763510399</end></date_range></report_metadata>"
    b"<policy_published><domain>example.org</domain><p>none</p></policy_published>"
)
POLICIES = b'{"organization-name":"x","report-id":"1","policies":['


def squeezed(*pieces: bytes, times: int = 1, end: bytes = b"") -> bytes:
    """The first piece once and the others many times, as gzip."""
    deflater = zlib.compressobj(6, zlib.DEFLATED, 31)
    first, *rest = pieces
    data = deflater.compress(first)
    for _ in range(times):
        data += b"".join(deflater.compress(piece) for piece in rest)
    return data + deflater.compress(end) + deflater.flush()


def arf(sample: bytes, fields: bytes = b"") -> bytes:
    return (
        HEAD + b"Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\nContent-Type: message/feedback-report\r\n\r\n"
        b"Feedback-Type: auth-failure\r\nUser-Agent: x\r\nVersion: 1\r\n" + fields + b"\r\n--b\r\n"
        b"Content-Type: message/rfc822\r\n\r\n" + sample + b"\r\n--b--\r\n"
    )


def multiparts(levels: int) -> Iterator[bytes]:
    for level in range(levels):
        yield b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (level, level)


def zipped_zips() -> bytes:
    data = b" " * MEBI
    for _ in range(3):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(20):
                archive.writestr(f"{number}", data)
        data = buffer.getvalue()
    return data


def zipped_lists(archives: int) -> bytes:
    """Files of JSON with long lists, 99 in each of some archives."""
    names = b'{"policy":{"mx-host":[' + b'"a",' * 450_000 + b'"a"]}}]}'
    outer = io.BytesIO()
    with zipfile.ZipFile(outer, "w") as around:
        for archive in range(archives):
            inner = io.BytesIO()
            with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as file:
                for number in range(99):
                    file.writestr(f"{number}.json", POLICIES.replace(b'"1"', b'"%d-%d"' % (archive, number)) + names)
            around.writestr(f"{archive}.zip", inner.getvalue())
        around.writestr("large", bytes(6 * MEBI))
    return attached(outer.getvalue())


def attached(data: bytes) -> bytes:
    return HEAD + b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(data)


def zip_entries_over_each_other() -> bytes:
    """A hundred files that are the same bytes: 20 KB that are a gigabyte."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    content = b" " * 10 * MEBI
    packed = deflater.compress(content) + deflater.flush()
    sizes = (zlib.crc32(content), len(packed), len(content), 1, 0)
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 8, 0, 0, *sizes) + b"a" + packed
    central = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 8, 0, 0, *sizes, 0, 0, 0, 0, 0) + b"a"
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 100, 100, 100 * len(central), len(local), 0)
    return attached(local + 100 * central + end)


def small_reports(number: int) -> bytes:
    """So many reports in one zip file, of noise that hardly gets smaller."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for one in range(number):
            name = b"<org_name>%d " % one + os.urandom(7000).hex().encode() + b"</org_name>"
            archive.writestr(f"{one}.xml", REPORT.replace(b"<org_name>Example</org_name>", name) + b"</feedback>")
    return attached(buffer.getvalue())


def row(address: str, kind: int = 0, more: str = "") -> bytes:
    """An aggregate report's record, of one of many kinds."""
    return (
        f"<record><row><source_ip>{address}</source_ip><count>1</count><policy_evaluated><dkim>pass</dkim>"
        f"</policy_evaluated>{more}</row><identifiers><header_from>example.org</header_from></identifiers><auth_results>"
        f"<dkim><domain>d{kind}.example.org</domain><result>pass</result></dkim></auth_results></record>"
    ).encode()


def ipv4(number: int) -> str:
    return f"{number % 223 + 1}.{number // 7 % 256}.{number // 1792 % 256}.{number % 251}"


def ipv6(number: int) -> str:
    return f"2001:db8:{number % 65521 + 1:x}:{number % 251 + 1:x}:{number % 257 + 1:x}:1:2:{number % 241 + 1:x}"


def rows(*kinds: Sequence[int], address: Callable[[int], str] = ipv4, more: str = "") -> bytes:
    """A report of one record for each kind, in a mail that is long enough for them."""
    deflater = zlib.compressobj(6, zlib.DEFLATED, 31)
    pieces = [deflater.compress(REPORT)]
    pieces += [deflater.compress(row(address(at), kind, more)) for at, kind in enumerate(itertools.chain(*kinds))]
    data = b"".join(pieces) + deflater.compress(b"</feedback>") + deflater.flush()
    text = b"--b\r\n\r\n" + b"a text that makes the message longer\r\n" * (4 * sum(map(len, kinds)) // 38)
    file = b"\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(data)
    return MIXED + text + file + b"--b--\r\n"


DETAIL = b'{"result-type":"certificate-expired","failed-session-count":1},'
FILES = [containers.File(str(number), bytes(30_000)) for number in range(900)]
TNEF = struct.pack("<LH", 0x223E9F78, 1)
CMS = bytes.fromhex("3080 0609 2a864886f70d010702 a080 3080 020101 3100 3080 0609 2a864886f70d010701 a080 2480")


MESSAGES: dict[str, Callable[[], bytes]] = {
    "multiparts 20,000 deep": lambda: HEAD + b"".join(multiparts(20_000)),
    "messages 100,000 deep": lambda: HEAD + b"Content-Type: message/rfc822\r\n\r\n" * 100_000,
    "100,000 parts": lambda: MIXED + b"--b\r\n\r\nx\r\n" * 100_000,
    "lines that may be boundaries": lambda: MIXED + b"--x\r\n" * 1_000_000,
    "60 boundaries at once": lambda: HEAD + b"".join(multiparts(60)) + b"--b1\r\n--b59\r\n" * 200_000,
    "a header line of 20 MiB": lambda: b"Subject: " + b"x" * 20 * MEBI + b"\r\n\r\nhi",
    "200,000 fields": lambda: b"Received: from x by y; Thu, 19 Nov 2026 12:00:00 +0000\r\n" * 200_000 + b"\r\nhi",
    "a million folds": lambda: b"Subject: a" + b"\r\n b" * 1_000_000 + b"\r\n\r\nhi",
    "encoded words": lambda: b"Subject: " + b"=?utf-8?B?QUFB?= " * 500_000 + b"\r\n\r\nhi",
    "open brackets": lambda: b"From: " + b"(" * 3 * MEBI + b"\r\nDate: " + b"(" * 3 * MEBI + b"\r\n\r\nhi",
    "quotes": lambda: HEAD + b'Content-Type: multipart/mixed; boundary="' + b'\\"' * MEBI + b"\r\n\r\nhi",
    "one line of 40 MiB": lambda: HEAD + b"\r\n" + b"x" * 40 * MEBI,
    "empty lines": lambda: b"\n" * 20 * MEBI,
    "soft line breaks": lambda: (
        HEAD + b"Content-Type: text/xml\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + b"=\r\n" * 2_000_000
    ),
    "base64 that is none": lambda: (
        HEAD + b"Content-Type: text/xml\r\nContent-Transfer-Encoding: base64\r\n\r\n" + b"!@#$" * 2_000_000
    ),
    "50 MiB of blanks": lambda: squeezed(b"<feedback>", b" " * MEBI, times=50),
    "XML a million deep": lambda: squeezed(REPORT, b"<a>" * MEBI, times=3),
    "a record of 100 MiB": lambda: squeezed(REPORT + b"<record>", b"x" * MEBI, times=100),
    "a million records without an end": lambda: squeezed(REPORT, b"<record>" * (MEBI // 8), times=8),
    "end tags alone": lambda: squeezed(REPORT, b"</record>" * (MEBI // 9), times=8),
    "comments": lambda: squeezed(REPORT, b"<!-- x -->" * (MEBI // 10), times=8),
    "open brackets in XML": lambda: squeezed(REPORT, b"<" * MEBI, times=100),
    "ampersands": lambda: squeezed(REPORT, b"&" * MEBI, times=100),
    "CDATA": lambda: squeezed(REPORT, b"<![CDATA[" * (MEBI // 9), times=50),
    "attributes": lambda: gzip.compress(REPORT + b"<x " + b" ".join(b'a%d="1"' % n for n in range(50_000)) + b"/>"),
    "JSON 10 million deep": lambda: squeezed(POLICIES, b"[" * MEBI, times=10),
    "JSON of strings": lambda: squeezed(POLICIES, b'"\\ud800",' * (MEBI // 9), times=14, end=b"1]}"),
    "5 million policies": lambda: squeezed(POLICIES, b"{}," * (MEBI // 3), times=14, end=b"{}]}"),
    "200,000 gzip members": lambda: gzip.compress(b"", mtime=0) * 200_000,
    "zips in zips in zips": zipped_zips,
    "zip headers": lambda: b"PK\x03\x04" * 2_000_000,
    "URLs": lambda: arf(b"From: a@b.example\r\n\r\n" + b"http://a.example/x " * 600_000),
    "a URL of 14 MiB": lambda: arf(b"From: a@b.example\r\n\r\nhttp://" + b"a." * 7 * MEBI),
    "fields of a sample": lambda: arf(b"Received: a (b [192.0.2.1]) by c\r\n" * 300_000 + b"\r\nx"),
    "NULs in a sample": lambda: arf(b"Subject: " + b"\0" * 8 * MEBI + b"\r\n\r\n" + b"\0" * 8 * MEBI),
    "28 MiB of a sample": lambda: arf(b"From: a@b.example\r\n\r\n" + b"http://x.example/%61 \xc3\xa4\r\n" * 1_100_000),
    "recipients": lambda: arf(b"To: " + b"a@b.example, " * 1_000_000 + b"\r\n\r\nx"),
    "fields of a report": lambda: arf(b"From: a@b\r\n\r\nx", b"Reported-URI: http://a.example/\r\n" * 400_000),
    "attachments of a sample": lambda: arf(
        b"From: a@b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"
        + b"--c\r\nContent-Type: application/zip; name=x\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n" * 100_000
    ),
    "empty policies": lambda: squeezed(POLICIES, b"{}," * 10_000, times=200, end=b"{}]}"),
    "empty records": lambda: squeezed(REPORT, b"<record/>" * 10_000, times=190, end=b"</feedback>"),
    "400,000 details": lambda: squeezed(POLICIES + b'{"failure-details":[', DETAIL * 1000, times=400, end=b"{}]}]}"),
    "objects one after the other": lambda: squeezed(b"", b'{"report-id":"1","policies":[]}\n' * 1000, times=500),
    "zip entries over each other": zip_entries_over_each_other,
    "99 reports in a zip": lambda: small_reports(99),
    "bzip2 of nothing much": lambda: attached(bz2.compress(b"\0" * 64 * MEBI) * 16),
    "bzip2 of nothing at all": lambda: attached(bz2.compress(b"") * 2_000_000),
    "xz of nothing at all": lambda: attached(lzma.compress(b"") * 1_000_000),
    "an Outlook message of 900 files": lambda: attached(containers.msg(containers.Message(files=FILES), 4096)),
    "winmail.dat of 900 files": lambda: attached(containers.tnef(containers.Message(files=FILES))),
    "attributes of nothing": lambda: attached(TNEF + containers.attribute(2, 1, b"") * 3_000_000),
    "properties of nothing": lambda: attached(
        TNEF + containers.attribute(1, 0x00069003, containers.block([containers.string(0x37, "a")] * 10_000)) * 100
    ),
    "octet strings of one byte": lambda: attached(CMS + b"\x04\x01x" * 11_000_000),
    "sequences 17 million deep": lambda: attached(CMS[:17] + b"\x30\x80" * 17_000_000),
    "tar headers": lambda: attached(tarfile.TarInfo("a").tobuf() * 65_000),
    "uuencoded files": lambda: HEAD + b"\r\n" + b"begin 644 x\n#0V%T\n`\nend\n" * 1_900_000,
    "beginnings of base64": lambda: HEAD + b"\r\n" + b"H4sIAAAAAAAAAAAAAAAAAAAA\n\n" * 1_900_000,
    "lines of base64 that may begin a file": lambda: HEAD + b"\r\n" + (b"UEsDB" + b"A" * 71 + b"\n") * 600_000,
    "marks of files": lambda: HEAD + b"\r\n" + b"eyA W3 begin 7 x H4s PD94 feedback \"report\r\n" * 1_100_000,
    "reports behind 70 KB": lambda: HEAD + b"\r\n" + b"x" * 70_000 + b"<feedback>" * 4_000_000,
    "rows of one kind": lambda: rows([1] * 400_000),
    "rows of IPv6": lambda: rows([1] * 100_000, address=ipv6),
    "1.2 million rows of one kind": lambda: rows([1] * 1_200_000),
    "kinds, then alike rows": lambda: rows(range(49_000), [1] * 400_000),
    "kinds that change when tables are full": lambda: rows(range(1024), [1] * 300_000, range(1024, 1030)),
    "kinds in turn": lambda: rows(*[range(1000)] * 300),
    "rows of an unusual address": lambda: rows([1] * 200_000, address=lambda at: ipv6(at).replace(":db8", ":0db8")),
    "records of 10,000 attributes": lambda: squeezed(
        REPORT, b"<record><x " + b" ".join(b'a%d="1"' % n for n in range(10_000)) + b"/></record>", times=500
    ),
    "rows of two rows": lambda: rows(
        [1] * 200_000, more="</row><row><source_ip>192.0.2.1</source_ip><count>2</count>"
    ),
    "lists of JSON in zips in a zip": lambda: zipped_lists(4),
    "100 MiB of comments in a long mail": lambda: MIXED + (
        b"--b\r\n\r\n" + b"a text that makes the message longer\r\n" * 50_000
        + b"\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(squeezed(REPORT, b"<!-- x -->" * (MEBI // 10), times=150)) + b"--b--\r\n"
    ),
    "noise": lambda: os.urandom(20 * MEBI),
    "noise in base64": lambda: (
        HEAD + b"Content-Type: application/zip\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(os.urandom(10 * MEBI))
    ),
}  # fmt: skip
MEMORY = 96  # MiB
# They take seconds, and nothing but time.
SLOW = {"50 MiB of blanks", "end tags alone", "comments", "zips in zips in zips", "200,000 gzip members"} | {
    "an Outlook message of 900 files", "winmail.dat of 900 files", "octet strings of one byte", "marks of files",
    "sequences 17 million deep", "tar headers", "uuencoded files", "beginnings of base64", "attributes of nothing",
    "lists of JSON in zips in a zip",
    "rows of one kind", "kinds, then alike rows", "1.2 million rows of one kind", "kinds in turn",
    "kinds that change when tables are full",
    "lines of base64 that may begin a file", "bzip2 of nothing at all", "xz of nothing at all",
}  # fmt: skip
ALL = [pytest.param(name, marks=pytest.mark.long if name in SLOW else ()) for name in MESSAGES]


# Runs a command with little address space, and says what it took. In between, since what is forked from a big process
# inherits its peak of memory.
MEASURED = """
import json, os, resource, subprocess, sys
size, answer, *command = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_AS, (int(size), int(size)))
status = subprocess.run(command, env={}).returncode
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
with open(answer, "w") as file:
    json.dump({"status": status, "seconds": usage.ru_utime + usage.ru_stime, "mebibytes": usage.ru_maxrss / 1024}, file)
"""
SETTINGS = '[read]\nsample = "full"\nauthserv_ids = ["mail.example.org"]\n'


@pytest.mark.parametrize("name", ALL)
def test_hostile(run_filter: Program, state: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "message").write_bytes(message := MESSAGES[name]())
    log, answer = tmp_path / "log", tmp_path / "answer"
    command = run_filter.command(f"--log={log}", store="-", settings=SETTINGS)
    measured = [sys.executable, "-c", MEASURED, str(ADDRESS_SPACE), str(answer), *command]
    with (tmp_path / "message").open("rb") as file:
        done = subprocess.run(measured, stdin=file, capture_output=True, check=False)
    taken = json.loads(answer.read_text())
    assert (taken["status"], done.stderr) == (0, b""), log.read_text()
    copies = list(kept.listing(kept.directory(state)))
    assert done.stdout or copies, "neither stored nor kept"
    assert [one.size for one in copies] == [len(message)] * len(copies)
    assert "Traceback" not in log.read_text()
    assert taken["seconds"] < SECONDS
    assert taken["mebibytes"] < MEMORY
