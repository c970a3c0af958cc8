"""Real OpenSearch nodes for the tests, on free loopback ports.

The plain node is OpenSearch 3.8 on JDK 21 or later and 2.19 on JDK 17; the secure node is 2.19 with the Security
plugin: TLS, passwords, roles. Each is started once in a run, or found in the environment:

    python -m tests.nodes build     fetches the jars (see tests/opensearch/jars.py)
    python -m tests.nodes start     starts both in the foreground and prints the variables that name them
"""

import argparse
import contextlib
import http.client
import json
import os
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from tests.opensearch import jars
from tests.opensearch.jars import BuildError, MissingError

__all__ = ["BuildError", "MissingError", "Node", "SecureNode", "StartError", "Stored", "plain", "secure"]

PLAIN = "EMAIL_REPORT_TEST_NODE"
SECURE = "EMAIL_REPORT_TEST_SECURE_NODE"
SECURE_CA = "EMAIL_REPORT_TEST_SECURE_NODE_CA"
SECURE_PASSWORD = "EMAIL_REPORT_TEST_SECURE_NODE_PASSWORD"

START_TIMEOUT = 120  # seconds; 5 to 12 are usual
GUARD = Path(__file__).resolve().parent / "opensearch/guard.py"

_LOGGING = ("-Dlog4j.shutdownHookEnabled=false", "-Dlog4j2.disable.jmx=true")
_SECURE_SETTINGS = """
network.host: 127.0.0.1
http.host: ["127.0.0.1", "127.0.0.2"]
http.port: {port}
transport.port: 0
discovery.type: single-node
path.data: {directory}/data
path.logs: {directory}/logs
cluster.routing.allocation.disk.threshold_enabled: false
plugins.security.audit.type: noop
"""


class StartError(Exception):
    """A node did not start; the text has the end of its log."""


class Stored(NamedTuple):
    """One document as the node has it."""

    index: str  # type: ignore[assignment]  # OpenSearch's word; nobody looks a value up in a Stored
    id: str
    source: dict[str, Any]


class Server:
    """The process of a node of our own: one port and one data directory over all its starts."""

    def __init__(self, directory: Path, port: int, command: Sequence[str], user: str = "") -> None:
        self.directory = directory
        self.port = port
        self.command = [sys.executable, str(GUARD), str(directory), user, *command]
        self.guard: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start the process; it answers some seconds later."""
        self.guard = subprocess.Popen(self.command, stdin=subprocess.PIPE, text=True, start_new_session=True)

    def alive(self) -> bool:
        """Whether the process runs."""
        return self.guard is not None and self.guard.poll() is None

    def stop(self) -> None:
        """End the process and keep its data."""
        self._end("stop\n")

    def close(self) -> None:
        """Kill the process and remove its data."""
        self._end("")
        shutil.rmtree(self.directory, ignore_errors=True)

    def log(self) -> str:
        """The end of the log."""
        return "\n".join((self.directory / "log").read_text(errors="replace").splitlines()[-40:])

    def _end(self, word: str) -> None:
        if self.guard is None:
            return
        with contextlib.suppress(BrokenPipeError):  # it has ended by itself
            self.guard.communicate(word)
        self.guard.wait()
        self.guard = None


class Node:
    """A node without passwords: its address, and what tests ask of it.

    `server` is None for a node that somebody else runs (it is named by EMAIL_REPORT_TEST_NODE).
    """

    def __init__(self, url: str, server: Server | None = None) -> None:
        self.url = url
        self.server = server
        handlers = [urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self._context())]
        self._opener = urllib.request.build_opener(*handlers)

    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context()

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        user: str = "",
        password: str = "",
        headers: Mapping[str, str] | None = None,
        timeout: float = 60,
    ) -> tuple[int, Any]:
        """The answer's status and its JSON, or its text where it is none.

        `body` is bytes or text (a bulk) as it stands, or anything else as JSON. Raises OSError without an answer.
        """
        data = body.encode() if isinstance(body, str) else body
        if data is not None and not isinstance(data, bytes):
            data = json.dumps(data).encode()
        kind = "application/x-ndjson" if path.split("?", 1)[0].endswith("_bulk") else "application/json"
        request = urllib.request.Request(self.url + "/" + path.lstrip("/"), data=data, method=method)
        for name, value in {"Content-Type": kind, **_basic(user, password), **(headers or {})}.items():
            request.add_header(name, value)
        try:
            with self._opener.open(request, timeout=timeout) as answer:
                return answer.status, _decode(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _decode(error.read())

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """The JSON of an answer that has to be 200 or 201."""
        status, answer = self.request(method, path, body)
        assert status in {200, 201}, f"{method} {path}: {status} {answer}"
        return answer

    def documents(self, pattern: str) -> list[Stored]:
        """The documents of all indices of this pattern (at most 10,000), refreshed, by index and id."""
        self.request("POST", f"/{pattern}/_refresh")
        answer = self.ask("POST", f"/{pattern}/_search?size=10000&allow_no_indices=true&ignore_unavailable=true", {})
        return sorted(Stored(hit["_index"], hit["_id"], hit["_source"]) for hit in answer["hits"]["hits"])

    def wipe(self, prefix: str = "email-report-") -> None:
        """Delete the indices, templates and pipelines whose names begin with `prefix`."""
        kinds = ("", "_index_template/", "_component_template/", "_ingest/pipeline/")
        for kind in kinds:
            wildcards = "" if kind else "?expand_wildcards=all&ignore_unavailable=true"
            status, answer = self.request("DELETE", f"/{kind}{prefix}*{wildcards}")
            assert status in {200, 404}, f"{kind}{prefix}*: {status} {answer}"

    def start(self) -> None:
        """Start and wait until it answers; after `stop` on the same port with the same data. Raises StartError."""
        server = self._own()
        server.start()
        end = time.monotonic() + START_TIMEOUT
        while not self.ready():
            if not server.alive() or time.monotonic() > end:
                raise StartError(f"the node on {self.url} did not start:\n{server.log()}")
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop, and leave the data for the next `start`. Only the fixture `own_node` has a node that may be stopped."""
        self._own().stop()

    def close(self) -> None:
        """Kill a node of our own, and remove its data."""
        if self.server is not None:
            self.server.close()

    def ready(self) -> bool:
        """Whether it answers, and its shards are there."""
        try:
            status, _ = self.request("GET", "/_cluster/health?wait_for_status=yellow&timeout=1s")
        except (OSError, http.client.HTTPException):
            return False
        return status == 200

    def _own(self) -> Server:
        if self.server is None:
            raise RuntimeError(f"{self.url} is not this run's to start or stop: use the fixture own_node")
        return self.server


class SecureNode(Node):
    """A node with TLS and passwords. Requests are made as `admin` where no user is named."""

    def __init__(self, url: str, ca_file: Path, admin_password: str, server: Server | None = None) -> None:
        self.ca_file = ca_file
        self.admin_password = admin_password
        super().__init__(url, server)

    @property
    def wrong_name_url(self) -> str:
        """The same node under an address that its certificate does not name (only for a node of our own)."""
        return self.url.replace("localhost", "127.0.0.2")

    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca_file))

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        user: str = "admin",
        password: str = "",
        headers: Mapping[str, str] | None = None,
        timeout: float = 60,
    ) -> tuple[int, Any]:
        """See Node. `user=''` sends no credentials; `admin` without a password has the right one."""
        if user == "admin" and not password:
            password = self.admin_password
        return super().request(method, path, body, user=user, password=password, headers=headers, timeout=timeout)

    def put_user(self, name: str, password: str, roles: Sequence[str] = ()) -> None:
        """Create or change a user that has these roles. The plugin refuses weak passwords."""
        body = {"password": password, "opendistro_security_roles": list(roles)}
        self.ask("PUT", f"/_plugins/_security/api/internalusers/{name}", body)

    def put_role(self, name: str, role: Mapping[str, Any]) -> None:
        """Create or change a role: cluster_permissions, index_permissions, tenant_permissions."""
        self.ask("PUT", f"/_plugins/_security/api/roles/{name}", dict(role))

    def wipe(self, prefix: str = "email-report-") -> None:
        """See Node; users, roles and role mappings as well."""
        super().wipe(prefix)
        for kind in ("internalusers", "rolesmapping", "roles"):
            for name in self.ask("GET", f"/_plugins/_security/api/{kind}"):
                if name.startswith(prefix):
                    self.ask("DELETE", f"/_plugins/_security/api/{kind}/{name}")


def plain(*, own: bool = False) -> Node:
    """A plain node that answers: the one that the environment names, unless `own`, else one of our own.

    Raises MissingError, BuildError and StartError. To be closed.
    """
    if PLAIN in os.environ and not own:
        return Node(os.environ[PLAIN])
    jdk = jars.plain_jdk()
    built = jars.plain(jdk)
    return _start(lambda directory, port: plain_node(jdk, built, directory, port))


def secure(*, own: bool = False) -> SecureNode:
    """A secure node that answers: see plain."""
    if SECURE in os.environ and not own:
        return SecureNode(os.environ[SECURE], Path(os.environ[SECURE_CA]), os.environ[SECURE_PASSWORD])
    jdk = jars.secure_jdk()
    built = jars.secure(jdk)
    return _start(lambda directory, port: _secure_node(jdk, built, directory, port))


AnyNode = TypeVar("AnyNode", bound=Node)


def _start(make: Callable[[Path, int], AnyNode]) -> AnyNode:
    """Start a node in a new directory; on another port when somebody was quicker to take ours."""
    for attempt in range(3):
        directory = Path(tempfile.mkdtemp(prefix="email-report-node-"))
        node = make(directory, _free_port())
        try:
            node.start()
        except BaseException as error:
            node.close()
            if attempt < 2 and isinstance(error, StartError) and "BindHttpException" in str(error):
                continue
            raise
        return node
    raise AssertionError("not reached")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _jvm(jdk: jars.Jdk, directory: Path, heap: str = "512m") -> list[str]:
    """The launcher and the options of both nodes. Temporary files, also those of JNA, stay in the directory."""
    (directory / "tmp").mkdir(exist_ok=True)
    temporary = (f"-Djava.io.tmpdir={directory}/tmp", f"-Djna.tmpdir={directory}/tmp", "-XX:-UsePerfData")
    return [jdk.java, f"-Xms{heap}", f"-Xmx{heap}", *temporary, *_LOGGING]


def plain_node(jdk: jars.Jdk, built: Path, directory: Path, port: int, *settings: str, heap: str = "512m") -> Node:
    """A plain node, not yet started. settings: NAME=VALUE, for a node that is not the only one."""
    if jdk.major >= jars.VECTOR_JDK:
        options = ["--add-modules=jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED"]
    else:
        options = ["-Djava.security.manager=allow"]
    classes = f"{built}/classes:{built}/lib/*"
    command = [
        *_jvm(jdk, directory, heap),
        *options,
        "-cp",
        classes,
        "Launcher",
        str(port),
        str(directory / "node"),
        *settings,
    ]
    return Node(f"http://127.0.0.1:{port}", Server(directory, port, command))


def _secure_node(jdk: jars.Jdk, built: Path, directory: Path, port: int) -> SecureNode:
    """The files are linked from the cache; settings, data and logs are the node's own."""
    home, config = directory / "home", directory / "config"
    shutil.copytree(built / "home", home, copy_function=_link, ignore=shutil.ignore_patterns("config"))
    shutil.copytree(built / "home/config", config)
    shutil.copy(config / "root-ca.pem", directory)
    settings = config / "opensearch.yml"
    ours = _SECURE_SETTINGS.format(directory=directory, port=port)
    settings.write_text(_without_network(settings.read_text()) + ours)
    command = [*_jvm(jdk, directory), *_secure_options(directory), "-cp", f"{home}/lib/*"]
    command.append("org.opensearch.bootstrap.OpenSearch")
    server = Server(directory, port, command, _hand_over(directory))
    return SecureNode(f"https://localhost:{port}", directory / "root-ca.pem", (built / "password").read_text(), server)


def _without_network(settings: str) -> str:
    """The installer's settings without those that are ours to say."""
    ours = ("network.host", "plugins.security.audit.type")
    return "".join(line for line in settings.splitlines(keepends=True) if not line.startswith(ours))


def _secure_options(directory: Path) -> list[str]:
    """What bin/opensearch would pass; it starts three JVMs to find that out."""
    pool = "-Djava.util.concurrent.ForkJoinPool.common.threadFactory="
    return [
        "-Xss1m",
        "-Djava.security.manager=allow",
        "-Djava.locale.providers=SPI,COMPAT",
        "-Dopensearch.networkaddress.cache.ttl=60",
        pool + "org.opensearch.secure_sm.SecuredForkJoinWorkerThreadFactory",
        f"-Dopensearch.path.home={directory}/home",
        f"-Dopensearch.path.conf={directory}/config",
        "-Dopensearch.distribution.type=zip",
        "-Dopensearch.bundled_jdk=false",
    ]


def _link(source: str, target: str) -> None:
    """A hard link, or a copy where the cache is on another file system."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _hand_over(directory: Path) -> str:
    """OpenSearch refuses to run as root: give it what it writes, and name the user. '' where we are not root."""
    for name in ("data", "logs"):
        (directory / name).mkdir()
    (directory / "log").touch()
    if os.geteuid() != 0:
        return ""
    nobody = pwd.getpwnam("nobody")
    directory.chmod(0o755)
    for place in ("config", "data", "logs", "tmp"):
        for path in (directory / place, *(directory / place).rglob("*")):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
    return nobody.pw_name


def _basic(user: str, password: str) -> dict[str, str]:
    if not user:
        return {}
    return {"Authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode()}


def _decode(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")


def variables(node: Node) -> dict[str, str]:
    """The environment that lets other runs use this node."""
    if isinstance(node, SecureNode):
        return {SECURE: node.url, SECURE_CA: str(node.ca_file), SECURE_PASSWORD: node.admin_password}
    return {PLAIN: node.url}


def _build() -> None:
    for jdk, build in ((jars.plain_jdk(), jars.plain), (jars.secure_jdk(), jars.secure)):
        print(f"OpenSearch for {jdk.home.name}: {build(jdk)}", file=sys.stderr)
    print(f"Kafka for {jars.plain_jdk().home.name}: {jars.kafka(jars.plain_jdk())}", file=sys.stderr)


def _serve() -> None:
    """Both nodes in the foreground, until a signal."""
    _build()
    with contextlib.closing(plain(own=True)) as node, contextlib.closing(secure(own=True)) as secure_node:
        for name, value in (variables(node) | variables(secure_node)).items():
            print(f"export {name}={value}", flush=True)
        signal.pause()


def _leave(number: int, _frame: object) -> None:
    sys.exit(128 + number)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line: see the module."""
    parser = argparse.ArgumentParser(prog="python -m tests.nodes", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("command", choices=["build", "start"])
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup
            signal.signal(number, _leave)
    command = parser.parse_args(argv).command
    try:
        (_build if command == "build" else _serve)()
    except (MissingError, BuildError, StartError) as error:
        print(error, file=sys.stderr)
        return 0 if command == "build" and isinstance(error, MissingError) else 1  # then the tests say so themselves
    return 0


if __name__ == "__main__":
    sys.exit(main())
