"""What opaque S/MIME data hold (RFC 8551, RFC 5652): of signed, compressed and digested data the content is in clear.

Nothing is verified: the signature says who wrote a report, and nothing that comes by mail is believed for its author.
"""

from collections.abc import Iterator
from typing import NamedTuple

from .blob import Blob, Damaged, chunks

_SEQUENCE, _OCTETS, _CONTENT, _CONSTRUCTED = 0x30, 0x04, 0xA0, 0x20
MOST_STEPS = 100_000  # pieces of an octet string (OpenSSL writes 4096 bytes each), and elements in front of it
_INDEFINITE = 0x80
_MOST_DEPTH = 16  # octet strings within each other


def content_of(blob: Blob) -> Iterator[bytes]:
    """The content that lies within the data, nothing where it is detached. Raises Damaged."""
    return _Reader(blob).content()


class _Element(NamedTuple):
    tag: int
    start: int  # of its content
    stop: int | None  # None: an end-of-contents mark ends it (BER, X.690 §8.1.3.6)


class _Reader:
    """Goes through the elements; takes no more steps than MOST_STEPS."""

    def __init__(self, blob: Blob) -> None:
        self._blob = blob
        self._steps = 0

    def content(self) -> Iterator[bytes]:
        """See content_of."""
        outer = self._element(0)
        kind = self._element(outer.start)
        within = self._element(self._behind(kind))
        if within.tag != _CONTENT:
            return
        first = self._element(within.start)
        if first.tag == _SEQUENCE:
            encapsulated = self._encapsulated(first)
            if encapsulated is None:
                return
            first = encapsulated
        yield from self._octets(first)

    def _encapsulated(self, data: _Element) -> _Element | None:
        """The octet string in EncapsulatedContentInfo, the SEQUENCE in which `[0]` follows a type; None: detached."""
        at = data.start
        while data.stop is None or at < data.stop:
            element = self._element(at)
            if element.tag == 0:
                return None
            if element.tag == _SEQUENCE and element.start != element.stop:
                at = self._behind(self._element(element.start))
                if element.stop is None or at < element.stop:
                    within = self._element(at)
                    if within.tag == _CONTENT:
                        return self._element(within.start)
            at = self._behind(element)
        return None

    def _octets(self, string: _Element) -> Iterator[bytes]:
        """An octet string; of a constructed one the pieces in it."""
        if not string.tag & _CONSTRUCTED:
            yield from self._primitive(string)
            return
        stops, at = [string.stop], string.start
        while stops:
            stop = stops[-1]
            if stop is not None and at >= stop:
                stops.pop()
                continue
            piece = self._element(at)
            at = piece.start
            if piece.tag == 0 and stop is None:
                stops.pop()
            elif piece.tag & _CONSTRUCTED:
                stops.append(piece.stop)
            else:
                yield from self._primitive(piece)
                at = self._behind(piece)
            if len(stops) > _MOST_DEPTH:
                raise Damaged(f"the S/MIME data have octet strings within each other more than {_MOST_DEPTH} deep")

    def _primitive(self, element: _Element) -> Iterator[bytes]:
        yield from chunks(self._blob, element.start, element.stop)
        if element.stop is None or element.stop > self._blob.size:
            raise Damaged("the S/MIME data end early")

    def _element(self, at: int) -> _Element:
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise Damaged(f"the S/MIME data have more than {MOST_STEPS} elements")
        head = self._blob.read(at, at + 2)
        if len(head) < 2:
            raise Damaged("the S/MIME data end early")
        tag, length = head
        start = at + 2
        if length == _INDEFINITE:
            return _Element(tag, start, None)
        if length & _INDEFINITE:
            size = length & 0x7F
            length = int.from_bytes(self._blob.read(start, start + min(size, 16)))
            start += size
        return _Element(tag, start, start + length)

    def _behind(self, element: _Element) -> int:
        """Where the next element begins."""
        at, levels = element.start, 1
        if element.stop is not None:
            return element.stop
        while levels:
            inner = self._element(at)
            at = inner.start if inner.stop is None or inner.tag == 0 else inner.stop
            levels += (inner.stop is None) - (inner.tag == 0)
        return at
