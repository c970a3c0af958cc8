"""The text of a DMARC record: its tags and addresses, and what is wrong with them. Nothing here asks the DNS."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from ..values.fields import read_domain

_NAME = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\Z"
)
WSP = " \t"
_URI = re.compile(r"[A-Za-z0-9._~:/?#\[\]@$&'()*+=%-]*")


class Policy(NamedTuple):
    """A DMARC record and where it stands."""

    domain: str
    tags: tuple[tuple[str, str], ...]  # in their order, names in lower case; also broken and unknown ones
    broken: tuple[str, ...]  # parts that are no tag
    text: str  # as published

    def get(self, tag: str) -> str:
        """The value of a tag, '' when it is absent."""
        return next((value for name, value in self.tags if name == tag), "")


def parse(domain: str, text: str) -> Policy:
    """The tags of a record (RFC 9989 §4.8). Only WSP is white space there (RFC 5234): no U+00A0, no line ends."""
    tags: list[tuple[str, str]] = []
    broken: list[str] = []
    for part in filter(None, (part.strip(WSP) for part in text.split(";"))):
        name, equals, value = (piece.strip(WSP) for piece in part.partition("="))
        if equals and value and name.isalpha() and name.isascii():
            tags.append((name.lower(), value))
        else:
            broken.append(part)
    return Policy(domain, tuple(tags), tuple(broken), text)


def is_name(text: str) -> bool:
    """Whether the DNS can be asked for it (A-labels, lower case)."""
    return bool(_NAME.match(text))


def read_name(text: str) -> str:
    """A domain name in A-labels. Raises ValueError for what is none."""
    name = read_domain(text)
    if not is_name(name):
        raise ValueError(f"{text!r} is no domain name")
    return name


# Tags


# Tag -> the values that it may have, as a pattern and in words.
_REQUEST = (re.compile(r"none|quarantine|reject", re.IGNORECASE), "none, quarantine or reject")
_MODE = (re.compile(r"[rs]", re.IGNORECASE), "r or s")
VALUES = {
    "p": _REQUEST,
    "sp": _REQUEST,
    "np": _REQUEST,
    "adkim": _MODE,
    "aspf": _MODE,
    "t": (re.compile(r"[yn]", re.IGNORECASE), "y or n"),
    "psd": (re.compile(r"[ynu]", re.IGNORECASE), "y, n or u"),
}
_GONE = {"pct", "rf", "ri"}  # RFC 9989 Appendix C.5.2
_KNOWN = {"v", "rua", "ruf", "fo", *VALUES, *_GONE}


def is_valid(policy: Policy, tag: str, *, absent: bool) -> bool:
    """Whether the value of a tag is one that it may have; `absent` where it is not there."""
    value = policy.get(tag)
    return bool(VALUES[tag][0].fullmatch(value)) if value else absent


def wrong_tags(policy: Policy) -> Iterator[str]:
    """What is wrong with the tags, a sentence each."""
    names = [name for name, _ in policy.tags]
    for part in policy.broken:
        yield f"{part!r} is no tag; write name=value"
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            yield f"{name} is there {names.count(name)} times"
        if name in _GONE:
            yield f"{name} is no longer part of DMARC (RFC 9989): leave it out{'; t=y is for tests' * (name == 'pct')}"
        elif name not in _KNOWN:
            yield f"{name} is no tag of DMARC and is ignored"
    for name, (pattern, words) in VALUES.items():
        value = policy.get(name)
        if value and not pattern.fullmatch(value):
            yield f"{name}={_shown(value)} is ignored; write {words}"
    if fault := _wrong_fo(policy.get("fo")):
        yield f"fo={policy.get('fo')}: {fault}"


def _shown(value: str) -> str:
    """With what nobody sees, such as U+00A0."""
    return value if value.isascii() and value.isprintable() else ascii(value)


def is_valid_fo(value: str) -> bool:
    """Whether a list of options for failure reports is one."""
    return not _wrong_fo(value)


def _wrong_fo(value: str) -> str:
    options = [option.strip(WSP).lower() for option in value.split(":")] if value else []
    if not all(option in {"0", "1", "d", "s"} for option in options):
        return "write some of 0, 1, d and s, joined by colons"
    if {"0", "1"} <= set(options):
        return "0 and 1 exclude each other"
    return ""


# Addresses


class Uri(NamedTuple):
    """One address for reports."""

    text: str
    host: str  # of a mailto: URI, '' for another
    fault: str  # what is wrong with it, '' if nothing


def uris(value: str) -> list[Uri]:
    """The list of a rua or ruf tag."""
    return [read_uri(part.strip(WSP)) for part in value.split(",")] if value else []


def read_uri(text: str) -> Uri:
    """One address of such a list, or of the rua of a TLSRPT record."""
    plain, mark, limit = text.partition("!")  # RFC 9989 §4.8: an obsolete limit of size, to be ignored
    if mark and not re.fullmatch(r"[0-9]+[kmgt]?", limit, re.IGNORECASE):
        return Uri(text, "", "an exclamation mark is written %21")
    try:
        parts = urlsplit(plain)
    except ValueError:
        return Uri(text, "", "is no URI")
    if not _URI.fullmatch(plain):
        return Uri(text, "", "has characters that no URI has (RFC 3986 §2)")
    if plain.endswith("."):
        return Uri(text, "", "ends with a dot, which no address does (RFC 5322 §3.4.1)")
    if parts.scheme.lower() != "mailto":
        wanted = f"write mailto:{text}" if "@" in text and not parts.scheme else "reporters of DMARC know mailto: alone"
        return Uri(text, "", wanted)
    local, _, host = unquote(parts.path).rpartition("@")
    try:
        return Uri(text, read_name(host), "" if local else "has no local part")
    except ValueError:
        return Uri(text, "", "is no mail address")


# Records to publish


def publish(name: str, text: str) -> str:
    """A line of a zone file; no string in it is longer than 255 bytes (RFC 1035 §3.3.14)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    strings = " ".join(f'"{escaped[start : start + 250]}"' for start in range(0, len(escaped), 250))
    return f"{name}. IN TXT {strings}"


def publish_all(name: str, texts: Iterable[str]) -> str:
    """A line for each."""
    return "\n".join(publish(name, text) for text in texts)
