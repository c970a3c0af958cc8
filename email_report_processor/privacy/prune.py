"""Retention of the embedded store: what was stored before its time goes, a little at a time."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from ..documents.datasets import DATASETS
from ..stores.store import Store, StoreError
from ..values.fields import write_date


@runtime_checkable
class Prunable(Protocol):
    """A store that deletes nothing by itself, and can be told to."""

    def prune(self, before: Mapping[str, str], *, really: bool) -> Iterator[tuple[str, int]]:
        """Dataset and number of documents that were stored before a date, step by step; they go.

        before: dataset -> RFC 3339. Other processes write meanwhile. Raises StoreError.
        """
        ...


def cutoffs(retention: Mapping[str, int], now: datetime) -> dict[str, str]:
    """Dataset -> the date before which documents go; none for what is kept for ever. retention: instead of ours."""
    days = {dataset.name: retention.get(dataset.name, dataset.retention_days) for dataset in DATASETS}
    return {name: write_date(now - timedelta(days=number)) for name, number in days.items() if number}


def prune(store: Store, before: Mapping[str, str], *, really: bool) -> dict[str, int]:
    """How many documents of each dataset went. Raises StoreError."""
    if not isinstance(store, Prunable):
        raise StoreError(
            f"{store.name}: prune is for the embedded store and PostgreSQL; OpenSearch deletes old indices by its own"
            " policies: `email-report-admin setup --only retention`"
        )
    counts: dict[str, int] = {}
    for dataset, number in store.prune(before, really=really):
        counts[dataset] = counts.get(dataset, 0) + number
    return {dataset: number for dataset, number in counts.items() if number}
