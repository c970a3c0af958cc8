"""RDAP (RFC 9082, 9083): which server knows a network, and which of its entities takes reports. Pure.

Registries nest the abuse contact at different depths (ARIN within the registrant, RIPE beside it), so all are walked.
"""

import re
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, NamedTuple

DEEPEST = 8  # entities within each other
_SAID = ("startAddress", "endAddress", "handle", "name", "country")
_ROLES = ("abuse", "technical")  # whom we write to, the first that is there
# What registries write in the place of an address that they do not show.
_PLACEHOLDER = re.compile(
    r"redacted|not[ ._-]?disclosed|please[ ._-]?query|removed@|unspecified|@(?:example\.|localhost)", re.IGNORECASE
)
_ADDRESS = re.compile(r"[^\s@<>\"(),;:\\]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+\Z")

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class Answer(NamedTuple):
    """What a registry says of a network."""

    first: str  # addresses of the range, '' when it does not say
    last: str
    handle: str
    contacts: tuple[str, ...]  # addresses of the best role, without placeholders
    name: str = ""  # as the registrant calls it
    country: str = ""  # where the registrant says that it is used (RFC 9083 §5.4)


def server_of(bootstrap: Mapping[str, Any], address: str) -> str:
    """The base URL of the server for an address, by IANA's bootstrap file (RFC 9224 §4), '' when there is none."""
    ip = ip_address(address)
    best: tuple[int, str] = (-1, "")
    for prefixes, urls in bootstrap.get("services", ()):
        for text in prefixes:
            network = ip_network(text, strict=False)
            if network.version == ip.version and ip in network and network.prefixlen > best[0]:
                best = network.prefixlen, _secure(urls)
    return best[1]


def _secure(urls: list[str]) -> str:
    """HTTPS before HTTP (RFC 9224 §3)."""
    return min(urls, key=lambda url: not url.startswith("https:"), default="")


def read_answer(answer: Mapping[str, Any]) -> Answer:
    """The contact of an `ip network` object. Nothing raises: what is not of the form says nothing."""
    entities = list(_entities(answer, 0))
    for role in _ROLES:
        found = [address for entity in entities if role in _words(entity.get("roles")) for address in _mails(entity)]
        if contacts := tuple(dict.fromkeys(one for one in found if is_contact(one))):
            break
    else:
        contacts = ()
    first, last, handle, name, country = (_text(answer.get(member)) for member in _SAID)
    return Answer(first, last, handle, contacts, name, country)


def is_contact(address: str) -> bool:
    """Whether somebody may read mail there: no placeholder of a registry."""
    return is_address(address) and not _PLACEHOLDER.search(address)


def is_address(text: str) -> bool:
    """Whether it has the form of a mail address, in ASCII."""
    return text.isascii() and bool(_ADDRESS.match(text))


def _entities(holder: Mapping[str, Any], depth: int) -> Iterator[Mapping[str, Any]]:
    found = holder.get("entities")
    for entity in found if isinstance(found, list) and depth < DEEPEST else ():
        if isinstance(entity, dict):
            yield entity
            yield from _entities(entity, depth + 1)


def _mails(entity: Mapping[str, Any]) -> Iterator[str]:
    """Of a jCard (RFC 7095): ["vcard", [["email", {…}, "text", "abuse@…"], …]]."""
    card = entity.get("vcardArray")
    rows = card[1] if isinstance(card, list) and len(card) > 1 and isinstance(card[1], list) else ()
    for row in rows:
        if isinstance(row, list) and len(row) > 3 and row[0] == "email" and isinstance(row[3], str):
            yield row[3].strip().removeprefix("mailto:").lower()


def _words(value: Any) -> list[str]:
    return [one.lower() for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
