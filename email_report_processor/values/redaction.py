"""Addresses in a sample become tokens before it is stored, or sent to others (RFC 6590): each always the same.

The token is keyed, so that nobody can try addresses against it. What a sender wrote in other ways is found too: VERP
(`anna=example.org@`), `%40` in URLs, `=40` in quoted-printable.
"""

import hmac
import re
from base64 import b32encode
from collections.abc import Callable, Iterable
from hashlib import sha256

from .hiding import Mode, Redaction
from .patterns import pattern

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
_AT = r"(?:@|%40|=40)"
_DOMAIN = r"[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,10}"
_ADDRESS = pattern(rf"(?<![A-Za-z0-9!#$&'*+/^_`{{|}}~.-])({_LOCAL})({_AT})({_DOMAIN})")
_VERP = pattern(rf"({_LOCAL})=({_DOMAIN})(?={_AT})")
_TAG = pattern(r".*[-+]", re.DOTALL)  # of a list or an account, before the recipient
_CODED = pattern(r"[=%][0-9A-Fa-f]{2}")  # =3D, %2F: the two digits before a local part are none of it
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


def hide(header: str, recipients: Iterable[str], redaction: Redaction) -> Callable[[str], str]:
    """What hides the addresses in any text about the sample that has this header."""
    if redaction.mode == "none":
        return str
    hidden = {one.lower().strip("<>") for one in recipients} | set(named_recipients(header))
    domains = {one.lower().strip(".") for one in redaction.own}
    kept = _addresses_of(header, frozenset({"from"})) - hidden

    def hides(address: str) -> bool:
        domain = address.rpartition("@")[2]
        ours = any(domain == one or domain.endswith(f".{one}") for one in domains)
        return address in hidden or ((redaction.mode == "strict" or ours) and address not in kept)

    return lambda text: _replace(text, redaction.key, hides, hidden)


def header_text(header: str, hiding: Callable[[str], str]) -> str:
    """A header whose addresses are hidden; display names of recipients go as well."""
    return header if hiding is str else hiding(_without_names(header))


def named_recipients(header: str) -> set[str]:
    """Addresses of the recipients that a header names, lower case: its fields, and the `for` of Received."""
    traces = "\n".join(found[2] for found in _FIELD.finditer(header) if found[1].lower() == "received")
    return _addresses_of(header, RECIPIENT_FIELDS) | {found[1].lower() for found in _FOR.finditer(traces)}


def _addresses_of(header: str, names: frozenset[str]) -> set[str]:
    texts = [found[2] for found in _FIELD.finditer(header) if found[1].lower() in names]
    return {f"{one[1]}@{one[3]}".lower() for text in texts for one in _ADDRESS.finditer(text)}


def _without_names(header: str) -> str:
    """Recipient fields with their addresses alone."""

    def plain(found: re.Match[str]) -> str:
        if found[1].lower() not in RECIPIENT_FIELDS:
            return found[0]
        addresses = (f"{one[1]}@{one[3]}" for one in _ADDRESS.finditer(found[2]))
        return f"{found[1]}: {', '.join(addresses) or '(redacted)'}"

    return _FIELD.sub(plain, header)


def _replace(text: str, key: bytes, hides: Callable[[str], bool], known: set[str]) -> str:
    def address(found: re.Match[str]) -> str:
        local, at, domain = found.groups()
        coded = 2 if _CODED.match(text, found.start() - 1) and f"{local[2:]}@{domain}".lower() in known else 0
        whole = f"{local[coded:]}@{domain}".lower()
        return f"{local[:coded]}{token(whole, key).partition('@')[0]}{at}{domain}" if hides(whole) else found[0]

    def verp(found: re.Match[str]) -> str:
        whole = f"{_TAG.sub('', found[1])}@{found[2]}".lower()
        return f"{token(whole, key).partition('@')[0]}={found[2]}" if hides(whole) else found[0]

    text = _VERP.sub(verp, text)
    return _ADDRESS.sub(address, text)
