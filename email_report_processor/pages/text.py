"""Figures as text, for a terminal and for the plain part of a mail: wrapped, never cut."""

import textwrap
from collections.abc import Iterable, Sequence

from . import words
from .figure import Column, Figure, Fix, Page, Value
from .fixing import TURNS

_CELL = 60  # characters of one value in a table
_BARS = "▁▂▃▄▅▆▇█"
_RIGHT = {"number", "share"}


def page(value: Page, width: int = 80) -> str:
    """The whole page: answers, what to fix, tables."""
    head = f"{words.plain(value.store)}, {words.period(value.period)}" + (f", {value.domain}" if value.domain else "")
    parts = [head, *(wrap(text, width) for text in value.left_out)]
    parts += [f"{one.question}\n{wrap(one.sentence, width, '  ')}" for one in value.answers]
    parts += fixes(value.fixes, width)
    parts += [figure(one, width) for one in value.figures if _shown(one)]
    return "\n\n".join(part for part in parts if part)


def _shown(one: Figure) -> bool:
    """A chart by day is for the eye; its sums stand in the tables. What is empty says so where it is a question."""
    return one.chart in {"", "map"} and bool(one.rows or one.name in {"domains", "kept"})


def fixes(values: Iterable[Fix], width: int = 80) -> list[str]:
    """What to fix, one block a turn."""
    turns: dict[str, list[str]] = {}
    for one in values:
        turns.setdefault(one.turn, []).append(fix(one, width) if one.turn != "none" else _nothing(one, width))
    return [f"{TURNS[turn]}\n" + "\n".join(blocks) for turn, blocks in turns.items()]


def fix(one: Fix, width: int = 80) -> str:
    """One thing to fix."""
    lines = [f"  {words.plain(one.subject)}: {one.class_}"]
    lines.append(wrap(one.evidence, width, "    "))
    lines += [
        f"    {host.address:<39} {host.messages:>9,}  {words.plain(host.network, _CELL)}".rstrip() for host in one.shown
    ]
    if one.hosts > len(one.shown) and one.shown:
        lines.append(f"    … and {words.count(one.hosts - len(one.shown), 'more host')}")
    lines.append(wrap("→ " + one.how, width, "    "))
    lines += [f"      {record.line}" for record in one.records]
    return "\n".join(lines)


def _nothing(one: Fix, width: int) -> str:
    return wrap(f"{one.class_}: {words.count(one.messages, 'message')}. {one.evidence} {one.how}", width, "  ")


def figure(one: Figure, width: int = 80) -> str:
    """A figure as a table with its title, its unit and what it leaves out."""
    if not one.rows:
        return f"{one.title}\n{wrap(one.empty, width, '  ')}" if one.empty else ""
    lines = [
        f"{one.title} ({one.unit})" if one.unit not in one.title.lower() else one.title,
        table(one.columns, one.rows, width),
    ]
    if one.more:
        lines.append(f"  … and {words.number(one.more)} more")
    lines += [wrap(text, width, "  ") for text in one.left_out]
    return "\n".join(lines)


def wrap(text: str, width: int, indent: str = "") -> str:
    """A paragraph of ours within the width; long names stay whole."""
    made = textwrap.wrap(
        text,
        max(width, 40),
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(made)


def table(columns: Sequence[Column], rows: Iterable[Sequence[Value]], width: int = 80, indent: str = "  ") -> str:
    """Rows in columns, numbers to the right. The last column wraps within the width instead of being cut."""
    cells = [[cell(column, value) for column, value in zip(columns, row, strict=True)] for row in rows]
    head = [column.name for column in columns]
    widths = [max(len(line[number]) for line in [head, *cells]) for number in range(len(columns))]
    before = len(indent) + sum(widths[:-1]) + 2 * (len(widths) - 1)
    widths[-1] = min(widths[-1], max(width - before, 20))
    return "\n".join(_line(columns, line, widths, indent) for line in [head, *cells])


def _line(columns: Sequence[Column], line: Sequence[str], widths: Sequence[int], indent: str) -> str:
    padded = [
        text.rjust(wide) if column.kind in _RIGHT else text.ljust(wide)
        for column, text, wide in zip(columns[:-1], line, widths, strict=False)
    ]
    start = indent + "".join(text + "  " for text in padded)
    last = line[-1].rjust(widths[-1]) if columns[-1].kind in _RIGHT else line[-1]
    pieces = textwrap.wrap(last, widths[-1], break_long_words=False, break_on_hyphens=False, drop_whitespace=True) or [
        ""
    ]
    if columns[-1].kind in _RIGHT:
        pieces = [last]
    return "\n".join(
        (start if number == 0 else " " * len(start)) + piece for number, piece in enumerate(pieces)
    ).rstrip()


def cell(column: Column, value: Value) -> str:
    """One value as text."""
    if isinstance(value, tuple):
        return sparkline(value)
    if column.kind == "share":
        return words.share(value if isinstance(value, float) else None)
    if value is None or value == "":
        return "-"
    return words.number(value) if isinstance(value, int | float) else words.plain(value, _CELL)


def sparkline(values: Sequence[int]) -> str:
    """Small bars; a day without any is a space."""
    top = max(values, default=0)
    return "".join(
        " " if not value else _BARS[min(value * len(_BARS) // (top + 1), len(_BARS) - 1)] for value in values
    )
