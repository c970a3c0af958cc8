"""What stands outside of the records of an aggregate report: who reports, about whom, for which period."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..documents.datasets import AGGREGATE, REPORT, SCHEMA_VERSION
from ..documents.document import make_id
from ..values import authres
from ..values.fields import Field, Fields, Layer, clean, read_address, read_domain, read_identifier
from ..values.patterns import pattern
from ..values.remembered import remembered
from .aggregate_names import HEAD, Double, Found, Names, take
from .aggregate_period import delay, settle_period, timestamp
from .aggregate_values import MOST, Table, Warnings
from .report import Context
from .xml.shape import Shape
from .xml.survey import Survey

_RFC_9990 = pattern(r"xmlns(?::[^\s=]+)?\s*=\s*[\"']urn:ietf:params:xml:ns:dmarc-2\.0[\"']")


class HeadValues(NamedTuple):
    """What stands outside of the records, by the schema's names: stripped text, as reported."""

    texts: Mapping[str, str]  # the first of each name
    errors: Sequence[str]
    policies: int  # how many policy_published there are
    identity: tuple[str, ...]  # who reports about whom, which report, which period
    warnings: tuple[str, ...]


class Head(NamedTuple):
    row: Layer  # of every row
    report: Fields  # of the report document
    identity: tuple[str, ...]  # who, whom, which, when: as reported


class _HeadPlan(NamedTuple):
    """Which text outside of the records of one shape is what. Numbers count the leaves, then the attributes."""

    reported: tuple[tuple[str, int], ...]  # the first leaf of each name as it ought to be: for the identity
    texts: tuple[tuple[str, int], ...]  # the first of each name, however it is written
    errors: tuple[int, ...]
    policies: int
    metadata: tuple[tuple[int, tuple[int, ...]], ...]  # of each report_metadata: what it stands in, numbers of leaves
    stray: tuple[tuple[str, int], ...]  # elements that ought to hold elements
    doubles: tuple[Double, ...]
    warnings: tuple[str, ...]  # about how names are written


_LONGEST_HEAD = 4096  # characters of the pattern of a head whose plan is remembered: an honest one has some 500


@remembered(most=64, longest=_LONGEST_HEAD, size=lambda shape: len(shape.pattern) + len(shape.attributes) * 1000)
def _head_plan(shape: Shape) -> _HeadPlan:
    found = [one for one in _NAMES.find(shape) if one.path and _is_known(one.path[:-1], HEAD)]
    policies = dict.fromkeys(_policy_of(one) for one in found if _policy_of(one))
    used = [one for one in found if _policy_of(one) in {0, next(iter(policies), 0)}]
    table: dict[str, Found] = {}
    doubles = [take(table, one.path[-1], one) for one in used if one.path[-1] not in HEAD | {"error"}]
    return _HeadPlan(
        tuple({one.path[-1]: one.number for one in reversed(used) if not one.warning}.items()),
        tuple((name, one.number) for name, one in table.items()),
        tuple(one.number for one in used if one.path[-1] == "error"),
        len(policies),
        _metadata_in(shape),
        tuple((one.path[-1], one.number) for one in used if one.path[-1] in HEAD),
        tuple(double for double in doubles if double and double.name in _NAMES.leaves),
        tuple(dict.fromkeys(one.warning for name, one in table.items() if one.warning and name in _NAMES.leaves)),
    )


def _policy_of(found: Found) -> int:
    """The number of the policy_published that a text is in, 0 for none."""
    return found.within[-1] if "policy_published" in found.path[:-1] else 0


def _metadata_in(shape: Shape) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """Each report_metadata that has an id: the number of the element around it, and those of its leaves."""
    elements = {leaf.within[-1]: leaf.within[-2] for leaf in shape.leaves if leaf.path[-2:] == _ID}
    return tuple(
        (above, tuple(number for number, leaf in enumerate(shape.leaves) if element in leaf.within))
        for element, above in elements.items()
    )


_ID = ("report_metadata", "report_id")


def reports_in(surveyed: Survey) -> int:
    """How many reports a file holds; the records of a second one would be taken for the first one's.

    The same metadata twice in one report are those of one report.
    """
    metadata, texts = _head_plan(surveyed.shape).metadata, surveyed.texts
    if len(metadata) < 2:
        return len(metadata)
    return len({(above, tuple(texts[number] for number in numbers)) for above, numbers in metadata})


def head_values(surveyed: Survey) -> HeadValues:
    """What stands outside of the records."""
    plan = _head_plan(surveyed.shape)
    texts = [*surveyed.texts, *(attribute.text for attribute in surveyed.shape.attributes)]
    warnings = [f"{one.name}: one of several is used" for one in plan.doubles if texts[one.used] != texts[one.other]]
    warnings += [f"{name}: its text was not read" for name, number in plan.stray if texts[number]]
    other = {one.name: one.other for one in reversed(plan.doubles) if not texts[one.used] and texts[one.other]}
    return HeadValues(
        {name: texts[other.get(name, number)] for name, number in plan.texts},
        [texts[number] for number in plan.errors],
        plan.policies,
        _identity({name: texts[number] for name, number in plan.reported}),
        (*plan.warnings, *dict.fromkeys(warnings)),
    )


def _is_known(path: Sequence[str], known: frozenset[str]) -> bool:
    """Whether the elements around a leaf are all known from the first known one on, or there are none at all."""
    start = next((number for number, name in enumerate(path) if name in known), 0)
    return known.issuperset(path[start:])


def _fields_under(wire: str) -> dict[str, Field]:
    return {field.wire.rpartition("/")[2]: field for field in AGGREGATE.fields if field.wire.startswith(wire)}


_METADATA = Table(_fields_under("feedback/report_metadata"))
_POLICY = Table(_fields_under("feedback/policy_published"))
_NAMES = Names.of(HEAD, (*_METADATA.fields, *_POLICY.fields, "error"), {})
_NEEDED = ("report.id", "report.org_name", "policy_published.domain", "report.begin", "report.end")


def read_head(values: HeadValues, surveyed: Survey, context: Context) -> Head:
    """The fields that all rows share, and those of the report."""
    warnings = Warnings((*surveyed.warnings, *values.warnings))
    limit = context.options.bounds.string_chars
    metadata, raw = _METADATA.typed(values.texts, limit, warnings)
    policy, raw_policy = _POLICY.typed(values.texts, limit, warnings)
    if values.policies > 1:
        warnings.add(f"policy_published: the first of {values.policies} is used")
    for name in _NEEDED:
        if not {name, f"raw.{name}"} & {*metadata, *raw, *policy, *raw_policy}:
            warnings.add(f"{name}: missing")
    raw |= settle_period(metadata, values.texts.get("end", ""), warnings)
    stamp = timestamp(metadata, context.envelope.received, warnings)
    envelope = _envelope(context, values.texts.get("email", ""))
    common = {**stamp, "schema_version": SCHEMA_VERSION, **envelope, **metadata}
    common["report.format"] = _format(values.texts, surveyed.root)
    report = {**common, "event.dataset": REPORT.name, "report.identity": make_id(REPORT.name, *values.identity)}
    report |= _about(values, surveyed, policy, context)
    report |= delay(metadata, context.envelope.received, warnings)
    report["salvaged"] = not (surveyed.strict and stamp)  # without any date nobody finds it, so it is kept as well
    # What is wrong with the head is said once, not in each row.
    report |= {**raw, **raw_policy, **({"warnings": warnings.texts} if warnings.texts else {})}
    return Head(Layer({**common, "event.dataset": AGGREGATE.name, **policy}), report, values.identity)


def _about(values: HeadValues, surveyed: Survey, policy: Fields, context: Context) -> Fields:
    """Fields of the report document alone."""
    about: Fields = {"report.dataset": AGGREGATE.name, "report.sha256": surveyed.sha256}
    about["rows"] = surveyed.rows
    if domain := policy.get("policy_published.domain"):
        about["report.domain"] = [domain]
    limit = context.options.bounds.string_chars
    errors = [clean(error[:limit]) for error in values.errors[:MOST] if error]
    if errors:
        about["report.errors"] = errors
    return about


def _envelope(context: Context, email: str) -> Fields:
    envelope = context.envelope
    found = {
        "report.from_domain": envelope.from_domain,
        "report.message_id": envelope.message_id,
        "report.received": envelope.received,
        "report.feed": context.options.feed,
        "report.authentication": authres.verdict(envelope.authentication, map(_domain_of, (email,))),
    }
    return {name: value for name, value in found.items() if value}


def _domain_of(email: str) -> str:
    return read_domain(read_address(email).rpartition("@")[2])


def _format(texts: Mapping[str, str], root: str) -> str:
    """Which format a report follows, by the namespace or the elements that RFC 9990 introduced.

    `np` is older (RFC 9091), and Google sends it in reports of the drafts.
    """
    if _RFC_9990.search(root) or not texts.keys().isdisjoint(("testing", "discovery_method", "generator")):
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
