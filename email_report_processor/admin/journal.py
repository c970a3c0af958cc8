"""`email-report-admin journal DOMAIN`: when receivers saw the policy change, and what came of it (docs/policy.md)."""

import argparse
import os
import sys
from pathlib import Path

from ..advice import journal, journal_page
from ..checking.record import read_name
from ..flags import now
from ..job import choose_store
from ..pages import text
from ..pages.asking import Scope
from ..pages.figure import Period
from ..settings import Settings
from .summary import when
from .text import fail, terminal_width


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of this sub-command."""
    parser.add_argument("domain", metavar="DOMAIN", help="whose policy")
    parser.add_argument("--since", metavar="WHEN", default="1y", help="30d, 12w, 6m, 1y, or a date (1y); all")
    parser.add_argument("--until", metavar="DATE", default="", help="before this date")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--html", metavar="FILE", help="write a page")
    form.add_argument("--json", action="store_true", help="print the journal as one JSON document")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print the journal. 0, also when nothing changed."""
    period = Period(when(arguments.since), when(arguments.until))
    try:
        domain = read_name(arguments.domain)
    except ValueError as error:
        return fail(str(error), 2)
    store = choose_store(settings, os.environ).open()
    try:
        entries = journal.read(store, Scope(period, domain))
    finally:
        store.close()
    page = journal_page.page(entries, domain, period, store.name, now())
    if arguments.html:
        from ..pages import html  # 60 ms, with Jinja2

        Path(arguments.html).write_text(html.plain(page), "utf-8")
        print(arguments.html)
    elif arguments.json:
        from ..pages.data import to_json

        sys.stdout.write(to_json(page))
    else:
        print(text.page(page, max(80, min(terminal_width(), 160))))
    return 0
