"""`email-report-admin verdict`: what the site says of a sender, written into the file of verdicts (docs/senders.md)."""

import argparse
import json
import os
import pwd
from typing import Any

from ..desk.verdicts import give, make_entry, remove, verdict_file
from ..documents.senders import VERDICTS
from ..flags import now
from ..job import read_entries
from ..settings import SenderFile, Settings, SettingsError
from .text import fail, table

_COLUMNS = ("what", "verdict", "name", "until", "comment", "by", "at")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of this sub-command."""
    parser.add_argument(
        "what",
        nargs="?",
        metavar="WHAT",
        help="192.0.2.0/24, AS64500, example.net, dkim:example.net/SELECTOR or sender:NAME; without it, list",
    )
    parser.add_argument("verdict", nargs="?", choices=VERDICTS, metavar="VERDICT", help=", ".join(VERDICTS))
    parser.add_argument("--name", default="", help="what the sender is called from now on")
    parser.add_argument("--until", metavar="DATE", default="", help="the verdict's last day")
    parser.add_argument("--comment", metavar="TEXT", default="", help="why")
    parser.add_argument("--remove", action="store_true", help="take back what the file says of WHAT")
    parser.add_argument("--by", metavar="WHO", default="", help="who says so (the user who runs this)")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Add a verdict, take one back, or list all of them. 0 when that is done."""
    if arguments.what is None:
        return fail("say of which sender: --remove WHAT", 2) if arguments.remove else _list_all(settings)
    if arguments.remove:
        return _remove(arguments.what, settings)
    if not (arguments.verdict or arguments.name):
        return fail("say a verdict or a --name; verdicts are " + ", ".join(VERDICTS), 2)
    said = {name: getattr(arguments, name) or "" for name in ("verdict", "name", "until", "comment")}
    try:
        entry = make_entry(arguments.what, {**said, "by": arguments.by or _user(), "at": now()})
    except SettingsError as error:
        return fail(str(error), 2)
    path = give(settings, entry)
    print(f"{arguments.what}: {entry.get('verdict', '')} {entry.get('name', '')}".rstrip() + f", in {path}")
    if "until" in entry and str(entry["until"])[:10] < now()[:10]:
        print("That day is over: it counts no more. With a later --until DATE, or without one, it does.")
    _say_unset(settings)
    return 0


def _say_unset(settings: Settings) -> None:
    """The file is in the state directory, and the filter looks only where the settings say."""
    if not settings.record("site", SenderFile).senders_file:
        path = str(verdict_file(settings))
        print(f"The filter looks there when the settings say so:\n\n[site]\nsenders_file = {json.dumps(path)}")


def _remove(what: str, settings: Settings) -> int:
    path = verdict_file(settings)
    try:
        number = remove(settings, what)
    except SettingsError as error:
        return fail(str(error), 2)
    if not number:
        return fail(f"{what}: nothing in {path} names it; what the settings say of it is changed there", 1)
    print(f"{what}: taken back, in {path}")
    return 0


def _list_all(settings: Settings) -> int:
    entries = read_entries(str(verdict_file(settings)))
    status = _list([*settings.tables("senders"), *entries])
    if entries:
        _say_unset(settings)
    return status


def _list(entries: list[Any]) -> int:
    today = now()[:10]
    rows = [
        [_what(one), *(_said(one, name, today) for name in _COLUMNS[1:])] for one in entries if isinstance(one, dict)
    ]
    print(table(_COLUMNS, rows, indent="") if rows else "no verdicts yet: email-report-admin verdict 192.0.2.0/24 mine")
    return 0


def _said(entry: dict[str, Any], name: str, today: str) -> str:
    text = str(entry.get(name, ""))
    return f"{text} (over)" if name == "until" and text and text < today else text


def _what(entry: dict[str, Any]) -> str:
    if "as" in entry:
        return f"AS{entry['as']}"
    if "dkim" in entry:
        return f"dkim:{entry['dkim']}" + (f"/{entry['selector']}" if entry.get("selector") else "")
    return f"sender:{entry['sender']}" if "sender" in entry else str(entry.get("network") or entry.get("domain", ""))


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
