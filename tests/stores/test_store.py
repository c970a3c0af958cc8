"""The store that a URL names."""

import io
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.stores.client import OpenSearchOptions
from email_report_processor.stores.ndjson import NdjsonStore
from email_report_processor.stores.opening import open_store
from email_report_processor.stores.opensearch import OpenSearchStore
from email_report_processor.stores.sqlite import SqliteStore
from email_report_processor.stores.store import Rejected, Row, Store, Written


def test_each_kind() -> None:
    stream = io.BytesIO()
    store: Store = open_store("-", output=stream)
    assert isinstance(store, NdjsonStore)
    assert store.write([Row("i", "1", b"{}")]) == Written(1, 0)
    assert stream.getvalue()
    store = open_store("sqlite:/no/such/file.db")
    assert isinstance(store, SqliteStore)
    assert store.name == "/no/such/file.db"
    store = open_store("https://a.example:9200/", opensearch=OpenSearchOptions(hosts=("https://b.example",)))
    assert isinstance(store, OpenSearchStore)
    assert store.name == "https://a.example:9200,https://b.example"
    assert open_store("http://a:1,http://b:2/sub").name == "http://a:1,http://b:2/sub"


@pytest.mark.parametrize(
    "url", ["", "sqlite:", "/var/lib/store.db", "opensearch:9200", "ftp://host", "postgres://host"]
)
def test_no_store(url: str) -> None:
    with pytest.raises(
        ValueError, match=r"the store is https://HOST:9200, sqlite:PATH, -, or one of docs/stores.md, not"
    ):
        open_store(url)


@pytest.mark.parametrize(
    "url", ["https://", "https://host:port", "https://host:99999", "https://[::1", "https://host?x=1", "https://a,b"]
)
def test_no_host(url: str) -> None:
    with pytest.raises(ValueError, match="not a URL of OpenSearch"):
        open_store(url)


@given(
    st.sampled_from(["https://", "http://", "ftp://", "opensearch://", ""]),
    st.text("ab:@/?#[]1%", max_size=3),
    st.text("abc:@/?#[]1%", max_size=8),
)
def test_a_password_is_never_repeated(scheme: str, odd: str, host: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # what it says is asserted below
        open_store(f"{scheme}admin:hunter2{odd}@{host}")
    text = f"{caught.value} {caught.value.__cause__} {caught.value.__context__}"
    assert "hunter2" not in text


def test_why_a_password_is_refused() -> None:
    with pytest.raises(ValueError, match=r"credentials do not belong into the URL.*password_file"):
        open_store("https://admin:hunter2@host:9200")


@pytest.mark.parametrize(
    ("url", "absent"),
    [("-", {"sqlite3", "opensearchpy", "ssl"}), ("sqlite:x", {"opensearchpy", "ssl"}), ("http://x", {"opensearchpy"})],
)
def test_nothing_else_is_imported(url: str, absent: set[str]) -> None:
    """Start-up is a feature: what another store needs is not loaded, opensearch-py not before something is sent."""
    code = "import sys; from email_report_processor.stores.opening import open_store; "
    code += f"open_store({url!r}); print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert absent.isdisjoint(said.stdout.split())


def test_written_adds_up() -> None:
    rejected = Rejected(Row("i", "1", b"{}"), "why")
    assert Written(1, 2, (rejected,)) + Written(3, 4) == Written(4, 6, (rejected,))
