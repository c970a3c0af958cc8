"""Files within texts: where they begin, what is none, and that it takes no longer for being clever."""

import base64
import binascii
import gzip
import io
import zipfile
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from email_report_processor.message.blob import Damaged, Memory
from email_report_processor.message.forms import TEXT_MARKS
from email_report_processor.message.inline import files_at, find_places
from tests.linear import assert_linear

XML = b"<?xml version='1.0'?>\n<feedback>" + b"".join(b"<record>%d</record>" % n for n in range(300)) + b"</feedback>"


def find(text: bytes, size: int = 1000, limit: int = 10) -> list[tuple[str, str, bytes]]:
    """Encoding or reason, name and content of each file."""

    def pieces() -> Iterator[bytes]:
        return (text[at : at + size] for at in range(0, len(text), size))

    places = find_places(pieces, limit, 10**8)
    return [
        (place.refused or place.encoding, place.name, b"" if place.refused else _whole(open_()))
        for place, open_ in files_at(places, Memory(text))
    ]


def _whole(pieces: Iterator[bytes]) -> bytes:
    out: list[bytes] = []
    try:
        out.extend(pieces)
    except Damaged as fault:
        out.append(f" [{fault}]".encode())
    return b"".join(out)


def uu(data: bytes, name: str = "r.xml", end: bytes = b"`\nend\n") -> bytes:
    lines = b"".join(binascii.b2a_uu(data[at : at + 45]) for at in range(0, len(data), 45))
    return b"begin 644 " + name.encode() + b"\n" + lines + end


def zipped(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("r.xml", data)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "before", [b"", b"Good day,\r\n\r\n", b"see the file to begin 644 things\n", b"x" * 70_000 + b"\n"]
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("size", [1000, 65536])
def test_uuencode(before: bytes, end: bytes, size: int) -> None:
    text = before + uu(XML).replace(b"\n", end) + end + b"Regards" + end
    assert find(text, size) == [("uuencode", "r.xml", XML)]
    posix = before + b"begin-base64 644 r.xml" + end + base64.encodebytes(XML).replace(b"\n", end) + b"====" + end
    assert find(posix, size) == [("base64", "r.xml", XML)]


@pytest.mark.parametrize("before", [b"", b"Good day,\r\n\r\n", b"Content-Transfer-Encoding: base64\n\n", b"> "])
@pytest.mark.parametrize("data", [XML, gzip.compress(XML, mtime=0), zipped(XML), b"\xef\xbb\xbf" + XML])
@pytest.mark.parametrize("width", [60, 76, 100_000])
def test_base64(before: bytes, data: bytes, width: int) -> None:
    encoded = base64.b64encode(data)
    lines = b"\r\n".join(encoded[at : at + width] for at in range(0, len(encoded), width))
    padding = b"" if encoded.endswith(b"=") else b"="
    ((encoding, name, content),) = find(before + lines + padding + b"\r\n\r\n-- \r\nsome list\r\n")
    assert (encoding, name, content[: len(data)]) == ("base64", "", data)


def test_several_of_each_kind() -> None:
    one, two = gzip.compress(b"<a/>" * 50, mtime=0), zipped(b"<b/>")
    text = (
        b"A:\n"
        + base64.encodebytes(one)
        + b"\nB:\n"
        + base64.encodebytes(two)
        + b"\nC:\n"
        + uu(XML)
        + uu(b"d", "d.txt")
    )
    assert [(name, content[:20]) for _, name, content in find(text)] == [
        ("", one[:20]), ("", two[:20]), ("r.xml", XML[:20]), ("d.txt", b"d")
    ]  # fmt: skip
    assert len(find(text, limit=3)) == 3


def test_a_line_within_base64_is_no_beginning() -> None:
    """A zip file in a zip file, stored at a place where a line begins."""
    line = base64.b64encode(b"x" * 57)
    text = line + b"\n" + b"UEsDB" + line[5:] + b"\n" + line + b"\n"
    assert find(text) == []
    assert len(find(b"text\n" + text[77:])) == 1


def test_a_file_that_is_cut() -> None:
    assert find(uu(XML, end=b""))[0][2].endswith(b"[the uuencoded file has no end line]")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"hello\n-----BEGIN PGP MESSAGE-----\n\nhQEM", "OpenPGP"),
        (b"=ybegin line=128 size=5 name=r.xml.gz\n", "yEnc"),
        (b"(This file must be converted with BinHex 4.0)\n", "BinHex"),
    ],
)
def test_what_cannot_be_undone(text: bytes, reason: str) -> None:
    ((said, _, _),) = find(text)
    assert reason in said


@pytest.mark.parametrize(
    "text",
    [
        b"I begin 644 things\n",
        b"begin 644 things and never end them, which is a sentence of some length\nand goes on here like this.\n",
        b"begin 644 x\n\n",
        b"eyJ is a token\n",
        b"H4sIAAAA\n",
        b"",
        b"\n" * 5000,
    ],
)
def test_what_is_no_file(text: bytes) -> None:
    assert find(text) == []


def test_every_beginning_has_its_mark() -> None:
    """What `find_places` finds is looked for only where a mark stands."""
    starts = (XML, b"\xef\xbb\xbf" + XML, b'{"a', b"{\n  ", b'[{"', gzip.compress(b""), zipped(b""))
    for text in (uu(b"x"), b"begin-base64 644 x\nAAAA\n", b"-----BEGIN PGP MESSAGE-----", b"=ybegin line=1 name=x",
                 b"(This file must be converted with BinHex 4.0)",
                 *map(base64.b64encode, starts)):  # fmt: skip
        assert any(mark in text for mark in TEXT_MARKS), text[:30]


@given(
    st.lists(
        st.sampled_from(
            [
                uu(b"<a/>"),
                uu(b"x" * 100, end=b""),
                base64.encodebytes(gzip.compress(b"<b/>")),
                b"\n",
                b"\r\n",
                b"text\n",
                b"begin 644 ",
                b"> ",
                b"UEsDB" + b"A" * 80 + b"\n",
                b"H4sI",
                b"=",
                b"M" * 61 + b"\n",
            ]
        ),
        max_size=30,
    ),
    st.integers(1, 300),
)
@settings(max_examples=100, deadline=None)
def test_nothing_raises_and_pieces_mean_nothing(words: list[bytes], size: int) -> None:
    text = b"".join(words)
    found = find(text, size, 100)
    assert found == find(text, 65536, 100)
    assert sum(len(content) for _, _, content in found) <= len(text) + 100 * len(found)


@pytest.mark.parametrize(
    "line", [b"UEsDB" + b"A" * 60 + b"\n", b"begin 644 x\n", b"\n\n", b"> > > >\n", b"A" * 64 + b"\n"]
)
def test_linear(line: bytes) -> None:
    def work(text: bytes) -> None:
        find_places(lambda: (text[at : at + 65536] for at in range(0, len(text), 65536)), 10**9, 10**9)

    assert_linear(work, lambda size: line * size, 30_000)
