"""What stands outside of the records of an aggregate report: who reports, about whom, for which period."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from ..documents.datasets import AGGREGATE, REPORT, SCHEMA_VERSION
from ..documents.document import make_id
from ..values import authres
from ..values.fields import (
    Field,
    Fields,
    Layer,
    clean,
    read_address,
    read_domain,
    read_epoch,
    read_identifier,
    write_date,
)
from ..values.remembered import remembered
from .aggregate_values import MOST, Warnings, typed
from .report import TOO_EARLY, Context
from .xml.shape import Shape
from .xml.survey import Survey

HEAD = frozenset({"feedback", "report_metadata", "date_range", "policy_published"})  # elements that hold others

_RFC_9990 = re.compile(r"xmlns(?::[^\s=]+)?\s*=\s*[\"']urn:ietf:params:xml:ns:dmarc-2\.0[\"']")


class HeadValues(NamedTuple):
    """What stands outside of the records, by local name: stripped text, as reported."""

    texts: Mapping[str, str]  # the first of each name
    errors: Sequence[str]
    policies: int  # how many policy_published there are


class Head(NamedTuple):
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
        if not _is_known(leaf.path[:-1], HEAD):
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


def reports_in(surveyed: Survey) -> int:
    """How many reports a file holds; the records of a second one would be taken for the first one's."""
    return _head_plan(surveyed.shape).reports


def head_values(surveyed: Survey) -> HeadValues:
    plan, texts = _head_plan(surveyed.shape), surveyed.texts
    found = {name: texts[number] for name, number in plan.texts}
    return HeadValues(found, [texts[number] for number in plan.errors], plan.policies)


def _is_known(path: Sequence[str], known: frozenset[str]) -> bool:
    """Whether the elements around a leaf are all known from the first known one on, or there are none at all."""
    start = next((number for number, name in enumerate(path) if name in known), 0)
    return known.issuperset(path[start:])


def _fields_under(wire: str) -> dict[str, Field]:
    return {field.wire.rpartition("/")[2]: field for field in AGGREGATE.fields if field.wire.startswith(wire)}


_METADATA = _fields_under("feedback/report_metadata")
_POLICY = _fields_under("feedback/policy_published")


def read_head(values: HeadValues, surveyed: Survey, context: Context) -> Head:
    warnings = Warnings(surveyed.warnings)
    limit = context.options.bounds.string_chars
    metadata, raw = typed(_METADATA, values.texts, limit, warnings)
    policy, raw_policy = typed(_POLICY, values.texts, limit, warnings)
    if values.policies > 1:
        warnings.add(f"policy_published: the first of {values.policies} is used")
    stamp = _stamp(values.texts, context, metadata, warnings)
    envelope = _envelope(context, values.texts.get("email", ""))
    common = {"@timestamp": stamp, "schema_version": SCHEMA_VERSION, **envelope, **metadata}
    common["report.format"] = _format(values.texts, surveyed.root)
    identity = _identity(values.texts)
    report = {**common, "event.dataset": REPORT.name, "report.identity": make_id(REPORT.name, *identity)}
    report |= _about(values, surveyed, policy, context, warnings)
    # What is wrong with the head is said once, not in each row.
    report |= {**raw, **raw_policy, **({"warnings": warnings.texts} if warnings.texts else {})}
    return Head(Layer({**common, "event.dataset": AGGREGATE.name, **policy}), report, identity)


def _about(values: HeadValues, surveyed: Survey, policy: Fields, context: Context, warnings: "Warnings") -> Fields:
    """Fields of the report document alone."""
    about: Fields = {"report.dataset": AGGREGATE.name, "report.sha256": surveyed.sha256}
    about |= {"rows": surveyed.rows, "salvaged": not surveyed.strict}
    if domain := policy.get("policy_published.domain"):
        about["report.domain"] = [domain]
    limit = context.options.bounds.string_chars
    errors = [clean(error[:limit]) for error in values.errors[:MOST] if error]
    if errors:
        about["report.errors"] = errors
    end, received = _epoch(values.texts.get("end", "")), context.envelope.received
    if end and received:
        about["report.delay"] = delay = int((datetime.fromisoformat(received) - end).total_seconds())
        if delay < 0:
            warnings.add(TOO_EARLY)
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
    return read_domain(read_address(email).rpartition("@")[2])


@remembered(most=256, longest=20)  # reports are about the same days
def _epoch(text: str) -> datetime | None:
    try:
        return read_epoch(text)
    except ValueError:
        return None


def _stamp(texts: Mapping[str, str], context: Context, metadata: Fields, warnings: "Warnings") -> str:
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
