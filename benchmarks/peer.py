"""`make bench-peer`: the same work by the best known tool of this kind, parsedmarc, in an environment of its own.

It is installed when this is asked for, into the cache of the tests, and runs as it is quickest: offline, two processes,
without `-o` (with it, it takes nearly twice as long). Ratios are peer to ours, in turn in one run.
"""

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import NamedTuple

from . import messages
from .imports import write_mbox
from .measure import Command, compare
from .one_message import PROGRAM

PEER = "parsedmarc==11.1.0"
PLACE = Path.home() / ".cache/email-report-processor-tests" / PEER.replace("==", "-")
SETTINGS = "[general]\noffline = True\nn_procs = 2\n"


class Work(NamedTuple):
    """One thing that both do."""

    name: str
    ours: Command
    peer: Command
    part: str  # of what was measured: wall or cpu
    target: float
    runs: int


def installed() -> str:
    """The peer's command, installed at the first call."""
    command = PLACE / "bin/parsedmarc"
    if not command.exists():
        print(f"installing {PEER} into {PLACE}")
        venv.create(PLACE, clear=True, with_pip=True, symlinks=True)
        pip = [str(PLACE / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, PEER], check=True)
    return str(command)


def main() -> bool:
    """Run all comparisons. Returns whether every target was met."""
    peer = installed()
    with tempfile.TemporaryDirectory() as name:
        met = [_compare(work) for work in _works(Path(name), peer)]  # each of them, also after a miss
    return all(met)


def _works(folder: Path, peer: str) -> list[Work]:
    config, settings = folder / "peer.ini", folder / "settings.toml"
    config.write_text(SETTINGS)
    settings.write_text('[log]\nto = "none"\n')
    one, many, mbox = folder / "one.eml", folder / "many.eml", folder / "reports.mbox"
    one.write_bytes(messages.message(9))
    # In a process of its own: what is started from a big one has its peak of memory.
    make = f"from benchmarks import messages; open({str(many)!r}, 'wb').write(messages.message(100_000))"
    subprocess.run([sys.executable, "-c", make], cwd=Path(__file__).parents[1], check=True)
    write_mbox(mbox, 2000)

    def ours(store: str, *paths: str, stdin: Path | None = None) -> Command:
        argv = [PROGRAM, "--config", str(settings), "--state", str(folder / "state"), "--store", store, *paths]
        return Command("ours", argv, stdin=stdin or Path(os.devnull))

    def theirs(path: Path) -> Command:
        return Command("peer", [peer, "-c", str(config), str(path)])

    sqlite = f"sqlite:{folder}/one.sqlite"
    return [
        Work("one message → NDJSON, wall", ours("-", stdin=one), theirs(one), "wall", 10, 9),
        Work("one message → SQLite, wall", ours(sqlite, stdin=one), theirs(one), "wall", 10, 9),
        Work("2,000 messages, mbox → NDJSON, wall", ours("-", str(mbox)), theirs(mbox), "wall", 10, 3),
        Work("100,000 rows → NDJSON, CPU", ours("-", stdin=many), theirs(many), "cpu", 15, 1),
    ]


def _compare(work: Work) -> bool:
    ours, peer = compare(work.ours, work.peer, work.runs)
    mine, its = getattr(ours, work.part), getattr(peer, work.part)
    met = bool(its / mine >= work.target)
    line = f"{work.name:<44} {its:8.2f} s / {mine:8.3f} s = {its / mine:5.1f} (≥ {work.target:g})"
    print(f"{line}  {peer.peak:6.0f} MiB / {ours.peak:4.0f} MiB{'' if met else '  MISSED'}")
    sys.stdout.flush()
    return met
