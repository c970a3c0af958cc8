"""Taking documents away from OpenSearch, and what they name out of others. Not with the filter's account."""

from collections.abc import Sequence
from json.encoder import encode_basestring
from urllib.parse import quote

from ..documents.datasets import BY_NAME
from . import bulk
from .client import Client
from .store import Row, StoreError


def delete(client: Client, rows: Sequence[Row]) -> int:
    """By index and id; how many there were."""
    return _bulk(client, [_action("delete", row) for row in rows], "delete")


def replace(client: Client, rows: Sequence[Row]) -> int:
    """By index and id, past every ingest pipeline."""
    lines = [line for row in rows for line in (_action("index", row, ',"pipeline":"_none"'), row.source)]
    return _bulk(client, lines, "index")


def settle(client: Client, prefix: str) -> None:
    """Searches see it, and what was only marked as deleted is merged away. Raises StoreError."""
    pattern = ",".join(f"{quote(prefix)}{dataset}-*" for dataset in BY_NAME)
    for what, parameters in (("_refresh", {}), ("_forcemerge", {"only_expunge_deletes": "true"})):
        answer = client.request("POST", f"/{pattern}/{what}", None, {"ignore_unavailable": "true", **parameters})
        if answer.status != 200:
            raise bulk.refusal(client.name, answer)


def _action(what: str, row: Row, more: str = "") -> bytes:
    return f'{{"{what}":{{"_index":{encode_basestring(row.index)},"_id":{encode_basestring(row.id)}{more}}}}}'.encode()


def _bulk(client: Client, lines: Sequence[bytes], what: str) -> int:
    answer = client.request("POST", "/_bulk", b"\n".join(lines) + b"\n", {"filter_path": bulk.FILTER})
    value = answer.json
    if answer.status != 200 or not isinstance(value, dict):
        raise bulk.refusal(client.name, answer)
    done = 0
    for item in value.get("items", []):
        status, type_, reason = bulk.item(item, what) or (0, "", "nothing")
        if status not in {200, 201, 404}:
            raise StoreError(f"{client.name} answers {status} {type_}: {reason}: {bulk.remedy(status, type_, reason)}")
        done += status != 404
    return done
