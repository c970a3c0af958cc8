"""A clean Debian, the release that this machine has, with Python and Postfix: made once, and used as the lowest layer.

What a test does in it is gone with it.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.mta.packages import CACHE, UnavailableError, _mirror, _run

# Of this machine: a site behind a proxy has a certificate of its own, and pip and uv are told of it.
CERTIFICATES = Path(os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"))
PACKAGES = ("adduser", "init-system-helpers", "logrotate", "postfix", "python3")
_ENTER = """
mount --make-rprivate /
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" clean "$1/root"
mount -t proc proc "$1/root/proc"
mount --rbind /dev "$1/root/dev"
mkdir -p "$1/root/given"
mount --bind "$3" "$1/root/given"
exec chroot "$1/root" sh -c "echo ready; exec sleep infinity"
"""


def registries() -> dict[str, str]:
    """The variables by which pip and uv reach their registry from here; certificates are in /etc/ssl/site.pem."""
    ours = {name: value for name, value in os.environ.items() if re.match(r"(PIP|UV)_(INDEX|EXTRA|DEFAULT)", name)}
    return {**ours, "PIP_CERT": "/etc/ssl/site.pem", "SSL_CERT_FILE": "/etc/ssl/site.pem"}


def release() -> str:
    """The code name of this machine's Debian. Raises UnavailableError."""
    words = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text("utf-8").splitlines() if "=" in line)
    if words.get("ID") != "debian" or os.geteuid() != 0:
        raise UnavailableError("a clean Debian is made by root on Debian")
    return words["VERSION_CODENAME"]


def clean(packages: Sequence[str] = PACKAGES) -> Path:
    """The tree of a clean Debian. Raises UnavailableError."""
    name = release()
    place = CACHE / f"clean-{name}-{'-'.join(packages)}"
    if not (place / ".complete").exists():
        if shutil.which("mmdebstrap") is None:
            raise UnavailableError("needs mmdebstrap; on Debian: apt-get install mmdebstrap")
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        include = f"--include={','.join(packages)}"
        options = ["--quiet", "--mode=root", "--variant=minbase", '--aptopt=Acquire::Languages "none"']
        _run("mmdebstrap", *options, include, name, str(place / "root"), _mirror())
        (place / ".complete").touch()
    return place / "root"


def children(process: int) -> list[int]:
    """The processes that a process has started."""
    return [int(one) for one in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


class Chroot:
    """A running one. `given` is a directory of the machine, /given inside."""

    _spaces: tuple[str, ...] = ("-m", "-p")  # that it does not share with this machine

    def __init__(self, given: Path, scratch: Path, below: Sequence[Path] = ()) -> None:
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-euc", _ENTER, "sh"]
        self._scratch = scratch
        words = [str(scratch), ":".join(map(str, [*below, clean()])), str(given)]
        self._process = subprocess.Popen([*command, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"
        self._init = children(self._process.pid)[0]
        self.root = Path(f"/proc/{self._init}/root")
        assert (self.root / "given").is_dir()  # else it is this machine's

    def enter(self, *command: str) -> list[str]:
        """What runs a command inside."""
        return ["nsenter", "-t", str(self._init), *self._spaces, "-r", "-w", "--", *command]

    def run(self, *command: str, input_: bytes = b"", status: int = 0) -> str:
        """Run a command inside as root; what it prints, with its complaints."""
        enter = self.enter(*command)
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

    def keep(self, place: Path) -> None:
        """Copy what was changed in it to a directory, which is a layer for others."""
        enter = ["nsenter", "-t", str(self._process.pid), "-m", "--"]
        subprocess.run([*enter, "cp", "-a", f"{self._scratch}/upper/.", str(place)], check=True)

    def close(self) -> None:
        """End it, and all that runs in it."""
        self._process.kill()
        self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()


@contextmanager
def chroot(given: Path, scratch: Path, below: Sequence[Path] = ()) -> Iterator[Chroot]:
    """A chroot for one test, with the layers `below` on the clean Debian. Raises UnavailableError."""
    scratch.mkdir(parents=True, exist_ok=True)
    made = Chroot(given, scratch, below)
    try:
        yield made
    finally:
        made.close()


if __name__ == "__main__":
    print(clean(), file=sys.stderr)
