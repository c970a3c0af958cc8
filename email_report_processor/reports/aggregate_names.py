"""The names of elements in aggregate reports, and what else reporters call them.

A name that is spelled otherwise (`SourceIP`, `identifier`), a value in an attribute, or one element deeper than it
ought to be, is read, with a warning. Ids see none of this: they are made of what was reported (design §4).
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from ..values.patterns import pattern
from .xml.shape import Shape

# Elements that hold others. A leaf counts only when all elements around it are of these (or around the outermost of
# these): what stands in an unknown element is somebody's extension (RFC 9990 §3.2).
HEAD = frozenset({"feedback", "report_metadata", "date_range", "policy_published"})
RECORD = frozenset({"row", "policy_evaluated", "reason", "identifiers", "identities", "auth_results", "dkim", "spf"})
CONTAINERS = HEAD | RECORD

_MARKS = pattern(r"[_.-]")
_NO_VALUES = frozenset({"lang", "version"})  # attributes: of texts (RFC 9990 App. A), and of `feedback` in drafts


class Found(NamedTuple):
    """A text in a place that may be known: of a leaf, or of an attribute."""

    path: tuple[str, ...]  # names, as the schema has them
    within: tuple[int, ...]  # numbers of the elements around it
    number: int  # of its text
    warning: str  # how it is written, '' for as it ought to be


class Double(NamedTuple):
    """A name that stands more than once where it ought to stand once."""

    name: str
    used: int  # number of the text
    other: int


class Names(NamedTuple):
    """The names that are known in one part of a report."""

    containers: frozenset[str]
    leaves: frozenset[str]
    spellings: Mapping[str, str]  # squeezed -> as the schema has it

    @classmethod
    def of(cls, containers: Iterable[str], leaves: Iterable[str], others: Mapping[str, str]) -> "Names":
        """others: names that mean another one (`policy_override`: reason)."""
        known = {_squeezed(name): name for name in (*containers, *leaves)}
        also = {_squeezed(name): meant for name, meant in others.items()}
        return cls(frozenset(containers), frozenset(leaves), known | also)

    def canonical(self, name: str) -> str:
        """The schema's name; the name itself when nothing is known about it."""
        if name in self.containers or name in self.leaves:
            return name
        squeezed = _squeezed(name)
        other = squeezed.removesuffix("s") if squeezed.endswith("s") else f"{squeezed}s"  # reasons, identifier
        return self.spellings.get(squeezed) or self.spellings.get(other) or name

    def find(self, shape: Shape) -> Iterator[Found]:
        """All leaves of a shape, then all attributes."""
        for number, leaf in enumerate(shape.leaves):
            yield self._found(leaf.path, leaf.within, number, "")
        for number, attribute in enumerate(shape.attributes, len(shape.leaves)):
            *above, name = attribute.path
            if name not in _NO_VALUES and above != ["feedback"]:
                yield self._found(attribute.path, attribute.within, number, f"{above[-1]}: {name} is an attribute")

    def _found(self, path: tuple[str, ...], within: tuple[int, ...], number: int, warning: str) -> Found:
        names = tuple(map(self.canonical, path))
        if names != path and not warning:
            odd, name = next((odd, name) for odd, name in zip(path, names, strict=True) if odd != name)
            warning = f"{odd[:60]}: read as {name}"
        if len(names) > 1 and names[-2] in self.leaves - self.containers:  # <source_ip><value>192.0.2.1</value>…
            return Found(names[:-1], within[:-1], number, warning or f"{names[-2]}: its text is one element deeper")
        return Found(names, within, number, warning)


def take(table: dict[str, Found], name: str, found: Found) -> Double | None:
    """Put a text into a table of names: the first one, but rather one that is written as it ought to be."""
    known = table.get(name)
    if known is None:
        table[name] = found
        return None
    if known.warning and not found.warning:
        table[name], found = found, known
    return Double(name, table[name].number, found.number)


def _squeezed(name: str) -> str:
    return _MARKS.sub("", name).lower()
