"""Generated logs: every stolen account is found, and honest people are left alone."""

from pathlib import Path

from benchmarks.logins import judged, old_tool, score, write
from benchmarks.logins_year import WAYS, Year


def test_every_theft_is_found_and_honest_people_are_left_alone(tmp_path: Path) -> None:
    """At most one false alarm for 1,000 accounts and a month: here that is none."""
    year = Year(400, 60, 2 * len(WAYS), seed=7)
    path = tmp_path / "mail.log"
    lines = write(path, year)
    findings = judged(str(path))
    result = score(year, findings)
    assert (result.missed, dict(result.by_rule)) == ((), {})
    assert lines > 100_000
    assert {finding.rule for finding in findings} > {
        "many-countries",
        "many-systems",
        "many-addresses",
        "volume",
        "guessed",
    }


def test_the_old_tool_would_have_named_nearly_everybody(tmp_path: Path) -> None:
    """Two addresses of one account are not a theft: what it says of honest people is why nobody reads it."""
    year = Year(100, 30, 0, seed=3)
    path = tmp_path / "mail.log"
    write(path, year)
    named = [account for account, addresses in old_tool(str(path)).items() if len(addresses) > 1]
    assert len(named) > 90
    assert [finding for finding in judged(str(path)) if finding.severity == "alarm"] == []
