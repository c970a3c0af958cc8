"""Networks that a site writes into its settings, and the quick question whether an address is in one."""

import ipaddress
from collections.abc import Callable
from typing import NamedTuple


class Network(NamedTuple):
    """A network as numbers: an address is in it when its own number, masked, is `number`."""

    version: int
    number: int
    mask: int


def read_network(text: str) -> Network:
    """A network in CIDR notation (host bits are dropped) or one address. Raises ValueError, which names the value."""
    try:
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError as error:
        raise ValueError(f"{text!r} is neither a network such as 192.0.2.0/24 nor an address") from error
    return Network(network.version, int(network.network_address), int(network.netmask))


def write_network(network: Network) -> str:
    """In CIDR notation."""
    address = ipaddress.IPv4Address if network.version == 4 else ipaddress.IPv6Address
    return f"{address(network.number)}/{network.mask.bit_count()}"


def read_address(address: str) -> tuple[int, int]:
    """Version and number of an address in canonical form (`fields.read_ip`)."""
    if ":" in address:
        return 6, int(ipaddress.IPv6Address(address))
    # IPv4Address takes three times as long, and a report can have 100,000 addresses.
    first, second, third, fourth = address.split(".")
    return 4, int(first) << 24 | int(second) << 16 | int(third) << 8 | int(fourth)


def is_in(address: str, networks: tuple[Network, ...]) -> bool:
    """Whether an address in canonical form is in one of the networks."""
    return holds(read_address(address), networks)


def tester(networks: tuple[Network, ...]) -> Callable[[str], bool]:
    """`is_in` for many addresses: networks of whole bytes of IPv4, which most are, are beginnings of texts."""
    begins = tuple(begin for begin in map(_begin, networks) if begin)
    others = tuple(one for one in networks if not _begin(one))
    fourth = any(one.version == 4 for one in others)

    def test(address: str) -> bool:
        if ":" in address:
            return bool(others) and is_in(address, others)
        return f"{address}.".startswith(begins) or (fourth and is_in(address, others))

    return test


def _begin(network: Network) -> str:
    """`192.0.2.` for 192.0.2.0/24; '' for a network that is none of whole bytes of IPv4."""
    size = network.mask.bit_count()
    if network.version != 4 or not size or size % 8:
        return ""
    parts = network.number.to_bytes(4, "big")[: size // 8]
    return "".join(f"{part}." for part in parts)


def holds(address: tuple[int, int], networks: tuple[Network, ...]) -> bool:
    """Whether one of the networks has the address, as `read_address` gives it."""
    version, number = address
    for network in networks:  # noqa: SIM110  # `any` over a generator takes twice as long
        if number & network[2] == network[1] and version == network[0]:
            return True
    return False
