"""Who sends in the site's name, as the site says it: a name, and a verdict that travels to all who look.

[senders] gives names (`"192.0.2.0/24" = "Our own"`), `[[senders]]` also verdicts. An entry names one thing: a network,
an AS, a domain that authenticated, a DKIM key, or the sender's name that documents have. Later entries replace earlier
ones.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from types import MappingProxyType
from typing import Any, NamedTuple

from ..values.authres import domain_of, parse
from ..values.domains import organizational_domain
from ..values.fields import clean, read_domain
from ..values.networks import Network, read_address, read_network

VERDICTS = ("mine", "service", "forwarder", "stranger", "ignore")
OURS = frozenset({"mine", "service"})  # whose mail is wanted
_PLACES = ("network", "as", "domain", "dkim", "sender")  # what an entry can name
_KEYS = (*_PLACES, "selector", "name", "verdict", "until", "comment", "by", "at")
_LONGEST = 253  # characters of a domain name


class Sender(NamedTuple):
    """What the site says of one sender."""

    name: str = ""  # stored as source.name
    verdict: str = ""  # of VERDICTS
    until: str = ""  # the last day of the verdict, as 2026-12-31; '' is for good
    comment: str = ""
    by: str = ""  # who said so
    at: str = ""  # when, RFC 3339


class Senders(NamedTuple):
    """All of them, by what they name."""

    networks: tuple[tuple[Network, Sender], ...] = ()  # the smallest first
    systems: Mapping[int, Sender] = MappingProxyType({})
    domains: Mapping[str, Sender] = MappingProxyType({})
    keys: Mapping[tuple[str, str], Sender] = MappingProxyType({})  # DKIM d= and selector, '' for any
    names: Mapping[str, Sender] = MappingProxyType({})  # source.name in lower case


def read_senders(names: Mapping[str, str], entries: Iterable[Any] = ()) -> Senders | None:
    """[senders] (key -> name) and `[[senders]]` (tables); None when both are empty.

    Raises ValueError, which names the key or the number of the entry, and says what to write.
    """
    networks: dict[Network, Sender] = {}
    found = Senders(systems={}, domains={}, keys={}, names={})
    for key, said in names.items():
        name = clean(said)
        if not name:
            raise ValueError(f"{key!r} has no name; write who sends from there")
        _add(found, networks, *_place(key), Sender(name))
    for number, entry in enumerate(entries, 1):
        try:
            kind, value = _named_by(entry)
            _add(found, networks, kind, value, _sender(entry))
        except ValueError as error:
            raise ValueError(f"entry {number}: {error}") from error
    smallest_first = sorted(networks.items(), key=lambda item: item[0].mask.bit_count(), reverse=True)
    found = found._replace(networks=tuple(smallest_first))
    return found if any(found) else None


def _place(key: str) -> tuple[str, Any]:
    """What a key of [senders] names."""
    if "/" in key or ":" in key or key.replace(".", "").isdigit():
        return "network", read_network(key)
    if key[:2].upper() == "AS" and key[2:].isdigit():
        return "as", int(key[2:])
    if "." in key and organizational_domain(read_domain(key)):
        return "domain", read_domain(key)
    raise ValueError(f"{key!r} is no network, AS number or domain; write 192.0.2.0/24, AS64500 or example.net")


def _named_by(entry: Any) -> tuple[str, Any]:
    if not isinstance(entry, dict):
        raise ValueError("it is no table; write [[senders]], and its keys below")
    unknown = sorted(entry.keys() - set(_KEYS))
    places = [name for name in _PLACES if name in entry]
    if unknown:
        raise ValueError(f"there is no key {unknown[0]!r}; it has {', '.join(_KEYS)}")
    if len(places) != 1:
        raise ValueError(f"it names {' and '.join(places) or 'nothing'}; name one of {', '.join(_PLACES)}")
    place = places[0]
    said = str(entry[place])
    if place == "network":
        return place, read_network(said)
    if place == "sender":
        return place, clean(said).lower()
    if place == "as":
        return _place(said if said.upper().startswith("AS") else f"AS{said}")
    kind, value = _place(said)
    if kind != "domain":
        raise ValueError(f"{place} = {said!r} is no domain; write example.net")
    return (place, (value, read_domain(str(entry.get("selector", ""))))) if place == "dkim" else (place, value)


def _sender(entry: Mapping[str, Any]) -> Sender:
    sender = Sender(*(clean(str(entry.get(name, ""))) for name in Sender._fields))
    if sender.verdict not in {"", *VERDICTS}:
        raise ValueError(f"verdict = {sender.verdict!r}; write one of {', '.join(VERDICTS)}")
    if not (sender.verdict or sender.name):
        raise ValueError("it says nothing; write a verdict, a name, or both")
    if sender.verdict == "ignore" and not sender.until:
        raise ValueError("a sender is ignored until a day; write until = 2026-12-31")
    if sender.until:
        _check_day(sender.until[:10])
    return sender._replace(until=sender.until[:10])


def _check_day(text: str) -> None:
    try:
        date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"until = {text!r} is no day; write it as 2026-12-31") from None


def _add(found: Senders, networks: dict[Network, Sender], kind: str, value: Any, sender: Sender) -> None:
    tables: dict[str, Any] = {
        "network": networks,
        "as": found.systems,
        "domain": found.domains,
        "dkim": found.keys,
        "sender": found.names,
    }
    tables[kind][value] = sender


# What documents say


def verdict(fields: Mapping[str, Any], senders: Senders | None, day: str) -> Sender | None:
    """What the site says of who sent this, by the most special entry that holds on a day (2026-11-28)."""
    if senders is None:
        return None
    holds = (one for one in matches(fields, senders) if one.verdict and (not one.until or day <= one.until))
    return next(holds, None)


def matches(fields: Mapping[str, Any], senders: Senders) -> Iterator[Sender]:
    """The entries that fit a document, flat or a group of an answer, the most special first."""
    if senders.networks and "source.ip" in fields:
        version, number = read_address(fields["source.ip"])
        for network, sender in senders.networks:
            if network.version == version and number & network.mask == network.number:
                yield sender
    if senders.keys:
        yield from _keys(fields, senders.keys)
    if senders.systems and (system := senders.systems.get(fields.get("source.as.number", -1))) is not None:
        yield system
    for domain in passed(fields) if senders.domains else ():
        labels = domain[-_LONGEST:].split(".")
        for begin in range(len(labels)):
            if found := senders.domains.get(".".join(labels[begin:])):
                yield found
    if senders.names and (name := senders.names.get(str(fields.get("source.name", "")).lower())) is not None:
        yield name


def _keys(fields: Mapping[str, Any], keys: Mapping[tuple[str, str], Sender]) -> Iterator[Sender]:
    """DKIM keys that signed, one with its selector first."""
    signed = [
        (str(one.get("domain", "")), str(one.get("selector", "")).lower())
        for one in fields.get("auth_results.dkim", ())
        if one.get("result") == "pass"
    ]
    for pairs in (signed, [(domain, "") for domain, _ in signed]):
        yield from (keys[pair] for pair in pairs if pair in keys)


def passed(fields: Mapping[str, Any]) -> Iterator[str]:
    """The domains that authenticated, DKIM's first."""
    for name in ("auth_results.dkim", "auth_results.spf"):
        for one in fields.get(name, ()):
            if one.get("result") == "pass" and "domain" in one:
                yield one["domain"]
    if "feedback.authentication_results" in fields:
        results = [one for text in fields["feedback.authentication_results"] for one in parse(text).results]
        for method in ("dkim", "spf"):
            yield from (domain_of(one) for one in results if one.method == method and one.result == "pass")
