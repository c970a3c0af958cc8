"""What one message may cost, in proportion to its size: a few bytes must not make gigabytes or millions of documents.

The numbers beside the bounds were measured on 569 real messages and on reports of up to 1,000,000 rows.
"""

from collections.abc import Iterator

from .blob import Blob, Scratch
from .bounds import Bounds, OverBound

FILES = 100  # times bounds.archive_members, for all files in containers of a message together
PARTS = 20  # times bounds.mime_parts, for all messages in files together
JSON = 6  # times bounds.part_bytes, for all readings of JSON together: it takes up to 0.2 s a megabyte
MARKS = 3_000_000  # comments, processing instructions and CDATA sections of all XML, each time it is read: 1 µs
KEPT = 4  # times bounds.message_bytes, for all containers of a message together


class Budget:
    """What is left for all files of one message together."""

    def __init__(self, size: int, bounds: Bounds) -> None:
        """`size`: bytes of the message as it came."""
        self._size = size
        self._bounds = bounds
        self._scratch = Scratch()
        self._marks = MARKS
        self._json = JSON * bounds.part_bytes
        self._kept = KEPT * bounds.message_bytes
        self._inflated = bounds.inflated_floor + min(bounds.inflated_per_byte * size, bounds.xml_bytes)
        self._rows = min(bounds.rows_floor + size // max(bounds.bytes_per_row, 1), bounds.rows)
        self._cost = bounds.cost
        self._tls_rows = bounds.tls_rows
        self._files = FILES * bounds.archive_members
        self._parts = PARTS * bounds.mime_parts

    def inflate(self, size: int) -> None:
        """Count bytes that were not read before. Raises OverBound when there are too many."""
        self._inflated -= size
        if self.exhausted:
            raise OverBound(self.reason)

    def has_room(self, size: int) -> bool:
        """Whether so many bytes may be inflated."""
        return size <= self._inflated

    @property
    def exhausted(self) -> bool:
        """Whether nothing more may be inflated."""
        return self._inflated < 0

    @property
    def reason(self) -> str:
        """Which bounds it was."""
        floor, times, most = self._bounds.inflated_floor, self._bounds.inflated_per_byte, self._bounds.xml_bytes
        if times * self._size >= most:
            return (
                f"its files inflate to more than bounds.inflated_floor = {floor} and bounds.xml_bytes = {most} together"
            )
        return (
            f"its files inflate to more than bounds.inflated_floor = {floor} and"
            f" bounds.inflated_per_byte = {times} for each of its {self._size} bytes"
        )

    def open_file(self) -> None:
        """Count a file in a container. Raises OverBound."""
        self._files -= 1
        if self._files < 0:
            bound = self._bounds.archive_members
            raise OverBound(f"more than {FILES} times bounds.archive_members = {bound} files in all archives together")

    def parts(self) -> int:
        """How many parts the next message in a file may have. Raises OverBound."""
        if self._parts <= 0:
            bound = self._bounds.mime_parts
            raise OverBound(f"more than {PARTS} times bounds.mime_parts = {bound} parts in all messages in files")
        return min(self._bounds.mime_parts, self._parts)

    def take_parts(self, parts: int) -> None:
        """Count the parts of a message in a file."""
        self._parts -= parts

    def read_json(self, size: int) -> None:
        """Count bytes that are read as JSON. Raises OverBound."""
        self._json -= size
        if self._json < 0:
            bound = self._bounds.part_bytes
            raise OverBound(f"JSON files have more than {JSON} times bounds.part_bytes = {bound} together")

    def read_marks(self, number: int) -> None:
        """Count what has to be taken out of XML. Raises OverBound."""
        self._marks -= number
        if self._marks < 0:
            raise OverBound(f"more than {MARKS} comments, processing instructions and CDATA sections together")

    def rows(self, *, tls: bool) -> int:
        """How many rows the next report may have."""
        return max(min(self._bounds.rows, self._rows, self._tls_rows if tls else self._rows), 0)

    def cost(self) -> int:
        """How much the next report may cost, in rows."""
        return max(self._cost, 0)

    def take_rows(self, rows: int, cost: int, *, tls: bool) -> None:
        """Count the rows of a report that was read, and what its records cost beyond that."""
        self._rows -= rows
        self._cost -= rows + cost
        self._tls_rows -= rows if tls else 0

    def why_rows(self, *, tls: bool) -> str:
        """Which bounds make `rows` what it is, when it is not bounds.rows."""
        if tls and self._tls_rows <= self._rows:
            return f"{self._bounds.tls_rows} in SMTP TLS reports of one message (bounds.tls_rows)"
        if self._size // max(self._bounds.bytes_per_row, 1) + self._bounds.rows_floor >= self._bounds.rows:
            return f"bounds.rows = {self._bounds.rows} in all reports of the message together"
        floor, size = self._bounds.rows_floor, self._bounds.bytes_per_row
        return f"bounds.rows_floor = {floor} and one more for bounds.bytes_per_row = {size} bytes of the message"

    def keep(self, pieces: Iterator[bytes]) -> Blob:
        """Bytes that are needed in any order. Raises OverBound, and OSError when a temporary file cannot be written."""
        return self._scratch.keep(self._counted(pieces))

    def _counted(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self._kept -= len(piece)
            if self._kept < 0:
                bound = self._bounds.message_bytes
                raise OverBound(f"archives have more than {KEPT} times bounds.message_bytes = {bound} together")
            yield piece
