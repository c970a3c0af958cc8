"""`email-report-admin copy`: every document from one store to another.

Ids are what the documents are about, so copying twice changes nothing; a copy that was interrupted goes on where it
stood when it is given the mark that it printed (`--after`), and is merely slower without it. The index is made anew
from the document, so that what an older version stored, or other settings, lies where the filter looks for it.
`--follow` goes on for ever: what is new in the one store goes to the other (stores/follow, docs/stores.md).
"""

import argparse
import itertools
import json
import os
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from ..documents.datasets import BY_NAME
from ..documents.layout import dataset_of, stored_date
from ..ending import Ending
from ..flags import flags, now
from ..job import open_url
from ..process import Layout, index
from ..settings import PREFIX, Settings, SettingsError, load, state_place
from ..stores.follow import WINDOW, Cursor, Log, Sent, follow, send_on
from ..stores.opensearch import OpenSearchStore
from ..stores.store import Rejected, Row, Store, StoreError, Written
from ..values.fields import write_date
from .numbers import span
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
    parser.add_argument("--to-config", metavar="FILE", help="settings of the store to write, where it has its own")
    more = parser.add_argument_group("what is new, for ever")
    more.add_argument("--follow", action="store_true", help="send on what is new, from where it stood, until a signal")
    more.add_argument("--since", metavar="DATE", help="where it begins at first: what was stored from then on")
    more.add_argument("--every", metavar="SECONDS", type=span(0.01), default=10.0, help="look so often (10)")
    more.add_argument(
        "--window", metavar="SECONDS", type=span(0), default=WINDOW, help="how late a writer may be (600)"
    )
    more.add_argument("--once", action="store_true", help="with --follow: one round, and leave")


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
    target = open_url(arguments.target, _of_target(arguments, settings), os.environ)
    try:
        if arguments.follow:
            return _follow(arguments, settings, source, target, prefix)
        _refresh(source)
        chosen = [ours(prefix)] if arguments.from_prefix else []
        written = copy(source, target, after, moved(layout, prefix), *chosen)
    finally:
        source.close()
        target.close()
    for rejected in written.rejected:
        _refused(rejected)
    print(f"{written.stored:,} copied, {written.already:,} already there, {len(written.rejected):,} refused")
    return 1 if written.rejected else 0


def _follow(arguments: argparse.Namespace, settings: Settings, source: Store, target: Store, prefix: str) -> int:
    """Send on what is new, until a signal; with --once what there is now. Raises StoreError, SettingsError."""
    if not isinstance(source, Log):
        raise SettingsError(f"{source.name} cannot be followed: name a store that can be read")
    if arguments.after:
        raise SettingsError("--after is for a copy that ends; where --follow stands is remembered")
    end = Ending()
    layout = settings.record("store", Layout)
    since = _moment(arguments.since)
    cursor = Cursor(state_place(settings, os.environ), source.name, target.name, prefix, since)

    def round_() -> Sent:
        move = moved(layout, prefix)  # a new clock
        return send_on(source, target, cursor, window=arguments.window, move=move, only=ours(prefix), stop=end.is_set)

    try:
        if arguments.once:
            sent = round_()
            for rejected in sent.written.rejected:
                _refused(rejected)
            print(f"{sent.written.stored:,} sent on, {sent.written.already:,} already there")
            return 1 if sent.written.rejected else 0
        follow(round_, cursor, every=arguments.every, stop=end.wait, tell=_tell, refused=_refused)
        return 0
    finally:
        cursor.close()


def _moment(text: str | None) -> str:
    if text is None:
        return ""
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"--since {text!r} is no date: write 2026-11-20 or 2026-11-20T18:00:00Z") from None
    return write_date(value.replace(tzinfo=UTC) if value.tzinfo is None else value)


def _tell(text: str) -> None:
    sys.stderr.write(f"email-report-admin: {text}\n")


def _refused(rejected: Rejected) -> None:
    sys.stderr.write(f"not copied: {rejected.row.index}/{rejected.row.id}: {rejected.reason}\n")


def _of_target(arguments: argparse.Namespace, settings: Settings) -> Settings:
    """Two clusters have two passwords."""
    return load(flags(arguments), arguments.to_config, os.environ) if arguments.to_config else settings


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
