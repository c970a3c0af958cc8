"""Archives undone by content, bounded, as chunks: what is left is a report or is none of ours."""

from collections.abc import Callable, Iterator
from typing import NamedTuple


class Damaged(Exception):
    """The bytes end early or break here; everything that was yielded before is good to be salvaged."""


class OverBound(Exception):
    """A bound of `Bounds` was met; the text names it and its value."""


class Payload(NamedTuple):
    """One file that was attached, with every archive around it undone."""

    place: str  # for people: part, file name, member
    name: str  # file name, a hint at most
    chunks: Callable[[], Iterator[bytes]]  # opened anew at each call; raises Damaged or OverBound while it is read
    warnings: tuple[str, ...] = ()
