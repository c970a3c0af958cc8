"""`reclassify` as a process that is interrupted, killed, doubled, and whose store goes away: it is right at the end."""

import contextlib
import json
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from benchmarks.messages import message
from email_report_processor.documents.encode import decode
from email_report_processor.stores.opening import open_store
from email_report_processor.stores.postgresql import PostgresqlOptions, PostgresqlStore
from email_report_processor.stores.query import And, Text, field_of
from email_report_processor.stores.renewing import _BATCH
from email_report_processor.stores.store import Selection, Store
from tests.conftest import Program, missing
from tests.mta.packages import UnavailableError
from tests.nodes import Node
from tests.postgresql.server import Postgresql, postgresql

ROWS = 1500
RULES = '[senders]\n"0.0.0.0/1" = "Renamed"\n"128.0.0.0/1" = "Renamed"\n"::/0" = "Renamed"\n'
_NAMED = Text(field_of("source.name"), ("Renamed",))


@pytest.fixture(scope="module")
def server() -> Iterator[Postgresql]:
    try:
        made = postgresql()
    except UnavailableError as error:
        missing(str(error))
    with contextlib.closing(made.server):
        yield made


class Stored(NamedTuple):
    """A store with one report of many rows."""

    program: Program
    settings: str
    open: Callable[[], Store]
    refresh: Callable[[], None]

    def start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """The running process."""
        return self.program.start("reclassify", *arguments, settings=self.settings + RULES)

    def renamed(self) -> int:
        """How many were written anew."""
        self.refresh()
        store = self.open()
        try:
            return sum(1 for _ in store.select(Selection(_NAMED, ("dmarc-aggregate",))))
        finally:
            store.close()

    def begun(self, process: "subprocess.Popen[bytes]") -> None:
        """Wait until it has written more than it writes at once."""
        while self.renamed() <= _BATCH:
            assert process.poll() is None, process.communicate()
            time.sleep(0.002)  # asking is what takes its time


@pytest.fixture(params=["sqlite", "postgresql", "node"])
def stored(request: pytest.FixtureRequest, run_filter: Program, run_admin: Program, tmp_path: Path) -> Stored:
    url, prefix, more = f"sqlite:{tmp_path / 'reports.sqlite'}", "email-report-", ""

    def open_() -> Store:
        return open_store(url, prefix=prefix)

    def refresh() -> None:
        if request.param == "node":
            node.ask("POST", f"/{prefix}*/_refresh")

    if request.param == "node":
        node: Node = request.getfixturevalue("node")
        prefix = request.getfixturevalue("prefix")
        url = node.url
    if request.param == "postgresql":
        server: Postgresql = request.getfixturevalue("server")
        url, more = server.url, f'[postgresql]\npassword_file = "{server.password_file}"\n'

        def open_() -> Store:
            return PostgresqlStore(url, PostgresqlOptions(str(server.password_file)))

        store = PostgresqlStore(url, PostgresqlOptions(str(server.password_file)))
        store.remove()
        store.close()
    settings = f'[store]\nurl = "{url}"\nindex_prefix = "{prefix}"\n{more}'
    done = run_filter(message(ROWS), settings=settings)
    assert done.status == 0, done.stderr
    refresh()
    return Stored(run_admin, settings, open_, refresh)


def ended(process: "subprocess.Popen[bytes]") -> tuple[int, str, str]:
    out, err = process.communicate(timeout=120)
    return process.returncode, out.decode(), err.decode()


def check_done(stored: Stored, before: Mapping[str, Mapping[str, Any]]) -> None:
    """Every document says what a new one would, and nothing else became another."""
    stored.refresh()
    after = documents(stored)
    assert after.keys() == before.keys()
    for id_, fields in after.items():
        wanted = dict(before[id_])
        if "source.ip" in wanted:
            wanted |= {"source.name": "Renamed", "source.name_rule": "verdict"}
        assert fields == wanted
    status, out, err = ended(stored.start())
    assert (status, out.split(" documents")[0]) == (0, f"0 of {len(before) - 1:,}"), (
        err
    )  # the report itself has no class


def documents(stored: Stored) -> dict[str, Mapping[str, Any]]:
    store = stored.open()
    try:
        return {one.row.id: decode(one.row.source) for one in store.select(Selection(And()))}
    finally:
        store.close()


@pytest.mark.parametrize(
    ("stored", "number"),
    [
        ("sqlite", signal.SIGTERM),
        ("sqlite", signal.SIGINT),
        ("sqlite", signal.SIGHUP),
        ("postgresql", signal.SIGTERM),
        ("node", signal.SIGTERM),
    ],
    indirect=["stored"],
)
def test_a_signal_says_where_it_goes_on(stored: Stored, number: signal.Signals) -> None:
    before = documents(stored)
    process = stored.start()
    stored.begun(process)
    process.send_signal(number)
    status, _, err = ended(process)
    if status == 0:  # it was as good as done: a machine may be as quick as that
        check_done(stored, before)
        return
    assert status == 75, err
    assert err.startswith("email-report-admin: interrupted; go on with --after ")
    written = stored.renamed()
    assert 0 < written < ROWS
    mark = shlex.split(err.split("go on with ", 1)[1])
    assert mark[0] == "--after"
    assert json.loads(mark[1])
    status, out, err = ended(stored.start(*mark))
    assert status == 0, err
    changed, seen = (int(word.replace(",", "")) for word in (out.split()[0], out.split()[2]))
    assert changed == ROWS - written  # what is behind the mark, and nothing before it is read again
    assert seen < ROWS
    check_done(stored, before)


def test_killed_and_run_again(stored: Stored) -> None:
    before = documents(stored)
    process = stored.start()
    stored.begun(process)
    process.kill()
    ended(process)
    written = stored.renamed()
    status, out, err = ended(stored.start())
    assert out.split(" documents")[0] == f"{ROWS - written:,} of {ROWS:,}"
    if status == 1:  # the node went on with the request of who was killed
        assert "were changed or removed meanwhile" in err
        stored.refresh()
        status, _, err = ended(stored.start())
    assert status == 0, err
    check_done(stored, before)


def test_two_at_once(stored: Stored) -> None:
    before = documents(stored)
    both = [stored.start(), stored.start()]
    found = [ended(one) for one in both]
    for status, _, err in found:
        assert (status, err) == (0, "") or (status == 1 and "were left as they are: run it again" in err)
    check_done(stored, before)


@pytest.mark.parametrize("stored", ["postgresql"], indirect=True)
def test_its_server_restarts(stored: Stored, server: Postgresql) -> None:
    before = documents(stored)
    process = stored.start()
    stored.begun(process)
    server.stop()
    server.start()
    status, _, err = ended(process)
    assert status == 0, err
    check_done(stored, before)
