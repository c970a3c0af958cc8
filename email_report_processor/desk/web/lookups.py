"""What others say of an address, on a click: its name, if that leads back to it, lists of senders, its registry."""

from ipaddress import ip_address, ip_network
from typing import NamedTuple
from urllib.parse import urlsplit

from ...checking.resolver import Look, Resolver
from ...logins.names import Confirmed
from ..fetching import FetchError
from ..lookup import Lookup
from .options import WebOptions

# RFC 5782 §2.1: what is listed has an address of this network; the last of its networks is for errors by convention:
# a typing error, a public resolver, a quota (Spamhaus: "127.255.255.0/24 are error codes").
_LISTED = ip_network("127.0.0.0/8")
_ERRORS = ip_network("127.255.255.0/24")


class Said(NamedTuple):
    """One answer."""

    what: str  # whom we asked, or for what
    state: str  # ok, listed, unknown
    text: str


def ask(address: str, options: WebOptions) -> tuple[Said, ...]:
    """The name, and each configured list. Raises ValueError for a resolver that is none."""
    look = Resolver(options.resolver)
    return (name(address, look), *(listed(address, zone, look) for zone in options.dnsbl))


def name(address: str, look: Look) -> Said:
    """The host's name; anybody can give an address any name, so it must lead back (forward-confirmed)."""
    found = Confirmed(look).name(address)
    if found is None:
        return Said("Name", "unknown", "the DNS did not answer")
    return Said("Name", "ok" if found else "unknown", found or "it has none that leads back to it")


def listed(address: str, zone: str, look: Look) -> Said:
    """Whether a list has the address. An error code is no listing, nor is what is no code at all."""
    reverse = ip_address(address).reverse_pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")
    answer = look(f"{reverse}.{zone.strip('.')}", "ADDRESS")
    codes = [one for one in answer.texts if _is_within(one, _LISTED)]
    errors = [one for one in codes if _is_within(one, _ERRORS)]
    if answer.fault or errors or len(codes) != len(answer.texts):
        why = answer.fault or ", ".join(errors or answer.texts)
        return Said(zone, "unknown", f"not checked: {why}" + (" is an error code of the list" if errors else ""))
    return Said(zone, "listed" if codes else "ok", f"listed: {', '.join(codes)}" if codes else "not listed")


def registered(address: str, lookup: Lookup) -> Said:
    """What its registry says of its network (RDAP, RFC 9083): range, name, country, whom to write to."""
    what = "Registry (RDAP)"
    try:
        server, found = lookup.registry(address)
    except FetchError as error:
        return Said(what, "unknown", f"not answered: {error}")
    except (ValueError, TypeError, AttributeError) as error:
        return Said(what, "unknown", f"the list of registries cannot be read ({error}): see [abuse] rdap")
    if not server:
        return Said(what, "unknown", "no registry has it")
    if not found.first:
        return Said(what, "unknown", f"{urlsplit(server).hostname} says nothing of it")
    range_ = f"{found.first} to {found.last}"
    contacts = f"write to {', '.join(found.contacts[:3])}" if found.contacts else "it names nobody to write to"
    name = " ".join(filter(None, (found.name, found.handle)))[:60]
    said = (name, range_, found.country[:10], contacts)
    return Said(what, "ok", f"{'; '.join(filter(None, said))} (says {urlsplit(server).hostname})")


def _is_within(text: str, network: object) -> bool:
    try:
        return ip_address(text) in network  # type: ignore[operator]  # a network of the same version, or False
    except (ValueError, TypeError):
        return False
