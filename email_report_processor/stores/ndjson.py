"""Documents as one JSON object a line: `{"_index": …, "_id": …, "_source": …}`."""

from collections.abc import Iterable
from functools import lru_cache
from json.encoder import encode_basestring
from typing import BinaryIO

from .store import Row, StoreError, Written
from .unreadable import Unreadable

REMEMBERED = 20_000  # ids of one call; 5 MB
_TOGETHER = 128  # lines of one write


class NdjsonStore(Unreadable):
    """The store `-`: whoever reads the stream has the documents. It cannot be read back."""

    def __init__(self, stream: BinaryIO, name: str = "standard output") -> None:
        self.name = name
        self._stream = stream

    def write(self, rows: Iterable[Row]) -> Written:
        """See Store. Raises StoreError when the stream is broken.

        A report attached twice is written once; an id that comes again in another message, or after
        REMEMBERED rows, is on the stream again.
        """
        stored = already = 0
        seen: set[str] = set()
        lines: list[bytes] = []
        for row in rows:
            if row.id in seen:
                already += 1
                continue
            if len(seen) < REMEMBERED:
                seen.add(row.id)
            lines.append(line(row))
            stored += 1
            if len(lines) == _TOGETHER:
                self._put(b"".join(lines))
                lines.clear()
        self._put(b"".join(lines))
        try:
            self._stream.flush()
        except (OSError, ValueError) as error:  # ValueError: the stream is closed
            raise self._broken(error) from error
        return Written(stored, already)

    def close(self) -> None:
        """The stream is its owner's to close."""

    def _put(self, line: bytes) -> None:
        try:
            self._stream.write(line)
        except (OSError, ValueError) as error:
            raise self._broken(error) from error

    def _broken(self, error: Exception) -> StoreError:
        return StoreError(f"{self.name}: {error}: whoever reads the documents must read them to the end")


def line(row: Row) -> bytes:
    """A document on a line, with its index and its id."""
    return b'%b%b,"_source":%b}\n' % (_before(row.index), encode_basestring(row.id).encode(), row.source)


@lru_cache(maxsize=64)  # a report has two
def _before(index: str) -> bytes:
    return b'{"_index":%b,"_id":' % encode_basestring(index).encode()
