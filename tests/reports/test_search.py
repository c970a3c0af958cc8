"""Where reports are found, in what they come, and what is said when one was announced and is not there."""

import base64
import binascii
import bz2
import gzip
import html
import io
import json
import lzma
import tarfile
from collections.abc import Callable
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

import pytest

from email_report_processor import Bounds, Options, Reading, read_message
from tests import containers
from tests.containers import File, Message
from tests.places import CASES
from tests.reports.test_reading import frame, ids, mail, report_ids, xml, zipped

NAME = "bigmail.example!example.org!1763596800!1763683199.xml"
SUBJECT = "Report Domain: example.org Submitter: bigmail.example Report-ID: <1>"


def plain(text: bytes, subject: str = "hello", type_: str = "text/plain") -> bytes:
    head = f"From: a@bigmail.example\r\nDate: Thu, 20 Nov 2025 06:12:40 +0000\r\nSubject: {subject}\r\n"
    return head.encode() + f"MIME-Version: 1.0\r\nContent-Type: {type_}\r\n\r\n".encode() + text


def attached(data: bytes, name: str = "", type_: str = "application/octet-stream", subject: str = "hello") -> bytes:
    message = frame()
    message["Subject"] = subject
    message.set_content("See the attachment.\n")
    maintype, subtype = type_.split("/")
    message.add_attachment(data, maintype, subtype, filename=name or None)
    return message.as_bytes(policy=SMTP)


def reasons(raw: bytes, bounds: Bounds | None = None) -> list[str]:
    reading = read_message(raw, Options(bounds=bounds or Bounds()))
    assert reading.reports == ()
    return [problem.reason for problem in reading.problems]


def only(raw: bytes) -> list[str]:
    """The ids of the reports, of which none is salvaged."""
    reading = read_message(raw)
    assert reading.problems == ()
    assert not any(report.head.get("salvaged") for report in reading.reports)
    return report_ids(reading)


def tar(*files: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for number, data in enumerate(files):
            member = tarfile.TarInfo(f"{number}.xml")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def uu(data: bytes) -> bytes:
    lines = b"".join(binascii.b2a_uu(data[at : at + 45]) for at in range(0, len(data), 45))
    return b"begin 644 r.xml.gz\n" + lines + b"`\nend\n"


def note(*data: bytes) -> Message:
    return Message(files=[File(f"{number}.xml.gz", one) for number, one in enumerate(data)])


WRAP: dict[str, Callable[[bytes], bytes]] = {
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "tar": tar,
    "tar.gz": lambda data: gzip.compress(tar(data)),
    "tar.xz of gz": lambda data: lzma.compress(tar(gzip.compress(data))),
    "zip of bz2": lambda data: zipped(bz2.compress(data)),
    "msg": lambda data: containers.msg(note(data)),
    "msg of gz": lambda data: containers.msg(note(gzip.compress(data))),
    "tnef of zip": lambda data: containers.tnef(note(zipped(data))),
    "signed entity": lambda data: containers.signed(b"Content-Type: text/xml\r\n\r\n" + data),
    "signed file": lambda data: containers.signed(gzip.compress(data), indefinite=True),
    "msg in a msg": lambda data: containers.msg(Message(files=[File("inner", note(data))])),
    "tnef in a tnef": lambda data: containers.tnef(Message(files=[File("inner", note(data))])),
    "tnef in signed data": lambda data: containers.signed(
        b"Content-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(containers.tnef(note(data)))
    ),
    "signed data in a msg": lambda data: containers.msg(
        Message(
            files=[File("smime.p7m", containers.signed(b"Content-Type: text/xml\r\n\r\n" + data), "multipart/signed")]
        )
    ),
    "a message in a msg": lambda data: containers.msg(Message(files=[File("a.eml", mail(gzip.compress(data)))])),
}


@pytest.mark.parametrize("name", WRAP)
@pytest.mark.parametrize("type_", ["application/octet-stream", "application/pkcs7-mime", "image/png"])
def test_every_container(name: str, type_: str) -> None:
    """Under any label, alone, in a forwarded message, in a file of its own, and bare."""
    data = WRAP[name](xml("7"))
    assert only(attached(data, type_=type_)) == ["7"]
    forwarded = frame()
    forwarded.set_content("Fw")
    inner = EmailMessage()
    inner.set_content("See")
    inner.add_attachment(data, *type_.split("/"), filename="x")
    forwarded.add_attachment(inner)
    assert only(forwarded.as_bytes(policy=SMTP)) == ["7"]
    assert only(data) == ["7"]


@pytest.mark.parametrize("make", [containers.msg, containers.tnef])
def test_several_files_and_a_body_with_one(make: Callable[[Message], bytes]) -> None:
    message = note(xml("1"), gzip.compress(xml("2")), zipped(xml("3"), xml("4")))._replace(body=uu(xml("5")).decode())
    assert sorted(only(attached(make(message)))) == ["1", "2", "3", "4", "5"]


ARF = b"Feedback-Type: abuse\r\nUser-Agent: x\r\nVersion: 1\r\nSource-IP: 192.0.2.1\r\n"


@pytest.mark.parametrize("make", [containers.msg, containers.tnef])
def test_a_feedback_report_that_outlook_took_apart(make: Callable[[Message], bytes]) -> None:
    sample = Message("sample", "buy", header="From: a@spam.example\r\nMessage-ID: <s@spam.example>\r\nSubject: buy\r\n")
    message = Message(files=[File("ATT1.dat", ARF, "message/feedback-report"), File("sample", sample)])
    reading = read_message(attached(make(message)))
    assert [(report.dataset, report.rows) for report in reading.reports] == [("arf", 1)]
    document = next(iter(reading.reports[0].documents()))
    assert document.fields["sample.message_id"] == "s@spam.example"


def test_a_feedback_report_in_signed_data() -> None:
    entity = (
        b'Content-Type: multipart/report; report-type=feedback-report; boundary="b"\r\n\r\n--b\r\n\r\nhi\r\n--b\r\n'
        b"Content-Type: message/feedback-report\r\n\r\n" + ARF + b"\r\n--b--\r\n"
    )
    raw = plain(base64.encodebytes(containers.signed(entity, indefinite=True)), type_="application/pkcs7-mime")
    raw = raw.replace(b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: base64\r\n\r\n", 1)
    assert [report.dataset for report in read_message(raw).reports] == ["arf"]


TEXTS: dict[str, Callable[[bytes], bytes]] = {
    "uuencode": lambda data: b"A report:\n\n" + uu(gzip.compress(data)),
    "base64 of a zip": lambda data: b"A report:\n\n" + base64.encodebytes(zipped(data)) + b"\n-- \nbye\n",
    "base64 of XML": lambda data: b"A report:\n\n" + base64.encodebytes(b'<?xml version="1.0"?>' + data),
    "base64 alone": lambda data: base64.encodebytes(gzip.compress(data)),
    "base64 of a tar of bz2": lambda data: b"x\n" + base64.encodebytes(gzip.compress(tar(bz2.compress(data)))),
    "base64 of uuencode": lambda data: b"x\n" + base64.encodebytes(gzip.compress(b"t\n" + uu(data))),
    "signed data": lambda data: b"x\n" + base64.encodebytes(containers.signed(gzip.compress(data))),
    "signed data of no stated length": lambda data: base64.encodebytes(containers.signed(data, indefinite=True)),
    "uuencode in quotes": lambda data: quoted(b"> ", uu(gzip.compress(data))),
    "uuencode in bars": lambda data: quoted(b"| ", uu(gzip.compress(data))),
    "uuencode with another mode": lambda data: uu(gzip.compress(data)).replace(b"begin 644", b"begin 100644"),
    "uuencode without a name": lambda data: uu(gzip.compress(data)).replace(b"644 r.xml.gz", b"644"),
    "base64 in bars": lambda data: quoted(b"| ", base64.encodebytes(gzip.compress(data))),
    "HTML around base64": lambda data: b"<html><pre>" + base64.encodebytes(gzip.compress(data)) + b"</pre></html>",
    "HTML in base64": lambda data: b"<body>" + base64.encodebytes(zipped(data)).replace(b"\n", b"<br>\n"),
    "HTML around uuencode": lambda data: b"<html><pre>\n" + uu(gzip.compress(data)) + b"</pre></html>",
}


def quoted(mark: bytes, text: bytes) -> bytes:
    return b"Somebody wrote:\n" + b"".join((mark + line).rstrip() + b"\n" for line in text.splitlines())


@pytest.mark.parametrize("name", TEXTS)
def test_files_in_a_text(name: str) -> None:
    text = TEXTS[name]
    assert only(plain(text(xml("1")))) == ["1"]
    assert only(plain(text(xml("1")) + b"\nAnd:\n\n" + text(xml("2")))) == ["1", "2"]
    assert only(mail(plain(text(xml("1"))))) == ["1"]
    quoted = plain(binascii.b2a_qp(text(xml("1"))))
    assert only(quoted.replace(b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n", 1)) == ["1"]


def test_a_report_in_an_html_page() -> None:
    page = b"<html><body>Fw:<br><div>" + html.escape(xml("1").decode()).replace("\n", "<br>\n").encode() + b"</div>"
    assert only(plain(page, type_="text/html")) == ["1"]
    letter = b"<html><head><style>a { b: c }</style></head><body>&lt;x&gt;&amp; report-id&quot; <br></body></html>"
    assert reasons(plain(letter, type_="text/html")) == []


def test_texts_in_texts_are_bounded() -> None:
    data = xml("1")
    for _ in range(4):
        data = b"t\n" + uu(data)
    assert "archive_depth" in reasons(plain(data))[0]


def test_files_in_a_text_are_bounded_on_both_sides() -> None:
    text = b"\n".join(uu(xml(str(number))) for number in range(6))
    assert len(only(plain(text))) == 6
    reading = read_message(plain(text), Options(bounds=Bounds(archive_members=5)))
    assert len(reading.reports) == 5
    assert "archive_members = 5" in reading.problems[0].reason


def tls(id_: str) -> dict[str, Any]:
    return {
        "organization-name": "Big Mail",
        "report-id": id_,
        "date-range": {"start-datetime": "2025-11-19T00:00:00Z", "end-datetime": "2025-11-19T23:59:59Z"},
        "policies": [
            {
                "policy": {"policy-type": "sts", "policy-domain": "example.org"},
                "summary": {"total-successful-session-count": 4, "total-failure-session-count": 0},
            }
        ],
    }


TLS_TEXTS: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {
    "array": lambda reports: json.dumps(reports).encode(),
    "array over lines": lambda reports: b"\r\n" + json.dumps(reports, indent=2).encode() + b"\r\n",
    "array with a mark": lambda reports: b"\xef\xbb\xbf" + json.dumps(reports).encode(),
    "array in UTF-16": lambda reports: json.dumps(reports).encode("utf-16"),
    "object around them": lambda reports: json.dumps({"count": 3, "reports": reports}).encode(),
    "object around each": lambda reports: json.dumps([{"report": one} for one in reports]).encode(),
    "lines": lambda reports: b"\n".join(json.dumps(one).encode() for one in reports) + b"\n",
    "RFC 7464": lambda reports: b"".join(b"\x1e" + json.dumps(one).encode() + b"\n" for one in reports),
}


@pytest.mark.parametrize("name", TLS_TEXTS)
def test_several_tls_reports_in_one_file(name: str) -> None:
    data = TLS_TEXTS[name]([tls("a"), tls("b{["), tls("c")])
    for raw in (data, gzip.compress(data), attached(data), plain(data) if b"\0" not in data else data):
        assert only(raw) == ["a", "b{[", "c"]


def test_an_array_of_one_is_the_report_itself() -> None:
    (one,) = read_message(json.dumps([tls("a")]).encode()).reports
    (other,) = read_message(json.dumps(tls("a")).encode()).reports
    assert [document.id for document in one.documents()] == [document.id for document in other.documents()]


def test_an_array_that_breaks_off_or_is_too_long() -> None:
    data = json.dumps([tls("a"), tls("b")]).encode()
    reading = read_message(data[:-30])
    assert report_ids(reading)[0] == "a"
    assert reading.problems or reading.reports[-1].head["salvaged"]
    many = read_message(json.dumps([tls(str(n)) for n in range(6)]).encode(), Options(bounds=Bounds(archive_members=5)))
    assert (len(many.reports), len(many.problems)) == (5, 1)
    long = read_message(data, Options(bounds=Bounds(part_bytes=len(data) - 1)))
    assert "part_bytes" in long.problems[0].reason


@pytest.mark.parametrize(
    "data", [b'[{"a": 1}, {"policies": 2}]', b'[1, 2, "report-id"]', b'{"a": "}{"}', b"[]", b'[{"report-id": 1']
)
def test_other_json_is_no_report(data: bytes) -> None:
    assert read_message(data)[1:] == ((), ())


# What a gateway put around a report

BANNER = b"[EXTERNAL EMAIL] Do not click on links unless you know the sender.\r\n\r\n"
FOOTER = b"\r\n-- \r\nThis message was checked & found <clean> by \xfcber-gateway.\r\n"
AROUND = [(BANNER, b""), (b"", FOOTER), (BANNER, FOOTER), (b"<p><b>EXTERNAL</b> message</p>", b"<hr>scanned")]


@pytest.mark.parametrize(("before", "behind"), AROUND)
@pytest.mark.parametrize("declaration", [b"", b'<?xml version="1.0" encoding="UTF-8"?>\r\n'])
def test_text_around_an_xml_report_is_no_damage(before: bytes, behind: bytes, declaration: bytes) -> None:
    whole = declaration + xml("1")
    (bare,) = read_message(whole).reports
    for data in (before + whole + behind, gzip.compress(before + whole + behind)):
        for raw in (data, plain(data, type_="text/xml"), attached(data)):
            reading = read_message(raw)
            assert (len(reading.reports), reading.problems) == (1, ())
            head = reading.reports[0].head
            assert (head["salvaged"], head["rows"], head["report.sha256"]) == (False, 1, bare.head["report.sha256"])
            assert "there is text around the report, which was left out" in head["warnings"]
            assert ids(reading)[0] == next(document.id for document in bare.documents())


@pytest.mark.parametrize(
    "data",
    [
        BANNER + xml("1")[:-12] + FOOTER,
        BANNER + xml("1").replace(b"<row>", BANNER + b"<row", 1),
        xml("1") + b"<record>" + xml("2").partition(b"<record>")[2],
        BANNER + xml("1") + FOOTER + xml("2"),
    ],
)
def test_damage_stays_damage(data: bytes) -> None:
    (report,) = read_message(data).reports
    assert report.head["salvaged"]


@pytest.mark.parametrize(("before", "behind"), AROUND)
def test_text_around_a_tls_report_is_no_damage(before: bytes, behind: bytes) -> None:
    for data in (json.dumps(tls("t")).encode(), json.dumps(tls("t"), indent=1).encode()):
        (report,) = read_message(
            plain(before + (b"\r\n" if before else b"") + data + behind, type_="application/json")
        ).reports
        assert not report.head["salvaged"]
        assert any("text b" in warning for warning in report.head["warnings"])
    (report,) = read_message(json.dumps(tls("t")).encode() + b" and {more").reports
    assert report.head["salvaged"]


@pytest.mark.parametrize(
    "around",
    ["<html><style>a {b: c}</style>%s</html>", "<html><body><pre>%s</pre></body></html>", "f(%s);", "{EXT} %s"],
)
def test_a_tls_report_behind_other_braces(around: str) -> None:
    data = (around % json.dumps(tls("t"), indent=1)).encode()
    assert only(data) == only(plain(data)) == only(attached(gzip.compress(data))) == ["t"]


@pytest.mark.parametrize(
    "page", [b"<html><body>%b</body></html>", b"Send us <feedback> today!\n%b", b"<p>%b\n<feedback>"]
)
def test_a_page_or_a_banner_with_our_words_around_an_xml_report(page: bytes) -> None:
    data = page % xml("1")
    assert only(plain(data)) == only(attached(gzip.compress(data))) == ["1"]


@pytest.mark.parametrize("file", [gzip.compress, zipped, bytes])
def test_a_banner_in_front_of_base64(file: Callable[[bytes], bytes]) -> None:
    """A gateway wrote into the part without looking at its encoding."""
    raw = plain(BANNER + base64.encodebytes(file(b"<?xml version='1.0'?>" + xml("1"))) + b"\n-- \nA footer, too\n")
    assert only(raw.replace(b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: base64\r\n\r\n", 1)) == ["1"]


# Behind much of something else


@pytest.mark.parametrize("size", [100, 65_000, 65_530, 65_536, 200_000, 3_000_000])
def test_a_report_behind_much_text(size: int) -> None:
    before = b"This line says nothing at all.\r\n" * (size // 32)
    for report, id_ in ((b"<?xml version='1.0'?>\r\n" + xml("1"), "1"), (json.dumps(tls("t")).encode(), "t")):
        assert only(plain(before + report)) == [id_]
        assert only(attached(gzip.compress(before + report))) == [id_]


def test_all_texts_of_a_message_together_are_looked_at_up_to_a_bound() -> None:
    text = b"This line says nothing at all.\r\n" * 200 + b"\r\n" + uu(xml("1"))
    both = zipped(text, text)
    assert report_ids(read_message(both, Options(bounds=Bounds(message_bytes=2 * len(text))))) == ["1", "1"]
    assert report_ids(read_message(both, Options(bounds=Bounds(message_bytes=len(text))))) == ["1"]


def rows(number: int) -> bytes:
    record = xml("1").partition(b"<record>")[2].partition(b"</record>")[0]
    records = b"".join(
        b"<record>" + record.replace(b"192.0.2.1", b"192.0.2.%d" % n) + b"</record>" for n in range(number)
    )
    before, _, rest = xml("1").partition(b"<record>")
    return before + records + rest.partition(b"</record>")[2]


def test_the_rows_of_all_reports_of_a_message_together() -> None:
    raw = zipped(rows(6), rows(6).replace(b">1</report_id>", b">2</report_id>"))
    assert report_ids(read_message(raw, Options(bounds=Bounds(rows_floor=12, bytes_per_row=10**9)))) == ["1", "2"]
    for bounds, named in (
        (Bounds(rows_floor=11, bytes_per_row=10**9), "bounds.rows_floor = 11"),
        (Bounds(rows=11), "bounds.rows = 11"),
    ):
        cut = read_message(raw, Options(bounds=bounds))
        assert report_ids(cut) == ["1"]
        assert named in cut.problems[0].reason


def test_all_files_in_archives_of_a_message_together() -> None:
    inner = zipped(*[b"x"] * 9)
    bounds = Bounds(archive_members=10)
    raw = plain(b"--b\r\n\r\n" * 110, type_='multipart/mixed; boundary="b"')
    parts = b"\r\n".join(
        b"--b\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(inner) for _ in range(112)
    )
    raw = raw.replace(b"--b\r\n\r\n" * 110, parts + b"\r\n--b--\r\n")
    assert "100 times bounds.archive_members = 10" in reasons(raw, bounds)[0]
    assert reasons(raw, Bounds(archive_members=11)) == []


def test_all_parts_of_messages_in_files_together() -> None:
    inner = plain(b"--b\r\n\r\nx\r\n" * 8 + b"--b--\r\n", type_='multipart/mixed; boundary="b"')
    assert "20 times bounds.mime_parts = 10" in reasons(zipped(*[inner] * 24), Bounds(mime_parts=10))[-1]
    assert reasons(zipped(*[inner] * 22), Bounds(mime_parts=10)) == []


# Mboxes in files

BOX = b"".join(b"From a@example.org Thu Nov 20 06:12:44 2025\n%s\n" % mail(xml(name)) for name in "123")


@pytest.mark.parametrize("box", [BOX, BOX.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + BOX])
def test_each_message_of_an_mbox_in_a_file(box: bytes) -> None:
    for packed in (zipped(box), tar(box), gzip.compress(tar(box)), zipped(zipped(box)), zipped(gzip.compress(box))):
        assert only(packed) == ["1", "2", "3"]
    assert only(attached(box, type_="application/mbox")) == ["1", "2", "3"]
    assert only(attached(zipped(box))) == ["1", "2", "3"]


def test_messages_of_an_mbox_in_a_file_are_bounded() -> None:
    for most, found in ((3, ["1", "2", "3"]), (2, ["1", "2"])):
        reading = read_message(zipped(BOX), Options(bounds=Bounds(archive_members=most)))
        assert report_ids(reading) == found
        assert all("archive_members = 2: unpack it" in problem.reason for problem in reading.problems)
        assert len(reading.problems) == (most == 2)


@pytest.mark.parametrize("make", [containers.msg, containers.tnef])
def test_an_attachment_that_lies_elsewhere(make: Callable[[Message], bytes]) -> None:
    """Outlook attaches a path or a link for a file that is too large or lies on a server."""
    name = "reporter.example!example.org!1763510400!1763596799.xml.gz"
    (reason,) = reasons(attached(make(Message("Hello", files=[File(name, None)]))))
    assert reason == "it has the name of a report, and there is none in it"


def test_a_piece_of_a_message_says_so() -> None:
    raw = plain(base64.encodebytes(zipped(xml("1")))[:200], type_='message/partial; id="x"; number=1; total=2')
    assert "a piece of a message that was sent in several" in reasons(raw)[0]


def test_a_tar_of_messages_is_no_message() -> None:
    assert only(tar(mail(xml("1")), mail(xml("2")))) == ["1", "2"]


# Announced, and not there


GONE = b"The attachment was removed because compressed files are not allowed.\r\n"


@pytest.mark.parametrize(
    "raw",
    [
        plain(GONE, SUBJECT),
        plain(GONE, "Fwd: [EXTERNAL] " + SUBJECT),
        plain(GONE, "=?utf-8?Q?Report_Domain:_example.org_Submitter:_x.example_Report-ID:_1?="),
        attached(GONE, NAME + ".gz.txt", "text/plain"),
        attached(b"", NAME + ".gz", "application/gzip"),
        attached(b"", "dmarc-report.xml"),
        attached(b"", NAME),
        attached(b"\r\n", "r.xml.gz"),
        attached(GONE, type_="application/tlsrpt+gzip"),
        attached(GONE, "smime.p7m", "application/pkcs7-mime"),
        attached(GONE, "winmail.dat", "application/ms-tnef"),
        mail(attached(GONE, NAME)),
        mail(plain(GONE, SUBJECT)),
        attached(zipped(b""), NAME + ".zip"),
        containers.msg(Message(files=[File(NAME + ".gz", b"")])),
        plain(GONE, type_='multipart/report; report-type=tlsrpt; boundary="b"'),
        plain(b"--b\r\n\r\nhi\r\n--b--\r\n", type_='multipart/report; report-type=feedback-report; boundary="b"'),
        plain(b"piece", type_="message/partial; id=1; number=2; total=3"),
        plain(GONE).replace(b"Subject", b"TLS-Report-Domain: a.example\r\nTLS-Report-Submitter: b.example\r\nSubject"),
    ],
)  # fmt: skip
def test_what_was_announced_is_unreadable_and_not_no_report(raw: bytes) -> None:
    assert len(reasons(raw)) == 1


@pytest.mark.parametrize(
    "raw",
    [
        plain(GONE, "Re: " + SUBJECT),
        plain(GONE, "Undelivered: " + SUBJECT),
        plain(GONE, SUBJECT).replace(b"Subject", b"In-Reply-To: <ours@example.org>\r\nSubject"),
        plain(GONE, SUBJECT).replace(b"Subject", b"Auto-Submitted: auto-replied (vacation)\r\nSubject"),
        plain(GONE, "About your report"),
        attached(b"", "photo.jpg"),
        attached(GONE, "notes.txt", "text/plain"),
        attached(b"<html>", "page.xml"),
    ],
)  # fmt: skip
def test_what_announces_nothing(raw: bytes) -> None:
    assert reasons(raw) == []


def test_a_report_is_enough() -> None:
    """What else is in its message may have any name."""
    message = frame()
    message["Subject"] = SUBJECT
    message.set_content("See\n")
    message.add_attachment(gzip.compress(xml("1")), "application", "gzip", filename=NAME + ".gz")
    message.add_attachment(GONE, "text", "plain", filename=NAME + ".gz.txt")
    assert only(message.as_bytes(policy=SMTP)) == ["1"]


SHOWN: dict[str, tuple[list[str], int]] = {  # reports by dataset, problems
    "01-msg/report-msg.eml": (["dmarc-aggregate"], 0),
    "02-tnef/winmail.eml": (["dmarc-aggregate"], 0),
    "03-smime/opaque.eml": (["dmarc-aggregate"], 0),
    "04-containers/7z.eml": ([], 1),
    "04-containers/stripped-by-gateway.eml": ([], 1),
    "04-containers/zst.eml": ([], 1),  # noise behind the mark of zstd
    "06-uuencode/inline-zip.eml": (["dmarc-aggregate"], 0),
    "17-tls/array.json": (["smtp-tls"], 0),
}


@pytest.mark.skipif(not CASES.is_dir(), reason="the cases lie beside the checkout of this project's authors alone")
@pytest.mark.parametrize("name", SHOWN)
def test_the_cases(name: str) -> None:
    reading: Reading = read_message((CASES / name).read_bytes())
    assert ([report.dataset for report in reading.reports], len(reading.problems)) == SHOWN[name]
