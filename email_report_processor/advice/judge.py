"""A stored row judged again under another record (RFC 9989 §5.3). Pure.

Where the record that is tried asks for the alignment that the receiver saw, the receiver's own verdict counts: it knows
more than it reports. Else the verdict is worked out from the results.
"""

from collections.abc import Callable, Container, Mapping
from typing import Any, NamedTuple

from ..values.domains import aligned
from .record import LEVELS, Record, observed


class Judged(NamedTuple):
    """What a receiver that follows the record would have found and done."""

    dkim: bool
    spf: bool
    policy: str  # that holds for the From domain: none, quarantine or reject
    spf_gone: bool = False  # SPF passes now, and would no longer
    sure_results: bool = True  # False: the reporter left out the results that this takes

    @property
    def passes(self) -> bool:
        """Whether one identifier is authentic and aligned (RFC 9989 §5.3.5)."""
        return self.dkim or self.spf

    @property
    def sure(self) -> bool:
        """Whether more results would change nothing."""
        return self.passes or self.policy == "none" or self.sure_results

    @property
    def does(self) -> str:
        """What becomes of the message: none is delivered."""
        return "none" if self.passes else self.policy


def judge(
    fields: Mapping[str, Any],
    record: Record,
    *,
    absent: Container[str] | None = None,
    loses_spf: Callable[[str, str], bool] | None = None,
) -> Judged:
    """Judge one row.

    fields: flat, of a document of dmarc-aggregate. absent: names that do not exist in the DNS (RFC 9989 §3.2.13), for
    which np counts; None where nobody knows: then the stricter of sp and np counts. loses_spf: whether an address would
    no longer pass SPF for a domain, as a mechanism would be gone.
    """
    author = str(fields.get("identifiers.header_from") or fields.get("policy_published.domain", ""))
    before = observed(fields)
    dkim, sure_dkim = _verdict(fields, "dkim", author, record.adkim, before.adkim)
    spf, sure_spf = _verdict(fields, "spf", author, record.aspf, before.aspf)
    gone = False
    if spf and loses_spf is not None and _loses(fields, author, record.aspf, loses_spf):
        spf, gone = False, True
    return Judged(dkim, spf, applying(record, author, absent), gone, sure_dkim and sure_spf)


def _loses(fields: Mapping[str, Any], author: str, mode: str, loses_spf: Callable[[str, str], bool]) -> bool:
    """Whether each check that passed and is aligned would fail; without results, that of the From domain is meant."""
    passed = [domain for domain in _passed(fields, "spf") if aligned(domain, author, strict=mode == "s")] or [author]
    return all(loses_spf(str(fields.get("source.ip", "")), domain) for domain in passed)


def applying(record: Record, author: str, absent: Container[str] | None = None) -> str:
    """The policy for a From domain: p, sp or np, one level lower in test mode (RFC 9989 §4.7)."""
    below = record.sp or record.p
    missing = record.np or below
    if author == record.domain:
        level = _level(record.p)
    elif absent is None:
        level = max(_level(below), _level(missing))
    else:
        level = _level(missing if author in absent else below)
    return LEVELS[max(0, level - 1)] if record.t == "y" else LEVELS[level]


def _level(policy: str) -> int:
    return LEVELS.index(policy) if policy in LEVELS else 0


def _verdict(fields: Mapping[str, Any], method: str, author: str, mode: str, before: str) -> tuple[bool, bool]:
    """Whether a method passes under a mode of alignment, and whether that is sure."""
    said = fields.get(f"policy_evaluated.{method}")
    if mode == before and said in {"pass", "fail"}:
        return said == "pass", True
    passed = _passed(fields, method)
    if any(aligned(domain, author, strict=mode == "s") for domain in passed):
        return True, True
    return False, said != "pass" or bool(passed)


def _passed(fields: Mapping[str, Any], method: str) -> list[str]:
    """The domains of checks that passed; that of HELO never counts (RFC 9989 §4.3)."""
    results = fields.get(f"auth_results.{method}", ())
    return [one.get("domain", "") for one in results if one.get("result") == "pass" and one.get("scope") != "helo"]
