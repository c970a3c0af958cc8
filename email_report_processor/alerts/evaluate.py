"""All rules over one look. A rule with the threshold 0 is off."""

from collections.abc import Iterator

from .event import Event
from .look import Look
from .options import AlertOptions
from .rules import RULES

_LEVELS = {"critical": 0, "warning": 1}


def evaluate(look: Look, options: AlertOptions) -> list[Event]:
    """What is wrong now, the worst first. Raises StoreError."""
    return sorted(_events(look, options), key=lambda one: (_LEVELS[one.level], one.rule, one.about))


def _events(look: Look, options: AlertOptions) -> Iterator[Event]:
    for rule in RULES:
        threshold = getattr(options, rule.name)
        if threshold > 0:
            yield from rule.find(look, threshold)
