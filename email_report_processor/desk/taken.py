"""A message that somebody brings: read as the filter reads it, and shown before anything is stored."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

from .. import process
from ..documents.encode import decode
from ..message.blob import Memory
from ..process import Job, Outcome, PureError
from ..reports.report import Report
from .message import DATASETS, Message, from_row

PASTED = "pasted"  # the feed of messages that are no report
_SHOWN = 100  # documents


class Document(NamedTuple):
    """One document that would be stored."""

    id: str
    dataset: str
    what: str  # its class, or what failed
    count: int  # type: ignore[assignment]  # nobody counts in a Document
    about: str


class Looked(NamedTuple):
    """What is in a message."""

    reports: tuple[dict[str, Any], ...]  # heads: what each report says of itself
    problems: tuple[str, ...]
    documents: tuple[Document, ...]  # the first of them
    number: int  # all of them
    messages: tuple[Message, ...]  # the failed messages among the first
    verdict: str  # why it would be kept; '' it would be stored


def as_pasted(job: Job) -> Job:
    """A message without any report becomes the document of what it is: mail that somebody calls spam."""
    kinds = {**job.options.feed_kinds, PASTED: "spamtrap"}
    return job._replace(options=job.options._replace(feed=PASTED, feed_kinds=kinds))


def look(data: bytes, job: Job) -> Looked:
    """Read it and store nothing."""
    work = process.read(Memory(data), job)
    if isinstance(work, Outcome):
        return Looked((), (), (), 0, (), work.verdict.reason if work.verdict else "")
    reading = work.reading
    problems = tuple(f"{one.place}: {one.reason}" for one in reading.problems)
    verdict = "" if reading.reports or problems else "no report in it"
    heads = tuple(_head(one) for one in work.reports)
    try:
        rows = iter(work.rows)
        first = list(islice(rows, _SHOWN))
        number = len(first) + sum(1 for _ in rows)
    except (PureError, MemoryError) as error:
        failed = process.failed(work, error)
        return Looked(heads, problems, (), 0, (), failed.verdict.reason if failed.verdict else "")
    found = [(row.id, decode(row.source)) for row in first]
    messages = tuple(from_row(row) for row, (_, fields) in zip(first, found, strict=True) if _is_message(fields))
    return Looked(heads, problems, tuple(_documents(found)), number, messages, verdict)


def store(data: bytes, job: Job) -> tuple[Looked, Outcome]:
    """What is in it, and what became of it, by the same code as the filter. Raises StoreError, OSError."""
    return look(data, job), process.process(Memory(data), job)


def _head(report: Report) -> dict[str, Any]:
    return {**report.head, "rows": report.rows}


def _is_message(fields: dict[str, Any]) -> bool:
    return fields.get("event.dataset") in DATASETS


def _documents(found: list[tuple[str, dict[str, Any]]]) -> Iterator[Document]:
    for id_, fields in found:
        what = fields.get("class") or fields.get("failure.result_type") or fields.get("tls.record") or ""
        about = fields.get("source.ip") or fields.get("policy.domain") or fields.get("report.id") or ""
        number = fields.get("count", fields.get("sessions.failed", fields.get("messages", 0)))
        yield Document(id_, str(fields.get("event.dataset", "")), str(what), int(number), str(about))
