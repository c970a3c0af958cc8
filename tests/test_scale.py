"""At scale: three nodes, four filters and an import at once, while nodes are killed and restarted: every row once.

EMAIL_REPORT_TEST_SCALE_ROWS=1000000 is the size of docs/scale.md; without it a test is over in some minutes.
"""

import contextlib
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.messages import message
from email_report_processor.reports.reading import read_message
from email_report_processor.stores.opening import open_store
from tests.conftest import Program, missing
from tests.kafka.broker import kafka
from tests.opensearch.jars import MissingError
from tests.opensearch.three import Cluster, three

ROWS = int(os.environ.get("EMAIL_REPORT_TEST_SCALE_ROWS", "40000"))
FILTERS = 4
SMALL, LARGE = 20, 1000  # rows of a message that is piped, of one that is imported
PIPED = 1000  # messages at most: each is a process, and a million rows of them would take an hour

pytestmark = [pytest.mark.long, pytest.mark.timeout(7200)]


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    try:
        made = three()
    except MissingError as error:
        missing(str(error))
    with contextlib.closing(made):
        yield made


class Mail:
    """What the filters get: each message until it is taken, as a mail server does, and a second time at the end."""

    def __init__(self, run: Program, store: str, number: int) -> None:
        self._run = run
        self._store = store
        self._lock = threading.Lock()
        self._left = [message(SMALL, f"small-{one}") for one in range(number)]
        self._again = [*self._left]
        self.statuses: Counter[int] = Counter()
        self.taken = 0

    def next(self, *, more: bool) -> bytes | None:
        """The next message; when all are done, one that was taken before, as long as there is to be more."""
        with self._lock:
            if self._left:
                return self._left.pop()
            return self._again[self.statuses.total() % len(self._again)] if more else None

    def pipe(self, busy: Callable[[], bool]) -> None:
        """One filter after the other, until all is taken and nothing else goes on."""
        while (mail := self.next(more=busy())) is not None:
            status = self._run(mail, store=self._store, timeout=600).status
            with self._lock:
                self.statuses[status] += 1
                self.taken += status == 0
                if status:
                    self._left.append(mail)


def expected(number: int, prefix: str, rows: int) -> set[str]:
    """The ids of everything in so many messages."""
    return {
        document.id
        for one in range(number)
        for report in read_message(message(rows, f"{prefix}-{one}")).reports
        for document in report.documents()
    }


def trouble(cluster: Cluster, progress: Callable[[], int]) -> None:
    """Two nodes die in mid-run and come back, then each is restarted in turn; something is stored in between."""

    def moved(by: int) -> None:
        least, end = progress() + by, time.monotonic() + 300
        while progress() < least and time.monotonic() < end:
            time.sleep(0.1)

    for number in (1, 2):
        moved(5)
        cluster.kill(number)
        moved(3)
        cluster.restart(number)
    for number in (0, 1, 2):
        cluster.nodes[number].stop()
        moved(1)
        cluster.restart(number)


def stored(cluster: Cluster) -> Counter[str]:
    """How often each id is there."""
    cluster.nodes[0].ask("POST", "/email-report-*/_refresh")
    with contextlib.closing(open_store(cluster.url)) as store:
        return Counter(row.id for row in store.scan())


def test_every_row_once_whatever_node_dies(run_filter: Program, cluster: Cluster, tmp_path: Path) -> None:
    small = min(PIPED, max(20, ROWS // 5 // SMALL))
    imports = max(1, (ROWS - small * SMALL) // LARGE)
    directory = tmp_path / "mail"
    directory.mkdir()
    for one in range(imports):
        (directory / f"{one:05}.eml").write_bytes(message(LARGE, f"large-{one}"))
    mail = Mail(run_filter, cluster.url, small)
    over = threading.Event()
    filters = [threading.Thread(target=mail.pipe, args=(lambda: not over.is_set(),)) for _ in range(FILTERS)]
    statuses: list[int] = []

    def bring_in() -> None:
        while not statuses or statuses[-1] == 75:
            done = run_filter(b"", str(directory), "--patience=600", store=cluster.url, timeout=7000)
            statuses.append(done.status)

    bringing = threading.Thread(target=bring_in)
    began = time.monotonic()
    for thread in (*filters, bringing):
        thread.start()
    try:
        trouble(cluster, lambda: mail.taken)
        bringing.join()
    finally:
        over.set()
    for thread in filters:
        thread.join()
    seconds = time.monotonic() - began
    wanted = expected(imports, "large", LARGE) | expected(small, "small", SMALL)
    found = stored(cluster)
    print(f"{len(wanted)} documents, {seconds:.0f} s, filters {dict(mail.statuses)}, import {statuses}")
    assert set(mail.statuses) <= {0, 75}
    assert statuses[-1] == 0
    assert set(statuses) <= {0, 75}
    assert found == dict.fromkeys(wanted, 1)


def test_with_kafka_in_front(run_filter: Program, run_admin: Program, cluster: Cluster) -> None:
    """The filters never wait for OpenSearch; the follower is killed, too, and the broker restarted."""
    small = min(PIPED, max(40, ROWS // 10 // SMALL))
    try:
        broker = kafka()
    except MissingError as error:
        missing(str(error))
    with contextlib.closing(broker.server):
        topic = broker.topic("reports")
        mail = Mail(run_filter, topic, small)
        over = threading.Event()
        filters = [threading.Thread(target=mail.pipe, args=(lambda: not over.is_set(),)) for _ in range(FILTERS)]
        follow = ("copy", "--follow", f"--from={topic}", f"--to={cluster.url}", "--every=0.5")
        follower = run_admin.start(*follow)
        for thread in filters:
            thread.start()
        try:
            trouble(cluster, lambda: mail.taken)
            follower.kill()
            follower.communicate()
            broker.stop()
            broker.start()
            follower = run_admin.start(*follow)
        finally:
            over.set()
            for thread in filters:
                thread.join()
            follower.terminate()
            _, said = follower.communicate(timeout=600)
        assert follower.returncode == 0, said
        once = run_admin(b"", *follow, "--once", timeout=600)
        assert once.status == 0, once.stderr
        assert set(mail.statuses) <= {0, 75}
        assert stored(cluster) == dict.fromkeys(expected(small, "small", SMALL), 1)
