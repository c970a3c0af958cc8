"""The Debian package: what is in it, what lintian says, and what becomes of it in a clean Debian."""

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from email_report_processor import __version__
from tests.conftest import missing
from tests.mta.packages import UnavailableError
from tests.packaging.chroot import Chroot, chroot
from tests.places import GOLDEN, ROOT
from tools.deb import build as building
from tools.deb.units import SANDBOX, UNITS, exists, units

CONFIG = "/etc/email-report-processor.toml"
STATE = "/var/lib/email-report-processor"
NEXT = f"{__version__}+1"
MESSAGE = next(iter(sorted((GOLDEN / "dmarc-aggregate").glob("*.eml")))).read_bytes()


@pytest.fixture(scope="session")
def inside(package: Path) -> str:
    """What dpkg-deb lists: mode, owner and path of each file."""
    return subprocess.run(["dpkg-deb", "-c", str(package)], capture_output=True, text=True, check=True).stdout


def needs(program: str) -> None:
    """A program of the Debian package of its name."""
    if shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
        missing(f"needs {program}; on Debian: apt-get install {program}")


def test_the_package_has_what_belongs_to_it(package: Path, inside: str) -> None:
    assert re.fullmatch(rf"email-report-processor_{re.escape(__version__)}_[a-z0-9]+\.deb", package.name)
    commands = ("email-report-processor", "email-report-admin", "email-report-processor-pipe")
    shared = (
        "man/man1/email-report-admin-kept.1.gz", "man/man5/email-report-processor.toml.5.gz",
        "bash-completion/completions/email-report-admin", "zsh/vendor-completions/_email-report-admin",
        "doc/email-report-processor/copyright", "doc/email-report-processor/examples/postfix-pipe.sh",
    )  # fmt: skip
    expected = [CONFIG, *(f"/usr/bin/{name}" for name in commands), *(f"/usr/share/{name}" for name in shared)]
    for path in (*expected, *(f"/lib/systemd/system/{name}" for name in units())):
        assert f" .{path}\n" in inside or f" .{path} -> " in inside, path
    for line in inside.splitlines():
        assert " root/root " in line
        assert line[0] == "l" or re.match(r"[d-]rw[x-]r-[x-]r-[x-]", line), line


def test_nothing_of_this_machine_is_in_it(package: Path, tmp_path: Path) -> None:
    subprocess.run(["dpkg-deb", "-R", str(package), str(tmp_path)], check=True)
    for path in tmp_path.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.suffix != ".so":
            assert str(ROOT).encode() not in path.read_bytes(), path
    for example in (tmp_path / "usr/share/doc/email-report-processor/examples").iterdir():
        assert "/usr/local/bin" not in example.read_text("utf-8")
    copyright_ = (tmp_path / "usr/share/doc/email-report-processor/copyright").read_text("utf-8")
    for info in (tmp_path / "usr/lib").rglob("*.dist-info"):
        name, version = info.name.removesuffix(".dist-info").rsplit("-", 1)
        assert re.search(
            rf"^{name.replace('_', '[-_.]')} {re.escape(version)}$", copyright_, re.MULTILINE | re.IGNORECASE
        ), info.name


def test_lintian_has_nothing_to_say(package: Path) -> None:
    needs("lintian")
    command = ["lintian", "--no-cfg", "--allow-root", "--fail-on", "none", str(package)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert [line for line in done.stdout.splitlines() if not line.startswith("N:")] == []


@pytest.mark.parametrize("name", sorted(units()))
def test_units_start_what_is_there(name: str) -> None:
    text = units()[name]
    for command in re.findall(r"^ExecStart=/usr/bin/(.*)$", text, re.MULTILINE):
        assert exists(command)
    for directive in re.findall(r"^(?:Protect|Restrict|Private|NoNew|System|Lock|Memory)\w*=.*$", text, re.MULTILINE):
        before = text[: text.index(directive)].splitlines()[-1]
        assert before.startswith("# ") or directive.startswith("MemoryMax="), f"{directive} has no reason"


def test_a_unit_without_its_command_is_left_out() -> None:
    assert exists("email-report-admin kept --retry --category unfinished")
    assert not exists("email-report-admin kept --no-such-flag")
    assert not exists("email-report-admin no-such-command")
    assert not exists("email-report-admin logins")
    assert {"email-report-kept.timer", "email-report-lmtp.socket", "email-report-policy.service"} <= set(units())


@pytest.mark.parametrize("unit", [unit for unit in UNITS if exists(unit.command)], ids=lambda unit: unit.name)
def test_services_are_shut_in(unit: object, tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        missing("needs systemd-analyze; on Debian: apt-get install systemd")
    name = f"email-report-{unit.name}.service"  # type: ignore[attr-defined]  # pytest's parameters have no type
    (tmp_path / name).write_text(units()[name])
    done = subprocess.run(
        [analyze, "security", "--offline=true", "--no-pager", str(tmp_path / name)],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    if found is None:
        missing(f"this systemd-analyze cannot look at a file: {done.stderr}")
    # sendmail needs set-group-id and /var/spool: most directives would take them away (see tools/deb/units.py).
    assert float(found[1]) <= (7.0 if unit.mail else 2.0)  # type: ignore[attr-defined]  # as above


def test_each_restriction_is_reasoned() -> None:
    assert all(why for _, _, why in SANDBOX)


def test_the_profile_of_apparmor_is_one() -> None:
    needs("apparmor_parser")
    command = [
        "apparmor_parser",
        "--skip-kernel-load",
        "--skip-cache",
        "--debug",
        str(ROOT / "contrib/debian/apparmor"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.long
def test_the_same_commit_gives_the_same_package(package: Path, tmp_path: Path) -> None:
    assert building.build(tmp_path, quick=True).read_bytes() == package.read_bytes()


@pytest.fixture
def debian(package: Path, tmp_path: Path) -> Iterator[Chroot]:
    """A clean Debian with the package beside it."""
    given = tmp_path / "given"
    given.mkdir()
    shutil.copyfile(package, given / "first.deb")
    try:
        with chroot(given, tmp_path / "scratch") as made:
            yield made
    except UnavailableError as reason:
        missing(str(reason))


def stored(debian: Chroot) -> int:
    """How many documents the embedded store has."""
    said = debian.run("setpriv", "--reuid=email-report", "--regid=email-report", "--init-groups",
                      "email-report-admin", "search", "--json", "dataset:dmarc-aggregate")  # fmt: skip
    return len([line for line in said.splitlines() if line.startswith("{")])


def test_it_is_installed_upgraded_and_purged(debian: Chroot, package: Path, tmp_path: Path) -> None:
    debian.run("dpkg", "-i", "/given/first.deb")
    # The user, the rights, and bytecode where the user cannot write it.
    assert debian.run("stat", "-c", "%U:%G:%a", STATE) == "email-report:email-report:700\n"
    assert debian.run("stat", "-c", "%U:%G:%a", CONFIG) == "root:email-report:640\n"
    assert list(debian.path("/usr/lib/email-report-processor").rglob("cli.cpython-*.pyc"))
    assert debian.run("email-report-admin", "--version") == f"email-report-admin {__version__}\n"
    assert "EXIT STATUS" in debian.run("sh", "-c", "zcat /usr/share/man/man1/email-report-admin-kept.1.gz")

    # Postfix hands a report over by the shipped example, as the user of the package.
    _postfix(debian)
    debian.run("sendmail", "-i", "-f", "reporter@example.net", "dmarc@example.org", input_=MESSAGE)
    _until(
        lambda: not debian.run("postqueue", "-p").startswith("-"),
        lambda: debian.path("/var/log/postfix.log").read_text(),
    )
    before = stored(debian)
    assert before > 0

    # An upgrade leaves settings, state and rights alone, and the same report is not counted twice.
    settings = '[site]\nown_networks = ["192.0.2.0/24"]\n'
    debian.path(CONFIG).write_text(settings)
    debian.path(CONFIG).chmod(0o600)
    kept = sorted(path.name for path in debian.path(STATE).rglob("*"))
    _next(package, tmp_path / "given")
    debian.run("dpkg", "-i", "/given/next.deb")
    assert debian.path(CONFIG).read_text() == settings
    assert debian.run("stat", "-c", "%U:%G:%a", CONFIG) == "root:email-report:600\n"
    assert sorted(path.name for path in debian.path(STATE).rglob("*")) == kept
    debian.run("chmod", "640", CONFIG)
    debian.run("sendmail", "-i", "-f", "reporter@example.net", "dmarc@example.org", input_=MESSAGE)
    _until(
        lambda: not debian.run("postqueue", "-p").startswith("-"),
        lambda: debian.path("/var/log/postfix.log").read_text(),
    )
    assert debian.path("/var/log/postfix.log").read_text().count("status=sent") == 2
    assert stored(debian) == before
    debian.run("logrotate", "--debug", "/etc/logrotate.d/email-report-processor")

    # Removed, settings and state stay; purged, nothing stays.
    debian.run("dpkg", "-r", "email-report-processor")
    assert not debian.path("/usr/lib/email-report-processor").exists()
    assert debian.path(f"{STATE}/reports.sqlite").exists()
    debian.run("dpkg", "-P", "email-report-processor")
    left = debian.run(
        "sh", "-c", "find /etc /usr /lib /var -path '*email-report*' ! -path '*/postfix/*' -prune"
    ).split()
    assert [path for path in left if not path.startswith("/var/lib/dpkg/")] == []


def _postfix(debian: Chroot) -> None:
    main = "compatibility_level = 3.6\nmyhostname = mail.example.org\nmydestination = example.org\n"
    main += "inet_interfaces = loopback-only\ninet_protocols = ipv4\nmaillog_file = /var/log/postfix.log\n"
    master = (debian.path("/etc/postfix/master.cf").read_text()).replace("smtp      inet", "#smtp     inet")
    debian.path("/etc/postfix/main.cf").write_text(main)
    debian.path("/etc/postfix/master.cf").write_text(master + "postlog unix-dgram n - n - 1 postlogd\n")
    debian.run("newaliases")
    script = "/usr/share/doc/email-report-processor/examples/postfix-pipe.sh"
    debian.run("sh", script, "dmarc@example.org")
    debian.run("postfix", "start")


def _next(package: Path, folder: Path) -> None:
    """The same package with a higher version and a changed file of settings."""
    tree = folder / "tree"
    subprocess.run(["dpkg-deb", "-R", str(package), str(tree)], check=True)
    control = tree / "DEBIAN/control"
    control.write_text(control.read_text().replace(f"Version: {__version__}\n", f"Version: {NEXT}\n"))
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(tree), str(folder / "next.deb")],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip


def _until(done: object, tell: object, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not done():  # type: ignore[operator]  # a function without arguments
        assert time.monotonic() < end, tell()  # type: ignore[operator]  # likewise
        time.sleep(0.1)
