"""`email-report-admin summary`: is my mail authenticated, who sends in my name, what do I have to fix?

The same over SQLite and OpenSearch: everything is asked with `Store.totals`, by the figures of `pages`.
"""

import argparse
import os
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

from ..flags import now
from ..job import choose_store, make_job
from ..pages import text
from ..pages.asking import ALL, Scope, since
from ..pages.figure import Page, Period
from ..pages.overview import overview, seen_domains
from ..settings import Settings, SettingsError
from ..stores import kept
from ..stores.store import Store
from .looking import reads_much
from .numbers import whole
from .text import terminal_width

_WIDEST = 100  # columns of a paragraph


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of this sub-command."""
    parser.add_argument(
        "--since", metavar="WHEN", default="30d", help="30d, 12w, 6m, 1y, a date, or all (default: 30d)"
    )
    parser.add_argument("--until", metavar="DATE", default="", help="before this date")
    parser.add_argument(
        "--domain", metavar="DOMAIN", action="append", default=[], help="only this policy domain; again for more; all"
    )
    parser.add_argument(
        "--top",
        metavar="N",
        type=whole(1, 10_000),
        default=15,
        help="lines of one table, and things to fix of one class (15)",
    )
    parser.add_argument("--html", metavar="FILE", help="write a page; with several domains one each beside it")
    parser.add_argument("--json", action="store_true", help="print everything as one JSON document")
    parser.add_argument("--csv", metavar="DIR", help="write a CSV file for each figure")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print the summary, or write it."""
    reads_much()
    choice = choose_store(settings, os.environ)
    job = make_job(settings, os.environ, choice, now)
    period = Period(when(arguments.since), when(arguments.until))
    messages = list(kept.listing(job.maildir))
    store = choice.open()
    made = now()
    try:
        asked = _domains(store, period, arguments.domain)
        scope = Scope(period, asked[0] if len(asked) == 1 else "", arguments.top)
        page = overview(store, scope, messages, made)
        more = [overview(store, scope._replace(domain=one), messages, made) for one in asked if len(asked) > 1]
    finally:
        store.close()
    return _show(page, more, arguments)


def _domains(store: Store, period: Period, names: list[str]) -> list[str]:
    """The domains that were named, or those that there are reports about; none is the whole."""
    if ALL in names:
        return seen_domains(store, Scope(period))
    return [name.lower().rstrip(".") for name in names]


def _show(page: Page, domains: list[Page], arguments: argparse.Namespace) -> int:
    """Write what was asked for and say where; standard output is the JSON's alone."""
    written = _write_html(page, domains, Path(arguments.html)) if arguments.html else []
    if arguments.csv:
        from ..pages.data import write_csv  # 3 ms

        written += write_csv(page, Path(arguments.csv))
    if arguments.json:
        from ..pages.data import to_json

        sys.stdout.write(to_json(page))
    elif written:
        print(*written, sep="\n")
    else:
        print("\n\n".join(text.page(one, min(terminal_width(), _WIDEST)) for one in domains or [page]))
    return 0


def _write_html(page: Page, domains: list[Page], path: Path) -> list[Path]:
    from ..pages import html  # 60 ms, with Jinja2

    links = [html.Linked(f"{path.stem}-{file_name(one.domain)}.html", one) for one in domains]
    path.parent.mkdir(parents=True, exist_ok=True)  # as --csv makes its directory
    path.write_text(html.overview(page) if not links else html.index(page, links), "utf-8")
    for link in links:
        (path.parent / link.href).write_text(html.overview(link.page, index=path.name), "utf-8")
    return [path, *(path.parent / link.href for link in links)]


def file_name(domain: str) -> str:
    """A domain as a file's name: a report may name anything as its domain."""
    return re.sub(r"[^a-z0-9.-]", "_", domain)[:100].strip(".") or "_"


def when(text: str) -> str:
    """A date or a span back from now as RFC 3339; '' for all. Raises SettingsError."""
    try:
        return since(text, datetime.now(UTC))
    except ValueError as error:
        raise SettingsError(str(error)) from error
