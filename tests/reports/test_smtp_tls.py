"""SMTP TLS reports: golden pairs, every leniency, every bound, and what is none of ours."""

import email
import json
import zlib
from collections.abc import Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.documents.datasets import REPORT, SMTP_TLS
from email_report_processor.documents.document import Document
from email_report_processor.message.bounds import Bounds, Problem
from email_report_processor.message.payload import Damaged, OverBound, Payload
from email_report_processor.reports import smtp_tls
from email_report_processor.reports.reading import read_message
from email_report_processor.reports.report import Context, Envelope, Options, Report
from email_report_processor.values.fields import write_date
from tests.places import GOLDEN

PAIRS = sorted((GOLDEN / "smtp-tls").glob("*.eml"))
ENVELOPE = Envelope(
    message_id="1@example.com", from_domain="reports.example.com", received="2026-11-20T06:00:00Z", authentication=None
)
# What the process adds to documents of every kind, and what needs settings.
NOT_OURS = {
    "event.ingested",
    "report.feed",
    "source.name",
    "source.name_rule",
    "report.extra_contact_info",
    "report.generator",
}
NOT_OURS |= {"report.errors"} | {name for name in SMTP_TLS.by_name if name.startswith(("source.as.", "source.geo."))}

Object = dict[str, Any]


def report(**changed: Any) -> Object:
    whole: Object = {
        "organization-name": "Example",
        "date-range": {"start-datetime": "2026-11-19T00:00:00Z", "end-datetime": "2026-11-19T23:59:59Z"},
        "contact-info": "tls@example.com",
        "report-id": "r-1",
        "policies": [policy()],
    }
    return {key: value for key, value in {**whole, **changed}.items() if value is not ...}


def policy(*details: Any, **changed: Any) -> Object:
    said = {"policy-type": "sts", "policy-domain": "example.org", **changed}
    summary = {"total-successful-session-count": 3, "total-failure-session-count": 1}
    return {"policy": said, "summary": summary, "failure-details": list(details)}


def read_bytes(
    *chunks: bytes, fault: Exception | None = None, options: Options | None = None, envelope: Envelope = ENVELOPE
) -> Report | Problem | None:
    def pieces() -> Iterator[bytes]:
        yield from chunks
        if fault is not None:
            raise fault

    return smtp_tls.read(Payload("part 2", "x", pieces), Context(envelope, options or Options()))


def documents(said: Any, **more: Any) -> list[Document]:
    result = read_bytes(said if isinstance(said, bytes) else json.dumps(said).encode(), **more)
    assert isinstance(result, Report), result
    found = list(result.documents())
    assert found == list(result.documents())
    assert len(found) == result.rows + 1
    assert found[-1].fields == result.head
    return found


def problem(*chunks: bytes, **more: Any) -> str:
    result = read_bytes(*chunks, **more)
    assert isinstance(result, Problem), result
    assert result.place == "part 2"
    return result.reason


def read_golden(path: Path) -> list[Document]:
    """Unpacked by the standard library, so that the kind is tested alone."""
    message = email.message_from_bytes(path.read_bytes())
    part = list(message.walk())[-1]
    data = part.get_payload(decode=True)
    assert isinstance(data, bytes)
    data = zlib.decompressobj(31).decompress(data) if data[:2] == b"\x1f\x8b" else data
    said = message["Received"].rpartition(";")[2] if message["Received"] else message["Date"]
    envelope = Envelope(
        message_id=message["Message-ID"].strip("<>"),
        from_domain=message["From"].rpartition("@")[2].strip(">"),
        received=write_date(parsedate_to_datetime(said)) if said else "",
    )
    return documents(data, envelope=envelope)


@pytest.mark.parametrize("path", PAIRS, ids=lambda path: path.stem)
def test_golden(path: Path) -> None:
    assert [[one.dataset, one.id, one.fields] for one in read_golden(path)] == json.loads(
        path.with_suffix(".json").read_text()
    )


@pytest.mark.parametrize("path", PAIRS, ids=lambda path: path.stem)
def test_golden_by_the_whole_way(path: Path) -> None:
    (found,) = read_message(path.read_bytes()).reports
    assert [[one.dataset, one.id, one.fields] for one in found.documents()] == json.loads(
        path.with_suffix(".json").read_text()
    )


def test_golden_documents_have_every_field_and_no_other() -> None:
    seen: dict[str, set[str]] = {SMTP_TLS.name: set(), REPORT.name: set()}
    for document in [document for path in PAIRS for document in read_golden(path)]:
        seen[document.dataset] |= {name for name in document.fields if not name.startswith("raw.")}
    assert seen[SMTP_TLS.name] == SMTP_TLS.by_name.keys() - NOT_OURS
    assert seen[REPORT.name] == REPORT.by_name.keys() - NOT_OURS


def test_what_is_unreadable_is_raw_and_warned_of() -> None:
    for document in [document for path in PAIRS for document in read_golden(path)]:
        for name in document.fields:
            if name.startswith("raw."):
                field = name.removeprefix("raw.")
                assert field not in document.fields
                assert any(warning.startswith(field + ": ") for warning in document.fields["warnings"])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"   ",
        b"<feedback/>",
        b"[]",
        b"{}",
        b'{"a": 1}',
        b'{"a": ',
        b'{"policies": []}',
        b'{"report-id": "1", "organization-name": "x"}',
        b"PK\x03\x04",
        b"{ not JSON at all",
        b'{"a":' * 100,
        b"\xff\xfe\xff\xfe",
    ],
)
def test_not_ours(data: bytes) -> None:
    assert read_bytes(data) is None
    assert read_bytes(*(data[i : i + 1] for i in range(len(data)))) is None
    assert read_bytes(data, fault=Damaged("broken gzip")) is None
    assert read_bytes(data, fault=OverBound("too much")) is None


def test_ours_in_any_pieces_and_encodings() -> None:
    text = json.dumps(report(), indent=1)
    expected = [document.id for document in documents(text.encode())]
    for encoding in ("utf-8-sig", "utf-16", "utf-32-be"):
        data = text.encode(encoding)
        result = read_bytes(*(data[i : i + 1] for i in range(len(data))))
        assert isinstance(result, Report)
        assert [document.id for document in result.documents()] == expected


def test_a_report_within_a_text() -> None:
    said = json.dumps(report(), indent=2)
    plain = documents(said.encode())
    for text in (f"This is a report.\n\n{said}\n-- \na list\n", f"Hi\r\n  {said}", f"\u00fc\n{said}"):
        found = documents(text.encode())
        assert [one.id for one in found] == [one.id for one in plain]
        assert "there is text before the JSON object" in found[-1].fields["warnings"]
        assert not found[-1].fields["salvaged"]
    for text in ('see {"organization-name": "x", "report-id"', f"on one line {json.dumps(report())}", f"> {said}"):
        assert read_bytes(text.encode()) is None


def test_ids_are_of_what_is_said() -> None:
    one, two = policy({"result-type": "a"}, {"result-type": "b"}), policy(**{"policy-type": "tlsa"})
    ids = [document.id for document in documents(report(policies=[one, two]))]
    again = documents(report(policies=[two, one]), envelope=Envelope(received="2026-11-25T00:00:00Z"))
    assert len(set(ids)) == 5
    assert {document.id for document in again} == set(ids)
    assert again[-1].id == ids[-1]  # the order of rows and the message do not matter
    reordered = documents(json.dumps(dict(reversed(report(policies=[one, two]).items())), indent=3).encode())
    assert [document.id for document in reordered] == ids


def test_identical_rows_are_all_kept() -> None:
    twins = documents(report(policies=[policy({"result-type": "a"}, {"result-type": "a"}), policy()]))
    assert len({document.id for document in twins}) == 5
    assert sum(document.fields.get("sessions.successful", 0) for document in twins) == 6


@pytest.mark.parametrize(
    "changed",
    [
        {"organization-name": "Other"},
        {"report-id": "r-2"},
        {"date-range": {"start-datetime": "2026-11-18T00:00:00Z", "end-datetime": "2026-11-19T23:59:59Z"}},
    ],
)
def test_another_report_has_other_ids(changed: Object) -> None:
    ids = {document.id for document in documents(report())}
    assert ids.isdisjoint(document.id for document in documents(report(**changed)))


def test_a_revised_report_is_another_version_of_the_same() -> None:
    first = documents(report(policies=[policy({"result-type": "a", "failed-session-count": 1})]))
    revised = documents(report(policies=[policy({"result-type": "a", "failed-session-count": 2})]))
    assert first[-1].fields["report.identity"] == revised[-1].fields["report.identity"]
    assert first[-1].id != revised[-1].id
    assert first[0].id == revised[0].id
    assert first[1].id != revised[1].id


def test_golden_id_never_changes() -> None:
    assert [document.id for document in documents(report(policies=[policy({"result-type": "a"})]))] == [
        "f8b004f5906e90e9762ff81b5a451ebaa63e55d6",
        "c856f7bb7ede1370f3c4a97e3a8448d0ce9e8d99",
        "c2622c324ae13f4803b46ef24f2cf33d3f9048b5",
    ]


@pytest.mark.parametrize(
    ("said", "name", "value"),
    [
        ({"mx-host": "*.example.org"}, "policy.mx_host", ["*.example.org"]),
        ({"mx-host": ["a.example", "b.example"]}, "policy.mx_host", ["a.example", "b.example"]),
        ({"mx-host-pattern": ["a.example"]}, "policy.mx_host", ["a.example"]),
        ({"mx-host": None, "mx-host-pattern": "a.example"}, "policy.mx_host", ["a.example"]),
        ({"MX_Host": "mx: a.example"}, "policy.mx_host", ["a.example"]),
        ({"policy-string": "version: STSv1"}, "policy.string", ["version: STSv1"]),
        ({"policy-string": ['["3 1 1 AA","3 1 1 BB"]']}, "policy.string", ["3 1 1 AA", "3 1 1 BB"]),
        ({"policy-string": ["[broken"]}, "policy.string", ["[broken"]),
        ({"policy-string": ["[" * 1000]}, "policy.string", ["[" * 1000]),
        ({"policy-string": [{"a": 1}]}, "policy.string", ['{"a":1}']),
        ({"policy-string": ["", None]}, "policy.string", None),
        ({"policy-type": "DANE-New"}, "policy.type", "dane-new"),
        ({"policy-type": None}, "policy.type", None),
        ({"policy-domain": "Bücher.example."}, "policy.domain", "xn--bcher-kva.example"),
        ({"policy-domain": ["example.org"]}, "policy.domain", "example.org"),
        ({"policy-domain": None}, "policy.domain", None),
    ],
)
def test_policy_leniency(said: Object, name: str, value: Any) -> None:
    (document, head) = documents(report(policies=[policy(**said)]))
    assert document.fields.get(name) == value
    assert "warnings" not in head.fields


@pytest.mark.parametrize(
    ("said", "name", "value"),
    [
        ({"additional-information": "https://a.example"}, "failure.additional_information", "https://a.example"),
        ({"additional-info-uri": "https://a.example"}, "failure.additional_information", "https://a.example"),
        ({"additional-information": ["a", "b"]}, "failure.additional_information", "a, b"),
        ({"sending-mta-ip": "IPv6:2001:DB8::1"}, "source.ip", "2001:db8::1"),
        ({"sending-mta-ip": "192.0.2.1"}, "failure.sending_mta_ip", "192.0.2.1"),
        ({"sending-mta-ip": ""}, "source.ip", None),
        ({"failed-session-count": "7"}, "failure.failed_session_count", 7),
        ({"failed-session-count": 7.0}, "failure.failed_session_count", 7),
        ({"session-count": 7}, "failure.failed_session_count", 7),
        ({"failure-error-code": "x"}, "failure.reason_code", "x"),
        ({"result-type": "Unheard-Of"}, "failure.result_type", "unheard-of"),
        ({"failure-reason-code": True}, "failure.reason_code", "true"),
        ({"receiving-mx-hostname": "A.Example."}, "failure.receiving_mx_hostname", "a.example"),
        ({"failure-reason-code": "a\x00b\u202ec\ud800"}, "failure.reason_code", "abc"),
    ],
)
def test_detail_leniency(said: Object, name: str, value: Any) -> None:
    (_, document, _) = documents(report(policies=[policy(said)]))
    assert document.fields.get(name) == value
    assert "warnings" not in document.fields


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("250-mx.example.net\r\n250-SIZE 33554432\r\n250-8BITMIME\r\n250 HELP", "mx.example.net"),  # Postfix
        ("250-localhost\n250 HELP", "localhost"),
        ("250 mx.example.net Hello out.example.org [192.0.2.1]", "mx.example.net"),
        ("220 mx.example.net ESMTP", "mx.example.net"),
        ("mx.example.net at your service\r\nSIZE", "mx.example.net"),
        (r"250-mx.example.net\r\n250 HELP", "mx.example.net"),
        (["250-mx.example.net", "250 HELP"], "mx.example.net"),
        ("250-[192.0.2.7]\r\n250 HELP", "[192.0.2.7]"),
    ],
)
def test_the_name_in_a_whole_reply(said: Any, name: str) -> None:
    (_, document, _) = documents(report(policies=[policy({"receiving-mx-helo": said})]))
    assert document.fields["failure.receiving_mx_helo"] == name
    assert document.fields["warnings"] == ["failure.receiving_mx_helo: a whole reply of the server, its name is used"]


@pytest.mark.parametrize(
    "said", ["mx.example.net", "localhost", "[IPv6:2001:db8::1]", "2500.example.net", "250", "250-"]
)
def test_a_name_stays(said: str) -> None:
    (_, document, _) = documents(report(policies=[policy({"receiving-mx-helo": said})]))
    assert document.fields["failure.receiving_mx_helo"] == said
    assert "warnings" not in document.fields


def test_a_mail_older_than_its_period() -> None:
    envelope = Envelope(received="2026-11-20T22:00:00Z")
    period = {"start-datetime": "2026-11-20T00:00:00Z", "end-datetime": "2026-11-20T23:59:59Z"}
    head = documents(report(**{"date-range": period}), envelope=envelope)[-1].fields
    assert head["report.delay"] == -7199
    assert head["warnings"] == ["report.delay: the message is older than the end of its period"]


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("mailto:tls@example.com", "tls@example.com"),
        ("TLS team <tls@example.com>", "tls@example.com"),
        ("\u2039tls@example.com\u203a", "tls@example.com"),
        ("https://example.com/tls", "https://example.com/tls"),
    ],
)
def test_contact(said: str, value: str) -> None:
    assert documents(report(**{"contact-info": said}))[-1].fields["report.email"] == value


@pytest.mark.parametrize(
    ("said", "names", "raw"),
    [
        ({"sending-mta-ip": "mail.example"}, ["source.ip", "failure.sending_mta_ip"], "mail.example"),
        ({"failed-session-count": -1}, ["failure.failed_session_count"], "-1"),
        ({"failed-session-count": 10**9 + 1}, ["failure.failed_session_count"], "1000000001"),
        ({"failed-session-count": 1.5}, ["failure.failed_session_count"], "1.5"),
        ({"failed-session-count": {"n": 1}}, ["failure.failed_session_count"], '{"n":1}'),
    ],
)
def test_what_cannot_be_normalised(said: Object, names: list[str], raw: str) -> None:
    (_, document, _) = documents(report(policies=[policy(said)]))
    for name in names:
        assert name not in document.fields
        assert document.fields[f"raw.{name}"] == raw
    assert [warning.split(": ")[0] for warning in document.fields["warnings"]] == names


def test_what_can_be_told_is_read() -> None:
    detail = {"sending-mta-ip": "192.0.2.1:25", "receiving-ip": "[2001:db8::1]:25"}
    _, document, _ = documents(report(policies=[policy(detail, **{"policy-domain": "postmaster@example.org"})]))
    assert document.fields["source.ip"] == document.fields["failure.sending_mta_ip"] == "192.0.2.1"
    assert document.fields["failure.receiving_ip"] == "2001:db8::1"
    assert document.fields["policy.domain"] == "example.org"
    assert len(document.fields["warnings"]) == 4


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e400", b"9" * 5000])
def test_numbers_that_are_none(number: bytes) -> None:
    data = json.dumps(report()).encode().replace(b": 3", b": " + number)
    (document, head) = documents(data)
    assert document.fields["raw.sessions.successful"] == number[:4096].decode()
    assert "sessions.successful" not in document.fields
    assert head.fields["messages"] == 1


@pytest.mark.parametrize(
    ("period", "timestamp", "duration", "warnings"),
    [
        (("2026-11-19T00:00:00Z", "2026-11-20T00:00:00Z"), "2026-11-19T12:00:00Z", 86400, []),
        (("2026-11-19T02:00:00+02:00", "2026-11-20T00:00:00Z"), "2026-11-19T12:00:00Z", 86400, []),
        (("2026-11-19T00:00:00", "2026-11-20T00:00:00Z"), "2026-11-19T12:00:00Z", 86400, ["report.begin"]),
        (("2026-11-20T00:00:00Z", "2026-11-19T00:00:00Z"), "2026-11-20T06:00:00Z", None, ["report.end", "@timestamp"]),
        (("2026-11-19T00:00:00Z", "9999-12-31T00:00:00Z"), "2026-11-20T06:00:00Z", None, ["report.end", "@timestamp"]),
        (("2025-10-15T00:00:00Z", "2026-11-19T00:00:00Z"), "2026-05-03T00:00:00Z", 400 * 86400, []),
        (("1795046400", "2026-11-20"), "2026-11-19T12:00:00Z", 86400, ["report.begin", "report.end"]),
        ((None, "2026-11-20T00:00:00Z"), "2026-11-20T00:00:00Z", None, []),
        (("2026-11-19T00:00:00Z", "soon"), "2026-11-19T00:00:00Z", None, ["report.end"]),
        (("x", "y"), "2026-11-20T06:00:00Z", None, ["report.begin", "report.end", "@timestamp"]),
    ],
)
def test_period(
    period: tuple[str | None, str | None], timestamp: str, duration: int | None, warnings: list[str]
) -> None:
    said = {"start-datetime": period[0], "end-datetime": period[1]}
    for document in documents(report(**{"date-range": said})):
        assert document.fields["@timestamp"] == timestamp
        assert document.fields.get("report.duration") == duration
    assert [warning.split(": ")[0] for warning in document.fields.get("warnings", [])] == warnings


def test_no_date_at_all() -> None:
    *_, head = documents(report(**{"date-range": ...}), envelope=Envelope(bare=True))
    assert "@timestamp" not in head.fields  # it is when it was stored
    assert head.fields["warnings"] == [
        "@timestamp: when it was stored, as neither the report nor its message has a date"
    ]


@pytest.mark.parametrize(
    ("contact", "passed", "expected"),
    [
        ("tls@mail.example.com", "example.com", "pass"),
        ("mailto:tls@example.com", "example.com", "pass"),
        ("tls@example.net", "example.com", "fail"),
        (None, "example.com", "pass"),  # no contact: whoever mailed it
        (None, "example.net", "fail"),
        ("https://example.net/", "example.com", "pass"),
        ("tls@example.com", None, "unchecked"),
    ],
)
def test_authentication(contact: str | None, passed: str | None, expected: str) -> None:
    envelope = ENVELOPE._replace(authentication=None if passed is None else {"dkim": (passed,)})
    for document in documents(report(**{"contact-info": contact}), envelope=envelope):
        assert document.fields["report.authentication"] == expected


def test_feed() -> None:
    found = documents(report(), options=Options(feed="tls"))
    assert {document.fields["report.feed"] for document in found} == {"tls"}


@pytest.mark.parametrize(
    ("policies", "rows", "warnings"),
    [
        ([], 0, []),
        (None, 0, ["policies: 1 of 1 are no objects"]),
        ("x", 0, ["policies: 1 of 1 are no objects"]),
        (policy(), 1, []),
        ([policy(), 5, None], 1, ["policies: 2 of 3 are no objects"]),
        ([policy("x", None)], 1, ["failure-details: 1 are no objects"]),
        ([{**policy(), "failure-details": {"result-type": "a"}}], 2, []),
        ([{**policy(), "failure-details": None}], 1, []),
        ([{"policy-type": "sts", "total-successful-session-count": 2}], 1, []),
    ],
)
def test_shapes_of_policies(policies: Any, rows: int, warnings: list[str]) -> None:
    *found, head = documents(report(policies=policies))
    assert (len(found), head.fields["rows"], head.fields.get("warnings", [])) == (rows, rows, warnings)


def test_draft_with_one_policy_at_the_top() -> None:
    (document, head) = documents(report(policies=..., **policy()))
    assert (document.fields["policy.domain"], head.fields["messages"]) == ("example.org", 4)


def test_broken_off() -> None:
    text = json.dumps(report(policies=[policy(), policy(), policy()])).encode()
    (one, two, head) = documents(text[:-80])
    assert (one.fields["sessions.successful"], two.fields["tls.record"]) == (3, "policy")
    assert head.fields["salvaged"] is True
    assert "broken JSON" in head.fields["warnings"][0]
    assert "without one whole policy" in problem(text[: text.index(b"policies") + 60])


def test_damaged_behind_the_end_and_within() -> None:
    text = json.dumps(report(policies=[policy(), policy()])).encode()
    head = documents(text, fault=Damaged("the gzip data is broken"))[-1]
    assert (head.fields["rows"], head.fields["salvaged"]) == (2, True)
    assert head.fields["warnings"] == ["the gzip data is broken"]
    assert documents(text[:-20], fault=Damaged("broken"))[-1].fields["rows"] == 1


def test_bytes_on_both_sides_of_the_bound() -> None:
    text = json.dumps(report()).encode()
    assert documents(text, options=Options(bounds=Bounds(part_bytes=len(text))))
    assert "part_bytes" in problem(text, options=Options(bounds=Bounds(part_bytes=len(text) - 1)))
    assert problem(text, fault=OverBound("bounds.x = 1")) == "bounds.x = 1"


def test_depth_on_both_sides_of_the_bound() -> None:
    text = json.dumps(report(policies=[policy({"x": [[]]})])).encode()
    assert documents(text, options=Options(bounds=Bounds(json_depth=7)))
    assert "json_depth = 6" in problem(text, options=Options(bounds=Bounds(json_depth=6)))


def test_rows_on_both_sides_of_the_bound() -> None:
    text = json.dumps(report(policies=[policy({}, {}), policy()])).encode()
    assert documents(text, options=Options(bounds=Bounds(rows=4)))
    assert "4 rows" in problem(text, options=Options(bounds=Bounds(rows=3)))


def test_strings_and_lists_on_both_sides_of_the_bound() -> None:
    options = Options(bounds=Bounds(string_chars=10))
    said = policy(
        {"failure-reason-code": "a" * 10}, {"failure-reason-code": "a" * 11}, **{"policy-string": ["x"] * 101}
    )
    (whole, one, two, _) = documents(report(policies=[said]), options=options)
    assert one.fields["failure.reason_code"] == two.fields["failure.reason_code"] == "a" * 10
    assert len(whole.fields["policy.string"]) == 100
    assert two.fields["warnings"] == [*one.fields["warnings"], "failure.reason_code: cut at 10 characters"]
    assert "policy.string: 101 values, cut at 100" in one.fields["warnings"]


KEYS = st.sampled_from(
    [field.wire.rpartition("/")[2] for field in SMTP_TLS.fields if field.wire.startswith("policies/")]
    + ["policy", "summary", "failure-details", "start-datetime", "end-datetime", "mx-host-pattern"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=15,
)


@given(st.dictionaries(st.sampled_from(sorted(smtp_tls._MEMBERS)), JSON, min_size=3))
def test_any_values(said: Object) -> None:
    result = read_bytes(json.dumps(said).encode())
    assert isinstance(result, Report)
    found = list(result.documents())
    assert len({document.id for document in found}) == len(found) == result.rows + 1
    for document in found:
        datetime.fromisoformat(document.fields["@timestamp"])
        json.dumps(document.fields, allow_nan=False)
        dataset = SMTP_TLS if document.dataset == SMTP_TLS.name else REPORT
        assert {name.removeprefix("raw.") for name in document.fields} <= dataset.by_name.keys()


@given(st.data(), st.binary(max_size=20))
def test_mutations(data: st.DataObject, junk: bytes) -> None:
    text = json.dumps(report(policies=[policy({"result-type": "a"}), policy()])).encode()
    begin = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(begin, min(len(text), begin + 10)))
    result = read_bytes(text[:begin] + junk + text[end:])
    if isinstance(result, Report):
        assert len(list(result.documents())) == result.rows + 1
