"""The desk as it is started: a process of its own, behind waitress."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Server(NamedTuple):
    """A process that answers."""

    process: subprocess.Popen[str]
    url: str  # http://127.0.0.1:PORT
    entrance: str  # the address that lets one browser in, '' none
    state: Path


@contextlib.contextmanager
def running(directory: Path, store: str, *, prefix: str = "email-report-", settings: str = "") -> Iterator[Server]:
    """`email-report-admin desk` on a free port until the end of the block. settings: more of the file."""
    state = directory / "state"
    config = directory / "desk.toml"
    web = "" if "[web]" in settings else '[web]\nlisten = "127.0.0.1:0"\n'
    config.write_text(
        f'[store]\nurl = "{store}"\nindex_prefix = "{prefix}"\n[state]\ndir = "{state}"\n'
        f'[log]\nto = "{directory / "log"}"\n{web}{settings}'
    )
    program = Path(sys.executable).with_name("email-report-admin")
    command = [str(program), "desk", "--config", str(config)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={}, cwd=directory)
    try:
        assert process.stdout is not None
        said = process.stdout.readline().strip()
        entrance = (state / "desk-address").read_text().strip() if said.startswith("The address") else ""
        url = entrance.partition("/enter/")[0] if entrance else said.rpartition(" ")[2]
        yield Server(process, url, entrance, state)
    finally:
        process.terminate()
        process.wait(30)
        if process.stdout is not None:
            process.stdout.close()
