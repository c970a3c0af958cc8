"""All rules over one look. A rule with the threshold 0 is off."""

from collections.abc import Callable, Iterator

from ..pages.lanes import lanes
from .event import Event
from .look import Look
from .options import AlertOptions
from .rules import RULES, Rule

_LEVELS = {"critical": 0, "warning": 1}


def evaluate(look: Look, options: AlertOptions) -> list[Event]:
    """What is wrong now, the worst first. Raises StoreError."""
    return sorted(_events(look, options), key=lambda one: (_LEVELS[one.level], one.rule, one.about))


def _events(look: Look, options: AlertOptions) -> Iterator[Event]:
    """A rule reads its answers while the store works on the questions of the next."""
    thresholds = [(rule, getattr(options, rule.name)) for rule in RULES]
    with lanes(look.store) as begin:
        for told in [begin(_finding(rule, look, threshold)) for rule, threshold in thresholds if threshold > 0]:
            yield from told()


def _finding(rule: Rule, look: Look, threshold: float) -> Callable[[], list[Event]]:
    return lambda: list(rule.find(look, threshold))
