"""Whatever strangers wrote into a failure report: drafts are made, are one message each, and say nothing to others."""

from email import message_from_bytes
from email.policy import default

from hypothesis import given, settings
from hypothesis import strategies as st

from email_report_processor.desk.contacts import Choice
from email_report_processor.desk.message import Message
from email_report_processor.desk.preparing import Given, prepare
from email_report_processor.desk.report import ReportOptions
from tests.desk.world import NOW

TEXT = st.text(alphabet='ab\r\n\t\0:<>"@=%é\u202e\ud800 .-/?', max_size=40)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
MESSAGE = st.builds(
    Message,
    id=st.sampled_from(["1", "2", "3"]),
    at=st.just("2026-11-27T08:00:00Z"),
    class_=st.sampled_from(["spoof", "unknown"]),
    count=st.integers(0, 10**9),
    source_ip=st.sampled_from(["192.0.2.1", "2001:db8::1", ""]),
    subject=TEXT,
    mail_from=TEXT,
    recipients=TEXTS,
    urls=TEXTS,
    hosts=TEXTS,
    reported_domains=TEXTS,
    headers=TEXT,
    body=TEXT,
    user_agent=TEXT,
)
GIVEN = Given(
    ReportOptions(sender="abuse@example.org"), b"k" * 32, NOW, ["example.org"], (), {}, {},
    lambda address, system: Choice("abuse@network.example", "192.0.2.0/24", "rdap"),
)  # fmt: skip


@settings(max_examples=60)
@given(st.lists(MESSAGE, max_size=4, unique_by=lambda one: one.id), st.sampled_from(["none", "headers", "full"]))
def test_drafts(messages: list[Message], sample: str) -> None:
    options = GIVEN.options._replace(sample=sample)  # type: ignore[arg-type]  # one of these
    made, left_out = prepare(messages, [], GIVEN._replace(options=options))
    assert sum(one.messages for one in left_out) + sum(len(one.incident.documents) for one in made) == len(messages)
    for one in made:
        whole = message_from_bytes(one.message)
        assert whole["To"] == "abuse@network.example"
        assert len(whole.get_all("Reply-To", ())) == len(whole.get_all("Message-ID", ())) == 1
        assert whole.get_content_type() == "multipart/report"
        stored = any(message.headers for message in messages if message.id in one.incident.documents)
        assert len(whole.get_payload()) == (3 if stored and sample != "none" else 2)
        message_from_bytes(one.message, policy=default).as_bytes()


@settings(max_examples=60)
@given(TEXT, TEXTS)
def test_recipients_are_never_named(text: str, urls: tuple[str, ...]) -> None:
    message = Message(
        "1", "2026-11-27T08:00:00Z", "spoof", 1, "192.0.2.1", recipients=("anna@example.com",),
        headers=f"To: anna@example.com\nX: {text.replace(chr(13), ' ')}\n", urls=(*urls, "https://x.example/?e=anna@example.com"),
    )  # fmt: skip
    ((one,), _) = prepare([message], [], GIVEN)
    assert b"anna@example.com" not in one.message
