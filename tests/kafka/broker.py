"""A Kafka broker of this run alone: one process that is broker and controller, on free loopback ports."""

import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import confluent_kafka
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.nodes import Server, StartError, _free_port
from tests.opensearch import jars

START_TIMEOUT = 120  # seconds; 4 to 10 are usual
_CLUSTER = "5L6g3nShT-eMCtK--X86sw"  # any 16 bytes in base64url
_SETTINGS = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={directory}/data
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.replication.factor=1
"""


class Broker:
    """The broker, which may be stopped and started."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.place = f"127.0.0.1:{server.port}"

    def start(self) -> None:
        """Start, and wait until it answers. Raises StartError."""
        self.server.start()
        end = time.monotonic() + START_TIMEOUT
        while not self._answers():
            if not self.server.alive() or time.monotonic() > end:
                raise StartError(f"Kafka did not start:\n{self.server.log()}")

    def stop(self) -> None:
        """Stop, and keep the data."""
        self.server.stop()

    def topic(self, name: str, partitions: int = 3) -> str:
        """A new topic, as the program names it."""
        admin = self._admin()  # lives until it has answered
        (made,) = admin.create_topics([NewTopic(name, partitions, 1)]).values()
        made.result(60)
        return f"kafka://{self.place}/{name}"

    def _admin(self) -> AdminClient:
        quiet: dict[str, Any] = {"log_level": 0, "error_cb": lambda _: None}
        return AdminClient({"bootstrap.servers": self.place, **quiet})

    def _answers(self) -> bool:
        try:
            return bool(self._admin().list_topics(timeout=1).brokers)
        except confluent_kafka.KafkaException:
            return False


def kafka() -> Broker:
    """A broker that answers. To be closed by `server.close`. Raises MissingError, BuildError, StartError."""
    jdk = jars.plain_jdk()
    built = jars.kafka(jdk)
    directory = Path(tempfile.mkdtemp(prefix="email-report-kafka-"))
    port = _free_port()
    settings = directory / "settings"
    settings.write_text(_SETTINGS.format(directory=directory, port=port, controller=_free_port()))
    classes = f"{built}/lib/*"
    java = [jdk.java, "-Xmx256m", "-XX:-UsePerfData", "-cp", classes]
    broker = Broker(Server(directory, port, [*java, "kafka.Kafka", str(settings)]))
    try:
        _format(java, str(settings))
        broker.start()
    except BaseException:
        broker.server.close()
        raise
    return broker


def _format(java: list[str], settings: str) -> None:
    """Make the data directory, as KRaft wants it. Raises StartError."""
    command = [*java, "kafka.tools.StorageTool", "format", "-t", _CLUSTER, "-c", settings]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StartError(f"Kafka cannot format its directory:\n{done.stdout}{done.stderr}")
