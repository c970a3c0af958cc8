"""What can be told for certain of a text that is not as its type asks: the value, and what had to be done for it.

Loaded only when a strict reader refused. Where a text has two meanings, nothing is guessed: ValueError.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from .dates import lacks_offset, read_rfc3339, read_rfc5322
from .fields import Type, is_domain, read_domain, read_ip, write_date

Repaired = tuple[Any, str]

MAX_CHARS = 500  # nothing honest is longer

# Unix time in other units: what its number of digits says between the years 2001 and 2286.
_UNITS = {13: ("milliseconds", 10**3), 16: ("microseconds", 10**6), 19: ("nanoseconds", 10**9)}
_NUMBER = re.compile(r"(\d+)(?:\.\d{1,9})?", re.ASCII)
A_DAY = "a day alone, read as its beginning"
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(Z|[+-]\d\d:?\d\d)?", re.ASCII)  # ISO 8601, basic form


def repair_epoch(text: str) -> Repaired:
    """Unix time in milli-, micro- or nanoseconds, or a date of ISO 8601 or of mail (UTC when it says no offset)."""
    text = text[:MAX_CHARS].strip().strip("\"'").strip()
    if number := _NUMBER.fullmatch(text):
        name, unit = _UNITS.get(len(number[1]), ("", 0))
        if not unit:
            raise ValueError(f"not Unix time: {text[:40]!r}")
        return write_date(datetime.fromtimestamp(0, UTC) + timedelta(seconds=int(number[1]) // unit)), f"read as {name}"
    if _DAY.fullmatch(text):
        return write_date(read_rfc3339(f"{text}T00:00:00Z")), A_DAY
    text = _COMPACT.sub(r"\1-\2-\3T\4:\5:\6\7", text)
    date = write_date(read_rfc5322(text).replace(microsecond=0))  # which reads RFC 3339 as well
    return date, "a date, not Unix time" + (", in UTC as it names no zone" if lacks_offset(text) else "")


_QUOTES = "\"'`<>"
_BRACKETED = re.compile(r"[\[(]([^\[\]()]+)[\])](?::(\d{1,5}))?")  # RFC 3986 §3.2.2; with a port or without
_IPV4_PORT = re.compile(r"([0-9.]+):(\d{1,5})")
_LABELLED = re.compile(r"(?:ipv?[46](?:address)?)\s*[:=]\s*", re.IGNORECASE)  # `IPv4:`, and SPF's `ip4:` and `ip6:`


def repair_ip(text: str) -> Repaired:
    """An address with a port, with a prefix as long as itself, with zeros in front of numbers, or with marks around.

    `192.0.2.0/24` is a network and `192.0.2.010` is 8 to one reader and 10 to another: neither is an address.
    """
    text = text[:MAX_CHARS].strip(_QUOTES + " \t\r\n,;").removesuffix(".")
    done = ["marks around it taken away"]
    if label := _LABELLED.match(text):
        text = text[label.end() :]
    elif found := _BRACKETED.search(text):  # a host name may stand in front
        text = found[1]
        done = ["its port left out" if found[2] else "taken out of its brackets"]
    elif found := _IPV4_PORT.fullmatch(text):
        text = found[1]
        done = ["its port left out"]
    if "/" in text:
        text, done = _without_prefix(text), ["its prefix left out"]
    if (plain := _without_zeros(text)) != text:
        text, done = plain, ["zeros in front of its numbers left out"]
    return read_ip(text), done[0]


def _without_prefix(text: str) -> str:
    address, _, prefix = text.partition("/")
    if prefix.strip() != ("128" if ":" in address else "32"):
        raise ValueError(f"a network: {text[:60]!r}")
    return address


def _without_zeros(text: str) -> str:
    """Decimal numbers without zeros in front; ValueError where they would be other numbers when read as octal."""
    numbers = text.split(".")
    if len(numbers) != 4 or not all(number.isascii() and number.isdigit() and len(number) <= 3 for number in numbers):
        return text
    padded = [number for number in numbers if len(number) > 1 and number[0] == "0"]
    octal = all(set(number) <= set("01234567") for number in padded)
    if octal and any(int(number, 8) != int(number) for number in padded):
        raise ValueError(f"decimal or octal: {text!r}")
    return ".".join(str(int(number)) for number in numbers)


_URL = re.compile(r"[a-z][a-z0-9+.-]{0,20}://(?:[^/?#@\s]*@)?([^/?#:\s]+)", re.IGNORECASE)
_ADDRESS = re.compile(r"[^\s@<>]*@([^\s@<>]+)")
_PORT = re.compile(r":\d{1,5}\Z")
_JUNK = "<>\"'`()[]{},;:|\\/=&%!?#*+~^$ \t\r\n."


def repair_domain(text: str) -> Repaired:
    """The one domain in a text: of an address or URL, or with marks around it. Two domains are none."""
    text = text[:MAX_CHARS].strip()
    if text == "<>":
        return "", "the null reverse-path"
    found = {read_domain(one.strip(_JUNK)): how for one, how in _candidates(text)}
    if len(found) == 1:
        ((domain, how),) = found.items()
        if is_domain(domain):
            return domain, how
    raise ValueError(f"not a domain: {text[:60]!r}")


def _candidates(text: str) -> list[tuple[str, str]]:
    """What may be the domain, with how it was found."""
    if urls := _URL.findall(text):
        return [(url, "the host of a URL") for url in urls]
    if addresses := _ADDRESS.findall(text):
        return [(address, "the domain of an address") for address in addresses]
    text = re.sub(r"\([^()]*\)", " ", text)  # a comment
    text = text.partition("<")[0].strip() or text  # what follows is what is left of a tag
    words = [_PORT.sub("", word.strip(_JUNK)) for word in re.split(r"[\s,;|<>]+", text)]
    return [(word, "marks around it taken away") for word in words if word]


REPAIRS: Mapping[str, Callable[[str], Repaired]] = {
    "epoch": repair_epoch,
    "ip": repair_ip,
    "domain": repair_domain,
}


def read_or_repair(type_: Type, text: str) -> Repaired:
    """The value of a text, and what had to be done for it ('' for nothing). Raises ValueError."""
    try:
        return type_.read(text), ""
    except ValueError:
        if not type_.repair:
            raise
    return REPAIRS[type_.repair](text)
