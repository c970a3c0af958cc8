"""Networks: what came from each autonomous system, whom we told, and what became of that."""

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from ....stores.query import And, Between, Exists, Node, Not, Or, field_of
from ... import history
from ...history import Standing
from .. import figures
from ..asking import part, query_of
from ..desk import Answer, Asked, moment
from ..route import Route
from .reports import visible


class Line(NamedTuple):
    """A network of the table."""

    network: figures.Network
    last: str  # day of its last message
    contact: str  # whom the last report went to, '' none
    reported: int  # reports that were sent
    answered: int
    silent: int  # reports without an answer for two weeks
    sent: str  # day of the last report
    still: bool  # whether messages came after it


def show(asked: Asked) -> Answer:
    """The networks of a query, those with the most messages first."""
    query = query_of(asked)
    found = figures.read_places(asked.store, query.node)
    standings = history.standings(history.read(asked.store), moment())
    told = by_system(one for one in standings if visible(asked, one.incident))
    page = part(asked, figures.networks(found))
    last = last_days(asked, query.node, [one.number for one in page.lines])
    lines = [line(one, last.get(one.number, ""), told.get(one.number, [])) for one in page.lines]
    return asked.page("networks.html", query=query.text, page=page, lines=lines, map=figures.places(found))


def last_days(asked: Asked, node: Node, numbers: Iterable[int]) -> dict[int, str]:
    """AS -> day of its last message, for those that are shown."""
    system = field_of("source.as.number")
    wanted = tuple(Between(system, one, one) if one else Not(Exists(system)) for one in numbers)
    found: dict[int, str] = {}
    for one in figures.ask(asked.store, And((node, Or(wanted))), ("source.as.number",), every=True):
        found[one.key[1] or 0] = max(found.get(one.key[1] or 0, ""), one.key[0])
    return found


def by_system(standings: Iterable[Standing]) -> dict[int, list[Standing]]:
    """AS -> reports that were sent about it, the newest first."""
    found: defaultdict[int, list[Standing]] = defaultdict(list)
    for one in standings:
        if one.sent:
            found[one.incident.as_number].append(one)
    return found


def line(network: figures.Network, last: str, told: list[Standing]) -> Line:
    """What is known of a network."""
    sent = max((one.sent for one in told), default="")[:10]
    return Line(
        network,
        last,
        told[0].incident.contact if told else "",
        len(told),
        sum(one.reacted for one in told),
        sum(one.state == "silent" for one in told),
        sent,
        bool(sent and last > sent),
    )


ROUTES = (Route("/networks", show),)
