"""Archives undone by content, bounded, as chunks: what is left is a report or is none of ours."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from .blob import Damaged

__all__ = ["Damaged", "OverBound", "Payload"]


class OverBound(Exception):  # noqa: N818 - it says where reading stopped, not what went wrong here
    """A bound of `Bounds` was met; the text names it and its value."""


class Payload(NamedTuple):
    """One file that was attached, with every archive around it undone."""

    place: str  # for people: part, file name, member
    name: str  # file name, a hint at most
    chunks: Callable[[], Iterator[bytes]]  # opened anew at each call; raises Damaged or OverBound while it is read
    warnings: tuple[str, ...] = ()
