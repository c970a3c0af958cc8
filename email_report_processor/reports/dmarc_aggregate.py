"""DMARC aggregate reports: RFC 7489 Appendix C, RFC 9990, their drafts, and what reporters make of them.

One document for each `<record>` and one `report` document for the whole. Which element goes into which field stands
in datasets.py; here is only what the world does otherwise: any order, any namespace, names for names, words for words.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from typing import Any, NamedTuple

from ..documents.datasets import AGGREGATE, REPORT, SCHEMA_VERSION
from ..documents.document import Document, canonical, make_id
from ..message.bounds import Bounds, Problem
from ..message.payload import OverBound, Payload
from ..values import authres
from ..values.fields import Field, Fields, Layer, Type, clean, read_domain, read_epoch, read_identifier, write_date
from ..values.remembered import remembered
from .repetitions import repetitions
from .report import Context, Kind, Report
from .xmlrecords import (
    ForbiddenError,
    Shape,
    Shapes,
    Survey,
    as_reported,
    partly_reported,
    picker,
    survey,
    surveyed_bodies,
)

# Elements that hold others. A leaf counts only when all elements around it are of these (or around the outermost of
# these): what stands in an unknown element is somebody's extension (RFC 9990 §3.2).
_HEAD = frozenset({"feedback", "report_metadata", "date_range", "policy_published"})
_RECORD = frozenset({"row", "policy_evaluated", "reason", "identifiers", "identities", "auth_results", "dkim", "spf"})
_CONTAINERS = _HEAD | _RECORD

_MOST = 100  # results, reasons and errors of a kind in one document (RFC 9990 §3.1.3: at most 100 signatures a row)
_WARNINGS = 20  # warnings of one document
_RFC_9990 = re.compile(r"xmlns(?::[^\s=]+)?\s*=\s*[\"']urn:ietf:params:xml:ns:dmarc-2\.0[\"']")

# Words of draft-era reporters (comments of the schema in RFC 7489 App. C for SPF; `hardfail` as in viewers' tests).
_ALIASES = {
    "auth_results.spf.result": {"hardfail": "fail", "unknown": "temperror", "error": "permerror"},
    "auth_results.dkim.result": {"hardfail": "fail", "error": "permerror"},
}
_ALIASED = frozenset(word for words in _ALIASES.values() for word in words)


def read(payload: Payload, context: Context) -> Report | Problem | None:
    """Read a payload: a Report, a Problem when it is a DMARC report that cannot be read, None when it is none.

    A Report whose head says `salvaged` was broken XML, or cut off: rows may be missing. Its documents share layers
    with each other: add to the own fields of one, but leave its layers as they are.
    """
    bounds = context.options.bounds
    try:
        payload, surveyed = _survey(payload, bounds)
    except OverBound as error:
        return Problem(payload.place, f"DMARC aggregate report over a bound: {error}")
    except ForbiddenError as error:
        return Problem(payload.place, f"DMARC aggregate report refused: {error}")
    if surveyed is None:
        return None
    if _reports(surveyed) > 1:
        return Problem(payload.place, "several DMARC aggregate reports in one file, which cannot be told apart")
    values = _head_values(surveyed)
    named = any(values.texts.get(name) for name in ("org_name", "report_id", "begin", "domain"))
    if not surveyed.rows and surveyed.damage:
        return Problem(payload.place, f"DMARC aggregate report without a readable record: {surveyed.damage}")
    if not named and not (surveyed.rows and surveyed.is_report):
        return _nothing(payload, surveyed)
    head = _read_head(values, surveyed, context)
    return Report(AGGREGATE.name, head.report, surveyed.rows, partial(_documents, payload, surveyed, head, bounds))


def _survey(payload: Payload, bounds: Bounds) -> tuple[Payload, Survey | None]:
    """The payload, without what follows the first report in it, and what is in it. Raises OverBound, ForbiddenError."""
    surveyed = survey(payload, bounds, _CONTAINERS)
    if surveyed is None or _reports(surveyed) < 2:
        return payload, surveyed
    payload = payload._replace(chunks=_first_report(payload.chunks))
    surveyed = survey(payload, bounds, _CONTAINERS)
    if surveyed is not None:
        surveyed = surveyed._replace(strict=False, warnings=(*surveyed.warnings, _ANOTHER))
    return payload, surveyed


_ANOTHER = "salvaged: another report follows in the same file, and was not read"
_END = re.compile(rb"</(?:[^\s<>/:]{1,40}:)?feedback\s{0,20}>")
_LONGEST_END = 80  # bytes that it can match


def _reports(surveyed: Survey) -> int:
    """How many reports a file holds; the records of a second one would be taken for the first one's."""
    return _head_plan(surveyed.shape).reports


def _first_report(chunks: Callable[[], Iterator[bytes]]) -> Callable[[], Iterator[bytes]]:
    """The file up to the end of the first report."""

    def first() -> Iterator[bytes]:
        before = b""
        for chunk in chunks():
            if end := _END.search(before + chunk):
                yield chunk[: end.end() - len(before)]
                return
            yield chunk
            before = (before + chunk)[-_LONGEST_END:]

    return first


def _nothing(payload: Payload, surveyed: Survey) -> Problem | None:
    # A text that merely mentions our elements is not ours.
    if not surveyed.is_report:
        return None
    return Problem(payload.place, "DMARC aggregate report without metadata and without records")


KIND = Kind(AGGREGATE.name, read)


# --- head ---


class _Values(NamedTuple):
    """What stands outside of the records, by local name: stripped text, as reported."""

    texts: Mapping[str, str]  # the first of each name
    errors: Sequence[str]
    policies: int  # how many policy_published there are


class _Head(NamedTuple):
    row: Layer  # of every row
    report: Fields  # of the report document
    identity: tuple[str, ...]  # who, whom, which, when: as reported


class _HeadPlan(NamedTuple):
    """Which leaf outside of the records of one shape is what."""

    texts: tuple[tuple[str, int], ...]  # the first of each name, and its number
    errors: tuple[int, ...]
    policies: int
    reports: int  # how many reports the file holds


_LONGEST_HEAD = 4096  # characters of the pattern of a head whose plan is remembered: an honest one has some 500


@remembered(most=64, longest=_LONGEST_HEAD, size=lambda shape: len(shape.pattern))
def _head_plan(shape: Shape) -> _HeadPlan:
    numbers: dict[str, int] = {}
    errors = []
    policies: dict[int, None] = {}  # numbers of the elements, in order
    for number, leaf in enumerate(shape.leaves):
        name = leaf.path[-1] if leaf.path else ""
        if not _is_known(leaf.path[:-1], _HEAD):
            continue
        if "policy_published" in leaf.path[:-1]:
            policies[leaf.parent] = None
            if leaf.parent != next(iter(policies)):
                continue
        if name == "error":
            errors.append(number)
        else:
            numbers.setdefault(name, number)
    reports = {leaf.parent for leaf in shape.leaves if leaf.path[-2:] == ("report_metadata", "report_id")}
    return _HeadPlan(tuple(numbers.items()), tuple(errors), len(policies), len(reports))


def _head_values(surveyed: Survey) -> _Values:
    plan, texts = _head_plan(surveyed.shape), surveyed.texts
    found = {name: texts[number] for name, number in plan.texts}
    return _Values(found, [texts[number] for number in plan.errors], plan.policies)


def _is_known(path: Sequence[str], known: frozenset[str]) -> bool:
    """Whether the elements around a leaf are all known from the first known one on, or there are none at all."""
    start = next((number for number, name in enumerate(path) if name in known), 0)
    return known.issuperset(path[start:])


def _fields_under(wire: str) -> dict[str, Field]:
    return {field.wire.rpartition("/")[2]: field for field in AGGREGATE.fields if field.wire.startswith(wire)}


_METADATA = _fields_under("feedback/report_metadata")
_POLICY = _fields_under("feedback/policy_published")


def _read_head(values: _Values, surveyed: Survey, context: Context) -> _Head:
    warnings = _Warnings(surveyed.warnings)
    limit = context.options.bounds.string_chars
    metadata, raw = _typed(_METADATA, values.texts, limit, warnings)
    policy, raw_policy = _typed(_POLICY, values.texts, limit, warnings)
    if values.policies > 1:
        warnings.add(f"policy_published: the first of {values.policies} is used")
    stamp = _stamp(values.texts, context, metadata, warnings)
    envelope = _envelope(context, values.texts.get("email", ""))
    common = {"@timestamp": stamp, "schema_version": SCHEMA_VERSION, **envelope, **metadata}
    common["report.format"] = _format(values.texts, surveyed.root)
    identity = _identity(values.texts)
    report = {**common, "event.dataset": REPORT.name, "report.identity": make_id(REPORT.name, *identity)}
    report |= _about(values, surveyed, policy, context)
    # What is wrong with the head is said once, not in each row.
    report |= {**raw, **raw_policy, **({"warnings": warnings.texts} if warnings.texts else {})}
    return _Head(Layer({**common, "event.dataset": AGGREGATE.name, **policy}), report, identity)


def _about(values: _Values, surveyed: Survey, policy: Fields, context: Context) -> Fields:
    """Fields of the report document alone."""
    about: Fields = {"report.dataset": AGGREGATE.name, "report.sha256": surveyed.sha256}
    about |= {"rows": surveyed.rows, "salvaged": not surveyed.strict}
    if domain := policy.get("policy_published.domain"):
        about["report.domain"] = [domain]
    limit = context.options.bounds.string_chars
    errors = [clean(error[:limit]) for error in values.errors[:_MOST] if error]
    if errors:
        about["report.errors"] = errors
    end, received = _epoch(values.texts.get("end", "")), context.envelope.received
    if end and received:
        about["report.delay"] = int((datetime.fromisoformat(received) - end).total_seconds())
    return about


def _envelope(context: Context, email: str) -> Fields:
    envelope = context.envelope
    found = {
        "report.from_domain": envelope.from_domain,
        "report.message_id": envelope.message_id,
        "report.received": envelope.received,
        "report.feed": context.options.feed,
        "report.authentication": authres.verdict(envelope.authentication, (_domain_of(email),)),
    }
    return {name: value for name, value in found.items() if value}


def _domain_of(email: str) -> str:
    return read_domain(email.rpartition("@")[2].strip(" <>"))


@remembered(most=256, longest=20)  # reports are about the same days
def _epoch(text: str) -> datetime | None:
    try:
        return read_epoch(text)
    except ValueError:
        return None


def _stamp(texts: Mapping[str, str], context: Context, metadata: Fields, warnings: "_Warnings") -> str:
    """`@timestamp`: the middle of the period, so that a day's report falls on that day in every time zone."""
    for name in ("begin", "end"):
        if not texts.get(name):
            warnings.add(f"report.{name}: missing")
    begin, end = _epoch(texts.get("begin", "")), _epoch(texts.get("end", ""))
    if begin and end and begin <= end:
        metadata["report.duration"] = duration = int((end - begin).total_seconds())
        return write_date(begin + timedelta(seconds=duration // 2))
    if begin and end:
        warnings.add("report.end: before report.begin")
    if end:
        return write_date(end)
    if context.envelope.received:
        warnings.add("@timestamp: the date of the message, as the report has no end")
        return context.envelope.received
    warnings.add("@timestamp: neither the report's end nor the message's date is known")
    return write_date(begin or datetime.fromtimestamp(0, UTC))


def _format(texts: Mapping[str, str], root: str) -> str:
    """Which format a report follows; neither the namespace nor the version alone says so (standards §1.2)."""
    if _RFC_9990.search(root) or not texts.keys().isdisjoint(("np", "testing", "discovery_method", "generator")):
        return "rfc9990"
    return "rfc7489" if "version" in texts else "draft"


def _identity(texts: Mapping[str, str]) -> tuple[str, ...]:
    """Who reports about whom, which report, which period: as reported, before any normalisation (design §4)."""
    return (
        AGGREGATE.name,
        texts.get("org_name", ""),
        texts.get("email", "").rpartition("@")[2].strip(" <>").lower(),
        texts.get("domain", "").lower(),
        read_identifier(texts.get("report_id", "")),
        texts.get("begin", ""),
        texts.get("end", ""),
    )


# --- values ---


class _Warnings:
    """A short list of short sentences."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self.texts = list(texts)[:_WARNINGS]

    def add(self, text: str) -> None:
        """Once each, and not too many."""
        if text not in self.texts and len(self.texts) < _WARNINGS:
            self.texts.append(text)


class _Value(NamedTuple):
    """A text that was read: the value (None when it cannot be read), and what had to be done to it."""

    value: Any
    warning: str = ""
    raw: str = ""  # the text, when it cannot be read


def _read_value(field: Field, text: str, limit: int) -> _Value:
    warning = f"{field.name}: cut at {limit} characters" if len(text) > limit else ""
    text = text[:limit]
    try:
        value = field.type.read(text)
    except ValueError:
        return _Value(None, f"{field.name}: not {_WHAT.get(field.type.name, 'readable')}", clean(text))
    if isinstance(value, str) and (alias := _ALIASES.get(field.name, {}).get(value)):
        return _Value(alias, f"{field.name}: {value} read as {alias}")
    return _Value(value, warning)


_WHAT = {"ip": "an address", "date": "a date", "long": "a count", "integer": "a number", "boolean": "y or n"}


def _typed(
    table: Mapping[str, Field], texts: Mapping[str, str], limit: int, warnings: _Warnings
) -> tuple[Fields, Fields]:
    """The fields of a table that have a text, in the order of the table; and the texts that cannot be read."""
    found: Fields = {}
    odd: Fields = {}
    for name, field in table.items():
        if text := texts.get(name):
            if value := _memo(field, limit)[text]:
                found[field.name] = value
            else:
                _put(odd, field.name, _read_value(field, text, limit), warnings)
    if not odd:
        return found, odd
    raw = {name: text for name, text in odd.items() if name.startswith("raw.")}
    return found | {name: value for name, value in odd.items() if name not in raw}, raw


def _put(fields: Fields, name: str, read: _Value, warnings: _Warnings) -> None:
    if read.warning:
        warnings.add(read.warning)
    if read.value is None:
        fields[f"raw.{name}"] = read.raw
    elif read.value != "":
        fields[name] = read.value


class _Memo(dict[str, Any]):
    """Values of texts that were read already: rows repeat each other. None: there is something to say about it."""

    def __init__(self, type_: Type, limit: int) -> None:
        super().__init__()
        self.read = type_.read
        self.longest = min(limit, 256)

    def __missing__(self, text: str) -> Any:
        if len(text) > self.longest:
            return None
        try:
            value = self.read(text)
        except ValueError:
            return None
        if len(self) >= 4096:
            self.clear()
        self[text] = value = None if value in _ALIASED else value
        return value


_memos: dict[tuple[int, int], _Memo] = {}


def _memo(field: Field, limit: int) -> _Memo:
    """One for each type: domains that sign are domains of From, too."""
    key = id(field.type), limit
    return _memos.get(key) or _memos.setdefault(key, _Memo(field.type, limit))


# --- rows ---

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}\Z")  # canonical already: read_ip costs 3 µs

_BY_WIRE = {field.wire: field for field in AGGREGATE.fields if field.wire.startswith("record/")}
_BY_NAME = {field.name: field for field in _BY_WIRE.values()}
_SINGLE = {wire.rpartition("/")[2]: field for wire, field in _BY_WIRE.items() if not (field.objects or field.many)}
# Found wherever they stand in a record: no other element of a record has their name.
_ANYWHERE = frozenset({"source_ip", "count", "disposition", "header_from", "envelope_from", "envelope_to"})


# Leaves of one element: the key in its object, the field's name, the number of the leaf.
_Group = tuple[tuple[str, str, int], ...]


class _Plan(NamedTuple):
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


def _plan(shape: Shape) -> _Plan:
    singles: dict[str, int] = {}
    groups: dict[str, dict[int, dict[str, int]]] = {"reason": {}, "dkim": {}, "spf": {}}
    for number, leaf in enumerate(shape.leaves):
        if not leaf.path or not _RECORD.issuperset(leaf.path[:-1]):
            continue
        *above, name = leaf.path
        inner = above[-1] if above else ""
        if inner in groups:
            groups[inner].setdefault(leaf.parent, {}).setdefault(name, number)
        elif name in _ANYWHERE or (name in {"dkim", "spf"} and inner in {"policy_evaluated", "row", ""}):
            singles.setdefault(name, number)
    ip, count = singles.pop("source_ip", -1), singles.pop("count", -1)
    gaps = tuple(sorted({ip, count} - {-1}))
    return _Plan(
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


class _Rest(NamedTuple):
    """A row without its address and count: what rows of one sender share."""

    fields: Layer
    warnings: tuple[str, ...]
    record: bytes  # partly_reported: without the address and the count


class _Reader:
    """Makes fields of records; remembers what repeats, also from one report to the next, and so much at the most."""

    def __init__(self, limit: int, depth: int, max_count: int) -> None:
        self.limit = limit
        self.max_count = max_count
        self.shapes = Shapes(_CONTAINERS, depth, _plan)
        self.memos = {field.name: _memo(field, limit) for field in _BY_WIRE.values()}
        self.counts = self.memos["count"]
        self.rests: dict[tuple[str, Any], _Rest] = {}

    def fields(self, rest: _Rest, plan: _Plan, texts: list[str]) -> Fields:
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
            fields["warnings"] = list(warnings[:_WARNINGS])
        return fields

    def _fill(self, fields: Fields, name: str, text: str) -> tuple[str, ...]:
        """Put in an unusual address or count; the warnings about it."""
        read = _read_value(_BY_NAME[name], text, self.limit) if text else _Value(None, f"{name}: missing")
        if name == "count" and (read.value or 0) > self.max_count:
            read = _Value(None, f"{name}: above bounds.max_count = {self.max_count}", clean(text))
        if read.value is not None:
            fields[name] = read.value
        if read.raw:
            fields[f"raw.{name}"] = read.raw
        return (read.warning,) if read.warning else ()

    def rest(self, plan: _Plan, texts: list[str]) -> _Rest:
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

    def _read_rest(self, plan: _Plan, texts: list[str]) -> _Rest:
        warnings = _Warnings()
        fields = Layer()
        for name, number in plan.singles:
            text = texts[number]
            if text:
                value = self.memos[name][text]
                if value:
                    fields[name] = value
                else:
                    _put(fields, name, _read_value(_BY_NAME[name], text, self.limit), warnings)
            elif name == "identifiers.envelope_from":  # the null reverse-path (RFC 9990 §3.1.1.11)
                fields[name] = ""
        dkim, spf = fields.get("policy_evaluated.dkim"), fields.get("policy_evaluated.spf")
        if dkim or spf:
            fields["dmarc.result"] = "pass" if "pass" in (dkim, spf) else "fail"
        self._put_reasons(fields, plan.reasons, texts, warnings)
        self._put_results(fields, "auth_results.dkim", plan.dkim, texts, warnings)
        self._put_results(fields, "auth_results.spf", plan.spf, texts, warnings)
        return _Rest(fields, tuple(warnings.texts), partly_reported(plan.pattern, texts, plan.gaps))

    def _put_reasons(self, fields: Fields, groups: tuple[_Group, ...], texts: list[str], warnings: _Warnings) -> None:
        for _, name, number in [one for group in groups[:_MOST] for one in group]:
            value = self._value(name, texts[number], warnings)
            if value and value not in fields.setdefault(name, []):
                fields[name].append(value)

    def _put_results(
        self, fields: Fields, name: str, groups: tuple[_Group, ...], texts: list[str], warnings: _Warnings
    ) -> None:
        results = []
        for group in groups:
            found = [(key, self._value(name, texts[at], warnings)) for key, name, at in group if texts[at]]
            if result := {key: value for key, value in found if value}:
                results.append(result)
        if len(results) > _MOST:
            warnings.add(f"{name}: the first {_MOST} of {len(results)} are used")
            del results[_MOST:]
        if results:
            joined, keys = _JOINED[name]
            fields[name] = results
            fields[joined] = [" / ".join([result.get(key, "-") for key in keys]) for result in results]

    def _value(self, name: str, text: str, warnings: _Warnings) -> Any:
        value = self.memos[name][text]
        if value is None:
            value, warning, _ = _read_value(_BY_NAME[name], text, self.limit)
            if warning:
                warnings.add(warning)
        return value


@lru_cache(maxsize=2)  # one in a process, and another in a test
def _reader(limit: int, depth: int, max_count: int) -> _Reader:
    return _Reader(limit, depth, max_count)


_JOINED = {
    "auth_results.dkim": ("dkim.signatures", ("domain", "selector", "result")),
    "auth_results.spf": ("spf.checks", ("domain", "scope", "result")),
}


def _documents(payload: Payload, surveyed: Survey, head: _Head, bounds: Bounds) -> Iterator[Document]:
    """The rows, then the report: the second pass.

    The id of a row is make_id(*identity, record, n), where `record` is the list of xmlrecords.Shape and n how often the
    same record came before in this payload.
    """
    reader = _reader(bounds.string_chars, bounds.xml_depth, bounds.max_count)
    start = hashlib.sha256((canonical(head.identity)[:-1] + ",").encode("utf-8", "surrogatepass"))
    repeated = repetitions(surveyed.rows)
    total = messages = 0
    for body in surveyed_bodies(payload, surveyed, bounds):
        _, plan, texts = reader.shapes.read(body)
        rest = reader.rest(plan, texts)
        digest = start.copy()
        digest.update(as_reported(rest.record, plan.own(texts)))
        digest.update(b",%d]" % repeated.count(digest.digest()))
        number = digest.digest()[:20]
        fields = reader.fields(rest, plan, texts)
        total += int.from_bytes(number, "big")
        messages += fields.get("count", 0)
        yield Document(AGGREGATE.name, number.hex(), fields, (head.row, rest.fields))
    number_of_all = make_id(REPORT.name, *head.identity, total % 2**160)
    yield Document(REPORT.name, number_of_all, {**head.report, "messages": messages})
