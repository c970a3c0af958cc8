"""Completion: the real shells complete each command and each flag."""

import argparse
import os
import pty
import select
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from email_report_processor.admin.command import COMMANDS
from email_report_processor.admin.command import parser as admin_parser
from email_report_processor.flags import parser as filter_parser
from tests.conftest import missing
from tests.places import ROOT
from tools.completion import PLACES
from tools.manual import _actions, _subparsers

COMPLETION = ROOT / "contrib/completion"
# Says what each line of standard input is completed to: the function that bash calls, as bash calls it.
ASK = """
source "$1"
while IFS= read -r line; do
    COMP_LINE=$line COMP_POINT=${#line}
    read -ra COMP_WORDS <<<"$line"
    case $line in *" ") COMP_WORDS+=("") ;; esac
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _shtab_${COMP_WORDS[0]//-/_}
    echo "${COMPREPLY[*]}"
done
"""


def offers(program: str, lines: Sequence[str]) -> list[list[str]]:
    """What bash would offer for each line."""
    command = ["bash", "--norc", "-c", ASK, "bash", str(COMPLETION / "bash" / program)]
    done = subprocess.run(command, input="\n".join(lines) + "\n", capture_output=True, text=True, check=True)
    return [line.split() for line in done.stdout.splitlines()]


def flags(parser: argparse.ArgumentParser) -> set[str]:
    return {name for action in _actions(parser) for name in action.option_strings if name.startswith("--")}


def test_bash_offers_each_flag_of_the_filter() -> None:
    (offered,) = offers("email-report-processor", ["email-report-processor --"])
    assert set(offered) == flags(filter_parser())


def test_bash_offers_each_command_and_each_of_its_flags() -> None:
    commands = _subparsers(admin_parser())
    lines = {f"email-report-admin {name} --": flags(made) for name, made in commands.items()}
    for name, made in commands.items():
        lines |= {f"email-report-admin {name} {word} --": flags(below) for word, below in _subparsers(made).items()}
    offered = offers("email-report-admin", ["email-report-admin ", *lines])
    assert set(offered[0]) == set(COMMANDS)
    assert {line: set(words) for line, words in zip(lines, offered[1:], strict=True)} == lines


def test_bash_offers_files_and_choices(tmp_path: Path) -> None:
    (tmp_path / "settings-of-mine.toml").touch()
    category, file = offers(
        "email-report-admin",
        ["email-report-admin kept --category un", f"email-report-admin kept --config {tmp_path}/sett"],
    )
    assert "unreadable" in category
    assert file == [str(tmp_path / "settings-of-mine.toml")]


SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "source {}/bash/email-report-admin\n"),
    "zsh": (["zsh", "-f", "-i"], "fpath=({}/zsh $fpath); autoload -U compinit; compinit -D -u\n"),
    "fish": (["fish", "--no-config", "-i"], "source {}/fish/email-report-admin.fish\n"),
}


@pytest.mark.parametrize("shell", PLACES)
def test_a_person_who_presses_tab_sees_it(shell: str, tmp_path: Path) -> None:
    command, load = SHELLS[shell]
    if shutil.which(command[0]) is None:
        missing(f"needs {shell}; on Debian: apt-get install {shell}")
    pid, terminal = pty.fork()
    if pid == 0:
        path = os.environ.get("PATH", "/usr/bin:/bin")
        os.execvpe(command[0], command, {"PATH": path, "TERM": "dumb", "HOME": str(tmp_path), "PS1": "ready> "})
    try:
        os.write(terminal, load.format(COMPLETION).encode() + b"echo lo''aded\n")
        _until(terminal, "loaded")
        os.write(terminal, b"email-report-admin camp\t")
        _until(terminal, "campaigns")
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(terminal)


def _until(terminal: int, word: str, seconds: float = 60) -> None:
    seen = b""
    end = time.monotonic() + seconds
    while word.encode() not in seen:
        ready, _, _ = select.select([terminal], [], [], max(0, end - time.monotonic()))
        assert ready, f"{word!r} does not come: {seen.decode(errors='replace')}"
        seen += os.read(terminal, 4096)
