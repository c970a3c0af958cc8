"""A clean Debian, the release that this machine has, with Python and Postfix: made once, and used as the lowest layer.

What a test does in it is gone with it.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.mta.packages import CACHE, UnavailableError, _mirror, _run

PACKAGES = ("adduser", "init-system-helpers", "logrotate", "postfix", "python3")
_ENTER = """
mount --make-rprivate /
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" clean "$1/root"
mount -t proc proc "$1/root/proc"
mount --rbind /dev "$1/root/dev"
mkdir "$1/root/given"
mount --bind "$3" "$1/root/given"
exec chroot "$1/root" sh -c "echo ready; exec sleep infinity"
"""


def release() -> str:
    """The code name of this machine's Debian. Raises UnavailableError."""
    words = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text("utf-8").splitlines() if "=" in line)
    if words.get("ID") != "debian" or os.geteuid() != 0:
        raise UnavailableError("a clean Debian is made by root on Debian")
    return words["VERSION_CODENAME"]


def clean() -> Path:
    """The tree of a clean Debian. Raises UnavailableError."""
    name = release()
    place = CACHE / f"clean-{name}-{'-'.join(PACKAGES)}"
    if not (place / ".complete").exists():
        if shutil.which("mmdebstrap") is None:
            raise UnavailableError("needs mmdebstrap; on Debian: apt-get install mmdebstrap")
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        include = f"--include={','.join(PACKAGES)}"
        options = ["--quiet", "--mode=root", "--variant=minbase", '--aptopt=Acquire::Languages "none"']
        _run("mmdebstrap", *options, include, name, str(place / "root"), _mirror())
        (place / ".complete").touch()
    return place / "root"


class Chroot:
    """A running one. `given` is a directory of the machine, /given inside."""

    def __init__(self, given: Path, scratch: Path) -> None:
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-euc", _ENTER, "sh"]
        words = [str(scratch), str(clean()), str(given)]
        self._process = subprocess.Popen([*command, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        self._init = int(children.split()[0])
        self.root = Path(f"/proc/{self._init}/root")
        assert (self.root / "given").is_dir()  # else it is this machine's

    def run(self, *command: str, input_: bytes = b"", status: int = 0) -> str:
        """Run a command inside as root; what it prints, with its complaints."""
        enter = ["nsenter", "-t", str(self._init), "-m", "-p", "-r", "-w", "--", *command]
        environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "DEBIAN_FRONTEND": "noninteractive",
            "LC_ALL": "C.UTF-8",
        }
        done = subprocess.run(
            enter, input=input_, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        said = done.stdout.decode(errors="replace")
        assert done.returncode == status, (command, done.returncode, said)
        return said

    def path(self, inside: str) -> Path:
        """Where a file is for this process."""
        return self.root / inside.lstrip("/")

    def close(self) -> None:
        """End it, and all that runs in it."""
        self._process.kill()
        self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()


@contextmanager
def chroot(given: Path, scratch: Path) -> Iterator[Chroot]:
    """A chroot for one test. Raises UnavailableError."""
    scratch.mkdir(parents=True, exist_ok=True)
    made = Chroot(given, scratch)
    try:
        yield made
    finally:
        made.close()


if __name__ == "__main__":
    print(clean(), file=sys.stderr)
