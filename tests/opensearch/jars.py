"""Fetches OpenSearch from Maven Central, once per user, into the user's cache."""

import contextlib
import fcntl
import hashlib
import os
import secrets
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
VECTOR_JDK = 21  # OpenSearch 3 needs this JDK; below it 2.19 runs
OLDEST_JDK = 17
SECURE_JDKS = range(17, 24)  # JDK 24 has no security manager (JEP 486), which OpenSearch 2 insists on
RECIPE = 1  # part of the cache's name: raise it when the way of building changes
PACKAGES = "openjdk-17-jdk-headless (or openjdk-21-jdk-headless) and maven"


class MissingError(Exception):
    """This machine has no JDK or no Maven; the text names the Debian packages."""


class BuildError(Exception):
    """Maven or the installer failed; the text has the end of its output."""


class Jdk(NamedTuple):
    """A JDK with its compiler."""

    home: Path
    major: int

    @property
    def java(self) -> str:
        """Path of the launcher."""
        return str(self.home / "bin/java")


def jdks() -> list[Jdk]:
    """The JDKs of this machine: $JAVA_HOME first, then the others, newest first."""
    named = [Path(os.environ["JAVA_HOME"])] if os.environ.get("JAVA_HOME") else []
    compiler = shutil.which("javac")
    others = [Path(compiler).resolve().parents[1]] if compiler else []
    others += sorted(Path("/usr/lib/jvm").glob("*"))
    found = sorted(filter(None, map(_jdk, others)), key=lambda jdk: -jdk.major)
    return [*filter(None, map(_jdk, named)), *found]


def _jdk(home: Path) -> Jdk | None:
    """The JDK in this directory; None when there is none, or only a runtime."""
    release = home / "release"
    if not (home / "bin/javac").exists() or not release.is_file():
        return None
    for line in release.read_text(errors="replace").splitlines():
        if line.startswith("JAVA_VERSION="):
            return Jdk(home, int(line.split('"')[1].split(".")[0].split("-")[0]))
    return None


def plain_jdk() -> Jdk:
    """The JDK for the plain node: $JAVA_HOME, else the newest. Raises MissingError."""
    return _first(lambda jdk: jdk.major >= OLDEST_JDK, "a JDK of version 17 or later")


def secure_jdk() -> Jdk:
    """The JDK for the secure node. Raises MissingError."""
    return _first(lambda jdk: jdk.major in SECURE_JDKS, "a JDK of version 17 or 21")


def _first(fits: Callable[[Jdk], bool], what: str) -> Jdk:
    for jdk in jdks():
        if fits(jdk):
            return jdk
    raise MissingError(f"the real OpenSearch node needs {what}; on Debian: apt-get install {PACKAGES}")


def plain(jdk: Jdk) -> Path:
    """The directory with `lib/` and `classes/` of the plain node, built when it is not there."""
    profile = "os3" if jdk.major >= VECTOR_JDK else "os2"
    return _built(f"plain-{profile}", HERE / "plain", lambda work: _build_plain(work, jdk, profile))


def secure(jdk: Jdk) -> Path:
    """The directory with `home/` and the file `password` of the secure node, built when it is not there."""
    return _built("secure", HERE / "secure", lambda work: _build_secure(work, jdk))


def kafka(jdk: Jdk) -> Path:
    """The directory with `lib/` of the Kafka broker, built when it is not there."""
    return _built("kafka", HERE.parent / "kafka/jars", lambda work: _build_kafka(work, jdk))


def cache() -> Path:
    """Where the jars stay between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "email-report-processor-tests"


def _built(name: str, sources: Path, build: Callable[[Path], None]) -> Path:
    """Build in a directory beside the target and rename it: it is there as a whole or not at all."""
    target = cache() / f"{name}-{_digest(sources)}"
    if target.is_dir():
        return target
    cache().mkdir(parents=True, exist_ok=True)
    with _locked(cache() / "lock"):
        for left in cache().glob(".building-*"):  # of a run that was killed
            shutil.rmtree(left)
        if not target.is_dir():
            work = Path(tempfile.mkdtemp(prefix=".building-", dir=cache()))
            shutil.copytree(sources, work, dirs_exist_ok=True)
            build(work)
            work.rename(target)
    return target


def _digest(sources: Path) -> str:
    digest = hashlib.sha256(b"%d" % RECIPE)
    for path in sorted(sources.rglob("*")):
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One builder at a time; the kernel lets go when it dies."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build_plain(work: Path, jdk: Jdk, profile: str) -> None:
    _maven(work, jdk, "-P", profile)
    (work / "target/lib").rename(work / "lib")
    (work / "target/classes").rename(work / "classes")
    shutil.rmtree(work / "target")


def _build_kafka(work: Path, jdk: Jdk) -> None:
    _maven(work, jdk)
    (work / "target/lib").rename(work / "lib")
    shutil.rmtree(work / "target")


def _build_secure(work: Path, jdk: Jdk) -> None:
    _maven(work, jdk)
    for archive in sorted((work / "target/zips").glob("opensearch-*.zip")):
        to = "plugin" if archive.name.startswith("opensearch-security") else "distribution"
        with zipfile.ZipFile(archive) as file:
            file.extractall(work / to)
    home = next((work / "distribution").iterdir()).rename(work / "home")
    # What `opensearch-plugin install` does: the plugin's own folder, its settings among the node's.
    (home / "plugins").mkdir(exist_ok=True)
    plugin = (work / "plugin").rename(home / "plugins/opensearch-security")
    (plugin / "config").rename(home / "config/opensearch-security")
    _install_certificates(home, work / "password", jdk)
    shutil.rmtree(work / "target")
    shutil.rmtree(work / "distribution")
    for path in home.rglob("*"):  # root's node runs as nobody, whatever root's umask
        path.chmod(0o755 if path.is_dir() else 0o644)


def _install_certificates(home: Path, password_file: Path, jdk: Jdk) -> None:
    """The plugin's own installer: certificates, settings, and the password of `admin`."""
    password = f"Aa1-{secrets.token_urlsafe(18)}"  # the installer refuses weak ones
    password_file.touch(0o600)
    password_file.write_text(password)
    tools = home / "plugins/opensearch-security/tools"
    classes = f"{tools.parent}/*:{home}/lib/*:{tools}/deps/*"
    installer = "org.opensearch.security.tools.democonfig.Installer"
    command = [jdk.java, "-cp", classes, installer, str(tools), "-y", "-i", "-s"]
    _run(command, {"JAVA_HOME": str(jdk.home), "OPENSEARCH_INITIAL_ADMIN_PASSWORD": password})
    if not (home / "config/root-ca.pem").is_file():
        raise BuildError("the Security plugin's installer wrote no certificates")


def _maven(work: Path, jdk: Jdk, *arguments: str) -> None:
    """Run Maven, twice when the network fails in between: what it has fetched it keeps."""
    maven = shutil.which("mvn")
    if maven is None:
        raise MissingError(f"the real OpenSearch node needs Maven; on Debian: apt-get install {PACKAGES}")
    command = [maven, "-B", "-q", "-f", str(work / "pom.xml"), *arguments, "package"]
    try:
        _run(command, {"JAVA_HOME": str(jdk.home)})
    except BuildError:
        _run(command, {"JAVA_HOME": str(jdk.home)})


def _run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **environment},
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        end = "\n".join(done.stdout.splitlines()[-30:])
        raise BuildError(f"{command[0]} failed with status {done.returncode}:\n{end}")
