"""Imports of many messages: CPU time against what reading them takes at the least, and the rate of storing them."""

import os
import random
import secrets
import statistics
import sys
import tempfile
from pathlib import Path

from tests.nodes import Node

from . import floors, messages
from .measure import Command, Run, Target, compare, report, run
from .one_message import PROGRAM

MESSAGES = 2000


def main(node: str = "") -> bool:
    """Run all comparisons; those with OpenSearch need the URL of a node. Returns whether every target was met."""
    with tempfile.TemporaryDirectory() as folder:
        mbox = write_mbox(Path(folder) / "reports.mbox", MESSAGES)
        met = [_to_ndjson(Path(folder), mbox)]
        if node:
            met += _to_opensearch(Path(folder), mbox, node)
    return all(met)


def write_mbox(path: Path, number: int) -> Path:
    """An mbox of aggregate reports of 1 to 20 rows."""
    dice = random.Random(number)
    with path.open("wb") as file:
        for one in range(number):
            message = messages.message(dice.randint(1, 20), str(10**18 + one)).replace(b"\r\n", b"\n")
            file.write(b"From noreply@bigmail.example Thu Nov 20 06:12:44 2025\n" + message + b"\n")
    return path


def _to_ndjson(folder: Path, mbox: Path) -> bool:
    floor = Command("floor", [sys.executable, "-c", floors.MBOX, str(mbox)])
    ours, least = compare(_ours(folder, mbox, "-"), floor, runs=5)
    good = report(f"{MESSAGES:,} messages → NDJSON", ours, least, Target(4, peak=80))
    print(f"{'':<44} {MESSAGES / ours.wall:8,.0f} messages/s on {ours.wall:.2f} s of {_cores()} cores")
    return good


def _ours(folder: Path, mbox: Path, store: str, prefix: str = "") -> Command:
    settings = folder / "settings.toml"
    settings.write_text('[log]\nto = "none"\n')
    environ = {"EMAIL_REPORT_PROCESSOR_STORE_INDEX_PREFIX": prefix} if prefix else {}
    argv = [PROGRAM, "--config", str(settings), "--state", str(folder / "state"), "--store", store, str(mbox)]
    return Command("ours", argv, env=environ)


def _cores() -> int:
    return len(os.sched_getaffinity(0))


HELPERS = ((1, 2000), (2, 500), (2, 2000), (4, 500))  # threads and documents a request of opensearch-py's helper


def _to_opensearch(folder: Path, mbox: Path, node: str) -> list[bool]:
    """The same documents by us, from the mbox, and by opensearch-py's helper, from memory; and once more by us."""
    prefix = f"bench-{secrets.token_hex(4)}-"
    try:
        documents = folder / "documents.ndjson"
        _finished(_ours(folder, mbox, "-", prefix)._replace(stdout=documents))
        number = sum(1 for _ in documents.open("rb"))
        ours, again, theirs = _in_turn(folder, mbox, node, prefix, documents)
    finally:
        Node(node).wipe(prefix)
    best = min(theirs, key=lambda settings: statistics.median(theirs[settings]))
    fast, slow, same = (statistics.median(one) for one in (theirs[best], ours, again))
    rates = f"{number / slow:7,.0f} /s / {number / fast:7,.0f} /s = {fast / slow:5.2f} (≥ 0.8)"
    met = [fast / slow >= 0.8, same <= slow]
    print(f"{'documents → OpenSearch, wall clock':<44} {rates}{'' if met[0] else '  MISSED'}")
    print(f"{'':<44} against {best[0]} threads, {best[1]} documents a request")
    print(f"{'the same again':<44} {same:.2f} s / {slow:.2f} s = {same / slow:.2f} (≤ 1){'' if met[1] else '  MISSED'}")
    return met


def _in_turn(
    folder: Path, mbox: Path, node: str, prefix: str, documents: Path, runs: int = 5
) -> tuple[list[float], list[float], dict[tuple[int, int], list[float]]]:
    """Seconds of ours (whole process), of ours again into the filled store, and of theirs (sending alone)."""
    command = _ours(folder, mbox, node, prefix)
    ours: list[float] = []
    again: list[float] = []
    theirs: dict[tuple[int, int], list[float]] = {settings: [] for settings in HELPERS}
    for turn in range(runs + 1):  # the first does not count: it installs the templates and warms the node
        _empty(node, prefix)
        first, second = _finished(command).wall, _finished(command).wall
        ours += [first] if turn else []
        again += [second] if turn else []
        for settings in HELPERS:
            _empty(node, prefix)
            seconds = _helper(folder, node, documents, *settings)
            theirs[settings] += [seconds] if turn else []
    return ours, again, theirs


def _empty(node: str, prefix: str) -> None:
    """Delete the indices; the templates stay."""
    Node(node).ask("DELETE", f"/{prefix}*?expand_wildcards=all")


def _helper(folder: Path, node: str, documents: Path, threads: int, chunk: int) -> float:
    printed = folder / "seconds"
    argv = [sys.executable, "-c", floors.BULK, node, str(documents), str(threads), str(chunk)]
    _finished(Command("helper", argv, stdout=printed))
    return float(printed.read_text())


def _finished(command: Command) -> Run:
    done = run(command)
    if done.status != 0:
        raise RuntimeError(f"{command.name}: {' '.join(command.argv)} ended with status {done.status}")
    return done
