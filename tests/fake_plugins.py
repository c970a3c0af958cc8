"""OpenSearch with the plugins that no node of the tests has (ISM, ip2geo), and Dashboards: small fakes.

What they take and refuse follows the public sources of August 2026, read and rewritten here; this is all that can be
tested of those requests. Real nodes stand in for everything else.
"""

import email.policy
import gzip
import json
import re
import threading
from collections.abc import Callable, Mapping
from email.parser import BytesParser
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit


class Seen(NamedTuple):
    """A request as it came."""

    method: str
    path: str  # with its query
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, None without one."""
        return json.loads(self.body) if self.body else None


class RefusalError(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, type_: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.body = {"error": {"type": type_, "reason": reason}, "status": status}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: "_Server"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name in the standard library
        """Quiet."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Seen(self.command, self.path, headers, body)
        status, more, text = self.server.answer(seen)
        self.send_response(status)
        for name, value in {"content-type": "application/json", **more}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve  # noqa: N815  # names of the standard library


Answer = tuple[int, Mapping[str, str], bytes]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    answer: Callable[[Seen], Answer]


class Fake:
    """`with Fake() as fake:` listens on `fake.url`; `seen` has every request."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.answer = self._answer  # each server has its own
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def changes(self) -> list[Seen]:
        """The requests that are more than a look."""
        return [one for one in self.seen if one.method != "GET" and "_simulate_index" not in one.path]

    def __enter__(self) -> Any:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, seen: Seen) -> Answer:
        self.seen.append(seen)
        return self.respond(seen)

    def respond(self, seen: Seen) -> Answer:
        """Status, headers and body."""
        raise NotImplementedError


class FakeCluster(Fake):
    """OpenSearch as far as setup goes. `plugins`: which of `ism`, `ip2geo`, `security` are installed."""

    def __init__(self, *plugins: str) -> None:
        super().__init__()
        self.plugins = plugins
        self.components: dict[str, Any] = {}
        self.templates: dict[str, Any] = {}
        self.pipelines: dict[str, Any] = {}
        self.policies: dict[str, dict[str, Any]] = {}  # id -> _seq_no, _primary_term, policy
        self.indices: dict[str, str | None] = {}  # name -> id of its policy
        self.versions: dict[str, int] = {}  # index -> _seq_no of the policy that it follows
        self.datasources: dict[str, dict[str, Any]] = {}
        self.roles: dict[str, Any] = {}
        self.mappings: dict[str, Any] = {}
        self.monitors: dict[str, Any] = {}
        self.sequence = 0
        self.forbidden: str = ""  # paths with this are answered with 403

    def respond(self, seen: Seen) -> Answer:
        """As OpenSearch does."""
        try:
            value = self._route(seen)
        except RefusalError as refusal:
            return refusal.status, {}, json.dumps(refusal.body).encode()
        return 200, {}, json.dumps(value).encode()

    def _route(self, seen: Seen) -> Any:
        url = urlsplit(seen.path)
        parameters = {name: values[0] for name, values in parse_qs(url.query).items()}
        if self.forbidden and self.forbidden in url.path:
            raise RefusalError(403, "security_exception", "no permissions for [x] and User [name=u]")
        for pattern, plugin, method in _ROUTES:
            match = re.fullmatch(pattern, url.path)
            if match and (not plugin or plugin in self.plugins):
                return method(self, seen, parameters, *match.groups())
        return self._no_handler(seen)

    def _no_handler(self, seen: Seen) -> Any:
        refusal = RefusalError(400, "", "")
        refusal.body = {"error": f"no handler found for uri [{seen.path}] and method [{seen.method}]"}
        raise refusal

    def _monitor_search(self, seen: Seen, _parameters: Mapping[str, str]) -> Any:
        """RestSearchMonitorAction: the index of the plugin is made with the first monitor."""
        if not self.monitors:
            raise RefusalError(404, "alerting_exception", "Configured indices are not found")
        begin = seen.json["query"]["prefix"]["monitor.name.keyword"]
        found = [(id_, one) for id_, one in self.monitors.items() if one["name"].startswith(begin)]
        return {"hits": {"hits": [{"_id": id_, "_source": {"monitor": one}} for id_, one in found]}}

    def _monitor(self, seen: Seen, _parameters: Mapping[str, str], id_: str = "") -> Any:
        """RestIndexMonitorAction: POST makes one under an id of its own, PUT changes the one that is named."""
        assert bool(id_) == (seen.method == "PUT")
        if id_ and id_ not in self.monitors:
            raise RefusalError(404, "alerting_exception", f"Monitor with {id_} is not found")
        name = id_ or f"m{len(self.monitors)}"
        self.monitors[name] = {**seen.json, "enabled_time": 1}
        return {"_id": name, "monitor": self.monitors[name]}

    # OpenSearch itself

    def _template(self, seen: Seen, _parameters: Mapping[str, str], kind: str, name: str) -> Any:
        held = self.templates if kind == "index" else self.components
        if seen.method == "PUT":
            held[name] = seen.json
            return {"acknowledged": True}
        found = [{"name": one, f"{kind}_template": held[one]} for one in held if fnmatchcase(one, name)]
        if not found:
            raise RefusalError(404, "resource_not_found_exception", f"{name} does not exist")
        return {f"{kind}_templates": found}

    def _templates(self, seen: Seen, parameters: Mapping[str, str]) -> Any:
        return {"index_templates": [{"name": one, "index_template": body} for one, body in self.templates.items()]}

    def _alias(self, _seen: Seen, _parameters: Mapping[str, str], pattern: str) -> Any:
        return {name: {"aliases": {}} for name in self.indices if fnmatchcase(name, pattern)}

    def _mapping(self, _seen: Seen, _parameters: Mapping[str, str], _pattern: str) -> Any:
        return {"acknowledged": True}

    def _pipeline(self, seen: Seen, _parameters: Mapping[str, str], name: str) -> Any:
        if seen.method == "PUT":
            for processor in seen.json["processors"]:
                _processor(processor)
            self.pipelines[name] = seen.json
            return {"acknowledged": True}
        if name not in self.pipelines:
            raise RefusalError(404, "", "")
        return {name: self.pipelines[name]}

    # ISM

    def _policy(self, seen: Seen, parameters: Mapping[str, str], name: str) -> Any:
        """RestIndexPolicyAction, TransportIndexPolicyAction: without seq_no and term it is created, and only then."""
        there = self.policies.get(name)
        if seen.method == "GET":
            if there is None:
                raise RefusalError(404, "status_exception", "Policy not found")
            return {"_id": name, "_version": 1, **there}
        policy = _policy(seen.json)
        unassigned = "if_seq_no" not in parameters or "if_primary_term" not in parameters
        seen_there = {"if_seq_no": str(there["_seq_no"]), "if_primary_term": "1"} if there else {}
        if (unassigned and there) or (not unassigned and parameters != seen_there):
            raise RefusalError(409, "version_conflict_engine_exception", f"[{name}]: version conflict")
        self.sequence += 1
        self.policies[name] = {"_seq_no": self.sequence, "_primary_term": 1, "policy": _as_kept(name, policy)}
        return {"_id": name, "_version": 1, **self.policies[name]}

    def _explain(self, _seen: Seen, _parameters: Mapping[str, str], pattern: str) -> Any:
        """ExplainResponse. Without an index it has nothing to ask for."""
        found = {name: policy for name, policy in self.indices.items() if fnmatchcase(name, pattern)}
        if not found:
            raise RefusalError(400, "action_request_validation_exception", "Validation Failed: 1: no documents to get;")
        both = ("index.plugins.index_state_management.policy_id", "index.opendistro.index_state_management.policy_id")
        answer = {name: {**dict.fromkeys(both, policy), "enabled": None} for name, policy in found.items()}
        return {**answer, "total_managed_indices": sum(policy is not None for policy in found.values())}

    def _add(self, seen: Seen, _parameters: Mapping[str, str], names: str) -> Any:
        """RestAddPolicyAction, TransportAddPolicyAction: an index that has a policy fails."""
        policy = seen.json["policy_id"]
        failed = []
        for name in names.split(","):
            if self.indices[name] is None:
                self.indices[name] = policy
                self.versions[name] = self.policies[policy]["_seq_no"]
            else:
                reason = "This index already has a policy, use the update policy API to update index policies"
                failed.append({"index_name": name, "index_uuid": "u", "reason": reason})
        return _status(len(names.split(",")), failed)

    def _change(self, seen: Seen, _parameters: Mapping[str, str], names: str) -> Any:
        """RestChangePolicyAction, ChangePolicy."""
        _only(seen.json, {"policy_id", "state", "include", "is_safe"}, "ChangePolicy")
        failed = []
        for name in names.split(","):
            if self.indices[name] is None:
                reason = "This index is not being managed"
                failed.append({"index_name": name, "index_uuid": "u", "reason": reason})
            self.versions[name] = self.policies[seen.json["policy_id"]]["_seq_no"]
        return _status(len(names.split(",")), failed)

    # ip2geo

    def _datasources(self, _seen: Seen, _parameters: Mapping[str, str]) -> Any:
        return {"datasources": list(self.datasources.values())}  # GetDatasourceResponse

    def _datasource(self, seen: Seen, _parameters: Mapping[str, str], name: str) -> Any:
        """PutDatasourceRequest: a strict ObjectParser of two fields; ParameterValidator of the name."""
        _only(seen.json, {"endpoint", "update_interval_in_days"}, "put_datasource")
        assert re.fullmatch(r"[^#:\\/*?\"<>| ,_+-][^#:\\/*?\"<>| ,]*", name)
        assert seen.json["update_interval_in_days"] >= 1
        if name in self.datasources:
            raise RefusalError(400, "resource_already_exists_exception", f"datasource [{name}] already exists")
        self.datasources[name] = {"name": name, "state": "CREATING", **seen.json}
        return {"acknowledged": True}

    # Security

    def _role(self, seen: Seen, _parameters: Mapping[str, str], name: str) -> Any:
        keys = {"cluster_permissions", "index_permissions", "tenant_permissions", "description"}
        return self._security(seen, self.roles, keys, name)

    def _role_mapping(self, seen: Seen, _parameters: Mapping[str, str], name: str) -> Any:
        keys = {"users", "backend_roles", "hosts", "and_backend_roles", "description"}
        return self._security(seen, self.mappings, keys, name)

    def _security(self, seen: Seen, held: dict[str, Any], keys: set[str], name: str) -> Any:
        """RolesApiAction, RolesMappingApiAction: only these keys."""
        if seen.method == "PUT":
            assert set(seen.json) <= keys
            held[name] = {"reserved": False, "hidden": False, **seen.json}
            return {"status": "CREATED", "message": f"'{name}' created."}
        if name not in held:
            refusal = RefusalError(404, "", "")
            refusal.body = {"status": "NOT_FOUND", "message": f"'{name}' not found."}
            raise refusal
        return {name: held[name]}


_NAME = r"([^/]+)"
_ROUTES: tuple[tuple[str, str, Callable[..., Any]], ...] = (
    ("/_index_template", "", FakeCluster._templates),
    (rf"/_(component|index)_template/{_NAME}", "", FakeCluster._template),
    (rf"/{_NAME}/_alias", "", FakeCluster._alias),
    (rf"/{_NAME}/_mapping", "", FakeCluster._mapping),
    (rf"/_ingest/pipeline/{_NAME}", "", FakeCluster._pipeline),
    (rf"/_plugins/_ism/policies/{_NAME}", "ism", FakeCluster._policy),
    (rf"/_plugins/_ism/explain/{_NAME}", "ism", FakeCluster._explain),
    (rf"/_plugins/_ism/add/{_NAME}", "ism", FakeCluster._add),
    (rf"/_plugins/_ism/change_policy/{_NAME}", "ism", FakeCluster._change),
    (r"/_plugins/geospatial/ip2geo/datasource", "ip2geo", FakeCluster._datasources),
    (rf"/_plugins/geospatial/ip2geo/datasource/{_NAME}", "ip2geo", FakeCluster._datasource),
    (r"/_plugins/_alerting/monitors/_search", "alerting", FakeCluster._monitor_search),
    (r"/_plugins/_alerting/monitors", "alerting", FakeCluster._monitor),
    (rf"/_plugins/_alerting/monitors/{_NAME}", "alerting", FakeCluster._monitor),
    (rf"/_plugins/_security/api/roles/{_NAME}", "security", FakeCluster._role),
    (rf"/_plugins/_security/api/rolesmapping/{_NAME}", "security", FakeCluster._role_mapping),
)


def _only(value: Any, keys: set[str], where: str) -> None:
    for key in value:
        if key not in keys:
            raise RefusalError(400, "illegal_argument_exception", f"Invalid field: [{key}] found in {where}.")


def _policy(body: Any) -> Any:
    """Policy.parse, State.parse, Transition.parse, Conditions, ISMActionsParser.parse, ISMTemplate.parse."""
    _only(body, {"policy"}, "body")
    policy = body["policy"]
    _only(policy, {"description", "default_state", "states", "ism_template", "error_notification"}, "Policy")
    names = [state["name"] for state in policy["states"]]
    assert policy["default_state"] in names
    assert len(set(names)) == len(names) > 0
    for state in policy["states"]:
        _only(state, {"name", "actions", "transitions"}, "State")
        for action in state["actions"]:
            _action(action)
        for transition in state["transitions"]:
            _only(transition, {"state_name", "conditions"}, "Transition")
            assert transition["state_name"] in names
            assert len(transition["conditions"]) <= 1  # Cannot provide more than one Transition condition
            assert re.fullmatch(r"\d+(d|h|m|s)", transition["conditions"]["min_index_age"])
    for template in policy["ism_template"]:
        _only(template, {"index_patterns", "priority"}, "ISMTemplate")
        assert template["priority"] >= 0
        assert not any(character in pattern for pattern in template["index_patterns"] for character in "#:")
    return policy


def _action(action: Any) -> None:
    """ActionRetry.parse needs a count; DeleteActionParser takes an empty object."""
    kinds = [key for key in action if key not in {"retry", "timeout"}]
    assert kinds == ["delete"]
    assert action["delete"] == {}
    assert isinstance(action["retry"]["count"], int)
    assert action["retry"]["backoff"].upper() in {"EXPONENTIAL", "CONSTANT", "LINEAR"}


def _as_kept(name: str, policy: Any) -> Any:
    """Policy.toXContent: with an id, times and defaults."""
    templates = [{**one, "last_updated_time": 1} for one in policy["ism_template"]]
    own = {"policy_id": name, "last_updated_time": 1, "schema_version": 21, "error_notification": None}
    return {**policy, **own, "ism_template": templates}


def _processor(processor: Any) -> None:
    """Ip2GeoProcessor.Factory.create reads these; IngestService refuses what is left over."""
    ((kind, config),) = processor.items()
    keys = {"if", "ignore_failure", "ignore_missing", "field"}
    keys |= {"ip2geo": {"target_field", "datasource", "properties"}, "convert": {"target_field", "type"}}.get(
        kind, set()
    )
    keys |= {"rename": {"target_field"}}.get(kind, set())
    assert set(config) <= keys, (kind, config)


def _status(number: int, failed: list[dict[str, str]]) -> dict[str, Any]:
    """ISMStatusResponse."""
    return {"updated_indices": number - len(failed), "failures": bool(failed), "failed_indices": failed}


class FakeDashboards(Fake):
    """OpenSearch Dashboards' import: src/core/server/saved_objects/routes/import.ts, seen on 2.11."""

    def __init__(self) -> None:
        super().__init__()
        self.objects: dict[str, Any] = {}
        self.tenants: list[str | None] = []
        self.told: Answer | None = None  # what is answered instead

    def respond(self, seen: Seen) -> Answer:
        """As Dashboards does."""
        if self.told is not None:
            return self.told
        url = urlsplit(seen.path)
        if (seen.method, url.path) != ("POST", "/api/saved_objects/_import"):
            return _error(404, "Not Found")
        if "osd-xsrf" not in seen.headers:
            return _error(400, "Request must contain the osd-xsrf header.")
        name, content = _file(seen)
        if not name.endswith(".ndjson"):
            return _error(400, f"Invalid file extension {name}")
        objects = [json.loads(line) for line in content.splitlines()]
        self.tenants.append(seen.headers.get("securitytenant"))
        conflicts = [one for one in objects if one["id"] in self.objects and "overwrite=true" not in url.query]
        self.objects.update({one["id"]: one for one in objects if one not in conflicts})
        body = {"successCount": len(objects) - len(conflicts), "success": not conflicts}
        return 200, {}, json.dumps(body).encode()


def _file(seen: Seen) -> tuple[str, bytes]:
    """Name and content of the file of a form, read by the standard library."""
    head = f"content-type: {seen.headers['content-type']}\r\n\r\n".encode()
    (part,) = BytesParser(policy=email.policy.default).parsebytes(head + seen.body).iter_parts()
    assert part.get_param("name", header="content-disposition") == "file"
    return str(part.get_filename()), bytes(part.get_payload(decode=True))


def _error(status: int, message: str) -> Answer:
    return status, {}, json.dumps({"statusCode": status, "error": "Error", "message": message}).encode()
