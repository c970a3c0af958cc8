"""One conversation in LMTP (RFC 2033), without any I/O: bytes come in, replies and messages go out.

aiosmtpd 1.4.6 was looked at and not taken: it gives one reply behind the data where LMTP wants one for each recipient
(its issue 517), holds the whole message in memory, answers 500 to a line above 1,001 bytes, which reporters send, and
announces no PIPELINING. What is left of SMTP by then is this file.

Only CR LF ends a line, and only CR LF . CR LF the data: a bare CR or LF is a byte like any other there, so that no two
servers can differ about where a message ends.
"""

import re
from collections.abc import Callable
from typing import NamedTuple, Protocol

LINE = 4096  # bytes of a command; RFC 5321 §4.5.3.1.4 wants 512, and extensions add to that
ERRORS = 20  # commands that are none, after which the conversation ends
LARGEST = 4 * 1024**3  # bytes of one message that can be kept: what the pipe takes

_PATH = r"""[ \t]*+(<(?:"(?:[^"\\]|\\.)*+"|[^">])*+>|[^ <>]++)(?:[ \t]++(.*))?\Z"""
_MAIL = re.compile(r"FROM:" + _PATH, re.IGNORECASE)
_RCPT = re.compile(r"TO:" + _PATH, re.IGNORECASE)
_SIZE = re.compile(r"(?:\A|[ \t])SIZE=(\S*)", re.IGNORECASE)
_SOURCE_ROUTE = re.compile(r"@[^:]*+:")  # RFC 5321 §4.1.1.3: must be taken, should be ignored
_NO_COMMAND = re.compile(rb"[\x00\r\n]")


class Sink(Protocol):
    """Where the bytes of a message go."""

    def write(self, piece: bytes) -> None:
        """Take a piece; never raises."""
        ...


class Message(NamedTuple):
    """A message that came to its end, and waits for its answer."""

    recipients: tuple[str, ...]  # addresses, each once for every RCPT that was answered with 250
    content: Sink


class Content:
    """The data of a message: dots undone, up to CR LF . CR LF (RFC 5321 §4.5.2), its lines with the LF of this host.

    CR LF belongs to the wire. Every local delivery writes LF: else what is neither base64 nor quoted-printable would
    have another SHA-256 here than behind a pipe, and so would a kept copy.
    """

    def __init__(self) -> None:
        self._held = b"\r\n"  # what may become a mark; the line of DATA ended just before
        self._before = len(self._held)  # bytes of it that are no part of the message

    def take(self, data: bytes) -> tuple[bytes, bytes | None]:
        """What the bytes add to the message, and what stands behind its end; None as long as there is none."""
        data = self._held + data
        pieces = []
        at = 0
        rest = None
        while (mark := data.find(b"\r\n.", at)) >= 0:
            next_ = data[mark + 3 : mark + 5]
            if len(next_) < 2 and b"\r\n".startswith(next_):  # it may be the end
                pieces.append(data[at:mark])
                at = mark
                break
            pieces.append(data[at : mark + 2])
            at = mark + 3
            if next_ == b"\r\n":
                rest = data[at + 2 :]
                break
        else:
            hold = 2 if data.endswith(b"\r\n") else data.endswith(b"\r")
            pieces.append(data[at : max(at, len(data) - hold)])
            at = max(at, len(data) - hold)
        self._held = b"" if rest is not None else data[at:]
        return self._own(b"".join(pieces)), rest

    def _own(self, piece: bytes) -> bytes:
        """Without the line break that stood before the message. A CR LF is never cut in two."""
        strange = min(self._before, len(piece))
        self._before -= strange
        return piece[strange:].replace(b"\r\n", b"\n")


class Session:
    """A conversation. `feed` takes what came and returns what to say; `message` then waits for `answer`."""

    def __init__(self, host: str, recipients: int, sink: Callable[[], Sink]) -> None:
        self._host = host
        self._most = recipients
        self._sink = sink
        self._buffer = b""
        self._at = 0  # what stands before it in the buffer was read
        self._replies: list[str] = []
        self._greeted = False
        self._errors = 0
        self._skipping = False  # the rest of a line that is too long
        self._content: Content | None = None
        self._to: Sink | None = None
        self.message: Message | None = None
        self.over = False  # nothing more is read; close when the replies are sent
        self._reset()

    def greeting(self) -> bytes:
        """The first reply."""
        return f"220 {self._host} LMTP email-report-processor\r\n".encode()

    @property
    def coming(self) -> bool:
        """Whether a message is on its way: MAIL was said, and its end is not here."""
        return self._mail and self.message is None

    @property
    def receiving(self) -> bool:
        """Whether the data of a message are on their way."""
        return self._content is not None

    def feed(self, data: bytes) -> bytes:
        """Go on with the conversation. Stops at the end of a message until `answer`."""
        self._buffer, self._at = self._buffer[self._at :] + data, 0
        return self._go_on()

    def answer(self, reply: str) -> bytes:
        """The same reply for each recipient of the message (RFC 2033 §4.2), and go on."""
        assert self.message is not None
        self._replies += [reply] * len(self.message.recipients)
        self.message = None
        self._reset()
        return self._go_on()

    def _go_on(self) -> bytes:
        while not self.over and self.message is None and self._at < len(self._buffer):
            if not (self._read_content() if self._content else self._read_line()):
                break
        replies, self._replies = self._replies, []
        return "".join(f"{reply}\r\n" for reply in replies).encode("utf-8", "replace")

    def _read_content(self) -> bool:
        assert self._content is not None
        assert self._to is not None
        piece, rest = self._content.take(self._buffer[self._at :])
        self._buffer, self._at = rest or b"", 0
        if piece:
            self._to.write(piece)
        if rest is not None:
            self._content = None
            self.message = Message(tuple(self._recipients), self._to)
        return rest is not None

    def _read_line(self) -> bool:
        end = self._buffer.find(b"\n", self._at)
        if end < 0:
            if len(self._buffer) - self._at > LINE:
                self._skipping, self._buffer, self._at = True, b"", 0
            return False
        line, self._at = self._buffer[self._at : end], end + 1
        if self._skipping or len(line) > LINE:
            self._skipping = False
            self._refuse("500 5.5.2 this line is too long")
        elif not line.endswith(b"\r") or _NO_COMMAND.search(line[:-1]):
            self._refuse("500 5.5.2 a line ends with CR LF, and has no CR, LF or NUL before")
        else:
            self._command(line[:-1].decode("utf-8", "replace"))
        return True

    def _command(self, line: str) -> None:
        verb, _, rest = line.partition(" ")
        command = _COMMANDS.get(verb.upper())
        if command is None:
            self._refuse("500 5.5.1 no command of LMTP (RFC 2033)")
        else:
            command(self, rest.strip(" \t"))

    def _say(self, reply: str) -> None:
        self._replies.append(reply)

    def _refuse(self, reply: str) -> None:
        self._say(reply)
        self._errors += 1
        if self._errors > ERRORS:
            self._say("421 4.7.0 too many errors")
            self.over = True

    def _reset(self) -> None:
        self._mail = False
        self._recipients: list[str] = []

    def _lhlo(self, rest: str) -> None:
        if not rest:
            self._refuse("501 5.5.4 LHLO has the name of the client behind it")
            return
        self._reset()
        self._greeted = True
        # SIZE 0: no message is refused for its size (RFC 1870 §3); what is too big to be read is kept.
        offered = ("PIPELINING", "ENHANCEDSTATUSCODES", "8BITMIME", "SMTPUTF8", "SIZE 0")
        lines = (self._host, *offered)
        self._replies += [f"250{'-' if line is not lines[-1] else ' '}{line}" for line in lines]

    def _from(self, rest: str) -> None:
        found = _MAIL.match(rest)
        size = _SIZE.search(found[2] or "") if found else None
        if not self._greeted:
            self._refuse("503 5.5.1 LHLO comes first")
        elif self._mail:
            self._refuse("503 5.5.1 one MAIL for each message")
        elif not found:
            self._refuse("501 5.5.4 MAIL FROM:<address>")
        elif size and not (size[1].isascii() and size[1].isdigit() and len(size[1]) <= 20):
            self._refuse("501 5.5.4 SIZE=number of bytes")
        elif size and int(size[1]) > LARGEST:
            self._say("452 4.3.1 no message of this size can be kept here")
        else:  # other parameters say nothing that matters here (BODY, SMTPUTF8), or were not offered
            self._mail = True
            self._say("250 2.1.0 go on")

    def _rcpt(self, rest: str) -> None:
        found = _RCPT.match(rest)
        address = found[1].removeprefix("<").removesuffix(">") if found else ""
        if not self._mail:
            self._refuse("503 5.5.1 MAIL comes first")
        elif not address:
            self._refuse("501 5.5.4 RCPT TO:<address>")
        elif len(self._recipients) >= self._most:
            self._say(f"452 4.5.3 no more than {self._most} recipients of one message")
        else:
            self._recipients.append(_SOURCE_ROUTE.sub("", address, count=1) if address[0] == "@" else address)
            self._say("250 2.1.5 go on")

    def _data(self, rest: str) -> None:
        if not self._recipients:  # RFC 2033 §4.2 wants 503
            self._refuse("503 5.5.1 RCPT comes first")
        elif rest:
            self._refuse("501 5.5.4 DATA has nothing behind it")
        else:
            self._content, self._to = Content(), self._sink()
            self._say("354 go on; CR LF . CR LF ends it")

    def _rset(self, _rest: str) -> None:
        self._reset()
        self._say("250 2.0.0 as before MAIL")

    def _noop(self, _rest: str) -> None:
        self._say("250 2.0.0 here")

    def _vrfy(self, _rest: str) -> None:
        self._say("252 2.5.2 send it and see")

    def _quit(self, _rest: str) -> None:
        self._say("221 2.0.0 goodbye")
        self.over = True


_COMMANDS: dict[str, Callable[[Session, str], None]] = {
    "LHLO": Session._lhlo,
    "MAIL": Session._from,
    "RCPT": Session._rcpt,
    "DATA": Session._data,
    "RSET": Session._rset,
    "NOOP": Session._noop,
    "VRFY": Session._vrfy,
    "QUIT": Session._quit,
}  # RFC 2033 §4.1: HELO and EHLO are none
