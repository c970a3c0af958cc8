"""What names and verdicts cost a plain message: no module more than settings without them."""

import json
import subprocess
import sys
from pathlib import Path

RUN = """
import json, os, sys
out = sys.argv.pop()
leave = os._exit
def tell(status):
    with open(out, "w") as file:
        json.dump([status, sorted(sys.modules)], file)
    leave(status)
os._exit = tell
from email_report_processor.__main__ import run
run()
"""
MESSAGE = b"From: a@example.net\r\nTo: dmarc@example.org\r\nSubject: hello\r\n\r\nNo report.\r\n"
VERDICTS = '[[senders]]\nnetwork = "192.0.2.0/24"\nverdict = "mine"\n\n[[senders]]\nas = 64500\nverdict = "stranger"\n'


def modules(directory: Path, settings: str) -> list[str]:
    """What the filter has loaded when it leaves."""
    (directory / "settings.toml").write_text(settings)
    arguments = [f"--config={directory / 'settings.toml'}", f"--state={directory / 'state'}", "--log=none"]
    command = [sys.executable, "-c", RUN, *arguments, str(directory / "out.json")]
    subprocess.run(command, input=MESSAGE, env={}, check=True, capture_output=True)
    status, loaded = json.loads((directory / "out.json").read_text())
    assert status == 0
    return list(loaded)


def test_a_file_of_verdicts_loads_nothing_more(tmp_path: Path) -> None:
    (tmp_path / "senders.toml").write_text(VERDICTS)
    plain = modules(tmp_path, "")
    assert "email_report_processor.cli" in plain
    with_names = modules(tmp_path, '[senders]\n"192.0.2.0/24" = "Our own"\n')
    with_verdicts = modules(tmp_path, f'[site]\nsenders_file = "{tmp_path / "senders.toml"}"\n')
    assert with_names == with_verdicts == plain
    assert not any(name.startswith(("email_report_processor.advice", "email_report_processor.desk")) for name in plain)
