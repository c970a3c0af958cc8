"""Header fields: from the bytes of a header block to text, whatever they hold (RFC 5322, 2045, 2047, 2231).

The standard library's parsers are not used: `email.policy.default` raises on values that exist in the wild, and
`email.message` costs 10 ms to import, of which nothing but this file would have a use.
"""

import binascii
import codecs
import re
from collections.abc import Iterator, Mapping, Sequence

from ..values.patterns import pattern
from ..values.remembered import remembered
from .transfer import unbase64

HEADER_BYTES = 256 * 1024  # of one header block that are looked at
HEADER_FIELDS = 5000  # of one header block that are looked at
VALUE_CHARS = 4096  # of a structured value (Content-Type, From) that are looked at

# A field name is printable ASCII (RFC 5322 §2.2), here without what begins XML, a parameter or a quoted string.
FIELD_NAME = rb"[!#-9;?-~]+"
_NAME = pattern(rb"(" + FIELD_NAME + rb")[ \t]*\Z")
_FIELD_BREAK = pattern(rb"\n(?![ \t])")
_FIELD_BREAK_WITH_CR = pattern(rb"(?>\r\n|\n|\r)(?![ \t])")  # four times slower
_STRAY_PARAMETER = pattern(rb"[A-Za-z0-9*_-]+=")

_SPACE = pattern(r"[ \t\r\n]+")
_WORD = pattern(r"=\?([^?\s]{1,80})\?([bBqQ])\?([^?]*)\?=")
_TOKEN = pattern(r'\s*"?([^\s;="]*+)(?!\s*=)')
_PARAMETER = pattern(
    r"([A-Za-z0-9_.-]+)(\*[0-9]{1,3})?(\*)?\s*=\s*"
    r'(?:"((?:[^"\\]|\\.)*)"|([^;]*?)(?=\s*(?:;|$)|\s+[A-Za-z0-9_.*-]+=))'
)
_PERCENT = pattern(rb"%([0-9A-Fa-f]{2})")
_QUOTED_OR_COMMENT = pattern(r'"(?:[^"\\]|\\.)*"(?!@)|\([^()]*\)')
_ANGLE = pattern(r"<\s*(?:@[^<>:]*:)?([^<>]*?)\s*>")
_BARE_ADDRESS = pattern(r'(?:"[^"\\]*"|[^\s<>,;:"()@]+)@[^\s<>,;:"()@]+')

# Python codecs that are no character sets of mail: they are quadratic, warn, or do not give text.
_NO_CHARSETS = frozenset(
    {"punycode", "idna", "unicode-escape", "raw-unicode-escape", "undefined"}
    | {"base64", "bz2", "hex", "quopri", "rot13", "rot-13", "uu", "zlib"}
)


_ASCII_AND_MORE = frozenset({"us-ascii", "utf-8", "iso-8859-1", "iso-8859-15", "windows-1252"})


class Headers:
    """One header block. Nothing in it raises; values are on one line and decoded."""

    def __init__(self, raw: bytes) -> None:
        """Take the block as it stands, without the empty line behind it."""
        self.raw = raw
        self._fields: list[tuple[str, bytes]] = []
        self._values: dict[str, list[bytes]] = {}  # by name in lower case
        fields, values = self._fields, self._values
        break_ = _FIELD_BREAK if raw.find(b"\r") < 0 else _FIELD_BREAK_WITH_CR
        for line in break_.split(raw[:HEADER_BYTES], HEADER_FIELDS)[:HEADER_FIELDS]:
            start, colon, value = line.partition(b":")
            name, lower = _name(start) if colon else ("", "")
            if name:
                fields.append((name, value))
                if lower in values:
                    values[lower].append(value)
                else:
                    values[lower] = [value]
            elif self._fields and _STRAY_PARAMETER.match(line):  # Microsoft 2024: name="…" in column 0
                self._continue(b" " + line)

    def _continue(self, more: bytes) -> None:
        """The last field goes on."""
        name, value = self._fields[-1]
        self._fields[-1] = (name, value + more)
        self._values[name.lower()][-1] = value + more

    def raw_values(self, name: str) -> Sequence[bytes]:
        """The values of the fields of this name as they stand, folded and encoded."""
        return self._values.get(name.lower(), ())

    def raw_value(self, name: str) -> bytes:
        """The value of the first field of this name as it stands, empty when there is none."""
        values = self._values.get(name.lower())
        return values[0] if values else b""

    def get(self, name: str) -> str | None:
        """The first field of this name, in any case; None when there is none."""
        values = self.raw_values(name)
        return read_value(values[0]) if values else None

    def get_all(self, name: str) -> list[str]:
        """All fields of this name, from the top."""
        return [read_value(value) for value in self.raw_values(name)]

    def items(self) -> list[tuple[str, str]]:
        """All fields in their order, names as they are written."""
        return [(name, read_value(value)) for name, value in self._fields]


@remembered(most=1024, longest=40)
def _name(start: bytes) -> tuple[str, str]:
    """The name of the field whose line begins so, up to its colon, and that in lower case; '' when it is none."""
    match = _NAME.match(start)
    name = match[1].decode("ascii") if match else ""
    return name, name.lower()


def read_value(value: bytes) -> str:
    """The value of a field: unfolded, on one line, decoded; bytes that are not UTF-8 are Latin-1."""
    return decode_header(_text(value))


def decode_header(value: str) -> str:
    """Undo RFC 2047 and collapse white space; an unknown character set is read as UTF-8, else as Latin-1."""
    plain = value.isprintable() and "  " not in value  # most are
    value = value.strip() if plain else _SPACE.sub(" ", value).strip()
    if "=?" not in value:
        return value
    return _SPACE.sub(" ", "".join(_decode_words(value))).strip()


def _decode_words(value: str) -> Iterator[str]:
    """Encoded words of one character set are joined first: some encoders cut within a character."""
    run, charset, end = bytearray(), "", 0
    for word in _WORD.finditer(value):
        gap = value[end : word.start()]
        adjacent = end > 0 and not gap.strip()  # RFC 2047 §6.2: white space between encoded words is none
        word_charset = word[1].partition("*")[0].lower()  # RFC 2231 §5: charset*language
        if not adjacent or word_charset != charset:
            yield decode(bytes(run), charset)
            yield "" if adjacent else gap
            run.clear()
        data = word[3].encode("utf-8", "replace")
        run += unbase64(data) if word[2] in "bB" else binascii.a2b_qp(data, header=True)
        charset, end = word_charset, word.end()
    yield decode(bytes(run), charset)
    yield value[end:]


def decode(data: bytes, charset: str, *, cut: bool = False) -> str:
    """Text in a character set; UTF-8, else Latin-1, when it is unknown or wrong. Never raises.

    `cut` says that the data were cut somewhere, so that they may end within a character.
    """
    if data.isascii() and charset.lower() in _ASCII_AND_MORE:  # most texts
        return data.decode("ascii")
    for name in (charset, "utf-8"):
        try:
            codec = codecs.lookup(name.strip())
            if codec.name not in _NO_CHARSETS and codec.incrementaldecoder is not None:
                text = codec.incrementaldecoder().decode(data, final=not cut)
                # UTF-7 can spell half a surrogate pair, which cannot be written as UTF-8 again
                return text.encode("utf-8", "replace").decode("utf-8")
        except (LookupError, ValueError):  # unknown; wrong, or a name with NUL in it
            continue
    return data.decode("latin-1")


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


@remembered(most=256, longest=64)  # most of them are text/plain, base64, …
def read_parameters(value: bytes) -> tuple[str, Mapping[str, str]]:
    """A value such as `type/subtype; name="a b"`: its first word in lower case, and its parameters.

    Semicolons and quotes may be missing; RFC 2231 and RFC 2047 are undone. Of repeated parameters the first counts.
    """
    if not value:
        return "", {}
    text = _text(value[:VALUE_CHARS]).replace("\r", "").replace("\n", "").strip()
    token = _TOKEN.match(text)
    first, rest = (token[1].lower(), text[token.end() :]) if token else ("", text)
    plain: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[str, bool]]] = {}
    for match in _PARAMETER.finditer(rest):
        name = match[1].lower()
        content = _unquote(match[4]) if match[4] is not None else _bare(match[5])
        if match[2] or match[3]:
            pieces.setdefault(name, {}).setdefault(int((match[2] or "*0")[1:]), (content, bool(match[3])))
        else:
            plain.setdefault(name, decode_header(content) if "=?" in content else content)
    return first, plain | {name: _join(found) for name, found in pieces.items()}


def _unquote(content: str) -> str:
    return re.sub(r'\\(["\\])', r"\1", content)


def _bare(content: str) -> str:
    return content.partition(" (")[0].strip().strip('"')


def _join(pieces: dict[int, tuple[str, bool]]) -> str:
    """RFC 2231 §3 and §4: continuations in the order of their numbers, percent-encoded ones with a character set."""
    charset, data = "utf-8", b""
    for position, (_, (content, encoded)) in enumerate(sorted(pieces.items())):
        text = content
        if encoded and position == 0 and content.count("'") >= 2:
            charset, _, text = content.split("'", 2)
        octets = text.encode("utf-8", "replace")
        data += _PERCENT.sub(lambda match: bytes([int(match[1], 16)]), octets) if encoded else octets
    return decode(data, charset)


def addresses(value: str) -> list[str]:
    """The addresses of a From or To value, without names and comments. Looks at VALUE_CHARS characters."""
    text = _QUOTED_OR_COMMENT.sub(" ", value[:VALUE_CHARS])
    found = [(match.start(), match[1]) for match in _ANGLE.finditer(text) if "@" in match[1]]
    if found:
        return [one for _, one in found]
    return _BARE_ADDRESS.findall(text)


def address(value: str) -> str:
    """The first address of a From or To value, '' when there is none."""
    return next(iter(addresses(value)), "")


def domain_of(one: str) -> str:
    """The domain of an address in lower case, '' when there is none."""
    return one.rpartition("@")[2].strip(" \t<>.").lower() if "@" in one else ""
