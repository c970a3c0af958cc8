"""Debian's packages: installed where that is possible without asking anybody, otherwise named."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence


def installable() -> bool:
    """Whether this is root on a machine with apt-get."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(*alternatives: str) -> bool:
    """Install the first of these packages that can be had; nothing is ever removed for it."""
    if any(map(_install, alternatives)):
        return True
    _run(["apt-get", "update", "-q"])  # the lists may be old, or absent as in a fresh container
    return any(map(_install, alternatives))


def _install(package: str) -> bool:
    return _run(["apt-get", "install", "-y", "-q", "--no-remove", "--no-install-recommends", package])


def _run(command: Sequence[str]) -> bool:
    print("+", *command, file=sys.stderr, flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=environment, check=False)
    return done.returncode == 0
