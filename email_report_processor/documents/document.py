"""A document before it is encoded, and how documents get their ids (design §4)."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from json.encoder import encode_basestring
from typing import Any, NamedTuple

from ..values.fields import Fields, Layer, merged


class Document(NamedTuple):
    """One document, not yet encoded: its dataset, its id and its flat fields.

    Rows of a report share layers: the first has what is the same for the whole report, the last what rows of one kind
    have in common. No name is in two of them.
    """

    dataset: str
    id: str
    own: Fields  # the fields that are its alone; more may be added
    layers: tuple[Layer, ...] = ()
    date: str = ""  # of what has no period: what the report says of its time, in every copy alike; RFC 3339

    @property
    def fields(self) -> Fields:
        """All of its fields."""
        return merged(self.own, self.layers) if self.layers else self.own


def canonical(value: Any) -> str:
    """Canonical JSON: compact, in the order of its keys, without escapes that need not be."""
    if type(value) is not tuple:
        return _other(value)
    return f"[{','.join([_WRITERS.get(type(one), _other)(one) for one in value])}]"  # in half the time for texts


_other = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_WRITERS: Mapping[type, Callable[[Any], str]] = {str: encode_basestring, int: int.__repr__}


def make_id(*values: Any) -> str:
    """A document id: the first 40 hex digits of the SHA-256 of the canonical JSON array of the values (design §4)."""
    return hashlib.sha256(canonical(values).encode("utf-8", "surrogatepass")).hexdigest()[:40]


def sum_ids(ids: Iterable[str]) -> int:
    """An order-free sum of ids, modulo 2^160."""
    return sum(int(one, 16) for one in ids) % 2**160
