"""The nodes of the tests behave as docs and code say that OpenSearch does."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.nodes import Node, SecureNode, Stored
from tests.opensearch import guard, jars

STRONG = "Zq7-mountain-Fork"  # the plugin refuses weaker ones


def bulk(*pairs: tuple[object, object]) -> bytes:
    """The body of a _bulk."""
    return b"".join(json.dumps(part).encode() + b"\n" for pair in pairs for part in pair)


def test_plain_node_keeps_one_document_per_id(node: Node, prefix: str) -> None:
    create = {"create": {"_index": f"{prefix}a", "_id": "1"}}
    first = node.ask("POST", "/_bulk", bulk((create, {"n": 1})))
    second = node.ask("POST", "/_bulk", bulk((create, {"n": 2})))
    assert (first["errors"], first["items"][0]["create"]["status"]) == (False, 201)
    item = second["items"][0]["create"]
    assert (second["errors"], item["status"]) == (True, 409)
    assert item["error"]["type"] == "version_conflict_engine_exception"
    assert node.documents(f"{prefix}*") == [Stored(f"{prefix}a", "1", {"n": 1})]


def test_plain_node_refuses_an_unknown_field(node: Node, prefix: str) -> None:
    node.ask("PUT", f"/{prefix}a", {"mappings": {"dynamic": "strict", "properties": {"known": {"type": "long"}}}})
    status, answer = node.request("POST", f"/{prefix}a/_doc", {"unknown": 1})
    assert (status, answer["error"]["type"]) == (400, "strict_dynamic_mapping_exception")


def test_wipe_takes_what_has_the_prefix_and_nothing_else(node: Node, prefix: str) -> None:
    own, other = f"{prefix}own-", f"{prefix}other-"
    for name in (own, other):
        node.ask("PUT", f"/_component_template/{name}c", {"template": {}})
        node.ask("PUT", f"/_index_template/{name}t", {"index_patterns": [f"{name}*"], "composed_of": [f"{name}c"]})
        node.ask("PUT", f"/_ingest/pipeline/{name}p", {"processors": []})
        node.ask("PUT", f"/{name}i")
    node.ask("POST", f"/{own}i/_close")
    node.wipe(own)
    for kind in ("", "_component_template/", "_index_template/", "_ingest/pipeline/"):
        suffix = {"": "i", "_component_template/": "c", "_index_template/": "t"}.get(kind, "p")
        assert node.request("GET", f"/{kind}{own}{suffix}")[0] == 404
        assert node.request("GET", f"/{kind}{other}{suffix}")[0] == 200


def test_own_node_keeps_its_data_and_port_when_it_is_stopped(own_node: Node, prefix: str) -> None:
    own_node.ask("PUT", f"/{prefix}a/_doc/1", {"n": 1})
    url = own_node.url
    own_node.stop()
    try:
        with pytest.raises(OSError, match="refused"):
            own_node.request("GET", "/")
    finally:
        own_node.start()
    assert own_node.url == url
    assert own_node.documents(f"{prefix}*") == [Stored(f"{prefix}a", "1", {"n": 1})]


def test_a_node_of_others_is_not_stopped() -> None:
    with pytest.raises(RuntimeError, match="own_node"):
        Node("http://127.0.0.1:9").stop()


def test_secure_node_wants_the_right_password(secure_node: SecureNode) -> None:
    status, answer = secure_node.request("GET", "/")
    assert (status, answer["version"]["number"]) == (200, "2.19.4")
    assert secure_node.request("GET", "/", user="admin", password="wrong") == (401, "Unauthorized")
    assert secure_node.request("GET", "/", user="") == (401, "Unauthorized")


def test_secure_node_is_only_known_by_its_certificate(secure_node: SecureNode) -> None:
    unknown = Node(secure_node.url)  # the system's certificates
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        unknown.request("GET", "/")
    renamed = SecureNode(secure_node.wrong_name_url, secure_node.ca_file, secure_node.admin_password)
    with pytest.raises(OSError, match=r"not valid for '127\.0\.0\.2'"):
        renamed.request("GET", "/")


def test_secure_node_holds_a_user_to_the_role(secure_node: SecureNode, prefix: str) -> None:
    rights = {"index_patterns": [f"{prefix}*"], "allowed_actions": ["crud", "create_index"]}
    secure_node.put_role(f"{prefix}role", {"index_permissions": [rights]})
    secure_node.put_user(f"{prefix}user", STRONG, [f"{prefix}role"])

    def write(index: str) -> int:
        return secure_node.request("PUT", f"/{index}/_doc/1", {"n": 1}, user=f"{prefix}user", password=STRONG)[0]

    assert (write(f"{prefix}a"), write("elsewhere")) == (201, 403)
    secure_node.wipe(prefix)
    assert write(f"{prefix}a") == 401


def _guarded(directory: Path) -> subprocess.Popen[bytes]:
    """A guard of a process that writes its number and sleeps."""
    directory.mkdir()
    script = "import os, time; open('pid', 'w').write(f'{os.getpid()}\\n'); time.sleep(60)"
    command = [sys.executable, str(Path(guard.__file__)), str(directory), "", sys.executable, "-c", script]
    return subprocess.Popen(command, stdin=subprocess.PIPE)


def _number(directory: Path) -> int:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if (directory / "pid").exists() and (text := (directory / "pid").read_text()).endswith("\n"):
            return int(text)
        time.sleep(0.02)
    raise AssertionError("the guarded process did not start")


def _ends(number: int) -> bool:
    """Whether this process is gone, or only waits to be asked for its status, within some seconds."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize(("word", "kept"), [(b"", False), (b"stop\n", True)])
def test_a_node_ends_when_nobody_holds_its_guard(tmp_path: Path, word: bytes, kept: bool) -> None:
    with _guarded(tmp_path / "node") as process:
        number = _number(tmp_path / "node")
        process.communicate(word)
    assert _ends(number)
    assert (tmp_path / "node").exists() is kept


def test_a_node_ends_when_its_guard_is_killed(tmp_path: Path) -> None:
    with _guarded(tmp_path / "node") as process:
        number = _number(tmp_path / "node")
        os.kill(process.pid, signal.SIGKILL)
    assert _ends(number)


def test_a_machine_without_jdk_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jars, "jdks", list)
    with pytest.raises(jars.MissingError, match=r"apt-get install openjdk-17-jdk-headless .* maven"):
        jars.plain_jdk()


def test_the_jdk_decides_which_node_can_run(monkeypatch: pytest.MonkeyPatch) -> None:
    new, old = jars.Jdk(Path("/new"), 25), jars.Jdk(Path("/old"), 17)
    monkeypatch.setattr(jars, "jdks", lambda: [new, old])
    assert (jars.plain_jdk(), jars.secure_jdk()) == (new, old)
