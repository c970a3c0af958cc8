"""OpenSearch as a log: documents by `event.ingested`; first their ids, then those that were not sent.

The window is read again in each round: ids alone cost a tenth of the documents. A scroll keeps its place among
documents of the same second, which sorting cannot tell apart where an index has several shards.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from ..documents.datasets import BY_NAME
from ..values.fields import write_date
from .client import Client, compact
from .follow import PAGE, Entry, Known
from .store import Row

_IDS = 5000  # read at once
_SCROLL = "5m"  # how long OpenSearch keeps our place, while a page is sent on


_Ref = tuple[str, str, str]  # index, id, event.ingested


def log(client: Client, prefix: str, since: str, known: Known) -> Iterator[list[Entry]]:
    """See follow.Log."""
    for refs in _refs(client, prefix, since):
        for first in range(0, len(refs), PAGE):
            some = refs[first : first + PAGE]
            sent = known([id_ for _, id_, _ in some])
            new = [one for one in some if one[1] not in sent]
            if entries := _fetched(client, prefix, new):
                yield entries


def _refs(client: Client, prefix: str, since: str) -> Iterator[list[_Ref]]:
    """Pages of all that was stored since, by time."""
    ask: dict[str, Any] = {
        "size": _IDS,
        "_source": False,
        "sort": [{"event.ingested": {"order": "asc", "unmapped_type": "date"}}],
        "query": {"range": {"event.ingested": {"gte": since}}} if since else {"exists": {"field": "event.ingested"}},
    }
    page = client.ask(f"/{_pattern(prefix)}/_search?scroll={_SCROLL}", ask)
    scroll = page.get("_scroll_id", "")
    try:
        while hits := page["hits"]["hits"]:
            yield [(hit["_index"], hit["_id"], _moment(hit["sort"][0])) for hit in hits if hit["sort"][0] is not None]
            page = client.ask("/_search/scroll", {"scroll": _SCROLL, "scroll_id": scroll}, once=True)
            scroll = page.get("_scroll_id", scroll)
    finally:
        if scroll:
            client.send("DELETE", "/_search/scroll", {}, compact({"scroll_id": scroll}), client.patience())


def _fetched(client: Client, prefix: str, refs: Sequence[_Ref]) -> list[Entry]:
    """The documents in their order; without those that were removed meanwhile."""
    if not refs:
        return []
    ask = {"size": len(refs) * 2, "query": {"ids": {"values": sorted({id_ for _, id_, _ in refs})}}}
    hits = client.ask(f"/{_pattern(prefix)}/_search", ask)["hits"]["hits"]
    found = {(hit["_index"], hit["_id"]): compact(hit["_source"]) for hit in hits}
    return [
        Entry(Row(index, id_, found[index, id_]), ingested) for index, id_, ingested in refs if (index, id_) in found
    ]


def _pattern(prefix: str) -> str:
    return ",".join(f"{quote(prefix)}{dataset}-*" for dataset in BY_NAME)


def _moment(milliseconds: int) -> str:
    return write_date(datetime.fromtimestamp(milliseconds / 1000, UTC))
