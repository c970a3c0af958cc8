"""From the bytes of a message to the tree of its parts (RFC 5322, 2045, 2046).

The blob is read in chunks for lines that can be boundaries; a part knows where its header and its body stand and
reads them when it is asked. Nothing raises for what a message holds; OSError when a temporary file cannot be
written (only for encoded multiparts and messages above 1 MiB) is ours.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import NamedTuple

from ..values.patterns import pattern
from .blob import CHUNK, Blob, Damaged, Memory, Scratch, chunks
from .forms import SNIFFED, TEXT_MARKS, form_of, is_cms
from .headers import (
    FIELD_NAME,
    HEADER_BYTES,
    Headers,
    address,
    addresses,
    decode,
    decode_header,
    domain_of,
    read_parameters,
)
from .line_ends import mended
from .transfer import DECODERS, UUENCODE, decoded, unbase64, undone

__all__ = [
    "Headers",
    "Part",
    "address",
    "addresses",
    "decode_header",
    "domain_of",
    "looks_like_mail",
    "read_mail",
]

MARGIN = 4096  # bytes of a line that are looked at to know what it is; a boundary has at most 70 (RFC 2046 §5.1.1)
BEGINNING = 8 * 1024  # bytes of a body that tell what it is
ODD_LINES = 100  # lines that are no fields and are still taken to be within a header
DECODED_LEVELS = 3  # encoded multiparts or messages within each other: RFC 2045 §6.4 allows none

# Only whole messages; text/rfc822-headers and its misspellings have no body of their own.
WHOLE_MESSAGES = frozenset(
    {"message/rfc822", "message/rfc-822", "message/global", "message/news", "text/rfc822", "text/rfc-822"}
)

_EOL = rb"(?>\r\n|\n|\r(?!\n|\Z))"
_FIELD = rb"(?!--)" + FIELD_NAME + rb"[ \t]*+:[^\r\n]*+" + _EOL
_FOLDED = rb"[ \t]++[^ \t\r\n][^\r\n]*+" + _EOL
_STRAY = rb"[A-Za-z0-9*_-]++=[^\r\n]*+" + _EOL
_FIELDS = pattern(rb"(?:%s(?:%s|%s|%s)*+)?+" % (_FIELD, _FIELD, _FOLDED, _STRAY))
_MORE_FIELDS = pattern(rb"(?:%s|%s|%s)*+" % (_FIELD, _FOLDED, _STRAY))
_BEFORE_HEADER = pattern(rb"(?:\xef\xbb\xbf)?+(?:[ \t]*+%s|>?+From [^\r\n]*+%s)*+" % (_EOL, _EOL))
_NO_BREAK = pattern(rb"[^\r\n]*+")
_LINE_BREAK = pattern(rb"\r\n|\n|\r|\Z")
_FIELD_START = pattern(rb"[A-Za-z][A-Za-z0-9_.-]*+[ \t]*+:(?!//)")
_CONTINUED = pattern(rb"[ \t]|[A-Za-z0-9*_-]+=")
_CONTENT_TYPE = pattern(rb"(?:\A|[\r\n])content-type[ \t]*:", re.IGNORECASE)
_BOUNDARY = pattern(rb"[\r\n](--[^\r\n]{0,69}[^\r\n \t-])[ \t]*(?=[\r\n])")
_DASHES = pattern(rb"\n(--[^\r\n]*)")
_DASHES_BEHIND_CR = pattern(rb"[\r\n](--[^\r\n]*)")  # three times slower
_TYPE = pattern(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+\Z")
_WELL_KNOWN = pattern(
    rb"(?:\A|[\r\n])(?:received|return-path|delivered-to|from|to|subject|date|message-id|mime-version|content-type)"
    rb"[ \t]*:",
    re.IGNORECASE,
)
# What a body may begin with that has another transfer encoding than its label says.
_ARCHIVE = pattern(rb"PK\x03\x04|\x1f\x8b")
_TEXT = pattern(rb"(?:\xef\xbb\xbf)?(?:<\?xml|<feedback|\{)")
_NO_ESCAPE = pattern(rb"=(?![0-9A-Fa-f]{2}|[ \t]*(?:[\r\n]|\Z)|[0-9A-Fa-f]\Z)")  # of quoted-printable
_ESCAPED = pattern(rb"=3[Dd]|=[ \t]*(?:\r\n|\n|\r)")
# gzip, zip; with a whole line of it also `<?xml`, `<feedback` and `{`
_BASE64 = pattern(rb"H4sI|UEsDB|(?:77u/)?(?:PD94bWw|PGZlZWRi|ey[AJ]|ew[ok]|ew0K)[A-Za-z0-9+/]{48}")
_BANNER = pattern(rb"[A-Za-z0-9+/=]*+[ \t]*+[^A-Za-z0-9+/=\s>|]")  # a line that is not of base64
_BASE64_LINE = pattern(rb"[A-Za-z0-9+/]{40,76}(?=[\r\n])")
_NO_MAIL = (b"<", b"{", b"[", b"PK", b"\x1f\x8b", b"\xff\xfe", b"\xfe\xff", b"H4sI", b"UEsDB")


class Part:
    """A node of the message tree: the message, a part of a multipart, or a message within a message."""

    parts: tuple["Part", ...] = ()  # of a multipart; the one message in a message/rfc822
    total = 1  # of the message itself: parts in it
    over: str = ""  # of the message itself: the bound at which its tree was cut, '' when it is whole

    def __init__(self, blob: Blob, place: str, header: tuple[int, int], body: tuple[int, int], default: str) -> None:
        """Read the header; `body` is where the body begins and, as far as it is known yet, ends."""
        self.place = place  # for people: '', '1', '1.2'
        self._blob = blob
        self._header = header
        self._body = body
        self._beginning: bytes | None = None  # BEGINNING bytes of the decoded body: several want to see them
        self._encoding = ""  # what its encoding really is, once somebody wanted to know
        headers = self._read_headers()
        self._headers = None if place else headers  # of the whole message they are looked at again
        kind, parameters = read_parameters(headers.raw_value("content-type"))
        self.content_type = kind if _TYPE.match(kind) else default if not kind else "text/plain"
        self.parameters: Mapping[str, str] = parameters
        disposition, labels = read_parameters(headers.raw_value("content-disposition"))
        # RFC 2183 §2.8: an unknown disposition is an attachment
        self.disposition = disposition if disposition in {"", "inline"} else "attachment"
        name = labels.get("filename") or parameters.get("name")
        self.name = " ".join(name.split()) if name else ""
        self.encoding = read_parameters(headers.raw_value("content-transfer-encoding"))[0] or "7bit"

    def _read_headers(self) -> Headers:
        start, stop = self._header
        return Headers(self._blob.read(start, min(stop, start + HEADER_BYTES)))

    @property
    def headers(self) -> Headers:
        """The header fields; at most HEADER_BYTES of them."""
        if self._headers is None:
            self._headers = self._read_headers()
        return self._headers

    @property
    def extent(self) -> tuple[int, int]:
        """Where the body begins and ends in its blob."""
        return self._body

    def close(self, end: int, parts: tuple["Part", ...]) -> None:
        """Say where the body ends and what it holds: the reader of the tree does."""
        self._body = (self._body[0], max(end, self._body[0]))
        self.parts = parts

    def raw_chunks(self) -> Iterator[bytes]:
        """The body as it stands, in pieces of 64 KiB."""
        return chunks(self._blob, *self._body)

    def chunks(self) -> Iterator[bytes]:
        """The body with its transfer encoding undone, in pieces of about 64 KiB. Raises Damaged at a broken end."""
        return (piece for piece in decoded(self.raw_chunks(), self._real_encoding()) if piece)

    def file_chunks(self) -> Iterator[bytes]:
        """The body as `chunks` gives it, but files in a text as they stand: there may be several of them."""
        return self.raw_chunks() if self._may_hold_files() else self.chunks()

    def file_whole(self) -> bytes | None:
        """What `file_chunks` gives, all of it, where it is small; None where it has to be read as a stream."""
        start, stop = self._body
        if stop - start > CHUNK:
            return None
        encoding = "binary" if self._may_hold_files() else self._real_encoding()
        return undone(self._blob.read(start, stop), encoding)

    def _may_hold_files(self) -> bool:
        if self.encoding in DECODERS:
            return self.encoding in UUENCODE
        first = self._first()
        return _BASE64.match(first) is not None or _is_base64_of_cms(first)

    def _first(self) -> bytes:
        """What the body begins with, as it stands, without blanks before it."""
        start, stop = self._body
        return self._blob.read(start, min(start + 256, stop)).lstrip()

    def _real_encoding(self) -> str:
        if not self._encoding:
            self._encoding = self._look_for_encoding()
        return self._encoding

    def _look_for_encoding(self) -> str:
        """Content decides: XML, JSON, archives and header fields under a false label, base64 and others under none."""
        first = self._first()
        if self.encoding not in DECODERS:
            return self._unlabelled_encoding(first)
        if self.encoding == "quoted-printable":
            if _is_base64_of_field(first):
                return "base64"
            if _FIELD_START.match(first) and self._has_no_escapes(*self._body):
                return "binary"
            plain = _ARCHIVE.match(first) or (_TEXT.match(first) and _NO_ESCAPE.search(first))
        else:  # neither base64 nor uuencode begins with these characters
            if self.encoding not in UUENCODE and _BANNER.match(first) and self._has_files(*self._body):
                return "binary"
            if _TEXT.match(first) or _FIELD_START.match(first):
                found = self._unlabelled_encoding(first)
                return found if found == "quoted-printable" else "binary"
            plain = _ARCHIVE.match(first)
        return "binary" if plain else self.encoding

    def _has_no_escapes(self, start: int, stop: int) -> bool:
        """Whether what is labelled as quoted-printable has equals signs of its own, and no escape."""
        beginning = self._blob.read(start, min(start + BEGINNING, stop))
        return _NO_ESCAPE.search(beginning) is not None and not (b"=3D" in beginning or b"=3d" in beginning)

    def _has_files(self, start: int, stop: int) -> bool:
        """Whether files seem to begin behind a banner that a gateway put in front of base64: `inline` looks closer."""
        beginning = self._blob.read(start, min(start + BEGINNING, stop))
        return any(beginning.find(mark) > 0 for mark in TEXT_MARKS)

    def _unlabelled_encoding(self, first: bytes) -> str:
        if _BASE64.match(first) or _is_base64_of_field(first) or _is_base64_of_cms(first):
            return "base64"
        if _TEXT.match(first) or _FIELD_START.match(first):
            start, stop = self._body
            beginning = self._blob.read(start, min(start + BEGINNING, stop))
            if len(_ESCAPED.findall(beginning)) > 1 and not _NO_ESCAPE.search(beginning):  # each `=` is an escape
                return "quoted-printable"
        return self.encoding

    def body(self, limit: int) -> bytes:
        """The first `limit` bytes of the decoded body, as far as it can be decoded."""
        if limit != BEGINNING:
            return self._read_body(limit)
        if self._beginning is None:
            self._beginning = self._read_body(limit)
        return self._beginning

    def _read_body(self, limit: int) -> bytes:
        start, stop = self._body
        if stop - start <= CHUNK and (whole := undone(self._blob.read(start, stop), self._real_encoding())) is not None:
            return whole[:limit]
        pieces: list[bytes] = []
        size = 0
        try:
            for piece in self.chunks():
                pieces.append(piece)
                size += len(piece)
                if size >= limit:
                    break
        except Damaged:
            pass  # the part of it that can be read is what was asked for
        return b"".join(pieces)[:limit]

    def text(self, limit: int) -> str:
        """The body as text; at most `limit` bytes are read. An unknown character set is UTF-8, else Latin-1."""
        data = self.body(limit)
        return decode(data, self.parameters.get("charset", "utf-8"), cut=len(data) == limit)


class _Tally:
    """What is left of the bounds, for a message and for everything that is decoded out of it."""

    def __init__(self, mime_depth: int, mime_parts: int) -> None:
        self.mime_depth = mime_depth
        self.mime_parts = mime_parts
        self.parts = 0
        self.over = ""
        self.guessed = False
        self.scratch = Scratch()


class _Open:
    """A part whose end was not met yet."""

    def __init__(self, part: Part, depth: int) -> None:
        self.part = part
        self.depth = depth  # multiparts and messages around it
        self.children: list[Part] = []
        self.line = b""  # its delimiter, '' when it is no multipart or its close delimiter was met
        self.shadowed: list[tuple[bytes, tuple[int, bool]]] = []  # the same lines of a multipart around it


class _Delimiter(NamedTuple):
    start: int  # of its line
    stop: int  # behind its line
    level: int  # of the multipart in the stack
    closing: bool


class _Scan:
    """One pass over a blob, from a place to its end."""

    def __init__(self, blob: Blob, end: int, tally: _Tally, level: int) -> None:
        self.blob = blob
        self.end = end
        self.data = blob.data if isinstance(blob, Memory) and end < CHUNK else b""  # where all of it is at hand
        self.tally = tally
        self.level = level  # times that the blob was decoded out of another
        self.open: list[_Open] = []
        self.delimiters: dict[bytes, tuple[int, bool]] = {}  # line -> place in self.open, whether it closes

    def message(self, start: int, place: str, depth: int) -> Part:
        """The message that begins at `start`."""
        at = self._begin(start, place, depth, "text/plain", message=True)
        root = self.open[0].part
        self._run(at, 0)
        return root

    def inside(self, part: Part, start: int, depth: int, boundary: str) -> tuple[Part, ...]:
        """The parts of a multipart whose body begins at `start` of this blob; without a boundary it is guessed."""
        opened = _Open(part, depth)
        self.open.append(opened)
        self._watch(boundary or self._guess_boundary(start))
        self._run(start, 1)
        return tuple(opened.children)

    def _run(self, at: int, level: int) -> None:
        """Everything from `at` on; close the parts from `level` on at the end."""
        while delimiter := self._next_delimiter(at):
            at = delimiter.stop
            end = self._before_line_break(delimiter.start)
            self._close(delimiter.level + 1, end)
            opened = self.open[delimiter.level]
            if delimiter.closing:
                self._unwatch(opened)
            elif self._may_add(opened.depth + 1):
                default = "message/rfc822" if opened.part.content_type == "multipart/digest" else "text/plain"
                place = f"{opened.part.place}.{len(opened.children) + 1}".lstrip(".")
                at = self._begin(at, place, opened.depth + 1, default, message=False)
            else:
                self._close(level, end)
                return
        self._close(level, self.end)

    def _may_add(self, depth: int) -> bool:
        tally = self.tally
        if tally.parts >= tally.mime_parts:
            tally.over = f"the message has more than {tally.mime_parts} parts (mime_parts)"
        elif depth > tally.mime_depth:
            tally.over = f"the message has parts within each other more than {tally.mime_depth} deep (mime_depth)"
        else:
            return True
        return False

    def _begin(self, start: int, place: str, depth: int, default: str, *, message: bool) -> int:
        """Open the part that begins at `start`, and the message within it; return where to look for delimiters."""
        while True:
            header, body = self._find_header(start, message=message)
            part = Part(self.blob, place, header, (body, self.end), default)
            self.tally.parts += 1
            if self.open:
                self.open[-1].children.append(part)
            self.open.append(_Open(part, depth))
            if part.content_type.startswith("multipart/") and self._may_add(depth + 1):
                guess = "" if part.encoding in DECODERS else self._guess_boundary(body)
                self._watch(part.parameters.get("boundary") or guess)
            if not (self._holds_message(part, body) and self._may_add(depth + 1)):
                return body
            start, place, depth, message = body, f"{place}.1".lstrip("."), depth + 1, True
            default = "text/plain"

    def _holds_message(self, part: Part, body: int) -> bool:
        """Whether a message begins at `body`. RFC 2045 §6.4 forbids to encode one; see _decoded_parts."""
        if part.content_type not in WHOLE_MESSAGES:
            return False
        return part.encoding not in DECODERS or (part.encoding == "base64" and self._is_field(body))

    # Delimiters

    def _watch(self, boundary: str) -> None:
        """Look for the delimiters of the innermost open part from now on (RFC 2046 §5.1.1)."""
        if not boundary:
            return
        opened = self.open[-1]
        opened.line = b"--" + boundary.encode("utf-8", "replace").rstrip()
        for line, closing in ((opened.line, False), (opened.line + b"--", True)):
            if line in self.delimiters:
                opened.shadowed.append((line, self.delimiters[line]))
            self.delimiters[line] = (len(self.open) - 1, closing)

    def _unwatch(self, opened: _Open) -> None:
        if opened.line:
            del self.delimiters[opened.line], self.delimiters[opened.line + b"--"]
            self.delimiters.update(opened.shadowed)
            opened.line = b""

    def _next_delimiter(self, at: int) -> _Delimiter | None:
        """The next line from `at` on that is a delimiter of an open multipart."""
        at = max(at - 1, 0)  # the line break before it belongs to it
        while self.delimiters and at < self.end:
            window, base = (self.data, 0) if self.data else (self._read(at, at + CHUNK + MARGIN), at)
            dashes = _DASHES if window.find(b"\r--", at - base) < 0 else _DASHES_BEHIND_CR
            last = min(base + len(window), self.end) - base
            there = dashes is _DASHES_BEHIND_CR or window.find(b"\n--", at - base, last) >= 0
            for match in dashes.finditer(window, at - base, last) if there else ():
                found = self.delimiters.get(match[1].rstrip(b" \t"))
                if match.start() >= CHUNK:
                    break
                if found and (match.end() < last or base + last == self.end):
                    line_break = _LINE_BREAK.match(window, match.end(), last)
                    stop = line_break.end() if line_break else match.end()
                    return _Delimiter(base + match.start(1), base + stop, *found)
            at += CHUNK
        return None

    def _before_line_break(self, at: int) -> int:
        before = self._read(max(at - 2, 0), at)
        return at - (2 if before == b"\r\n" else 1 if before[-1:] in {b"\r", b"\n"} else 0)

    def _guess_boundary(self, body: int) -> str:
        """The boundary of a multipart that does not name it: the first line that can be one."""
        at = max(body - 1, 0)
        for match in _BOUNDARY.finditer(self._read(at, at + CHUNK)):
            return "" if match[1] in self.delimiters else match[1][2:].decode("latin-1")
        return ""

    # Headers

    def _find_header(self, start: int, *, message: bool) -> tuple[tuple[int, int], int]:
        """Where the header of the part at `start` stands, and where its body begins."""
        at = start = self._skip(_BEFORE_HEADER, start) if message else start
        at = self._skip(_FIELDS, at)
        odd = 0
        while odd < ODD_LINES:
            line, after = self._line(at)
            if not line or line.rstrip(b" \t") in self.delimiters:
                return (start, at), at if line else after
            if not line.strip(b" \t"):
                if (at == start and not message) or self._separates(start, at, after):
                    return (start, at), after
                odd += 1
            # what _skip leaves of the fields is a very long line, or the last one
            elif not (_FIELD_START.match(line) or (at > start and _CONTINUED.match(line))):
                if not ((at > start or message) and self._is_field(after)):
                    break
                odd += 1
            at = self._skip(_MORE_FIELDS, after)
        return (start, at), at

    def _separates(self, start: int, at: int, after: int) -> bool:
        """Whether a line of blanks ends a header: some generators write it for an empty line, others within a field."""
        seen = _CONTENT_TYPE.search(self._read(start, min(at, start + HEADER_BYTES)))
        return seen is not None or not self._is_field(after)

    def _is_field(self, at: int) -> bool:
        return _FIELD_START.match(self._read(at, at + MARGIN)) is not None

    def _skip(self, pattern: re.Pattern[bytes], at: int) -> int:
        """Behind all whole lines from `at` on that the pattern takes."""
        if self.data:
            match = pattern.match(self.data, at, self.end)
            return match.end() if match else at
        while window := self._read(at, at + CHUNK):
            match = pattern.match(window)
            taken = match.end() if match else 0
            at += taken
            if not taken or len(window) < CHUNK:
                break
            pattern = _MORE_FIELDS if pattern is _FIELDS else pattern
        return at

    def _line(self, at: int) -> tuple[bytes, int]:
        """The first MARGIN bytes of the line at `at`, and where the next line begins."""
        start = self._read(at, at + 2)
        if start[:1] == b"\n" or start == b"\r\n":
            return b"", at + (1 if start[:1] == b"\n" else 2)
        first = _NO_BREAK.match(self._read(at, at + MARGIN))
        line = first[0] if first else b""
        at += len(line)
        while window := self._read(at, at + CHUNK):
            found = _NO_BREAK.match(window)
            at += found.end() if found else 0
            if found and found.end() < len(window):
                return line, at + (2 if self._read(at, at + 2) == b"\r\n" else 1)
        return line, at

    def _read(self, start: int, stop: int) -> bytes:
        stop = min(stop, self.end)
        return self.data[start:stop] if self.data else self.blob.read(start, stop)

    # The end of parts

    def _close(self, level: int, end: int) -> None:
        """End all open parts but the `level` outermost."""
        while len(self.open) > level:
            opened = self.open[-1]
            self._unwatch(opened)
            self.open.pop()
            opened.part.close(end, tuple(opened.children))
            if not opened.children:
                opened.part.parts = self._second_look(opened.part, opened.depth)

    def _second_look(self, part: Part, depth: int) -> tuple[Part, ...]:
        """The parts of a multipart or message in which none was found as it stands."""
        multipart = part.content_type.startswith("multipart/")
        if not (multipart or part.content_type in WHOLE_MESSAGES) or not self._may_add(depth + 1):
            return ()
        found = self._decoded_parts(part, depth) if part.encoding in DECODERS and self.level < DECODED_LEVELS else ()
        if found or not multipart or self.tally.guessed:
            return found
        self.tally.guessed = True  # once: every guess reads the part again
        start, end = part.extent
        return _Scan(self.blob, end, self.tally, self.level).inside(part, start, depth, "")

    def _decoded_parts(self, part: Part, depth: int) -> tuple[Part, ...]:
        blob = mended(self.tally.scratch.keep(chain((b"\n",), _undamaged(part.chunks()))))
        inner = _Scan(blob, blob.size, self.tally, self.level + 1)
        if part.content_type in WHOLE_MESSAGES:
            return (inner.message(1, f"{part.place}.1".lstrip("."), depth + 1),)
        return inner.inside(part, 1, depth, part.parameters.get("boundary", ""))


def _is_base64_of_field(first: bytes) -> bool:
    """Whether a line of base64 is the beginning of a header, as of a feedback report or of a sample."""
    line = _BASE64_LINE.match(first)
    return line is not None and _FIELD_START.match(unbase64(line[0])) is not None


def _is_base64_of_cms(first: bytes) -> bool:
    return first.startswith(b"MI") and is_cms(unbase64(first[:64]))


def _undamaged(pieces: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from pieces
    except Damaged:
        return  # what came before is read


def read_mail(blob: Blob, *, mime_depth: int, mime_parts: int) -> Part:
    """The tree of a message. Raises nothing but OSError, when a temporary file cannot be written.

    Parts below `mime_depth` stay closed, and parts after the first `mime_parts` are left out; `over` says so.
    """
    tally = _Tally(mime_depth, mime_parts)
    root = _Scan(blob, blob.size, tally, 0).message(0, "", 0)
    root.over = tally.over
    root.total = tally.parts
    return root


def looks_like_mail(first_bytes: bytes) -> bool:
    """Whether the input is a message rather than a bare report; a few KiB of its beginning are enough."""
    start = first_bytes.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(_NO_MAIL) or (b"\0" in first_bytes[:SNIFFED] and form_of(first_bytes[:SNIFFED])):
        return False  # the names and the contents of files in a tar, properties of Outlook: they may be header fields
    if start.startswith((b"From ", b">From ")) or _FIELD_START.match(start):
        return True
    return _WELL_KNOWN.search(start[:MARGIN]) is not None
