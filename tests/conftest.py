"""What tests share: the real nodes, the corpus, and the program as a mail server runs it."""

import contextlib
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, TypeVar

import hypothesis
import pytest

from tests import nodes
from tests.s3 import S3

REPOSITORY = Path(__file__).resolve().parents[1]
CORPUS = REPOSITORY.parent / "shared/corpus"
# Fixtures that need a node, and the marker that each gives to its tests.
NODE_FIXTURES = {"node": "node", "own_node": "node", "secure_node": "secure_node"}

# No absolute times: a machine that is busy is not a fault. What grows with its input is asked by `tests.linear`.
hypothesis.settings.register_profile("ours", deadline=None)
hypothesis.settings.load_profile("ours")

AnyNode = TypeVar("AnyNode", bound=nodes.Node)


def pytest_configure(config: pytest.Config) -> None:
    """Without -m, leave out what has its own target in the Makefile."""
    if not config.option.markexpr:
        config.option.markexpr = "not mta and not long"
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        _share_nodes(config)


def _share_nodes(config: pytest.Config) -> None:
    """With `-n`: start the plain node once, before the workers, which find it in the environment.

    Each worker has a secure node of its own: the plugin holds all roles, users and mappings in a document for each
    kind, and refuses one of two changes that come at once (409).
    """
    try:
        node = nodes.plain()
    except (nodes.MissingError, nodes.BuildError, nodes.StartError):
        return  # each test that needs it says so itself
    config.add_cleanup(node.close)
    os.environ.update(nodes.variables(node))


def pytest_make_parametrize_id(val: object) -> str | None:
    """Processes that share the tests have to give them the same names: what is compressed holds the time."""
    return f"{len(val)} bytes" if isinstance(val, bytes) and not val.isascii() else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a node."""
    for item in items:
        for fixture, marker in NODE_FIXTURES.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(marker)


def in_ci() -> bool:
    """Whether a missing part is a failure: on a user's machine it is a skip that names the packages."""
    return os.environ.get("CI", "").lower() in {"1", "true"}


def missing(reason: str) -> NoReturn:
    """End the test because this machine lacks a part: `missing("needs …; on Debian: apt-get install …")`."""
    if in_ci():
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@contextlib.contextmanager
def _running(start: Callable[[], AnyNode]) -> Iterator[AnyNode]:
    try:
        node = start()
    except nodes.MissingError as error:
        missing(str(error))
    with contextlib.closing(node):
        yield node


@pytest.fixture(scope="session")
def node() -> Iterator[nodes.Node]:
    """The plain node. It may be shared with other runs: keep to `prefix`, and don't stop it."""
    with _running(nodes.plain) as node:
        yield node


@pytest.fixture(scope="session")
def own_node(request: pytest.FixtureRequest) -> Iterator[nodes.Node]:
    """A plain node of this run alone, that may be stopped and started; leave it running."""
    if nodes.PLAIN not in os.environ:
        node: nodes.Node = request.getfixturevalue("node")
        yield node
        return
    with _running(lambda: nodes.plain(own=True)) as node:
        yield node


@pytest.fixture(scope="session")
def secure_node() -> Iterator[nodes.SecureNode]:
    """The node with TLS, passwords and roles. It may be shared with other runs: keep to `prefix`."""
    with _running(nodes.secure) as node:
        yield node


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> Iterator[str]:
    """A prefix for the names of this test's indices, templates, pipelines, users and roles, which are deleted."""
    name = f"erp-test-{secrets.token_hex(5)}-"
    used = [request.getfixturevalue(fixture) for fixture in NODE_FIXTURES if fixture in request.fixturenames]
    yield name
    for node in used:
        node.wipe(name)


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The directory of real messages; it is no part of the project."""
    if not CORPUS.is_dir():
        pytest.skip(f"the corpus of real messages is not beside the repository ({CORPUS})")
    return CORPUS


@pytest.fixture(scope="session")
def truth(corpus: Path) -> list[dict[str, Any]]:
    """What each message of the corpus holds: the lines of its truth.jsonl."""
    with (corpus / "truth.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory for the program, not yet made."""
    return tmp_path / "state"


class Outcome(NamedTuple):
    """What a process left."""

    status: int  # negative: the signal that ended it
    stdout: str
    stderr: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Standard output of `--store -`: one document a line."""
        return [json.loads(line) for line in self.stdout.splitlines()]


class Program:
    """One of the two commands, run as a mail server runs it: an empty environment, settings and state of the test."""

    def __init__(self, name: str, directory: Path, state: Path) -> None:
        self.path = Path(sys.executable).with_name(name)
        self.settings = directory / "settings.toml"
        self.state = state
        self.directory = directory

    def command(self, *arguments: str, store: str = "", settings: str | None = None) -> list[str]:
        """The command line. `settings` replaces the settings file of this test, which begins empty."""
        assert self.path.exists(), f"{self.path} is not installed: run `make venv`"
        if settings is not None or not self.settings.exists():
            self.settings.write_text(settings or "")
        ours = [f"--config={self.settings}", f"--state={self.state}", *([f"--store={store}"] if store else [])]
        first = 1 if arguments and not arguments[0].startswith("-") else 0  # a sub-command comes before its flags
        return [str(self.path), *arguments[:first], *ours, *arguments[first:]]

    def start(
        self,
        *arguments: str,
        store: str = "",
        settings: str | None = None,
        env: Mapping[str, str] | None = None,
        **popen: Any,
    ) -> subprocess.Popen[bytes]:
        """The running process, with pipes; `popen` are further arguments of Popen."""
        pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        command = self.command(*arguments, store=store, settings=settings)
        return subprocess.Popen(command, env=dict(env or {}), **{"cwd": self.directory, **pipes, **popen})

    def __call__(self, stdin: bytes = b"", *arguments: str, timeout: float = 120, **start: Any) -> Outcome:
        """Run it to its end with this standard input; the other arguments are those of `start`."""
        with self.start(*arguments, **start) as process:
            try:
                stdout, stderr = process.communicate(stdin, timeout)
            except BaseException:
                process.kill()
                raise
        return Outcome(process.returncode, _text(stdout), _text(stderr))


def _text(output: bytes | None) -> str:
    return (output or b"").decode(errors="replace")


@pytest.fixture
def run_filter(tmp_path: Path, state: Path) -> Program:
    """`run_filter(message, store=…, settings="…", env={…})` runs email-report-processor: see Program."""
    return Program("email-report-processor", tmp_path, state)


@pytest.fixture
def run_admin(tmp_path: Path, state: Path) -> Program:
    """`run_admin(b"", "kept", …)` runs email-report-admin with the settings and state of `run_filter`."""
    return Program("email-report-admin", tmp_path, state)


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    """A server of S3; each test has a bucket of its own."""
    with contextlib.closing(S3()) as server:
        yield server
