"""Logins in the browser: an account's map and days, its findings, and what a person decides."""

import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from email_report_processor.documents.document import Document
from email_report_processor.logins.rules import Finding
from email_report_processor.logins.state import State
from email_report_processor.stores.sqlite import SqliteStore
from email_report_processor.values.fields import write_date
from tests.desk.web.desks import Made, audit, make
from tests.pages.conftest import rows

ALICE = "alice@example.org"


def logins() -> list[Document]:
    """Logins of two accounts, one of which came from far away and failed."""
    made = []
    good, bad = "success", "failure"
    seen = ((ALICE, "DE", good), (ALICE, "DE", good), (ALICE, "VN", bad), ("bob@example.org", "US", good))
    for number, (account, country, outcome) in enumerate(seen):
        fields: dict[str, Any] = {
            "@timestamp": write_date(datetime.now(UTC).replace(microsecond=number)),
            "event.dataset": "mail-login",
            "event.outcome": outcome,
            "count": 1,
            "user.name": account,
            "user.domain": "example.org",
            "source.ip": f"192.0.2.{number}",
            "source.geo.country_iso_code": country,
            "login.service": "imap",
        }
        made.append(Document("mail-login", f"{number:040x}", fields))
    return made


@pytest.fixture
def watched(tmp_path: Path, hashed: str) -> Made:
    """A desk beside a login watch that found something."""
    store = SqliteStore(str(tmp_path / "r.sqlite"))
    store.write(rows(logins()))
    store.close()
    state = State(tmp_path / "state")
    found = Finding("country", "alarm", ALICE, time.time(), "a <b>login</b> from Vietnam", (b"x",), "192.0.2.2", "VN")
    state.commit("test", time.time(), {}, findings=[found])
    state.close()
    users = [
        {"name": name, "role": role, "password": hashed, "domains": domains}
        for name, role, domains in (("ana", "analyst", []), ("sam", "sender", []), ("net", "sender", ["example.org"]))
    ]
    return make(tmp_path / "state", f"sqlite:{tmp_path / 'r.sqlite'}", users=users)


def test_an_account_has_its_map_and_its_days(watched: Made) -> None:
    ana = watched.logged_in("ana")
    listed = ana.text("/logins")
    assert "a &lt;b&gt;login&lt;/b&gt; from Vietnam" in listed
    page = ana.text(f"/logins/{ALICE.upper()}")
    assert "Germany" in page
    assert "Vietnam" in page
    assert "192.0.2.2" in page
    assert "192.0.2.3" not in page, "of another account"
    assert "Stop this account" not in page, "an analyst only looks"
    assert list(audit(watched))[-1]["what"] == "saw logins"
    assert watched.logged_in("net").get("/logins").status_code == 403


def test_an_account_is_stopped_and_released(watched: Made, tmp_path: Path) -> None:
    sam = watched.logged_in("sam")
    assert sam.post(f"/logins/{ALICE}", action="stop", why="phished").status_code == 303
    state = State(tmp_path / "state")
    assert state.stops()[ALICE].who == "sam"
    assert "phished" in sam.text("/logins")
    assert sam.post(f"/logins/{ALICE}", action="release").status_code == 303
    assert state.stops() == {}
    state.close()
    form = {"form_token": watched.logged_in("ana").token("/senders"), "action": "stop"}
    assert sam.client.post(f"/logins/{ALICE}", data=form).status_code == 400
    assert sam.post(f"/logins/{ALICE}", action="delete").status_code == 400


@pytest.mark.parametrize("said", ["yes", "no"])
def test_an_answer_is_taken_once_for_all(watched: Made, tmp_path: Path, said: str) -> None:
    sam = watched.logged_in("sam")
    found = re.search(r'action="(/logins/findings/[^"]+)"', sam.text(f"/logins/{ALICE}"))
    assert found
    assert sam.post(found[1], f"/logins/{ALICE}", answer="perhaps").status_code == 400
    assert sam.post(found[1], f"/logins/{ALICE}", answer=said).status_code == 303
    assert f"user says {said}" in sam.text(f"/logins/{ALICE}")
    state = State(tmp_path / "state")
    assert len(state.events()) == (1 if said == "yes" else 2)
    state.close()
    assert sam.post("/logins/findings/nothing", f"/logins/{ALICE}", answer="yes").status_code == 404


def test_looking_makes_no_file(made: Made) -> None:
    assert "Nothing was found" in made.owner().text("/logins")
    assert not (made.desk.audit.path.parent / "logins.sqlite").exists()


def test_an_account_whose_name_is_no_part_of_an_address(watched: Made) -> None:
    """Names of accounts are what strangers typed at a log-in."""
    sam = watched.logged_in("sam")
    path = "/logins/a%3Fb%23c%0D%0AX%3A%20y"
    response = sam.post(path, action="stop")
    assert response.status_code == 303
    assert response.headers["Location"] == path.replace("X", "x")
