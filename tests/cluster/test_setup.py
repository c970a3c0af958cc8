"""`email-report-admin setup`: on the real node what it has, and on fakes of the plugins the exact requests.

ISM, ip2geo and Dashboards cannot be had for tests; what their parsers take stands in fake_plugins.py, by file name.
"""

import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from email_report_processor.admin.command import COMMANDS, _parse, main
from email_report_processor.cluster import dashboards_api, pipelines, retention, roles, saved_objects
from email_report_processor.cluster.setup import PARTS, read_retention, shown
from email_report_processor.documents.datasets import BY_NAME, DATASETS
from email_report_processor.stores import templates
from email_report_processor.stores.bulk import Answer
from email_report_processor.stores.store import StoreError
from email_report_processor.stores.templates import Request
from tests import nodes
from tests.conftest import REPOSITORY, Outcome, Program
from tests.fake_plugins import FakeCluster, FakeDashboards
from tests.places import PACKAGE

FAILURE = BY_NAME["dmarc-failure"]
INDEX = "email-report-dmarc-failure-2026.11"


@pytest.fixture
def cluster() -> Iterator[FakeCluster]:
    with FakeCluster("ism", "ip2geo", "security") as cluster:
        yield cluster


@pytest.fixture
def osd() -> Iterator[FakeDashboards]:
    with FakeDashboards() as osd:
        yield osd


class Run(Protocol):
    """The command in this process, which is quicker: `run_here("setup", …, store=…)`."""

    def __call__(self, *arguments: str, store: str = "", settings: str = "") -> Outcome: ...


@pytest.fixture
def run_here(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    def run(*arguments: str, store: str = "", settings: str = "") -> Outcome:
        (tmp_path / "settings.toml").write_text(settings)
        ours = [f"--config={tmp_path}/settings.toml", f"--state={tmp_path}/state"]
        status = main([arguments[0], *ours, *([f"--store={store}"] if store else []), *arguments[1:]])
        return Outcome(status, *capsys.readouterr())

    return run


def _missing(outcome: Any) -> dict[str, str]:
    """What was left out: part -> reason."""
    lines = [line[2:] for line in outcome.stderr.splitlines() if line.startswith("  ")]
    return dict(line.split(": ", 1) for line in lines)


# On the real node, which has no plugin


def test_an_empty_node_gets_what_it_can_have(node: nodes.Node, prefix: str, run_admin: Program) -> None:
    outcome = run_admin(b"", "setup", f"--index-prefix={prefix}", store=node.url)
    assert outcome.status == 0, outcome.stderr
    for name in BY_NAME:
        template = node.ask("GET", f"/_index_template/{prefix}{name}")["index_templates"][0]["index_template"]
        assert template["version"] == templates.VERSION
    assert list(_missing(outcome)) == ["retention", "pipelines", "roles", "dashboards"]
    assert "opensearch-index-management (ISM) is not installed" in _missing(outcome)["retention"]
    assert "opensearch-geospatial (ip2geo) is not installed" in _missing(outcome)["pipelines"]
    assert "opensearch-security is not installed" in _missing(outcome)["roles"]
    assert "--dashboards-url" in _missing(outcome)["dashboards"]


def test_twice_changes_nothing(node: nodes.Node, prefix: str, run_admin: Program) -> None:
    def installed() -> Any:
        found = node.ask("GET", f"/_index_template/{prefix}*"), node.ask("GET", f"/_component_template/{prefix}*")
        return json.dumps(found, sort_keys=True)

    assert run_admin(b"", "setup", f"--index-prefix={prefix}", store=node.url).status == 0
    before = installed()
    outcome = run_admin(b"", "setup", f"--index-prefix={prefix}", store=node.url)
    assert outcome.status == 0
    assert f"templates: all of version {templates.VERSION} are there" in outcome.stdout
    assert installed() == before


def _put_templates(node: nodes.Node, prefix: str, version: int, **more: Any) -> None:
    for request in templates.requests(prefix):
        node.ask(request.method, request.path, {**request.body, "version": version, **more})


def test_an_upgrade_reaches_the_indices_that_are_there(node: nodes.Node, prefix: str, run_admin: Program) -> None:
    """An older program had fewer fields."""
    for request in templates.requests(prefix):
        body = {**request.body, "version": templates.VERSION - 1}
        if request.path == f"/_component_template/{prefix}dmarc-aggregate":
            body["template"] = {"mappings": {"properties": {"count": {"type": "long"}}}}
        node.ask(request.method, request.path, body)
    index = f"{prefix}dmarc-aggregate-2026.11"
    node.ask("PUT", f"/{index}/_doc/1", {"count": 1})
    outcome = run_admin(b"", "setup", "--only=templates", f"--index-prefix={prefix}", store=node.url)
    assert outcome.status == 0, outcome.stderr
    assert f"gave the indices of dmarc-aggregate the fields of version {templates.VERSION}" in outcome.stdout
    assert "smtp-tls the fields" not in outcome.stdout
    properties = node.ask("GET", f"/{index}/_mapping")[index]["mappings"]["properties"]
    assert properties["policy_published"]["properties"]["p"]["type"] == "keyword"
    for kind in ("component", "index"):
        found = node.ask("GET", f"/_{kind}_template/{prefix}*")[f"{kind}_templates"]
        assert {one[f"{kind}_template"]["version"] for one in found} == {templates.VERSION}


def test_an_older_program_overwrites_nothing(node: nodes.Node, prefix: str, run_admin: Program) -> None:
    _put_templates(node, prefix, templates.VERSION + 1)
    outcome = run_admin(b"", "setup", "--only=templates", f"--index-prefix={prefix}", store=node.url)
    assert outcome.status == 0
    assert f"left alone what a later version of this program put: {prefix}common (version" in outcome.stdout
    assert "are there" not in outcome.stdout
    found = node.ask("GET", f"/_component_template/{prefix}*")["component_templates"]
    assert {one["component_template"]["version"] for one in found} == {templates.VERSION + 1}


@pytest.mark.parametrize("part", ["retention", "pipelines", "roles"])
def test_a_missing_plugin_of_a_part_asked_for(node: nodes.Node, prefix: str, run_admin: Program, part: str) -> None:
    outcome = run_admin(b"", "setup", f"--only={part}", f"--index-prefix={prefix}", store=node.url)
    assert outcome.status == 1
    assert "is not installed in OpenSearch" in _missing(outcome)[part]


def test_dry_run_changes_nothing(node: nodes.Node, prefix: str, run_admin: Program) -> None:
    outcome = run_admin(b"", "setup", "--dry-run", f"--index-prefix={prefix}", store=node.url)
    assert outcome.status == 0
    assert outcome.stdout == "".join(shown(request) + "\n" for request in templates.requests(prefix))
    assert node.request("GET", f"/_component_template/{prefix}*")[1]["component_templates"] == []


def test_the_pipeline_on_the_real_node(node: nodes.Node, prefix: str) -> None:
    """Everything but ip2geo itself, in whose place the answers of its documentation are set."""
    answers = {
        "ip2geo.geo": {"country_iso_code": "US", "location": "33.1063,-86.7583"},
        "ip2geo.as": {"asn": "15169", "organization_name": "GOOGLE"},
    }
    body = pipelines.put(prefix, {"city": "c", "asn": "a"}).body
    for step in body["processors"]:
        if config := step.pop("ip2geo", None):
            target = config["target_field"]
            step["set"] = {"if": config["if"], "field": target, "value": answers[target]}
    node.ask("PUT", pipelines.pipeline_path(prefix), body)

    def through(source: Any) -> Any:
        request = {"docs": [{"_source": source}]}
        (doc,) = node.ask("POST", f"{pipelines.pipeline_path(prefix)}/_simulate", request)["docs"]
        return doc["doc"]["_source"]

    assert through({"count": 1}) == {"count": 1}
    assert through({"source": {"name": "x"}}) == {"source": {"name": "x"}}
    place = {"country_iso_code": "US", "location": "33.1063,-86.7583"}
    network = {"number": 15169, "organization": {"name": "GOOGLE"}}
    assert through({"source": {"ip": "192.0.2.1"}}) == {"source": {"ip": "192.0.2.1", "geo": place, "as": network}}
    offline = {"ip": "192.0.2.1", "geo": {"country_iso_code": "DE"}}
    assert through({"source": offline}) == {"source": {**offline, "as": network}}
    known = {"ip": "192.0.2.1", "geo": {"country_iso_code": "DE"}, "as": {"number": 1}}
    assert through({"source": known}) == {"source": known}
    answers["ip2geo.geo"].clear()
    answers["ip2geo.geo"]["error"] = "ip2geo_data_expired"  # Ip2GeoProcessor.handleExpiredData
    node.ask("PUT", pipelines.pipeline_path(prefix), body)
    assert through({"source": {"ip": "192.0.2.1"}}) == {"source": {"ip": "192.0.2.1", "as": network}}


def test_what_the_pipeline_writes_are_our_fields() -> None:
    targets = {
        config["target_field"]
        for step in pipelines.put("x-", {"city": "c", "asn": "a"}).body["processors"]
        for kind, config in step.items()
        if kind in {"rename", "convert"}
    }
    assert targets <= set(BY_NAME["dmarc-aggregate"].by_name)
    assert {name for name in BY_NAME["dmarc-aggregate"].by_name if name.startswith(("source.geo.", "source.as."))} == (
        targets
    )


# Requests to plugins, on fakes


def test_everything_and_then_nothing_more(cluster: FakeCluster, osd: FakeDashboards, run_here: Run) -> None:
    first = run_here("setup", f"--dashboards-url={osd.url}", store=cluster.url)
    assert (first.status, first.stderr) == (0, "")
    assert set(cluster.policies) == {f"email-report-{name}" for name in BY_NAME}
    assert set(cluster.datasources) == {"email-report-city", "email-report-asn"}
    assert set(cluster.pipelines) == {"email-report-geo"}
    assert set(cluster.roles) == set(cluster.mappings) == {f"email-report-{name}" for name in roles.NAMES}
    assert osd.tenants == ["global"]
    assert "retention: dmarc-failure: 90 days, put" in first.stdout
    number = len(cluster.changes)
    second = run_here("setup", f"--dashboards-url={osd.url}", store=cluster.url)
    assert (second.status, second.stderr) == (0, "")
    assert len(cluster.changes) == number
    assert "retention: dmarc-failure: 90 days, as it was" in second.stdout


def test_dry_run_shows_what_is_sent(cluster: FakeCluster, osd: FakeDashboards, run_here: Run) -> None:
    cluster.indices = {INDEX: None}
    dry = run_here("setup", "--dry-run", f"--dashboards-url={osd.url}", store=cluster.url)
    assert (dry.status, dry.stderr) == (0, "")
    assert cluster.changes == osd.changes == []
    assert run_here("setup", f"--dashboards-url={osd.url}", store=cluster.url).status == 0
    sent = [Request(one.method, one.path, one.json) for one in cluster.changes]
    text = "".join(shown(request) + "\n" for request in sent)
    assert dry.stdout.startswith(text)
    assert f"POST /_plugins/_ism/add/{INDEX}\n" in text
    rest = dry.stdout.removeprefix(text)
    assert rest.startswith(f"POST {osd.url}/api/saved_objects/_import?overwrite=true\n")
    body = rest.partition("\n\n")[2]
    assert body.encode().replace(b"\r\n", b"\n").strip() == osd.changes[0].body.replace(b"\r\n", b"\n").strip()


def test_a_policy_as_it_is_sent() -> None:
    assert retention.put("erp-", FAILURE, 90, None) == Request(
        "PUT",
        "/_plugins/_ism/policies/erp-dmarc-failure",
        {
            "policy": {
                "description": "email-report-processor: dmarc-failure, deleted 90 days after the index was made",
                "default_state": "keep",
                "states": [
                    {
                        "name": "keep",
                        "actions": [],
                        "transitions": [{"state_name": "delete", "conditions": {"min_index_age": "90d"}}],
                    },
                    {
                        "name": "delete",
                        "actions": [
                            {"retry": {"count": 3, "backoff": "exponential", "delay": "10m"}, "delete": {}},
                        ],
                        "transitions": [],
                    },
                ],
                "ism_template": [{"index_patterns": ["erp-dmarc-failure-*"], "priority": 200}],
            }
        },
    )
    forever = retention.policy("erp-", FAILURE, 0)
    assert forever["states"] == [{"name": "keep", "actions": [], "transitions": []}]


def test_retention_by_default_is_that_of_the_datasets(cluster: FakeCluster, run_here: Run) -> None:
    run_here("setup", "--only=retention", store=cluster.url)
    ages = {}
    for name, held in cluster.policies.items():
        installed = retention.read_policy(held)
        assert installed is not None
        ages[name.removeprefix("email-report-")] = retention.days_of(
            "email-report-", BY_NAME[name.removeprefix("email-report-")], installed
        )
    assert ages == {dataset.name: dataset.retention_days for dataset in DATASETS}
    assert {name: ages[name] for name in ("dmarc-failure", "arf", "dmarc-aggregate")} == {
        "dmarc-failure": 90,
        "arf": 90,
        "dmarc-aggregate": 400,
    }


def test_a_change_of_retention_reaches_every_index(cluster: FakeCluster, run_here: Run) -> None:
    """An index goes on with the version of the policy that it got; an index under somebody's own policy stays so."""
    other = "email-report-dmarc-failure-2026.10"
    cluster.indices = {INDEX: None, other: "hot-warm"}
    first = run_here("setup", "--only=retention", store=cluster.url)
    assert "dmarc-failure: 90 days, put; 1 indices came under it" in first.stdout
    assert cluster.indices == {INDEX: "email-report-dmarc-failure", other: "hot-warm"}
    sequence = cluster.policies["email-report-dmarc-failure"]["_seq_no"]
    number = len(cluster.changes)
    second = run_here("setup", "--only=retention", "--retention=dmarc-failure=30", store=cluster.url)
    assert "dmarc-failure: 30 days, put; 1 indices follow the change" in second.stdout
    update, change = cluster.changes[number:]
    path = f"/_plugins/_ism/policies/email-report-dmarc-failure?if_seq_no={sequence}&if_primary_term=1"
    assert (update.method, update.path) == ("PUT", path)
    assert (change.path, change.json) == (
        f"/_plugins/_ism/change_policy/{INDEX}",
        {"policy_id": "email-report-dmarc-failure"},
    )
    assert cluster.versions[INDEX] == cluster.policies["email-report-dmarc-failure"]["_seq_no"]


@pytest.mark.parametrize("days", [0, 30])
def test_retention_once_said_is_remembered(cluster: FakeCluster, run_here: Run, days: int) -> None:
    """Else the next setup, after an upgrade, would delete what was to be kept, or keep what was to go."""
    run_here("setup", "--only=retention", f"--retention=dmarc-failure={days}", store=cluster.url)
    number = len(cluster.changes)
    outcome = run_here("setup", "--only=retention", store=cluster.url)
    assert f"dmarc-failure: {f'{days} days' if days else 'for ever'}, as it was" in outcome.stdout
    assert len(cluster.changes) == number


@pytest.mark.parametrize("change", [{"name": "hot"}, {"actions": [{"read_only": {}}]}, {"transitions": []}])
def test_somebodys_own_policy_is_left_alone(cluster: FakeCluster, run_here: Run, change: Any) -> None:
    own = retention.policy("email-report-", FAILURE, 90)
    own["states"][0].update(change)
    cluster.policies["email-report-dmarc-failure"] = {"_seq_no": 7, "_primary_term": 1, "policy": own}
    outcome = run_here("setup", "--only=retention", store=cluster.url)
    assert outcome.status == 0
    assert "dmarc-failure: left alone, somebody made a policy of their own" in outcome.stdout
    assert cluster.policies["email-report-dmarc-failure"]["_seq_no"] == 7
    again = run_here("setup", "--only=retention", "--retention=dmarc-failure=10", store=cluster.url)
    assert "dmarc-failure: 10 days, put" in again.stdout


def test_many_indices_fit_into_the_first_line_of_a_request() -> None:
    names = [f"email-report-dmarc-aggregate-2026.{number:03d}" for number in range(400)]
    requests = list(retention.attach("email-report-", BY_NAME["dmarc-aggregate"], names))
    assert max(len(request.path) for request in requests) < 4000
    assert [name for request in requests for name in request.path.rpartition("/")[2].split(",")] == names


def test_ism_that_refuses_an_index(cluster: FakeCluster, run_here: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster.indices = {INDEX: None}
    failed = [{"index_name": INDEX, "index_uuid": "u", "reason": "This index is closed"}]
    answer = {"updated_indices": 0, "failures": True, "failed_indices": failed}
    monkeypatch.setattr(cluster, "_route", _instead(cluster, "/_ism/add/", answer))
    outcome = run_here("setup", "--only=retention", store=cluster.url)
    assert outcome.status == 1
    assert f"{INDEX}: This index is closed" in outcome.stderr


def _instead(cluster: FakeCluster, path: str, answer: Any) -> Any:
    usual = cluster._route
    return lambda seen: answer if path in seen.path else usual(seen)


def test_a_datasource_that_is_there_is_used(cluster: FakeCluster, run_here: Run) -> None:
    """Each is hundreds of megabytes: one serves every prefix."""
    there = {"name": "geo", "state": "AVAILABLE", "endpoint": pipelines.ENDPOINTS["city"]}
    cluster.datasources["geo"] = there
    outcome = run_here("setup", "--only=pipelines", store=cluster.url)
    assert "datasource geo: available" in outcome.stdout
    assert set(cluster.datasources) == {"geo", "email-report-asn"}
    steps = [step["ip2geo"] for step in cluster.pipelines["email-report-geo"]["processors"] if "ip2geo" in step]
    assert [step["datasource"] for step in steps] == ["geo", "email-report-asn"]
    line = next(line for line in outcome.stdout.splitlines() if "use it" in line)
    assert 'dmarc-aggregate = "email-report-geo"' in line
    assert "{report" not in line


def test_a_datasource_that_failed(cluster: FakeCluster, run_here: Run) -> None:
    cluster.datasources["geo"] = {"name": "geo", "state": "CREATE_FAILED", "endpoint": pipelines.ENDPOINTS["asn"]}
    outcome = run_here("setup", "--only=pipelines", store=cluster.url)
    assert "datasource geo: create_failed: the nodes must reach its endpoint" in outcome.stdout


def test_a_later_pipeline_is_left_alone(cluster: FakeCluster, run_here: Run) -> None:
    cluster.pipelines["email-report-geo"] = {"version": pipelines.VERSION + 1, "processors": []}
    outcome = run_here("setup", "--only=pipelines", store=cluster.url)
    assert "pipeline email-report-geo: left alone" in outcome.stdout
    assert cluster.pipelines["email-report-geo"]["processors"] == []


def test_who_has_a_role_keeps_it(cluster: FakeCluster, run_here: Run) -> None:
    there = {"users": ["anna"], "backend_roles": ["mail"], "hosts": [], "and_backend_roles": [], "description": "ours"}
    cluster.mappings["email-report-reader"] = dict(there)
    outcome = run_here("setup", "--only=roles", "--user=reader=berta", "--user=writer=mx1", store=cluster.url)
    assert outcome.status == 0, outcome.stderr
    assert cluster.mappings["email-report-reader"] == {
        "reserved": False,
        "hidden": False,
        **there,
        "users": ["anna", "berta"],
    }
    assert cluster.mappings["email-report-writer"]["users"] == ["mx1"]
    assert cluster.mappings["email-report-operator"]["users"] == ["email-report-operator"]
    number = len(cluster.changes)
    run_here("setup", "--only=roles", "--user=reader=berta", store=cluster.url)
    assert len(cluster.changes) == number


def test_who_may_not_change_roles(cluster: FakeCluster, run_here: Run) -> None:
    """The operator: the others are done, and it is no failure unless it was asked for."""
    cluster.forbidden = "/_security/"
    outcome = run_here("setup", store=cluster.url)
    assert outcome.status == 0
    assert "an administrator runs `email-report-admin setup --only roles`" in _missing(outcome)["roles"]
    assert run_here("setup", "--only=roles", store=cluster.url).status == 1


def test_a_part_that_fails_does_not_keep_the_others_from_their_work(cluster: FakeCluster, run_here: Run) -> None:
    cluster.forbidden = "_template"
    outcome = run_here("setup", store=cluster.url)
    assert outcome.status == 1
    assert "templates: this user may not (GET /_component_template/email-report-*" in outcome.stderr
    assert len(cluster.policies) == len(DATASETS)


@pytest.mark.parametrize("plugins", [(), ("ism",), ("ip2geo", "security")])
def test_any_plugin_may_be_missing(run_here: Run, plugins: tuple[str, ...]) -> None:
    with FakeCluster(*plugins) as cluster:
        outcome = run_here("setup", store=cluster.url)
    assert outcome.status == 0
    part_of = {"ism": "retention", "ip2geo": "pipelines", "security": "roles"}
    assert set(_missing(outcome)) == {part_of[one] for one in part_of if one not in plugins} | {"dashboards"}


# Dashboards


def test_the_prefix_is_everywhere(cluster: FakeCluster, osd: FakeDashboards, run_here: Run) -> None:
    arguments = ("--index-prefix=mail-", f"--dashboards-url={osd.url}/", "--dashboards-tenant=postmasters")
    assert run_here("setup", *arguments, store=cluster.url).status == 0
    assert osd.tenants == ["postmasters"]
    titles = {one["attributes"]["title"] for one in osd.objects.values() if one["type"] == "index-pattern"}
    assert titles
    assert all(title.startswith("mail-") for title in titles)
    for one in cluster.changes:
        assert "email-report-" not in one.path + json.dumps(one.json).replace("email-report-processor", "")
    sent = osd.changes[0].body.decode().replace("email-report-processor", "")
    patterns = [f"email-report-{name}-*" for name in BY_NAME]
    assert [pattern for pattern in patterns if pattern in sent] == []


def test_credentials_come_from_a_file(cluster: FakeCluster, osd: FakeDashboards, run_here: Run, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("grün: 1\n")
    settings = f'[opensearch]\nusername = "operator"\npassword_file = "{tmp_path}/secret"\n'
    arguments = ("--only=dashboards", f"--dashboards-url={osd.url}")
    assert run_here("setup", *arguments, store=cluster.url, settings=settings).status == 0
    (sent,) = osd.changes
    assert sent.headers["authorization"] == "Basic b3BlcmF0b3I6Z3LDvG46IDE="
    dry = run_here("setup", "--dry-run", *arguments, store=cluster.url)
    assert "authorization" not in dry.stdout.lower()


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (
            200,
            {
                "successCount": 1,
                "success": False,
                "errors": [
                    {
                        "id": "a",
                        "type": "visualization",
                        "meta": {"title": "Rate"},
                        "error": {"type": "missing_references", "references": [{"type": "index-pattern", "id": "p"}]},
                    },
                    {"id": "b", "type": "map", "error": {"type": "unsupported_type"}},
                    {"id": "c", "type": "search", "error": {"type": "unknown", "message": "boom", "statusCode": 500}},
                ],
            },
            (
                "3 objects were not imported; so it imported none of the other 1 either: "
                "visualization 'Rate' needs index-pattern p, not there; map 'b' is of"
            ),
        ),
        (401, {"message": "Unauthorized"}, "it refuses the user name or the password"),
        (403, {"message": "Forbidden"}, "this user may not write into this tenant"),
        (404, {"message": "Not Found"}, "no Dashboards answers there: check the URL"),
        (413, {"message": "Payload content length greater"}, "raise the limit of request sizes"),
        (422, {"message": "belongs to a more recent version of OpenSearch Dashboards"}, "Dashboards is too old"),
        (503, "OpenSearch Dashboards server is not ready yet", "it is starting, or does not reach OpenSearch"),
        (302, "", "it wants a login, or is elsewhere"),
        (200, "<html>login</html>", "this is not the API of Dashboards"),
        (400, {"error": "no handler found for uri [/api]"}, "that is OpenSearch; Dashboards is another server"),
        (400, {"message": "Request must contain the osd-xsrf header."}, "removes the header osd-xsrf"),
        (418, {"message": "teapot"}, "it answers 418: teapot: see the log of Dashboards"),
    ],
)
def test_what_dashboards_says_in_plain_words(osd: FakeDashboards, status: int, body: Any, words: str) -> None:
    osd.told = (status, {}, (body if isinstance(body, str) else json.dumps(body)).encode())
    place = dashboards_api.Place(osd.url)
    with pytest.raises(StoreError) as caught:
        dashboards_api.send(place, dashboards_api.request(place, b""))
    assert str(caught.value).startswith(f"Dashboards at {osd.url}: ")
    assert words in str(caught.value)


def test_dashboards_that_imports_not_all(cluster: FakeCluster, osd: FakeDashboards, run_here: Run) -> None:
    osd.told = (200, {}, b'{"successCount": 3, "success": false, "errors": []}')
    outcome = run_here("setup", "--only=dashboards", f"--dashboards-url={osd.url}", store=cluster.url)
    assert (outcome.status, outcome.stdout) == (1, "")
    assert "0 objects were not imported; it counts 3 that it imported: it does not say why" in outcome.stderr


def test_many_failed_objects_are_not_all_listed() -> None:
    errors = [{"id": str(number), "type": "search", "error": {"type": "conflict"}} for number in range(9)]
    text = dashboards_api.explain(Answer(200, {}, json.dumps({"success": False, "errors": errors})))
    assert text.startswith("9 objects were not imported: search '0' is there already")
    assert text.endswith("; and 4 more")


@pytest.mark.parametrize(
    ("kinds", "words"),
    [
        (("conflict",), "; so it imported none of the other 92 either: "),
        (("ambiguous_conflict",), "; so it imported none of the other 92 either: "),
        (("unsupported_type", "missing_references"), "; so it imported none of the other 92 either: "),
        (("unsupported_type",), "; it counts 92 that it imported: "),
        (("unknown",), "; it counts 92 that it imported: "),
    ],
)
def test_what_a_count_of_successes_means(kinds: tuple[str, ...], words: str) -> None:
    """Dashboards counts objects that it did not even try to create."""
    errors = [{"id": kind, "type": "search", "error": {"type": kind}} for kind in kinds]
    body = {"success": False, "successCount": 92, "errors": errors}
    assert words in dashboards_api.explain(Answer(200, {}, json.dumps(body)))


def test_objects_under_another_id(cluster: FakeCluster, osd: FakeDashboards, run_here: Run) -> None:
    results = [
        {"type": "dashboard", "id": "a", "meta": {"title": "Mail authentication"}, "destinationId": "x"},
        {"type": "search", "id": "b", "destinationId": "b"},
        {"type": "search", "id": "c"},
    ]
    osd.told = (200, {}, json.dumps({"success": True, "successCount": 3, "successResults": results}).encode())
    outcome = run_here("setup", "--only=dashboards", f"--dashboards-url={osd.url}", store=cluster.url)
    assert outcome.status == 0
    assert "1 of them are there under another id (Mail authentication)" in outcome.stdout


def test_a_workspace(cluster: FakeCluster, osd: FakeDashboards, run_here: Run) -> None:
    osd.told = (200, {}, b'{"success": true, "successCount": 3}')
    arguments = ("--only=dashboards", f"--dashboards-url={osd.url}/")
    for more in (("--workspace=aB3-_x",), ()):
        place = arguments if more else ("--only=dashboards", f"--dashboards-url={osd.url}/w/aB3-_x/")
        outcome = run_here("setup", *place, *more, store=cluster.url)
        assert outcome.status == 0, outcome.stderr
        assert osd.changes[-1].path.startswith("/w/aB3-_x/api/saved_objects/_import?")
        assert f"open {osd.url}/w/aB3-_x/app/dashboards?" in outcome.stdout
    for text in ("a/b", "/w/a", "a b", "ä"):
        wrong = run_here("setup", *arguments, f"--workspace={text}", store=cluster.url)
        assert wrong.status != 0
        assert "write its id alone" in wrong.stderr
    both = run_here("setup", "--only=dashboards", f"--dashboards-url={osd.url}/w/a", "--workspace=a", store=cluster.url)
    assert "the URL names a workspace too" in both.stderr


def test_dashboards_that_is_away(cluster: FakeCluster, run_here: Run) -> None:
    url = "--dashboards-url=http://127.0.0.1:9"
    outcome = run_here("setup", "--only=dashboards", url, store=cluster.url)
    assert (outcome.status, outcome.stderr.count("cannot be reached")) == (1, 1)


# Wrong usage, and what is refused as a whole


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--only=tempates",), "there is no part 'tempates'"),
        (("--only=dashboards",), "--only dashboards needs --dashboards-url"),
        (("--dashboards-url=https://anna:secret@dashboards.example",), "credentials do not belong into the URL"),
        (("--dashboards-url=dashboards.example",), "not a URL of Dashboards"),
        (("--retention=dmarc=30",), "there is no dataset 'dmarc'"),
        (("--retention=arf=soon",), "write arf=DAYS"),
        (("--retention=arf",), "write arf=DAYS"),
        (("--retention=arf=99999",), "0 (for ever) to 36500 days"),
        (("--user=admin=anna",), "write ROLE=USER"),
        (("--index-prefix=Mail_",), "lower-case letters"),
    ],
)
def test_wrong_usage(run_here: Run, arguments: tuple[str, ...], words: str) -> None:
    outcome = run_here("setup", *arguments, store="http://127.0.0.1:9")
    assert (outcome.status, outcome.stdout) == (2, "")
    assert words in outcome.stderr
    assert "secret" not in outcome.stderr


def test_setup_is_for_opensearch(run_here: Run, tmp_path: Path) -> None:
    outcome = run_here("setup")
    assert outcome.status == 2
    assert "setup is for OpenSearch" in outcome.stderr
    assert not (tmp_path / "state").exists()


def test_an_opensearch_that_is_away(run_here: Run) -> None:
    outcome = run_here("setup", store="http://127.0.0.1:9", settings="[store]\nretry_seconds = 0\n")
    assert outcome.status == 75
    assert "cannot be reached" in outcome.stderr


def test_roles_are_printed_without_any_cluster(run_here: Run) -> None:
    outcome = run_here("setup", "--roles", "--index-prefix=mail-")
    assert outcome.status == 0
    assert json.loads(outcome.stdout) == roles.roles("mail-")


def test_read_retention() -> None:
    assert read_retention("arf=0") == ("arf", 0)
    assert list(PARTS) == ["templates", "retention", "pipelines", "roles", "dashboards"]


# The page about it


def _commands() -> list[str]:
    page = (REPOSITORY / "docs/opensearch.md").read_text()
    lines = [line.strip() for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL) for line in block.splitlines()]
    return [line for line in lines if line.startswith("email-report-admin ")]


@pytest.mark.parametrize("command", _commands())
def test_the_commands_of_the_page(command: str) -> None:
    arguments = _parse(shlex.split(command)[1:])
    assert arguments.command in COMMANDS


@pytest.mark.parametrize("command", [command for command in _commands() if " setup " in command])
def test_setup_as_on_the_page(cluster: FakeCluster, osd: FakeDashboards, run_here: Run, command: str) -> None:
    here = command.replace("https://opensearch.example.org:9200", cluster.url)
    here = here.replace("https://dashboards.example.org:5601", osd.url).replace("--config admin.toml", "")
    assert run_here(*shlex.split(here)[1:], store=cluster.url).status == 0
    assert cluster.changes


def test_the_page_says_what_is_so() -> None:
    """Names, days and datasets."""
    page = (REPOSITORY / "docs/opensearch.md").read_text()
    for role in roles.roles("email-report-"):
        assert f"`{role}`" in page
    table = re.findall(r"^\| (`.*`) \| ([0-9]+) \| (no|\*\*yes\*\*)", page, re.MULTILINE)
    said = {
        name: (int(days), personal != "no") for names, days, personal in table for name in re.findall(r"`(.+?)`", names)
    }
    assert said == {dataset.name: (dataset.retention_days, dataset.personal) for dataset in DATASETS}
    uses = re.findall(r'^  ([a-z-]+) = "email-report-geo"$', page, re.MULTILINE)
    assert uses == [dataset.name for dataset in DATASETS if "source.ip" in dataset.by_name]
    for kind in pipelines.ENDPOINTS:
        assert pipelines.datasource("email-report-", kind).path.rpartition("/")[2] in page


def test_the_wheel_has_the_dashboards() -> None:
    """Where `saved_objects` looks for them."""
    with (REPOSITORY / "pyproject.toml").open("rb") as file:
        included = tomllib.load(file)["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert included["contrib/dashboards/all.ndjson"] == "email_report_processor/dashboards/all.ndjson"
    assert (REPOSITORY / "contrib/dashboards/all.ndjson").is_file()
    assert PACKAGE / "dashboards" in saved_objects._FOLDERS


# What counts, of all templates


def test_setup_says_who_shadows_the_templates(node: nodes.Node, prefix: str, run_here: Run) -> None:
    site = {"index_patterns": [f"{prefix}*"], "priority": 500, "template": {"settings": {"number_of_replicas": 0}}}
    node.ask("PUT", f"/_index_template/{prefix}site", site)
    settings = f'[store]\nindex_prefix = "{prefix}"\n'
    first = run_here("setup", "--only=templates", store=node.url, settings=settings)
    assert first.status == 1
    assert f"put version {templates.VERSION}" in first.stdout
    assert f"templates: the index template {prefix}site (priority 500) decides about {prefix}" in first.stderr
    assert f"(and {2 * len(BY_NAME) - 1} more indices)" in first.stderr
    dry = run_here("setup", "--only=templates", "--dry-run", store=node.url, settings=settings)
    assert (dry.status, dry.stdout) == (1, "")
    node.ask("DELETE", f"/_index_template/{prefix}site")
    assert run_here("setup", "--only=templates", store=node.url, settings=settings).status == 0


def test_setup_puts_anew_what_somebody_changed(node: nodes.Node, prefix: str, run_here: Run) -> None:
    settings = f'[store]\nindex_prefix = "{prefix}"\n'
    assert run_here("setup", "--only=templates", store=node.url, settings=settings).status == 0
    path = f"/_index_template/{prefix}arf"
    body = node.ask("GET", path)["index_templates"][0]["index_template"]
    node.ask("PUT", path, {**body, "data_stream": {}})
    again = run_here("setup", "--only=templates", store=node.url, settings=settings)
    assert again.status == 0, again.stderr
    assert "put anew what somebody had changed: arf" in again.stdout
    assert "data_stream" not in node.ask("GET", path)["index_templates"][0]["index_template"]
    assert "anew" not in run_here("setup", "--only=templates", store=node.url, settings=settings).stdout


def test_setup_puts_the_number_of_replicas(node: nodes.Node, prefix: str, run_here: Run) -> None:
    settings = f'[store]\nindex_prefix = "{prefix}"\n'

    def held() -> Any:
        node.ask("PUT", f"/{prefix}report-2026.11?wait_for_active_shards=0", {})
        index = node.ask("GET", f"/{prefix}report-2026.11")[f"{prefix}report-2026.11"]["settings"]["index"]
        node.ask("DELETE", f"/{prefix}report-2026.11")
        return index.get("number_of_replicas"), index.get("auto_expand_replicas")

    run_here("setup", "--only=templates", store=node.url, settings=settings)
    assert held() == ("0", "0-1")
    more = f"{settings}[opensearch]\nreplicas = 2\n"
    said = run_here("setup", "--only=templates", store=node.url, settings=more)
    assert "new indices get 2 replicas" in said.stdout
    assert held() == ("2", None)
    assert "replicas" not in run_here("setup", "--only=templates", store=node.url, settings=more).stdout
