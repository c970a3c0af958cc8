"""What a check found: for `doctor` and `dns`, for people and for scripts."""

import json
from collections.abc import Generator, Iterable
from typing import Literal, NamedTuple

RESULTS = ("ok", "warning", "failure")  # the place of the worst is the exit status


class Finding(NamedTuple):
    """One line of a check."""

    result: Literal["ok", "warning", "failure"]
    about: str  # what was looked at: a word or two, the same in every version, for scripts
    text: str
    remedy: str = ""  # what to do, '' where nothing is to be done


def ok(about: str, text: str) -> Finding:
    """As it should be."""
    return Finding("ok", about, text)


def warning(about: str, text: str, remedy: str) -> Finding:
    """It works, and somebody should look."""
    return Finding("warning", about, text, remedy)


def failure(about: str, text: str, remedy: str) -> Finding:
    """It does not work."""
    return Finding("failure", about, text, remedy)


def status(findings: Iterable[Finding]) -> int:
    """0 when all is well, 1 with warnings, 2 with failures."""
    return max((RESULTS.index(finding.result) for finding in findings), default=0)


def passed_on(found: Iterable[Finding]) -> Generator[Finding, None, bool]:
    """The findings as they come; at their end whether there was no failure, so that going on makes sense."""
    well = True
    for one in found:
        well = well and one.result != "failure"
        yield one
    return well


def line(finding: Finding) -> str:
    """For people. The remedy stands below: it is often longer, and often to be copied."""
    remedy = "".join(f"\n         {part}" for part in finding.remedy.splitlines())
    return f"{finding.result:<8} {finding.about}: {finding.text}{remedy}"


def as_json(findings: Iterable[Finding]) -> str:
    """For scripts: a list of objects."""
    return json.dumps([finding._asdict() for finding in findings], ensure_ascii=False, indent=2)
