"""Where an address is, as far as the rules need to know: its network, its system, its country; and what is ignored.

No DNS here but by `names`. A look-up that fails is said in `faults`, and never taken for "fine".
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Any, NamedTuple, Protocol

from ..values.networks import holds, read_address, read_network
from .options import LoginOptions

_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the IPv4 address is in the last 32 bits
_NOT_COUNTED = tuple(
    read_network(text)
    for text in (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16",  # RFC 1918, 1122, 3927
        "::1/128", "fc00::/7", "fe80::/10",  # RFC 4291, 4193
    )
)  # fmt: skip


class LookUps(Protocol):
    """Offline databases (documents.enrich.Databases)."""

    faults: list[str]  # of databases that turned out to be broken while they were used

    @property
    def look_up(self) -> Callable[[str], Mapping[str, Any]]:
        """An address -> `source.geo.*` and `source.as.*`, nothing when it is unknown."""
        ...


Confirm = Callable[[str], str | None]  # an address -> its name that leads back to it, '' for none, None: not answered


class Place(NamedTuple):
    """An address as the rules see it."""

    network: str  # what counts as one address: a /24, a /48, or one of `one_network`
    system: str  # AS64500; without a database the /16 or /32 stands for it
    country: str  # ISO 3166-1 alpha-2, '' unknown
    spot: tuple[float, float] | None = None  # latitude, longitude, when the database knows more than the country
    ignored: str = ""  # why the rules do not count it, '' when they do


class Places:
    """Places of addresses, remembered."""

    def __init__(self, options: LoginOptions, databases: LookUps | None = None, confirm: Confirm | None = None) -> None:
        self.faults: dict[str, None] = {}
        self._databases = databases
        self._confirm = confirm
        self._networks = tuple(read_network(text) for text in options.ignore_networks)
        self._one = tuple((read_network(text), text) for text in options.one_network)
        self._systems = frozenset(_system(text) for text in options.ignore_systems)
        self._countries = frozenset(text.upper() for text in options.ignore_countries)
        self._names = tuple(text.lower().lstrip("*") for text in options.ignore_names)
        self.of = lru_cache(maxsize=16384)(self._of)

    def fields(self, address: str) -> Mapping[str, Any]:
        """What the databases know of an address, as fields of documents."""
        return self._databases.look_up(address) if self._databases and address else {}

    def said(self) -> list[str]:
        """Look-ups that failed since the last call, for people."""
        faults = [*self.faults, *(self._databases.faults if self._databases else ())]
        self.faults.clear()
        if self._databases:
            self._databases.faults.clear()
        return faults

    def _of(self, address: str) -> Place:
        """The place of a canonical address; '' has none and is not counted."""
        if not address:
            return Place("", "", "", ignored="the line has no address")
        if ":" in address:
            address = _embedded(address)
        known = self.fields(address)
        number = known.get("source.as.number")
        spot = known.get("source.geo.location")
        value = read_address(address)
        system = f"AS{number}" if number else _prefix(address, 16, 32)
        country = known.get("source.geo.country_iso_code", "")
        return Place(
            next((text for network, text in self._one if holds(value, (network,))), "") or _prefix(address, 24, 48),
            system,
            country,
            (spot["lat"], spot["lon"]) if spot else None,
            self._ignored(address, value, system, country),
        )

    def _ignored(self, address: str, value: tuple[int, int], system: str, country: str) -> str:
        if holds(value, _NOT_COUNTED):
            return "a private address"
        if holds(value, self._networks):
            return "ignore_networks"
        if system in self._systems:
            return "ignore_systems"
        if country in self._countries:
            return "ignore_countries"
        return "ignore_names" if self._names and self._named(address) else ""

    def _named(self, address: str) -> bool:
        """Whether a name that leads back to the address is ignored. Without an answer it is not."""
        name = self._confirm(address) if self._confirm else None
        if name is None:
            self.faults[f"{address}: the DNS did not answer, so no name is known and nothing is ignored for it"] = None
            return False
        return bool(name) and any(name.endswith(one) if one.startswith(".") else name == one for one in self._names)


def _system(text: str) -> str:
    """`8075`, `AS8075` or `as8075`. Raises ValueError."""
    digits = text.strip().upper().removeprefix("AS")
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError(f"{text!r} is no AS number; write AS8075")
    return f"AS{int(digits)}"


def check(options: LoginOptions) -> None:
    """Raises ValueError, which names what is wrong in the ignore lists."""
    Places(options)


def _embedded(address: str) -> str:
    """Behind NAT64 the address that the client has on the other side."""
    value = IPv6Address(address)
    return str(IPv4Address(int(value) & 0xFFFFFFFF)) if value in _NAT64 else address


def _prefix(address: str, v4: int, v6: int) -> str:
    """The network around an address: a /16 or /24, or any of IPv6."""
    if ":" not in address:
        parts = address.split(".")
        return ".".join(parts[: v4 // 8] + ["0"] * (4 - v4 // 8)) + f"/{v4}"
    bits = 128 - v6
    return f"{IPv6Address(int(IPv6Address(address)) >> bits << bits)}/{v6}"
