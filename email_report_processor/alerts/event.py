"""What a rule found."""

from typing import Literal, NamedTuple

Level = Literal["warning", "critical"]


class Event(NamedTuple):
    """Something that somebody should know."""

    rule: str
    about: str  # with `rule` what tells it from others: a domain, a sender, a reporter
    level: Level
    sentence: str  # what happened, with numbers
    do: str  # what to do next
    lasts: bool = True  # it goes on until it is over, and that is told too; else it happened once

    @property
    def key(self) -> str:
        """The same as long as it is the same event."""
        return f"{self.rule}: {self.about}"
