"""Documents of a store that name an address: those about people go, in the others it is taken out."""

import json
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol, runtime_checkable

from ..documents.datasets import BY_NAME
from ..documents.layout import dataset_of
from ..stores.store import Row, Store, StoreError
from .wanted import Wanted

_AT_ONCE = 500  # rows


@runtime_checkable
class Erasable(Protocol):
    """A store that can forget. Not what the filter's account may do: see the role `eraser`."""

    def delete(self, rows: Iterable[Row]) -> int:
        """Take these documents away, also their copies on disk as far as the store can. How many there were."""
        ...

    def replace(self, rows: Iterable[Row]) -> int:
        """Put these in the place of the documents with the same ids. How many there were."""
        ...

    def settle(self) -> None:
        """After the last of them: nothing of what went is left on disk, as far as the store can."""
        ...


@runtime_checkable
class Refreshing(Protocol):
    """A store in which searches do not see what was just written."""

    def refresh(self) -> bool:
        """Let them see it."""
        ...


class Count(NamedTuple):
    """What was found of one dataset."""

    dataset: str
    documents: int
    gone: bool  # the documents go; else the address alone


def erase(store: Store, wanted: Wanted, prefix: str, only: str = "", *, really: bool) -> list[Count]:
    """Find the documents that name it, and erase. Raises StoreError, also for a store that cannot forget.

    only: the one dataset that is looked at, '' for all.
    """
    if not isinstance(store, Erasable):
        raise StoreError(f"{store.name} cannot forget what was written to it: erase there by its own means")
    if isinstance(store, Refreshing):
        store.refresh()
    counts: dict[tuple[str, bool], int] = {}
    for chunk in _chunks(row for row in _named(store, wanted) if not only or dataset_of(row.index, prefix) == only):
        going = [row for row in chunk if _is_personal(row, prefix)]
        staying = [row for row in chunk if not _is_personal(row, prefix)]
        for rows, gone in ((going, True), (staying, False)):
            for row in rows:
                key = (dataset_of(row.index, prefix), gone)
                counts[key] = counts.get(key, 0) + 1
        if really and going:
            store.delete(going)
        if really and staying:
            store.replace(row._replace(source=_without(row.source, wanted)) for row in staying)
    if really and counts:
        store.settle()
    return [Count(dataset, number, gone) for (dataset, gone), number in sorted(counts.items())]


def _named(store: Store, wanted: Wanted) -> list[Row]:
    """Read to the end before anything changes: what is read in pages must not move meanwhile."""
    return [row for row in store.scan() if wanted.may_be_in(row.source) and wanted.is_in(json.loads(row.source))]


def _is_personal(row: Row, prefix: str) -> bool:
    dataset = BY_NAME.get(dataset_of(row.index, prefix))
    return dataset is not None and dataset.personal


def _without(source: bytes, wanted: Wanted) -> bytes:
    value = wanted.without(json.loads(source))
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    chunk: list[Row] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == _AT_ONCE:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
