"""What servers may answer, without a server; and what is remembered of them."""

import contextlib
import os
import socket
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.inboxes.credentials import Credential
from email_report_processor.inboxes.folder import Lines, grouped
from email_report_processor.inboxes.imap import (
    PIECE,
    Connection,
    Found,
    InboxError,
    _bodies,
    _found,
    _set,
    announced,
    connect,
)
from email_report_processor.inboxes.mailboxes import LONGEST, SHORTEST, Backoff
from email_report_processor.inboxes.options import InboxOptions
from email_report_processor.inboxes.seen import Ranges


@given(st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a"])).map(b"".join), st.lists(st.integers(0, 20)))
def test_line_breaks_wherever_the_pieces_end(text: bytes, cuts: list[int]) -> None:
    lines, out, at = Lines(), b"", 0
    for cut in sorted(cuts):
        out += lines.feed(text[at:cut])
        at = max(at, cut)
    out += lines.feed(text[at:]) + lines.end()
    assert out == text.replace(b"\r\n", b"\n")


@given(st.sets(st.integers(1, 60)), st.sets(st.integers(1, 60)))
def test_ranges_are_a_set(some: set[int], more: set[int]) -> None:
    ranges = Ranges((one, one) for one in some)
    ranges.add(more)
    assert {number for number in range(70) if number in ranges} == some | more
    assert Ranges(ranges.pairs).pairs == ranges.pairs
    assert all(first - 2 >= last for (_, last), (first, _) in zip(ranges.pairs, ranges.pairs[1:], strict=False))
    assert ranges.low == next((one - 1 for one in range(1, 70) if one not in some | more), 0)


@given(st.sets(st.integers(1, 2**32 - 1), min_size=1, max_size=50))
def test_a_sequence_set_names_each_once(uids: set[int]) -> None:
    named: list[int] = []
    for part in _set(sorted(uids)).split(","):
        first, _, last = part.partition(":")
        named += range(int(first), int(last or first) + 1)
    assert named == sorted(uids)


@given(st.lists(st.integers(0, 2 * PIECE), max_size=200))
def test_groups_are_bounded_and_lose_nothing(sizes: list[int]) -> None:
    found = [Found(uid, size, deleted=False) for uid, size in enumerate(sizes)]
    groups = list(grouped(found))
    assert [one for group in groups for one in group] == found
    assert all(len(group) == 1 or sum(one.size for one in group) <= PIECE for group in groups)
    assert all(1 <= len(group) <= 64 for group in groups)


def test_bodies_in_every_form() -> None:
    lines = [
        (b"1 (UID 7 BODY[]<0> {3}", b"abc"), b")",
        (b"2 (BODY[]<0> {1}", b"d"), b" UID 8)",
        b'3 (UID 9 BODY[]<0> "q\\"UID 5\\\\")',
        b"4 (UID 10 BODY[]<1048576> NIL)",
        b"5 (UID 11 FLAGS (\\Seen))",  # what another client did
        b'6 (BODY[] "" UID 12)',
    ]  # fmt: skip
    assert dict(_bodies(lines)) == {7: b"abc", 8: b"d", 9: b'q"UID 5\\', 10: b"", 12: b""}


@given(st.lists(st.one_of(st.binary(), st.tuples(st.binary(), st.binary()))))
def test_answers_that_are_none(lines: list[bytes | tuple[bytes, bytes]]) -> None:
    assert isinstance(dict(_bodies(lines)), dict)
    assert all(one is None or one.uid >= 0 for one in map(_found, lines))


def test_waiting_grows_and_ends() -> None:
    backoff = Backoff()
    waits = [backoff.next() for _ in range(20)]
    assert SHORTEST * 0.75 <= waits[0] <= SHORTEST
    assert LONGEST * 0.75 <= waits[-1] <= LONGEST
    backoff.reset()
    assert backoff.next() <= SHORTEST


class Scripted:
    """An IMAP server that says what it is told to: command -> lines before the tagged answer, and that; or in turn."""

    def __init__(self, answers: dict[str, bytes | list[bytes]]) -> None:
        self._answers = answers
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            connection, _ = self._socket.accept()
            with connection, connection.makefile("rb") as lines:
                connection.sendall(b"* OK here\r\n")
                tag = b""
                for line in lines:
                    words = line.split()
                    if words != [b"DONE"]:
                        tag = words[0]
                    command = b" ".join(words[1:3] if words[1:2] == [b"UID"] else words[1:2]) or b"DONE"
                    said = self._answers.get(command.decode(), b"TAG OK done\r\n")
                    connection.sendall((said if isinstance(said, bytes) else said.pop(0)).replace(b"TAG", tag))

    def close(self) -> None:
        self._socket.close()


USUAL: dict[str, bytes | list[bytes]] = {
    "CAPABILITY": b"* CAPABILITY IMAP4rev1 IDLE AUTH=PLAIN\r\nTAG OK done\r\n",
    "AUTHENTICATE": b"+ \r\n",
    "LIST": b'* LIST (\\Noselect) "." ""\r\nTAG OK done\r\n',
    "SELECT": b"* 1 EXISTS\r\n* OK [UIDVALIDITY 5] ok\r\nTAG OK [READ-WRITE] done\r\n",
}


@contextlib.contextmanager
def scripted(**answers: bytes | list[bytes]) -> Iterator[InboxOptions]:
    server = Scripted(USUAL | {"CAPABILITY": b"* CAPABILITY IMAP4rev1 IDLE\r\nTAG OK done\r\n"} | answers)
    with contextlib.closing(server):
        yield InboxOptions(host="127.0.0.1", port=server.port, username="u", security="none", timeout=20)


PASSWORD = Credential("pa55", is_token=False)


@contextlib.contextmanager
def connected(options: InboxOptions) -> Iterator[Connection]:
    connection = connect(options, PASSWORD)
    try:
        yield connection
    finally:
        connection.drop()


@pytest.mark.parametrize(
    "said", [b"+ idling\r\n* 2 EXISTS\r\n", b"TAG NO not now\r\n", b"TAG BAD what\r\n"], ids=["at once", "no", "bad"]
)
def test_idle_that_ends_at_once(said: bytes) -> None:
    """News that come in one packet with the answer to IDLE are seen; one that refuses IDLE is looked at instead."""
    mine, other = os.pipe()
    with scripted(IDLE=said) as options, connected(options) as connection:
        connection.select("INBOX", read_only=False)
        connection.idle(1000, mine)  # longer than a test may take
        assert ("IDLE" in connection.capabilities) == said.startswith(b"+")
    os.close(mine)
    os.close(other)


@pytest.mark.parametrize(
    ("select", "lasting", "sentence"),
    [
        (b"* 1 EXISTS\r\nTAG OK done\r\n", True, "no UIDVALIDITY"),
        (b"* OK [UIDVALIDITY 5] ok\r\nTAG OK [READ-ONLY] done\r\n", True, 'set done = "leave"'),
        (b"TAG NO [INUSE] later\r\n", True, "[INUSE] later"),
        (b"* BYE going down\r\n", False, "going down"),
        (b"* 1 EXISTS\r\n* OK [UIDVALIDITY x] ok\r\nTAG OK done\r\n", False, "an answer that is none"),
        (b"%\r\n", False, "%"),
    ],
)
def test_folders_that_cannot_be_used(select: bytes, lasting: bool, sentence: str) -> None:
    with scripted(SELECT=select) as options, connected(options) as connection, pytest.raises(InboxError) as raised:
        connection.select("INBOX", read_only=False)
    assert raised.value.lasting == lasting
    assert sentence in str(raised.value)


def test_a_server_that_refuses_for_now() -> None:
    with scripted(LOGIN=b"TAG NO [UNAVAILABLE] busy\r\n") as options, pytest.raises(InboxError) as raised:
        connect(options, PASSWORD)
    assert not raised.value.lasting
    assert "pa55" not in str(raised.value)


def test_what_was_copied_is_not_copied_again() -> None:
    """A folder in which nothing may be deleted: the next look tries the removal alone."""
    refused = {"UID STORE": b"TAG NO [NOPERM] not yours\r\n"}
    with scripted(**refused) as options, connected(options) as connection:
        connection.select("INBOX", read_only=False)
        assert connection.move([1], "archive") == ("[NOPERM] not yours", True)
    with scripted(**{"UID COPY": b"TAG NO [OVERQUOTA] full\r\n"}) as options, connected(options) as connection:
        connection.select("INBOX", read_only=False)
        assert connection.move([1], "archive") == ("[OVERQUOTA] full", False)


@pytest.mark.parametrize("said", [b"TAG NO what\r\n", b"TAG BAD what\r\n"])
def test_messages_that_cannot_be_listed_are_not_none(said: bytes) -> None:
    with scripted(**{"UID FETCH": said}) as options, connected(options) as connection:
        connection.select("INBOX", read_only=False)
        with pytest.raises(InboxError, match="what"):
            list(connection.pages(0))


def test_messages_that_somebody_else_deletes_are_listed_without_them() -> None:
    gone, there = (
        b"TAG NO [EXPUNGEISSUED] some are gone\r\n",
        b"* 1 FETCH (UID 7 FLAGS () RFC822.SIZE 3)\r\nTAG OK done\r\n",
    )
    with scripted(**{"UID FETCH": [gone, there, gone, there]}) as options, connected(options) as connection:
        connection.select("INBOX", read_only=False)
        assert [[one.uid for one in page] for page in connection.pages(0)] == [[7]]
    with scripted(**{"UID FETCH": gone}) as options, connected(options) as connection:
        connection.select("INBOX", read_only=False)
        with pytest.raises(InboxError, match="EXPUNGEISSUED"):
            list(connection.pages(0))


@pytest.mark.parametrize(
    ("exists", "expunge", "more"),
    [
        ([b"2"], [], False),  # SELECT alone
        ([b"2", b"3"], [], True),  # one came while others were fetched
        ([b"2", b"2"], [], False),  # a server that repeats itself
        ([b"2", b"1"], [b"1", b"1"], True),  # both were moved, and then one came
        ([b"2", b"3"], [b"1", b"1"], True),
        ([], [], False),
    ],
)
def test_what_came_while_a_folder_was_read_is_not_waited_for(
    exists: list[bytes], expunge: list[bytes], more: bool
) -> None:
    assert announced({"EXISTS": exists, "EXPUNGE": expunge}) is more
