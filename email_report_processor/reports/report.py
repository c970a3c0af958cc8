"""What a report is, what a kind of report is, and what the site wants of reading."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from ..documents.document import Document
from ..message.bounds import Bounds, Problem
from ..values.fields import Fields
from ..values.hiding import Redaction


class Ours(NamedTuple):
    """What is the site's own on the way of a message that is no report, and within it."""

    networks: tuple[str, ...] = ()  # CIDR, of our mail servers
    domains: tuple[str, ...] = ()


# Kinds of feeds that bring messages beside reports; without a setting a feed of such a name is of this kind.
FEED_KINDS = ("spamtrap", "own-mx")


class Options(NamedTuple):
    """What the site wants of reading, beside the bounds."""

    sample: Literal["none", "headers", "full"] = "headers"  # of a failed message store: none, headers or full
    authserv_ids: tuple[str, ...] = ()  # whose Authentication-Results are believed (RFC 8601 §2.5); [] is nobody's
    redact: Literal["none", "recipients", "strict"] = "none"  # addresses of a failed message: docs/privacy.md
    feed: str = ""  # name of the source, stored as report.feed
    feed_kinds: Mapping[str, str] = {
        "spamtrap": "spamtrap",
        "own-mx": "own-mx",
    }  # feed -> spamtrap or own-mx: docs/feeds.md
    ours: Ours = Ours()
    redaction: Redaction = Redaction()
    bounds: Bounds = Bounds()


# Of report.delay: the reporter's clock or ours is wrong, or its period is.
TOO_EARLY = "report.delay: the message is older than the end of its period"


class Envelope(NamedTuple):
    """What the report mail itself says, for every report in it. Dates are RFC 3339 in UTC, '' when absent."""

    message_id: str = ""
    from_domain: str = ""
    received: str = ""  # topmost Received field, else Date
    authentication: Mapping[str, tuple[str, ...]] | None = None  # method -> domains that passed; None: unchecked
    bare: bool = False  # the input was a report, not a message
    date: str = ""  # of the Date field, which every copy has


class Report(NamedTuple):
    """One report that can be stored: `documents` streams its rows, then its `report` document, at each call anew.

    `head` has the fields of the `report` document that are known before the rows are read (never its id).
    """

    dataset: str
    head: Fields
    rows: int  # the documents that `documents` yields before the last
    documents: Callable[[], Iterator[Document]]
    cost: int = 0  # of reading it, in rows, beside its rows


class Reading(NamedTuple):
    """What a message holds. No reports and no problems: it is not a report mail."""

    envelope: Envelope
    reports: tuple[Report, ...]
    problems: tuple[Problem, ...]


class Context(NamedTuple):
    """What a kind needs beside its node."""

    envelope: Envelope
    options: Options


class Kind(NamedTuple):
    """One kind of report: `read` looks at a node of the message tree and says None when it is not its own."""

    name: str
    read: Callable[[Any, Context], Report | Problem | None]
