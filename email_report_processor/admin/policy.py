"""`email-report-admin policy DOMAIN`: which wanted mail would a stricter DMARC record have lost (docs/policy.md)?"""

import argparse
import os
from collections.abc import Callable, Container

from ..advice import answer
from ..advice.asking import rows, seen
from ..advice.cost import Cost, Site, reckon
from ..advice.record import Record, stricter, tried
from ..checking.record import read_name
from ..checking.resolver import UnansweredError
from ..flags import now
from ..job import choose_senders, choose_store
from ..pages.figure import Period
from ..settings import Settings
from ..stores.store import Store
from .asking_dns import add_dns, resolver
from .looking import reads_much
from .showing import add_forms, show
from .summary import when
from .text import fail

_DATASET = "dmarc-aggregate"
_NEWEST = 100  # rows that say what record receivers see


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of this sub-command."""
    parser.add_argument("domain", metavar="DOMAIN", help="whose record")
    parser.add_argument("--try", dest="tags", metavar="TAGS", default="", help='"p=reject; adkim=s" (the next step)')
    parser.add_argument(
        "--without", metavar="MECHANISM", action="append", default=[], help="of SPF, gone: include:spf.example.net"
    )
    add_dns(parser)
    parser.add_argument(
        "--since", metavar="WHEN", default="90d", help="30d, 12w, 6m, 1y, a date, or all (default: 90d)"
    )
    parser.add_argument("--until", metavar="DATE", default="", help="before this date")
    add_forms(parser)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print the answer. 0: it loses nothing; 1: something would be lost or is not known; 2: wrong usage."""
    reads_much()
    period = Period(when(arguments.since), when(arguments.until))
    store = choose_store(settings, os.environ).open()
    made = now()
    try:
        domain = read_name(arguments.domain)
        before = seen(store, domain, period)
        record = _tried(arguments, before)
        site = Site(choose_senders(settings), made[:10], _absent(arguments, record), _without(arguments, domain))
        cost, site = _reckoned(store, period, record, site)
        page = answer.page(cost, period, store.name, made, site.absent)
    except ValueError as error:
        return fail(str(error), 2)
    finally:
        store.close()
    if arguments.without:
        page = page._replace(title=f"{page.title}, SPF without {', '.join(arguments.without)}")
    show(page, arguments, head=f"{page.title}\n(receivers saw: {before.text()})\n\n")
    return 0 if answer.is_safe(cost) else 1


def _tried(arguments: argparse.Namespace, before: Record) -> Record:
    """What was asked for; without a mechanism the same record, else the next step."""
    if arguments.tags:
        return tried(arguments.tags, before)
    return before if arguments.without else stricter(before) or before


def _reckoned(store: Store, period: Period, record: Record, site: Site) -> tuple[Cost, Site]:
    """The cost; where the DNS does not tell which names exist, as far as that can be said without it."""
    try:
        return reckon(rows(store, period, record, site), record, site), site
    except UnansweredError as error:
        fail(f"{error}; whether subdomains exist is left open", 0)
        site = site._replace(absent=None)
        return reckon(rows(store, period, record, site), record, site), site


def _absent(arguments: argparse.Namespace, record: Record) -> Container[str] | None:
    """Which names do not exist, where it matters."""
    if not record.asks_what_exists:
        return None
    from ..advice.absent import Absent  # 80 ms with dnspython

    return Absent(resolver(arguments))


def _without(arguments: argparse.Namespace, domain: str) -> Callable[[str, str], bool] | None:
    """Who would no longer pass SPF; None when nothing goes."""
    if not arguments.without:
        return None
    from ..advice.without import loses  # 85 ms with dnspython

    return loses(domain, arguments.without, resolver(arguments))
