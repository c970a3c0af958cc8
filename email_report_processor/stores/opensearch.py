"""OpenSearch as a store: bulks are sent until every row of them is decided.

What answers mean stands in bulk.py, how a request travels in client.py, how long is waited in patience.py.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..documents.datasets import BY_NAME
from ..documents.layout import dataset_of
from . import bulk, together
from .bulk import Answer, Outcome, Trouble
from .client import Client, OpenSearchOptions, place_of
from .effective import Fault
from .elsewhere import Elsewhere
from .guard import Templates
from .patience import Patience
from .store import Found, Question, Row, Selection, StoreError, Total, Written

if TYPE_CHECKING:
    from .follow import Entry, Known, Place  # 7 ms, for `copy --follow` only
    from .kinds import Asked, Combined
    from .renewing import Renewal, Versioned

_COUNT = {"size": 0, "track_total_hits": True, "query": {"match_all": {}}}
_NEW_INDICES = 16  # in one request: making one takes a tenth of a second or more, and a request has its time limit
_BULK_PARAMETERS = {"filter_path": bulk.FILTER}


class OpenSearchStore:
    """Documents in the indices of a cluster. Connects when it is used.

    prefix: of the index names. budget: seconds without progress after which a call gives up. state: directory that
    remembers that the templates are there, '' for none. insists: wait for the whole budget also where nobody takes the
    connection. Raises ValueError for a URL that cannot be used.
    """

    lanes = 4  # questions that people may ask at once, from as many threads

    def __init__(
        self,
        urls: Sequence[str],
        options: OpenSearchOptions,
        *,
        prefix: str = "email-report-",
        budget: float = 30.0,
        state: str = "",
        insists: bool = False,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        places = [place_of(url) for url in (*urls, *options.hosts)]
        self.name = ",".join(place.geturl().rstrip("/") for place in places)
        self._client = Client(self.name, places, options, budget=budget, sleep=sleep, clock=clock, insists=insists)
        self._templates = Templates(self._client, prefix, state, options)
        self._elsewhere = Elsewhere(self._client, prefix, state)
        self._prefix = prefix
        self._pipelines = options.pipelines
        self._bulk_bytes = options.bulk_bytes
        self._made: set[str] = set()  # indices that have a document of ours

    def write(self, rows: Iterable[Row]) -> Written:
        """See Store."""
        written = Written(0, 0)
        for chunk in _chunks(rows, lambda: self._bulk_bytes, self._made):
            pipelines = self._prepared(chunk)
            new = self._elsewhere.without(chunk)
            written += Written(0, len(chunk) - len(new)) + self._store(new, pipelines)
            self._elsewhere.made({row.index for row in new})
            self._made |= {row.index for row in new}
        return written

    def write_together(self, parcels: Sequence[Sequence[Row]]) -> list[Written | StoreError]:
        """See together.py: one bulk; a parcel of which a row is neither stored nor there goes on alone."""
        rows = [row for parcel in parcels for row in parcel]
        if sum(map(bulk.size_of, rows)) > self._bulk_bytes:
            return together.each(self.write, parcels)
        new = self._elsewhere.without(rows)
        said = iter(self._decided(new) if new else ())
        lying = {row.id for row in rows} - {row.id for row in new}
        items = [bulk.ALREADY if row.id in lying else next(said) for row in rows]
        self._elsewhere.made({row.index for row in new})
        results: list[Written | StoreError] = []
        for parcel in parcels:
            own, items = items[: len(parcel)], items[len(parcel) :]
            known = Written(own.count(bulk.STORED), own.count(bulk.ALREADY))
            rest = [row for row, item in zip(parcel, own, strict=True) if item not in {bulk.STORED, bulk.ALREADY}]
            more = together.each(self.write, [rest])[0] if rest else Written(0, 0)
            results.append(known + more if isinstance(more, Written) else more)
        return results

    def _prepared(self, rows: Iterable[Row]) -> dict[str, str]:
        """The pipeline of each index, when the templates are there. Raises StoreError."""
        dataset_of_index = {index: self._dataset(index) for index in {row.index for row in rows}}
        self._templates.ensure(dataset_of_index)
        return {index: self._pipelines.get(dataset, "") for index, dataset in dataset_of_index.items()}

    def _decided(self, rows: Sequence[Row]) -> Sequence[str]:
        """One bulk of the rows: STORED, ALREADY or what else is said of each; all unsaid when it went wrong as such."""
        data = bulk.body(rows, self._prepared(rows))
        patience = self._client.patience()
        while True:
            answer = self._client.send("POST", "/_bulk", _BULK_PARAMETERS, data, patience, "application/x-ndjson")
            trouble = answer if isinstance(answer, Trouble) else bulk.overload(answer)
            if trouble is None:
                assert isinstance(answer, Answer)
                return bulk.decided(rows, answer) if answer.status == 200 else [""] * len(rows)
            patience.wait(trouble)

    def scan(self, after: tuple[str, str] | None = None) -> Iterator[Row]:
        """Every document, index by index in the order of their names; within an index in no order.

        So `after` begins again with the whole of its index. (Sorting by id would load all ids into the memory of
        OpenSearch.) What was written in the last 30 seconds may be missing. Raises StoreError also when a page is
        lost: the place is lost with it.
        """
        from . import search  # 1 ms, for people only

        for index in search.indices(self._client, self._prefix):
            if after is None or index >= after[0]:
                yield from search.documents(self._client, index)

    def totals(self, question: Question) -> list[Total]:
        """See Store; what was written in the last 30 seconds may be missing. Raises ValueError as `check` does."""
        from . import search  # 1 ms with totals, for people only
        from .totals import check, largest

        checked = check(question)
        path = f"/{quote(self._prefix + question.dataset)}-*/_search"
        return largest(search.groups(self._client, path, checked), question.size)

    def combined(self, asked: "Asked") -> "Iterator[Combined]":
        """Sums of rows of aggregate reports by kind, and by one of host, reporter and day (see kinds.py)."""
        from . import kinds_opensearch  # 6 ms with the query language, for people only

        return kinds_opensearch.combined(self._client, self._prefix, asked)

    def select(self, selection: Selection, after: tuple[Any, ...] = ()) -> Iterator[Found]:
        """See Store; what was written in the last 30 seconds may be missing."""
        from . import search  # 1 ms, for people only
        from .totals import check_datasets

        check_datasets(selection.datasets)
        return search.selected(self._client, self._prefix, selection, after)

    def log(self, place: "Place", since: str, known: "Known") -> "Iterator[list[Entry]]":
        """See follow.Log; what was written in the last 30 seconds may be missing: the window catches it."""
        from . import log_opensearch  # 1 ms, for `copy --follow` only

        return log_opensearch.log(self._client, self._prefix, since, known)

    def versioned(self, selection: Selection, after: tuple[Any, ...] = ()) -> "Iterator[Versioned]":
        """See Renewable."""
        from . import search  # 1 ms, for people only

        return search.versioned(self._client, self._prefix, selection, after)

    def renew(self, renewals: "Sequence[Renewal]") -> int:
        """See Renewable."""
        from . import renewing_opensearch  # 1 ms, for people only

        return renewing_opensearch.renew(self._client, renewals)

    def remove(self) -> int:
        """Take away every index under the prefix: for what was made up. Returns how many documents there were."""
        from . import search  # 1 ms, for people only

        self.refresh()
        number = 0
        for index in search.indices(self._client, self._prefix):
            number += self._client.ask(f"/{quote(index)}/_search", _COUNT)["hits"]["total"]["value"]
            answer = self.request("DELETE", f"/{quote(index)}")
            if answer.status != 200:
                raise bulk.refusal(self.name, answer)
        return number

    def delete(self, rows: Iterable[Row]) -> int:
        """See privacy.documents.Erasable."""
        from . import forget_opensearch  # 1 ms, for people only

        return forget_opensearch.delete(self._client, list(rows))

    def replace(self, rows: Iterable[Row]) -> int:
        """See privacy.documents.Erasable."""
        from . import forget_opensearch  # 1 ms, for people only

        return forget_opensearch.replace(self._client, list(rows))

    def settle(self) -> None:
        """See privacy.documents.Erasable."""
        from . import forget_opensearch  # 1 ms, for people only

        forget_opensearch.settle(self._client, self._prefix)

    def refresh(self) -> bool:
        """Let searches see what was written in the last 30 seconds; False where this user may not."""
        pattern = ",".join(f"{quote(self._prefix)}{dataset}-*" for dataset in BY_NAME)
        return self.request("POST", f"/{pattern}/_refresh", None, {"ignore_unavailable": "true"}).status == 200

    def close(self) -> None:
        """See Store."""
        self._client.close()

    def request(
        self, method: str, path: str, content: Any = None, parameters: Mapping[str, str] | None = None
    ) -> Answer:
        """Any request, for setup and doctor: the answer, whatever its status. content: JSON, or a bulk in bytes.

        Sent again while OpenSearch is away or overloaded; raises StoreError after the time budget.
        """
        return self._client.request(method, path, content, parameters)

    def faults(self, datasets: Mapping[str, str]) -> dict[str, Fault]:
        """Of indices (index -> dataset) those that would not be made as they should, and why; for setup and doctor."""
        return self._templates.faults(datasets)

    def _dataset(self, index: str) -> str:
        dataset = dataset_of(index, self._prefix)
        if dataset not in BY_NAME:
            raise StoreError(
                f"{index} is no index of ours: its name would have to begin with {self._prefix} and a dataset; set "
                "[store] index_prefix to its prefix, or give it ours with `email-report-admin copy --from-prefix`"
            )
        return dataset

    def _store(self, rows: Sequence[Row], pipelines: Mapping[str, str]) -> Written:
        """All of the rows, however often it takes.

        Once it is unknown what became of them, those that are there then are taken to be ours: the answer was lost.
        """
        written = Written(0, 0)
        unknown = False
        patience = self._client.patience()
        while rows:
            result = self._attempt(rows, pipelines, patience)
            if isinstance(result, Written):  # sent in halves
                return written + result
            ours = result.already if unknown else 0
            written += Written(result.stored + ours, result.already - ours, result.rejected)
            unknown = unknown or result.unknown
            if len(result.unfinished) < len(rows):
                patience.progress()
            rows = result.unfinished
            if result.trouble is not None:
                patience.wait(result.trouble)
        return written

    def _attempt(self, rows: Sequence[Row], pipelines: Mapping[str, str], patience: Patience) -> Outcome | Written:
        data = bulk.body(rows, pipelines)
        answer = self._client.send("POST", "/_bulk", _BULK_PARAMETERS, data, patience, "application/x-ndjson")
        trouble = answer if isinstance(answer, Trouble) else bulk.overload(answer)
        if trouble is not None:
            refused = trouble.unheard or (isinstance(answer, Answer) and answer.status == 429)
            return Outcome(unfinished=tuple(rows), trouble=trouble, unknown=not refused)
        assert isinstance(answer, Answer)
        if answer.status == 413 and len(rows) > 1:
            self._bulk_bytes = max(1, len(data) // 2)  # the next ones too
            half = len(rows) // 2
            return self._store(rows[:half], pipelines) + self._store(rows[half:], pipelines)
        if answer.status != 200:
            raise bulk.refusal(self.name, answer)
        return bulk.outcome(self.name, rows, answer)


def _chunks(rows: Iterable[Row], limit: Callable[[], int], made: set[str]) -> Iterator[list[Row]]:
    """Rows that are sent at once: so many bytes, and so many indices that may have to be made first."""
    chunk: list[Row] = []
    new: set[str] = set()
    size = 0
    for row in rows:
        full = row.index not in made and row.index not in new and len(new) >= _NEW_INDICES
        if chunk and (full or size + bulk.size_of(row) > limit()):
            yield chunk
            chunk, size = [], 0
            new.clear()
        if row.index not in made:
            new.add(row.index)
        chunk.append(row)
        size += bulk.size_of(row)
    if chunk:
        yield chunk
