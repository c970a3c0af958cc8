"""Roles: tried on the node with the Security plugin, as `setup` puts them.

The node has neither ISM nor ip2geo: that the operator may use those is told by the names of rights in the public
sources (index-management: *Action.kt; geospatial: ip2geo/action/*Action.java; security: static_action_groups.yml).
"""

import json
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from email_report_processor.cluster import roles
from email_report_processor.documents.datasets import DATASETS
from email_report_processor.reports.reading import read_message
from email_report_processor.stores import templates
from tests import nodes
from tests.conftest import Program
from tests.desk.world import failure
from tests.places import GOLDEN

STRONG = "Zq7-mountain-Fork"  # the plugin refuses weaker ones
AGGREGATE = GOLDEN / "dmarc-aggregate/rfc9990.eml"

Ask = Callable[..., tuple[int, Any]]


def _settings(node: nodes.SecureNode, prefix: str, user: str, password: str = STRONG) -> str:
    return (
        f'[store]\nurl = "{node.url}"\nindex_prefix = "{prefix}"\nretry_seconds = 20\n'
        f'[opensearch]\nusername = "{user}"\npassword = "{password}"\nca_file = "{node.ca_file}"\n'
        f'[log]\nto = "stderr"\n'
    )


@pytest.fixture(scope="module")
def prefix(secure_node: nodes.SecureNode) -> Iterator[str]:
    """One for all tests: a change of users or roles takes the plugin seconds."""
    name = f"erp-test-{secrets.token_hex(5)}-"
    yield name
    secure_node.wipe(name)


@pytest.fixture(scope="module")
def made_ready(secure_node: nodes.SecureNode, prefix: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """By an administrator; and a user of each role, whose name is the role's."""
    directory = tmp_path_factory.mktemp("setup")
    settings = _settings(secure_node, prefix, "admin", secure_node.admin_password)
    run_admin = Program("email-report-admin", directory, directory / "state")
    outcome = run_admin(b"", "setup", "--only=templates,roles", settings=settings)
    assert outcome.status == 0, outcome.stderr
    for role in roles.NAMES:
        secure_node.put_user(f"{prefix}{role}", STRONG)


@pytest.fixture
def ready(secure_node: nodes.SecureNode, made_ready: None, prefix: str) -> Iterator[nodes.SecureNode]:
    """The node, made ready and without documents."""
    for request in templates.requests(prefix):
        secure_node.ask(request.method, request.path, request.body)
    yield secure_node
    secure_node.request("DELETE", f"/{prefix}*?expand_wildcards=all")


@pytest.fixture
def ask(ready: nodes.SecureNode, prefix: str) -> Ask:
    """`ask(role, method, path, body)` as the user of a role."""

    def ask(role: str, method: str, path: str, body: object = None) -> tuple[int, Any]:
        return ready.request(method, path, body, user=f"{prefix}{role}", password=STRONG)

    return ask


def _bulk(action: str, index: str, document: str, source: object) -> bytes:
    lines = ({action: {"_index": index, "_id": document}}, source)
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def _item(answer: Any) -> tuple[int, str]:
    ((_, item),) = answer["items"][0].items()
    return item["status"], item.get("error", {}).get("reason", "")


def _fill(node: nodes.SecureNode, prefix: str) -> None:
    """One document of each dataset."""
    for dataset in DATASETS:
        node.ask("PUT", f"/{prefix}{dataset.name}-2026.11/_doc/1?refresh=true", {"event": {"dataset": dataset.name}})


def test_the_writer_does_the_filters_work(ready: nodes.SecureNode, prefix: str, run_filter: Program) -> None:
    """Also in a month that has no index yet; and once more, which changes nothing."""
    settings = _settings(ready, prefix, f"{prefix}writer")
    for words in ("stored", "already"):
        outcome = run_filter(AGGREGATE.read_bytes(), settings=settings)
        assert outcome.status == 0, outcome.stderr
        assert words in outcome.stderr
    held = ready.documents(f"{prefix}*")
    assert {one.source["event"]["dataset"] for one in held} == {"dmarc-aggregate", "report"}


def test_the_writer_sees_what_lies_in_another_index(
    ready: nodes.SecureNode, prefix: str, run_filter: Program, ask: Ask
) -> None:
    """It may not read, and asks all the same whether a document is there."""
    settings = _settings(ready, prefix, f"{prefix}writer")
    (report,) = read_message(AGGREGATE.read_bytes()).reports
    documents = list(report.documents())
    for one in documents:
        ready.ask("PUT", f"/{prefix}{one.dataset}-outofrange/_doc/{one.id}?refresh=true", {"rows": 1})
    outcome = run_filter(AGGREGATE.read_bytes(), settings=settings)
    assert outcome.status == 0, outcome.stderr
    assert f"stored=0, already={len(documents)}" in outcome.stderr
    assert sorted(one.id for one in ready.documents(f"{prefix}*")) == sorted(one.id for one in documents)
    assert ask("writer", "GET", f"/{prefix}report-outofrange/_doc/{documents[-1].id}")[0] == 403


def test_the_writer_does_nothing_else(ready: nodes.SecureNode, ask: Ask, prefix: str) -> None:
    _fill(ready, prefix)
    index = f"{prefix}dmarc-aggregate-2026.11"
    refused: list[tuple[str, str, object]] = [
        ("POST", f"/{index}/_search", {"query": {"match_all": {}}}),
        ("GET", f"/{index}/_doc/1", None),
        ("POST", f"/{index}/_update/1", {"doc": {"count": 1}}),
        ("DELETE", f"/{index}/_doc/1", None),
        ("DELETE", f"/{index}", None),
        ("PUT", f"/{index}/_mapping", {"properties": {"new": {"type": "keyword"}}}),
        ("PUT", f"/{index}/_settings", {"index.number_of_replicas": 0}),
        ("GET", "/", None),
        ("GET", "/_cluster/health", None),
        ("GET", "/_cat/indices", None),
        ("PUT", "/elsewhere/_doc/1", {"n": 1}),
        ("PUT", f"/{prefix}elsewhere-2026/_doc/1", {"n": 1}),
        ("PUT", f"/_index_template/{prefix}report", templates.requests(prefix)[-1].body),
        ("GET", "/_plugins/_security/api/roles", None),
    ]
    answered = {f"{method} {path}": ask("writer", method, path, body)[0] for method, path, body in refused}
    assert set(answered.values()) == {403}, answered
    for action in ("update", "delete"):
        lines = _bulk(action, index, "1", {"doc": {"count": 1}})
        status, answer = ask("writer", "POST", "/_bulk", lines if action == "update" else lines.splitlines(True)[0])
        assert (status, _item(answer)[0]) == (200, 403)
    status, answer = ask("writer", "POST", "/_bulk", _bulk("create", "elsewhere", "1", {}))
    assert (status, _item(answer)[0]) == (200, 403)
    assert len(ready.documents(f"{prefix}*")) == len(DATASETS)


def test_the_writer_could_overwrite_what_it_knows(ready: nodes.SecureNode, ask: Ask, prefix: str) -> None:
    """There is no right to create alone. The documentation says so, and this says when that changes."""
    _fill(ready, prefix)
    status, answer = ask("writer", "POST", "/_bulk", _bulk("index", f"{prefix}report-2026.11", "1", {"rows": 1}))
    assert (status, _item(answer)[0]) == (200, 200)


def test_the_writer_is_told_that_a_template_is_missing(
    ready: nodes.SecureNode, prefix: str, run_filter: Program
) -> None:
    ready.ask("DELETE", f"/_index_template/{prefix}*")
    outcome = run_filter(AGGREGATE.read_bytes(), settings=_settings(ready, prefix, f"{prefix}writer"))
    assert outcome.status == 75
    assert "run `email-report-admin setup` as one who may" in outcome.stderr
    assert ready.documents(f"{prefix}*") == []


def test_the_doctor_with_the_rights_of_the_writer(
    ready: nodes.SecureNode, prefix: str, run_admin: Program, state: Path
) -> None:
    """Twice: the writer cannot delete, so that one document stays, and is written again."""
    state.mkdir(mode=0o700)
    for number in (2, 4):
        outcome = run_admin(b"", "doctor", "--json", settings=_settings(ready, prefix, f"{prefix}writer"))
        found = {one["about"]: one for one in json.loads(outcome.stdout)}
        for about in ("store", "certificate", "credentials", "templates", "rights"):
            assert found[about]["result"] == "ok", found[about]
        assert f"wrote {prefix}doctor/doctor, and it is there (version {number})" in found["rights"]["text"]
        assert " days)" in found["certificate"]["text"]
    assert ready.documents(f"{prefix}*") == []  # a hidden index, which no pattern finds by chance
    assert [one.source for one in ready.documents(f"{prefix}doctor")] == [{}]


@pytest.mark.parametrize(
    ("role", "password", "about", "words"),
    [
        ("reader", STRONG, "rights", "lacks indices:admin/index_template/get"),
        ("writer", "Wrong-and-0-shown", "credentials", "answers 401"),
    ],
)
def test_the_doctor_without_rights(
    ready: nodes.SecureNode, prefix: str, run_admin: Program, role: str, password: str, about: str, words: str
) -> None:
    outcome = run_admin(b"", "doctor", "--json", settings=_settings(ready, prefix, f"{prefix}{role}", password))
    assert outcome.status == 2
    failures = [one for one in json.loads(outcome.stdout) if one["result"] == "failure"]
    assert [one["about"] for one in failures] == [about]
    assert words in failures[0]["text"]
    assert failures[0]["remedy"]
    assert "0-shown" not in outcome.stdout


def test_the_doctor_names_a_missing_right(ready: nodes.SecureNode, prefix: str, run_admin: Program) -> None:
    """Templates may be looked at, and nothing be written."""
    rights = {"index_patterns": [f"{prefix}*"], "allowed_actions": ["indices:admin/create"]}
    cluster = ["indices:admin/index_template/get", "indices:data/write/bulk"]
    ready.put_role(f"{prefix}half", {"cluster_permissions": cluster, "index_permissions": [rights]})
    ready.put_user(f"{prefix}half", STRONG, [f"{prefix}half"])
    outcome = run_admin(b"", "doctor", "--json", settings=_settings(ready, prefix, f"{prefix}half"))
    (finding,) = [one for one in json.loads(outcome.stdout) if one["result"] == "failure"]
    assert finding["about"] == "rights"
    assert "no permissions for [indices:data/write/" in finding["text"]


def test_the_operator_runs_setup(ready: nodes.SecureNode, prefix: str, run_admin: Program) -> None:
    """What exists there, after an older version: the templates, and the indices that are there."""
    for request in templates.requests(prefix):
        ready.ask(request.method, request.path, {**request.body, "version": 0})
    _fill(ready, prefix)
    settings = _settings(ready, prefix, f"{prefix}operator")
    outcome = run_admin(b"", "setup", settings=settings)
    assert outcome.status == 0, outcome.stderr
    assert f"put version {templates.VERSION}" in outcome.stdout
    assert "gave the indices of report the fields" in outcome.stdout
    assert "plugin opensearch-index-management (ISM) is not installed" in outcome.stderr
    assert "plugin opensearch-geospatial (ip2geo) is not installed" in outcome.stderr
    assert "an administrator runs `email-report-admin setup --only roles`" in outcome.stderr
    assert run_admin(b"", "setup", "--only=templates", settings=settings).status == 0


def test_the_operator_reads_nothing(ready: nodes.SecureNode, ask: Ask, prefix: str) -> None:
    _fill(ready, prefix)
    assert ask("operator", "POST", f"/{prefix}report-*/_search", {"query": {"match_all": {}}})[0] == 403
    assert ask("operator", "GET", f"/{prefix}dmarc-failure-2026.11/_doc/1")[0] == 403
    assert ask("operator", "PUT", "/elsewhere/_doc/1", {"n": 1})[0] == 403
    assert ask("operator", "DELETE", "/elsewhere")[0] == 403
    role = {"cluster_permissions": ["*"]}
    assert ask("operator", "PUT", f"/_plugins/_security/api/roles/{prefix}mine", role)[0] == 403


@pytest.mark.parametrize("role", ["reader", "failures"])
def test_readers_read_what_they_may(ready: nodes.SecureNode, ask: Ask, prefix: str, role: str) -> None:
    """Addresses and subjects of people are not for everybody who looks at a dashboard."""
    _fill(ready, prefix)
    query = {"query": {"match_all": {}}, "size": 10}
    for dataset in DATASETS:
        allowed = dataset.personal == (role == "failures")
        for method, path, body in (
            ("POST", f"/{prefix}{dataset.name}-*/_search", query),
            ("GET", f"/{prefix}{dataset.name}-*/_field_caps?fields=*", None),  # Dashboards asks for its fields
            ("GET", f"/{prefix}{dataset.name}-2026.11/_doc/1", None),
        ):
            assert ask(role, method, path, body)[0] == (200 if allowed else 403), f"{method} {path}"
    assert ask(role, "POST", f"/{prefix}*/_search", query)[0] == 403


@pytest.mark.parametrize("role", ["reader", "failures"])
def test_readers_change_nothing(ready: nodes.SecureNode, ask: Ask, prefix: str, role: str, run_admin: Program) -> None:
    index = f"{prefix}{'report' if role == 'reader' else 'arf'}-2026.11"
    _fill(ready, prefix)
    status, answer = ask(role, "PUT", f"/{index}/_doc/2", {"n": 1})
    assert (status, answer["error"]["type"]) == (403, "security_exception")
    assert ask(role, "DELETE", f"/{index}")[0] == 403
    outcome = run_admin(b"", "setup", settings=_settings(ready, prefix, f"{prefix}{role}"))
    assert outcome.status == 1
    assert "templates: this user may not (GET /_component_template/" in outcome.stderr
    assert "the role of this user lacks cluster:admin/component_template/get" in outcome.stderr


def test_the_eraser_erases_and_makes_nothing_else(
    ready: nodes.SecureNode, ask: Ask, prefix: str, run_admin: Program, run_filter: Program
) -> None:
    failure = (GOLDEN / "dmarc-failure/everything.eml").read_bytes()
    writer = _settings(ready, prefix, f"{prefix}writer")
    assert run_filter(failure, settings=writer).status == 0
    (row,) = [one for report in read_message(failure).reports for one in report.documents()][:1]
    address = row.fields["feedback.original_rcpt_to"][0]
    refused = run_admin(b"", "erase", address, settings=writer)
    assert refused.status == 75  # what writes cannot read
    done = run_admin(b"", "erase", address, settings=_settings(ready, prefix, f"{prefix}eraser"))
    assert done.status == 0, done.stderr
    assert "dmarc-failure: 1 document: erased" in done.stdout
    assert [one.source["event"]["dataset"] for one in ready.documents(f"{prefix}*")] == ["report"]
    assert ask("eraser", "PUT", f"/{prefix}new-2026.11/_doc/1", {"n": 1})[0] == 403
    assert ask("eraser", "DELETE", f"/{prefix}report-2026.11")[0] == 403
    assert ask("eraser", "PUT", "/elsewhere/_doc/1", {"n": 1})[0] == 403


def test_wrong_credentials(ready: nodes.SecureNode, prefix: str, run_admin: Program) -> None:
    settings = _settings(ready, prefix, f"{prefix}operator", "wrong-and-not-shown")
    outcome = run_admin(b"", "setup", settings=settings)
    assert (outcome.status, outcome.stdout) == (75, "")
    assert "answers 401: Unauthorized: check the user name and the password" in outcome.stderr
    assert "not-shown" not in outcome.stderr


def test_setup_repairs_a_role(ready: nodes.SecureNode, prefix: str, run_admin: Program) -> None:
    ready.put_role(f"{prefix}writer", {"cluster_permissions": ["*"]})
    settings = _settings(ready, prefix, "admin", ready.admin_password)
    first = run_admin(b"", "setup", "--only=roles", "--user=writer=mx1", settings=settings)
    assert f"{prefix}writer: changed" in first.stdout
    assert f"{prefix}writer: given to {prefix}writer, mx1" in first.stdout
    held = ready.ask("GET", f"/_plugins/_security/api/roles/{prefix}writer")[f"{prefix}writer"]
    assert held["cluster_permissions"] == roles.roles(prefix)[f"{prefix}writer"]["cluster_permissions"]
    second = run_admin(b"", "setup", "--only=roles", settings=settings)
    assert second.stdout.splitlines() == [f"roles: {prefix}{role}: there" for role in roles.NAMES]


def test_no_role_reaches_beyond_the_prefix() -> None:
    """Also with the empty prefix, where `*` would be everything."""
    for prefix in ("email-report-", "mail-", ""):
        for name, role in roles.roles(prefix).items():
            for permission in role["index_permissions"]:
                for pattern in permission["index_patterns"]:
                    base = pattern.removesuffix("-*")
                    known = {f"{prefix}{dataset.name}" for dataset in DATASETS} | {roles.doctor_index(prefix)}
                    assert base in known, f"{name}: {pattern}"
    assert set(roles.roles("")) == {f"email-report-{name}" for name in roles.NAMES}


def test_the_renewer_rewrites_documents_and_nothing_else(
    ready: nodes.SecureNode, prefix: str, run_filter: Program, run_admin: Program, ask: Ask
) -> None:
    outcome = run_filter(AGGREGATE.read_bytes(), settings=_settings(ready, prefix, f"{prefix}writer"))
    assert outcome.status == 0, outcome.stderr
    ready.ask("POST", f"/{prefix}*/_refresh")
    before = ready.documents(f"{prefix}dmarc-aggregate-*")
    address = before[0].source["source"]["ip"]
    settings = _settings(ready, prefix, f"{prefix}renewer") + f'[senders]\n"{address}" = "Renamed"\n'
    done = run_admin(b"", "reclassify", settings=settings)
    assert done.status == 0, done.stderr
    ready.ask("POST", f"/{prefix}*/_refresh")
    after = ready.documents(f"{prefix}dmarc-aggregate-*")
    assert "Renamed" in {one.source["source"].get("name") for one in after}
    assert sorted(one.id for one in after) == sorted(one.id for one in before)
    index = f"{prefix}dmarc-aggregate-2026.11"
    for method, path, body in (
        ("DELETE", f"/{index}/_doc/{before[0].id}", None),
        ("DELETE", f"/{index}", None),
        ("PUT", f"/{prefix}dmarc-aggregate-2031.01", {}),
        ("PUT", f"/{index}/_mapping", {"properties": {"new": {"type": "keyword"}}}),
    ):
        assert ask("renewer", method, path, body)[0] == 403, (method, path)


def test_the_desk_works_with_three_roles(
    ready: nodes.SecureNode, prefix: str, run_admin: Program, tmp_path: Path
) -> None:
    """writer, reader and failures: it may not refresh, and sends nothing twice for that."""
    ready.put_user(f"{prefix}desk", STRONG, [f"{prefix}{role}" for role in ("writer", "reader", "failures")])
    row = failure(1)
    ready.ask("PUT", f"/{prefix}dmarc-failure-2026.11/_doc/{row.id}?refresh=true", json.loads(row.source))
    sent = tmp_path / "sent"
    sendmail = tmp_path / "sendmail"
    sendmail.write_text(f"#!/bin/sh\ncat > /dev/null\necho sent >> {sent}\n")
    sendmail.chmod(0o755)
    settings = _settings(ready, prefix, f"{prefix}desk") + (
        '[abuse]\nsender = "abuse@example.org"\nlookup = []\n[contacts]\nAS64500 = "abuse@us-net.example"\n'
        f'[alerts]\nsendmail = "{sendmail}"\n'
    )

    def abuse(*arguments: str) -> str:
        done = run_admin(b"", "abuse", *arguments, settings=settings)
        assert done.status == 0, done.stderr
        return done.stdout

    token = abuse("prepare", "class:spoof").splitlines()[1].split()[0]
    abuse("show", token)
    assert " sent" in abuse("send", token)
    assert "reported already" in abuse("prepare", "class:spoof")
    ready.ask("POST", f"/{prefix}*/_refresh")
    assert json.loads(abuse("reports", "--json"))["state"] == "sent"
    assert sent.read_text() == "sent\n"
