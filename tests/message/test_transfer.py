"""Transfer encodings: what the standard library decodes, cut anywhere, and what it does not."""

import base64
import binascii
import quopri
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.message.blob import Damaged
from email_report_processor.message.transfer import DECODERS, decoded, unbase64, undone


def pieces(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    at = 0
    for size in sizes:
        yield data[at : at + size]
        at += size
    yield data[at:]


def decode(text: bytes, encoding: str, sizes: list[int] | None = None) -> bytes:
    return b"".join(decoded(pieces(text, sizes or []), encoding))


SIZES = st.lists(st.integers(1, 90), max_size=20)


@given(st.binary(), SIZES, st.sampled_from([b"\n", b"\r\n", b""]))
def test_base64(data: bytes, sizes: list[int], end: bytes) -> None:
    assert decode(base64.encodebytes(data).replace(b"\n", end), "base64", sizes) == data


@given(st.binary(), st.lists(st.tuples(st.integers(0, 200), st.sampled_from(b"\r\n \t!-.\xff\0")), max_size=9), SIZES)
def test_base64_with_stray_characters_and_no_padding(
    data: bytes, stray: list[tuple[int, int]], sizes: list[int]
) -> None:
    text = bytearray(base64.b64encode(data).rstrip(b"="))
    for at, character in stray:
        text.insert(at, character)
    assert decode(bytes(text), "base64", sizes) == data


@given(st.lists(st.binary(min_size=1), max_size=5), SIZES)
def test_base64_that_pads_each_buffer(buffers: list[bytes], sizes: list[int]) -> None:
    assert decode(b"\n".join(map(base64.b64encode, buffers)), "base64", sizes) == b"".join(buffers)


@given(st.integers(1, 90))
def test_the_footer_of_a_list_behind_base64(size: int) -> None:
    assert decode(b"QUI=\n-- \nsee example.com/list\n", "base64", [size]) == b"AB"


@given(st.binary(), SIZES)
def test_any_base64(data: bytes, sizes: list[int]) -> None:
    whole = _outcome(data, "base64", [])
    assert _outcome(data, "base64", sizes) == whole


def _outcome(data: bytes, encoding: str, sizes: list[int]) -> tuple[bytes, str]:
    out = b""
    try:
        for piece in decoded(pieces(data, sizes), encoding):
            out += piece
    except Damaged as damage:
        return out, str(damage)
    return out, ""


def test_base64_that_ends_in_a_group() -> None:
    assert _outcome(b"QUJDR", "base64", []) == (
        b"ABC",
        "the base64 text ends in the middle of a group of four characters",
    )


def test_base64_that_is_nothing_but_padding() -> None:
    out, damage = _outcome(b"QQ==\n" * 200_000, "base64", [65536] * 20)
    assert "padded more than" in damage
    assert out.startswith(b"A" * 100_000)


def test_unbase64() -> None:
    assert [unbase64(text) for text in (b"QUI=", b"QUI", b"Q U-I", b"QUJDR", b"")] == [b"AB", b"AB", b"AB", b"ABC", b""]


@given(st.binary(), SIZES, st.booleans())
def test_quoted_printable(data: bytes, sizes: list[int], wire: bool) -> None:
    clean = data = data.replace(b"\r\n", b"\n")  # the encoder makes all line breaks like the first
    text = quopri.encodestring(data, quotetabs=True)
    if wire:
        text, clean = text.replace(b"\n", b"\r\n"), data.replace(b"\n", b"\r\n")
    assert decode(text, "quoted-printable", sizes) == clean


@given(st.text("=3Dd\nxA0 "), SIZES)
def test_any_quoted_printable_does_not_depend_on_how_it_is_cut(text: str, sizes: list[int]) -> None:
    assert decode(text.encode(), "quoted-printable", sizes) == decode(text.encode(), "quoted-printable")


@pytest.mark.parametrize(
    ("text", "data"),
    [
        (b"a= \t\r\nb", b"ab"),
        (b"a=\rb", b"ab"),
        (b"a=3dZ=zz=", b"a=Z=zz"),
        (b"a\rb=\r=41", b"a\rbA"),
    ],
)
def test_quoted_printable_of_the_wild(text: bytes, data: bytes) -> None:
    assert decode(text, "quoted-printable") == data


@given(st.binary(), SIZES)
def test_uuencode(data: bytes, sizes: list[int]) -> None:
    lines = b"".join(binascii.b2a_uu(data[at : at + 45]) for at in range(0, len(data), 45))
    text = b"text\nbegin 644 a.gz\n" + lines + b"`\nend\nmore\n"
    assert decode(text, "x-uuencode", sizes) == data


def test_uuencode_with_checksums_without_an_end_and_broken() -> None:
    line = binascii.b2a_uu(b"abc")
    assert _outcome(b"begin 6 a\n" + line.rstrip() + b"Z\nend\n", "uuencode", []) == (b"abc", "")
    assert _outcome(b"begin 6 a\n" + line, "uue", []) == (b"abc", "the uuencoded file has no end line")
    assert _outcome(line, "x-uue", []) == (b"", "the uuencoded file has no begin line")
    assert "broken line" in _outcome(b"begin 6 a\n#\xff\xff\n", "x-uue", [])[1]


@given(st.binary(), SIZES, st.sampled_from(sorted(DECODERS)))
def test_nothing_but_damaged_is_raised(data: bytes, sizes: list[int], encoding: str) -> None:
    _outcome(b"begin 6 a\n" + data, encoding, sizes)


def test_unknown_encodings_are_none() -> None:
    assert decode(b"x=3D", "x-secret") == b"x=3D"


@given(
    st.one_of(
        st.binary(), st.binary().map(base64.encodebytes), st.text("AQZaz09+/= \r\n-", max_size=60).map(str.encode)
    ),
    st.sampled_from([*sorted(DECODERS), "7bit", "x-secret"]),
)
def test_all_at_once_is_what_a_stream_gives(text: bytes, encoding: str) -> None:
    data, fault = _outcome(text, encoding, [])
    assert undone(text, encoding) == (None if fault else data)
