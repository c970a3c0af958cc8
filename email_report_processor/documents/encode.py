"""Flat documents to the JSON that is stored, and back.

Inside the program a document is a flat dict of dotted names; `_source` is nested objects. Rows of one report have
the same names, so the nesting is worked out once for each set of names and remembered as a text with gaps.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from json.encoder import encode_basestring
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

from ..values.fields import Fields, Layer, merged
from .datasets import DATASETS

# Fields whose one value is an object: `flatten` leaves it whole.
_WHOLE = frozenset(field.name for dataset in DATASETS for field in dataset.fields if field.type.name == "geo_point")


def encode(fields: Fields, layers: Sequence[Layer] = ()) -> bytes:
    """A flat document as JSON of nested objects: UTF-8, compact, without line breaks.

    layers: further fields of the document, which others have as well; each is written once. Lone surrogates, which
    UTF-8 cannot hold, become U+FFFD. Raises TypeError for a value that JSON does not have.
    """
    return _layered(fields, layers) if layers else _utf8(_object(fields))


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def decode(source: bytes) -> Fields:
    """The inverse of `encode`. Raises ValueError when it is not a JSON object."""
    nested = json.loads(source)
    if not isinstance(nested, dict):
        raise ValueError("a document is a JSON object")
    return flatten(nested)


def flatten(source: Mapping[str, Any]) -> Fields:
    """Nested objects as dotted names; lists of objects stay lists, of dicts with dotted names."""
    fields: Fields = {}
    _gather(source, "", fields)
    return fields


def _gather(source: Mapping[str, Any], prefix: str, fields: Fields) -> None:
    for key, value in source.items():
        name = prefix + key
        if isinstance(value, dict) and name not in _WHOLE:
            _gather(value, name + ".", fields)
        elif isinstance(value, list):
            fields[name] = [flatten(one) if isinstance(one, dict) else one for one in value]
        else:
            fields[name] = value


def _layered(fields: Fields, layers: Sequence[Layer]) -> bytes:
    members = [layer.json or written(layer) for layer in layers]
    if not _stand_alone(tuple(fields), *map(_TOPS, layers)):
        return _utf8(_object(merged(fields, layers)))
    members.append(_utf8(_object(fields)[1:]))
    return b"{" + b",".join(members)


def written(layer: Layer) -> bytes:
    """The members of a layer, as JSON; remembered with it."""
    if not layer.json:
        layer.json = _utf8(_object(layer)[1:-1])
        layer.tops = _tops(tuple(layer))
    return layer.json


class Form(NamedTuple):
    """Documents that have the same last layer and own fields of the same names, but for the values of those."""

    layer: bytes  # with the commas around it
    own: str  # with %s for the JSON of each value
    order: Callable[[list[Any]], Any] | None  # of the values, as in _Layout


def form_of(names: tuple[str, ...], same: Fields, layers: Sequence[Layer]) -> Form | None:
    """The form of documents with own fields of these names, and those of `same`, which are the same in all of them.

    None when their JSON is not one layer behind the other.
    """
    if not _stand_alone((*names, *same), *map(_TOPS, layers)):
        return None
    text, order = _layout((*names, *same))
    gaps = [*["%s"] * len(names), *(value.replace("%", "%%") for value in _written(same.values()))]
    places = [*range(len(names)), *[-1] * len(same)]
    left = [place for place in (places if order is None else order(places)) if place >= 0]
    own = text[1:].replace("%%", "%%%%") % tuple(gaps if order is None else order(gaps))
    return Form(b",%b," % written(layers[-1]), own, None if left == sorted(left) else itemgetter(*left))


def fill(form: Form, before: bytes, values: Iterable[Any]) -> bytes:
    """A document as `encode` would write it. before: `{` and what comes before the last layer."""
    found = _written(values)
    text = form.own % tuple(found if form.order is None else form.order(found))
    return b"".join((before, form.layer, text.encode() if text.isascii() else _utf8(text)))


_TOPS = attrgetter("tops")


@lru_cache(maxsize=1024)
def _tops(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(name.partition(".")[0] for name in names)


@lru_cache(maxsize=1024)
def _stand_alone(names: tuple[str, ...], *tops: frozenset[str]) -> bool:
    """Whether a document is the members of all of these in a row: no object stands in two, and none is empty."""
    sets = (_tops(names), *tops)
    return all(sets) and len(frozenset().union(*sets)) == sum(map(len, sets))


class _Layout(NamedTuple):
    text: str  # nested objects with %s in the place of each value
    order: Callable[[list[Any]], Any] | None  # puts the values into the order of the gaps; None when they are in it


def _object(fields: Mapping[str, Any]) -> str:
    text, order = _layout(tuple(fields))
    values = _written(fields.values())
    return text % (tuple(values) if order is None else order(values))


def _list(values: Sequence[Any]) -> str:
    if len(values) == 1 and type(values[0]) is str:  # most lists
        return f"[{encode_basestring(values[0])}]"
    return f"[{','.join(_written(values))}]"


def _written(values: Iterable[Any]) -> list[str]:
    try:
        return [_WRITERS[type(value)](value) for value in values]
    except KeyError:  # a type that is not in the table
        return [_WRITERS.get(type(value), _other)(value) for value in values]


@lru_cache(maxsize=1024)  # a stranger chooses which fields are there, so it is bounded
def _layout(names: tuple[str, ...]) -> _Layout:
    tree: dict[str, Any] = {}
    for number, name in enumerate(names):
        *parents, last = _path(name, names)
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = number
    order: list[int] = []
    text = _gaps(tree, order)
    in_order = order == sorted(order)
    return _Layout(text, None if in_order else itemgetter(*order))


def _path(name: str, names: tuple[str, ...]) -> list[str]:
    """The keys from the outermost object to the value.

    Beside a value `a` there cannot be an object `a`, so `a.b` then keeps its dot (it flattens to the same name).
    """
    parts = name.split(".")
    for end in range(1, len(parts)):
        if ".".join(parts[:end]) in names:
            return [*parts[: end - 1], ".".join(parts[end - 1 :])]
    return parts


def _gaps(tree: Mapping[str, Any], order: list[int]) -> str:
    members = []
    for key, node in tree.items():
        if isinstance(node, dict):
            value = _gaps(node, order)
        else:
            order.append(node)
            value = "%s"
        members.append(encode_basestring(key).replace("%", "%%") + ":" + value)
    return "{" + ",".join(members) + "}"


def _float(value: float) -> str:
    """JSON has neither infinity nor NaN."""
    return float.__repr__(value) if math.isfinite(value) else "null"


def _other(value: Any) -> str:
    """Subclasses of what JSON knows; anything else is a TypeError."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


_WRITERS: dict[type, Callable[[Any], str]] = {
    str: encode_basestring,
    int: int.__repr__,
    bool: lambda value: "true" if value else "false",
    float: _float,
    list: _list,
    tuple: _list,
    dict: _object,
    type(None): lambda _: "null",
}
