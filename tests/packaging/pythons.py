"""Each CPython that the project supports, wherever one can be had here.

The one that runs the tests; one on PATH or of pyenv; else Debian's, of the release that has it, unpacked and run in a
root of its own. There is no 3.12 in any release that Debian's mirror offers, and none in another registry.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.mta.packages import UnavailableError, newer
from tests.places import ROOT

VERSIONS = ("3.11", "3.12", "3.13", "3.14")
OTHERS = tuple(version for version in VERSIONS if version != f"{sys.version_info[0]}.{sys.version_info[1]}")
_RELEASES = {"3.13": "trixie", "3.14": "forky"}
# A root where this machine's settings of the network and of pip hold, and where its files have the names they have.
_ENTER = """
root=$1; checkout=$2; shift 2
for place in /etc /dev /proc /root /tmp /opt "$checkout"; do
    [ -d "$place" ] || continue
    mkdir -p "$root$place"
    mount --bind "$place" "$root$place"
done
exec chroot "$root" "$@"
"""


_TOP = Path("/", ROOT.parts[1])  # the directory of / in which the checkout lies


class Python(NamedTuple):
    """A Python, and how to run it and what it installs."""

    path: str
    before: tuple[str, ...] = ()  # words in front of each command

    def run(self, *command: str | Path, input_: bytes = b"") -> str:
        """Run a command where this Python is; what it prints."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL"))}
        whole: Sequence[str | Path] = [*self.before, *command]
        done = subprocess.run(whole, input=input_, env=environment, capture_output=True, check=False)
        assert done.returncode == 0, (command, done.returncode, done.stdout.decode(), done.stderr.decode())
        return done.stdout.decode()


def python(version: str) -> Python:
    """The CPython of this version. Raises UnavailableError."""
    if version not in OTHERS:
        return Python(sys.executable)
    places = [*Path.home().glob(f".pyenv/versions/{version}.*/bin"), *map(Path, os.get_exec_path())]
    found = shutil.which(f"python{version}", path=os.pathsep.join(map(str, places)))
    if found and _works(found):
        return Python(found)
    if version not in _RELEASES:
        raise UnavailableError(f"no registry here has CPython {version}, and this machine has none")
    if os.geteuid() != 0:
        raise UnavailableError(f"CPython {version} of Debian runs in a root of its own, which takes root")
    name = f"python{version}"
    root = newer(name, _RELEASES[version], name, f"{name}-venv", "base-files")
    return Python(f"/usr/bin/{name}", ("unshare", "--mount", "sh", "-euc", _ENTER, "sh", str(root), str(_TOP)))


def _works(path: str) -> bool:
    """pyenv has a shim for each version, also where it is not the chosen one."""
    return (
        subprocess.run([path, "-c", "import ensurepip, sqlite3, ssl"], capture_output=True, check=False).returncode == 0
    )
