"""Bytes to text: which encoding a document is in, and what is done where it is not."""

import codecs
from collections.abc import Iterator

from ...values.patterns import pattern

NATIVE = frozenset({"utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "iso8859-1"})
REPAIR = "email-report-processor.repair"
_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
    (b"<\x00", "utf-16-le"),  # no byte order mark; XML 1.0 App. F.1
    (b"\x00<", "utf-16-be"),
)
_DECLARED = pattern(rb"[^<]{0,1024}<\?xml[^<>]{0,200}?\sencoding\s*=\s*[\"']([A-Za-z0-9._:-]{1,40})[\"']")


# Families of codecs for text; Python has others (rot13, idna, unicode_escape), and a stranger names one.
_CODECS = ("iso8859", "cp", "koi8", "kz", "mac", "gb", "big5", "euc", "shift_jis", "iso2022", "tis", "johab", "hz")
_ASCII = b"<?xml version=\"1.0\" encoding='x'?>abcxyzABCXYZ0189-_.:/!&;=@"


def _repair(error: UnicodeError) -> tuple[str, int]:
    """Bytes that the encoding does not have are taken for windows-1252, which is what they mostly are."""
    assert isinstance(error, UnicodeDecodeError)
    if error.encoding.startswith(("utf-16", "utf-32")):
        return "\ufffd", error.end
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error(REPAIR, _repair)


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


class Text:
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
            self.decoder = codecs.getincrementaldecoder(self.encoding)(REPAIR)
            self.decoder.setstate(state)
            return self.decoder.decode(piece, final)
