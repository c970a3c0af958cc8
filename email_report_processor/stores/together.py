"""Group commit: the rows of several messages go to a store at once, and each message hears of its own alone.

A store that can do so has `write_together`; to the others each parcel goes alone.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, runtime_checkable

from .store import Row, Store, StoreError, Written

WAITED = 1.0  # seconds: a store that took longer to fail was waited for, and need not be asked for the next parcel

Parcel = Sequence[Row]  # the rows of one message


@runtime_checkable
class AtOnce(Protocol):
    """A store that takes the rows of several messages at once."""

    def write_together(self, parcels: Sequence[Parcel]) -> Sequence[Written | StoreError]:
        """One result for each parcel; what it raises is about all of them."""
        ...


def write_together(store: Store, parcels: Sequence[Parcel]) -> list[Written | StoreError]:
    """Store all parcels; what one of them makes the store refuse fails no other."""
    if len(parcels) < 2 or not isinstance(store, AtOnce):
        return each(store.write, parcels)
    began = time.monotonic()
    try:
        return list(store.write_together(parcels))
    except StoreError as error:
        if time.monotonic() - began > WAITED:
            return [error] * len(parcels)
        return each(store.write, parcels)


def each(write: Callable[[Iterable[Row]], Written], parcels: Iterable[Parcel]) -> list[Written | StoreError]:
    """Store one after the other, until one waited in vain."""
    results: list[Written | StoreError] = []
    away: StoreError | None = None
    for parcel in parcels:
        began = time.monotonic()
        try:
            results.append(away or write(parcel))
        except StoreError as error:
            results.append(error)
            away = error if time.monotonic() - began > WAITED else None
    return results
