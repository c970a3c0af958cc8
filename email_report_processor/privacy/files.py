"""An address in the state directory: kept messages and drafts that name it go, in other files it is taken out."""

import os
import re
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple

from ..message.blob import Memory
from ..message.mail import read_mail
from ..reports.reading import read_message
from ..reports.report import Options
from ..stores import kept, owner
from .wanted import Wanted

_TEXT_BYTES = 16 * 1024**2  # looked at of one part, and of one file that is no message
_SQLITE = b"SQLite format 3\0"
_MESSAGE = re.compile(r"\.(?:eml|eml\.tmp)\Z")
_OPTIONS = Options(sample="full")
# Tables whose rows are in force: to change them would do something.
IN_FORCE = {("logins.sqlite", "stops"): "the account is stopped: `email-report-admin logins release` first"}
_SECRETS = frozenset({"redaction.key"})


class Change(NamedTuple):
    """What was found in a file, or in a table of one."""

    where: str
    number: int  # messages, rows, or 1 for a file
    gone: bool
    left: str = ""  # why it is left as it is


def erase_kept(maildir: Path, wanted: Wanted, *, really: bool) -> list[Change]:
    """Kept messages that name it, in their text or in what is packed into them. Raises OSError."""
    found = [one.path for one in kept.listing(maildir) if _names(one.path.read_bytes()[one.offset :], wanted)]
    for path in found if really else ():
        path.unlink(missing_ok=True)
    return [Change(str(maildir), len(found), True)] if found else []


def _names(raw: bytes, wanted: Wanted) -> bool:
    """Whether a message names it: as it stands, decoded, or in the reports that it holds."""
    if _text_names(raw, wanted):
        return True
    bounds = _OPTIONS.bounds
    mail = read_mail(Memory(raw), mime_depth=bounds.mime_depth, mime_parts=bounds.mime_parts)
    parts = [mail]
    while parts:
        part = parts.pop()
        if not part.parts and _text_names(part.body(_TEXT_BYTES), wanted):
            return True
        parts.extend(part.parts)
    return any(
        wanted.is_in(document.fields)
        for report in read_message(raw, _OPTIONS).reports
        for document in report.documents()
    )


def _text_names(data: bytes, wanted: Wanted) -> bool:
    return wanted.may_be_in(data) and wanted.is_in(data.decode("utf-8", "replace"))


def erase_state(state: Path, wanted: Wanted, without: frozenset[str], only: str = "", *, really: bool) -> list[Change]:
    """Everything else below the state directory. Raises OSError, sqlite3.Error.

    without: names that others look at. only: the one file that is looked at, '' for all.
    """
    changes: list[Change] = []
    for path in _files(state, without):
        if only and path != state / only:
            continue
        with path.open("rb") as file:
            beginning = file.read(len(_SQLITE))
        if beginning == _SQLITE:
            changes += _in_database(path, wanted, really=really)
        elif not path.name.endswith(("-wal", "-shm")):
            changes += _in_file(path, wanted, really=really)
    return changes


def _files(state: Path, without: frozenset[str]) -> Iterator[Path]:
    for folder, folders, names in os.walk(state):
        here = Path(folder)
        if here == state:
            folders[:] = [name for name in folders if name not in without]
        hidden = without | _SECRETS if here == state else frozenset()
        paths = [here / name for name in sorted(names) if name not in hidden]
        yield from (path for path in paths if path.is_file() and not path.is_symlink())


def _in_file(path: Path, wanted: Wanted, *, really: bool) -> list[Change]:
    data = path.read_bytes()
    message = _MESSAGE.search(path.name) is not None
    if not (_names(data, wanted) if message else _text_names(data, wanted)):
        return []
    if message:
        if really:
            path.unlink(missing_ok=True)
        return [Change(str(path), 1, True)]
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return [Change(str(path), 1, False, "it is no text: look at it by hand")]
    if really:
        _rewrite(path, wanted.without(text))
    return [Change(str(path), 1, False)]


def _rewrite(path: Path, text: str) -> None:
    """Whole or not at all, with the mode and the owner of the file that was there."""
    there = path.stat()
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, there.st_mode & 0o777)
            owner.give(descriptor, temporary)
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, path)
    except OSError:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def _in_database(path: Path, wanted: Wanted, *, really: bool) -> list[Change]:
    """In each table of a file of SQLite: the address alone goes, other programs find their rows where they were."""
    changes = []
    with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as database:
        database.execute("PRAGMA secure_delete=ON")
        database.execute("BEGIN IMMEDIATE" if really else "BEGIN")
        for table in _tables(database):
            keys = _keys(database, table)
            rows = list(_rows(database, table, keys, wanted))
            left = IN_FORCE.get((path.name, table), "")
            for key, values in rows if really and not left else ():
                settings = ", ".join(f"{_quoted(name)} = ?" for name in values)
                where = " AND ".join(f"{name} = ?" for name in keys)
                sql = f"UPDATE OR REPLACE {_quoted(table)} SET {settings} WHERE {where}"  # noqa: S608  # its own names
                database.execute(sql, [*values.values(), *key])
            if rows:
                changes.append(Change(f"{path} ({table})", len(rows), False, left))
        database.execute("COMMIT")
        if really and changes:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return changes


def _tables(database: sqlite3.Connection) -> list[str]:
    found = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return sorted(name for (name,) in found)


def _keys(database: sqlite3.Connection, table: str) -> list[str]:
    """The columns that name a row, as SQL has them: its rowid, or the primary key of a table without one."""
    columns = database.execute(f"PRAGMA table_info({_quoted(table)})").fetchall()
    try:
        database.execute(f"SELECT rowid FROM {_quoted(table)} LIMIT 0")  # noqa: S608  # its own name
    except sqlite3.OperationalError:  # WITHOUT ROWID, as what copy --follow remembers
        return [_quoted(name) for _, name, _, _, _, place in columns if place]
    return ["rowid"]


def _rows(
    database: sqlite3.Connection, table: str, keys: Sequence[str], wanted: Wanted
) -> Iterator[tuple[list[Any], dict[str, str]]]:
    """Rows that name it: their keys, and their columns without it."""
    cursor = database.execute(f"SELECT {', '.join(keys)}, * FROM {_quoted(table)}")  # noqa: S608  # its own names
    names = [column[0] for column in cursor.description][len(keys) :]
    for row in cursor.fetchall():
        key, values = list(row[: len(keys)]), row[len(keys) :]
        texts = {name: value for name, value in zip(names, values, strict=True) if isinstance(value, str)}
        changed = {name: wanted.without(text) for name, text in texts.items() if wanted.is_in(text)}
        if changed:
            yield key, changed


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'
