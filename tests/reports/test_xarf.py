"""X-ARF of every version: as files, as parts, whole, in pieces, and what is none."""

import base64
import contextlib
import gzip
import io
import json
import zipfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.documents.document import Document
from email_report_processor.message.bounds import Bounds
from email_report_processor.reports.lenient_json import UnreadableError
from email_report_processor.reports.reading import read_message
from email_report_processor.reports.report import Options
from email_report_processor.reports.xarf import read_json, read_yaml
from tests.linear import assert_linear

Object = dict[str, Any]
V4: Object = {
    "xarf_version": "4.2.0",
    "report_id": "0b6a6c1e",
    "timestamp": "2026-11-19T15:15:24Z",
    "reporter": {"org": "Watch", "contact": "a@watch.example", "domain": "watch.example"},
    "source_identifier": "192.0.2.7",
    "category": "connection",
    "type": "ddos",
}
V3: Object = {
    "Version": "3",
    "ReporterInfo": {"ReporterOrg": "Watch", "ReporterOrgEmail": "a@watch.example", "ReporterContactPhone": "+00 555"},
    "Report": {
        "ReportClass": "Content",
        "ReportType": "Phishing",
        "Date": "2026-11-19T15:15:24Z",
        "SourceIp": "192.0.2.7",
        "SourceUrl": "http://example.org/login",
    },
}
YAML = """\
---
Reported-From: a@watch.example
Category: fraud
Report-Type: phishing
Version: 0.2
Date: Thu, 19 Nov 2026 15:15:24 +0000
Source-Type: uri
Source: 'http://example.org/login'
Schema-URL: http://watch.example/schema.json
"""


def documents(raw: bytes, options: Options | None = None) -> list[Document]:
    reading = read_message(raw, options)
    assert reading.problems == ()
    return [document for report in reading.reports for document in report.documents()]


def one(raw: bytes, options: Options | None = None) -> Object:
    row, _ = documents(raw, options)
    assert row.dataset == "arf"
    return row.fields


def mail(*parts: tuple[str, str], header: str = "") -> bytes:
    """A multipart of parts, each its header and its text."""
    body = "".join(f"--b\nContent-Type: {kind}\n\n{text}\n" for kind, text in parts)
    head = f"From: a@watch.example\nMessage-ID: <1@watch.example>\nDate: Thu, 19 Nov 2026 16:00:00 +0000\n{header}"
    return f"{head}Content-Type: multipart/mixed; boundary=b\n\n{body}--b--\n".encode()


FEEDBACK = ("message/feedback-report", "Feedback-Type: xarf\nUser-Agent: W/1\nVersion: 1\n")


def with_feedback(said: Object, kind: str = "application/json; name=xarf.json") -> bytes:
    return mail(("text/plain", "Hello"), FEEDBACK, (kind, json.dumps(said)))


def zipped(data: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xarf.json", data)
    return file.getvalue()


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zipped])
def test_a_file_of_its_own(pack: Any) -> None:
    fields = one(pack(json.dumps(V4).encode()))
    assert fields["source.ip"] == "192.0.2.7"
    assert fields["@timestamp"] == "2026-11-19T15:15:24Z"
    assert (fields["feedback.category"], fields["feedback.report_type"]) == ("connection", "ddos")
    assert fields["report.format"] == "xarf"


def test_a_file_and_its_mail_are_the_same_report() -> None:
    alone = documents(json.dumps(V4).encode())[0].id
    internal = {**V4, "_internal": {"ticket": 1}}
    attached = mail(("text/plain", "Hello"), ("application/octet-stream", json.dumps(internal, indent=2)))
    assert documents(attached)[0].id == alone
    assert documents(json.dumps({**V4, "report_id": "2"}).encode())[0].id != alone


@pytest.mark.parametrize("said", [V4, V3])
def test_behind_a_feedback_part(said: Object) -> None:
    fields = one(with_feedback(said))
    assert fields["source.ip"] == "192.0.2.7"
    assert fields["@timestamp"] == "2026-11-19T15:15:24Z"
    assert fields["report.org_name"] == "Watch"
    assert "555" not in json.dumps(fields)


def test_several_in_one_file() -> None:
    both = json.dumps([V4, V4 | {"report_id": "2"}]).encode()
    assert [document.fields["report.id"] for document in documents(both) if document.dataset == "arf"] == [
        "0b6a6c1e",
        "2",
    ]


def test_two_reports_of_one_second_are_two() -> None:
    ids = {documents(with_feedback({**V4, "source_identifier": f"192.0.2.{last}"}))[0].id for last in (1, 2, 2)}
    assert len(ids) == 2


def test_another_feedback_type_beside_the_file() -> None:
    part = ("message/feedback-report", "Feedback-Type: abuse\nUser-Agent: W/1\nVersion: 1\nSource-IP: 192.0.2.9\n")
    fields = one(mail(part, ("application/json; name=XARF.json", json.dumps(V3))))
    assert fields["feedback.type"] == "abuse"
    assert fields["feedback.reported_uri"] == ["http://example.org/login"]
    assert fields["source.ip"] == "192.0.2.9"  # the feedback part was there first


@pytest.mark.parametrize(
    ("changed", "name", "value"),
    [
        ({"source_identifier": "IPv6:2001:DB8::1"}, "source.ip", "2001:db8::1"),
        ({"source_identifier": "Shop.Example.org"}, "feedback.reported_domain", ["shop.example.org"]),
        ({"source_identifier": "https://x.example/a"}, "feedback.reported_uri", ["https://x.example/a"]),
        ({"infringing_url": "https://x.example/a"}, "url.domain", ["x.example"]),
        ({"source_port": 25}, "source.port", 25),
        ({"category": "Messaging"}, "feedback.category", "messaging"),
        ({"smtp_from": "<b@example.org>"}, "feedback.original_mail_from", "b@example.org"),
        ({"timestamp": "yesterday"}, "raw.@timestamp", "yesterday"),
        ({"source_port": 70000}, "raw.source.port", "70000"),
        ({"reporter": "somebody"}, "source.ip", "192.0.2.7"),
        ({"evidence": [{"content_type": "message/rfc822", "payload": "not base64!"}]}, "source.ip", "192.0.2.7"),
        ({"evidence": {"payload": 1}}, "source.ip", "192.0.2.7"),
    ],
)
def test_members(changed: Object, name: str, value: Any) -> None:
    assert one(json.dumps({**V4, **changed}).encode())[name] == value


def test_a_message_as_evidence() -> None:
    message = b"From: a@example.org\nTo: t@example.net\nSubject: Hello\nList-Id: <l.example>\n\nhttp://x.example/\n"
    evidence = [{"content_type": "image/png", "payload": "AAAA"}]
    evidence += [{"content_type": "message/rfc822", "payload": base64.b64encode(message).decode()}]
    fields = one(json.dumps({**V4, "evidence": evidence}).encode())
    assert (fields["sample.subject"], fields["sample.signals"]) == ("Hello", ["list-id"])
    assert fields["url.full"] == ["http://x.example/"]
    none = one(json.dumps({**V4, "evidence": evidence, "url": "http://y.example"}).encode(), Options(sample="none"))
    assert not {"sample.subject", "url.full", "feedback.reported_uri"} & none.keys()


def test_yaml() -> None:
    for header, kind in (("X-XARF: PLAIN\n", "text/plain"), ("", 'text/plain; name="report.txt"')):
        fields = one(mail(("text/plain", "Hello"), (kind, YAML), header=header))
        assert fields["feedback.reported_uri"] == ["http://example.org/login"]
        assert fields["feedback.report_type"] == "phishing"
        assert fields["@timestamp"] == "2026-11-19T15:15:24Z"
    fields = one(mail(FEEDBACK, ("text/plain", YAML)))
    assert fields["feedback.report_type"] == "phishing"


@pytest.mark.parametrize(
    "raw",
    [
        mail(("text/plain", "Hello"), ('text/plain; name="report.txt"', YAML.replace("0.2", "0.1"))),
        mail(("text/plain", "Hello"), ('text/plain; name="report.txt"', "Category: news\nSource: us\n")),
        mail(("text/plain", YAML), ("text/plain", "Hello")),  # nothing announces it
        json.dumps({"ReportType": "x", "Report": {}}).encode(),
        json.dumps({"xarf_version": "4.0.0"}).encode(),
        json.dumps({"a": "xarf_version"}).encode(),
    ],
)
def test_what_is_none(raw: bytes) -> None:
    reading = read_message(raw)
    assert (reading.reports, reading.problems) == ((), ())


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (json.dumps(V4)[:40].encode(), "an X-ARF report that breaks off"),
        (json.dumps(V4 | {"a": [[[[]]]]}).encode(), "bounds.json_depth"),
        (json.dumps(V4 | {"description": "x" * 3000}).encode(), "bounds.part_bytes = 2000"),
        (mail(("text/plain; name=report.txt", "Category: x\n"), header="X-XARF: PLAIN\n"), "without category, type"),
    ],
)
def test_what_cannot_be_read_is_a_problem(raw: bytes, reason: str) -> None:
    reading = read_message(raw, Options(bounds=Bounds(json_depth=4, part_bytes=2000)))
    assert reading.reports == ()
    assert reason in reading.problems[0].reason


def test_a_broken_part_is_said_and_the_message_kept() -> None:
    raw = mail(FEEDBACK, ("application/json; name=xarf.json", '{"xarf_version": "4.0.0", "x": [' + "[" * 100))
    (report,) = read_message(raw).reports
    assert report.head["salvaged"] is True
    assert report.head["warnings"][0].startswith("the X-ARF part: ")


def test_a_report_that_breaks_off_is_read_as_far_as_it_goes() -> None:
    raw = json.dumps(V4 | {"tags": ["a"] * 9}).encode()[:-20]
    (report,) = read_message(raw).reports
    assert report.head["salvaged"] is True


@given(
    st.recursive(
        st.none() | st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_any_members(value: Any) -> None:
    for said in (
        {**V4, "evidence": value, "reporter": value},
        {**V3, "Report": {"ReportType": value, "Source": value}},
    ):
        read_json(json.dumps(said).encode(), 100)


@given(st.binary() | st.text(alphabet='{}[]":,xarf_version ReportType').map(str.encode))
def test_any_bytes(data: bytes) -> None:
    for raw in (data, b'{"xarf_version"' + data):
        with contextlib.suppress(UnreadableError):
            read_json(raw, 10)


@given(st.text() | st.text("abA-: \n'\"#"))
def test_any_yaml(text: str) -> None:
    read_yaml(text)
    read_yaml(YAML + text)


def test_time_is_linear() -> None:
    assert_linear(read_yaml, lambda n: "a: b\n" * n + " x\n" * n, 100)
    assert_linear(
        lambda data: read_json(data, 9), lambda n: json.dumps(V4 | {"tags": ["a"] * n, "b": "c" * n}).encode(), 5000
    )
