"""Overview: the page of `summary --html`, live."""

from ....pages.asking import Scope, since
from ....pages.figure import Period
from ....pages.html import SECTIONS
from ....pages.overview import overview, seen_domains
from ....stores import kept
from ....values.fields import read_domain
from ..desk import Answer, Asked, made, moment
from ..route import Route

PERIODS = (("7d", "7 days"), ("30d", "30 days"), ("90d", "90 days"), ("1y", "a year"), ("all", "all"))
_MOST_DOMAINS = 200  # in the form


def show(asked: Asked) -> Answer:
    """The page of some days and one domain, or all that the user may see."""
    said = asked.args.get("since", "30d")
    period = period_of(said)
    domains = seen_domains(asked.store, Scope(period))
    domain = read_domain(asked.args["domain"]) if asked.args.get("domain") else ""
    messages = [] if asked.user.domains else list(kept.listing(asked.desk.job.maildir))
    page = overview(asked.store, Scope(period, domain), messages, made())
    choices = dict.fromkeys([*domains[:_MOST_DOMAINS], *([domain] if domain else [])])
    return asked.page(
        "overview_live.html", page=page, sections=SECTIONS, since=said, periods=PERIODS, domains=list(choices)
    )


def period_of(text: str) -> Period:
    """`30d`, `12w`, a date, or `all`, as a period that has no end. Raises ValueError."""
    return Period(since(text, moment()))


ROUTES = (Route("/", show),)
