"""What goes to `_bulk`, and what an answer of OpenSearch means. Pure.

429 and 5xx, of a request or an item        Trouble: send it again later
item 201, 409                               stored, already there (maybe by our own attempt whose answer was lost)
item of a type in DOCUMENTS_FAULT           rejected: it will never get better
an answer that is cut short or garbled      Trouble: send all of it again, ids make that harmless
anything else                               StoreError with what to do (401, 403, missing pipeline, closed index,
                                            limit of shards, a login page, …)
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from json.encoder import encode_basestring
from typing import Any, NamedTuple

from .store import Rejected, Row, StoreError

# The types of error that are the document's own fault (design §4); all else is ours.
DOCUMENTS_FAULT = frozenset(
    {"mapper_parsing_exception", "document_parsing_exception", "strict_dynamic_mapping_exception"}
)

FILTER = "errors,items.*.status,items.*.error.type,items.*.error.reason"  # what is needed of an answer
_SAID = 300  # characters of an answer that go into an error
_PERMISSION = re.compile(r"no permissions for \[([^\]]*)\]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


class Answer(NamedTuple):
    """What OpenSearch said, whatever the status."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    text: str

    @property
    def json(self) -> Any:
        """The body as JSON, None when it is none."""
        try:
            return json.loads(self.text)
        except (ValueError, RecursionError):
            return None


class Trouble(NamedTuple):
    """Why something is to be sent again."""

    reason: str  # a phrase that follows the name of the store
    wait: float = 0.0  # seconds that it asked for (Retry-After)
    unheard: bool = False  # nobody took the connection: nothing was sent, and nothing can be half done


class Outcome(NamedTuple):
    """What one bulk came to."""

    stored: int = 0
    already: int = 0
    rejected: tuple[Rejected, ...] = ()
    unfinished: tuple[Row, ...] = ()  # to be sent again
    trouble: Trouble | None = None  # why, when there are any
    unknown: bool = False  # whether some of these may be stored all the same


def size_of(row: Row) -> int:
    """Bytes of a row in a bulk, nearly."""
    return len(row.source) + len(row.index) + len(row.id) + 64


def body(rows: Iterable[Row], pipeline_of: Mapping[str, str]) -> bytes:
    """The NDJSON of a bulk that creates the rows. pipeline_of: index -> ingest pipeline."""
    actions: dict[str, str] = {}
    lines: list[bytes] = []
    for index, id_, source in rows:
        action = actions.get(index) or actions.setdefault(index, _action(index, pipeline_of.get(index, "")))
        lines += ((action % encode_basestring(id_)).encode(), source)
    return b"\n".join(lines) + b"\n"


def _action(index: str, pipeline: str) -> str:
    """The line above a document, with %s for its id. `create`, never `index`: what is there stays."""
    more = f',"pipeline":{encode_basestring(pipeline)}' if pipeline else ""
    return f'{{"create":{{"_index":{encode_basestring(index)}{more}'.replace("%", "%%") + ',"_id":%s}}'


def overload(answer: Answer) -> Trouble | None:
    """The trouble when the whole request was turned away for now, else None."""
    if answer.status in {408, 429} or answer.status >= 500:
        return Trouble(f"answers {answer.status}: {said(answer)}", wait=_retry_after(answer.headers))
    return None


def refusal(name: str, answer: Answer) -> StoreError:
    """The error for an answer that waiting does not change. name: of the store."""
    return StoreError(f"{name} answers {answer.status}: {said(answer)}: {remedy_of(answer)}")


def remedy_of(answer: Answer) -> str:
    """What to do about an answer that waiting does not change."""
    return remedy(answer.status, *_error(answer.json))


STORED, ALREADY = "stored", "already"


def decided(rows: Sequence[Row], answer: Answer) -> list[str]:
    """For each row STORED or ALREADY; '' when the answer 200 says anything else of it, or nothing. Never raises."""
    if answer.text == _all_stored(len(rows)):
        return [STORED] * len(rows)
    value = answer.json
    items = value.get("items") if isinstance(value, dict) else None
    if not isinstance(items, list) or len(items) != len(rows):
        return [""] * len(rows)
    return [_DECIDED.get(read[0], "") if (read := item(one)) else "" for one in items]


_DECIDED = {200: STORED, 201: STORED, 409: ALREADY}


def outcome(name: str, rows: Sequence[Row], answer: Answer) -> Outcome:
    """What the answer 200 to a bulk says of each row. Raises StoreError when an item failed by our fault."""
    if answer.text == _all_stored(len(rows)):  # most of them
        return Outcome(stored=len(rows))
    items = _items(name, answer)
    if len(items) != len(rows):
        reason = f"answered for {len(items)} of {len(rows)} documents"
        return Outcome(unfinished=tuple(rows), trouble=Trouble(reason), unknown=True)
    stored = already = 0
    rejected: list[Rejected] = []
    unfinished: list[Row] = []
    trouble = None
    for row, (status, type_, reason) in zip(rows, items, strict=True):
        if 200 <= status < 300:
            stored += 1
        elif status == 409:
            already += 1
        elif status == 429 or status >= 500:
            unfinished.append(row)
            trouble = trouble or _item_trouble(status, type_, reason)
        elif status == 400 and type_ in DOCUMENTS_FAULT:
            rejected.append(Rejected(row, f"{type_}: {_clean(reason)}"))
        else:
            what = f"{status} {type_} for {row.index}: {_clean(reason)}"
            raise StoreError(f"{name} answers {what}: {remedy(status, type_, reason)}")
    return Outcome(stored, already, tuple(rejected), tuple(unfinished), trouble)


def _all_stored(number: int) -> str:
    """How OpenSearch says, asked with FILTER, that everything was stored."""
    return '{"errors":false,"items":[' + ",".join(['{"create":{"status":201}}'] * number) + "]}"


def _items(name: str, answer: Answer) -> list[tuple[int, str, str]]:
    """Status, type of error and reason of each item; none when the answer is garbled."""
    if "html" in answer.headers.get("content-type", "").lower():
        raise StoreError(
            f"{name} answers a web page ({said(answer)}): check the URL, and what stands before OpenSearch"
        )
    value = answer.json
    items = value.get("items") if isinstance(value, dict) else None
    if not isinstance(items, list):
        return []
    read = [item(one) for one in items]
    return [one for one in read if one is not None]


def item(value: Any, action: str = "create") -> tuple[int, str, str] | None:
    """Status, type of error and reason of one item of an answer to a bulk; None when it is garbled."""
    result = value.get(action) if isinstance(value, dict) else None
    status = result.get("status") if isinstance(result, dict) else None
    return (status, *_error(result)) if isinstance(status, int) else None


def _item_trouble(status: int, type_: str, reason: str) -> Trouble:
    """A block has the status of an overload, and does not go away by itself."""
    blocked = type_ == "cluster_block_exception"
    more = f": {remedy(status, type_, reason)}" if blocked else ""
    return Trouble(f"answers {status} {type_}: {_clean(reason)}{more}")


def _error(value: Any) -> tuple[str, str]:
    """Type and reason of an error of OpenSearch, '' when there is none."""
    error = value.get("error") if isinstance(value, dict) else None
    if isinstance(error, dict):
        return str(error.get("type", "")), str(error.get("reason", ""))
    return "", str(error or "")


def said(answer: Answer) -> str:
    """What an answer says of itself, on one line."""
    type_, reason = _error(answer.json)
    return _clean(f"{type_}: {reason}" if type_ else reason or answer.text) or "nothing more"


def _clean(text: str) -> str:
    """On one line, and no longer than a log likes."""
    line = _CONTROL.sub(" ", text.encode("utf-8", "replace").decode()).strip()
    return line if len(line) <= _SAID else line[:_SAID] + "…"


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds of Retry-After (RFC 9110 §10.2.3), 0 when there are none. A date is held against the answer's own."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    from email.utils import parsedate_to_datetime  # 1 ms here, and rare

    try:
        seconds = parsedate_to_datetime(text) - parsedate_to_datetime(headers.get("date", ""))
    except (TypeError, ValueError):
        return 0.0
    return max(0.0, seconds.total_seconds())


def remedy(status: int, type_: str, reason: str) -> str:
    """What to do about an error of OpenSearch: its status, type and reason."""
    permission = _PERMISSION.search(reason)
    if permission:
        return f"the role of this user lacks {permission[1]}: add it (email-report-admin setup --roles prints roles)"
    for known, words, what in _REMEDIES:
        if known in {status, type_} and words in reason:
            return what
    return "see the log of OpenSearch"


# OpenSearch holds an index that it makes by itself against the cluster's default, before it looks at the template.
_ZONES = (
    "with n zones set [opensearch] replicas and the cluster's cluster.default_number_of_replicas to n - 1, "
    "then run `email-report-admin setup`"
)

# (status or type of error, words of its reason, what to do); the first that fits
_REMEDIES: tuple[tuple[int | str, str, str], ...] = (
    ("cluster_block_exception", "flood-stage", "its disk is full: make room, it lifts the block by itself"),
    ("cluster_block_exception", "cluster read-only", "lift the block of the cluster (cluster.blocks.read_only)"),
    ("cluster_block_exception", "", "lift the block from the index (PUT INDEX/_settings)"),
    ("index_create_block_exception", "", "make room on the nodes' disks, or lift cluster.blocks.create_index"),
    ("index_closed_exception", "", "open the index (POST INDEX/_open), or delete it"),
    ("illegal_argument_exception", "pipeline with id", "run `email-report-admin setup`, or name no pipeline"),
    ("validation_exception", "awareness attributes", _ZONES),
    ("invalid_index_template_exception", "awareness attributes", _ZONES),
    ("validation_exception", "shards", "delete indices, choose longer periods, or raise cluster.max_shards_per_node"),
    ("index_not_found_exception", "", "let OpenSearch make these indices (action.auto_create_index)"),
    (200, "", "check the URL, and what stands before OpenSearch"),
    (401, "", "check the user name and the password"),
    (403, "", "check the rights of this user, and what stands before OpenSearch"),
    (404, "", "check the URL: no OpenSearch answers there"),
    (413, "", "raise the limit of request sizes (http.max_content_length, or the proxy's)"),
    *((code, "", "check the URL: it redirects elsewhere") for code in (301, 302, 303, 307, 308)),
)  # fmt: skip
