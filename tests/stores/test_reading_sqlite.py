"""Questions to the embedded store of somebody who may read its file and write nothing."""

import os
import pickle
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from email_report_processor.stores import reading_sqlite
from email_report_processor.stores.kinds import Asked, sums
from email_report_processor.stores.query import And
from email_report_processor.stores.sqlite import SqliteStore
from email_report_processor.stores.store import Question, Row, Selection, StoreError
from tests.advice.test_observed import rows

_NOBODY = 65534
_WROTE = Row("x-dmarc-aggregate-2026.11", "later", b'{"event":{"dataset":"dmarc-aggregate"},"count":7}')


@pytest.fixture
def path() -> Iterator[Path]:
    """A file that everybody may read, in a directory that only its owner may write to."""
    directory = Path(tempfile.mkdtemp())  # pytest's own is closed to others
    store = SqliteStore(str(directory / "reports.sqlite"), prefix="x-")
    store.write(rows("x-"))
    store.totals(Question("dmarc-aggregate", ("class",)))  # its sums are there
    store.close()
    os.chmod(directory / "reports.sqlite", 0o444)
    os.chmod(directory, 0o555)
    yield directory / "reports.sqlite"
    os.chmod(directory, 0o755)
    shutil.rmtree(directory)


def as_reader(work: Callable[[], object]) -> object:
    """In a process of its own, which is not root; what it imports is there already. Raises StoreError as it did."""
    out, into = os.pipe()
    child = os.fork()
    if not child:
        try:
            if os.geteuid() == 0:
                os.setegid(_NOBODY)
                os.seteuid(_NOBODY)
            found = work()
        except StoreError as error:
            found = error
        finally:
            os.write(into, pickle.dumps(found))
            os._exit(0)
    os.close(into)
    with os.fdopen(out, "rb") as pipe:
        said = pickle.loads(pipe.read())
    os.waitpid(child, 0)
    if isinstance(said, StoreError):
        raise said
    return said


def ask(path: Path) -> tuple[object, ...]:
    store = SqliteStore(str(path), prefix="x-", budget=0.5)
    try:
        totals = store.totals(Question("dmarc-aggregate", ("class",), every="day"))
        found = [one.row.id for one in store.select(Selection(And(), size=3))]
        kinds = sum(one.messages for one in sums(store, Asked("example.org")))
        return sorted(one.sums[0] for one in totals), found, kinds, sum(1 for _ in store.scan())
    finally:
        store.close()


def test_who_may_only_read_gets_the_same_answers(path: Path) -> None:
    os.chmod(path.parent, 0o755)
    os.chmod(path, 0o644)
    expected = ask(path)
    os.chmod(path.parent, 0o555)
    assert as_reader(lambda: ask(path)) == expected
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_what_stands_in_the_log_alone_is_read_too(path: Path) -> None:
    os.chmod(path.parent, 0o755)
    os.chmod(path, 0o644)
    store = SqliteStore(str(path), prefix="x-")
    assert store.write([_WROTE]).stored == 1
    os.chmod(path.parent, 0o555)
    before = as_reader(lambda: ask(path))
    os.chmod(path.parent, 0o755)
    store.close()
    assert isinstance(before, tuple)
    assert before == ask(path)


def test_a_log_that_may_not_be_read_is_said(path: Path) -> None:
    os.chmod(path.parent, 0o755)
    os.chmod(path, 0o644)
    store = SqliteStore(str(path), prefix="x-")
    assert store.write([_WROTE]).stored == 1
    os.chmod(f"{path}-wal", 0o600)
    os.chmod(path.parent, 0o555)
    if os.geteuid() == 0:
        with pytest.raises(StoreError, match=r"reports\.sqlite-wal, which this user cannot read"):
            as_reader(lambda: ask(path))
    os.chmod(path.parent, 0o755)
    store.close()


def test_who_may_only_read_writes_nothing(path: Path) -> None:
    def write() -> object:
        return SqliteStore(str(path), prefix="x-", budget=0.5).write([_WROTE])

    with pytest.raises(StoreError, match="it cannot be written: give the file"):
        as_reader(write)


def test_a_file_of_another_version_is_for_its_user_first(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("email_report_processor.stores.sqlite._FORM", 99)
    with pytest.raises(StoreError, match="another version of this program wrote it"):
        as_reader(lambda: ask(path))


def test_what_was_written_meanwhile_is_asked_for_again(path: Path) -> None:
    """The reader says which state it has seen; a writer comes; the same reader asks again."""

    def twice() -> object:
        store = SqliteStore(str(path), prefix="x-", budget=5, sleep=lambda _: None)
        question = Question("dmarc-aggregate", ())
        first = store.totals(question)[0].sums[0]
        go, done = os.pipe(), os.pipe()
        writer = os.fork()
        if not writer:
            os.read(go[0], 1)
            os.seteuid(0) if os.getuid() == 0 else os.chmod(path.parent, 0o755)
            os.chmod(path, 0o644)
            other = SqliteStore(str(path), prefix="x-")
            other.write([_WROTE])
            other.close()
            os.write(done[1], b"x")
            os._exit(0)
        os.write(go[1], b"x")
        os.read(done[0], 1)
        second = store.totals(question)[0].sums[0]
        os.waitpid(writer, 0)
        store.close()
        return second - first

    assert as_reader(twice) == 7


def test_a_state_is_another_when_somebody_wrote(path: Path) -> None:
    before = reading_sqlite.state(str(path))
    assert before == reading_sqlite.state(str(path))
    os.chmod(path.parent, 0o755)
    os.chmod(path, 0o644)
    store = SqliteStore(str(path), prefix="x-")
    store.write([_WROTE])
    store.close()
    assert reading_sqlite.state(str(path)) != before
