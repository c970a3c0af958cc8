"""The container: no registry of images is reached from here, so its parts are looked at one by one."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from email_report_processor.settings import PREFIX, load, records
from tests.places import ROOT
from tools.deb.units import exists

ENTRYPOINT = ROOT / "contrib/container/entrypoint"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
OURS = {name: one for name, one in COMPOSE["services"].items() if one.get("image") == "email-report-processor"}


def run(folder: Path, *arguments: str) -> str:
    """What the entry point would become: the commands are replaced by ones that tell how they are called."""
    for name in ("email-report-processor", "email-report-admin"):
        (folder / name).write_text(f'#!/bin/sh\necho {name} "$@"\n')
        (folder / name).chmod(0o755)
    command = ["/bin/sh", str(ENTRYPOINT), *arguments]
    return subprocess.run(command, env={"PATH": str(folder)}, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        ((), "email-report-processor --lmtp unix:/run/email-report/lmtp"),
        (("lmtp",), "email-report-processor --lmtp unix:/run/email-report/lmtp"),
        (("filter", "--feed", "a b"), "email-report-processor --feed a b"),
        (("desk",), "email-report-admin desk"),
        (("kept", "--retry"), "email-report-admin kept --retry"),
    ],
)
def test_entry_points(tmp_path: Path, arguments: tuple[str, ...], command: str) -> None:
    assert run(tmp_path, *arguments) == command
    assert exists(command) or "--feed" in command


def test_compose_names_settings_that_there_are() -> None:
    for service in OURS.values():
        environment = {name: str(value) for name, value in service["environment"].items()}
        assert all(name.startswith(PREFIX) for name in environment)
        settings = load({}, None, environment)
        for section in settings.table:
            for kind in records(section):
                settings.record(section, kind)


def test_services_are_shut_in() -> None:
    assert set(OURS) == {"lmtp", "desk"}
    for service in OURS.values():
        assert (service["read_only"], service["cap_drop"], service["tmpfs"]) == (True, ["ALL"], ["/tmp"])
    for service in COMPOSE["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


def test_containerfile_copies_what_is_there() -> None:
    text = (ROOT / "Containerfile").read_text("utf-8")
    for source in re.findall(r"^COPY ([^-]\S*) ", text, re.MULTILINE):
        assert (ROOT / source).exists()
    assert "\nUSER email-report\n" in text
