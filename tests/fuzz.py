"""Mutation fuzzing of `read_message` over the golden samples, the demo's, and the corpus where there is one.

    python -m tests.fuzz --minutes 30      minutes of CPU, of this process

Prints, also after Ctrl-C, executions, what was read, the slowest input, the one that is slowest for its size, and the
largest memory; writes these and the inputs that fail to `.cache/fuzz/`. What is slow for its size is mutated further.
A failure is an exception, a document that does not encode or whose fields are not in the table, a number of rows that
is not the promised one, or a second reading that differs.
"""

import argparse
import base64
import binascii
import bz2
import gzip
import hashlib
import io
import json
import lzma
import random
import re
import resource
import signal
import sys
import tarfile
import time
import traceback
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from email.policy import SMTP
from pathlib import Path
from typing import NamedTuple

from email_report_processor.documents.classify import Site
from email_report_processor.documents.completion import Completion
from email_report_processor.documents.datasets import BY_NAME
from email_report_processor.documents.document import Document
from email_report_processor.documents.encode import decode, encode
from email_report_processor.message.blob import Memory
from email_report_processor.message.bounds import Bounds
from email_report_processor.message.mail import looks_like_mail, read_mail
from email_report_processor.message.payload import Payload, find_payloads, head
from email_report_processor.process import Job
from email_report_processor.reports.reading import read_message
from email_report_processor.reports.report import Options
from email_report_processor.stores.store import Store
from tests import containers
from tools import samples

HERE = Path(__file__).resolve().parent
REPORTS = HERE / "golden"
CORPUS = HERE.parents[1] / "shared/corpus"
FAILURES = HERE.parent / ".cache/fuzz"
MUTATIONS = 6  # of one input, at the most
LONGEST = 512 * 1024  # bytes of an input
SLOW = 5.0  # seconds of CPU for one input that count as a failure
SWOLLEN = 8 * 1024**2  # bytes of an input before it is compressed
SMALL = 16 * 1024  # bytes that every input counts as in addition, where CPU per byte is asked
SLOWEST = 40  # inputs that are slow for their size, and are mutated further
# Small enough that mutations meet them.
BOUNDS = Bounds(
    xml_bytes=4 * 1024**2, part_bytes=1024**2, archive_members=20, rows=5000, mime_parts=200,
    inflated_floor=2 * 1024**2, rows_floor=4000, tls_rows=4000, json_values=50_000,
)  # fmt: skip
OPTIONS = (
    Options(bounds=BOUNDS),
    Options(sample="full", authserv_ids=("mail.example.org",), feed="fuzz", bounds=BOUNDS),
    Options(sample="none", bounds=Bounds(string_chars=50, xml_depth=8, json_depth=8, record_bytes=2000, mime_depth=4)),
)

# Words that reports are made of, and bytes that break readers.
WORDS = (
    b"<feedback>", b"</feedback>", b"<record>", b"</record>", b"<row>", b"<count>", b"</count>", b"<x:record>", b"/>",
    b"<![CDATA[", b"]]>", b"<!--", b"-->", b"<?xml version='1.0' encoding='utf-16'?>", b"<!DOCTYPE feedback [",
    b"&amp;", b"&#0;", b"&#x110000;", b"&lt", b"xmlns:x='y'", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\x00",
    b"\x1a", b"\xed\xa0\x80", b"{", b"}", b"[", b"]", b'"policies"', b'"report-id":', b"null", b"1e999", b"-1",
    b"99999999999999999999", b"\\ud800", b"Feedback-Type: abuse\r\n", b"Version: 1\r\n", b"Incidents: 7\r\n",
    b"Arrival-Date: ", b"Source-IP: ", b"\r\n\r\n", b"Content-Type: multipart/report; boundary=b\r\n",
    b"Content-Type: message/rfc822\r\n", b"--b\r\n", b"--b--\r\n", b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Transfer-Encoding: quoted-printable\r\n", b"=?utf-8?B?", b"?=", b"=?x?Q?=FF?=",
    b"Content-Type: text/rfc822-headers\r\n", b"Date: ", b"Received: x; ", b"\x1f\x8b\x08", b"PK\x03\x04",
    b"PK\x01\x02", b"PK\x05\x06", b"begin 644 x\r\n", b"From ", b"\r", b"\n", b"\t", b" ", b"(" * 50, b"<" * 50,
    b"-" * 100, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    b"\x78\x9f\x3e\x22", b"\x30\x80", b"\x24\x80", b"\x04\x82", b"\0\0", b"BZh9",
    b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"ustar", b"H4sIAAAAAAAA", b"UEsDBBQAAAAIAA", b"end\n", b"[{", b"}\n{",
)  # fmt: skip


class Found(NamedTuple):
    """One failure."""

    data: bytes
    options: int
    what: str


class Tally:
    """What a run saw."""

    def __init__(self) -> None:
        self.executions = 0
        self.read: Counter[str] = Counter()  # reports by dataset, problems, nothing
        self.slowest = (0.0, b"")
        self.slow: list[tuple[float, float, bytes]] = []  # seconds per byte, seconds, input: the worst first
        self.failures: dict[str, Found] = {}  # by what happened

    def time(self, taken: float, data: bytes) -> None:
        """Note how long an input took."""
        self.slowest = max(self.slowest, (taken, data))
        ratio = taken / (len(data) + SMALL)
        if len(self.slow) < SLOWEST or ratio > self.slow[-1][0]:
            self.slow = sorted([*self.slow, (ratio, taken, data)], reverse=True)[:SLOWEST]


def seeds() -> list[list[bytes]]:
    """Messages and reports to begin with, in groups that are drawn from alike."""
    day = datetime(2026, 11, 18, tzinfo=UTC)
    made = [make(day) for make in (samples.aggregate_zip, samples.aggregate_rfc9990, samples.tls, samples.broken)]
    groups = [[*(message.as_bytes(policy=SMTP) for message in made), samples.failure(day), samples.abuse(day)]]
    folders = [*REPORTS.glob("*/"), *CORPUS.glob("*/")] if CORPUS.is_dir() else [*REPORTS.glob("*/")]
    for folder in sorted(folders):
        files = [path for path in sorted(folder.iterdir()) if path.is_file() and path.suffix != ".json"]
        groups.append([data for path in files if 0 < len(data := path.read_bytes()) <= LONGEST])
    return [one for group in groups if group for one in (group, [*_unpacked(group)]) if one]


def _unpacked(group: Sequence[bytes]) -> Iterator[bytes]:
    """What lies in these messages with every encoding undone: mutations of an archive hardly ever get that far."""
    for raw in group:
        if not looks_like_mail(raw[:4096]):
            continue
        parts = [read_mail(Memory(raw), mime_depth=10, mime_parts=20)]
        while parts:
            part = parts.pop()
            parts += part.parts
            found = () if part.parts else find_payloads(Payload("", "", part.chunks), BOUNDS)
            for payload in found:
                if isinstance(payload, Payload) and len(data := head(payload, LONGEST)) > 200:
                    yield data


# Mutations. Each takes bytes and returns other bytes.


def _flip(data: bytearray, chance: random.Random) -> None:
    for _ in range(chance.randint(1, 8)):
        data[chance.randrange(len(data))] = chance.randrange(256)


def _cut(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(len(data)) :]


def _remove(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    del data[at : at + chance.randint(1, 200)]


def _insert(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data) + 1)
    data[at:at] = chance.choice(WORDS) * chance.choice((1, 1, 1, 2, 30))


def _repeat(data: bytearray, chance: random.Random) -> None:
    at, size = chance.randrange(len(data)), chance.randint(1, 2000)
    data[at:at] = data[at : at + size] * chance.choice((1, 1, 2, 10))


def _move(data: bytearray, chance: random.Random) -> None:
    at, size = chance.randrange(len(data)), chance.randint(1, 2000)
    piece = data[at : at + size]
    del data[at : at + size]
    to = chance.randrange(len(data) + 1)
    data[to:to] = piece


def _replace(data: bytearray, chance: random.Random) -> None:
    """One word by another, everywhere or once."""
    words = bytes(data).split()
    if words:
        old, new = chance.choice(words), chance.choice((chance.choice(words), chance.choice(WORDS), b""))
        most = LONGEST // max(1, len(new)) + 1  # a blob in the place of each "a" once took 5 GB
        data[:] = bytes(data).replace(old, new, chance.choice((1, 3, most)))[:LONGEST]


def _line_ends(data: bytearray, chance: random.Random) -> None:
    old, new = chance.sample((b"\r\n", b"\n", b"\r", b"\r\r\n", b"\n\n"), 2)
    data[:] = bytes(data).replace(old, new)


def _zipped(raw: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED if raw[:1] < b"a" else zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo("r.xml"), raw)
    return buffer.getvalue()


def _tarred(raw: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("r.xml")
        member.size = len(raw)
        archive.addfile(member, io.BytesIO(raw))
    return buffer.getvalue()


def _letter(raw: bytes) -> containers.Message:
    return containers.Message(files=[containers.File("r.xml", raw)] * 2)


def _uuencoded(raw: bytes) -> bytes:
    lines = (binascii.b2a_uu(raw[at : at + 45]) for at in range(0, len(raw), 45))
    return b"begin 644 r.xml\n" + b"".join(lines)


WRAPS: tuple[Callable[[bytes], bytes], ...] = (
    lambda raw: gzip.compress(raw, mtime=0),
    _zipped,
    lambda raw: b"Content-Type: message/rfc822\r\n\r\n" + raw,
    lambda raw: raw.decode("utf-8", "replace").encode("utf-16"),
    lambda raw: raw.decode("utf-8", "replace").encode("utf-7", "replace"),
    lambda raw: b'Content-Type: multipart/mixed; boundary="b"\n\n--b\n' + raw + b"\n--b\n" + raw[:2000] + b"\n--b--\n",
    lambda raw: b"From: a@b.example\nDate: Thu, 19 Nov 2026 12:00:00 +0000\nContent-Type: text/xml\n\n" + raw,
    bz2.compress,
    lambda raw: lzma.compress(raw, preset=1),
    lambda raw: containers.msg(_letter(raw)),
    lambda raw: containers.tnef(_letter(raw)),
    lambda raw: containers.signed(raw, indefinite=True),
    containers.signed,
    _tarred,
    _uuencoded,
    lambda raw: b"a text\n\n" + base64.encodebytes(raw),
)


def _wrap(data: bytearray, chance: random.Random) -> None:
    """In an archive, a message, another encoding."""
    data[:] = chance.choice(WRAPS)(bytes(data))


def _swell(data: bytearray, chance: random.Random) -> None:
    """A piece of it thousands of times, compressed: little mail that becomes much."""
    at, size = chance.randrange(len(data)), chance.choice((3, 20, 200, 2000))
    piece = bytes(data[at : at + size])
    many = piece * min(chance.choice((100, 3000, 100_000)), SWOLLEN // max(1, len(piece)))
    raw = bytes(data[:at]) + many + bytes(data[at:])
    data[:] = zlib.compress(raw, 1, 31) if chance.random() < 0.8 else bz2.compress(raw)


_COUNTER = re.compile(rb"\d+")


def _kinds(data: bytearray, chance: random.Random) -> None:
    """A record many times, each with another number somewhere in it, and then alike ones; compressed."""
    begin, end = data.find(b"<record>"), data.find(b"</record>")
    numbers = [*_COUNTER.finditer(data, begin, end)] if 0 <= begin < end else []
    if not numbers:
        return
    end += len(b"</record>")
    place = chance.choice(numbers)
    before, behind = bytes(data[begin : place.start()]), bytes(data[place.end() : end])
    kinds = chance.choice((10, 127, 129, 1023, 1025, 2049))
    turns = chance.choice((1, 1, 2, 3))
    many = [before + b"%d" % number + behind for number in range(kinds)] * turns + [bytes(data[begin:end])] * kinds
    raw = bytes(data[:begin]) + b"".join(many)[:SWOLLEN] + bytes(data[end:])
    data[:] = zlib.compress(raw, 1, 31) + b"\0" * chance.choice((0, 4 * len(many)))


def _unwrap(data: bytearray, chance: random.Random) -> None:
    """What lies within, so that it is mutated too."""
    at = bytes(data).find(b"\r\n\r\n")
    if at >= 0:
        del data[: at + 4]


MUTATE: tuple[Callable[[bytearray, random.Random], None], ...] = (
    _flip, _cut, _remove, _remove, _insert, _insert, _repeat, _move, _replace, _replace, _line_ends, _wrap, _unwrap,
    _swell, _kinds,
)  # fmt: skip


def mutated(data: bytes, others: Sequence[bytes], chance: random.Random) -> bytes:
    """Some mutations one after the other; now and then the rest of another input behind a cut."""
    found = bytearray(data)
    for _ in range(chance.randint(1, MUTATIONS)):
        if not found:
            break
        if chance.random() < 0.1:
            other = chance.choice(others)
            found[chance.randrange(len(found)) :] = other[chance.randrange(len(other)) :]
        else:
            chance.choice(MUTATE)(found, chance)
    return bytes(found[:LONGEST])


# What must hold


def _no_store() -> Store:
    raise AssertionError("nothing is stored here")


JOB = Job(_no_store, lambda: "2026-11-20T06:12:44Z", Path("nowhere"), site=Site(own_networks=("192.0.2.0/24",)))


def check(data: bytes, options: Options) -> Counter[str]:
    """Read an input, twice. Raises whatever is wrong."""
    reading = read_message(data, options)
    read: Counter[str] = Counter({"problems": len(reading.problems)} if reading.problems else {})
    for report in reading.reports:
        read[report.dataset] += 1
        documents = [_checked(document, options) for document in report.documents()]
        assert len(documents) == report.rows + 1, f"{len(documents)} documents and {report.rows} rows promised"
        assert len(set(documents)) == len(documents), "an id occurs twice"
        again = [(one.dataset, one.id) for one in report.documents()]
        assert again == documents, "the second reading differs"
    for problem in reading.problems:
        assert problem.reason, "a problem without a reason"
    return read or Counter(nothing=1)


def _checked(document: Document, options: Options) -> tuple[str, str]:
    dataset, id_, own, *_ = document
    source = encode(own, Completion(JOB.now(), JOB.site, JOB.senders).layers(document))
    fields = document.fields
    assert b"\n" not in source, "a line break in a document"
    assert isinstance(json.loads(source), dict)
    table = BY_NAME[dataset].by_name
    for name, value in decode(source).items():
        inner = [f"{name}.{key}" for one in value for key in one] if _is_objects(value) else [name]
        for one in inner:
            assert one.startswith("raw.") or one in table, f"{dataset} has no field {one}"
    assert len(id_) == 40, id_
    assert fields["schema_version"] == 1
    assert "@timestamp" in decode(source), "a document without a time"
    return dataset, id_


def _is_objects(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


stopped: list[int] = []  # signals that came: what was seen until then is still printed


def run(seconds: float, seed: int = 0, *, inputs: Sequence[bytes] = ()) -> Tally:
    """Fuzz for so many seconds of CPU."""
    chance = random.Random(seed)
    groups = [list(inputs)] if inputs else seeds()
    tally = Tally()
    end = time.process_time() + seconds
    while time.process_time() < end and not stopped:
        group = chance.choice(groups)
        base = chance.choice(tally.slow)[2] if tally.slow and chance.random() < 0.2 else chance.choice(group)
        data = mutated(base, chance.choice(groups), chance)
        options = chance.randrange(len(OPTIONS))
        begin = time.process_time()
        try:
            tally.read.update(check(data, OPTIONS[options]))
        except Exception as error:  # everything is a finding
            where = traceback.extract_tb(error.__traceback__)[-1]
            what = f"{type(error).__name__}: {str(error)[:200]} ({Path(where.filename).name}:{where.lineno})"
            key = f"{type(error).__name__} {where.filename}:{where.lineno}"
            tally.failures.setdefault(key, Found(data, options, what))
        taken = time.process_time() - begin
        if taken > SLOW:
            tally.failures.setdefault("slow", Found(data, options, f"{taken:.1f} s of CPU"))
        tally.time(taken, data)
        tally.executions += 1
    return tally


def save(tally: Tally) -> list[str]:
    """Write failing inputs and the slowest one; a line for each failure."""
    FAILURES.mkdir(parents=True, exist_ok=True)
    (FAILURES / "slowest").write_bytes(tally.slowest[1])
    for number, (_, _, data) in enumerate(tally.slow[:5]):
        (FAILURES / f"slow-for-its-size-{number}").write_bytes(data)
    lines = []
    for found in tally.failures.values():
        path = FAILURES / hashlib.sha256(found.data).hexdigest()[:16]
        path.write_bytes(found.data)
        lines.append(f"{path}, options {found.options}, {len(found.data):,} bytes: {found.what}")
    return lines


def describe(tally: Tally) -> str:
    """What a run saw, in four lines."""
    ratio, taken, data = tally.slow[0] if tally.slow else (0.0, 0.0, b"")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    read = ", ".join(f"{number:,} {name}" for name, number in tally.read.most_common())
    return (
        f"{tally.executions:,} executions: {read}\n"
        f"slowest: {tally.slowest[0]:.2f} s of CPU for {len(tally.slowest[1]):,} bytes; peak memory {peak:.0f} MiB\n"
        f"slowest for its size: {1e6 * ratio:.2f} s a megabyte, {taken:.2f} s of CPU for {len(data):,} bytes\n"
        f"failures: {len(tally.failures)}"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0, help="of CPU (30)")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32, help="for the same run again")
    parser.add_argument("--file", type=Path, help="only this input, with every set of options")
    arguments = parser.parse_args(argv)
    if arguments.file:
        for options in OPTIONS:
            print(dict(check(arguments.file.read_bytes(), options)))
        return 0
    print(f"seed {arguments.seed}, {sum(map(len, seeds())):,} inputs to begin with", flush=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: stopped.append(received))
    tally = run(arguments.minutes * 60, arguments.seed)
    print(describe(tally))
    for line in save(tally):
        print(line)
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
