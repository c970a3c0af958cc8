"""`email-report-admin copy`: every document from one store to another.

Ids are what the documents are about, so copying twice changes nothing; a copy that was interrupted goes on where it
stood when it is given the mark that it printed (`--after`), and is merely slower without it. The index is made anew
from the document, so that what an older version stored, or other settings, lies where the filter looks for it.
"""

import argparse
import itertools
import json
import os
import sys
from collections.abc import Callable, Iterator

from ..documents.layout import dataset_of, stored_date
from ..flags import now
from ..job import open_url
from ..process import Layout, index
from ..settings import Settings, SettingsError
from ..stores.store import Row, Store, StoreError, Written
from .text import progress

BATCH = 2000  # documents written at once, and then safe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of this sub-command."""
    parser.add_argument("--from", dest="source", metavar="URL", required=True, help="the store to read")
    parser.add_argument("--to", dest="target", metavar="URL", required=True, help="the store to write")
    parser.add_argument("--after", metavar="INDEX/ID", help="go on behind this document, as an interrupted copy said")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Copy, and say how much."""
    if arguments.source == arguments.target:
        raise SettingsError(f"--from and --to are both {arguments.source}; name two stores")
    after = _mark(arguments.after)
    source = open_url(arguments.source, settings, os.environ)
    target = open_url(arguments.target, settings, os.environ)
    try:
        written = copy(source, target, after, moved(settings.record("store", Layout)))
    finally:
        source.close()
        target.close()
    for rejected in written.rejected:
        sys.stderr.write(f"not copied: {rejected.row.index}/{rejected.row.id}: {rejected.reason}\n")
    print(f"{written.stored:,} copied, {written.already:,} already there, {len(written.rejected):,} refused")
    return 1 if written.rejected else 0


def moved(layout: Layout) -> Callable[[Row], Row]:
    """What puts a row into the index in which the filter would store it."""
    time = now()

    def move(row: Row) -> Row:
        dataset = dataset_of(row.index, layout.index_prefix)
        return row._replace(index=index(dataset, stored_date(json.loads(row.source)), time, layout)) if dataset else row

    return move


def copy(
    source: Store, target: Store, after: tuple[str, str] | None, move: Callable[[Row], Row] = lambda row: row
) -> Written:
    """Copy what stands behind `after`. Raises StoreError, which names the last document that is safely there."""
    total = Written(0, 0)
    last = after
    for batch in _batches(progress(source.scan(after), "documents")):
        try:
            total += target.write([move(row) for row in batch])
        except StoreError as error:
            where = f"; go on with --after {last[0]}/{last[1]}" if last else ""
            raise StoreError(f"{error} ({total.stored:,} copied, {total.already:,} already there{where})") from error
        last = (batch[-1].index, batch[-1].id)
    return total


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while batch := list(itertools.islice(rows, BATCH)):
        yield batch


def _mark(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    index, _, document = text.rpartition("/")
    if not index:
        raise SettingsError(f"--after {text}: write INDEX/ID as the interrupted copy printed it")
    return index, document
