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

from ..documents.datasets import BY_NAME
from ..documents.layout import dataset_of, stored_date
from ..flags import flags, now
from ..job import open_url
from ..process import Layout, index
from ..settings import PREFIX, Settings, SettingsError, load
from ..stores.opensearch import OpenSearchStore
from ..stores.store import Row, Store, StoreError, Written
from .text import progress

BATCH = 2000  # documents written at once, and then safe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of this sub-command."""
    parser.add_argument("--from", dest="source", metavar="URL", required=True, help="the store to read")
    parser.add_argument("--to", dest="target", metavar="URL", required=True, help="the store to write")
    parser.add_argument(
        "--from-prefix", metavar="NAME", default="", help="copy what has this prefix, and give it that of the settings"
    )
    parser.add_argument("--after", metavar="INDEX/ID", help="go on behind this document, as an interrupted copy said")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Copy, and say how much."""
    layout = settings.record("store", Layout)
    prefix = arguments.from_prefix or layout.index_prefix
    # In one file an id is there once, whatever its index.
    if arguments.source == arguments.target and (prefix == layout.index_prefix or arguments.source[:4] != "http"):
        raise SettingsError(f"--from and --to are both {arguments.source}; name two stores")
    after = _mark(arguments.after)
    source = open_url(
        arguments.source, _with_prefix(arguments, prefix) if arguments.from_prefix else settings, os.environ
    )
    target = open_url(arguments.target, settings, os.environ)
    try:
        _refresh(source)
        chosen = [ours(prefix)] if arguments.from_prefix else []
        written = copy(source, target, after, moved(layout, prefix), *chosen)
    finally:
        source.close()
        target.close()
    for rejected in written.rejected:
        sys.stderr.write(f"not copied: {rejected.row.index}/{rejected.row.id}: {rejected.reason}\n")
    print(f"{written.stored:,} copied, {written.already:,} already there, {len(written.rejected):,} refused")
    return 1 if written.rejected else 0


def _with_prefix(arguments: argparse.Namespace, prefix: str) -> Settings:
    return load(flags(arguments), arguments.config, {**os.environ, f"{PREFIX}STORE_INDEX_PREFIX": prefix})


def _refresh(source: Store) -> None:
    if isinstance(source, OpenSearchStore) and not source.refresh():
        sys.stderr.write(
            f"{source.name}: this user may not refresh: what was written in the last 30 seconds may be missing;"
            " copy once more then, which changes nothing else\n"
        )


def ours(prefix: str) -> Callable[[Row], bool]:
    """What tells whether a row has this prefix."""
    return lambda row: dataset_of(row.index, prefix) in BY_NAME


def moved(layout: Layout, prefix: str) -> Callable[[Row], Row]:
    """What puts a row of a prefix into the index in which the filter would store it."""
    time = now()

    def move(row: Row) -> Row:
        dataset = dataset_of(row.index, prefix)
        return row._replace(index=index(dataset, stored_date(json.loads(row.source)), time, layout)) if dataset else row

    return move


def copy(
    source: Store,
    target: Store,
    after: tuple[str, str] | None,
    move: Callable[[Row], Row] = lambda row: row,
    only: Callable[[Row], bool] = lambda row: True,
) -> Written:
    """Copy what stands behind `after`. Raises StoreError, which names the last document that is safely there."""
    total = Written(0, 0)
    last = after
    for batch in _batches(progress(filter(only, source.scan(after)), "documents")):
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
