"""Root leaves nothing in the filter's directory that is closed to the filter."""

import os
import sqlite3
from pathlib import Path

import pytest

from email_report_processor.alerts import memory
from email_report_processor.logins.ask import read_key
from email_report_processor.logins.state import State
from email_report_processor.stores import owner
from tests.conftest import Program

NOBODY = 65534

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")


@pytest.fixture
def theirs(state: Path) -> Path:
    """The state directory of another user."""
    state.mkdir(mode=0o700, exist_ok=True)
    os.chown(state, NOBODY, NOBODY)
    return state


def owners(directory: Path) -> dict[str, tuple[int, int]]:
    found = [(path, path.lstat()) for path in directory.rglob("*")]
    return {str(path.relative_to(directory)): (status.st_uid, status.st_gid) for path, status in found}


def test_an_import_by_root(theirs: Path, run_filter: Program, tmp_path: Path) -> None:
    """The store, its log, and what is kept, belong to the owner of the directory, each directory of it too."""
    mail = tmp_path / "mail.eml"
    mail.write_bytes(b"From: a@example.org\nSubject: Report Domain: example.org\n\n<?xml version='1.0'?><feedback><rec")
    run_filter(b"", "--kept", str(mail))
    run_filter(b"From: a@example.org\n\nhello\n")
    found = owners(theirs)
    assert {"kept", "kept/new", "kept/tmp"} <= found.keys()
    assert any(name.startswith("kept/new/") for name in found)
    assert set(found.values()) == {(NOBODY, NOBODY)}


def test_the_embedded_store(theirs: Path, run_admin: Program) -> None:
    run_admin(b"", "demo", f"--store=sqlite:{theirs}/deep/er/reports.sqlite")
    connection = sqlite3.connect(theirs / "deep/er/reports.sqlite")
    connection.execute("DELETE FROM documents")  # its log is there as long as it is open
    found = owners(theirs)
    connection.close()
    assert {"deep", "deep/er", "deep/er/reports.sqlite", "deep/er/reports.sqlite-wal"} <= found.keys()
    assert set(found.values()) == {(NOBODY, NOBODY)}


def test_alerts_and_logins(theirs: Path) -> None:
    memory.write(theirs / "alerts.json", memory.Memory({}, {}))
    State(theirs).close()
    read_key(theirs)
    found = owners(theirs)
    assert {"alerts.json", "logins.sqlite", "logins.key"} <= found.keys()
    assert set(found.values()) == {(NOBODY, NOBODY)}


def test_a_second_name_is_not_given_away(theirs: Path, tmp_path: Path) -> None:
    """Who owns the directory could have put a link to a file of root's there."""
    secret = tmp_path / "secret"
    secret.touch()
    os.link(secret, theirs / "link")
    descriptor = os.open(theirs / "link", os.O_RDONLY)
    owner.give(descriptor, theirs / "link")
    os.close(descriptor)
    assert secret.stat().st_uid == 0


def test_a_directory_of_roots(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    owner.give(descriptor, tmp_path / "file")
    os.close(descriptor)
    assert (tmp_path / "file").stat().st_uid == 0
