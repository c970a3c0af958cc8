"""Where the messages of an mbox begin and end (RFC 4155, and what programs make of it).

A message begins behind a line `From ` with a date in it that stands at the very start or after an empty line. Texts
hold lines that begin with `From `, too, and not every program quotes them: where the date is only something like one,
where there is none at all (Thunderbird writes `From ` and nothing else), and where no empty line is before it, a header
field has to follow.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import chain

from .blob import Blob, Memory, chunks, spool

MARGIN = 2048  # bytes that are enough to know whether a line separates messages

_DATE = rb"[^\r\n]{0,400}\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b,?+ [^\r\n]{0,400}[0-9]:[0-5][0-9][^\r\n]{0,100}"
_LIKE_A_DATE = rb"(?=[^\r\n]{0,900}\b(?:19|20)[0-9]{2}\b)[^\r\n]{0,800}[0-9]:[0-5][0-9][^\r\n]{0,100}"
_FIELD_FOLLOWS = rb"(?=[!-9;-~]{1,100}[ \t]*:|>?From |\r?\n|\Z)"
_SEPARATOR = re.compile(rb"From (?:%s(?:\r?\n|\Z)|%s(?:\r?\n|\Z)%s)" % (_DATE, _LIKE_A_DATE, _FIELD_FOLLOWS))
_CERTAINLY_A_FIELD = rb"(?=[A-Za-z][A-Za-z0-9-]{0,60}:(?:[ \t]|\r?\n))"
_BARE = re.compile(rb"From (?:- ?)?[ \t]{0,20}\r?\n" + _CERTAINLY_A_FIELD)
_WITHOUT_EMPTY_LINE = re.compile(rb"From (?:%s|%s)\r?\n%s" % (_DATE, _LIKE_A_DATE, _CERTAINLY_A_FIELD))
_LINE = b"\nFrom "
_QUOTED = re.compile(rb"^>(>*From )", re.MULTILINE)
_QUOTED_WITHIN = re.compile(rb"(?<=\n)>(>*From )")
_CONTEXT = 3  # bytes before a line break that tell whether it ends an empty line


def is_mbox(head: bytes) -> bool:
    """Whether a file that begins with these bytes (MARGIN, or all there are) is an mbox."""
    return _separator(head.lstrip(b"\r\n"), 0, after_empty_line=True) is not None


def _separator(data: bytes, at: int, *, after_empty_line: bool) -> re.Match[bytes] | None:
    """The line that begins at `at`, when it separates messages."""
    dated = _SEPARATOR if after_empty_line else _WITHOUT_EMPTY_LINE
    return dated.match(data, at) or _BARE.match(data, at)


def messages(pieces: Iterable[bytes]) -> Iterator[tuple[int, int]]:
    """Where each message begins and ends, without the separator and the empty line behind it.

    What stands before the first separator is a message, too, unless it is blank. Holds a piece and MARGIN bytes.
    """
    data, base = b"\n\n", -2  # the first line stands after an empty one; `base` is where `data` begins
    looked, start = base, 0  # what is before `looked` is decided; where the current message begins
    named, blank = False, True  # whether it has a separator, and whether it is nothing but blanks without one
    for piece in chain(pieces, (None,)):
        data += piece or b""
        limit = len(data) - (0 if piece is None else MARGIN)
        at = looked - base - 1
        while 0 <= (at := data.find(_LINE, at + 1)) < limit:
            empty = _empty_line(data, at)
            separator = _separator(data, at + 1, after_empty_line=empty >= 0)
            if separator:
                if named or not (blank and data[:at].isspace()):
                    yield start, max(base + (empty if empty >= 0 else at + 1), start)
                start, named = base + separator.end(), True
        if limit > 0:
            blank = blank and data[:limit].isspace()
            looked = base + limit
        if limit > _CONTEXT:
            data, base = data[limit - _CONTEXT :], looked - _CONTEXT
    end = base + len(data)
    if named:
        yield start, max(end - (2 if data.endswith(b"\n\r\n") else data.endswith(b"\n\n")), start)
    elif not blank:
        yield start, end


def _empty_line(data: bytes, at: int) -> int:
    """Where the empty line begins that the line break at `at` ends; -1 when it is not empty."""
    if data[at - 1 : at] == b"\n":
        return at
    return at - 1 if data[max(at - 2, 0) : at] == b"\n\r" else -1


def unquoted(blob: Blob) -> Blob:
    """A message of an mbox with one `>` taken off its lines `>From `, `>>From ` and so on.

    So mboxrd has it. mboxo, which quotes one such line in the same way, is told apart from it by nothing; in mboxcl2,
    which quotes nothing, such lines hardly occur. Raises OSError when a temporary file cannot be written.
    """
    if isinstance(blob, Memory):
        data = blob.data
        return Memory(_QUOTED.sub(rb"\1", data)) if b">From " in data else blob
    if not any(b">From " in piece for piece in _overlapping(blob)):
        return blob
    lines = _unquoted_pieces(blob)
    return spool(lambda _: next(lines, b""), blob.size).blob


def _overlapping(blob: Blob) -> Iterator[bytes]:
    last = b""
    for piece in chunks(blob):
        yield last + piece
        last = piece[-8:]


def _unquoted_pieces(blob: Blob) -> Iterator[bytes]:
    """The pieces are cut at line breaks, or where a line is longer than a piece."""
    rest = b""
    fresh = True  # whether `rest` begins a line
    for piece in chain(chunks(blob), (b"",)):
        data = rest + piece
        cut = data.rfind(b"\n") + 1 if piece else len(data)
        cut = cut or max(len(data) - MARGIN, 0)
        whole, rest = data[:cut], data[cut:]
        if whole:
            yield (_QUOTED if fresh else _QUOTED_WITHIN).sub(rb"\1", whole)
            fresh = whole.endswith(b"\n")
