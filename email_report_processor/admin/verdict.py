"""`email-report-admin verdict`: what the site says of a sender, written into the file of verdicts (docs/senders.md)."""

import argparse
import json
import os
import pwd
import tempfile
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from ..documents.senders import VERDICTS, read_senders
from ..flags import now
from ..job import choose_senders, read_entries
from ..settings import SenderFile, Settings, SettingsError, state_dir
from .text import fail, table

_FILE = "senders.toml"  # in the state directory, where no file is named
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
    parser.add_argument("--comment", default="", help="why")
    parser.add_argument("--by", default="", help="who says so (the user who runs this)")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Add a verdict, or list all of them. 0 when that is done."""
    path = verdict_file(settings)
    if arguments.what is None:
        return _list([*settings.tables("senders"), *read_entries(str(path))])
    if not (arguments.verdict or arguments.name):
        return fail("say a verdict or a --name; verdicts are " + ", ".join(VERDICTS), 2)
    entry = {
        **_place(arguments.what),
        **{name: getattr(arguments, name) for name in ("verdict", "name", "until", "comment")},
    }
    entry |= {"by": arguments.by or _user(), "at": now()}
    entry = {name: value for name, value in entry.items() if value}
    try:
        read_senders({}, [entry])
    except ValueError as error:
        return fail(str(error).removeprefix("entry 1: "), 2)
    choose_senders(settings)  # whatever is wrong already is said before anything is added
    add(path, entry)
    print(f"{arguments.what}: {entry.get('verdict', '')} {entry.get('name', '')}".rstrip() + f", in {path}")
    if not settings.record("site", SenderFile).senders_file:
        print("The filter and the pages look there when the settings say so:\n")
        print(f"[site]\nsenders_file = {json.dumps(str(path))}")
    return 0


def verdict_file(settings: Settings) -> Path:
    """Where verdicts are written: [site] senders_file, else a file in the state directory."""
    said = settings.record("site", SenderFile).senders_file
    return Path(said) if said else state_dir(settings, os.environ) / _FILE


def add(path: Path, entry: dict[str, Any]) -> None:
    """Append one table; whoever reads the file meanwhile sees it without or with it. Raises OSError."""
    before = path.read_text("utf-8") if path.exists() else "# Verdicts on senders: docs/senders.md. Later ones count.\n"
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    text = f"{before.rstrip()}\n\n[[senders]]\n" + "".join(
        f"{name} = {_toml(value)}\n" for name, value in entry.items()
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}-", delete=False
    ) as file:
        file.write(text)
        file.flush()
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())
    os.replace(file.name, path)


def _toml(value: Any) -> str:
    """A basic string of TOML, which for what is printable is one of JSON."""
    return str(value) if isinstance(value, int) else json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _place(what: str) -> dict[str, Any]:
    """The key of an entry that names this. Raises SettingsError."""
    kind, colon, rest = what.partition(":")
    if colon and kind == "sender":
        return {"sender": rest}
    if colon and kind == "dkim":
        domain, _, selector = rest.partition("/")
        return {"dkim": domain, "selector": selector}
    if what[:2].upper() == "AS" and what[2:].isdigit():
        return {"as": int(what[2:])}
    if "/" in what or ":" in what or what.replace(".", "").isdigit():
        return {"network": _network(what)}
    if "." in what:
        return {"domain": what}
    raise SettingsError(
        f"{what!r} names no sender: write a network, AS64500, a domain, dkim:DOMAIN/SELECTOR or sender:NAME"
    )


def _network(text: str) -> str:
    """Without host bits, so that one network is one entry. Raises SettingsError."""
    try:
        return str(ip_network(text, strict=False)) if "/" in text else str(ip_address(text))
    except ValueError as error:
        raise SettingsError(f"{text!r} is neither a network such as 192.0.2.0/24 nor an address") from error


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
