"""`email-report-admin doctor`: each line with what makes it good, and with what makes it bad.

With the rights of the writer it stands in test_roles.py.
"""

import json
import os
import pwd
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

import pytest

from email_report_processor.admin import doctor
from email_report_processor.admin.command import main
from email_report_processor.checking import finding
from email_report_processor.checking import machine as checks
from email_report_processor.checking import store as store_checks
from email_report_processor.checking.finding import Finding
from email_report_processor.message.blob import Memory
from email_report_processor.stores import kept, templates
from email_report_processor.stores.bulk import Answer
from email_report_processor.stores.client import OpenSearchOptions
from email_report_processor.stores.opensearch import OpenSearchStore
from email_report_processor.stores.sqlite import SqliteStore
from email_report_processor.stores.store import Row
from email_report_processor.values.fields import write_date
from tests import mmdb, nodes
from tests.conftest import Program, missing
from tests.fake_plugins import Fake, Seen
from tests.places import GOLDEN, PACKAGE

REPORT = GOLDEN / "dmarc-aggregate/rfc9990.eml"


class Examine(Protocol):
    """Runs the doctor in this process: status and findings by what they are about (the worst of each)."""

    def __call__(self, *arguments: str, settings: str = "") -> tuple[int, dict[str, Finding]]: ...


@pytest.fixture
def examine(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Examine:
    path = tmp_path / "settings.toml"
    path.touch(0o640)

    def run(*arguments: str, settings: str = "") -> tuple[int, dict[str, Finding]]:
        path.write_text(settings)
        status = main(["doctor", f"--config={path}", f"--state={tmp_path}/state", "--json", *arguments])
        found = [Finding(**one) for one in json.loads(capsys.readouterr().out)]
        assert all(bool(one.remedy) == (one.result != "ok") for one in found), "a remedy for what is not well"
        assert status == finding.status(found)
        return status, {one.about: one for one in sorted(found, key=lambda one: finding.RESULTS.index(one.result))}

    return run


@pytest.fixture
def state(tmp_path: Path) -> Path:
    path = tmp_path / "state"
    path.mkdir(mode=0o700)
    return path


# The store: OpenSearch


def _ready(node: nodes.Node, prefix: str) -> None:
    for request in templates.requests(prefix):
        node.ask(request.method, request.path, request.body)


def test_a_node_that_is_ready(node: nodes.Node, prefix: str, examine: Examine, state: Path) -> None:
    _ready(node, prefix)
    status, found = examine(settings=f'[store]\nurl = "{node.url}"\nindex_prefix = "{prefix}"\n')
    assert status < 2
    for about in (
        "settings",
        "store",
        "certificate",
        "credentials",
        "templates",
        "rights",
        "clock",
        "clocks",
        "state",
        "kept",
    ):
        assert found[about].result == "ok", found[about]
    assert found["rights"].text == f"wrote {prefix}doctor/doctor, and it is there (version 2)"
    assert found["clocks"].text == "that of OpenSearch agrees"
    assert node.request("HEAD", f"/{prefix}doctor")[0] == 404  # it goes again where it may be deleted


@pytest.mark.parametrize(
    ("version", "result", "words"),
    [
        (None, "failure", "none for dmarc-aggregate, dmarc-failure"),
        (templates.VERSION - 1, "warning", "older than this program: dmarc-aggregate"),
        (templates.VERSION + 1, "ok", "put by a later version of this program"),
    ],
)
def test_templates(
    node: nodes.Node, prefix: str, examine: Examine, state: Path, version: int | None, result: str, words: str
) -> None:
    for request in templates.requests(prefix) if version is not None else ():
        node.ask(request.method, request.path, {**request.body, "version": version})
    _, found = examine(settings=f'[store]\nurl = "{node.url}"\nindex_prefix = "{prefix}"\n')
    assert found["templates"].result == result
    assert words in found["templates"].text
    assert found["rights"].result == "ok"


def test_pipelines(node: nodes.Node, prefix: str, examine: Examine, state: Path) -> None:
    _ready(node, prefix)
    node.ask("PUT", f"/_ingest/pipeline/{prefix}there", {"processors": [{"set": {"field": "x", "value": "y"}}]})
    settings = f'[store]\nurl = "{node.url}"\nindex_prefix = "{prefix}"\n[opensearch.pipelines]\n'
    status, found = examine(settings=f'{settings}arf = "{prefix}there"\n')
    assert found["pipelines"].text == f"{prefix}there takes documents"
    status, found = examine(settings=f'{settings}arf = "{prefix}there"\nsmtp-tls = "{prefix}absent"\n')
    assert status == 2
    assert f"pipeline with id [{prefix}absent] does not exist" in found["pipelines"].text
    assert "setup --only pipelines" in found["pipelines"].remedy


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_BUDGET", 0.0)


def test_a_full_disk_is_seen(node: nodes.Node, prefix: str, examine: Examine, state: Path, impatient: None) -> None:
    """The index of the doctor is there and blocked, as all are at the flood stage."""
    _ready(node, prefix)
    node.ask("PUT", f"/{prefix}doctor", {"settings": {"index.blocks.read_only_allow_delete": True}})
    status, found = examine(settings=f'[store]\nurl = "{node.url}"\nindex_prefix = "{prefix}"\n')
    assert (status, found["store"].result) == (2, "failure")
    assert "flood-stage watermark" in found["store"].text
    assert "rights" not in found


def test_a_node_that_is_away(examine: Examine, state: Path, impatient: None) -> None:
    status, found = examine("--store=http://127.0.0.1:9")
    assert (status, found["store"].result) == (2, "failure")
    assert "Connection refused" in found["store"].text


@pytest.mark.parametrize(
    ("url", "result"),
    [
        ("http://127.0.0.1:9", "ok"),
        ("http://[::1]:9", "ok"),
        ("http://localhost:9", "ok"),
        ("http://es.test:9", "warning"),
    ],
)
def test_without_tls(url: str, result: str) -> None:
    (found,) = store_checks._check_places([url], OpenSearchOptions())
    assert found.result == result


def test_a_server_that_is_away_is_no_matter_of_certificates() -> None:
    (found,) = store_checks._check_places(["https://127.0.0.1:9"], OpenSearchOptions())
    assert (found.result, "ca_file" in str(found)) == ("failure", False)
    assert "see that the server runs" in str(found)


def test_certificates(secure_node: nodes.SecureNode, monkeypatch: pytest.MonkeyPatch) -> None:
    known = OpenSearchOptions(ca_file=str(secure_node.ca_file))

    def check(options: OpenSearchOptions) -> Finding:
        (found,) = store_checks._check_places([secure_node.url], options)
        return found

    assert check(known).result == "ok"
    assert "good until 20" in check(known).text
    assert check(OpenSearchOptions()).result == "failure"
    assert "ca_file" in check(OpenSearchOptions()).remedy
    assert check(OpenSearchOptions(verify=False)).result == "warning"
    assert check(known._replace(ca_file="/nowhere.pem")).result == "failure"
    monkeypatch.setattr(store_checks, "_SOON", 100_000)
    assert (check(known).result, check(known).remedy) == ("warning", "renew it")


class Wall(Fake):
    """Answers in the place of OpenSearch, as a careless proxy does."""

    def __init__(self, headers: dict[str, str], items: list[Any]) -> None:
        super().__init__()
        self.headers = headers
        self.items = items

    def respond(self, seen: Seen) -> tuple[int, dict[str, str], bytes]:
        if seen.path == "/_bulk":
            item = {"index": self.items.pop(0)} if len(self.items) > 1 else {"index": self.items[0]}
            return 200, self.headers, json.dumps({"items": [item]}).encode()
        return 200, self.headers, b'{"index_templates": []}'


@pytest.fixture
def wall() -> Iterator[Wall]:
    with Wall({}, [{"status": 200, "_version": 1}]) as wall:
        yield wall


def test_success_that_is_none(wall: Wall, examine: Examine, state: Path) -> None:
    status, found = examine(f"--store={wall.url}")
    assert (status, found["rights"].result) == (2, "failure")
    assert "is not there: version 1, then 1" in found["rights"].text


class Secretive(Wall):
    """Tells nobody the names of its indices."""

    def respond(self, seen: Seen) -> tuple[int, dict[str, str], bytes]:
        if seen.path.startswith("/_resolve/index/"):
            return 403, self.headers, b'{"error": {"type": "security_exception", "reason": "no"}, "status": 403}'
        return super().respond(seen)


def test_a_writer_who_may_not_see_the_names_of_indices() -> None:
    with Secretive({}, [{"status": 200, "_version": 1}, {"status": 200, "_version": 2}]) as store:
        said = list(store_checks._check_names(OpenSearchStore((store.url,), OpenSearchOptions(), budget=1), "x-"))
    assert [(one.about, one.result) for one in said] == [("rights", "warning")]
    assert "indices:admin/resolve/index" in said[0].text
    assert "setup --only roles" in said[0].remedy


@pytest.mark.parametrize("item", [{"status": 200}, {}, {"status": 403, "error": {"type": "t", "reason": "no"}}])
def test_answers_to_a_write_that_are_none(wall: Wall, examine: Examine, state: Path, item: Any) -> None:
    wall.items = [item]
    _, found = examine(f"--store={wall.url}")
    assert found["rights"].result == "failure"


@pytest.mark.parametrize(
    ("date", "result", "words"),
    [
        ("Thu, 01 Jan 2015 00:00:00 GMT", "warning", "ahead of OpenSearch"),
        ("Fri, 01 Jan 2100 00:00:00 GMT", "warning", "behind OpenSearch"),
        ("soon", "ok", "cannot ask"),
        ("", "ok", "cannot ask"),
    ],
)
def test_clocks(wall: Wall, date: str, result: str, words: str) -> None:
    wall.headers = {"date": date}
    store = OpenSearchStore((wall.url,), OpenSearchOptions(), budget=1)
    answer = store.request("GET", "/")
    if date != "":
        answer = Answer(answer.status, {"date": date}, answer.text)
    else:
        answer = Answer(answer.status, {}, answer.text)
    (found,) = store_checks._check_clock(store, answer)
    store.close()
    assert found.result == result
    assert words in found.text


# The store: SQLite, standard output


def test_the_embedded_store(examine: Examine, state: Path) -> None:
    _, found = examine()
    assert found["store"].result == "ok"
    path = state / "reports.sqlite"
    assert not path.exists()
    _, found = examine(f"--store=sqlite:{path}")
    assert found["store"].text == f"{path} will be made with the first report"
    store = SqliteStore(str(path))
    store.write([Row("email-report-report-2026.11", "1", b"{}")])
    _, found = examine(f"--store=sqlite:{path}")
    assert (found["store"].result, found["store"].text) == ("ok", f"{path} takes documents")
    assert [row.id for row in store.scan()] == ["1"]
    store.close()


def test_an_embedded_store_that_is_none(examine: Examine, state: Path) -> None:
    path = state / "reports.sqlite"
    path.write_bytes(b"something else" * 100)
    status, found = examine(f"--store=sqlite:{path}")
    assert (status, found["store"].result) == (2, "failure")
    assert "not a database" in found["store"].text


def test_an_embedded_store_that_is_locked(examine: Examine, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = state / "reports.sqlite"
    store = SqliteStore(str(path))
    store.write([Row("email-report-report-2026.11", "1", b"{}")])
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path, timeout: connect(path, timeout=0.1))
    other = connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    _, found = examine(f"--store=sqlite:{path}")
    assert (found["store"].result, "locked" in found["store"].text) == ("failure", True)
    other.close()
    store.close()


def test_the_limit_of_a_file(examine: Examine, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = state / "reports.sqlite"
    store = SqliteStore(str(path))
    store.write([Row("email-report-report-2026.11", "1", b"{}")])
    monkeypatch.setattr("email_report_processor.stores.sqlite.size_state", lambda path: (81, 100))
    _, found = examine(f"--store=sqlite:{path}")
    assert (found["size"].result, found["size"].text) == ("warning", "81 bytes of 100 bytes that is allowed for a file")
    monkeypatch.setattr("email_report_processor.stores.sqlite.size_state", lambda path: (80, 100))
    assert examine(f"--store=sqlite:{path}")[1]["size"].result == "ok"
    monkeypatch.setattr("email_report_processor.stores.sqlite.size_state", lambda path: (45_000_000, 0))
    assert "Postfix local(8)" in examine(f"--store=sqlite:{path}")[1]["size"].text
    store.close()


def test_standard_output_is_no_store(examine: Examine, state: Path) -> None:
    assert examine("--store=-")[1]["store"].result == "failure"


# Settings


def test_where_settings_come_from(examine: Examine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert examine()[1]["settings"] == finding.ok("settings", f"from {tmp_path}/settings.toml")
    monkeypatch.setenv("EMAIL_REPORT_PROCESSOR_READ_FEED", "rua")
    found = examine()[1]["settings"]
    assert found.result == "warning"
    assert "EMAIL_REPORT_PROCESSOR_READ_FEED" in found.text
    assert "mail server hands on no variables" in found.remedy


def test_settings_that_cannot_be_used(examine: Examine) -> None:
    status, found = examine(settings='[senders]\nnonsense = "x"\n')
    assert (status, found["settings"].result) == (2, "failure")
    assert "[senders] 'nonsense' is no network" in found["settings"].text
    status, found = examine(settings='[opensearch]\ntimeout = "long"\n[store]\nurl = "http://127.0.0.1:9"\n')
    assert (status, found["settings"].result) == (2, "failure")


@pytest.mark.parametrize(("mode", "result"), [(0o600, "ok"), (0o640, "ok"), (0o644, "warning"), (0o666, "failure")])
def test_who_may_read_the_password(
    examine: Examine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, impatient: None, mode: int, result: str
) -> None:
    (tmp_path / "settings.toml").chmod(mode)
    _, found = examine("--store=http://127.0.0.1:9", settings='[opensearch]\npassword = "0-shown"\n')
    assert found["settings"].result == result
    assert "0-shown" not in str(found)


def test_databases(examine: Examine, tmp_path: Path) -> None:
    _, found = examine(settings=f'[geo]\ndatabases = ["{tmp_path}/absent.mmdb"]\n')
    assert found["databases"].result == "warning"


def test_which_table_of_countries_and_how_old(examine: Examine, tmp_path: Path) -> None:
    version = metadata.version("iptocc")
    assert examine()[1]["databases"].text == (
        f"countries of allocation are looked up in iptocc {version}, as old as that release"
    )
    assert "databases" not in examine(settings="[geo]\nallocation = false\n")[1]
    (tmp_path / "own.mmdb").write_bytes(mmdb.write({"192.0.2.0/24": {"country": {"iso_code": "DE"}}}))
    found = examine(settings=f'[geo]\nallocation = false\ndatabases = ["{tmp_path}/own.mmdb"]\n')[1]["databases"]
    assert found.result == "warning"
    assert found.text == f"{tmp_path}/own.mmdb is of 2023-11-14"


# State and kept messages


def test_a_state_directory_that_is_open_to_others(examine: Examine, state: Path) -> None:
    state.chmod(0o755)
    found = examine()[1]["state"]
    assert (found.result, found.remedy) == ("warning", f"chmod 700 {state}")
    state.chmod(0o700)
    assert examine()[1]["state"].result == "ok"


def test_a_state_directory_to_come(examine: Examine, tmp_path: Path) -> None:
    found = examine()[1]["state"]
    assert (found.result, found.text) == ("ok", f"{tmp_path}/state will be made with the first message")
    assert not (tmp_path / "state").exists()
    assert not list(tmp_path.glob(".doctor*"))


def test_a_state_directory_that_cannot_be_written(
    examine: Examine, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(checks, "_try_to_write", refuse)
    status, found = examine()
    assert (status, found["state"].result) == (2, "failure")
    assert f"install -d -m 700 -o {pwd.getpwuid(os.geteuid()).pw_name} {state}" in found["state"].remedy


def test_what_root_left_there(examine: Examine, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (state / "reports.sqlite").touch()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "reports.sqlite")
    found = examine()[1]["state"]
    assert (found.result, "chown -R" in found.remedy) == ("failure", True)


@pytest.mark.parametrize(
    ("free", "files", "result"),
    [(2 * 1024**3, 10**6, "ok"), (10**9, 10**6, "warning"), (2 * 1024**3, 10, "warning"), (10**7, 10**6, "failure")],
)
def test_space(
    examine: Examine, state: Path, monkeypatch: pytest.MonkeyPatch, free: int, files: int, result: str
) -> None:
    class Space:
        f_frsize, f_bavail, f_files, f_favail = 1, free, 10**7, files

    monkeypatch.setattr(os, "statvfs", lambda path: Space)
    assert examine()[1]["space"].result == result


def _keep(state: Path, number: int, category: str) -> None:
    message = Memory(f"Subject: {number}\n\n".encode())
    kept.keep(kept.directory(state), message, category, "why", "2026-11-01T00:00:00Z", kept.KeptOptions())


@pytest.mark.parametrize(
    ("categories", "settings", "result", "words"),
    [
        ((), "", "ok", "no message is kept"),
        (("no-report", "unreadable"), "", "ok", "1 no-report, 1 unreadable; the oldest of 2026-11-01"),
        (("no-report", "unfinished"), "", "warning", "1 no-report, 1 unfinished"),
        (("no-report",) * 4, "[kept]\nmax_messages = 5\n", "warning", "4 of at most 5 ([kept] max_messages)"),
        (("no-report",) * 3, "[kept]\nmax_messages = 5\n", "ok", "3 no-report"),
        (("no-report",), "[kept]\nmax_bytes = 13\n", "warning", "12 of at most 13 ([kept] max_bytes)"),
    ],
)
def test_kept(
    examine: Examine, state: Path, categories: tuple[str, ...], settings: str, result: str, words: str
) -> None:
    for number, category in enumerate(categories):
        _keep(state, number, category)
    found = examine(settings=settings)[1]["kept"]
    assert found.result == result
    assert words in found.text


@pytest.mark.parametrize(("minutes", "waits"), [(1, False), (40, True)])
def test_replies_that_nobody_reads(examine: Examine, state: Path, minutes: int, waits: bool) -> None:
    """The timer reads them every ten minutes; without it nobody hears what networks answer."""
    came = datetime.now(UTC) - timedelta(minutes=minutes)
    kept.keep(kept.directory(state), Memory(b"a reply"), "reply", "", write_date(came), kept.KeptOptions())
    found = examine()[1]
    assert ("replies" in found) == waits
    if waits:
        assert found["replies"].result == "warning"
        assert "1 replies of networks" in found["replies"].text
        assert "abuse answers" in found["replies"].remedy


# Limits, log, compiled files, clock


@pytest.mark.parametrize(
    ("seconds", "result"),
    [(8, "ok"), (120, "ok"), (239, "ok"), (240, "warning"), (999, "warning"), (1000, "failure")],
)
def test_deadline(examine: Examine, seconds: int, result: str) -> None:
    found = examine(settings=f"[filter]\ndeadline = {seconds}\n")[1]["deadline"]
    assert found.result == result
    assert ("Dovecot" in found.text) == (10 <= seconds < 240)


def test_little_memory(examine: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "memory" not in examine()[1]
    monkeypatch.setattr(resource, "getrlimit", lambda which: (100 * 1024**2, resource.RLIM_INFINITY))
    assert examine()[1]["memory"].text == "limited to 100.0 MiB (RLIMIT_AS)"


@pytest.mark.parametrize(("to", "result"), [("none", "warning"), ("stderr", "warning"), ("/nowhere/log", "warning")])
def test_log(examine: Examine, to: str, result: str) -> None:
    assert examine(settings=f'[log]\nto = "{to}"\n')[1]["log"].result == result


def test_log_of_the_system(examine: Examine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_SYSLOG", str(tmp_path))
    assert examine()[1]["log"].result == "ok"
    monkeypatch.setattr(checks, "_SYSLOG", str(tmp_path / "absent"))
    assert examine()[1]["log"].result == "warning"
    assert examine(settings=f'[log]\nto = "{tmp_path}/log"\n')[1]["log"].result == "ok"


def test_compiled_files(tmp_path: Path) -> None:
    source = tmp_path / "module.py"
    source.write_text("A = 1\n")
    assert not checks._compiled(source)
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(tmp_path)], check=True)
    assert checks._compiled(source)
    os.utime(source, (1, 1))
    assert not checks._compiled(source)
    how = ["-m", "compileall", "-q", "-f", "--invalidation-mode=unchecked-hash", str(tmp_path)]
    subprocess.run([sys.executable, *how], check=True)
    assert checks._compiled(source)
    cached = next(tmp_path.rglob("*.pyc"))
    cached.write_bytes(b"old " + cached.read_bytes()[4:])
    assert not checks._compiled(source)


def test_bytecode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_compiled", lambda path: True)
    assert {one.result for one in checks.check_bytecode()} <= {"ok", "warning"}
    monkeypatch.setattr(checks, "_compiled", lambda path: False)
    found = next(checks.check_bytecode())
    assert found.result == "warning"
    assert "python3 -m compileall -q /" in found.remedy
    assert str(PACKAGE) in found.remedy.split()


def test_a_user_who_may_change_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "access", lambda path, mode: True)
    assert list(checks.check_bytecode())[-1].text.startswith("this user may change the program")


def test_a_clock_before_the_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 0.0)
    (found,) = checks.check_clock()
    assert found.result == "failure"


# The command


def test_for_people(run_admin: Program, state: Path) -> None:
    outcome = run_admin(b"", "doctor", store="-")
    assert outcome.status == 2
    lines = outcome.stdout.splitlines()
    assert "failure  store: standard output, which a mail server does not keep" in lines
    assert lines[lines.index("failure  store: standard output, which a mail server does not keep") + 1] == (
        "         set [store] url"
    )


def test_as_root_it_asks_for_the_user(examine: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert examine()[1]["user"].result == "warning"
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert examine()[1]["user"].result == "ok"


def test_only_root_becomes_another(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert main(["doctor", "--user=root"]) == 2
    assert "only root can be another user" in capsys.readouterr().err
    assert main(["doctor", "--user=nobody-of-this-name"]) == 2
    assert "there is no such user" in capsys.readouterr().err


def _python_of_all() -> str:
    """A Python that every user may run: the one of the tests may stand in somebody's home."""
    for path in (os.path.realpath(sys.executable), shutil.which("python3", path="/usr/local/bin:/usr/bin") or ""):
        command = [path, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
        try:
            if subprocess.run(command, check=False, user="nobody", env={}).returncode == 0:
                return path
        except (OSError, subprocess.SubprocessError):
            continue
    return missing("needs a Python 3.11 that every user may run; on Debian: apt-get install python3")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_as_the_user_that_the_filter_runs_as(tmp_path: Path) -> None:
    """The settings are read, and the state is tried, by that user; nothing of our environment is left."""
    python = _python_of_all()
    place = Path("/tmp") / f"email-report-doctor-{os.getpid()}"
    place.mkdir(mode=0o755)
    try:
        package = PACKAGE
        shutil.copytree(package, place / package.name, ignore=shutil.ignore_patterns("__pycache__"))
        settings, state = place / "settings.toml", place / "state"
        settings.write_text("[filter]\ndeadline = 8\n")
        settings.chmod(0o644)
        state.mkdir(mode=0o700)
        code = "import sys; from email_report_processor.admin.command import main; sys.exit(main(sys.argv[1:]))"
        libraries = next(path for path in sys.path if path.endswith("site-packages"))
        command = [python, "-c", code, "doctor", "--json", "--user=nobody", f"--config={settings}", f"--state={state}"]
        environ = {"PYTHONPATH": f"{place}:{libraries}", "EMAIL_REPORT_PROCESSOR_READ_FEED": "rua"}

        def run() -> dict[str, dict[str, str]]:
            done = subprocess.run(command, check=False, capture_output=True, text=True, env=environ, cwd=place)
            assert done.stdout, done.stderr
            return {one["about"]: one for one in json.loads(done.stdout)}

        found = run()
        assert found["user"]["text"].startswith("nobody")
        assert found["settings"]["text"] == f"from {settings}"
        assert found["deadline"]["text"] == "8 s for one message"
        assert (found["state"]["result"], "cannot be written" in found["state"]["text"]) == ("failure", True)
        assert "-o nobody" in found["state"]["remedy"]
        shutil.chown(state, "nobody")
        assert run()["state"]["result"] == "ok"
        settings.chmod(0o600)
        assert run()["settings"]["result"] == "failure"
    finally:
        shutil.rmtree(place)
