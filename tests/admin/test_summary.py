"""`email-report-admin summary` as it writes files."""

from pathlib import Path

from benchmarks.messages import message
from tests.conftest import Program


def test_the_directory_of_the_pages_is_made(run_filter: Program, run_admin: Program, tmp_path: Path) -> None:
    assert run_filter(message(3)).status == 0
    index = tmp_path / "new" / "deep" / "index.html"
    found = run_admin(b"", "summary", "--since", "all", "--domain", "all", "--html", str(index))
    assert (found.status, found.stderr) == (0, "")
    assert index.exists()
