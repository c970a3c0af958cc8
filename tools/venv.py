"""`make venv`: a virtual environment with the package (editable) and what its development needs.

What is installed stands in requirements.lock, version and hash (`make lock` writes it). When pyproject.toml names a
package that the lock does not have yet, pip chooses, and says so; a test demands that the lock has them all. The
dependency group is read from pyproject.toml, as the pip of Debian 12 (23.0) has no --group yet.
"""

import importlib.util
import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path
from typing import Any

from tools import debian

PROJECT = Path(__file__).resolve().parents[1]
VENV = PROJECT / ".venv"
LOCK = PROJECT / "requirements.lock"
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


def wanted() -> list[str]:
    """What pyproject.toml asks for: what the package needs, with all extras, and the group `dev`."""
    return [*wanted_of_the_package(), *group(_said()["dependency-groups"], "dev")]


def wanted_of_the_package() -> list[str]:
    """What the package needs, with all extras."""
    project = _said()["project"]
    return [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]


def _said() -> dict[str, Any]:
    with (PROJECT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)


def unlocked() -> list[str]:
    """The requirements that the lock does not have, by name."""
    locked = set(re.findall(r"^([a-z0-9][a-z0-9.-]*)==", LOCK.read_text("utf-8"), re.MULTILINE))
    return [one for one in wanted() if name(one) not in locked]


def name(requirement: str) -> str:
    """Of the package, as the lock has it (PEP 503)."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else ""


def install() -> None:
    """Install what is locked, and the package. Raises VenvError."""
    more = unlocked()
    if more:
        print(f"make venv: requirements.lock lacks {', '.join(more)}; run make lock", file=sys.stderr)
        _pip("--editable", str(PROJECT), *wanted())
        return
    _pip("--require-hashes", "--requirement", str(LOCK))
    _pip("--no-deps", "--no-build-isolation", "--editable", str(PROJECT))


def _pip(*arguments: str) -> None:
    pip = [str(VENV / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    if subprocess.run([*pip, *arguments], stdin=subprocess.DEVNULL, check=False).returncode:
        raise VenvError("pip could not install what the project needs; its message stands above")


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
