"""The conversation by itself: what is said to what, and where a message ends."""

import itertools
import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.inboxes.lmtp import ERRORS, LINE, Content, Session
from email_report_processor.inboxes.spool import MEMORY, Spool
from email_report_processor.message.blob import IN_MEMORY

OPEN = b"LHLO mail.example\r\nMAIL FROM:<a@example.net>\r\n"
TO_ONE = OPEN + b"RCPT TO:<b@example.org>\r\n"


def session(recipients: int = 1000) -> Session:
    return Session("host.example", recipients, Spool)


def codes(replies: bytes) -> list[str]:
    """The code of each reply; of one of many lines, once."""
    assert not replies or replies.endswith(b"\r\n")
    return [line[:3].decode() for line in replies.split(b"\r\n") if line[3:4] == b" "]


def said(commands: bytes) -> list[str]:
    return codes(session().feed(commands))


def content(one: Session) -> bytes:
    assert one.message is not None
    assert isinstance(one.message.content, Spool)
    return one.message.content.data()


def test_lhlo_offers_what_is_done() -> None:
    replies = session().feed(b"LHLO mail.example\r\n").decode().splitlines()
    assert replies == [
        "250-host.example", "250-PIPELINING", "250-ENHANCEDSTATUSCODES", "250-8BITMIME", "250-SMTPUTF8", "250 SIZE 0",
    ]  # fmt: skip


def test_every_reply_but_of_lhlo_has_an_enhanced_status() -> None:
    """RFC 2034 §4: of the class of the code."""
    commands = (
        b"FOO\r\nDATA\r\nRCPT TO:<b@example.org>\r\nMAIL FROM:<a@example.net>\r\nLHLO\r\nVRFY b\r\nNOOP\r\nRSET\r\n\n"
    )
    for reply in session().feed(commands + b"QUIT\r\n").decode().splitlines():
        assert re.match(r"([245])\d\d \1\.\d\.\d ", reply), reply


@pytest.mark.parametrize(
    ("commands", "expected"),
    [
        (b"HELO x\r\nEHLO x\r\n", ["500", "500"]),  # RFC 2033 §4.1
        (b"MAIL FROM:<a@example.net>\r\n", ["503"]),
        (b"LHLO\r\n", ["501"]),
        (OPEN + b"DATA\r\n", ["250", "250", "503"]),  # RFC 2033 §4.2
        (OPEN + b"MAIL FROM:<a@example.net>\r\n", ["250", "250", "503"]),
        (OPEN + b"RCPT TO:<>\r\n", ["250", "250", "501"]),
        (OPEN + b"RCPT FROM:<b@example.org>\r\n", ["250", "250", "501"]),
        (TO_ONE + b"DATA now\r\n", ["250", "250", "250", "501"]),
        (TO_ONE + b"RSET\r\nDATA\r\n", ["250", "250", "250", "250", "503"]),
        (b"LHLO x\r\nMAIL FROM:<>\r\n", ["250", "250"]),
        (b"lhlo x\r\nmail from: <a@example.net> SIZE=100 BODY=8BITMIME SMTPUTF8\r\n", ["250", "250"]),
        (b"LHLO x\r\nMAIL FROM:<a> SIZE=99999999999\r\n", ["250", "452"]),  # ours: not for ever
        (b"LHLO x\r\nMAIL FROM:<a> SIZE=9999999999999999999999\r\n", ["250", "501"]),
        (b"LHLO x\r\nMAIL FROM:<a> SIZE=many\r\n", ["250", "501"]),
        (b"LHLO x\r\nMAIL FROM:<a> SIZE=104857600\r\n", ["250", "250"]),  # a pipe keeps it
        (b'LHLO x\r\nMAIL FROM:<"a> b"@example.net> SIZE=1\r\n', ["250", "250"]),
        ("LHLO x\r\nMAIL FROM:<ä@bücher.example> SMTPUTF8\r\n".encode(), ["250", "250"]),
        (b"NOOP\nQUIT\r\n", ["500", "221"]),
        (b"NO\x00OP\r\nQUIT\r\n", ["500", "221"]),
        (b"NOOP\rQUIT\r\n", ["500"]),
    ],
)
def test_a_command_and_its_reply(commands: bytes, expected: list[str]) -> None:
    assert said(commands) == expected


def test_one_reply_for_each_recipient() -> None:
    """Also for the same address twice (RFC 2033 §4.2)."""
    one = session()
    replies = one.feed(OPEN + b"RCPT TO:<b@example.org>\r\n" * 2 + b"RCPT TO:<@relay.example:c@d.example>\r\nDATA\r\n")
    assert codes(replies) == ["250", "250", "250", "250", "250", "354"]
    assert one.feed(b"Subject: x\r\n\r\nhello\r\n.\r\nNOOP\r\n") == b""
    assert one.message is not None
    assert one.message.recipients == ("b@example.org", "b@example.org", "c@d.example")
    assert codes(one.answer("451 4.3.0 not now")) == ["451", "451", "451", "250"]
    assert codes(one.feed(b"DATA\r\n")) == ["503"]


def test_one_recipient_too_many_is_to_come_again() -> None:
    one = session()
    replies = codes(one.feed(OPEN + b"RCPT TO:<b@example.org>\r\n" * 1001 + b"DATA\r\n"))
    assert replies[2:] == ["250"] * 1000 + ["452", "354"]
    one.feed(b".\r\n")
    assert codes(one.answer("250 2.0.0 safe")) == ["250"] * 1000


def test_a_long_line_is_refused_and_the_next_one_read() -> None:
    one = session()
    assert codes(one.feed(b"NOOP " + b"x" * (LINE - 6) + b"\r\n")) == ["250"]
    assert codes(one.feed(b"NOOP " + b"x" * LINE + b"\r\nNOOP\r\n")) == ["500", "250"]
    for _ in range(50):
        assert one.feed(b"x" * LINE) == b""
    assert len(one._buffer) <= LINE
    assert codes(one.feed(b"\r\nNOOP\r\n")) == ["500", "250"]


def test_who_says_nothing_sensible_is_sent_away() -> None:
    one = session()
    assert codes(one.feed(b"GET / HTTP/1.1\r\n" * (ERRORS + 5))) == ["500"] * (ERRORS + 1) + ["421"]
    assert one.over
    assert one.feed(b"NOOP\r\n") == b""


def test_many_commands_at_once_take_linear_time() -> None:
    one = session()
    assert len(codes(one.feed(b"NOOP\r\n" * 200_000))) == 200_000


# Where a message ends

SMUGGLED = b"\r\nLHLO evil\r\nMAIL FROM:<x>\r\n"


@pytest.mark.parametrize(
    "end", [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\n", b"\r\n.\r", b"\n.\r", b"\r.\r\n", b"\r\n.\x00\r\n"]
)
def test_nothing_but_crlf_dot_crlf_ends_the_data(end: bytes) -> None:
    """SMTP smuggling (2023): servers that differ about it take one message for two."""
    one = session()
    one.feed(TO_ONE + b"DATA\r\n")
    assert one.feed(b"before" + end + SMUGGLED) == b""
    assert one.message is None
    one.feed(b"\r\n.\r\n")
    expected = (b"before" + end + SMUGGLED).replace(b"\r\n.", b"\r\n")
    assert content(one) == here(expected + b"\r\n")


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        (b".\r\n", b""),
        (b"\r\n.\r\n", b"\r\n"),
        (b"..\r\n.\r\n", b".\r\n"),
        (b"..a\r\n.b\r\n...\r\n.\r\n", b".a\r\nb\r\n..\r\n"),
        (b"a\x00b\xff\r\n.\r\n", b"a\x00b\xff\r\n"),
        (b"a\r\r\n.\r\n", b"a\r\r\n"),
        (b".\r\r\n.\r\n", b"\r\r\n"),
    ],
)
def test_dots_are_undone(wire: bytes, expected: bytes) -> None:
    one = session()
    one.feed(TO_ONE + b"DATA\r\n" + wire)
    assert content(one) == here(expected)


def here(message: bytes) -> bytes:
    """With the line breaks of this host, as behind a pipe."""
    return message.replace(b"\r\n", b"\n")


def stuffed(message: bytes) -> bytes:
    """As a client sends it (RFC 5321 §4.5.2)."""
    text = message if message.endswith(b"\r\n") or not message else message + b"\r\n"
    return (b"\r\n" + text).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"


pieces = st.lists(st.sampled_from([b"\r", b"\n", b".", b"\r\n", b"\r\n.", b"a", b"\x00", b"DATA\r\n"]), max_size=30)


@given(message=pieces.map(b"".join), rest=pieces.map(b"".join), cuts=st.lists(st.integers(0, 100), max_size=10))
def test_any_bytes_in_any_pieces_arrive_as_behind_a_pipe(message: bytes, rest: bytes, cuts: list[int]) -> None:
    wire = stuffed(message) + rest
    reader = Content()
    found, behind = b"", None
    places = sorted({0, *(cut for cut in cuts if cut < len(wire)), len(wire)})
    for start, stop in itertools.pairwise(places):
        if behind is None:
            piece, behind = reader.take(wire[start:stop])
            found += piece
        else:
            behind += wire[start:stop]
    assert found == here(message if message.endswith(b"\r\n") or not message else message + b"\r\n")
    assert behind == rest


@given(st.binary(max_size=300) | pieces.map(b"".join), st.integers(0, 300))
def test_whatever_comes_is_answered_or_waited_for(data: bytes, cut: int) -> None:
    whole, halves = session(), session()
    once = whole.feed(data)
    twice = halves.feed(data[:cut]) + halves.feed(data[cut:])
    assert once == twice
    assert len(codes(once)) <= data.count(b"\n") + 1


def test_a_big_message_goes_to_a_file_and_many_small_ones_too() -> None:
    spool = Spool()
    spool.write(b"x" * IN_MEMORY)
    assert spool.file < 0
    spool.write(b"y")
    assert spool.file >= 0
    spool.close()
    assert Spool.held == 0
    many = [Spool() for _ in range(MEMORY // 1000)]
    for one in many:
        one.write(b"x" * 2000)
    assert Spool.held <= MEMORY
    assert {one.file < 0 for one in many} == {True, False}
    assert os.pread(many[-1].file, 3000, 0) == b"x" * 2000
    for one in many:
        one.close()
    assert Spool.held == 0


def test_a_full_disk_is_said_when_the_message_is_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room() -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("email_report_processor.inboxes.spool.temporary_file", no_room)
    full = Spool()
    for _ in range(3):
        full.write(b"x" * IN_MEMORY)
    assert "No space left" in full.fault
    assert Spool.held == 0
