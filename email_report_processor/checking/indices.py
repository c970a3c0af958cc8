"""Whether the indices that come next would be made and filled, as the filter does it and with its rights.

The filter lets OpenSearch make an index with the first document for it: other rights, settings and limits decide than
for making one by name. So a document is sent that our mapping has to refuse: all of that happens but the storing. For
who may look (and so is no writer alone) the index of the next period is made, which nobody else can want yet, and
deleted again; with the role of the writer empty indices stay, of this period, or such as are needed within a month.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from ..cluster.coming import Coming, coming
from ..documents.datasets import BY_NAME
from ..stores import bulk
from ..stores.client import OpenSearchOptions
from ..stores.opensearch import OpenSearchStore
from .finding import Finding, failure, ok

_REFUSED = b'{"@timestamp":"doctor"}'  # by our mapping: a date is wanted
_REFUSAL = "mapper_parsing_exception"
_EARLY = timedelta(days=31)  # that an index may be made before it is needed: its age counts from then (retention)
_AHEAD = timedelta(days=2)  # that a report may lie in the future (documents/layout.py)


def check_indices(
    store: OpenSearchStore, options: OpenSearchOptions, prefix: str, period: str, now: datetime
) -> Iterator[Finding]:
    """What new indices would get, then whether they can be made. Raises StoreError."""
    expected = coming(prefix, period, BY_NAME, now)
    faults = store.faults({one.name: one.dataset for one in expected})
    if faults:
        fault = next(iter(faults.values()))
        yield failure("templates", f"{fault.text}{_more(len(faults))}", fault.remedy)
        return
    there = {one.name: store.request("GET", f"/{quote(one.name)}").status for one in expected}
    last = all(one.begin <= now for one in expected)
    tried = [one for one in expected if _harmless(one, there[one.name], now, last=last)]
    made = [one.name for one in tried if there[one.name] == 404 and one.begin > now + _AHEAD]
    try:
        refusals = _refusals(store, tried, options)
    finally:
        if made:
            store.request("DELETE", "/" + ",".join(map(quote, made)), None, {"ignore_unavailable": "true"})
    if refusals:
        text, remedy = refusals[0]
        yield failure("rights", f"{text}{_more(len(refusals))}", remedy)
    else:
        yield ok("indices", f"those of this period and of the next one, such as {tried[-1].name}, can be filled")


def _more(number: int) -> str:
    return f" (and {number - 1} more indices)" if number > 1 else ""


def _harmless(one: Coming, status: int, now: datetime, *, last: bool) -> bool:
    """Whether a try leaves nothing behind that would not be there soon.

    status: of a look at it. last: there is no later period, whose index could be deleted again.
    """
    if status == 200:
        return True
    if status == 404:  # who may look may delete as well
        return last or one.begin > now
    return one.begin <= now or (one.begin <= now + _EARLY and not BY_NAME[one.dataset].personal)


def _refusals(store: OpenSearchStore, tried: Sequence[Coming], options: OpenSearchOptions) -> list[tuple[str, str]]:
    """What was said against the documents that is not their own fault, and what to do."""
    lines = [line for one in tried for line in (_action(one, options.pipelines), _REFUSED)]
    answer = store.request("POST", "/_bulk", b"\n".join(lines) + b"\n")
    value = answer.json
    items = value.get("items") if answer.status == 200 and isinstance(value, dict) else None
    if not isinstance(items, list) or len(items) != len(tried):
        return [(str(bulk.refusal("a bulk", answer)), bulk.remedy_of(answer))]
    found = (_refusal(one.name, item.get("create", {})) for one, item in zip(tried, items, strict=True))
    return [refusal for refusal in found if refusal is not None]


def _action(one: Coming, pipelines: Mapping[str, str]) -> bytes:
    pipeline = pipelines.get(one.dataset, "")
    more = {"pipeline": pipeline} if pipeline else {}
    return json.dumps({"create": {"_index": one.name, "_id": "doctor", **more}}).encode()


def _refusal(index: str, item: Mapping[str, Any]) -> tuple[str, str] | None:
    status, error = item.get("status"), item.get("error") or {}
    type_, reason = str(error.get("type", "")), str(error.get("reason", ""))
    if type_ == _REFUSAL:
        return None
    if not error:
        text = f"{index} took a document that our mapping refuses (answer {status}): it was made without our template"
        return text, "copy what is in it to another index, delete it, and feed the copy again; or check the URL"
    return f"{index}: {status} {type_}: {reason}", bulk.remedy(int(status or 0), type_, reason)
