"""What a new index would really get, and why it may not do. Pure: answers of OpenSearch are read, nothing is sent.

A template that exists is not yet the template that counts: of all whose patterns fit a name, OpenSearch takes the one
of the highest priority, alone, and nothing of the others. `_simulate_index` tells what comes of it, but neither whose
template that is nor that it makes a data stream: these stand in the list of templates.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ..documents.datasets import BY_NAME
from . import templates

# Of the list of templates: what is read below.
LIST_FILTER = ",".join(
    f"index_templates.{part}"
    for part in (
        "name",
        *(f"index_template.{key}" for key in ("version", "priority", "index_patterns", "composed_of", "data_stream")),
    )
)
_PIPELINES = ("default_pipeline", "final_pipeline")
_SHOWN = 3  # fields named in a sentence


class Template(NamedTuple):
    """An index template, as far as it decides."""

    name: str
    version: int  # 0 for one without
    priority: int
    patterns: tuple[str, ...]
    data_stream: bool


class Fault(NamedTuple):
    """Why an index would not be as it should."""

    text: str  # names the template
    remedy: str
    ours: bool  # it is our template that somebody changed: putting it anew helps


def listed(value: Any) -> list[Template]:
    """The templates of `GET /_index_template`; [] for what is no such answer."""
    found = value.get("index_templates") if isinstance(value, dict) else None
    return [_template(one) for one in found or () if isinstance(one, dict) and "name" in one]


def _template(one: Mapping[str, Any]) -> Template:
    body = one.get("index_template") or {}
    patterns = body.get("index_patterns") or ()
    return Template(
        str(one["name"]),
        int(body.get("version") or 0),
        int(body.get("priority") or 0),
        tuple(map(str, patterns)) if isinstance(patterns, list) else (str(patterns),),
        "data_stream" in body,
    )


def winner(found: Iterable[Template], index: str) -> Template | None:
    """The template that decides about an index of this name; None where none does."""
    fitting = [one for one in found if any(fits(pattern, index) for pattern in one.patterns)]
    return max(fitting, key=lambda one: one.priority, default=None)


def fits(pattern: str, index: str) -> bool:
    """Whether a pattern of a template has this name: `*` is any text, all else is itself."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), index, re.DOTALL) is not None


def fault(
    index: str, dataset: str, got: Any, template: Template | None, prefix: str, pipeline: str = ""
) -> Fault | None:
    """Why documents of ours do not belong into what an index of this name would be; None if they do.

    got: the object with `mappings` and `settings`, of `_simulate_index` or of an index that is there; None where it
    cannot be told, and the name of the template has to do. pipeline: the one that the settings name for this dataset.
    """
    ours = templates.template_name(prefix, dataset)
    if template is not None and template.data_stream:
        wrong = "makes a data stream of it, which keeps no ids unique"
    elif got is not None:
        wrong = next(_wrong(dataset, got, pipeline), "")
    else:
        wrong = "" if template is not None and template.name == ours else "is not ours"
    if not wrong:
        return None
    if template is None or template.name == ours:
        text = f"the index template {ours} was changed: for {index} it {wrong}"
        return Fault(text, "run `email-report-admin setup`, which puts it anew", True)
    whose = f"the index template {template.name} (priority {template.priority})"
    remedy = f"lower its priority below {templates.PRIORITY}, or take {prefix}* out of its index_patterns"
    return Fault(f"{whose} decides about {index} in place of {ours}, and {wrong}", remedy, False)


def _wrong(dataset: str, got: Mapping[str, Any], pipeline: str) -> Iterator[str]:
    """What is wrong with mapping and settings, as the end of a sentence about their owner."""
    mapping = got.get("mappings") or {}
    if str(mapping.get("dynamic", True)).lower() not in {"false", "strict"}:
        yield "lets OpenSearch guess the mapping"
    different = list(_different(dataset, mapping))
    if different:
        more = f" and {len(different) - _SHOWN} more" if len(different) > _SHOWN else ""
        yield f"maps {', '.join(different[:_SHOWN])}{more} otherwise than ours"
    if mapping.get("_source"):
        yield "changes what is kept of a document (_source)"
    for key, name in _pipelines(got):
        if name != pipeline:
            words = f"sends its documents through the ingest pipeline {name} ({key})"
            yield f"{words}, which [opensearch] pipelines does not name for {dataset}"


def _different(dataset: str, mapping: Mapping[str, Any]) -> Iterator[str]:
    """Fields of another type than ours. One that is absent is one that an older template of ours does not know yet."""
    ours = isinstance(mapping.get("_meta"), dict) and mapping["_meta"].get("owner") == templates.OWNER["owner"]
    properties = mapping.get("properties") or {}
    for field in BY_NAME[dataset].fields:
        there = _at(properties, field.name)
        if there is None and ours:
            continue
        if there is None or any(there.get(key) != value for key, value in _decisive(field.type.mapping).items()):
            yield field.name


def _decisive(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Limits may be a site's own; types, and what is done with a malformed value, may not."""
    return {key: value for key, value in mapping.items() if key in {"type", "ignore_malformed"}}


def _at(properties: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    node: Mapping[str, Any] = {"properties": properties}
    for part in name.split("."):
        below = (node.get("properties") or {}).get(part)
        if not isinstance(below, dict):
            return None
        node = below
    return node


def _pipelines(got: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Setting and name of each pipeline; keys are nested, or joined by dots."""
    settings = got.get("settings") or {}
    index = settings.get("index") or {}
    for key in _PIPELINES:
        name = index.get(key) or settings.get(f"index.{key}")
        if name and name != "_none":
            yield key, str(name)
