"""Each block of commands of README and docs is run, from the first line to the last, in a clean Debian.

A page has a scene: what its reader has done before. Where a reader writes something of his own in the place of a word
(TOKEN), the scene says what. Names of servers in examples lead to servers on this machine's loopback.
"""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import missing
from tests.mta.packages import UnavailableError
from tests.packaging.blocks import PAGES, Block, blocks, commands
from tests.packaging.chroot import CERTIFICATES, Chroot, chroot, registries
from tests.packaging.images import checkout
from tests.places import ROOT

CLONE = "/root/email-report-processor"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # root's, on Debian
LANGUAGES = {"sh", "text", "toml", "ini", "nginx", "python", "cron", "json", "sieve", "yaml"}
# Commands that go on until they are ended, which these tests do after some seconds.
STAY = (
    "email-report-admin copy --follow",
    "email-report-admin desk",
    "email-report-admin logins follow",
    "email-report-admin logins policy",
)
# Commands whose status is an answer.
ANSWERS = {
    "email-report-admin check": 3,  # 0 ok, 1 warning, 2 critical, 3 unknown
    "email-report-admin doctor": 1,  # 1: something is to be done
    "email-report-admin dns": 1,  # likewise
    "email-report-admin logins check": 1,  # 1: an alarm
}


class Scene(NamedTuple):
    """Where the commands of a page, or of one section of it, are run."""

    page: str
    heading: str = ""  # of the section; empty: the whole page, less the sections that have a scene of their own
    installed: bool = True  # as docs/installing.md says, with reports of the last weeks in the embedded store
    before: str = ""  # what the reader has done
    words: Mapping[str, str] = {}  # in the place of a word: what this command prints


SCENES = (
    Scene("README.md", installed=False, before="apt-get install -qq git make python3 python3-venv"),
    Scene("docs/installing.md", "In a virtual environment", installed=False),
    Scene("docs/installing.md", "The first hour", before="postfix start"),
    Scene("docs/installing.md", "The Debian package", installed=False, before="apt-get install -qq make python3-venv"),
    Scene("docs/installing.md", "Manual pages and completion", before="apt-get install -qq man-db"),
    Scene("docs/installing.md", "Building a release", installed=False, before="apt-get install -qq make python3-venv"),
    Scene("docs/upgrading.md"),
    Scene("docs/abuse-desk.md"),
    Scene("docs/alerts.md", before="postfix start; install -d /var/lib/node_exporter"),
    Scene("docs/commands.md"),
    Scene("docs/feeds.md", before="cp tests/golden/smtp-tls/*.eml message.eml"),
    Scene("docs/importing.md"),
    Scene("docs/inboxes.md"),
    Scene("docs/logins.md", before="touch /var/log/mail.log"),
    Scene("docs/mail-servers.md", before="postfix start"),
    Scene("docs/opensearch.md"),
    Scene("docs/pages.md"),
    Scene("docs/policy.md"),
    Scene("docs/privacy.md"),
    Scene("docs/searching.md"),
    Scene("docs/senders.md"),
    Scene("docs/stores.md"),
    Scene("contrib/dashboards/README.md"),
)


def script(block: Block, words: Mapping[str, str]) -> str:
    """A block as it is run."""
    text = block.script.replace("\\\n", " ")
    for word, value in words.items():
        text = re.sub(rf"\b{word}\b", value, text)
    return "".join(f"{_line(line)}\n" for line in text.splitlines())


def _line(line: str) -> str:
    if line.startswith(STAY):
        command = line.partition("  #")[0]
        return f"timeout --preserve-status --signal=TERM 8 {command}"
    for command, worst in ANSWERS.items():
        if line.startswith(command):
            return f"{line.partition('  #')[0]} || test $? -le {worst}"
    return line


def test_each_block_has_a_language() -> None:
    found = {block.name: block.language for page in PAGES for block in blocks(page)}
    assert {name: language for name, language in found.items() if language not in LANGUAGES} == {}


def test_each_command_is_in_a_block_that_is_run_or_says_why_not() -> None:
    pages = {scene.page for scene in SCENES}
    for page in PAGES:
        for block in commands(page):
            assert str(page.relative_to(ROOT)) in pages or block.left_out, block.name
        indented = re.findall(r"(?<=\n\n) {4}(?:email-report-|make |pip |apt-get |systemctl )\S+", page.read_text())
        assert indented == [], f"{page}: a block of commands is fenced as sh"


def test_a_scene_has_its_blocks() -> None:
    for scene in SCENES:
        assert _blocks(scene), scene


def _blocks(scene: Scene) -> list[Block]:
    others = {one.heading for one in SCENES if one.page == scene.page} - {scene.heading}
    found = commands(ROOT / scene.page)
    return [one for one in found if (one.heading == scene.heading if scene.heading else one.heading not in others)]


class Debian:
    """Clean Debians, each on the layers below it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.given = folder / "given"
        checkout(self.given / "clone")
        self.installed = folder / "installed"  # what an installation adds to a clean Debian

    def run(self, inside: Chroot, text: str, name: str) -> str:
        """Run a script as root in the clone."""
        inside.path("/root/script").write_text(f"cd {CLONE}\nset -euo pipefail\n{text}")
        variables = [f"{key}={value}" for key, value in {**registries(), "HOME": "/root", "PATH": PATH}.items()]
        said = inside.run(
            "env", *variables, "sh", "-c", "bash -x /root/script 2>&1; status=$?; echo; echo status $status"
        )
        assert said.endswith("\nstatus 0\n"), f"{name}:\n{said[-3000:]}"
        return said

    def prepare(self, inside: Chroot) -> None:
        """What each has: the clone, this machine's name servers, and the certificates of its site."""
        shutil.copytree(self.given / "clone", inside.path(CLONE), symlinks=True, dirs_exist_ok=True)
        shutil.copyfile("/etc/resolv.conf", inside.path("/etc/resolv.conf"))
        inside.path("/etc/ssl").mkdir(exist_ok=True)
        shutil.copyfile(CERTIFICATES, inside.path("/etc/ssl/site.pem"))
        inside.path("/etc/apt/apt.conf.d/90yes").write_text('APT::Get::Assume-Yes "true";\n')  # a person says yes
        inside.run("apt-get", "update", "-qq")


@pytest.fixture(scope="session")
def debians(tmp_path_factory: pytest.TempPathFactory) -> Debian:
    """With one that is installed as docs/installing.md says."""
    made = Debian(tmp_path_factory.mktemp("pages"))
    scratch = made.folder / "scratch"
    try:
        with chroot(made.given, scratch) as inside:
            made.prepare(inside)
            scene = next(one for one in SCENES if one.heading == "In a virtual environment")
            for block in _blocks(scene):
                made.run(inside, script(block, {}), block.name)
            made.run(inside, STORED, "reports of the last weeks")
            made.installed.mkdir()
            inside.keep(made.installed)
    except UnavailableError as reason:
        missing(str(reason))
    return made


STORED = """
email-report-admin demo --store sqlite:/var/lib/email-report-processor/reports.sqlite
cat > /etc/email-report-processor.toml <<END
[store]
index_prefix = "demo-email-report-"
END
chown root:email-report /etc/email-report-processor.toml
chmod 640 /etc/email-report-processor.toml
"""


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: f"{scene.page} {scene.heading}".strip())
def test_the_page_is_true(scene: Scene, debians: Debian, tmp_path: Path) -> None:
    if scene.heading != "In a virtual environment":  # `debians` did that
        play(scene, debians, tmp_path / "scratch")


def play(scene: Scene, debians: Debian, scratch: Path) -> None:
    """Run the blocks of a scene."""
    below = [debians.installed] if scene.installed else []
    with chroot(debians.given, scratch, below) as inside:
        debians.prepare(inside)
        if scene.before:
            debians.run(inside, scene.before, "before")
        words = {word: debians.run(inside, command, word).splitlines()[-1] for word, command in scene.words.items()}
        for block in _blocks(scene):
            debians.run(inside, script(block, words), block.name)
