"""The files of a tar archive (POSIX.1-2024 pax, ustar; GNU's long names), also of a truncated one."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from .blob import Blob, Damaged, chunks
from .forms import SNIFFED, tar_checksum

BLOCK = SNIFFED
MOST_HEADERS = 20_000  # headers that are looked at
_DIGITS = 18  # of a size
_LONG = 64 * 1024  # bytes of a long name or of an extended header that are read
_FILES, _LONG_NAME, _EXTENDED = (b"\0", b"0", b"7"), b"L", b"x"
_NUMBER = re.compile(rb"[ \0]*([0-7]{1,12})[ \0]*\Z")
_LENGTH = re.compile(rb"([0-9]{1,7}) ")
_RECORD = re.compile(rb"([0-9]{1,7}) (path|size)=")


class Tarred(NamedTuple):
    """One file in the archive."""

    name: str
    start: int
    size: int


def read_tar(blob: Blob) -> Iterator[Tarred]:
    """The files, in their order. Raises Damaged where a header is broken, after the files before it."""
    at, name, size = 0, "", -1
    for _ in range(MOST_HEADERS):
        header = blob.read(at, at + BLOCK)
        if not header.strip(b"\0"):
            return
        if tar_checksum(header) is None:
            raise Damaged("the tar file breaks off or has a broken header")
        start, stated = at + BLOCK, _size(header)
        if header[156:157] == _EXTENDED:
            more = dict(_extended(blob.read(start, start + min(stated, _LONG))))
            name, size = _text(more.get(b"path", b"")) or name, int(more.get(b"size", b"%d" % size))
        elif header[156:157] == _LONG_NAME:
            name = _text(blob.read(start, start + min(stated, _LONG)))
        else:
            stated = size if size >= 0 else stated
            if header[156:157] in _FILES:
                yield Tarred(name or _short_name(header), start, stated)
            name, size = "", -1
        at = start + -(-stated // BLOCK) * BLOCK
    raise Damaged(f"the tar file has more than {MOST_HEADERS} headers")


def read_tarred(blob: Blob, member: Tarred) -> Iterator[bytes]:
    """The bytes of a file. Raises Damaged when the archive ends before it does."""
    yield from chunks(blob, member.start, min(member.start + member.size, blob.size))
    if member.start + member.size > blob.size:
        raise Damaged("the tar file ends early")


def _size(header: bytes) -> int:
    """In octal digits, or in binary for what has more than 8 GiB (GNU)."""
    stated = _NUMBER.match(header[124:136])
    if stated is None and not header[124] & 0x80:
        raise Damaged("the tar file has a file of unknown size")
    return int(stated[1], 8) if stated is not None else int.from_bytes(header[125:136])


def _extended(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The path and the size in an extended header: records `LENGTH KEY=VALUE` and a line break (pax)."""
    at = 0
    while (length := _LENGTH.match(data, at)) is not None and (size := int(length[1])) > 0:
        record = _RECORD.match(data, at, at + size)
        if record is not None:
            value = data[record.end() : at + size].rstrip(b"\n")
            if record[2] == b"path" or (value.isdigit() and len(value) <= _DIGITS):
                yield record[2], value
        at += size


def _short_name(header: bytes) -> str:
    name, prefix = _text(header[:100]), _text(header[345:500])
    return f"{prefix}/{name}" if prefix and header[257:263] == b"ustar\0" else name


def _text(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode("utf-8", "replace")
