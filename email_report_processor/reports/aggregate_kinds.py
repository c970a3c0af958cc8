"""Rows that repeat: records whose text is the same but for the address and the count are one kind.

What a record of a kind says was worked out when the first of them was read, by the one reader there is
(aggregate_rows). The others are recognised by one pattern, and of each no more is kept than its address and its count:
so a report that consists of them is read once, and not again to be written. Of a report of more kinds than may be kept
nothing is; its records are recognised in both passes.
"""

import re
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

from ..message.bounds import Bounds
from ..values.fields import Fields, Layer
from ..values.patterns import pattern
from ..values.remembered import Generations
from .aggregate_rows import OCTET, RowReader
from .aggregate_values import WARNINGS
from .xml.shape import RECORD_LEVEL, as_reported
from .xml.unlike import FEW, LONGEST, REMEMBERED, Unlike, cost_of

KEPT = 1024  # kinds of a report whose rows are kept, and those that are remembered from one report to the next
_MOST_TAGS = 60
_BLOCK = 2048  # rows that are packed together: a row then takes some 20 bytes
_WIDE = 32  # bytes of a row, from which on a block is deflated
_DEFLATED = b"x"  # how such a block begins, and no address does

_USUAL = pattern(
    rf"([^<]*+<row>[^<]*+<source_ip>)((?:{OCTET}\.){{3}}{OCTET}|[0-9a-f:]{{2,39}})(</source_ip>[^<]*+<count>)"
    r"([1-9][0-9]{0,8}|0)(</count>.*)",
    re.DOTALL,
)

Key = tuple[str, str, str]  # the texts before the address, between it and the count, behind the count
Row = tuple[bytes, Fields, Layer]  # the record as reported, the row's own fields, and those that it shares


def may_be_kind(body: str) -> bool:
    """Whether other records may be like this one but for address and count."""
    several = body.count("<row") + body.count(":row") > 1 or "record" in body
    return not several and len(body) <= LONGEST and body.count("<") <= _MOST_TAGS


class Kind(NamedTuple):
    """What all rows share that have the same text around address and count."""

    fields: Layer
    warnings: tuple[str, ...]
    before: bytes  # of the record as reported, the address
    between: bytes
    behind: bytes  # the count

    def row(self, address: str, count: str) -> Row:
        """The row of this kind with an address and a count that are stored as they are reported."""
        own: Fields = {"source.ip": address, "count": int(count)}
        if self.warnings:
            own["warnings"] = list(self.warnings[:WARNINGS])
        return b"".join((self.before, address.encode(), self.between, count.encode(), self.behind)), own, self.fields


class Kinds:
    """The kinds that were met, in all reports; and which of them were well-formed XML when they were met."""

    def __init__(self, reader: RowReader) -> None:
        self._reader = reader
        self._digits = len(str(reader.max_count))
        self._known: Generations[Key, Kind] = Generations(2 * REMEMBERED)
        self._texts: Generations[str, tuple[Row, ...]] = Generations(2 * FEW)  # of records that are no kind
        self._judged: set[Key] = set()

    def begin(self) -> None:
        """Another report follows: of one with very many kinds nothing stays."""
        if len(self._known) > KEPT:
            self._known = Generations(2 * REMEMBERED)

    def get(self, key: Key, body: str, address: str, count: str) -> Kind | None:
        """The kind of a record; None when it is not that simple. Raises OverBound."""
        return self._known.get(key) or self._learn(key, body, address, count)

    def is_judged(self, key: Key) -> bool:
        """Whether records of this kind are known to be well-formed."""
        return key in self._judged

    def judge(self, keys: set[Key]) -> None:
        """Records of these kinds stood in a report that is well-formed."""
        if len(self._judged) + len(keys) > KEPT:
            self._judged.clear()
        self._judged |= keys

    def is_plain(self, address: str, count: str) -> bool:
        """Whether both are stored as they are reported."""
        return ("." in address or _is_canonical(address)) and (
            len(count) < self._digits or int(count) <= self._reader.max_count
        )

    def kind_of(self, body: str) -> Key | str:
        """What records of one kind have in common; the whole text of one that is like no other."""
        found = _USUAL.fullmatch(body)
        if found is None or not self.is_plain(found[2], found[4]) or not may_be_kind(body):
            return body
        before, _, between, _, behind = found.groups()
        return before, between, behind

    def rows(self, body: str) -> Iterator[Row]:
        """The rows of a record, of a known kind or of any other."""
        found = _USUAL.fullmatch(body)
        if found is not None and self.is_plain(found[2], found[4]):
            before, address, between, count, behind = found.groups()
            kind = self.get((before, between, behind), body, address, count)
            if kind is not None:
                yield kind.row(address, count)
                return
        for record, own, layer in self._unusual(body):
            yield record, dict(own), layer

    def _unusual(self, body: str) -> tuple[Row, ...]:
        """The rows of a record that is like others only if all of its text is the same."""
        found = self._texts.get(body)
        if found is None:
            found = tuple(self._read(body))
            if len(body) <= LONGEST:
                self._texts.put(body, found)
        return found

    def _read(self, body: str) -> Iterator[Row]:
        for plan, texts in self._reader.rows(body):
            rest = self._reader.rest(plan, texts)
            yield as_reported(rest.record, plan.own(texts)), self._reader.fields(rest, plan, texts), rest.fields

    def _learn(self, key: Key, body: str, address: str, count: str) -> Kind | None:
        if not may_be_kind(body):
            return None
        rows = list(self._reader.rows(body))
        plan, texts = rows[0]
        one_place = len(plan.gaps) == 2 and plan.gaps == (plan.ip, plan.number)
        if len(rows) > 1 or not one_place or (texts[plan.ip], texts[plan.number]) != (address, count):
            return None
        rest = self._reader.rest(plan, texts)
        before, between, behind = (rest.record % (b'"\0"', b'"\0"')).split(b"\0")
        kind = Kind(rest.fields, rest.warnings, before, between, behind)
        self._known.put(key, kind)
        return kind


class Recognised:
    """The rows of one report of usual records: of each its address, its count and the number of its kind."""

    def __init__(self, kinds: Kinds, bounds: Bounds) -> None:
        kinds.begin()
        self._kinds = kinds
        self._bounds = bounds
        self._numbers: dict[Key, int] = {}
        self._of_report: list[Kind] = []
        self._blocks: list[bytes] = []
        self._last: list[tuple[str, str, int]] = []
        self._unlike: Unlike | None = None  # when there are too many kinds
        self._cost = 0  # of the kinds until then

    @property
    def kept(self) -> bool:
        """Whether the rows are here; else the records have to be read again."""
        return self._unlike is None

    @property
    def cost(self) -> int:
        """What new kinds cost, in rows."""
        return self._cost + (self._unlike.cost if self._unlike is not None else 0)

    def take(self, body: str) -> bool | None:
        """Take a record: whether records like it are known to be well-formed; None when it is not a usual one.

        Raises OverBound.
        """
        found = _USUAL.fullmatch(body)
        if found is None:
            return None
        before, address, between, count, behind = found.groups()
        key = before, between, behind
        if not self._kinds.is_plain(address, count):
            return None
        if self._unlike is not None:
            return self._pass(self._unlike, key, body)
        number = self._numbers.get(key)
        judged = True
        if number is None:
            if len(self._numbers) >= min(KEPT, self._bounds.kinds):
                return self._pass(self._let_go(), key, body)
            kind = self._kinds.get(key, body, address, count)
            if kind is None:
                return None
            self._of_report.append(kind)
            self._cost += cost_of(body)
            number = self._numbers[key] = len(self._of_report) - 1
            judged = self._kinds.is_judged(key)
        self._last.append((address, count, number))
        if len(self._last) == _BLOCK:
            self._blocks.append(_packed(self._last))
            self._last.clear()
        return judged

    def _let_go(self) -> Unlike:
        """Keep no rows any more: their kinds would take too much memory."""
        self._unlike = Unlike(self._bounds.kinds)
        self._numbers, self._of_report, self._blocks, self._last = {}, [], [], []
        return self._unlike

    def _pass(self, unlike: Unlike, key: Key, body: str) -> bool | None:
        """The same of a record that is not kept. One of a kind that was not there lately is read later on."""
        if not unlike.is_new(key, body):
            return True
        deep = body.count("<") - body.count("</") > self._bounds.xml_depth - RECORD_LEVEL
        return False if may_be_kind(body) and not deep else None

    def well_formed(self) -> None:
        """The report that these rows are of was found to be well-formed."""
        self._kinds.judge(set(self._numbers))

    def rows(self) -> Iterator[Row]:
        """All rows that are kept."""
        kinds = self._of_report
        for block in self._blocks:
            words = _words(block)
            for address, count, number in zip(words[0::3], words[1::3], words[2::3], strict=False):
                yield kinds[int(number)].row(address, count)
        for address, count, last in self._last:
            yield kinds[last].row(address, count)


def _packed(rows: list[tuple[str, str, int]]) -> bytes:
    """Of IPv6 addresses deflated, so that a row takes no more than one of IPv4."""
    words = " ".join([f"{address} {count} {number}" for address, count, number in rows]).encode()
    return words if len(words) < _WIDE * len(rows) else zlib.compress(words, 1)


def _words(block: bytes) -> list[str]:
    return (zlib.decompress(block) if block[:1] == _DEFLATED else block).decode().split(" ")


def _is_canonical(address: str) -> bool:
    """Whether an IPv6 address is as read_ip writes it, in a tenth of its time; not so with an IPv4 one in it."""
    write, read, family = _addresses()
    try:
        return write(family, read(family, address)) == address
    except OSError:
        return False


@cache
def _addresses() -> tuple[Callable[[int, bytes], str], Callable[[int, str], bytes], int]:
    from _socket import AF_INET6, inet_ntop, inet_pton  # 0.4 ms, only for IPv6; all of socket takes 6

    return inet_ntop, inet_pton, AF_INET6
