"""What a tenant's commands show, write and tell names no domain of another: pages, digests, alerts, searches."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from email_report_processor.admin.command import main
from email_report_processor.job import choose_store, make_job
from email_report_processor.message.blob import Memory
from email_report_processor.process import process
from email_report_processor.settings import load
from email_report_processor.stores import kept
from tests import nodes

from . import site
from .site import ADDRESSES, SETTINGS, Part
from .test_crossing import BROKEN

WORDS = {"": ("site.example", "x.test"), "acme": ("acme.example",), "beta": ("beta.example",)}


class Here:
    """The commands, run in this process; what they print, and what they write into a folder."""

    def __init__(self, folder: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.state = folder / "state"
        self.config = folder / "settings.toml"
        self.config.write_text(text)
        self._capsys = capsys

    def deliver(self, addresses: dict[str, str], kinds: Sequence[str]) -> None:
        """Reports for everybody, to an address of the site; and to each address what cannot be read."""
        settings = load({("state", "dir"): str(self.state)}, str(self.config), {})
        job = make_job(settings, {}, choose_store(settings, {}), lambda: f"{site.day():%Y-%m-%d}T06:00:00Z")
        parts = [Part(kind, (one,), n) for n, kind in enumerate(kinds) for words in WORDS.values() for one in words]
        for part in parts:
            process(Memory(site.mail(part)), job)
        for address, name in addresses.items():
            broken = site.mail(more=BROKEN).replace(b"Subject: ", f"Subject: {name or 'site'} ".encode())
            process(Memory(broken), site.addressed(job, ADDRESSES[address]))

    def run(self, command: str, name: str, *flags: str) -> str:
        """One command for a tenant: its status is 0 or 1, and this is what it prints."""
        tenant = [f"--tenant={name}"] if name else []
        status = main([command, f"--config={self.config}", f"--state={self.state}", *tenant, *flags])
        said = self._capsys.readouterr()
        assert status in ({0, 1, 2} if command == "check" else {0, 1}), said.err
        return said.out + said.err


@pytest.fixture
def here(request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Here:
    text = "[alerts]\nnew_sender = 50\n" + SETTINGS
    told = f'command = ["/bin/sh", "-c", "cat >> {tmp_path}/told-"]\n'
    text = text.replace("[alerts]\n", f"[alerts]\n{told}", 1)
    if request.param == "node":
        node: nodes.Node = request.getfixturevalue("node")
        prefix: str = request.getfixturevalue("prefix")
        text = f'[store]\nurl = "{node.url}"\nindex_prefix = "{prefix}site-"\n' + text
    made = Here(tmp_path, text, capsys)
    made.config.write_text(_with_sections(text, tmp_path, request))
    addresses = {"dmarc@msp.example": "", "reports+acme@msp.example": "acme", "beta@msp.example": "beta"}
    kinds = ("aggregate", "tls", "failure", "abuse") if request.param == "embedded" else ("aggregate", "failure")
    made.deliver(addresses, kinds)  # each kind is an index more for each tenant
    if request.param == "node":
        request.getfixturevalue("node").ask("POST", f"/{request.getfixturevalue('prefix')}*/_refresh")
    return made


def _with_sections(text: str, folder: Path, request: pytest.FixtureRequest) -> str:
    """Sections of each tenant, behind its own keys."""
    for name in ("acme", "beta"):
        more = f'[tenants.alerts]\ncommand = ["/bin/sh", "-c", "cat >> {folder}/told-{name}"]\n'
        if request.param == "node":
            more += f'[tenants.store]\nindex_prefix = "{request.getfixturevalue("prefix")}{name}-"\n'
        head, _, rest = text.partition(f'name = "{name}"\n')
        keys, _, sections = rest.partition("[tenants.")
        text = f'{head}name = "{name}"\n{keys}{more}[tenants.{sections}'
    return text


@pytest.mark.parametrize("here", ["embedded", pytest.param("node", marks=pytest.mark.node)], indirect=True)
def test_nobody_is_named_to_another(here: Here, tmp_path: Path) -> None:
    for name, own in WORDS.items():
        out = tmp_path / f"out-{name}"
        out.mkdir()
        said = [
            here.run("summary", name, "--since=all", f"--html={out}/page.html", f"--csv={out}/csv"),
            here.run("summary", name, "--since=all", "--json"),
            here.run("check", name),
            here.run("metrics", name),
            here.run("alert", name, "--dry-run"),
            here.run("alert", name),
            here.run("digest", name, "--print", "--always", "--no-pictures"),
            here.run("search", name, "event.dataset:*", "--limit=0", "--json"),
            here.run("campaigns", name, "event.dataset:*"),
            here.run("policy", name, own[0], "--try=p=reject", "--since=all"),
            here.run("journal", name, own[0], "--since=all"),
            here.run("kept", name),
            here.run("urls", name, "event.dataset:*", "--least=1"),
        ]
        said += [path.read_text("utf-8") for path in out.rglob("*.*") if path.is_file()]
        told = (tmp_path / f"told-{name}").read_text("utf-8")
        everything = "\n".join([*said, told])
        for other, words in WORDS.items():
            for word in words:
                assert (word in everything) == (other == name), (name, word)
        assert told.count('"rule"') > 0
        assert own[0] in said[0] + said[1]
        assert own[0] in said[6]


@pytest.mark.parametrize("here", ["embedded"], indirect=True)
def test_kept_messages_are_fed_again_where_they_are(here: Here) -> None:
    for name in WORDS:
        folder = here.state / "tenants" / name if name else here.state
        (one,) = kept.listing(folder / "kept")
        assert (name or "site").encode() in one.path.read_bytes()
        assert "1 still kept" in here.run("kept", name, "--retry")
        (again,) = kept.listing(folder / "kept")
        assert again.to == ((name,) if name else ())


@pytest.mark.parametrize("here", ["embedded"], indirect=True)
def test_a_verdict_is_whose_it_is(here: Here) -> None:
    here.run("verdict", "acme", "acme.example", "mine", "--name=Own name of acme")
    assert "Own name" in here.run("verdict", "acme")
    for name in ("", "beta"):
        assert "Own name" not in here.run("verdict", name)


@pytest.mark.parametrize("here", ["embedded"], indirect=True)
def test_what_is_erased_is_the_tenants(here: Here) -> None:
    before = {name: len(documents) for name, documents in site.stored(here.state).items()}
    for name in ("", "acme"):  # what the site erases is the site's, also below its state directory
        theirs = site.database(here.state, "beta").read_bytes()
        said = here.run("erase", name, "user@provider.example", "--dry-run")
        assert "tenants/beta" not in said
        assert ("run it again with --tenant NAME" in said) == (not name)
        assert site.database(here.state, "beta").read_bytes() == theirs
    here.run("erase", "beta", "user@provider.example")
    after = {name: len(documents) for name, documents in site.stored(here.state).items()}
    assert after["beta"] < before["beta"]
    assert (after[""], after["acme"]) == (before[""], before["acme"])


@pytest.mark.parametrize("here", ["embedded"], indirect=True)
def test_doctor_names_them_and_looks_at_one(here: Here) -> None:
    assert "2: acme, beta; doctor --tenant NAME looks at each" in here.run("doctor", "")
    assert f"{here.state}/tenants/acme" in here.run("doctor", "acme")


@pytest.mark.parametrize("here", ["embedded"], indirect=True)
@pytest.mark.parametrize("command", ["inbox", "demo"])
def test_some_commands_are_the_sites(here: Here, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, f"--config={here.config}", "--tenant=acme"]) == 2
    assert "is the site's" in capsys.readouterr().err


@pytest.mark.parametrize("here", ["embedded"], indirect=True)
def test_setup_is_for_the_prefix_of_a_tenant(here: Here) -> None:
    shown = json.loads(here.run("setup", "acme", "--roles"))
    patterns = {one for role in shown.values() for part in role["index_permissions"] for one in part["index_patterns"]}
    assert all(one.startswith("acme-email-report-") for one in patterns)
    places = {one for role in shown.values() for part in role["tenant_permissions"] for one in part["tenant_patterns"]}
    assert places == {"acme"}
