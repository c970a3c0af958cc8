"""DMARC aggregate reports: the corpus, what reporters do, ids, bounds."""

import gc
import hashlib
import ipaddress
import json
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from email_report_processor.documents.datasets import AGGREGATE, BY_NAME, REPORT
from email_report_processor.documents.document import Document, make_id, sum_ids
from email_report_processor.documents.encode import decode, encode
from email_report_processor.message.blob import Memory, chunks
from email_report_processor.message.bounds import Bounds, Problem
from email_report_processor.message.mail import looks_like_mail, read_mail
from email_report_processor.message.payload import Damaged, OverBound, Payload, find_payloads
from email_report_processor.reports import repetitions
from email_report_processor.reports.dmarc_aggregate import read
from email_report_processor.reports.reading import read_message
from email_report_processor.reports.repetitions import Exact, Table
from email_report_processor.reports.report import Context, Envelope, Options, Report
from email_report_processor.values.fields import read_address
from tests.linear import assert_linear
from tests.places import CORPUS, GOLDEN

GOLDEN_IDS = [
    "cb1183dae05e7904426e6c6a0fa5c579b3653664",
    "85ef768ae121de6c1a98fd747395c880728de510",
]  # of one small report; a change would store every report again
CONTEXT = Context(Envelope(bare=True), Options())


def payload(data: bytes, size: int = 65536) -> Payload:
    return Payload("here", "", lambda: (data[start : start + size] for start in range(0, len(data), size)))


def read_bytes(data: bytes, context: Context = CONTEXT) -> Report:
    report = read(payload(data), context)
    assert isinstance(report, Report), report
    return report


@pytest.mark.parametrize("size", [1, 7, 65536])
@pytest.mark.parametrize("prefix", ["", "n:"])
def test_of_several_reports_in_one_file_the_first_is_read(size: int, prefix: str) -> None:
    """The second one's records would be taken for the first one's: nobody counts for somebody else's domain."""

    def one(id_: str) -> bytes:
        return (
            f"<{prefix}feedback xmlns:n='x'><report_metadata><report_id>{id_}</report_id></report_metadata>"
            f"<record><row><source_ip>192.0.2.{id_}</source_ip></row></record></{prefix}feedback >\n"
        ).encode()

    report = read(payload(one("1") + b"<?xml version='1.0'?>" + one("2") + one("3"), size), CONTEXT)
    assert isinstance(report, Report)
    alone = read_bytes(one("1"))
    assert [document.id for document in report.documents()] == [document.id for document in alone.documents()]
    assert report.head["salvaged"]
    assert "salvaged: another report follows in the same file, and was not read" in report.head["warnings"]
    wide = read(payload((one("1") + one("2")).decode().encode("utf-16")), CONTEXT)
    assert isinstance(wide, Problem)
    assert "several" in wide.reason


# --- golden pairs ---

PAIRS = sorted(one for one in (GOLDEN / "dmarc-aggregate").iterdir() if one.suffix != ".json")
# What the process adds to documents of every kind, and what needs settings.
NOT_OURS = {"event.ingested", "report.feed", "class", "class_rule", "source.name", "source.name_rule"}
NOT_OURS |= {name for name in AGGREGATE.by_name if name.startswith(("source.as.", "source.geo."))}


def golden(path: Path) -> list[Document]:
    reading = read_message(path.read_bytes())
    assert not reading.problems
    return [document for report in reading.reports for document in report.documents()]


@pytest.mark.parametrize("path", PAIRS, ids=lambda path: path.stem)
def test_golden(path: Path) -> None:
    expected = json.loads(path.with_suffix(".json").read_text())
    assert [[one.dataset, one.id, one.fields] for one in golden(path)] == expected


def test_golden_documents_have_every_field_and_no_other() -> None:
    seen: dict[str, set[str]] = {AGGREGATE.name: set(), REPORT.name: set()}
    for document in [document for path in PAIRS for document in golden(path)]:
        for name, value in document.fields.items():
            inner = value if isinstance(value, list) and isinstance(value[0], dict) else ()
            names = {f"{name}.{key}" for one in inner for key in one} or {name}
            seen[document.dataset] |= {one for one in names if not one.startswith("raw.")}
    assert seen[AGGREGATE.name] == AGGREGATE.by_name.keys() - NOT_OURS
    assert seen[REPORT.name] == REPORT.by_name.keys() - NOT_OURS


def test_golden_what_is_unreadable_is_raw_and_warned_of() -> None:
    raw = 0
    for document in [document for path in PAIRS for document in golden(path)]:
        for field in [name.removeprefix("raw.") for name in document.fields if name.startswith("raw.")]:
            raw += 1
            assert field not in document.fields
            assert any(warning.startswith(f"{field}: ") for warning in document.fields["warnings"])
    assert raw


# --- the corpus ---


def _files(path: Path) -> Iterator[Payload | Problem]:
    memory = Memory(path.read_bytes())
    bounds = CONTEXT.options.bounds
    if not looks_like_mail(memory.read(0, 65536)):
        yield from find_payloads(Payload("input", path.name, lambda: chunks(memory)), bounds)
        return
    parts = [read_mail(memory, mime_depth=bounds.mime_depth, mime_parts=bounds.mime_parts)]
    while parts:
        part = parts.pop(0)
        parts = [*part.parts, *parts]
        if not part.parts:
            yield from find_payloads(Payload(part.place, part.name, part.chunks), bounds)


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
        assert head.get("report.email") == (read_address(expected["email"]) or None)
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


# --- ids ---

HEAD = """<report_metadata><org_name>Example</org_name><email>dmarc@Mail.Example.COM</email>
<report_id> &lt;r-1&gt; </report_id>
<date_range><begin>1795046400</begin><end>1795132799</end></date_range></report_metadata>
<policy_published><domain>Example.org</domain><p>none</p></policy_published>"""


def row(address: str = "192.0.2.1", count: str = "1", more: str = "", **inside: str) -> str:
    evaluated = inside.get("evaluated", "<disposition>none</disposition><dkim>pass</dkim><spf>fail</spf>")
    identifiers = inside.get("identifiers", "<header_from>example.org</header_from>")
    results = inside.get("results", "<spf><domain>example.org</domain><result>pass</result></spf>")
    return (
        f"<record><row><source_ip>{address}</source_ip><count>{count}</count><policy_evaluated>{evaluated}"
        f"</policy_evaluated></row><identifiers>{identifiers}</identifiers>"
        f"<auth_results>{results}</auth_results>{more}</record>"
    )


def xml(*rows: str, head: str = HEAD) -> bytes:
    return f"<feedback>{head}{''.join(rows)}</feedback>".encode()


def ids(data: bytes) -> list[str]:
    return [document.id for document in read_bytes(data).documents()]


def only(data: bytes, context: Context = CONTEXT) -> dict[str, Any]:
    first, last = read_bytes(data, context).documents()
    assert last.dataset == REPORT.name
    return first.fields


def test_the_id_of_a_row_is_what_the_documentation_says() -> None:
    record = ["record", 3, "row", 3, "source_ip", "192.0.2.1", "count", "1"]
    record += ["policy_evaluated", 3, "disposition", "none", "dkim", "pass", "spf", "fail"]
    record += ["identifiers", 1, "header_from", "example.org"]
    record += ["auth_results", 1, "spf", 2, "domain", "example.org", "result", "pass"]
    identity = ["dmarc-aggregate", "Example", "mail.example.com", "example.org", "r-1", "1795046400", "1795132799"]
    expected = [make_id(*identity, record, 0), make_id(*identity, record, 1)]
    *found, report = ids(xml(row(), row()))
    assert found == expected
    assert report == make_id("report", *identity, sum_ids(expected))
    head = read_bytes(xml(row(), row())).head
    assert head["report.identity"] == make_id("report", *identity)


def test_golden_ids_never_change() -> None:
    assert ids(xml(row())) == GOLDEN_IDS


@pytest.mark.parametrize(
    "other",
    [
        xml(row()).replace(b"><", b">\r\n  <"),
        xml(row()).replace(b"feedback>", b"n:feedback>").replace(b"record>", b"n:record>").replace(b"row>", b"m:row>"),
        xml(row()).replace(b"<row>", b"<!-- x --><row lang='a>b'><?pi?>"),
        xml(row()).replace(b"example.org</header", b"<![CDATA[example]]>&#46;org</header"),
        b"\xef\xbb\xbf" + xml(row()),
        xml(row()).decode().encode("utf-16"),
        xml(row()) + b"\0\0junk<",
        xml(row())[:-11],
        xml(row(), "<record><row>")[:-11],
        xml(row(), head=HEAD.replace("<policy", "<generator>new</generator><policy")),
    ],
)
def test_ids_do_not_depend_on_the_spelling_of_xml(other: bytes) -> None:
    assert ids(other) == ids(xml(row()))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Example<", "Other<"),
        ("@Mail.Example.COM", "@example.net"),
        ("r-1", "R-1"),
        ("1795046400", "1795046401"),
        ("1795132799", "1795132798"),
        (">Example.org<", ">example.net<"),
        (">192.0.2.1<", ">192.0.2.2<"),
        ("<count>1<", "<count>01<"),
        ("<spf>fail<", "<spf>Fail<"),
        ("</auth_results>", "</auth_results><ext><x>1</x></ext>"),
        ("header_from>", "envelope_from>"),
    ],
)
def test_ids_depend_on_what_was_reported(before: str, after: str) -> None:
    changed = xml(row()).replace(before.encode(), after.encode())
    assert not set(ids(changed)) & set(ids(xml(row())))


def test_the_message_changes_no_id() -> None:
    context = Context(Envelope("other@id", "other.example", "2026-11-21T00:00:00Z", {"dkim": ()}), Options(feed="x"))
    assert [document.id for document in read_bytes(xml(row()), context).documents()] == ids(xml(row()))


@given(st.lists(st.sampled_from(["192.0.2.1", "192.0.2.2", "192.0.2.3"]), max_size=9), st.randoms())
@settings(max_examples=50)
def test_the_order_of_rows_does_not_matter(addresses: list[str], random: Any) -> None:
    rows = [row(address) for address in addresses]
    *first, report = ids(xml(*rows))
    random.shuffle(rows)
    *second, again = ids(xml(*rows))
    assert sorted(first) == sorted(second)
    assert len(set(first)) == len(rows)
    assert report == again


@given(st.lists(st.integers(0, 20), max_size=200))
def test_repetitions_are_counted_alike_by_dict_and_table(numbers: list[int]) -> None:
    digests = [hashlib.sha256(bytes([number])).digest() for number in numbers]
    exact, table = Exact(), Table(len(digests))
    expected = [numbers[:place].count(number) for place, number in enumerate(numbers)]
    assert [exact.count(one) for one in digests] == expected
    assert [table.count(one) for one in digests] == expected


def test_the_table_is_linear_and_full() -> None:
    same = hashlib.sha256(b"x").digest()

    def fill(rows: int) -> Table:
        table = Table(rows)
        for number in range(rows // 2):
            assert table.count(same) == number
        for number in range(rows // 2 - 1):
            assert table.count(hashlib.sha256(b"%d" % number).digest()) == 0
        return table

    assert_linear(fill, lambda size: size, 10_000)
    table = fill(200_000)
    assert table.slots.itemsize * len(table.slots) <= 2_100_000


def test_huge_reports_use_the_table_and_have_the_same_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row(), row("192.0.2.2"), row(), row()]
    expected = ids(xml(*rows))
    monkeypatch.setattr(repetitions, "HUGE", 3)
    assert isinstance(repetitions.repetitions(4), Table)
    assert ids(xml(*rows)) == expected


# --- what reporters do ---


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (HEAD, "draft"),
        ("<version>1.0</version>" + HEAD, "rfc7489"),
        ("<version>0.1</version>" + HEAD, "rfc7489"),
        (HEAD.replace("<p>", "<np>none</np><p>"), "draft"),  # RFC 9091
        (HEAD.replace("<p>", "<testing>n</testing><p>"), "rfc9990"),
        (HEAD.replace("<p>", "<discovery_method>psl</discovery_method><p>"), "rfc9990"),
        (HEAD.replace("<email>", "<generator>x</generator><email>"), "rfc9990"),
    ],
)
def test_format(head: str, expected: str) -> None:
    assert only(xml(row(), head=head))["report.format"] == expected


@pytest.mark.parametrize("attribute", ["xmlns", "xmlns:n", " xmlns = "])
def test_format_by_namespace(attribute: str) -> None:
    name = attribute if "=" in attribute else f"{attribute}="
    start = f"<feedback {name}'urn:ietf:params:xml:ns:dmarc-2.0'>".encode()
    assert only(xml(row()).replace(b"<feedback>", start))["report.format"] == "rfc9990"


@pytest.mark.parametrize(
    ("dates", "received", "stamp", "warning"),
    [
        ("<begin>1795046400</begin><end>1795132800</end>", "", "2026-11-19T12:00:00Z", None),
        ("<begin>1795046400</begin><end>1795046400</end>", "", "2026-11-19T00:00:00Z", None),
        (
            "<begin>1795132800</begin><end>1795046400</end>",
            "",
            "2026-11-20T00:00:00Z",
            "report.end: before report.begin",
        ),
        (
            "<begin>1795046400</begin><end>7983532800</end>",
            "2026-11-20T07:00:00Z",
            "2026-11-20T07:00:00Z",
            "report.end: more than 400 days after report.begin",
        ),
        ("<begin>1795046400</begin><end>1829606400</end>", "", "2027-06-07T00:00:00Z", None),
        ("<end>1795132800</end>", "2026-12-01T00:00:00Z", "2026-11-20T00:00:00Z", "report.begin: missing"),
        ("<begin>1795046400</begin>", "2026-11-20T07:00:00Z", "2026-11-20T07:00:00Z", "report.end: missing"),
        ("<begin>1795046400</begin>", "", "2026-11-19T00:00:00Z", "report.end: missing"),
        ("<begin>x</begin><end>-1</end>", "2026-11-20T07:00:00Z", "2026-11-20T07:00:00Z", "report.end: not a date"),
        ("", "", None, "@timestamp: when it was stored, as neither the report nor a message has a date"),
        ("<begin>0</begin><end>0</end>", "", None, "report.begin: not a date"),
        ("<begin>20261399</begin><end>20261398</end>", "", None, "report.end: not a date"),
    ],
)
def test_time(dates: str, received: str, stamp: str | None, warning: str | None) -> None:
    head = HEAD.replace("<begin>1795046400</begin><end>1795132799</end>", dates)
    context = Context(Envelope(received=received), Options())
    report = read_bytes(xml(row(), head=head), context)
    for document in report.documents():
        assert document.fields.get("@timestamp") == stamp
    assert report.head["salvaged"] is (stamp is None)
    warnings = report.head.get("warnings", [])
    assert warning in warnings if warning else warnings == []


def test_delay_feed_and_authentication() -> None:
    envelope = Envelope(received="2026-11-20T00:00:09Z", authentication={"dkim": ("reports.example.com",)})
    head = read_bytes(xml(row()), Context(envelope, Options(feed="rua"))).head
    assert head["report.delay"] == 10
    assert head["report.feed"] == "rua"
    assert head["report.authentication"] == "pass"
    early = read_bytes(xml(row()), Context(envelope._replace(received="2026-11-19T22:00:00Z"), Options())).head
    assert early["report.delay"] == -7199
    assert early["warnings"] == ["report.delay: the message is older than the end of its period"]
    envelope = envelope._replace(authentication={"dkim": ("example.net",)})
    assert read_bytes(xml(row()), Context(envelope, Options())).head["report.authentication"] == "fail"


@pytest.mark.parametrize(
    "said", ["&lt;dmarc@example.net>", "\u2039dmarc@example.net\u203a", "Team &lt;dmarc@example.net&gt;"]
)
def test_an_address_in_brackets(said: str) -> None:
    envelope = Envelope(authentication={"dkim": ("example.net",)})
    head = HEAD.replace("dmarc@Mail.Example.COM", said)
    found = read_bytes(xml(row(), head=head), Context(envelope, Options())).head
    assert (found["report.email"], found["report.authentication"]) == ("dmarc@example.net", "pass")


@pytest.mark.parametrize(
    ("evaluated", "expected"),
    [
        ("<dkim>pass</dkim><spf>fail</spf>", "pass"),
        ("<dkim>fail</dkim><spf>PASS</spf>", "pass"),
        ("<dkim>fail</dkim><spf>fail</spf>", "fail"),
        ("<dkim>fail</dkim>", "fail"),
        ("<dkim></dkim><spf/>", None),
        ("<disposition>none</disposition>", None),
    ],
)
def test_dmarc_result(evaluated: str, expected: str | None) -> None:
    assert only(xml(row(evaluated=evaluated))).get("dmarc.result") == expected


@pytest.mark.parametrize(
    ("element", "reported", "expected"),
    [
        ("spf", "hardfail", "fail"),
        ("spf", "Unknown", "temperror"),
        ("spf", "error", "permerror"),
        ("dkim", "hardfail", "fail"),
        ("dkim", "error", "permerror"),
        ("dkim", "unknown", "unknown"),
    ],
)
def test_words_of_old(element: str, reported: str, expected: str) -> None:
    fields = only(xml(row(results=f"<{element}><domain>a</domain><result>{reported}</result></{element}>")))
    assert fields[f"auth_results.{element}"] == [{"domain": "a", "result": expected}]
    assert fields.get("warnings", []) == (
        [f"auth_results.{element}.result: {reported.lower()} read as {expected}"]
        if reported.lower() != expected
        else ["auth_results.dkim.result: unknown is none of its words"]
    )


def test_missing_address_and_count() -> None:
    fields = only(xml("<record><identifiers><header_from>example.org</header_from></identifiers></record>"))
    assert fields["warnings"] == ["source.ip: missing", "count: missing"]
    assert not {"source.ip", "count", "raw.source.ip"} & fields.keys()
    assert fields["identifiers.header_from"] == "example.org"


@pytest.mark.parametrize(
    ("count", "expected"), [("1000000000", 10**9), ("1000000001", None), ("1e3", None), ("0", 0), (" 7.0 ", 7)]
)
def test_count(count: str, expected: int | None) -> None:
    fields = only(xml(row(count=count)))
    assert fields.get("count") == expected
    assert fields.get("raw.count") == (None if expected is not None else count)


@pytest.mark.parametrize(
    ("identifiers", "expected"),
    [("<envelope_from/>", ""), ("<envelope_from> </envelope_from>", ""), ("", None), ("<envelope_to/>", None)],
)
def test_the_null_reverse_path_is_not_nothing(identifiers: str, expected: str | None) -> None:
    fields = only(xml(row(identifiers=identifiers)))
    assert fields.get("identifiers.envelope_from") == expected
    assert "identifiers.envelope_to" not in fields


def test_what_is_not_in_its_place_still_counts() -> None:
    inside = "<source_ip>192.0.2.1</source_ip><count>2</count><dkim>pass</dkim><identities><header_from>A</header_from>"
    fields = only(xml(f"<record>{inside}</identities></record>"))
    assert fields["source.ip"] == "192.0.2.1"
    assert fields["count"] == 2
    assert fields["policy_evaluated.dkim"] == "pass"
    assert fields["identifiers.header_from"] == "a"


def test_extensions_are_skipped() -> None:
    extension = "<e><row><count>9</count></row><dkim><domain>x</domain></dkim><source_ip>192.0.2.9</source_ip></e>"
    fields = only(xml(row(more=extension), head=HEAD + "<e><policy_published><sp>none</sp></policy_published></e>"))
    assert fields["source.ip"] == "192.0.2.1"
    assert fields["count"] == 1
    assert "auth_results.dkim" not in fields
    assert "policy_published.sp" not in fields


def test_strings_are_cut_and_cleaned() -> None:
    long = "x" * 4097
    results = f"<dkim><domain>d</domain><selector>a\u202eb</selector><human_result>{long}</human_result></dkim>"
    fields = only(xml(row(results=results)))
    assert fields["auth_results.dkim"] == [{"domain": "d", "selector": "ab", "human_result": long[:4096]}]
    assert fields["warnings"] == ["auth_results.dkim.human_result: cut at 4096 characters"]
    assert "warnings" not in only(xml(row(results=results.replace(long, long[:4096]))))


def test_a_hundred_signatures() -> None:
    one = "<dkim><domain>a</domain></dkim>"
    assert len(only(xml(row(results=one * 100)))["auth_results.dkim"]) == 100
    fields = only(xml(row(results=one * 101)))
    assert len(fields["auth_results.dkim"]) == len(fields["dkim.signatures"]) == 100
    assert fields["warnings"] == ["auth_results.dkim: the first 100 of 101 are used"]


def test_several_policies() -> None:
    second = "<policy_published><domain>example.net</domain><sp>none</sp></policy_published>"
    fields = only(xml(row(), head=HEAD + second))
    assert fields["policy_published.domain"] == "example.org"
    assert "policy_published.sp" not in fields
    head = read_bytes(xml(row(), head=HEAD + second)).head
    assert head["report.domain"] == ["example.org"]
    assert head["warnings"] == ["policy_published: the first of 2 is used"]


@pytest.mark.parametrize(
    "make",
    [
        lambda size: xml(head=HEAD + "<policy_published><p>none</p></policy_published>" * size),
        lambda size: xml(head=HEAD + "<error>x</error>" * size),
        lambda size: xml(row(results="<dkim><domain>a</domain></dkim>" * size)),
        lambda size: xml(row(evaluated="<reason><type>a</type></reason>" * size)),
    ],
    ids=["policies", "errors", "signatures", "reasons"],
)
def test_time_is_linear(make: Callable[[int], bytes]) -> None:
    assert_linear(_read_all, make, 1_000)  # a record may have 20,000 tags


# --- not ours, or not readable ---


@pytest.mark.parametrize(
    "data", [b"", b"unused", b"<html><feedback/></html>", b"Have you seen our <feedback> element?", b"{}", b"<a/>"]
)
def test_none(data: bytes) -> None:
    assert read(payload(data), CONTEXT) is None


@pytest.mark.parametrize(
    ("data", "bounds", "reason"),
    [
        (b"<feedback/>", Bounds(), "without metadata and without records"),
        (b"<!DOCTYPE feedback>" + xml(), Bounds(), "DOCTYPE"),
        (xml(row(), row()), Bounds(rows=1), "bounds.rows = 1"),
        (xml(row()), Bounds(xml_depth=4), "bounds.xml_depth = 4"),
        (xml(row(more="x" * 2000)), Bounds(record_bytes=2000), "bounds.record_bytes = 2000"),
    ],
)
def test_problem(data: bytes, bounds: Bounds, reason: str) -> None:
    found = read(payload(data), Context(Envelope(), Options(bounds=bounds)))
    assert isinstance(found, Problem)
    assert found.place == "here"
    assert reason in found.reason


def test_the_payloads_own_faults() -> None:
    def over() -> Iterator[bytes]:
        yield xml(row())
        raise OverBound("more than bounds.xml_bytes = 9")

    def damaged(data: bytes) -> Payload:
        def pieces() -> Iterator[bytes]:
            yield data
            raise Damaged("the gzip data end early")

        return Payload("here", "", pieces)

    found = read(Payload("here", "", over), CONTEXT)
    assert isinstance(found, Problem)
    assert "xml_bytes" in found.reason
    found = read(damaged(xml(row())[:-50]), CONTEXT)
    assert isinstance(found, Problem)
    assert "gzip" in found.reason
    found = read(damaged(xml(row(), row())[:-50]), CONTEXT)
    assert isinstance(found, Report)
    assert found.rows == 1
    assert found.head["salvaged"]


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    for whole in (data, b"<feedback>" + data, HEAD.encode() + b"<record>" + data + b"</record>"):
        _read_all(whole)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255), st.integers(0, 40)), max_size=12))
@settings(max_examples=200)
def test_any_mutation(changes: list[tuple[int, int, int]]) -> None:
    data = (PAIRS[0].parent / "draft.xml").read_bytes() + (PAIRS[0].parent / "rfc7489.xml").read_bytes()
    for place, byte, length in changes:
        at = place % len(data)
        data = data[:at] + bytes([byte]) + data[at + length :]
    _read_all(data)


def _read_all(data: bytes) -> None:
    """Nothing in it raises; what is found can be stored, and every field is one of the dataset."""
    report = read(payload(data), CONTEXT)
    if not isinstance(report, Report):
        return
    documents = list(report.documents())
    assert len({document.id for document in documents}) == len(documents) == report.rows + 1
    for document in documents:
        assert decode(encode(document.fields)) == document.fields
        known = BY_NAME[document.dataset].by_name.keys() | {"auth_results.dkim", "auth_results.spf"}
        assert {name for name in document.fields if not name.startswith("raw.")} <= known
        assert len(document.fields.get("warnings", ())) <= 20
        assert all(len(warning) < 160 for warning in document.fields.get("warnings", ()))


def test_what_is_remembered_of_odd_reports_is_little() -> None:
    """A stranger's heads and dates, each of them another one, leave next to nothing behind."""
    list(read_bytes(xml(row())).documents())
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(20):
            odd = "".join(f"<a{number}x{one}/>" for one in range(4000))
            date = f"<report_metadata><report_id>{number}</report_id><end>{number:0100000}</end></report_metadata>"
            found = read_bytes(xml(row(more=odd), head=date + odd))
            assert len(list(found.documents())) == 2
        del found
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] - before < 2 * 1024**2
    finally:
        tracemalloc.stop()
