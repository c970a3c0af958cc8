"""The first settings of a site: their text, and how they are written without losing what was there."""

import grp
import json
import os
import tempfile
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

GROUP = "email-report"  # of the user that the filter runs as, where there is one
MODE = 0o640  # a password may stand in it


class Wanted(NamedTuple):
    """What somebody answered."""

    domain: str
    address: str
    store: str  # '' is the embedded store in the state directory
    username: str = ""
    password_file: str = ""


def text(wanted: Wanted) -> str:
    """The file of settings."""
    parts = ["# Written by email-report-admin init. Every setting: docs/settings.md.\n"]
    if wanted.store:
        parts.append(f"[store]\nurl = {_quoted(wanted.store)}\n")
    else:
        parts.append("# Without [store] url, reports go into an embedded store in the state directory.\n")
    if wanted.username:
        parts.append(
            f"[opensearch]\nusername = {_quoted(wanted.username)}\npassword_file = {_quoted(wanted.password_file)}\n"
        )
    parts.append(f"[site]\nown_domains = [{_quoted(wanted.domain)}]\n")
    return "\n".join(parts)


def _quoted(value: str) -> str:
    # A basic string of TOML is one of JSON, but for DEL, which TOML wants escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def says_something(path: Path) -> bool:
    """Whether there is a file with more than comments in it."""
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return False
    return any(line.strip() and not line.lstrip().startswith("#") for line in lines)


def write(path: Path, content: str, moment: datetime) -> Path | None:
    """Write the settings whole or not at all; what stood there before is kept beside them, and its path returned."""
    before = None
    if path.exists():
        before = path.with_name(f"{path.name}.before-{moment:%Y%m%dT%H%M%S}")
        before.write_bytes(path.read_bytes())
        before.chmod(MODE & path.stat().st_mode)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as file:
        file.write(content)
        file.flush()
        os.fchmod(file.fileno(), MODE)
        if (group := _group()) is not None and os.geteuid() == 0:
            os.fchown(file.fileno(), 0, group)
        os.fsync(file.fileno())
    os.replace(file.name, path)
    return before


def _group() -> int | None:
    try:
        return grp.getgrnam(GROUP).gr_gid
    except KeyError:
        return None
