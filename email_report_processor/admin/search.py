"""`email-report-admin search QUERY`: documents that fit, newest first (docs/searching.md)."""

import argparse
import csv
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..desk.history import flags_of
from ..documents.encode import decode
from ..job import choose_store
from ..settings import Settings, SettingsError
from ..stores.query import And, QueryError, parse
from ..stores.store import Found, Selection
from .numbers import whole
from .text import fail, progress, table

_SAVED = "searches"  # the section of saved searches
# Each column of the table shows the first of these fields that a document has.
_COLUMNS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("when", ("@timestamp",)),
    ("dataset", ("event.dataset",)),
    ("what", ("class", "failure.result_type", "event.outcome", "policy.type", "report.format")),
    ("number", ("count", "failure.failed_session_count", "sessions.failed", "messages")),
    ("from", ("source.ip",)),
    ("country", ("source.geo.country_iso_code",)),
    ("AS", ("source.as.number",)),
    ("about", ("sample.subject", "identifiers.header_from", "user.name", "policy.domain", "report.org_name")),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of this sub-command."""
    parser.add_argument("query", nargs="+", metavar="QUERY", help="class:spoof subject:invoice since:2d, or @NAME")
    parser.add_argument("--dataset", metavar="NAME", action="append", default=[], help="only documents of this dataset")
    parser.add_argument("--limit", metavar="N", type=whole(0), default=50, help="documents at the most (50); 0 is all")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object a line, as it is stored")
    form.add_argument("--csv", action="store_true", help="all fields, as comma-separated values")
    form.add_argument("--eml", metavar="DIR", help="write what is stored of each failed message into this directory")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print what was found. 0 when something was, 1 when nothing was."""
    text = saved(" ".join(arguments.query), settings)
    try:
        parse(text, datetime.now(UTC), {"reported": And()})
    except QueryError as error:
        return fail(str(error), 2)
    store = choose_store(settings, os.environ).open()
    try:
        node = parse(text, datetime.now(UTC), flags_of(text, store))
        found = store.select(Selection(node, tuple(arguments.dataset), arguments.limit))
        return 0 if _write(found, arguments) else 1
    except ValueError as error:  # an unknown dataset
        return fail(str(error), 2)
    finally:
        store.close()


def saved(text: str, settings: Settings) -> str:
    """The query that `@NAME` stands for in [searches], with what follows the name. Raises SettingsError."""
    if not text.startswith("@"):
        return text
    name, _, rest = text[1:].partition(" ")
    known = settings.mapping(_SAVED)
    if name not in known:
        raise SettingsError(f"no search {name!r} is saved in [{_SAVED}]; there are {', '.join(known) or 'none'}")
    return f"({known[name]}) {rest}".strip()


def _write(found: Iterable[Found], arguments: argparse.Namespace) -> int:
    """How many were written."""
    if arguments.json:
        return _write_json(found)
    if arguments.csv:
        return _write_csv(found)
    if arguments.eml:
        return _write_messages(progress(found, "documents"), Path(arguments.eml))
    return _write_table(found, arguments.limit)


def _write_json(found: Iterable[Found]) -> int:
    number = 0
    for one in found:
        number += 1
        document = {"_id": one.row.id, **json.loads(one.row.source)}
        print(json.dumps(document, ensure_ascii=False, separators=(",", ":")))
    return number


def _write_csv(found: Iterable[Found]) -> int:
    """Columns are the fields of all that was found: it is read to its end first."""
    documents = [{"_id": one.row.id, **decode(one.row.source)} for one in found]
    columns = list(dict.fromkeys(name for one in documents for name in one))
    writer = csv.writer(sys.stdout)
    writer.writerow(columns)
    writer.writerows([harmless(one.get(name)) for name in columns] for one in documents)
    return len(documents)


def harmless(value: Any) -> str:
    """A cell that no spreadsheet takes for a formula: strangers chose what stands in it."""
    if isinstance(value, bool | int):
        return str(value)
    if isinstance(value, list):
        value = json.dumps(value, ensure_ascii=False)
    text = "" if value is None else str(value)
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text


def _write_messages(found: Iterable[Found], directory: Path) -> int:
    directory.mkdir(parents=True, exist_ok=True)
    number = 0
    for one in found:
        sample = json.loads(one.row.source).get("sample", {})
        if sample.get("headers"):
            number += 1
            text = sample["headers"].rstrip("\n") + "\n\n" + sample.get("body", "")
            (directory / f"{one.row.id}.eml").write_text(text, "utf-8")
    sys.stderr.write(f"{number} of them have a sample, now in {directory}\n")
    return number


def _write_table(found: Iterable[Found], limit: int) -> int:
    rows = list(_rows(found))
    if rows:
        print(table((*(name for name, _ in _COLUMNS), "id"), rows, indent=""))
    if limit and len(rows) == limit:
        print(f"\nThese are the newest {limit}; --limit 0 shows all.")
    if not rows:
        sys.stderr.write("nothing fits\n")
    return len(rows)


def _rows(found: Iterable[Found]) -> Iterator[list[Any]]:
    for one in found:
        fields = decode(one.row.source)
        yield [*(_cell(fields, names) for _, names in _COLUMNS), one.row.id]


def _cell(fields: Mapping[str, Any], names: Iterable[str]) -> Any:
    name = next((name for name in names if fields.get(name) is not None), "")
    value = fields.get(name)
    return f"AS{value}" if name == "source.as.number" else value
