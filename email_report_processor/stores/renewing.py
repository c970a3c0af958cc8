"""Stored documents that are written anew: only where nobody changed them meanwhile, and never under another id."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

from .store import Found, Row, Selection

_BATCH = 200  # documents of one request or transaction


class Versioned(NamedTuple):
    """A document as it was read."""

    found: Found
    version: Any  # the store's own: what it knows a change by


class Renewal(NamedTuple):
    """What is to stand in the place of a document."""

    row: Row  # index and id are those that were read
    version: Any


@runtime_checkable
class Renewable(Protocol):
    """A store whose documents can be written anew."""

    def versioned(self, selection: Selection, after: tuple[Any, ...] = ()) -> Iterator[Versioned]:
        """As Store.select, with versions."""
        ...

    def renew(self, renewals: Sequence[Renewal]) -> int:
        """Write them; how many. Those that somebody changed or removed stay as they are. Raises StoreError."""
        ...


def batches(found: Iterable[Versioned]) -> Iterator[list[Versioned]]:
    """As many as are written at once."""
    batch: list[Versioned] = []
    for one in found:
        batch.append(one)
        if len(batch) >= _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
