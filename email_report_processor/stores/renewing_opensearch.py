"""Documents written anew in OpenSearch, by sequence number and primary term. Not with the filter's account."""

from collections.abc import Sequence
from json.encoder import encode_basestring

from . import bulk
from .client import Client
from .renewing import Renewal
from .store import StoreError

_DONE = frozenset({200, 201})
_CHANGED = frozenset({404, 409})  # gone, or another version


def renew(client: Client, renewals: Sequence[Renewal]) -> int:
    """See Renewable. Past every ingest pipeline: what those added is in the document already."""
    if not renewals:
        return 0
    lines = [line for one in renewals for line in (_action(one), one.row.source)]
    answer = client.request("POST", "/_bulk", b"\n".join(lines) + b"\n", {"filter_path": bulk.FILTER})
    value = answer.json
    if answer.status != 200 or not isinstance(value, dict):
        raise bulk.refusal(client.name, answer)
    written = 0
    for item in value.get("items", []):
        status, type_, reason = bulk.item(item, "index") or (0, "", "nothing")
        if status not in _DONE | _CHANGED:
            raise StoreError(f"{client.name} answers {status} {type_}: {reason}: {bulk.remedy(status, type_, reason)}")
        written += status in _DONE
    return written


def _action(one: Renewal) -> bytes:
    number, term = one.version
    place = f'"_index":{encode_basestring(one.row.index)},"_id":{encode_basestring(one.row.id)}'
    return f'{{"index":{{{place},"if_seq_no":{number:d},"if_primary_term":{term:d},"pipeline":"_none"}}}}'.encode()
