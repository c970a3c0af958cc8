"""`check`, `metrics` and `alert` as a person, a monitoring system and a timer call them."""

import json
import re
import sys
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from email_report_processor.documents.document import make_id
from email_report_processor.documents.encode import encode
from email_report_processor.stores.opening import open_store
from email_report_processor.stores.store import Row
from email_report_processor.values.fields import write_date
from tests.conftest import Program
from tests.mta.box import free_port

LINE = re.compile(r"EMAIL REPORTS (OK|WARNING|CRITICAL|UNKNOWN): [^|\n]+ \| (\w+=\d+;;;0; ?){4}\n\Z")


def fill(admin: Program, *, failing: int) -> None:
    """Thirty days of two reporters, the last one with mail of ours that fails."""
    store = open_store(f"sqlite:{admin.state / 'reports.sqlite'}")
    now = datetime.now(UTC)
    rows = []
    for number in range(30):
        for reporter in ("A", "B"):
            stored = now - timedelta(days=number, hours=1)
            common = {"@timestamp": write_date(stored - timedelta(days=1)), "event.ingested": write_date(stored)}
            common |= {"report.org_name": reporter}
            row = {
                **common,
                "event.dataset": "dmarc-aggregate",
                "policy_published.domain": "example.org",
                "source.ip": "192.0.2.1",
                "source.name": "example.org",
                "count": 100,
            }
            bad = {"class": "broken-signature", "dmarc.result": "fail", "count": failing if number == 0 else 0}
            for kind, more in (("good", {"class": "aligned", "dmarc.result": "pass"}), ("bad", bad)):
                identity = make_id(number, reporter, kind)
                rows.append(Row("email-report-dmarc-aggregate-2026", identity, encode({**row, **more})))
            report = {**common, "event.dataset": "report"}
            rows.append(Row("email-report-report-2026", make_id(number, reporter), encode(report)))
    store.write(rows)
    store.close()


SENDERS = '[[senders]]\nsender = "example.org"\nverdict = "mine"\n'


@pytest.mark.parametrize(("failing", "status", "word"), [(0, 0, "OK"), (3, 2, "CRITICAL")])
def test_check(run_admin: Program, failing: int, status: int, word: str) -> None:
    fill(run_admin, failing=failing)
    found = run_admin(b"", "check", settings=SENDERS)
    assert (found.status, found.stderr) == (status, "")
    assert LINE.match(found.stdout), found.stdout
    assert found.stdout.startswith(f"EMAIL REPORTS {word}: ")
    said = run_admin(b"", "check", "--verbose", settings=SENDERS).stdout.splitlines()[1:]
    assert [" → " in one for one in said] == [True] * len(said)  # what is wrong, and what to do
    assert bool(said) == bool(failing)


def test_check_of_a_store_that_is_away(run_admin: Program) -> None:
    found = run_admin(b"", "check", settings='[store]\nurl = "http://127.0.0.1:1"\nretry_seconds = 1\n')
    assert (found.status, found.stdout.startswith("EMAIL REPORTS UNKNOWN: http://127.0.0.1:1")) == (3, True)
    found = run_admin(b"", "check", settings="[alerts]\nnew_sendr = 5\n")
    assert (found.status, "has no key 'new_sendr'" in found.stdout) == (3, True)


def test_alert_tells_once(run_admin: Program, tmp_path: Path) -> None:
    fill(run_admin, failing=10)
    out = tmp_path / "told"
    command = [sys.executable, "-c", f"import sys; open({str(out)!r}, 'a').write(sys.stdin.read() + chr(10))"]
    settings = f"{SENDERS}[alerts]\ncommand = {json.dumps(command)}\n"
    for _ in range(3):
        assert run_admin(b"", "alert", settings=settings).status == 0
    (line,) = out.read_text().splitlines()
    (event,) = json.loads(line)["events"]
    assert (event["rule"], event["level"]) == ("wanted_fails", "critical")
    assert (run_admin.state / "alerts.json").stat().st_mode & 0o777 == 0o600


def test_alert_says_what_failed_and_tells_again(run_admin: Program, tmp_path: Path) -> None:
    fill(run_admin, failing=10)
    settings = f'{SENDERS}[alerts]\ncommand = ["/bin/false"]\n'
    for _ in range(2):
        found = run_admin(b"", "alert", settings=settings)
        assert (found.status, "/bin/false ended with 1" in found.stderr) == (1, True)


def test_alert_needs_somebody(run_admin: Program) -> None:
    fill(run_admin, failing=0)
    found = run_admin(b"", "alert")
    assert (found.status, "nobody can be told: set [alerts] mail_to" in found.stderr) == (2, True)
    assert run_admin(b"", "alert", "--dry-run").status == 0


def test_the_rules(run_admin: Program) -> None:
    found = run_admin(b"", "alert", "--rules", settings="[alerts]\nspoofing = 7\n")
    assert "spoofing: from 7 times an average day\n  Spoofs of a domain are many times" in found.stdout


def test_metrics_to_a_file(run_admin: Program, tmp_path: Path) -> None:
    fill(run_admin, failing=3)
    path = tmp_path / "email_reports.prom"
    assert run_admin(b"", "metrics", "--file", str(path), settings=SENDERS).status == 0
    text = path.read_text()
    assert 'email_reports_messages_day{class="aligned",domain="example.org"} 200.0' in text
    assert 'email_reports_alerts{level="critical",rule="wanted_fails"} 1.0' in text
    assert "192.0.2.1" not in text
    assert [one.name for one in tmp_path.glob("*prom*")] == [path.name]


def test_metrics_on_a_port(run_admin: Program) -> None:
    fill(run_admin, failing=0)
    port = free_port()
    with run_admin.start("metrics", "--port", str(port)) as process:
        try:
            text = _read(f"http://127.0.0.1:{port}/metrics")
        finally:
            process.kill()
    assert "email_reports_messages_day" in text


def _read(url: str) -> str:
    """As soon as it answers."""
    until = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return str(answer.read().decode())
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
