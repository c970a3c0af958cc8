"""Weeks of reports up to yesterday in the embedded store, once for all tests of the desk's pages."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from werkzeug.security import generate_password_hash

from email_report_processor.documents.document import Document
from email_report_processor.pages.example import weeks
from email_report_processor.stores.sqlite import SqliteStore
from tests.desk.web.desks import PASSWORD, Made, make
from tests.pages.conftest import rows

LAST = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)


@pytest.fixture(scope="session")
def recent() -> list[Document]:
    """Five weeks up to yesterday."""
    return list(weeks(LAST))


@pytest.fixture(scope="session")
def recent_store(recent: list[Document], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of the embedded store with these weeks."""
    path: Path = tmp_path_factory.mktemp("desk") / "reports.sqlite"
    store = SqliteStore(str(path))
    store.write(rows(recent))
    store.close()
    return f"sqlite:{path}"


@pytest.fixture
def made(tmp_path: Path, recent_store: str) -> Made:
    """A desk without any settings: one person comes in by the token."""
    return make(tmp_path / "state", recent_store)


@pytest.fixture(scope="session")
def hashed() -> str:
    """The hash of the password of the tests, made with less work than those of people."""
    return generate_password_hash(PASSWORD, "scrypt:1024:8:1")


@pytest.fixture
def users(tmp_path: Path, recent_store: str, hashed: str) -> Made:
    """A desk with users of each role, and one who sees one domain alone."""
    names = {"ria": "reader", "ana": "analyst", "sam": "sender"}
    entries: list[dict[str, Any]] = [{"name": name, "role": role, "password": hashed} for name, role in names.items()]
    entries.append({"name": "net", "role": "sender", "password": hashed, "domains": ["example.net"]})
    return make(tmp_path / "state", recent_store, users=entries)
