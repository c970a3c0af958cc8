"""How a page of answers is shown: on the terminal, as JSON, or written as HTML."""

import argparse
import sys
from pathlib import Path

from ..pages import text
from ..pages.figure import Page
from .text import terminal_width


def add_forms(parser: argparse.ArgumentParser) -> None:
    """The flags that choose it."""
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--html", metavar="FILE", help="write a page")
    form.add_argument("--json", action="store_true", help="print the answer as one JSON document")


def show(page: Page, arguments: argparse.Namespace, *, head: str = "", widest: int = 100) -> None:
    """Show it. head: a line for the terminal. widest: columns of the terminal that are used."""
    if arguments.html:
        from ..pages import html  # 60 ms, with Jinja2

        path = Path(arguments.html)
        path.parent.mkdir(parents=True, exist_ok=True)  # as summary does
        path.write_text(html.plain(page), "utf-8")
        print(arguments.html)
    elif arguments.json:
        from ..pages.data import to_json

        sys.stdout.write(to_json(page))
    else:
        print(head + text.page(page, min(terminal_width(), widest)))
