"""The scripts of findings/ have their form. They are run by hand: they install what they look at."""

import os
import re
from pathlib import Path

import pytest

from tests.places import ROOT

FINDINGS = sorted((ROOT / "findings").glob("*.sh"))
README = (ROOT / "findings/README.md").read_text("utf-8")
# A client's command that names packages, and each of its forms of `NAME at VERSION`.
INSTALLS = re.compile(r"\b(?:pip\"? install|npm install|apt-get download|cargo add|mvn|cargo install|mmdebstrap)\b")
PINNED = {
    "pip": r"[\w.-]+==[\w.]+",
    "npm": r"@[0-9]+\.[0-9]+\.[0-9]+",
    "apt-get": r"[a-z0-9.+-]+=[\w.+~:-]+",
    "cargo": r"@=?[0-9]+\.[0-9]+\.[0-9]+",
    "mmdebstrap": r"version \| grep '[0-9]",  # a release of Debian, and what is looked at has its version checked
    "mvn": r"<version>|:[0-9]+\.[0-9]+\.[0-9]+",
}


def head(text: str) -> str:
    """The comment on top, without its marks."""
    lines = text.splitlines()[1:]
    end = next(number for number, line in enumerate(lines) if not line.startswith("#"))
    return "\n".join(line.removeprefix("#").strip() for line in lines[:end])


def test_there_are_findings() -> None:
    assert len(FINDINGS) >= 6


@pytest.mark.parametrize("path", FINDINGS, ids=lambda path: path.stem)
def test_form_of_a_finding(path: Path) -> None:
    text = path.read_text("utf-8")
    assert os.access(path, os.X_OK)
    assert text.startswith("#!/bin/sh\n# ")
    assert "\nset -eu\n" in text
    assert re.search(r"(?s)One would guess: .*What happens: .*Versions?: .*Why it matters: ", head(text))
    assert "mktemp -d" in text
    assert re.search(r"^trap .*EXIT$", text, re.MULTILINE)
    assert "email_report_processor" not in text, "without our program"


@pytest.mark.parametrize("path", FINDINGS, ids=lambda path: path.stem)
def test_packages_are_pinned_and_come_through_their_ordinary_clients(path: Path) -> None:
    text = path.read_text("utf-8")
    installs = INSTALLS.findall(text)
    assert installs
    for client in {re.split(r"[\" ]", install)[0] for install in installs}:
        assert re.search(PINNED[client], text), client
    urls = re.findall(r"https?://([^/\s:\"'{]+)", text)
    assert set(urls) <= {"127.0.0.1", "localhost", "maven.apache.org"}, "no host but this one"
    assert not re.search(r"(?<![\w$\"])/(work|home|root|Users)/", text), "no path of a machine"


@pytest.mark.parametrize("path", FINDINGS, ids=lambda path: path.stem)
def test_each_finding_has_its_line(path: Path) -> None:
    assert README.count(f"* [{path.name}]({path.name}): ") == 1


def test_each_line_has_its_finding() -> None:
    assert {path.name for path in FINDINGS} == set(re.findall(r"^\* \[([^]]+)\]", README, re.MULTILINE))
