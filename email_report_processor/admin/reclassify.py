"""`email-report-admin reclassify`: stored documents say what new ones would, after a change of rules or verdicts.

Class, rule and sender's name are worked out anew; ids stay. Only what differs is written, so that it may be run again
at any time, also after an interruption; `--after` goes on where one stood.
"""

import argparse
import json
import os
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..documents.classify import Site
from ..documents.encode import decode, encode
from ..documents.renewed import DATASETS, FIELDS, renewed
from ..documents.senders import Senders
from ..ending import Ending
from ..job import choose_senders, choose_store
from ..settings import Settings, SettingsError
from ..stores.query import And, Between, Node, field_of
from ..stores.renewing import Renewable, Renewal, Versioned, batches
from ..stores.store import Selection, StoreError
from .summary import when
from .text import fail, progress

_SHOWN = 20  # kinds of changes that are listed


class Rules(NamedTuple):
    """What documents are held against."""

    site: Site
    senders: Senders | None


class Tally:
    """What became of documents so far."""

    def __init__(self) -> None:
        self.seen = self.changed = self.written = 0
        self.place: tuple[Any, ...] = ()  # behind which an interrupted run goes on
        self.changes: Counter[tuple[str, str, str]] = Counter()  # field, before, after -> documents

    def note(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        """One document that would say something else."""
        self.changed += 1
        for name in FIELDS:
            if before.get(name) != after.get(name):
                self.changes[name, str(before.get(name, "-")), str(after.get(name, "-"))] += 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of this sub-command."""
    parser.add_argument("--dry-run", action="store_true", help="count what would change, and write nothing")
    parser.add_argument(
        "--since", metavar="WHEN", default="all", help="30d, 12w, 6m, 1y, a date, or all (default: all)"
    )
    parser.add_argument("--after", metavar="PLACE", default="", help="go on behind this place, as an interruption said")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """0 done; 1 when documents were changed by others meanwhile; 75 when the store failed."""
    store = choose_store(settings, os.environ).open()
    rules = Rules(settings.record("site", Site), choose_senders(settings))
    tally = Tally()
    tally.place = _place(arguments.after)
    end = Ending()  # a signal waits for the batch: libraries say too much of an exception in their midst
    try:
        if not isinstance(store, Renewable):
            raise SettingsError(
                f"{store.name}: its documents cannot be written anew; copy them to a store where they can"
            )
        for batch in batches(_found(store, arguments, tally.place)):
            renewals = list(_renewals(batch, rules, tally))
            tally.written += 0 if arguments.dry_run else store.renew(renewals)
            tally.place = batch[-1].found.place
            if end.is_set():
                return _interrupted("interrupted", tally)
    except ValueError as error:
        return fail(str(error), 2)
    except StoreError as error:
        return _interrupted(str(error), tally)
    finally:
        store.close()
    return _tell(tally, dry=arguments.dry_run)


def _interrupted(why: str, tally: Tally) -> int:
    mark = f"; go on with --after {shlex.quote(json.dumps(tally.place))}" if tally.place else ""
    return fail(f"{why}{mark}", 75)


def _found(store: Renewable, arguments: argparse.Namespace, after: tuple[Any, ...]) -> Iterator[Versioned]:
    since = when(arguments.since)
    node: Node = Between(field_of("@timestamp"), since, None) if since else And()
    return progress(store.versioned(Selection(node, DATASETS), after), "documents")


def _place(text: str) -> tuple[Any, ...]:
    try:
        place = json.loads(text) if text else []
    except ValueError:
        place = None
    if not isinstance(place, list):
        raise SettingsError(f"--after {text!r} is no place: copy it from what the interrupted command said")
    return tuple(place)


def _renewals(batch: Sequence[Versioned], rules: Rules, tally: Tally) -> Iterator[Renewal]:
    """Those that would say something else."""
    for one in batch:
        fields = decode(one.found.row.source)
        tally.seen += 1
        after = renewed(fields, rules.site, rules.senders)
        if after is not None:
            tally.note(fields, after)
            yield Renewal(one.found.row._replace(source=encode(after)), one.version)


def _tell(tally: Tally, *, dry: bool) -> int:
    print(f"{tally.changed:,} of {tally.seen:,} documents {'would say' if dry else 'say'} something else")
    for (name, before, after), number in tally.changes.most_common(_SHOWN):
        print(f"  {name}: {before} → {after}: {number:,}")
    left = 0 if dry else tally.changed - tally.written
    if left:
        return fail(f"{left:,} of them were changed or removed meanwhile and were left as they are: run it again", 1)
    return 0
