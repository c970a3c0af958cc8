"""Every bound on both sides: at its limit a message is read, one beyond it is a problem that names the bound.

The limits here are small ones; the defaults differ in nothing but their number.
"""

import base64
import gzip
import io
import json
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from email_report_processor.message.blob import Memory
from email_report_processor.message.bounds import Bounds
from email_report_processor.process import FilterOptions, Job, process
from email_report_processor.reports.reading import read_message
from email_report_processor.reports.report import Options, Reading
from email_report_processor.settings import SECTIONS

HEAD = b"From: r@example.net\r\nDate: Fri, 20 Nov 2026 06:00:00 +0000\r\nMessage-ID: <1@example.net>\r\n"


DATED = "Arrival-Date: Thu, 19 Nov 2026 11:00:00 +0000\r\n"


def record(count: object = 1, comment: str = "", nested: str = "") -> str:
    return (
        f"<record><row><source_ip>192.0.2.1</source_ip><count>{count}</count><policy_evaluated><disposition>none"
        f"</disposition><dkim>pass</dkim><spf>fail</spf><reason><type>other</type><comment>{comment}</comment></reason>"
        f"</policy_evaluated></row><identifiers><header_from>example.org</header_from></identifiers>{nested}"
        "<auth_results><spf><domain>example.org</domain><result>pass</result></spf></auth_results></record>"
    )


def aggregate(records: str = record(), org: str = "Example") -> bytes:
    return (
        f'<?xml version="1.0"?>\n<feedback><report_metadata><org_name>{org}</org_name><email>r@example.net</email>'
        "<report_id>1</report_id><date_range><begin>1763424000</begin><end>1763510399</end></date_range>"
        "</report_metadata><policy_published><domain>example.org</domain><p>none</p></policy_published>"
        f"{records}</feedback>"
    ).encode()


def tls(policies: int = 1, extra: object = None, org: str = "Example") -> bytes:
    policy = {
        "policy": {"policy-type": "sts", "policy-domain": "example.org"},
        "summary": {"total-successful-session-count": 1, "total-failure-session-count": 0},
    }
    report = {
        "organization-name": org,
        "date-range": {"start-datetime": "2026-11-18T00:00:00Z", "end-datetime": "2026-11-18T23:59:59Z"},
        "report-id": "1",
        "policies": [policy] * policies,
    }
    return json.dumps(report if extra is None else {**report, "x": extra}).encode()


def arf(fields: str = "", body: str = "text") -> bytes:
    return (
        HEAD
        + (
            'Content-Type: multipart/report; boundary="b"\r\n\r\n'
            "--b\r\nContent-Type: message/feedback-report\r\n\r\n"
            f"Feedback-Type: abuse\r\nUser-Agent: x\r\nVersion: 1\r\nSource-IP: 192.0.2.1\r\n{fields}\r\n"
            "--b\r\nContent-Type: message/rfc822\r\n\r\n"
            f"From: a@example.org\r\nMessage-ID: <2@x>\r\n\r\n{body}\r\n--b--\r\n"
        ).encode()
    )


def mixed(*parts: bytes) -> bytes:
    body = b"".join(
        b"--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(part)
        for part in parts
    )
    return HEAD + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + body + b"--b--\r\n"


def nested(levels: int) -> bytes:
    """A report in so many multiparts."""
    message = b"Content-Type: text/xml\r\n\r\n" + aggregate() + b"\r\n"
    for level in range(levels):
        edge = b"b%d" % level
        message = b'Content-Type: multipart/mixed; boundary="%b"\r\n\r\n--%b\r\n%b\r\n--%b--\r\n' % (
            edge,
            edge,
            message,
            edge,
        )
    return HEAD + message


def archive(members: int) -> bytes:
    """A zip file; the report is its last member."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for number in range(members - 1):
            file.writestr(f"{number}.txt", b"nothing")
        file.writestr("report.xml", aggregate())
    return buffer.getvalue()


def compressed(times: int) -> bytes:
    data = aggregate()
    for _ in range(times):
        data = gzip.compress(data)
    return data


def deep_xml(levels: int) -> bytes:
    """Elements within each other, counted from the root."""
    inner = levels - 2  # feedback and record are two
    return aggregate(record(nested="<x>" * inner + "</x>" * inner))


def deep_json(levels: int) -> bytes:
    extra: Any = 1
    for _ in range(levels - 1):
        extra = [extra]
    return tls(extra=extra)


class Case(NamedTuple):
    """A bound, and a message of a given size against it."""

    key: str
    limit: int
    make: Callable[[int], bytes]  # of what the bound counts
    name: str = ""
    others: Mapping[str, int] = {}  # bounds that would let more pass


def padded(make: Callable[[str], bytes]) -> Callable[[int], bytes]:
    """A message of exactly so many bytes."""
    return lambda size: make("x" * (size - len(make(""))))


def distinct(rows: int) -> str:
    return "".join(record(count) for count in range(1, rows + 1))


def few_bytes(size: int) -> bytes:
    """A report that has 1000 bytes for each row, or less by what the size is above that."""
    return padded(lambda text: aggregate(distinct(20), org=text))(20 * (2000 - size))


def inflated(times: int) -> bytes:
    """Gzip that inflates to so many times its size; the next multiple is above it."""
    size = 60_000
    while True:
        data = gzip.compress(padded(lambda text: aggregate(org=text))(size), mtime=0)
        if size > (times - 1) * len(data):
            return data
        size += len(data) // 2


CASES = [
    Case("message_bytes", 2000, padded(lambda text: arf(body=text)), "mail"),
    Case("message_bytes", 2000, padded(lambda text: aggregate(org=text)), "bare"),
    Case("xml_bytes", 2000, padded(lambda text: aggregate(org=text)), "plain"),
    Case("xml_bytes", 2000, lambda size: gzip.compress(padded(lambda text: aggregate(org=text))(size)), "gzip"),
    Case(
        "xml_bytes", 2000, lambda size: mixed(gzip.compress(padded(lambda text: aggregate(org=text))(size))), "attached"
    ),
    Case("part_bytes", 2000, padded(lambda text: tls(org=text)), "tls"),
    Case("part_bytes", 2000, lambda size: gzip.compress(padded(lambda text: tls(org=text))(size)), "tls-gzip"),
    Case("part_bytes", 300, lambda size: arf(fields="X: " + "x" * (size - feedback_bytes())), "feedback"),
    Case("archive_depth", 3, compressed, "gzip"),
    Case("archive_depth", 3, lambda levels: mixed(compressed(levels)), "attached"),
    Case("archive_members", 10, archive, "zip"),
    Case(
        "inflated_floor",
        60_000,
        lambda size: gzip.compress(padded(lambda text: aggregate(org=text))(size)),
        "gzip",
        {"inflated_per_byte": 0},
    ),
    Case("inflated_per_byte", 400, inflated, "gzip", {"inflated_floor": 0}),
    Case("mime_depth", 10, nested),
    Case("mime_parts", 10, lambda parts: mixed(*[b"nothing"] * (parts - 2), aggregate())),
    Case("xml_depth", 20, deep_xml),
    Case("record_bytes", 2000, lambda size: aggregate(one_record(size))),
    Case("json_depth", 10, deep_json),
    Case("kinds", 10, lambda kinds: aggregate(unlike(kinds))),
    Case("rows", 10, lambda rows: aggregate(distinct(rows)), "xml"),
    Case("cost", 70, lambda cost: aggregate(costing(cost))),
    Case("rows", 10, lambda rows: tls(policies=rows), "tls"),
    Case("json_values", 100, lambda values: tls(extra=[0] * (values - 14))),
    Case("rows_floor", 10, lambda rows: aggregate(distinct(rows)), "xml", {"bytes_per_row": 10**9}),
    Case("rows_floor", 10, lambda rows: tls(policies=rows), "tls", {"bytes_per_row": 10**9}),
    Case("tls_rows", 10, lambda rows: tls(policies=rows)),
    Case("bytes_per_row", 1000, few_bytes, "", {"rows_floor": 0}),
]


def unlike(kinds: int) -> str:
    """Records of 40 tags of which no two are of one kind."""
    return "".join(f"<record><a{number}/>{'<b/>' * 39}</record>" for number in range(kinds))


def costing(cost: int) -> str:
    """Two records like no other, which count as 21 rows each, and then alike ones, of which the first counts as 11."""
    return unlike(2) + "<record><c/></record>" * (cost - 52)


def one_record(size: int) -> str:
    """A record with so many bytes between its tags."""
    return padded(lambda text: record(comment=text).encode())(size + len("<record></record>")).decode()


def feedback_bytes() -> int:
    """Of the feedback part of `arf` with a field X of no characters."""
    part = arf(fields="X: ").split(b"feedback-report\r\n\r\n")[1].split(b"\r\n--b")[0]
    return len(part)


def read(raw: bytes, **bounds: int) -> Reading:
    reading = read_message(raw, Options(sample="full", bounds=Bounds(**bounds)))
    for report in reading.reports:
        assert len(list(report.documents())) == report.rows + 1
    return reading


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.key}-{case.name}".rstrip("-"))
def test_at_the_limit(case: Case) -> None:
    reading = read(case.make(case.limit), **{case.key: case.limit, **case.others})
    assert reading.problems == ()
    assert len(reading.reports) == 1
    assert [warning for warning in reading.reports[0].head.get("warnings", ()) if case.key in warning] == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.key}-{case.name}".rstrip("-"))
def test_beyond_the_limit(case: Case) -> None:
    reading = read(case.make(case.limit + 1), **{case.key: case.limit, **case.others})
    assert len(reading.problems) == 1, reading
    assert case.key in reading.problems[0].reason
    assert re.search(rf"\b{case.limit}\b", reading.problems[0].reason)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.key}-{case.name}".rstrip("-"))
def test_what_is_beyond_a_limit_is_kept(case: Case, tmp_path: Path) -> None:
    def no_store() -> Any:
        raise AssertionError("nothing is stored")

    options = Options(bounds=Bounds(**{case.key: case.limit, **case.others}))
    chosen = FilterOptions(datasets=("arf",)) if case.key.startswith("mime") else FilterOptions()
    job = Job(no_store, lambda: "2026-11-20T06:00:00Z", tmp_path / "kept", options, filter=chosen)
    outcome = process(Memory(case.make(case.limit + 1)), job)
    assert outcome.verdict is not None
    assert outcome.verdict.category == "unreadable"
    assert case.key in outcome.verdict.reason
    assert len(list((tmp_path / "kept/new").iterdir())) == 1


def test_every_bound_is_here_and_is_a_setting() -> None:
    assert {case.key for case in CASES} | {"string_chars", "max_count"} == set(Bounds._fields)
    assert SECTIONS["bounds"] == (Bounds,)


# What is cut or left out instead: the rest of the report is as good as before


def warned(raw: bytes, **bounds: int) -> tuple[dict[str, Any], list[str]]:
    """The first row, and all warnings."""
    reading = read(raw, **bounds)
    assert reading.problems == ()
    documents = [document.fields for report in reading.reports for document in report.documents()]
    return documents[0], [warning for fields in documents for warning in fields.get("warnings", ())]


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda text: aggregate(org=text), "report.org_name"),
        (lambda text: aggregate(record(comment=text)), "policy_evaluated.reason.comment"),
        (lambda text: tls(org=text), "report.org_name"),
        (lambda text: arf(fields=DATED + f"Original-Envelope-Id: {text}"), "feedback.original_envelope_id"),
    ],
    ids=["aggregate", "record", "tls", "feedback"],
)
@pytest.mark.parametrize("limit", [100, 4096])
def test_strings_are_cut_and_it_is_said(make: Callable[[str], bytes], field: str, limit: int) -> None:
    fields, warnings = warned(make("x" * limit), string_chars=limit)
    assert fields[field] in ("x" * limit, ["x" * limit])
    assert warnings == [], warnings
    fields, warnings = warned(make("x" * (limit + 1)), string_chars=limit)
    assert fields[field] in ("x" * limit, ["x" * limit])
    assert any(field in warning and str(limit) in warning for warning in warnings), warnings


@pytest.mark.parametrize(("count", "read_as"), [(0, 0), (1, 1), ("5.000000", 5), (10**9, 10**9)])
def test_counts_within(count: object, read_as: int) -> None:
    fields, warnings = warned(aggregate(record(count)))
    assert (fields["count"], warnings) == (read_as, [])


@pytest.mark.parametrize("count", [10**9 + 1, -1, "1e3", "", "many", 10**40, "0x10", "１"])
def test_counts_beyond(count: object) -> None:
    fields, warnings = warned(aggregate(record(count) + record(2)))
    assert "count" not in fields
    assert fields.get("raw.count", "") == str(count)
    assert [warning.partition(":")[0] for warning in warnings] == ["count"]


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda count: aggregate(record(count)), "count"),
        (
            lambda count: tls().replace(b'ful-session-count": 1', b'ful-session-count": %d' % count),
            "sessions.successful",
        ),
        (lambda count: arf(f"Incidents: {count}\r\n"), "feedback.incidents"),
    ],
    ids=["aggregate", "tls", "feedback"],
)
@pytest.mark.parametrize("bound", [10, 10**9, 10**12])
def test_counts_on_both_sides_of_their_bound(make: Callable[[int], bytes], field: str, bound: int) -> None:
    fields, _ = warned(make(bound), max_count=bound)
    assert fields[field] == bound
    fields, warnings = warned(make(bound + 1), max_count=bound)
    assert field not in fields
    assert fields[f"raw.{field}"] == str(bound + 1)
    assert any(warning.startswith(f"{field}: ") for warning in warnings)


def test_a_row_is_never_dropped_for_a_value() -> None:
    (report,) = read(aggregate(record(-1) + record(2) + record("x"))).reports
    assert report.rows == 3


def test_a_sample_is_cut() -> None:
    fields, warnings = warned(arf(body="x" * 3000), part_bytes=1000)
    assert any("part_bytes = 1000" in warning for warning in warnings)
    assert fields["sample.from"] == "a@example.org"


@pytest.mark.parametrize("text", ["a\u202eb\u2066c\x7fd\u200fe", "a\u0085bcde", "\ufeffabcde"])
def test_hostile_characters_are_removed(text: str) -> None:
    for raw in (aggregate(org=text), tls(org=text)):
        fields, _ = warned(raw)
        assert fields["report.org_name"] == "abcde"


ENTITIES = '<!DOCTYPE feedback [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    "head",
    [
        ENTITIES,
        '<!DOCTYPE feedback SYSTEM "file:///etc/passwd">',
        '<!DOCTYPE feedback [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE feedback [<!ENTITY % x SYSTEM "http://192.0.2.1/x.dtd"> %x;]>',
        "<!DOCTYPE feedback>",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le"])
def test_no_doctype_and_no_entity(head: str, encoding: str) -> None:
    """UTF-16 hides it from a search for bytes. Whatever is read, nothing is expanded or fetched."""
    text = aggregate(org="&b;&x;").decode().replace("<feedback>", head + "<feedback>", 1)
    raw = text.replace('<?xml version="1.0"?>', f'<?xml version="1.0" encoding="{encoding}"?>').encode(encoding)
    for data in (raw, gzip.compress(raw), mixed(gzip.compress(raw))):
        reading = read(data)
        assert reading.problems or reading.reports
        said = repr([[document.fields for document in report.documents()] for report in reading.reports])
        assert "aaaaaaaaaa" not in said
        assert "root:" not in said
        assert reading.problems or any(report.head.get("salvaged") for report in reading.reports)
