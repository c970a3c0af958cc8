"""The members of a zip file (APPNOTE.TXT 6.3), also of a truncated one.

Not the standard library's zipfile: it takes 8 ms to import, raises at least eight kinds of exception for hostile
files, and does not read an archive whose directory at the end is missing.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from .blob import CHUNK, Blob, Damaged, chunks
from .inflate import RAW, Source, inflate

STORED, DEFLATED, BZIP2, LZMA, ZSTD, XZ = 0, 8, 12, 14, 93, 95  # methods (APPNOTE.TXT §4.4.5)
_LOCAL, _CENTRAL, _END, _END64, _LOCATOR64 = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_LOCAL_HEADER = struct.Struct("<4s5H3L2H")
_CENTRAL_HEADER = struct.Struct("<4s6H3L5H2L")
_END_RECORD = struct.Struct("<4s4H2LH")
_END64_RECORD = struct.Struct("<4sQ2H2L4Q")
_ENCRYPTED, _SIZES_FOLLOW, _UTF8 = 0x1, 0x8, 0x800
_MAX_COMMENT = 65535
_IN_EXTRA = 0xFFFFFFFF  # the size or offset stands in the extra field (zip64)


class Member(NamedTuple):
    """One file in the archive; sizes and checksum are -1 where only the end of the data would tell them."""

    name: str  # with '/' at the end: a folder
    encrypted: bool
    method: int
    crc: int
    size: int
    start: int  # of its data in the archive
    stop: int


class Directory(NamedTuple):
    """The files of an archive."""

    members: tuple[Member, ...]
    more: bool  # there are more than were asked for
    note: str  # '' when the archive is sound


def read_directory(blob: Blob, limit: int) -> Directory:
    """The first `limit` files of an archive: by its directory, else by the headers in front of the files."""
    try:
        found = list(_by_directory(blob, limit + 1))
        note = ""
    except (Damaged, struct.error):
        found = list(_by_headers(blob, limit + 1))
        note = "the directory of the zip file is missing or broken"
    return Directory(tuple(found[:limit]), len(found) > limit, note)


def _by_directory(blob: Blob, limit: int) -> Iterator[Member]:
    at, stop, shift = _find_directory(blob)
    while at < stop and limit > 0:
        fields = _CENTRAL_HEADER.unpack(blob.read(at, at + _CENTRAL_HEADER.size))
        signature, _, _, flags, method, _, _, crc, packed, size, names, extras, comments, _, _, _, offset = fields
        if signature != _CENTRAL:
            raise Damaged("the zip directory is broken")
        tail = blob.read(at + _CENTRAL_HEADER.size, at + _CENTRAL_HEADER.size + names + extras)
        at += _CENTRAL_HEADER.size + names + extras + comments
        size, packed, offset = _zip64(tail[names:], (size, packed, offset))
        start = _data_start(blob, offset + shift)
        name = _name(tail[:names], flags)
        limit -= 1
        yield Member(name, bool(flags & _ENCRYPTED), method, crc, size, start, min(start + packed, blob.size))


def _find_directory(blob: Blob) -> tuple[int, int, int]:
    """Where the directory begins and ends, and by how much its offsets are shifted by bytes before the archive."""
    base = max(blob.size - _END_RECORD.size - _MAX_COMMENT, 0)
    tail = blob.read(base, blob.size)
    at = tail.rfind(_END)
    if at < 0:
        raise Damaged("the zip file has no directory")
    _, _, _, _, _, size, offset, _ = _END_RECORD.unpack_from(tail, at)
    stop = base + at
    if blob.read(stop - 20, stop - 16) == _LOCATOR64:  # the zip64 record stands before its locator
        stop -= 20 + _END64_RECORD.size
        signature, *_, size, offset = _END64_RECORD.unpack(blob.read(max(stop, 0), stop + _END64_RECORD.size))
        if signature != _END64:
            raise Damaged("the zip64 directory is broken")
    start, shift = stop - size, stop - size - offset
    if start < 0 or shift > _find_start(blob):
        raise Damaged("the zip directory is broken, or that of an archive in the archive")
    return start, stop, shift


def _find_start(blob: Blob) -> int:
    """Where the archive begins when it does so with a file, behind blanks at most; else anywhere."""
    first = blob.read(0, CHUNK)
    rest = first.lstrip()
    return len(first) - len(rest) if rest.startswith(_LOCAL) else blob.size


def _zip64(extra: bytes, values: tuple[int, ...]) -> tuple[int, ...]:
    """Sizes and offset, each of which may stand in the extra field 0x0001 instead."""
    while _IN_EXTRA in values and len(extra) >= 4:
        kind, length = struct.unpack_from("<2H", extra)
        if kind == 1:
            wide = iter(struct.unpack_from(f"<{length // 8}Q", extra, 4))
            return tuple(next(wide, value) if value == _IN_EXTRA else value for value in values)
        extra = extra[4 + length :]
    return values


def _data_start(blob: Blob, at: int) -> int:
    signature, *_, names, extras = _LOCAL_HEADER.unpack(blob.read(max(at, 0), at + _LOCAL_HEADER.size))
    if signature != _LOCAL:
        raise Damaged("the zip directory is broken")
    return at + _LOCAL_HEADER.size + int(names) + int(extras)


def _name(raw: bytes, flags: int) -> str:
    if not flags & _UTF8:
        try:
            return raw.decode("utf-8")  # flag or not, that is what it is
        except UnicodeDecodeError:
            return raw.decode("cp437")
    return raw.decode("utf-8", "replace")


def _by_headers(blob: Blob, limit: int) -> Iterator[Member]:
    """The files whose own headers are there; each ends where the next begins."""
    places = _find_headers(blob)
    at = next(places, None)
    while at is not None and limit > 0:
        following = next(places, None)
        header = blob.read(at, at + _LOCAL_HEADER.size)
        if len(header) == _LOCAL_HEADER.size:
            _, _, flags, method, _, _, crc, packed, size, names, extras = _LOCAL_HEADER.unpack(header)
            start = at + _LOCAL_HEADER.size + names + extras
            name = _name(blob.read(start - names - extras, start - extras), flags)
            stop = following or blob.size
            if flags & _SIZES_FOLLOW or _IN_EXTRA in {packed, size}:
                crc = size = -1
            elif start + packed <= blob.size:
                stop = start + packed
            limit -= 1
            yield Member(name, bool(flags & _ENCRYPTED), method, crc, size, start, max(start, stop))
            while following is not None and following < stop:  # it lies within the file: an archive in it
                following = next(places, None)
        at = following


def _find_headers(blob: Blob) -> Iterator[int]:
    base = 0
    while base < blob.size:
        window = blob.read(base, base + CHUNK + 3)
        at = window.find(_LOCAL)
        while at >= 0:
            yield base + at
            at = window.find(_LOCAL, at + 4)
        base += CHUNK


def read_member(blob: Blob, member: Member) -> Iterator[bytes]:
    """The bytes of a file that is `readable`. Raises Damaged when it breaks, ends early or is not what it should be."""
    what = f"the zip member {member.name!r}"
    size = crc = 0
    for piece in _unpacked(chunks(blob, member.start, member.stop), member.method, what):
        size += len(piece)
        crc = zlib.crc32(piece, crc)
        yield piece
    if member.size not in {-1, size}:
        raise Damaged(f"{what} has {size} bytes, not {member.size}")
    if member.crc not in {-1, crc}:
        raise Damaged(f"{what} does not have its checksum")


def readable(member: Member) -> bool:
    """Whether `read_member` knows its method."""
    return member.method in {STORED, DEFLATED, BZIP2, LZMA, ZSTD, XZ}


def _unpacked(raw: Iterator[bytes], method: int, what: str) -> Iterator[bytes]:
    if method == STORED:
        return raw
    if method == DEFLATED:
        return inflate(Source(raw), RAW, what)
    from .compressed import unbzip2, unlzma_member, unxz, unzstd  # 1 ms

    if method == LZMA:
        return unlzma_member(raw, what)
    return {BZIP2: unbzip2, ZSTD: unzstd, XZ: unxz}[method](raw, [])
