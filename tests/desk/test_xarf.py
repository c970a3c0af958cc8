"""X-ARF v4 beside a report: only what the failure report says, and the schema's own validator has nothing to say.

Its `strict` demands what the schema recommends as well; that we cannot know (confidence, tags).
"""

import json
from email import message_from_bytes
from typing import Any

import pytest
import xarf
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor import read_message
from email_report_processor.desk.message import Message
from email_report_processor.desk.preparing import Given, prepare
from email_report_processor.desk.report import Draft
from email_report_processor.desk.xarf import to_json
from tests.desk.test_hostile import GIVEN
from tests.desk.world import HEADERS

OPTIONS = GIVEN.options._replace(xarf=True)
FULL = Message(
    "1", "2026-11-27T08:00:00Z", "spoof", 1, "192.0.2.1", mail_from="x@attacker.example", port=52311, headers=HEADERS,
    urls=("https://phish.example/a", "https://phish.example/{b}", "nothing"), recipients=("anna@example.com",),
)  # fmt: skip
DRAFT = Draft("k7q2mzd4b6h3ncew5a2t", "abuse@network.example", (FULL,), ("example.org",), FULL.urls)


def beside(message: Message, given: Given = GIVEN._replace(options=OPTIONS)) -> dict[str, Any] | None:  # noqa: B008  # a tuple
    ((one,), _) = prepare([message], [], given)
    whole: Any = message_from_bytes(one.message)
    assert whole["To"] == "abuse@network.example"
    if whole.get_content_type() == "multipart/report":
        return None
    report, file = whole.get_payload()
    assert report.get_content_type() == "multipart/report"
    assert len(report.get_payload()) == 3
    found: dict[str, Any] = json.loads(file.get_payload(decode=True))
    return found


def test_the_validator_takes_it() -> None:
    found = beside(FULL)
    assert found is not None
    checked = xarf.parse(json.dumps(found))
    assert checked.errors == []
    assert (found["source_port"], found["smtp_from"]) == (52311, "x@attacker.example")
    assert found["spam_indicators"] == {"suspicious_links": ["https://phish.example/a"]}
    assert "anna" not in json.dumps(found)


@pytest.mark.parametrize("change", [{"port": 0}, {"mail_from": ""}, {"mail_from": "nobody"}])
def test_nothing_is_made_up(change: dict[str, Any]) -> None:
    assert beside(FULL._replace(**change)) is None


def test_only_where_it_is_asked_for() -> None:
    assert beside(FULL, GIVEN) is None


def test_a_report_of_ours_that_comes_back_is_known() -> None:
    """By its token in the one form, by our address in the other."""
    ((one,), _) = prepare([FULL], [], GIVEN._replace(options=OPTIONS))
    documents = [next(iter(report.documents())).fields for report in read_message(one.message).reports]
    assert documents
    for fields in documents:
        back = FULL._replace(
            id="2", user_agent=fields.get("feedback.user_agent", ""), reporter=fields.get("report.email", "")
        )
        assert prepare([back], [], GIVEN)[0] == []


@given(st.text(max_size=30), st.text(max_size=30), st.lists(st.text(max_size=20), max_size=2).map(tuple))
def test_whatever_strangers_wrote(sender: str, feed: str, urls: tuple[str, ...]) -> None:
    message = FULL._replace(mail_from=f"{sender}@attacker.example", feed=feed)
    content = to_json(DRAFT._replace(messages=(message,), urls=urls), OPTIONS, b"From: a\n")
    assert not content or xarf.parse(content.decode()).errors == []
