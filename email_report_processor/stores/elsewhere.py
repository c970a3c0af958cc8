"""Documents that lie in another index than the one they belong to by now: they are not to be stored again.

So it is where a report came before its time, where `[store] index_period` or `months_since` was changed, and where an
older version stored, whose index came from the day of arrival. Only indices that exist and whose period overlaps are
asked, which mostly is none, and at the most `…-outofrange`. The writer may not read: an `index` under a condition that
never holds tells by its refusal whether there is such a document, at once and not only after the next refresh.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from json.encoder import encode_basestring
from urllib.parse import quote

from ..documents.datasets import BY_NAME
from ..documents.layout import OUT_OF_RANGE, WITH_ROWS, covering, dataset_of, overlapping, stored_date
from . import bulk, owner
from .bulk import Answer
from .client import Client
from .store import Row, StoreError

_AT_ONCE = 2000  # questions in one request
_KNOWN_FOR = 3600.0  # seconds that a list of indices is believed: another machine may make one
_NEVER = "9223372036854775806"  # a sequence number that no document has
_QUESTION = '{"index":{"_index":%s,"_id":%s,"if_seq_no":' + _NEVER + ',"if_primary_term":1,"pipeline":"_none"}}\n{}\n'
_SHUT = ("index_closed_exception", "index_not_found_exception", "cluster_block_exception")


class Elsewhere:
    """Where rows may lie beside their own index. state: directory that remembers which indices there are, or ''."""

    def __init__(self, client: Client, prefix: str, state: str) -> None:
        self._client = client
        self._prefix = prefix
        key = hashlib.sha256(f"{client.name} {prefix}".encode()).hexdigest()[:16]
        self._file = os.path.join(state, f"opensearch-indices-{key}") if state else ""
        self._indices: frozenset[str] | None = None
        self._until = 0.0  # time.monotonic()
        self._others: dict[str, list[str]] = {}  # index -> the others that may hold what belongs there

    def without(self, rows: Sequence[Row]) -> list[Row]:
        """The rows that lie nowhere else. Raises StoreError."""
        if self._indices is None or time.monotonic() > self._until:
            self._indices = self._remembered() or self._look()
            self._until = time.monotonic() + _KNOWN_FOR
            self._others.clear()
        questions = [(row, other) for row in rows for other in self._others_for(row)]
        if not questions:
            return list(rows)
        found: set[str] = set()
        for start in range(0, len(questions), _AT_ONCE):
            found |= self._ask(questions[start : start + _AT_ONCE])
        return [row for row in rows if row.id not in found]

    def made(self, indices: set[str]) -> None:
        """These have documents now: if one is new, the next process looks again."""
        if self._indices is None or indices <= self._indices:
            return
        self._indices |= indices
        self._others.clear()
        if self._file:
            with suppress(OSError):  # it is believed for an hour at the most
                os.unlink(self._file)

    def _others_for(self, row: Row) -> list[str]:
        """Of rows that are out of range there may be a million: not each index is asked for each of them."""
        others = self._others_of(row.index)
        if not row.index.endswith(OUT_OF_RANGE) or dataset_of(row.index, self._prefix) not in WITH_ROWS:
            return others
        return covering(stored_date(json.loads(row.source)), others)

    def _others_of(self, index: str) -> list[str]:
        if index not in self._others:
            assert self._indices is not None
            self._others[index] = sorted(overlapping(index, self._indices, self._prefix))
        return self._others[index]

    def _ask(self, questions: Sequence[tuple[Row, str]]) -> set[str]:
        """The ids of the rows that are there."""
        lines = (_QUESTION % (encode_basestring(other), encode_basestring(row.id)) for row, other in questions)
        answer = self._client.request("POST", "/_bulk", "".join(lines).encode(), {"filter_path": bulk.FILTER})
        said = list(_answers(self._client.name, answer))
        if len(said) != len(questions):
            raise StoreError(f"{self._client.name} answered for {len(said)} of {len(questions)} documents: try again")
        return {row.id for (row, _), there in zip(questions, said, strict=True) if there}

    def _look(self) -> frozenset[str]:
        answer = self._client.request("GET", names_of(self._prefix), None, {"filter_path": "indices.name"})
        value = answer.json
        if answer.status == 403:  # a role that somebody else made: mail does not wait for it
            return frozenset()
        if answer.status == 404:  # there is none
            value = {}
        elif answer.status != 200 or not isinstance(value, dict):
            raise bulk.refusal(self._client.name, answer)
        found = frozenset(str(one["name"]) for one in value.get("indices", []))
        self._remember(found)
        return found

    def _remembered(self) -> frozenset[str] | None:
        try:
            if not self._file or not 0 <= time.time() - os.stat(self._file).st_mtime < _KNOWN_FOR:
                return None
            with open(self._file, encoding="utf-8") as file:
                return frozenset(file.read().split())
        except (OSError, UnicodeDecodeError):
            return None

    def _remember(self, indices: frozenset[str]) -> None:
        """A state directory that cannot be written costs one small request each time, no more."""
        if not self._file:
            return
        temporary = f"{self._file}.{os.getpid()}"
        try:
            if not os.path.isdir(os.path.dirname(self._file)):
                owner.make_directory(os.path.dirname(self._file))
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                owner.give(descriptor, temporary)
                file.write("\n".join(sorted(indices)))
            os.rename(temporary, self._file)
        except OSError:
            return


def names_of(prefix: str) -> str:
    """The path under which OpenSearch names our indices: indices:admin/resolve/index."""
    return "/_resolve/index/" + ",".join(f"{quote(prefix)}{dataset}-*" for dataset in BY_NAME)


def _answers(name: str, answer: Answer) -> Iterator[bool]:
    """Whether each document is there. Raises StoreError for an answer that says neither.

    An index that is closed, or blocked for writing, cannot be asked: what is in it is taken to be absent.
    """
    value = answer.json
    items = value.get("items") if isinstance(value, dict) else None
    if answer.status != 200 or not isinstance(items, list):
        raise bulk.refusal(name, answer)
    for item in items:
        status, type_, reason = bulk.item(item, "index") or (0, "", "")
        if status == 409 and "current document has" in reason:
            yield True
        elif (status == 409 and "no document was found" in reason) or type_ in _SHUT:
            yield False
        else:
            raise StoreError(f"{name} answers {status} {type_} to a question for a document: {reason or 'nothing'}")
