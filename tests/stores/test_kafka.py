"""Kafka as a store, against a real broker in KRaft mode: acknowledged, keyed by the id, followed from."""

import contextlib
import json
import secrets
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.messages import message
from email_report_processor.stores.follow import Cursor, Log, Sent, send_on
from email_report_processor.stores.kafka import KafkaOptions, KafkaStore
from email_report_processor.stores.opening import open_store
from email_report_processor.stores.query import And
from email_report_processor.stores.store import Question, Row, Selection, Store, StoreError, Written
from tests.conftest import Program, missing
from tests.kafka.broker import Broker, kafka
from tests.opensearch.jars import MissingError
from tests.stores.documents import rows
from tests.stores.test_follow import Target, ids, row, target_store


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    try:
        made = kafka()
    except MissingError as error:
        missing(str(error))
    with contextlib.closing(made.server):
        yield made


@pytest.fixture
def topic(broker: Broker) -> str:
    return broker.topic(f"reports-{secrets.token_hex(4)}")


@pytest.fixture
def store(topic: str) -> Iterator[KafkaStore]:
    with contextlib.closing(opened(topic)) as made:
        yield made


def opened(topic: str, **options: Any) -> KafkaStore:
    group = topic.rpartition("/")[2]
    budget = options.pop("budget", 30.0)
    return KafkaStore(topic, KafkaOptions(group=group, **options), budget=budget)


def test_written_and_read_back(store: KafkaStore) -> None:
    some = rows(2000)
    assert store.write(some) == Written(2001, 0)
    found = {one.id: one for one in store.scan()}
    assert len(found) == 2001
    for one in some:
        assert (found[one.id].index, json.loads(found[one.id].source)) == (one.index, json.loads(one.source))


def test_the_key_is_the_id_and_what_comes_again_has_the_same(store: KafkaStore, topic: str) -> None:
    import confluent_kafka

    store.write([row(1), row(2)])
    again = opened(topic)
    again.write([row(1)])
    again.close()
    found = Counter(one.id for one in store.scan())
    assert found == {row(1).id: 2, row(2).id: 1}
    place, _, name = topic.removeprefix("kafka://").partition("/")
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": place, "group.id": "keys", "auto.offset.reset": "earliest", "enable.auto.commit": False}
    )
    consumer.subscribe([name])
    keys: list[Any] = []
    while len(keys) < 3:
        keys += [(one.key(), one.partition()) for one in consumer.consume(3, 5)]
    consumer.close()
    assert Counter(key.decode() for key, _ in keys) == found
    assert len(set(keys)) == 2  # the same key goes to the same partition: a compacted topic keeps one


@pytest.mark.long
def test_the_broker_restarts_in_mid_write(broker: Broker, store: KafkaStore) -> None:
    started = threading.Event()

    def start() -> None:
        broker.start()
        started.set()

    def while_it_restarts() -> Iterator[Row]:
        for number in range(20_000):
            if number == 9000:
                broker.stop()
                threading.Thread(target=start).start()
            yield row(number)

    assert store.write(while_it_restarts()) == Written(20_000, 0)
    assert started.wait(120)
    found = Counter(one.id for one in store.scan())
    assert found == dict.fromkeys(ids(range(20_000)), 1)  # idempotent: also not twice


def test_nobody_there() -> None:
    store = KafkaStore("kafka://127.0.0.1:1/reports", KafkaOptions(), budget=0.5, insists=True)
    with pytest.raises(StoreError, match=r"kafka://127.0.0.1:1/reports: .*refused"):
        store.write([row(1)])
    waiting = KafkaStore("kafka://127.0.0.1:1,127.0.0.1:2/reports", KafkaOptions(), budget=600)
    with pytest.raises(StoreError, match=r"refused.*\(tried twice\)"):
        waiting.write([row(1)])
    waiting.close()
    with pytest.raises(StoreError, match="see that the brokers run"):
        next(store.scan())
    store.close()


def test_no_such_topic(broker: Broker) -> None:
    store = opened(f"kafka://{broker.place}/absent", budget=1)
    with pytest.raises(StoreError, match="is the topic there"):
        store.write([row(1)])
    with pytest.raises(StoreError, match="make the topic"):
        store.probe()
    store.close()


def test_what_is_too_large_is_refused_alone(store: KafkaStore) -> None:
    large = row(2)._replace(source=b'{"x":"' + secrets.token_hex(1_500_000).encode() + b'"}')
    written = store.write([row(1), large, row(3)])
    assert (written.stored, [one.row.id for one in written.rejected]) == (2, [row(2).id])


def follow(store: Store, target: Target, state: Path) -> Sent:
    assert isinstance(store, Log)
    with contextlib.closing(Cursor(str(state), store.name, "target", "")) as cursor:
        return send_on(store, target_store(target), cursor)


@pytest.mark.long
def test_followed_and_nothing_is_lost(store: KafkaStore, tmp_path: Path) -> None:
    target = Target()
    assert follow(store, target, tmp_path).written == Written(0, 0)
    store.write(row(number) for number in range(1700))
    target.fail = ["", "before", "", "after"]
    failed = 0
    while not failed or len(target.came) < 1700:
        try:
            follow(store, target, tmp_path)
        except StoreError:
            failed += 1
    assert failed == 2
    store.write([row(number) for number in range(1690, 1710)])  # some of them come again
    follow(store, target, tmp_path)
    assert set(target.came) == ids(range(1710))
    doubled = [one for one, number in target.came.items() if number > 1]
    assert len(doubled) <= 500  # one page, whose answer was lost


def test_a_round_ends_where_the_topic_ended(
    store: KafkaStore, topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the first pages are empty, since nothing was fetched yet; and some partitions stay empty."""
    from email_report_processor.stores import kafka as module

    monkeypatch.setattr(module, "_QUIET", 0.001)
    target = Target()
    store.write([row(1), row(2)])
    for number in (3, 4):
        other = opened(topic)
        assert follow(other, target, tmp_path).complete
        other.close()
        assert set(target.came) == ids(range(1, number))
        store.write([row(number)])


def test_another_process_goes_on_where_one_stood(store: KafkaStore, topic: str, tmp_path: Path) -> None:
    target = Target()
    store.write(row(number) for number in range(600))
    follow(store, target, tmp_path / "one")
    store.close()
    other = opened(topic)
    other.write([row(1000)])
    follow(other, target, tmp_path / "two")  # a cursor that knows nothing: Kafka does
    other.close()
    assert target.came == dict.fromkeys(ids([*range(600), 1000]), 1)


def test_what_is_no_document_is_passed_over(store: KafkaStore, tmp_path: Path) -> None:
    producer = store._made_producer()
    for value in (b"", b"no JSON", b"[]", b'{"_index":1}', None):
        producer.produce(store._topic, value=value)
    producer.flush(10)
    store.write([row(1)])
    target = Target()
    follow(store, target, tmp_path)
    assert set(target.came) == {row(1).id}


def test_it_answers_no_questions(store: KafkaStore) -> None:
    for ask in (lambda: store.totals(Question("arf")), lambda: store.select(Selection(And()))):
        with pytest.raises(StoreError, match="cannot be read back"):
            ask()


@pytest.mark.parametrize("url", ["kafka://host", "kafka://host/a/b", "kafka:///topic", "kafka://host/t?x=hunter2"])
def test_urls_that_are_none(url: str) -> None:
    with pytest.raises(ValueError, match="not a URL") as caught:
        open_store(url)
    assert "hunter2" not in str(caught.value)
    with pytest.raises(ValueError, match="credentials do not belong"):
        open_store("kafka://me:hunter2@host/topic")


def test_what_is_said_to_librdkafka(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("known\n")
    options = KafkaOptions(username="me", password_file=str(tmp_path / "password"), properties={"client.id": "x"})
    common = KafkaStore("kafka://a,b:9093/t", options)._common()
    assert common["bootstrap.servers"] == "a:9092,b:9093"
    assert (common["security.protocol"], common["sasl.mechanism"]) == ("SASL_SSL", "SCRAM-SHA-512")
    assert (common["sasl.password"], common["client.id"]) == ("known", "x")
    assert KafkaStore("kafka://a/t", KafkaOptions())._common()["security.protocol"] == "SSL"
    assert KafkaStore("kafka://127.0.0.1/t", KafkaOptions())._common()["security.protocol"] == "PLAINTEXT"
    with pytest.raises(ValueError, match="are not to be changed"):
        KafkaStore("kafka://a/t", KafkaOptions(properties={"acks": "0"}))


def test_the_client_waits_until_it_is_used() -> None:
    code = "import sys; from email_report_processor.stores.opening import open_store; "
    code += "open_store('kafka://127.0.0.1/x'); print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"confluent_kafka", "sqlite3", "ssl"} & set(said.stdout.split())


def test_filter_to_kafka_to_another_store(run_filter: Program, run_admin: Program, topic: str, tmp_path: Path) -> None:
    group = topic.rpartition("/")[2]
    settings = f'[kafka]\ngroup = "{group}"\n'
    target = tmp_path / "target.sqlite"
    for number in (3, 5, 3):  # the last one comes a second time
        assert run_filter(message(number), store=topic, settings=settings).status == 0
    once = ("copy", "--follow", "--once", f"--from={topic}", f"--to=sqlite:{target}")
    done = run_admin(b"", *once, settings=settings)
    assert done.status == 0, done.stderr
    with contextlib.closing(sqlite3.connect(target)) as connection:
        assert connection.execute("SELECT count(*) FROM documents").fetchone()[0] == 10
    assert run_admin(b"", *once, settings=settings).stdout == "0 sent on, 0 already there\n"
