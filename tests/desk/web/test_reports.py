"""From a message to a report that is sent, looked at before it leaves, and to what became of it."""

import html
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from email_report_processor.desk import history
from email_report_processor.desk.blocklists import FORMATS
from email_report_processor.desk.events import to_row
from email_report_processor.desk.web.views import reports
from email_report_processor.documents.document import Document
from email_report_processor.process import Layout
from email_report_processor.stores.sqlite import SqliteStore
from tests.desk.web.desks import Made, Person, audit, make
from tests.pages.conftest import rows

_SENDMAIL = """#!{python}
import pathlib, sys
folder = pathlib.Path({folder!r})
to = " ".join(sys.argv[1:]).encode() + b"\\n"
(folder / f"{{len(list(folder.iterdir()))}}.eml").write_bytes(to + sys.stdin.buffer.read())
"""
NETWORK = "abuse@bulletproof.example"


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    """Where a program that stands for sendmail puts what it gets."""
    folder = tmp_path / "outbox"
    folder.mkdir()
    script = tmp_path / "sendmail"
    script.write_text(_SENDMAIL.format(python=sys.executable, folder=str(folder)))
    script.chmod(0o755)
    return folder


@pytest.fixture
def reporting(tmp_path: Path, outbox: Path, recent: list[Document], hashed: str) -> Made:
    """A desk that may send, with users; of one network the contact is known."""
    path = tmp_path / "r.sqlite"
    store = SqliteStore(str(path))
    store.write(rows(recent))
    store.close()
    users: list[dict[str, Any]] = [
        {"name": name, "role": role, "password": hashed, "domains": domains}
        for name, role, domains in (
            ("ria", "reader", []),
            ("ana", "analyst", []),
            ("sam", "sender", []),
            ("net", "sender", ["example.net"]),
        )
    ]
    return make(
        tmp_path / "state",
        f"sqlite:{path}",
        users=users,
        abuse={"sender": "abuse@example.org", "lookup": []},
        contacts={"AS65536": NETWORK, "AS65537": "never"},
        alerts={"sendmail": str(tmp_path / "sendmail")},
        site={"own_domains": ["example.org", "example.net"]},
    )


def spoof(recent: list[Document], system: int, domain: str = "example.org") -> Document:
    """A forged message from a network."""
    return next(
        one
        for one in recent
        if one.fields.get("class") == "spoof"
        and one.dataset == "dmarc-failure"
        and one.fields["source.as.number"] == system
        and one.fields["feedback.reported_domain"] == [domain]
    )


def prepared(person: Person, document: Document) -> str:
    """The token of the draft about a message."""
    page = person.post("/prepare", f"/message/{document.id}", document=document.id)
    assert page.status_code == 200, page.text
    found = re.search(r'href="/drafts/([a-z2-7]{20})"', page.text)
    assert found, page.text
    return found[1]


def seen_by(person: Person, token: str) -> str:
    """What the page of a draft says that it showed."""
    found = re.search(r'name="seen" value="([0-9a-f]{64})"', person.text(f"/drafts/{token}"))
    assert found
    return found[1]


def look_and_send(person: Person, token: str) -> TestResponse:
    """Open a draft and press its button."""
    return person.post(f"/drafts/{token}", f"/drafts/{token}", seen=seen_by(person, token))


def test_a_report_is_prepared_looked_at_and_sent(reporting: Made, recent: list[Document], outbox: Path) -> None:
    document = spoof(recent, 65536)
    ana, sam = reporting.logged_in("ana"), reporting.logged_in("sam")
    token = prepared(ana, document)
    text = sam.text(f"/drafts/{token}")
    assert NETWORK in text
    assert "message/feedback-report" in text
    assert list(outbox.iterdir()) == [], "looking sends nothing"
    assert "I looked at it" not in ana.text(f"/drafts/{token}")
    form = {"form_token": ana.token(f"/message/{document.id}")}
    assert ana.client.post(f"/drafts/{token}", data=form).status_code == 403
    sent = look_and_send(sam, token)
    assert "<strong>sent</strong>" in sent.text, sent.text
    (mail,) = outbox.iterdir()
    assert NETWORK in mail.read_text().partition("\n")[0]
    assert f"abuse+{token}@example.org" in mail.read_text()
    assert sam.get(f"/drafts/{token}").status_code == 404
    page = sam.text(f"/reports/{token}")
    assert "<strong>sent</strong> by <bdi>sam</bdi>" in page
    assert document.id in page
    assert f'href="/reports/{token}"' in sam.text(f"/message/{document.id}")
    assert token in sam.text("/reports")
    assert "Bulletproof Example" in sam.text("/league")
    what = [(one["who"], one["what"]) for one in audit(reporting)]
    assert ("ana", "prepared") in what
    assert ("sam", "sent") in what
    again = ana.post("/prepare", "/campaigns", document=document.id)
    assert "reported already" in again.text


def test_a_report_is_closed(reporting: Made, recent: list[Document], outbox: Path) -> None:
    document = spoof(recent, 65536)
    sam = reporting.logged_in("sam")
    token = prepared(sam, document)
    look_and_send(sam, token)
    assert sam.post(f"/reports/{token}", f"/reports/{token}", outcome="nonsense").status_code == 400
    assert sam.post(f"/reports/{token}", f"/reports/{token}", outcome="solved", why="they said so").status_code == 303
    page = sam.text(f"/reports/{token}")
    assert "Closed" in page
    assert "they said so" in page
    assert len(list(outbox.iterdir())) == 1


def test_a_draft_is_dropped(reporting: Made, recent: list[Document], outbox: Path) -> None:
    sam = reporting.logged_in("sam")
    token = prepared(sam, spoof(recent, 65536))
    assert sam.post(f"/reports/{token}", f"/drafts/{token}", outcome="dropped").status_code == 303
    assert sam.get(f"/drafts/{token}").status_code == 404
    assert list(outbox.iterdir()) == []


def test_a_network_that_never_hears_is_left_out(reporting: Made, recent: list[Document]) -> None:
    document = spoof(recent, 65537)
    page = reporting.logged_in("ana").post("/prepare", f"/message/{document.id}", document=document.id)
    assert "0 reports prepared" in page.text
    assert "Left out" in page.text


def test_a_campaign_is_reported_by_one_button(reporting: Made) -> None:
    ana = reporting.logged_in("ana")
    query = "class:spoof as:65536 since:30d"
    listed = ana.text(f"/campaigns?q={query}")
    name = re.search(r'href="/campaigns/([a-z-]{11})\?', listed)
    assert name
    page = ana.post("/prepare", f"/campaigns/{name[1]}?q={query}", campaign=name[1], q=query)
    assert page.status_code == 200
    assert NETWORK in page.text
    assert "/drafts/" in page.text


def test_who_reads_prepares_nothing(reporting: Made, recent: list[Document]) -> None:
    ria = reporting.logged_in("ria")
    form = {"form_token": ria.token("/senders"), "document": spoof(recent, 65536).id}
    assert ria.client.post("/prepare", data=form).status_code == 403
    assert "Prepare reports" not in ria.text("/campaigns")


def test_reports_of_other_domains_are_not_seen(reporting: Made, recent: list[Document], outbox: Path) -> None:
    sam, net = reporting.logged_in("sam"), reporting.logged_in("net")
    document = spoof(recent, 65536)
    token = prepared(sam, document)
    form = {"form_token": net.token("/senders")}
    assert net.get(f"/drafts/{token}").status_code == 404
    assert net.client.post(f"/drafts/{token}", data=form).status_code == 404
    assert net.client.post("/prepare", data={**form, "document": document.id}).status_code == 404
    assert token not in net.text("/drafts")
    look_and_send(sam, token)
    assert net.get(f"/reports/{token}").status_code == 404
    assert net.client.post(f"/reports/{token}", data={**form, "outcome": "solved"}).status_code == 404
    assert token not in net.text("/reports")
    assert "Bulletproof" not in net.text("/league")
    assert len(list(outbox.iterdir())) == 1


def walk(person: Person, most: int = 250) -> dict[str, str]:
    """Every page that links lead to from the overview, and what no link leads to: path -> what it says."""
    found: dict[str, str] = {}
    shapes: Counter[str] = Counter()
    ways = ["/", "/reports", "/league", "/drafts", *(f"/urls/export/{one}?q=" for one in FORMATS)]
    while ways and len(found) < most:
        path = ways.pop(0)
        shape = re.sub(r"[0-9a-f]{40}|[a-z]{5}-[a-z]{5}|[a-z2-7]{20}|=[^&]*|/hosts/.*", "", path)
        if path in found or shapes[shape] >= 8:
            continue
        shapes[shape] += 1
        answer = person.get(path)
        found[path] = answer.text if answer.status_code == 200 else ""
        assert answer.status_code in {200, 303, 403}, path
        ways += [html.unescape(one) for one in re.findall(r'href="(/[^"]*)"', found[path])]
    return found


def test_a_walk_through_all_pages_shows_nothing_of_other_domains(reporting: Made, recent: list[Document]) -> None:
    """With a report about another's domain, one about both, and a verdict whose remark names the other."""
    sam, net = reporting.logged_in("sam"), reporting.logged_in("net")
    token = prepared(sam, spoof(recent, 65536))
    look_and_send(sam, token)
    both = next(one for one in history.read(reporting.desk.stores.get()) if one.action == "sent")
    about = both.incident._replace(token="a" * 20, domains=("example.org", "example.net"), network="198.18.77.0/24")
    row = to_row(both._replace(incident=about), now=both.at, layout=Layout())
    assert reporting.desk.stores.get().write([row]).stored == 1
    name = next(
        one.fields["source.name"] for one in recent if one.fields.get("policy_published.domain") == "example.net"
    )
    sam.post("/senders", what=f"sender:{name}", verdict="service", comment="asked by example.org")
    assert name in net.text("/senders")
    for path, text in walk(net).items():
        assert not re.search(r"(?<![\w.-])(?:[\w-]+\.)*example\.org", text), path
        assert "198.18.77.0" not in text, path
        assert token not in text, path
    everything = walk(sam)
    assert any("198.18.77.0" in one for one in everything.values())
    assert any("asked by example.org" in one for one in everything.values())
    assert {"/league", "/networks", "/urls/export/csv?q="} < everything.keys()
    assert sum(one.startswith("/message/") for one in walk(net)) > 3


def test_without_a_sender_nothing_is_prepared(made: Made, recent: list[Document]) -> None:
    document = spoof(recent, 65536)
    page = made.owner().post("/prepare", f"/message/{document.id}", document=document.id)
    assert page.status_code == 400
    assert "[abuse] sender" in page.text


def test_what_was_changed_meanwhile_is_not_sent(
    reporting: Made, recent: list[Document], outbox: Path, tmp_path: Path
) -> None:
    sam = reporting.logged_in("sam")
    token = prepared(sam, spoof(recent, 65536))
    assert sam.post(f"/drafts/{token}", f"/drafts/{token}").status_code == 400, "nobody looked"
    seen = seen_by(sam, token)
    file = tmp_path / "state/abuse/drafts" / f"{token}.eml"
    file.write_bytes(file.read_bytes() + b"And one word more.\n")
    refused = sam.post(f"/drafts/{token}", f"/drafts/{token}", seen=seen)
    assert (refused.status_code, "look again" in refused.text) == (409, True)
    assert list(outbox.iterdir()) == []
    assert "<strong>sent</strong>" in look_and_send(sam, token).text
    (mail,) = outbox.iterdir()
    assert "And one word more." in mail.read_text()


def test_two_send_at_once(
    reporting: Made, recent: list[Document], outbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sam, other = reporting.logged_in("sam"), reporting.logged_in("sam")
    token = prepared(sam, spoof(recent, 65536))
    form = {"form_token": other.token("/drafts"), "seen": seen_by(other, token)}
    find = reports._held

    def meanwhile(*about: Any) -> Any:
        held = find(*about)
        monkeypatch.setattr(reports, "_held", find)
        look_and_send(sam, token)
        return held

    monkeypatch.setattr(reports, "_held", meanwhile)
    assert other.client.post(f"/drafts/{token}", data=form).status_code == 404
    assert len(list(outbox.iterdir())) == 1


def test_a_draft_that_is_not_shown_whole_is_not_sent_from_its_page(
    reporting: Made, recent: list[Document], tmp_path: Path
) -> None:
    sam = reporting.logged_in("sam")
    token = prepared(sam, spoof(recent, 65536))
    (tmp_path / "state/abuse/drafts" / f"{token}.eml").write_bytes(b"x" * 300_000)
    page = sam.text(f"/drafts/{token}")
    assert "I looked at it" not in page
    assert "abuse show" in page
