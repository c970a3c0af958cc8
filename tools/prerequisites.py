"""`make test`: see that a JDK and Maven are here for the real OpenSearch nodes, Chromium for the pages, and more.

Root on Debian gets them installed; everybody else is told, and the tests that need them are skipped (in CI they fail).
Postfix needs no installation: tests/mta unpacks it beside the system.
"""

import os
import shutil
import sys
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
JDK = ("openjdk-17-jdk-headless", "openjdk-21-jdk-headless")  # Debian 12 and 13


def lacking() -> list[tuple[str, ...]]:
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
    parts += [(package,) for program, package in PROGRAMS.items() if not _there(program)]
    return parts


def _there(program: str) -> bool:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is not None


def main() -> int:
    """Always 0: a test that cannot run says so itself."""
    if debian.installable():
        for part in lacking():
            debian.install(*part)
    if parts := lacking():
        names = " ".join(part[0] for part in parts)
        print(f"Tests with real parts cannot all run. On Debian: apt-get install {names}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
