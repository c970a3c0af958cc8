"""`email-report-admin explain ID`: what a document says, field by field, and which rule made its class."""

import argparse
import json
import os

from ..advice.explain import Explained, explain
from ..documents.encode import decode
from ..flags import now
from ..job import choose_senders, choose_store
from ..pages.columns import wrap
from ..settings import Settings
from ..stores.query import Ids
from ..stores.store import Selection
from .text import fail, terminal_width


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of this sub-command."""
    parser.add_argument("id", nargs="+", metavar="ID", help="of a document, as search lists it")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print what each document says. 1 when one is not there."""
    senders = choose_senders(settings)
    store = choose_store(settings, os.environ).open()
    try:
        found = {one.row.id: one.row for one in store.select(Selection(Ids(frozenset(arguments.id))))}
    finally:
        store.close()
    status = 0
    for id_ in arguments.id:
        if id_ not in found:
            status = fail(
                f"{id_}: there is no document of this id in {store.name}; write it whole, as search lists it", 1
            )
            continue
        told = explain(decode(found[id_].source), senders, now()[:10])
        if arguments.json:
            whole = told._asdict() | {"_id": id_, "lines": [line._asdict() for line in told.lines]}
            print(json.dumps(whole, ensure_ascii=False))
        else:
            print(_text(id_, told, min(terminal_width(), 100)))
    return status


def _text(id_: str, told: Explained, width: int) -> str:
    parts = [f"{told.dataset} {id_}", wrap(told.about, width, "  ")]
    if told.class_:
        parts += [f"class {told.class_}", wrap(told.rule, width, "  "), wrap(f"→ {told.do}", width, "  ")]
    if told.verdict:
        parts += ["verdict", wrap(told.verdict, width, "  ")]
    for line in told.lines:
        source = "" if line.source == "ours" else f" ({line.source}{', ' + line.wire if line.wire else ''})"
        parts += [f"{line.name} = {line.value}", wrap(f"{line.meaning}{source}", width, "    ")]
    return "\n".join(part for part in parts if part) + "\n"
