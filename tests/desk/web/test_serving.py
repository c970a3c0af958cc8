"""The server as a process: what waitress adds and takes away, how it tells its address, and how it ends."""

import http.client
import os
import socket
from pathlib import Path

import pytest

from email_report_processor.desk.web.users import User, is_password
from tests.conftest import Program
from tests.desk.web.server import running


def ask(url: str, path: str, fields: dict[str, str] | None = None) -> tuple[int, dict[str, str], str]:
    """Status, header fields and text of a page."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
    try:
        connection.request("GET", path, headers=fields or {})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()
    finally:
        connection.close()


def test_the_address_is_told_in_a_file_of_ours_and_in_no_log(tmp_path: Path, recent_store: str) -> None:
    with running(tmp_path, recent_store) as server:
        token = server.entrance.rpartition("/")[2]
        assert len(token) >= 40
        told = server.state / "desk-address"
        assert told.stat().st_mode & 0o777 == 0o600
        assert told.stat().st_uid == os.getuid()
        status, fields, _ = ask(server.url, f"/enter/{token}")
        assert status == 200
        assert "Server" not in fields
        assert ask(server.url, "/", {"Host": "evil.example"})[0] == 421
        assert ask(server.url, "/")[0] == 401
    assert server.process.returncode == 0
    log = (tmp_path / "log").read_text()
    assert "listens on http://127.0.0.1:" in log
    assert log.rstrip().endswith("ends")
    assert token not in log


@pytest.mark.parametrize("name", ["X-Remote-User", "X_Remote_User"])
def test_a_user_comes_from_the_proxy_alone(tmp_path: Path, recent_store: str, name: str) -> None:
    web = '[web]\nlisten = "127.0.0.1:0"\nproxies = ["{}"]\nuser_header = "X-Remote-User"\n'
    users = '[[users]]\nname = "ana"\nrole = "analyst"\n'
    with running(tmp_path, recent_store, settings=web.format("127.0.0.1") + users) as server:
        assert ask(server.url, "/senders", {name: "ana"})[0] == (200 if name == "X-Remote-User" else 401)
    with running(tmp_path, recent_store, settings=web.format("127.0.0.2") + users) as server:
        assert ask(server.url, "/senders", {name: "ana"})[0] == 401


def test_it_answers_on_a_socket_in_the_file_system(tmp_path: Path, recent_store: str) -> None:
    path = tmp_path / "desk.sock"
    web = f'[web]\nlisten = "unix:{path}"\nproxies = ["unix"]\nuser_header = "X-Remote-User"\nsocket_mode = "0600"\n'
    users = '[[users]]\nname = "ana"\nrole = "analyst"\n'
    with running(tmp_path, recent_store, settings=web + users):
        assert path.stat().st_mode & 0o777 == 0o600
        with socket.socket(socket.AF_UNIX) as one:
            one.settimeout(30)
            one.connect(str(path))
            one.sendall(b"GET /senders HTTP/1.0\r\nHost: localhost\r\nX-Remote-User: ana\r\n\r\n")
            answer = b"".join(iter(lambda: one.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.0 200")
        assert b"ana</bdi>, analyst" in answer
    assert not path.exists()


def test_wrong_settings_start_nothing(run_admin: Program) -> None:
    outcome = run_admin(b"", "desk", settings='[web]\nlisten = "0.0.0.0:8025"\n')
    assert outcome.status == 2
    assert "listen_anywhere" in outcome.stderr
    outcome = run_admin(b"", "desk", settings='[[users]]\nname = "ana"\nrole = "analyst"\npassword = "hunter2"\n')
    assert outcome.status == 2
    assert "desk --hash" in outcome.stderr
    assert "hunter2" not in outcome.stderr


def test_the_command_makes_a_hash(run_admin: Program) -> None:
    outcome = run_admin(b"correct horse battery\n", "desk", "--hash")
    assert outcome.status == 0
    assert is_password(User("ana", password=outcome.stdout.strip()), "correct horse battery")
    assert "horse" not in outcome.stdout + outcome.stderr
    assert run_admin(b"short\n", "desk", "--hash").status == 2
