"""The drawing in docs/design.md is true: who imports whom, and what a message loads."""

import ast
import re
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.places import PACKAGE, ROOT

# Imports between these run down only. A name is a room, or a module that stands beside the rooms.
ROOMS = (
    ("__main__",),
    ("cli",),
    ("admin",),
    ("desk",),
    ("alerts", "advice", "logins"),
    ("importing", "inboxes"),
    ("checking", "privacy"),
    ("pages",),
    (
        "process",
        "job",
        "tenants",
        "routing",
        "keys",
        "settings",
        "log",
        "watch",
        "writer",
        "flags",
        "objects",
        "ending",
    ),  # the pipeline: free among themselves, but for circles
    ("cluster",),
    ("stores",),
    ("reports",),
    ("documents",),
    ("message",),
    ("values",),
    ("__init__",),  # the version; its door to `read_message` opens when it is used
)
FLOOR = {name: floor for floor, names in enumerate(reversed(ROOMS)) for name in names}
TOGETHER = set(next(names for names in ROOMS if "process" in names))
NEW = {"admin", "desk", "alerts", "advice", "logins", "inboxes", "pages"}  # what imports the core
CORE = FLOOR.keys() - NEW - {"checking", "importing", "privacy"}
KINDS = {"reports.dmarc_aggregate", "reports.feedback", "reports.smtp_tls"}
PURE = {"reports", "documents", "message", "values"}
CLIENTS_AND_CLOCKS = {
    "time",
    "socket",
    "ssl",
    "sqlite3",
    "opensearchpy",
    "http",
    "syslog",
    "signal",
    "subprocess",
    "dns",
}


def name_of(path: Path) -> str:
    """A module as `room.module`."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


MODULES = {name_of(path): ast.parse(path.read_text("utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}


def room(module: str) -> str:
    return module.partition(".")[0]


def foreign(tree: ast.AST) -> set[str]:
    """Packages of others that are imported."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def ours(module: str) -> set[str]:
    """Modules of the package that a module imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(MODULES[module]):
        if isinstance(node, ast.ImportFrom) and node.level:
            place = module.split(".")[: -node.level] + (node.module.split(".") if node.module else [])
            for name in node.names:
                whole = ".".join([*place, name.name])
                package = ".".join([*place, "__init__"])
                found.add(whole if whole in MODULES else package if package in MODULES else ".".join(place))
    return found


IMPORTS = {module: ours(module) for module in MODULES}


def test_every_import_was_found() -> None:
    assert set().union(*IMPORTS.values()) <= MODULES.keys()


def test_every_room_has_its_floor() -> None:
    assert {room(module) for module in MODULES} <= FLOOR.keys()


@pytest.mark.parametrize("module", sorted(MODULES.keys() - {"__init__"}))
def test_imports_between_rooms_run_down(module: str) -> None:
    for imported in IMPORTS[module]:
        here, there = room(module), room(imported)
        assert here == there or {here, there} <= TOGETHER or FLOOR[there] < FLOOR[here], imported


def test_no_circle_of_files() -> None:
    try:
        TopologicalSorter({module: IMPORTS[module] - {"__init__"} for module in MODULES}).prepare()
    except CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


@pytest.mark.parametrize("module", sorted(module for module in MODULES if room(module) in CORE))
def test_the_core_imports_nothing_that_was_built_around_it(module: str) -> None:
    lazy = {"importing", "inboxes"} if module == "cli" else set()  # a PATH or --lmtp on the command line
    assert not {room(imported) for imported in IMPORTS[module]} & (NEW | {"checking", "importing", "privacy"}) - lazy


@pytest.mark.parametrize("module", sorted(KINDS))
def test_no_kind_imports_another(module: str) -> None:
    assert not IMPORTS[module] & (KINDS - {module})


def test_the_web_stays_in_its_room() -> None:
    """Pages of the desk are a way to use it: the desk itself, and whatever else there is, works without them."""
    web = {name for name, tree in MODULES.items() if {"flask", "waitress", "werkzeug"} & foreign(tree)}
    assert {name for name in web if not name.startswith("desk.web.")} == {"admin.desk"}
    users = {name for name in MODULES if any(one.startswith("desk.web.") for one in IMPORTS[name])}
    assert {name for name in users if not name.startswith("desk.web.")} == {"admin.desk"}


def test_one_module_imports_opensearch_py() -> None:
    assert {name for name, tree in MODULES.items() if "opensearchpy" in foreign(tree)} == {"stores.client"}


def test_one_module_imports_imap_tools() -> None:
    assert {name for name, tree in MODULES.items() if foreign(tree) & {"imap_tools", "imaplib"}} == {"inboxes.imap"}


def test_one_module_imports_idna() -> None:
    assert {name for name, tree in MODULES.items() if "idna" in foreign(tree)} == {"values.international"}


@pytest.mark.parametrize("module", sorted(module for module in MODULES if room(module) in PURE))
def test_reading_knows_no_settings_no_client_and_no_clock(module: str) -> None:
    assert not foreign(MODULES[module]) & CLIENTS_AND_CLOCKS


@pytest.mark.parametrize("module", sorted(name for name in MODULES if name.endswith(".__init__")))
def test_a_room_is_explained_and_hands_nothing_on(module: str) -> None:
    (docstring,) = MODULES[module].body
    assert isinstance(docstring, ast.Expr)
    text = ast.literal_eval(docstring.value)
    assert re.search(r"(?s)Enters: .*Leaves: .*(May\s+import|Imports)", text) or "." in module.removesuffix(".__init__")


def drawing() -> str:
    return (ROOT / "docs/design.md").read_text("utf-8")


@pytest.mark.parametrize("module", sorted(MODULES.keys() - {"__init__"}))
def test_every_room_and_every_file_stands_in_the_drawing(module: str) -> None:
    place, _, file = module.rpartition(".")
    line = rf"^\| `{re.escape(place.replace('.', '/'))}/` \|" if file == "__init__" else rf"^\| `{re.escape(file)}` \|"
    assert re.search(line, drawing(), re.MULTILINE)


def broad(tree: ast.AST) -> int:
    """How many handlers take any exception."""
    return sum(
        1
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"}))
    )


def test_exceptions_are_caught_where_one_can_act() -> None:
    """Two edges take anything: the command, and the guard around the pure half."""
    assert {name: broad(tree) for name, tree in MODULES.items() if broad(tree)} == {"cli": 1, "process": 1}


LOADED = """
import sys
from email_report_processor.cli import main
status = main(sys.argv[1:])
import os
os.write(int(os.environ["TELL"]), " ".join(sys.modules).encode())
os._exit(status)
"""


def loaded(tmp_path: Path, message: bytes, store: str) -> set[str]:
    """The modules that a piped run loads."""
    told = tmp_path / "modules"
    with told.open("wb") as file:
        program = f"import os; os.dup2({file.fileno()}, 9); os.environ['TELL'] = '9'" + LOADED
        arguments = [f"--store={store}", f"--state={tmp_path}", f"--config={tmp_path / 'none.toml'}", "--log=none"]
        (tmp_path / "none.toml").write_text("")
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments], input=message, pass_fds=[file.fileno()], env={}, check=False
        )
    assert done.returncode == 0
    return set(told.read_text().split())


NO_REPORT = b"From: a@example.net\nDate: Thu, 20 Nov 2025 06:12:40 +0000\nSubject: Hello\n\nHow are you?\n"
HEAVY = {
    "opensearchpy",
    "urllib3",
    "requests",
    "ssl",
    "dateutil",
    "maxminddb",
    "dns",
    "idna",
    "publicsuffixlist",
    "zipfile",
    "asyncio",
    "argparse",
    "email_report_processor.reports.feedback",
    "email_report_processor.inboxes",
    "email_report_processor.tenants",
    "email_report_processor.routing",
}


def test_a_message_without_a_report_loads_no_client_and_no_store(tmp_path: Path) -> None:
    assert not loaded(tmp_path, NO_REPORT, "https://127.0.0.1:1") & (HEAVY | {"sqlite3", "email", "tempfile"})


def test_a_report_for_the_embedded_store_loads_no_client(tmp_path: Path) -> None:
    from benchmarks.messages import message

    modules = loaded(tmp_path, message(3), f"sqlite:{tmp_path / 'reports.sqlite'}")
    assert "sqlite3" in modules
    assert not modules & (HEAVY | {"email_report_processor.reports.smtp_tls", "pathlib"})
