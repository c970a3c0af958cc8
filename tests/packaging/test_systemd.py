"""The units, where systemd is the first process: each starts, does its work, and is as shut in as the page says."""

import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.lmtp import Client
from tests.mta.packages import UnavailableError
from tests.packaging.booted import Booted, booted
from tests.places import GOLDEN
from tools.deb.units import UNITS, units

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

MESSAGE = min((GOLDEN / "dmarc-aggregate").glob("*.eml")).read_bytes()
STATE = "/var/lib/email-report-processor"
SETTINGS = """
[alerts]
mail_to = ["root@localhost"]
mail_from = "reports@localhost"

[[inbox]]
host = "127.0.0.1"
username = "dmarc@example.org"
password_file = "/etc/email-report-processor.imap"
"""
FOLLOW = f"--from sqlite:{STATE}/reports.sqlite --to sqlite:{STATE}/copy.sqlite"
POSTFIX = "compatibility_level = 3.6\nmyhostname = mail.example.org\ninet_interfaces = loopback-only\n"


@pytest.fixture(scope="module")
def debian(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Booted]:
    """With the package, installed while it runs, and a mail server that keeps what it gets."""
    place = tmp_path_factory.mktemp("booted")
    (place / "given").mkdir()
    shutil.copyfile(package, place / "given" / "ours.deb")
    try:
        with booted(place / "given", place / "scratch") as made:
            made.path("/etc/postfix/main.cf").write_text(POSTFIX)
            made.run("newaliases")
            made.run("systemctl", "restart", "postfix")
            made.run("dpkg", "-i", "/given/ours.deb")
            made.path("/etc/email-report-processor.toml").write_text(SETTINGS)
            made.path("/etc/email-report-processor.imap").write_text("secret")
            made.path("/etc/default/email-report-processor").write_text("FOLLOW=" + FOLLOW + "\n")
            yield made
    except UnavailableError as reason:
        missing(str(reason))


def show(debian: Booted, unit: str, name: str) -> str:
    """A property of a unit."""
    return debian.run("systemctl", "show", "--value", "-p", name, unit).strip()


def journal(debian: Booted, unit: str) -> str:
    return debian.run("journalctl", "--no-pager", "-u", unit)


def start(debian: Booted, unit: str) -> None:
    said = debian.run("sh", "-c", f"systemctl start {unit} || echo failed")
    assert said == "", journal(debian, unit)


def until(debian: Booted, unit: str, word: str, seconds: float = 60) -> None:
    """Until the unit has said something."""
    end = time.monotonic() + seconds
    while word not in journal(debian, unit):
        assert time.monotonic() < end, journal(debian, unit)
        time.sleep(0.2)


def found(debian: Booted, query: str) -> list[dict[str, object]]:
    """What the embedded store has."""
    user = ("setpriv", "--reuid=email-report", "--regid=email-report", "--init-groups")
    said = debian.run(*user, "email-report-admin", "search", "--json", query)
    return [json.loads(line) for line in said.splitlines() if line.startswith("{")]


def test_the_units_are_there_and_only_the_timer_of_kept_messages_runs(debian: Booted) -> None:
    listed = debian.run("systemctl", "list-unit-files", "--no-legend", "--plain", "email-report-*")
    states = {words[0]: words[1] for words in map(str.split, listed.splitlines())}
    assert set(states) == set(units())
    assert {name for name, state in states.items() if state == "enabled"} == {"email-report-kept.timer"}
    assert show(debian, "email-report-kept.timer", "ActiveState") == "active"
    assert show(debian, "email-report-kept.timer", "NextElapseUSecRealtime") != ""


def test_a_report_comes_by_the_socket(debian: Booted) -> None:
    start(debian, "email-report-lmtp.socket")
    assert show(debian, "email-report-lmtp.service", "ActiveState") == "inactive"
    path = debian.path("/run/email-report/lmtp")
    assert debian.run("stat", "-c", "%G:%a", "/run/email-report/lmtp") == "postfix:660\n"
    client = Client(path).hello()
    assert client.send(MESSAGE)[0].startswith("250 ")
    client.socket.close()
    assert show(debian, "email-report-lmtp.service", "ActiveState") == "active"
    assert found(debian, "dataset:dmarc-aggregate")
    # SIGHUP reads the settings again, and the same process goes on.
    before = show(debian, "email-report-lmtp.service", "MainPID")
    debian.run("systemctl", "reload", "email-report-lmtp")
    client = Client(path).hello()
    assert client.send(MESSAGE)[0].startswith("250 ")
    client.socket.close()
    assert show(debian, "email-report-lmtp.service", "MainPID") == before
    debian.run("systemctl", "stop", "email-report-lmtp.service", "email-report-lmtp.socket")
    assert show(debian, "email-report-lmtp.service", "Result") == "success"


@pytest.mark.parametrize("name", [unit.name for unit in UNITS if unit.every])
def test_what_a_timer_starts_ends_well(debian: Booted, name: str) -> None:
    start(debian, f"email-report-{name}.timer")
    start(debian, f"email-report-{name}.service")
    assert show(debian, f"email-report-{name}.service", "Result") == "success"
    assert show(debian, f"email-report-{name}.service", "ExecMainStatus") == "0"


def test_an_alert_goes_through_sendmail(debian: Booted) -> None:
    # No reporter was silent for so long: the rule fires, and its mail is taken by Postfix's set-group-id postdrop.
    debian.run("systemctl", "start", "email-report-alert.service")
    end = time.monotonic() + 60
    while "from=<reports@localhost>" not in (said := debian.run("journalctl", "--no-pager", "-t", "postfix/qmgr")):
        assert time.monotonic() < end, journal(debian, "email-report-alert") + said
        time.sleep(0.2)


@pytest.mark.parametrize("name", [unit.name for unit in UNITS if not (unit.every or unit.socket)])
def test_what_stays_stays(debian: Booted, name: str) -> None:
    unit = f"email-report-{name}.service"
    start(debian, unit)
    time.sleep(3)  # what fails at its start has failed by then; what works is not hurried by it
    assert show(debian, unit, "ActiveState") == "active", journal(debian, unit)
    assert show(debian, unit, "NRestarts") == "0", journal(debian, unit)
    assert "Traceback" not in journal(debian, unit)
    debian.run("systemctl", "stop", unit)
    assert show(debian, unit, "Result") == "success", journal(debian, unit)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: str(unit.name))
def test_exposure_is_what_the_page_says(debian: Booted, unit: object) -> None:
    name = f"email-report-{unit.name}.service"  # type: ignore[attr-defined]  # pytest's parameters have no type
    said = debian.run("systemd-analyze", "security", "--no-pager", name)
    exposure = re.search(r"Overall exposure level for \S+: ([0-9.]+)", said)
    assert exposure
    assert float(exposure[1]) <= (7.0 if unit.mail else 2.0)  # type: ignore[attr-defined]  # as above
