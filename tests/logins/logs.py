"""Golden logs: lines that real servers wrote in tests/mta, and the documents that they become."""

from datetime import UTC, datetime
from pathlib import Path

from email_report_processor.documents.datasets import LOGIN
from email_report_processor.logins.lines.login import Login
from email_report_processor.logins.lines.scan import Scanner
from email_report_processor.logins.lines.times import Clock
from email_report_processor.logins.rows import fields_of, id_of
from email_report_processor.values.fields import Fields
from tests.places import GOLDEN

LOGS = sorted((GOLDEN / "mail-login").glob("*.log"))
CLOCK = Clock(datetime(2026, 11, 28, 23, tzinfo=UTC).timestamp(), UTC)


def scan(chunk: bytes, clock: Clock = CLOCK) -> list[Login]:
    """The logins of whole lines."""
    return Scanner().scan(chunk, clock)


def one(line: bytes, clock: Clock = CLOCK) -> Login:
    """The login of one line."""
    (login,) = scan(line, clock)
    return login


def documents(path: Path) -> list[tuple[str, str, Fields]]:
    """What a golden log becomes, as the `.json` beside it has it."""
    return [(LOGIN.name, id_of(login), fields_of(login)) for login in scan(path.read_bytes())]


if __name__ == "__main__":  # python -m tests.logins.logs: write the documents of new logs, to be read word for word
    import json

    for log in LOGS:
        pair = log.with_suffix(".json")
        if not pair.exists():
            pair.write_text(json.dumps(documents(log), indent=1, ensure_ascii=False) + "\n", "utf-8")
