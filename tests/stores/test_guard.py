"""What a new index would really get, looked at before a document is sent: on a real node, and pure."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.documents.datasets import BY_NAME
from email_report_processor.documents.encode import encode
from email_report_processor.stores import effective, templates
from email_report_processor.stores.client import OpenSearchOptions
from email_report_processor.stores.effective import Template, fits, listed, winner
from email_report_processor.stores.opensearch import OpenSearchStore
from email_report_processor.stores.store import Row, StoreError, Written
from tests import nodes

Opened = Callable[..., OpenSearchStore]
DATASET = "dmarc-aggregate"


@pytest.fixture
def opened(node: nodes.Node, prefix: str, tmp_path: Path) -> Iterator[Opened]:
    """Stores of this prefix, each as another process would have it; closed at the end."""
    stores: list[OpenSearchStore] = []

    def open_(state: str = str(tmp_path), **options: Any) -> OpenSearchStore:
        store = OpenSearchStore([node.url], OpenSearchOptions(**options), prefix=prefix, budget=10.0, state=state)
        stores.append(store)
        return store

    yield open_
    for store in stores:
        store.close()


def _rows(prefix: str, period: str = "2026.11", dataset: str = DATASET) -> list[Row]:
    return [Row(f"{prefix}{dataset}-{period}", "1" * 40, encode({"@timestamp": "2026-11-21T12:00:00Z", "count": 7}))]


def _site(node: nodes.Node, prefix: str, **body: Any) -> str:
    """A template of somebody else, of higher priority."""
    name = f"{prefix}site-default"
    node.ask("PUT", f"/_index_template/{name}", {"index_patterns": [f"{prefix}*"], "priority": 500, **body})
    return name


def _ours(prefix: str, dataset: str = DATASET) -> list[str]:
    return [f"{templates.base_name(prefix)}-common", templates.template_name(prefix, dataset)]


def _with_ours(body: dict[str, Any], prefix: str) -> dict[str, Any]:
    """With the names that hold under this prefix."""
    text = json.dumps(body).replace("PREFIX", prefix).replace('["OURS"]', json.dumps(_ours(prefix)))
    value: dict[str, Any] = json.loads(text)
    return value


GUESSES = {"template": {"settings": {"number_of_replicas": 0}}}
SHADOWS: list[tuple[dict[str, Any], str]] = [
    (GUESSES, "lets OpenSearch guess the mapping"),
    ({}, "lets OpenSearch guess the mapping"),
    ({"data_stream": {}}, "makes a data stream of it"),
    ({"data_stream": {}, "composed_of": ["OURS"]}, "makes a data stream of it"),
    ({"template": {"mappings": {"dynamic": False}}}, "maps @timestamp, event.dataset"),
    (
        {"composed_of": ["OURS"], "template": {"mappings": {"properties": {"count": {"type": "keyword"}}}}},
        "maps count otherwise than ours",
    ),
    ({"composed_of": ["OURS"], "template": {"mappings": {"_source": {"enabled": False}}}}, "what is kept"),
    *(
        (
            {"composed_of": ["OURS"], "template": {"settings": {key: "site-geo"}}},
            rf"through the ingest pipeline site-geo \({key.removeprefix('index.')}\)",
        )
        for key in ("index.default_pipeline", "index.final_pipeline", "default_pipeline")
    ),
]


def test_templates_that_shadow_ours(node: nodes.Node, prefix: str, opened: Opened) -> None:
    """Nothing is written, and the sentence names the template; without it all is well."""
    for request in templates.requests(prefix):
        node.ask(*request)
    for body, words in SHADOWS:
        name = _site(node, prefix, **_with_ours(body, prefix))
        with pytest.raises(StoreError, match=words) as caught:
            opened().write(_rows(prefix))
        assert f"the index template {name} (priority 500) decides about {prefix}{DATASET}-2026.11" in str(caught.value)
        assert f"lower its priority below 200, or take {prefix}* out of its index_patterns" in str(caught.value)
    assert node.documents(f"{prefix}*") == []
    node.ask("DELETE", f"/_index_template/{name}")
    assert opened().write(_rows(prefix)) == Written(1, 0)


LEFT_ALONE: list[dict[str, Any]] = [
    {"index_patterns": ["PREFIX*"], "priority": 100, **GUESSES},
    {"index_patterns": ["PREFIXother-*"], "priority": 500, **GUESSES},
    {"composed_of": ["OURS"], "template": {"settings": {"number_of_shards": 2}}},
    {"composed_of": ["OURS"], "template": {"mappings": {"properties": {"site": {"type": "keyword"}}}}},
    {
        "composed_of": ["OURS"],
        "template": {
            "mappings": {"properties": {"report": {"properties": {"id": {"ignore_above": 99, "type": "keyword"}}}}}
        },
    },
    {"composed_of": ["OURS"], "template": {"settings": {"default_pipeline": "_none"}, "aliases": {"PREFIXall": {}}}},
]


def test_templates_that_do_no_harm(node: nodes.Node, prefix: str, opened: Opened) -> None:
    for request in templates.requests(prefix):
        node.ask(*request)
    for number, body in enumerate(LEFT_ALONE, 1):
        _site(node, prefix, **_with_ours(body, prefix))
        assert opened(state="").write(_rows(prefix, f"2026.{number:02d}")) == Written(1, 0)


def test_a_pipeline_that_the_settings_name(node: nodes.Node, prefix: str, opened: Opened) -> None:
    for request in templates.requests(prefix):
        node.ask(*request)
    name = f"{prefix}geo"
    node.ask("PUT", f"/_ingest/pipeline/{name}", {"processors": [{"set": {"field": "source.name", "value": "x"}}]})
    _site(node, prefix, composed_of=_ours(prefix), template={"settings": {"index.final_pipeline": name}})
    with pytest.raises(StoreError, match=r"\[opensearch\] pipelines does not name for dmarc-aggregate"):
        opened().write(_rows(prefix))
    assert opened(pipelines={DATASET: name}).write(_rows(prefix)) == Written(1, 0)


def test_an_index_that_is_there_and_well_keeps_what_it_has(node: nodes.Node, prefix: str, opened: Opened) -> None:
    assert opened().write(_rows(prefix)) == Written(1, 0)
    _site(node, prefix, **GUESSES)
    other = [row._replace(id="2" * 40) for row in _rows(prefix)]
    assert opened(state="").write(other) == Written(1, 0)
    with pytest.raises(StoreError, match="site-default"):
        opened(state="").write(_rows(prefix, "2026.12"))


def test_it_is_looked_at_once_for_each_index(node: nodes.Node, prefix: str, opened: Opened) -> None:
    """Also by another process; the next index is looked at anew."""
    opened().write(_rows(prefix))
    _site(node, prefix, **GUESSES)
    store = opened()
    assert store.write(_rows(prefix)) == Written(0, 1)
    for _ in range(2):
        with pytest.raises(StoreError, match="site-default"):
            store.write(_rows(prefix, "2026.12"))


def test_our_own_template_changed_by_somebody(node: nodes.Node, prefix: str, opened: Opened) -> None:
    for request in templates.requests(prefix):
        node.ask(*request)
    name = _ours(prefix)[0]
    component = node.ask("GET", f"/_component_template/{name}")["component_templates"][0]["component_template"]
    component["template"]["settings"]["index"]["default_pipeline"] = "geo"
    node.ask("PUT", f"/_component_template/{name}", component)
    with pytest.raises(StoreError, match=r"ingest pipeline geo .* run `email-report-admin setup`, which puts"):
        opened().write(_rows(prefix))


# The role of the writer


def test_the_writer_may_look(secure_node: nodes.SecureNode, prefix: str, tmp_path: Path) -> None:
    """With the role of today by simulation, with that of a version before by the names of the templates."""
    from email_report_processor.cluster import roles

    for request in templates.requests(prefix):
        secure_node.ask(*request)
    _site(secure_node, prefix, composed_of=_ours(prefix), template={"settings": {"default_pipeline": "geo"}})
    role = roles.roles(prefix)[f"{prefix}writer"]
    old = {**role, "cluster_permissions": [one for one in role["cluster_permissions"] if "simulate" not in one]}
    assert old != role
    for name, held, words in (("today", role, "ingest pipeline geo"), ("before", old, "and is not ours")):
        secure_node.put_role(f"{prefix}{name}", held)
        secure_node.put_user(f"{prefix}{name}", "Long-and-strong-1", [f"{prefix}{name}"])
        options = OpenSearchOptions(
            username=f"{prefix}{name}", password="Long-and-strong-1", ca_file=str(secure_node.ca_file)
        )
        store = OpenSearchStore([secure_node.url], options, prefix=prefix, budget=10.0)
        with pytest.raises(StoreError, match=words):
            store.write(_rows(prefix))
        store.close()
    secure_node.ask("DELETE", f"/_index_template/{prefix}site-default")
    store = OpenSearchStore([secure_node.url], options, prefix=prefix, budget=10.0)
    assert store.write(_rows(prefix)) == Written(1, 0)
    store.close()


# Pure


@pytest.mark.parametrize(
    ("pattern", "index", "expected"),
    [
        ("*", "a-b", True),
        ("a-*", "a-", True),
        ("a-*", "ba-", False),
        ("*-2026.*", "a-2026.11", True),
        ("*-2026.*", "a-2026-11", False),
        ("a?b", "axb", False),
        ("[a]*", "a", False),
        ("a*b*c", "aXbYc", True),
        ("", "a", False),
    ],
)
def test_patterns(pattern: str, index: str, expected: bool) -> None:
    assert fits(pattern, index) is expected


@given(st.text(max_size=20), st.lists(st.text(max_size=5), min_size=1, max_size=4))
def test_any_name_fits_what_it_was_made_of(text: str, parts: list[str]) -> None:
    assert fits(text.replace("*", ""), text.replace("*", ""))
    assert fits("*".join(part.replace("*", "") for part in parts), "x".join(part.replace("*", "") for part in parts))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(JSON)
def test_any_answer_is_no_list_of_templates(value: Any) -> None:
    assert listed(value) == []


def test_of_several_the_highest_priority_decides() -> None:
    one, other = (Template(name, 1, priority, ("a-*",), False) for name, priority in (("one", 1), ("other", 2)))
    assert winner([one, other], "a-b") == other
    assert winner([one], "b") is None


@pytest.mark.parametrize("name", list(BY_NAME))
def test_what_our_templates_make_is_well(name: str) -> None:
    for strict in (False, True):
        parts = [one.body["template"] for one in templates.requests("x-", [name], strict=strict)[:2]]
        properties = parts[0]["mappings"]["properties"] | parts[1]["mappings"]["properties"]
        got = {"mappings": {**parts[0]["mappings"], "properties": properties}, "settings": parts[0]["settings"]}
        assert effective.fault(f"x-{name}-all", name, got, None, "x-") is None
        del got["mappings"]["properties"]["@timestamp"]  # an older version of ours: the owner stands in it
        assert effective.fault(f"x-{name}-all", name, got, None, "x-") is None
        del got["mappings"]["_meta"]
        fault = effective.fault(f"x-{name}-all", name, got, None, "x-")
        assert fault is not None
        assert "maps @timestamp otherwise" in fault.text
