"""The first pass over a report whose records repeat: expat is shown one of each kind, and a skeleton of the others.

`<record/>` stands in the skeleton for a record whose text was found to be well-formed before, but for its address and
count. The pass gives up (None) at whatever is unusual: then `survey` reads from the beginning and judges every
character, so that nothing is said here that would not be said there.
"""

import hashlib
import re
from collections.abc import Iterator
from typing import Protocol

from ...message.bounds import Bounds
from ...message.payload import Payload
from ...values.patterns import pattern
from .encoding import Text, guess_encoding
from .judge import DefusedXmlException, Judge
from .plain import DECLARATION, may_be_special
from .records import Outside
from .survey import ROOT, Survey, pieces_of, read_head
from .unlike import check_rows

__all__ = ["DefusedXmlException", "survey_usual"]

_END = "</record>"
_START = "<record>"
_MOST_WAITING = 64 * 1024  # characters that are no whole record yet
_BREAK = pattern(r"[\r\n]")  # in a declaration: a mail that quotes a report may begin so
_UTF_8 = pattern(r"(?!.*\sencoding)|.*\sencoding\s*=\s*[\"']utf-?8[\"']", re.IGNORECASE)


class Sink(Protocol):
    """Who knows usual records."""

    @property
    def cost(self) -> int:
        """What unusual ones cost until now (see unlike.py)."""

    def take(self, body: str) -> bool | None:
        """Take a record: whether records like it are known to be well-formed; None when it is not a usual one."""

    def well_formed(self) -> None:
        """All records that were taken stood in a well-formed report."""


class _Skeleton:
    """Cuts the text into records, and shows the judge what it has to see."""

    def __init__(self, sink: Sink, bounds: Bounds) -> None:
        self.sink = sink
        self.bounds = bounds
        self.judge = Judge("utf-8", "", bounds.record_bytes)
        self.outside = Outside(bounds.record_bytes)
        self.declaration = ""
        self.rows = 0
        self.rest = ""

    def begin(self, text: str) -> str | None:
        """The text of the first piece without its XML declaration; None when it is no usual report."""
        declaration = DECLARATION.match(text)
        if declaration is None:
            return text if ROOT.match(text) else None
        if declaration[1] or _BREAK.search(declaration[0]) or not _UTF_8.match(declaration[0]):
            return None
        self.declaration = declaration[0]
        plain = text[declaration.end() :]
        return plain if ROOT.match(plain) else None

    def feed(self, text: str, final: bool) -> bool:
        """Read on; whether everything was usual. Raises OverBound, DefusedXmlException."""
        text = self.rest + text
        if may_be_special(text):
            return False
        *parts, self.rest = text.split(_END)
        shown = [self.declaration]
        self.declaration = ""
        for part in parts:
            if not self._record(part, shown):
                return False
        self.rows += len(parts)
        check_rows(self.rows, self.sink.cost, self.bounds)
        if final and not self._outside(self.rest, shown):
            return False
        self.judge.feed("".join(shown).encode(), final)
        return not self.judge.complaint and len(self.rest) <= _MOST_WAITING

    def _record(self, part: str, shown: list[str]) -> bool:
        before, found, body = part.partition(_START)
        judged = self.sink.take(body) if found and len(body) <= self.bounds.record_bytes else None
        if judged is None or not (not before or before.isspace() or self._outside(before, shown)):
            return False
        shown.append("<record/>" if judged else part[len(before) :] + _END)
        return True

    def _outside(self, text: str, shown: list[str]) -> bool:
        if "record" in text:
            return False
        self.outside.add(text)
        shown.append(text)
        return True


def survey_usual(payload: Payload, bounds: Bounds, containers: frozenset[str], sink: Sink) -> Survey | None:
    """The same as `survey` says of a well-formed report of usual records; None for any other payload.

    Raises OverBound. The records are the sink's.
    """
    damage: list[str] = []
    sha256 = hashlib.sha256()
    text = Text("utf-8")
    skeleton = _Skeleton(sink, bounds)
    pieces = ((payload.whole, True),) if payload.whole else _with_last(pieces_of(payload.chunks, damage))
    for number, (piece, final) in enumerate(pieces):
        if number == 0 and guess_encoding(piece) != ("utf-8", ""):
            return None
        sha256.update(piece)
        decoded: str | None = text.decode(piece, final=final)
        if number == 0:
            decoded = skeleton.begin(decoded) if decoded else None
        if decoded is None or text.repaired or not skeleton.feed(decoded, final):
            return None
    if damage or not skeleton.rows:
        return None
    sink.well_formed()
    outside = skeleton.outside
    return Survey(
        "utf-8",
        *read_head(outside.text, containers, bounds.xml_depth),
        outside.first_tag(),
        True,
        sha256.hexdigest(),
        skeleton.rows,
        True,
        "",
        tuple(payload.warnings),
        sink.cost,
    )


def _with_last(pieces: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Each piece, and whether it is the last one."""
    before: bytes | None = None
    for piece in pieces:
        if before is not None:
            yield before, False
        before = piece
    if before is not None:
        yield before, True
