"""`email-report-admin demo`: some weeks of made-up reports in a store, to look at before the first real one comes.

They stand under a prefix of their own, so that they mix with nothing and can be taken away again.
"""

import argparse
import os
import shlex
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from shutil import which

from ..desk.events import to_row
from ..desk.example import events
from ..documents.encode import encode
from ..flags import flags, now
from ..job import choose_store
from ..pages.example import weeks
from ..pages.words import count
from ..process import Layout, index
from ..settings import PREFIX, Settings, SettingsError, load
from ..stores.opensearch import OpenSearchStore
from ..stores.sqlite import SqliteStore
from ..stores.store import Row
from .numbers import whole

DEMO = "demo-email-report-"
_LONGEST = 52

OF_THE_SITE = True  # see admin/command.py


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of this sub-command."""
    parser.add_argument("--weeks", metavar="N", type=whole(1, _LONGEST), default=5, help="weeks up to yesterday (5)")
    parser.add_argument("--prefix", metavar="NAME", default=DEMO, help=f"of the names of their indices ({DEMO})")
    parser.add_argument("--remove", action="store_true", help="take them away again")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Store them or take them away, and say what to look at next."""
    if arguments.prefix == settings.record("store", Layout).index_prefix:
        raise SettingsError(f"--prefix {arguments.prefix}: that is where your own reports are; name another one")
    environ = {**os.environ, f"{PREFIX}STORE_INDEX_PREFIX": arguments.prefix}
    ours = load(flags(arguments), arguments.config, environ)
    choice = choose_store(ours, os.environ)
    store = choice.open()
    if not isinstance(store, OpenSearchStore | SqliteStore):
        raise SettingsError(f"--store {choice.url}: name a store that keeps documents")
    try:
        if arguments.remove:
            print(f"{count(store.remove(), 'document')} removed from {store.name}")
            return 0
        written = store.write(made(arguments.prefix, 7 * arguments.weeks))
    finally:
        store.close()
    print(f"{count(written.stored, 'document')} stored in {store.name}, {written.already:,} already there")
    print(_next(choice.url, arguments.prefix))
    return 0


def made(prefix: str, days: int) -> Iterator[Row]:
    """The made-up documents of so many days, up to yesterday."""
    last = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    documents = list(weeks(last, days))
    for dataset, id_, fields, *_ in documents:
        begin = str(fields.get("report.begin", fields["@timestamp"]))
        yield Row(index(dataset, begin, now(), Layout(prefix)), id_, encode(fields))
    yield from (to_row(event, now=now(), layout=Layout(prefix)) for event in events(documents, last))


def _next(url: str, prefix: str) -> str:
    variable = f"{PREFIX}STORE_INDEX_PREFIX={prefix}"
    program = "email-report-admin" if which("email-report-admin") else shlex.quote(sys.argv[0])
    lines = [
        "",
        "To look at them:",
        f"  {variable} {program} summary --store {url} --html page.html",
        f"  {variable} {program} desk --store {url}",
        *([f"  {variable} {program} setup --store {url}"] if url.startswith(("http:", "https:")) else []),
        "To remove them:",
        f"  {program} demo --store {url} --prefix {prefix} --remove",
    ]
    return "\n".join(lines)
