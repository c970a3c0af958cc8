"""What the site says of a sender, written into the file of verdicts (docs/senders.md): for the command and the desk."""

import json
import os
import tempfile
import tomllib
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from ..documents.senders import Senders, read_senders
from ..job import choose_senders, read_entries
from ..settings import SenderFile, Settings, SettingsError, state_dir

FILE = "senders.toml"  # in the state directory, where no file is named


def make_entry(what: str, said: Mapping[str, str]) -> dict[str, Any]:
    """The table of one verdict; empty values are left out. Raises SettingsError for what names no sender or verdict."""
    entry = {**_place(what), **said}
    entry = {name: value for name, value in entry.items() if value}
    try:
        read_senders({}, [entry])
    except ValueError as error:
        raise SettingsError(str(error).removeprefix("entry 1: ")) from error
    return entry


def give(settings: Settings, entry: dict[str, Any]) -> Path:
    """Add it to the file, which is returned. Raises SettingsError when what is there already is wrong, OSError."""
    known_senders(settings)
    path = verdict_file(settings)
    add(path, entry)
    return path


def verdict_file(settings: Settings) -> Path:
    """Where verdicts are written: [site] senders_file, else a file in the state directory."""
    said = settings.record("site", SenderFile).senders_file
    return Path(said) if said else state_dir(settings, os.environ) / FILE


def known_senders(settings: Settings) -> Senders | None:
    """[senders], `[[senders]]` and the file of verdicts, whether or not it is named. Raises SettingsError."""
    entries = [*settings.tables("senders"), *read_entries(str(verdict_file(settings)))]
    try:
        return read_senders(settings.mapping("senders"), entries)
    except ValueError as error:
        raise SettingsError(f"[senders] or {verdict_file(settings)}: {error}") from error


def add(path: Path, entry: dict[str, Any]) -> None:
    """Append one table; whoever reads the file meanwhile sees it without or with it. Raises OSError."""
    before = path.read_text("utf-8") if path.exists() else "# Verdicts on senders: docs/senders.md. Later ones count.\n"
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    text = f"{before.rstrip()}\n\n[[senders]]\n" + "".join(
        f"{name} = {_toml(value)}\n" for name, value in entry.items()
    )
    _write(path, text, mode)


def _write(path: Path, text: str, mode: int = 0) -> None:
    """Whole or not at all. mode: of a new file; 0 is that of the one that is there."""
    mode = mode or path.stat().st_mode & 0o777
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}-", delete=False
    ) as file:
        file.write(text)
        file.flush()
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())
    os.replace(file.name, path)


_NAMES = ("network", "as", "domain", "dkim", "selector", "sender")  # keys that say what an entry is about


def remove(settings: Settings, what: str) -> int:
    """Take what names this out of the file; how many entries there were. Raises SettingsError, OSError."""
    choose_senders(settings)
    path, place = verdict_file(settings), _place(what)
    read_entries(str(path))  # what is no TOML is not touched
    if not path.exists():
        return 0
    head, *blocks = path.read_text("utf-8").split("[[senders]]")
    kept = [block if not _is_about(block, place) else _remarks(block) for block in blocks]
    number = sum(_is_about(block, place) for block in blocks)
    if number:
        texts = [f"[[senders]]{new}" if new is old else new for new, old in zip(kept, blocks, strict=True)]
        _write(path, head + "".join(texts))
    return number


def _is_about(block: str, place: Mapping[str, Any]) -> bool:
    entry = tomllib.loads(block)
    said = {name: entry[name] for name in _NAMES if entry.get(name) not in {None, ""}}
    if "network" in said:
        said["network"] = _network(str(said["network"]))
    return said == {name: value for name, value in place.items() if value != ""}


def _remarks(block: str) -> str:
    """The comments behind an entry: they are about the next one."""
    lines = block.splitlines(keepends=True)
    while lines and (lines[0].strip() == "" or not lines[0].lstrip().startswith("#")):
        lines.pop(0)
    return "".join(lines)


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
