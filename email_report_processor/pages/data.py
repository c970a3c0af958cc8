"""Figures for machines: one JSON document, and a CSV file for each figure."""

import csv
import io
import json
from pathlib import Path
from typing import Any

from ..values.cells import safe
from .figure import Figure, Page, Record, Value


def to_json(page: Page) -> str:
    """The page with all its figures; shares are fractions, days are dates."""
    made = page._asdict() | {
        "period": page.period._asdict(),
        "answers": [one._asdict() for one in page.answers],
        "fixes": [
            one._asdict()
            | {"shown": [host._asdict() for host in one.shown], "records": [_record(record) for record in one.records]}
            for one in page.fixes
        ],
        "figures": [_figure(one) for one in page.figures],
    }
    return json.dumps(made, ensure_ascii=False, indent=1) + "\n"


def _record(record: Record) -> dict[str, str]:
    return {**record._asdict(), "line": record.line}


def _figure(one: Figure) -> dict[str, Any]:
    columns = [{"name": column.name, "kind": column.kind} for column in one.columns]
    return one._asdict() | {"period": one.period._asdict(), "columns": columns}


def to_csv(figure: Figure) -> str:
    """The rows with a heading (RFC 4180). A text that a spreadsheet would take for a formula gets a ' in front."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([column.name for column in figure.columns])
    writer.writerows([_cell(value) for value in row] for row in figure.rows)
    return out.getvalue()


def _cell(value: Value) -> str | int | float:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    return safe(value) if isinstance(value, str) else value


def write_csv(page: Page, directory: Path) -> list[Path]:
    """A file for each figure, in a directory that is made if need be. Raises OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for figure in page.figures:
        path = directory / f"{figure.name}.csv"
        path.write_text(to_csv(figure), "utf-8", newline="")
        paths.append(path)
    return paths
