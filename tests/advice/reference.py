"""A judge of messages written from RFC 9989 alone, slow and plain: what the quick one is held against.

It knows what the DNS has: names -> DMARC records as dicts of tags; names that exist.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

DNS = Mapping[str, Mapping[str, str]]
LEVELS = ["none", "quarantine", "reject"]


class Result(NamedTuple):
    """One result of DKIM or SPF."""

    domain: str
    result: str


class Outcome(NamedTuple):
    dkim: bool
    spf: bool
    policy: str


def tree_walk(name: str, dns: DNS) -> list[str]:
    """RFC 9989 §4.10: names with a record, from the name itself upwards, eight queries at the most."""
    found = []
    labels = name.split(".")
    if len(labels) >= 8:
        places = [labels, *(labels[-length:] for length in range(7, 0, -1))]
    else:
        places = [labels[number:] for number in range(len(labels))]
    for place in places:
        there = ".".join(place)
        if there in dns:
            found.append(there)
            if dns[there].get("psd") in {"y", "n"}:
                break
    return found


def organizational_domain(name: str, dns: DNS) -> str:
    """RFC 9989 §4.10.2."""
    found = tree_walk(name, dns)
    for there in found:
        if dns[there].get("psd") == "n":
            return there
        if dns[there].get("psd") == "y" and there != name:
            labels = name.split(".")
            return ".".join(labels[-(len(there.split(".")) + 1) :])
    return min(found, key=lambda there: len(there.split("."))) if found else name


def is_aligned(one: str, author: str, mode: str, dns: DNS) -> bool:
    """RFC 9989 §5.3.4."""
    if mode == "s":
        return one == author
    return one == author or organizational_domain(one, dns) == organizational_domain(author, dns)


def judge(author: str, dkim: Sequence[Result], spf: Sequence[Result], dns: DNS, exists: frozenset[str]) -> Outcome:
    """RFC 9989 §5.3: the record of the author domain, else of its organizational domain, and what it says."""
    place = author if author in dns else organizational_domain(author, dns)
    record = dns[place]
    dkim_passes = any(
        one.result == "pass" and is_aligned(one.domain, author, record.get("adkim", "r"), dns) for one in dkim
    )
    spf_passes = any(
        one.result == "pass" and is_aligned(one.domain, author, record.get("aspf", "r"), dns) for one in spf
    )
    policy = record["p"]
    if author != place:
        policy = record.get("sp", policy)
        if author not in exists:
            policy = record.get("np", policy)
    if record.get("t") == "y":
        policy = LEVELS[max(0, LEVELS.index(policy) - 1)]
    return Outcome(dkim_passes, spf_passes, policy)


def as_row(
    author: str, dkim: Sequence[Result], spf: Sequence[Result], seen: Outcome, record: Mapping[str, str]
) -> dict[str, Any]:
    """What a careful receiver reports of it, as a flat document."""
    published: dict[str, Any] = {f"policy_published.{name}": value for name, value in record.items() if name != "t"}
    if "t" in record:
        published["policy_published.testing"] = record["t"] == "y"
    return published | {
        "policy_published.domain": "example.org",
        "identifiers.header_from": author,
        "policy_evaluated.dkim": "pass" if seen.dkim else "fail",
        "policy_evaluated.spf": "pass" if seen.spf else "fail",
        "policy_evaluated.disposition": "none" if seen.dkim or seen.spf else seen.policy,
        "auth_results.dkim": [one._asdict() for one in dkim],
        "auth_results.spf": [{**one._asdict(), "scope": "mfrom"} for one in spf],
    }
