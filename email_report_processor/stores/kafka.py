"""`kafka://HOST:9092/TOPIC`: each document a message, its key the id. The only module that imports confluent-kafka.

acks=all and an idempotent producer: a message is written once, to all replicas that are in step, before it is answered
for. A process that dies in mid-write, and is run again, writes its messages again, under the same keys: a compacted
topic keeps one, and `copy --follow` from the topic makes them one. Extra [kafka].
"""

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from . import secret
from .ndjson import line
from .others import Chosen
from .patience import A_MOMENT
from .store import Rejected, Row, Store, StoreError, Written
from .unreadable import Unreadable

if TYPE_CHECKING:
    from .follow import Entry, Known, Place

_FORM = "kafka://HOST[:PORT][,HOST…]/TOPIC"
_WINDOW = 5000  # messages on their way
_PAGE = 500  # messages that are read at once
_QUIET = 1.0  # seconds until a page is as full as it is
_STUCK = 60.0  # seconds in which there must be something, when there is something
_MINE = frozenset({"bootstrap.servers", "acks", "enable.idempotence", "group.id", "enable.auto.commit"})


class KafkaOptions(NamedTuple):
    """What is special to Kafka."""

    username: str = ""  # for SASL
    password_file: str = ""  # file whose first line is the password
    mechanism: str = "SCRAM-SHA-512"  # of SASL, where there is a username
    encrypted: bool = True  # false: without TLS, as on this machine
    ca_file: str = ""  # certificates (PEM) to trust instead of the system's
    group: str = "email-report-processor"  # of consumers, for `copy --follow --from kafka://…`
    properties: Mapping[str, str] = {}  # others of librdkafka


def open_url(url: str, chosen: Chosen) -> Store:
    """See others.open_other."""
    return KafkaStore(url, chosen.options("kafka", KafkaOptions), budget=chosen.budget, insists=chosen.insists)


class KafkaStore(Unreadable):
    """A topic. Connects when it is used. Raises ValueError.

    budget: seconds that one `write` may wait. insists: wait for all of it, also where no broker takes the connection.
    """

    def __init__(self, url: str, options: KafkaOptions, *, budget: float = 30.0, insists: bool = False) -> None:
        if "@" in url:
            raise ValueError("credentials do not belong into the URL, where logs show them: see the section [kafka]")
        parts = urlsplit(url)
        topic = parts.path.strip("/")
        if not parts.netloc or not topic or "/" in topic or parts.query:
            raise ValueError(f"not a URL of the form {_FORM}")
        if set(options.properties) & _MINE:
            raise ValueError(f"[kafka] properties: {', '.join(sorted(_MINE))} are not to be changed")
        self.name = f"kafka://{parts.netloc}/{topic}"
        self._servers = ",".join(one if ":" in one else f"{one}:9092" for one in parts.netloc.split(","))
        self._topic = topic
        self._options = options
        self._budget = budget
        self._producer: Any = None
        self._consumer: Any = None
        self._last = ""  # what librdkafka said last
        self._insists = insists
        self._refused = 0.0  # since when no broker takes a connection; 0: one may

    def write(self, rows: Iterable[Row]) -> Written:
        """See Store. Raises StoreError when one of them may not be there."""
        producer = self._made_producer()
        result = _Result()
        for row in rows:
            self._produce(producer, row, result)
            if result.failed:
                break
            if result.sent - result.answered >= _WINDOW:
                self._drain(producer, result, _WINDOW // 2)
        self._drain(producer, result, 0)
        if result.failed:
            raise StoreError(f"{self.name}: {result.failed}: see that the brokers run and the topic is there")
        return Written(result.stored, 0, tuple(result.rejected))

    def _produce(self, producer: Any, row: Row, result: "_Result") -> None:
        def heard(error: Any, _message: Any) -> None:
            result.answered += 1
            if error is None:
                result.stored += 1
            elif error.name() == "MSG_SIZE_TOO_LARGE":
                result.rejected.append(Rejected(row, error.str()))
            else:
                result.failed = result.failed or self._said(error)

        import confluent_kafka  # loaded by then

        try:
            producer.produce(self._topic, key=row.id, value=line(row).rstrip(b"\n"), on_delivery=heard)
            result.sent += 1
        except confluent_kafka.KafkaException as error:
            result.sent += 1
            heard(error.args[0], None)
        producer.poll(0)

    def _drain(self, producer: Any, result: "_Result", to: int) -> None:
        """Wait until no more than so many are on their way. librdkafka gives each up after the budget."""
        until = time.monotonic() + self._budget + 5
        while result.sent - result.answered > to and not result.failed:
            producer.poll(0.2)
            if self._refused and not (self._insists or result.answered) and _is_past(self._refused):
                result.failed = f"{self._last} (tried twice)"
            if time.monotonic() > until:
                result.failed = self._last or f"gave no answer within {self._budget:g} s"
        if result.failed:
            self.close()

    def _said(self, error: Any) -> str:
        """A time-out is all that is heard of a message; why stands elsewhere."""
        if error.name() != "_MSG_TIMED_OUT":
            return str(error.str())
        return f"{error.str()}: {self._last or 'the brokers answer, but do not take it; is the topic there?'}"

    def scan(self, after: tuple[str, str] | None = None) -> Iterator[Row]:
        """Every message of the topic as it is now; in no order, and some ids twice."""
        kafka = self._module()
        consumer = kafka.Consumer(self._consuming(f"{self._options.group}-scan"))
        try:
            places = self._ends(kafka, consumer)
            consumer.assign([kafka.TopicPartition(self._topic, one, first) for one, (first, _) in places.items()])
            left = {one for one, (first, end) in places.items() if first < end}
            while left:
                for message in consumer.consume(_PAGE, _QUIET):
                    if (row := self._row(message)) is not None:
                        yield row
                    if message.offset() + 1 >= places[message.partition()][1]:
                        left.discard(message.partition())
        finally:
            consumer.close()

    def _ends(self, kafka: Any, consumer: Any) -> dict[int, tuple[int, int]]:
        """Partition -> the first message that is there, and the one after the last."""
        try:
            topic = consumer.list_topics(self._topic, self._budget).topics[self._topic]
            if topic.error is not None:
                raise StoreError(f"{self.name}: {topic.error.str()}: make the topic, or correct its name")
            return {
                one: consumer.get_watermark_offsets(kafka.TopicPartition(self._topic, one), self._budget)
                for one in topic.partitions
            }
        except kafka.KafkaException as error:
            raise StoreError(f"{self.name}: {error.args[0].str()} {self._last}: see that the brokers run") from error

    def log(self, place: "Place", since: str, known: "Known") -> "Iterator[list[Entry]]":
        """See follow.Log. Where it stands is known to Kafka: the group's offsets, which move when a page is safe."""
        kafka = self._module()
        consumer = self._joined(kafka)
        safe = False
        try:
            ends = self._ends(kafka, consumer)  # what comes later is for the next round
            heard = time.monotonic()
            while not self._at_end(consumer, ends):
                messages = consumer.consume(_PAGE, _QUIET)
                yield from self._new(messages, known)
                if messages:
                    consumer.commit(asynchronous=False)
                    heard = time.monotonic()
                elif time.monotonic() - heard > _STUCK:
                    raise StoreError(f"{self.name} gives nothing for {_STUCK:g} s: {self._last or 'see the brokers'}")
            safe = True
        except kafka.KafkaException as error:
            raise StoreError(f"{self.name}: {error.args[0].str()} {self._last}: see that the brokers run") from error
        finally:
            if not safe:  # the page is not committed: the next round begins with it
                consumer.close()
                self._consumer = None

    def _at_end(self, consumer: Any, ends: Mapping[int, tuple[int, int]]) -> bool:
        """Whether everything up to there was read, of the partitions that are ours."""
        mine = consumer.assignment()
        if not mine:
            return False  # not yet: the group is being joined
        places = {one.partition: one.offset for one in consumer.position(mine)}
        if min(places.values()) < 0:  # where nothing was read yet
            stood = {one.partition: one.offset for one in consumer.committed(mine, self._budget)}
            places = {one: at if at >= 0 else stood[one] for one, at in places.items()}
        return all(max(at, ends.get(one, (0, 0))[0]) >= ends.get(one, (0, 0))[1] for one, at in places.items())

    def _new(self, messages: list[Any], known: "Known") -> "Iterator[list[Entry]]":
        from .follow import Entry, pages

        rows = {row.id: row for row in map(self._row, messages) if row is not None}
        entries = (Entry(row, json.loads(row.source).get("event", {}).get("ingested", "")) for row in rows.values())
        yield from pages(entries, known)

    def _row(self, message: Any) -> Row | None:
        """A document; None for what is none of ours. Raises StoreError for an error in the place of a message."""
        if message.error() is not None:
            raise StoreError(f"{self.name}: {message.error().str()}: see that the brokers run and the topic is there")
        try:
            value = json.loads(message.value() or b"")
            source = json.dumps(value["_source"], ensure_ascii=False, separators=(",", ":"))
            return Row(str(value["_index"]), str(value["_id"]), source.encode())
        except (ValueError, KeyError, TypeError):
            return None

    def _joined(self, kafka: Any) -> Any:
        """A member of the group that has its partitions. Raises StoreError."""
        if self._consumer is None:
            self._consumer = kafka.Consumer(self._consuming(self._options.group))
            self._consumer.subscribe([self._topic])
        return self._consumer

    def probe(self) -> None:
        """Ask for the topic. Raises StoreError."""
        kafka = self._module()
        consumer = kafka.Consumer(self._consuming(f"{self._options.group}-probe"))
        try:
            self._ends(kafka, consumer)
        finally:
            consumer.close()

    def close(self) -> None:
        """See Store."""
        producer, self._producer = self._producer, None
        consumer, self._consumer = self._consumer, None
        if producer is not None:
            producer.purge()
            producer.flush(1)
        if consumer is not None:
            consumer.close()

    def _made_producer(self) -> Any:
        if self._producer is None:
            wait = max(1000, int(self._budget * 1000))
            # linger: a process for each message has nothing to wait for.
            more = {"acks": "all", "enable.idempotence": True, "message.timeout.ms": wait, "linger.ms": 5}
            self._producer = self._module().Producer({**self._common(), **more, "compression.type": "zstd"})
        return self._producer

    def _consuming(self, group: str) -> dict[str, Any]:
        more = {"group.id": group, "enable.auto.commit": False, "auto.offset.reset": "earliest"}
        return {**self._common(), **more, "max.poll.interval.ms": 900_000, "allow.auto.create.topics": False}

    def _common(self) -> dict[str, Any]:
        options = self._options
        made: dict[str, Any] = {"bootstrap.servers": self._servers, "error_cb": self._hear, "log_level": 0}
        if options.username:
            password = secret.read(options.password_file, "[kafka] password_file")
            made |= {"sasl.mechanism": options.mechanism, "sasl.username": options.username, "sasl.password": password}
        encrypted = options.encrypted and not self._on_loopback()
        sasl = "SASL_" if options.username else ""
        made["security.protocol"] = sasl + ("SSL" if encrypted else "PLAINTEXT")
        if encrypted and options.ca_file:
            made["ssl.ca.location"] = options.ca_file
        return made | dict(options.properties)

    def _on_loopback(self) -> bool:
        return all(one.rpartition(":")[0] in {"127.0.0.1", "localhost", "[::1]"} for one in self._servers.split(","))

    def _hear(self, error: Any) -> None:
        """librdkafka tries again by itself, ten times a second at first; it says so when it has tried all brokers."""
        if error.name() == "_ALL_BROKERS_DOWN":
            nobody = any(word in self._last for word in ("refused", "resolve", "unreachable"))
            self._refused = (self._refused or time.monotonic()) if nobody else 0.0
        else:
            self._last = error.str()

    def _module(self) -> Any:
        try:
            import confluent_kafka  # 60 ms
        except ImportError as error:
            raise StoreError(
                f"{self.name} needs confluent-kafka: pip install 'email-report-processor[kafka]'"
            ) from error
        return confluent_kafka


def _is_past(since: float) -> bool:
    return time.monotonic() - since > A_MOMENT


class _Result:
    """What became of the messages of one `write`."""

    def __init__(self) -> None:
        self.sent = self.answered = self.stored = 0
        self.rejected: list[Rejected] = []
        self.failed = ""
