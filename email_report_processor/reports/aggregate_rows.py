"""The records of an aggregate report: which leaf goes into which field, and what rows share."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from ..documents.datasets import AGGREGATE
from ..values.fields import Fields, Layer, clean
from .aggregate_head import HEAD
from .aggregate_values import MOST, WARNINGS, Value, Warnings, memo, put, read_value
from .xml.reader import Shapes
from .xml.shape import Shape, partly_reported, picker

RECORD = frozenset({"row", "policy_evaluated", "reason", "identifiers", "identities", "auth_results", "dkim", "spf"})
# Elements that hold others. A leaf counts only when all elements around it are of these (or around the outermost of
# these): what stands in an unknown element is somebody's extension (RFC 9990 §3.2).
CONTAINERS = HEAD | RECORD


_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"(?:{_OCTET}\.){{3}}{_OCTET}\Z")  # canonical already: read_ip costs 3 µs

_BY_WIRE = {field.wire: field for field in AGGREGATE.fields if field.wire.startswith("record/")}
_BY_NAME = {field.name: field for field in _BY_WIRE.values()}
_SINGLE = {wire.rpartition("/")[2]: field for wire, field in _BY_WIRE.items() if not (field.objects or field.many)}
# Found wherever they stand in a record: no other element of a record has their name.
_ANYWHERE = frozenset({"source_ip", "count", "disposition", "header_from", "envelope_from", "envelope_to"})


# Leaves of one element: the key in its object, the field's name, the number of the leaf.
_Group = tuple[tuple[str, str, int], ...]


class Plan(NamedTuple):
    """Which leaf of a record of one shape goes where."""

    pattern: str  # of the shape
    ip: int  # number of the leaf; -1: there is none
    number: int  # likewise of the count
    gaps: tuple[int, ...]  # of those two, which there are
    own: Callable[[Sequence[str]], tuple[str, ...]]  # the texts of them
    rest: Callable[[Sequence[str]], tuple[str, ...]]  # the texts of all other leaves
    singles: tuple[tuple[str, int], ...]  # name of the field and number of the leaf
    reasons: tuple[_Group, ...]
    dkim: tuple[_Group, ...]
    spf: tuple[_Group, ...]


def _plan(shape: Shape) -> Plan:
    singles: dict[str, int] = {}
    groups: dict[str, dict[int, dict[str, int]]] = {"reason": {}, "dkim": {}, "spf": {}}
    for number, leaf in enumerate(shape.leaves):
        if not leaf.path or not RECORD.issuperset(leaf.path[:-1]):
            continue
        *above, name = leaf.path
        inner = above[-1] if above else ""
        if inner in groups:
            groups[inner].setdefault(leaf.parent, {}).setdefault(name, number)
        elif name in _ANYWHERE or (name in {"dkim", "spf"} and inner in {"policy_evaluated", "row", ""}):
            singles.setdefault(name, number)
    ip, count = singles.pop("source_ip", -1), singles.pop("count", -1)
    gaps = tuple(sorted({ip, count} - {-1}))
    return Plan(
        shape.pattern,
        ip,
        count,
        gaps,
        picker(gaps),
        picker([number for number in range(len(shape.leaves)) if number not in gaps]),
        tuple((field.name, singles[name]) for name, field in _SINGLE.items() if name in singles),
        _grouped(groups["reason"], "record/row/policy_evaluated/reason"),
        _grouped(groups["dkim"], "record/auth_results/dkim"),
        _grouped(groups["spf"], "record/auth_results/spf"),
    )


def _grouped(groups: Mapping[int, Mapping[str, int]], wire: str) -> tuple[_Group, ...]:
    table = {name.removeprefix(f"{wire}/"): field for name, field in _BY_WIRE.items() if name.startswith(f"{wire}/")}
    return tuple(
        tuple((key, field.name, leaves[key]) for key, field in table.items() if key in leaves)
        for leaves in groups.values()
    )


class Rest(NamedTuple):
    """A row without its address and count: what rows of one sender share."""

    fields: Layer
    warnings: tuple[str, ...]
    record: bytes  # partly_reported: without the address and the count


class RowReader:
    """Makes fields of records; remembers what repeats, also from one report to the next, and so much at the most."""

    def __init__(self, limit: int, depth: int, max_count: int) -> None:
        self.limit = limit
        self.max_count = max_count
        self.shapes = Shapes(CONTAINERS, depth, _plan)
        self.memos = {field.name: memo(field, limit) for field in _BY_WIRE.values()}
        self.counts = self.memos["count"]
        self.rests: dict[tuple[str, Any], Rest] = {}

    def fields(self, rest: Rest, plan: Plan, texts: list[str]) -> Fields:
        """The fields of one row that others do not have."""
        fields: Fields = {}
        warnings = rest.warnings
        address = texts[plan.ip] if plan.ip >= 0 else ""
        if _IPV4.match(address):
            fields["source.ip"] = address
        else:
            warnings += self._fill(fields, "source.ip", address)
        number = texts[plan.number] if plan.number >= 0 else ""
        count = self.counts[number]
        if count is not None and count <= self.max_count:
            fields["count"] = count
        else:
            warnings += self._fill(fields, "count", number)
        if warnings:
            fields["warnings"] = list(warnings[:WARNINGS])
        return fields

    def _fill(self, fields: Fields, name: str, text: str) -> tuple[str, ...]:
        """Put in an unusual address or count; the warnings about it."""
        read = read_value(_BY_NAME[name], text, self.limit) if text else Value(None, f"{name}: missing")
        if name == "count" and (read.value or 0) > self.max_count:
            read = Value(None, f"{name}: above bounds.max_count = {self.max_count}", clean(text))
        if read.value is not None:
            fields[name] = read.value
        if read.raw:
            fields[f"raw.{name}"] = read.raw
        return (read.warning,) if read.warning else ()

    def rest(self, plan: Plan, texts: list[str]) -> Rest:
        """What the row shares with others."""
        key = (plan.pattern, plan.rest(texts))
        found = self.rests.get(key)
        if found is None:
            found = self._read_rest(plan, texts)
            if len(plan.pattern) + sum(map(len, texts)) <= 4096:  # an honest one has about 1,000
                if len(self.rests) >= 1024:
                    self.rests.clear()
                self.rests[key] = found
        return found

    def _read_rest(self, plan: Plan, texts: list[str]) -> Rest:
        warnings = Warnings()
        fields = Layer()
        for name, number in plan.singles:
            text = texts[number]
            if text:
                value = self.memos[name][text]
                if value:
                    fields[name] = value
                else:
                    put(fields, name, read_value(_BY_NAME[name], text, self.limit), warnings)
            elif name == "identifiers.envelope_from":  # the null reverse-path (RFC 9990 §3.1.1.11)
                fields[name] = ""
        dkim, spf = fields.get("policy_evaluated.dkim"), fields.get("policy_evaluated.spf")
        if dkim or spf:
            fields["dmarc.result"] = "pass" if "pass" in (dkim, spf) else "fail"
        self._put_reasons(fields, plan.reasons, texts, warnings)
        self._put_results(fields, "auth_results.dkim", plan.dkim, texts, warnings)
        self._put_results(fields, "auth_results.spf", plan.spf, texts, warnings)
        return Rest(fields, tuple(warnings.texts), partly_reported(plan.pattern, texts, plan.gaps))

    def _put_reasons(self, fields: Fields, groups: tuple[_Group, ...], texts: list[str], warnings: Warnings) -> None:
        for _, name, number in [one for group in groups[:MOST] for one in group]:
            value = self._value(name, texts[number], warnings)
            if value and value not in fields.setdefault(name, []):
                fields[name].append(value)

    def _put_results(
        self, fields: Fields, name: str, groups: tuple[_Group, ...], texts: list[str], warnings: Warnings
    ) -> None:
        results = []
        for group in groups:
            found = [(key, self._value(name, texts[at], warnings)) for key, name, at in group if texts[at]]
            if result := {key: value for key, value in found if value}:
                results.append(result)
        if len(results) > MOST:
            warnings.add(f"{name}: the first {MOST} of {len(results)} are used")
            del results[MOST:]
        if results:
            joined, keys = _JOINED[name]
            fields[name] = results
            fields[joined] = [" / ".join([result.get(key, "-") for key in keys]) for result in results]

    def _value(self, name: str, text: str, warnings: Warnings) -> Any:
        value = self.memos[name][text]
        if value is None:
            value, warning, _ = read_value(_BY_NAME[name], text, self.limit)
            if warning:
                warnings.add(warning)
        return value


@lru_cache(maxsize=2)  # one in a process, and another in a test
def row_reader(limit: int, depth: int, max_count: int) -> RowReader:
    return RowReader(limit, depth, max_count)


_JOINED = {
    "auth_results.dkim": ("dkim.signatures", ("domain", "selector", "result")),
    "auth_results.spf": ("spf.checks", ("domain", "scope", "result")),
}
