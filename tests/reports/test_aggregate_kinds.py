"""Rows that repeat are recognised: what is said of them is what is said when each is read by itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import messages
from email_report_processor.documents.classify import Site
from email_report_processor.documents.completion import Completion
from email_report_processor.documents.encode import encode
from email_report_processor.message.bounds import Bounds, Problem
from email_report_processor.reports import aggregate_kinds, dmarc_aggregate, repetitions
from email_report_processor.reports.dmarc_aggregate import read
from email_report_processor.reports.reading import read_message
from email_report_processor.reports.report import Context, Envelope, Options
from email_report_processor.reports.xml import unlike
from email_report_processor.values.fields import read_ip
from tests.places import CORPUS, GOLDEN
from tests.reports.test_dmarc_aggregate import CONTEXT, HEAD, payload, row, xml


@contextmanager
def switched_off() -> Iterator[None]:
    """Each record is read by itself."""
    each = patch.object(aggregate_kinds.Kinds, "rows", aggregate_kinds.Kinds._read)
    with patch.object(dmarc_aggregate, "_usual", lambda *_: None), each:
        yield


def said(data: bytes, context: Context = CONTEXT) -> Any:
    """Everything that is said of a payload."""
    found = read(payload(data), context)
    if found is None or isinstance(found, Problem):
        return found
    return found.head, found.rows, [(one.dataset, one.id, one.fields) for one in found.documents()]


def is_recognised(data: bytes, bounds: Bounds = CONTEXT.options.bounds) -> bool:
    found = dmarc_aggregate._survey(payload(data), bounds)
    return found is not None and found.rows is not None


def assert_alike(data: bytes, context: Context = CONTEXT) -> None:
    """Twice, as the second time all kinds are known."""
    with switched_off():
        expected = said(data, context)
    assert said(data, context) == expected
    assert said(data, context) == expected


def generated(rows: int) -> bytes:
    return b"".join(messages.xml(rows))


@pytest.mark.parametrize("rows", [1, 9, 3000])
def test_generated_reports(rows: int) -> None:
    data = generated(rows)
    assert is_recognised(data)
    assert_alike(data)


def test_more_rows_than_the_dict_of_repetitions_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repetitions, "HUGE", 100)
    assert_alike(xml(*[row(f"192.0.2.{number % 7}", str(number % 3)) for number in range(300)]))


def files() -> list[Path]:
    golden = [one for one in GOLDEN.glob("dmarc-aggregate/*") if one.suffix != ".json"]
    return sorted(golden + [one for one in CORPUS.glob("aggregate*/*") if one.stat().st_size < 300_000])


def test_golden_pairs_and_the_corpus() -> None:
    """Messages that share kinds, one after the other."""
    quick = [_documents(path) for path in files()]
    with switched_off():
        assert [_documents(path) for path in files()] == quick


def _documents(path: Path) -> list[Any]:
    reading = read_message(path.read_bytes())
    return [
        reading.problems,
        [(one.dataset, one.id, one.fields) for report in reading.reports for one in report.documents()],
    ]


@pytest.mark.parametrize(
    "data",
    [
        xml(row("2001:db8::1"), row("2001:DB8::1"), row("2001:db8:0:0::1")),
        xml(row("3232235777"), row("cafe")),
        xml(row("192.0.2.010"), row("192.0.2.1 "), row("")),
        xml(row(count="0"), row(count="01"), row(count="1000000001"), row(count="-1"), row(count="2.0")),
        xml(row(more="<x>&amp;&#65;</x>"), row(more="<x>%s %% %</x>"), row(more="<x>é \N{PILE OF POO}</x>")),
        xml(row(evaluated="<disposition>drop</disposition>"), row(results="<spf>pass</spf>")),
        xml(row(), row().replace("<record>", "<record >"), row().replace("record>", "n:record>")),
        xml(row(more="<row><source_ip>192.0.2.2</source_ip></row>")),
        xml(row(more="<count>7</count>"), row(more="<source_ip>192.0.2.9</source_ip>")),
        xml(row(more="<record/>")),
        xml(row(), head=HEAD) + xml(row("192.0.2.2"), head=HEAD.replace("r-1", "r-2")),
        xml(row()).replace(b"<feedback>", b"<?xml version='1.0' encoding='us-ascii'?><feedback lang='\xc3\xa9'>"),
        xml(row()).replace(b"<feedback>", b"<?xml version='1.0' encoding='iso-8859-1'?><feedback a='\xe9'>"),
        b"\xef\xbb\xbf" + xml(row()),
        xml(row()).decode().encode("utf-16"),
        xml(row().replace("</auth_results>", "")),
        xml(row(more="&unknown;")),
        xml(row(more="\x01")),
        xml(row())[:-3],
        xml(row()) + b"<tail/>",
        b"<!-- x -->" + xml(row()),
        xml(row(), "<!-- <record> -->", row()),
        xml(row(), "<!DOCTYPE x>", row()),
        xml(row(), "</record>", row()),
        xml(row(), "text & more", row()),
        xml(),
    ],
)
def test_what_is_unusual(data: bytes) -> None:
    assert_alike(data)
    # Its kinds are known now, and stand among others.
    assert_alike(data.replace(b"</feedback>", row("192.0.2.77").encode() + b"</feedback>", 1))


PIECES = st.sampled_from(
    [
        *(row(), row("192.0.2.2", "3"), row(more="\n"), row(more="<x/>"), row(evaluated=""), row("2001:db8::9")),
        *("<record>", "</record>", "<row>", "</row>", "<", ">", "&", "&amp;", "\r\n", " ", "<!--", "-->", "<![CDATA["),
        *("record", "<x>", "</x>", "<record/>", "<source_ip>", "</source_ip>", "<count>1</count>", "é", "\0"),
    ]
)


@given(st.lists(PIECES, max_size=8), st.integers(1, 400))
@settings(max_examples=150)
def test_any_report(pieces: list[str], size: int) -> None:
    data = xml(row(), *pieces, row("192.0.2.3"))
    with switched_off():
        expected = said(data)
    assert said(data) == expected
    found = read(payload(data, size), CONTEXT)
    assert (found is None or isinstance(found, Problem)) == (expected is None or isinstance(expected, Problem))


@pytest.mark.parametrize(
    "bounds",
    [
        Bounds(rows=2),
        Bounds(xml_depth=4),
        Bounds(record_bytes=300),
        Bounds(max_count=5),
        Bounds(max_count=5000),
        Bounds(string_chars=9),
    ],
)
def test_bounds(bounds: Bounds) -> None:
    context = Context(Envelope(bare=True), Options(bounds=bounds))
    for count in ("4", "5", "6", "4999", "5000", "5001"):
        assert_alike(xml(row(), row("192.0.2.2", count)), context)


def test_a_kind_that_was_never_well_formed_is_shown_to_expat() -> None:
    broken = xml(row(more="&unknown;"))
    for _ in range(3):
        found = read(payload(broken), CONTEXT)
        assert not isinstance(found, Problem | None)
        assert found.head["salvaged"]
    assert not is_recognised(broken)


def test_rows_of_too_many_kinds_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aggregate_kinds, "KEPT", 5)
    few = xml(*[row(evaluated=f"<x>{number}</x>") for number in range(5)])
    many = xml(*[row(evaluated=f"<x>{number}</x>") for number in range(6)], row("192.0.2.9"), row("192.0.2.10"))
    assert is_kept(few)
    assert is_recognised(many)
    assert not is_kept(many)
    assert_alike(few)
    assert_alike(many)
    for odd in (
        "<row><count>7</count></row>",
        "<record/>",
        "&unknown;",
        "<a>" * 80 + "</a>" * 80,
        "<a>" * 64 + "</a>" * 64,
    ):
        assert_alike(many.replace(b"</feedback>", row("192.0.2.7", more=odd).encode() + b"</feedback>"))


def is_kept(data: bytes) -> bool:
    found = dmarc_aggregate._survey(payload(data), CONTEXT.options.bounds)
    return found is not None and found.rows is not None and found.rows.kept


@given(st.lists(st.integers(0, 12), max_size=60))
@settings(max_examples=60)
def test_what_is_remembered_changes_nothing(kinds: list[int]) -> None:
    """Of few kinds, so that they are forgotten and met again."""
    rows = [
        row(f"192.0.2.{at}", evaluated=f"<x>{kind // 2}</x>", more="<y/>" * (kind % 2)) for at, kind in enumerate(kinds)
    ]
    odd = [row(f"192.0.2.{kind} ") for kind in kinds]
    with (
        patch.object(aggregate_kinds, "KEPT", 2),
        patch.object(unlike, "REMEMBERED", 2),
        patch.object(aggregate_kinds, "REMEMBERED", 1),
        patch.object(aggregate_kinds, "FEW", 1),
    ):
        dmarc_aggregate.kinds_of.cache_clear()
        assert_alike(xml(*rows))
        assert_alike(xml(*rows, *odd))
    dmarc_aggregate.kinds_of.cache_clear()


def test_kinds_that_come_again_and_again_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """More of them than are remembered: each costs as much as a new one, every time."""
    monkeypatch.setattr(aggregate_kinds, "KEPT", 3)
    monkeypatch.setattr(unlike, "REMEMBERED", 4)
    context = Context(Envelope(bare=True), Options(bounds=Bounds(kinds=40)))
    few = [row(evaluated=f"<x>{number}</x>") for number in range(4)]
    many = [row(evaluated=f"<x>{number}</x>") for number in range(20)]
    assert not isinstance(read(payload(xml(*few * 100)), context), Problem)
    found = read(payload(xml(*many * 20)), context)
    assert isinstance(found, Problem)
    assert "bounds.kinds = 40" in found.reason
    with switched_off():
        assert read(payload(xml(*many * 20)), context) == found


def test_rows_of_one_kind_are_written_into_one_form() -> None:
    completion, plain = (Completion("2026-11-21T08:00:00Z", Site()) for _ in range(2))
    data = xml(row(), row("192.0.2.2"), row(evaluated="<disposition>100%s</disposition>"), row("x"), row("192.0.2.3"))
    for one, other in zip(read_twice(data), read_twice(data), strict=True):
        assert completion.encode(one) == encode(other.own, plain.layers(other))


def read_twice(data: bytes) -> list[Any]:
    found = read(payload(data), CONTEXT)
    assert not isinstance(found, Problem | None)
    return list(found.documents())


def test_records_unlike_each_other_are_bounded() -> None:
    """Each costs as much as ten that are alike."""

    def found(rows: int, bounds: Bounds, more: str = "") -> Any:
        data = xml(*[row(evaluated=f"<x>{number}</x>{more}") for number in range(rows)], *[row()] * 9)
        with switched_off():
            return read(payload(data), Context(Envelope(bare=True), Options(bounds=bounds)))

    assert not isinstance(found(6, Bounds(kinds=7)), Problem)
    over = found(12, Bounds(kinds=7))
    assert isinstance(over, Problem)
    assert "bounds.kinds = 7" in over.reason
    assert isinstance(found(6, Bounds(kinds=7), "<y/>" * 100), Problem)


@given(st.ip_addresses(v=6) | st.from_regex(r"(?:(?:0|1|ffff|2001){0,1}:){2,7}(?:0|1)?", fullmatch=True).map(str))
def test_addresses_that_are_stored_as_they_are_reported(address: Any) -> None:
    """What is found out in a tenth of the time is what read_ip says, or leads to it."""
    text = str(address)
    try:
        canonical = read_ip(text) == text
    except ValueError:
        canonical = False
    quick = aggregate_kinds._is_canonical(text)
    assert quick == canonical or (canonical and text.startswith("::"))


@pytest.mark.parametrize("odd", ["2001:0db8::{:x}", "2001:DB8::{:x}"])
def test_rows_that_are_read_one_by_one_are_bounded(odd: str) -> None:
    """They have one text around address and count, and none of them is known before it is read."""
    data = xml(*[row(odd.format(number)) for number in range(60)])
    found = read(payload(data), Context(Envelope(bare=True), Options(bounds=Bounds(kinds=40))))
    assert isinstance(found, Problem)
    assert "bounds.kinds = 40" in found.reason
    assert_alike(data)


@pytest.mark.parametrize("more", ["<row><source_ip>192.0.2.2</source_ip></row>", "<recordings/>", "<y/>" * 60])
def test_so_are_records_that_are_no_kind(more: str) -> None:
    data = xml(*[row(f"192.0.2.{number}", more=more) for number in range(90)])
    found = read(payload(data), Context(Envelope(bare=True), Options(bounds=Bounds(kinds=40))))
    assert isinstance(found, Problem)
    assert "bounds.kinds = 40" in found.reason


def test_what_reports_cost_is_added_up() -> None:
    """Of two reports in a message, each with as many kinds as one may have."""

    def report(name: str) -> bytes:
        rows = [row(evaluated=f"<x>{name}{number}</x>") for number in range(30)]
        return xml(*rows, head=HEAD.replace("r-1", name))

    parts = (b"\r\n--b\r\nContent-Type: text/xml\r\n\r\n" + report(name) for name in ("r-1", "r-2", "r-3"))
    mail = b"From: a@b.example\r\nContent-Type: multipart/mixed; boundary=b\r\n" + b"".join(parts) + b"\r\n--b--\r\n"
    found = read_message(mail, Options(bounds=Bounds(cost=800)))
    assert [report.rows for report in found.reports] == [30]
    assert "bounds.cost = 800 in all reports of the message together" in found.problems[0].reason
    assert read_message(mail, Options(bounds=Bounds(cost=3000))).problems == ()
