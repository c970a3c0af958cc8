"""Roles of a tenant, on the node with the Security plugin: a role of acme neither reads nor writes what is beta's."""

import json
import secrets
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from email_report_processor.cluster import roles
from email_report_processor.stores import templates
from tests import nodes
from tests.conftest import Program

from . import site
from .site import Part

STRONG = "Zq7-mountain-Fork"
TENANTS = {"acme": "acme.example", "beta": "beta.example"}


class Shared(NamedTuple):
    """The node with three prefixes that setup made ready, and a filter that stored something under each."""

    node: nodes.SecureNode
    prefix: str

    def of(self, name: str) -> str:
        """The prefix of a tenant."""
        return f"{self.prefix}{name or 'site'}-"

    def ask(self, user: str, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """As a user of the name of one role."""
        return self.node.request(method, path, body, user=user, password=STRONG)

    def found(self, user: str, pattern: str) -> set[str]:
        """The indices in which a user finds anything."""
        status, answer = self.ask(user, "POST", f"/{pattern}/_search?size=1000&ignore_unavailable=true", {})
        return {hit["_index"] for hit in answer["hits"]["hits"]} if status == 200 else set()


@pytest.fixture(scope="module")
def shared(secure_node: nodes.SecureNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """Roles as setup puts them, but only those that are tried: a change of roles or users takes the plugin seconds."""
    made = Shared(secure_node, f"erp-test-{secrets.token_hex(5)}-")
    for name in TENANTS:
        wanted = roles.roles(made.of(name), name)
        for role in ("reader", "writer"):
            secure_node.put_role(f"{made.of(name)}{role}", wanted[f"{made.of(name)}{role}"])
            secure_node.put_user(f"{made.of(name)}{role}", STRONG, [f"{made.of(name)}{role}"])
    secure_node.put_user(f"{made.prefix}filter", STRONG, [f"{made.of(name)}writer" for name in TENANTS])
    for name in TENANTS:
        for request in templates.requests(made.of(name), ["dmarc-aggregate", "report"]):
            secure_node.ask(request.method, request.path, request.body)
    directory = tmp_path_factory.mktemp("filter")
    run_filter = Program("email-report-processor", directory, directory / "state")
    message = site.mail(*(Part("aggregate", (domain,)) for domain in TENANTS.values()))
    outcome = run_filter(message, settings=settings_of(made, f"{made.prefix}filter", STRONG))
    assert outcome.status == 0, outcome.stderr
    yield made
    secure_node.wipe(made.prefix)


def settings_of(made: Shared, user: str, password: str) -> str:
    """One file for all of them."""
    head = f'[store]\nurl = "{made.node.url}"\nindex_prefix = "{made.of("")}"\n[log]\nto = "stderr"\n'
    head += f'[opensearch]\nusername = "{user}"\npassword = "{password}"\nca_file = "{made.node.ca_file}"\n'
    tenants = (
        f'[[tenants]]\nname = "{made.prefix}{name}"\ndomains = ["{domain}"]\n'
        f'[tenants.store]\nindex_prefix = "{made.of(name)}"\n'
        for name, domain in TENANTS.items()
    )
    return head + "".join(tenants)


def test_one_role_knows_nothing_of_another_tenant(shared: Shared) -> None:
    held = {one.index for one in shared.node.documents(f"{shared.prefix}*")}
    assert {index[len(shared.prefix) :].partition("-")[0] for index in held} == {"acme", "beta"}
    for mine, other in (("acme", "beta"), ("beta", "acme")):
        reader, writer = f"{shared.of(mine)}reader", f"{shared.of(mine)}writer"
        own = {index for index in held if index.startswith(shared.of(mine))}
        theirs = sorted(index for index in held if index.startswith(shared.of(other)))
        assert shared.found(reader, f"{shared.of(mine)}*") == own
        for pattern in (f"{shared.of(other)}*", f"{shared.of('')}*", *theirs):
            assert shared.found(reader, pattern) == set()
        for index in theirs:
            assert shared.ask(reader, "GET", f"/{index}/_search")[0] == 403
            assert shared.ask(reader, "GET", f"/{index}/_mapping")[0] == 403
            assert shared.ask(writer, "GET", f"/{index}/_search")[0] == 403
            _, answer = shared.ask(writer, "POST", "/_bulk", _bulk(index))
            assert answer["items"][0]["create"]["status"] == 403
            assert shared.ask(writer, "PUT", f"/{index}/_doc/new", {"n": 1})[0] == 403
        new = f"{shared.of(other)}dmarc-aggregate-2031.01"
        assert shared.ask(writer, "PUT", f"/{new}/_doc/new", {"n": 1})[0] == 403
    assert {one.index for one in shared.node.documents(f"{shared.prefix}*")} == held


def _bulk(index: str) -> bytes:
    lines: list[Any] = [{"create": {"_index": index, "_id": "new"}}, {"n": 1}]
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


@pytest.mark.long
def test_setup_gives_a_tenant_its_roles_and_its_place(shared: Shared, run_admin: Program) -> None:
    """The saved objects name indices, and so customers: no role of a tenant sees the place of all."""
    name = f"{shared.prefix}acme"
    settings = settings_of(shared, "admin", shared.node.admin_password)
    try:
        for words in ("put", ": there"):
            done = run_admin(b"", "setup", "--only=roles", f"--tenant={name}", settings=settings, timeout=600)
            assert done.status == 0, done.stderr
            assert words in done.stdout
        assert all(line.endswith(": there") for line in done.stdout.splitlines()), done.stdout
        assert name in shared.node.ask("GET", f"{roles.BASE}/tenants/{name}")
        role = shared.node.ask("GET", f"{roles.BASE}/roles/{shared.of('acme')}reader")[f"{shared.of('acme')}reader"]
        assert [one["tenant_patterns"] for one in role["tenant_permissions"]] == [[name]]
    finally:
        shared.node.request("DELETE", f"{roles.BASE}/tenants/{name}")
