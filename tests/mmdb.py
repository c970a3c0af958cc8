"""A small writer of MMDB files, to the specification 2.0 of the format: enough for tests, read by the real reader."""

import ipaddress
import struct
from collections.abc import Mapping
from typing import Any

_TEXT, _DOUBLE, _UINT16, _UINT32, _MAP, _UINT64, _ARRAY, _BOOLEAN = 2, 3, 5, 6, 7, 9, 11, 14
_SIZES = {_UINT16: 2, _UINT32: 4, _UINT64: 8}

Node = list[Any]  # two records: None, a Node, or a value


def write(networks: Mapping[str, Any], *, ip_version: int = 6, name: str = "Test") -> bytes:
    """The bytes of a database; IPv4 networks lie in ::/96 of one for both versions. Records have 32 bits."""
    root: Node = [None, None]
    for text, value in networks.items():
        _insert(root, ipaddress.ip_network(text), value, ip_version)
    nodes: list[Node] = []
    numbers: dict[int, int] = {}
    _number(root, nodes, numbers)
    data = b""
    tree = b""
    for node in nodes:
        for record in node:
            if isinstance(record, list):
                number = numbers[id(record)]
            elif record is None:
                number = len(nodes)
            else:
                number = len(nodes) + 16 + len(data)
                data += encode(record)
            tree += struct.pack(">I", number)
    metadata = {
        "binary_format_major_version": _integer(_UINT16, 2),
        "binary_format_minor_version": _integer(_UINT16, 0),
        "build_epoch": _integer(_UINT64, 1_700_000_000),
        "database_type": name,
        "description": {"en": "made for a test"},
        "ip_version": _integer(_UINT16, ip_version),
        "languages": ["en"],
        "node_count": _integer(_UINT32, len(nodes)),
        "record_size": _integer(_UINT16, 32),
    }
    return tree + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + encode(metadata)


def encode(value: Any) -> bytes:
    """One value of the data section; bytes are one that is encoded already."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return _control(_TEXT, len(value.encode())) + value.encode()
    if isinstance(value, bool):
        return _control(_BOOLEAN, int(value))
    if isinstance(value, int):
        return _integer(_UINT32, value)
    if isinstance(value, float):
        return _control(_DOUBLE, 8) + struct.pack(">d", value)
    if isinstance(value, list):
        return _control(_ARRAY, len(value)) + b"".join(encode(one) for one in value)
    pairs = b"".join(encode(key) + encode(one) for key, one in value.items())
    return _control(_MAP, len(value)) + pairs


def _integer(kind: int, value: int) -> bytes:
    size = _SIZES[kind]
    return _control(kind, size) + value.to_bytes(size, "big")


def _control(kind: int, size: int) -> bytes:
    low = min(size, 29)
    more = b"" if size < 29 else bytes([size - 29])  # up to 284 bytes
    return (bytes([kind << 5 | low]) if kind < 8 else bytes([low, kind - 7])) + more


def _insert(root: Node, network: ipaddress.IPv4Network | ipaddress.IPv6Network, value: Any, ip_version: int) -> None:
    width = 32 if ip_version == 4 else 128
    length = network.prefixlen + (96 if ip_version == 6 and network.version == 4 else 0)
    number = int(network.network_address)
    node = root
    for depth in range(length):
        bit = number >> (width - 1 - depth) & 1
        if depth == length - 1:
            node[bit] = value
        else:
            if node[bit] is None:
                node[bit] = [None, None]
            node = node[bit]


def _number(node: Node, nodes: list[Node], numbers: dict[int, int]) -> None:
    numbers[id(node)] = len(nodes)
    nodes.append(node)
    for record in node:
        if isinstance(record, list):
            _number(record, nodes, numbers)
