"""What is asked of OpenSearch: every document, page by page, and the groups of a question."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..documents.datasets import BY_NAME
from ..values.fields import write_date
from .client import Client, compact
from .renewing import Versioned
from .select_opensearch import translate
from .store import Found, Row, Selection, Total

if TYPE_CHECKING:
    from .totals import Checked

_PAGE_ROWS = 250  # documents read at once by `documents`
_PAGE_BRIEF = 5_000  # the same, of documents of which some fields are read
# Groups read at once: each page reads every document again. `search.max_buckets` is 65,535 where nobody changed it.
_PAGE_GROUPS = 50_000
_NO_MORE: Mapping[str, Any] = MappingProxyType({})
_SCROLL = "5m"  # how long OpenSearch keeps our place between two pages


def indices(client: Client, prefix: str) -> list[str]:
    """Names of all indices with documents, by nothing but the right to search."""
    pattern = ",".join(f"{quote(prefix)}{dataset}-*" for dataset in BY_NAME)
    by_index = {"terms": {"field": "_index", "size": 10000, "order": {"_key": "asc"}}}
    # Without a query the Security plugin answers this with nothing, instead of 403, to who may not search.
    ask = {"size": 0, "query": {"match_all": {}}, "aggs": {"indices": by_index}}
    found = client.ask(f"/{pattern}/_search", ask).get("aggregations", {})
    return sorted(bucket["key"] for bucket in found.get("indices", {}).get("buckets", []))


def documents(client: Client, index: str) -> Iterator[Row]:
    """Every document of an index, in no order. Raises StoreError also when a page is lost: the place is lost too."""
    first = {"size": _PAGE_ROWS, "sort": ["_doc"], "query": {"match_all": {}}}
    page = client.ask(f"/{quote(index)}/_search?scroll={_SCROLL}", first)
    scroll = page.get("_scroll_id", "")
    try:
        while hits := page["hits"]["hits"]:
            for hit in hits:
                yield Row(hit["_index"], hit["_id"], compact(hit["_source"]))
            page = client.ask("/_search/scroll", {"scroll": _SCROLL, "scroll_id": scroll}, once=True)
            scroll = page.get("_scroll_id", scroll)
    finally:
        client.send("DELETE", "/_search/scroll", {}, compact({"scroll_id": scroll}), client.patience())


def selected(client: Client, prefix: str, selection: Selection, after: tuple[Any, ...]) -> Iterator[Found]:
    """Documents newest first."""
    return (_found(hit) for hit in _hits(client, prefix, selection, after))


def versioned(client: Client, prefix: str, selection: Selection, after: tuple[Any, ...]) -> Iterator[Versioned]:
    """The same with sequence number and primary term."""
    for hit in _hits(client, prefix, selection, after, {"seq_no_primary_term": True}):
        yield Versioned(_found(hit), (hit["_seq_no"], hit["_primary_term"]))


def _found(hit: Mapping[str, Any]) -> Found:
    return Found(Row(hit["_index"], hit["_id"], compact(hit["_source"])), tuple(hit["sort"]))


def _hits(
    client: Client, prefix: str, selection: Selection, after: tuple[Any, ...], more: Mapping[str, Any] = _NO_MORE
) -> Iterator[Mapping[str, Any]]:
    """Page by page.

    Sequence numbers order those of one moment: they stay, unlike a place in Lucene, need no point in time, and cost no
    memory, unlike ids.
    """
    if after and [type(one) for one in after] != [int, int, str]:
        raise ValueError("this is no place among documents of OpenSearch: begin at the first page")
    pattern = ",".join(f"{quote(prefix)}{dataset}-*" for dataset in selection.datasets or BY_NAME)
    left = selection.size or sys.maxsize
    ask: dict[str, Any] = {
        "query": {"bool": {"filter": [translate(selection.node)]}},
        "sort": [{"@timestamp": "desc"}, {"_seq_no": "desc"}, {"_index": "desc"}],
        "track_total_hits": False,
        **({"_source": selection.fields} if selection.fields else {}),
        **more,
    }
    most = _PAGE_BRIEF if selection.fields else _PAGE_ROWS
    while left > 0:
        page = {**ask, "size": min(left, most), **({"search_after": after} if after else {})}
        hits = client.ask(f"/{pattern}/_search", page)["hits"]["hits"]
        yield from hits
        if len(hits) < page["size"]:
            return
        left -= len(hits)
        after = tuple(hits[-1]["sort"])


def groups(client: Client, path: str, checked: "Checked") -> Iterator[Total]:
    """All groups: a composite aggregation, page by page, since only it knows documents without the field."""
    sums = _numbers(checked)
    question: dict[str, Any] = {"size": 0, "query": _query(checked), "track_total_hits": True, "aggs": sums}
    if not (checked.by or checked.every):
        answer = client.ask(path, question)
        yield _Reader(checked)({}, answer["hits"]["total"]["value"], answer.get("aggregations", {}))
        return
    question["track_total_hits"] = False
    read = _Reader(checked)
    for group in composite(client, path, question, _sources(checked), sums):
        yield read(group["key"], group["doc_count"], group)


def composite(
    client: Client, path: str, question: Mapping[str, Any], sources: list[dict[str, Any]], sums: Mapping[str, Any]
) -> Iterator[Mapping[str, Any]]:
    """The buckets of a composite aggregation, page by page. A page that is not full is the last one.

    (OpenSearch gives an `after_key` behind that one too, and would read every document again to answer with nothing.)
    """
    asked: dict[str, Any] = {"size": _PAGE_GROUPS, "sources": sources}
    whole = {**question, "aggs": {"groups": {"composite": asked, "aggs": sums}}}
    while True:
        groups = client.ask(path, whole).get("aggregations", {}).get("groups", {})
        buckets = groups.get("buckets", [])
        yield from buckets
        if len(buckets) < _PAGE_GROUPS:
            return
        asked["after"] = groups["after_key"]


def _numbers(checked: "Checked") -> dict[str, Any]:
    sums = {f"s{number}": {"sum": {"field": field.name}} for number, field in enumerate(checked.sum)}
    counts = {
        f"d{number}": {"cardinality": {"field": field.name, "precision_threshold": 40_000}}  # the most there is
        for number, field in enumerate(checked.different)
    }
    return sums | counts


def _sources(checked: "Checked") -> list[dict[str, Any]]:
    day = {"field": "@timestamp", "calendar_interval": "day", "format": "yyyy-MM-dd", "missing_bucket": True}
    return [
        *([{"day": {"date_histogram": day}}] if checked.every else ()),
        *({f"k{n}": {"terms": {"field": one.name, "missing_bucket": True}}} for n, one in enumerate(checked.by)),
    ]


class _Reader:
    """Reads the groups of one question; there may be a hundred thousand."""

    def __init__(self, checked: "Checked") -> None:
        days = ("day",) if checked.every else ()
        self._names = (*days, *(f"k{number}" for number in range(len(checked.by))))
        self._dates = [len(days) + number for number, field in enumerate(checked.by) if field.type.name == "date"]
        self._sums = [f"s{number}" for number in range(len(checked.sum))]
        self._counts = [f"d{number}" for number in range(len(checked.different))]

    def __call__(self, key: Mapping[str, Any], documents: int, found: Mapping[str, Any]) -> Total:
        values = [key.get(name) for name in self._names]
        for place in self._dates:
            values[place] = _as_stored(values[place])
        return Total(tuple(values), documents, self._numbers(found, self._sums), self._numbers(found, self._counts))

    @staticmethod
    def _numbers(found: Mapping[str, Any], names: Sequence[str]) -> tuple[int, ...]:
        return tuple([round(found[name]["value"] or 0) if name in found else 0 for name in names]) if names else ()


def _as_stored(value: Any) -> Any:
    """A date, which comes back in milliseconds since 1970."""
    return None if value is None else write_date(datetime.fromtimestamp(value / 1000, UTC))


def _query(checked: "Checked") -> dict[str, Any]:
    must: list[dict[str, Any]] = []
    must_not: list[dict[str, Any]] = []
    for field, value in checked.where:
        if value is None:
            must_not.append({"exists": {"field": field.name}})
        else:
            must.append({"term": {field.name: {"value": value}}})
    must_not += [{"term": {field.name: {"value": value}}} for field, value in checked.unless]
    bounds = {name: bound for name, bound in (("gte", checked.since), ("lt", checked.until)) if bound}
    if bounds:
        must.append({"range": {"@timestamp": bounds}})
    if checked.node is not None:
        must.append(translate(checked.node))
    return {"bool": {"filter": must, "must_not": must_not}}
