"""Campaigns: messages that belong together, whatever address they came from; and one of them."""

from collections import Counter

from ...campaigns import Campaign, find_campaigns
from .. import figures
from ..asking import Newest, Query, newest, own_domains, part, query_of, reported
from ..desk import Answer, Asked
from ..guard import Refused
from ..route import Route

_USUAL = "class:spoof since:30d"
_NETWORKS = 15


def show(asked: Asked) -> Answer:
    """The campaigns among the newest messages of a query, the largest first."""
    query = query_of(asked, _USUAL)
    found = newest(asked, query.node)
    page = part(asked, campaigns(asked, found))
    return asked.page("campaigns.html", query=query.text, found=found, page=page, countries=_countries)


def show_one(asked: Asked, name: str) -> Answer:
    """One campaign by its name, among the newest messages of the same query."""
    query, found, one = named(asked, name)
    page = part(asked, one.messages[::-1])
    return asked.page(
        "campaign.html",
        query=query.text,
        found=found,
        one=one,
        page=page,
        places=figures.places_of(one.messages),
        networks=figures.networks_of(one.messages)[:_NETWORKS],
        delivered=sum(message.count for message in one.messages if message.delivered),
        reported=reported(asked, [message.id for message in page.lines]),
    )


def named(asked: Asked, name: str) -> tuple[Query, Newest, Campaign]:
    """The campaign of a link. Raises Refused."""
    query = query_of(asked, _USUAL)
    found = newest(asked, query.node)
    one = next((one for one in campaigns(asked, found) if one.name == name), None)
    if one is None:
        raise Refused(404, f"there is no campaign of this name among the messages of the query {query.text}")
    return query, found, one


def campaigns(asked: Asked, found: Newest) -> list[Campaign]:
    """Those of the messages."""
    return find_campaigns(found.messages, own_domains=own_domains(asked, found.messages))


def _countries(one: Campaign) -> str:
    counted = Counter(message.country for message in one.messages if message.country)
    return " ".join(country for country, _ in counted.most_common(4))


ROUTES = (
    Route("/campaigns", show),
    Route("/campaigns/<name>", show_one),
)
