"""The world, drawn from a table that needs no Internet (tools/world_map.py makes it)."""

import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from math import log, sqrt
from typing import Any

from . import words
from .figure import Figure
from .xml import escape

_LARGEST = 34.0  # radius of the largest circle, in units of the table


@cache
def table() -> dict[str, Any]:
    """`width`, `height`, and `countries`: code -> name, x, y, path ('' is a dot)."""
    made: dict[str, Any] = json.loads(files(__package__).joinpath("countries.json").read_text("utf-8"))
    return made


def name_of(code: str) -> str:
    """A country's name; what is no known code is said as it is."""
    known = table()["countries"].get(code)
    return known[0] if known else words.plain(code, 40)


def shade(value: float, top: float) -> int:
    """From 1 to 5, by the logarithm: a country with a tenth of the mail is still to be seen."""
    return 1 + min(4, int(5 * log(1 + value) / log(1 + top))) if value > 0 else 0


def draw_map(figure: Figure) -> str:
    """Rows of code, messages, and what circles stand for: countries shaded by messages."""
    world = table()
    rows = {str(row[0]): (int(str(row[1])), int(str(row[2]))) for row in figure.rows}
    circles = figure.columns[2].name.lower()
    inner = "".join([*_land(world, rows, circles), *_circles(world, rows, circles)])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {world["width"]} {world["height"]}" class="chart map"'
        f' aria-hidden="true" focusable="false">{inner}</svg>'
    )


def _land(world: dict[str, Any], rows: dict[str, tuple[int, int]], circles: str) -> Iterator[str]:
    top = max((messages for messages, _ in rows.values()), default=0)
    empty = "".join(path for code, (_, _, _, path) in world["countries"].items() if code not in rows)
    yield f'<path class="land q0" d="{empty}"/>'
    for code, (messages, failed) in rows.items():
        if code in world["countries"]:
            name, x, y, path = world["countries"][code]
            shape = f'<path d="{path}"/>' if path else f'<circle cx="{x}" cy="{y}" r="9"/>'
            hint = f"{name}: {words.count(messages, 'message')}, {words.number(failed)} {circles}"
            yield f'<g class="land q{shade(messages, top)}"><title>{escape(hint)}</title>{shape}</g>'


def _circles(world: dict[str, Any], rows: dict[str, tuple[int, int]], circles: str) -> Iterator[str]:
    top = max((failed for _, failed in rows.values()), default=0)
    for code, (_, failed) in sorted(rows.items(), key=lambda row: -row[1][1]):
        if failed and code in world["countries"]:
            name, x, y, _ = world["countries"][code]
            radius = max(6.0, _LARGEST * sqrt(failed / top))
            hint = f"<title>{escape(name)}: {words.number(failed)} {circles}</title>"
            yield f'<circle class="bad" cx="{x}" cy="{y}" r="{radius:.0f}">{hint}</circle>'
