"""Roles of the Security plugin, as requests. Pure: nothing is sent.

writer      does the filter's whole work and nothing else: it cannot read what it wrote. (There is no right to create
            alone: it could overwrite a document whose id it knows.)
operator    runs `email-report-admin setup`, but for the roles themselves: whoever changes roles may do anything
reader      reads the dashboards, but for failure reports: those hold addresses and subjects of people
failures    reads failure reports; for somebody who is a reader, too
eraser      runs `email-report-admin erase`: reads everything, and takes documents away

renewer     runs `email-report-admin reclassify`: reads and rewrites all documents, and makes or removes no index

Checked against opensearch-project/security (2026-08): RolesApiAction.java, RolesMappingApiAction.java, and tried on
2.19 (tests/test_roles.py).
"""

from collections.abc import Iterable, Mapping
from typing import Any

from ..documents.datasets import DATASETS
from ..stores.templates import Request, base_name

BASE = "/_plugins/_security/api"
GLOBAL = "global_tenant"  # of Dashboards: what everybody sees who may see any
NAMES = ("writer", "operator", "reader", "failures", "eraser", "renewer")

# The last one tells the names of the indices, and nothing of what is in them.
_WRITE = ["indices:data/write/bulk*", "indices:data/write/index", "indices:admin/create", "indices:admin/resolve/index"]
_LISTS = ("users", "backend_roles", "hosts", "and_backend_roles")  # of a mapping


def role_name(prefix: str, role: str) -> str:
    """Name of one of NAMES in OpenSearch."""
    return f"{base_name(prefix)}-{role}"


def doctor_index(prefix: str) -> str:
    """The index of `email-report-admin doctor`: the writer may write it, and no dashboard looks at it."""
    return f"{base_name(prefix)}-doctor"


def roles(prefix: str, place: str = GLOBAL) -> dict[str, dict[str, Any]]:
    """Name in OpenSearch -> role. place: the tenant of Dashboards that has the dashboards of this prefix."""
    made = (_writer(prefix), _operator(prefix), _reader(prefix), _failures(prefix), _eraser(prefix), _renewer(prefix))
    for role in made:
        for permission in role["tenant_permissions"]:
            permission["tenant_patterns"] = [place]
    return {role_name(prefix, role): body for role, body in zip(NAMES, made, strict=True)}


def place_path(place: str) -> str:
    """Where a tenant of Dashboards stands."""
    return f"{BASE}/tenants/{place}"


def put_place(place: str) -> Request:
    """Make a tenant of Dashboards."""
    return Request("PUT", place_path(place), {"description": "email-report-processor: the dashboards of one tenant"})


def put(name: str, role: Mapping[str, Any]) -> Request:
    """Make a role, or change it."""
    return Request("PUT", f"{BASE}/roles/{name}", dict(role))


def says_the_same(there: Mapping[str, Any], role: Mapping[str, Any]) -> bool:
    """Whether a role that is there is this one. The plugin adds keys of its own, and empty lists."""
    return all(_plain(there.get(key)) == _plain(value) for key, value in role.items())


def mapping(name: str, there: Mapping[str, Any], users: Iterable[str]) -> Request | None:
    """Add users to those who have the role; None when all of them do."""
    lists = {key: list(there.get(key) or ()) for key in _LISTS}
    new = [user for user in users if user not in lists["users"]]
    if not new:
        return None
    lists["users"] += new
    description = {"description": there["description"]} if there.get("description") else {}
    return Request("PUT", f"{BASE}/rolesmapping/{name}", {**lists, **description})


def _plain(value: Any) -> Any:
    """Without what is empty: `dls: null`, `fls: []`."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items() if one not in (None, "", [])}
    return [_plain(one) for one in value] if isinstance(value, list) else value


def _role(
    description: str,
    cluster: list[str],
    patterns: list[str],
    actions: list[str],
    tenant: str = "",
) -> dict[str, Any]:
    return {
        "description": f"email-report-processor: {description}",
        "cluster_permissions": cluster,
        "index_permissions": [{"index_patterns": patterns, "allowed_actions": actions}],
        "tenant_permissions": [{"tenant_patterns": [GLOBAL], "allowed_actions": [tenant]}] if tenant else [],
    }


def _patterns(prefix: str, *, personal: Iterable[bool]) -> list[str]:
    wanted = set(personal)
    return [f"{prefix}{one.name}-*" for one in DATASETS if one.personal in wanted]


def _writer(prefix: str) -> dict[str, Any]:
    looks = [f"indices:admin/index_template/{what}" for what in ("get", "simulate_index")]
    cluster = ["indices:data/write/bulk", *looks]
    patterns = [*_patterns(prefix, personal=(True, False)), doctor_index(prefix)]
    return _role("writes reports, reads nothing", cluster, patterns, _WRITE)


def _operator(prefix: str) -> dict[str, Any]:
    cluster = [
        "cluster_manage_index_templates",
        "cluster_manage_pipelines",
        "cluster:admin/opendistro/ism/policy/*",
        "cluster:admin/opendistro/ism/managedindex/*",
        "cluster:admin/geospatial/datasource/*",
        "cluster:monitor/health",
        "cluster:monitor/main",
    ]
    # ISM deletes an index with the rights of who put the policy.
    patterns = [*_patterns(prefix, personal=(True, False)), doctor_index(prefix)]
    return _role("runs setup", cluster, patterns, ["indices:admin/*", "indices:monitor/*"], "kibana_all_write")


def _reader(prefix: str) -> dict[str, Any]:
    patterns = _patterns(prefix, personal=(False,))
    return _role("reads all but failure reports", ["cluster_composite_ops_ro"], patterns, ["read"], "kibana_all_read")


def _eraser(prefix: str) -> dict[str, Any]:
    cluster = ["cluster_composite_ops", "indices:data/read/scroll", "indices:data/read/scroll/clear"]
    patterns = _patterns(prefix, personal=(True, False))
    actions = ["read", "indices:data/write/bulk*", "indices:data/write/delete", "indices:data/write/index"]
    actions += ["indices:admin/refresh*", "indices:admin/forcemerge*"]
    return _role("erases what names an address", cluster, patterns, actions)


def _failures(prefix: str) -> dict[str, Any]:
    patterns = _patterns(prefix, personal=(True,))
    return _role("reads failure reports", ["cluster_composite_ops_ro"], patterns, ["read"], "kibana_all_read")


def _renewer(prefix: str) -> dict[str, Any]:
    cluster = ["cluster_composite_ops_ro", "indices:data/write/bulk"]
    actions = ["read", "indices:data/write/bulk*", "indices:data/write/index"]
    return _role("runs reclassify", cluster, _patterns(prefix, personal=(True, False)), actions)
