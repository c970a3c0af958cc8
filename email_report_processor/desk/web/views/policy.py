"""Policy: which wanted mail a stricter record would have lost, as `email-report-admin policy` says it."""

from ....advice import answer
from ....advice.asking import rows, seen
from ....advice.cost import Site, reckon
from ....advice.record import stricter, tried
from ....checking.record import read_name
from ....documents.senders import VERDICTS
from ....pages.asking import Scope
from ....pages.figure import Page, Period
from ....pages.overview import seen_domains
from ..desk import Answer, Asked, made
from ..guard import Refused
from ..route import Route
from .overview import PERIODS, period_of

_DOMAINS = 200  # of the form


_CLICKS = tuple(word for word in VERDICTS if word != "ignore")  # which takes a day


def show(asked: Asked) -> Answer:
    """The form, and the answer once a domain is named."""
    since = asked.args.get("since", "90d")
    period = period_of(since)
    domains = seen_domains(asked.store, Scope(period))[:_DOMAINS]
    values = {
        "domains": domains,
        "since": since,
        "periods": PERIODS,
        "tags": asked.args.get("try", ""),
        "said": asked.args.get("said", ""),
    }
    if not asked.args.get("domain"):
        return asked.page("policy.html", page=None, domain="", **values)
    domain = read_name(asked.args["domain"])
    before, page = _answer(asked, domain, period)
    return asked.page(
        "policy.html",
        page=page,
        domain=domain,
        before=before,
        may=asked.user.may("analyst") and not asked.user.domains,
        back=(("domain", domain), ("try", asked.args.get("try", "")), ("since", since)),
        clicks=_CLICKS,
        **values,
    )


def _answer(asked: Asked, domain: str, period: Period) -> tuple[str, Page]:
    """The record that receivers saw, and what the one that is tried would have cost. Raises Refused, ValueError."""
    own = asked.user.domains
    if own and not any(domain == one or domain.endswith(f".{one}") for one in own):
        raise Refused(404, f"there are no reports about {domain}, or they are none of yours")
    before = seen(asked.store, domain, period)
    record = tried(asked.args["try"], before) if asked.args.get("try") else (stricter(before) or before)
    site = Site(asked.senders, made()[:10])
    whole = asked.desk.stores.get()  # it sums rows of this domain alone, and quickly
    cost = reckon(rows(whole, period, record, site), record, site)
    return before.text(), answer.page(cost, period, whole.name, made())


ROUTES = (Route("/policy", show),)
