"""`read_message`: which parts of a message are asked, what the message says of itself, and that nothing raises."""

import gzip
import io
import zipfile
from datetime import UTC, datetime
from email.message import EmailMessage, MIMEPart
from email.policy import SMTP

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from email_report_processor import Bounds, Options, Reading, read_message
from tools import samples

XML = """<feedback><report_metadata><org_name>Big Mail</org_name><email>dmarc@bigmail.example</email>
<report_id>{id}</report_id><date_range><begin>1763596800</begin><end>1763683199</end></date_range></report_metadata>
<policy_published><domain>example.org</domain><p>none</p></policy_published><record><row><source_ip>192.0.2.1</source_ip>
<count>2</count><policy_evaluated><disposition>none</disposition><dkim>pass</dkim><spf>fail</spf></policy_evaluated></row>
<identifiers><header_from>example.org</header_from></identifiers><auth_results><spf><domain>example.org</domain>
<result>fail</result></spf></auth_results></record></feedback>"""


def xml(id_: str = "1") -> bytes:
    return XML.format(id=id_).encode()


def zipped(*files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, file in enumerate(files):
            archive.writestr(f"{number}.xml", file)
    return buffer.getvalue()


def frame() -> EmailMessage:
    message = EmailMessage()
    message["From"] = "dmarc@bigmail.example"
    message["Date"] = "Thu, 20 Nov 2025 06:12:40 +0000"
    message["Message-ID"] = "<1@bigmail.example>"
    return message


def mail(*attachments: bytes, type_: str = "application/octet-stream") -> bytes:
    message = frame()
    message.set_content("See the attachment.\n")
    maintype, subtype = type_.split("/")
    for attachment in attachments:
        message.add_attachment(attachment, maintype, subtype, filename="report")
    return message.as_bytes(policy=SMTP)


def ids(reading: Reading) -> list[str]:
    return [document.id for report in reading.reports for document in report.documents()]


def report_ids(reading: Reading) -> list[str]:
    return [report.head["report.id"] for report in reading.reports]


def test_every_attachment_and_every_member_of_an_archive_is_read() -> None:
    reading = read_message(
        mail(gzip.compress(xml("a")), zipped(xml("b"), xml("c")), xml("d"), gzip.compress(zipped(xml("e"))))
    )
    assert report_ids(reading) == ["a", "b", "c", "d", "e"]
    assert reading.problems == ()


def test_a_good_and_a_broken_report_in_one_message_are_a_report_and_a_problem() -> None:
    reading = read_message(mail(gzip.compress(xml("a")), zipped(xml("b"))[:-60]))
    assert report_ids(reading)[0] == "a"
    assert read_message(mail(gzip.compress(xml("a")), b"PK\x03\x04 no zip")).problems


def test_a_forwarded_message_is_searched() -> None:
    outer = frame()
    outer.set_content("I think this is for you.\n")
    inner = EmailMessage()
    inner["From"] = "x@example.net"
    inner.set_content("text\n")
    inner.add_attachment(gzip.compress(xml("forwarded")), "application", "gzip", filename="r.xml.gz")
    outer.add_attachment(inner)
    assert report_ids(read_message(outer.as_bytes(policy=SMTP))) == ["forwarded"]


@pytest.mark.parametrize("type_", ["application/octet-stream", "text/plain", "message/x-unknown", "application/zip"])
def test_a_message_attached_as_a_file_is_searched(type_: str) -> None:
    inner = mail(gzip.compress(xml("in a file")))
    assert report_ids(read_message(mail(inner, type_=type_))) == ["in a file"]
    assert report_ids(read_message(mail(zipped(inner, inner), type_=type_))) == ["in a file", "in a file"]
    assert ids(read_message(mail(inner, type_=type_))) == ids(read_message(xml("in a file")))


@pytest.mark.parametrize(
    "text",
    [
        "I got this, what is it?\n\n> " + XML.format(id="1").replace("\n", "\n> "),
        ">> " + XML.format(id="1"),
        "What does <policy_published> say, and <record><row><count>2</count></row></record>?\n",
        "Feedback-Type: bug\nUser-Agent: Mozilla/5.0\nVersion: 1.2\nYour site is down.\n",
        '{"order": 1, "report-id": "x", "policies": [{"number": 7}]}',
        "Report-Date: 20 Nov 2025 06:12:40 +0000\nReport-Domain: example.org\nReport-ID: 1\nReport-Size: 9999\n",
        "BEGIN:VCALENDAR\nVERSION:2.0\nMETHOD:REQUEST\nEND:VCALENDAR\n",
        "---\nReported-From: a@example.net\nCategory: abuse\nReport-Type: spam\nVersion: 0.2\nUser-Agent: x\n",
    ],
)
def test_what_only_looks_like_a_report_is_none(text: str) -> None:
    message = frame()
    message.set_content(text, cte="8bit")
    for raw in (message.as_bytes(policy=SMTP), mail(text.encode(), type_="text/plain"), mail(text.encode())):
        assert read_message(raw)[1:] == ((), ())


def test_messages_in_files_are_bounded_on_both_sides() -> None:
    inner = mail(gzip.compress(xml("1")))
    both = mail(zipped(inner + b"\r\n" * 2000, inner + b"\r\n" * 2000))
    size = 2 * (len(inner) + 4000)
    assert report_ids(read_message(both, Options(bounds=Bounds(message_bytes=size)))) == ["1", "1"]
    cut = read_message(both, Options(bounds=Bounds(message_bytes=size - 1)))
    assert report_ids(cut) == ["1"]
    (problem,) = cut.problems
    assert "bounds.message_bytes" in problem.reason
    assert problem.place.endswith("1.xml")
    many = read_message(mail(zipped(*[inner + b"\r\n" * 2000] * 7)), Options(bounds=Bounds(message_bytes=size)))
    assert (report_ids(many), len(many.problems)) == (["1", "1"], 1)  # said once, and no further file is opened


def test_messages_in_files_in_messages_in_files_are_bounded_on_both_sides() -> None:
    deep = mail(mail(mail(gzip.compress(xml("1")))))
    assert report_ids(read_message(deep, Options(bounds=Bounds(archive_depth=2)))) == ["1"]
    (problem,) = read_message(mail(deep), Options(bounds=Bounds(archive_depth=2))).problems
    assert "archive_depth = 2" in problem.reason


def test_a_problem_in_a_file_names_the_way_to_it() -> None:
    problem = read_message(mail(mail(b"PK\x03\x04 no zip"))).problems[0]
    assert problem.place.startswith("part 2 'report' / part 2 'report'")


def test_what_a_bounce_returns_is_not_searched() -> None:
    """Who sends reports gets them back when they cannot be delivered; they are about others."""
    for status in ("delivery-status", "disposition-notification"):
        bounce = (
            b"From: MAILER-DAEMON@example.org\r\nMIME-Version: 1.0\r\n"
            b"Content-Type: multipart/report; report-type=" + status.encode() + b'; boundary="f"\r\n\r\n'
            b"--f\r\n\r\nIt could not be delivered.\r\n--f\r\nContent-Type: message/" + status.encode() + b"\r\n\r\n"
            b"Reporting-MTA: dns; mx.example.org\r\n\r\n--f\r\nContent-Type: message/rfc822\r\n\r\n"
            + mail(gzip.compress(xml("ours")))
            + b"\r\n--f--\r\n"
        )
        reading = read_message(bounce)
        assert reading.reports == ()
        assert reading.problems == ()


@pytest.mark.parametrize(
    "type_", ["application/octet-stream", "text/plain", "image/png", "application/zip", "text/html"]
)
def test_labels_decide_nothing(type_: str) -> None:
    assert report_ids(read_message(mail(gzip.compress(xml("1")), type_=type_))) == ["1"]


@pytest.mark.parametrize(
    "bare", [xml(), gzip.compress(xml()), zipped(xml()), b"\xef\xbb\xbf" + xml(), XML.format(id="1").encode("utf-16")]
)
def test_a_bare_report_is_read_without_a_message(bare: bytes) -> None:
    reading = read_message(bare)
    assert report_ids(reading) == ["1"]
    assert reading.envelope.bare


def test_ids_are_the_same_whatever_brought_the_report() -> None:
    bare = ids(read_message(xml()))
    assert ids(read_message(mail(xml()))) == bare
    assert ids(read_message(mail(zipped(xml())))) == bare
    assert ids(read_message(mail(gzip.compress(xml()), gzip.compress(xml())))) == bare * 2


def test_the_envelope_says_who_and_when() -> None:
    message = b"Received: from a by b; Thu, 20 Nov 2025 07:00:00 +0100\r\nReceived: from c by a; old\r\n" + mail(xml())
    envelope = read_message(message).envelope
    assert envelope.message_id == "1@bigmail.example"
    assert envelope.from_domain == "bigmail.example"
    assert envelope.received == "2025-11-20T06:00:00Z"
    assert read_message(mail(xml())).envelope.received == "2025-11-20T06:12:40Z"


def authentication(field: str, *ids_: str) -> str:
    message = b"Authentication-Results: " + field.encode() + b"\r\n" + mail(xml())
    reading = read_message(message, Options(authserv_ids=ids_))
    return str(next(iter(reading.reports[0].documents())).fields["report.authentication"])


def test_only_a_trusted_field_says_who_sent_a_report() -> None:
    field = "mx.example.org; dkim=pass header.d=bigmail.example"
    assert authentication(field) == "unchecked"
    assert authentication(field, "other.example.org") == "unchecked"
    assert authentication(field, "mx.example.org") == "pass"
    assert authentication("mx.example.org; dkim=pass header.d=evil.example", "mx.example.org") == "fail"


def test_a_sender_cannot_write_results_into_an_encoded_word() -> None:
    word = "=?utf-8?q?x=3B_dkim=3Dpass_header=2Ed=3Dbigmail=2Eexample=3B?="
    field = f"mx.example.org; spf=fail smtp.mailfrom={word}@evil.example"
    assert authentication(field, "mx.example.org") == "fail"


def test_a_message_over_the_bound_is_a_problem_that_names_it() -> None:
    message = mail(xml())
    assert read_message(message, Options(bounds=Bounds(message_bytes=len(message)))).reports
    reading = read_message(message, Options(bounds=Bounds(message_bytes=len(message) - 1)))
    assert reading.reports == ()
    assert "bounds.message_bytes" in reading.problems[0].reason


def test_a_report_in_a_sample_of_a_failure_report_is_the_samples() -> None:
    day = datetime(2025, 11, 20, tzinfo=UTC)
    part = MIMEPart()
    part.set_content(gzip.compress(xml("in the sample")), "application", "gzip")
    fields = "Feedback-Type: abuse\nUser-Agent: x/1\nVersion: 1\n"
    sample = f"From: a@example.net\nMIME-Version: 1.0\n{part.as_string()}"
    reading = read_message(samples.feedback(day, fields, sample, "A complaint.\n"))
    assert [report.dataset for report in reading.reports] == ["arf"]


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=2000))
def test_any_bytes_are_read_without_an_exception(raw: bytes) -> None:
    for report in read_message(raw).reports:
        list(report.documents())


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_damage_to_a_report_mail_is_read_without_an_exception(data: st.DataObject) -> None:
    message = bytearray(mail(gzip.compress(xml("a"), mtime=0), zipped(xml("b")), xml("c")))
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(message) - 1))
        message[at : at + data.draw(st.integers(0, 20))] = data.draw(st.binary(max_size=8))
    for report in read_message(bytes(message)).reports:
        list(report.documents())
