"""`make test`: see that a JDK and Maven are here for the real OpenSearch nodes, Chromium for the pages, and more.

With the word `long`, what `make test-long` needs, too. Root on Debian gets them installed; everybody else is told, and
the tests that need them are skipped (in CI they fail). Postfix needs no installation: tests/mta unpacks it beside the
system.
"""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.opensearch import jars
from tools import debian

CHROMIUM = ("chromium",)
PROGRAMS = {  # program -> its package: manual pages, completion, the Debian package and a clean Debian for it
    "mandoc": "mandoc",
    "zsh": "zsh",
    "fish": "fish",
    "lintian": "lintian",
    "mmdebstrap": "mmdebstrap",
    "apparmor_parser": "apparmor",
}
# For `make test-long` alone: a booted Debian, and images.
LONG = {"systemd-nspawn": "systemd-container", "buildah": "buildah", "podman": "podman", "crun": "crun"}
JDK = ("openjdk-17-jdk-headless", "openjdk-21-jdk-headless")  # Debian 12 and 13


def lacking(programs: Mapping[str, str] = PROGRAMS) -> list[tuple[str, ...]]:
    """What is not here: for each part the packages that have it, the preferred first."""
    parts: list[tuple[str, ...]] = []
    try:
        jars.secure_jdk()
    except jars.MissingError:
        parts.append(JDK)
    if shutil.which("mvn") is None:
        parts.append(("maven",))
    if not any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))):
        parts.append(CHROMIUM)
    if not any(Path("/usr/share/fonts").rglob("*Sans*.ttf")):  # charts as pictures have words
        parts.append(("fonts-dejavu-core",))
    parts += [(package,) for program, package in programs.items() if not _there(program)]
    return parts


def _there(program: str) -> bool:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is not None


def main() -> int:
    """Always 0: a test that cannot run says so itself."""
    programs = {**PROGRAMS, **LONG} if sys.argv[1:] == ["long"] else PROGRAMS
    if debian.installable():
        for part in lacking(programs):
            debian.install(*part)
    if parts := lacking(programs):
        names = " ".join(part[0] for part in parts)
        print(f"Tests with real parts cannot all run. On Debian: apt-get install {names}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
