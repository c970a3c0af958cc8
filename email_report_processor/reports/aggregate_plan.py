"""Which text of a record of one shape goes into which field: worked out once for all records of the shape."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from ..documents.datasets import AGGREGATE
from .aggregate_names import RECORD, Double, Found, Names, take
from .aggregate_values import is_word
from .xml.shape import Shape, picker

_BY_WIRE = {field.wire: field for field in AGGREGATE.fields if field.wire.startswith("record/")}
FIELDS = {field.name: field for field in _BY_WIRE.values()}
_SINGLE = {wire.rpartition("/")[2]: field for wire, field in _BY_WIRE.items() if not (field.objects or field.many)}
# Found wherever they stand in a record: no other element of a record has their name.
_ANYWHERE = frozenset({"source_ip", "count", "disposition", "header_from", "envelope_from", "envelope_to"})
_GROUPS = ("reason", "dkim", "spf")  # elements of which a record may have several
_OVERRIDES = ("policy_override", "policy_override_reason", "override", "override_reason")
_OTHERS = {
    **dict.fromkeys(_OVERRIDES, "reason"),
    "reason_type": "type",
    "reason_comment": "comment",
    "authentication_results": "auth_results",
    **dict.fromkeys(("ip", "ip_address", "source_address"), "source_ip"),
    **dict.fromkeys(("message_count", "messages"), "count"),
    **dict.fromkeys(("from", "from_domain"), "header_from"),
    **dict.fromkeys(("mail_from", "envelope_sender"), "envelope_from"),
}
_NAMES = Names.of(RECORD, [wire.rpartition("/")[2] for wire in _BY_WIRE], _OTHERS)

# Texts of one element: the key in its object, the field's name, the number of the text.
Group = tuple[tuple[str, str, int], ...]


class Plan(NamedTuple):
    """Which text goes where. Numbers count the leaves, then the attributes."""

    key: tuple[str, tuple[str, ...], int]  # plans of the same key make the same of the same texts
    pattern: str  # of the shape
    leaves: int
    attributes: tuple[str, ...]  # their texts
    ip: int  # number of the text; -1: there is none
    number: int  # likewise of the count
    gaps: tuple[int, ...]  # of those two, which are leaves
    own: Callable[[Sequence[str]], tuple[str, ...]]  # the texts of them
    rest: Callable[[Sequence[str]], tuple[str, ...]]  # all other texts
    singles: tuple[tuple[str, int], ...]  # name of the field and number of the text
    reasons: tuple[Group, ...]
    dkim: tuple[Group, ...]
    spf: tuple[Group, ...]
    bare: tuple[tuple[str, int], ...]  # reason, dkim and spf that hold a text and no elements
    stray: tuple[tuple[str, int], ...]  # other elements that hold elements, and here hold a text
    doubles: tuple[Double, ...]
    warnings: tuple[str, ...]  # about how names are written


class _Draft:
    """What was found so far."""

    def __init__(self) -> None:
        self.singles: dict[str, Found] = {}
        self.groups: dict[str, dict[int, dict[str, Found]]] = {name: {} for name in _GROUPS}
        self.bare: list[tuple[str, int]] = []
        self.stray: list[tuple[str, int]] = []
        self.doubles: list[Double] = []
        self.warnings: dict[str, None] = {}

    def put(self, found: Found) -> None:
        """Put a text where it belongs; those with unknown names belong nowhere."""
        *above, name = found.path
        inner = above[-1] if above else ""
        if inner == "policy_evaluated" and name in {"type", "comment"}:
            outside = found._replace(warning=found.warning or f"{name}: it stands outside of a reason")
            self._take(self.groups["reason"].setdefault(found.within[-1], {}), name, outside)
        elif inner == "reason" and name in {"value", "text", "name"}:
            self.bare.append((inner, found.number))
        elif inner in self.groups and not (name in {"result", "value"} and "policy_evaluated" in above[:-1]):
            self._take(self.groups[inner].setdefault(found.within[-1], {}), name, found)
        elif inner in {"dkim", "spf"}:  # <policy_evaluated><dkim><result>pass</result>
            self._take(self.singles, inner, found)
        elif name in _ANYWHERE or (name in {"dkim", "spf"} and inner in {"policy_evaluated", "row", ""}):
            self._take(self.singles, name, found)
        elif name in self.groups:
            self.bare.append((name, found.number))
        elif name in RECORD:
            self.stray.append((name, found.number))

    def _take(self, table: dict[str, Found], name: str, found: Found) -> None:
        double = take(table, name, found)
        if double and name in _NAMES.leaves:
            self.doubles.append(double)
        if found.warning and name in _NAMES.leaves and table[name] is found:
            self.warnings[found.warning] = None


def make_plans(shape: Shape) -> tuple[Plan, ...]:
    """One plan, but for a record with several rows: one for each of them.

    What stands in unknown elements is somebody's extension.
    """
    found = [one for one in _NAMES.find(shape) if one.path and RECORD.issuperset(one.path[:-1])]
    rows = _rows(shape, found)
    if len(rows) < 2:
        return (_plan(shape, found, 0),)
    said = f"record: it has {len(rows)} rows"
    return tuple(
        _plan(shape, [one for one in found if not (rows - {row}) & set(one.within)], number, said)
        for number, row in enumerate(sorted(rows))
    )


_OF_A_ROW = frozenset({"source_ip", "count"})  # with neither, there is nothing that a row could say of its own


def _rows(shape: Shape, found: Iterable[Found]) -> set[int]:
    """The numbers of the elements `row`, just so, which have something to say."""
    paths = [*(leaf.path for leaf in shape.leaves), *(attribute.path for attribute in shape.attributes)]
    speaking = [(one, paths[one.number]) for one in found if one.path[-1] in _OF_A_ROW]
    # The record itself is the first of the elements around.
    return {one.within[path.index("row") + 1] for one, path in speaking if "row" in path[:-1]}


def _plan(shape: Shape, found: Iterable[Found], row: int, *said: str) -> Plan:
    draft = _Draft()
    for one in found:
        draft.put(one)
    ip, count = (_number(draft.singles.pop(name, None)) for name in ("source_ip", "count"))
    leaves, attributes = len(shape.leaves), tuple(attribute.text for attribute in shape.attributes)
    gaps = tuple(sorted({number for number in (ip, count) if 0 <= number < leaves}))
    singles = ((field.name, draft.singles[name].number) for name, field in _SINGLE.items() if name in draft.singles)
    return Plan(
        (shape.pattern, attributes, row),
        shape.pattern,
        leaves,
        attributes,
        ip,
        count,
        gaps,
        picker(gaps),
        picker([number for number in range(leaves) if number not in gaps]),
        tuple(singles),
        _grouped(draft.groups["reason"], "record/row/policy_evaluated/reason"),
        _grouped(draft.groups["dkim"], "record/auth_results/dkim"),
        _grouped(draft.groups["spf"], "record/auth_results/spf"),
        tuple(draft.bare),
        tuple(draft.stray),
        tuple(draft.doubles),
        (*said, *draft.warnings),
    )


def _number(found: Found | None) -> int:
    return -1 if found is None else found.number


def _grouped(groups: Mapping[int, Mapping[str, Found]], wire: str) -> tuple[Group, ...]:
    table = {name.removeprefix(f"{wire}/"): field for name, field in _BY_WIRE.items() if name.startswith(f"{wire}/")}
    return tuple(
        tuple((key, field.name, texts[key].number) for key, field in table.items() if key in texts)
        for texts in groups.values()
    )


def bare_group(name: str, text: str, number: int) -> tuple[Group, ...]:
    """A text in the place of an element that holds others, as what it most likely is; nothing when that is unknown."""
    key = "type" if name == "reason" else "result"
    field = FIELDS[f"policy_evaluated.reason.{key}" if name == "reason" else f"auth_results.{name}.{key}"]
    if all(is_word(field, one) for one in text.split(",")):
        return (((key, field.name, number),),)
    return ((("comment", "policy_evaluated.reason.comment", number),),) if name == "reason" else ()
