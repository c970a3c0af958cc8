"""`campaigns` and `urls`, as a person types them."""

import json

import pytest

from email_report_processor.documents.encode import encode
from email_report_processor.stores.opening import open_store
from email_report_processor.stores.store import Row
from tests.conftest import Program

URL = "https://login.phish.example/mail.htm"


@pytest.fixture
def admin(run_admin: Program) -> Program:
    """With twelve spoofs of one page from twelve addresses, and a forwarded message."""
    store = open_store(f"sqlite:{run_admin.state / 'reports.sqlite'}")
    rows = []
    for number in range(13):
        fields = {
            "@timestamp": f"2026-11-{number + 1:02}T08:00:00Z",
            "event.dataset": "dmarc-failure",
            "class": "spoof" if number else "forwarded",
            "count": 1,
            "source.ip": f"198.51.100.{number}",
            "source.geo.country_iso_code": "BR",
            "feedback.reported_domain": ["example.org"],
            "feedback.delivery_result": "delivered" if number == 1 else "reject",
            "sample.subject": f"Invoice {number}",
            "url.full": [URL, "https://www.example.org/"],
            "url.domain": ["login.phish.example", "www.example.org"],
        }
        rows.append(Row("email-report-dmarc-failure-2026.11", f"{number:040}", encode(fields)))
    store.write(rows)
    store.close()
    return run_admin


def test_a_campaign(admin: Program) -> None:
    found = admin(b"", "campaigns", "class:spoof")
    assert found.status == 0, found.stderr
    _, line = found.stdout.splitlines()
    assert line.split()[1:7] == ["12", "12", "BR", "1", "2026-11-02", "2026-11-13"]
    (told,) = admin(b"", "campaigns", "--json", "class:spoof").lines
    assert told["keys"] == [{"kind": "host", "value": "login.phish.example"}]
    assert len(told["messages"]) == len(told["addresses"]) == 12
    assert told["name"] in line
    assert "no three of them" in admin(b"", "campaigns", "class:forwarded").stdout


@pytest.mark.parametrize("form", ["plain", "csv", "hosts", "rpz", "misp", "stix"])
def test_lists(admin: Program, form: str) -> None:
    found = admin(b"", "urls", "--format", form, "class:spoof")
    assert found.status == 0, found.stderr
    assert "login.phish.example" in found.stdout
    assert "www.example.org" not in found.stdout
    if form in {"misp", "stix"}:
        json.loads(found.stdout)


def test_what_is_left_out(admin: Program) -> None:
    none = admin(b"", "urls", "--least", "13", "class:spoof")
    assert (none.status, none.stdout) == (0, "")
    assert "12 messages, and no URL of somebody else stands in 13 of them (--least 13)" in none.stderr
    assert admin(b"", "urls", "--own", "phish.example", "class:spoof").stdout == ""
    settings = '[[senders]]\ndomain = "phish.example"\nverdict = "service"\n'
    assert admin(b"", "urls", "class:spoof", settings=settings).stdout == ""


@pytest.mark.parametrize("command", ["urls", "campaigns"])
def test_a_query_that_cannot_be_read(admin: Program, command: str) -> None:
    found = admin(b"", command, "count:many")
    assert (found.status, "write a number" in found.stderr) == (2, True)
