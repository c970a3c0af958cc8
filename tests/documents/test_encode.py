"""Flat documents to JSON and back."""

import json
import timeit
from enum import IntEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.documents.datasets import AGGREGATE, DATASETS
from email_report_processor.documents.encode import decode, encode, flatten
from email_report_processor.values.fields import Fields, Layer, merged

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SEGMENT = st.one_of(st.sampled_from(["a", "b", "c", "", "@t", 'q"%s', "ä"]), TEXT.map(lambda one: one.replace(".", "")))
NAME = st.lists(SEGMENT, min_size=1, max_size=4).map(".".join)
SCALAR = st.one_of(TEXT, st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False, allow_infinity=False))
OBJECT = st.dictionaries(NAME, st.one_of(SCALAR, st.lists(SCALAR, max_size=2)), max_size=4)
VALUE = st.one_of(SCALAR, st.lists(SCALAR, max_size=3), st.lists(OBJECT, max_size=3))


@given(st.dictionaries(NAME, VALUE, max_size=12))
def test_decode_is_the_inverse(fields: Fields) -> None:
    assert decode(encode(fields)) == fields


@given(st.dictionaries(NAME, VALUE, max_size=12))
def test_it_is_one_line_of_json(fields: Fields) -> None:
    source = encode(fields)
    assert b"\n" not in source
    assert b"\r" not in source
    assert flatten(json.loads(source)) == fields


@given(st.lists(st.dictionaries(NAME, VALUE, max_size=5), min_size=1, max_size=4))
def test_layers_are_one_document(parts: list[Fields]) -> None:
    """Whatever is in them: nothing, members of one object, the same name twice (the last one counts)."""
    own, *others = reversed(parts)
    layers = [Layer(one) for one in reversed(others)]
    for _ in range(2):  # the second time they are written already
        assert decode(encode(own, layers)) == merged(own, layers)


@pytest.mark.parametrize("odd", ["\ud800", "\ud800\udc00", "%s", "%", "\x00"])
def test_odd_characters_in_layers(odd: str) -> None:
    expected = decode(encode({"a.b": odd, "c": odd, "d": 1}))
    assert decode(encode({"d": 1}, [Layer({"a.b": odd}), Layer({"c": odd})])) == expected


@given(st.text(st.characters(), max_size=10))
def test_any_string_can_be_written(text: str) -> None:
    """Lone surrogates too: a report may spell them in JSON."""
    written = decode(encode({"name": text, text: 1}))
    expected = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert written.get("name") == (expected if text != "name" else 1)


def test_dotted_names_become_objects() -> None:
    fields = {
        "source.ip": "192.0.2.1",
        "count": 3,
        "source.as.number": 64496,
        "file": [{"name": "a", "hash.sha256": "00"}, {"name": "b"}],
        "ok": True,
    }
    nested = {
        "source": {"ip": "192.0.2.1", "as": {"number": 64496}},
        "count": 3,
        "file": [{"name": "a", "hash": {"sha256": "00"}}, {"name": "b"}],
        "ok": True,
    }
    assert json.loads(encode(fields)) == nested
    assert encode(fields).startswith(b'{"source":{"ip":"192.0.2.1","as":{"number":64496}},"count":3,"file":[{')


def test_a_name_within_another_name_keeps_its_dot() -> None:
    assert json.loads(encode({"raw.file": "x", "raw.file.size": "y"})) == {"raw": {"file": "x", "file.size": "y"}}


def test_a_place_stays_an_object() -> None:
    fields = {"source.geo.location": {"lat": 1.5, "lon": -2.0}}
    assert decode(encode(fields)) == fields


def test_what_json_lacks() -> None:
    assert encode({"a": float("nan"), "b": float("-inf")}) == b'{"a":null,"b":null}'

    class Number(IntEnum):
        ONE = 1

    assert encode({"a": Number.ONE, "b": [Number.ONE, "x"]}) == b'{"a":1,"b":[1,"x"]}'
    with pytest.raises(TypeError):
        encode({"a": object()})


@pytest.mark.parametrize("source", [b"[]", b"{", b"\xff", b"1"])
def test_what_is_not_a_document(source: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # json's own errors are among them
        decode(source)


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda dataset: dataset.name)
def test_every_field_survives(dataset: Any) -> None:
    fields: Fields = {}
    for field in dataset.fields:
        if field.objects:
            inner = field.name.removeprefix(field.objects + ".")
            fields.setdefault(field.objects, [{}])[0][inner] = field.example
        else:
            fields[field.name] = field.example
    assert decode(encode(fields)) == fields


def test_it_is_quick() -> None:
    """Flat fields to nested JSON in about the time that json.dumps takes for the flat ones."""
    fields = {field.name: field.example for field in AGGREGATE.fields if not field.objects}
    ours, theirs = [], []
    for _ in range(15):  # in turn, so that both meet the same moods of the machine
        ours.append(timeit.timeit(lambda: encode(fields), number=200))
        theirs.append(timeit.timeit(lambda: json.dumps(fields), number=200))
    assert min(ours) < 2 * min(theirs)
