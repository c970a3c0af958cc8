"""Log files as chunks of whole lines: plain or compressed, read to their end, in the order of their first lines."""

import bz2
import gzip
import lzma
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

CHUNK = 1024**2  # bytes read at once; of one line at most so many are kept
_MAGIC = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\x00", lzma.open))
BROKEN = (EOFError, lzma.LZMAError, gzip.BadGzipFile)  # what a cut or damaged file raises, beside OSError


class Part(NamedTuple):
    """Whole lines of one file, and the moment that its dates are held against (Unix seconds)."""

    chunk: bytes
    end: float


def read(path: str, clock: float) -> Iterator[Part]:
    """The chunks of a file, `-` is standard input. clock: its end when it has no time of its own. Raises OSError.

    A compressed file that is cut gives what it has, and then raises one of BROKEN.
    """
    if path == "-":
        yield from (Part(chunk, clock) for chunk in chunks(sys.stdin.buffer))
        return
    with open(path, "rb") as file:
        status = os.fstat(file.fileno())
        end = status.st_mtime if os.path.isfile(path) else clock
        with opened(file) as stream:
            yield from (Part(chunk, end) for chunk in chunks(stream))


def opened(file: IO[bytes]) -> IO[bytes]:
    """The file without its compression, which its first bytes tell, not its name."""
    first = file.read(6) if file.seekable() else b""
    if first:
        file.seek(0)
    for magic, open_ in _MAGIC:
        if first.startswith(magic):
            return open_(file)  # type: ignore[return-value]  # "rb" is bytes
    return file


def chunks(stream: IO[bytes], size: int = CHUNK) -> Iterator[bytes]:
    """Whole lines, about `size` bytes at once, without the last line's end. A line above `size` is cut apart."""
    rest = b""
    for block in _blocks(stream, size):
        cut = block.rfind(b"\n")
        if cut < 0:
            rest += block
            if len(rest) > size:
                yield rest
                rest = b""
            continue
        yield rest + block[:cut]
        rest = block[cut + 1 :]
    if rest:
        yield rest


def _blocks(stream: IO[bytes], size: int) -> Iterator[bytes]:
    """What a damaged file still gives comes before its error."""
    parts: list[bytes] = []
    try:
        while part := stream.read1(size):  # type: ignore[attr-defined]  # every binary stream of `opened` is buffered
            parts.append(part)
            if sum(map(len, parts)) >= size:
                yield b"".join(parts)
                parts = []
    except BROKEN:
        if parts:
            yield b"".join(parts)
            yield b"\n"
        raise
    if parts:
        yield b"".join(parts)


def found(paths: Iterable[str]) -> list[str]:
    """The files that a person names: a directory stands for the files in it, not for those below."""
    names: list[str] = []
    for path in paths:
        if path != "-" and os.path.isdir(path):
            names += sorted(str(one) for one in Path(path).iterdir() if one.is_file())
        else:
            names.append(path)
    return names
