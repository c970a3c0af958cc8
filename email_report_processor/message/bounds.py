"""How much of a stranger's message is read, and what is said of a part that cannot be."""

from typing import NamedTuple


class Bounds(NamedTuple):
    """How much of a stranger's message is read (design §6). Sizes in bytes."""

    message_bytes: int = 50 * 1024**2  # the message as it comes
    xml_bytes: int = 1024**3  # one XML report, decompressed; also all files of a message together
    part_bytes: int = 16 * 1024**2  # one JSON report or one feedback report with its sample, decompressed
    archive_depth: int = 3  # archives within each other, and messages in files within each other
    archive_members: int = 100  # members read of one archive
    inflated_floor: int = 64 * 1024**2  # all files of a message, decompressed, and
    inflated_per_byte: int = 100  # as many more for each byte of the message; of real ones 44 at the most
    mime_depth: int = 64  # multiparts and messages within each other
    mime_parts: int = 1000  # parts of one message
    xml_depth: int = 64  # elements within each other
    record_bytes: int = 1024**2  # one record of an aggregate report
    json_depth: int = 32  # arrays and objects within each other
    json_values: int = 500_000  # values of one JSON report, counted by its commas and brackets; 41 in a real one
    rows: int = 1_250_000  # rows of one report, and of all reports of a message
    cost: int = 1_250_000  # the same, where a record unlike those before it counts as 20 or more: 20 s of CPU
    kinds: int = 50_000  # records of one report unlike each other but for address and count; fewer when they are long
    rows_floor: int = 10_000  # rows of all reports of a message, and
    bytes_per_row: int = 4  # one more for so many bytes of the message; real ones have 23 at the least
    tls_rows: int = 200_000  # rows of all SMTP TLS reports of a message
    max_count: int = 10**9  # messages or sessions that one number stands for; a higher one is not believed
    string_chars: int = 4096  # characters of one value; longer ones are cut, with a warning


class OverBound(Exception):  # noqa: N818 - it says where reading stopped, not what went wrong here
    """A bound of `Bounds` was met; the text names it and its value."""


class Problem(NamedTuple):
    """Something in the message that claims to be a report and cannot be read: the message is kept."""

    place: str  # which part, file name or member
    reason: str  # a sentence for people; names the bound when one was met
