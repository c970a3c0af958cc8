"""What a store is: the one protocol behind which OpenSearch, SQLite and NDJSON stand."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from .query import Node  # 5 ms: re and ipaddress, for people only


class Row(NamedTuple):
    """One document as it is stored, encoded once."""

    index: str  # type: ignore[assignment]  # OpenSearch's word; nobody looks a value up in a Row
    id: str
    source: bytes  # the JSON of `_source`, UTF-8, without line breaks


class Rejected(NamedTuple):
    """A document that the store refuses for its content: it will never get better by itself."""

    row: Row
    reason: str


class Written(NamedTuple):
    """The outcome of one `write`: how many were new, how many were there already, which were refused."""

    stored: int
    already: int
    rejected: tuple[Rejected, ...] = ()

    def __add__(self, other: "Written") -> "Written":  # type: ignore[override]  # a sum, not a longer tuple
        return Written(self.stored + other.stored, self.already + other.already, self.rejected + other.rejected)


class StoreError(Exception):
    """The store did not take the documents, and it is not the documents' fault: the message is to be kept (75).

    The text names the store (never a password), what it said, and what to do.
    """


class Question(NamedTuple):
    """A question for `totals`: sum `sum` over the documents of a dataset, grouped by the fields `by`.

    `every` groups by the day of @timestamp (UTC) first, as 2026-11-20 in front of the other values of the key.
    """

    dataset: str
    by: tuple[str, ...] = ()
    sum: tuple[str, ...] = ("count",)  # dotted names of numeric fields; () only counts documents
    where: Mapping[str, Any] = {}  # field -> value it must have (keyword equality)
    since: str = ""  # RFC 3339, on @timestamp, inclusive; '' is open
    until: str = ""  # exclusive
    node: "Node | None" = None  # a query beside `where`; None is every document
    size: int = 1000  # groups at the most, largest first sum (or number of documents) first
    every: Literal["", "day"] = ""
    unless: Mapping[str, Any] = {}  # field -> value it must not have; documents without the field stay
    different: tuple[str, ...] = ()  # fields whose different values are counted; above 40,000 OpenSearch estimates


class Total(NamedTuple):
    """One group of the answer."""

    key: tuple[Any, ...]  # values of `by`, None where the field is absent
    documents: int
    sums: tuple[int, ...]  # in the order of `Question.sum`
    different: tuple[int, ...] = ()  # in the order of `Question.different`


class Selection(NamedTuple):
    """Which documents `select` finds."""

    node: "Node"  # see query.parse
    datasets: tuple[str, ...] = ()  # () is all
    size: int = 0  # documents at the most, newest first; 0 is all of them
    fields: tuple[str, ...] = ()  # dotted names that are needed; a store may leave out the others. () is all of them


class Found(NamedTuple):
    """A document that was found, and where it stands among all that a selection finds."""

    row: Row
    place: tuple[Any, ...]  # values of JSON; `select` goes on behind it


class Store(Protocol):
    """Where documents go. `write` may be called many times; an id that is there already changes nothing."""

    name: str  # for people and logs: URL without credentials, or path

    def write(self, rows: Iterable[Row]) -> Written:
        """Store the rows, each once. Raises StoreError when any of them may be missing afterwards."""
        ...

    def scan(self, after: tuple[str, str] | None = None) -> Iterator[Row]:
        """Every document, index by index in the order of their names, from the one after `after` (index, id) on.

        A store that has no order within an index begins again with the whole of that index. Raises StoreError.
        """
        ...

    def totals(self, question: Question) -> list[Total]:
        """Answer a question of a person."""
        ...

    def select(self, selection: Selection, after: tuple[Any, ...] = ()) -> Iterator[Found]:
        """Documents by their @timestamp, newest first, from the one behind the place `after` on; read in pages.

        Raises ValueError when the selection names what is not there, or `after` is no place of this store.
        """
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...


def in_batches(rows: Iterable[Row], most: int, size: int) -> Iterator[list[Row]]:
    """At most so many rows, and hardly more bytes, at once. A batch is complete before a store takes a lock for it:
    reading a report must hold none.
    """
    batch: list[Row] = []
    room = size
    for row in rows:
        batch.append(row)
        room -= len(row.source)
        if len(batch) >= most or room <= 0:
            yield batch
            batch, room = [], size
    if batch:
        yield batch
