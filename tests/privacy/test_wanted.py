"""An address is found however it is written, and no other is."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.privacy.wanted import wanted
from tests.linear import assert_linear

ANNA = wanted("<Anna@Example.net>", ["abcdefghij@example.net"], instead="x@erased.invalid")

NAMED = [
    "anna@example.net",
    "to: <ANNA@EXAMPLE.NET>,",
    "https://x.example/?u=anna%40example.net&v",
    "=3Danna=40example.net",
    "bounce-anna=example.net@list.example",
    "bounce+anna=example.net%40list.example",
    "anna@example.net.",
    "a\\nanna@example.net",  # within JSON
    "abcdefghij@example.net",
    "(anna@example.net)",
    "a%6ena@example.net",
    "anna\uff20example.net",
    "anna@\n example.net",
    "x &#97;nna&#64;example.net a=6Ena@example.net",
]
OTHERS = [
    "joanna@example.net",
    "jo-anna@example.net",
    "jo.anna@example.net",
    "jo+anna@example.net",
    "anna@example.net.org",
    "anna@example.network",
    "anna@example.net-x.org",
    "anna@sub.example.net",
    "anna.b@example.net",
    "anna example.net",
    "joanna=example.net@list.example",
    "anna=example.net",
    "",
]


@pytest.mark.parametrize("text", NAMED)
def test_named(text: str) -> None:
    assert ANNA.may_be_in(text.encode())
    assert ANNA.is_in({"a": [1, {"b": text}]})
    assert not ANNA.is_in(ANNA.without({"a": [1, {"b": text}]}))


@pytest.mark.parametrize("text", OTHERS)
def test_others(text: str) -> None:
    assert not ANNA.is_in([text])
    assert ANNA.without([text, 1, None]) == [text, 1, None]


@given(st.text(alphabet="an@=%40. e\\nxmpl-+", max_size=40))
def test_any_text(text: str) -> None:
    without = ANNA.without(text)
    assert not ANNA.is_in(without)
    assert (without == text) == (not ANNA.is_in(text))


@given(st.from_regex(r"[a-z0-9.+-]{1,10}@[a-z]{1,5}\.[a-z]{2,4}", fullmatch=True))
def test_any_address_is_found_as_it_is(address: str) -> None:
    assert wanted(address, instead="x@erased.invalid").is_in(f"<{address.upper()}>")


@pytest.mark.parametrize("piece", ["anna", "anna@", "anna=", "=40", "a."])
def test_linear(piece: str) -> None:
    assert_linear(ANNA.without, lambda size: piece * (size // len(piece)), 20_000)
    assert re.search("anna", piece) or piece in {"=40", "a."}
