"""CPU time and peak memory of whole processes, as the operating system counts them, and their ratios.

The two commands of a comparison run in turn, A B A B …, so that both meet the same moods of the machine; the ratio is
that of the medians.
"""

import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

_RUNNER = Path(__file__).with_name("runner.py")


class Run(NamedTuple):
    """One finished process."""

    cpu: float  # seconds, user and system, of the process and its waited-for children
    wall: float  # seconds
    peak: float  # MiB, resident
    status: int


class Command(NamedTuple):
    """What is run, with what on standard input and where its output goes."""

    name: str
    argv: Sequence[str]
    stdin: Path = Path(os.devnull)
    stdout: Path = Path(os.devnull)
    env: Mapping[str, str] = {}


class Measured(NamedTuple):
    """The medians of several runs."""

    name: str
    cpu: float
    wall: float
    peak: float


def run(command: Command) -> Run:
    """Run a command once."""
    argv = [sys.executable, "-I", "-S", str(_RUNNER), str(command.stdin), str(command.stdout), *command.argv]
    said = subprocess.run(argv, env=os.environ | command.env, stdout=subprocess.PIPE, check=True).stdout.split()
    return Run(float(said[0]), float(said[1]), int(said[2]) / 1024, int(said[3]))


def compare(ours: Command, floor: Command, runs: int) -> tuple[Measured, Measured]:
    """Run both in turn, after one run of each that does not count. Raises RuntimeError when one of them fails."""
    results: dict[str, list[Run]] = {ours.name: [], floor.name: []}
    for turn in range(runs + 1):
        for command in (ours, floor):
            done = run(command)
            if done.status != 0:
                raise RuntimeError(f"{command.name}: {' '.join(command.argv)} ended with status {done.status}")
            if turn > 0:
                results[command.name].append(done)
    return _median(ours.name, results[ours.name]), _median(floor.name, results[floor.name])


def _median(name: str, runs: Sequence[Run]) -> Measured:
    cpu, wall, peak = (statistics.median(getattr(one, part) for one in runs) for part in ("cpu", "wall", "peak"))
    return Measured(name, cpu, wall, peak)


class Target(NamedTuple):
    """What the project promises of one comparison."""

    ratio: float  # of CPU time, ours to the floor
    peak: float = 0.0  # MiB; 0: none


def report(what: str, ours: Measured, floor: Measured, target: Target) -> bool:
    """Print one line, and return whether the target was met."""
    ratio = ours.cpu / floor.cpu
    good = ratio <= target.ratio and (not target.peak or ours.peak <= target.peak)
    line = f"{what:<44} {ours.cpu * 1000:8.1f} ms / {floor.cpu * 1000:8.1f} ms = {ratio:5.2f} (≤ {target.ratio})"
    memory = f"  {ours.peak:6.1f} MiB" + (f" (≤ {target.peak:g})" if target.peak else "")
    print(line + memory + ("" if good else "  MISSED"))
    sys.stdout.flush()
    return good
