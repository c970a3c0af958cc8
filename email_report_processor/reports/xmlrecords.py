"""The one reader of XML: a payload as a head and a stream of records, read twice.

The first pass, `survey`, judges: expat (without handlers for elements, so at C speed, under defusedxml's rules) says
whether the document is well-formed, and our own splitter finds the records. The second pass, `bodies` and `Shapes`,
is the same splitter, so both agree on every character. A document that is not well-formed goes through the same code
and merely bears the word salvaged: there is no second reader that could disagree with the first.

    bytes -> text (encoding) -> plain (no comments, PIs, CDATA, DTD) -> records, and what is outside of them -> leaves

Names are local names: neither namespace nor prefix identifies the format (RFC 7489 and RFC 9990 reports carry any).
Measured against expat with handlers, ElementTree and lxml in benchmarks/xml_readers.md.
"""

import codecs
import hashlib
import re
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from json.encoder import encode_basestring
from operator import itemgetter
from typing import Any, Generic, NamedTuple, TypeVar

from ..message.bounds import Bounds
from ..message.payload import SMALL, Damaged, OverBound, Payload, Recent

RECORD_LEVEL = 2  # depth of a record: it counts as a child of the root wherever it is
MOST_TAGS = 20_000  # of one record, or outside of all: a tag costs 300 bytes of memory while a shape is worked out
UNCLOSED = 1000  # records without an end tag, after which expat is asked no more: it holds 130 bytes for each level
CHUNK = 64 * 1024  # bytes given to expat and decoded at once

_PREFIX = r"(?:[^\s<>/:]+:)?"  # a prefix, which means nothing
_REPORT = re.compile(rf"<{_PREFIX}(?:feedback|report_metadata|policy_published)[\s/>]")
_ROOT = re.compile(rf"\s*<{_PREFIX}feedback[\s/>]")
_HTML = ("<html", "<!doctype html")
_QUOTED_BEFORE = re.compile(r"(?:\A|[\r\n])[ \t]*+>++[ \t][ \t>]*+\Z")  # a mail that quotes a report is none


class ForbiddenError(Exception):
    """A DOCTYPE or an entity declaration: refused on every path (design §6), whatever it would do."""


class Leaf(NamedTuple):
    """An element without child elements."""

    path: tuple[str, ...]  # local names from the outermost element down to this one
    parent: int  # number of the parent element: leaves of one parent belong together


class Survey(NamedTuple):
    """What the first pass found out."""

    encoding: str  # the codec of both passes
    shape: "Shape"  # of everything outside of the records
    texts: list[str]  # of the leaves of the shape, stripped
    root: str  # the outermost start tag with its attributes, as it stands
    is_report: bool  # whether the root element is `feedback`
    sha256: str  # of the bytes
    rows: int
    strict: bool  # well-formed; else salvaged
    damage: str  # why the payload ends early, '' when it does not
    warnings: tuple[str, ...]


class _Notes:
    """What the splitter has to say beside the records."""

    def __init__(self) -> None:
        self.unclosed = 0  # records without an end tag
        self.unfinished = ""  # what of a comment, CDATA section or PI was still open at the end


def survey(payload: Payload, bounds: Bounds, containers: frozenset[str]) -> Survey | None:
    """Read a payload to its end and judge it; None when nothing in it looks like a DMARC report.

    containers: names of elements that hold others (see `read_shape`). Raises OverBound, ForbiddenError.
    """
    damage: list[str] = []
    pieces = _pieces(payload.chunks, damage)
    first = next(pieces, b"")
    encoding, complaint = guess_encoding(first)
    start = first.decode(encoding, _REPAIR)
    found = _REPORT.search(start)
    if not found or start.lstrip()[:20].lower().startswith(_HTML) or _QUOTED_BEFORE.search(start, 0, found.start()):
        return None
    judge = _Judge(encoding, complaint, bounds.record_bytes)
    text = _Text(encoding)
    notes, outside = _Notes(), _Outside(bounds.record_bytes)
    plain = _plain(_watched(first, pieces, judge, text, notes), notes)
    small: list[str] = []
    records = _noted(_records(plain, outside, notes, bounds.record_bytes), small)
    rows = _count(records, bounds, containers)
    sha256 = judge.sha256.hexdigest()
    if len(small) == rows:
        _small.put((sha256, bounds.record_bytes), small)
    complaint = "".join(damage) or judge.complaint or (text.repaired and f"bytes that are not {encoding}") or ""
    return Survey(
        encoding,
        *_read_head(outside.text, containers, bounds.xml_depth),
        outside.first_tag(),
        _ROOT.match(outside.text) is not None,
        sha256,
        rows,
        not complaint,
        "".join(damage),
        tuple(_warnings(payload, complaint, text, notes)),
    )


def surveyed_bodies(payload: Payload, surveyed: Survey, bounds: Bounds) -> Iterator[str]:
    """The same as `bodies`; of a small report that was surveyed just now they are there already."""
    known = _small.get((surveyed.sha256, bounds.record_bytes))
    return iter(known) if known is not None else bodies(payload, surveyed.encoding, bounds)


def bodies(payload: Payload, encoding: str, bounds: Bounds) -> Iterator[str]:
    """The inside of each record, in order: the second pass over what `survey` has seen. Raises nothing of its own."""
    text = _Text(encoding)
    notes = _Notes()
    return _records(_plain(text.read(_pieces(payload.chunks, [])), notes), None, notes, bounds.record_bytes)


_small: Recent[list[str]] = Recent()  # records of small reports, by SHA-256 and bound


def _noted(records: Iterator[str], small: list[str]) -> Iterator[str]:
    """The records, and the first SMALL characters of them in a list."""
    size = 0
    for body in records:
        size += len(body)
        if size <= SMALL:
            small.append(body)
        yield body


def _warnings(payload: Payload, complaint: str, text: "_Text", notes: "_Notes") -> Iterator[str]:
    yield from payload.warnings
    if complaint:
        yield f"salvaged: {complaint}"
    if text.repaired:
        yield f"encoding: bytes that are not {text.encoding} were repaired"
    if notes.unclosed:
        yield f"record: {notes.unclosed} without an end tag left out"
    if notes.unfinished:
        yield f"{notes.unfinished} without its end: what follows was not read"


def _watched(first: bytes, pieces: Iterator[bytes], judge: "_Judge", text: "_Text", notes: "_Notes") -> Iterator[str]:
    """The text of the pieces while they are judged. Raises ForbiddenError, OverBound."""
    piece: bytes | None = first
    while piece is not None:
        following = next(pieces, None)
        judge.sha256.update(piece)
        if notes.unclosed > UNCLOSED and not judge.complaint:
            judge.complaint = "records without an end tag"
        decoded = text.decode(piece, final=following is None)
        judge.feed(piece if judge.native else decoded.encode("utf-8", "surrogatepass"), final=following is None)
        yield decoded
        piece = following


def _count(records: Iterator[str], bounds: Bounds, containers: frozenset[str]) -> int:
    """How many records there are. Raises OverBound, also for one that is too deep."""
    rows = 0
    most = bounds.xml_depth - RECORD_LEVEL
    for body in records:
        rows += 1
        if rows > bounds.rows:
            raise OverBound(f"the report has more rows than bounds.rows = {bounds.rows}")
        tags = body.count("<")
        if tags > MOST_TAGS:
            raise OverBound(f"a record has more than {MOST_TAGS} tags")
        # No element is deeper than there are start tags: few records need the exact answer.
        if tags > most and tags - body.count("</") > most:
            read_shape(split(body)[1::2], "record", containers, bounds.xml_depth)
    return rows


# --- bytes ---


def _pieces(chunks: Callable[[], Iterator[bytes]], damage: list[str]) -> Iterator[bytes]:
    """The payload in pieces of CHUNK, however it is cut; where it breaks it ends, and `damage` says why."""
    held: list[bytes] = []
    size = 0
    try:
        for chunk in chunks():
            if len(chunk) == CHUNK and not held:
                yield chunk
                continue
            held.append(chunk)
            size += len(chunk)
            if size < CHUNK:
                continue
            whole = b"".join(held)
            start = 0
            while size - start >= CHUNK:
                yield whole[start : start + CHUNK]
                start += CHUNK
            held, size = [whole[start:]], size - start
    except Damaged as error:
        damage.append(str(error) or "the data ends early")
    if size:
        yield b"".join(held)


class _Judge:
    """Whether the bytes are well-formed XML, by expat, and their SHA-256.

    The rules of defusedxml with forbid_dtd (its expatreader.py): no DOCTYPE, no entity, no external reference.
    """

    def __init__(self, encoding: str, complaint: str, longest: int) -> None:
        import pyexpat  # 1 ms; only for what looks like a report

        self.error = pyexpat.ExpatError
        self.native = encoding in _NATIVE  # expat decodes it itself; anything else it gets as UTF-8
        self.parser = pyexpat.ParserCreate(None if self.native else "utf-8")
        self.parser.StartDoctypeDeclHandler = _forbid_dtd
        self.parser.EntityDeclHandler = _forbid_entity
        self.parser.UnparsedEntityDeclHandler = _forbid_entity
        self.parser.ExternalEntityRefHandler = _forbid_entity
        self.sha256 = hashlib.sha256()
        self.complaint = complaint  # why it is not well-formed
        self.fed = 0
        self.longest = longest

    def feed(self, piece: bytes, final: bool = False) -> None:
        """Judge a piece. Raises ForbiddenError; OverBound for a tag or comment that expat would have to hold."""
        if self.complaint:
            return
        try:
            self.parser.Parse(piece, final)
        except (self.error, LookupError, ValueError) as error:  # the last two: a wrong label after a byte order mark
            self.complaint = str(error)[:80]
            return
        self.fed += len(piece)
        if self.fed - self.parser.CurrentByteIndex > self.longest:
            raise OverBound(f"a tag or comment has more bytes than bounds.record_bytes = {self.longest}")


def _forbid_dtd(name: str, *_: Any) -> None:
    raise ForbiddenError(f"it has a DOCTYPE ({name[:40]!r}), which is refused")


def _forbid_entity(*_: Any) -> int:
    raise ForbiddenError("it declares or refers to an entity, which is refused")


# --- text ---

_NATIVE = frozenset({"utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "iso8859-1"})
_REPAIR = "email-report-processor.repair"
_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
    (b"<\x00", "utf-16-le"),  # no byte order mark; XML 1.0 App. F.1
    (b"\x00<", "utf-16-be"),
)
_DECLARED = re.compile(rb"[^<]{0,1024}<\?xml[^<>]{0,200}?\sencoding\s*=\s*[\"']([A-Za-z0-9._:-]{1,40})[\"']")
# Families of codecs for text; Python has others (rot13, idna, unicode_escape), and a stranger names one.
_CODECS = ("iso8859", "cp", "koi8", "kz", "mac", "gb", "big5", "euc", "shift_jis", "iso2022", "tis", "johab", "hz")
_ASCII = b"<?xml version=\"1.0\" encoding='x'?>abcxyzABCXYZ0189-_.:/!&;=@"


def _repair(error: UnicodeError) -> tuple[str, int]:
    """Bytes that the encoding does not have are taken for windows-1252, which is what they mostly are."""
    assert isinstance(error, UnicodeDecodeError)
    if error.encoding.startswith(("utf-16", "utf-32")):
        return "\ufffd", error.end
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error(_REPAIR, _repair)


def guess_encoding(start: bytes) -> tuple[str, str]:
    """The codec of an XML document by its first bytes, and what is wrong with its label ('' when nothing)."""
    for mark, codec in _MARKS:
        if start.startswith(mark):
            return codec, ""
    declared = _DECLARED.match(start)
    label = declared[1].decode("ascii").lower() if declared else "utf-8"
    if label in {"utf-8", "utf8", "us-ascii", "ascii"}:
        return "utf-8", ""
    try:
        codec = codecs.lookup(label).name
        if codec.startswith(_CODECS) and _ASCII.decode(codec) == _ASCII.decode("ascii"):
            return codec, ""
    except (LookupError, UnicodeError):
        pass
    return "utf-8", f"encoding {label!r} is unknown or wrong"


class _Text:
    """Bytes to text; never raises."""

    def __init__(self, encoding: str) -> None:
        self.encoding = encoding
        self.decoder = codecs.getincrementaldecoder(encoding)()
        self.repaired = False  # whether some bytes were not of the encoding

    def read(self, pieces: Iterator[bytes]) -> Iterator[str]:
        """The text of all pieces."""
        for piece in pieces:
            yield self.decode(piece)
        yield self.decode(b"", final=True)

    def decode(self, piece: bytes, final: bool = False) -> str:
        """The text of the next piece."""
        state = self.decoder.getstate()
        try:
            return self.decoder.decode(piece, final)
        except UnicodeDecodeError:
            self.repaired = True
            self.decoder = codecs.getincrementaldecoder(self.encoding)(_REPAIR)
            self.decoder.setstate(state)
            return self.decoder.decode(piece, final)


_DECLARATION = re.compile(r"(\s{0,80})<\?xml\s[^<>]{0,400}>")
_SPECIAL = re.compile(r"<(?:!--|!\[CDATA\[|\?(?:xml\s)?|![A-Za-z])")
_CDATA = "<![CDATA["
_OPENINGS = {"<!--": "a comment", _CDATA: "a CDATA section", "<?": "a processing instruction"}
_CLOSINGS = {"<!--": "-->", _CDATA: "]]>", "<?": "?>", "<?xml": ">"}
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def _plain(texts: Iterator[str], notes: _Notes) -> Iterator[str]:
    """The text without comments and processing instructions, CDATA sections escaped. Raises ForbiddenError."""
    rest = opening = ""
    first = next(texts, "")
    declaration = _DECLARATION.match(first)  # without it, most have nothing that is special
    if declaration:
        first = declaration[1] + first[declaration.end() :]
    for text in chain((first,), texts):
        whole = rest + text
        stop = whole.rfind("<", -8)  # the longest mark has nine characters: one may begin here
        stop = stop if stop >= 0 else len(whole)
        if not opening and not _may_be_special(whole):
            yield whole[:stop]
            rest = whole[stop:]
        else:
            plain, rest, opening = _strip(whole, stop, opening)
            yield plain
    plain, rest, opening = _strip(rest, len(rest), opening)
    yield plain if opening else plain + rest
    if opening:
        notes.unfinished = _OPENINGS.get(opening, "an XML declaration")


def _may_be_special(text: str) -> bool:
    """Looking for one character is 50 times as fast as for two."""
    return ("!" in text and "<!" in text) or ("?" in text and "<?" in text)


def _strip(text: str, stop: int, opening: str) -> tuple[str, str, str]:
    """The plain text up to `stop` or the end of what is open there, the rest, and what is open in the rest."""
    plain: list[str] = []
    place = 0
    while opening or place < stop:
        if opening:
            closing = _CLOSINGS.get(opening, ">")
            end = text.find(closing, place)
            upto = end if end >= 0 else max(place, len(text) - len(closing) + 1)
            if opening == _CDATA:
                plain.append(text[place:upto].translate(_ESCAPES))
            if end < 0:
                return "".join(plain), text[upto:], opening
            place, opening = end + len(closing), ""
        else:
            found = _SPECIAL.search(text, place, stop)
            plain.append(text[place : found.start() if found else stop])
            if not found:
                break
            place, opening = found.end(), found[0].rstrip()
            if opening[1] == "!" and opening not in _CLOSINGS:
                raise ForbiddenError(f"it has a declaration ({text[found.start() : place + 20]!r}), which is refused")
    return "".join(plain), text[max(place, stop) :], opening


# --- records ---

# Attributes: a quoted '>' ends no tag. Possessive, so that an open quote costs no search.
_ATTRIBUTES = r"""[^<>"']*+(?:(?:"[^"<]*+"|'[^'<]*+')[^<>"']*+)*+"""
_ANY_RECORD = re.compile(rf"<(/?)({_PREFIX}record)(\s{_ATTRIBUTES}|\s[^<>]*|/)?>")
_ANY_END = re.compile(rf"</{_PREFIX}record\s*>")


class _Outside:
    """What stands outside of the records, bounded."""

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self.parts: list[str] = []
        self.size = 0

    def add(self, text: str) -> None:
        """White space counts as one blank. Raises OverBound."""
        inner = text.strip()
        if inner:
            self.parts.append(f" {inner} " if len(inner) + 2 < len(text) else text)
            self.size += len(self.parts[-1])
            if self.size > self.bound:
                raise OverBound(f"more than bounds.record_bytes = {self.bound} outside of the records")

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(self.parts)

    def first_tag(self) -> str:
        """The outermost start tag, without its brackets."""
        found = _TAG.search(self.text)
        return found[1] if found else ""


def _records(texts: Iterator[str], outside: _Outside | None, notes: _Notes, bound: int) -> Iterator[str]:
    """The inside of each record; the rest goes to `outside`. Raises OverBound.

    Texts are cut at the end tag as it was spelled last. A piece that holds the start tag and no other mention of a
    record ends with the inside of one; all others are looked at closely.
    """
    outside = outside or _Outside(2**62)
    start, end = "<record>", "</record>"
    rest = ""
    for text in texts:
        rest += text
        if end not in rest and (other := _ANY_END.search(rest)):
            end = other[0]
            start = f"<{end[2:-1].rstrip()}>"
        *pieces, rest = rest.split(end)
        for piece in pieces:
            before, found, body = piece.partition(start)
            if found and "record" not in body and "record" not in before and len(body) <= bound:
                if before and not before.isspace():
                    outside.add(before)
                yield body
            else:
                yield from _closely(piece + end, outside, notes, bound)
        if len(rest) > bound:
            start_at = _begin(rest, bound)
            yield from _closely(rest[:start_at], outside, notes, bound)
            rest = rest[start_at:]
    yield from _closely(rest, outside, notes, bound)


def _closely(text: str, outside: _Outside, notes: _Notes, bound: int) -> Iterator[str]:
    """The inside of each record in a text of whole records. Raises OverBound."""
    if "record" in text:
        yield from _tag_by_tag(text, outside, notes, bound)
    else:
        outside.add(text)


def _tag_by_tag(text: str, outside: _Outside, notes: _Notes, bound: int) -> Iterator[str]:
    """The inside of each record. Raises OverBound.

    A record within a record of the same name means that the first has no end tag. One of another prefix within a
    record is somebody's extension.
    """
    opened: re.Match[str] | None = None
    foreign = place = 0  # place: where the part that is not yet dealt with begins
    for tag in _ANY_RECORD.finditer(text):
        if opened and not tag[1] and tag[2] != opened[2]:
            foreign += not _empty(tag)
        elif not tag[1]:
            if opened:
                _unclosed(text[opened.start() : tag.start()], outside, notes)
            else:
                outside.add(text[place : tag.start()])
            opened, place = (None, tag.end()) if _empty(tag) else (tag, tag.end())
            if _empty(tag):
                yield ""
        elif opened and foreign and tag[2] != opened[2]:
            foreign -= 1
        elif opened:
            if tag.start() - place > bound:
                raise OverBound(f"a record has more than bounds.record_bytes = {bound}")
            yield text[place : tag.start()]
            opened, foreign, place = None, 0, tag.end()
        else:  # an end tag of nothing
            outside.add(text[place : tag.start()])
            place = tag.end()
    if opened:
        _unclosed(text[opened.start() :], outside, notes)
    else:
        outside.add(text[place:])


def _empty(tag: re.Match[str]) -> bool:
    return (tag[3] or "").endswith("/")


def _unclosed(text: str, outside: _Outside, notes: _Notes) -> None:
    """A record without its end tag is no row; metadata that come after it still count."""
    notes.unclosed += 1
    if "report_metadata" in text or "policy_published" in text:
        outside.add(text)


def _begin(rest: str, bound: int) -> int:
    """Where in a text without the usual end tag the last record begins, or may begin. Raises OverBound."""
    starts = [tag for tag in _ANY_RECORD.finditer(rest) if not tag[1] and not _empty(tag)]
    if not starts:
        return max(rest.rfind("<"), len(rest) - bound)
    last = next(tag for tag in reversed(starts) if tag[2] == starts[0][2])
    if len(rest) - last.end() > bound:
        raise OverBound(f"a record has more than bounds.record_bytes = {bound}")
    return last.start()


# --- leaves ---

_TAG = re.compile(r"<([^<>]+)>")
_QUOTED_TAG = re.compile(rf"<(?!>)({_ATTRIBUTES}|[^<>]+)>")
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_TAG_NAME = re.compile(r"(?:[^\s/<>:]+:)?([^\W\d][^\s/<>:]*)(?=[\s/]|$)")
_REFERENCE = re.compile(r"&(?:#0*([0-9]{1,7})|#x0*([0-9a-fA-F]{1,6})|(lt|gt|amp|quot|apos));")
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}


class Shape(NamedTuple):
    """The elements of a text that has these tags: everything about it but the texts of its leaves.

    `pattern` is JSON with %s for the JSON of each leaf's text: a list of all elements in document order, each as its
    local name followed by the number of its child elements, or by its stripped text when it has none.
    """

    leaves: tuple[Leaf, ...]
    pick: Callable[[Sequence[Any]], tuple[Any, ...]]  # texts between the tags -> text of each leaf
    merges: tuple[tuple[int, ...], ...]  # texts of leaves that are in pieces (broken tags within them)
    pattern: str

    def __hash__(self) -> int:
        """Quickly: it is asked for with each head."""
        return hash(self.pattern)


def split(text: str) -> list[str]:
    """Texts and tags in turn, beginning and ending with a text."""
    if "\r" in text:  # XML 1.0 §2.11
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    parts = _TAG.split(text)
    if ('"' in text or "'" in text) and any(map(_torn, parts[1::2])):
        return _QUOTED_TAG.split(text)
    return parts


def _torn(tag: str) -> bool:
    """Whether a tag was cut at a '>' within an attribute."""
    if '"' not in tag and "'" not in tag:
        return False
    rest = _QUOTED.sub("", tag)
    return '"' in rest or "'" in rest


def leaf_texts(shape: Shape, parts: list[str], references: bool = True) -> list[str]:
    """The stripped text of each leaf; without `references` there is no '&' in it."""
    texts = parts[0::2]
    texts.append("")  # of elements without an end tag
    for first, *others in shape.merges:
        texts[first] = "".join([texts[first], *(texts[other] for other in others)])
    return stripped(shape.pick(texts), references)


def stripped(texts: Sequence[str], references: bool) -> list[str]:
    """The texts as reported: references resolved, without white space around them."""
    if references:
        texts = [_REFERENCE.sub(_dereference, text) for text in texts]
    return [text.strip() for text in texts]


def _dereference(found: re.Match[str]) -> str:
    decimal, hexadecimal, name = found.groups()
    if name:
        return _NAMED[name]
    code = int(decimal) if decimal else int(hexadecimal, 16)
    return chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else found[0]


class _Element:
    """An element while a shape is worked out."""

    __slots__ = ("children", "depth", "name", "parent", "texts", "unclosed")

    def __init__(self, name: str, parent: int, texts: list[int]) -> None:
        self.name = name
        self.parent = parent
        self.texts = texts  # numbers of the texts directly within it
        self.unclosed = False
        self.children = self.depth = 0


def read_shape(tags: Sequence[str], root: str, containers: frozenset[str], depth: int) -> Shape:
    """The shape of the inside of an element `root`, '' for a whole document. Raises OverBound by `depth`.

    An end tag that closes nothing is ignored. An element that is still open when one around it ends is closed there if
    it is one of `containers`; any other holds nothing, and what seemed to be in it belongs to the element around it
    (IKEA: `<xs:schema …>`, never closed).
    """
    elements = _elements(tags, root, containers)
    elements[0].depth = RECORD_LEVEL if root else 0
    _settle(elements, depth)
    paths: list[tuple[str, ...]] = []
    leaves, texts, pattern = [], [], []
    for element in elements:
        path = (*paths[element.parent], element.name) if element.parent >= 0 else ()
        paths.append(path)
        pattern.append(encode_basestring(element.name).replace("%", "%%"))
        pattern.append(str(element.children) if element.children else "%s")
        if not element.children:
            leaves.append(Leaf(path, element.parent))
            texts.append(element.texts[: 1 if element.unclosed else None] or [len(tags) + 1])
    pick = picker([numbers[0] for numbers in texts])
    merges = tuple(tuple(numbers) for numbers in texts if len(numbers) > 1)
    return Shape(tuple(leaves), pick, merges, f"[{','.join(pattern)}]")


def picker(numbers: Sequence[int]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """An itemgetter that gives a tuple, however many there are."""
    if len(numbers) > 1:
        return itemgetter(*numbers)
    return lambda texts: tuple(texts[number] for number in numbers)


def _elements(tags: Sequence[str], root: str, containers: frozenset[str]) -> list[_Element]:
    """The elements in document order, each with its parent as the tags say."""
    elements = [_Element(root, -1, [0])]
    stack = [0]
    opened: dict[str, int] = {}  # how often each name is on the stack: an end tag without a start costs no search
    for number, tag in enumerate(tags, 1):
        closing = tag[0] == "/"
        found = _TAG_NAME.match(tag, 1 if closing else 0)
        name = found[1] if found else ""
        if not closing and name:
            elements.append(_Element(name, stack[-1], []))
            if tag[-1] != "/":
                stack.append(len(elements) - 1)
                opened[name] = opened.get(name, 0) + 1
        elif opened.get(name):
            while elements[stack[-1]].name != name:
                _give_up(elements[stack.pop()], opened, containers)
            opened[elements[stack.pop()].name] -= 1
        elements[stack[-1]].texts.append(number)
    for number in stack[1:]:
        _give_up(elements[number], opened, containers)
    return elements


def _give_up(element: _Element, opened: dict[str, int], containers: frozenset[str]) -> None:
    opened[element.name] -= 1
    element.unclosed = element.name not in containers


def _settle(elements: list[_Element], bound: int) -> None:
    """Give the children of unclosed elements to the elements around them; count children and depth."""
    for element in elements[1:]:
        above = elements[element.parent]
        if above.unclosed:  # its own parent is settled, so one step is enough
            element.parent = above.parent
            above = elements[element.parent]
        above.children += 1
        element.depth = above.depth + 1
        if element.depth > bound:
            raise OverBound(f"elements are nested deeper than bounds.xml_depth = {bound}")


Plan = TypeVar("Plan")

_SHAPES = 256  # shapes remembered; a report has a few, an attacker's has as many as rows
_LONGEST = 4096  # characters of a record whose shape is remembered
_OFTEN = 64  # records of a shape after which a pattern is made of it: that costs as much as reading 40 of them
_PATTERNS = 8  # patterns that are tried


class _Pattern(NamedTuple, Generic[Plan]):
    match: Callable[[str], re.Match[str] | None]
    shape: Shape
    plan: Plan


class Shapes(Generic[Plan]):
    """Reads the insides of records: what has to be worked out for a shape is worked out once.

    plan: what the caller makes of a shape, remembered with it. Records of a frequent shape are read by one regular
    expression, in 1 µs where splitting them costs 20.
    """

    def __init__(
        self, containers: frozenset[str], depth: int, plan: Callable[[Shape], Plan], root: str = "record"
    ) -> None:
        self.containers = containers
        self.depth = depth
        self.plan = plan
        self.root = root  # what stands around, '' for the outside of the records
        self.known: dict[tuple[str, ...], tuple[Shape, Plan]] = {}
        self.seen: dict[tuple[str, ...], int] = {}  # how often, of those in `known`
        self.patterns: list[_Pattern[Plan]] = []  # what matched last comes first

    def read(self, body: str) -> tuple[Shape, Plan, list[str]]:
        """The shape of a record, its plan, and the text of each leaf. Raises OverBound by `depth`."""
        if "\r" not in body:
            for place, pattern in enumerate(self.patterns):
                found = pattern.match(body)
                if found is not None:
                    if place:
                        self.patterns.insert(0, self.patterns.pop(place))
                    return pattern.shape, pattern.plan, stripped(found.groups(), "&" in body)
        return self._read(body)

    def _read(self, body: str) -> tuple[Shape, Plan, list[str]]:
        parts = split(body)
        tags = tuple(parts[1::2])
        found = self.known.get(tags)
        if found is None:
            shape = read_shape(tags, self.root, self.containers, self.depth)
            found = shape, self.plan(shape)
            if len(body) <= _LONGEST:
                if len(self.known) >= _SHAPES:
                    self.known.clear()
                    self.seen.clear()
                self.known[tags] = found
        shape, plan = found
        if tags in self.known:
            self._count(tags, shape, plan)
        return shape, plan, leaf_texts(shape, parts, "&" in body)

    def _count(self, tags: tuple[str, ...], shape: Shape, plan: Plan) -> None:
        """Make a pattern of a shape that is there often."""
        seen = self.seen[tags] = self.seen.get(tags, 0) + 1
        if seen == _OFTEN and (match := matcher(shape, tags)):
            self.patterns.insert(0, _Pattern(match, shape, plan))
            del self.patterns[_PATTERNS:]


@lru_cache(maxsize=2)  # one in a process, and another in a test
def _heads(containers: frozenset[str], depth: int) -> Shapes[None]:
    return Shapes(containers, depth, lambda _: None, root="")


def _read_head(text: str, containers: frozenset[str], depth: int) -> tuple[Shape, list[str]]:
    """What stands outside of the records: its shape, and the text of each leaf. Raises OverBound."""
    if text.count("<") > MOST_TAGS:
        raise OverBound(f"more than {MOST_TAGS} tags outside of the records")
    shape, _, texts = _heads(containers, depth).read(text)
    return shape, texts


def matcher(shape: Shape, tags: Sequence[str]) -> Callable[[str], re.Match[str] | None] | None:
    """Matches the records with exactly these tags, a group for the text of each leaf; None when there is no such thing.

    No text holds a '<', so nothing but these tags is a tag for `split`, and no quoted '>' can cut one of them.
    """
    numbers = shape.pick(range(len(tags) + 2))
    plain = not shape.merges and not any('"' in tag or "'" in tag for tag in tags)
    if not plain or max(numbers) > len(tags) or sorted(set(numbers)) != list(numbers):
        return None
    leaves = set(numbers)
    texts = ["([^<]*+)" if number in leaves else "[^<]*+" for number in range(len(tags) + 1)]
    marks = [*(re.escape(f"<{tag}>") for tag in tags), ""]
    return re.compile("".join(text + mark for text, mark in zip(texts, marks, strict=True))).fullmatch


def as_reported(record: bytes, texts: Iterable[str]) -> bytes:
    """The canonical JSON of a record, independent of white space, prefixes, attributes, comments and encoding.

    record: made by `partly_reported`; texts: those that are still missing in it.
    """
    return record % tuple([encode_basestring(text).encode("utf-8", "surrogatepass") for text in texts])


def partly_reported(pattern: str, texts: Iterable[str], gaps: Container[int]) -> bytes:
    """A record as reported, with %s in the place of the texts that have these numbers; UTF-8."""
    written = ["%s" if at in gaps else encode_basestring(text).replace("%", "%%") for at, text in enumerate(texts)]
    return (pattern.replace("%%", "%%%%") % tuple(written)).encode("utf-8", "surrogatepass")
