"""One report of many rows: time against an expat scan of the same XML, and peak memory."""

import sys
import tempfile
from pathlib import Path

from . import floors, messages
from .measure import Command, Target, compare, report
from .one_message import PROGRAM


def main(sizes: tuple[tuple[int, float, int], ...] = ((100_000, 64, 3), (1_000_000, 96, 1))) -> bool:
    """Run each size: rows, MiB at the most, runs. Returns whether every target was met."""
    with tempfile.TemporaryDirectory() as folder:
        met = [_run(Path(folder), *size) for size in sizes]  # each of them, also after a miss
    return all(met)


def _run(folder: Path, rows: int, peak: float, runs: int) -> bool:
    path = messages.write_xml(folder / f"{rows}.xml", rows)
    settings = folder / "settings.toml"
    settings.write_text(
        '[log]\nto = "none"\n[filter]\ndeadline = 3600\n[bounds]\nmessage_bytes = "1 GiB"\nrows = 2000000\n'
    )
    argv = [PROGRAM, "--config", str(settings), "--state", str(folder / "state"), "--store", "-"]
    floor = Command("floor", [sys.executable, "-c", floors.EXPAT, str(path)])
    ours, least = compare(Command("ours", argv, stdin=path), floor, runs=runs)
    path.unlink()
    return report(f"{rows:,} rows → NDJSON", ours, least, Target(5, peak=peak))
