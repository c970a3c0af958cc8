"""`email-report-admin erase ADDRESS`: what is stored of a person goes (GDPR, Article 17)."""

import argparse
import os
import sqlite3
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..documents.datasets import LOGIN
from ..job import EMBEDDED, choose_store, open_url
from ..keys import FILE as KEY_FILE
from ..keys import redaction_key
from ..logins.state import FILE as LOGINS
from ..pages.words import count
from ..process import Layout
from ..settings import Settings, SettingsError, state_dir, state_place
from ..stores import kept
from ..stores.store import StoreError
from ..tenants import FOLDER
from .text import fail

if TYPE_CHECKING:
    from ..privacy.documents import Count
    from ..privacy.files import Change
    from ..privacy.wanted import Wanted

EXITS = {
    0: "Done; also when nothing was found.",
    1: "Something that names the address is left; it is said what to do.",
    2: "Wrong usage or wrong settings.",
    75: "The store or the disk failed: run it again.",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of this sub-command."""
    parser.add_argument("address", metavar="ADDRESS", help="such as anna@example.org; in upper or lower case")
    parser.add_argument("--account", action="store_true", help="ADDRESS is a name without a domain: logins alone")
    parser.add_argument("--dry-run", action="store_true", help="count, and erase nothing")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Erase, and say what was found where."""
    from secrets import token_hex

    from ..privacy.wanted import account, wanted

    instead = f"erased-{token_hex(4)}@erased.invalid"
    try:
        if arguments.account:
            sought = account(arguments.address, instead=instead)
        else:
            sought = wanted(arguments.address, _tokens(arguments.address, settings), instead=instead)
    except ValueError as error:
        raise SettingsError(str(error)) from None
    found = list(_found(settings, sought, arguments.account, really=not arguments.dry_run))
    for line in [line for line, _ in found] or [f"{sought.addresses[0]}: nothing names it"]:
        print(line)
    for line, why in found:
        if why:
            fail(f"{line}: {why}", 1)
    if settings.has_tenants and not settings.tenant:
        print("not looked at: what is stored of tenants; run it again with --tenant NAME for each (docs/tenants.md).")
    return 1 if any(why for _, why in found) else 0


def _tokens(address: str, settings: Settings) -> tuple[str, ...]:
    """What the address is stored as where addresses are hidden; none where there is no key."""
    from ..values.redaction import token

    place = state_dir(settings, os.environ) / KEY_FILE
    if not (settings.given("read", "redact_key_file") or place.exists()):
        return ()
    return (token(address.strip().strip("<>"), redaction_key(settings, os.environ)),)


def _found(settings: Settings, sought: "Wanted", logins: bool, *, really: bool) -> Iterator[tuple[str, str]]:
    """A line for each place, and why it is left, if it is."""
    verb = "erased" if really else "would be erased"
    taken = "the address is taken out" if really else "the address would be taken out"
    for store, one in _documents(settings, sought, LOGIN.name if logins else "", really=really):
        yield f"{store}: {one.dataset}: {count(one.documents, 'document')}: {verb if one.gone else taken}", ""
    for change in _files(settings, sought, LOGINS if logins else "", really=really):
        what = count(change.number, "message") if change.gone else count(change.number, "place")
        yield f"{change.where}: {what}: {'left' if change.left else verb if change.gone else taken}", change.left


def _documents(settings: Settings, sought: "Wanted", only: str, *, really: bool) -> "Iterator[tuple[str, Count]]":
    from ..privacy.documents import erase

    prefix = settings.record("store", Layout).index_prefix
    for url in _stores(settings):
        store = open_url(url, settings, os.environ)
        try:
            for one in erase(store, sought, prefix, only, really=really):
                yield store.name, one
        finally:
            store.close()


def _stores(settings: Settings) -> list[str]:
    """The store of the settings, and the embedded one of the time before, if it is still there."""
    urls = [
        choose_store(settings, os.environ).url,
        f"sqlite:{os.path.join(state_place(settings, os.environ), EMBEDDED)}",
    ]
    return [
        url
        for url in dict.fromkeys(urls)
        if not url.startswith("sqlite:") or os.path.exists(url.removeprefix("sqlite:"))
    ]


def _files(settings: Settings, sought: "Wanted", only: str, *, really: bool) -> "list[Change]":
    from ..privacy.files import erase_kept, erase_state

    state = state_dir(settings, os.environ)
    if not state.is_dir():
        return []
    stores = [url.removeprefix("sqlite:") for url in _stores(settings) if url.startswith("sqlite:")]
    names = [os.path.basename(path) for path in stores if os.path.dirname(path) == str(state)]
    others = frozenset({"kept", FOLDER, *(name + end for name in names for end in ("", "-wal", "-shm"))})
    try:
        return [
            *(() if only else erase_kept(kept.directory(state), sought, really=really)),
            *erase_state(state, sought, others, only, really=really),
        ]
    except sqlite3.Error as error:
        raise StoreError(f"{state}: {error}: end what has the file open (logins, desk), and run it again") from error
