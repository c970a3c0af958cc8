"""A program in the place of the real one, for what the real one cannot be made to do."""

from .box import Box

# Beside the wrapper, where it is found first.
PLACE = "/usr/local/bin/email-report-processor"
SIEVE = "/usr/lib/dovecot/sieve-execute"  # Dovecot calls the wrapper by its link there
SEEN = "/run/stand-in"
SECRET = "S3CRET"

# Name of the misbehaviour -> shell. Each but the first is to end in 75 behind the wrapper.
BEHAVIOURS = {
    "good": "exit 0",
    "exit 1": "exit 1",
    "exit 65": "exit 65",
    "exit 70": "exit 70",
    "exit 78": "exit 78",
    "exit 255": "exit 255",
    "killed": "kill -9 $$",
    "terminated": "kill -15 $$; exit 1",
    "traceback": "echo 'Traceback: http://user:S3CRET@store:9200 refused' >&2; exit 1",
    "chatty": "/usr/bin/head -c 200000 /dev/zero; exit 1",
}

_SCRIPT = """#!/bin/sh
/usr/bin/sha256sum >>{seen}
echo {secret}
{behaviour}
"""


def install(box: Box, behaviour: str, *, reads: bool = True) -> None:
    """Put it in the box; a stand-in that does not read leaves the message in the pipe."""
    script = _SCRIPT.format(seen=SEEN, secret=SECRET, behaviour=BEHAVIOURS[behaviour])
    if not reads:
        script = script.replace("/usr/bin/sha256sum", "/usr/bin/echo unread")
    if not box.path(SEEN).exists():
        box.write(SEEN, "", 0o666)
    box.write(PLACE, script, 0o755)
    if box.path(SIEVE).is_dir():
        box.write(f"{SIEVE}/email-report-processor", script, 0o755)


def remove(box: Box) -> None:
    """Let the wrapper find the real program again."""
    box.path(PLACE).unlink(missing_ok=True)
    box.path(f"{SIEVE}/email-report-processor").unlink(missing_ok=True)
    box.path(SEEN).unlink(missing_ok=True)


def seen(box: Box) -> list[str]:
    """One line for each run: the hash of what it read."""
    return box.path(SEEN).read_text(encoding="utf-8").splitlines()
