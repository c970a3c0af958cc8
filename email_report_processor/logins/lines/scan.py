"""Logins out of chunks of a log, in their order. What is looked for is found in the chunk: most lines are never seen.

Measured on lines of 120 to 220 bytes: six searches of a chunk take 0.6 µs a line, one regular expression of the six
words 2.3, a loop over the lines 0.3 before it has looked at any.
"""

from collections.abc import Callable, Iterable, Iterator

from . import dovecot, exim, postfix
from .journal import read_entry
from .login import Login
from .times import Clock

# Texts of policy daemons in the refusal of a sender over a quota: policyd's default and Cluebringer's two.
QUOTA_MESSAGES = ("Quota per hour exceeded", "count quota exceeded", "size quota exceeded")
MAX_LINE = 16384  # bytes; syslog receivers cut at 8 KiB or earlier, so longer ones are somebody's play

_Reader = Callable[[bytes, Clock], Login | None]

_WORDS: tuple[tuple[bytes, _Reader], ...] = (
    (b", sasl_method=", postfix.read_success),
    (b" authentication failed: ", postfix.read_failure),
    (b"-login: ", dovecot.read),
    (b" authenticator failed for ", exim.read_failure),
)
_EXIM: tuple[tuple[bytes, _Reader], ...] = ((b" A=", exim.read_success),)


class Scanner:
    """Finds logins; `quota` are the texts of a refusal over a quota."""

    def __init__(self, quota: Iterable[str] = QUOTA_MESSAGES) -> None:
        messages = tuple(text.encode() for text in quota)

        def refusal(line: bytes, clock: Clock) -> Login | None:
            return postfix.read_refusal(line, clock, messages)

        self._words = (*_WORDS, (b": reject: ", refusal)) if messages else _WORDS

    def scan(self, chunk: bytes, clock: Clock) -> list[Login]:
        """The logins of a chunk of whole lines, in their order."""
        if chunk.startswith(b"{"):
            chunk = b"\n".join(line for raw in chunk.split(b"\n") if (line := read_entry(raw)))
        found: list[tuple[int, Login]] = []
        for word, read in self._words:
            found += _readable(chunk, word, read, clock)
        if b" <= " in chunk:
            for word, read in _EXIM:
                found += _readable(chunk, word, read, clock)
        found.sort(key=_place)
        return [login for _, login in found]


def _place(found: tuple[int, Login]) -> int:
    return found[0]


def _readable(chunk: bytes, word: bytes, read: _Reader, clock: Clock) -> Iterator[tuple[int, Login]]:
    """Where in the chunk a line with the word begins, and the login that it tells of."""
    at = chunk.find(word)
    while at >= 0:
        begin = chunk.rfind(b"\n", 0, at) + 1
        end = chunk.find(b"\n", at)
        if end < 0:
            end = len(chunk)
        if end - begin <= MAX_LINE:
            login = read(chunk[begin:end].rstrip(b"\r"), clock)
            if login is not None:
                yield begin, login
        at = chunk.find(word, end)
