"""An address as it may stand in texts: in either case, in URLs, quoted-printable, as VERP, or as its token."""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from ..values.writings import MOST, reading, readings

_LOCAL = r"A-Za-z0-9!#$&'*+/^_`{|}~."  # characters that may belong to a local part, without % and =
# What may stand before: nothing of a local part, or an escape of quoted-printable, of a URL, or of JSON.
_PLAIN = rf"(?:(?<![{_LOCAL}-])|(?<=[=%][0-9A-Fa-f]{{2}})|(?<=\\[nrt]))"
_TAGGED = r"(?:(?<![A-Za-z0-9_.])|(?<=[=%][0-9A-Fa-f]{2})|(?<=\\[nrt]))"  # VERP: LIST-anna=example.org@
_END = r"(?![A-Za-z0-9-]|\.[A-Za-z0-9])"


class Wanted(NamedTuple):
    """What is to be erased."""

    addresses: tuple[str, ...]  # the address, and its token where addresses are stored as tokens
    instead: str  # what takes its place where the rest is kept
    pattern: re.Pattern[str]
    domains: tuple[bytes, ...]  # lower case: what has none of them has no address

    def may_be_in(self, data: bytes) -> bool:
        """Whether a closer look is worth it; quick."""
        lower = data.lower()
        return any(domain in lower for domain in self.domains)

    def is_in(self, value: Any) -> bool:
        """Whether any text of a value of JSON names it."""
        if isinstance(value, str):
            found = self.pattern.search
            return found(value) is not None or any(found(one.text) for one in readings(value))
        if isinstance(value, dict):
            return any(map(self.is_in, value.values()))
        return isinstance(value, list) and any(map(self.is_in, value))

    def without(self, value: Any) -> Any:
        """The same value without it."""
        if isinstance(value, str):
            return self._replaced(value)
        if isinstance(value, dict):
            return {key: self.without(one) for key, one in value.items()}
        return [self.without(one) for one in value] if isinstance(value, list) else value

    def _replaced(self, text: str) -> str:
        """The text without it, also where it is written in codes."""
        before = ""
        while text != before:  # what is left may read as it again
            before, text = text, self._replaced_once(text)
        return text

    def _replaced_once(self, text: str) -> str:
        text = self.pattern.sub(self.instead, text)
        for number in range(MOST):
            if (read := reading(text, number)) is not None:
                for found in reversed(list(self.pattern.finditer(read.text))):
                    begin, end = read.original(*found.span())
                    text = f"{text[:begin]}{self.instead}{text[end:]}"
        return text


def wanted(address: str, tokens: Iterable[str] = (), *, instead: str) -> Wanted:
    """An address to be found. tokens: what it may be stored as. Raises ValueError for what is no address."""
    whole = address.strip().strip("<>").lower()
    local, at, domain = whole.rpartition("@")
    if not (local and at and re.fullmatch(r"[\w-]+(?:\.[\w-]+)+", domain)) or any(map(str.isspace, whole)):
        raise ValueError(f"{address!r} is no address: write it whole, such as anna@example.org")
    addresses = tuple(dict.fromkeys((whole, *(one.lower() for one in tokens))))
    forms = [form for one in addresses for form in _forms(*one.rsplit("@", 1))]
    domains = tuple({one.rpartition("@")[2].encode() for one in addresses})
    return Wanted(addresses, instead, re.compile("|".join(forms), re.IGNORECASE), domains)


def account(name: str, *, instead: str) -> Wanted:
    """A name of an account without a domain, as a word of its own. Raises ValueError for what is none."""
    whole = name.strip().lower()
    if not re.fullmatch(r"[\w.+-]{1,200}", whole):
        raise ValueError(f"{name!r} is no name of an account: write an address, or a name such as anna with --account")
    escaped = rf"(?:(?<=\\[nrt])|(?<![\w.@+-])){re.escape(whole)}(?![\w@+-]|\.\w)"
    return Wanted((whole,), instead, re.compile(escaped, re.IGNORECASE), (whole.encode(),))


def _forms(local: str, domain: str) -> tuple[str, str]:
    name, place = re.escape(local), re.escape(domain)
    return rf"{_PLAIN}{name}(?:@|%40|=40){place}{_END}", rf"{_TAGGED}{name}=(?:\r?\n)?{place}(?=@|%40|=40)"
