"""The pipeline: what is stored, what is kept and why, and what the log says of it."""

import email
import errno
import json
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from email.policy import SMTP
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from email_report_processor import process as pipeline
from email_report_processor.documents import completion
from email_report_processor.documents.classify import Site
from email_report_processor.documents.datasets import BY_NAME
from email_report_processor.documents.senders import read_senders
from email_report_processor.message.blob import Memory
from email_report_processor.message.bounds import Bounds
from email_report_processor.process import FilterOptions, Job, Layout, describe, process, store_message
from email_report_processor.reports.report import Options
from email_report_processor.stores import kept
from email_report_processor.stores.store import Found, Question, Rejected, Row, Selection, StoreError, Total, Written
from tests.places import PACKAGE
from tools import samples

DAY = datetime(2026, 11, 18, tzinfo=UTC)
NOW = "2026-11-20T06:00:00Z"
AGGREGATE = samples.aggregate_zip(DAY).as_bytes(policy=SMTP)
FAILURE = samples.failure(DAY)
TLS = samples.tls(DAY).as_bytes(policy=SMTP)
BROKEN = samples.broken(DAY).as_bytes(policy=SMTP)
UNREADABLE = samples.unreadable(DAY).as_bytes(policy=SMTP)
NO_REPORT = samples.no_report(DAY).as_bytes(policy=SMTP)


class ListStore:
    """A store in a list."""

    name = "a list"

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.refuses: Callable[[Row], str] = lambda row: ""
        self.error: Exception | None = None

    def write(self, rows: Iterable[Row]) -> Written:
        """See Store."""
        there = {row[:2] for row in self.rows}
        new = list(rows)
        if self.error:
            raise self.error
        rejected = tuple(Rejected(row, self.refuses(row)) for row in new if self.refuses(row))
        taken = [row for row in new if not self.refuses(row)]
        self.rows += [row for row in taken if row[:2] not in there]
        already = sum(row[:2] in there for row in taken)
        return Written(len(taken) - already, already, rejected)

    def scan(self, after: tuple[str, str] | None = None) -> Iterator[Row]:
        """See Store."""
        return iter(self.rows)

    def totals(self, question: Question) -> list[Total]:
        """See Store."""
        return []

    def select(self, selection: Selection, after: tuple[Any, ...] = ()) -> Iterator[Found]:
        """See Store."""
        return iter(())

    def close(self) -> None:
        """See Store."""


@pytest.fixture
def store() -> ListStore:
    return ListStore()


@pytest.fixture
def job(store: ListStore, tmp_path: Path) -> Job:
    return Job(open_store=lambda: store, now=lambda: NOW, maildir=tmp_path / "kept")


def run(message: bytes, job: Job) -> pipeline.Outcome:
    return process(Memory(message), job)


def categories(job: Job) -> list[str]:
    return [one.category for one in kept.listing(job.maildir)]


@pytest.mark.parametrize(
    ("message", "rows", "category"),
    [
        (AGGREGATE, 7, None),
        (FAILURE, 2, None),
        (TLS, 3, None),
        (BROKEN, 6, "salvaged"),
        (UNREADABLE, 0, "unreadable"),
        (NO_REPORT, 0, "no-report"),
        (b"", 0, "no-report"),
        (b"\x00" * 5000, 0, "no-report"),
    ],
)
def test_what_becomes_of_a_message(job: Job, store: ListStore, message: bytes, rows: int, category: str | None) -> None:
    outcome = run(message, job)
    assert outcome.written == (rows, 0, ())
    assert len(store.rows) == rows
    assert categories(job) == ([category] if category else [])
    assert (outcome.verdict.category if outcome.verdict else None) == category
    again = run(message, job)
    assert again.written == (0, rows, ())
    assert categories(job) == ([category] if category else [])


def test_a_reply_to_a_report_of_ours_is_kept_unread(job: Job, store: ListStore) -> None:
    """It may hold that report: read, it would be stored as a complaint about us."""
    replies = job._replace(options=Options(feed="abuse-replies"))
    for _ in range(2):
        outcome = run(FAILURE, replies)
        assert (outcome.written, outcome.kept) == ((0, 0, ()), True)
    assert (categories(job), store.rows) == (["reply"], [])
    run(FAILURE, replies._replace(keeping=kept.KeptOptions(replies=())))
    assert len(store.rows) == 2


def test_a_store_is_opened_only_when_there_is_something_to_store(job: Job) -> None:
    def open_store() -> ListStore:
        raise AssertionError("it was opened")

    run(NO_REPORT, job._replace(open_store=open_store))
    with pytest.raises(AssertionError, match="it was opened"):
        run(AGGREGATE, job._replace(open_store=open_store))


def test_documents_are_complete(job: Job, store: ListStore) -> None:
    senders = read_senders({"192.0.2.0/24": "Our own"})
    run(AGGREGATE, job._replace(senders=senders, site=Site(own_networks=("192.0.2.10/32",))))
    documents = [json.loads(row.source) for row in store.rows]
    assert all(document["event"]["ingested"] == NOW for document in documents)
    rows = {document["source"]["ip"]: document for document in documents[:-1]}
    assert rows["192.0.2.10"]["source"]["name"] == "Our own"
    assert rows["198.51.100.77"]["source"]["name"] == "crm.example"
    assert all(document["class"] and document["class_rule"] for document in rows.values())
    assert documents[-1]["event"]["dataset"] == "report"
    assert "class" not in documents[-1]


def test_indices(job: Job, store: ListStore) -> None:
    run(AGGREGATE, job._replace(layout=Layout("x-", "day")))
    assert {row.index for row in store.rows} == {"x-dmarc-aggregate-2026.11.18", "x-report-2026.11.18"}
    store.rows.clear()
    run(AGGREGATE, job._replace(now=lambda: "2026-01-01T00:00:00Z"))  # before its time
    assert {row.index for row in store.rows} == {
        "email-report-dmarc-aggregate-outofrange",
        "email-report-report-outofrange",
    }


@pytest.mark.parametrize("received", ["Mon, 20 Dec 2027 00:00:00 +0000", "Thu, 1 Jan 1970 00:00:09 +0000", "nonsense"])
def test_how_and_when_it_came_changes_no_index(job: Job, store: ListStore, received: str) -> None:
    """A resend much later, a relay whose clock is wrong, no date at all, and the bare file."""
    run(AGGREGATE, job)
    first = {(row.index, row.id) for row in store.rows}
    hop = b"Received: from a.example by b.example; " + received.encode() + b"\r\n"
    run(hop + re.sub(rb"(?m)^Date: [^\r]*", b"Date: " + received.encode(), AGGREGATE), job)
    (attached,) = [part for part in email.message_from_bytes(AGGREGATE).walk() if part.get_filename()]
    bare = attached.get_payload(decode=True)
    assert isinstance(bare, bytes)
    run(bare, job)
    assert {(row.index, row.id) for row in store.rows} == first


FAILED = b"""\
Message-ID: <f1@reporter.example>
Date: Mon, 30 Nov 2026 23:59:58 +0000
From: reporter@reporter.example
To: dmarc@example.org
Subject: failure
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary=b

--b
Content-Type: message/feedback-report

Feedback-Type: auth-failure
User-Agent: Reporter/1
Version: 1

--b
Content-Type: text/rfc822-headers

From: someone@example.org
Subject: hello
%s
--b--
"""


@pytest.mark.parametrize(
    ("sample", "date", "period"),
    [
        (b"", b"Mon, 30 Nov 2026 23:59:58 +0000", "2026.11"),  # the id is of this mail, and so is the index
        (b"Message-ID: <s@example.org>", b"Tue, 1 Dec 2026 00:10:00 +0000", "outofrange"),  # other mails have this id
        (b"Date: Sun, 29 Nov 2026 10:00:00 +0000", b"Tue, 1 Dec 2026 00:10:00 +0000", "2026.11"),
    ],
)
def test_a_failure_report_to_two_recipients_across_the_end_of_a_month(
    job: Job, store: ListStore, sample: bytes, date: bytes, period: str
) -> None:
    job = job._replace(now=lambda: "2026-12-01T01:00:00Z")
    for received, second in ((b"Mon, 30 Nov 2026 23:59:59 +0000", FAILED), (b"Tue, 1 Dec 2026 00:00:03 +0000", FAILED)):
        run(b"Received: from a.example by b.example; " + received + b"\n" + second % sample, job)
    run((FAILED % sample).replace(b"Mon, 30 Nov 2026 23:59:58 +0000", date), job)
    assert len({row.id for row in store.rows}) == 2
    assert {row.index for row in store.rows} == {
        f"email-report-{name}-{period}" for name in ("dmarc-failure", "report")
    }


@pytest.mark.parametrize("dataset", [name for name in BY_NAME if name != "report"])
def test_datasets(job: Job, store: ListStore, dataset: str) -> None:
    """What is excluded is read and not stored; nothing is kept for it."""
    chosen = job._replace(filter=FilterOptions(datasets=(dataset,)))
    for message in (AGGREGATE, FAILURE, TLS):
        outcome = run(message, chosen)
        assert outcome.reading is not None
        assert len(outcome.reading.reports) == 1
    stored = {json.loads(row.source)["event"]["dataset"] for row in store.rows}
    assert stored in ({dataset, "report"}, set())
    assert (stored == set()) == (dataset in {"arf", "mail-login", "abuse"})
    assert categories(job) == []


def test_no_report_ignored(job: Job) -> None:
    outcome = run(NO_REPORT, job._replace(keeping=kept.KeptOptions(no_report="ignore")))
    assert outcome.verdict is not None
    assert categories(job) == []
    run(UNREADABLE, job._replace(keeping=kept.KeptOptions(no_report="ignore")))
    assert categories(job) == ["unreadable"]


def test_filters_that_sort_get_nothing_kept_of_what_they_get_back(job: Job) -> None:
    sorting = job._replace(filter=FilterOptions(unreadable="65"))
    for message in (NO_REPORT, UNREADABLE):
        run(message, sorting)
    assert categories(job) == []
    run(BROKEN, sorting)
    assert categories(job) == ["salvaged"]


def test_a_good_and_a_broken_report_in_one_mail(job: Job, store: ListStore) -> None:
    message = samples.aggregate_rfc9990(DAY)
    message.add_attachment(b"PK\x03\x04 broken", "application", "zip", filename="b.zip")
    outcome = run(message.as_bytes(policy=SMTP), job)
    assert outcome.written.stored == 7
    assert categories(job) == ["unreadable"]


def test_the_stronger_reason_decides_and_both_are_said(job: Job, store: ListStore) -> None:
    """What the store refused could be stored some day: the copy must not go to make room."""
    message = samples.aggregate_rfc9990(DAY)
    message.add_attachment(b"PK\x03\x04 broken", "application", "zip", filename="b.zip")
    store.refuses = lambda row: "mapper_parsing_exception"
    outcome = run(message.as_bytes(policy=SMTP), job)
    assert categories(job) == ["rejected"]
    assert outcome.verdict is not None
    assert re.fullmatch(r"the store refuses 7 documents, .*; part 3 'b.zip': .*", outcome.verdict.reason)
    assert pipeline.STRENGTH[0] == "failed"
    assert set(pipeline.STRENGTH) == set(kept.CATEGORIES)


def test_rejected_documents(job: Job, store: ListStore) -> None:
    store.refuses = lambda row: "mapper_parsing_exception" if b"192.0.2.10" in row.source else ""
    outcome = run(AGGREGATE, job)
    assert (outcome.written.stored, len(outcome.written.rejected)) == (6, 1)
    assert outcome.verdict is not None
    assert "the store refuses 1 document," in outcome.verdict.reason
    assert categories(job) == ["rejected"]
    store.refuses = lambda row: ""
    assert store_message(Memory(AGGREGATE), job).verdict is None


def test_a_store_that_fails(job: Job, store: ListStore) -> None:
    store.error = StoreError("it is away")
    with pytest.raises(StoreError):
        run(AGGREGATE, job)
    assert categories(job) == []


# Bugs of ours


@pytest.mark.parametrize(
    "error", [ValueError("what"), KeyError("k"), RecursionError(), MemoryError(), AssertionError()]
)
def test_a_bug_while_reading(job: Job, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def broken(*_: Any) -> None:
        raise error

    monkeypatch.setattr(pipeline, "read_message", broken)
    outcome = run(AGGREGATE, job)
    assert categories(job) == ["failed"]
    assert outcome.verdict is not None
    memory = isinstance(error, MemoryError)
    says = "not enough memory" if memory else "a bug of email-report-processor, please report it"
    assert says in outcome.verdict.reason
    assert "Traceback" in outcome.notes[0]
    assert type(error).__name__ in outcome.notes[0]


@pytest.mark.parametrize(
    ("module", "step"),
    [(completion, "classify"), (completion, "named"), (completion, "encode"), (pipeline, "index_of")],
)
def test_a_bug_at_a_row(
    job: Job, store: ListStore, monkeypatch: pytest.MonkeyPatch, module: ModuleType, step: str
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(module, step, broken)
    outcome = run(AGGREGATE, job)
    assert categories(job) == ["failed"]
    assert "ZeroDivisionError: a bug" in outcome.notes[0]
    assert outcome.reading is not None


def test_a_full_disk_is_no_bug(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pipeline, "read_message", full)
    with pytest.raises(OSError, match="No space"):
        run(AGGREGATE, job)
    assert categories(job) == []


def test_an_error_of_the_store_is_no_bug(job: Job, store: ListStore) -> None:
    store.error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        run(AGGREGATE, job)


# The log line


def line(message: bytes, job: Job) -> str:
    return describe(run(message, job), 12)


def test_the_line_of_a_report(job: Job) -> None:
    assert re.fullmatch(
        r"message-id=<20261118\.\d+@bigmail\.example>, report=dmarc-aggregate, from=Big Mail, domain=example\.org, "
        r"period=2026-11-18/2026-11-18, id=\d+, rows=6, stored=7, already=0, repaired=0, kept=no, ms=12",
        line(AGGREGATE, job),
    )
    assert ", stored=0, already=7, " in line(AGGREGATE, job)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (FAILURE, ("report=dmarc-failure, from=provider.example, domain=example.org, period=2026-11-18, rows=1",)),
        (
            TLS,
            ("report=smtp-tls, from=Big Mail, domain=example.org, period=2026-11-18/2026-11-18, ", "rows=2, stored=3"),
        ),
        (BROKEN, ("rows=5, stored=6", "kept=salvaged", ": 1 broken report was read as far as it goes: ")),
        (UNREADABLE, ("report=none, rows=0, stored=0, ", "kept=unreadable, ms=12: part 2 'report.zip': ")),
        (NO_REPORT, ("report=none, ", "kept=no-report, ms=12: no report in it")),
    ],
)
def test_other_lines(job: Job, message: bytes, words: tuple[str, ...]) -> None:
    found = line(message, job)
    for one in words:
        assert one in found


def test_the_line_says_when_no_copy_is_kept(job: Job) -> None:
    ignoring = job._replace(keeping=job.keeping._replace(no_report="ignore"))
    assert ", kept=no, ms=12: no report in it" in line(NO_REPORT, ignoring)
    sorting = job._replace(filter=job.filter._replace(unreadable="65"))
    assert ", kept=no, ms=12: part 2" in line(UNREADABLE, sorting)


def test_the_line_counts_repaired_values(job: Job) -> None:
    text = samples.xml(DAY, "Big Mail", "noreply@bigmail.example", samples.rows(DAY)).replace("192.0.2.10", "nowhere")
    assert ", rows=6, stored=7, already=0, repaired=1, kept=no, " in line(text.encode(), job)


def test_two_reports_in_one_message(job: Job) -> None:
    message = samples.aggregate_rfc9990(DAY)
    other = samples.xml(DAY, "Another", "a@another.example", samples.rows(DAY))
    message.add_attachment(other.encode(), "text", "xml", filename="other.xml")
    assert ", reports=2, rows=12, stored=14, " in line(message.as_bytes(policy=SMTP), job)


def test_over_the_bound_for_messages(job: Job, store: ListStore) -> None:
    bounds = Bounds(message_bytes=len(AGGREGATE) - 1)
    outcome = run(AGGREGATE, job._replace(options=Options(bounds=bounds)))
    assert outcome.verdict is not None
    assert "bounds.message_bytes" in outcome.verdict.reason
    assert categories(job) == ["unreadable"]
    (one,) = kept.listing(job.maildir)
    assert one.size == len(AGGREGATE)
    assert store.rows == []


def test_reading_has_no_clock() -> None:
    """The pure half must not know the time: golden documents would change."""
    for room in ("message", "reports", "documents", "values"):
        for path in sorted((PACKAGE / room).rglob("*.py")):
            text = path.read_text("utf-8")
            clock = r"^ *(import|from) (time|socket)\b|\.now\(|utcnow|time\.time"
            assert not re.search(clock, text, re.MULTILINE), path


def test_a_reporter_cannot_write_into_the_log_line(job: Job) -> None:
    report = samples.xml(DAY, 'Evil, kept=no, stored=99: "x"', "x@evil.example", samples.rows(DAY))
    line = pipeline.describe(run(report.encode(), job), 5)
    assert 'from="Evil, kept=no, stored=99: \\"x\\"", domain=' in line
