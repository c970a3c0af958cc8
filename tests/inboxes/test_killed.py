"""Workers and the listener killed at random moments, under load: nothing lost, nothing twice."""

import contextlib
import os
import random
import signal
import sqlite3
import threading
import time
from collections import Counter, deque
from pathlib import Path

import pytest

from benchmarks import messages
from email_report_processor.stores import kept
from tests.conftest import Program
from tests.lmtp import Client, Listener, codes

SENDERS = 6


class Queue:
    """A mail server's queue: a message leaves it with 250, and with nothing else."""

    def __init__(self, path: Path, number: int) -> None:
        self.path = path
        self.waiting = deque(messages.message(1 + one % 5, f"k{one}") for one in range(number))
        self.answers: Counter[str] = Counter()
        self._senders = [threading.Thread(target=self._send) for _ in range(SENDERS)]
        for sender in self._senders:
            sender.start()

    def join(self) -> None:
        """Until it is empty."""
        for sender in self._senders:
            sender.join()

    def _send(self) -> None:
        client: Client | None = None
        while True:
            try:
                message = self.waiting.popleft()
            except IndexError:
                break
            try:
                if client is None:
                    client = Client(self.path)
                    client.hello()
                (code,) = codes(client.send(message))
            except (OSError, AssertionError):  # hung up, or not there
                code = ""
                time.sleep(0.02)  # as a mail server tries again after a while
            self.answers[code] += 1
            if code != "250":
                self.waiting.append(message)
            if code == "" and client:
                client.close()
                client = None
        if client:
            client.close()


def in_store(path: Path) -> Counter[str]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return Counter(
            one for (one,) in connection.execute("SELECT json_extract(source, '$.report.id') FROM documents")
        )


def killed(program: Program, state: Path, number: int, workers: int, listeners: int) -> None:
    chance = random.Random(number)
    store = f"sqlite:{state}/r.sqlite"
    listener = Listener(program, store=store)
    queue = Queue(listener.path, number)
    moments = ["worker"] * workers + ["listener"] * listeners
    chance.shuffle(moments)
    for moment in moments:
        time.sleep(chance.uniform(0, 0.3))
        if moment == "listener":
            listener.process.kill()
            listener.process.communicate()
            listener = Listener(program, store=store)
        else:
            with contextlib.suppress(ProcessLookupError, IndexError):
                os.kill(chance.choice(listener.workers()), signal.SIGKILL)
    queue.join()
    assert listener.stop() == 0
    print(f"answers: {dict(queue.answers)}")
    assert queue.answers["250"] == number
    assert in_store(state / "r.sqlite") == {f"k{one}": 2 + one % 5 for one in range(number)}
    assert list(kept.listing(kept.directory(state))) == []


def test_10_workers_and_2_listeners(run_filter: Program, state: Path) -> None:
    killed(run_filter, state, 300, 10, 2)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_100_workers_and_20_listeners(run_filter: Program, state: Path) -> None:
    killed(run_filter, state, 6000, 100, 20)


def test_the_same_message_on_all_connections(run_filter: Program, state: Path) -> None:
    message = messages.message(5, "same")
    answers: list[str] = []
    with Listener(run_filter, store=f"sqlite:{state}/r.sqlite") as listener:

        def send() -> None:
            with listener.client() as client:
                for _ in range(20):
                    answers.extend(codes(client.send(message)))

        senders = [threading.Thread(target=send) for _ in range(20)]
        for one in senders:
            one.start()
        for one in senders:
            one.join()
        assert answers == ["250"] * 400
        assert sum(line.count("stored=6, already=0") for line in listener.said.splitlines()) <= 1
    assert in_store(state / "r.sqlite") == {"same": 6}
