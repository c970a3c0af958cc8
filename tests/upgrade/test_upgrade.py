"""An upgrade from 0.1: nothing lost, nothing twice, templates renewed (docs/upgrading.md)."""

import json
import shutil
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from email_report_processor.stores import templates
from tests.conftest import Program
from tests.nodes import Node

OLD = Path(__file__).with_name("0.1.tar.gz")


@pytest.fixture
def old(tmp_path: Path, state: Path, run_filter: Program) -> Path:
    """The messages, the settings and the state of 0.1, where the program of the test looks for them."""
    place = tmp_path / "old"
    with tarfile.open(OLD) as archive:
        archive.extractall(place, filter="data")
    shutil.move(place / "state", state)
    shutil.copy(place / "settings.toml", run_filter.settings)
    return place


def stored(state: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """Each document of the embedded store, by index and id."""
    with closing(sqlite3.connect(state / "reports.sqlite")) as database:
        return {(index, id_): json.loads(text) for index, id_, text in database.execute("SELECT * FROM documents")}


def kept(state: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (state / "kept/new").iterdir()}


def messages(old: Path) -> list[bytes]:
    found = [path.read_bytes() for path in sorted((old / "messages").glob("*.eml"))]
    assert len(found) == 14
    return found


def test_nothing_is_lost_and_nothing_is_twice(old: Path, state: Path, run_filter: Program, run_admin: Program) -> None:
    documents, before = stored(state), kept(state)
    assert len(documents) > 50
    assert len(before) == 3
    for message in messages(old):
        done = run_filter(message)
        assert (done.status, done.stdout, done.stderr) == (0, "", "")
    assert stored(state) == documents
    assert kept(state).keys() == before.keys()
    listed = run_admin(b"", "kept")
    assert (listed.status, all(name[:12] in listed.stdout for name in before)) == (0, True)


def test_what_was_kept_is_still_kept_after_a_retry(old: Path, state: Path, run_admin: Program) -> None:
    documents, before = stored(state), kept(state)
    run_admin(b"", "kept", "--retry")
    assert stored(state) == documents
    assert kept(state).keys() == before.keys()  # unreadable, salvaged and without a report: as before


@pytest.mark.parametrize(
    "command", [("summary", "--since", "all"), ("search", "dataset:report"), ("check",), ("doctor",)]
)
def test_people_see_what_was_there(old: Path, run_admin: Program, command: tuple[str, ...]) -> None:
    done = run_admin(b"", *command)
    assert done.status in {0, 1, 2} if command[0] in {"check", "doctor"} else done.status == 0, done
    assert "Traceback" not in done.stderr
    if command[0] == "summary":
        assert "example.org" in done.stdout


def test_the_settings_are_read(old: Path, run_admin: Program) -> None:
    done = run_admin(b"", "doctor")
    assert "settings: " in done.stdout
    assert "failure  settings" not in done.stdout


def requests(old: Path, prefix: str) -> list[tuple[str, str, dict[str, Any]]]:
    """What 0.1 sent to OpenSearch to install its templates."""
    text = (old / "templates.json").read_text("utf-8").replace("PREFIX-", prefix).replace("PREFIX", prefix.rstrip("-"))
    return [(method, path, body) for method, path, body in json.loads(text)]


def test_the_version_of_the_templates_was_raised(old: Path) -> None:
    """Else nobody would renew those of 0.1, which lack fields."""
    theirs = {path: body for _, path, body in requests(old, "x-")}
    ours = {request.path: request.body for request in templates.requests("x-")}
    changed = {path for path in theirs if theirs[path] != ours[path]}
    assert changed
    assert {body["version"] for body in ours.values()} == {templates.VERSION}
    assert max(body["version"] for body in theirs.values()) < templates.VERSION


def test_opensearch(old: Path, state: Path, run_filter: Program, run_admin: Program, node: Node, prefix: str) -> None:
    """Templates of 0.1, its documents in its indices, then each message again, and one more."""
    for method, path, body in requests(old, prefix):
        node.ask(method, path, body)
    documents = stored(state)
    lines: list[object] = []
    for (index, id_), source in documents.items():
        lines += [{"create": {"_index": index.replace("email-report-", prefix, 1), "_id": id_}}, source]
    answer = node.ask("POST", "/_bulk", "".join(json.dumps(line) + "\n" for line in lines))
    assert not answer["errors"]

    run_filter.settings.write_text(
        f"{run_filter.settings.read_text()}\n".replace("[store]", f'[store]\nindex_prefix = "{prefix}"')
    )
    for arguments in (("messages",), ("messages", "--jobs=1")):
        done = run_filter(b"", *(f"{old}/{arguments[0]}", *arguments[1:]), store=node.url)
        assert done.status in {0, 1}, done  # 1: what cannot be read is named
    message = (old / "messages/aggregate-1-rfc9990.eml").read_bytes()
    done = run_filter(message.replace(b"Message-ID: <", b"Message-ID: <again-"), store=node.url)
    assert (done.status, done.stdout, done.stderr) == (0, "", "")
    there = node.documents(f"{prefix}*")
    assert sorted((one.index.replace(prefix, "email-report-", 1), one.id) for one in there) == sorted(documents)

    # Whoever writes renews the templates, where its user may.
    installed = node.ask("GET", f"/_index_template/{prefix.rstrip('-')}*")["index_templates"]
    assert {one["index_template"]["version"] for one in installed} == {templates.VERSION}
    again = run_admin(b"", "setup", "--only", "templates", "--dry-run", store=node.url)
    assert "nothing to do" in again.stdout


def test_the_embedded_store_moves_to_opensearch(
    old: Path, state: Path, run_admin: Program, node: Node, prefix: str
) -> None:
    run_admin.settings.write_text(f'[store]\nindex_prefix = "{prefix}"\n')
    documents = stored(state)
    done = run_admin(
        b"", "copy", "--from", f"sqlite:{state}/reports.sqlite", "--from-prefix", "email-report-", "--to", node.url
    )
    assert (done.status, f"{len(documents)} copied" in done.stdout) == (0, True), done
    assert {one.id for one in node.documents(f"{prefix}*")} == {id_ for _, id_ in documents}
