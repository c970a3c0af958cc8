"""The log: one line, wherever it goes, and nothing on the standard descriptors."""

import json
import os
import re
import subprocess
import sys
import syslog
from pathlib import Path

import pytest

from email_report_processor import log as log_module
from email_report_processor.log import IDENT, LogOptions, open_log

HOSTILE = "a\nb\r\nc\x00d\x1b[31m\u202ee\ud800 f"
HARMLESS = "a b cd[31me f"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str]]:
    """What goes to syslog."""
    found: list[tuple[int, str]] = []
    monkeypatch.setattr(syslog, "openlog", lambda *_: None)
    monkeypatch.setattr(syslog, "syslog", lambda priority, text: found.append((priority, text)))
    return found


def test_a_file_gets_one_line_a_message(tmp_path: Path, sent: list[tuple[int, str]]) -> None:
    path = tmp_path / "log"
    log = open_log(LogOptions(str(path)))
    for level in ("info", "warning", "error"):
        log(level, HOSTILE)
    lines = path.read_text("utf-8").splitlines()
    assert len(lines) == 3
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    for line, level in zip(lines, ("info", "warning", "error"), strict=True):
        assert re.fullmatch(rf"{stamp} {IDENT}\[{os.getpid()}\]: {level}: {re.escape(HARMLESS)}", line)
    assert path.stat().st_mode & 0o777 == 0o600
    assert sent == []


@pytest.mark.parametrize(("level", "passed"), [("info", ["i", "w", "e"]), ("warning", ["w", "e"]), ("error", ["e"])])
def test_levels(level: str, passed: list[str], sent: list[tuple[int, str]]) -> None:
    log = open_log(LogOptions("syslog", level))  # type: ignore[arg-type]  # one of the three
    for name in ("info", "warning", "error"):
        log(name, name[0])
    assert [text for _, text in sent] == passed


def test_syslog_priorities(sent: list[tuple[int, str]]) -> None:
    log = open_log(LogOptions("syslog"))
    for name in ("info", "warning", "error"):
        log(name, HOSTILE)
    assert sent == [(syslog.LOG_INFO, HARMLESS), (syslog.LOG_WARNING, HARMLESS), (syslog.LOG_ERR, HARMLESS)]


def test_a_file_that_cannot_be_written_falls_back_to_syslog(tmp_path: Path, sent: list[tuple[int, str]]) -> None:
    for path in (tmp_path, tmp_path / "none" / "log", Path("/dev/full")):
        sent.clear()
        open_log(LogOptions(str(path)))("error", "what happened")
        assert [text for _, text in sent] == [sent[0][1], "what happened"]
        assert f"the log file {path} cannot be written" in sent[0][1]
        assert "set [log] to" in sent[0][1]


def test_standard_error_only_by_name_or_on_a_terminal(sent: list[tuple[int, str]], tmp_path: Path) -> None:
    with (tmp_path / "stderr").open("w+b") as file:
        open_log(LogOptions("stderr"), file.fileno())("info", "one")
        open_log(LogOptions("stderr"), file.fileno())("error", "two")
        open_log(LogOptions(""), file.fileno())("error", "three")  # no terminal
        open_log(LogOptions("none"), file.fileno())("error", "four")
        file.seek(0)
        assert file.read().decode() == f"{IDENT}: one\n{IDENT}: error: two\n"
    assert sent == [(syslog.LOG_ERR, "three")]
    open_log(LogOptions("stderr"), -1)("error", "closed")
    assert sent[-1] == (syslog.LOG_ERR, "closed")


def test_a_terminal_gets_it(sent: list[tuple[int, str]]) -> None:
    controller, terminal = os.openpty()
    open_log(LogOptions(), terminal)("warning", "hello")
    assert os.read(controller, 1000) == f"{IDENT}: warning: hello\r\n".encode()
    os.close(controller)
    os.close(terminal)
    assert sent == []


# The standard descriptors

PROBE = """
import json, os, sys
from email_report_processor.log import take_descriptors
taken = take_descriptors()
print("this must not be seen")
print("nor this", file=sys.stderr)
os.write(1, b"nor that"); os.write(2, b"nor that")
named = [os.readlink(f"/proc/self/fd/{n}") for n in (0, 1, 2)]
opened = os.open("/proc/self/status", os.O_RDONLY)
flags = [os.get_inheritable(one) for one in taken if one >= 0]
with open(sys.argv[1], "w") as file:
    json.dump({"taken": taken, "named": named, "opened": opened, "inheritable": flags}, file)
if taken.stdout >= 0:
    os.write(taken.stdout, b"mine")
for stream in (sys.stdout, sys.stderr):
    if stream is not None:
        stream.flush()
os._exit(0)
"""


@pytest.mark.parametrize("closed", [(), (0,), (1, 2), (0, 1, 2)], ids=str)
def test_nobody_reaches_the_standard_descriptors(tmp_path: Path, closed: tuple[int, ...]) -> None:
    answer = tmp_path / "answer"
    command = [sys.executable, "-c", PROBE, str(answer)]
    shell = " ".join(f"{number}{'<' if number == 0 else '>'}&-" for number in closed)
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {shell}', "sh", *command],
        input=b"x",
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == (b"" if 1 in closed else b"mine")
    found = json.loads(answer.read_text())
    assert [one < 0 for one in found["taken"]] == [number in closed for number in (0, 1, 2)]
    assert found["named"][1:] == ["/dev/null", "/dev/null"]
    assert found["named"][0] == "/dev/null" or 0 not in closed
    assert found["opened"] > 2
    assert found["inheritable"] == [False] * (3 - len(closed))


def test_a_terminal_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    assert log_module._is_terminal(-1) is False
    controller, terminal = os.openpty()
    code = "from email_report_processor.log import take_descriptors; take_descriptors(); print('seen', flush=True)"
    done = subprocess.run([sys.executable, "-c", code], stdout=terminal, check=False, timeout=60)
    assert done.returncode == 0
    assert os.read(controller, 100) == b"seen\r\n"
    os.close(controller)
    os.close(terminal)
