"""`email-report-admin prune`: documents of the embedded store go when their time is over."""

import argparse
import os
from datetime import UTC, datetime

from ..cluster.setup import read_retention
from ..job import choose_store
from ..pages.words import count
from ..settings import Settings, SettingsError

EXITS = {
    0: "Done; also when nothing was old enough.",
    2: "Wrong usage or wrong settings.",
    75: "The store failed, or is none that keeps everything by itself.",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of this sub-command."""
    parser.add_argument("--dry-run", action="store_true", help="count, and take nothing away")
    parser.add_argument(
        "--retention", metavar="DATASET=DAYS", action="append", default=[], help="how long; 0 for ever; repeatable"
    )


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Take away what is old, and say how much."""
    from ..privacy.prune import cutoffs, prune

    try:
        retention = dict(map(read_retention, arguments.retention))
    except ValueError as error:
        raise SettingsError(f"--retention: {error}") from None
    store = choose_store(settings, os.environ).open()
    try:
        before = cutoffs(retention, datetime.now(UTC))
        counts = prune(store, before, really=not arguments.dry_run)
    finally:
        store.close()
    did = "would go" if arguments.dry_run else "went"
    for dataset, number in sorted(counts.items()):
        print(f"{dataset}: {count(number, 'document')} stored before {before[dataset][:10]} {did}")
    if not counts:
        print(f"{store.name}: nothing is old enough")
    return 0
