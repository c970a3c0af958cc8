"""Tables and progress for people."""

import os
import sys
import textwrap
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from ..pages.columns import below, fitted, line

Item = TypeVar("Item")
_LONGEST_WORD = 40  # an id, an IPv6 address
_GIVES = (("text", 24), ("text", 14))


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
    """Rows in columns within the terminal's width: numbers to the right; texts wrap, what has no room stands below."""
    width = width or terminal_width()
    cells = [[_cell(value) for value in row] for row in rows]
    if not cells:
        return ""
    kinds = [_kind([line[column] for line in cells]) for column in range(len(head))]
    widths = fitted(kinds, [head, *cells], width - len(indent), _GIVES)
    made = [line(kinds, head, widths, indent)]
    for one in cells:
        made.append(line(kinds, one, widths, indent, whole=len(widths) == len(head)))
        made.append(below(zip(head[len(widths) :], one[len(widths) :], strict=True), width, indent))
    return "\n".join(one for one in made if one)


def _kind(texts: Sequence[str]) -> str:
    """Of a column: what is to be copied stays in one piece."""
    if all(map(_is_number, texts)):
        return "number"
    return "text" if any(" " in text or len(text) > _LONGEST_WORD for text in texts) else "word"


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
