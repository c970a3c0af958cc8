"""The change journal as a page: each change with its days and its effect, and the answer to "did my change help?"."""

from collections.abc import Sequence

from ..pages import words
from ..pages.figure import Answer, Column, Figure, Level, Page, Period
from .journal import WINDOW, Effect, Entry

_SHOWN = 4  # reporters of one change


def page(entries: Sequence[Entry], domain: str, period: Period, store: str, made: str) -> Page:
    """Everything about one domain."""
    return Page(
        f"Changes of {domain}", store, domain, period, made, (answer(entries),), (), (_changes(entries, period),)
    )


def answer(entries: Sequence[Entry]) -> Answer:
    """Whether the newest change of the policy helped."""
    question = "Did the last change help?"
    newest = next((one for one in entries if one.change.what in {"p", "sp", "np", "adkim", "aspf"}), None)
    if newest is None:
        return Answer(question, "-", "No reporter saw the policy change in this time.")
    change, before, after = newest
    what = f"{change.what} went from {change.before or 'none'} to {change.after or 'none'} on {change.first}."
    if not (before.messages and after.messages):
        return Answer(
            question, "?", f"{what} There are no reports of the {WINDOW} days before it, or of those after it."
        )
    spoofs = f"Spoofs delivered: {words.number(before.spoofs)} before, {words.number(after.spoofs)} after."
    refused = f"Own mail refused: {words.number(before.refused)} before, {words.number(after.refused)} after."
    return Answer(
        question, _band(after), f"{what} {spoofs} {refused} {_compared(before, after)}", _level(before, after)
    )


def _level(before: Effect, after: Effect) -> Level:
    if after.refused > before.refused:
        return "bad"
    return "ok" if after.spoofs <= before.spoofs else "warn"


def _compared(before: Effect, after: Effect) -> str:
    """Bands that overlap are no difference."""
    low, high = after.band or (0.0, 1.0)
    old_low, old_high = before.band or (0.0, 1.0)
    if low > old_high:
        return f"The pass rate rose from {_band(before)} to {_band(after)}."
    if high < old_low:
        return f"The pass rate fell from {_band(before)} to {_band(after)}."
    return f"The pass rate is what it was: {_band(before)} before, {_band(after)} after."


def _band(effect: Effect) -> str:
    if effect.band is None:
        return "-"
    low, high = effect.band
    return words.share(effect.passed / effect.messages) if high - low < 0.005 else f"{low:.1%}–{high:.1%}"


_COLUMNS = (
    Column("Day", "day"),
    Column("What"),
    Column("Before", "code"),
    Column("After", "code"),
    Column("Seen first by"),
    Column("Pass rate before"),
    Column("after"),
    Column("Spoofs delivered before", "number"),
    Column("after", "number"),
    Column("Own refused before", "number"),
    Column("after", "number"),
)


def _changes(entries: Sequence[Entry], period: Period) -> Figure:
    rows = tuple(
        (
            change.first,
            change.what,
            change.before or "-",
            change.after or "-",
            _who(change.reporters),
            _band(before),
            _band(after),
            *_numbers("spoofs", before, after),
            *_numbers("refused", before, after),
        )
        for change, before, after in entries
    )
    note = f"Before and after are {WINDOW} days each: before the first reporter saw it, and after the last one did."
    empty = "Nothing changed in this time, as far as reporters say."
    return Figure("changes", "What changed", _COLUMNS, rows, unit="changes", period=period, note=note, empty=empty)


def _numbers(name: str, *effects: Effect) -> tuple[int | None, ...]:
    """A figure of each window; None where there are no reports."""
    return tuple(getattr(one, name) if one.messages else None for one in effects)


def _who(reporters: Sequence[tuple[str, str]]) -> str:
    """`google.com on 2026-11-02, Yahoo on 2026-11-04 and 3 more`."""
    if not reporters:
        return "-"
    shown = ", ".join(f"{words.plain(name, 40)} on {day}" for day, name in reporters[:_SHOWN])
    more = len(reporters) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
