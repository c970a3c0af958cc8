"""Aggregate reports whose names stand in another shape, or whose values are more than they ought to be.

The value is used, or a warning says that it was not; no row is lost; and none of it changes an id.
"""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from email_report_processor.documents.classify import Site, classify
from email_report_processor.documents.document import Document
from email_report_processor.documents.encode import decode
from email_report_processor.message.blob import Memory
from email_report_processor.message.bounds import Problem
from email_report_processor.process import Job, process
from email_report_processor.reports.dmarc_aggregate import read
from email_report_processor.stores.kept import listing
from email_report_processor.stores.sqlite import SqliteStore
from email_report_processor.stores.store import Written
from tests.reports.test_dmarc_aggregate import CONTEXT, HEAD, ids, only, payload, read_bytes, row, xml

FAILED = "<disposition>quarantine</disposition><dkim>fail</dkim><spf>fail</spf>"


def documents(data: bytes) -> list[Document]:
    return list(read_bytes(data).documents())


@pytest.mark.parametrize(
    ("reason", "types", "comments"),
    [
        ("<reason>mailing_list</reason>", ["mailing_list"], None),
        ("<reason>Mailing-List</reason>", ["mailing_list"], None),
        ("<reason>mailing_list, local_policy</reason>", ["mailing_list", "local_policy"], None),
        ("<reasons><reason><type>mailing_list</type></reason></reasons>", ["mailing_list"], None),
        ("<reasons><type>mailing_list</type><comment>x</comment></reasons>", ["mailing_list"], ["x"]),
        ("<reason type='mailing_list' comment='x &amp; y'/>", ["mailing_list"], ["x & y"]),
        ("<reason type='mailing_list'>x</reason>", ["mailing_list"], ["x"]),
        ("<policy_override><type>mailing_list</type></policy_override>", ["mailing_list"], None),
        ("<policy_override_reason><type>mailing_list</type></policy_override_reason>", ["mailing_list"], None),
        ("<Reason><Type>mailing_list</Type></Reason>", ["mailing_list"], None),
        ("<reason><type><value>mailing_list</value></type></reason>", ["mailing_list"], None),
        ("<reason><value>mailing_list</value></reason>", ["mailing_list"], None),
        ("<reason><reason_type>mailing_list</reason_type></reason>", ["mailing_list"], None),
        ("<type>mailing_list</type><comment>x</comment>", ["mailing_list"], ["x"]),
        ("<reason_type>mailing_list</reason_type>", ["mailing_list"], None),
    ],
)
def test_reasons_in_other_shapes(reason: str, types: list[str], comments: list[str] | None) -> None:
    fields = only(xml(row(evaluated=FAILED + reason, results="")))
    assert fields["policy_evaluated.reason.type"] == types
    assert fields.get("policy_evaluated.reason.comment") == comments
    assert fields["warnings"]
    found = classify(fields, Site())
    assert found is not None
    assert found[0] == "mailing-list"


def test_a_reason_in_words_is_a_comment() -> None:
    fields = only(xml(row(evaluated=FAILED + "<reason>looked like a list</reason>")))
    assert fields["policy_evaluated.reason.comment"] == ["looked like a list"]
    assert fields["warnings"] == ["reason: its text was read as its comment"]


@pytest.mark.parametrize(
    ("results", "expected", "warned"),
    [
        ("<spf>pass</spf>", {"auth_results.spf": [{"result": "pass"}]}, "spf: its text was read as its result"),
        ("<spf>by hand</spf>", {}, "spf: its text was not read"),
        (
            "<dkim domain='example.org' selector='s' result='pass'/>",
            {"auth_results.dkim": [{"domain": "example.org", "selector": "s", "result": "pass"}]},
            "dkim: domain is an attribute",
        ),
        (
            "<DKIM><Domain>example.org</Domain></DKIM>",
            {"auth_results.dkim": [{"domain": "example.org"}]},
            "DKIM: read as dkim",
        ),
    ],
)
def test_results_in_other_shapes(results: str, expected: dict[str, object], warned: str) -> None:
    fields = only(xml(row(results=results)))
    assert {name: value for name, value in fields.items() if name.startswith("auth_results.")} == expected
    assert warned in fields["warnings"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("identifiers>", "identifier>"),
        ("auth_results>", "AuthResults>"),
        ("source_ip>", "sourceIp>"),
        ("source_ip>", "source-ip>"),
        ("policy_evaluated>", "policyEvaluated>"),
        ("<row><source_ip>192.0.2.1</source_ip><count>1</count>", "<row source_ip='192.0.2.1' count='1'>"),
        ("<count>1</count>", "<count><value>1</value></count>"),
        ("<row>", "<Row>"),
        ("auth_results>", "authentication_results>"),
        ("source_ip>", "ip>"),
        ("count>", "message_count>"),
        ("header_from>", "from>"),
    ],
)
def test_names_written_otherwise(before: str, after: str) -> None:
    plain = only(xml(row()))
    data = xml(row()).replace(before.encode(), after.encode())
    if before == "<row>":
        data = data.replace(b"</row>", b"</Row>")
    fields = only(data)
    assert {name: value for name, value in fields.items() if name != "warnings"} == plain
    assert fields["warnings"]


def upper(data: bytes) -> bytes:
    return re.sub(rb"</?[a-z_]+", lambda tag: tag[0].upper(), data)


@pytest.mark.parametrize(("name", "change"), [(b"Record>", bytes), (b"records>", bytes), (b"record>", upper)])
def test_records_of_another_name(name: bytes, change: Callable[[bytes], bytes]) -> None:
    plain = xml(row() * 3)
    written = change(plain.replace(b"record>", name))
    expected, found = read_bytes(plain), read_bytes(written)
    assert found.rows == expected.rows == 3
    assert not found.head["salvaged"]
    assert found.head["report.sha256"] == hashlib.sha256(written).hexdigest()
    for one, other in zip(found.documents(), expected.documents(), strict=True):
        fields, same = ({**document.layers[1], **document.own} if document.layers else {} for document in (one, other))
        assert {key: value for key, value in fields.items() if key != "warnings"} == same


def test_rows_outside_of_records_are_said() -> None:
    found = read_bytes(xml(row()).replace(b"<record>", b"").replace(b"</record>", b""))
    assert found.rows == 0
    assert found.head["salvaged"]
    assert "outside of any record" in found.head["warnings"][-1]


@pytest.mark.parametrize("after", ["id='7'", "lang='en'", "xsi:type='x'", "xml:lang='en'", "xmlns:q='urn:q'"])
def test_other_attributes_say_nothing(after: str) -> None:
    data = xml(row()).replace(b"<row>", f"<row {after}>".encode())
    assert only(data) == only(xml(row()))
    assert ids(data) == ids(xml(row()))


@pytest.mark.parametrize("name", ["identifiers", "policy_evaluated", "auth_results"])
def test_a_text_in_the_place_of_elements_is_named(name: str) -> None:
    fields = only(
        xml(f"<record><row><source_ip>192.0.2.1</source_ip><count>1</count></row><{name}>x</{name}></record>")
    )
    assert fields["warnings"] == [f"{name}: its text was not read"]


# --- rows and names that stand twice ---

TWO = (
    "<row><source_ip>192.0.2.1</source_ip><count>3</count></row>"
    "<row><source_ip>192.0.2.2</source_ip><count>4</count></row>"
)
IDENTIFIERS = "<identifiers><header_from>example.org</header_from></identifiers>"


@pytest.mark.parametrize("prefix", ["", "n:"])
def test_a_second_row_is_a_row(prefix: str) -> None:
    record = f"<record>{TWO}{IDENTIFIERS}</record>".replace("row>", f"{prefix}row>")
    report = read_bytes(xml(record, row("192.0.2.9")))
    *rows, last = report.documents()
    assert [(one.fields["source.ip"], one.fields["count"]) for one in rows] == [
        *(("192.0.2.1", 3), ("192.0.2.2", 4)),
        ("192.0.2.9", 1),
    ]
    assert all(one.fields["identifiers.header_from"] == "example.org" for one in rows)
    assert all("record: it has 2 rows" in one.fields["warnings"] for one in rows[:2])
    assert len({one.id for one in rows}) == report.rows == last.fields["rows"] == 3
    assert last.fields["messages"] == 8


def test_the_same_rows_again_are_counted() -> None:
    record = f"<record>{TWO}{IDENTIFIERS}</record>"
    found = documents(xml(record, record))
    assert len({one.id for one in found}) == 5
    assert ids(xml(record, record)) == [one.id for one in found]


@pytest.mark.parametrize(
    ("data", "warned"),
    [
        (xml(row(count="1</count><count>2")), "count: one of several is used"),
        (xml(row("192.0.2.1</source_ip><source_ip>192.0.2.2")), "source_ip: one of several is used"),
        (
            xml(row(identifiers="<header_from>a.example</header_from><header_from>b.example</header_from>")),
            "header_from: one of several is used",
        ),
        (xml(row(evaluated="<disposition>none</disposition><disposition>reject</disposition>")), "disposition: one of"),
        (xml(row(results="<spf><result>pass</result><result>fail</result></spf>")), "result: one of several is used"),
    ],
)
def test_a_second_value_is_named(data: bytes, warned: str) -> None:
    assert any(one.startswith(warned) for one in only(data)["warnings"])


def test_the_same_value_twice_is_nothing_to_speak_of() -> None:
    data = xml(row(count="1</count><count>1", identifiers="<header_from>a.example</header_from>" * 2))
    assert "warnings" not in only(data)


@pytest.mark.parametrize(
    ("before", "after", "warned"),
    [
        ("<org_name>", "<org_name>Other</org_name><org_name>", "org_name: one of several is used"),
        ("<report_id>", "<report_id>r-0</report_id><report_id>", "report_id: one of several is used"),
        ("<date_range>", "<date_range><begin>1795046401</begin></date_range><date_range>", "begin: one of several"),
        ("<org_name>Example</org_name>", "", "report.org_name: missing"),
        ("report_id>", "other_id>", "report.id: missing"),
        ("<domain>Example.org</domain>", "", "policy_published.domain: missing"),
        ("<date_range>", "<x>", "report.begin: missing"),
        ("<begin>1795046400</begin><end>1795132799</end>", "a day", "date_range: its text was not read"),
    ],
)
def test_heads(before: str, after: str, warned: str) -> None:
    head = HEAD.replace(before, after).replace("</date_range>", "</x>" if after == "<x>" else "</date_range>")
    assert head != HEAD
    found = read_bytes(xml(row(), head=head)).head
    assert any(one.startswith(warned) for one in found["warnings"])


def test_the_same_metadata_twice_are_one_report() -> None:
    metadata = HEAD[: HEAD.index("<policy_published")]
    data = xml(row(), head=metadata + HEAD)
    assert ids(data) == ids(xml(row()))
    assert not read_bytes(data).head["salvaged"]
    other = read(payload(xml(row(), head=metadata.replace("r-1", "r-2") + HEAD)), CONTEXT)
    assert isinstance(other, Problem)
    whole = xml(row())
    assert ids(whole + whole) == ids(whole)
    assert read_bytes(whole + whole).head["salvaged"]


# --- values ---


@pytest.mark.parametrize(
    "mangled",
    [
        "r-1/report_id>",
        "r-1</report_id",
        "r-1&lt;/report_id&gt;",
        "r-1/n:report_id>",
        "r-1\\/report_id>",
        "r-1/ report_id >",
    ],
)
def test_a_mangled_end_tag_is_no_part_of_the_value(mangled: str) -> None:
    report = read_bytes(
        xml(row(), head=re.sub("(?s)<report_id>.*</report_id>", lambda _: f"<report_id>{mangled}", HEAD))
    )
    assert report.head["report.id"] == "r-1"
    assert "report.id: its mangled end tag was cut off" in report.head["warnings"]


def test_mangled_ends_of_rows() -> None:
    data = xml(
        row("192.0.2.1/source_ip>", "7/count>", identifiers="<header_from>example.org/header_from></header_from>")
    )
    fields = only(data)
    assert (fields["source.ip"], fields["count"], fields["identifiers.header_from"]) == ("192.0.2.1", 7, "example.org")
    assert len(fields["warnings"]) == 3


def test_another_end_tag_is_part_of_the_value() -> None:
    head = HEAD.replace("r-1", "r-1/org_name").replace("Example<", "https://example.com/org_name<")
    found = read_bytes(xml(row(), head=head)).head
    assert (found["report.id"], found["report.org_name"]) == ("r-1/org_name", "https://example.com/org_name")


@pytest.mark.parametrize(
    ("disposition", "stored", "warned"),
    [
        ("reject", "reject", None),
        ("Reject ", "reject", None),
        ("reject;drop", "reject", "policy_evaluated.disposition: reject;drop read as reject"),
        ("none|reject", "none|reject", "policy_evaluated.disposition: none|reject is none of its words"),
        ("drop", "drop", "policy_evaluated.disposition: drop is none of its words"),
    ],
)
def test_words(disposition: str, stored: str, warned: str | None) -> None:
    fields = only(xml(row(evaluated=f"<disposition>{disposition}</disposition><dkim>pass</dkim>")))
    assert fields["policy_evaluated.disposition"] == stored
    assert fields.get("warnings") == ([warned] if warned else None)


def test_an_address_in_the_place_of_a_domain() -> None:
    """It is classified like the domain itself, and nobody's mailbox is stored."""
    named = "<header_from>news@example.org</header_from><envelope_from>bounce@example.org</envelope_from>"
    fields = only(xml(row(identifiers=named)))
    plain = only(xml(row(identifiers=named.replace("news@", "").replace("bounce@", ""))))
    assert fields.pop("warnings") == [
        "identifiers.header_from: the domain of an address",
        "identifiers.envelope_from: the domain of an address",
    ]
    assert fields == plain


def test_what_is_no_domain_is_raw() -> None:
    fields = only(
        xml(
            row(
                identifiers="<header_from>a.example b.example</header_from>",
                results="<dkim><domain>c d</domain></dkim>",
            )
        )
    )
    assert fields["raw.identifiers.header_from"] == "a.example b.example"
    assert fields["raw.auth_results.dkim.domain"] == "c d"
    assert "identifiers.header_from" not in fields
    assert len(fields["warnings"]) == 2


def test_a_bare_report_without_any_date_is_stored_and_kept(tmp_path: Path) -> None:
    """It stands under the day it was stored, in the index of what is not believed; and a copy of it is kept."""
    store = SqliteStore(str(tmp_path / "reports.sqlite"))
    job = Job(lambda: store, lambda: "2026-11-21T08:00:00Z", tmp_path / "kept")
    data = xml(row(), head=HEAD.replace("<begin>1795046400</begin><end>1795132799</end>", "<begin>0</begin>"))
    outcome = process(Memory(data), job)
    assert outcome.written.stored == 2
    assert outcome.kept
    assert outcome.verdict is not None
    assert outcome.verdict.category == "salvaged"
    assert [one.category for one in listing(tmp_path / "kept")] == ["salvaged"]
    found = list(store.scan())
    assert len(found) == 2
    assert all(b'"@timestamp":"2026-11-21T08:00:00Z"' in one.source for one in found)
    assert process(Memory(data), job).written == Written(0, 2)
    store.close()


def test_two_reports_under_one_id_are_told_in_the_log(tmp_path: Path) -> None:
    """As rspamd sends them: rows that are equal in both are stored once, and the second report is another version."""
    store = SqliteStore(str(tmp_path / "reports.sqlite"))
    job = Job(lambda: store, lambda: "2026-11-21T08:00:00Z", tmp_path / "kept")
    first, second = xml(row(), row("192.0.2.2", "7")), xml(row(), row("192.0.2.3", "2"))
    assert process(Memory(first), job).notes == ()
    outcome = process(Memory(second), job)
    assert outcome.written == Written(2, 1)
    assert [note.partition(":")[0] for note in outcome.notes] == ["1 of 3 documents were there before"]
    assert process(Memory(second), job).notes == ()
    reports = [one for one in (decode(one.source) for one in store.scan()) if one["event.dataset"] == "report"]
    assert len(reports) == 2
    assert len({one["report.identity"] for one in reports}) == 1
    store.close()


@pytest.mark.parametrize(
    ("before", "after", "name", "value"),
    [
        ("<org_name>", "<org_name/><org_name>", "report.org_name", "Example"),
        ("<report_id>", "<report_id> </report_id><report_id>", "report.id", "r-1"),
        ("<domain>", "<domain></domain><domain>", "policy_published.domain", "example.org"),
    ],
)
def test_an_empty_value_does_not_hide_the_other(before: str, after: str, name: str, value: str) -> None:
    one, _ = documents(xml(row(), head=HEAD.replace(before, after, 1)))
    assert one.fields[name] == value


def test_neither_does_one_of_a_record() -> None:
    one = only(xml(row(identifiers="<header_from/><header_from>a.example</header_from>")))
    assert one["identifiers.header_from"] == "a.example"
    assert one["warnings"] == ["header_from: one of several is used"]


def test_dates_in_attributes() -> None:
    head = re.sub(r"<(begin|end)>(\d+)</\1>", r'<\1 value="\2"/>', HEAD)
    one, _ = documents(xml(row(), head=head))
    assert {"report.begin", "report.end"} <= one.fields.keys()
