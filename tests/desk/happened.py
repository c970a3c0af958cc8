"""Events of a report that bounced and of one that was answered: the golden documents of `abuse`."""

from email_report_processor.desk.events import Event, Incident, event_id, to_row
from email_report_processor.documents.encode import decode
from email_report_processor.process import Layout
from email_report_processor.stores.store import Row
from email_report_processor.values.fields import Fields
from tests.places import GOLDEN

PAIR = GOLDEN / "abuse/events.json"
INCIDENT = Incident(
    "k7q2mzd4b6h3ncew5a2t", "abuse@network.example", "2026-11-19T08:31:00Z", "2026-11-19T16:02:10Z", "192.0.2.1", 3,
    "fraud", "192.0.2.0/24", "rdap", "lusab-babad", 64500, "Example LLC", "US", ("example.org",), ("phish.example",),
    ("192.0.2.1", "192.0.2.9"), ("a" * 40, "b" * 40, "c" * 40),
)  # fmt: skip
OTHER = INCIDENT._replace(
    token="w5a2tb6h3ncek7q2mzd4", contact="noc@other.example", address="198.51.100.7", network="198.51.100.0/24",
    as_number=64501, as_name="Other Inc.", addresses=("198.51.100.7",), documents=("d" * 40,), count=1, campaign="",
    via="abusix",
)  # fmt: skip
EVENTS = (
    Event("prepared", INCIDENT, "2026-11-20T09:00:00Z", "alice"),
    Event("sent", INCIDENT, "2026-11-20T09:30:00Z", "alice", message_id=f"abuse.{INCIDENT.token}@example.org"),
    Event(
        "bounced", INCIDENT, "2026-11-20T09:31:00Z", outcome="dead", reason="550 5.1.1 user unknown", status="5.1.1",
        sender="abuse@network.example", message_id="bounce1@mx.network.example",
    ),
    Event("prepared", OTHER, "2026-11-20T09:00:00Z", "search wire"),
    Event("sent", OTHER, "2026-11-20T09:30:05Z", "search wire", message_id=f"abuse.{OTHER.token}@example.org"),
    Event(
        "answered", OTHER, "2026-11-21T11:00:00Z", outcome="form", reason="use the web form",
        sender="noc@other.example", message_id="answer1@other.example", form="https://other.example/abuse",
        text="Please use our form.\nThe NOC",
    ),
    Event("closed", OTHER, "2026-12-05T11:00:00Z", "bob", "silent", "no answer after 14 days"),
)  # fmt: skip

LAYOUT = Layout()


def rows(layout: Layout = LAYOUT) -> list[Row]:
    """As they are stored."""
    return [to_row(event, now="2026-12-06T00:00:00Z", layout=layout) for event in EVENTS]


def documents() -> list[tuple[str, str, Fields]]:
    """As the golden file has them."""
    return [("abuse", event_id(event), decode(row.source)) for event, row in zip(EVENTS, rows(), strict=True)]


if __name__ == "__main__":  # python -m tests.desk.happened: write them anew, to be read word for word
    import json

    PAIR.write_text(json.dumps(documents(), indent=1, ensure_ascii=False) + "\n", "utf-8")
