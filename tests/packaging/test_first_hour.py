"""`email-report-admin init` on a terminal, in a Debian where a newcomer followed docs/installing.md."""

import os
import pty
import select
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.packaging.chroot import Chroot, chroot
from tests.packaging.test_pages import MAIL, PATH, Debian, debians, named_for, servers

__all__ = ["debians", "servers"]  # fixtures
pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

CONFIG = "/etc/email-report-processor.toml"


def on_a_terminal(inside: Chroot, answers: Mapping[str, str], *command: str) -> tuple[int, str]:
    """Status and all that was seen; each answer is given once, when its prompt has come."""
    enter = inside.enter("env", "-i", f"PATH={PATH}", "HOME=/root", "TERM=dumb", *command)
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(enter[0], enter)
    seen, asked, end = "", 0, time.monotonic() + 300
    left = dict(answers)
    while True:
        ready, _, _ = select.select([terminal], [], [], max(0, end - time.monotonic()))
        assert ready, seen
        try:
            read = os.read(terminal, 4096)
        except OSError:  # the other side has ended
            break
        seen += read.decode(errors="replace")
        for prompt in list(left):
            if prompt in seen[asked:]:
                asked = len(seen)
                os.write(terminal, left.pop(prompt).encode() + b"\n")
    os.close(terminal)
    assert not left, seen
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen


def test_with_postfix_everything_is_there_in_the_end(debians: Debian, servers: str, tmp_path: Path) -> None:
    with chroot(debians.given, tmp_path / "scratch", [debians.installed]) as inside:
        debians.prepare(inside)
        named_for(inside)
        debians.run(inside, f"{MAIL}\nrm {CONFIG}", "before")
        answers = {"Domain: ": "example.org", "Address for reports [": "", "Mail server [postfix]": "", "Store: ": ""}
        answers |= {"Is the mail server told?": "n"}
        status, seen = on_a_terminal(inside, answers, "email-report-admin", "init")
        assert status == 1
        assert "none was sent" in seen
        assert inside.run("stat", "-c", "%U:%G:%a", CONFIG) == "root:email-report:640\n"
        # What it says is done, as it says it; then nothing is missing.
        line = next(line.strip() for line in seen.splitlines() if line.strip().startswith("sh /opt/"))
        debians.run(inside, f"{line}\npostfix reload", line)
        answers = {"Domain: ": "example.org", "Address for reports [": "", "Mail server [postfix]": "", "Store: ": ""}
        answers |= {"Is the mail server told?": "y"}
        status, seen = on_a_terminal(inside, answers, "email-report-admin", "init")
        assert status == 0, seen
        assert "it came through the mail server into the store" in seen
        assert "Nothing is missing:" in seen


def test_without_any_mail_server_it_says_what_to_do(debians: Debian, servers: str, tmp_path: Path) -> None:
    with chroot(debians.given, tmp_path / "scratch", [debians.installed]) as inside:
        debians.prepare(inside)
        named_for(inside)
        debians.run(inside, f"dpkg --purge postfix\nrm {CONFIG}", "before")
        answers = {"Domain: ": "example.org", "Address for reports [": "", "Mail server [": "", "Store: ": ""}
        status, seen = on_a_terminal(inside, answers, "email-report-admin", "init", "--no-dns")
        assert status in {0, 1}
        assert "Traceback" not in seen
        assert inside.path(CONFIG).is_file()
        debians.run(inside, f"rm {CONFIG}", "again")
        said = debians.run(
            inside, "email-report-admin init --yes --domain example.org --no-dns || test $? = 1", "init --yes"
        )
        assert "_dmarc.example.org. IN TXT" in said
        assert inside.path(CONFIG).is_file()
