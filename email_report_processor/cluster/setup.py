"""Making OpenSearch ready: what is there is looked at, and only what is missing or older is sent.

Each part is a function that is given the cluster and says what it did, line by line. A part that cannot be done
because a plugin is missing, or because this user may not, raises SkippedError; the others are done all the same.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from ..documents.datasets import BY_NAME, DATASETS, Dataset
from ..stores import bulk, templates
from ..stores.bulk import Answer
from ..stores.effective import Fault
from ..stores.opensearch import OpenSearchStore
from ..stores.store import StoreError
from ..stores.templates import Request
from . import dashboards_api, monitors, pipelines, retention, roles
from .coming import coming

_NO_HANDLER = "no handler found for uri"  # what OpenSearch says, with 400, of a path that no plugin serves


class SkippedError(Exception):
    """A part is left out, through no fault of anybody: a plugin is missing, or the user has no right to it."""


class Plan(NamedTuple):
    """What a person asked for."""

    prefix: str
    period: str = "month"  # of one index
    replicas: int = -1  # see templates.copies
    retention: Mapping[str, int] = {}  # dataset -> days, 0 for ever; the others keep what they have
    users: Mapping[str, tuple[str, ...]] = {}  # role (one of roles.NAMES) -> users who get it
    dashboards: dashboards_api.Place | None = None
    objects: bytes = b""  # saved objects, with this prefix
    thresholds: Mapping[str, float] = {}  # rule of `alert` -> threshold, for monitors
    ours: tuple[str, ...] = ()  # names of senders that are mine or a service
    channel: str = ""  # id of a channel of Notifications, '' for none
    place: str = roles.GLOBAL  # the tenant of Dashboards whose dashboards the roles may see


class Cluster:
    """OpenSearch, as setup sees it. With `show`, nothing is changed: what would be sent is shown instead."""

    def __init__(self, store: OpenSearchStore, show: Callable[[str], None] | None = None) -> None:
        self.name = store.name
        self.show = show
        self._store = store

    def look(self, path: str, plugin: str = "") -> Any:
        """The JSON at a path, None when nothing is there. Raises as `send`."""
        answer = self._store.request("GET", path)
        if answer.status == 404:
            return None
        return self._checked(f"GET {path}", answer, plugin).json

    def find(self, request: Request, plugin: str) -> Any:
        """The JSON of the answer to a search, also where nothing is changed; None when nothing is there."""
        answer = self._store.request(request.method, request.path, request.body)
        if answer.status == 404:
            return None
        return self._checked(f"{request.method} {request.path}", answer, plugin).json

    def faults(self, datasets: Mapping[str, str]) -> dict[str, Fault]:
        """See OpenSearchStore.faults."""
        return self._store.faults(datasets)

    def send(self, request: Request, plugin: str = "") -> Any:
        """Send, and return the JSON of the answer; None where it is only shown.

        Raises SkippedError when the plugin is missing, PartError when OpenSearch refuses it (RefusedError: refuses
        this user), and StoreError when nothing goes: no connection, wrong password.
        """
        if self.show is not None:
            self.show(shown(request))
            return None
        answer = self._store.request(request.method, request.path, request.body)
        return self._checked(f"{request.method} {request.path}", answer, plugin).json

    def _checked(self, what: str, answer: Answer, plugin: str) -> Answer:
        if answer.status in {200, 201}:
            return answer
        if plugin and answer.status == 400 and _NO_HANDLER in answer.text:
            raise SkippedError(f"the plugin {plugin} is not installed in OpenSearch")
        if answer.status == 401:
            raise bulk.refusal(self.name, answer)
        if answer.status == 403:
            raise RefusedError(f"this user may not ({_words(what, answer)})")
        raise PartError(_words(what, answer))


class PartError(StoreError):
    """A part failed; the others may do well."""


class RefusedError(PartError):
    """The user has no right to something."""


def _words(what: str, answer: Answer) -> str:
    """What was answered to a request; the Security plugin has its own form of an error."""
    value = answer.json
    if isinstance(value, dict) and "message" in value:
        details = {key: one for key, one in value.items() if key not in {"status", "message", "reason"} and one}
        said = str(value.get("reason") or value["message"])
        return f"{what} answers {answer.status}: {said}{f' {json.dumps(details)}' if details else ''}"
    return str(bulk.refusal(what, answer))


def shown(request: Request) -> str:
    """A request as Dev Tools of Dashboards takes it: what is sent is the same JSON on one line."""
    return f"{request.method} {request.path}\n{json.dumps(request.body, ensure_ascii=False, indent=2)}\n"


# The parts, in their order: a pipeline before it is used, an index template before its policies.


def put_templates(cluster: Cluster, plan: Plan) -> Iterator[str]:
    """Component and index templates. A newer one is never overwritten, and one of this version is left alone."""
    there = _template_versions(cluster, plan.prefix)
    put: dict[str, None] = {}  # a component and its index template have one name
    newer: dict[str, None] = {}
    for request in templates.requests(plan.prefix, replicas=plan.replicas):
        version = there.get(request.path, -1)
        name = request.path.rpartition("/")[2]
        if version > templates.VERSION:
            newer[f"{name} (version {version})"] = None
        elif version < templates.VERSION:
            cluster.send(request)
            put[name] = None
    if put:
        yield f"put version {templates.VERSION} of {', '.join(put)}"
    elif not newer:
        yield f"all of version {templates.VERSION} are there"
    if newer:
        yield f"left alone what a later version of this program put: {', '.join(newer)}"
    yield from _put_replicas(cluster, plan, there)
    yield from _update_indices(cluster, plan.prefix, there)
    if cluster.show is None or not put:
        yield from _look_at_what_counts(cluster, plan)


def _put_replicas(cluster: Cluster, plan: Plan, there: Mapping[str, int]) -> Iterator[str]:
    """Where the settings name a number, and the template that is there has another."""
    request = templates.requests(plan.prefix, (), replicas=plan.replicas)[0]
    if plan.replicas < 0 or there.get(request.path) != templates.VERSION:
        return
    (one,) = cluster.look(request.path)["component_templates"]
    index = one["component_template"]["template"].get("settings", {}).get("index", {})
    if str(index.get("number_of_replicas")) != str(plan.replicas):
        cluster.send(request)
        yield f"new indices get {plan.replicas} replicas"


def _look_at_what_counts(cluster: Cluster, plan: Plan) -> Iterator[str]:
    """What new indices would really get. Ours that was changed is put anew; raises PartError for another's."""
    datasets = {one.name: one.dataset for one in coming(plan.prefix, plan.period, BY_NAME, datetime.now(UTC))}
    faults = cluster.faults(datasets)
    changed = sorted({datasets[index] for index, fault in faults.items() if fault.ours})
    if changed:
        for request in templates.requests(plan.prefix, changed, replicas=plan.replicas):
            cluster.send(request)
        yield f"put anew what somebody had changed: {', '.join(changed)}"
        faults = {} if cluster.show is not None else cluster.faults(datasets)
    if faults:
        fault = next(iter(faults.values()))
        more = f" (and {len(faults) - 1} more indices)" if len(faults) > 1 else ""
        raise PartError(f"{fault.text}{more}: {fault.remedy}")


def _template_versions(cluster: Cluster, prefix: str) -> dict[str, int]:
    """Path -> version of what is installed; 0 for one without a version."""
    base = templates.base_name(prefix)
    found: dict[str, int] = {}
    for kind, key in (("_component_template", "component_template"), ("_index_template", "index_template")):
        value = cluster.look(f"/{kind}/{base}-*") or {}
        for one in value.get(f"{key}s", ()):
            found[f"/{kind}/{one['name']}"] = int(one[key].get("version") or 0)
    return found


def _update_indices(cluster: Cluster, prefix: str, there: Mapping[str, int]) -> Iterator[str]:
    """A template reaches new indices only: those that are there get the new fields, so that this month has them."""
    for dataset in DATASETS:
        name = templates.template_name(prefix, dataset.name)
        old = there.get(f"/_component_template/{name}")
        if old is None or old >= templates.VERSION:
            continue
        if _indices(cluster, prefix, dataset):
            body = {"properties": templates.mappings(dataset)}
            cluster.send(Request("PUT", f"/{prefix}{dataset.name}-*/_mapping", body))
            yield f"gave the indices of {dataset.name} the fields of version {templates.VERSION}"


def _indices(cluster: Cluster, prefix: str, dataset: Dataset) -> list[str]:
    return sorted(cluster.look(f"/{prefix}{dataset.name}-*/_alias") or {})


def put_retention(cluster: Cluster, plan: Plan) -> Iterator[str]:
    """One policy for each dataset, for indices that are there as well."""
    for dataset in DATASETS:
        yield from _retention_of(cluster, plan, dataset)


def _retention_of(cluster: Cluster, plan: Plan, dataset: Dataset) -> Iterator[str]:
    plugin = "opensearch-index-management (ISM)"
    installed = retention.read_policy(cluster.look(retention.policy_path(plan.prefix, dataset), plugin))
    there = None if installed is None else retention.days_of(plan.prefix, dataset, installed)
    if installed is not None and there is None and dataset.name not in plan.retention:
        yield f"{dataset.name}: left alone, somebody made a policy of their own; --retention replaces it"
        return
    days = plan.retention.get(dataset.name, dataset.retention_days if there is None else there)
    wanted = retention.policy(plan.prefix, dataset, days)
    new = installed is None or not retention.says_the_same(installed, wanted)
    if new:
        cluster.send(retention.put(plan.prefix, dataset, days, installed), plugin)
    attached, refreshed = _attach(cluster, plan.prefix, dataset, refresh=new and installed is not None)
    yield (
        f"{dataset.name}: {f'{days} days' if days else 'for ever'}, {'put' if new else 'as it was'}"
        + (f"; {attached} indices came under it" if attached else "")
        + (f"; {refreshed} indices follow the change" if refreshed else "")
    )


def _attach(cluster: Cluster, prefix: str, dataset: Dataset, *, refresh: bool) -> tuple[int, int]:
    """Bring indices under the policy that have none, and those that have it to its new version."""
    indices = _indices(cluster, prefix, dataset)
    if not indices:
        return 0, 0
    explained = cluster.look(f"{retention.BASE}/explain/{prefix}{dataset.name}-*") or {}
    policies = retention.policies_of(explained)
    bare = [index for index in indices if not policies.get(index)]
    ours = [index for index in indices if policies.get(index) == retention.policy_id(prefix, dataset)]
    attached = sum(_ism(cluster, request) for request in retention.attach(prefix, dataset, bare))
    changed = retention.refresh(prefix, dataset, ours) if refresh else ()
    return attached, sum(_ism(cluster, request) for request in changed)


def _ism(cluster: Cluster, request: Request) -> int:
    """How many indices were changed. ISM answers 200 also when it refuses some."""
    answer = cluster.send(request) or {}
    failed = answer.get("failed_indices") or ()
    if failed:
        reasons = "; ".join(f"{one.get('index_name')}: {one.get('reason')}" for one in failed[:5])
        raise PartError(f"{request.method} {request.path}: {reasons}")
    return int(answer.get("updated_indices") or 0)


def put_pipelines(cluster: Cluster, plan: Plan) -> Iterator[str]:
    """The pipeline of countries and networks, and the tables that it looks into."""
    plugin = "opensearch-geospatial (ip2geo)"
    found = pipelines.datasources_of(cluster.look(pipelines.DATASOURCES, plugin))
    for kind in pipelines.ENDPOINTS:
        if kind in found:
            name, state = found[kind]
            yield f"datasource {name}: {state.lower() or 'there'}{_FAILED if state == 'CREATE_FAILED' else ''}"
        else:
            request = pipelines.datasource(plan.prefix, kind)
            cluster.send(request, plugin)
            found[kind] = (request.path.rpartition("/")[2], "CREATING")
            yield f"datasource {found[kind][0]}: put; OpenSearch fetches it now, for some minutes"
    yield _put_pipeline(cluster, plan.prefix, {kind: name for kind, (name, _) in found.items()})
    yield f"use it: [opensearch] pipelines = {{{', '.join(_uses(plan.prefix))}}}"


_FAILED = ": the nodes must reach its endpoint by HTTPS; delete the datasource, then run this again"


def _put_pipeline(cluster: Cluster, prefix: str, names: Mapping[str, str]) -> str:
    name = pipelines.pipeline_name(prefix)
    there = (cluster.look(pipelines.pipeline_path(prefix)) or {}).get(name)
    version = int((there or {}).get("version") or 0)
    request = pipelines.put(prefix, names)
    if there == request.body:
        return f"pipeline {name}: there"
    if version > pipelines.VERSION:
        return f"pipeline {name}: left alone, a later version of this program put it (version {version})"
    cluster.send(request)
    return f"pipeline {name}: put"


def _uses(prefix: str) -> Iterator[str]:
    name = pipelines.pipeline_name(prefix)
    return (f'{dataset.name} = "{name}"' for dataset in DATASETS if "source.ip" in dataset.by_name)


def put_roles(cluster: Cluster, plan: Plan) -> Iterator[str]:
    """Roles, and who has them. Whoever has one already keeps it."""
    plugin = "opensearch-security"  # what stands in its place elsewhere is told by `setup --roles`
    wanted = roles.roles(plan.prefix, plan.place)
    try:
        if plan.place != roles.GLOBAL and cluster.look(roles.place_path(plan.place), plugin) is None:
            cluster.send(roles.put_place(plan.place), plugin)
            yield f"tenant {plan.place} of Dashboards: put"
        for name, role in wanted.items():
            yield _put_role(cluster, name, role, plugin)
        for role_, name in zip(roles.NAMES, wanted, strict=True):
            there = (cluster.look(f"{roles.BASE}/rolesmapping/{name}", plugin) or {}).get(name) or {}
            request = roles.mapping(name, there, plan.users.get(role_, () if there else (name,)))
            if request is not None:
                cluster.send(request, plugin)
                yield f"{name}: given to {', '.join(request.body['users'])}"
    except RefusedError as error:
        raise SkippedError(f"{error}: an administrator runs `email-report-admin setup --only roles`") from error


def _put_role(cluster: Cluster, name: str, role: Mapping[str, Any], plugin: str) -> str:
    there = (cluster.look(f"{roles.BASE}/roles/{name}", plugin) or {}).get(name)
    if there is not None and roles.says_the_same(there, role):
        return f"{name}: there"
    cluster.send(roles.put(name, role), plugin)
    return f"{name}: {'put' if there is None else 'changed'}"


def put_dashboards(cluster: Cluster, plan: Plan) -> Iterator[str]:
    """The saved objects. Those of the same id are overwritten: a change of yours belongs into a copy."""
    if plan.dashboards is None:
        raise SkippedError("no --dashboards-url: Dashboards is a server beside OpenSearch, such as https://HOST:5601")
    sent = dashboards_api.request(plan.dashboards, plan.objects)
    if cluster.show is not None:
        cluster.show(dashboards_api.shown(sent))
        return
    try:
        imported = dashboards_api.send(plan.dashboards, sent)
    except StoreError as error:
        raise PartError(str(error)) from error
    yield f"imported {imported.number} saved objects into {plan.dashboards.base}, tenant {plan.dashboards.tenant}"
    if imported.renamed:
        shown = ", ".join(imported.renamed[:5])
        yield (
            f"{len(imported.renamed)} of them are there under another id ({shown}): links between the dashboards miss "
            "them; delete those objects in Dashboards (Saved objects) and run this again"
        )


def put_monitors(cluster: Cluster, plan: Plan) -> Iterator[str]:
    """The rules of `alert` as monitors of Alerting: who has that plugin need not run `alert`."""
    plugin = "opensearch-alerting"
    there = monitors.found(cluster.find(monitors.search(plan.prefix), plugin))
    for one in monitors.monitors(plan.thresholds, plan.ours):
        name = monitors.name_of(plan.prefix, one.rule)
        id_, old = there.get(name, ("", {}))
        if id_ and monitors.says_the_same(old, monitors.body(plan.prefix, one, plan.channel)):
            yield f"{name}: there"
            continue
        cluster.send(monitors.put(plan.prefix, one, plan.channel, id_), plugin)
        yield f"{name}: {'changed' if id_ else 'put'}"
    if not plan.ours:
        yield "wanted_fails is left out: no sender has a name and the verdict mine or service"
    if not plan.channel:
        yield "they tell nobody: make a channel (Notifications) and say --channel ID; alerts stand in Dashboards"


PARTS: Mapping[str, Callable[[Cluster, Plan], Iterator[str]]] = {
    "templates": put_templates,
    "retention": put_retention,
    "pipelines": put_pipelines,
    "roles": put_roles,
    "dashboards": put_dashboards,
}
# Only where they are asked for: they do what `alert` does.
ASKED_FOR: Mapping[str, Callable[[Cluster, Plan], Iterator[str]]] = {"monitors": put_monitors}


def read_retention(text: str) -> tuple[str, int]:
    """`DATASET=DAYS`. Raises ValueError with what to write instead."""
    dataset, _, days = text.partition("=")
    if dataset not in BY_NAME:
        raise ValueError(f"there is no dataset {dataset!r}; write one of {', '.join(BY_NAME)}")
    if not (days.isascii() and days.isdigit() and len(days) < 6 and int(days) in retention.DAYS):
        raise ValueError(f"write {dataset}=DAYS, with 0 (for ever) to {retention.DAYS[-1]} days")
    return dataset, int(days)
