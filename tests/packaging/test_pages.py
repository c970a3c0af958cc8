"""Each block of commands of README and docs is run, from the first line to the last, in a clean Debian.

A page has a scene: what its reader has done before. Where a reader writes something of his own in the place of a word
(TOKEN), the scene says what. Names of servers in examples lead to servers on this machine's loopback.
"""

import contextlib
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from tests import dns_server, nodes
from tests.conftest import missing
from tests.fake_plugins import FakeDashboards
from tests.mta.packages import UnavailableError
from tests.packaging.blocks import PAGES, Block, blocks, commands
from tests.packaging.chroot import CERTIFICATES, Chroot, chroot, registries
from tests.packaging.images import checkout
from tests.packaging.servers import NAMES, RESOLVER, certificate, forwarder
from tests.places import ROOT

CLONE = "/root/email-report-processor"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # root's, on Debian
LANGUAGES = {"sh", "text", "toml", "ini", "nginx", "python", "cron", "json", "sieve", "yaml"}
# Commands that go on until they are ended, which these tests do after some seconds.
STAY = (
    "email-report-admin copy --follow",
    "email-report-admin desk",
    "email-report-admin inbox  ",
    "email-report-admin logins follow",
    "email-report-admin logins policy",
)
# Commands whose status is an answer.
ANSWERS = {
    "email-report-admin check": 3,  # 0 ok, 1 warning, 2 critical, 3 unknown
    "email-report-admin doctor": 1,  # 1: something is to be done
    "email-report-admin dns": 1,  # likewise
    "email-report-admin logins check": 3,  # likewise
    "email-report-admin search": 1,  # 1: nothing fits
    "email-report-admin policy": 1,  # 1: wanted mail would be lost
}


class Scene(NamedTuple):
    """Where the commands of a page, or of one section of it, are run."""

    page: str
    heading: str = ""  # of the section; empty: the whole page, less the sections that have a scene of their own
    installed: bool = True  # as docs/installing.md says, with reports of the last weeks in the embedded store
    before: str = ""  # what the reader has done
    settings: str = ""  # what the reader's settings say, too
    after: str = ""  # what has to be true then
    servers: bool = False  # there are an OpenSearch with passwords, Dashboards and a DNS, by the names of the examples
    words: Mapping[str, str] = {}  # in the place of a word: what this command prints


WORDS = {
    "QUERY": "echo class:spoof",
    "ID": "email-report-admin search --json --limit 1 class:spoof | cut -d '\"' -f 4",
    "TOKEN": "email-report-admin abuse drafts | sed -n '2s/ .*//p'",
}
ABUSE = """
[abuse]
sender = "abuse@example.org"
[contacts]
"203.0.113.0/24" = "cert@network.example"
"""
TENANTS = '[alerts]\nmail_to = ["postmaster@example.org"]\n' + "".join(
    f"""
[[tenants]]
name = "{name}"
domains = ["{name}.example"]
[tenants.alerts]
mail_to = ["postmaster@{name}.example"]
"""
    for name in ("acme", "beta")
)
OPENSEARCH = """
sed -i 's|^index_prefix.*|url = "https://opensearch.example.org:9200"|' /etc/email-report-processor.toml
"""
# Each has a store; that of the site will do.
THEIRS = """
cd /var/lib/email-report-processor
for name in acme beta; do
    install -d -o email-report -g email-report -m 700 tenants tenants/$name
    cp -p reports.sqlite tenants/$name/
done
"""
PREPARED = "email-report-admin abuse prepare class:spoof"  # who did it yesterday has drafts
# Postfix as a site has it, but for port 25, which other tests may listen on.
MAIL = """
postconf -e compatibility_level=3.6 myhostname=mail.example.org mydestination=example.org \\
    inet_interfaces=loopback-only inet_protocols=ipv4 maillog_file=/var/log/postfix.log
postconf -MX smtp/inet
postconf -M postlog/unix-dgram='postlog unix-dgram n - n - 1 postlogd'
newaliases
postfix start
"""
DESK = "/opt/email-report-processor/bin/pip install flask waitress"  # what `pip install '.[desk]'` adds
# The report of the page is there within a minute, once.
ARRIVED = """
for second in $(seq 60); do
    email-report-admin search --json 'dataset:dmarc-aggregate report.org_name:"A test of ours"' > found || true
    if [ -s found ]; then break; fi
    sleep 1
done
test $(wc -l < found) = 1
"""
TOLD = f"{MAIL}\nsh contrib/forward-examples/postfix-pipe.sh dmarc@example.org\npostfix reload\n"
SCENES = (
    Scene("README.md", installed=False, before="apt-get install make python3-venv"),
    Scene("docs/installing.md", "In a virtual environment", installed=False),
    Scene("docs/installing.md", "The first hour", before=f"{TOLD}\nrm /etc/email-report-processor.toml", servers=True),
    Scene("docs/installing.md", "The Debian package", installed=False, before="apt-get install make python3-venv"),
    Scene("docs/installing.md", "Manual pages and completion", before="apt-get install man-db"),
    Scene("docs/installing.md", "Building a release", installed=False, before="apt-get install make python3-venv"),
    Scene("docs/upgrading.md"),
    Scene("docs/abuse-desk.md", before=f"{MAIL}\n{PREPARED}", settings=ABUSE, words=WORDS),
    Scene(
        "docs/alerts.md",
        before=f"{MAIL}\ninstall -d /var/lib/node_exporter; "
        "/opt/email-report-processor/bin/pip install prometheus-client",
        settings='[alerts]\nmail_to = ["postmaster@example.org"]\n',
    ),
    Scene("docs/commands.md", before=DESK, settings=ABUSE, words=WORDS, servers=True),
    Scene("docs/feeds.md", before="cp tests/golden/dmarc-failure/*.eml . && mv $(ls *.eml | head -n 1) message.eml"),
    Scene(
        "docs/importing.md",
        before="install -d ~/Maildir/cur ~/Maildir/new ~/Maildir/tmp directory; cp tests/golden/arf/*.eml directory; "
        "cp tests/golden/smtp-tls/postfix.eml ~/Maildir/new; (echo 'From x Thu Jan  1 00:00:00 2026'; "
        "cat tests/golden/smtp-tls/postfix.eml) | gzip > reports.mbox.gz; "
        "gzip < tests/golden/dmarc-aggregate/draft.xml > report.xml.gz",
    ),
    Scene("docs/inboxes.md"),
    Scene("docs/logins.md", before="touch /var/log/mail.log"),
    Scene("docs/mail-servers.md", "Installation", installed=False),
    Scene("docs/mail-servers.md", before=TOLD, after=ARRIVED),
    Scene("docs/opensearch.md", servers=True),
    Scene("docs/pages.md"),
    Scene("docs/policy.md", servers=True),
    Scene("docs/privacy.md"),
    Scene("docs/searching.md"),
    Scene(
        "docs/senders.md",
        before="printf 'base_reverse_dns,name,type\\nexample.net,Example Net,ISP\\n' > base_reverse_dns_map.csv",
        servers=True,
    ),
    Scene("docs/stores.md", servers=True),
    Scene("docs/tenants.md", before=f"{MAIL}\n{THEIRS}", settings=TENANTS),
    Scene("docs/tenants.md", "An example from end to end", before=OPENSEARCH, settings=TENANTS, servers=True),
    Scene("contrib/dashboards/README.md", before=OPENSEARCH, servers=True),
)


def script(block: Block, words: Mapping[str, str]) -> str:
    """A block as it is run."""
    text = block.script
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
        self.pem = certificate(folder)

    def run(self, inside: Chroot, text: str, name: str) -> str:
        """Run a script as root in the clone."""
        inside.path("/root/script").write_text(f"cd {CLONE}\nset -euo pipefail\n{text}")
        variables = [f"{key}={value}" for key, value in {**registries(), "HOME": "/root", "PATH": PATH}.items()]
        said = inside.run(
            "env", *variables, "sh", "-c", "bash -x /root/script 2>&1; status=$?; echo; echo status $status"
        )
        assert said.endswith("\nstatus 0\n"), f"{name}:\n{said[-3000:]}"
        return said

    def word(self, inside: Chroot, command: str) -> str:
        """What a command says, in one line."""
        self.run(inside, f"{command} > /root/word", command)
        said = inside.path("/root/word").read_text("utf-8").strip()
        assert re.fullmatch(r"\S+", said), (command, said)
        return said

    def prepare(self, inside: Chroot) -> None:
        """What each has: the clone, this machine's name servers, and the certificates of its site."""
        shutil.copytree(self.given / "clone", inside.path(CLONE), symlinks=True, dirs_exist_ok=True)
        shutil.copyfile("/etc/resolv.conf", inside.path("/etc/resolv.conf"))
        inside.path("/etc/ssl").mkdir(exist_ok=True)
        ours = self.pem.read_text().partition("-----BEGIN PRIVATE")[0]
        inside.path("/etc/ssl/site.pem").write_text(CERTIFICATES.read_text("utf-8") + ours)
        inside.path("/etc/ssl/opensearch-ca.pem").write_text(ours)
        inside.path("/etc/hosts").write_text(
            "127.0.0.1 localhost\n" + "".join(f"{ip} {name}\n" for name, ip in NAMES.items())
        )
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


@pytest.fixture(scope="session")
def servers(debians: Debian) -> Iterator[str]:
    """OpenSearch with passwords, Dashboards and a DNS; the password of `admin`."""
    try:
        node = nodes.secure(own=True)
    except nodes.MissingError as reason:
        missing(str(reason))
    with contextlib.closing(node), named(node, debians.pem):
        yield node.admin_password


@contextlib.contextmanager
def named(node: nodes.Node, pem: Path) -> Iterator[None]:
    """By the names of the examples."""
    with FakeDashboards() as dashboards, dns_server.running(RESOLVER, 53) as dns, contextlib.ExitStack() as stack:
        dns.txt("_dmarc.example.org", "v=DMARC1; p=none; rua=mailto:dmarc@example.org")
        dns.txt("example.org", "v=spf1 ip4:192.0.2.0/24 include:spf.example.net -all")
        dns.txt("spf.example.net", "v=spf1 ip4:198.51.100.0/24 -all")
        dns.records["example.org", "MX"] = ["10 mail.example.org."]
        dns.records["mail.example.org", "A"] = ["192.0.2.25"]
        dns.txt("_smtp._tls.example.org", "v=TLSRPTv1; rua=mailto:dmarc@example.org")
        for name, port, url in (
            ("opensearch.example.org", 9200, node.url),
            ("dashboards.example.org", 443, dashboards.url),
            ("dashboards.example.org", 5601, dashboards.url),
        ):
            to = urlsplit(url)
            stack.enter_context(forwarder(pem, name, port, to.port or 0, secure=to.scheme == "https"))
        yield


# Who may do everything: in the file that docs/opensearch.md names, and for commands without --config.
ADMIN = """
install -m 640 -g email-report /dev/stdin /etc/admin.password <<< '{password}'
cat > admin.toml <<END
[store]
url = "https://opensearch.example.org:9200"
[opensearch]
username = "admin"
password_file = "/etc/admin.password"
END
sed -n '/opensearch]/,$p' admin.toml >> /etc/email-report-processor.toml
"""
STORED = """
email-report-admin demo --prefix ours- --store sqlite:/var/lib/email-report-processor/reports.sqlite
cat > /etc/email-report-processor.toml <<END
[store]
index_prefix = "ours-"
END
chown root:email-report /etc/email-report-processor.toml
chmod 640 /etc/email-report-processor.toml
"""


def named_for(inside: Chroot) -> None:
    """The DNS is that of the examples."""
    inside.path("/etc/resolv.conf").write_text(f"nameserver {RESOLVER}\n")


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: f"{scene.page} {scene.heading}".strip())
def test_the_page_is_true(scene: Scene, debians: Debian, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    password = request.getfixturevalue("servers") if scene.servers else ""
    if scene.heading != "In a virtual environment":  # `debians` did that
        play(scene, debians, tmp_path / "scratch", password)


def play(scene: Scene, debians: Debian, scratch: Path, password: str) -> None:
    """Run the blocks of a scene."""
    below = [debians.installed] if scene.installed else []
    with chroot(debians.given, scratch, below) as inside:
        debians.prepare(inside)
        if scene.servers:
            debians.run(inside, ADMIN.format(password=password), "settings")
        if scene.installed:
            debians.run(inside, f"cat >> /etc/email-report-processor.toml <<'END'\n{scene.settings}END\n", "settings")
        if scene.before:
            debians.run(inside, scene.before, "before")
        if scene.servers:
            named_for(inside)
        for block in _blocks(scene):
            words = {
                word: debians.word(inside, command) for word, command in scene.words.items() if word in block.script
            }
            debians.run(inside, script(block, words), block.name)
        if scene.after:
            debians.run(inside, scene.after, "after")
