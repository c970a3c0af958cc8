"""Containers as other programs write them: compound files with Outlook messages, TNEF, CMS, in a few lines each.

Written from the specifications (MS-CFB, MS-OXMSG, MS-OXTNEF, RFC 5652), apart from what reads them.
"""

import struct
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Union

FREE, END, FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
Storage = Mapping[str, Union[bytes, "Storage"]]


class File(NamedTuple):
    """An attachment."""

    name: str
    data: "bytes | Message | None"  # None: it lies elsewhere
    type: str = ""


class Message(NamedTuple):
    """What goes into a `.msg` or a `winmail.dat`."""

    subject: str = "Fw: a report"
    body: str = "See the attachment."
    files: Sequence[File] = ()
    header: str = ""


# Compound files


class Node:
    """A stream or a storage in the making."""

    def __init__(self, name: str, data: bytes | None) -> None:
        self.name = name
        self.data = data  # None: a storage
        self.child = self.right = FREE
        self.start = END


def nodes(name: str, storage: Storage) -> list[Node]:
    """The storage and all that is in it; siblings are a chain, which is a tree as well."""
    found = [Node(name, None)]

    def add(parent: Node, inner: Storage) -> None:
        last: Node | None = None
        for key, value in inner.items():
            node = Node(key, value if isinstance(value, bytes) else None)
            if last is None:
                parent.child = len(found)
            else:
                last.right = len(found)
            found.append(node)
            if not isinstance(value, bytes):
                add(node, value)
            last = node

    add(found[0], storage)
    return found


class Sectors:
    """The sectors of a file and how they follow each other."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.data: list[bytes] = []
        self.following: list[int] = []

    def add(self, data: bytes, by: bytes = b"\0") -> int:
        """Where a stream begins; END for an empty one."""
        if not data:
            return END
        first = len(self.data)
        data += by * (-len(data) % self.size)
        self.data += [data[at : at + self.size] for at in range(0, len(data), self.size)]
        self.following += [*range(first + 1, len(self.data)), END]
        return first


def compound(storage: Storage, size: int = 512) -> bytes:
    """A compound file of version 3, or of version 4 with sectors of 4096 bytes."""
    found = nodes("Root Entry", storage)
    sectors, small = Sectors(size), Sectors(64)
    for node in found[1:]:
        node.start = (small if len(node.data or b"") < 4096 else sectors).add(node.data or b"")
    found[0].data = b"".join(small.data)
    found[0].start = sectors.add(found[0].data)
    small_table = sectors.add(struct.pack(f"<{len(small.following)}L", *small.following), b"\xff")
    directory = sectors.add(b"".join(entry(node, not number) for number, node in enumerate(found)))
    per, tables = size // 4, 1
    while tables * per < len(sectors.data) + tables:
        tables += 1
    assert tables <= 109
    table = range(len(sectors.data), len(sectors.data) + tables)
    numbers = [*sectors.following, *[FAT] * tables]
    numbers += [FREE] * (tables * per - len(numbers))
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16)
    head += struct.pack("<5H6x", 62, 3 if size == 512 else 4, 0xFFFE, size.bit_length() - 1, 6)
    head += struct.pack("<9L", 0, tables, directory, 0, 4096, small_table, -(-len(small.following) // per), END, 0)
    head += struct.pack("<109L", *table, *[FREE] * (109 - tables))
    return head.ljust(size, b"\0") + b"".join(sectors.data) + struct.pack(f"<{len(numbers)}L", *numbers)


def entry(node: Node, root: bool) -> bytes:
    raw = node.name.encode("utf-16-le")
    kind = 5 if root else 1 if node.data is None else 2
    numbers = struct.pack("<HBB3L", len(raw) + 2, kind, 1, FREE, node.right, node.child)
    return raw.ljust(64, b"\0") + numbers + bytes(36) + struct.pack("<LQ", node.start, len(node.data or b""))


# Outlook


def msg(message: Message, size: int = 512) -> bytes:
    """A `.msg` file (MS-OXMSG)."""
    return compound(storage_of(message), size)


def storage_of(message: Message) -> Storage:
    storage: dict[str, bytes | Storage] = {"__properties_version1.0": bytes(32), "__nameid_version1.0": {}}
    storage |= text("0037", message.subject) | text("1000", message.body) | text("0C1F", "a@reporter.example")
    storage |= text("007D", message.header) if message.header else {}
    for number, file in enumerate(message.files):
        inner: dict[str, bytes | Storage] = {"__properties_version1.0": bytes(8)}
        inner |= text("3707", file.name) | text("3704", file.name[:8])
        inner |= text("370E", file.type) if file.type else {}
        if isinstance(file.data, Message):
            inner["__substg1.0_3701000D"] = storage_of(file.data)
        elif file.data is not None:
            inner["__substg1.0_37010102"] = file.data
        storage[f"__attach_version1.0_#{number:08X}"] = inner
    return storage


def text(number: str, value: str) -> dict[str, bytes | Storage]:
    return {f"__substg1.0_{number}001F": value.encode("utf-16-le")}


# TNEF


def tnef(message: Message) -> bytes:
    """A `winmail.dat` (MS-OXTNEF)."""
    data = struct.pack("<LH", 0x223E9F78, 1)
    data += attribute(1, 0x00089006, struct.pack("<L", 0x00010000))
    properties = [string(0x0037, message.subject), string(0x1000, message.body)]
    if message.header:
        properties.append(string(0x007D, message.header))
    data += attribute(1, 0x00018004, message.subject.encode() + b"\0")
    data += attribute(1, 0x00069003, block(properties))
    for file in message.files:
        data += attribute(2, 0x00069002, bytes(14))
        data += attribute(2, 0x00018010, file.name[:8].encode("ascii", "replace") + b"\0")
        inner = [string(0x3707, file.name)] + ([string(0x370E, file.type)] if file.type else [])
        if isinstance(file.data, Message):
            inner.append(variable(0x3701, 0x000D, bytes(16) + tnef(file.data)))
        elif file.data is not None:
            data += attribute(2, 0x0006800F, file.data)
        inner.append(struct.pack("<2HL", 0x0003, 0x3705, 1))
        inner.append(struct.pack("<2H", 0x0003, 0x8001) + bytes(16) + struct.pack("<3L", 0, 5, 7))  # a named one
        data += attribute(2, 0x00069005, block(inner))
    return data


def attribute(level: int, kind: int, data: bytes) -> bytes:
    return struct.pack("<BLL", level, kind, len(data)) + data + struct.pack("<H", sum(data) & 0xFFFF)


def block(properties: Sequence[bytes]) -> bytes:
    return struct.pack("<L", len(properties)) + b"".join(properties)


def string(number: int, value: str) -> bytes:
    return variable(number, 0x001F, value.encode("utf-16-le") + b"\0\0")


def variable(number: int, kind: int, data: bytes) -> bytes:
    return struct.pack("<2HLL", kind, number, 1, len(data)) + data + bytes(-len(data) % 4)


# CMS

DATA, SIGNED, ENVELOPED, DIGESTED, ENCRYPTED = (
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x07" + bytes((n,)) for n in (1, 2, 3, 5, 6)
)
COMPRESSED = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x09"


def der(tag: int, *content: bytes) -> bytes:
    """One element of a known length."""
    data = b"".join(content)
    size = len(data)
    if size < 128:
        return bytes((tag, size)) + data
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + data


def ber(tag: int, *content: bytes) -> bytes:
    """One element whose end is marked."""
    return bytes((tag, 0x80)) + b"".join(content) + b"\0\0"


def octets(data: bytes, size: int = 1000) -> bytes:
    """An octet string in pieces, as programs write it that do not know its length yet."""
    return ber(0x24, *(der(0x04, data[at : at + size]) for at in range(0, len(data), size)))


def signed(content: bytes, *, indefinite: bool = False, kind: bytes = SIGNED, detached: bool = False) -> bytes:
    """SignedData, or what is built alike, around a content; the signature itself is left out."""
    make = ber if indefinite else der
    string = octets(content) if indefinite else der(0x04, content)
    inner = make(0x30, der(0x06, DATA), *([] if detached else [make(0xA0, string)]))
    algorithm = der(0x30, der(0x06, b"\x60\x86\x48\x01\x65\x03\x04\x02\x01"))
    head = [der(0x02, b"\x01"), algorithm if kind in {COMPRESSED, DIGESTED} else der(0x31, algorithm)]
    behind = [der(0xA0, der(0x30, bytes(300))), der(0x31)] if kind == SIGNED else []
    return make(0x30, der(0x06, kind), make(0xA0, make(0x30, *head, inner, *behind)))
