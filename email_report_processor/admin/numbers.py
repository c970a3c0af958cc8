"""Numbers on a command line: the types of argparse that say what may be written."""

import argparse
import math
from collections.abc import Callable

MOST = 1_000_000_000  # documents, messages: no store counts as far with a person waiting
_YEAR = 366 * 86400.0


def whole(least: int, most: int = MOST) -> Callable[[str], int]:
    """A whole number between two others, both included."""

    def read(text: str) -> int:
        plain = text.removeprefix("-")
        number = int(text[:20]) if plain.isascii() and plain.isdigit() else None
        if number is None or not least <= number <= most:
            raise argparse.ArgumentTypeError(f"{text!r}: write a whole number from {least} to {most}")
        return number

    return read


def span(least: float, most: float = _YEAR, unit: str = "seconds") -> Callable[[str], float]:
    """A span of time between two others, both included."""

    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not least <= number <= most:  # also what is no number
            raise argparse.ArgumentTypeError(f"{text!r}: write {unit}, from {least:g} to {most:.0f}")
        return number

    return read
