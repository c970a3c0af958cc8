"""Three OpenSearch nodes of this run alone, as one cluster; each may be killed, stopped and started."""

import contextlib
import json
import os
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.nodes import START_TIMEOUT, Node, StartError, _free_port, plain_node
from tests.opensearch import jars


class Cluster:
    """The nodes; `url` names them all."""

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes
        self.url = ",".join(node.url for node in nodes)

    def start(self) -> None:
        """Start all, and wait for each. Raises StartError."""
        for node in self.nodes:
            node._own().start()
        for node in self.nodes:
            self._until(node, lambda node=node: self._health(node).get("number_of_nodes") == len(self.nodes))

    def kill(self, number: int) -> None:
        """As a machine that loses its power; its data stays."""
        server = self.nodes[number]._own()
        guard = server.guard
        assert guard is not None
        (child,) = Path(f"/proc/{guard.pid}/task/{guard.pid}/children").read_text().split()
        os.kill(int(child), signal.SIGKILL)
        guard.wait()
        if guard.stdin:
            guard.stdin.close()
        server.guard = None

    def restart(self, number: int) -> None:
        """Start one, and wait until every shard has its copies again."""
        node = self.nodes[number]
        node._own().start()
        self._until(node, lambda: self._health(node).get("status") == "green" and self._whole(node))

    def close(self) -> None:
        """Kill all, and remove their data."""
        for node in self.nodes:
            node.close()

    def _whole(self, node: Node) -> bool:
        return bool(self._health(node).get("number_of_nodes") == len(self.nodes))

    def _health(self, node: Node) -> dict[str, Any]:
        with contextlib.suppress(OSError, ValueError, json.JSONDecodeError):
            status, answer = node.request("GET", "/_cluster/health", timeout=5)
            return answer if status == 200 and isinstance(answer, dict) else {}
        return {}

    def _until(self, node: Node, condition: Any) -> None:
        end = time.monotonic() + 2 * START_TIMEOUT
        while not condition():
            if not node._own().alive() or time.monotonic() > end:
                raise StartError(f"{node.url}: {self._health(node)}\n{node._own().log()}")
            time.sleep(0.2)


def three() -> Cluster:
    """A cluster that answers. To be closed. Raises MissingError, BuildError, StartError."""
    jdk = jars.plain_jdk()
    built = jars.plain(jdk)
    transports = [_free_port() for _ in range(3)]
    common = [
        "discovery.type=zen",
        "discovery.seed_hosts=" + ",".join(f"127.0.0.1:{port}" for port in transports),
        "cluster.initial_cluster_manager_nodes=n0,n1,n2",
        # A machine that has three nodes and everything else to do answers late at times.
        "cluster.follower_lag.timeout=180s",
        "cluster.publish.timeout=60s",
    ]
    nodes = []
    for number, transport in enumerate(transports):
        directory = Path(tempfile.mkdtemp(prefix="email-report-cluster-"))
        own = [f"node.name=n{number}", f"transport.port={transport}"]
        nodes.append(plain_node(jdk, built, directory, _free_port(), *common, *own))
    cluster = Cluster(nodes)
    try:
        cluster.start()
    except BaseException:
        cluster.close()
        raise
    return cluster
