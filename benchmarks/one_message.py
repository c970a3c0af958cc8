"""One message, whole process: the cost that a mail server sees."""

import secrets
import sys
import tempfile
from pathlib import Path

from . import floors, messages
from .measure import Command, Target, compare, report

PROGRAM = str(Path(sys.executable).with_name("email-report-processor"))


def main(node: str = "") -> bool:
    """Run all comparisons; the one with OpenSearch needs the URL of a node. Returns whether every target was met."""
    with tempfile.TemporaryDirectory() as folder:
        return _run(Path(folder), node)


def _run(folder: Path, node: str) -> bool:
    nothing, nine = folder / "nothing.eml", folder / "nine.eml"
    nothing.write_bytes(messages.NO_REPORT)
    nine.write_bytes(messages.message(9))
    good = [
        _against_imports("no report → kept", folder, nothing, f"sqlite:{folder}/a.sqlite"),
        _against_imports("9 rows → NDJSON", folder, nine, "-"),
        _against_imports("9 rows → SQLite", folder, nine, f"sqlite:{folder}/b.sqlite"),
    ]
    if node:
        good.append(_against_opensearch(folder, nine, node))
    return all(good)


def _ours(folder: Path, mail: Path, store: str, environ: dict[str, str] | None = None) -> Command:
    settings = folder / "settings.toml"
    settings.write_text('[log]\nto = "none"\n')
    argv = [PROGRAM, "--config", str(settings), "--state", str(folder / "state"), "--store", store]
    return Command("ours", argv, stdin=mail, env=environ or {})


def _against_imports(what: str, folder: Path, mail: Path, store: str) -> bool:
    floor = Command("floor", [sys.executable, "-c", floors.IMPORTS], stdin=mail)
    ours, least = compare(_ours(folder, mail, store), floor, runs=21)
    return report(what, ours, least, Target(1.25))


def _against_opensearch(folder: Path, mail: Path, node: str) -> bool:
    prefix = f"bench-{secrets.token_hex(4)}-"
    environ = {"EMAIL_REPORT_PROCESSOR_STORE_INDEX_PREFIX": prefix}
    floor = Command("floor", [sys.executable, "-c", floors.OPENSEARCH, node, f"{prefix}floor"])
    try:
        ours, least = compare(_ours(folder, mail, node, environ), floor, runs=21)
    finally:
        from tests.nodes import Node

        Node(node).wipe(prefix)
    return report("9 rows → OpenSearch", ours, least, Target(1.2, peak=45))
