"""What a report is, what a kind of report is, and how documents get their ids. Bounds and options of reading."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from .fields import Fields, Layer, merged


class Bounds(NamedTuple):
    """How much of a stranger's message is read (design §6). Sizes in bytes."""

    message_bytes: int = 50 * 1024**2  # the message as it comes
    xml_bytes: int = 1024**3  # one XML report, decompressed
    part_bytes: int = 16 * 1024**2  # one JSON report or one feedback report with its sample, decompressed
    archive_depth: int = 3  # gzip or zip within gzip or zip
    archive_members: int = 100  # members read of one archive
    mime_depth: int = 64  # multiparts and messages within each other
    mime_parts: int = 1000  # parts of one message
    xml_depth: int = 64  # elements within each other
    record_bytes: int = 1024**2  # one record of an aggregate report
    json_depth: int = 32  # arrays and objects within each other
    rows: int = 2_000_000  # rows of one report
    max_count: int = 10**9  # messages or sessions that one number stands for; a higher one is not believed
    string_chars: int = 4096  # characters of one value; longer ones are cut, with a warning


class Options(NamedTuple):
    """What the site wants of reading, beside the bounds."""

    sample: Literal["none", "headers", "full"] = "headers"  # of a failed message store: none, headers or full
    authserv_ids: tuple[str, ...] = ()  # whose Authentication-Results are believed (RFC 8601 §2.5); () is nobody's
    feed: str = ""  # name of the source, stored as report.feed
    bounds: Bounds = Bounds()


class Envelope(NamedTuple):
    """What the report mail itself says, for every report in it. Dates are RFC 3339 in UTC, '' when absent."""

    message_id: str = ""
    from_domain: str = ""
    received: str = ""  # topmost Received field, else Date
    authentication: Mapping[str, tuple[str, ...]] | None = None  # method -> domains that passed; None: unchecked
    bare: bool = False  # the input was a report, not a message


class Document(NamedTuple):
    """One document, not yet encoded: its dataset, its id and its flat fields.

    Rows of a report share layers: the first has what is the same for the whole report, the last what rows of one kind
    have in common. No name is in two of them.
    """

    dataset: str
    id: str
    own: Fields  # the fields that are its alone; more may be added
    layers: tuple[Layer, ...] = ()

    @property
    def fields(self) -> Fields:
        """All of its fields."""
        return merged(self.own, self.layers) if self.layers else self.own


class Report(NamedTuple):
    """One report that can be stored: `documents` streams its rows, then its `report` document, at each call anew.

    `head` has the fields of the `report` document that are known before the rows are read (never its id).
    """

    dataset: str
    head: Fields
    rows: int  # the documents that `documents` yields before the last
    documents: Callable[[], Iterator[Document]]


class Problem(NamedTuple):
    """Something in the message that claims to be a report and cannot be read: the message is kept."""

    place: str  # which part, file name or member
    reason: str  # a sentence for people; names the bound when one was met


class Reading(NamedTuple):
    """What a message holds. No reports and no problems: it is not a report mail."""

    envelope: Envelope
    reports: tuple[Report, ...]
    problems: tuple[Problem, ...]


class Context(NamedTuple):
    """What a kind needs beside its node."""

    envelope: Envelope
    options: Options


canonical = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def make_id(*values: Any) -> str:
    """A document id: the first 40 hex digits of the SHA-256 of the canonical JSON array of the values (design §4)."""
    return hashlib.sha256(canonical(values).encode("utf-8", "surrogatepass")).hexdigest()[:40]


def sum_ids(ids: Iterable[str]) -> int:
    """An order-free sum of ids, modulo 2^160."""
    return sum(int(one, 16) for one in ids) % 2**160


class Kind(NamedTuple):
    """One kind of report: `read` looks at a node of the message tree and says None when it is not its own."""

    name: str
    read: Callable[[Any, Context], Report | Problem | None]
