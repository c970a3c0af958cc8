"""Component and index templates, made from the tables of datasets. Pure: requests as values, nothing is sent.

Two components and one index template for each dataset: `<base>-common` holds the settings, `<base>-<dataset>` the
fields. `base` is the prefix of the indices without its dash at the end.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from ..documents.datasets import BY_NAME, SCHEMA_VERSION, Dataset
from ..values.fields import Field

# Of the templates. Raise it with every change of a mapping or setting: a newer one installed is never overwritten by
# an older program, an older one is replaced by whoever may.
VERSION = 2

PRIORITY = 200  # above what products install for `*` and below nothing we know
OWNER = {"owner": "email-report-processor", "schema": SCHEMA_VERSION}
_SETTINGS = {
    "number_of_shards": 1,
    "codec": "best_compression",
    "refresh_interval": "30s",
    "mapping.total_fields.limit": 300,
}


class Request(NamedTuple):
    """One request to OpenSearch, as `setup --dry-run` prints it."""

    method: str
    path: str
    body: dict[str, Any]


def copies(replicas: int) -> dict[str, Any]:
    """The setting of an index for so many copies beside the first; -1: none on a single node, one on several."""
    return {"number_of_replicas": replicas} if replicas >= 0 else {"auto_expand_replicas": "0-1"}


def template_name(prefix: str, dataset: str) -> str:
    """Name of a dataset's index template, and of its component."""
    return f"{base_name(prefix)}-{dataset}"


def base_name(prefix: str) -> str:
    """What the names of all templates begin with."""
    return prefix.rstrip("-") or "email-report"


def requests(
    prefix: str, datasets: Iterable[str] = tuple(BY_NAME), *, strict: bool = False, replicas: int = -1
) -> list[Request]:
    """The requests that install the templates of some datasets, in their order; each may be sent again.

    strict: unknown fields are refused instead of kept unindexed (for tests: it finds every drift). replicas: see
    `copies`.
    """
    chosen = [BY_NAME[name] for name in datasets]
    components = [_put("_component_template", f"{base_name(prefix)}-common", {"template": _common(strict, replicas)})]
    components += [_put("_component_template", template_name(prefix, one.name), _fields(one)) for one in chosen]
    return components + [
        _put("_index_template", template_name(prefix, one.name), _index(prefix, one)) for one in chosen
    ]


def mappings(dataset: Dataset) -> dict[str, Any]:
    """The `properties` of a dataset, as objects within each other."""
    properties: dict[str, Any] = {}
    for field in dataset.fields:
        *parents, last = field.name.split(".")
        node = properties
        for parent in parents:
            node = node.setdefault(parent, {"properties": {}})["properties"]
        node[last] = dict(field.type.mapping)
    return properties


def mapped_fields(dataset: Dataset) -> dict[str, dict[str, Any]]:
    """Field name -> mapping, as an index of the dataset has it, also of fields in fields (`sample.subject.text`)."""
    return dict(pair for field in dataset.fields for pair in _with_subfields(field))


def _with_subfields(field: Field) -> Iterator[tuple[str, dict[str, Any]]]:
    yield field.name, dict(field.type.mapping)
    for name, mapping in field.type.mapping.get("fields", {}).items():
        yield f"{field.name}.{name}", dict(mapping)


def _put(kind: str, name: str, body: dict[str, Any]) -> Request:
    return Request("PUT", f"/{kind}/{name}", {"version": VERSION, "_meta": OWNER, **body})


def _common(strict: bool, replicas: int) -> dict[str, Any]:
    """`dynamic` holds for the objects within too. `raw` keeps texts that are no values: never looked into."""
    return {
        "settings": {"index": _SETTINGS | copies(replicas)},
        "mappings": {
            "dynamic": "strict" if strict else False,
            "_meta": OWNER,
            "properties": {"raw": {"type": "object", "enabled": False}},
        },
    }


def _fields(dataset: Dataset) -> dict[str, Any]:
    return {"template": {"mappings": {"properties": mappings(dataset)}}}


def _index(prefix: str, dataset: Dataset) -> dict[str, Any]:
    return {
        "index_patterns": [f"{prefix}{dataset.name}-*"],
        "priority": PRIORITY,
        "composed_of": [f"{base_name(prefix)}-common", template_name(prefix, dataset.name)],
    }
