"""`make venv`: a virtual environment with the package (editable) and what its development needs.

The dependency group is read from pyproject.toml, as the pip of Debian 12 (23.0) has no --group yet.
"""

import importlib.util
import subprocess
import sys
import tomllib
import venv
from pathlib import Path
from typing import Any

from tools import debian

PROJECT = Path(__file__).resolve().parents[1]
VENV = PROJECT / ".venv"
STAMP = VENV / ".installed"  # newer than pyproject.toml: nothing to do


class VenvError(Exception):
    """The environment cannot be made; the text says what to do."""


def group(groups: dict[str, list[Any]], name: str) -> list[str]:
    """The requirements of a dependency group and of those that it includes (PEP 735)."""
    found: list[str] = []
    for entry in groups[name]:
        found += [entry] if isinstance(entry, str) else group(groups, entry["include-group"])
    return found


def create() -> None:
    """Make the environment when there is none that works. Raises VenvError."""
    if works():
        return
    if not can_create() and not (debian.installable() and debian.install("python3-venv") and can_create()):
        raise VenvError("Python's ensurepip is not here; on Debian: apt-get install python3-venv")
    venv.create(VENV, clear=True, with_pip=True, symlinks=True)


def works() -> bool:
    """Whether there is an environment, of this Python, with pip."""
    python = VENV / "bin/python"
    if not python.exists():
        return False
    check = f"import pip, sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
    return subprocess.run([python, "-c", check], stderr=subprocess.DEVNULL, check=False).returncode == 0


def can_create() -> bool:
    """Debian keeps ensurepip in a package of its own."""
    importlib.invalidate_caches()
    return importlib.util.find_spec("ensurepip") is not None


def install() -> None:
    """Install the package and the group `dev`. Raises VenvError."""
    with (PROJECT / "pyproject.toml").open("rb") as file:
        requirements = group(tomllib.load(file)["dependency-groups"], "dev")
    pip = [str(VENV / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    done = subprocess.run([*pip, "--editable", str(PROJECT), *requirements], stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise VenvError("pip could not install what pyproject.toml names; its message stands above")


def main() -> int:
    """0, or 1 with a sentence."""
    try:
        create()
        install()
    except VenvError as error:
        print(f"make venv: {error}", file=sys.stderr)
        return 1
    STAMP.touch()
    return 0


if __name__ == "__main__":
    sys.exit(main())
