"""Failures: the failed messages that a query finds, as a list, by day, by country and by network."""

from flask import Response, redirect

from ....documents.classify import CLASSES, FAILURE_RULES
from ...message import from_row
from .. import figures
from ..asking import FORM, composed, listing, query_of, reported
from ..desk import Answer, Asked
from ..rendering import link
from ..route import Route

CHOICES = tuple(sorted({rule.class_ for rule in FAILURE_RULES} & CLASSES.keys()))
_NETWORKS = 10  # of the table beside the list


def show(asked: Asked) -> Answer:
    """The page; what the form says becomes a query, which is the link to send to a colleague."""
    if text := composed(asked):
        back = redirect(link("/failures", q=text), 303)
        return Response(back.get_data(), back.status, back.headers)
    query = query_of(asked)
    page = listing(asked, query.node)
    told = reported(asked, [one.row.id for one in page.found])
    first = not asked.args.get("after")
    found = figures.read(asked.store, query.node) if first else None
    return asked.page(
        "failures.html",
        query=query.text,
        form=FORM,
        classes=CHOICES,
        messages=[from_row(one.row) for one in page.found],
        next=page.next,
        reported=told,
        found=found,
        shown=[figures.by_day(found), figures.classes(found), figures.places(found)] if found else [],
        networks=figures.networks(found)[:_NETWORKS] if found else [],
    )


ROUTES = (Route("/failures", show),)
