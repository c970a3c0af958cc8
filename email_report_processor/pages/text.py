"""Figures as text, for a terminal and for the plain part of a mail: wrapped, never cut."""

from collections.abc import Iterable, Sequence

from . import words
from .columns import below, fitted, line, wrap
from .figure import Column, Figure, Fix, Page, Value
from .fixing import TURNS

_CELL = 200  # characters of one value in a table, which wraps; more than that is a stranger's game
_BARS = "▁▂▃▄▅▆▇█"


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
    return one.chart in {"", "map"} and bool(one.rows or one.name == "kept")


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
        f"    {host.address:<39} {host.messages:>9,}  {words.plain(host.network, 60)}".rstrip() for host in one.shown
    ]
    if one.hosts > len(one.shown) and one.shown:
        lines.append(f"    … and {words.count(one.hosts - len(one.shown), 'more host')}")
    lines.append(wrap("→ " + one.how, width, "    "))
    lines += [f"      {line}" for line in (*(record.line for record in one.records), one.command) if line]
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


def table(columns: Sequence[Column], rows: Iterable[Sequence[Value]], width: int = 80, indent: str = "  ") -> str:
    """Rows in columns, numbers to the right, within the width: trends get fewer bars, texts wrap, the rest is below."""
    lines = [tuple(row) for row in rows]
    kinds, head = [column.kind for column in columns], [column.name for column in columns]
    cells = [head, *([cell(column, value) for column, value in zip(columns, row, strict=True)] for row in lines)]
    widths = fitted(kinds, cells, width - len(indent))
    made = [line(kinds, head, widths, indent)]
    for row, whole in zip(lines, cells[1:], strict=True):
        texts = [cell(column, value, wide) for column, value, wide in zip(columns, row, widths, strict=False)]
        made.append(line(kinds, texts, widths, indent))
        made.append(below(zip(head[len(widths) :], whole[len(widths) :], strict=True), width, indent))
    return "\n".join(one for one in made if one)


def cell(column: Column, value: Value, width: int = 0) -> str:
    """One value as text; a trend has at most `width` bars where that is said."""
    if isinstance(value, tuple):
        return sparkline(condensed(value, width))
    if column.kind == "share":
        return words.share(value if isinstance(value, float) else None)
    if value is None or value == "":
        return "-"
    return words.number(value) if isinstance(value, int | float) else words.plain(value, _CELL)


def condensed(values: tuple[int, ...], most: int) -> tuple[int, ...]:
    """At most so many values (0: all), each the mean of its neighbours; what is not 0 does not become it."""
    size = max(1, -(-len(values) // most)) if most > 0 else 1
    first = len(values) % size or size  # the oldest may be fewer
    some = [values[:first], *(values[n : n + size] for n in range(first, len(values), size))]
    return tuple(-(-sum(one) // len(one)) for one in some if one)


def sparkline(values: Sequence[int]) -> str:
    """Small bars; a day without any is a space."""
    top = max(values, default=0)
    return "".join(
        " " if not value else _BARS[min(value * len(_BARS) // (top + 1), len(_BARS) - 1)] for value in values
    )
