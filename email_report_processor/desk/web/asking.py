"""What a view is about, as its link says it: a query, a period, a place in a list."""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from ...stores.query import Node, Or, Text, field_of, parse
from ...stores.store import Found, Selection
from .. import history
from ..message import BRIEF, DATASETS, Message, from_row
from .desk import Asked, moment

PAGE = 25  # lines of a list
MOST = 1000  # messages that are looked at together
USUAL = "since:7d"  # the query of a view that is called without one
_LONGEST_PLACE = 600  # characters

# Bare words of the desk's queries.
FLAGS: Mapping[str, Node] = {
    "delivered": Or(tuple(Text(field_of("feedback.delivery_result"), (one,)) for one in ("delivered", "spam"))),
}
# Fields of the form, and what each is called; the value goes into the query under the same name.
FORM: tuple[tuple[str, str], ...] = (
    ("class", "Class"),
    ("subject", "Subject has"),
    ("from", "From"),
    ("domain", "Our domain"),
    ("ip", "Address or network"),
    ("as", "AS number"),
    ("country", "Country code"),
    ("url", "URL"),
    ("host", "Host of a URL"),
    ("file", "File name"),
    ("feed", "Feed"),
    ("since", "Since"),
)
_BARE = frozenset('()" ')


class Query(NamedTuple):
    """A query as it was written and as the stores take it."""

    text: str
    node: Node


def query_of(asked: Asked, usual: str = USUAL) -> Query:
    """The query of the link. Raises QueryError."""
    text = asked.args.get("q", usual).strip()
    return Query(text, parse(text, moment(), flags(asked, text)))


def flags(asked: Asked, text: str) -> Mapping[str, Node]:
    """Bare words that stand for a query of their own; what was reported is asked for only where the word stands."""
    return {**FLAGS, **(history.flags(history.read(asked.store)) if "reported" in text.lower() else {})}


def composed(asked: Asked) -> str:
    """The fields of the form, behind the query that was there, as one query; '' when no field was filled in."""
    terms = [term(name, value.strip()) for name, _ in FORM if (value := asked.args.get(name, "")).strip()]
    terms += [one for one in ("delivered", "reported") if asked.args.get(one)]
    before = asked.args.get("q", "").strip()
    if not terms:
        return ""
    return " ".join(([f"({before})" if " or " in before.lower() else before] if before else []) + terms)


def term(name: str, value: str) -> str:
    """One field with its value, quoted where it must be."""
    if _BARE & set(value) or value.endswith(":"):
        quoted = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'{name}:"{quoted}"'
    return f"{name}:{value}"


class Listing(NamedTuple):
    """One page of documents."""

    found: tuple[Found, ...]
    next: str  # place behind it, '' at the end


def listing(asked: Asked, node: Node, datasets: tuple[str, ...] = DATASETS, size: int = PAGE) -> Listing:
    """The documents from the place of the link on. Raises ValueError for a place that is none."""
    after = read_place(asked.args.get("after", ""))
    found = tuple(asked.store.select(Selection(node, datasets, size + 1), after))
    more = len(found) > size
    return Listing(found[:size], write_place(found[size - 1].place) if more else "")


# A campaign is looked at page by page, and the same thousand messages are behind each: a document that says the same is
# read once. Without header and text a message takes some kilobytes.
_brief = lru_cache(maxsize=3 * MOST)(from_row)


class Newest(NamedTuple):
    """The newest messages that a query finds."""

    messages: tuple[Message, ...]
    cut: bool  # there are more


def newest(asked: Asked, node: Node, most: int = MOST) -> Newest:
    """As many as a view looks at together, without header and text: what belongs together is found in memory."""
    found = [_brief(one.row) for one in asked.store.select(Selection(node, DATASETS, most + 1, BRIEF))]
    return Newest(tuple(found[:most]), len(found) > most)


def reported(asked: Asked, ids: Iterable[str]) -> dict[str, str]:
    """Of some documents those that a report was sent about, with its token."""
    wanted = tuple(Text(field_of("abuse.document"), (one,)) for one in ids)
    return history.reported(history.read(asked.store, Or(wanted))) if wanted else {}


def own_domains(asked: Asked, messages: Iterable[Message]) -> set[str]:
    """What the settings name as ours, and what the reports are about."""
    named = {name for one in messages for name in one.reported_domains}
    return {*asked.desk.job.site.own_domains, *named}


def number(asked: Asked, name: str = "from") -> int:
    """Where a page of a table begins. Raises ValueError."""
    text = asked.args.get(name, "0")
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise ValueError(f"{name} is no number: begin at the first page")
    return int(text)


class Part(NamedTuple):
    """One page of what stands in memory."""

    lines: tuple[Any, ...]
    first: int  # of them, from 0
    all: int
    next: int  # where the next page begins, 0 at the end


def part(asked: Asked, lines: Sequence[Any], size: int = PAGE) -> Part:
    """The page that the link names. Raises ValueError."""
    first = number(asked)
    more = first + size if len(lines) > first + size else 0
    return Part(tuple(lines[first : first + size]), first, len(lines), more)


def write_place(place: tuple[Any, ...]) -> str:
    """A place as a link has it."""
    return base64.urlsafe_b64encode(json.dumps(place, separators=(",", ":")).encode()).decode().rstrip("=")


def read_place(text: str) -> tuple[Any, ...]:
    """A place that stood in a link. Raises ValueError."""
    if not text:
        return ()
    try:
        place = json.loads(base64.b64decode(text[:_LONGEST_PLACE] + "=" * (-len(text) % 4), b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        place = None
    if not isinstance(place, list) or not all(type(one) in {int, str} for one in place):
        raise ValueError("this link leads to no place in the list: begin at its first page")
    return tuple(place)
