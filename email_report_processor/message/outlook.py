"""Outlook's `.msg` files as MIME (MS-OXMSG; the properties are those of MS-OXPROPS)."""

import codecs
import re
from collections.abc import Iterator

from .blob import Blob, Damaged
from .compound import Compound, Entry
from .letter import DEPTH, VALUE, Enclosed, Letter, as_mime

MOST_FILES = 1000  # attachments of one message
HEADER = 256 * 1024  # bytes of a header that are read
OVERLAP = 2  # times the size of the file that its streams may have together

_ATTACHMENT = re.compile(r"__attach_version1\.0_#[0-9A-Fa-f]{1,8}\Z")
_STREAM = "__substg1.0_"
_TEXT_TYPES = ("001F", "001E")  # UTF-16, and whatever 8-bit character set
_SUBJECT, _HEADERS, _BODY, _HTML = "0037", "007D", "1000", "1013"
_SENDER = ("5D01", "0C1F", "0065")
_DATA, _LONG_NAME, _NAME, _TYPE, _TITLE = "3701", "3707", "3704", "370E", "3001"
_PROPERTIES = "__properties_version1.0"


def is_message(blob: Blob) -> bool:
    """Whether a compound file is a message: old Office documents are such files, too. Raises Damaged."""
    file = Compound(blob)
    root = file.children(file.root)
    return _PROPERTIES in root or any(name.startswith(_STREAM) for name in root)


def msg_as_mime(blob: Blob) -> Iterator[bytes]:
    """The message in a `.msg` file. Raises Damaged."""
    reader = _Reader(Compound(blob), OVERLAP * blob.size)
    yield from as_mime(reader.letter(reader.file.children(reader.file.root), 1))


class _Reader:
    """The messages of one file: streams that lie over each other must not make more of it than it is."""

    def __init__(self, file: Compound, left: int) -> None:
        self.file = file
        self.left = left  # bytes that its streams may have yet

    def letter(self, storage: dict[str, Entry], depth: int) -> Letter:
        """The message in a storage."""
        parts: list[Enclosed | Letter] = [*self._bodies(storage)]
        attached = [entry for name, entry in storage.items() if _ATTACHMENT.match(name)]
        if len(attached) > MOST_FILES:
            raise Damaged(f"the Outlook message has more than {MOST_FILES} attachments")
        for entry in attached:
            parts.extend(self._attachment(self.file.children(entry), depth))
        header = b"".join(self._text(storage, _HEADERS, HEADER))
        sender = next((text for number in _SENDER if "@" in (text := self._word(storage, number))), "")
        return Letter(header, self._word(storage, _SUBJECT), sender, parts)

    def _bodies(self, storage: dict[str, Entry]) -> Iterator[Enclosed]:
        if any(_STREAM + _BODY + kind in storage for kind in _TEXT_TYPES):
            self._spend(storage, _BODY)
            yield Enclosed("text/plain", "", lambda: self._text(storage, _BODY))
        elif html := storage.get(f"{_STREAM}{_HTML}0102"):
            self._spend(storage, _HTML)
            yield Enclosed("text/html", "", lambda: self.file.read(html))

    def _attachment(self, storage: dict[str, Entry], depth: int) -> Iterator[Enclosed | Letter]:
        if inner := storage.get(f"{_STREAM}{_DATA}000D"):  # a message, or an object of another program
            children = self.file.children(inner)
            if depth < DEPTH and _PROPERTIES in children:
                yield self.letter(children, depth + 1)
        elif data := storage.get(f"{_STREAM}{_DATA}0102"):
            self._spend(storage, _DATA)
            yield Enclosed(self._word(storage, _TYPE), self._name(storage), lambda: self.file.read(data))
        else:  # a file that lies elsewhere: a path on a server of theirs, or a link
            yield Enclosed("", self._name(storage), lambda: iter(()))

    def _name(self, storage: dict[str, Entry]) -> str:
        names = (self._word(storage, number) for number in (_LONG_NAME, _NAME, _TITLE))
        return next(filter(None, names), "")

    def _spend(self, storage: dict[str, Entry], number: str) -> None:
        self.left -= sum(entry.size for name, entry in storage.items() if name.startswith(_STREAM + number))
        if self.left < 0:
            raise Damaged("the Outlook message has streams that lie over each other")

    def _word(self, storage: dict[str, Entry], number: str) -> str:
        """A short text: a name, a type."""
        return b"".join(self._text(storage, number, 4 * VALUE)).decode("utf-8", "replace")[:VALUE].strip("\0 ")

    def _text(self, storage: dict[str, Entry], number: str, most: int | None = None) -> Iterator[bytes]:
        """A text as UTF-8, or as it is where it has another character set; `most` bytes of it."""
        for kind in _TEXT_TYPES:
            if entry := storage.get(_STREAM + number + kind):
                entry = entry if most is None else entry._replace(size=min(entry.size, most))
                pieces = self.file.read(entry)
                return _from_utf16(pieces) if kind == "001F" else pieces
        return iter(())


def _from_utf16(pieces: Iterator[bytes]) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder("utf-16-le")("replace")
    for piece in pieces:
        yield decoder.decode(piece).encode("utf-8", "replace")
