"""What went wrong is told with its status: whose turn it is, what happened, what to do; to a program as JSON."""

from pathlib import Path

import pytest

from email_report_processor.documents.document import Document
from tests.desk.web.desks import Made, Person
from tests.desk.web.test_reports import outbox, prepared, reporting, spoof  # noqa: F401  # fixtures
from tests.desk.web.test_views import JSON, receiving, send  # noqa: F401  # fixtures

UNSAID = ("internal error", "Traceback", "Errno")


def told(person: Person, path: str, *says: str) -> None:
    """A page that says that it is our fault, and more."""
    response = person.get(path)
    assert response.status_code == 503, response.text
    assert all(one in response.text for one in says), response.text
    assert not any(one in response.text for one in UNSAID)


def test_a_damaged_draft_is_our_fault(reporting: Made, recent: list[Document], tmp_path: Path) -> None:  # noqa: F811
    sam = reporting.logged_in("sam")
    token = prepared(sam, spoof(recent, 65536))
    record = tmp_path / "state/abuse/drafts" / f"{token}.json"
    record.write_text("{")
    told(sam, "/drafts", token, "prepare again")


def test_a_draft_that_cannot_be_read(reporting: Made, recent: list[Document], tmp_path: Path) -> None:  # noqa: F811
    sam = reporting.logged_in("sam")
    token = prepared(sam, spoof(recent, 65536))
    message = tmp_path / "state/abuse/drafts" / f"{token}.eml"
    message.unlink()
    message.mkdir()
    told(sam, f"/drafts/{token}", message.name, "correct its owner or mode")


def test_a_state_directory_that_takes_nothing(reporting: Made, recent: list[Document], tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "state/abuse").write_text("")
    document = spoof(recent, 65536)
    response = reporting.logged_in("ana").post("/prepare", f"/message/{document.id}", document=document.id)
    assert response.status_code == 503
    assert "state/abuse" in response.text
    assert "correct its owner or mode" in response.text


@pytest.mark.parametrize("content", [b"\xff\xfe[[", b"[[senders]\n"])
def test_a_damaged_file_of_verdicts(reporting: Made, tmp_path: Path, content: bytes) -> None:  # noqa: F811
    ana = reporting.logged_in("ana")
    file = tmp_path / "state/senders.toml"
    file.write_bytes(content)
    told(ana, "/senders", "senders.toml", "TOML")
    response = ana.post("/senders", "/reports", what="AS64500", verdict="mine")
    assert response.status_code == 503
    assert "senders.toml" in response.text
    assert file.read_bytes() == content
    file.unlink()
    assert ana.post("/senders", "/reports", what="nonsense", verdict="mine").status_code == 400, "this is theirs"


def test_a_fault_that_nobody_foresaw_says_nothing_of_the_machine(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise KeyError("secret")

    owner = made.owner()
    monkeypatch.setattr("email_report_processor.desk.web.asking.parse", fails)
    response = owner.get("/failures")
    assert response.status_code == 500
    assert "fault of the program" in response.text
    assert "secret" not in response.text


def test_a_page_that_is_none(made: Made) -> None:
    owner = made.owner()
    assert owner.get("/hosts//192.0.2.1").status_code in {400, 404}
    response = owner.client.delete("/failures")
    assert response.status_code == 405
    assert "GET" in response.headers["Allow"]  # RFC 9110 §15.5.6


def test_a_program_is_told_in_json(receiving: Made, made: Made) -> None:  # noqa: F811
    for response, status in (
        (send(receiving, JSON, token="wrong"), 401),
        (send(receiving, b"x" * 400_000), 413),
        (send(made, JSON), 404),
    ):
        assert response.status_code == status
        assert response.json["error"]
    assert "upload_bytes" in send(receiving, b"x" * 400_000).json["error"]
