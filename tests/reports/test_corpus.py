"""The corpus of real messages: every report in it is read as `truth.jsonl` says, and nothing else is.

The corpus lies beside the repository and is not part of it; where it is absent, the tests are skipped and say so.
"""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from email_report_processor.documents.document import Document
from email_report_processor.reports.reading import read_message
from email_report_processor.reports.report import Reading
from email_report_processor.values.fields import (
    read_address,
    read_domain,
    read_epoch_date,
    read_identifier,
    read_ip,
    read_text,
    read_word,
)
from tests.places import CORPUS, ROOT

pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"the corpus is not at {CORPUS}")

Truth = dict[str, Any]


def truths(*kinds: str) -> list[Truth]:
    if not CORPUS.is_dir():
        return []
    lines = [json.loads(line) for line in (CORPUS / "truth.jsonl").read_text("utf-8").splitlines()]
    return [line for line in lines if line["kind"].startswith(kinds)]


def read(truth: Truth) -> tuple[Reading, list[list[Document]]]:
    reading = read_message((CORPUS / truth["path"]).read_bytes())
    return reading, [list(report.documents()) for report in reading.reports]


def normal(reader: Callable[[str], Any], text: Any) -> Any:
    """A value as it stands in the report, after our normalisation; None where it has none."""
    if text is None or text == "":
        return None
    try:
        return reader(str(text))
    except ValueError:
        return None


def aggregate_as_truth(documents: list[Document]) -> Truth:
    head = documents[-1].fields
    rows = [document.fields for document in documents[:-1]]
    policy = rows[0] if rows else {}
    return {
        "report_id": head.get("report.id"),
        "org_name": head.get("report.org_name"),
        "email": head.get("report.email"),
        "domain": (head.get("report.domain") or [None])[0],
        "begin": head.get("report.begin"),
        "end": head.get("report.end"),
        "p": policy.get("policy_published.p"),
        "records": len(rows),
        "total_count": head["messages"],
        "rows": sorted(
            [
                row.get("source.ip"),
                row.get("count"),
                row.get("policy_evaluated.disposition"),
                row.get("policy_evaluated.dkim"),
                row.get("policy_evaluated.spf"),
            ]
            for row in rows
        )
        if not any(row.get("source.ip") is None for row in rows)
        else [],
    }


def normal_aggregate(report: Truth) -> Truth:
    rows = [
        [normal(read_ip, ip), count, *(normal(read_word, word) for word in words)]
        for ip, count, *words in report["rows"]
    ]
    return {
        "report_id": normal(read_identifier, report["report_id"]),
        "org_name": normal(read_text, report["org_name"]),
        "email": normal(read_address, report["email"]),
        "domain": normal(read_domain, report["domain"]),
        "begin": normal(read_epoch_date, report["begin"]),
        "end": normal(read_epoch_date, report["end"]),
        "p": normal(read_word, report["p"]) if report["records"] else None,
        "records": report["records"],
        "total_count": report["total_count"],
        "rows": sorted(rows) if all(row[0] for row in rows) else [],
    }


def tls_as_truth(documents: list[Document]) -> Truth:
    head = documents[-1].fields
    policies = [document.fields for document in documents[:-1] if document.fields["tls.record"] == "policy"]
    details = [document.fields for document in documents[:-1] if document.fields["tls.record"] == "failure"]
    return {
        "report_id": head.get("report.id"),
        "organization": head.get("report.org_name"),
        "contact": head.get("report.email"),
        "start": head.get("report.begin"),
        "end": head.get("report.end"),
        "policies": len(policies),
        "total_success": sum(policy.get("sessions.successful", 0) for policy in policies),
        "total_failure": sum(policy.get("sessions.failed", 0) for policy in policies),
        "failure_details": len(details),
        "failed_sessions_in_details": sum(detail.get("failure.failed_session_count", 0) for detail in details),
        "policies_by_type": sorted(
            [
                str(policy.get("policy.type")),
                str(policy.get("policy.domain")),
                policy.get("sessions.successful"),
                policy.get("sessions.failed"),
            ]
            for policy in policies
        ),
    }


def normal_tls(report: Truth) -> Truth:
    result = {key: report[key] for key in report if key != "policy_list"}
    result["report_id"] = normal(read_identifier, report["report_id"])
    result["organization"] = normal(read_text, report["organization"])
    result["contact"] = normal(read_address, report["contact"])
    result["policies_by_type"] = sorted(
        [str(normal(read_word, type_)), str(normal(read_domain, domain)), ok, failed]
        for type_, domain, ok, failed, _ in report["policy_list"]
    )
    return result


def feedback_as_truth(fields: dict[str, Any]) -> Truth:
    return {
        "feedback_type": fields.get("feedback.type"),
        "user_agent": fields.get("feedback.user_agent"),
        "source_ip": fields.get("source.ip"),
        "reported_domain": fields.get("feedback.reported_domain"),
        "original_mail_from": fields.get("feedback.original_mail_from"),
        "auth_failure": fields.get("feedback.auth_failure"),
        "delivery_result": fields.get("feedback.delivery_result"),
        "identity_alignment": fields.get("feedback.identity_alignment"),
        "dkim_domain": fields.get("feedback.dkim_domain"),
        "incidents": fields.get("feedback.incidents"),
        "sample_subject": fields.get("sample.subject"),
        "sample_message_id": fields.get("sample.message_id"),
    }


def words_of(value: Any) -> list[str] | None:
    if value is None:
        return None
    return [
        word.strip().lower() for item in (value if isinstance(value, list) else [value]) for word in item.split(",")
    ]


def normal_feedback(report: Truth) -> Truth:
    domains = report.get("reported_domain")
    return {
        "feedback_type": normal(read_word, report.get("feedback_type")),
        "user_agent": normal(read_text, report.get("user_agent")),
        "source_ip": normal(read_ip, report.get("source_ip")),
        "reported_domain": [read_domain(domain) for domain in domains] if domains else None,
        "original_mail_from": normal(read_identifier, report.get("original_mail_from")),
        "auth_failure": words_of(report.get("auth_failure")),
        "delivery_result": normal(read_word, report.get("delivery_result")),
        "identity_alignment": words_of(report.get("identity_alignment")),
        "dkim_domain": normal(read_domain, report.get("dkim_domain")),
        "incidents": report.get("incidents"),
        "sample_subject": normal(read_text, report.get("sample_subject")),
        "sample_message_id": normal(read_identifier, report.get("sample_message_id")),
    }


def check_aggregate(truth: Truth) -> None:
    reading, found = read(truth)
    expected = [normal_aggregate(report) for report in truth["expected"]["reports"]]
    assert [aggregate_as_truth(documents) for documents in found] == expected
    assert reading.problems == ()
    assert [documents[-1].fields["rows"] for documents in found] == [report.rows for report in reading.reports]


def check_tls(truth: Truth) -> None:
    reading, found = read(truth)
    assert [tls_as_truth(documents) for documents in found] == [normal_tls(one) for one in truth["expected"]["reports"]]
    assert reading.problems == ()


def check_feedback(truth: Truth) -> None:
    reading, found = read(truth)
    assert len(found) == 1
    assert reading.problems == ()
    expected = truth["expected"]["report"]
    row = found[0][0].fields
    assert row["event.dataset"] == ("dmarc-failure" if truth["expected"]["kind"] == "failure" else "arf")
    present = {key: value for key, value in normal_feedback(expected).items() if expected.get(key) is not None}
    assert {key: feedback_as_truth(row)[key] for key in present} == present
    if expected.get("arrival_date"):
        assert row["@timestamp"] == expected["arrival_date"]


def check_nothing(truth: Truth) -> None:
    reading, _ = read(truth)
    assert reading.reports == ()


def check_malformed(truth: Truth) -> None:
    """What a lenient reader finds is found; what cannot be read well is kept, or it is no report at all."""
    reading, found = read(truth)
    kept = reading.problems or not reading.reports or any(documents[-1].fields["salvaged"] for documents in found)
    assert kept or not any(oddity.startswith("xml: NOT") for oddity in truth["oddities"])
    expected = [report for report in truth["expected"].get("reports", ()) if report["rows"]]
    if expected:
        rows = [aggregate_as_truth(documents)["rows"] for documents in found]
        assert rows == [normal_aggregate(report)["rows"] for report in expected]


CHECKS: dict[str, Callable[[Truth], None]] = {
    "aggregate": check_aggregate,
    "tls": check_tls,
    "failure": check_feedback,
    "arf": check_feedback,
    "not_a_report": check_nothing,
    "malformed": check_malformed,
}


def kind_of(truth: Truth) -> str:
    return next(kind for kind in CHECKS if truth["kind"].startswith(kind))


@pytest.mark.parametrize("truth", truths(*CHECKS), ids=lambda truth: truth["path"])
def test_message(truth: Truth) -> None:
    CHECKS[kind_of(truth)](truth)


def test_score_is_that_of_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    right: Counter[str] = Counter()
    all_: Counter[str] = Counter()
    for truth in truths(*CHECKS):
        all_[kind_of(truth)] += 1
        right[kind_of(truth)] += passes(truth)
    score = [f"{kind} {right[kind]} of {all_[kind]}" for kind in CHECKS]
    with capsys.disabled():
        print("\ncorpus, messages read as the truth says: " + ", ".join(score))
    page = (ROOT / "docs/what-is-read.md").read_text("utf-8")
    for kind in CHECKS:
        assert f"| {right[kind]} of {all_[kind]} |" in page, kind


def passes(truth: Truth) -> bool:
    try:
        CHECKS[kind_of(truth)](truth)
    except AssertionError:
        return False
    return True


def test_malformed_reports_with_rows_are_read_to_the_most_part() -> None:
    with_rows = [
        truth for truth in truths("malformed") if any(report["rows"] for report in truth["expected"].get("reports", ()))
    ]
    assert len(with_rows) > 2
    assert sum(passes(truth) for truth in with_rows) >= 0.6 * len(with_rows)
