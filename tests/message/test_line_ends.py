"""Line ends as gateways make them: a message says the same with each of them, also where a message lies within."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.message.blob import IN_MEMORY, Blob, Memory, chunks
from email_report_processor.message.line_ends import mended
from email_report_processor.reports.reading import read_message

GOLDEN = Path(__file__).parents[1] / "golden"
Change = Callable[[bytes], bytes]


def of_body(change: Change) -> Change:
    def changed(data: bytes) -> bytes:
        header, empty, body = data.partition(b"\n\n")
        return header + empty + change(body)

    return changed


def of_header(change: Change) -> Change:
    def changed(data: bytes) -> bytes:
        header, empty, body = data.partition(b"\n\n")
        return change(header + empty) + body

    return changed


def of_part_headers(data: bytes) -> bytes:
    lines, within = [], False
    for line in data.splitlines():
        within = within or line.startswith(b"--")
        lines.append(line + (b"\r\r\n" if within else b"\n"))
        within = within and bool(line)
    return b"".join(lines)


def doubled(data: bytes) -> bytes:
    return data.replace(b"\n", b"\r\r\n")


def apart(data: bytes) -> bytes:
    return data.replace(b"\n", b"\n\n")


WAYS: dict[str, Change] = {
    "CR LF": lambda data: data.replace(b"\n", b"\r\n"),
    "CR": lambda data: data.replace(b"\n", b"\r"),
    "LF CR": lambda data: data.replace(b"\n", b"\n\r"),
    "CR CR LF": doubled,
    "CR CR CR LF": lambda data: data.replace(b"\n", b"\r\r\r\n"),
    "CR CR LF in the header": of_header(doubled),
    "CR CR LF in the body": of_body(doubled),
    "CR CR LF in headers of parts": of_part_headers,
    "LF LF": apart,
    "CR LF CR LF": lambda data: data.replace(b"\n", b"\r\n\r\n"),
    "LF LF in the body": of_body(apart),
}
# In these an empty line behind each line of the body is a text's own, for all that can be seen.
_TEXTS = {"notice-list.eml", "notice-wrapped.eml"}


CASES = [
    pytest.param(way, path, id=f"{path.parent.name}/{path.name} with {way}")
    for path in sorted(GOLDEN.glob("*/*.eml"))
    for way in WAYS
    if not (way == "LF LF in the body" and path.name in _TEXTS)
]


@pytest.mark.parametrize(("way", "path"), CASES)
def test_a_message_says_the_same(way: str, path: Path) -> None:
    plain = path.read_bytes().replace(b"\r\n", b"\n")
    expected = read_message(plain)
    found = read_message(WAYS[way](plain))
    assert [problem.reason for problem in found.problems] == [problem.reason for problem in expected.problems]
    ids = [[document[1] for document in report.documents()] for report in found.reports]
    assert ids == [[document[1] for document in report.documents()] for report in expected.reports]


LETTER = b"From: a@example.org\nSubject: x\nTo: b@example.org\n\nText\n\n--B\nContent-Type: a/b\n\n" + b"line\n" * 9


def text(blob: Blob) -> bytes:
    return b"".join(chunks(blob))


@pytest.mark.parametrize("way", WAYS)
def test_long_messages_are_cut_nowhere(way: str) -> None:
    long = LETTER + b"".join(b"%d\n" % number for number in range(IN_MEMORY // 6)) + b"\n\n--B--\n"
    found = text(mended(Memory(WAYS[way](long))))
    assert found.replace(b"\r\n", b"\n") == long


@pytest.mark.parametrize(
    "data",
    [
        LETTER,
        LETTER.replace(b"\n", b"\r\n"),
        b"Subject: one field\n\n" + b"and a text with an empty line behind each of its lines\n\n" * 9,
        b"From: a\nSubject: b\n\n" + b"A paragraph.\n\n" * 20,
        LETTER + b"PK\3\4\0\0a file in binary \r\r\n that has them by itself",
        b"Subject: x\n\r\n\rNo field\r\n",
        b"\n\r",
        b"\r",
        b"",
    ],
)
def test_what_stays_as_it_is(data: bytes) -> None:
    blob = Memory(data)
    assert text(mended(blob)) == (b"\n" if data == b"\r" else data)


@given(st.lists(st.sampled_from([b"\r", b"\n", b"\r\r\n", b"a: b", b"--B", b"\0", b" ", b"=", b"x" * 999])))
def test_any_bytes(parts: list[bytes]) -> None:
    data = b"".join(parts)
    found = text(mended(Memory(data)))
    assert found.translate(None, b"\r\n") == data.translate(None, b"\r\n")
