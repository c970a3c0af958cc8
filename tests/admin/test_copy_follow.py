"""`copy --follow` as a service: real processes, signals, kills, a target that is away; its lag in check and metrics."""

import contextlib
import random
import re
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.messages import message
from email_report_processor.stores.follow import PAGE
from email_report_processor.stores.sqlite import SqliteStore
from tests.conftest import Program
from tests.fake_opensearch import FakeOpenSearch, Fault
from tests.nodes import Node
from tests.stores.test_follow import row

QUICK = ("--every=0.05",)
PATIENCE = 60  # seconds that a test waits for what takes one


def ids(path: Path) -> set[str]:
    if not path.exists():
        return set()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        try:
            return {id_ for (id_,) in connection.execute("SELECT id FROM documents")}
        except sqlite3.OperationalError:  # not made yet
            return set()


@contextlib.contextmanager
def following(run_admin: Program, source: str, target: str, *more: str) -> Iterator[subprocess.Popen[bytes]]:
    arguments = ("copy", "--follow", f"--from={source}", f"--to={target}", *QUICK, *more)
    with run_admin.start(*arguments) as process:
        try:
            yield process
        finally:
            process.kill()


def until(condition: object, process: subprocess.Popen[bytes]) -> None:
    """Wait until it holds; a process that ended says why."""
    end = time.monotonic() + PATIENCE
    while not condition():  # type: ignore[operator]  # a function
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)


def test_reports_that_come_are_sent_on_and_sigterm_ends_it(
    run_filter: Program, run_admin: Program, tmp_path: Path
) -> None:
    source, target = tmp_path / "source.sqlite", tmp_path / "target.sqlite"
    for number in (1, 2):
        assert run_filter(message(number), store=f"sqlite:{source}").status == 0
    with following(run_admin, f"sqlite:{source}", f"sqlite:{target}") as process:
        until(lambda: ids(target) == ids(source), process)
        assert run_filter(message(3), store=f"sqlite:{source}").status == 0
        until(lambda: ids(target) == ids(source), process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        assert process.communicate() == (b"", b"")


def test_killed_at_any_moment_it_loses_nothing(run_admin: Program, tmp_path: Path) -> None:
    """Into a stream, which would show what comes twice: no more than one page for each kill."""
    source = SqliteStore(str(tmp_path / "source.sqlite"))
    lines = tmp_path / "lines"
    expected = {row(number).id for number in range(6000)}
    random_ = random.Random(4)
    with lines.open("ab") as output:
        for number in range(6):
            source.write(row(one) for one in range(number * 1000, number * 1000 + 1000))
            arguments = ("copy", "--follow", f"--from=sqlite:{source.name}", "--to=-", *QUICK)
            with run_admin.start(*arguments, stdout=output) as process:
                grown = lines.stat().st_size + random_.randint(1, 300_000)
                end = time.monotonic() + 1
                while lines.stat().st_size < grown and time.monotonic() < end:
                    time.sleep(0.001)
                process.kill()
    source.close()
    with lines.open("ab") as output:
        done = ("copy", "--follow", "--once", f"--from=sqlite:{source.name}", "--to=-")
        with run_admin.start(*done, stdout=output) as process:
            assert process.wait(PATIENCE) == 0
    found = Counter(re.findall(r'"_id":"([0-9a-f]{40})"', lines.read_text()))  # a line may be cut short
    assert found.keys() == expected
    assert found.total() - len(found) <= 6 * PAGE


def test_a_target_that_is_away(run_filter: Program, run_admin: Program, tmp_path: Path) -> None:
    source = tmp_path / "source.sqlite"
    assert run_filter(message(5), store=f"sqlite:{source}").status == 0
    with FakeOpenSearch() as fake:
        fake.always = Fault(status=403)
        with following(run_admin, f"sqlite:{source}", fake.url) as process:
            until(lambda: fake.bulks, process)
            fake.always = None
            until(lambda: {id_ for _, id_ in fake.documents} == ids(source), process)
            process.send_signal(signal.SIGTERM)
            _, stderr = process.communicate(timeout=PATIENCE)
    said = stderr.decode().splitlines()
    assert len(said) == 2
    assert "answers 403" in said[0]
    assert "nothing is lost" in said[0]
    assert said[1].endswith("it goes on")


def test_from_opensearch(run_filter: Program, run_admin: Program, node: Node, prefix: str, tmp_path: Path) -> None:
    target = tmp_path / "target.sqlite"
    run_admin.settings.write_text(f'[store]\nindex_prefix = "{prefix}"\n')
    with following(run_admin, node.url, f"sqlite:{target}") as process:
        for number in (1, 2, 3):
            assert run_filter(message(number), store=node.url).status == 0
            found = {one.id for one in node.documents(f"{prefix}*")}
            until(lambda found=found: ids(target) == found, process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--from=-", "--to=sqlite:b"], "cannot be followed"),
        (["--from=sqlite:a", "--to=sqlite:b", "--after=x/y"], "--after is for a copy that ends"),
        (["--from=sqlite:a", "--to=sqlite:b", "--since=soon"], "is no date"),
    ],
)
def test_wrong_usage(run_admin: Program, arguments: list[str], said: str) -> None:
    done = run_admin(b"", "copy", "--follow", *arguments)
    assert done.status == 2
    assert said in done.stderr


def test_the_lag_is_seen(run_filter: Program, run_admin: Program, tmp_path: Path, state: Path) -> None:
    source = f"sqlite:{tmp_path / 'source.sqlite'}"
    assert run_filter(message(1), store=source).status == 0
    once = ("copy", "--follow", "--once", f"--from={source}", f"--to=sqlite:{tmp_path / 'b.sqlite'}")
    done = run_admin(b"", *once)
    assert (done.status, done.stdout.split()[1:3]) == (0, ["sent", "on,"])
    text = run_admin(b"", "metrics", store=source).stdout
    (lag,) = re.findall(r"^email_reports_follow_lag_seconds\{source=.*b.sqlite\"\} (\S+)$", text, re.MULTILINE)
    assert float(lag) < 900
    (sent,) = re.findall(r"^email_reports_follow_documents\{.*\} (\S+)$", text, re.MULTILINE)
    assert float(sent) == len(ids(tmp_path / "b.sqlite"))
    checked = run_admin(b"", "check", store=source)
    assert "behind=" in checked.stdout
    assert "sink_behind" not in checked.stdout
    (cursor,) = (state / "follow").glob("*.sqlite")
    with contextlib.closing(sqlite3.connect(cursor)) as connection:
        connection.execute("UPDATE follower SET caught_up = '2026-01-01T00:00:00Z', trouble = 'the disk is full'")
        connection.commit()
    checked = run_admin(b"", "check", "--verbose", store=source)
    assert checked.status == 2
    assert re.search(r"b\.sqlite is [\d,]+ minutes behind .*source\.sqlite\. the disk is full", checked.stdout)
