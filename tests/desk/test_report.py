"""Reports to a network: ARF as RFC 5965 has it, read again by our own reader and by the standard library."""

from datetime import UTC, datetime
from email import message_from_bytes
from email.message import Message as MimePart

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor import read_message
from email_report_processor.desk.message import Message
from email_report_processor.desk.report import Draft, ReportOptions, compose, defang, draft_urls, is_own

NOW = datetime(2026, 11, 28, 9, tzinfo=UTC)
OPTIONS = ReportOptions(sender="abuse@example.org", reply_to="abuse@example.org", signature="Example Inc.\n+49 30 1")
FIRST = Message(
    "1", "2026-11-27T10:00:00Z", count=2, source_ip="192.0.2.1", mail_from="bounce@attacker.example",
    urls=("https://phish.example/a.b?c=1", "https://www.example.org/help"),
)  # fmt: skip
SECOND = FIRST._replace(id="2", at="2026-11-27T11:30:00Z", source_ip="192.0.2.9")
DRAFT = Draft(
    "k7q2mzd4", "abuse@network.example", (FIRST, SECOND), ("example.org",), ("https://phish.example/a.b?c=1",)
)
HEADER = b"From: boss@example.org\r\nSubject: =?utf-8?q?=C3=9Cberweisung?=\r\nX-Raw: \xfc\r\n\r\n"


def parts(raw: bytes) -> tuple[MimePart, list[MimePart]]:
    whole = message_from_bytes(raw)
    assert whole.defects == []
    found = whole.get_payload()
    assert isinstance(found, list)
    return whole, found  # type: ignore[return-value]  # Message, all of them


def inside(part: MimePart) -> MimePart:
    payload = part.get_payload(0)
    assert isinstance(payload, MimePart)
    return payload


def test_its_form() -> None:
    whole, (text, fields, sample) = parts(compose(DRAFT, OPTIONS, NOW, HEADER))
    assert whole.get_content_type() == "multipart/report"
    assert whole.get_param("report-type") == "feedback-report"
    assert (whole["To"], whole["Reply-To"]) == ("abuse@network.example", "abuse+k7q2mzd4@example.org")
    assert (whole["Message-ID"], whole["Auto-Submitted"]) == ("<abuse.k7q2mzd4@example.org>", "auto-generated")
    assert whole["Date"] == "Sat, 28 Nov 2026 09:00:00 +0000"
    assert (text.get_content_type(), text["Content-Transfer-Encoding"]) == ("text/plain", "7bit")
    assert fields.get_content_type() == "message/feedback-report"
    assert sample.get_content_type() == "text/rfc822-headers"


def test_how_many_hosts_sent_how_many_messages() -> None:
    """One host did not send what two of them sent."""
    _, (text, _) = parts(compose(DRAFT, OPTIONS, NOW))
    said = " ".join(str(text.get_payload()).split())
    assert "The host 192.0.2.1 and 1 other in your network sent 4 messages between" in said
    assert "Please stop them. The others are 192.0.2.9." in said
    _, (text, _) = parts(compose(DRAFT._replace(messages=(FIRST,)), OPTIONS, NOW))
    said = " ".join(str(text.get_payload()).split())
    assert "The host 192.0.2.1 in your network sent 2 messages at" in said
    assert "This host is not ours" in said


def test_its_fields() -> None:
    _, (_, fields, _) = parts(compose(DRAFT, OPTIONS, NOW, HEADER))
    assert inside(fields).items() == [
        ("Feedback-Type", "fraud"),
        ("User-Agent", inside(fields)["User-Agent"]),
        ("Version", "1"),
        ("Source-IP", "192.0.2.1"),
        ("Arrival-Date", "Fri, 27 Nov 2026 10:00:00 +0000"),
        ("Incidents", "4"),
        ("Original-Mail-From", "<bounce@attacker.example>"),
        ("Reported-Domain", "example.org"),
        ("Reported-URI", "https://phish.example/a.b?c=1"),
    ]


def test_what_a_person_reads() -> None:
    text = parts(compose(DRAFT, OPTIONS, NOW))[1][0]
    said = str(text.get_payload())
    assert "The host 192.0.2.1" in said
    assert "4 messages" in said
    assert "hxxps://phish[.]example/a.b?c=1" in said
    assert "https://" not in said
    assert "192.0.2.9" in said
    assert "Example Inc." in said
    assert max(len(line) for line in said.splitlines()) <= 78
    one = DRAFT._replace(messages=(FIRST._replace(count=1),), kind="abuse")
    said = " ".join(str(parts(compose(one, OPTIONS, NOW))[1][0].get_payload()).split())
    assert "sent 1 message at 2026-11-27T10:00:00Z that its recipient had not asked for." in said


@pytest.mark.parametrize(("wanted", "type_"), [("headers", "text/rfc822-headers"), ("full", "message/rfc822")])
def test_the_sample_is_untouched(wanted: str, type_: str) -> None:
    sample = HEADER + (b"B\xf6se\r\n.\r\nFrom here\r\n" if wanted == "full" else b"")
    raw = compose(DRAFT, OPTIONS._replace(sample=wanted), NOW, sample)  # type: ignore[arg-type]  # one of both
    assert type_.encode() in raw
    assert sample.rstrip() in raw
    assert b"\n" not in raw.replace(b"\r\n", b"")


def test_without_a_sample() -> None:
    assert len(parts(compose(DRAFT, OPTIONS._replace(sample="none"), NOW, HEADER))[1]) == 2
    assert len(parts(compose(DRAFT, OPTIONS, NOW))[1]) == 2


def test_our_own_reader_reads_it() -> None:
    (report,) = read_message(compose(DRAFT, OPTIONS, NOW, HEADER)).reports
    document = next(iter(report.documents())).fields
    assert document["feedback.type"] == "fraud"
    assert document["source.ip"] == "192.0.2.1"
    assert document["count"] == 4


HOSTILE = st.text(alphabet='ab\r\n\t\0:<>"é\u202e@ ', max_size=30)


@given(HOSTILE, HOSTILE, HOSTILE)
def test_no_stranger_adds_a_header_field(sender: str, url: str, domain: str) -> None:
    first = FIRST._replace(mail_from=sender)
    raw = compose(DRAFT._replace(messages=(first,), urls=(url,), domains=(domain,)), OPTIONS, NOW, HEADER)
    whole, (_, fields, _) = parts(raw)
    assert whole.keys() == parts(compose(DRAFT, OPTIONS, NOW, HEADER))[0].keys()
    known = {"Feedback-Type", "User-Agent", "Version", "Source-IP", "Arrival-Date", "Incidents", "Original-Mail-From"}
    assert set(inside(fields).keys()) <= known | {"Reported-Domain", "Reported-URI"}


def test_urls_of_our_own_are_left_out() -> None:
    assert draft_urls([FIRST, SECOND], ["example.org"]) == ("https://phish.example/a.b?c=1",)
    assert draft_urls([FIRST._replace(urls=("http://[::1", "https://evilexample.org/"))], ["example.org"]) == (
        "http://[::1",
        "https://evilexample.org/",
    )


@pytest.mark.parametrize(
    ("host", "own"),
    [("example.org", True), ("A.EXAMPLE.org.", True), ("evilexample.org", False), ("example.org.evil.example", False)],
)
def test_own_domains_end_at_a_dot(host: str, own: bool) -> None:
    assert is_own(host, ["Example.org"]) is own


def test_defanged() -> None:
    assert defang("HTTPS://a.b.example/x.y") == "hxxpS://a[.]b.example/x.y"
