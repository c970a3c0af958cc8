"""The image of the Containerfile, built by buildah on a Debian of mmdebstrap, and run by podman with what compose says.

No registry of images is asked: the Debian that FROM names is made here from Debian's packages, and is given what makes
pip and uv reach their registry from this machine (PIP_…, UV_…, its certificates), as a site behind a proxy would do.
"""

import os
import re
import resource
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.mta.packages import CACHE, UnavailableError, _mirror, _run
from tests.packaging.chroot import CERTIFICATES, registries, release
from tests.places import ROOT

IMAGE = "localhost/email-report-processor"
# crun refuses version 1 of cgroups beside version 2, which many sandboxes have: it gets a view with version 2 alone.
_ENTER = """
mount --make-rprivate /
if [ ! -e /sys/fs/cgroup/cgroup.controllers ]; then
    umount --lazy /sys/fs/cgroup
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
fi
exec "$@"
"""


def base() -> str:
    """What FROM names: `debian:RELEASE-slim`."""
    names: set[str] = set(re.findall(r"^FROM (\S+)", (ROOT / "Containerfile").read_text("utf-8"), re.MULTILINE))
    assert len(names) == 1
    return names.pop()


def slim() -> Path:
    """Its files, as a tar archive, made once. Raises UnavailableError."""
    release()  # root on Debian
    name = base().partition(":")[2].removesuffix("-slim")
    archive = CACHE / f"slim-{name}.tar"
    if not archive.exists():
        archive.parent.mkdir(parents=True, exist_ok=True)
        half = archive.with_suffix(".half.tar")
        _run("mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", name, str(half), _mirror())
        half.rename(archive)
    return archive


def checkout(place: Path) -> Path:
    """What a clone would have: what git knows of, as it stands."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).exists():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, place / name, follow_symlinks=False)
    return place


class Images:
    """Images and containers in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        for program in ("mmdebstrap", "buildah", "podman", "crun"):
            if shutil.which(program) is None:
                raise UnavailableError(f"needs {program}; on Debian: apt-get install {program}")
        self._folder = folder
        self._places = ["--root", str(folder / "store"), "--runroot", str(folder / "run")]
        self._places += ["--storage-driver", "overlay"]

    def build(self) -> None:
        """The image of this checkout, from its first line. Raises UnavailableError."""
        container = self._buildah("from", "scratch").strip()
        self._buildah("add", "--quiet", container, str(slim()), "/")
        self._buildah("add", "--quiet", container, str(CERTIFICATES), "/etc/ssl/site.pem")
        for name, value in registries().items():
            self._buildah("config", "--env", f"{name}={value}", container)
        self._buildah("commit", "--quiet", "--rm", container, f"docker.io/library/{base()}")
        source = checkout(self._folder / "source")
        self._buildah("bud", "--isolation", "chroot", "--pull-never", "--tag", IMAGE, str(source))

    def _buildah(self, command: str, *arguments: str) -> str:
        environment = os.environ | {"BUILDAH_ISOLATION": "chroot"}
        whole = ["buildah", *self._places, command, *arguments]
        done = subprocess.run(whole, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (command, done.stdout[-3000:], done.stderr[-3000:])
        return done.stdout

    def command(self, service: Mapping[str, Any], *more: str) -> list[str]:
        """How podman runs a service of compose.yaml; the network is this machine's, so that nothing has to be made."""
        limits = [
            f"--ulimit={name}={value}:{value}"
            for name, what in (("nofile", resource.RLIMIT_NOFILE), ("nproc", resource.RLIMIT_NPROC))
            for value in [min(max(resource.getrlimit(what)[1], 0) or 4096, 4096)]
        ]  # podman's own are above what a sandbox may have
        podman = ["podman", *self._places, "--tmpdir", str(self._folder / "tmp"), "--cgroup-manager=cgroupfs"]
        run = ["--events-backend=none", "run", "--rm", "--network=host", "--cgroups=disabled", *limits]
        return ["unshare", "--mount", "sh", "-euc", _ENTER, "sh", *podman, *run, *_flags(service), *more, IMAGE]

    def run(self, service: Mapping[str, Any], *words: str, mounted: Sequence[str] = (), input_: bytes = b"") -> str:
        """Run to its end; what it says."""
        done = subprocess.run(
            [*self.command(service, "--interactive", *mounted), *words], input=input_, capture_output=True, check=False
        )
        assert done.returncode == 0, (words, done.returncode, done.stdout, done.stderr)
        return done.stdout.decode()

    @contextmanager
    def running(self, service: Mapping[str, Any], *more: str) -> Iterator[subprocess.Popen[bytes]]:
        """A service while it runs, ended as podman does it (SIGTERM)."""
        words = [*self.command(service, *more), *service["command"]]
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.communicate(timeout=60)
            finally:
                process.kill()


def _flags(service: Mapping[str, Any]) -> Iterator[str]:
    if service["read_only"]:
        yield from ("--read-only", "--read-only-tmpfs=false")
    yield from (f"--tmpfs={path}" for path in service["tmpfs"])
    yield from (f"--cap-drop={name}" for name in service["cap_drop"])
    yield from (f"--security-opt={name.replace(':', '=')}" for name in service["security_opt"])
    yield from (f"--env={name}={value}" for name, value in service["environment"].items())
