"""A PostgreSQL server of this run alone, on a free loopback port, with a password."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from tests.mta.packages import UnavailableError, offered
from tests.nodes import Server, _free_port

START_TIMEOUT = 60  # seconds; 2 are usual
_DATABASE = "reports"


class Postgresql:
    """The server, its database, and the file with the password of its user `reports`."""

    def __init__(self, directory: Path, server: Server, tools: Path, environment: Mapping[str, str]) -> None:
        self.directory = directory
        self.server = server
        self.password_file = directory / "password"
        self._tools = tools
        self._environment = environment

    @property
    def url(self) -> str:
        """As the program has it; without the password."""
        return f"postgresql://reports@127.0.0.1:{self.server.port}/{_DATABASE}"

    def start(self) -> None:
        """Start and wait until it answers. Raises UnavailableError."""
        self.server.start()
        end = time.monotonic() + START_TIMEOUT
        while self._run("pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.server.port)).returncode:
            if not self.server.alive() or time.monotonic() > end:
                raise UnavailableError(f"PostgreSQL did not start:\n{self.server.log()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop, and keep the data. SIGINT ends the connections; at SIGTERM PostgreSQL would wait for them."""
        pid = int((self.directory / "data/postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGINT)
        self.server.stop()

    def create(self) -> None:
        """Make the database. Raises UnavailableError."""
        where = ("-h", "127.0.0.1", "-p", str(self.server.port), "-U", "reports")
        done = self._run("createdb", *where, _DATABASE, env={"PGPASSWORD": self.password_file.read_text().strip()})
        if done.returncode:
            raise UnavailableError(done.stderr)

    def _run(
        self, tool: str, *arguments: str, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        environment = {**self._environment, **(env or {})}
        command = [str(self._tools / tool), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def postgresql() -> Postgresql:
    """A server that answers, with an empty database. To be closed by `server.close`. Raises UnavailableError."""
    tools, environment = _tools()
    directory = Path(tempfile.mkdtemp(prefix="email-report-postgresql-"))
    directory.chmod(0o755)
    (directory / "password").write_text(secrets.token_urlsafe(12) + "\n")
    user = ""
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        nobody = pwd.getpwnam("nobody")
        user = nobody.pw_name
        os.chown(directory, nobody.pw_uid, nobody.pw_gid)
    data = directory / "data"
    init = [str(tools / "initdb"), "-D", str(data), "-U", "reports", "-A", "scram-sha-256", "-E", "UTF8"]
    init += ["--no-locale", "-N", f"--pwfile={directory / 'password'}"]
    done = subprocess.run(
        init, env=environment, user=user or None, cwd=directory, capture_output=True, text=True, check=False
    )
    if done.returncode:
        shutil.rmtree(directory)
        raise UnavailableError(f"initdb failed: {done.stderr[-500:]}")
    port = _free_port()
    tls = _certificate(directory, user)
    command = [str(tools / "postgres"), "-D", str(data), "-h", "127.0.0.1", "-p", str(port), "-k", str(directory), *tls]
    server = Server(
        directory, port, ["env", *(f"{name}={value}" for name, value in environment.items()), *command], user
    )
    made = Postgresql(directory, server, tools, environment)
    try:
        made.start()
        made.create()
    except UnavailableError:
        server.close()
        raise
    return made


def _certificate(directory: Path, user: str) -> list[str]:
    """What makes the server offer TLS, as `localhost`; nothing where there is no openssl."""
    if not shutil.which("openssl"):
        return []
    key, certificate = directory / "server.key", directory / "server.crt"
    name = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *name, "-keyout", str(key)]
    subprocess.run([*command, "-out", str(certificate)], check=True, capture_output=True)
    key.chmod(0o600)
    if user:
        shutil.chown(key, user)
    return ["-c", "ssl=on", "-c", f"ssl_cert_file={certificate}", "-c", f"ssl_key_file={key}"]


def _tools() -> tuple[Path, dict[str, str]]:
    """Where initdb and postgres are, and their environment."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"}
    if installed:
        return installed[-1].parent, environment
    for root in offered("postgresql", "initdb", "postgresql"):
        unpacked = sorted(root.glob("usr/lib/postgresql/*/bin/initdb"))
        libraries = sorted({str(path.parent) for path in root.glob("usr/lib/*/lib*.so*")})
        if unpacked:
            return unpacked[-1].parent, environment | {"LD_LIBRARY_PATH": ":".join(libraries)}
    raise UnavailableError("needs a PostgreSQL server; on Debian: apt-get install postgresql")
