"""Imports, by real processes: exactly what the filter makes of the messages one by one, whatever happens meanwhile."""

import fcntl
import gzip
import json
import os
import pty
import re
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.imports import write_mbox
from benchmarks.messages import NO_REPORT, message, write_xml, xml
from email_report_processor.importing.progress import duration
from email_report_processor.reports.reading import read_message
from tests.conftest import Outcome, Program
from tests.fake_opensearch import FakeOpenSearch, Fault
from tests.nodes import Node
from tests.s3 import ENVIRONMENT, S3

Ids = set[tuple[str, str]]

MANY = 1500  # messages


@pytest.fixture
def mbox(tmp_path: Path) -> Path:
    """An mbox of 300 messages."""
    return write_mbox(tmp_path / "reports.mbox", 300)


def ids(outcome: Outcome) -> Ids:
    assert outcome.status in {0, 1}, outcome.stderr
    return {(line["_index"], line["_id"]) for line in outcome.lines}


def stored(path: Path) -> Ids:
    connection = sqlite3.connect(path)
    try:
        return set(connection.execute("SELECT idx, id FROM documents"))
    finally:
        connection.close()


def comparable(lines: list[dict[str, Any]]) -> list[str]:
    for line in lines:
        line["_source"]["event"].pop("ingested")
    return sorted(json.dumps(line, sort_keys=True) for line in lines)


# The same as the filter


def test_the_same_documents_as_one_by_one(run_filter: Program, tmp_path: Path) -> None:
    messages = [message(rows, f"report-{rows}") for rows in (1, 2, 3, 40)]
    folder = tmp_path / "mails"
    folder.mkdir()
    single = []
    for number, one in enumerate(messages):
        (folder / f"{number}.eml").write_bytes(one)
        single += run_filter(one, store="-").lines
    outcome = run_filter(b"", str(folder), store="-")
    assert outcome.status == 0, outcome.stderr
    assert comparable(outcome.lines) == comparable(single)
    assert "4 messages" in outcome.stderr
    assert "4 reports, 50 documents" in outcome.stderr


def test_corpus_at_once(run_filter: Program, corpus: Path, truth: list[dict[str, Any]]) -> None:
    outcome = run_filter(b"", *[str(corpus / line["path"]) for line in truth], store="-")
    expected = set()
    for line in truth:
        reading = read_message((corpus / line["path"]).read_bytes())
        expected |= {document.id for report in reading.reports for document in report.documents()}
    assert {line["_id"] for line in outcome.lines} == expected
    assert f"{len(truth)} messages" in outcome.stderr


def test_again_changes_nothing(run_filter: Program, mbox: Path, state: Path) -> None:
    first = run_filter(b"", str(mbox))
    assert first.status == 0, first.stderr
    count = len(stored(state / "reports.sqlite"))
    assert f"{count:,} stored in sqlite:{state}/reports.sqlite, 0 were there already" in first.stdout
    again = run_filter(b"", str(mbox))
    assert f"0 stored in sqlite:{state}/reports.sqlite, {count:,} were there already" in again.stdout
    assert len(stored(state / "reports.sqlite")) == count


def test_real_node(run_filter: Program, mbox: Path, node: Node, prefix: str) -> None:
    settings = f'[store]\nindex_prefix = "{prefix}"\n'
    expected = ids(run_filter(b"", str(mbox), store="-", settings=settings))
    for words in (f"{len(expected):,} stored in", f"{len(expected):,} were there already"):
        outcome = run_filter(b"", str(mbox), store=node.url, settings=settings)
        assert outcome.status == 0, outcome.stderr
        assert words in outcome.stdout
    assert {(one.index, one.id) for one in node.documents(f"{prefix}*")} == expected


def test_bulks_are_as_full_as_they_may_be(run_filter: Program, mbox: Path) -> None:
    """Rows of many messages share a bulk, and none is left over for a bulk of its own."""
    settings = "[opensearch]\nbulk_bytes = 100000\n"
    with FakeOpenSearch() as fake:
        assert run_filter(b"", str(mbox), "--jobs", "1", store=fake.url, settings=settings).status == 0
        bodies = [len(one.body) for one in fake.seen if one.path == "/_bulk"]
    assert len(bodies) > 20
    assert all(95_000 < size <= 100_000 for size in bodies[:-1])
    assert bodies[-1] <= 100_000


# What is said


def test_what_cannot_be_read_is_named(run_filter: Program, tmp_path: Path, state: Path) -> None:
    folder = tmp_path / "mails"
    folder.mkdir()
    (folder / "1-good").write_bytes(message(2))
    (folder / "2-broken").write_bytes(b"<feedback></feedback>")
    (folder / "3-none").write_bytes(NO_REPORT)
    packed = gzip.compress(b"".join(xml(500)))
    (folder / "4-cut").write_bytes(packed[: len(packed) // 2])
    outcome = run_filter(b"", str(folder), str(tmp_path / "absent"))
    assert outcome.status == 1
    lines = outcome.stderr.splitlines()
    assert [line.split(": ")[1:3] for line in lines] == [
        [str(folder / "2-broken"), "unreadable"],
        [str(folder / "4-cut"), "salvaged"],
        [str(tmp_path / "absent"), "unreadable"],
    ]
    assert f"1 message without a report: {folder / '3-none'}" in outcome.stdout
    assert "2 messages or files that cannot be read, or only in part" in outcome.stdout
    alone = run_filter(b"", str(folder / "2-broken"))
    assert "1 message or file that cannot be read, or only in part" in alone.stdout
    assert not (state / "kept").exists()
    assert len(list(folder.iterdir())) == 4


def test_kept(run_filter: Program, tmp_path: Path, state: Path) -> None:
    broken = b"Subject: x\n\n<feedback></feedback>"
    path = tmp_path / "m"
    line = b"From a@example.org Thu Nov 20 06:12:44 2025\n"
    path.write_bytes(line + broken + b"\n\n" + line + NO_REPORT)
    assert run_filter(b"", str(path), "--kept").status == 1
    (kept,) = (state / "kept/new").iterdir()
    assert kept.read_bytes().endswith(broken + b"\n")
    assert run_filter(b"", str(state / "kept"), "--kept").status == 1
    assert [one.name for one in (state / "kept/new").iterdir()] == [kept.name]


def test_bounds_hold(run_filter: Program, tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(message(300))
    outcome = run_filter(b"", str(tmp_path / "m"), settings='[bounds]\nmessage_bytes = "1 KiB"\n')
    assert outcome.status == 1
    assert "bounds.message_bytes = 1024" in outcome.stderr


def test_rejected_documents_are_named(run_filter: Program, mbox: Path) -> None:
    fault = Fault(stores=0, item=(400, "mapper_parsing_exception", "bad field"))
    with FakeOpenSearch() as fake:
        fake.faults = [fault]
        outcome = run_filter(b"", str(mbox), "--jobs", "1", "--limit", "2", store=fake.url)
    assert outcome.status == 1
    assert outcome.stderr.count("rejected: the store refuses") == 2
    assert f"{mbox} at byte " in outcome.stderr
    assert "2 messages with documents that the store refuses" in outcome.stdout


AS_NOBODY = """\
import os, pwd, pyexpat, sys, tempfile, tomllib
from email_report_processor import cli
from email_report_processor.flags import parser
from email_report_processor.importing import importer
from email_report_processor.reports import reading
from email_report_processor.values import domains
parser().parse_args(["x"])  # what is imported late may lie where nobody else may read
domains.organizational_domain("a.example.org")
with open(sys.argv[-1] + "/2", "rb") as file:
    [list(report.documents()) for report in reading.read_message(file.read()).reports]
nobody = pwd.getpwnam("nobody")
os.setgroups([])
os.setgid(nobody.pw_gid)
os.setuid(nobody.pw_uid)
sys.exit(cli.main(sys.argv[1:]))
"""


def import_by(script: str, path: str) -> Outcome:
    """An import by a process that does something before."""
    command = [sys.executable, "-c", script, "--config", os.devnull, "--store", "-", path]
    done = subprocess.run(command, capture_output=True, timeout=120, env={}, check=False, text=True)
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not read")
def test_files_that_may_not_be_read(run_filter: Program, tmp_path: Path, mbox: Path) -> None:
    folder = tmp_path / "mails"
    for name in ("closed", "closed/inner", "Maildir/new", "Maildir/cur"):
        (folder / name).mkdir(parents=True)
    for path in (folder / "1", folder / "2", folder / "closed/3", folder / "Maildir/new/4"):
        path.write_bytes(message(1, path.name))
    (folder / "1").chmod(0)
    (folder / "Maildir/new/4").chmod(0)
    (folder / "closed").chmod(0)
    for path in (tmp_path, *tmp_path.parents):  # another user comes through the directories of pytest
        if not path.stat().st_mode & 0o001:
            path.chmod(0o755)
    outcome = import_by(AS_NOBODY, str(folder))
    assert outcome.status == 1
    assert len(outcome.lines) == 2, outcome.stderr
    for name in ("1", "closed", "Maildir/new/4"):
        assert f"{folder / name}: unreadable: Permission denied" in outcome.stderr


def test_many_faults_are_all_named(run_filter: Program, tmp_path: Path) -> None:
    (tmp_path / "mails").mkdir()
    for number in range(1500):
        (tmp_path / "mails" / f"{number:04}").write_bytes(b"<feedback></feedback>")
    outcome = run_filter(b"", str(tmp_path / "mails"), store="-")
    assert len(set(re.findall(r"mails/(\d{4}): unreadable", outcome.stderr))) == 1500


def test_progress_on_a_terminal(run_filter: Program, mbox: Path) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    with run_filter.start(str(mbox), "--jobs", "1", store="-", stderr=theirs, stdout=subprocess.DEVNULL) as process:
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 4096):
                shown += piece
        except OSError:  # EIO: the other side is closed
            pass
        assert process.wait(60) == 0
    os.close(ours)
    assert re.search(rb"\r\x1b\[K\d+ messages, [\d,]+ rows, [\d,]+ messages/s", shown)
    assert b"300 messages in" in shown


def test_durations() -> None:
    assert [duration(seconds) for seconds in (0.4, 61, 3723.2)] == ["0:00", "1:01", "1:02:03"]


# Flags


def test_dry_run(run_filter: Program, mbox: Path, state: Path) -> None:
    outcome = run_filter(b"", str(mbox), "--dry-run")
    assert outcome.status == 0
    assert "300 reports" in outcome.stdout
    assert "a dry run" in outcome.stdout
    assert not state.exists()


def test_flags_between_paths(run_filter: Program, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_bytes(message(1, name))
    flags = (str(tmp_path / "a"), "--jobs", "1", str(tmp_path / "b"), "--dry-run", str(tmp_path / "c"))
    assert "3 reports" in run_filter(b"", *flags).stdout


def test_limit(run_filter: Program, mbox: Path) -> None:
    assert "7 messages" in run_filter(b"", str(mbox), "--limit", "7", store="-").stderr


def test_dates(run_filter: Program, tmp_path: Path) -> None:
    """Of messages their date (20 November), of a bare report the end of its period (20 November, 23:59:59)."""
    (tmp_path / "mail").write_bytes(message(1, "a"))
    (tmp_path / "bare").write_bytes(b"".join(xml(1, "b")))

    def taken(*flags: str) -> list[str]:
        lines = run_filter(b"", str(tmp_path / "mail"), str(tmp_path / "bare"), *flags, store="-").lines
        return sorted({line["_source"]["report"]["id"] for line in lines})

    assert taken("--since", "2025-11-20", "--until", "2025-11-21") == ["a", "b"]
    assert taken("--since", "2025-11-20T12:00:00Z") == ["b"]
    assert taken("--until", "2025-11-20T12:00:00+02:00") == ["a"]
    assert taken("--since", "2025-11-21") == taken("--until", "2025-11-20") == []


@pytest.mark.parametrize(
    "flags", [("--since", "soon"), ("--until", "20.11.2025"), ("--jobs", "0"), ("--limit", "-1"), ("--patience", "x")]
)
def test_wrong_usage(run_filter: Program, mbox: Path, flags: tuple[str, str]) -> None:
    outcome = run_filter(b"", str(mbox), *flags)
    assert outcome.status == 2
    assert flags[0] in outcome.stderr


# What may happen meanwhile


def started(run_filter: Program, mbox: Path, database: Path, *flags: str) -> subprocess.Popen[bytes]:
    """An import that has stored something and is not done."""
    process = run_filter.start(str(mbox), *flags, store=f"sqlite:{database}")
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if database.exists():
            try:
                if stored(database):
                    return process
            except sqlite3.OperationalError:
                pass
        time.sleep(0.01)
    process.kill()
    raise AssertionError("nothing was stored")


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_until(holds: Callable[[], bool], seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An mbox that takes a second or more."""
    return write_mbox(tmp_path_factory.mktemp("many") / "many.mbox", MANY)


@pytest.fixture(scope="module")
def expected(many: Path, tmp_path_factory: pytest.TempPathFactory) -> Ids:
    """The documents in it."""
    folder = tmp_path_factory.mktemp("expected")
    return ids(Program("email-report-processor", folder, folder / "state")(b"", str(many), store="-"))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_stopped_and_run_again(run_filter: Program, many: Path, expected: Ids, tmp_path: Path, number: int) -> None:
    database = tmp_path / "d.sqlite"
    with started(run_filter, many, database) as process:
        workers = children(process.pid)
        assert workers
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=60)
    wait_until(lambda: not any(alive(worker) for worker in workers))
    assert process.returncode == (-9 if number == signal.SIGKILL else 128 + number)
    if number != signal.SIGKILL:
        assert f"ended by {signal.Signals(number).name}; what is stored stays" in stderr.decode()
        assert b"stopped after " in stdout
    before = stored(database)
    assert 0 < len(before) < len(expected)
    assert run_filter(b"", str(many), store=f"sqlite:{database}").status == 0
    assert stored(database) == expected


def test_ctrl_c_reaches_everybody(run_filter: Program, many: Path, tmp_path: Path) -> None:
    """A terminal sends it to the whole group: the workers leave it to their parent."""
    with started(run_filter, many, tmp_path / "d.sqlite", "--jobs", "2") as process:
        assert os.getpgid(process.pid) == os.getpgid(0)
        for worker in children(process.pid):
            os.kill(worker, signal.SIGINT)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in stderr


def test_a_worker_that_dies_loses_nothing(run_filter: Program, many: Path, expected: Ids, tmp_path: Path) -> None:
    database = tmp_path / "d.sqlite"
    with started(run_filter, many, database, "--jobs", "2") as process:
        os.kill(children(process.pid)[0], signal.SIGKILL)
        stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr
    assert f"{MANY:,} messages" in stdout.decode()
    assert stored(database) == expected


KILLER = """\
import os, signal, sys
from email_report_processor import cli
from email_report_processor.importing import intake
read = intake.read_message
def deadly(blob, options):
    data = blob.read(0, 100000)
    if b"deadly" in data:
        os.kill(os.getpid(), signal.SIGSEGV)
    return read(blob, options)
intake.read_message = deadly
sys.exit(cli.main(sys.argv[1:]))
"""


def test_a_message_that_kills_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "mails"
    folder.mkdir()
    for number in range(100):
        (folder / f"{number:02}").write_bytes(b"Subject: deadly\n\n" if number in {3, 77} else message(1, str(number)))
    outcome = import_by(KILLER, str(folder))
    assert outcome.status == 1
    killed = re.findall(r"mails/(\d\d): failed: the process that read it was ended by SIGSEGV", outcome.stderr)
    assert killed == ["03", "77"]
    assert len(ids(outcome)) == 2 * 98
    assert "100 messages" in outcome.stderr


def test_nobody_reads_the_documents(run_filter: Program, many: Path) -> None:
    with run_filter.start(str(many), store="-") as process:
        assert process.stdout is not None
        process.stdout.read(1000)
        process.stdout.close()
        process.stdout = None
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 75
    assert b"standard output: Broken pipe" in stderr


def test_the_store_stays_away(run_filter: Program, mbox: Path) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    began = time.monotonic()
    outcome = run_filter(b"", str(mbox), "--patience", "2", store=url)
    assert outcome.status == 75
    assert f"{url} cannot be reached" in outcome.stderr
    assert "run the same command again" in outcome.stderr
    assert 1 < time.monotonic() - began < 30


def test_the_store_comes_back(run_filter: Program, mbox: Path) -> None:
    expected = ids(run_filter(b"", str(mbox), store="-"))
    with FakeOpenSearch() as fake:
        fake.always = Fault(status=503, body=b"{}")
        timer = threading.Timer(2, lambda: setattr(fake, "always", None))
        timer.start()
        outcome = run_filter(b"", str(mbox), "--patience", "60", store=fake.url)
        timer.join()
        assert outcome.status == 0, outcome.stderr
        assert set(fake.documents) == expected


def test_the_store_goes_away_and_the_same_command_continues(run_filter: Program, many: Path, expected: Ids) -> None:
    with FakeOpenSearch() as fake:
        fake.faults = [Fault()] * 2
        fake.always = Fault(cut=0, stores=3)
        first = run_filter(b"", str(many), "--patience", "1", store=fake.url)
        assert first.status == 75
        assert 0 < len(fake.documents) < len(expected)
        fake.always = None
        assert run_filter(b"", str(many), store=fake.url).status == 0
        assert set(fake.documents) == expected


# Memory


def peak(pid: int) -> int:
    """Resident KiB at the most so far."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    found = re.search(r"VmHWM:\s+(\d+)", status)
    return int(found[1]) if found else 0


def peaks(process: subprocess.Popen[bytes]) -> dict[int, int]:
    """The peaks of a process and its children, in KiB, until it ends."""
    seen: dict[int, int] = {}
    while process.poll() is None:
        try:
            pids = [process.pid, *children(process.pid)]
        except (FileNotFoundError, ProcessLookupError):
            break
        for pid in pids:
            seen[pid] = max(seen.get(pid, 0), peak(pid))
        time.sleep(0.02)
    return seen


def watched(run_filter: Program, *arguments: str, settings: str = "") -> tuple[int, dict[int, int], str]:
    with run_filter.start(
        *arguments, store="-", settings=settings, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL
    ) as process:
        seen = peaks(process)
        assert process.stderr is not None
        said = process.stderr.read().decode()
    return process.returncode, seen, said


def write_big_mbox(path: Path, size: int) -> Iterator[int]:
    """Mails of 1 MiB without a report, and a report now and then; yields the number of messages."""
    line = b"From a@example.org Thu Nov 20 06:12:44 2025\n"
    filling = b"Subject: x\n\n" + (b"x" * 75 + b"\n") * 13_797
    number = 0
    with path.open("wb") as file:
        while file.tell() < size:
            file.write(line + (message(20, str(number)) if number % 10 == 0 else filling) + b"\n")
            number += 1
    yield number


@pytest.mark.parametrize("size", [200 * 1024**2, pytest.param(4 * 1024**3, marks=pytest.mark.long)])
def test_memory_of_a_big_mbox(run_filter: Program, tmp_path: Path, size: int) -> None:
    path = tmp_path / "big.mbox"
    (number,) = write_big_mbox(path, size)
    status, seen, said = watched(run_filter, str(path))
    path.unlink()
    assert status == 0, said
    assert f"{number:,} messages" in said
    assert max(seen.values()) < 80 * 1024, seen


def test_memory_of_a_compressed_mbox(run_filter: Program, tmp_path: Path) -> None:
    path = tmp_path / "big.mbox"
    (number,) = write_big_mbox(path, 100 * 1024**2)
    packed = tmp_path / "big.mbox.gz"
    with path.open("rb") as file, gzip.open(packed, "wb", 1) as made:
        while piece := file.read(1024**2):
            made.write(piece)
    path.unlink()
    status, seen, said = watched(run_filter, str(packed))
    assert status == 0, said
    assert f"{number:,} messages" in said
    assert max(seen.values()) < 80 * 1024, seen


def test_memory_of_many_files(run_filter: Program, tmp_path: Path) -> None:
    (tmp_path / "mails").mkdir()
    for number in range(3000):
        (tmp_path / "mails" / str(number)).write_bytes(NO_REPORT)
    status, seen, said = watched(run_filter, str(tmp_path / "mails"))
    assert status == 0, said
    assert "3,000 messages without a report" in said
    assert max(seen.values()) < 60 * 1024, seen


@pytest.mark.parametrize("rows", [50_000, pytest.param(1_000_000, marks=pytest.mark.long)])
def test_memory_of_a_big_report(run_filter: Program, tmp_path: Path, rows: int) -> None:
    path = write_xml(tmp_path / "big.xml", rows)
    status, seen, said = watched(run_filter, str(path), settings='[bounds]\nmessage_bytes = "1 GiB"\n')
    path.unlink()
    assert status == 0, said
    assert f"{rows + 1:,} documents" in said
    assert max(seen.values()) < 96 * 1024, seen


def test_objects_of_s3(s3: S3, run_filter: Program, state: Path) -> None:
    """As PATHs: each object is one message or one bare report; what cannot be read is named."""
    bucket = f"b{os.urandom(6).hex()}"
    objects = {f"in/{number}": message(2, f"s3-{number}") for number in range(60)}
    objects |= {"in/x.xml.gz": gzip.compress(b"".join(xml(2, "bare"))), "in/m.gz": gzip.compress(message(2, "packed"))}
    s3.put(bucket, objects | {"in/box": (b"From a@b Thu Nov 20 06:00:00 2025\n" + NO_REPORT + b"\n") * 2})
    settings = f'[s3]\nendpoint = "{s3.url}"\n'
    store = f"sqlite:{state}/r.sqlite"
    for _ in range(2):
        outcome = run_filter(b"", f"s3://{bucket}/in/", store=store, settings=settings, env=ENVIRONMENT)
        assert outcome.status == 1, outcome.stderr
        assert f"s3://{bucket}/in/box: unreadable: an mbox of several" in outcome.stderr
        assert len(stored(state / "r.sqlite")) == 62 * 3
    for path, status, sentence in (
        (f"s3://{bucket}-none", 75, "NoSuchBucket"),
        ("s3:///x", 2, "s3://BUCKET"),
    ):
        outcome = run_filter(b"", path, store=store, settings=settings, env=ENVIRONMENT)
        assert (outcome.status, sentence in outcome.stderr) == (status, True), outcome.stderr
