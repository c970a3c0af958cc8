"""Addresses in a sample become tokens before it is stored, or sent to others (RFC 6590): each always the same.

The token is keyed, so that nobody can try addresses against it. What a sender wrote in other ways is found too: VERP
(`anna=example.org@`), encoded words (RFC 2047), base64 and hexadecimal digits, by which phishing pages are told whom
they were opened by, and codes for any of its characters (writings.py).
"""

import binascii
import hmac
import re
from base64 import b32encode, b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator
from email.header import Header
from hashlib import sha256
from itertools import groupby
from typing import NamedTuple

from .fields import read_domain
from .hiding import Mode, Redaction
from .patterns import pattern
from .writings import MOST, Reading, reading, readings

TOKEN_CHARACTERS = 10  # 50 bits
# Fields that name recipients; their display names go as well.
RECIPIENT_FIELDS = frozenset(
    {
        "apparently-to",
        "bcc",
        "cc",
        "delivered-to",
        "envelope-to",
        "original-recipient",
        "resent-bcc",
        "resent-cc",
        "resent-to",
        "to",
        "x-delivered-to",
        "x-envelope-to",
        "x-forwarded-to",
        "x-original-to",
        "x-rcpt-to",
    }
)
_LOCAL = r"[A-Za-z0-9!#$&'*+/^_`{|}~.-]{1,64}"  # without % and =, which stand for other writings of @
_AT = r"(?:@|%(?:25)?40|=40|&#0?64;|&#[xX]40;)"
_DOMAIN = r"[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,10}"
_ADDRESS = pattern(rf"(?<![A-Za-z0-9!#$&'*+/^_`{{|}}~.-])({_LOCAL})({_AT})({_DOMAIN})")
_VERP = pattern(rf"({_LOCAL})=({_DOMAIN})(?={_AT})")
_TAG = pattern(r".*[-+]", re.DOTALL)  # of a list or an account, before the recipient
_CODED = pattern(r"[=%][0-9A-Fa-f]{2}")  # =3D, %2F: the two digits before a local part are none of it
# With letters beyond ASCII (RFC 6531), or in quotes.
_WIDE = pattern(r'("[^"\\\n]{1,64}"|[^\s<>,;:"()@=/?&#%\[\]]{1,64})(@)([\w-]{1,63}(?:\.[\w-]{1,63}){1,10})')
_WORD = pattern(r"=\?([^?\s]{1,40})\?([BbQq])\?([^?\s]{0,500})\?=")
_WORDS = pattern(r"{0}(?:[ \t\r\n]{{1,5}}{0})*".format(r"=\?[^?\s]{1,40}\?[BbQq]\?[^?\s]{0,500}\?="))
# In the others an address is ASCII as well, or nobody reads it; Python's own (idna, punycode) are quadratic.
_CHARSET = pattern(
    r"utf-8|us-ascii|iso-8859-\d{1,2}|windows-125\d|koi8-[ru]|gb2312|gbk|gb18030|big5|euc-jp|euc-kr|shift_jis|iso-2022-jp"
)
# The characters + / - _ stand for > ? ~ in ASCII: without them a run still begins at a whole group of four.
_BASE64 = pattern(r"(?<![A-Za-z0-9])([A-Za-z0-9]{8,})((?:=|%3[Dd]){0,2})")
_HEX = pattern(r"(?<![0-9A-Fa-f])(?:[0-9A-Fa-f]{2}){6,}(?![0-9A-Fa-f])")
_FIELD = pattern(r"^([!-9;-~]+)[ \t]*:((?:.*(?:\n[ \t].*)*))", re.MULTILINE)
_FOR = pattern(rf"\bfor\s+<?({_LOCAL}@{_DOMAIN})", re.IGNORECASE)


def token(address: str, key: bytes) -> str:
    """An address with its local part as a token: the same for every writing of it in upper or lower case."""
    local, _, domain = address.lower().rpartition("@")
    digest = hmac.new(key, f"{local}@{domain}".encode("utf-8", "surrogatepass"), sha256).digest()
    return f"{b32encode(digest)[:TOKEN_CHARACTERS].decode('ascii').lower()}@{domain}"


def redact(
    header: str, body: str, recipients: Iterable[str], own: Iterable[str], key: bytes, mode: Mode
) -> tuple[str, str]:
    """Header and body of a sample without the addresses that are nobody's business.

    recipients: what the report says of them. own: domains whose users are ours. `recipients` hides both, wherever they
    stand; `strict` hides every address but that of the From field.
    """
    hiding = hide(header, recipients, Redaction(mode, key, tuple(own)))
    return header_text(header, hiding), hiding(body)


class _Hidden(NamedTuple):
    """What is hidden, and what stands for it."""

    known: frozenset[str]  # addresses, lower case
    hides: Callable[[str], bool]
    token: Callable[[str], str]  # local part


def hide(header: str, recipients: Iterable[str], redaction: Redaction) -> Callable[[str], str]:
    """What hides the addresses in any text about the sample that has this header."""
    if redaction.mode == "none":
        return str
    known = frozenset(_both_writings({one.lower().strip("<>") for one in recipients} | named_recipients(header)))
    domains = {one.lower().strip(".") for one in redaction.own}
    kept = _addresses_of(header, frozenset({"from"})) - known
    made: set[str] = set()  # a token of one writing is no address for the next

    def hides(address: str) -> bool:
        domain = address.rpartition("@")[2]
        ours = any(domain == one or domain.endswith(f".{one}") for one in domains)
        wanted = address in known or ((redaction.mode == "strict" or ours) and address not in kept)
        return wanted and address not in made

    def local_token(address: str) -> str:
        whole = token(address, redaction.key)
        made.add(whole)
        return whole.partition("@")[0]

    return lambda text: _replace(text, _Hidden(known, hides, local_token))


def _both_writings(addresses: Iterable[str]) -> Iterator[str]:
    """With the domain as it is, and in A-labels."""
    for one in addresses:
        local, at, domain = one.rpartition("@")
        yield one
        yield f"{local}{at}{read_domain(domain)}"


def header_text(header: str, hiding: Callable[[str], str]) -> str:
    """A header whose addresses are hidden; display names of recipients go as well."""
    return header if hiding is str else hiding(_without_names(header))


def named_recipients(header: str) -> set[str]:
    """Addresses of the recipients that a header names, lower case: its fields, and the `for` of Received."""
    traces = "\n".join(found[2] for found in _FIELD.finditer(header) if found[1].lower() == "received")
    return _addresses_of(header, RECIPIENT_FIELDS) | {found[1].lower() for found in _FOR.finditer(traces)}


def _addresses_of(header: str, names: frozenset[str]) -> set[str]:
    fields = [_decoded(found[2]) for found in _FIELD.finditer(header) if found[1].lower() in names]
    texts = [*fields, *(one.text for field in fields for one in readings(field))]
    plain = {f"{one[1]}@{one[3]}".lower() for text in texts for one in _ADDRESS.finditer(text)}
    return plain | {one.lower() for text in texts for one in _wide(text)}


def _wide(text: str) -> list[str]:
    """Addresses that have what `_ADDRESS` does not look for."""
    found = (one[0] for one in _WIDE.finditer(text))
    return [one for one in found if not one.isascii() or one.startswith('"')]


def _without_names(header: str) -> str:
    """Recipient fields with their addresses alone."""

    def plain(found: re.Match[str]) -> str:
        if found[1].lower() not in RECIPIENT_FIELDS:
            return found[0]
        text = _decoded(found[2])
        addresses = [f"{one[1]}@{one[3]}" for one in _ADDRESS.finditer(text)]
        addresses += _wide(text)
        return f"{found[1]}: {', '.join(addresses) or '(redacted)'}"

    return _FIELD.sub(plain, header)


def _replace(text: str, hidden: _Hidden) -> str:
    """The text without addresses in any writing."""

    def plain(text: str) -> str:
        return _replace_plain(text, hidden)

    def words(found: re.Match[str]) -> str:
        before = _decoded(found[0])
        after = _BASE64.sub(recoded, plain(before))
        return found[0] if after == before else Header(after, "utf-8").encode()

    def recoded(found: re.Match[str]) -> str:
        return _recoded(found, plain)

    def digits(found: re.Match[str]) -> str:
        return _redigited(found, plain)

    text = _WORDS.sub(words, _WORD.sub(words, text))  # each by itself, then those that belong together
    return _HEX.sub(digits, _BASE64.sub(recoded, plain(text)))


def _decoded(words: str) -> str:
    """Encoded words as one text: an address may begin in one and end in the next."""
    return _WORDS.sub(lambda found: "".join(_texts(found[0])), words)


def _texts(words: str) -> Iterator[str]:
    for charset, run in groupby(_WORD.finditer(words), lambda word: word[1].partition("*")[0].lower()):
        data = b"".join(map(_unworded, run))
        yield data.decode(charset if _CHARSET.fullmatch(charset) else "latin-1", "replace")


def _unworded(word: re.Match[str]) -> bytes:
    """What one word stands for; nothing for base64 that is none."""
    data = word[3].encode("utf-8", "replace")
    try:
        return binascii.a2b_base64(data + b"==") if word[2] in "bB" else binascii.a2b_qp(data, header=True)
    except binascii.Error:
        return b""


def _recoded(found: re.Match[str], plain: Callable[[str], str]) -> str:
    """A run of base64, encoded again when there was an address in it."""
    run, padding = found.groups()
    try:
        before = b64decode(run + "=" * (-len(run) % 4)).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return found[0]
    after = plain(before)
    if after == before:
        return found[0]
    made = b64encode(after.encode()).decode("ascii")
    bare = made.rstrip("=")
    sign = "%3D" if padding.startswith("%") else "="
    return bare + sign * (len(made) - len(bare) if padding else 0)


def _redigited(found: re.Match[str], plain: Callable[[str], str]) -> str:
    """Hexadecimal digits, written again when there was an address in them."""
    before = bytes.fromhex(found[0]).decode("latin-1")
    after = plain(before)
    if after == before:
        return found[0]
    made = after.encode("latin-1", "replace").hex()
    return made.upper() if found[0].isupper() else made


def _replace_plain(text: str, hidden: _Hidden) -> str:
    """Without addresses as they stand, then in each other writing; a token of one is none of the next."""
    text = _replace_standing(text, hidden)
    for number in range(MOST):  # of what the ones before left
        if (found := reading(text, number)) is not None:
            text = _replace_read(text, found, hidden)
    return text


def _replace_read(text: str, read: Reading, hidden: _Hidden) -> str:
    """The text without the addresses that a reading of it has; what they are written with stays but for the name."""
    if "@" not in read.text:
        return text
    spans = []
    for start, end, whole in _found(read.text, hidden):
        if hidden.hides(whole):
            spans.append((*read.original(start, end), hidden.token(whole)))
    left, last = [], 0
    for begin, stop, name in sorted(spans):
        if begin >= last:
            left += [text[last:begin], name]
            last = stop
    return "".join([*left, text[last:]])


def _found(text: str, hidden: _Hidden) -> Iterator[tuple[int, int, str]]:
    """Where local parts of addresses stand, with their addresses."""
    for found in [*(_WIDE.finditer(text) if not text.isascii() or '"@' in text else ()), *_ADDRESS.finditer(text)]:
        local, _, domain = found.groups()
        before = _before(local, domain, hidden.known)
        yield found.start(1) + before, found.end(1), f"{local[before:]}@{domain}".lower()
    for found in _VERP.finditer(text):
        tag = len(found[1]) - len(_TAG.sub("", found[1]))
        yield found.start(1) + tag, found.end(1), f"{found[1][tag:]}@{found[2]}".lower()


def _replace_standing(text: str, hidden: _Hidden) -> str:
    def address(found: re.Match[str]) -> str:
        local, at, domain = found.groups()
        before = _before(local, domain, hidden.known)
        if not before and _CODED.match(text, found.start() - 1) and f"{local[2:]}@{domain}".lower() in hidden.known:
            before = 2
        whole = f"{local[before:]}@{domain}".lower()
        return f"{local[:before]}{hidden.token(whole)}{at}{domain}" if hidden.hides(whole) else found[0]

    def verp(found: re.Match[str]) -> str:
        whole = f"{_TAG.sub('', found[1])}@{found[2]}".lower()
        return f"{hidden.token(whole)}={found[2]}" if hidden.hides(whole) else found[0]

    if not text.isascii() or '"@' in text:
        text = _WIDE.sub(address, text)
    text = _VERP.sub(verp, text)
    return _ADDRESS.sub(address, text)


def _before(local: str, domain: str, known: frozenset[str]) -> int:
    """How many characters stand before a known address that ends here: `Hi_anna@` of an encoded word, `u+anna@`."""
    if f"{local}@{domain}".lower() in known:
        return 0
    places = (
        place for place in range(1, len(local)) if not (local[place - 1].isascii() and local[place - 1].isalnum())
    )
    return next((place for place in places if f"{local[place:]}@{domain}".lower() in known), 0)
