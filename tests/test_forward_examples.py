"""The examples: three comment lines each, listed in their README, and the wrapper under the shells of this machine."""

import configparser
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.mta.packages import UnavailableError, offered

EXAMPLES = Path(__file__).resolve().parents[1] / "contrib" / "forward-examples"
FILES = sorted(path for path in EXAMPLES.iterdir() if path.name != "README.md")
SCRIPTS = [path for path in FILES if path.read_text(encoding="utf-8").startswith("#!")]
WRAPPER = EXAMPLES / "email-report-processor-pipe"
# Lines that have to be the first of their file.
MAGIC = ("#!/bin/sh", "# Exim filter")
TIMED = ("alert", "digest", "kept", "prune")  # what a timer starts
SHELLS = [shell for shell in ("/bin/sh", "/bin/dash", "/bin/bash") if os.access(shell, os.X_OK)]


def head(path: Path) -> list[str]:
    """The comment lines at the top of a file, without the line that has to be the first."""
    lines = path.read_text(encoding="utf-8").splitlines()
    if lines[0] in MAGIC:
        lines.pop(0)
    end = next(number for number, line in enumerate(lines) if not line.startswith("#"))
    return lines[:end]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_each_begins_with_three_comment_lines(path: Path) -> None:
    lines = head(path)
    assert len(lines) == 3
    for line, beginning in zip(lines, ("# Does: ", "# Store down: ", "# No report: "), strict=True):
        assert line.startswith(beginning)


def test_the_readme_lists_them_all() -> None:
    linked = set(re.findall(r"\]\(([^)]+)\)", (EXAMPLES / "README.md").read_text(encoding="utf-8")))
    assert linked == {path.name for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_each_calls_the_program_through_the_wrapper(path: Path) -> None:
    body = path.read_text(encoding="utf-8")
    if path not in {WRAPPER, EXAMPLES / "email-report-lmtp.service"}:  # which stays, and has no status to answer with
        assert not re.search(r"bin/email-report-processor(?!-(pipe|retry))\b", body)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
@pytest.mark.parametrize("shell", SHELLS)
def test_scripts_are_shell(path: Path, shell: str) -> None:
    subprocess.run([shell, "-n", str(path)], check=True)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_pass_shellcheck(path: Path) -> None:
    try:
        unpacked = offered("shellcheck", "shellcheck", "shellcheck")
    except UnavailableError as reason:
        missing(str(reason))
    shellcheck = unpacked[0] / "usr/bin/shellcheck" if unpacked else "shellcheck"
    done = subprocess.run([shellcheck, "--shell=sh", str(path)], capture_output=True, text=True, check=False)
    assert done.stdout == ""


@pytest.mark.parametrize(
    "name",
    [
        *(f"email-report-{one}.{kind}" for one in TIMED for kind in ("service", "timer")),
        "email-report-follow.service",
    ],
)
def test_units_are_units(name: str) -> None:
    unit = configparser.RawConfigParser(strict=True)
    unit.read_string((EXAMPLES / name).read_text(encoding="utf-8"))
    assert "Unit" in unit.sections()
    analyze = shutil.which("systemd-analyze")
    if analyze and name.endswith(".timer"):
        subprocess.run([analyze, "verify", str(EXAMPLES / name)], check=False, capture_output=True)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.service")), ids=lambda path: path.name)
def test_units_run_as_the_user_that_is_made(path: Path) -> None:
    """The one of `useradd` in docs/installing.md, in what is said at the top, too."""
    made = re.search(
        r"^useradd .* (\S+)$", (EXAMPLES.parents[1] / "docs/installing.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    text = path.read_text(encoding="utf-8")
    users = re.findall(r"^User=(\S+)$", text, re.MULTILINE) + re.findall(r"as the user ([\w-]+)", text)
    assert made
    assert set(users) <= {made[1]}


def test_the_units_of_services_are_understood(tmp_path: Path) -> None:
    """By systemd itself; as they stand but for the program and the user, who are not on this machine."""
    try:
        unpacked = offered("systemd", "systemd-analyze", "systemd", "libsystemd-shared", "libsystemd0")
    except UnavailableError as reason:
        missing(str(reason))
    libraries = [str(path.parent) for root in unpacked for path in root.rglob("libsystemd-shared-*.so")]
    names = ("email-report-lmtp.service", "email-report-lmtp.socket", "email-report-inbox.service")
    for path in map(EXAMPLES.joinpath, names):
        text = re.sub("User=email-report", "User=root", path.read_text(encoding="utf-8"))
        (tmp_path / path.name).write_text(re.sub("ExecStart=\\S+", "ExecStart=/bin/true", text), encoding="utf-8")
    analyze = unpacked[0] / "usr/bin/systemd-analyze" if unpacked else "systemd-analyze"
    done = subprocess.run(
        [analyze, "verify", *map(tmp_path.joinpath, names)],
        env={"LD_LIBRARY_PATH": ":".join(libraries)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert [line for line in (done.stdout + done.stderr).splitlines() if "email-report-" in line] == []


def test_the_cron_table_has_a_user_and_an_absolute_path_in_each_line() -> None:
    lines = (EXAMPLES / "cron").read_text(encoding="utf-8").splitlines()
    jobs = [line for line in lines if re.match(r"[0-9*]", line)]
    assert len(jobs) == 4
    for job in jobs:
        assert re.fullmatch(r"(\S+\s+){5}email-report\s+/\S+( .*)?", job), job


class Wrapped:
    """The wrapper with a program of the test's beside it, as a mail server calls it."""

    def __init__(self, directory: Path) -> None:
        self.wrapper = shutil.copy(WRAPPER, directory)
        self.program = directory / "email-report-processor"
        self.read = directory / "read"
        self.directory = directory

    def behave(self, script: str) -> None:
        """What the program is to do."""
        self.program.write_text(f"#!/bin/sh\ncd {self.directory} || exit 99\n{script}\n", encoding="utf-8")
        self.program.chmod(0o755)

    def limit(self, seconds: float, grace: float) -> None:
        """Edit the wrapper's time limit, as a postmaster would."""
        path = Path(self.wrapper)
        text = path.read_text(encoding="utf-8")
        text = re.sub("^limit=.*", f"limit={seconds}", text, flags=re.MULTILINE)
        path.write_text(re.sub("^grace=.*", f"grace={grace}", text, flags=re.MULTILINE), encoding="utf-8")

    def start(
        self, shell: str, *arguments: str, ignored: str = "", pass_fds: tuple[int, ...] = ()
    ) -> subprocess.Popen[bytes]:
        """Start it with nothing in its environment, and with the signals of these names ignored."""
        ignoring = f"trap '' {ignored}" if ignored else ":"
        command = ["/bin/sh", "-c", f'{ignoring}; exec "$@"', "sh", shell, self.wrapper, *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env={}, stdin=pipe, stdout=pipe, stderr=pipe, pass_fds=pass_fds)

    def __call__(self, shell: str, *arguments: str, message: bytes = b"message\n", ignored: str = "") -> int:
        """Run it; nothing may be printed."""
        with self.start(shell, *arguments, ignored=ignored) as process:
            stdout, stderr = process.communicate(message, 30)
        assert (stdout, stderr) == (b"", b"")
        return process.returncode


@pytest.fixture
def wrapped(tmp_path: Path) -> Wrapped:
    return Wrapped(tmp_path)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("script", "status"),
    [
        ("/bin/cat >read; exit 0", 0),
        ("/bin/cat >read; exit 75", 75),
        *((f"echo out; echo error >&2; exit {status}", 75) for status in (1, 2, 64, 65, 70, 78, 120, 126, 127, 255)),
        ("kill -9 $$", 75),
        ("kill -15 $$", 75),
        ("kill -11 $$", 75),
        ("/usr/bin/head -c 200000 /dev/zero; exit 1", 75),
    ],
)
def test_the_wrapper_knows_two_results(wrapped: Wrapped, shell: str, script: str, status: int) -> None:
    wrapped.behave(script)
    assert wrapped(shell) == status


@pytest.mark.parametrize("shell", SHELLS)
def test_the_wrapper_hands_on_message_and_arguments(wrapped: Wrapped, shell: str) -> None:
    wrapped.behave('printf "%s|" "$@" >arguments; umask >umask; /bin/cat >read')
    message = os.urandom(300_000)
    assert wrapped(shell, "--feed", "a b", "--deadline=8", message=message) == 0
    assert wrapped.read.read_bytes() == message
    assert (wrapped.directory / "arguments").read_text() == "--feed|a b|--deadline=8|"
    assert (wrapped.directory / "umask").read_text() == "0077\n"


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("message", [b"", b"x" * 1_000_000])
def test_a_message_that_nobody_reads_is_drained(wrapped: Wrapped, shell: str, message: bytes) -> None:
    wrapped.behave("exit 1")
    assert wrapped(shell, message=message) == 75


@pytest.mark.parametrize("shell", SHELLS)
def test_65_only_when_asked_for(wrapped: Wrapped, shell: str) -> None:
    wrapped.behave("exit 65")
    assert wrapped(shell, "--unreadable=65") == 65
    assert wrapped(shell, "--unreadable=keep") == 75
    wrapped.behave("exit 64")
    assert wrapped(shell, "--unreadable=65") == 75


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("interpreter", ["", "#!/nowhere/bin/python\n"])
def test_a_program_that_is_not_there(wrapped: Wrapped, shell: str, interpreter: str) -> None:
    if os.path.exists("/opt/email-report-processor/bin/email-report-processor"):
        pytest.skip("the program is installed on this machine, the wrapper would find it")
    if interpreter:  # a broken virtual environment
        wrapped.program.write_text(interpreter, encoding="utf-8")
        wrapped.program.chmod(0o755)
    assert wrapped(shell) == 75


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("ignored", ["", "HUP INT USR1 TERM"])
def test_the_time_limit(wrapped: Wrapped, shell: str, ignored: str) -> None:
    """Exim starts the wrapper with signals ignored."""
    wrapped.behave("echo $$ >pid; exec /bin/sleep 60")
    wrapped.limit(0.4, 0.4)
    started = time.monotonic()
    assert wrapped(shell, ignored=ignored) == 75
    assert time.monotonic() - started < 10
    assert gone(int((wrapped.directory / "pid").read_text()))


@pytest.mark.parametrize("shell", SHELLS)
def test_a_terminated_wrapper_ends_with_75_and_takes_the_program_along(wrapped: Wrapped, shell: str) -> None:
    wrapped.behave("echo $$ >pid; exec /bin/sleep 60")
    with wrapped.start(shell) as process:
        pid = wrapped.directory / "pid"
        while not (pid.exists() and pid.read_text().endswith("\n")):
            time.sleep(0.01)
        time.sleep(0.3)  # timeout(1) of coreutils 9.1 does not know its child's number at once
        process.terminate()
        stdout, stderr = process.communicate(b"", 10)
    assert (process.returncode, stdout, stderr) == (75, b"", b"")
    assert gone(int(pid.read_text()))


@pytest.mark.parametrize("shell", SHELLS)
def test_the_wrapper_without_standard_input(wrapped: Wrapped, shell: str) -> None:
    wrapped.behave("/bin/cat >read || exit 1; exit 75")
    done = subprocess.run(
        ["/bin/sh", "-c", f"exec {shell} {wrapped.wrapper} <&-"], env={}, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (75, b"", b"")


@pytest.mark.parametrize("shell", SHELLS)
def test_the_wrapper_leaves_no_process_behind(wrapped: Wrapped, shell: str) -> None:
    """Exim's queue runner waits until nobody has its pipe any more, which it hands down to every filter.

    A sleeping watchdog that outlived the wrapper in one of fifty runs held the queue up for minutes.
    """
    wrapped.behave("exit 0")
    reader, writer = os.pipe()
    for _ in range(30):
        with wrapped.start(shell, pass_fds=(writer,)) as process:
            assert process.communicate(b"message\n", 30) == (b"", b"")
    os.close(writer)
    os.set_blocking(reader, False)
    assert os.read(reader, 1) == b""  # BlockingIOError: somebody still has it
    os.close(reader)


def gone(pid: int) -> bool:
    """Whether a process ends within a few seconds."""
    for _ in range(250):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if "Z" in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]:
            return True
        time.sleep(0.02)
    return False


class Retry:
    """email-report-processor-retry with a wrapper of the test's."""

    def __init__(self, directory: Path) -> None:
        self.folder = directory / "folder"
        for name in ("new", "cur"):
            (self.folder / name).mkdir(parents=True)
        script = (EXAMPLES / "email-report-processor-retry").read_text(encoding="utf-8")
        self.script = directory / "retry"
        self.script.write_text(script.replace("/usr/local/bin/email-report-processor-pipe", str(directory / "pipe")))
        self.pipe = directory / "pipe"

    def __call__(self, behaviour: str) -> int:
        self.pipe.write_text(f"#!/bin/sh\n{behaviour}\n")
        self.pipe.chmod(0o755)
        return subprocess.run(
            ["/bin/sh", str(self.script), str(self.folder)], check=False, env={"PATH": "/bin"}
        ).returncode


def test_retry_removes_what_was_taken(tmp_path: Path) -> None:
    retry = Retry(tmp_path)
    for number in range(5):
        (retry.folder / "new" / f"{number} with blank").write_text("good" if number % 2 else "bad")
    assert retry('read -r line; [ "$line" != bad ] || exit 75') == 75
    assert sorted(path.read_text() for path in (retry.folder / "new").iterdir()) == ["bad"] * 3
    assert retry("exit 0") == 0
    assert list((retry.folder / "new").iterdir()) == []


def test_retry_stops_after_three_failures_in_a_row(tmp_path: Path) -> None:
    retry = Retry(tmp_path)
    for number in range(5):
        (retry.folder / "cur" / str(number)).write_text("mail")
    assert retry(f"echo x >>{tmp_path}/tries; exit 75") == 75
    assert (tmp_path / "tries").read_text() == "x\n" * 3
    assert len(list((retry.folder / "cur").iterdir())) == 5
