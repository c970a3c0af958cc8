"""SPF (RFC 7208): the terms of a record, the tree that they are the roots of, and which of them lets an address pass.

Of a report's row only the envelope's domain is known: the sender is postmaster@ there (RFC 7208 §4.3), HELO the domain.
"""

import re
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import NamedTuple

from .record import is_name
from .resolver import Look, Records

MOST_LOOKUPS = 10  # RFC 7208 §4.6.4, also of the names of one MX
MOST_VOID = 2
_MOST_RECORDS = 100  # of a tree that is shown
_COUNTED = frozenset({"include", "a", "mx", "ptr", "exists", "redirect"})
_RESULTS = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}
_TERM = re.compile(r"([+?~-]?)(all|include|a|mx|ptr|ip4|ip6|exists)(?![A-Za-z0-9_.=-])(.*)", re.IGNORECASE)
_MODIFIER = re.compile(r"([A-Za-z][A-Za-z0-9_.-]*)=(.*)")
_CIDR = re.compile(r"(.*?)(?:/(\d{1,3}))?(?://(\d{1,3}))?\Z")
_MACRO = re.compile(r"%(?:\{([slodiphcrtv])(\d{0,3})(r?)([-.+,/_=]*)\}|([%_-])|(.|\Z))", re.IGNORECASE)
_VERSION = re.compile(r"v=spf1(?: |\Z)", re.IGNORECASE)

Address = IPv4Address | IPv6Address
Skip = Callable[[str, "Term"], bool]  # whether the term of a domain's record is to be left out


class SpfError(Exception):
    """The check ends: `result` is permerror or temperror, the text says why."""

    def __init__(self, result: str, text: str) -> None:
        super().__init__(text)
        self.result = result


class Term(NamedTuple):
    """A mechanism, or the modifier redirect."""

    text: str  # as published, without a + in front
    qualifier: str
    name: str  # lower case
    value: str  # domain-spec, or address
    masks: tuple[int, int] = (32, 128)

    @property
    def counts(self) -> bool:
        """Whether it asks the DNS."""
        return self.name in _COUNTED


class Outcome(NamedTuple):
    """What a check found (RFC 7208 §2.6)."""

    result: str
    path: tuple[
        tuple[str, str], ...
    ] = ()  # domain of each record and the text of its term that matched, outermost first
    lookups: int = 0
    void: int = 0
    why: str = ""  # of an error


# Records


def parse(text: str) -> list[Term]:
    """The terms of a record, redirect as the last. Raises SpfError."""
    terms: list[Term] = []
    redirects: list[Term] = []
    for word in text.split(" ")[1:]:
        if not word:
            continue
        mechanism, modifier = _TERM.fullmatch(word), _MODIFIER.fullmatch(word)
        if mechanism:
            terms.append(_mechanism(word, *mechanism.groups()))
        elif modifier:
            if modifier[1].lower() == "redirect":
                redirects.append(Term(word, "+", "redirect", modifier[2]))
        else:
            raise SpfError("permerror", f"{word!r} is no mechanism")
    if len(redirects) > 1:
        raise SpfError("permerror", "redirect is there twice")
    return terms if any(one.name == "all" for one in terms) else [*terms, *redirects]  # RFC 7208 §6.1


def _mechanism(word: str, qualifier: str, name: str, rest: str) -> Term:
    name = name.lower()
    text = word.removeprefix("+")
    if name in {"ip4", "ip6"}:
        return _network(text, qualifier, name, rest)
    if name == "all" and rest:
        raise SpfError("permerror", f"{word!r}: all takes nothing")
    found = _CIDR.fullmatch(rest) if name in {"a", "mx"} else None
    value, four, six = found.groups() if found else (rest, None, None)
    masks = (int(four) if four else 32, int(six) if six else 128)
    if (value and (value == ":" or not value.startswith(":"))) or masks[0] > 32 or masks[1] > 128:
        raise SpfError("permerror", f"{word!r} cannot be read")
    if name in {"include", "exists"} and not value:
        raise SpfError("permerror", f"{word!r} names no domain")
    return Term(text, qualifier or "+", name, value[1:], masks)


def _network(text: str, qualifier: str, name: str, rest: str) -> Term:
    try:
        network = ip_network(rest.removeprefix(":"), strict=False)
    except ValueError:
        raise SpfError("permerror", f"{text!r} names no network") from None
    if network.version != int(name[2]) or not rest.startswith(":"):
        raise SpfError("permerror", f"{text!r} names no network of IPv{name[2]}")
    return Term(text, qualifier or "+", name, str(network))


def record_of(domain: str, look: Look) -> str:
    """The record of a domain, '' when it has none. Raises SpfError."""
    answer = look(domain, "TXT") if is_name(domain) else Records()
    if answer.fault:
        raise SpfError("temperror", f"{domain}: {answer.fault}")
    found = [text for text in answer.texts if _VERSION.match(text)]
    if len(found) > 1:
        raise SpfError("permerror", f"{domain}: {len(found)} SPF records (RFC 7208 §4.5)")
    return found[0] if found else ""


# Checks


def check_host(address: str, domain: str, look: Look, skip: Skip = lambda domain, term: False) -> Outcome:
    """The result for a host that sends with an envelope of a domain (RFC 7208 §4)."""
    check = _Check(ip_address(address), domain.lower(), look, skip)
    try:
        result, path = check.run(domain.lower())
    except SpfError as error:
        return Outcome(error.result, (), check.lookups, check.void, str(error))
    return Outcome(result, path, check.lookups, check.void)


class _Check:
    """One check with what it has used of its limits."""

    def __init__(self, address: Address, sender: str, look: Look, skip: Skip) -> None:
        self.address = address
        self.sender = sender  # the envelope's domain
        self.lookups = 0
        self.void = 0
        self._look = look
        self._skip = skip

    def run(self, domain: str) -> tuple[str, tuple[tuple[str, str], ...]]:
        """The result of a domain's record, and the path to the term that matched."""
        text = record_of(domain, self._look)
        if not text:
            return "none", ()
        for term in parse(text):
            if self._skip(domain, term):
                continue
            if term.counts:
                self._count()
            if term.name == "redirect":
                return self._redirect(term, domain)
            inner = self._matches(term, domain)
            if inner is not None:
                return _RESULTS[term.qualifier], ((domain, term.text), *inner)
        return "neutral", ()

    def _count(self) -> None:
        self.lookups += 1
        if self.lookups > MOST_LOOKUPS:
            raise SpfError("permerror", f"more than {MOST_LOOKUPS} look-ups (RFC 7208 §4.6.4)")

    def _redirect(self, term: Term, domain: str) -> tuple[str, tuple[tuple[str, str], ...]]:
        result, path = self.run(self._name(term.value, domain))
        if result == "none":
            raise SpfError("permerror", f"{term.text}: there is no record")
        return result, ((domain, term.text), *path)

    def _matches(self, term: Term, domain: str) -> tuple[tuple[str, str], ...] | None:
        """The path within an include, () for other mechanisms that match, None for no match (RFC 7208 §5)."""
        name = self._name(term.value, domain) if term.value and term.name not in {"ip4", "ip6"} else domain
        match term.name:
            case "include":
                return self._included(term, name)
            case "all":
                found = True
            case "ip4" | "ip6":
                found = self.address in ip_network(term.value)
            case "a":
                found = self._among(self._ask(name, self._kind), term)
            case "mx":
                found = self._mx(name, term)
            case "exists":
                found = bool(self._ask(name, "A"))
            case _:
                found = self._ptr(name)
        return () if found else None

    def _included(self, term: Term, name: str) -> tuple[tuple[str, str], ...] | None:
        result, path = self.run(name)
        if result == "none":
            raise SpfError("permerror", f"{term.text}: there is no record")
        return path if result == "pass" else None

    @property
    def _kind(self) -> str:
        return "A" if self.address.version == 4 else "AAAA"

    def _ask(self, name: str, kind: str, *, counts: bool = True) -> tuple[str, ...]:
        answer = self._look(name, kind) if is_name(name) else Records()
        if answer.fault:
            raise SpfError("temperror", f"{name}: {answer.fault}")
        if not answer.texts and counts:
            self.void += 1
            if self.void > MOST_VOID:
                raise SpfError("permerror", f"more than {MOST_VOID} look-ups of names with nothing (RFC 7208 §4.6.4)")
        return answer.texts

    def _among(self, texts: tuple[str, ...], term: Term) -> bool:
        mask = term.masks[0] if self.address.version == 4 else term.masks[1]
        return any(self.address in ip_network(f"{text}/{mask}", strict=False) for text in texts)

    def _mx(self, name: str, term: Term) -> bool:
        names = self._ask(name, "MX")
        if len(names) > MOST_LOOKUPS:
            raise SpfError("permerror", f"{term.text}: more than {MOST_LOOKUPS} mail servers (RFC 7208 §4.6.4)")
        return any(self._among(self._ask(one, self._kind), term) for one in names if one != ".")

    def _ptr(self, name: str) -> bool:
        """RFC 7208 §5.5: who asks for it should not; an answer that fails is no match."""
        answer = self._look(self.address.reverse_pointer, "PTR")
        for host in answer.texts[:MOST_LOOKUPS]:
            host_name = host.rstrip(".").lower()
            if f".{host_name}".endswith(f".{name}") and str(self.address) in self._look(host_name, self._kind).texts:
                return True
        return False

    def _name(self, spec: str, domain: str) -> str:
        return expand(spec, self.address, self.sender, domain).rstrip(".").lower()


# Macros


def expand(spec: str, address: Address, sender: str, domain: str) -> str:
    """A domain-spec with its macros replaced (RFC 7208 §7), cut at the left to 253 characters. Raises SpfError."""
    values = {
        "s": f"postmaster@{sender}",
        "l": "postmaster",
        "o": sender,
        "d": domain,
        "i": str(address) if address.version == 4 else ".".join(address.exploded.replace(":", "")),
        "p": "unknown",
        "h": sender,
        "v": "in-addr" if address.version == 4 else "ip6",
    }

    def replaced(found: re.Match[str]) -> str:
        letter, digits, backwards, marks, sign, wrong = found.groups()
        if sign:
            return {"%": "%", "_": " ", "-": "%20"}[sign]
        if wrong is not None or letter.lower() not in values or (digits and not int(digits)):
            raise SpfError("permerror", f"{spec!r} has a macro that cannot be read")
        parts = re.split(f"[{re.escape(marks or '.')}]", values[letter.lower()])
        parts = parts[::-1] if backwards else parts
        return ".".join(parts[-int(digits) :] if digits else parts)

    name = _MACRO.sub(replaced, spec)
    while len(name) > 253 and "." in name:
        name = name.partition(".")[2]
    return name


# The tree


class Branch(NamedTuple):
    """A term in the tree of a domain's records."""

    domain: str  # of the record it stands in
    term: Term
    depth: int  # 0 in the domain's own record
    lookups: int  # it and what is below it
    fault: str = ""  # why what it names is no record


def tree(domain: str, look: Look) -> Iterator[Branch]:
    """All terms, each followed by those of the record that it names. Raises SpfError for the domain's own record."""
    text = record_of(domain, look)
    yield from _Tree(look).below(domain, parse(text), (domain,)) if text else ()


class _Tree:
    """Follows records, and ends somewhere: a record may name twenty that name twenty."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._left = _MOST_RECORDS

    def below(self, domain: str, terms: list[Term], above: tuple[str, ...]) -> Iterator[Branch]:
        """The branches of one record. above: the domains on the way to it, and its own."""
        for term in terms:
            fault, found = self._named(term, above)
            lookups = int(term.counts) + sum(one.term.counts for one in found)
            yield Branch(domain, term, len(above) - 1, lookups, fault)
            yield from found

    def _named(self, term: Term, above: tuple[str, ...]) -> tuple[str, list[Branch]]:
        """What is wrong with the record that a term names, and its branches."""
        name = term.value.rstrip(".").lower()
        if term.name not in {"include", "redirect"} or "%" in name:
            return "", []
        if name in above:
            return "it names a record that it is below", []
        if not self._left:
            return f"it is not looked at: there are more than {_MOST_RECORDS} records", []
        self._left -= 1
        try:
            text = record_of(name, self._look)
            below = list(self.below(name, parse(text), (*above, name)))
        except SpfError as error:
            return str(error), []
        return ("" if text else "there is no record"), below
