"""Logins: a year of logs, read and judged, against the parsing loop of the old tool on the same log.

The old tool's loop is a stand-in, written from a description of what it does: each line as text, those with
`sasl_method=` split at blanks, the last word, the address in brackets, private addresses dropped, a set for each user.
It knows no time, no service and no failure, and reads Postfix alone. Look-ups are off on both sides.
"""

import contextlib
import ipaddress
import os
import re
import resource
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC
from pathlib import Path
from tempfile import TemporaryDirectory
from time import thread_time
from typing import Any, NamedTuple

from email_report_processor.logins.judge import Judge
from email_report_processor.logins.lines.scan import QUOTA_MESSAGES, Scanner
from email_report_processor.logins.options import LoginOptions
from email_report_processor.logins.parallel import Pool, seldom_garbage
from email_report_processor.logins.places import Places
from email_report_processor.logins.policy import Policy
from email_report_processor.logins.reading import Reader
from email_report_processor.logins.rules import Finding

from .logins_year import DAY, Theft, Year, systems

ACCOUNTS, DAYS, STOLEN = 1000, 90, 10  # `make bench`
LONG = (5000, 365, 20)  # python -m benchmarks logins-long: about 10 million lines
_ADDRESS = re.compile(r"\[(.*?)\]")
_TAKEN = 4 * DAY  # seconds within which a theft is to be found


class Databases:
    """Countries and systems of the generated addresses, as a database would have them."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self._known = {
            (one.first, one.second): {"source.geo.country_iso_code": one.country, "source.as.number": one.number}
            for group in systems().values()
            for one in group
        }

    @property
    def look_up(self) -> Callable[[str], Mapping[str, Any]]:
        """See LookUps."""
        return self._look_up

    def _look_up(self, address: str) -> Mapping[str, Any]:
        first, second, _, _ = address.split(".")
        return self._known.get((int(first), int(second)), {})


class Score(NamedTuple):
    """How well the rules did."""

    found: int
    missed: tuple[Theft, ...]
    false: int  # accounts and days with an alarm that nobody stole
    per_thousand: float  # of these, for 1,000 accounts and a month
    by_rule: Counter[str]


def write(path: Path, year: Year) -> int:
    """Write the log; how many lines it has."""
    lines = 0
    with path.open("wb", buffering=1024**2) as file:
        for text in year.lines():
            lines += text.count(b"\n")
            file.write(text)
    return lines


def old_tool(path: str) -> dict[str, set[str]]:
    """The stand-in."""
    found: dict[str, set[str]] = defaultdict(set)
    with open(path, encoding="utf-8") as file:
        for line in file:
            if "sasl_method=" in line:
                words = line.split()
                user = words.pop().split("sasl_username=")[-1]
                words.pop()
                match = _ADDRESS.search(words.pop())
                assert match is not None
                if not ipaddress.ip_address(match[1]).is_private:
                    found[user].add(match[1])
    return found


def ours(path: str) -> int:
    """Reading alone: lines to logins, one process."""
    return sum(1 for _ in Reader(Scanner(), UTC).logins([path]))


def judged(path: str) -> list[Finding]:
    """Reading and judging, as `logins read --dry-run` does on two cores."""
    seldom_garbage()
    options = LoginOptions()
    judge = Judge(options, Places(options, Databases()))
    with contextlib.closing(Pool(QUOTA_MESSAGES, UTC, 2)) as pool:
        logins = Reader(Scanner(), UTC, pool=pool).logins([path])
        return [finding for login in logins for finding in judge.judge(login)]


def score(year: Year, findings: list[Finding]) -> Score:
    """Alarms against what was stolen."""
    alarms = [finding for finding in findings if finding.severity == "alarm"]
    thefts = {theft.account: theft for theft in year.thefts}

    def right(finding: Finding) -> bool:
        theft = thefts.get(finding.account)
        return theft is not None and -1 < finding.time - theft.time < _TAKEN  # a log has microseconds

    found = {finding.account for finding in alarms if right(finding)}
    false = {(finding.account, int(finding.time // DAY)): finding.rule for finding in alarms if not right(finding)}
    missed = tuple(theft for theft in year.thefts if theft.account not in found)
    months = len(year.people) / 1000 * year.days / 30
    return Score(len(found), missed, len(false), len(false) / months, Counter(false.values()))


def timed(work: Callable[[str], Any], path: str) -> tuple[float, float, Any]:
    """Seconds of CPU of this process and of those that it ended, and the result."""
    before = os.times()
    result = work(path)
    after = os.times()
    return after[0] + after[1] - before[0] - before[1], after[2] + after[3] - before[2] - before[3], result


def decisions(number: int = 20_000) -> Iterator[float]:
    """Seconds of CPU that the policy takes for an answer, each; the accounts are those of a busy server."""
    options = LoginOptions()
    policy = Policy(options, Judge(options, Places(options, Databases())), (), lambda finding: None)
    for turn in range(number):
        request = (
            f"request=smtpd_access_policy\nprotocol_state=RCPT\ninstance=i{turn}\nsasl_method=PLAIN\n"
            f"sasl_username=user{turn % 5000}@example.org\nclient_address=20.{turn % 60}.{turn % 250}.7\n"
        )
        started = thread_time()
        policy.postfix(request.encode(), 1.7e9 + turn)
        yield thread_time() - started


def main(accounts: int = ACCOUNTS, days: int = DAYS, stolen: int = STOLEN) -> bool:
    """Run it and print the figures."""
    with TemporaryDirectory() as directory:
        path = Path(directory) / "mail.log"
        year = Year(accounts, days, stolen)
        lines = write(path, year)
        judging, scanning, findings = timed(judged, str(path))
        both = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        peak = max(resource.getrusage(who).ru_maxrss for who in both) / 1024  # before the old tool has all in memory
        alone, _, logins = timed(ours, str(path))
        old, _, _ = timed(old_tool, str(path))
    result = score(year, findings)
    slowest = sorted(decisions())
    speed = lines / max(judging, (judging + scanning) / 2)  # what two cores give that have nothing else to do
    median, late = slowest[len(slowest) // 2], slowest[-len(slowest) // 1000]
    false = f"{result.false} false alarms, {result.per_thousand:.2f} for 1,000 accounts and a month (≤ 1)"
    print(f"logins: {lines:,} lines, {logins:,} logins, {accounts:,} accounts, {days} days")
    print(f"  reading, one core       {lines / alone:12,.0f} lines/s of CPU")
    print(f"  the old tool's loop     {lines / old:12,.0f} lines/s of CPU: ours is {old / alone:.2f} ×")
    print(f"  read and judged         {speed:12,.0f} lines/s on two cores (≥ 200,000)")
    print(f"  largest process         {peak:12.0f} MiB (≤ 150)")
    print(f"  stolen accounts         {result.found} of {stolen} found; {false} {dict(result.by_rule)}")
    print(f"  one decision            {median * 1e6:.0f} µs, of 1,000 the slowest {late * 1e6:.0f} µs (≤ 1000)")
    sys.stdout.flush()
    return not result.missed and result.per_thousand <= 1 and late < 0.001 and peak <= 150 and speed >= 200_000
