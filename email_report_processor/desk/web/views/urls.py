"""URLs of reported fraud: first and last seen, and lists for those who block."""

from flask import Response

from ....documents.senders import OURS
from ...blocklists import FORMATS, Listed, Zone, collect
from ..asking import Newest, Query, newest, own_domains, part, query_of
from ..desk import Answer, Asked, moment
from ..guard import Refused
from ..route import Route

_USUAL = "class:spoof since:7d"
_LEAST = 2  # messages that a URL must stand in to be in a list for others
_TYPES = {"plain": "text/plain", "csv": "text/csv", "hosts": "text/plain", "rpz": "text/dns"}
_ZONE = "rpz.localhost"


def show(asked: Asked) -> Answer:
    """All URLs of the newest messages of a query, the most frequent first."""
    query = query_of(asked, _USUAL)
    found = newest(asked, query.node)
    lines = listed(asked, found, 1)
    page = part(asked, lines)
    exported = sum(one.messages >= _LEAST for one in lines)
    return asked.page(
        "urls.html", query=query.text, found=found, page=page, formats=sorted(FORMATS), exported=exported, least=_LEAST
    )


def export(asked: Asked, form: str) -> Answer:
    """A list in one of the formats of `email-report-admin urls`, as a file."""
    if form not in FORMATS:
        raise Refused(404, f"there is no format {form!r}; there are {', '.join(sorted(FORMATS))}")
    query: Query = query_of(asked, _USUAL)
    lines = listed(asked, newest(asked, query.node), _LEAST)
    asked.note("exported URLs", format=form, query=query.text, urls=len(lines))
    response = Response(FORMATS[form](lines, moment(), Zone(_ZONE)))
    response.headers["Content-Type"] = f"{_TYPES.get(form, 'application/json')}; charset=utf-8"
    response.headers["Content-Disposition"] = f'attachment; filename="urls-{form}.txt"'
    return response


def listed(asked: Asked, found: Newest, least: int) -> list[Listed]:
    """URLs without our own domains and those of senders that the site trusts."""
    senders = asked.senders
    trusted = [domain for domain, one in senders.domains.items() if one.verdict in OURS] if senders else []
    return collect(found.messages, own=own_domains(asked, found.messages), trusted=trusted, least=least)


ROUTES = (
    Route("/urls", show),
    Route("/urls/export/<form>", export, role="analyst"),
)
