"""Tables and progress for people."""

import os
import sys
import textwrap
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

Item = TypeVar("Item")


def fail(message: str, status: int) -> int:
    """Say on standard error what went wrong, and return the status."""
    sys.stderr.write(f"email-report-admin: {message}\n")
    return status


def say(sentence: str) -> int:
    """Tell a person at a terminal what was done, and nobody else; returns 0."""
    if sys.stdout.isatty():
        print(sentence)
    return 0


def table(head: Sequence[str], rows: Iterable[Sequence[Any]], *, indent: str = "  ", width: int = 0) -> str:
    """Rows in columns: numbers to the right, text to the left; the last column wraps at the terminal's width."""
    width = width or terminal_width()
    cells = [[_cell(value) for value in row] for row in rows]
    if not cells:
        return ""
    widths = [max(len(line[column]) for line in [list(head), *cells]) for column in range(len(head))]
    right = [all(_is_number(line[column]) for line in cells) for column in range(len(head))]
    room = max(width - len(indent) - sum(widths[:-1]) - 2 * (len(widths) - 1), 20)
    lines: list[str] = []
    for line in [list(head), *cells]:
        padded = [
            cell.rjust(widths[column]) if right[column] else cell.ljust(widths[column])
            for column, cell in enumerate(line)
        ]
        start = indent + "".join(cell + "  " for cell in padded[:-1])
        pieces = (
            [padded[-1]]
            if right[-1]
            else textwrap.wrap(line[-1], room, break_on_hyphens=False, break_long_words=False) or [""]
        )
        lines += [(start if number == 0 else " " * len(start)) + piece for number, piece in enumerate(pieces)]
    return "\n".join(line.rstrip() for line in lines)


def paragraph(text: str) -> str:
    """Sentences below a line that they belong to, wrapped at the terminal's width."""
    return textwrap.fill(text, terminal_width(), initial_indent="  ", subsequent_indent="  ", break_long_words=False)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _is_number(text: str) -> bool:
    return text.strip("-").replace(",", "").replace(".", "").replace("%", "").strip().isdigit() or text == "-"


def terminal_width() -> int:
    """Columns of the terminal; in a pipe lines are not wrapped."""
    if not sys.stdout.isatty():
        return 10_000
    try:
        return os.get_terminal_size(1).columns
    except OSError:
        return 80


def progress(items: Iterable[Item], what: str) -> Iterator[Item]:
    """Pass items on, and say on a terminal how many there were; silent in a pipe."""
    if not sys.stderr.isatty():
        yield from items
        return
    shown = time.monotonic()
    number = 0
    for number, item in enumerate(items, 1):  # the last number is said at the end
        if time.monotonic() - shown > 0.2:
            shown = time.monotonic()
            sys.stderr.write(f"\r{number:,} {what}\x1b[K")
        yield item
    sys.stderr.write(f"\r\x1b[K{number:,} {what}\n")
