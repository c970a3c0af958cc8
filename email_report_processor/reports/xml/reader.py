"""Reads the insides of records: what has to be worked out for a shape is worked out once."""

import re
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from ...values.patterns import pattern
from .shape import Shape, leaf_texts, read_shape, split, stripped

Plan = TypeVar("Plan")
_SHAPES = 256  # shapes remembered; a report has a few, an attacker's has as many as rows
_LONGEST = 4096  # characters of a record whose shape is remembered
_OFTEN = 64  # records of a shape after which a pattern is made of it: that costs as much as reading 40 of them
_PATTERNS = 8  # patterns that are tried


class _Pattern(NamedTuple, Generic[Plan]):
    match: Callable[[str], re.Match[str] | None]
    shape: Shape
    plan: Plan


class Shapes(Generic[Plan]):
    """The shapes that were met, and the patterns of those that are met often.

    plan: what the caller makes of a shape, remembered with it. Records of a frequent shape are read by one regular
    expression, in 1 µs where splitting them costs 20.
    """

    def __init__(
        self, containers: frozenset[str], depth: int, plan: Callable[[Shape], Plan], root: str = "record"
    ) -> None:
        self.containers = containers
        self.depth = depth
        self.plan = plan
        self.root = root  # what stands around, '' for the outside of the records
        self.known: dict[tuple[str, ...], tuple[Shape, Plan]] = {}
        self.seen: dict[tuple[str, ...], int] = {}  # how often, of those in `known`
        self.patterns: list[_Pattern[Plan]] = []  # what matched last comes first

    def read(self, body: str) -> tuple[Shape, Plan, list[str]]:
        """The shape of a record, its plan, and the text of each leaf. Raises OverBound by `depth`."""
        if "\r" not in body:
            for place, pattern in enumerate(self.patterns):
                found = pattern.match(body)
                if found is not None:
                    if place:
                        self.patterns.insert(0, self.patterns.pop(place))
                    return pattern.shape, pattern.plan, stripped(found.groups(), "&" in body)
        return self._read(body)

    def _read(self, body: str) -> tuple[Shape, Plan, list[str]]:
        parts = split(body)
        tags = tuple(parts[1::2])
        found = self.known.get(tags)
        if found is None:
            shape = read_shape(tags, self.root, self.containers, self.depth)
            found = shape, self.plan(shape)
            if len(body) <= _LONGEST:
                if len(self.known) >= _SHAPES:
                    self.known.clear()
                    self.seen.clear()
                self.known[tags] = found
        shape, plan = found
        if tags in self.known:
            self._count(tags, shape, plan)
        return shape, plan, leaf_texts(shape, parts, "&" in body)

    def _count(self, tags: tuple[str, ...], shape: Shape, plan: Plan) -> None:
        """Make a pattern of a shape that is there often."""
        seen = self.seen[tags] = self.seen.get(tags, 0) + 1
        if seen == _OFTEN and (match := matcher(shape, tags)):
            self.patterns.insert(0, _Pattern(match, shape, plan))
            del self.patterns[_PATTERNS:]


def matcher(shape: Shape, tags: Sequence[str]) -> Callable[[str], re.Match[str] | None] | None:
    """Matches the records with exactly these tags, a group for the text of each leaf; None when there is no such thing.

    No text holds a '<', so nothing but these tags is a tag for `split`, and no quoted '>' can cut one of them.
    """
    numbers = shape.pick(range(len(tags) + 2))
    plain = not shape.merges and not any('"' in tag or "'" in tag for tag in tags)
    if not plain or max(numbers) > len(tags) or sorted(set(numbers)) != list(numbers):
        return None
    leaves = set(numbers)
    texts = ["([^<]*+)" if number in leaves else "[^<]*+" for number in range(len(tags) + 1)]
    marks = [*(re.escape(f"<{tag}>") for tag in tags), ""]
    return pattern("".join(text + mark for text, mark in zip(texts, marks, strict=True))).fullmatch
