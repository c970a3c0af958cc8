"""A Debian that was booted: systemd is its first process, in a container of systemd-nspawn."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.mta.packages import UnavailableError
from tests.packaging.chroot import Chroot, children, clean

PACKAGES = ("adduser", "dbus", "init-system-helpers", "postfix", "python3", "systemd", "systemd-sysv")
_BOOT = """
mount --make-rprivate /
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" booted "$1/root"
exec systemd-nspawn --quiet --boot --register=no --keep-unit --private-network --machine=booted \
    --bind-ro="$3:/given" --directory="$1/root"
"""


class Booted(Chroot):
    """A running one."""

    _spaces = ("-m", "-p", "-n", "-u", "-i", "-C")

    def __init__(self, given: Path, scratch: Path) -> None:
        if shutil.which("systemd-nspawn") is None:
            raise UnavailableError("needs systemd-nspawn; on Debian: apt-get install systemd-container")
        command = ["unshare", "--mount", "sh", "-euc", _BOOT, "sh", str(scratch), str(clean(PACKAGES)), str(given)]
        self.console = scratch.with_name("console")
        with self.console.open("wb") as output:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        self._init = self._first()
        self.root = Path(f"/proc/{self._init}/root")
        said = self.run("sh", "-c", "systemctl is-system-running --wait || true").strip()
        assert said in {"running", "degraded"}, (said, self.console.read_text(errors="replace"))

    def _first(self, seconds: float = 120) -> int:
        """Its process 1, when it can be asked something."""
        end = time.monotonic() + seconds
        while self._process.poll() is None and time.monotonic() < end:
            for child in children(self._process.pid):
                if Path(f"/proc/{child}/root/run/dbus/system_bus_socket").exists():
                    return child
            time.sleep(0.1)
        self.close()
        raise UnavailableError(f"systemd-nspawn cannot boot here: {self.console.read_text(errors='replace')[-300:]}")

    def close(self) -> None:
        """End it: what runs in it ends with its process 1."""
        self._process.kill()
        self._process.wait(60)


@contextmanager
def booted(given: Path, scratch: Path) -> Iterator[Booted]:
    """A Debian for one test. Raises UnavailableError."""
    scratch.mkdir(parents=True, exist_ok=True)
    made = Booted(given, scratch)
    try:
        yield made
    finally:
        made.close()
