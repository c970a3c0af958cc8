"""What a field is, and the types a field can have.

A type is a mapping for the store and a reader for the wire: `read` takes the text of a report and returns the
normalised value, or raises ValueError, in which case the text is kept under `raw.<field>` and named in `warnings`.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from .patterns import pattern

# A document inside the program: a flat dict of dotted names. Objects in lists are dicts of plain names.
Fields = dict[str, Any]


class Layer(Fields):
    """Fields that many documents share: once one of them was encoded, nobody may change them any more."""

    json = b""  # its members, as `encode` wrote them
    tops: frozenset[str] = frozenset()  # the outermost names of them
    noted: Any = None  # what `completion` found out about documents that have these fields


def merged(fields: Fields, layers: Iterable[Layer]) -> Fields:
    """All fields of a document."""
    whole: Fields = {}
    for layer in layers:
        whole |= layer
    return whole | fields


MAX_STRING = 4096  # characters; longer strings are cut, and the document says so

# Control characters and bidirectional overrides: they reorder or hide what a person reads (design §6).
_HOSTILE = pattern(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)
_OPEN, _CLOSE = "<\u2039\u00ab\u2329\u27e8\u3008\u300a\uff1c\u276e", ">\u203a\u00bb\u232a\u27e9\u3009\u300b\uff1e\u276f"
_QUOTES = "\"'`\u00b4\u2018-\u201f"
_BRACKETED = pattern(rf"[{_OPEN}]([^\s{_OPEN}{_CLOSE}]+@[^\s{_OPEN}{_CLOSE}]+)[{_CLOSE}]")
_AROUND = pattern(rf"\A[\s{_OPEN}{_CLOSE}{_QUOTES}]*(?:mailto:\s*)?|[\s{_OPEN}{_CLOSE}{_QUOTES}]+\Z", re.IGNORECASE)
_APART = pattern(rf"[\s{_OPEN}{_CLOSE}()\[\];,:]")  # what stands in no address without quotes
_SPACE = pattern(r"\s+")
_FLOAT = pattern(r"\.0{1,9}\Z")


class Type(NamedTuple):
    """One type of field: the mapping in OpenSearch, and the reader of the wire."""

    name: str
    mapping: Mapping[str, Any]
    read: Callable[[str], Any]
    repair: str = ""  # of repairs.REPAIRS, for what `read` refuses; '' for none


class Field(NamedTuple):
    """One field, spelled once: everything else (templates, docs, views, reading) comes from it."""

    name: str
    type: Type
    wire: str  # where it stands in the report: element or key names joined by '/', '' when it is ours
    source: str  # RFC and section, or 'ours'
    meaning: str
    example: Any
    many: bool = False  # a list, also with one entry
    objects: str = ""  # the name of the list of objects it belongs to (`auth_results.dkim`), '' when in none


def clean(text: str) -> str:
    """Remove control and bidirectional-override characters and collapse white space."""
    if text.isascii() and text.isprintable() and "  " not in text:  # most texts
        return text.strip()
    return _SPACE.sub(" ", _HOSTILE.sub("", text)).strip()


def clean_lines(text: str) -> str:
    """Remove the same characters and keep the lines, ended by LF."""
    return _HOSTILE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def read_text(text: str) -> str:
    """Free text on one line."""
    return clean(text)


def read_word(text: str) -> str:
    """A value of a list in an RFC: lower case. Netease writes `Pass` and `None`."""
    return clean(text).lower()


def read_identifier(text: str) -> str:
    """A report id or Message-ID without its angle brackets (RFC 7489 §7.2.1.1, RFC 9990 §3.5.1)."""
    return clean(text).removeprefix("<").removesuffix(">").strip()


def read_domain(text: str) -> str:
    """A domain name: lower case, no dot at the end, A-labels (RFC 9989 §5.3.1 compares A-labels).

    A name that has no A-labels stays as it is in lower case; underscores are kept.
    """
    name = clean(text).rstrip(". ")
    if name.isascii():
        return name.lower()
    from .international import to_a_labels  # 20 ms, only for names beyond ASCII

    try:
        return to_a_labels(name)
    except ValueError:
        return name.lower()


def read_address(text: str) -> str:
    """A mail address alone: without a name before it, brackets and quotes of any typography, `mailto:`.

    What is not one address, in brackets or among other words, stays, but for brackets around the whole (a URL, a name).
    """
    whole = clean(text)
    inside = _BRACKETED.findall(whole)
    if not inside and whole.count("@") == 1 and "/" not in whole:
        local, _, domain = whole.partition("@")
        local, domain = _APART.split(local)[-1], _APART.split(domain, maxsplit=1)[0].rstrip(".")
        inside = [f"{local}@{domain}"] if local and domain else []
    return _AROUND.sub("", inside[0] if len(inside) == 1 else whole)


_LABEL = r"[^\s.<>@\"'`()\[\]{},;:|\\/=&%!?#+~^$]+"
_DOMAIN = pattern(rf"(?:{_LABEL}\.)*{_LABEL}|\[[0-9A-Fa-f:.]+\]")  # or an address literal, as HELO may have one
_LONGEST_DOMAIN = 253  # characters (RFC 1035 §2.3.4)


def is_domain(name: str) -> bool:
    """Whether something that `read_domain` gave may be a domain name: no blanks, marks or empty labels in it."""
    return len(name) <= _LONGEST_DOMAIN and _DOMAIN.fullmatch(name) is not None


def read_domain_strictly(text: str) -> str:
    """A domain name as `read_domain` writes it; ValueError for what is more than that, or none."""
    name = read_domain(text)
    if not is_domain(name) and text.strip():
        raise ValueError(f"not a domain: {text[:60]!r}")
    return name


def read_ip(text: str) -> str:
    """An IP address in canonical form.

    Accepts `[…]`, an `IPv6:` prefix (RFC 5321 §4.1.3), a zone id and a trailing `(comment)` (OpenDMARC writes
    the host name there); an IPv4-mapped IPv6 address becomes IPv4.
    """
    address = text.split("(", 1)[0].strip().strip("[]").strip()
    if address[:5].lower() == "ipv6:":
        address = address[5:]
    value = ipaddress.ip_address(address.split("%", 1)[0])
    if isinstance(value, ipaddress.IPv6Address) and value.ipv4_mapped is not None:
        value = value.ipv4_mapped
    return str(value)


def read_count(text: str) -> int:
    """A number of messages or sessions, of 18 digits at most; `.0` is accepted (some reporters count in floats).

    What is above bounds.max_count is not believed: see `believed`.
    """
    digits = _FLOAT.sub("", text.strip())
    if not digits.isascii() or not digits.isdigit() or len(digits) > 18:
        raise ValueError(f"not a count: {text[:40]!r}")
    return int(digits)


def believed(value: Any, type_: "Type", max_count: int) -> Any:
    """The value, or ValueError when it is a count above bounds.max_count."""
    if type_ is COUNT and value > max_count:
        raise ValueError(f"above bounds.max_count = {max_count}")
    return value


def read_integer(text: str) -> int:
    """A number that fits into the store's `integer`."""
    value = read_count(text)
    if value >= 2**31:
        raise ValueError(f"not a number of 31 bits: {value}")
    return value


def read_port(text: str) -> int:
    """A TCP port, 1 to 65535 (RFC 6692 §2)."""
    value = read_count(text)
    if not 0 < value < 65536:
        raise ValueError(f"not a port: {value}")
    return value


def read_boolean(text: str) -> bool:
    """`y` or `n` (the `testing` element, RFC 9990 §3.1.1.5); `true`, `false`, `1` and `0` are accepted."""
    word = text.strip().lower()
    if word in {"y", "yes", "true", "1"}:
        return True
    if word in {"n", "no", "false", "0"}:
        return False
    raise ValueError(f"neither y nor n: {text[:40]!r}")


def read_epoch(text: str) -> datetime:
    """Unix seconds as a date, 2001 to 2286; blanks and a fraction are accepted.

    Anything but ten digits is no date of a report: 0, a day written as 20261119, a duration, milliseconds.
    """
    whole, _, fraction = text.strip().partition(".")
    if not (whole.isascii() and whole.isdigit() and len(whole) == 10 and (fraction == "" or fraction.isdigit())):
        raise ValueError(f"not Unix seconds: {text[:40]!r}")
    try:
        return datetime.fromtimestamp(int(whole), UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError(f"not a date: {text[:40]!r}") from error


def write_date(value: datetime) -> str:
    """A date as the store has it: RFC 3339 in UTC with `Z`, milliseconds only when there are any."""
    utc = value if value.tzinfo is UTC else value.astimezone(UTC)
    seconds = utc.isoformat()[:19]
    return f"{seconds}.{utc.microsecond // 1000:03d}Z" if utc.microsecond >= 1000 else f"{seconds}Z"


def read_epoch_date(text: str) -> str:
    """Unix seconds as the store's date."""
    return write_date(read_epoch(text))


def _keyword(limit: int) -> dict[str, Any]:
    return {"type": "keyword", "ignore_above": limit}


_DATE: dict[str, Any] = {"type": "date", "format": "strict_date_optional_time||epoch_second"}

KEYWORD = Type("keyword", _keyword(1024), read_text)
LONG_KEYWORD = Type("keyword", _keyword(8191), read_text)  # 8191 characters are at most 32,764 bytes (Lucene's limit)
WORD = Type("keyword", _keyword(1024), read_word)
IDENTIFIER = Type("keyword", _keyword(1024), read_identifier)
DOMAIN = Type("keyword", _keyword(1024), read_domain)
ADDRESS = Type("keyword", _keyword(1024), read_address)
ONE_DOMAIN = Type("keyword", _keyword(1024), read_domain_strictly, "domain")  # and nothing beside it
SUBJECT = Type(
    "keyword", {**_keyword(1024), "fields": {"text": {"type": "text"}}}, read_text
)  # `.text` is there to search for words
IP = Type("ip", {"type": "ip", "ignore_malformed": True}, read_ip, "ip")
COUNT = Type("long", {"type": "long"}, read_count)
LONG = Type("long", {"type": "long"}, int)
PORT = Type("integer", {"type": "integer"}, read_port)
INTEGER = Type("integer", {"type": "integer"}, read_integer)
BOOLEAN = Type("boolean", {"type": "boolean"}, read_boolean)
EPOCH = Type("date", _DATE, read_epoch_date, "epoch")
DATE = Type("date", _DATE, read_text)  # written by dates.py, which knows the forms of RFC 5322 and RFC 3339
GEO_POINT = Type("geo_point", {"type": "geo_point", "ignore_malformed": True}, read_text)
UNINDEXED = Type("text", {"type": "text", "index": False, "norms": False}, str)  # kept to be read, not searched
