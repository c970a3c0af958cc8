"""Views of the desk over failure documents: time beside what the store itself takes, and memory over many requests.

`python -m benchmarks desk`: 100,000 documents in the embedded store and, where a node runs, in OpenSearch. Each view is
asked 50 times; printed is the median, and the median of what the store took of it: CPU time with the embedded store,
which works in the same process, else time. Then a server of its own answers 10,000 requests, and its memory is read on
the way; `python -m benchmarks.desk 100000 50 0` leaves that out.
"""

import http.client
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from email_report_processor.desk.web.app import make_app
from email_report_processor.desk.web.start import make_desk
from email_report_processor.settings import Setting, Settings
from email_report_processor.stores.opening import open_store
from email_report_processor.stores.opensearch import OpenSearchStore
from email_report_processor.stores.store import Found, Question, Row, Selection, Store, Total
from tests import nodes

NUMBER, TIMES, REQUESTS = 100_000, 50, 10_000
PREFIX = "erp-bench-desk-"
VIEWS = (
    "/",
    "/failures",
    "/failures?q=class:spoof+since:7d",
    "/failures?q=",
    "/campaigns",
    "/networks",
    "/networks?q=",
    "/urls",
    "/urls/export/rpz",
    "/hosts/203.0.7.7",
    "/message/{id}",
)
LIMITS = {"sqlite": 500.0, "opensearch": 300.0}  # milliseconds of a view
RATIO, BESIDE = 1.5, 150.0  # of the store's own time; or so many milliseconds beside it: campaigns are found here

_DOCUMENT = (
    '{"@timestamp":"%s","event":{"dataset":"dmarc-failure","ingested":"%s"},"schema_version":1,'
    '"report":{"from_domain":"r.example","message_id":"%d@r.example","feed":"ruf","authentication":"pass",'
    '"format":"rfc6591"},"source":{"ip":"203.0.%d.%d","as":{"number":%d,"organization":{"name":"Network %d"}},'
    '"geo":{"country_iso_code":"%s"}},"count":1,"feedback":{"type":"auth-failure","auth_failure":["dmarc"],'
    '"delivery_result":"%s","reported_domain":["example.org"],"user_agent":"Reporter/1.0"},'
    '"sample":{"from":"ceo@example.org","to":["user%d@receiver.example"],"subject":"Invoice %d overdue, case %d",'
    '"message_id":"%d@bad.example","headers_only":true,"headers":"%s"},'
    '"url":{"full":["https://h%d.phish.example/%d"],"domain":["h%d.phish.example"]},"class":"%s","class_rule":"F9"}'
)
_HEADER = "\\n".join(f"X-Field-{number}: {'x' * 60}" for number in range(15))
_COUNTRIES = ("US", "DE", "BR", "VN", "IN", "CN", "RU", "FR", "GB", "ID", "NL", "SG")


def rows(number: int, prefix: str) -> Iterator[Row]:
    """Failure documents of ninety days up to now."""
    dice = random.Random(7)
    now = datetime.now(UTC)
    for one in range(number):
        at = now - timedelta(seconds=one * 90 * 86400 // number)
        moment = f"{at:%Y-%m-%dT%H:%M:%SZ}"
        host, net = dice.randrange(20_000), dice.randrange(400)
        source = _DOCUMENT % (
            *(moment, moment, one, host % 256, host // 256, 64500 + host % 300, host % 300),
            *(_COUNTRIES[host % 12], dice.choice(("reject", "reject", "spam", "delivered")), one % 5000),
            *(net, one, one, _HEADER, net, one % 50, net, dice.choice(("spoof", "spoof", "forwarded", "mailing-list"))),
        )
        yield Row(f"{prefix}dmarc-failure-{at:%Y.%m}", f"{one:040x}", source.encode())


class Timed:
    """A store that adds up how long it takes."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self.name = store.name
        self.seconds = 0.0
        self._store = store
        self._clock = clock

    def totals(self, question: Question) -> list[Total]:
        """See Store."""
        begin = self._clock()
        try:
            return self._store.totals(question)
        finally:
            self.seconds += self._clock() - begin

    def select(self, selection: Selection, after: tuple[Any, ...] = ()) -> Iterator[Found]:
        """See Store."""
        found = iter(self._store.select(selection, after))
        while True:
            begin = self._clock()
            one = next(found, None)
            self.seconds += self._clock() - begin
            if one is None:
                return
            yield one


class Measured(NamedTuple):
    """One view: medians in milliseconds."""

    view: str
    whole: float
    store: float


def views(url: str, prefix: str, state: Path, times: int, clock: Callable[[], float]) -> list[Measured]:
    """Ask each view so often."""
    given = {"store": {"url": url, "index_prefix": prefix}, "state": {"dir": str(state)}}
    table = {name: {key: Setting(value, "bench") for key, value in one.items()} for name, one in given.items()}
    made = make_desk(Settings(table, ()), lambda _level, _text: None)
    timed = Timed(made.desk.stores.get(), clock)
    made.desk.stores._own.store = timed
    client = make_app(made.desk).test_client()
    _enter(client, made.token)
    found = []
    for view in VIEWS:
        path = view.format(id=f"{7:040x}")
        wholes, stores = [], []
        for _ in range(times):
            timed.seconds = 0.0
            begin = clock()
            answer = client.get(path)
            wholes.append(1000 * (clock() - begin))
            stores.append(1000 * timed.seconds)
            assert answer.status_code == 200, answer.text
        found.append(Measured(view, statistics.median(wholes), statistics.median(stores)))
    return found


def _enter(client: Any, token: str) -> None:
    page = client.get(f"/enter/{token}").text
    form = re.search(r'name="form_token" value="([^"]+)"', page)
    assert form
    assert client.post("/enter", data={"form_token": form[1], "token": token}).status_code == 303


def show(kind: str, found: list[Measured]) -> bool:
    """Print, and say whether the targets were met."""
    met = True
    for one in found:
        ratio = one.whole / max(one.store, 0.001)
        fine = one.whole <= LIMITS[kind] and (ratio <= RATIO or one.whole - one.store <= BESIDE)
        met &= fine
        print(
            f"{kind:<10} {one.view:<34} {one.whole:7.1f} ms, store {one.store:7.1f} ms = {ratio:5.2f}"
            f" (<= {LIMITS[kind]:.0f} ms, and <= {RATIO} or {BESIDE:.0f} ms beside it){'' if fine else '  MISSED'}"
        )
    return met


def memory(url: str, folder: Path, requests: int) -> bool:
    """Resident memory of a server on the way, in MiB."""
    config = folder / "desk.toml"
    config.write_text(
        f'[store]\nurl = "{url}"\n[state]\ndir = "{folder}"\n[web]\nlisten = "127.0.0.1:0"\n[log]\nto = "none"\n'
    )
    program = Path(sys.executable).with_name("email-report-admin")
    with subprocess.Popen([program, "desk", "--config", config], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            address = (folder / "desk-address").read_text().strip()
            seen = _ask(address, requests, process.pid)
        finally:
            process.terminate()
    print(
        f"memory over {requests:,} requests: "
        + ", ".join(f"{one:.0f}" for one in seen)
        + " MiB (the last <= 1.15 of the third)"
    )
    return seen[-1] <= 1.15 * seen[2]


def _ask(address: str, requests: int, pid: int) -> list[float]:
    base, _, token = address.partition("/enter/")
    connection = http.client.HTTPConnection(base.removeprefix("http://"), timeout=60)

    def ask(path: str, cookie: str = "", body: str = "") -> tuple[int, str, str]:
        fields = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST" if body else "GET", path, body or None, fields)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), answer.getheader("Set-Cookie", "").partition(";")[0]

    _, page, cookie = ask(f"/enter/{token}")
    form = re.search(r'name="form_token" value="([^"]+)"', page)
    assert form
    _, _, cookie = ask("/enter", cookie, f"form_token={form[1]}&token={token}")
    seen = []
    paths = (
        "/failures?q=ip:203.0.7.7",
        "/message/" + f"{7:040x}",
        "/hosts/203.0.7.7",
        "/kept",
        "/style.css",
        "/reports",
        "/nothing",
    )
    for number in range(requests):
        status, _, _ = ask(paths[number % len(paths)], cookie)
        assert status in {200, 404}
        if number % (requests // 10) == requests // 10 - 1:
            seen.append(_resident(pid))
    connection.close()
    return seen


def _resident(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+)", status)
    assert found
    return int(found[1]) / 1024


def main(number: int = NUMBER, times: int = TIMES, requests: int = REQUESTS) -> bool:
    """Measure, print, and say whether the targets were met. requests: 0 leaves the memory out."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:{folder}/reports.sqlite"
        store = open_store(url)
        store.write(rows(number, "email-report-"))
        store.close()
        print(f"sqlite: load of the machine {os.getloadavg()[0]:.1f}")
        met = show("sqlite", views(url, "email-report-", Path(folder), times, time.process_time))
        met &= cluster(number, times, Path(folder))
        return (not requests or memory(url, Path(folder), requests)) and met


def cluster(number: int, times: int, folder: Path) -> bool:
    """The same over OpenSearch."""
    try:
        node = nodes.plain()
    except nodes.MissingError as error:
        print(f"opensearch: not measured: {error}")
        return False
    try:
        store = open_store(node.url, prefix=PREFIX)
        assert isinstance(store, OpenSearchStore)
        store.write(rows(number, PREFIX))
        store.refresh()
        store.close()
        print(f"opensearch: load of the machine {os.getloadavg()[0]:.1f}")
        return show("opensearch", views(node.url, PREFIX, folder / "cluster", times, time.perf_counter))
    finally:
        node.wipe(PREFIX)
        node.close()


if __name__ == "__main__":
    sys.exit(not main(*map(int, sys.argv[1:])))
