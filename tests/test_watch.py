"""Signals and the deadline end a process with 75, or with what `when_late` says, whatever it is busy with."""

import signal
import subprocess
import sys
import time

import pytest

from email_report_processor.watch import SIGNALS, Watch

START = """
import os, signal, sys, time
from email_report_processor.watch import Watch
def log(level, text):
    os.write(1, f"{level}: {text}\\n".encode())
watch = Watch(float(sys.argv[1]), log)
os.write(1, b"ready\\n")
"""
BUSY = {
    "sleeping": "time.sleep(60)",
    "computing": "\nwhile True: pass",
    "in C code that holds the interpreter": "import re; re.match('(a*)*b', 'a' * 23 + 'c')",
    "swallowing exceptions": "\nwhile True:\n  try: time.sleep(60)\n  except BaseException: pass",
    "reading a pipe": "os.read(0, 1)",
}


def start(code: str, seconds: float = 60) -> "subprocess.Popen[bytes]":
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", START + code, str(seconds)]
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def finish(process: "subprocess.Popen[bytes]") -> tuple[int, str, str]:
    with process:  # its standard input stays open
        assert process.stdout is not None
        assert process.stderr is not None
        process.wait(timeout=60)
        return process.returncode, process.stdout.read().decode(), process.stderr.read().decode()


@pytest.mark.parametrize("busy", [one for one in BUSY if "C code" not in one])
@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_signal_gives_the_message_back(busy: str, number: signal.Signals) -> None:
    process = start(BUSY[busy])
    process.send_signal(number)
    assert finish(process) == (75, f"error: ended by {number.name}; the mail server keeps the message\n", "")


def test_a_signal_that_was_ignored_at_the_start() -> None:
    """Below Exim they are."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in SIGNALS}
    try:
        process = start(BUSY["sleeping"])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    process.send_signal(signal.SIGTERM)
    assert finish(process)[0] == 75


def test_the_thread_keeps_nobody() -> None:
    assert finish(start("")) == (0, "", "")


@pytest.mark.parametrize("busy", BUSY)
def test_the_deadline(busy: str) -> None:
    begin = time.monotonic()
    status, stdout, stderr = finish(start(BUSY[busy], 0.2))
    assert (status, stderr) == (75, "")
    assert stdout == "error: not done after 0.2 s; the mail server keeps the message\n"
    assert time.monotonic() - begin < 30


@pytest.mark.parametrize(
    ("when_late", "status", "said"),
    [
        ("lambda: 0", 0, ""),
        ("lambda: 1 / 0", 75, ""),
        ("lambda: open('/nowhere/at/all')", 75, "no copy can be kept: "),
        ("lambda: sys.exit(1)", 75, ""),
    ],
)
def test_what_is_done_when_it_is_late(when_late: str, status: int, said: str) -> None:
    ended, stdout, _ = finish(start(f"watch.when_late = {when_late}\ntime.sleep(60)", 0.2))
    assert ended == status
    assert said in stdout


def test_what_is_left() -> None:
    watch = Watch.__new__(Watch)
    watch.deadline = time.monotonic() + 5
    assert 4 < watch.left() <= 5
    watch.deadline = time.monotonic() - 5
    assert watch.left() == 0.0
