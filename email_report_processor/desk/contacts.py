"""Whom to write to about a host: what the site says, else what registries say; nobody who cannot be reached.

Pure: who asks the registries is `lookup`. One contact, the first that may be written to: several would see each other.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address
from types import MappingProxyType
from typing import NamedTuple

from ..values.fields import clean, read_domain
from ..values.networks import Network, read_address, read_network
from .history import Contact
from .rdap import is_contact

NEVER = "never"


class ContactOptions(NamedTuple):
    """How contacts are found."""

    lookup: tuple[str, ...] = ("rdap", "abusix")  # where to ask, in this order; [] asks nobody but [contacts]
    rdap: str = "https://data.iana.org/rdap/"  # where the lists of the registries' servers are (RFC 9224)
    abusix: str = "abuse-contacts.abusix.zone"  # the zone that is asked for TXT records
    dns_server: str = ""  # ADDRESS:PORT that is asked about it; '' is the system's resolver
    lookup_seconds: float = 10.0  # that one question may take
    cache_days: float = 30  # after which a registry is asked again
    dead_days: float = 90  # for so long nothing is sent to an address that bounced or asked for a web form


class Overrides(NamedTuple):
    """What the site says (`[contacts]`): an address, the URL of a web form, or `never`."""

    networks: tuple[tuple[Network, str], ...] = ()  # the smallest first
    systems: Mapping[int, str] = MappingProxyType({})
    names: Mapping[str, str] = MappingProxyType({})  # a contact's address or its domain


class Found(NamedTuple):
    """What one place says about a host."""

    via: str
    network: str = ""  # the range that the answer is about
    contacts: tuple[str, ...] = ()  # the best first
    fault: str = ""  # why it could not say


class Choice(NamedTuple):
    """What is to be done about a host."""

    contact: str = ""  # '': nobody is written to
    network: str = ""
    via: str = ""
    form: str = ""  # URL of the web form that is to be used instead
    why: str = ""  # nobody is written to: a sentence


def read_overrides(said: Mapping[str, str]) -> Overrides:
    """[contacts]: AS64500, a network, a contact's address or domain -> address, URL or `never`. Raises ValueError."""
    networks: dict[Network, str] = {}
    systems, names = {}, {}
    for key, text in said.items():
        value = _value(key, text)
        if "@" in key:
            names[clean(key).lower()] = value
        elif "/" in key or ":" in key or key.replace(".", "").isdigit():
            networks[read_network(key)] = value
        elif key[:2].upper() == "AS" and key[2:].isdigit():
            systems[int(key[2:])] = value
        elif "." in key:
            names[read_domain(key)] = value
        else:
            raise ValueError(f"{key!r} is no AS number, network, address or domain; write AS64500 or example.net")
    smallest_first = sorted(networks.items(), key=lambda item: item[0].mask.bit_count(), reverse=True)
    return Overrides(tuple(smallest_first), systems, names)


def _value(key: str, text: str) -> str:
    value = clean(text)
    if value == NEVER or value.startswith(("https://", "http://")) or is_contact(value.lower()):
        return value
    raise ValueError(f"{key} = {text!r}; write an address, the URL of a web form, or {NEVER!r}")


def choose(
    address: str,
    system: int,
    overrides: Overrides,
    candidates: Iterable[Found],
    known: Mapping[str, Contact],
    own: Sequence[str],
) -> Choice:
    """Whom to write to about an address of an AS (0 unknown). candidates: asked for only as far as they are needed.

    known: what became of earlier reports. own: domains of ours, whose addresses are no contacts.
    """
    said, network = _of_host(address, system, overrides)
    if said:
        return _judged(said, network, "settings", overrides._replace(names={}), known, own)
    refused: list[Choice] = []
    for found in candidates:
        for contact in found.contacts:
            choice = _judged(contact, found.network, found.via, overrides, known, own)
            if choice.contact:
                return choice
            refused.append(choice)
        if found.fault:
            refused.append(Choice(network=found.network, why=found.fault))
    with_form = next((one for one in refused if one.form), None)
    return with_form or next(iter(refused), Choice(why="no registry knows a contact: name one in [contacts]"))


def _of_host(address: str, system: int, overrides: Overrides) -> tuple[str, str]:
    """What the site says of a host, and of which network it says it."""
    version, number = read_address(address)
    for network, value in overrides.networks:
        if network.version == version and number & network.mask == network.number:
            first = IPv6Address(number & network.mask) if version == 6 else IPv4Address(number & network.mask)
            return value, f"{first}/{network.mask.bit_count()}"
    return overrides.systems.get(system, ""), f"AS{system}"


def _judged(
    contact: str, network: str, via: str, overrides: Overrides, known: Mapping[str, Contact], own: Sequence[str]
) -> Choice:
    """Whether one address may be written to, after what the site says of it."""
    said = next((overrides.names[name] for name in _names(contact) if name in overrides.names), contact)
    nobody = Choice(network=network, via=via)
    if said == NEVER:
        return nobody._replace(why="[contacts] says never")
    if said.startswith(("https://", "http://")):
        return nobody._replace(form=said, why=f"reports only by the web form {said}")
    said = said.lower()
    if any(name in own for name in _names(said)):
        return nobody._replace(why=f"{said} is ours")
    if not is_contact(said):
        return nobody._replace(why=f"{said} is no address")
    past = known.get(said, Contact(said, "open"))
    if past.reach == "form":
        return nobody._replace(form=past.form, why=f"{said} asked to use a web form {past.form}".strip())
    if past.reach == "dead":
        return nobody._replace(why=f"{said} cannot be reached since {past.since[:10]} ({past.reason})")
    return Choice(said, network, via)


def _names(contact: str) -> Iterator[str]:
    """The address, its domain, and each domain above that, with a dot between."""
    address = contact.lower()
    yield address
    labels = address.rpartition("@")[2].split(".")
    for begin in range(len(labels)):
        yield ".".join(labels[begin:])
