"""A page of a million rows from the embedded store, against reading every document once.

Made-up rows as a year of fifty reporters brings them: own hosts that all reporters see, and strangers that few do.
"""

import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from email_report_processor.stores.sqlite import SqliteStore
from email_report_processor.stores.store import Row

from . import check

NOW = datetime(2026, 11, 20, tzinfo=UTC)
_REPORTERS, _PLACES = 50, 55  # reports a day, rows of each
_ROW = (
    '{"@timestamp":"%sT12:00:00Z","event":{"dataset":"dmarc-aggregate","ingested":"%sT18:00:00Z"},"schema_version":1,'
    '"report":{"from_domain":"r%d.example","message_id":"%d@r%d.example","received":"%sT17:59:58Z","feed":"rua",'
    '"authentication":"pass","format":"rfc7489","id":"%d","org_name":"Reporter %d","email":"noreply@r%d.example",'
    '"begin":"%sT00:00:00Z","end":"%sT23:59:59Z","duration":86399},'
    '"source":{"ip":"%s","as":{"number":%d,"organization":{"name":"Network %d"}},"geo":{"country_iso_code":"%s"}%s},'
    '"count":%d,"policy_published":{"domain":"example.org","p":"none","sp":"none","adkim":"r","aspf":"r","pct":100},'
    '"policy_evaluated":{"disposition":"none","dkim":"%s","spf":"%s"},'
    '"identifiers":{"header_from":"%s","envelope_from":"%s"},'
    '"auth_results":{"dkim":[{"domain":"%s","selector":"2026a","result":"%s"}],'
    '"spf":[{"domain":"%s","scope":"mfrom","result":"%s"}]},'
    '"dkim":{"signatures":["%s / 2026a / %s"]},"spf":{"checks":["%s / mfrom / %s"]},'
    '"dmarc":{"result":"%s"},"class":"%s","class_rule":"A1"}'
)
_COUNTRIES = ("US", "DE", "BR", "VN", "IN", "CN", "RU", "FR", "GB", "ID", "NL", "SG")


def rows(number: int) -> Iterator[Row]:
    """So many rows of reports about the days up to NOW."""
    dice = random.Random(7)
    made = 0
    for day in range(10_000):
        date = f"{NOW - timedelta(days=day):%Y-%m-%d}"
        for reporter in range(_REPORTERS):
            for place in range(_PLACES):
                if made == number:
                    return
                yield Row(
                    f"email-report-dmarc-aggregate-{date[:4]}.{date[5:7]}",
                    f"{made:040x}",
                    _row(dice, date, reporter, place),
                )
                made += 1


def _row(dice: random.Random, date: str, reporter: int, place: int) -> bytes:
    """The first fifteen of a report are hosts of our own."""
    own = place < 15
    host = place if own else dice.randrange(20_000)
    network = 64496 if own else 64500 + host % 300
    good = own and place % 5 != 4
    class_ = (
        "aligned" if good else "own-misconfigured" if own else ("spoof", "spoof", "third-party-unaligned")[host % 3]
    )
    name = "example.org" if good else f"service{host % 200}.example" if class_ == "third-party-unaligned" else ""
    verdict, domain = "pass" if good else "fail", "example.org" if own else f"d{host % 500}.example"
    return (
        _ROW
        % (
            *(date, date, reporter, reporter, reporter, date, reporter, reporter, reporter, date, date),
            *(f"192.0.2.{host}" if own else f"203.{host >> 8}.113.{host & 255}", network, network),
            *(_COUNTRIES[0 if own else host % 12], f',"name":"{name}"' if name else "", dice.randrange(1, 40)),
            *(verdict, verdict, "example.org", domain, domain, verdict, domain, verdict),
            *(domain, verdict, domain, verdict, verdict, class_),
        )
    ).encode()


PAGE = """
import resource, sys, time
from email_report_processor.admin.command import main
from email_report_processor.stores import totals_sqlite
if sys.argv[3] == "documents":
    totals_sqlite.holding = lambda checked, dataset: None
started = time.process_time()
store = ["--store", "sqlite:" + sys.argv[1], "--config", "/dev/null"]
status = main(["summary", "--since", "all", "--html", sys.argv[2], *store])
print(status, time.process_time() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def page(store: Path, target: Path, source: str = "sums") -> tuple[float, float]:
    """Seconds of CPU and MiB of the whole command in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", PAGE, store, target, source], capture_output=True, text=True, check=True
    )
    status, seconds, memory = done.stdout.split()[-3:]
    assert status == "0", done.stderr
    return float(seconds), float(memory)


def main(number: int = 1_000_000) -> bool:
    """Measure, print, and say whether the targets were met."""
    with tempfile.TemporaryDirectory() as folder:
        path, target = Path(folder) / "reports.sqlite", Path(folder) / "page.html"
        store = SqliteStore(str(path))
        store.write(rows(number))
        store.close()
        first, _ = page(path, target)
        seconds, memory = page(path, target)
        html = target.read_text("utf-8")
        floor, _ = page(path, target, "documents")
        assert target.read_text("utf-8").partition("Made")[2][40:] == html.partition("Made")[2][40:], "the same page"
        checked = check.measure(path, NOW, -(-number // (_REPORTERS * _PLACES)))
    print(f"page of {number:,} rows: {seconds:.2f} s / {floor:.2f} s from documents = {seconds / floor:.3f} (<= 0.2)")
    print(f"  its first making, which adds everything up: {first:.2f} s; peak {memory:.0f} MiB (<= 200)")
    return seconds / floor <= 0.2 and memory <= 200 and checked


if __name__ == "__main__":
    sys.exit(not main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
