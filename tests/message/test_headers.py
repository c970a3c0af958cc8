"""Headers: what stands in the wild, and any text."""

import email.header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.message.headers import (
    HEADER_FIELDS,
    Headers,
    address,
    addresses,
    decode,
    decode_header,
    domain_of,
    read_parameters,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ("  a\r\n\t b  c ", "a b c"),
        ("=?utf-8?B?w7xiZXI=?=", "über"),
        ("=?UTF-8?q?=C3=BC_x?= y", "ü x y"),
        ("a =?iso-8859-1?q?=fc?= =?iso-8859-1?q?=df?= b", "a üß b"),
        ("=?utf-8?B?w7w?=", "ü"),
        ("=?utf-8?q?=C3?= =?utf-8?q?=BC?=", "ü"),
        ("=?utf-8*de?q?x?=", "x"),
        ("=?x-unknown?q?=C3=BC?=", "ü"),
        ("=?x-unknown?q?=FC?=", "ü"),
        ("=?us-ascii?q?=FC?=", "ü"),
        ("=?utf-8?q?a b?=", "a b"),
        ("=?utf-8?q?a=0A=0Db?=", "a b"),
        ("=?utf-8?x?a?=", "=?utf-8?x?a?="),
        ("=?utf-8?q?a", "=?utf-8?q?a"),
        ("=?hex?q?61?=", "61"),
        ("=?a\0b?q?x?=", "x"),
        ("=?utf-7?q?+2AA-?=", "?"),
    ],
)
def test_decode_header(value: str, text: str) -> None:
    assert decode_header(value) == text


@given(st.text())
def test_decode_header_never_raises(value: str) -> None:
    decode_header(value)


@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1))
def test_what_the_standard_library_encodes(text: str) -> None:
    encoded = email.header.Header(text, "utf-8", maxlinelen=40).encode()
    if "=?" in encoded and "=?" not in text:
        assert decode_header(encoded) == text


@given(st.binary(), st.one_of(st.text(), st.sampled_from(["utf-7", "idna", "utf-16", "iso-2022-jp", "rot13", "zlib"])))
def test_decode_gives_text_that_can_be_written(data: bytes, charset: str) -> None:
    decode(data, charset).encode("utf-8")
    decode(data, charset, cut=True).encode("utf-8")


RAW = (
    b"Received: from a\r\n\tby b\r\nReceived: from c\r\nSUBJECT : caf\xc3\xa9\r\nX-Latin: caf\xe9\r\n"
    b'Message-ID: <[x]@y>\r\nno field\r\nContent-Type: a/b;\r\nname="x"\r\nEmpty:\r\n'
)


def test_headers() -> None:
    headers = Headers(RAW)
    assert headers.get("received") == "from a by b"
    assert headers.get_all("RECEIVED") == ["from a by b", "from c"]
    assert headers.get("Subject") == headers.get("X-Latin") == "café"
    assert headers.get("message-id") == "<[x]@y>"
    assert headers.get("Content-Type") == 'a/b; name="x"'
    assert headers.get("Empty") == ""
    assert headers.get("no field") is None
    assert headers.get_all("none") == []
    assert [name for name, _ in headers.items()][:3] == ["Received", "Received", "SUBJECT"]
    assert headers.raw == RAW


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_line_ends(end: bytes) -> None:
    assert Headers(end.join([b"A: b", b" c", b"D: e", b""])).items() == [("A", "b c"), ("D", "e")]


def test_more_fields_than_are_read() -> None:
    assert len(Headers(b"a: b\n" * (HEADER_FIELDS + 10)).items()) == HEADER_FIELDS


@given(st.binary())
def test_parameters_of_any_bytes(value: bytes) -> None:
    read_parameters(value)
    Headers(value).items()


@pytest.mark.parametrize(
    ("value", "first"),
    [
        ("a@example.com", "a@example.com"),
        ("A <a@example.com>, b@example.com", "a@example.com"),
        ('"x <no@example.net>" < a@example.com >', "a@example.com"),
        ('"no@example.net" <a@example.com>', "a@example.com"),
        ("no@example.net <a@example.com>", "a@example.com"),
        ("a@example.com (a, (b) c@example.net)", "a@example.com"),
        ("<@relay.example,@b.example:a@example.com>", "a@example.com"),
        ('"a b"@example.com', '"a b"@example.com'),
        ('<"a b"@example.com>', '"a b"@example.com'),
        ("undisclosed-recipients:;", ""),
        ("<>", ""),
        ("", ""),
    ],
)
def test_address(value: str, first: str) -> None:
    assert address(value) == first


def test_addresses() -> None:
    assert addresses("A <a@example.com>, B <b@example.com>") == ["a@example.com", "b@example.com"]
    assert addresses("a@example.com, b@example.com") == ["a@example.com", "b@example.com"]


@given(st.text())
def test_addresses_never_raise(value: str) -> None:
    domain_of(address(value))


@pytest.mark.parametrize(
    ("one", "domain"),
    [("a@Example.COM", "example.com"), ("a@b@example.com.", "example.com"), ("a", ""), ("", ""), ("<a@b>", "b")],
)
def test_domain_of(one: str, domain: str) -> None:
    assert domain_of(one) == domain
