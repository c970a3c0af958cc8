"""Debian's packages, unpacked beside the system instead of installed into it.

Exim, OpenSMTPD and Postfix exclude one another as packages; unpacked into directories of their own they do not.
"""

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

CACHE = Path.home() / ".cache" / "email-report-processor-tests" / "mta"


class UnavailableError(Exception):
    """A mail server cannot be had or run here; the text says why."""


def unpacked(name: str, *packages: str) -> Path:
    """A directory with the files of the packages and of what they need beyond this system.

    Downloaded once with apt-get; `name` is for people. Raises UnavailableError.
    """
    place = CACHE / f"{name}-{_system(packages)}"
    if not (place / ".complete").exists():
        shutil.rmtree(place, ignore_errors=True)
        for archive in _download(place / "archives", packages):
            _run("dpkg-deb", "-x", str(archive), str(place / "root"))
        _merge_usr(place / "root")
        shutil.rmtree(place / "archives", ignore_errors=True)
        (place / ".complete").touch()
    return place / "root"


def newer(name: str, release: str, *packages: str) -> Path:
    """The same from another release of Debian, with everything that the packages need, its C library too."""
    place = CACHE / f"{name}-{_system((release, *packages))}"
    if not (place / ".complete").exists():
        shutil.rmtree(place, ignore_errors=True)
        for archive in _download_from(release, place / "apt", packages):
            _run("dpkg-deb", "-x", str(archive), str(place / "root"))
        _merge_usr(place / "root")
        shutil.rmtree(place / "apt", ignore_errors=True)
        (place / ".complete").touch()
    return place / "root"


def offered(name: str, program: str, *packages: str) -> list[Path]:
    """Where the tests of `make test` find a program: nothing to add to this system, or unpacked packages.

    A user's machine is not made to download anything: CI is, and EMAIL_REPORT_TEST_DOWNLOAD=1. Raises UnavailableError.
    """
    if shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin"):
        return []
    if "CI" not in os.environ and "EMAIL_REPORT_TEST_DOWNLOAD" not in os.environ:
        raise UnavailableError(f"needs {program}; on Debian: apt-get install {name} (or EMAIL_REPORT_TEST_DOWNLOAD=1)")
    return [unpacked(name, *packages)]


def _system(packages: tuple[str, ...]) -> str:
    """What the download depends on: the packages that are already there, and the ones asked for."""
    if not shutil.which("dpkg-query") or not shutil.which("apt-get"):
        raise UnavailableError("this is not Debian: no apt-get to download packages with")
    installed = _run("dpkg-query", "-W", "-f", "${Package} ${Version} ${Status}\n")
    return hashlib.sha256((installed + " ".join(packages)).encode()).hexdigest()[:12]


def _download(place: Path, packages: tuple[str, ...]) -> list[Path]:
    (place / "partial").mkdir(parents=True)
    install = ("apt-get", "install", "-y", "--download-only", "--no-install-recommends", "--reinstall")
    options = ("-o", f"Dir::Cache::archives={place}", "-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=root")
    try:
        _run(*install, *options, *packages)
    except UnavailableError:
        _run("apt-get", "update")
        _run(*install, *options, *packages)
    return sorted(place.glob("*.deb"))


def _download_from(release: str, place: Path, packages: tuple[str, ...]) -> list[Path]:
    """With lists and a status of their own: nothing of this system is asked or changed."""
    for folder in ("lists/partial", "archives/partial"):
        (place / folder).mkdir(parents=True)
    (place / "status").touch()
    keys = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    (place / "sources.list").write_text(f"deb [signed-by={keys}] {_mirror()} {release} main\n")
    settings = {
        "Dir::Etc::sourcelist": place / "sources.list", "Dir::Etc::sourceparts": "/dev/null", "Dir::State": place,
        "Dir::State::lists": place / "lists", "Dir::State::status": place / "status", "Dir::Cache": place,
        "Dir::Cache::archives": place / "archives", "APT::Sandbox::User": "root", "Debug::NoLocking": "1",
        "Acquire::Languages": "none",
    }  # fmt: skip
    options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
    _run("apt-get", *options, "update")
    _run("apt-get", *options, "install", "-y", "--download-only", "--no-install-recommends", *packages)
    return sorted((place / "archives").glob("*.deb"))


def _mirror() -> str:
    """Where this system has its packages from."""
    for path in (Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))):
        text = path.read_text(errors="replace") if path.is_file() else ""
        found = re.search(r"^(?:URIs:|deb(?: \[[^\]]*\])?)\s+(https?://\S+/debian)/?(?=\s)", text, re.MULTILINE)
        if found:
            return found[1]
    raise UnavailableError("no mirror of Debian in /etc/apt")


def _merge_usr(root: Path) -> None:
    """Debian 12 has /bin, /lib and /sbin below /usr; some packages still name the old places."""
    for old in ("bin", "lib", "sbin"):
        if (root / old).is_dir() and not (root / old).is_symlink():
            shutil.copytree(root / old, root / "usr" / old, symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(root / old)


def _run(*command: str) -> str:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UnavailableError(f"{' '.join(command[:2])} failed: {done.stderr.strip()[-300:]}")
    return done.stdout
