"""Figures about the failed messages that a query finds: days by class, places, networks."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from ...pages import failures
from ...pages.asking import Scope
from ...pages.figure import Column, Figure, Value
from ...stores.query import Node
from ...stores.store import Question, Total
from ..message import DATASETS, Message
from .scope import Narrowed

_GROUPS = 100_000
_RESULT = "feedback.delivery_result"
_PLACE = ("source.as.number", "source.as.organization.name", "source.geo.country_iso_code")
DELIVERED = frozenset({"delivered", "spam"})
_EMPTY = "Nothing fits this query. Widen it: a longer time, fewer words."


class Failed(NamedTuple):
    """Sums of the messages that a query finds."""

    by_day: tuple[Total, ...]  # key: day, feedback type, class, delivery result
    by_place: tuple[Total, ...]  # key: AS number, AS name, country, delivery result

    @property
    def messages(self) -> int:
        """All of them."""
        return sum(one.sums[0] for one in self.by_day)

    @property
    def delivered(self) -> int:
        """Those that came through."""
        return sum(one.sums[0] for one in self.by_day if one.key[3] in DELIVERED)


def read(store: Narrowed, node: Node) -> Failed:
    """Ask the store twice for each of the two datasets."""
    by = ("feedback.type", "class", _RESULT)
    return Failed(tuple(ask(store, node, by, every=True)), read_places(store, node).by_place)


def read_places(store: Narrowed, node: Node) -> Failed:
    """The places alone."""
    return Failed((), tuple(ask(store, node, (*_PLACE, _RESULT))))


def ask(store: Narrowed, node: Node, by: tuple[str, ...], *, every: bool = False) -> list[Total]:
    """Groups of both datasets, unmerged."""
    return [
        one
        for dataset in DATASETS
        for one in store.totals(Question(dataset, by, node=node, every="day" if every else "", size=_GROUPS))
    ]


def by_day(found: Failed) -> Figure:
    """Messages by day and class."""
    return failures.by_day(found.by_day, Scope())._replace(empty=_EMPTY)


def classes(found: Failed) -> Figure:
    """By class, with what was delivered, into a junk folder too."""
    merged = (
        one._replace(key=(*one.key[:3], "delivered" if one.key[3] in DELIVERED else one.key[3])) for one in found.by_day
    )
    return failures.classes(merged, Scope())._replace(title="What they are", empty=_EMPTY)


def places_of(messages: Iterable[Message]) -> Figure:
    """The map of some messages."""
    return places(Failed((), _grouped(messages)))


def networks_of(messages: Iterable[Message]) -> list["Network"]:
    """The networks of some messages."""
    return networks(Failed((), _grouped(messages)))


def _grouped(messages: Iterable[Message]) -> tuple[Total, ...]:
    """As the store groups them by place."""
    sums: Counter[tuple[int, str, str, str]] = Counter()
    for one in messages:
        sums[one.as_number, one.as_name, one.country, one.delivery_result] += one.count
    return tuple(Total(key, number, (number,)) for key, number in sums.items())


def places(found: Failed) -> Figure:
    """A map: countries by messages, circles by what was delivered."""
    messages: Counter[str] = Counter()
    delivered: Counter[str] = Counter()
    for one in found.by_place:
        country = one.key[2] or ""
        messages[country] += one.sums[0]
        delivered[country] += one.sums[0] if one.key[3] in DELIVERED else 0
    unknown = messages.pop("", 0)
    rows: tuple[tuple[Value, ...], ...] = tuple(
        (one, messages[one], delivered[one]) for one in sorted(messages, key=lambda one: (-messages[one], one))
    )
    columns = (
        Column("Country", "country"),
        Column("Messages", "number", "pass"),
        Column("Delivered", "number", "failed"),
    )
    said = (f"{unknown:,} of hosts whose country is not known are in none of them.",) if unknown and rows else ()
    empty = "No country is known of any host." if found.by_place else _EMPTY
    note = "The stronger its colour, the more came from a country; circles are what was delivered all the same."
    return Figure("places", "From where?", columns, rows[:30], chart="map", left_out=said, note=note, empty=empty)


class Network(NamedTuple):
    """An autonomous system, and what came from it."""

    number: int  # 0 unknown
    name: str
    country: str  # of most of its messages
    messages: int
    delivered: int


def networks(found: Failed) -> list[Network]:
    """Those with the most messages first."""
    messages: Counter[int] = Counter()
    delivered: Counter[int] = Counter()
    about: dict[int, tuple[int, str, str]] = {}
    for one in found.by_place:
        number, name, country = one.key[0] or 0, one.key[1] or "", one.key[2] or ""
        messages[number] += one.sums[0]
        delivered[number] += one.sums[0] if one.key[3] in DELIVERED else 0
        if one.sums[0] > about.get(number, (0, "", ""))[0]:
            about[number] = (one.sums[0], name, country)
    ordered = sorted(messages, key=lambda number: (-messages[number], number))
    return [Network(one, *about.get(one, (0, "", ""))[1:], messages[one], delivered[one]) for one in ordered]
