"""Where the messages of an mbox begin and end (RFC 4155, and what programs make of it).

A message begins behind a line `From ` with a date in it that stands at the very start or after an empty line. Texts
hold lines that begin with `From `, too, and not every program quotes them: where the date is only something like one,
where there is none at all (Thunderbird writes `From ` and nothing else, others an address alone), and where no empty
line is before it, a header field has to follow.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice

from .blob import Blob, Memory, chunks, spool
from .headers import read_parameters

MARGIN = 2048  # bytes that are enough to know whether a line separates messages

_EOL = rb"(?:\r{0,2}\n|\r)"
_DATE = rb"[^\r\n]{0,400}\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b,?+ [^\r\n]{0,400}[0-9]:[0-5][0-9][^\r\n]{0,100}"
_LIKE_A_DATE = rb"(?=[^\r\n]{0,900}\b(?:19|20)[0-9]{2}\b)[^\r\n]{0,800}[0-9]:[0-5][0-9][^\r\n]{0,100}"
_FIELD_FOLLOWS = rb"(?=[!-9;-~]{1,100}[ \t]*:|>?From |\r?\n|\Z)"
_SEPARATOR = re.compile(rb"From (?:%s(?:%s|\Z)|%s(?:%s|\Z)%s)" % (_DATE, _EOL, _LIKE_A_DATE, _EOL, _FIELD_FOLLOWS))
_CERTAINLY_A_FIELD = rb"(?=[A-Za-z][A-Za-z0-9-]{0,60}:(?:[ \t]|\r*\n))"
# What a message begins with, and a text behind a line that begins with `From` hardly.
_FIRST_FIELD = (
    rb"(?=(?i:received|return-path|delivered-to|envelope-to|x-[a-z0-9-]{1,60}|status|from|to|subject|date|message-id"
    rb"|mime-version|content-(?:type|length)|dkim-signature|arc-[a-z-]{1,40}|authentication-results):(?:[ \t]|\r*\n))"
)
_WITHOUT_DATE = re.compile(
    rb"From (?:- ?)?[ \t]{0,20}%s%s|From(?:[ \t]{1,20}(?:[^\s@]{1,250}@[^\s@]{0,250}|MAILER-DAEMON)"
    rb"(?:[ \t](?=[^\r\n]{0,250}[0-9])[^\r\n]{0,250})?)?%s%s" % (_EOL, _CERTAINLY_A_FIELD, _EOL, _FIRST_FIELD)
)
_WITHOUT_EMPTY_LINE = re.compile(rb"From (?:%s|%s)%s%s" % (_DATE, _LIKE_A_DATE, _EOL, _CERTAINLY_A_FIELD))
_LINE = b"\nFrom"
_NOTHING = b"\xef\xbb\xbf\0\r\n"  # a byte order mark, zeros of a damaged disk, empty lines
_QUOTED = re.compile(rb"^>(>*From )", re.MULTILINE)
_QUOTED_WITHIN = re.compile(rb"(?<=\n)>(>*From )")
_CONTEXT = 5  # bytes before a line break that tell whether it ends an empty line


def is_mbox(head: bytes) -> bool:
    """Whether a file that begins with these bytes (MARGIN, or all there are) is an mbox."""
    return _separator(head.lstrip(_NOTHING), 0, after_empty_line=True) is not None


def holds_several(blob: Blob) -> bool:
    """Whether it is an mbox of several messages: what reads one message would read the first and lose the others."""
    head = blob.read(0, MARGIN)
    if not (is_mbox(head) or begins_without_separator(head, chunks(blob))):
        return False
    return len(list(islice(messages(chunks(blob)), 2))) > 1


def begins_without_separator(head: bytes, pieces: Iterable[bytes]) -> bool:
    """Whether a file that begins with a message is an mbox all the same: another one follows where the first has ended.

    Many a message holds a line that looks like a separator: a failure report with a sample out of an mbox, an mbox as
    an attachment. Only where the parts of the first one are closed, or it has none, the next one begins.
    """
    closing = _closing_delimiter(head)
    data, closed = b"", not closing
    for piece in _with_line_feeds(pieces):
        data = data[-MARGIN:] + piece
        if closing and not closed and closing in data:
            data, closed = data[data.index(closing) :], True
        if closed and any(_WITHOUT_EMPTY_LINE.match(data, at.end()) for at in re.finditer(rb"\n\r?\n(?=From )", data)):
            return True
    return False


def _closing_delimiter(head: bytes) -> bytes:
    header = head.replace(b"\r\n", b"\n").replace(b"\r", b"\n").partition(b"\n\n")[0]
    field = re.search(rb"(?im)^content-type[ \t]*:((?:[^\n]|\n[ \t])*)", header)
    boundary = read_parameters(re.sub(rb"\s+", b" ", field[1]))[1].get("boundary", "") if field else ""
    return f"--{boundary}--".encode() if boundary else b""


def _separator(data: bytes, at: int, *, after_empty_line: bool) -> re.Match[bytes] | None:
    """The line that begins at `at`, when it separates messages."""
    dated = _SEPARATOR if after_empty_line else _WITHOUT_EMPTY_LINE
    return dated.match(data, at) or _WITHOUT_DATE.match(data, at)


def _with_line_feeds(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """As many bytes, with LF for each line end where there is nothing but CR, and for what stands before the text."""
    arriving = iter(pieces)
    head = b""
    for piece in arriving:
        head += piece
        if len(head) >= MARGIN:
            break
    text = head.lstrip(_NOTHING)
    old = b"\r" in text[:MARGIN] and b"\n" not in text[:MARGIN]  # as on a Mac of the nineties
    yield from (
        piece.replace(b"\r", b"\n") if old else piece
        for piece in chain((b"\n" * (len(head) - len(text)), text), arriving)
    )


def messages(pieces: Iterable[bytes]) -> Iterator[tuple[int, int]]:
    """Where each message begins and ends, without the separator and the empty line behind it.

    What stands before the first separator is a message, too, unless it is blank. Holds a piece and MARGIN bytes.
    """
    data, base = b"\n\n", -2  # the first line stands after an empty one; `base` is where `data` begins
    looked, start = base, 0  # what is before `looked` is decided; where the current message begins
    named, blank = False, True  # whether it has a separator, and whether it is nothing but blanks without one
    for piece in chain(_with_line_feeds(pieces), (None,)):
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
    start = at
    while data[start - 1 : start] == b"\r" and at - start < _CONTEXT - 2:
        start -= 1
    return start if data[start - 1 : start] == b"\n" else -1


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
