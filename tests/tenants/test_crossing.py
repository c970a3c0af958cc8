"""No document ends in a store where it does not belong: generated messages, by every way in."""

import gzip
import random
import secrets
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from email_report_processor.importing.again import feed
from email_report_processor.importing.intake import Intake, Plan
from email_report_processor.importing.sources import Sources
from email_report_processor.inboxes.board import Board
from email_report_processor.inboxes.group import SAFE, Group, Task, Worker
from email_report_processor.job import choose_store, make_job
from email_report_processor.message.blob import Memory
from email_report_processor.process import Job, process
from email_report_processor.reports.reading import read_message
from email_report_processor.settings import Settings, load
from email_report_processor.stores import kept
from tests.conftest import Program
from tests.lmtp import Listener
from tests.s3 import ENVIRONMENT, S3

from . import site
from .site import ADDRESSES, NAMES, OWNERS, SETTINGS, Part

NOW = "2026-11-20T06:00:00Z"
BROKEN = gzip.compress(random.Random(1).randbytes(900).hex().encode())[:300]  # unreadable

DOMAINS = st.sampled_from(sorted(OWNERS))
SEVERAL = st.lists(DOMAINS, min_size=1, max_size=3, unique=True).map(tuple)
ATTACHED = st.one_of(
    st.builds(Part, st.just("aggregate"), st.tuples(DOMAINS), st.integers(0, 3)),
    st.builds(Part, st.just("tls"), SEVERAL, st.integers(0, 3)),
)
ALONE = st.builds(Part, st.sampled_from(["failure", "abuse"]), st.tuples(DOMAINS), st.integers(0, 3))
PARTS = st.one_of(st.lists(ATTACHED, max_size=4, unique=True), st.tuples(ALONE))
TO = st.lists(st.sampled_from(sorted(ADDRESSES)), max_size=3, unique=True)
MAILS = st.lists(st.tuples(PARTS, TO, st.booleans()), min_size=1, max_size=5)


class Mail:
    """A generated message, and where it came to."""

    def __init__(self, parts: Sequence[Part], to: Sequence[str], *, broken: bool) -> None:
        alone = bool(parts) and parts[0].kind in {"failure", "abuse"}
        self.parts = parts
        self.content = site.mail(*parts, more=BROKEN if broken and not alone else b"")
        self.recipients = to
        self.to = tuple(dict.fromkeys(name for one in to for name in ADDRESSES[one]))


def settings(state: Path, text: str = SETTINGS) -> Settings:
    path = state.parent / "settings.toml"
    path.write_text(text)
    return load({("state", "dir"): str(state)}, str(path), {})


def job_of(read: Settings) -> Job:
    return make_job(read, {}, choose_store(read, {}), lambda: NOW)


def check(state: Path, mails: Sequence[Mail], *, read_again: bool = True) -> None:
    """Each store has what belongs to it, and nothing else; and so after the kept messages were read again."""
    wanted = site.expected((one.parts, one.content, one.to) for one in mails)
    assert site.stored_ids(state) == wanted
    check_kept(state)
    if read_again:
        for name in NAMES:
            job = make_job(read := settings(state), {}, choose_store(read, {}), lambda: NOW)
            for one in list(kept.listing(folder(state, name) / "kept")):
                feed(one.path, job)
        assert site.stored_ids(state) == wanted


def folder(state: Path, name: str) -> Path:
    return state / "tenants" / name if name else state


def check_kept(state: Path) -> None:
    """No copy that a tenant has holds a report about a domain of another."""
    for name in NAMES[1:]:
        others = {domain for domain, owner in OWNERS.items() if owner not in {"", name}}
        for one in kept.listing(folder(state, name) / "kept"):
            reports = read_message(kept.untouched(Memory(one.path.read_bytes()))).reports
            policy = [report for report in reports if report.dataset != "arf"]
            assert not {domain for report in policy for domain in report.head.get("report.domain", ())} & others


@hypothesis_settings(max_examples=20)
@given(MAILS)
def test_one_after_the_other_as_in_a_pipe(drawn: list[Any]) -> None:
    mails = [Mail(parts, to, broken=broken) for parts, to, broken in drawn]
    with tempfile.TemporaryDirectory() as folder_:
        state = Path(folder_) / "state"
        job = job_of(settings(state))
        assert job.routes is not None
        for _ in range(2):  # the same message is run twice as a matter of course
            for one in mails:
                to = job.routes.of_message(one.recipients, "")
                assert set(to) == set(one.to)
                process(Memory(one.content), job.routes.addressed(to))
        check(state, mails)


@hypothesis_settings(max_examples=12)
@given(MAILS)
def test_together_as_by_lmtp_imap_and_s3(drawn: list[Any]) -> None:
    mails = [Mail(parts, to, broken=broken) for parts, to, broken in drawn]
    with tempfile.TemporaryDirectory() as folder_:
        state = Path(folder_) / "state"
        answers: list[int] = []
        worker = Worker(job_of(settings(state)), lambda level, text: None, Board())
        group = Group(worker, lambda number, status, category: answers.append(status))
        for number, one in enumerate(mails, 1):
            group.take(Task(number, "", 0.0, to=one.to), Memory(one.content))
        group.commit()
        worker.close()
        assert answers == [SAFE] * len(mails)
        check(state, mails)


@hypothesis_settings(max_examples=12)
@given(MAILS, st.sampled_from(sorted(ADDRESSES)))
def test_imported(drawn: list[Any], address: str) -> None:
    mails = [Mail(parts, [address], broken=broken) for parts, _, broken in drawn]
    with tempfile.TemporaryDirectory() as folder_:
        state = Path(folder_) / "state"
        paths = Path(folder_) / "mails"
        paths.mkdir()
        for number, one in enumerate(mails):
            (paths / f"{number}.eml").write_bytes(one.content)
        job = site.addressed(job_of(settings(state)), ADDRESSES[address])
        sources = Sources([str(paths)])
        intake = Intake(_Deaf(), job, Plan(keep=True, unpacked=sources.unpacked))  # type: ignore[arg-type]
        for item in sources.find():
            intake.take(item)  # type: ignore[arg-type]
        intake.flush()
        check(state, mails)


class _Deaf:
    """A parent that does not listen."""

    def send(self, kind: int, items: int, data: bytes) -> None:
        """Nothing."""


# The same with the real programs, once each.

PARTS_OF_EACH = [
    [Part("aggregate", ("acme.example",)), Part("aggregate", ("sub.acme.example",), 1), Part("tls", ("beta.example",))],
    [Part("aggregate", ("beta.example",), 2), Part("tls", ("acme.example", "beta.example"), 3)],
    [Part("aggregate", ("x.test",), 4)],
    [Part("tls", ("x.test", "acme.example"), 5)],
    [Part("failure", ("acme.example",), 6)],
    [Part("abuse", ("beta.example",), 7)],
]


def mails_to(*addresses: str) -> list[Mail]:
    return [Mail(parts, to, broken=True) for parts in PARTS_OF_EACH for to in ([one] for one in addresses)]


def test_piped(run_filter: Program, state: Path) -> None:
    mails = mails_to("reports+acme@msp.example", "dmarc@msp.example")
    for number, one in enumerate(mails):
        (address,) = one.recipients
        if number % 2:
            outcome = run_filter(one.content, f"--recipient={address}", settings=SETTINGS)
        else:
            outcome = run_filter(
                one.content, settings=SETTINGS, env={"ORIGINAL_RECIPIENT": address, "RECIPIENT": "x@y"}
            )
        assert outcome.status == 0
    check(state, mails)


def test_by_lmtp(run_filter: Program, state: Path) -> None:
    mails = mails_to("reports+acme@msp.example", "beta@msp.example", "dmarc@msp.example")
    mails += [Mail(parts, ["beta@msp.example", "dmarc@ACME.example"], broken=False) for parts in PARTS_OF_EACH]
    random.Random(3).shuffle(mails)
    with Listener(run_filter, settings=SETTINGS) as listener, listener.client() as client:
        for one in mails:
            assert {reply[:3] for reply in client.send(one.content, one.recipients)} == {"250"}
    check(state, mails)


def test_imported_by_processes(run_filter: Program, state: Path, tmp_path: Path) -> None:
    for name in ("", "acme"):
        mails = mails_to({"": "dmarc@msp.example", "acme": "reports+acme@msp.example"}[name])
        for number, one in enumerate(mails):
            (tmp_path / f"{number}.eml").write_bytes(one.content)
        flags = [f"--tenant={name}"] if name else []
        paths = [str(tmp_path / f"{number}.eml") for number in range(len(mails))]
        assert run_filter(b"", "--kept", *flags, *paths, settings=SETTINGS).status in {0, 1}
    check(state, mails + mails_to("dmarc@msp.example"))


def test_a_stream_names_the_index_of_each(run_filter: Program, tmp_path: Path) -> None:
    (tmp_path / "one.eml").write_bytes(site.mail(*PARTS_OF_EACH[0]))
    imported = run_filter(b"", str(tmp_path / "one.eml"), store="-", settings=SETTINGS)
    piped = run_filter((tmp_path / "one.eml").read_bytes(), store="-", settings=SETTINGS)
    for outcome in (imported, piped):
        owners = {line["_index"].split("email-report")[0] for line in outcome.lines}
        assert owners == {"acme-", "beta-"}
        assert len(outcome.lines) == sum(map(len, site.ids((tmp_path / "one.eml").read_bytes())))


def test_a_bucket(s3: S3, run_admin: Program, state: Path) -> None:
    bucket = f"b{secrets.token_hex(6)}"
    mails = mails_to("dmarc@msp.example")
    s3.put(bucket, {f"in/{number}": one.content for number, one in enumerate(mails)})
    ours = [Mail(parts, ["beta@msp.example"], broken=False) for parts in PARTS_OF_EACH]
    s3.put(bucket, {f"beta/{number}": one.content for number, one in enumerate(ours)})
    tables = f'[s3]\nendpoint = "{s3.url}"\n[log]\nto = "none"\n'
    tables += f'[[bucket]]\nurl = "s3://{bucket}/in/"\n[[bucket]]\nurl = "s3://{bucket}/beta/"\ntenant = "beta"\n'
    assert run_admin(b"", "inbox", "--once", settings=tables + SETTINGS, env=ENVIRONMENT).status == 0
    check(state, mails + ours)


def test_what_the_owner_wants_read_is_read_whoever_opened_it(tmp_path: Path) -> None:
    """acme wants nothing of samples stored, and so it is, also where the message came to an address of nobody's."""
    state = tmp_path / "state"
    job = job_of(settings(state))
    for domain in ("acme.example", "beta.example"):
        process(Memory(site.mail(Part("failure", (domain,), 1))), job)
    stored = site.stored(state)
    (acme,) = [one for one in stored["acme"].values() if one["event"]["dataset"] == "dmarc-failure"]
    (beta,) = [one for one in stored["beta"].values() if one["event"]["dataset"] == "dmarc-failure"]
    assert "subject" not in acme["sample"]
    assert "to" not in acme["sample"]
    assert beta["sample"]["subject"] == "Invoice overdue"
    assert beta["class"] != acme["class"]  # of beta's own networks


def test_the_name_of_a_feed_goes_to_no_other(tmp_path: Path) -> None:
    """What came by a feed of acme's and is beta's: the name of the feed is acme's to know."""
    state = tmp_path / "state"
    job = job_of(settings(state))
    assert job.routes is not None
    to = job.routes.of_message((), "fbl-acme")
    assert to == ("acme",)
    for domain in ("acme.example", "beta.example"):
        process(Memory(site.mail(Part("aggregate", (domain,)))), site.addressed(job, to, "fbl-acme"))
    feeds = {name: {one["report"].get("feed") for one in found.values()} for name, found in site.stored(state).items()}
    assert feeds == {"": set(), "acme": {"fbl-acme"}, "beta": {None}}


def test_a_copy_remembers_where_it_came_to(tmp_path: Path) -> None:
    """Nobody's domain and a broken file, to acme's address: read again, it is acme's still, and beta's is beta's."""
    state = tmp_path / "state"
    job = job_of(settings(state))
    mixed = Mail(
        [Part("aggregate", ("x.test",)), Part("aggregate", ("beta.example",), 1)], ["dmarc@ACME.example"], broken=True
    )
    process(Memory(mixed.content), site.addressed(job, mixed.to))
    (one,) = kept.listing(state / "kept")
    assert one.to == ("acme",)
    assert kept.untouched(Memory(one.path.read_bytes())).size == len(mixed.content)
    check(state, [mixed])
    own = Mail([Part("aggregate", ("x.test",))], ["dmarc@ACME.example"], broken=True)
    process(Memory(own.content), site.addressed(job, own.to))
    assert len(list(kept.listing(state / "tenants/acme/kept"))) == 1


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"RECIPIENT": "beta@msp.example"}, "beta"),
        ({"ORIGINAL_RECIPIENT": "x+acme@msp.example", "RECIPIENT": "beta@msp.example"}, "acme"),
        ({"ORIGINAL_RECIPIENT": "dmarc@msp.example", "RECIPIENT": "beta@msp.example"}, "beta"),
        ({"ORIG_RECIPIENT": "<beta@MSP.example>"}, "beta"),
        ({"LOCAL_PART": "reports", "LOCAL_PART_SUFFIX": "+acme", "DOMAIN": "msp.example"}, "acme"),
        ({"LOCAL_PART": "nobody"}, "-"),
    ],
)
def test_what_mail_servers_say(run_filter: Program, env: dict[str, str], expected: str) -> None:
    message = site.mail(Part("aggregate", ("x.test",)))
    log = run_filter.directory / "log"
    assert run_filter(message, f"--log={log}", settings=SETTINGS, env=env).status == 0
    assert f"tenant={expected}," in log.read_text()
