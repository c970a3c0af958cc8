"""A store as one user sees it: documents of the user's domains alone, whatever a view asks for."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ...documents.datasets import BY_NAME
from ...stores.query import And, Node, Or, Text, field_of
from ...stores.store import Found, Question, Row, Selection, Store, StoreError, Total, Written

# The fields that say whose a document is. Of a dataset without any, a user with a list of domains sees nothing.
OWNERS: Mapping[str, tuple[str, ...]] = {
    "dmarc-aggregate": ("policy_published.domain",),
    "dmarc-failure": ("feedback.reported_domain",),
    "arf": ("feedback.reported_domain",),
    "smtp-tls": ("policy.domain",),
    "report": ("report.domain",),
    "mail-login": ("user.domain",),
    "abuse": ("feedback.reported_domain",),
}


class Narrowed:
    """What can be asked of a store, within some domains and those below them; () is all."""

    def __init__(self, store: Store, domains: tuple[str, ...]) -> None:
        self.name = store.name
        self._store = store
        self._domains = domains

    def totals(self, question: Question) -> list[Total]:
        """See Store."""
        if not self._domains:
            return self._store.totals(question)
        owned = _owned(question.dataset, self._domains)
        node = owned if question.node is None else And((owned, question.node))
        return self._store.totals(question._replace(node=node))

    def select(self, selection: Selection, after: tuple[Any, ...] = ()) -> Iterator[Found]:
        """See Store."""
        if not self._domains:
            return self._store.select(selection, after)
        datasets = tuple(one for one in selection.datasets or BY_NAME if one in OWNERS)
        if not datasets:
            return iter(())
        owned = tuple(And((Text(field_of("event.dataset"), (one,)), _owned(one, self._domains))) for one in datasets)
        narrowed = selection._replace(node=And((Or(owned), selection.node)), datasets=datasets)
        return self._store.select(narrowed, after)

    def write(self, rows: Iterable[Row]) -> Written:
        """Refused: no view stores anything by itself."""
        raise StoreError(f"{self.name}: nothing is written through a view")

    def scan(self, after: tuple[str, str] | None = None) -> Iterator[Row]:
        """Refused: a view asks for what it shows."""
        raise StoreError(f"{self.name}: no view reads everything")

    def close(self) -> None:
        """The store stays open for the next request."""


def _owned(dataset: str, domains: tuple[str, ...]) -> Node:
    """Documents of these domains; of a dataset that has no owner none."""
    fields = [field_of(name) for name in OWNERS.get(dataset, ())]
    return Or(tuple(Text(field, pieces) for field in fields for one in domains for pieces in ((one,), ("", f".{one}"))))
