"""Mboxes: cut as the standard library cuts them, however the bytes come, and only where a message begins."""

import mailbox
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.message.blob import CHUNK, File, Memory, chunks, temporary_file
from email_report_processor.message.mbox import (
    MARGIN,
    begins_without_separator,
    holds_several,
    is_mbox,
    messages,
    unquoted,
)
from tests.places import CASES

FROM = b"From a@example.org Thu Nov 20 06:12:44 2025\n"


def cut(data: bytes, size: int = CHUNK) -> list[bytes]:
    return [data[a:b] for a, b in messages(data[at : at + size] for at in range(0, len(data), size))]


LINES = st.sampled_from(
    [b"", b"From here on", b"From Monday 10:30 on", b">From x", b">>From y", b"x" * 100, b"--b", b"Subject: y", b"\xff"]
)
MESSAGES = st.lists(st.lists(LINES, max_size=8).map(lambda lines: b"Subject: x\n\n" + b"\n".join(lines) + b"\n"))


@given(MESSAGES, st.integers(1, 5000))
def test_round_trip_by_the_standard_library(bodies: list[bytes], size: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "m")
        box = mailbox.mbox(path)
        for body in bodies:
            box.add(body)
        box.close()
        written = path.read_bytes()
        theirs = mailbox.mbox(path)
        # It takes the empty line behind a message for a part of it only where the message ends in one itself.
        expected = [theirs.get_bytes(key) for key in theirs.keys()]  # noqa: SIM118  # a mailbox iterates over messages
        theirs.close()
    assert cut(written, size) == expected
    assert is_mbox(written) == bool(bodies)


@given(st.lists(st.sampled_from([FROM, b"\n", b"\r\n", b"From me\n", b"a: b\n", b"\n" + FROM, b"x" * MARGIN])))
def test_cuts_do_not_depend_on_pieces(parts: list[bytes]) -> None:
    data = b"".join(parts)
    whole = cut(data)
    for size in (1, 7, MARGIN - 1, MARGIN + 1):
        assert cut(data, size) == whole
    assert len(b"".join(whole)) <= len(data)


@given(st.binary(max_size=300), st.integers(1, 50))
def test_any_bytes(data: bytes, size: int) -> None:
    assert b"".join(cut(data, size)) in {data, b""}


@pytest.mark.parametrize(
    "line",
    [
        b"From a@example.org Thu Nov 20 06:12:44 2025\n",
        b"From MAILER-DAEMON Thu Nov  6 06:12 2025\n",
        b"From - Thu Nov 20 06:12:44 2025\n",  # Thunderbird
        b"From 1849@xxx Thu Nov 20 06:12:44 +0000 2025\n",  # Google Takeout
        b"From a b c@example.org Thu, 20 Nov 2025 06:12:44 GMT\n",
        b"From ???@??? 20 Nov 2025 6:12\n",
        b"From a@example.org\n",
        b"From a@example.org 1763618400\n",
        b"From\ta@example.org\tThu Nov 20 2025\n",
        b"From a@example.org 2025-11-20T06:12:44Z\n",
        b"From MAILER-DAEMON\n",
        b"From\n",
        b"From a@example.org Thu Nov 20 06:12:44 2025\r",
    ],
)
@pytest.mark.parametrize("eol", [b"\n", b"\r\n", b"\r\r\n", b"\r"])
@pytest.mark.parametrize("first", [b"", b"\xef\xbb\xbf", b"\0\0\0", b"\n"])
def test_separators_of_the_world(line: bytes, eol: bytes, first: bytes) -> None:
    messages = [b"To: b\n\nx\n", b"Subject: d\n\ny\n"]
    data = (first + line + messages[0] + b"\n" + line + messages[1]).replace(b"\n", eol)
    for size in (1, 7, CHUNK):
        assert cut(data, size) == [message.replace(b"\n", eol) for message in messages]
    assert is_mbox(data)


@pytest.mark.parametrize(
    "line",
    [
        b"From Monday on we are closed\n",
        b"From 10:30 on 20 November 2025 we are closed\n",  # no header follows
        b"from a@example.org Thu Nov 20 06:12:44 2025\n",
        b">From a@example.org Thu Nov 20 06:12:44 2025\n",
        b"From " + b"x" * 2000 + b" Thu Nov 20 06:12:44 2025\n",
    ],
)
def test_lines_that_separate_nothing(line: bytes) -> None:
    data = b"A: b\n\nx\n\n" + line + b"y\n"
    assert cut(FROM + data) == [data]
    assert not is_mbox(line + b"y\n")


@pytest.mark.parametrize("eol", [b"\n", b"\r\n"])
@pytest.mark.parametrize("before", [b"", b"\n"], ids=["no empty line", "an empty line"])
@pytest.mark.parametrize("line", [FROM, b"From - Thu Nov 20 06:12:44 2025\n", b"From \n", b"From - \n", b"From -\n"])
def test_a_header_field_follows(line: bytes, before: bytes, eol: bytes) -> None:
    """Thunderbird and others write no date, or no empty line."""
    first, second = b"Subject: x\n\nFrom the desk of nobody\nx\n", b"Received: by b; c\n\ny\n"
    data = (line + first + before + line + second).replace(b"\n", eol)
    for size in (1, 7, 2000, CHUNK):
        assert cut(data, size) == [first.replace(b"\n", eol), second.replace(b"\n", eol)]
    assert is_mbox(data)


@pytest.mark.parametrize("before", [b"", b"\n"], ids=["no empty line", "an empty line"])
@pytest.mark.parametrize(
    "line",
    [
        b"From the desk of nobody\nPhone: 1\n",
        b"From the desk of nobody\n\nPhone: 1\n",
        b"From \nus all\n",
        b"From \n\nSubject: x\n",
        b"From -\nhttp://example.org\n",
        b"From - to\nSubject: x\n",
        b"From 10:30 on 20 November we are closed\nPhone: 1\n",
        b"From a@example.org\nPhone: 1\n",
        b"From a@example.org to you\nSubject: x\n",
        b"From\nPhone: 1\n",
        b"From: a@example.org\nSubject: x\n",
        b"Fromage\nSubject: x\n",
    ],
)
def test_bodies_are_not_cut(line: bytes, before: bytes) -> None:
    data = b"Subject: x\n\nx\n" + before + line
    assert cut(FROM + data) == [data]


def test_a_date_in_a_text_is_no_separator_without_an_empty_line() -> None:
    assert cut(FROM + b"A: b\n\nx\n" + FROM + b"y\n") == [b"A: b\n\nx\n" + FROM + b"y\n"]
    assert cut(FROM + b"A: b\n\nx\n" + FROM + b"http://example.org\n")[1:] == []


MULTIPART = b'Content-Type: multipart/mixed;\n boundary="B"\n\n--B\n\nx\n--B%s\n'


@pytest.mark.parametrize(
    ("first", "several"),
    [
        (b"Subject: x\n\nx\n", True),
        (MULTIPART % b"--", True),
        (MULTIPART % b"", False),  # an mbox in a part, the sample of a failure report
        (b"Subject: x\n\nFrom here on\n", True),
    ],
)
@pytest.mark.parametrize("eol", [b"\n", b"\r\n", b"\r"])
def test_the_first_message_has_no_separator(first: bytes, several: bool, eol: bytes) -> None:
    data = (first + b"\n" + FROM + b"Subject: y\n\ny\n").replace(b"\n", eol)
    for size in (1, 100, CHUNK):
        pieces = (data[at : at + size] for at in range(0, len(data), size))
        assert begins_without_separator(data, pieces) == several
        assert not begins_without_separator(first, [first])


@pytest.mark.skipif(not CASES.is_dir(), reason=f"there are no cases in {CASES}")
def test_cases() -> None:
    assert len(cut((CASES / "12-mbox/thunderbird-bare-noblank.mbox").read_bytes())) == 3


def test_carriage_returns() -> None:
    line = FROM.replace(b"\n", b"\r\n")
    assert cut(line + b"A: b\r\n\r\nx\r\n\r\n" + line + b"C: d\r\n\r\n") == [b"A: b\r\n\r\nx\r\n", b"C: d\r\n"]


def test_what_comes_first() -> None:
    assert cut(b"\n\r\n" + FROM + b"A: b\n") == [b"A: b\n"]
    assert cut(b"Lost: 1\n\n" + FROM + b"A: b\n") == [b"Lost: 1\n", b"A: b\n"]
    assert cut(b"") == cut(b"\n\n") == []
    assert cut(FROM) == [b""]


def test_truncated() -> None:
    whole = FROM + b"A: b\n\nx\n\n" + FROM + b"C: d\n\nyyyy\n"
    for end in range(len(FROM) + 10, len(whole)):
        assert cut(whole[:end])[0].startswith(b"A: b\n"), end


def blob_in_file(data: bytes) -> File:
    descriptor = temporary_file()
    with open(descriptor, "wb", closefd=False) as file:
        file.write(data)
    return File(descriptor, len(data))


@given(st.lists(st.sampled_from([b">From a\n", b">>From b\n", b"From c\n", b"> From d\n", b"x>From e\n", b"y"])))
def test_quotes(parts: list[bytes]) -> None:
    data = b"".join(parts)
    expected = b"\n".join(
        line[1:] if line.startswith(b">") and line.lstrip(b">").startswith(b"From ") else line
        for line in data.split(b"\n")
    )
    assert b"".join(chunks(unquoted(Memory(data)))) == expected
    assert b"".join(chunks(unquoted(blob_in_file(data)))) == expected


@pytest.mark.parametrize("shift", range(-12, 13))
def test_quotes_at_the_edge_of_a_piece(shift: int) -> None:
    for filling in (b"x" * (CHUNK + shift - 1) + b"\n", b"y\n" * (CHUNK // 2) + b"z" * (12 + shift) + b"\n"):
        data = filling + b">From a\n" + b"w" * CHUNK + b">From no\n>>From b\n"
        found = b"".join(chunks(unquoted(blob_in_file(data))))
        assert found == filling + b"From a\n" + b"w" * CHUNK + b">From no\n>From b\n"


@pytest.mark.parametrize("front", [b"", b"\n\r\n", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("first", [b"From a@b.example Thu Nov 20 06:12:44 2025\n", b"From - \n", b""])
def test_whether_there_are_several(front: bytes, first: bytes) -> None:
    one, line = b"Subject: x\n\nhello\n\n", b"From a@b.example Thu Nov 20 06:12:44 2025\n"
    assert holds_several(Memory(front + first + one + line + one))
    assert not holds_several(Memory(front + first + one + b"From the desk of nobody\n\nhello\n"))
    assert not holds_several(Memory(front + first + one))
