"""Templates: what every index of ours is made from."""

import json
from typing import Any

import pytest

from email_report_processor.documents.datasets import AGGREGATE, BY_NAME, DATASETS, FAILURE
from email_report_processor.documents.encode import encode
from email_report_processor.stores import templates
from tests import nodes


def _leaves(properties: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, mapping in properties.items():
        if set(mapping) == {"properties"}:
            found |= _leaves(mapping["properties"], f"{prefix}{name}.")
        else:
            found[prefix + name] = mapping
    return found


def test_what_is_put_and_in_which_order() -> None:
    """An index template names its components: they come first."""
    paths = [one.path for one in templates.requests("email-report-", ["arf", "report"])]
    assert paths == [
        "/_component_template/email-report-common",
        "/_component_template/email-report-arf",
        "/_component_template/email-report-report",
        "/_index_template/email-report-arf",
        "/_index_template/email-report-report",
    ]
    assert len(templates.requests("email-report-")) == 1 + 2 * len(DATASETS)
    for request in templates.requests("email-report-"):
        assert request.method == "PUT"
        assert request.body["version"] == templates.VERSION
        assert request.body["_meta"]["owner"] == "email-report-processor"


def test_index_template() -> None:
    body = templates.requests("x-", ["smtp-tls"])[-1].body
    assert body["index_patterns"] == ["x-smtp-tls-*"]
    assert body["composed_of"] == ["x-common", "x-smtp-tls"]
    assert body["priority"] == 200
    assert templates.base_name("") == "email-report"


def test_settings_and_unknown_fields() -> None:
    common = templates.requests("x-")[0].body["template"]
    assert common["mappings"]["dynamic"] is False
    assert common["mappings"]["properties"] == {"raw": {"type": "object", "enabled": False}}
    assert common["settings"]["index"]["refresh_interval"] == "30s"
    assert templates.requests("x-", strict=True)[0].body["template"]["mappings"]["dynamic"] == "strict"


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda dataset: dataset.name)
def test_every_field_is_mapped_once(dataset: Any) -> None:
    assert _leaves(templates.mappings(dataset)) == {field.name: dict(field.type.mapping) for field in dataset.fields}
    assert len(templates.mapped_fields(dataset)) < 300  # the limit in the settings


def test_fields_in_fields() -> None:
    assert templates.mapped_fields(FAILURE)["sample.subject.text"] == {"type": "text"}
    assert "nested" not in json.dumps(templates.requests("x-"))  # Dashboards cannot aggregate them


def _example(dataset: Any) -> dict[str, Any]:
    fields = {field.name: field.example for field in dataset.fields if not field.objects}
    objects: dict[str, Any] = {}
    for field in dataset.fields:
        if field.objects:
            name = field.name.removeprefix(field.objects + ".")
            objects.setdefault(field.objects, [{}])[0][name] = field.example
    return {**fields, **objects, "raw.count": "many", "raw.report.begin": "once"}


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda dataset: dataset.name)
def test_the_node_takes_every_field(node: nodes.Node, prefix: str, dataset: Any) -> None:
    """With strict templates; and it makes of them exactly the mapping that we say it has."""
    for request in templates.requests(prefix, [dataset.name], strict=True):
        node.ask(request.method, request.path, request.body)
    index = f"{prefix}{dataset.name}-2026.11"
    node.ask("PUT", f"/{index}/_doc/1", json.loads(encode(_example(dataset))))
    made = node.ask("GET", f"/{index}")[index]
    assert made["settings"]["index"]["codec"] == "best_compression"
    assert made["mappings"]["dynamic"] == "strict"
    properties = made["mappings"]["properties"]
    assert properties.pop("raw") == {"type": "object", "enabled": False}
    assert _leaves(properties) == _leaves(templates.mappings(dataset))


@pytest.mark.parametrize("document", [{"new": 1}, {"report": {"new": 1}}, {"auth_results": {"dkim": [{"new": 1}]}}])
def test_strict_is_strict_on_every_level(node: nodes.Node, prefix: str, document: dict[str, Any]) -> None:
    for request in templates.requests(prefix, [AGGREGATE.name], strict=True):
        node.ask(request.method, request.path, request.body)
    status, answer = node.request("PUT", f"/{prefix}dmarc-aggregate-all/_doc/1", document)
    assert (status, answer["error"]["type"]) == (400, "strict_dynamic_mapping_exception")


def test_unknown_fields_are_kept_and_not_indexed(node: nodes.Node, prefix: str) -> None:
    for request in templates.requests(prefix, [AGGREGATE.name]):
        node.ask(request.method, request.path, request.body)
    node.ask("PUT", f"/{prefix}dmarc-aggregate-all/_doc/1", {"report": {"new": 1}})
    assert node.documents(f"{prefix}*")[0].source == {"report": {"new": 1}}
    properties = node.ask("GET", f"/{prefix}dmarc-aggregate-all")[f"{prefix}dmarc-aggregate-all"]["mappings"]
    assert "new" not in _leaves(properties["properties"]["report"]["properties"])


def test_every_dataset_has_its_own_pattern() -> None:
    """No index of one dataset matches the pattern of another."""
    patterns = {name: f"email-report-{name}-" for name in BY_NAME}
    for one, pattern in patterns.items():
        assert [other for other, text in patterns.items() if text.startswith(pattern)] == [one]
