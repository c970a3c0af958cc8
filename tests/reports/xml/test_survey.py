"""The reader of XML: as expat reads what is well-formed, and as well as can be what is not."""

import contextlib
import json
import re
from xml.etree import ElementTree as ET

import defusedxml.ElementTree
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from email_report_processor.message.bounds import Bounds
from email_report_processor.message.payload import Damaged, OverBound
from email_report_processor.reports.xml.survey import MOST_TAGS, ForbiddenError, bodies, survey
from tests.linear import assert_linear
from tests.reports.xml.read import BOUNDS, CONTAINERS, document, look, payload, records

# --- the same as another reader ---


def by_element_tree(data: bytes) -> list[str]:
    """What `records` is to find in a well-formed document, by the standard library."""

    def tokens(element: "ET.Element[str]") -> list[str | int]:
        name = element.tag.rpartition("}")[2].rpartition(":")[2]
        if not len(element):
            return [name, (element.text or "").strip()]
        return [name, len(element), *(token for child in element for token in tokens(child))]

    root = defusedxml.ElementTree.fromstring(data, forbid_dtd=True)
    found = [one for one in root.iter() if one.tag.rpartition("}")[2] == "record"]
    return [json.dumps(tokens(one), ensure_ascii=False, separators=(",", ":")) for one in found]


NAMES = st.sampled_from(
    ["row", "source_ip", "count", "a", "b-c", "d.e", "_f", "straße", "records", "recor", "auth_results"]
)
PREFIXES = st.sampled_from(["", "", "", "n:", "m-1:"])
SPACES = st.sampled_from(["", "", " ", "\n  ", "\r\n", "\t"])
ASIDES = st.sampled_from(
    ["", "", "", "<!-- x -->", "<!--<record>-->", "<!--></record>-->", "<?pi a>b?>", "<!----><!--a-->"]
)
ATTRIBUTES = st.sampled_from(
    ["", "", "", " x='1'", ' lang="e>n"', " y='\">'", ' a=\'"\' b="c>d"', ' z="</record>"'.replace("<", "&lt;")]
)
TEXTS = st.lists(
    st.one_of(
        st.text(
            st.characters(codec="utf-8", exclude_characters="<&>\x85\u2028", exclude_categories=("Cc", "Cs")),
            max_size=5,
        ),
        st.sampled_from(["&lt;", "&amp;", "&#65;", "&#x20AC;", "&#10;", " record ", "a > b", "'", '"', "\r\n", "\t"]),
        st.sampled_from(["<![CDATA[<record> & ]]>", "<![CDATA[]]>", "<![CDATA[]]]]>", "<!-- c -->", "&apos;&quot;"]),
    ),
    max_size=4,
).map("".join)


@st.composite
def elements(draw: st.DrawFn, depth: int = 0, name: str = "") -> str:
    name = draw(PREFIXES) + (name or draw(NAMES))
    space = draw(st.sampled_from(["", " ", "\n"]))
    start = f"{name}{draw(ATTRIBUTES)}{space}"
    kind = draw(st.sampled_from(["text", "empty", "children"] if depth < 4 else ["text", "empty"]))
    if kind == "empty" and name.rpartition(":")[2] != "record":
        return f"<{start}/>"
    if kind == "children":
        children = draw(st.lists(elements(depth=depth + 1), min_size=1, max_size=3))
        inside = "".join(draw(SPACES) + draw(ASIDES) + child for child in children) + draw(SPACES)
    else:
        inside = draw(TEXTS)
    return f"<{start}>{inside}</{name}{space}>"


@st.composite
def documents(draw: st.DrawFn) -> str:
    parts = draw(st.lists(st.one_of(elements(name="record"), elements(), ASIDES, SPACES), max_size=6))
    root = draw(PREFIXES) + "feedback"
    declaration = draw(st.sampled_from(["", '<?xml version="1.0"?>', "<?xml version='1.0' encoding='UTF-8' ?>\n"]))
    return f'{declaration}<{root} xmlns:n="urn:n" xmlns:m-1="urn:m">{"".join(parts)}</{root}>{draw(SPACES)}'


@given(documents())
@settings(max_examples=150)
def test_reads_what_is_well_formed_as_expat_does(text: str) -> None:
    data = text.encode()
    assert records(data) == by_element_tree(data)
    assert look(data).strict
    # The same records without their document's end, and with more behind it: salvaged, by the same words.
    broken = look(data + b"<tail>")
    assert not broken.strict
    assert records(data + b"<tail>") == by_element_tree(data)


@given(documents(), st.sampled_from(["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]))
@settings(max_examples=50)
def test_reads_every_unicode_encoding_alike(text: str, encoding: str) -> None:
    plain = re.sub(r"<\?xml .*?\?>\s*", "", text)
    data = plain.encode(encoding)
    assert records(data) == by_element_tree(plain.encode())
    assert look(data).strict


@given(documents(), st.lists(st.integers(0, 10**6), max_size=8).map(tuple))
@settings(max_examples=50)
def test_where_the_chunks_are_cut_does_not_matter(text: str, cuts: tuple[int, ...]) -> None:
    data = text.encode()
    assert survey(payload(data, cuts), BOUNDS, CONTAINERS) == look(data)
    assert list(bodies(payload(data, cuts), "utf-8", BOUNDS)) == list(bodies(payload(data), "utf-8", BOUNDS))


@pytest.mark.parametrize("size", range(65530, 65545))
def test_marks_may_be_cut_by_our_own_pieces(size: int) -> None:
    aside = "<!-- <record> --><![CDATA[<record>]]><?pi <record> ?>"
    text = document(" " * size + aside + "<record>" + aside + "<a>1</a></record>" + aside)
    assert records(text) == ['["record",1,"a","1"]']
    assert look(text).texts[-1] == "1.0"


@given(st.binary(max_size=200))
def test_any_bytes_raise_nothing(data: bytes) -> None:
    try:
        records(b"<feedback>" + data)
        records(data)
    except ForbiddenError:
        assert re.search(rb"<!\w|&", data)


@given(documents(), st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from("<>/&!?-[]\"' \0\x80")), max_size=6))
@settings(max_examples=100)
def test_broken_documents_raise_nothing(text: str, changes: list[tuple[int, str]]) -> None:
    data = bytearray(text.encode())
    for place, byte in changes:
        data[place % len(data)] = ord(byte)
    with contextlib.suppress(ForbiddenError):
        found = records(bytes(data))
        with contextlib.suppress(ET.ParseError, LookupError):  # also for namespaces, which mean nothing to us
            expected = by_element_tree(bytes(data))
            assert found == expected


def test_undeclared_prefixes_are_well_formed_enough() -> None:
    text = document("<q:record><r:a>1</r:a></q:record>")
    assert look(text).strict
    assert records(text) == ['["record",1,"a","1"]']


# --- what is none of ours ---


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"unused",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"<html><body><feedback></body></html>",
        b"\n<!DOCTYPE HTML><html><feedback></feedback></html>",
        b"<rss><feedbacks/></rss>",
        b'{"policies": []}',
        b"Please send feedback to <feedback@example.com>.",
        b"&lt;feedback&gt;",
    ],
)
def test_not_ours(data: bytes) -> None:
    assert survey(payload(data), BOUNDS, CONTAINERS) is None


# --- broken documents ---


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("<xs:schema xmlns:xs='x'><record><a>1</a></record>", ['["record",1,"a","1"]']),
        ("<record><a>1<b>2</b></record>", ['["record",2,"a","1","b","2"]']),
        ("<record><row><a>1</a></record>", ['["record",1,"row",1,"a","1"]']),
        ("<record><a>1</b></a></record>", ['["record",1,"a","1"]']),
        ("<record><a>x</b>y</a></record>", ['["record",1,"a","xy"]']),
        ("<record><a>1 < 2</a></record>", ['["record",1,"a","1 < 2"]']),
        ("<record><a>x & y &nbsp; &#0; &#xD800;</a></record>", ['["record",1,"a","x & y &nbsp; &#0; &#xD800;"]']),
        ("<record><a>x <3 y</a></record>", ['["record",1,"a","x <3 y"]']),
        ("<record><q:a>1</a></record>", ['["record",1,"a","1"]']),
        ("<record><a b='>1</a></record>", ['["record",1,"a","1"]']),
        ("<record><a>\x01</a></record>", ['["record",1,"a","\\u0001"]']),
        ("<record><a>1</a><record><a>2</a></record>", ['["record",1,"a","2"]']),
        ("</record><record><a>1</a></record></record>", ['["record",1,"a","1"]']),
        ("<record><a>1</a></record><record><a>2</a>", ['["record",1,"a","1"]']),
        ("<n:record><a>1</a></record><record ><a>2</a></record\n>", ['["record",1,"a","1"]', '["record",1,"a","2"]']),
        ("<?xml version='1.0'><record><a>1</a></record>", ['["record",1,"a","1"]']),
        ("<record><a>1</a></record><!-- <record></record>", ['["record",1,"a","1"]']),
        ("<record><a>1</a></record><![CDATA[ <record></record>", ['["record",1,"a","1"]']),
        ("<record/><record>x</record>", ['["record",""]', '["record","x"]']),
        ("<record><e:record><a>1</a></e:record></record>", ['["record",1,"record",1,"a","1"]']),
    ],
)
def test_salvage(inside: str, expected: list[str]) -> None:
    text = f"<feedback>{inside}<oops></feedback>"
    assert records(text) == expected
    assert not look(text).strict


def test_a_record_without_its_end_is_named() -> None:
    text = document("<record><a>1</a></record><record><a>2</a><report_metadata><b>3</b></report_metadata>")
    found = look(text)
    assert found.rows == 1
    assert "record: 1 without an end tag left out" in found.warnings
    assert [text for leaf, text in zip(found.shape.leaves, found.texts, strict=True) if leaf.path[-1] == "b"] == ["3"]


@pytest.mark.parametrize("open_", ["<!--", "<![CDATA[", "<?pi"])
def test_what_never_ends_is_named(open_: str) -> None:
    warnings = look(document(f"<record/>{open_} x")).warnings
    assert any("without its end" in one for one in warnings)


def test_damaged_payload() -> None:
    data = document("<record><a>1</a></record><record>").encode()[:-11]
    damaged = payload(data, fault=Damaged("the gzip data end early"))
    found = survey(damaged, BOUNDS, CONTAINERS)
    assert found is not None
    assert found.rows == 1
    assert found.damage == "the gzip data end early"
    assert "salvaged: the gzip data end early" in found.warnings
    assert len(list(bodies(damaged, found.encoding, BOUNDS))) == 1


# --- bounds ---


def nested(levels: int, name: str = "x") -> str:
    return "".join(f"<{name}{i}>" for i in range(levels)) + "".join(f"</{name}{i}>" for i in reversed(range(levels)))


@pytest.mark.parametrize("broken", ["", "<oops>"])
def test_depth(broken: str) -> None:
    for inside in (nested(63), f"<record>{nested(62)}</record>"):
        assert look(document(inside + broken)).strict is not bool(broken)
    for inside in (nested(64), f"<record>{nested(63)}</record>"):
        with pytest.raises(OverBound, match="xml_depth = 64"):
            look(document(inside + broken))


def test_depth_by_one_name() -> None:
    assert look(document(f"<record>{'<a>' * 62}{'</a>' * 62}</record>")).rows == 1
    with pytest.raises(OverBound):
        look(document(f"<record>{'<a>' * 63}{'</a>' * 63}</record>"))


def test_many_unclosed_elements_are_not_deep() -> None:
    assert records(f"<feedback><record>{'<br>' * 500}<a>1</a></record>")[0].endswith('"a","1"]')


def test_record_size() -> None:
    bounds = Bounds(record_bytes=200_000)
    assert look(document(f"<record><a>{'x' * (200_000 - 7)}</a></record>"), bounds).rows == 1
    for inside in ("x" * (200_000 - 6), "record" + "x" * (200_000 - 12), "x" * 500_000, "<b/>" * 80_000):
        with pytest.raises(OverBound, match="record_bytes = 200000"):
            look(document(f"<record><a>{inside}</a></record>"), bounds)
    with pytest.raises(OverBound, match="record_bytes = 200000"):
        look(document(f"<record><a>{'x' * 500_000}"), bounds)


def test_size_of_what_is_outside() -> None:
    bounds = Bounds(record_bytes=200_000)
    space = " " * 300_000 + "<!--" + "x" * 100_000 + "-->"
    fits = "x" * (200_000 - len(document("<a></a>")) - 2)  # two blanks
    assert look(document(f"<a>{fits}</a>{space}<record/>{space}<record/>{space}"), bounds).rows == 2
    with pytest.raises(OverBound, match="record_bytes = 200000"):
        look(document(f"<a>{fits}xxx</a><record/>"), bounds)


@pytest.mark.parametrize("long", ["<!--{}-->", "<a b='{}'/>", "<?pi {}?>"])
def test_what_expat_would_have_to_hold(long: str) -> None:
    bounds = Bounds(record_bytes=200_000)
    assert look(document(long.format("x" * 100_000)), bounds).strict
    with pytest.raises(OverBound, match="record_bytes = 200000"):
        look(document(long.format("x" * 400_000)), bounds)


def test_number_of_tags() -> None:
    assert look(document(f"<record>{'<a/>' * MOST_TAGS}</record>")).rows == 1
    assert look(document("<a/>" * (MOST_TAGS - 4))).strict
    with pytest.raises(OverBound, match="a record has more than 20000 tags"):
        look(document(f"<record>{'<a/>' * (MOST_TAGS + 1)}</record>"))
    with pytest.raises(OverBound, match="more than 20000 tags outside"):
        look(document("<a/>" * (MOST_TAGS - 3)))


def test_rows() -> None:
    bounds = Bounds(rows=3)
    assert look(document("<record/>" * 3), bounds).rows == 3
    with pytest.raises(OverBound, match=r"bounds\.rows = 3"):
        look(document("<record/>" * 4), bounds)


@pytest.mark.parametrize(
    "unit",
    [
        *(
            "<a>",
            "</a>",
            "<record>",
            "</record>",
            "<n:record>",
            "</n:record></m:record>",
            "<record><n:record></record>",
        ),
        *(
            "<",
            ">",
            "&",
            "&#",
            "'",
            '"<',
            "<!",
            "<!--",
            "<![CDATA[",
            "]]>",
            "<?",
            "<?xml ",
            "<record><!---->",
            "<a b='",
        ),
    ],
)
def test_time_is_linear(unit: str) -> None:
    def work(text: str) -> None:
        for inside in (text, f"<feedback><record>{text}</record>"):
            with contextlib.suppress(OverBound, ForbiddenError):
                records(inside)

    tags = max(1, unit.count("<"))
    within, beyond = MOST_TAGS // 5 // tags, max(MOST_TAGS // tags + 1, 75_000 // len(unit))
    assert_linear(work, lambda size: "<feedback>" + unit * size, within, beyond)
