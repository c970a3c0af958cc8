"""Columns of text within a width: texts wrap, and columns that have no room stand below their row. Pure."""

import textwrap
from collections.abc import Iterable, Sequence

RIGHT = frozenset({"number", "share"})
# What gives way where a table is too wide, in this order, and down to how many columns. Words of a head always wrap.
GIVES = (("trend", 10), ("text", 24), ("code", 18), ("text", 14), ("code", 12), ("text", 8), ("code", 8))
_GIVING = {"class": "code", "country": "text"}  # kinds that give way like another one
_NARROW = 14  # columns of a text; narrower ones are worth it only where all columns stay beside each other
_BELOW = 4  # columns that what stands below a row is indented by


def fitted(
    kinds: Sequence[str], lines: Sequence[Sequence[str]], room: int, gives: Sequence[tuple[str, int]] = GIVES
) -> list[int]:
    """The widths of the columns that fit beside each other, from the first. lines: the head and the rows."""
    for number in range(len(kinds), 1, -1):
        found = [max(len(line[column]) for line in lines) for column in range(number)]
        free = room - 2 * (number - 1)
        _wrap_heads(kinds, lines, found, free)
        _narrow(
            kinds[:number], found, free, gives if number == len(kinds) else [one for one in gives if one[1] >= _NARROW]
        )
        if sum(found) <= free:
            return found
    return [min(max(len(line[0]) for line in lines), room)] if kinds else []


def _wrap_heads(kinds: Sequence[str], lines: Sequence[Sequence[str]], widths: list[int], room: int) -> None:
    """Columns of numbers and days may be as narrow as the longest word of their name."""
    for column in range(len(widths)):
        if kinds[column] in RIGHT | {"day"} and sum(widths) > room:
            word = max(map(len, lines[0][column].split()), default=0)
            widths[column] = max(word, *(len(line[column]) for line in lines[1:]), 1)


def _narrow(kinds: Sequence[str], widths: list[int], room: int, gives: Sequence[tuple[str, int]]) -> None:
    """Take from the widest columns of a kind what there is no room for."""
    for kind, least in gives:
        of_kind = [number for number, one in enumerate(kinds) if _GIVING.get(one, one) == kind]
        for _ in range(sum(widths) - room):
            widest = max(of_kind, key=lambda number: widths[number], default=None)
            if widest is None or widths[widest] <= least:
                break
            widths[widest] -= 1


def line(kinds: Sequence[str], texts: Sequence[str], widths: Sequence[int], indent: str, *, whole: bool = False) -> str:
    """One row, on as many lines as its longest text needs. whole: long words of the last text stay in one piece."""
    some = list(zip(kinds, texts, widths, strict=False))
    pieces = [
        _pieces(kind, text, wide, whole=whole and number == len(some) - 1)
        for number, (kind, text, wide) in enumerate(some)
    ]
    made = []
    for number in range(max(map(len, pieces), default=0)):
        parts = [
            text.rjust(wide) if kind in RIGHT else text.ljust(wide)
            for (kind, _, wide), found in zip(some, pieces, strict=True)
            for text in (found[number] if number < len(found) else "",)
        ]
        made.append((indent + "  ".join(parts)).rstrip())
    return "\n".join(made)


def _pieces(kind: str, text: str, width: int, *, whole: bool) -> list[str]:
    """A text in lines; the blanks of a trend are days without any."""
    if len(text) <= width or kind == "trend":
        return [text]
    longest = max(map(len, text.split()), default=0)
    if whole:
        return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    # A word that is longer breaks anyway.
    return textwrap.wrap(text, width, break_long_words=True, break_on_hyphens=longest > width) or [""]


def below(named: Iterable[tuple[str, str]], width: int, indent: str) -> str:
    """What has no room in its row, below it: `name: value; name: value`, without those that say nothing."""
    said = "; ".join(f"{name.lower()}: {text}" if name else text for name, text in named if text not in {"", "-"})
    return wrap(said, width, indent + " " * _BELOW)


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
