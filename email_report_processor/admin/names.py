"""`email-report-admin names`: give hosts without a name one, by the DNS; for a timer (docs/senders.md)."""

import argparse
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..advice.names import Named, namer, read_map
from ..checking.resolver import UnansweredError
from ..documents.encode import decode, encode
from ..job import choose_store
from ..settings import Settings, SettingsError
from ..stores.query import And, Between, Exists, Node, Not, field_of
from ..stores.renewing import Renewable, Renewal, Versioned, batches
from ..stores.store import Selection
from .asking_dns import add_dns, resolver
from .summary import when
from .text import fail, progress


class Told(NamedTuple):
    """What became of documents without a name."""

    named: Counter[tuple[str, str]]  # name and rule -> documents
    unanswered: Counter[str]  # why the DNS could not tell -> documents


Find = Callable[[Mapping[str, Any]], Named | None]
_DATASETS = ("dmarc-aggregate", "dmarc-failure", "arf")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of this sub-command."""
    parser.add_argument("--since", metavar="WHEN", default="30d", help="30d, 12w, a date, or all (default: 30d)")
    parser.add_argument("--map", metavar="FILE", default="", help="CSV with base_reverse_dns and name")
    parser.add_argument("--dry-run", action="store_true", help="say what would be written")
    add_dns(parser)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """0 done; 2 wrong usage; 75 the DNS told nothing. What others changed meanwhile is left for the next run."""
    find = namer(resolver(arguments), _map(arguments.map))
    store = choose_store(settings, os.environ).open()
    told = Told(Counter(), Counter())
    try:
        if not isinstance(store, Renewable):
            raise SettingsError(
                f"{store.name}: its documents cannot be written anew; copy them to a store where they can"
            )
        for batch in batches(progress(store.versioned(_unnamed(arguments)), "documents without a name")):
            renewals = list(_renewals(batch, find, told))
            if not arguments.dry_run:
                store.renew(renewals)
    finally:
        store.close()
    print(f"{told.named.total():,} documents {'would get' if arguments.dry_run else 'got'} a name")
    for (name, rule), number in told.named.most_common(20):
        print(f"  {name} ({rule}): {number:,}")
    return _say_unanswered(told)


def _say_unanswered(told: Told) -> int:
    if not told.unanswered:
        return 0
    (why, _), *_ = told.unanswered.most_common(1)
    text = f"the DNS told nothing of the hosts of {told.unanswered.total():,} more ({why}): run it again later"
    return fail(f"{text}, or ask another resolver: --server ADDRESS", 0 if told.named else 75)


def _unnamed(arguments: argparse.Namespace) -> Selection:
    since = when(arguments.since)
    nodes: list[Node] = [Not(Exists(field_of("source.name"))), Exists(field_of("source.ip"))]
    nodes += [Between(field_of("@timestamp"), since, None)] if since else []
    return Selection(And(tuple(nodes)), _DATASETS)


def _renewals(batch: Sequence[Versioned], find: Find, told: Told) -> Iterator[Renewal]:
    for one in batch:
        fields = decode(one.found.row.source)
        try:
            found = find(fields)
        except UnansweredError as error:
            told.unanswered[str(error)] += 1
            continue
        if found is not None:
            told.named[found.name, found.rule] += 1
            source = encode(fields | {"source.name": found.name, "source.name_rule": found.rule})
            yield Renewal(one.found.row._replace(source=source), one.version)


def _map(path: str) -> dict[str, str]:
    if not path:
        return {}
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return read_map(file)
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
