"""DMARC aggregate reports: the corpus, what reporters do, ids, bounds."""

import ipaddress
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from email_report_processor.blob import Memory, chunks
from email_report_processor.dmarc_aggregate import read
from email_report_processor.mail import looks_like_mail, read_mail
from email_report_processor.payload import Payload, find_payloads
from email_report_processor.report import Context, Document, Envelope, Options, Problem, Report

CORPUS = Path(__file__).parent / ".." / ".." / "shared" / "corpus"
CONTEXT = Context(Envelope(bare=True), Options())


def payload(data: bytes, size: int = 65536) -> Payload:
    return Payload("here", "", lambda: (data[start : start + size] for start in range(0, len(data), size)))


def read_bytes(data: bytes, context: Context = CONTEXT) -> Report:
    report = read(payload(data), context)
    assert isinstance(report, Report), report
    return report


# --- the corpus ---


def _files(path: Path) -> Iterator[Payload | Problem]:
    memory = Memory(path.read_bytes())
    bounds = CONTEXT.options.bounds
    if not looks_like_mail(memory.read(0, 65536)):
        yield from find_payloads("input", path.name, lambda: chunks(memory), bounds)
        return
    parts = [read_mail(memory, mime_depth=bounds.mime_depth, mime_parts=bounds.mime_parts)]
    while parts:
        part = parts.pop(0)
        parts = [*part.parts, *parts]
        if not part.parts:
            yield from find_payloads(part.place, part.name, part.chunks, bounds)


def _results(case: dict[str, Any]) -> list[Report | Problem]:
    found = [one if isinstance(one, Problem) else read(one, CONTEXT) for one in _files(CORPUS / case["path"])]
    return [one for one in found if one is not None]


def _truth(*kinds: str) -> list[dict[str, Any]]:
    if not (CORPUS / "truth.jsonl").exists():
        return []
    lines = (CORPUS / "truth.jsonl").read_text().splitlines()
    return [one for one in map(json.loads, lines) if one["kind"].startswith(kinds)]


def _summary(report: Report) -> dict[str, Any]:
    documents = list(report.documents())
    last = documents[-1].fields
    assert last.items() >= report.head.items()
    assert report.rows == len(documents) - 1 == last["rows"]
    return {"records": report.rows, "total_count": last["messages"], "rows": [_row(one) for one in documents[:-1]]}


def _row(document: Document) -> list[Any]:
    fields = document.fields
    address = fields.get("source.ip", fields.get("raw.source.ip"))
    verdicts = [fields.get(f"policy_evaluated.{name}") for name in ("disposition", "dkim", "spf")]
    return [address, fields.get("count"), *verdicts]


def _expected(report: dict[str, Any]) -> dict[str, Any]:
    rows = [
        [_address(address), count, *(verdict.lower() if verdict else None for verdict in verdicts)]
        for address, count, *verdicts in report["rows"]
    ]
    return {"records": report["records"], "total_count": report["total_count"], "rows": rows}


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text


@pytest.mark.skipif(not _truth("aggregate"), reason="the corpus is not here")
@pytest.mark.parametrize("case", _truth("aggregate"), ids=lambda case: case["path"])
def test_corpus(case: dict[str, Any]) -> None:
    reports = [one for one in _results(case) if isinstance(one, Report)]
    assert len(reports) == len(_results(case))
    assert [_summary(one) for one in reports] == [_expected(one) for one in case["expected"]["reports"]]
    for report, expected in zip(reports, case["expected"]["reports"], strict=True):
        head = report.head
        assert head.get("report.org_name") == (expected["org_name"] or None)
        assert head.get("report.email") == (expected["email"] or None)
        assert head.get("report.domain") == ([expected["domain"].lower()] if expected["domain"] else None)
        assert head["salvaged"] is False


@pytest.mark.skipif(not _truth("aggregate"), reason="the corpus is not here")
@pytest.mark.parametrize("case", _truth("malformed"), ids=lambda case: case["path"])
def test_corpus_malformed(case: dict[str, Any]) -> None:
    reports = [one for one in _results(case) if isinstance(one, Report)]
    assert [_summary(one) for one in reports] == [_expected(one) for one in case["expected"].get("reports", ())]
    for report, expected in zip(reports, case["expected"].get("reports", ()), strict=True):
        assert report.head.get("report.org_name") == expected["org_name"]
        assert report.head["salvaged"] or expected["records"]


@pytest.mark.skipif(not _truth("aggregate"), reason="the corpus is not here")
@pytest.mark.parametrize("case", _truth("tls", "arf", "failure", "not_a_report"), ids=lambda case: case["path"])
def test_corpus_others(case: dict[str, Any]) -> None:
    assert not [one for one in _results(case) if isinstance(one, Report) or "DMARC" in one.reason]
