"""An address: what is known of it, what came from it; names, lists and the registry on a click, where configured."""

from ipaddress import ip_address, ip_network

from ....stores.query import And, Between, Node, Within, field_of
from ....stores.store import Question
from ....values.fields import read_ip
from ...lookup import Lookup
from ...message import from_row
from .. import figures, lookups
from ..asking import listing, reported
from ..desk import Answer, Asked, moment
from ..route import Route
from .overview import PERIODS, period_of
from .reports import desk_of

_GROUPS = 1000


def show(asked: Asked, address: str) -> Answer:
    """The page of an address or a network."""
    return _page(asked, named(address), ())


def look(asked: Asked, address: str) -> Answer:
    """The same page with what others say of it now. They learn of our interest: so it takes a click."""
    one = named(address)
    if "/" in one:
        raise ValueError("one address is looked up, not a network")
    asked.note("looked up", host=one)
    answers = lookups.ask(one, asked.desk.options)
    return _page(asked, one, (*answers, *_registry(asked, one)))


def _registry(asked: Asked, address: str) -> tuple[lookups.Said, ...]:
    """What its registry says, where the settings have it asked; the lists of servers are remembered."""
    if not asked.desk.options.rdap:
        return ()
    desk = desk_of(asked)
    lookup = Lookup(desk.directory, desk.contacts, moment())
    said = lookups.registered(address, lookup)
    lookup.save()
    return (said,)


def _page(asked: Asked, address: str, answers: tuple[lookups.Said, ...]) -> Answer:
    since = asked.args.get("since", "30d")
    period = period_of(since)
    host = Within(field_of("source.ip"), address)
    node: Node = And((host, Between(field_of("@timestamp"), period.since, None))) if period.since else host
    page = listing(asked, node)
    found = figures.read(asked.store, node)
    return asked.page(
        "host.html",
        address=address,
        since=since,
        periods=PERIODS,
        single="/" not in address,
        messages=[from_row(one.row) for one in page.found],
        next=page.next,
        reported=reported(asked, [one.row.id for one in page.found]),
        found=found,
        networks=figures.networks(found)[:5],
        days=figures.by_day(found),
        rows=_aggregates(asked, node),
        answers=answers,
        configured=asked.desk.options.dnsbl,
        rdap=asked.desk.options.rdap,
    )


def _aggregates(asked: Asked, node: Node) -> list[tuple[str, str, int, str]]:
    """What aggregate reports say of it: From domain, class, messages, last day."""
    by = ("identifiers.header_from", "class")
    sums: dict[tuple[str, str], tuple[int, str]] = {}
    for one in asked.store.totals(Question("dmarc-aggregate", by, node=node, every="day", size=_GROUPS)):
        key = (one.key[1] or "-", one.key[2] or "-")
        messages, last = sums.get(key, (0, ""))
        sums[key] = (messages + one.sums[0], max(last, one.key[0]))
    return sorted(((*key, *value) for key, value in sums.items()), key=lambda row: (-row[2], row[:2]))[:20]


def named(text: str) -> str:
    """The address or network of a link in its usual form. Raises ValueError."""
    try:
        return str(ip_network(text, strict=False)) if "/" in text else str(ip_address(read_ip(text)))
    except ValueError:
        raise ValueError(f"{text!r} is no address and no network: write 192.0.2.1 or 192.0.2.0/24") from None


ROUTES = (
    Route("/hosts/<path:address>", show),
    Route("/hosts/<path:address>", look, role="analyst", method="POST"),
)
