"""Rows of aggregate reports summed by kind: everything about a row that a judgement looks at. What the stores share.

Pure. A judgement of every row, under a record that nobody published yet, then takes one step for each kind and host.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ..documents.encode import decode
from ..values.fields import Fields
from .query import And, Between, Node, Not, Or, Text, field_of
from .store import Row, Selection, Store

DATASET = "dmarc-aggregate"
_LISTS = {"dkim.signatures": "auth_results.dkim", "spf.checks": "auth_results.spf"}
_PARTS = {"auth_results.dkim": ("domain", "selector", "result"), "auth_results.spf": ("domain", "scope", "result")}
# Of a kind. A result that passed fits into its joined text: no name of the DNS is longer than 253 characters.
FIELDS = (
    "policy_published.domain",
    "policy_published.adkim",
    "policy_published.aspf",
    "policy_evaluated.disposition",
    "policy_evaluated.dkim",
    "policy_evaluated.spf",
    "identifiers.header_from",
    "class",
    "source.name",
    "source.as.number",
    "source.as.organization.name",
    "report.authentication",
    *_LISTS,
)


class Asked(NamedTuple):
    """Which rows."""

    domain: str  # policy_published.domain
    since: str = ""  # RFC 3339, '' open
    until: str = ""  # exclusive
    # Rows whose fate neither their host nor their single results can change: a store may leave these out of their kind.
    closed: Node = Or()
    # Of the others: networks whose hosts are judged alike. A store may sum what is beside their hosts, or all at once.
    parts: tuple[Node, ...] = (And(),)
    # Fields of a kind that only tell who sends: where hosts are not told, a store may leave them out.
    telling: frozenset[str] = frozenset()
    # Rows where every single host counts.
    single: Node = Or()

    @property
    def node(self) -> Node:
        """All of these rows, but those of reports whose own mail failed authentication."""
        forged = Not(Text(field_of("report.authentication"), ("fail",)))
        period = (Between(field_of("@timestamp"), self.since or None, self.until or None),)
        return And(
            (Text(field_of("policy_published.domain"), (self.domain,)), forged, *(period if any(self[1:3]) else ()))
        )

    @property
    def whole_days(self) -> bool:
        """Whether sums by day hold the answer."""
        return all(bound.endswith("T00:00:00Z") for bound in (self.since, self.until) if bound)

    def fits(self, fields: Mapping[str, Any]) -> bool:
        """Whether a kind is of these rows."""
        domain = str(fields.get("policy_published.domain", ""))
        return domain.lower() == self.domain.lower() and fields.get("report.authentication") != "fail"


class Combined(NamedTuple):
    """A sum. What is None it does not say: others, that do, count the same messages for it."""

    fields: Fields  # flat, of the kind
    address: str | None
    reporter: str | None
    day: str | None  # 2026-11-28
    messages: int
    kind: int | None = None  # equal numbers have equal fields
    like: str = ""  # without an address: one that is judged as its hosts are


def from_values(values: Mapping[str, Any]) -> Fields:
    """The flat fields of a kind, with its results as a document has them. values: lists, or None for nothing."""
    fields = {name: value for name, value in values.items() if value is not None and name not in _LISTS}
    for joined, name in _LISTS.items():
        if values.get(joined):
            fields[name] = [_result(text, _PARTS[name]) for text in values[joined]]
    return fields


def _result(text: str, names: tuple[str, ...]) -> dict[str, str]:
    """`example.org / 2026a / pass`; what was absent is written as -."""
    first, _, rest = text.partition(" / ")
    middle, _, last = rest.rpartition(" / ")
    return {name: value for name, value in zip(names, (first, middle, last), strict=True) if value != "-"}


def of_document(fields: Fields) -> Combined:
    """A document alone."""
    said = {name: str(fields.get(name, "")) for name in ("source.ip", "report.org_name", "@timestamp")}
    return Combined(fields, said["source.ip"], said["report.org_name"], said["@timestamp"][:10], fields.get("count", 0))


def of_rows(rows: Iterable[Row]) -> Iterator[Combined]:
    """Each document alone, where a store has no sums."""
    return (of_document(decode(row.source)) for row in rows)


def sums(store: Store, asked: Asked) -> Iterator[Combined]:
    """The sums of a store that has them, else each document alone. Raises StoreError."""
    combined = getattr(store, "combined", None)
    if combined is not None:
        found: Iterator[Combined] = combined(asked)
        return found
    return of_rows(one.row for one in store.select(Selection(asked.node, (DATASET,))))
