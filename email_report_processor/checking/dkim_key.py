"""The record of a DKIM key: what is wrong with it, how long the key is (RFC 6376 §3.6.1, RFC 8301, RFC 8463). Pure."""

import base64
import binascii
import re
from typing import NamedTuple

from .der import element
from .record import WSP

SHORT = 1024  # bits: must not be less (RFC 8301 §3.2)
GOOD = 2048  # bits: should not be less


class Key(NamedTuple):
    """What a record says."""

    kind: str = "rsa"  # k=
    bits: int = 0  # of an RSA key
    revoked: bool = False  # p= is empty
    testing: bool = False  # t=y
    strict: bool = False  # t=s: not for subdomains in i=
    fault: str = ""  # why it is no key


def is_key(text: str) -> bool:
    """Whether a TXT record is meant for a key."""
    return bool(re.match(rf"[{WSP}]*(v[{WSP}]*=[{WSP}]*DKIM1|[a-z]{{1,10}}[{WSP}]*=)", text))


def read_key(text: str) -> Key:
    """Read a record."""
    tags = dict(part.strip(WSP).partition("=")[::2] for part in text.split(";") if "=" in part)
    tags = {name.strip(WSP): value.strip(WSP) for name, value in tags.items()}
    flags = _words(tags.get("t", ""))
    found = _read(tags)._replace(testing="y" in flags, strict="s" in flags)
    return found if found.fault or found.revoked else found._replace(fault=_unfit(tags))


def _words(value: str) -> list[str]:
    return [word.strip(WSP).lower() for word in value.split(":")]


def _unfit(tags: dict[str, str]) -> str:
    """Why a key that can be read is of no use for mail."""
    if "h" in tags and "sha256" not in _words(tags["h"]):
        return f"h={tags['h']:.40}: no signature with SHA-256 passes, and receivers take no other (RFC 8301 §3.1)"
    if "s" in tags and not {"*", "email"} & set(_words(tags["s"])):
        return f"s={tags['s']:.40}: it is not for mail (RFC 6376 §3.6.1)"
    return ""


def _read(tags: dict[str, str]) -> Key:
    kind = tags.get("k", "rsa").lower()
    if tags.get("v", "DKIM1") != "DKIM1":
        return Key(kind, fault=f"v={tags['v']} is none of DKIM's versions")
    if "p" not in tags:
        return Key(kind, fault="it has no p=")
    try:
        data = base64.b64decode(re.sub(r"\s+", "", tags["p"]), validate=True)
    except (binascii.Error, ValueError):
        return Key(kind, fault="p= is no base64")
    if not data:
        return Key(kind, revoked=True)
    if kind == "ed25519":
        return Key(kind, fault="" if len(data) == 32 else f"{len(data)} bytes are no Ed25519 key")
    if kind != "rsa":
        return Key(kind, fault=f"k={kind} is known to nobody")
    bits = _rsa_bits(data)
    return Key(kind, bits, fault="" if bits else "p= is no RSA key")


def _rsa_bits(data: bytes) -> int:
    """The length of the modulus of a SubjectPublicKeyInfo, or of a bare RSAPublicKey; 0 for what is neither."""
    try:
        tag, body, _ = element(data)
        first, inner, rest = element(body)
        if tag == first == 0x30:  # AlgorithmIdentifier, then the key in a BIT STRING
            _, bits, _ = element(rest)
            _, body, _ = element(bits[1:])
            first, inner, rest = element(body)
    except ValueError:
        return 0
    return int.from_bytes(inner, "big").bit_length() if first == 0x02 else 0
