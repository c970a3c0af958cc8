"""The container: its parts one by one, and the image itself, built and run as compose.yaml says."""

import json
import re
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import compose_spec
import pytest
import yaml

from email_report_processor import __version__
from email_report_processor.settings import PREFIX, load, records
from tests.conftest import missing
from tests.lmtp import Client
from tests.mta.packages import UnavailableError
from tests.packaging.images import Images
from tests.places import GOLDEN, ROOT
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


def test_compose_is_what_the_specification_says() -> None:
    options = compose_spec.PyOptions()
    options.apply_merge = True
    read = options.from_yaml((ROOT / "compose.yaml").read_text("utf-8"))
    read.validate()
    services = read.services or {}
    assert set(services) == set(COMPOSE["services"])
    for name, service in COMPOSE["services"].items():
        assert set(service.get("depends_on", ())) <= set(services)
        assert set(service.get("ports", ())) == set(services[name].ports or ())
        assert set(service.get("volumes", ())) == set(services[name].volumes or ())


def test_what_compose_mounts_is_what_the_image_offers() -> None:
    text = (ROOT / "Containerfile").read_text("utf-8")
    volumes = set(re.findall(r"^VOLUME (.*)$", text, re.MULTILINE)[0].split())
    for service in OURS.values():
        assert {volume.rpartition(":")[2] for volume in service["volumes"]} <= volumes
        for port in service.get("ports", ()):
            assert f"\nEXPOSE {port.rpartition(':')[2]}\n" in text
    listen = OURS["desk"]["environment"]["EMAIL_REPORT_PROCESSOR_WEB_LISTEN"]
    assert [port.rpartition(":")[2] for port in OURS["desk"]["ports"]] == [listen.rpartition(":")[2]]


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


@pytest.fixture(scope="module")
def images() -> Iterator[Images]:
    """With the image of this checkout."""
    with tempfile.TemporaryDirectory(prefix="erp-", ignore_cleanup_errors=True) as folder:
        try:
            made = Images(Path(folder))
            made.build()
        except UnavailableError as reason:
            missing(str(reason))
        yield made


def _service(name: str, **environment: str) -> dict[str, Any]:
    """A service of compose.yaml, with the embedded store in the place of OpenSearch."""
    said = {key: str(value) for key, value in OURS[name]["environment"].items() if not key.endswith("_STORE_URL")}
    return {**OURS[name], "environment": said | environment}


@pytest.mark.long
@pytest.mark.timeout(1800)  # Debian's packages, and all that `make deb` installs
def test_the_image_is_built_and_takes_a_report_and_shows_it(images: Images, tmp_path: Path) -> None:
    state = "--volume=state:/var/lib/email-report-processor"
    (tmp_path / "run").mkdir(mode=0o1777)
    (tmp_path / "run").chmod(0o1777)  # whatever the umask
    message = min((GOLDEN / "dmarc-aggregate").glob("*.eml")).read_bytes()
    assert images.run(_service("lmtp"), "--version").endswith(f" {__version__}\n")

    # The first word `lmtp`: a report by the socket, as a mail server hands it over.
    path = tmp_path / "run" / "lmtp"
    with images.running(_service("lmtp"), state, f"--volume={path.parent}:/run/email-report") as process:
        _until(path.is_socket, process)
        client = Client(path).hello()
        assert client.send(message)[0].startswith("250 ")
        client.socket.close()
    assert process.returncode == 0

    # Nothing else may be written, and it is nobody.
    script = "id -un; touch /usr/x /etc/x /x 2>&1; grep -E 'CapEff|NoNewPrivs' /proc/self/status"
    said = images.run(_service("lmtp"), "-c", script, mounted=["--entrypoint=/bin/sh"])
    assert said.split()[0] == "email-report"
    assert said.count("Read-only file system") == 3
    assert re.search(r"CapEff:\s+0+\n", said)
    assert re.search(r"NoNewPrivs:\s+1\n", said)

    # `filter` gets the same one, which is not counted twice; another word is a command of email-report-admin.
    images.run(_service("lmtp"), "filter", mounted=[state], input_=message)
    found = images.run(_service("lmtp"), "search", "--json", "dataset:dmarc-aggregate", mounted=[state])
    documents = [json.loads(line) for line in found.splitlines() if line.startswith("{")]
    assert documents
    assert len(documents) == len({one["_id"] for one in documents})

    # `desk` shows it, where compose.yaml says.
    port = _free_port()
    listen = OURS["desk"]["environment"]["EMAIL_REPORT_PROCESSOR_WEB_LISTEN"].rpartition(":")[0]
    assert listen == "0.0.0.0"  # of the container; here it is this machine's loopback
    with images.running(_service("desk", EMAIL_REPORT_PROCESSOR_WEB_LISTEN=f"127.0.0.1:{port}"), state) as process:
        _until(lambda: "<html" in _page(port), process)
    assert process.returncode == 0


def _page(port: int) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        return error.read().decode()
    except OSError:
        return ""


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _until(done: Any, process: subprocess.Popen[bytes], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end
        time.sleep(0.1)
