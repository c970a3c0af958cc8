"""Days of a figure: as many bars as can be seen, and small trends."""

from collections.abc import Callable, Iterable
from datetime import date, timedelta

_MOST_BARS = 62  # two months by day; a longer time by week


def steps(days: Iterable[str]) -> list[str]:
    """The days from the first to the last, or the Mondays of their weeks where these would be too many to draw."""
    known = sorted(set(days))
    if not known:
        return []
    first, last = date.fromisoformat(known[0]), date.fromisoformat(known[-1])
    width = step_of(first, last)
    first -= timedelta(days=first.weekday() if width == 7 else 0)
    return [(first + timedelta(days=n)).isoformat() for n in range(0, (last - first).days + 1, width)]


def step_of(first: date, last: date) -> int:
    """Days of one bar: 1, 7, or as many weeks as bring a long time below a hundred bars."""
    days = (last - first).days + 1
    return 1 if days <= _MOST_BARS else 7 * -(-days // (7 * _MOST_BARS))


def stepping(marks: list[str]) -> tuple[Callable[[str], str], str]:
    """From a day to the mark of its bar; and how a bar is called."""
    if len(marks) < 2:
        return (lambda day: marks[0] if marks else day), "day"
    first = date.fromisoformat(marks[0])
    width = (date.fromisoformat(marks[1]) - first).days

    def mark(day: str) -> str:
        return marks[(date.fromisoformat(day) - first).days // width]

    return mark, "day" if width == 1 else "week" if width == 7 else f"{width // 7} weeks"


class Trends:
    """Small series, one a key, over the same days."""

    def __init__(self, days: Iterable[str], most: int = 30) -> None:
        known = sorted(set(days))
        self._first = date.fromisoformat(known[0]) if known else date.min
        span = (date.fromisoformat(known[-1]) - self._first).days + 1 if known else 1
        self.width = -(-span // most)  # days of one value
        self._size = -(-span // self.width)
        self._values: dict[str, list[int]] = {}

    def add(self, key: str, day: str, value: int) -> None:
        """Count a value to its key and day."""
        values = self._values.setdefault(key, [0] * self._size)
        values[(date.fromisoformat(day) - self._first).days // self.width] += value

    def of(self, key: str) -> tuple[int, ...]:
        """The series of a key, oldest first."""
        return tuple(self._values.get(key, ()))
