"""`email-report-admin journal DOMAIN`: when receivers saw the policy change, and what came of it (docs/policy.md)."""

import argparse
import os

from ..advice import journal, journal_page
from ..checking.record import read_name
from ..flags import now
from ..job import choose_store
from ..pages.asking import Scope, ask
from ..pages.figure import Period
from ..settings import Settings
from .showing import add_forms, show
from .summary import when
from .text import fail


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of this sub-command."""
    parser.add_argument("domain", metavar="DOMAIN", help="whose policy")
    parser.add_argument("--since", metavar="WHEN", default="1y", help="30d, 12w, 6m, 1y, a date, or all (default: 1y)")
    parser.add_argument("--until", metavar="DATE", default="", help="before this date")
    add_forms(parser)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print the journal. 0, also when nothing changed."""
    period = Period(when(arguments.since), when(arguments.until))
    try:
        domain = read_name(arguments.domain)
    except ValueError as error:
        return fail(str(error), 2)
    store = choose_store(settings, os.environ).open()
    try:
        scope = Scope(period, domain)
        entries = journal.read(store, scope)
        known = entries or any(one.documents for one in ask(store, scope, "dmarc-aggregate", sum=()))
    finally:
        store.close()
    if not entries and not known:
        return fail(f"there are no reports about {domain} in this time: name another one, or --since all", 2)
    page = journal_page.page(entries, domain, period, store.name, now())
    show(page, arguments, widest=160)
    return 0
