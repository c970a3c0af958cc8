"""Feedback reports: golden pairs, the corpus, what must be left alone, settings, bounds and hostile input."""

import base64
import contextlib
import json
import quopri
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from email_report_processor.documents.datasets import ARF, FAILURE, REPORT
from email_report_processor.documents.document import Document
from email_report_processor.message.blob import Memory
from email_report_processor.message.bounds import Bounds, Problem
from email_report_processor.message.mail import Part, address, domain_of, read_mail
from email_report_processor.reports import feedback
from email_report_processor.reports.feedback_fields import VALUES
from email_report_processor.reports.report import Context, Envelope, Options, Report
from email_report_processor.reports.sample import HEADERS_CHARS, TYPES
from email_report_processor.values import authres
from email_report_processor.values.dates import read_rfc5322
from email_report_processor.values.fields import read_identifier, read_ip, write_date
from tests.linear import assert_linear
from tests.places import CORPUS, GOLDEN

PAIRS = sorted([*(GOLDEN / "dmarc-failure").glob("*.eml"), *(GOLDEN / "arf").glob("*.eml")])

# Golden pairs of feedback are read with everything switched on.
OPTIONS = Options(sample="full", authserv_ids=("mail.example.org",), feed="ruf")


def results(raw: bytes, options: Options = OPTIONS) -> list[Report | Problem]:
    """What the kind says of each node, as the walk over a message asks it."""
    mail = read_mail(Memory(raw), mime_depth=options.bounds.mime_depth, mime_parts=options.bounds.mime_parts)
    return list(walk(mail, Context(envelope(mail, options), options)))


def walk(part: Part, context: Context) -> Iterator[Report | Problem]:
    result = feedback.read(part, context)
    if result is not None:
        yield result
        return
    for child in part.parts:
        yield from walk(child, context)


def envelope(mail: Part, options: Options) -> Envelope:
    received = [field.rpartition(";")[2] for field in mail.headers.get_all("received")[:1]]
    return Envelope(
        message_id=read_identifier(mail.headers.get("message-id") or ""),
        from_domain=domain_of(address(mail.headers.get("from") or "")),
        received=date_of([*received, mail.headers.get("date") or ""]),
        authentication=authres.reporter(mail.headers.get_all("authentication-results"), options.authserv_ids),
    )


def date_of(texts: list[str]) -> str:
    for text in texts:
        with contextlib.suppress(ValueError):
            return write_date(read_rfc5322(text))
    return ""


def documents(raw: bytes, options: Options = OPTIONS) -> list[Document]:
    found: list[Document] = []
    for result in results(raw, options):
        assert isinstance(result, Report), result
        streamed = list(result.documents())
        assert len(streamed) == result.rows + 1
        assert streamed[-1].fields == result.head
        found += streamed
    return found


def one(raw: bytes, options: Options = OPTIONS) -> dict[str, Any]:
    """The fields of the one report in a message."""
    row, last = documents(raw, options)
    assert last.dataset == "report"
    return row.fields


def arf(fields: str, sample: str = "", kind: str = "message/rfc822", head: str = "", encoding: str = "7bit") -> bytes:
    """A report mail; no sample when it is ''."""
    parts = ["Content-Type: text/plain\n\nsee below\n", f"Content-Type: message/feedback-report\n\n{fields}\n"]
    if sample:
        parts.append(f"Content-Type: {kind}\nContent-Transfer-Encoding: {encoding}\n\n{sample}\n")
    body = "".join(f"--b\n{part}" for part in parts) + "--b--\n"
    head = head or "From: r@example.net\nDate: Thu, 19 Nov 2026 12:00:00 +0000\nMessage-ID: <m@example.net>\n"
    return f"{head}Content-Type: multipart/report; boundary=b\n\n{body}".encode()


FAILED = "Feedback-Type: auth-failure\nUser-Agent: X/1\nVersion: 1\nAuth-Failure: dmarc\n"
DATED = FAILED + "Arrival-Date: Thu, 19 Nov 2026 11:00:00 +0000\n"
SAMPLE = "From: a@example.org\nTo: b@example.net\nSubject: s\nMessage-ID: <s@example.org>\n\ntext\n"


def ids_of(raw: bytes) -> list[str]:
    return [document.id for document in documents(raw)]


@pytest.mark.parametrize("path", PAIRS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_golden(path: Path) -> None:
    expected = json.loads(path.with_suffix(".json").read_text())
    assert [[one.dataset, one.id, one.fields] for one in documents(path.read_bytes())] == expected


@pytest.mark.parametrize("path", PAIRS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_line_ends_change_nothing(path: Path) -> None:
    raw = path.read_bytes()
    before = [(document.dataset, document.id) for document in documents(raw) if document.dataset != "report"]
    after = documents(raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    assert before == [(document.dataset, document.id) for document in after if document.dataset != "report"]


def test_golden_pairs_fill_every_field() -> None:
    names: set[str] = set()
    for path in PAIRS:
        for document in documents(path.read_bytes()):
            if document.dataset != "report":
                names |= set(document.fields)
                names |= {f"file.{key}" for file in document.fields.get("file", ()) for key in file}
    names = {name for name in names if not name.startswith("raw.")} - {"file"}
    by_the_process = {"event.ingested", "class", "class_rule", "source.name", "source.name_rule", "report.feed_kind"}
    places = {name for name in FAILURE.by_name if name.startswith(("source.as.", "source.geo."))}
    assert names == set(FAILURE.by_name) - by_the_process - places
    assert set(ARF.by_name) == set(FAILURE.by_name)


def test_golden_reports_have_only_fields_of_theirs() -> None:
    for path in PAIRS:
        last = documents(path.read_bytes())[-1]
        assert set(last.fields) <= set(REPORT.by_name)


def truth(folder: str) -> list[dict[str, Any]]:
    if not (CORPUS / "truth.jsonl").exists():
        return []
    lines = (CORPUS / "truth.jsonl").read_text().splitlines()
    return [line for line in map(json.loads, lines) if line["path"].startswith(f"{folder}/")]


def bare(value: str | None) -> str | None:
    return None if value is None else address(value) or value.strip("<>")


def corpus(folder: str) -> list[Any]:
    absent = pytest.param(None, marks=pytest.mark.skip(reason="the corpus is not here"), id=folder)
    return [pytest.param(line, id=line["path"]) for line in truth(folder)] or [absent]


@pytest.mark.parametrize("line", [*corpus("failure_eml"), *corpus("arf_other_eml")])
def test_corpus(line: dict[str, Any]) -> None:
    expected = line["expected"]["report"]
    row, _ = documents((CORPUS / line["path"]).read_bytes())
    fields = row.fields
    assert row.dataset == {"failure": "dmarc-failure", "arf": "arf"}[line["expected"]["kind"]]
    assert fields.get("feedback.type") == expected["feedback_type"]
    assert fields["@timestamp"] == expected["arrival_date"]
    assert fields.get("source.ip") == (expected["source_ip"] and read_ip(expected["source_ip"]))
    assert fields.get("feedback.reported_domain", []) == expected["reported_domain"]
    assert fields.get("feedback.original_mail_from") == bare(expected["original_mail_from"])
    assert fields.get("sample.subject") == (expected["sample_subject"] and " ".join(expected["sample_subject"].split()))
    if "user_agent" not in expected:  # a notice
        assert fields["feedback.authentication_results"][0].endswith(f"DMARC Results: {expected['dmarc_results']}")
        return
    assert fields.get("feedback.user_agent") == expected["user_agent"]
    assert fields.get("feedback.version") == expected["version"]
    assert fields.get("feedback.original_rcpt_to", []) == [bare(one) for one in expected["original_rcpt_to"]]
    assert fields.get("feedback.auth_failure") == (expected["auth_failure"] and [expected["auth_failure"]])
    assert fields.get("feedback.delivery_result") == expected["delivery_result"]
    assert fields.get("feedback.identity_alignment") == expected["identity_alignment"]
    assert fields.get("feedback.dkim_domain") == expected["dkim_domain"]
    assert fields.get("feedback.incidents") == expected["incidents"]
    assert fields.get("sample.from") == bare(expected["sample_from"])
    message_id = expected["sample_message_id"]
    assert fields.get("sample.message_id") == (message_id and read_identifier(message_id))
    assert "warnings" not in fields


@pytest.mark.parametrize("line", corpus("not_a_report_eml"))
def test_corpus_of_others(line: dict[str, Any]) -> None:
    assert results((CORPUS / line["path"]).read_bytes()) == []


CLAIM = "A message claiming to be from you has failed the published DMARC policy"
BOUNCE = """From: a@example.org
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b

failed
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; a
--b--
"""


@pytest.mark.parametrize(
    "text",
    [
        "From: a@example.org\n\nhello\n",
        BOUNCE,
        BOUNCE.replace("delivery-status; b", "feedback-report; b"),  # the label alone says nothing
        "From: a@example.org\n\nI ask about this field:\nFeedback-Type: abuse\nUser-Agent: x\nVersion: 1\n",
        "From: a@example.org\n\nFeedback-Type: the form that we need\n",  # without the other required fields
        f"From: a@example.org\n\nHe wrote: {CLAIM}\n",
        f"From: a@example.org\n\n> {CLAIM}\n> Sender Domain: example.org\n",
        f"From: a@example.org\n\n{CLAIM}\nDo not panic.\n",
    ],
)
def test_what_is_no_report(text: str) -> None:
    assert results(text.encode()) == []


def test_the_sample_is_never_searched() -> None:
    inner = arf(FAILED).decode()
    found = results(arf(DATED, inner))
    assert len(found) == 1


@pytest.mark.parametrize("kind", sorted(TYPES))
@pytest.mark.parametrize("encoding", ["7bit", "base64"])
def test_eight_spellings(kind: str, encoding: str) -> None:
    header = SAMPLE.partition("\n\n")[0] + "\n"
    text = header if encoding == "7bit" else base64.encodebytes(header.encode()).decode()
    fields = one(arf(DATED, text, kind, encoding=encoding))
    assert fields["sample.from"] == "a@example.org"
    assert fields["sample.headers_only"] is True
    assert fields["sample.headers"] == header.strip()


@pytest.mark.parametrize("kind", ["text/plain", "text/html", "message/partial", "text/x-unknown"])
def test_sample_by_content(kind: str) -> None:
    fields = one(arf(DATED, SAMPLE, kind))
    assert fields["sample.message_id"] == "s@example.org"
    assert fields["sample.headers_only"] is False
    assert one(arf(DATED, "Dear reader: nothing\n", kind))["sample.signals"] == ["no-headers"]


def test_a_sample_within_a_multipart() -> None:
    """Some who pass reports on put parts into multiparts of their own."""
    digest = f"Content-Type: multipart/digest; boundary=d\n\n--d\n\n{SAMPLE}\n--d--\n"
    raw = arf(DATED).replace(b"--b--", f"--b\n{digest}\n--b--".encode())
    assert ids_of(raw) == ids_of(arf(DATED, SAMPLE))
    inner = arf(DATED, head="Content-Disposition: inline\n").replace(b"=b\n", b"=i\n").replace(b"--b", b"--i").decode()
    parts = f"--b\n{inner}\n--b\nContent-Type: message/rfc822\n\n{SAMPLE}\n--b--\n"
    assert ids_of(f"Content-Type: multipart/mixed; boundary=b\n\n{parts}".encode()) == ids_of(arf(DATED, SAMPLE))


@pytest.mark.parametrize("encoding", ["7bit", "base64", "quoted-printable"])
def test_a_missing_empty_line(encoding: str) -> None:
    """Then the report, or its sample, has become the header of its part."""
    whole = arf(DATED, SAMPLE, encoding=encoding) if encoding == "7bit" else arf(DATED, SAMPLE)
    no_line = whole.replace(b"feedback-report\n\n", b"feedback-report\n")
    assert ids_of(no_line) == ids_of(whole)
    sample = SAMPLE.replace("\n\ntext", f"\nContent-Transfer-Encoding: {encoding}\n\nhttp://a.example/=3D")
    whole = arf(DATED, sample)
    no_line = whole.replace(b"message/rfc822\nContent-Transfer-Encoding: 7bit\n\n", b"message/rfc822\n")
    assert no_line != whole
    assert ids_of(no_line) == ids_of(whole)
    assert one(no_line).get("url.full") == one(whole).get("url.full")


@pytest.mark.parametrize("encode", [base64.encodebytes, quopri.encodestring])
@pytest.mark.parametrize("kind", ["message/rfc822", "text/rfc822-headers"])
def test_encoded_without_the_label(encode: Callable[[bytes], bytes], kind: str) -> None:
    """A gateway that encodes the parts again and leaves their labels as they were."""
    fields = DATED + "Authentication-Results: a.example; spf=fail smtp.mailfrom=b.example; dmarc=fail\n"
    sample = SAMPLE.replace("\n\n", "\nDKIM-Signature: v=1; a=rsa-sha256; d=b.example; s=x; b=AAAA==\n\n", 1)
    whole = arf(fields, sample).replace(b"message/rfc822", kind.encode())
    assert whole.count(fields.encode()) == whole.count(sample.encode()) == 1
    gateway = whole.replace(fields.encode(), encode(fields.encode())).replace(sample.encode(), encode(sample.encode()))
    assert ids_of(gateway) == ids_of(whole)
    assert one(gateway)["feedback.authentication_results"] == one(whole)["feedback.authentication_results"]


WRITTEN = {
    "plain": lambda data: data,
    "quoted-printable": quopri.encodestring,
    "lower case": lambda data: quopri.encodestring(data).replace(b"=3D", b"=3d"),
    "base64": base64.encodebytes,
}


@pytest.mark.parametrize("label", ["7bit", "quoted-printable", "base64"])
@pytest.mark.parametrize("written", WRITTEN)
def test_parts_under_another_label(written: str, label: str) -> None:
    fields = DATED + "Authentication-Results: a.example; spf=fail smtp.mailfrom=b.example; dmarc=fail\n"
    sample = SAMPLE.replace("\n\n", "\nDKIM-Signature: v=1; a=rsa-sha256; d=b.example; s=x; b=AAAA==\n\n", 1)
    whole = arf(fields, sample)
    labelled = whole.replace(b"message/feedback-report\n", b"message/feedback-report\nContent-Transfer-Encoding: %s\n")
    assert labelled.count(b"Encoding: %s") == 1
    odd = labelled.replace(b"Encoding: %s", b"Encoding: " + label.encode())
    odd = odd.replace(fields.encode(), WRITTEN[written](fields.encode()))
    assert ids_of(odd) == ids_of(whole)
    assert one(odd)["feedback.authentication_results"] == one(whole)["feedback.authentication_results"]


def test_a_header_labelled_base64_that_is_none() -> None:
    assert one(arf(DATED, SAMPLE, encoding="base64"))["sample.subject"] == "s"


@pytest.mark.parametrize("kind", ["text/plain", "application/octet-stream", "message/x-feedback"])
def test_a_mislabelled_report_in_any_order(kind: str) -> None:
    fields = "".join(sorted(DATED.splitlines(keepends=True)))
    assert ids_of(arf(fields, SAMPLE).replace(b"message/feedback-report", kind.encode())) == ids_of(arf(fields, SAMPLE))


@pytest.mark.parametrize(
    "text",
    [
        "User-Agent: X/1\nVersion: 1\n",
        "Feedback-Type: bug\nUser-Agent: X/1\nVersion: 1\n",
        "Feedback-Type: abuse\nVersion: 1\n",
        "Hello,\nFeedback-Type: abuse\nUser-Agent: X/1\nVersion: 1\n",
        "Subject: Feedback-Type\nFeedback-Type: abuse\nUser-Agent: X/1\n",
    ],
)
def test_a_text_about_reports_is_none(text: str) -> None:
    assert results(arf(text).replace(b"message/feedback-report", b"text/plain")) == []


@pytest.mark.parametrize(
    ("value", "address", "host"),
    [
        ("mail.example.net (192.0.2.1)", "192.0.2.1", None),
        ("mail.example.net [192.0.2.1]", "192.0.2.1", None),
        ("(mail.example.net) IPv6:2001:db8::1", "2001:db8::1", "mail.example.net"),
        ("192.0.2.1 (mail.example.net [192.0.2.1])", "192.0.2.1", None),
        ("mail.example.net (unknown)", None, None),
    ],
)
def test_an_address_among_comments_and_names(value: str, address: str | None, host: str | None) -> None:
    found = one(arf(f"{DATED}Source-IP: {value}\n"))
    assert (found.get("source.ip"), found.get("source.domain")) == (address, host)
    assert found.get("raw.source.ip") == (None if address else value)


def test_several_recipients_in_one_field() -> None:
    found = one(arf(DATED + "Original-Rcpt-To: <b@example.com>, c@example.com, <d@example.com>\n"))
    assert found["feedback.original_rcpt_to"] == ["b@example.com", "c@example.com", "d@example.com"]


def test_without_sample() -> None:
    fields = one(arf(DATED))
    assert fields["sample.signals"] == ["no-headers"]
    assert "sample.headers_only" not in fields


def test_two_reports_in_one_multipart() -> None:
    second = DATED.replace("auth-failure", "abuse")
    raw = arf(DATED, SAMPLE).replace(
        b"--b--", b"--b\nContent-Type: message/feedback-report\n\n" + second.encode() + b"\n--b--"
    )
    first, other, last = documents(raw)
    assert (first.dataset, other.dataset) == ("dmarc-failure", "arf")
    assert first.fields["sample.from"] == "a@example.org"
    assert "sample.from" not in other.fields
    assert (last.fields["rows"], last.fields["messages"]) == (2, 2)


def test_fields_without_a_known_one_are_a_problem() -> None:
    (problem,) = results(arf("nothing: here\n"))
    assert problem == Problem("part 2", "the feedback part has no field of RFC 5965")


def test_type_is_missing() -> None:
    row, _ = documents(arf("User-Agent: X/1\nVersion: 1\nAuth-Failure: spf\n"))
    assert row.dataset == "dmarc-failure"
    assert "feedback.type: not reported" in row.fields["warnings"]
    row, _ = documents(arf("User-Agent: X/1\nVersion: 1\n"))
    assert row.dataset == "arf"


def test_sample_setting() -> None:
    raw = (GOLDEN / "dmarc-failure" / "everything.eml").read_bytes()
    full = one(raw)
    headers = one(raw, OPTIONS._replace(sample="headers"))
    assert full.pop("sample.body") == "Bitte zahlen: https://phish.example/pay (heute!)."
    assert headers == full
    none = one(raw, OPTIONS._replace(sample="none"))
    kept = {"sample.signals", "sample.headers_only"}
    dropped = {"feedback.original_rcpt_to", "feedback.reported_uri", "file", "url.full", "url.domain"}
    dropped |= {name for name in headers if name.startswith("sample.")} - kept
    assert none == {name: value for name, value in headers.items() if name not in dropped}
    text = json.dumps(none)
    for secret in ("anna", "bert", "Rechnung", "boss@", "phish.example", "4711@"):
        assert secret not in text


def test_sample_setting_changes_no_id() -> None:
    for path in PAIRS:
        ids = [
            [document.id for document in documents(path.read_bytes(), OPTIONS._replace(sample=sample))]
            for sample in ("none", "headers", "full")
        ]
        assert ids[0] == ids[1] == ids[2]


def test_id_is_of_the_report_and_its_sample() -> None:
    head = "From: other@example.com\nMessage-ID: <other@example.com>\n"
    folded = DATED.replace("Thu, 19", "Thu,\n  19")
    same = {documents(raw)[0].id for raw in (arf(DATED, SAMPLE), arf(DATED, SAMPLE, head=head), arf(folded, SAMPLE))}
    assert len(same) == 1
    other = {documents(arf(DATED.replace("11:", "10:"), SAMPLE))[0].id, documents(arf(DATED, "X: y\n" + SAMPLE))[0].id}
    assert len(same | other) == 3


def test_id_of_what_names_nothing_is_of_the_message_too() -> None:
    head = "From: r@example.net\nDate: Thu, 19 Nov 2026 12:00:00 +0000\nMessage-ID: <other@example.net>\n"
    nameless = SAMPLE.replace("Message-ID: <s@example.org>\n", "")
    for fields, sample, same in [
        (FAILED, nameless, False),
        (FAILED, "", False),
        (DATED, nameless, True),
        (FAILED, SAMPLE, True),
    ]:
        first, second = documents(arf(fields, sample)), documents(arf(fields, sample, head=head))
        assert (first[0].id == second[0].id) is same
        assert (first[-1].id == second[-1].id) is same


def test_documents_can_be_read_again() -> None:
    (report,) = results(arf(DATED, SAMPLE))
    assert isinstance(report, Report)
    first = list(report.documents())
    first[0].fields.clear()
    first[1].fields.clear()
    assert [bool(document.fields) for document in report.documents()] == [True, True]


@pytest.mark.parametrize(
    ("arrival", "date", "expected"),
    [
        (
            "Arrival-Date: Thu, 19 Nov 2026 11:00:00 +0000\n",
            "Date: Wed, 18 Nov 2026 11:00:00 +0000\n",
            "2026-11-19T11:00:00Z",
        ),
        ("Received-Date: Thu, 19 Nov 2026 11:00:00 PST\n", "", "2026-11-19T19:00:00Z"),
        ("Arrival-Date: soon\n", "Date: Wed, 18 Nov 2026 11:00:00 +0000\n", "2026-11-18T11:00:00Z"),
        ("", "Date: Wed, 18 Nov 2026 11:00:00 +0000\n", "2026-11-18T11:00:00Z"),
        ("", "", "2026-11-19T12:00:00Z"),
    ],
)
def test_timestamp(arrival: str, date: str, expected: str) -> None:
    fields = one(arf(FAILED + arrival, date + SAMPLE))
    assert fields["@timestamp"] == expected
    assert any("report mail" in warning for warning in fields.get("warnings", ())) is (not arrival and not date)


@pytest.mark.parametrize(
    ("arrival", "date", "expected"),
    [
        # The mail is of 2026-11-19T12:00:00Z. An arrival may be older than a date in the sender's hand.
        ("Wed, 15 Oct 2025 12:00:00 +0000", "", "2025-10-15T12:00:00Z"),
        ("Tue, 14 Oct 2025 12:00:00 +0000", "", "2026-11-19T12:00:00Z"),
        ("Sat, 21 Nov 2026 12:00:00 +0000", "", "2026-11-21T12:00:00Z"),
        ("Sat, 21 Nov 2026 12:00:01 +0000", "", "2026-11-19T12:00:00Z"),
        ("Thu, 1 Jan 1970 00:00:00 +0000", "Thu, 19 Nov 2026 10:00:00 +0000", "2026-11-19T10:00:00Z"),
        ("", "Tue, 20 Oct 2026 12:00:00 +0000", "2026-10-20T12:00:00Z"),
        ("", "Tue, 20 Oct 2026 11:59:59 +0000", "2026-11-19T12:00:00Z"),
        ("", "Sat, 16 May 2026 12:00:00 +0000", "2026-11-19T12:00:00Z"),  # 187 days
        ("", "Fri, 31 Dec 9999 12:00:00 +0000", "2026-11-19T12:00:00Z"),
    ],
)
def test_a_date_far_from_the_report_mail_is_not_believed(arrival: str, date: str, expected: str) -> None:
    arrived = f"Arrival-Date: {arrival}\n" if arrival else ""
    fields = one(arf(FAILED + arrived, (f"Date: {date}\n" if date else "") + SAMPLE))
    assert fields["@timestamp"] == expected
    said = write_date(read_rfc5322(arrival or date))
    warning = f"@timestamp: {said} is too far from the date of the report mail"
    assert (warning in fields.get("warnings", ())) is (said != expected)
    assert not date or fields["sample.date"] == write_date(read_rfc5322(date))


def test_without_a_date_of_the_mail_every_date_is_believed() -> None:
    head = "From: r@example.net\nMessage-ID: <m@example.net>\n"
    fields = one(arf(FAILED, "Date: Sat, 16 May 2026 12:00:00 +0000\n" + SAMPLE, head=head))
    assert fields["@timestamp"] == "2026-05-16T12:00:00Z"


@pytest.mark.parametrize("said", ['"auth-failure"', "auth_failure", "Auth-Failure;", "auth-failure (dmarc)"])
def test_a_type_written_otherwise(said: str) -> None:
    row, _ = documents(arf(DATED.replace("auth-failure", said, 1)))
    assert (row.dataset, row.fields["feedback.type"]) == ("dmarc-failure", "auth-failure")


@pytest.mark.parametrize(
    ("line", "name", "value", "warned"),
    [
        ("Source-IP: 192.0.2.1:2525", "source.ip", "192.0.2.1", True),
        ("Source-IP: 192.0.2.1, 192.0.2.2", "raw.source.ip", "192.0.2.1, 192.0.2.2", True),
        (
            "Reported-Domain: example.org, example.net",
            "feedback.reported_domain",
            ["example.org", "example.net"],
            False,
        ),
        ("Reported-Domain: https://www.example.org/x", "feedback.reported_domain", ["www.example.org"], True),
        ("Reported-Domain: a@example.org", "feedback.reported_domain", ["example.org"], True),
        ("Reported-Domain: example org|net", "raw.feedback.reported_domain", "org|net", True),
        ("Reported-URI: <http://x.example/a>", "feedback.reported_uri", ["http://x.example/a"], False),
        ("Original-Mail-From: rfc822; <b@example.net>", "feedback.original_mail_from", "b@example.net", False),
        ("Original-Rcpt-To: RFC822;b@example.net", "feedback.original_rcpt_to", ["b@example.net"], False),
    ],
)
def test_values_in_other_shapes(line: str, name: str, value: Any, warned: bool) -> None:
    fields = one(arf(f"{DATED}{line}\n"))
    assert fields[name] == value
    assert bool(fields.get("warnings")) is warned


def test_a_report_and_its_sample_in_one_text() -> None:
    head = b"From: r@example.net\nDate: Thu, 19 Nov 2026 12:00:00 +0000\n\n"
    fields = one(head + DATED.encode() + b"\n\n" + SAMPLE.replace("text", "http://x.example/").encode())
    assert (fields["sample.subject"], fields["url.domain"]) == ("s", ["x.example"])
    assert "sample.subject" not in one(head + DATED.encode() + b"\nHello,\nSubject: s\nFrom: a@example.org\n")


def test_several_samples_are_said() -> None:
    raw = arf(DATED, SAMPLE).replace(b"--b--", b"--b\nContent-Type: message/rfc822\n\n" + SAMPLE.encode() + b"\n--b--")
    fields = one(raw)
    assert fields["sample.message_id"] == "s@example.org"
    assert fields["warnings"] == ["sample: the first of 2 messages is used"]


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("Original-Mail-From: <>", "feedback.original_mail_from", ""),
        ("Original-Mail-From:", "feedback.original_mail_from", ""),
        ("Original-Mail-From: <A@example.org> (really)", "feedback.original_mail_from", "A@example.org"),
        ("Source-IP: 192.0.2.1 (host.example.net)", "source.domain", "host.example.net"),
        ("Source-IP: 192.0.2.1 (host.example.net)", "source.ip", "192.0.2.1"),
        ("Source-IP: 192.0.2.1 (unknown)", "source.domain", None),
        ("Source-IP: 192.0.2.1 ([192.0.2.1])", "source.domain", None),
        ("Source-IP: IPv6:2001:DB8::1", "source.ip", "2001:db8::1"),
        ("Source-IP: X.X.X.X", "raw.source.ip", "X.X.X.X"),
        ("Auth-Failure: dmarc (a comment)", "feedback.auth_failure", ["dmarc"]),
        ("Identity-Alignment: dkim,spf", "feedback.identity_alignment", ["dkim", "spf"]),
        ("Identity-Alignment: none", "feedback.identity_alignment", ["none"]),
        ("Identity-Alignment:", "feedback.identity_alignment", None),
        ("Incidents: 7", "count", 7),
        ("Incidents: 0", "count", 1),
        ("Incidents: -1", "raw.feedback.incidents", "-1"),
        ("Incidents: 1000000000", "count", 10**9),
        ("Incidents: 1000000001", "count", 1),
        ("Source-Port: 65536", "raw.source.port", "65536"),
        ("Authentication-Results:", "feedback.authentication_results", None),
        ("authentication-results : mx;\n spf=fail", "feedback.authentication_results", ["mx; spf=fail"]),
    ],
)
def test_values(line: str, name: str, value: object) -> None:
    fields = one(arf((FAILED if "Auth-Failure" not in line else FAILED.partition("Auth")[0]) + line + "\n"))
    assert fields.get(name) == value
    assert any(warning.startswith(name[4:]) for warning in fields["warnings"]) is name.startswith("raw.")


def test_a_field_given_twice() -> None:
    fields = one(arf(DATED + "Source-IP: 192.0.2.1\nSource-IP: 192.0.2.2\nReceived-Date: x\n"))
    assert fields["source.ip"] == "192.0.2.1"
    assert fields["warnings"] == [
        "source.ip: given more than once, the first counts",
        "Arrival-Date: given more than once, the first counts",
    ]


def test_null_sender_is_present_and_empty() -> None:
    absent = one(arf(DATED, SAMPLE)).get("sample.signals", [])
    empty = one(arf(DATED + "Original-Mail-From:\n", SAMPLE))["sample.signals"]
    path = one(arf(DATED, "Return-Path: <>\n" + SAMPLE))["sample.signals"]
    real = one(arf(DATED + "Original-Mail-From: a@example.org\n", "Return-Path: <>\n" + SAMPLE)).get(
        "sample.signals", []
    )
    assert ["null-sender" in signals for signals in (absent, empty, path, real)] == [False, True, True, False]


def test_feedback_part_is_bounded_on_both_sides() -> None:
    size = len(DATED)
    options = Options(bounds=Bounds(part_bytes=size))
    assert one(arf(DATED), options)["feedback.type"] == "auth-failure"
    (problem,) = results(arf(DATED), Options(bounds=Bounds(part_bytes=size - 1)))
    assert isinstance(problem, Problem)
    assert problem.reason == f"the feedback part has more than bounds.part_bytes = {size - 1} bytes"


def test_sample_is_bounded_on_both_sides() -> None:
    sample = SAMPLE + "x" * 2000
    size = len(sample)
    assert "warnings" not in one(arf(DATED, sample), OPTIONS._replace(bounds=Bounds(part_bytes=size)))
    fields = one(arf(DATED, sample), OPTIONS._replace(bounds=Bounds(part_bytes=size - 1)))
    assert fields["warnings"] == [f"sample: cut at bounds.part_bytes = {size - 1}"]
    assert fields["sample.from"] == "a@example.org"


def test_strings_are_bounded_on_both_sides() -> None:
    raw = arf(DATED + "Original-Envelope-Id: " + "x" * 300 + "\n")
    assert "warnings" not in one(raw, Options(bounds=Bounds(string_chars=300)))
    fields = one(raw, Options(bounds=Bounds(string_chars=299)))
    assert fields["feedback.original_envelope_id"] == "x" * 299
    assert fields["warnings"] == ["feedback.original_envelope_id: cut at bounds.string_chars = 299"]


def test_repeated_fields_are_bounded_on_both_sides() -> None:
    domains = [f"Reported-Domain: d{number}.example\n" for number in range(VALUES + 1)]
    fields = one(arf(DATED + "".join(domains[:-1])))
    assert len(fields["feedback.reported_domain"]) == VALUES
    assert "warnings" not in fields
    fields = one(arf(DATED + "".join(domains)))
    assert len(fields["feedback.reported_domain"]) == VALUES
    assert fields["warnings"] == [f"feedback.reported_domain: more than {VALUES} values"]


def test_control_characters_are_removed() -> None:
    fields = one(arf(DATED, SAMPLE.replace("Subject: s", "Subject: s\u202e\x07x").replace("text", "te\x00xt")))
    assert fields["sample.subject"] == "sx"
    assert fields["sample.body"] == "text"
    assert "\u202e" not in fields["sample.headers"]
    assert "\x07" not in fields["sample.headers"]


def test_encoded_words_make_no_address() -> None:
    word = "=?utf-8?q?=3Cboss=40example=2Eorg=3E?= <a@attacker.example>"
    assert one(arf(DATED, f"From: {word}\nDate: x\nTo: {word}\n"))["sample.from"] == "a@attacker.example"


def test_encoded_words_make_no_alignment() -> None:
    word = "=?utf-8?q?=3Cboss=40example=2Eorg=3E?= <a@attacker.example>"
    signals = one(arf(DATED, f"From: {word}\nDKIM-Signature: d=example.org; b=A\n"))["sample.signals"]
    assert signals == ["dkim-signed"]


def test_notice_with_the_copy_as_a_part() -> None:
    text = f"{CLAIM}\n\nSender Domain: example.org\nReceived Date: Thu, 19 Nov 2026 11:00:00 +0000\n"
    parts = f"--b\n\n{text}\n--b\nContent-Type: message/rfc822\n\n{SAMPLE}--b--\n"
    fields = one(f"Content-Type: multipart/mixed; boundary=b\n\n{parts}".encode())
    assert fields["event.dataset"] == "dmarc-failure"
    assert fields["sample.from"] == "a@example.org"
    assert fields["@timestamp"] == "2026-11-19T11:00:00Z"
    assert "feedback.type" not in fields


def test_a_damaged_attachment_is_described_as_far_as_it_goes() -> None:
    body = "Content-Type: application/zip\nContent-Transfer-Encoding: base64\n\nUEsDBA==UEsD!\n"
    (file,) = one(arf(DATED, f"From: a@example.org\n{body}"))["file"]
    assert file["type"] == "application/zip"
    assert file["size"] >= 4


def test_header_is_bounded_on_both_sides() -> None:
    header = SAMPLE.partition("\n\n")[0] + "\nX: "
    room = HEADERS_CHARS - len(header)
    fields = one(arf(DATED, header + "x" * room + "\n\ntext\n"))
    assert len(fields["sample.headers"]) == HEADERS_CHARS
    assert "warnings" not in fields
    fields = one(arf(DATED, header + "x" * (room + 1) + "\n\ntext\n"))
    assert len(fields["sample.headers"]) == HEADERS_CHARS
    assert fields["warnings"] == [f"sample.headers: cut after {HEADERS_CHARS} characters"]


def test_no_date_anywhere() -> None:
    fields = one(arf(FAILED, head="From: r@example.net\n"))
    assert "@timestamp" not in fields  # it is when it was stored
    assert "@timestamp: when it was stored, as there is no date anywhere" in fields["warnings"]


@pytest.mark.parametrize(
    ("before", "unit"),
    [
        ("", "a:\n"),
        ("", "\n"),
        ("", "\n x"),
        ("Version: ", "("),
        ("Source-IP: ", "(."),
        ("Reported-URI: ", "http://a.b/ "),
        ("Original-Rcpt-To: ", "<"),
        ("Identity-Alignment: ", ","),
        ("From: ", '"('),
        ("DKIM-Signature: ", "d=;"),
        (f"{CLAIM}\nSender Domain: a\n", "----\n"),
        (f"{CLAIM}\nSender Domain: a\n------ This is a copy of the headers\n", " x\n"),
    ],
    ids=range(12),
)
def test_hostile_texts_take_linear_time(before: str, unit: str) -> None:
    def make(size: int) -> tuple[bytes, bytes]:
        text = before + unit * (size // len(unit))
        return arf(FAILED + text, text), f"From: a@example.org\n\n{text}".encode()

    def work(mails: tuple[bytes, bytes]) -> None:
        for mail in mails:
            results(mail)

    assert_linear(work, make, 1_000, 15_000)  # 4096 characters of an address and 20,000 lines are read


LINES = st.sampled_from(
    [
        *DATED.splitlines(),
        *SAMPLE.splitlines(),
        "Source-IP: 192.0.2.1 (a.b)",
        "Original-Mail-From: <>",
        "Incidents: 2",
        "Content-Type: multipart/mixed; boundary=c",
        "Content-Type: text/html",
        "--c",
        "--c--",
        "A message claiming to be from you has failed the published DMARC policy",
        "Sender IP Address: 192.0.2.1",
        "Received Date: now",
        "------ This is a copy of the headers",
        "DKIM-Signature: d=example.org",
        'To: ((((,"<@>',
        "http://a.example/",
        "",
        " ",
    ]
)
TEXTS = st.lists(st.one_of(LINES, LINES, st.text(max_size=40)), max_size=14).map("\n".join)


KINDS = st.sampled_from(["message/rfc822", "text/rfc822-headers", "text/plain"])


@settings(max_examples=150, deadline=None)
@given(TEXTS, TEXTS, KINDS, st.sampled_from(["none", "headers", "full"]))
def test_any_report_is_read(fields: str, sample: str, kind: str, keep: Any) -> None:
    for result in results(arf(fields, sample, kind), Options(sample=keep)):
        if isinstance(result, Report):
            for document in result.documents():
                assert set(document.fields) <= {*FAILURE.by_name, *REPORT.by_name, "file"} | {
                    name for name in document.fields if name.startswith("raw.")
                }
                json.dumps(document.fields)


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_any_notice_is_read(text: str) -> None:
    notice = f"{CLAIM}\nSender Domain: example.org\n"
    (row, _) = documents(f"From: a@example.net\n\n{notice}{text}".encode("utf-8", "surrogatepass"))
    assert row.dataset == "dmarc-failure"
    assert row.fields["feedback.reported_domain"][0] == "example.org"


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300), st.binary(max_size=300))
def test_any_bytes_are_read(fields: bytes, sample: bytes) -> None:
    raw = arf("FIELDS", "SAMPLE").replace(b"FIELDS", b"Version: 1\n" + fields).replace(b"SAMPLE", sample)
    for result in results(raw):
        assert isinstance(result, Report | Problem)
