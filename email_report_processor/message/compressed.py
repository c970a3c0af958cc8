"""bzip2, xz, lzma and zstd undone as streams, with what a broken one still gives (RFC 8878, the xz file format 1.2).

No RFC of reports knows them; people who keep their reports that way import them, and gateways pack what they pass on.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

from .blob import Damaged
from .inflate import AT_ONCE, Source, next_member

if TYPE_CHECKING:
    from lzma import LZMADecompressor

XZ_MEMORY = 80 * 1024**2  # bytes that undoing xz may take: `xz -9` needs 65 MiB
ZSTD_WINDOW = 23  # 8 MiB as a power of two: what RFC 8878 §3.1.1.1.2 asks of every decoder
NEEDS_ZSTD = (
    "zstd data, which needs Python 3.14 or the package backports.zstd"
    " (pip install 'email-report-processor[zstd]'); then feed the message again"
)


class _Decompressor(Protocol):
    """What bz2, lzma and zstd have in common."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int = ...) -> bytes: ...


def unbzip2(pieces: Iterable[bytes], notes: list[str]) -> Iterator[bytes]:
    """All streams of a bzip2 file. Raises Damaged."""
    import bz2  # 0.5 ms

    return _streams(pieces, notes, "the bzip2 data", bz2.BZ2Decompressor, (b"BZh",), (OSError,))


def unxz(pieces: Iterable[bytes], notes: list[str]) -> Iterator[bytes]:
    """All streams of an xz file, or of the older .lzma. Raises Damaged."""
    import lzma  # 0.5 ms

    def make() -> "LZMADecompressor":
        return lzma.LZMADecompressor(memlimit=XZ_MEMORY)

    return _streams(pieces, notes, "the xz data", make, (b"\xfd7zXZ\0",), (lzma.LZMAError,))


def unzstd(pieces: Iterable[bytes], notes: list[str]) -> Iterator[bytes]:
    """All frames of a zstd file. Raises Damaged, also where this Python has no zstd."""
    zstd = load_zstd()
    if zstd is None:
        raise Damaged(NEEDS_ZSTD)
    options = {zstd.DecompressionParameter.window_log_max: ZSTD_WINDOW}

    def make() -> _Decompressor:
        made: _Decompressor = zstd.ZstdDecompressor(options=options)
        return made

    return _streams(pieces, notes, "the zstd data", make, (b"\x28\xb5\x2f\xfd",), (zstd.ZstdError,))


def load_zstd() -> Any:
    """The module that Python 3.14 has and backports.zstd gives to older ones; None where there is neither."""
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd  # part of Python: not measured
        else:
            from backports import zstd  # 2 ms
    except ImportError:
        return None
    return zstd


def unlzma_member(pieces: Iterable[bytes], what: str) -> Iterator[bytes]:
    """A member of a zip file by method 14: four bytes, the properties of LZMA1, its data (APPNOTE.TXT §5.8)."""
    import lzma  # 0.5 ms

    source = Source(pieces)
    head = b""
    while len(head) < _LZMA_HEAD and (piece := next(source, b"")):
        head += piece
    source.back = head[_LZMA_HEAD:]
    try:
        properties, size = head[4], int.from_bytes(head[5:9], "little")
        filters = {
            "id": lzma.FILTER_LZMA1,
            "dict_size": min(max(size, 4096), XZ_MEMORY // 2),
            "lc": properties % 9,
            "lp": properties // 9 % 5,
            "pb": properties // 45,
        }
        inflater = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[filters])
    except (IndexError, ValueError, lzma.LZMAError) as error:
        raise Damaged(f"{what} is broken ({error})") from error
    yield from _stream(source, inflater, what, (lzma.LZMAError,), ends=False)


_LZMA_HEAD = 9


def _streams(
    pieces: Iterable[bytes],
    notes: list[str],
    what: str,
    make: Callable[[], _Decompressor],
    marks: tuple[bytes, ...],
    errors: tuple[type[Exception], ...],
) -> Iterator[bytes]:
    source = Source(pieces)
    source.skip_blanks()
    while True:
        yield from _stream(source, make(), what, errors)
        if not next_member(source, notes, what, marks):
            return


def _stream(
    source: Source, inflater: _Decompressor, what: str, errors: tuple[type[Exception], ...], *, ends: bool = True
) -> Iterator[bytes]:
    """One stream; what follows it is put back. Raises Damaged when it breaks or ends early, after all that it gave."""
    for piece in source:
        data = piece
        while data or not inflater.needs_input:
            try:
                out = inflater.decompress(data, AT_ONCE)
            except errors as error:
                raise Damaged(f"{what} is broken ({str(error)[:200]})") from error
            if out:
                yield out
            if inflater.eof:
                source.back = inflater.unused_data
                return
            data = b""
    if ends:
        raise Damaged(f"{what} ends early")
