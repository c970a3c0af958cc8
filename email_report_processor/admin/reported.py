"""The reported messages that a query finds, and the domains that are ours: for `campaigns` and `urls`."""

import argparse
import os
from collections.abc import Iterable
from datetime import UTC, datetime

from ..desk.history import flags_of
from ..desk.message import DATASETS, Message, from_row
from ..documents.classify import Site
from ..job import choose_store
from ..settings import Settings, SettingsError
from ..stores.query import QueryError, parse
from ..stores.store import Selection
from .search import saved


def add_query(parser: argparse.ArgumentParser, usual: str) -> None:
    """The query of a sub-command. usual: what is asked for without one."""
    parser.add_argument("query", nargs="*", metavar="QUERY", default=[], help=f"which messages ({usual})")
    parser.set_defaults(usual=usual)


def reported(arguments: argparse.Namespace, settings: Settings) -> list[Message]:
    """The messages, newest first. Raises SettingsError for a query that cannot be read, StoreError."""
    text = saved(" ".join(arguments.query) or arguments.usual, settings)
    store = choose_store(settings, os.environ).open()
    try:
        node = parse(text, datetime.now(UTC), flags_of(text, store))
        return [from_row(one.row) for one in store.select(Selection(node, DATASETS))]
    except QueryError as error:
        raise SettingsError(str(error)) from error
    finally:
        store.close()


def own_domains(messages: Iterable[Message], settings: Settings) -> set[str]:
    """What the settings name as ours, and what the reports are about."""
    return {*settings.record("site", Site).own_domains, *(name for one in messages for name in one.reported_domains)}
