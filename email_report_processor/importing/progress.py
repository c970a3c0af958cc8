"""What a person hears of an import: on a terminal one line that is written over and over, and a summary anywhere."""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TextIO

from ..values.fields import clean
from .intake import Count, Trouble
from .sources import sizes

HELD = 1000  # troubles that are held back, to be named in the order of their messages
NAMED = 10  # messages without a report that are named

_EVERY = 0.2  # seconds between two lines
_LOOK = 0.01  # seconds of each of them in which files are looked for that are still to come
_QUIET = 5.0  # seconds without news after which that is said
_CLEAR = "\r\x1b[K"


class Ledger:
    """What became of all messages so far. Bounded, however many there are."""

    def __init__(self, store: str, *, dry_run: bool) -> None:
        self.count: Count = Counter()
        self.categories: Counter[str] = Counter()  # of messages that are not simply stored
        self.stream = store == "-" and not dry_run  # documents go to standard output, so nothing else may
        self._store = "standard output" if store == "-" else store
        self._dry_run = dry_run
        self._troubles: list[Trouble] = []  # not named yet
        self._without: list[Trouble] = []  # messages without a report; some of them

    def note(self, trouble: Trouble) -> None:
        """A message that is not simply stored."""
        self.categories[trouble.category] += 1
        if trouble.category != "no-report":
            self._troubles.append(trouble)
        elif len(self._without) < NAMED:
            self._without.append(trouble)

    @property
    def overflows(self) -> bool:
        """Whether troubles should be named now."""
        return len(self._troubles) >= HELD

    @property
    def failed(self) -> bool:
        """Whether anything could not be read or stored."""
        return any(category != "no-report" for category in self.categories)

    def name_troubles(self, say: Callable[[str], None]) -> None:
        """Each with its place and reason."""
        for trouble in sorted(self._troubles):
            say(clean(f"{trouble.place}: {trouble.category}: {trouble.reason}"))
        self._troubles.clear()

    def summary(self, seconds: float, *, stopped: bool) -> Iterator[str]:
        """Some lines for the end."""
        count = self.count
        begin = "stopped after " if stopped else ""
        rate = f"{count['messages'] / max(seconds, 0.001):,.0f} a second"
        yield f"{begin}{_many(count['messages'], 'message')} in {duration(seconds)} ({rate})"
        yield f"{_many(count['reports'], 'report')}, {_many(count['rows'], 'document')}"
        if self._dry_run:
            yield f"nothing is stored in {self._store}: a dry run"
        else:
            yield f"{count['stored']:,} stored in {self._store}, {count['already']:,} were there already"
        if count["repaired"]:
            names = "email-report-admin summary --since all names them"
            yield f"{_many(count['repaired'], 'warning')} in documents: {names}"
        if count["outside"]:
            yield f"{_many(count['outside'], 'message')} outside of --since and --until"
        if without := self.categories["no-report"]:
            places = [clean(trouble.place) for trouble in sorted(self._without)]
            yield f"{_many(without, 'message')} without a report: {', '.join(places)}{', …' * (without > len(places))}"
        for category, number in sorted(self.categories.items()):
            if category != "no-report":
                noun = _NOUNS.get(category, "message")
                yield f"{_many(number, noun)} {_WORDS.get(category, category)}"


_NOUNS = {"unreadable": "message or file"}
_WORDS = {
    "unreadable": "that cannot be read, or only in part",
    "salvaged": "with a broken report, read as far as it goes",
    "rejected": "with documents that the store refuses",
    "failed": "at which reading failed",
}


def _many(number: int, word: str) -> str:
    return f"{number:,} {word if number == 1 else ' or '.join(f'{one}s' for one in word.split(' or '))}"


class Progress:
    """The line of an import of `paths`, on a stream."""

    def __init__(self, paths: Iterable[str], stream: TextIO) -> None:
        self.started = self._shown = self._news = time.monotonic()
        self._stream = stream
        self._on = stream.isatty()
        self._sizes: Iterator[int] = sizes(paths)
        self._total = 0
        self._complete = False  # whether all sizes are in the total

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self.started

    def show(self, ledger: Ledger, *, news: bool) -> None:
        """Write the line, when it is time to. news: whether anything happened."""
        moment = time.monotonic()
        if news:
            self._news = moment
        if self._on and moment - self._shown >= _EVERY:
            self._shown = moment
            self._look_for(moment + _LOOK)
            self._write(", ".join(self._parts(ledger)))

    def clear(self) -> None:
        """Make room for other lines."""
        if self._on:
            self._stream.write(_CLEAR)
            self._stream.flush()

    def _parts(self, ledger: Ledger) -> Iterator[str]:
        count = ledger.count
        yield _many(count["messages"], "message")
        yield _many(count["rows"], "row")
        yield f"{count['messages'] / self.seconds:,.0f} messages/s"
        for category, number in ledger.categories.items():
            yield f"{number:,} {category}"
        quiet = time.monotonic() - self._news
        if quiet > _QUIET:
            yield f"nothing new for {quiet:.0f} s (the store, or a big message)"
        elif self._complete and 0 < count["weight"] <= self._total:
            yield f"{duration(self.seconds * (self._total / count['weight'] - 1))} left"

    def _look_for(self, until: float) -> None:
        while not self._complete and time.monotonic() < until:
            found = list(islice(self._sizes, 100))
            self._total += sum(found)
            self._complete = len(found) < 100

    def _write(self, line: str) -> None:
        try:
            width = os.get_terminal_size(self._stream.fileno()).columns
        except OSError:
            width = 80
        self._stream.write(_CLEAR + line[: width - 1])
        self._stream.flush()


def duration(seconds: float) -> str:
    """Hours, minutes and seconds: 1:02:03, 2:03 or 0:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
