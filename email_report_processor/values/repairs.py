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
_SECONDS = 10  # digits, from 2001 on
_NUMBER = re.compile(r"(\d+)(?:\.\d{1,9})?", re.ASCII)
_UNIT = re.compile(r"(?<=\d) ?(?:UTC|GMT|Z|s|sec|seconds)\Z", re.ASCII)
_GROUPED = re.compile(r"\d{1,3}(?:[,' ]\d{3}){2,4}", re.ASCII)
_POWER = re.compile(r"1\.\d{1,12}e\+?0?9", re.ASCII | re.IGNORECASE)
_OF_JSON = re.compile(r"\\?/Date\((\d{13})(?:[+-]\d{4})?\)\\?/", re.ASCII)  # as .NET writes dates into JSON
_FILETIME, _BEFORE_1970 = (
    re.compile(r"1[3-5]\d{16}", re.ASCII),
    11_644_473_600,
)  # Windows: 100 ns since 1601, until 2100
A_DAY = "a day alone, read as its beginning"
_DAY = re.compile(r"(\d{4})([-/.]?)(\d\d)\2(\d\d)", re.ASCII)
_DAY_DOTTED = re.compile(r"(\d\d?)\.(\d\d?)\.(\d{4})", re.ASCII)  # the day comes first wherever dots are written
_DAY_SLASHED = re.compile(r"(\d\d?)/(\d\d?)/(\d{4})", re.ASCII)  # certain only where one number is above 12
_COMPACT = re.compile(  # ISO 8601, basic form
    r"((?:19|20)\d\d)(\d\d)(\d\d)[T ]?([0-2]\d)([0-5]\d)([0-5]\d)(Z|[+-]\d\d:?\d\d)?", re.ASCII
)


def repair_epoch(text: str) -> Repaired:
    """Unix time in milli-, micro- or nanoseconds, or a date of ISO 8601 or of mail (UTC when it says no offset)."""
    text = text[:MAX_CHARS].strip().strip(_MARKS)
    if seconds := _seconds(_UNIT.sub("", text).lstrip("+")):
        return write_date(datetime.fromtimestamp(seconds[0], UTC)), seconds[1]
    if day := _day(text):
        return write_date(read_rfc3339(f"{day}T00:00:00Z")), A_DAY
    text = _COMPACT.sub(r"\1-\2-\3T\4:\5:\6\7", text) if _COMPACT.fullmatch(text) else text
    if number := _NUMBER.fullmatch(text):
        name, unit = _UNITS.get(len(number[1]), ("", 0))
        if not unit:
            raise ValueError(f"not Unix time: {text[:40]!r}")
        return write_date(datetime.fromtimestamp(0, UTC) + timedelta(seconds=int(number[1]) // unit)), f"read as {name}"
    date = write_date(read_rfc5322(text).replace(microsecond=0))  # which reads RFC 3339 as well
    return date, "a date, not Unix time" + (", in UTC as it names no zone" if lacks_offset(text) else "")


def _seconds(text: str) -> tuple[int, str] | None:
    """Unix time that is written in another way, and how; None for anything else."""
    if len(text) == _SECONDS and text.isascii() and text.isdigit():
        return int(text), "marks around it taken away"
    if _GROUPED.fullmatch(text) and len(digits := re.sub(r"\D", "", text)) == _SECONDS:
        return int(digits), "read without marks between its digits"
    if _POWER.fullmatch(text):
        return int(float(text)), "read as a whole number"
    if found := _OF_JSON.fullmatch(text):
        return int(found[1]) // 1000, "read as milliseconds"
    if _FILETIME.fullmatch(text):
        return int(text) // 10**7 - _BEFORE_1970, "read as time of Windows"
    return None


def _day(text: str) -> str:
    """A day as RFC 3339 has it; '' for what is none, or may be two."""
    if found := _DAY.fullmatch(text):
        return f"{found[1]}-{found[3]}-{found[4]}" if found[1][:2] in {"19", "20"} else ""
    if found := _DAY_DOTTED.fullmatch(text):
        return f"{found[3]}-{found[2]:0>2}-{found[1]:0>2}"
    if (found := _DAY_SLASHED.fullmatch(text)) and max(numbers := (int(found[1]), int(found[2]))) > 12 >= min(numbers):
        return f"{found[3]}-{min(numbers):02}-{max(numbers):02}"
    return ""


_MARKS = "\"' \t\r\n\u00a0\u200b\u200e\ufeff"
_QUOTES = "\"'`<>"
_BRACKETED = re.compile(r"[\[(]([^\[\]()]+)[\])](?::(\d{1,5}))?")  # RFC 3986 §3.2.2; with a port or without
_IPV4_PORT = re.compile(r"([0-9.]+)(?::|#| port )(\d{1,5})")
# `IPv4:`, SPF's `ip4:` and `ip6:`, and the types of names in notices of delivery (RFC 3464)
_LABELLED = re.compile(r"(?:ipv?[46](?:address)?)\s*[:=]\s*|(?:dns|smtp|ip)\s*;\s*", re.IGNORECASE)


def repair_ip(text: str) -> Repaired:
    """An address with a port, with a prefix as long as itself, with zeros in front of numbers, or with marks around.

    `192.0.2.0/24` is a network and `192.0.2.010` is 8 to one reader and 10 to another: neither is an address.
    """
    text = text[:MAX_CHARS].strip(_QUOTES + _MARKS + ",;").removesuffix(".")
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
# A local part is looked for where it begins, and nowhere within.
_ADDRESS = re.compile(r"(?:\"[^\"]{0,200}\"|(?<![^\s@<>])[^\s@<>]*+)@([^\s@<>]+)")
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
