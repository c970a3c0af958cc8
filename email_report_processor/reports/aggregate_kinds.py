"""Rows that repeat: records whose text is the same but for the address and the count are one kind.

What a record of a kind says was worked out when the first of them was read, by the one reader there is
(aggregate_rows). The others are recognised by one pattern, and of each no more is kept than its address and its count:
so a report that consists of them is read once, and not again to be written.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from ..values.fields import Fields, Layer, read_ip
from ..values.patterns import pattern
from ..values.remembered import remembered
from .aggregate_rows import OCTET, RowReader
from .aggregate_values import WARNINGS

KINDS = 1024  # kinds of one report, and those that are remembered from one report to the next
_LONGEST = 4096  # characters of a record; an honest one has about 700
_MOST_TAGS = 60
_BLOCK = 2048  # rows that are packed together: a row then takes some 20 bytes

_USUAL = pattern(
    rf"([^<]*+<row>[^<]*+<source_ip>)((?:{OCTET}\.){{3}}{OCTET}|[0-9a-f:]{{2,39}})(</source_ip>[^<]*+<count>)"
    r"([1-9][0-9]{0,8}|0)(</count>.*)",
    re.DOTALL,
)


def kind_of(body: str) -> str | tuple[str, ...]:
    """What records of one kind have in common; the whole text of one that is unlike others."""
    found = _USUAL.fullmatch(body)
    return found.group(1, 3, 5) if found else body


class Kind(NamedTuple):
    """What all rows share that have the same text around address and count."""

    fields: Layer
    warnings: tuple[str, ...]
    record: tuple[bytes, bytes, bytes]  # as reported: before the address, between it and the count, behind the count


class Kinds:
    """The kinds that were met, in all reports; and which of them were well-formed XML when they were met."""

    def __init__(self, reader: RowReader) -> None:
        self._reader = reader
        self._known: dict[tuple[str, ...], Kind] = {}
        self._judged: set[tuple[str, ...]] = set()

    def get(self, key: tuple[str, ...], body: str, address: str, count: str) -> Kind | None:
        """The kind of a record; None when it is not that simple. Raises OverBound."""
        return self._known.get(key) or self._learn(key, body, address, count)

    def is_judged(self, key: tuple[str, ...]) -> bool:
        """Whether records of this kind are known to be well-formed."""
        return key in self._judged

    def judge(self, keys: set[tuple[str, ...]]) -> None:
        """Records of these kinds stood in a report that is well-formed."""
        if len(self._judged) + len(keys) > KINDS:
            self._judged.clear()
        self._judged |= keys

    def _learn(self, key: tuple[str, ...], body: str, address: str, count: str) -> Kind | None:
        if len(body) > _LONGEST or body.count("<") > _MOST_TAGS or "record" in body:
            return None
        rows = list(self._reader.rows(body))
        plan, texts = rows[0]
        one_place = len(plan.gaps) == 2 and plan.gaps == (plan.ip, plan.number)
        if len(rows) > 1 or not one_place or (texts[plan.ip], texts[plan.number]) != (address, count):
            return None
        rest = self._reader.rest(plan, texts)
        before, between, behind = (rest.record % (b'"\0"', b'"\0"')).split(b"\0")
        if len(self._known) >= KINDS:
            self._known.clear()
        kind = self._known[key] = Kind(rest.fields, rest.warnings, (before, between, behind))
        return kind


class Recognised:
    """The rows of one report of usual records: of each its address, its count and the number of its kind."""

    def __init__(self, kinds: Kinds, max_count: int, most: int) -> None:
        self._kinds = kinds
        self._most = min(KINDS, most)
        self._max_count = max_count
        self._digits = len(str(max_count))
        self._numbers: dict[tuple[str, ...], int] = {}
        self._of_report: list[Kind] = []
        self._blocks: list[bytes] = []
        self._last: list[tuple[str, str, int]] = []

    def take(self, body: str) -> bool | None:
        """Take a record: whether records like it are known to be well-formed; None when it is not a usual one."""
        found = _USUAL.fullmatch(body)
        if found is None:
            return None
        before, address, between, count, behind = found.groups()
        key = before, between, behind
        number = self._numbers.get(key)
        judged = True
        if number is None:
            number = self._add(key, body, address, count)
            judged = self._kinds.is_judged(key)
        if number is None or not self._is_plain(address, count):
            return None
        self._last.append((address, count, number))
        if len(self._last) == _BLOCK:
            self._blocks.append(_packed(self._last))
            self._last.clear()
        return judged

    def _add(self, key: tuple[str, ...], body: str, address: str, count: str) -> int | None:
        kind = self._kinds.get(key, body, address, count) if len(self._of_report) < self._most else None
        if kind is None:
            return None
        self._of_report.append(kind)
        number = self._numbers[key] = len(self._of_report) - 1
        return number

    def _is_plain(self, address: str, count: str) -> bool:
        """Whether both are stored as they are reported."""
        return (":" not in address or _is_canonical(address)) and (
            len(count) < self._digits or int(count) <= self._max_count
        )

    def well_formed(self) -> None:
        """The report that these rows are of was found to be well-formed."""
        self._kinds.judge(set(self._numbers))

    def rows(self) -> Iterator[tuple[bytes, Fields, Layer]]:
        """Of each row the record as reported, its own fields, and those that it shares."""
        kinds = self._of_report
        for block in (*self._blocks, _packed(self._last)):
            words = block.decode().split(" ")
            for address, count, number in zip(words[0::3], words[1::3], words[2::3], strict=False):
                layer, warnings, (before, between, behind) = kinds[int(number)]
                own: Fields = {"source.ip": address, "count": int(count)}
                if warnings:
                    own["warnings"] = list(warnings[:WARNINGS])
                yield b"".join((before, address.encode(), between, count.encode(), behind)), own, layer


def _packed(rows: list[tuple[str, str, int]]) -> bytes:
    return " ".join([f"{address} {count} {number}" for address, count, number in rows]).encode()


@remembered(most=4096, longest=39)
def _is_canonical(address: str) -> bool:
    try:
        return read_ip(address) == address
    except ValueError:
        return False
