"""The records of an aggregate report to fields, and what rows share."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from ..values.fields import Fields, Layer, clean
from ..values.patterns import pattern
from .aggregate_names import CONTAINERS
from .aggregate_plan import FIELDS, Group, Plan, bare_group, make_plans
from .aggregate_values import MOST, WARNINGS, Value, Warnings, memo, put, read_value
from .xml.reader import Shapes
from .xml.shape import partly_reported

OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = pattern(rf"(?:{OCTET}\.){{3}}{OCTET}\Z")  # canonical already: read_ip costs 3 µs


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
        self.shapes = Shapes(CONTAINERS, depth, make_plans)
        self.memos = {field.name: memo(field, limit) for field in FIELDS.values()}
        self.counts = self.memos["count"]
        self.rests: dict[tuple[Any, ...], Rest] = {}

    def rows(self, body: str) -> Iterator[tuple[Plan, list[str]]]:
        """The plan and the texts of each row in a record."""
        _, plans, texts = self.shapes.read(body)
        for plan in plans:
            yield plan, [*texts, *plan.attributes] if plan.attributes else texts

    def rows_in(self, body: str) -> int:
        """How many rows a record has: one, but in odd reports."""
        return len(self.shapes.read(body)[1])

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
        read = read_value(FIELDS[name], text, self.limit) if text else Value(None, f"{name}: missing")
        if name == "count" and (read.value or 0) > self.max_count:
            read = Value(None, f"{name}: above bounds.max_count = {self.max_count}", clean(text))
        if read.value is not None:
            fields[name] = read.value
        if read.raw:
            fields[f"raw.{name}"] = read.raw
        return (read.warning,) if read.warning else ()

    def rest(self, plan: Plan, texts: list[str]) -> Rest:
        """What the row shares with others."""
        key = (plan.key, plan.rest(texts))
        found = self.rests.get(key)
        if found is None:
            found = self._read_rest(plan, texts)
            if len(plan.pattern) + sum(map(len, texts)) <= 4096:  # an honest one has about 1,000
                if len(self.rests) >= 1024:
                    self.rests.clear()
                self.rests[key] = found
        return found

    def _read_rest(self, plan: Plan, texts: list[str]) -> Rest:
        warnings = Warnings(plan.warnings)
        instead = _doubles(plan, texts, warnings)
        for name, number in plan.stray:
            if texts[number]:
                warnings.add(f"{name}: its text was not read")
        fields = Layer()
        for name, number in plan.singles:
            text = texts[instead.get(number, number)]
            if text:
                value = self.memos[name][text]
                if value:
                    fields[name] = value
                else:
                    put(fields, name, read_value(FIELDS[name], text, self.limit), warnings)
            elif name == "identifiers.envelope_from":  # the null reverse-path (RFC 9990 §3.1.1.11)
                fields[name] = ""
        dkim, spf = fields.get("policy_evaluated.dkim"), fields.get("policy_evaluated.spf")
        if dkim or spf:
            fields["dmarc.result"] = "pass" if "pass" in (dkim, spf) else "fail"
        bare = self._bare(plan, texts, warnings) if plan.bare else _NO_GROUPS
        self._put_reasons(fields, plan.reasons + bare["reason"], texts, warnings)
        self._put_results(fields, "auth_results.dkim", plan.dkim + bare["dkim"], texts, warnings)
        self._put_results(fields, "auth_results.spf", plan.spf + bare["spf"], texts, warnings)
        return Rest(fields, tuple(warnings.texts), partly_reported(plan.pattern, texts[: plan.leaves], plan.gaps))

    def _bare(self, plan: Plan, texts: list[str], warnings: Warnings) -> dict[str, tuple[Group, ...]]:
        """What elements say that ought to hold elements and hold a text: `<reason>mailing_list</reason>`."""
        groups = dict(_NO_GROUPS)
        for name, number in plan.bare:
            if not texts[number]:
                continue
            group = bare_group(name, texts[number], number)
            groups[name] += group
            warnings.add(f"{name}: its text was {f'read as its {group[0][0][0]}' if group else 'not read'}")
        return groups

    def _put_reasons(self, fields: Fields, groups: tuple[Group, ...], texts: list[str], warnings: Warnings) -> None:
        for key, name, number in [one for group in groups[:MOST] for one in group]:
            for text in texts[number].split(",") if key == "type" else (texts[number],):
                value = self._value(fields, name, text.strip(), warnings)
                if value and value not in fields.setdefault(name, []):
                    fields[name].append(value)

    def _put_results(
        self, fields: Fields, name: str, groups: tuple[Group, ...], texts: list[str], warnings: Warnings
    ) -> None:
        results = []
        for group in groups:
            found = [(key, self._value(fields, name, texts[at], warnings)) for key, name, at in group if texts[at]]
            if result := {key: value for key, value in found if value}:
                results.append(result)
        if len(results) > MOST:
            warnings.add(f"{name}: the first {MOST} of {len(results)} are used")
            del results[MOST:]
        if results:
            joined, keys = _JOINED[name]
            fields[name] = results
            fields[joined] = [" / ".join([result.get(key, "-") for key in keys]) for result in results]

    def _value(self, fields: Fields, name: str, text: str, warnings: Warnings) -> Any:
        value = self.memos[name][text]
        if value is None:
            value, warning, raw = read_value(FIELDS[name], text, self.limit)
            if warning:
                warnings.add(warning)
            if value is None:
                fields.setdefault(f"raw.{name}", raw)
        return value


@lru_cache(maxsize=2)  # one in a process, and another in a test
def row_reader(limit: int, depth: int, max_count: int) -> RowReader:
    return RowReader(limit, depth, max_count)


def _doubles(plan: Plan, texts: list[str], warnings: Warnings) -> dict[int, int]:
    """Tell what is there twice; of what is empty, the first that is not."""
    instead: dict[int, int] = {}
    for name, used, other in plan.doubles:
        if texts[used] != texts[other]:
            warnings.add(f"{name}: one of several is used")
            if not texts[used]:
                instead.setdefault(used, other)
    return instead


_JOINED = {
    "auth_results.dkim": ("dkim.signatures", ("domain", "selector", "result")),
    "auth_results.spf": ("spf.checks", ("domain", "scope", "result")),
}
_NO_GROUPS: dict[str, tuple[Group, ...]] = {"reason": (), "dkim": (), "spf": ()}
