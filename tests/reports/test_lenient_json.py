"""JSON of strangers: what is refused, what is repaired, what is salvaged, and in what time."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.reports.lenient_json import (
    UnreadableError,
    begins_like_object,
    canonical,
    is_blank,
    read_object,
)
from tests.linear import assert_linear

WHOLE = {"name": "Grüße", "list": [1, {"a": [True, None]}], "n": 5}
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_encodings(encoding: str) -> None:
    data = ("\n " + json.dumps(WHOLE, ensure_ascii=False)).encode(encoding)
    assert begins_like_object(data)
    assert read_object(data, 32) == (WHOLE, (), False)


@pytest.mark.parametrize(
    ("data", "value", "warning", "salvaged"),
    [
        (b'{"a": "Gr\xfc\xdfe"}', {"a": "Grüße"}, "Latin-1", False),
        (b'{"a": "x\ny\x01"}', {"a": "x\ny\x01"}, "", False),  # control characters in strings
        (b'\xef\xbb\xbf\xef\xbb\xbf{"a": 1}\0\0\r\n', {"a": 1}, "", False),
        (b'{"a": NaN, "b": -Infinity, "c": 1.50}', {"a": "NaN", "b": "-Infinity", "c": "1.50"}, "", False),
        (b'{"a": ' + b"9" * 5000 + b"}", {"a": "9" * 5000}, "", False),  # beyond Python's limit of digits
        (b'{"a": 1, "a": 2, "a": 3, "b": 4}', {"a": 3, "b": 4}, "one name: a", False),
        (b'{"a": 1} trailing', {"a": 1}, "more text", False),
        (b'{"a": 1}{"a": 2}', {"a": 1}, "more text", True),
        (b'{"a": 1, "b": [1, {"c": 2}, {"c":', {"a": 1, "b": [1, {"c": 2}]}, "broken JSON", True),
        (b'{"a": 1, "b": {"c": 2', {"a": 1}, "broken JSON", True),
        (b'{"a": 1, "b": [1, 2,], "c": 3,}', {"a": 1, "b": [1, 2], "c": 3}, "broken JSON", True),
        (b'{"a": 1 "b": 2}', {"a": 1}, "broken JSON", True),
        (b'{"a": [1 2], "b": 2}', {"a": [1]}, "broken JSON", True),
        (b'{"a" 1}', {}, "broken JSON", True),
        (b'{"a": 1, "b": 12', {"a": 1}, "broken JSON", True),  # or 123
        (b'{"a": [null, -1', {"a": [None]}, "broken JSON", True),
        (b'{"a": 1, "b": nul', {"a": 1}, "broken JSON", True),
        (b'{"a": 1, "b": true', {"a": 1, "b": True}, "broken JSON", True),
        (b"{", {}, "broken JSON", True),
        (b'{"a": 1, "b": "Gr\xc3', {"a": 1}, "within a character", True),
        ('{"a": 1}'.encode("utf-16-le") + b"\x00\xd8\x20\x00", {"a": 1}, "UTF-16", False),
    ],
)
def test_repairs(data: bytes, value: dict[str, Any], warning: str, salvaged: bool) -> None:
    found = read_object(data, 32)
    assert (found.value, found.salvaged) == (value, salvaged)
    assert bool(found.warnings) == bool(warning)
    assert warning in " ".join(found.warnings)


@pytest.mark.parametrize("data", [b"", b"  ", b"[1]", b"1", b'"{"', b"<feedback>", b"\xff\xfe", b"}{"])
def test_no_object(data: bytes) -> None:
    assert not begins_like_object(data)
    with pytest.raises(UnreadableError, match="does not begin with an object"):
        read_object(data, 32)


def test_blank() -> None:
    assert is_blank(b"\xef\xbb\xbf \r\n")
    assert not is_blank(b" {")


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_depth_on_both_sides(opening: str, closing: str) -> None:
    def nested(depth: int) -> bytes:
        return ('{"x":' + opening * (depth - 1) + "1" + closing * (depth - 1) + "}").encode()

    assert read_object(nested(8), 8).salvaged is False
    with pytest.raises(UnreadableError, match="json_depth = 8"):
        read_object(nested(9), 8)
    with pytest.raises(UnreadableError, match="too deeply for this machine"):
        read_object(nested(200_000), 1_000_000)


def test_depth_counts_structure_alone() -> None:
    assert read_object(b'{"a": "[[[[[[[[[", "b\\"[[[[": 1} [[[[[[[[[', 2).value == {"a": "[[[[[[[[[", 'b"[[[[': 1}


@pytest.mark.parametrize(
    ("before", "unit", "after"),
    [
        (b'{"a": ', b"[", b""),
        (b'{"a": [', b"[],", b""),
        (b'{"a": "', b"\\\\", b"\\"),
        (b'{"a": "', b'\\"', b""),
        (b'{"a": [', b'"",', b""),
        (b"{", b'"a":1,', b'"b":0}'),
        (b"", b'{"a":1,', b""),
        (b"{", b" ", b""),
    ],
    ids=range(8),
)
def test_time_is_linear(before: bytes, unit: bytes, after: bytes) -> None:
    def work(data: bytes) -> None:
        with suppress(UnreadableError):
            read_object(data, 32)

    assert_linear(work, lambda size: before + unit * (size // len(unit)) + after, 30_000)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.text(max_size=6), VALUES, max_size=4)


@given(OBJECTS, st.sampled_from(ENCODINGS), st.sampled_from([None, 2]))
def test_what_is_written_is_read(value: dict[str, Any], encoding: str, indent: int | None) -> None:
    found = read_object(json.dumps(value, indent=indent).encode(encoding), 32)
    assert tuple(found) == (value, (), False)
    assert canonical(found.value) == canonical(dict(reversed(value.items())))


@given(OBJECTS, st.data())
def test_what_is_cut_off_is_read_up_to_there(value: dict[str, Any], data: st.DataObject) -> None:
    text = json.dumps(value)
    found = read_object(text[: data.draw(st.integers(1, len(text)))].encode(), 32)
    for name, member in found.value.items():
        cut = isinstance(member, list) and member == value[name][: len(member)]
        assert cut or member == value[name]


@given(st.binary(max_size=80) | st.text(alphabet='{}[]":,\\ax1 ', max_size=60).map(str.encode))
def test_any_bytes(data: bytes) -> None:
    try:
        found = read_object(b"{" + data, 8)
    except UnreadableError:
        return
    assert isinstance(found.value, dict)
