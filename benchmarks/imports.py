"""Imports of many messages: CPU time against what reading them takes at the least, and the rate of storing them."""

import os
import random
import secrets
import statistics
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

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
TRIALS, PAIRS = 3, 9


class _Pair(NamedTuple):
    """Seconds on the clock of three runs of ours, whole processes, and of one of theirs, the sending alone."""

    ours: float
    again: float  # into the filled store
    nothing: float  # an empty mbox: to start, and to import opensearch-py
    theirs: float


def _to_opensearch(folder: Path, mbox: Path, node: str) -> list[bool]:
    """The same documents by us, from the mbox, and by opensearch-py's helper, from memory; and once more by us.

    The helper's best settings are chosen first; then both run in turn, and a ratio is the median of those of the pairs.
    Neither rate has the start of Python and the import of opensearch-py in it; a second line says what it is with ours.
    """
    prefix = f"bench-{secrets.token_hex(4)}-"
    try:
        documents = folder / "documents.ndjson"
        _finished(_ours(folder, mbox, "-", prefix)._replace(stdout=documents))
        best = _best_helper(folder, node, prefix, documents)
        pairs = [_pair(folder, mbox, node, prefix, documents, best) for _ in range(PAIRS)]
    finally:
        Node(node).wipe(prefix)
    return _say(pairs, sum(1 for _ in documents.open("rb")), best)


def _say(pairs: list[_Pair], number: int, best: tuple[int, int]) -> list[bool]:
    """Print the lines about the pairs; whether the targets were met."""
    start = statistics.median(pair.nothing for pair in pairs)
    met = []
    for what, off, target in (("documents → OpenSearch, wall clock", start, 0.8), ("with our start", 0.0, 0.0)):
        rate = number / statistics.median(pair.ours - off for pair in pairs)
        theirs = number / statistics.median(pair.theirs for pair in pairs)
        ratio = statistics.median(pair.theirs / (pair.ours - off) for pair in pairs)
        met.append(ratio >= target)
        wanted = f" (≥ {target})" if target else ""
        print(f"{what:<44} {rate:7,.0f} /s / {theirs:7,.0f} /s = {ratio:5.2f}{wanted}{'' if met[-1] else '  MISSED'}")
    print(f"{'':<44} start {start:.2f} s; theirs with {best[0]} threads, {best[1]} documents a request")
    again = statistics.median(pair.again / pair.ours for pair in pairs)
    met.append(again <= 1)
    print(f"{'the same again':<44} {again:.2f} of the first time (≤ 1){'' if met[-1] else '  MISSED'}")
    return met


def _best_helper(folder: Path, node: str, prefix: str, documents: Path) -> tuple[int, int]:
    """Threads and documents a request with which the helper is quickest here. Warms the node, too."""
    seconds: dict[tuple[int, int], list[float]] = {settings: [] for settings in HELPERS}
    for _ in range(TRIALS):
        for settings, found in seconds.items():
            _empty(node, prefix)
            found.append(_helper(folder, node, documents, *settings))
    return min(seconds, key=lambda settings: statistics.median(seconds[settings]))


def _pair(folder: Path, mbox: Path, node: str, prefix: str, documents: Path, best: tuple[int, int]) -> _Pair:
    nothing = folder / "nothing.mbox"
    nothing.touch()
    _empty(node, prefix)
    command = _ours(folder, mbox, node, prefix)
    ours, again = _finished(command).wall, _finished(command).wall
    start = _finished(_ours(folder, nothing, node, prefix)).wall
    _empty(node, prefix)
    return _Pair(ours, again, start, _helper(folder, node, documents, *best))


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
