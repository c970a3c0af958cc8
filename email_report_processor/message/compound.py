"""The streams of a compound file (MS-CFB), which is what Outlook's `.msg` files are, and old Office documents too."""

import struct
from array import array
from collections.abc import Iterator
from typing import NamedTuple

from .blob import CHUNK, Blob, Damaged

SIGNATURE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
MOST_ENTRIES = 50_000  # streams and storages that are looked at; a message to a thousand people has some 8,000
_MOST_SECTOR = 0xFFFFFFFA  # sectors have lower numbers; what follows are marks, such as the end of a chain (§2.1)
_HEADER = struct.Struct("<8s16x5H6x9L")
_ENTRY = struct.Struct("<64sHBB3L36xLQ")
_FIRST_FAT = 76  # where the header lists the first sectors of the table of sectors
_STORAGE, _STREAM, _ROOT = 1, 2, 5
_BROKEN = "the compound file (OLE) is broken"


class Entry(NamedTuple):
    """A stream, or a storage, which holds others. The numbers are those of its siblings and its first child."""

    name: str
    kind: int
    left: int
    right: int
    child: int
    start: int  # its first sector
    size: int


class Compound:
    """One compound file; reads what is asked for. Whatever is broken raises Damaged."""

    def __init__(self, blob: Blob) -> None:
        """Read the header and the table of sectors."""
        head = blob.read(0, 512)
        if len(head) < 512 or not head.startswith(SIGNATURE):
            raise Damaged("the compound file (OLE) ends early")
        fields = _HEADER.unpack_from(head)
        _, _, version, _, shift, small_shift, _, _, first_entry, _, self._cutoff, first_small, _, first_more, _ = fields
        if shift not in {9, 12} or small_shift != 6:
            raise Damaged(_BROKEN)
        self._blob = blob
        self._sector = 1 << shift
        self._small = 1 << small_shift
        self._wide = version > 3  # sizes have eight bytes
        self._most = blob.size // self._sector + 1
        self._next = self._read_fat(head, first_more)
        self._entries = self._read_entries(first_entry)
        smalls = blob.size // self._small  # so many numbers the table of small sectors may have
        self._small_next = self._numbers(self._chain(first_small, smalls * 4 // self._sector + 1))
        root = self._entries[0]
        self._small_sectors = self._chain(root.start, self._most) if root.kind == _ROOT else array("Q")

    # The table of sectors

    def _read_fat(self, head: bytes, more: int) -> "array[int]":
        sectors = array("Q", (one for one in struct.unpack_from("<109L", head, _FIRST_FAT) if one < _MOST_SECTOR))
        for _ in range(self._most):
            if more >= _MOST_SECTOR or len(sectors) > self._most:
                break
            *listed, more = struct.unpack(f"<{self._sector // 4}L", self._whole(more))
            sectors.extend(one for one in listed if one < _MOST_SECTOR)
        return self._numbers(sectors[: self._most * 4 // self._sector + 2])

    def _numbers(self, sectors: "array[int]") -> "array[int]":
        found = array("I")
        for sector in sectors:
            found.extend(struct.unpack(f"<{self._sector // 4}L", self._whole(sector)))
        return found

    def _whole(self, sector: int) -> bytes:
        start = (sector + 1) * self._sector
        data = self._blob.read(start, start + self._sector)
        if len(data) < self._sector:
            raise Damaged("the compound file (OLE) ends early")
        return data

    def _chain(self, sector: int, most: int, following: "array[int] | None" = None) -> "array[int]":
        """The numbers of the sectors of a stream, `most` of them, up to the place where it is broken."""
        following = self._next if following is None else following
        found = array("Q")
        while sector < len(following) and len(found) < most:
            found.append(sector)
            sector = following[sector]
        return found

    # The directory

    def _read_entries(self, first: int) -> list[Entry]:
        found: list[Entry] = []
        for sector in self._chain(first, MOST_ENTRIES * _ENTRY.size // self._sector + 1):
            data = self._whole(sector)
            found.extend(self._entry(data[at : at + _ENTRY.size]) for at in range(0, self._sector, _ENTRY.size))
            if len(found) > MOST_ENTRIES:
                raise Damaged(f"the compound file (OLE) has more than {MOST_ENTRIES} entries")
        if not found:
            raise Damaged(_BROKEN)
        return found

    def _entry(self, data: bytes) -> Entry:
        name, length, kind, _, left, right, child, start, size = _ENTRY.unpack(data)
        text = name[: max(length - 2, 0)].decode("utf-16-le", "replace")
        return Entry(text, kind, left, right, child, start, size if self._wide else size & 0xFFFFFFFF)

    @property
    def root(self) -> Entry:
        """The outermost storage."""
        return self._entries[0]

    def children(self, storage: Entry) -> dict[str, Entry]:
        """What is in a storage, by name; the order is that of the file."""
        found: dict[str, Entry] = {}
        waiting, seen = [storage.child], set()
        while waiting:
            number = waiting.pop()
            if number < len(self._entries) and number not in seen:
                seen.add(number)
                entry = self._entries[number]
                waiting += (entry.right, entry.left)
                found.setdefault(entry.name, entry)
        return found

    # Streams

    def read(self, stream: Entry) -> Iterator[bytes]:
        """The bytes of a stream in pieces. Raises Damaged when they end early."""
        left = stream.size
        for start, stop in self._ranges(stream):
            for at in range(start, min(stop, start + left), CHUNK):
                piece = self._blob.read(at, min(at + CHUNK, stop, at + left))
                left -= len(piece)
                yield piece
            if left <= 0:
                return
        if left > 0:
            raise Damaged(f"{_BROKEN}: {stream.name} ends early")

    def _ranges(self, stream: Entry) -> Iterator[tuple[int, int]]:
        """Where the bytes of a stream stand; neighbours are one range."""
        if stream.size < self._cutoff:
            length = self._small
            chain = self._chain(stream.start, stream.size // length + 1, self._small_next)
            places = (self._small_place(one) for one in chain)
        else:
            length = self._sector
            chain = self._chain(stream.start, min(stream.size // length + 1, self._most))
            places = ((one + 1) * length for one in chain)
        start = stop = 0
        for place in places:
            if place != stop or stop - start >= CHUNK:
                if stop > start:
                    yield start, stop
                start = place
            stop = place + length
        yield start, stop

    def _small_place(self, number: int) -> int:
        sector, within = divmod(int(number) * self._small, self._sector)
        if sector >= len(self._small_sectors):
            raise Damaged(_BROKEN)
        place: int = (self._small_sectors[sector] + 1) * self._sector + within
        return place
