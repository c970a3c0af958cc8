"""The drawing in docs/design.md is true: who imports whom, and what a message loads."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "email_report_processor"
MODULES = {path.stem: ast.parse(path.read_text("utf-8")) for path in sorted(PACKAGE.glob("*.py"))}
KINDS = {"dmarc_aggregate", "feedback", "smtp_tls"}
EDGE = {
    "__init__", "__main__", "cli", "watch", "log", "settings", "job", "process", "kept", "importer", "store",
    "opensearch", "bulk", "sqlite", "ndjson", "totals",
}  # fmt: skip
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


def imports(tree: ast.AST) -> set[str]:
    """Names of modules, our own ones without the package."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level:
            found |= {node.module.split(".")[0]} if node.module else {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def reading_half() -> set[str]:
    """The modules that `read_message` can reach."""
    found: set[str] = set()
    ahead = {"reading", "classify", "enrich", "encode", "layout"}
    while ahead:
        name = ahead.pop()
        found.add(name)
        ahead |= (imports(MODULES[name]) & MODULES.keys()) - found
    return found


@pytest.mark.parametrize("name", sorted(reading_half()))
def test_what_is_left_of_process_knows_no_settings_no_client_and_no_clock(name: str) -> None:
    assert not imports(MODULES[name]) & (EDGE | CLIENTS_AND_CLOCKS)


@pytest.mark.parametrize("name", sorted(KINDS))
def test_no_kind_imports_another(name: str) -> None:
    assert not imports(MODULES[name]) & (KINDS - {name})


def test_one_module_imports_opensearch_py() -> None:
    assert {name for name, tree in MODULES.items() if "opensearchpy" in imports(tree)} == {"opensearch"}


def test_nothing_of_the_core_imports_the_admin_commands() -> None:
    assert {name for name, tree in MODULES.items() if "admin" in imports(tree)} == set()


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
    "publicsuffixlist",
    "zipfile",
    "asyncio",
}


def test_a_message_without_a_report_loads_no_client_and_no_store(tmp_path: Path) -> None:
    assert not loaded(tmp_path, NO_REPORT, "https://127.0.0.1:1") & (HEAVY | {"sqlite3", "email", "tempfile"})


def test_a_report_for_the_embedded_store_loads_no_client(tmp_path: Path) -> None:
    from benchmarks.messages import message

    modules = loaded(tmp_path, message(3), f"sqlite:{tmp_path / 'reports.sqlite'}")
    assert "sqlite3" in modules
    assert not modules & (HEAVY | {"email_report_processor.smtp_tls"})
