"""Whether the indices that come next can be made: on nodes that refuse it for every reason that was met."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.checking.finding import Finding
from email_report_processor.checking.store import check_opensearch
from email_report_processor.cluster import roles
from email_report_processor.cluster.coming import coming
from email_report_processor.documents.datasets import BY_NAME
from email_report_processor.documents.layout import GRANULARITIES
from email_report_processor.process import Layout
from email_report_processor.stores import templates
from email_report_processor.stores.client import OpenSearchOptions
from email_report_processor.stores.opensearch import OpenSearchStore
from tests import nodes

STRONG = "Long-and-strong-1"
NOW = datetime.now(UTC)


def _examine(node: nodes.Node, prefix: str, period: Any = "month", **options: Any) -> dict[str, Finding]:
    """What the doctor says of a store, by what it is about: the last of each, or the first that is not well."""
    chosen = OpenSearchOptions(**options)
    store = OpenSearchStore([node.url], chosen, prefix=prefix, budget=5.0)
    found: dict[str, Finding] = {}
    for one in check_opensearch(store, chosen, Layout(prefix, period)):
        if one.about not in found or found[one.about].result == "ok":
            found[one.about] = one
    store.close()
    return found


def _ready(node: nodes.Node, prefix: str, **options: Any) -> None:
    for request in templates.requests(prefix, **options):
        node.ask(*request)


def _indices(node: nodes.Node, prefix: str) -> list[str]:
    return sorted(node.ask("GET", f"/{prefix}*?expand_wildcards=all"))


@pytest.mark.parametrize("period", ["month", "day", "none"])
def test_nothing_stays_behind_that_is_not_needed_soon(node: nodes.Node, prefix: str, period: str) -> None:
    """Of days tomorrow's stay, and so does the one of all times."""
    _ready(node, prefix)
    found = _examine(node, prefix, period)
    expected = coming(prefix, period, BY_NAME, NOW)
    assert found["indices"].result == "ok", found
    assert found["indices"].text.endswith(f"such as {expected[-1].name}, can be filled")
    soon = sorted(one.name for one in expected if one.begin > NOW or period == "none")
    assert _indices(node, prefix) in ([soon] if period != "month" else [[], soon])
    assert node.documents(f"{prefix}*") == []


REFUSALS: list[tuple[dict[str, Any], str, str]] = [
    ({"action.auto_create_index": "false"}, "no such index", "action.auto_create_index"),
    ({"action.auto_create_index": "-PREFIX*-20*,+*"}, "forbids automatic creation", "action.auto_create_index"),
    ({"cluster.max_shards_per_node": 1}, "maximum", "raise cluster.max_shards_per_node"),
    ({"cluster.blocks.read_only": True}, "cluster read-only", "lift the block of the cluster"),
]
DEFAULT = "cluster.default_number_of_replicas"
ZONES = {
    "cluster.routing.allocation.awareness.attributes": "zone",
    "cluster.routing.allocation.awareness.force.zone.values": "a,b,c",
    "cluster.routing.allocation.awareness.balance": "true",
}


@pytest.fixture
def lenient(own_node: nodes.Node) -> Iterator[nodes.Node]:
    """A node of this run alone, whose settings are put back."""
    yield own_node
    names = {name: None for settings in (*(one for one, _, _ in REFUSALS), ZONES, (DEFAULT,)) for name in settings}
    own_node.ask("PUT", "/_cluster/settings", {"persistent": names})


def test_clusters_that_refuse_a_new_index(lenient: nodes.Node, prefix: str) -> None:
    """With each the filter would answer 75; the remedy is that of the refusal that came."""
    _ready(lenient, prefix)
    lenient.ask("PUT", f"/{prefix}other", {})  # one shard more than the limit of one test
    for settings, words, remedy in REFUSALS:
        text = json.dumps(settings).replace("PREFIX", prefix)
        lenient.ask("PUT", "/_cluster/settings", {"persistent": json.loads(text)})
        failures = [one for one in _examine(lenient, prefix).values() if one.result == "failure"]
        assert len(failures) == 1, settings
        assert words in failures[0].text
        assert remedy in failures[0].remedy or remedy in failures[0].text
        assert "role" not in failures[0].remedy
        lenient.ask("PUT", "/_cluster/settings", {"persistent": dict.fromkeys(settings)})
    assert _examine(lenient, prefix)["indices"].result == "ok"


def test_zones_that_want_a_number_of_replicas(lenient: nodes.Node, prefix: str) -> None:
    _ready(lenient, prefix)
    lenient.ask("PUT", "/_cluster/settings", {"persistent": ZONES})
    (failure,) = [one for one in _examine(lenient, prefix).values() if one.result == "failure"]
    assert "multiple of total awareness attributes [3]" in failure.text
    assert (
        "with n zones set [opensearch] replicas and the cluster's cluster.default_number_of_replicas" in failure.remedy
    )
    lenient.ask("PUT", "/_cluster/settings", {"persistent": {DEFAULT: 2}})
    _ready(lenient, prefix, replicas=2)
    index = f"{prefix}report-2026.11"  # no shard is placed: this node stands in no zone
    lenient.ask("PUT", f"/{index}?wait_for_active_shards=0&timeout=1s", {})
    assert lenient.ask("GET", f"/{index}/_settings")[index]["settings"]["index"]["number_of_replicas"] == "2"


def test_a_template_of_others(node: nodes.Node, prefix: str) -> None:
    """Also one that is for the next period alone."""
    _ready(node, prefix)
    next_period = coming(prefix, "month", ["report"], NOW)[-1].name
    site = {"index_patterns": [next_period], "priority": 500, "template": {"settings": {"number_of_replicas": 0}}}
    node.ask("PUT", f"/_index_template/{prefix}site", site)
    found = _examine(node, prefix)["templates"]
    assert found.result == "failure"
    assert found.text.startswith(f"the index template {prefix}site (priority 500) decides about {next_period}")
    assert "lower its priority" in found.remedy
    assert _indices(node, prefix) == []


def test_an_index_that_was_made_without_our_template(node: nodes.Node, prefix: str) -> None:
    _ready(node, prefix)
    this = coming(prefix, "month", ["report"], NOW)[0].name
    node.ask("PUT", f"/{this}", {"mappings": {"properties": {"@timestamp": {"type": "keyword"}}}})
    found = _examine(node, prefix)["rights"]
    assert found.result == "failure"
    assert f"{this} took a document that our mapping refuses" in found.text


def test_the_writer(secure_node: nodes.SecureNode, prefix: str) -> None:
    """With its role all is well; with one for this month alone, the next month's index is missed."""
    _ready(secure_node, prefix)
    role = roles.roles(prefix)[f"{prefix}writer"]
    secure_node.put_role(f"{prefix}writer", role)
    months = [f"{prefix}*-{NOW:%Y.%m}", f"{prefix}doctor"]
    narrow = {**role, "index_permissions": [{**role["index_permissions"][0], "index_patterns": months}]}
    secure_node.put_role(f"{prefix}narrow", narrow)
    for name, result in (("narrow", "failure"), ("writer", "ok")):
        secure_node.put_user(f"{prefix}{name}", STRONG, [f"{prefix}{name}"])
        options = {"username": f"{prefix}{name}", "password": STRONG, "ca_file": str(secure_node.ca_file)}
        found = _examine(secure_node, prefix, **options)
        assert found["rights"].result == result, found["rights"]
        assert ("indices" in found) == (result == "ok")
    assert secure_node.documents(f"{prefix}*-20*") == []
    made = [one.name for one in coming(prefix, "month", BY_NAME, NOW) if one.begin <= NOW]
    assert set(made) <= set(_indices(secure_node, prefix))


# Pure


@pytest.mark.parametrize(
    ("now", "period", "expected"),
    [
        ("2026-11-28T08:00:00+00:00", "month", ["2026.11", "2026.12"]),
        ("2026-12-31T23:59:59+00:00", "month", ["2026.12", "2027.01"]),
        ("2026-12-31T23:59:59+00:00", "day", ["2026.12.31", "2027.01.01"]),
        ("2026-12-28T00:00:00+00:00", "week", ["2026.w53", "2027.w01"]),
        ("2028-01-01T00:00:00+00:00", "year", ["2028", "2029"]),
        ("2028-01-01T00:00:00+00:00", "none", ["all"]),
    ],
)
def test_what_comes(now: str, period: str, expected: list[str]) -> None:
    found = coming("p-", period, ["report"], datetime.fromisoformat(now))
    assert [one.name for one in found] == [f"p-report-{period}" for period in expected]


@given(
    st.integers(0, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    st.sampled_from(GRANULARITIES),
)
def test_the_next_period_begins_when_it_begins(now: datetime, period: str) -> None:
    this, *following = coming("p-", period, ["report"], now)
    assert this.begin == now
    for one in following:
        assert one.begin > now
        assert coming("p-", period, ["report"], one.begin)[0].name == one.name != this.name
