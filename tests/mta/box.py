"""A box: mount and process namespaces of their own, in which a mail server finds everything where its packages put it.

What is written in a box (/etc, /usr, /var, /home, /opt, /run) is gone with it, and so is every process. The network is
the machine's.
"""

import os
import shlex
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from .packages import UnavailableError

PROJECT = Path(__file__).resolve().parents[2]
EXAMPLES = PROJECT / "contrib" / "forward-examples"
STATE = "/var/lib/email-report-processor"
CONFIG = "/etc/email-report-processor.toml"
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


class User(NamedTuple):
    """An account of the box."""

    name: str
    uid: int
    home: str
    shell: str = "/usr/sbin/nologin"


PROGRAM = User("email-report", 4001, STATE)  # whom the documents and examples name
DMARC = User("dmarc", PROGRAM.uid, STATE)  # the same, as the local part of an address
ALICE = User("alice", 4002, "/home/alice", "/bin/sh")


class Box:
    """A running box. `lines` is what was written to its syslog."""

    def __init__(self, packages: Sequence[Path] = (), users: Sequence[User] = ()) -> None:
        if os.geteuid() != 0:
            raise UnavailableError("a place of its own for a mail server takes root: its daemons change users")
        self.lines: list[str] = []
        self.configured: Callable[[], object] = lambda: None  # called when the program's settings were written
        self._daemons: list[subprocess.Popen[bytes]] = []
        self._process = self._start(_setup(packages))
        self.root = Path(f"/proc/{self._init()}/root")
        for user in (PROGRAM, DMARC, ALICE, *users):
            self._add_user(user)
        self._log = self._listen()
        wrapper = shutil.copy(EXAMPLES / "email-report-processor-pipe", self.path("/usr/local/bin"))
        os.chmod(wrapper, 0o755)

    def close(self) -> None:
        """End every process of the box, and with them its files."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)
        for daemon in self._daemons:
            daemon.wait(10)
        self._log.close()

    def path(self, inside: str) -> Path:
        """Where a file of the box is for this process."""
        return self.root / inside.lstrip("/")

    def write(self, inside: str, text: str, mode: int = 0o644, owner: User | None = None) -> None:
        """Write a file of the box."""
        path = self.path(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        if owner:
            os.chown(path, owner.uid, owner.uid)

    def run(self, *command: str, input_: bytes = b"", check: bool = True) -> subprocess.CompletedProcess[bytes]:
        """Run a command in the box as root, with PATH alone for an environment."""
        # getmail feeds all that waits in one run, and a filter that is killed or hangs takes its time with each.
        done = subprocess.run(
            self._enter(command), input=input_, env=ENVIRONMENT, capture_output=True, check=False, timeout=280
        )
        assert not check or done.returncode == 0, (command, done.returncode, done.stdout, done.stderr)
        return done

    def spawn(self, port: int, *command: str) -> None:
        """Start a daemon that stays in the foreground and wait until it listens; it ends with the box."""
        name = f"/run/{Path(command[0]).name}.out"
        with self.path(name).open("ab") as output:
            self._daemons.append(
                subprocess.Popen(
                    self._enter(command), stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=ENVIRONMENT
                )
            )
        wait_until(
            lambda: _listens(port), lambda: f"{command} listens not: {self.path(name).read_text()} {self.lines}", 15
        )

    def processes(self, word: str) -> list[int]:
        """The processes of the box, by their numbers in it, whose command line has the word in it."""
        return [pid for pid, line in self._command_lines() if word in line]

    def above(self, word: str) -> list[int]:
        """The parents of the processes whose command line has the word in it, if they are not among these."""
        found = self.processes(word)
        parents = {self._parent(pid) for pid in found}
        return sorted(pid for pid in parents if pid > 1 and pid not in found)

    def _parent(self, pid: int) -> int:
        try:
            return int(self.path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[1])
        except (OSError, IndexError):  # gone meanwhile
            return 0

    def end(self, *pids: int) -> None:
        """SIGTERM, and wait until they are gone."""
        self.run("kill", "-TERM", *map(str, pids), check=False)
        wait_until(lambda: not any(self.path(f"/proc/{pid}").exists() for pid in pids), f"{pids} do not end", 60)

    def kill(self, pid: int) -> bool:
        """Kill a process of the box at once; false when it had ended before."""
        return self.run("kill", "-KILL", str(pid), check=False).returncode == 0

    def _command_lines(self) -> Iterator[tuple[int, str]]:
        for entry in self.path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    line = (entry / "cmdline").read_bytes()
                except OSError:  # gone meanwhile
                    continue
                yield int(entry.name), line.replace(b"\0", b" ").decode("utf-8", "replace")

    def _enter(self, command: Sequence[str]) -> list[str]:
        return ["nsenter", "-t", str(self._init()), "-m", "-p", "--", *command]

    def _start(self, setup: str) -> subprocess.Popen[bytes]:
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-euc", setup]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=ENVIRONMENT
        )
        assert process.stdout is not None
        said = process.stdout.readline()
        if said != b"ready\n":
            process.kill()
            raise UnavailableError(f"no place of its own for a mail server: {said!r} {process.communicate()[0]!r}")
        process.stdout.close()
        return process

    def _init(self) -> int:
        process = self._process.pid
        return int(Path(f"/proc/{process}/task/{process}/children").read_text().split()[0])

    def _add_user(self, user: User) -> None:
        for file, line in (
            ("passwd", f"{user.name}:x:{user.uid}:{user.uid}::{user.home}:{user.shell}"),
            ("group", f"{user.name}:x:{user.uid}:"),
            ("shadow", f"{user.name}:*:19000:0:99999:7:::"),
        ):
            with self.path(f"/etc/{file}").open("a", encoding="utf-8") as stream:
                stream.write(line + "\n")
        home = self.path(user.home)
        if not home.exists():
            home.mkdir(mode=0o700, parents=True)
            os.chown(home, user.uid, user.uid)

    def _listen(self) -> socket.socket:
        log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        log.bind(str(self.path("/dev/log")))
        self.path("/dev/log").chmod(0o666)
        threading.Thread(target=self._hear, args=(log,), daemon=True).start()
        return log

    def _hear(self, log: socket.socket) -> None:
        while log.fileno() >= 0:
            try:
                self.lines.append(log.recv(65536).decode("utf-8", "replace"))
            except OSError:  # closed
                return


def _setup(packages: Sequence[Path]) -> str:
    """The shell script that makes the box, says ready, and ends it when its standard input does."""
    lines = ["mount -t tmpfs -o mode=755 tmpfs /run", "mkdir /run/box /run/lock", "chmod 1777 /run/lock"]
    for name in ("etc", "usr", "var", "home", "opt"):
        lower = ":".join([*(str(root / name) for root in packages if (root / name).is_dir()), f"/{name}"])
        lines += [
            f"mkdir -p /run/box/{name} /run/box/{name}.work",
            f"mount -t overlay -o lowerdir={lower},upperdir=/run/box/{name},workdir=/run/box/{name}.work box /{name}",
        ]
    lines += [*_devices(), *_reachable()]
    # A virtual environment where the README puts it, and an empty state directory.
    lines += [
        "mkdir -p /opt/email-report-processor",
        f"mount --bind {shlex.quote(sys.prefix)} /opt/email-report-processor",
        f"rm -rf {STATE} {CONFIG}",
        # Nobody waits for what daemons leave behind: the kernel is to.
        "trap '' CHLD",
        "echo ready",
        "exec cat >/dev/null",
    ]
    return "\n".join(lines)


def _devices() -> list[str]:
    """A /dev with room for a /dev/log of the box's own."""
    nodes = ("null", "zero", "full", "random", "urandom", "tty")
    return [
        "mkdir /run/box/dev",
        "mount -t tmpfs -o mode=755 tmpfs /run/box/dev",
        "mkdir /run/box/dev/shm",
        "chmod 1777 /run/box/dev/shm",
        *(f"touch /run/box/dev/{node}; mount --bind /dev/{node} /run/box/dev/{node}" for node in nodes),
        *(f"ln -s /proc/self/fd/{n} /run/box/dev/{name}" for n, name in enumerate(("stdin", "stdout", "stderr"))),
        "ln -s /proc/self/fd /run/box/dev/fd",
        "mount --move /run/box/dev /dev",
    ]


def _reachable() -> list[str]:
    """Lets every user reach this Python and this project, also below a home directory that is closed to others."""
    hidden = [
        path
        for path in dict.fromkeys((str(PROJECT), sys.prefix, sys.base_prefix))
        if any(not parent.stat().st_mode & 0o001 for parent in Path(path).parents)
    ]
    hidden = [path for path in hidden if not any(path.startswith(other + "/") for other in hidden)]
    lines = [f"mkdir -p /run/box/{n}; mount --rbind {shlex.quote(path)} /run/box/{n}" for n, path in enumerate(hidden)]
    closed = dict.fromkeys(
        next(str(parent) for parent in reversed(Path(path).parents) if not parent.stat().st_mode & 0o001)
        for path in hidden
    )
    lines += [f"mount -t tmpfs -o mode=755 tmpfs {shlex.quote(top)}" for top in closed]
    for n, path in enumerate(hidden):
        lines += [f"mkdir -p {shlex.quote(path)}", f"mount --move /run/box/{n} {shlex.quote(path)}"]
    return lines


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, seconds: float = 15) -> None:
    """Return when somebody listens on the port."""
    wait_until(lambda: _listens(port), f"nobody listens on port {port}", seconds)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(condition: Callable[[], bool], failure: Callable[[], str] | str, seconds: float = 30) -> None:
    """Return when the condition holds; the failure says what did not come about."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(failure if isinstance(failure, str) else failure())
        time.sleep(0.05)
