"""From failure reports to reports that are sent: what the old desk got wrong is right here (docs/abuse-desk.md)."""

from base64 import b64encode
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

from email_report_processor import read_message
from email_report_processor.desk import drafts, history
from email_report_processor.desk.contacts import read_overrides
from email_report_processor.desk.message import from_row
from email_report_processor.desk.reporting import (
    Desk,
    Outcome,
    ReportingError,
    SendOptions,
    close_report,
    prepare_reports,
)
from email_report_processor.desk.sending import Result, send_reports, send_unseen
from email_report_processor.documents.senders import read_senders
from email_report_processor.stores.store import Row, StoreError, Written
from tests.desk import registries, world
from tests.desk.world import Clock, Post, failure


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = world.make(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def post() -> Post:
    return Post()


def store(desk: Desk, *rows: Row) -> None:
    desk.store.write(rows)


def prepare(desk: Desk, by: str = "alice", campaign: str = "") -> Outcome:
    return prepare_reports(desk, world.messages(desk), by, campaign=campaign)


def look(desk: Desk) -> list[str]:
    tokens = [one.incident.token for one in drafts.listing(desk.directory)]
    for token in tokens:
        drafts.look(desk.directory, token, "alice")
    return tokens


def send(desk: Desk, post: Post) -> list[Result]:
    return send_reports(desk, None, "alice", post=post)


def wait(desk: Desk, **span: float) -> None:
    assert isinstance(desk.clock, Clock)
    desk.clock.wait(**span)


def actions(desk: Desk) -> list[str]:
    return [one.action for one in history.read(desk.store)]


# Who is told


def test_one_report_for_each_network(tmp_path: Path, post: Post) -> None:
    """The old desk sent one mail to all contacts: each network saw the others, and several Source-IP."""
    with registries.running() as rdap:
        desk = world.make(tmp_path, rdap.url)
        store(desk, *(failure(number, f"192.0.2.{number}") for number in range(1, 4)))
        store(desk, *(failure(number, f"203.0.113.{number}") for number in range(4, 6)))
        made = prepare(desk)
    assert [(one.incident.contact, one.incident.network, one.incident.count) for one in made.prepared] == [
        ("abuse@us-net.example", "192.0.2.0/24", 3),
        ("abuse@as-net.example", "203.0.113.0/25", 2),
    ]
    assert len({one.incident.campaign for one in made.prepared}) == 1
    look(desk)
    send(desk, post)
    assert [to for _, to, _ in post.sent] == [("abuse@us-net.example",), ("abuse@as-net.example",)]
    for _, (to,), raw in post.sent:
        assert message_from_bytes(raw)["To"] == to
        assert raw.count(b"Source-IP:") == 1
        assert (b"203.0.113" in raw) != (b"US Net" in raw or b"192.0.2.2" in raw)
    desk.store.close()


def test_messages_of_no_campaign_are_told_by_address(desk: Desk) -> None:
    other = {"url.full": [], "url.domain": [], "sample.subject": ""}
    store(
        desk,
        failure(1, "192.0.2.1", more=other),
        failure(2, "192.0.2.1", more=other),
        failure(3, "192.0.2.2", more=other),
    )
    assert sorted(one.incident.count for one in prepare(desk).prepared) == [1, 2]


def test_only_one_campaign(desk: Desk) -> None:
    store(desk, *(failure(number, f"192.0.2.{number}") for number in range(1, 4)))
    store(desk, failure(9, "192.0.2.9", more={"url.full": [], "url.domain": [], "sample.subject": ""}))
    (name,) = {one.incident.campaign for one in prepare(desk).prepared} - {""}
    for one in drafts.listing(desk.directory):
        close_report(desk, one.incident.token, "alice", "dropped")
    assert [one.incident.campaign for one in prepare(desk, campaign=name).prepared] == [name]
    with pytest.raises(ReportingError, match="no campaign nobody"):
        prepare(desk, campaign="nobody")


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"source.ip": ""}, "does not say which host"),
        ({"source.ip": "198.51.100.200"}, "the host is ours"),
        ({"source.ip": "10.1.2.3"}, "belongs to nobody"),
        ({"source.as.number": 64999}, "name one in [contacts]"),
    ],
)
def test_what_is_left_out_is_told(desk: Desk, more: dict[str, object], why: str) -> None:
    """A report without a contact is no report: the old desk marked it as sent, and crashed without Source-IP."""
    store(desk, failure(1, more=more))
    made = prepare(desk)
    assert made.prepared == ()
    assert [one.messages for one in made.left_out] == [1]
    assert why in made.left_out[0].why
    assert actions(desk) == []
    assert history.reported(history.read(desk.store)) == {}


def test_who_is_trusted_is_not_reported(desk: Desk) -> None:
    senders = read_senders({}, [{"network": "192.0.2.0/24", "verdict": "service"}])
    store(desk, failure(1), failure(2, "203.0.113.7", more={"class": "not-spam"}))
    made = prepare(desk._replace(senders=senders))
    assert made.prepared == ()
    assert {one.why for one in made.left_out} == {
        "the sender has the verdict mine or service",
        "its recipient says that it is no spam",
    }


def test_spam_trap_mail_can_be_reported(desk: Desk) -> None:
    """It has no reported domain: the old desk never showed it with its report, and never reported it."""
    row = failure(1, more={"feedback.reported_domain": [], "class": "unknown", "report.feed": "spamtrap"})
    store(desk, row)
    (held,) = prepare(desk).prepared
    assert (held.incident.kind, held.incident.domains) == ("abuse", ())
    text = drafts.message(desk.directory, held.incident.token).decode()
    assert "Feedback-Type: abuse" in text
    assert "claimed to be" not in text


def test_a_host_of_our_own_that_is_reported_names_no_domain_of_others(desk: Desk) -> None:
    """Anybody may send a failure report: what it calls its domain is not ours for that."""
    store(desk, failure(1, more={"feedback.reported_domain": ["us-net.example", "mail.example.org"]}))
    (held,) = prepare(desk).prepared
    assert held.incident.domains == ("mail.example.org",)


def test_without_a_sender_nothing_is_prepared(desk: Desk) -> None:
    store(desk, failure(1))
    with pytest.raises(ReportingError, match=r"set \[abuse\] sender"):
        prepare(desk._replace(report=desk.report._replace(sender="")))


# What it says


def test_nobody_is_named_in_it(desk: Desk) -> None:
    store(desk, failure(1, more={"feedback.original_mail_from": "carol@example.org"}))
    (held,) = prepare(desk).prepared
    raw = drafts.message(desk.directory, held.incident.token)
    assert b"anna@" not in raw
    assert b"Anna" not in raw
    assert b"carol@" not in raw
    assert b"boss@example.org" in raw, "that is the forgery"
    assert raw.count(b"www.example.org") == 0, "our own URLs are no fraud"
    assert b"Reported-URI: https://login.phish.example/mail.htm?e=" in raw
    plain = desk._replace(report=desk.report._replace(redact="none"), directory=desk.directory / "other")
    (held,) = prepare(plain).prepared
    assert b"anna@example.com" in drafts.message(plain.directory, held.incident.token)


def test_nobody_is_named_in_other_writings(desk: Desk) -> None:
    """Phishing pages are told in base64 by whom they were opened; only the header says who that is."""
    desk = desk._replace(report=desk.report._replace(sample="full"))
    run = b64encode(b"anna@example.com").decode()
    header = f"Received: from h by mx for <anna@example.com>; x\nFrom: b@example.org\nSubject: =?utf-8?b?{run}?=\n"
    more = {
        "feedback.original_rcpt_to": [],
        "sample.headers": header,
        "sample.body": f"See https://phish.example/#{run}",
        "url.full": [f"https://phish.example/#{run}", "https://phish.example/?e=anna@example.com"],
    }
    store(desk, failure(1, more=more))
    (held,) = prepare(desk).prepared
    raw = drafts.message(desk.directory, held.incident.token)
    assert b"phish.example" in raw
    assert run[:12].encode() not in raw
    assert b"anna" not in raw


def test_a_whole_message_says_what_it_is(desk: Desk) -> None:
    desk = desk._replace(report=desk.report._replace(sample="full"))
    store(desk, failure(1, more={"sample.body": "Dear customer, häh? anna@example.com"}))
    (held,) = prepare(desk).prepared
    whole: Any = message_from_bytes(drafts.message(desk.directory, held.incident.token))
    sample = whole.get_payload(2).get_payload(0)
    assert sample["X-Original-Content-Type"] == "multipart/mixed; boundary=b"
    assert sample.get_content_type() == "text/plain"
    assert "häh" in sample.get_payload(decode=True).decode()
    assert "anna" not in sample.get_payload(decode=True).decode()


# Prepare, look, send


def test_nothing_is_sent_that_nobody_looked_at(desk: Desk, post: Post) -> None:
    store(desk, failure(1))
    prepare(desk)
    (result,) = send(desk, post)
    assert (result.state, "nobody looked" in result.text) == ("waits", True)
    assert (post.sent, actions(desk)) == ([], ["prepared"])
    look(desk)
    assert [one.state for one in send(desk, post)] == ["sent"]
    assert actions(desk) == ["prepared", "sent"]
    assert drafts.listing(desk.directory) == []
    assert send(desk, post) == []


def test_what_was_changed_since_somebody_looked_waits(desk: Desk, post: Post) -> None:
    store(desk, failure(1))
    prepare(desk)
    (token,) = look(desk)
    file = drafts.place(desk.directory) / f"{token}.eml"
    file.write_bytes(file.read_bytes().replace(b"Hello,", b"Hello!"))
    (result,) = send(desk, post)
    assert (result.state, "changed since alice looked" in result.text, post.sent) == ("waits", True, [])
    look(desk)
    assert [one.state for one in send(desk, post)] == ["sent"]
    assert b"Hello!" in post.sent[0][2]


def test_the_envelope_brings_bounces_back(desk: Desk, post: Post) -> None:
    store(desk, failure(1))
    prepare(desk)
    (token,) = look(desk)
    send(desk, post)
    ((sender, _, raw),) = post.sent
    assert sender == message_from_bytes(raw)["Reply-To"] == f"abuse-reply+{token}@example.org"
    assert message_from_bytes(raw)["Message-ID"] == f"<abuse.{token}@example.org>"
    (event,) = [one for one in history.read(desk.store) if one.action == "sent"]
    assert (event.by, event.message_id) == ("alice", f"abuse.{token}@example.org")


def test_preparing_again_changes_nothing(desk: Desk, post: Post) -> None:
    store(desk, failure(1))
    prepare(desk)
    again = prepare(desk)
    assert (again.prepared, again.left_out[0].why) == ((), "reported already, or in a draft")
    look(desk)
    send(desk, post)
    assert prepare(desk).prepared == ()
    store(desk, failure(2))
    assert [one.incident.count for one in prepare(desk).prepared] == [1]


def test_a_store_that_shows_an_event_later(desk: Desk, post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenSearch: what was just sent is not prepared again meanwhile."""
    store(desk, failure(1))
    prepare(desk)
    look(desk)
    send(desk, post)
    monkeypatch.setattr(history, "read", lambda *_: [])
    assert prepare(desk).prepared == ()
    monkeypatch.undo()
    assert prepare(desk).prepared == ()


def test_other_files_beside_the_drafts(desk: Desk) -> None:
    store(desk, failure(1))
    (held,) = prepare(desk).prepared
    for name in ("notes.eml", "notes.json", f"{'b' * 20}.eml", f"{'c' * 20}.json"):
        (drafts.place(desk.directory) / name).write_text("{")
    assert drafts.listing(desk.directory) == [held]


def test_what_the_mail_server_does_not_take_is_owed(desk: Desk, post: Post) -> None:
    """The old desk said nothing of which were sent, and marked all of them."""
    others = {"source.as.number": 64501, "url.full": [], "url.domain": [], "sample.subject": ""}
    store(desk, failure(1), failure(2, "203.0.113.5", more=others))
    prepare(desk)
    look(desk)
    post.refuses = {"abuse@us-net.example"}
    assert sorted(one.state for one in send(desk, post)) == ["failed", "sent"]
    assert len(history.reported(history.read(desk.store))) == 1
    (held,) = drafts.listing(desk.directory)
    assert "did not take it" in held.fault
    post.refuses = set()
    assert [one.state for one in send(desk, post)] == ["sent"]


def test_a_mail_server_that_is_away_is_not_tried_for_each(desk: Desk, post: Post) -> None:
    store(desk, *(failure(n, f"192.0.2.{n}", more={"url.full": [], "url.domain": []}) for n in range(1, 6)))
    for row in world.messages(desk):
        prepare_reports(desk, [row], "alice")
    look(desk)
    post.refuses = {"*"}
    assert [one.state for one in send(desk, post)] == ["failed", "failed", "waits", "waits", "waits"]


class Killed(BaseException):
    """The process ends here."""


def test_killed_between_sending_and_writing(desk: Desk, post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store is away when the mail has gone: the event follows, the mail does not."""
    store(desk, failure(1))
    prepare(desk)
    look(desk)
    write = desk.store.write
    monkeypatch.setattr(desk.store, "write", lambda rows: (_ for _ in ()).throw(StoreError("away")))
    with pytest.raises(StoreError):
        send(desk, post)
    monkeypatch.setattr(desk.store, "write", write)
    assert actions(desk) == ["prepared"]
    assert [one.state for one in send(desk, post)] == ["sent"]
    assert (len(post.sent), actions(desk)) == (1, ["prepared", "sent"])


def test_killed_before_the_disk_knew_it(desk: Desk, post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be sent twice then: under one Message-ID, and it counts once."""
    store(desk, failure(1))
    prepare(desk)
    look(desk)
    record = drafts.record
    monkeypatch.setattr(drafts, "record", lambda *_: (_ for _ in ()).throw(Killed))
    with pytest.raises(Killed):
        send(desk, post)
    monkeypatch.setattr(drafts, "record", record)
    wait(desk, hours=1)
    send(desk, post)
    ids = {message_from_bytes(raw)["Message-ID"] for _, _, raw in post.sent}
    assert (len(post.sent), len(ids), actions(desk)) == (2, 1, ["prepared", "sent"])


def test_an_event_that_the_store_refuses(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from email_report_processor.stores.store import Rejected

    store(desk, failure(1))
    refused = Written(0, 0, (Rejected(failure(1), "no such field"),))
    monkeypatch.setattr(desk.store, "write", lambda rows: refused)
    with pytest.raises(StoreError, match="email-report-admin setup"):
        prepare(desk)


def test_copies(desk: Desk, post: Post) -> None:
    desk = desk._replace(sending=SendOptions(copy_to=("apwg@copies.example", "second@copies.example")))
    store(desk, failure(1))
    prepare(desk)
    look(desk)
    post.refuses = {"second@copies.example"}
    (result,) = send(desk, post)
    assert (result.state, "copy for second@copies.example is owed" in result.text) == ("sent", True)
    post.refuses = set()
    send(desk, post)
    assert [(sender.partition("+")[0], to) for sender, to, _ in post.sent] == [
        ("abuse-reply", ("abuse@us-net.example",)),
        ("abuse@example.org", ("apwg@copies.example",)),
        ("abuse@example.org", ("second@copies.example",)),
    ]
    assert {message_from_bytes(raw)["To"] for _, _, raw in post.sent} == {"abuse@us-net.example"}
    assert actions(desk) == ["prepared", "sent"]


def test_the_limit_of_a_contact(desk: Desk, post: Post) -> None:
    desk = desk._replace(sending=SendOptions(contact_daily=2))
    for number in range(1, 4):
        store(desk, failure(number, f"192.0.2.{number}", more={"url.full": [], "url.domain": [], "sample.subject": ""}))
    prepare(desk)
    look(desk)
    assert [one.state for one in send(desk, post)] == ["sent", "sent", "waits"]
    wait(desk, hours=23)
    assert [one.state for one in send(desk, post)] == ["waits"]
    wait(desk, hours=1)
    assert [one.state for one in send(desk, post)] == ["sent"]


def test_only_a_search_that_may_sends_by_itself(desk: Desk, post: Post) -> None:
    desk = desk._replace(sending=SendOptions(auto=("wire",), auto_daily=1))
    quiet = {"url.full": [], "url.domain": [], "sample.subject": ""}
    store(desk, failure(1, "192.0.2.1", more=quiet), failure(2, "192.0.2.2", more=quiet))
    prepare(desk, by="search wire")
    with pytest.raises(ReportingError, match=r"\[abuse\] auto"):
        send_unseen(desk, "other", post=post)
    assert [one.state for one in send_unseen(desk, "wire", post=post)] == ["sent"]
    assert send_unseen(desk, "wire", post=post) == []
    wait(desk, hours=24)
    assert [one.state for one in send_unseen(desk, "wire", post=post)] == ["sent"]
    store(desk, failure(3, "192.0.2.3", more=quiet))
    prepare(desk, by="alice")
    wait(desk, hours=24)
    assert send_unseen(desk, "wire", post=post) == [], "what a person prepared, a person looks at"


def test_closing(desk: Desk, post: Post) -> None:
    store(desk, failure(1))
    (held,) = prepare(desk).prepared
    close_report(desk, held.incident.token, "bob", "dropped", "no fraud")
    assert drafts.listing(desk.directory) == []
    (again,) = prepare(desk).prepared
    assert again.incident.token != held.incident.token, "what was dropped can be prepared again"
    look(desk)
    send(desk, post)
    close_report(desk, again.incident.token, "bob", "solved")
    states = {one.incident.token: one.state for one in history.standings(history.read(desk.store), desk.clock())}
    assert states == {held.incident.token: "closed", again.incident.token: "closed"}
    for token, outcome, why in (("a" * 20, "solved", "no token"), (again.incident.token, "lost", "closed as")):
        with pytest.raises(ReportingError, match=why):
            close_report(desk, token, "bob", outcome)


@pytest.mark.parametrize("token", ["../key", "", "A" * 20, "a" * 19])
def test_names_of_drafts_lead_nowhere_else(desk: Desk, token: str) -> None:
    for step in (drafts.message, drafts.read, drafts.remove):
        with pytest.raises(ValueError, match="no token"):
            step(desk.directory, token)


def test_a_record_that_is_broken(desk: Desk) -> None:
    store(desk, failure(1))
    (held,) = prepare(desk).prepared
    (drafts.place(desk.directory) / f"{held.incident.token}.json").write_text('{"incident": 3}')
    with pytest.raises(ValueError, match="prepare again"):
        drafts.listing(desk.directory)


# Loops


def test_our_own_report_that_comes_back_is_never_reported(desk: Desk, post: Post) -> None:
    store(desk, failure(1))
    prepare(desk)
    look(desk)
    send(desk, post)
    (report,) = read_message(post.sent[0][2]).reports
    document = next(iter(report.documents()))
    back = failure(7, more={"feedback.user_agent": document.fields["feedback.user_agent"]})
    made = prepare_reports(desk, [from_row(back)], "alice")
    assert (made.prepared, made.left_out[0].why) == ((), "it is a report of ours that came back")
    forged = failure(8, more={"feedback.user_agent": "email-report-processor/9 (aaaaaaaaaaaaaaaaaaaa)"})
    assert prepare_reports(desk, [from_row(forged)], "alice").prepared, "another site's report about a host"


def test_we_are_no_contact(desk: Desk) -> None:
    own = desk._replace(overrides=read_overrides({"AS64500": "abuse@mail.example.org"}))
    store(own, failure(1))
    made = prepare(own)
    assert (made.prepared, made.left_out[0].why) == ((), "abuse@mail.example.org is ours")
