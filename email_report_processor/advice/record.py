"""The record that is tried: the one that receivers saw, with the tags that a person would change. Pure."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..checking.record import is_valid, parse

LEVELS = ("none", "quarantine", "reject")  # from lax to strict


_ELSEWHERE = frozenset({"v", "rua", "ruf", "fo"})  # of a whole record: they decide what is reported, and where


class Record(NamedTuple):
    """A DMARC record, as far as it decides what becomes of a message (RFC 9989 §4.7)."""

    domain: str
    p: str = "none"
    sp: str = ""  # '' follows p
    np: str = ""  # '' follows sp
    adkim: str = "r"
    aspf: str = "r"
    t: str = "n"

    @property
    def asks_what_exists(self) -> bool:
        """Whether subdomains that do not exist have a policy of their own."""
        return bool(self.np) and self.np != (self.sp or self.p)

    def text(self) -> str:
        """As it is published, without the addresses for reports."""
        tags = [f"{name}={getattr(self, name)}" for name in ("p", "sp", "np") if getattr(self, name)]
        tags += [f"{name}=s" for name in ("adkim", "aspf") if getattr(self, name) == "s"]
        return "; ".join(["v=DMARC1", *tags, *(["t=y"] if self.t == "y" else [])])


def observed(fields: Mapping[str, Any]) -> Record:
    """The record that a receiver saw, by what a row says of it; absent tags have their defaults."""

    def tag(name: str, default: str = "") -> str:
        return str(fields.get(f"policy_published.{name}") or default)

    testing = "y" if fields.get("policy_published.testing") else "n"
    return Record(tag("domain"), tag("p", "none"), tag("sp"), tag("np"), tag("adkim", "r"), tag("aspf", "r"), testing)


def tried(text: str, before: Record) -> Record:
    """The record before with the tags of `p=reject; adkim=s`. Raises ValueError, which names the tag."""
    policy = parse(before.domain, text)
    if policy.broken:
        raise ValueError(f"{policy.broken[0]!r} is no tag; write name=value, such as p=reject")
    after, seen = before, set[str]()
    for name, value in policy.tags:
        if name in seen:
            raise ValueError(f"{name} is there twice: such a record is none (RFC 6376 §3.2)")
        seen.add(name)
        if name in _ELSEWHERE:
            continue
        if name not in Record._fields or name == "domain":
            raise ValueError(f"{name} does not decide what becomes of a message; try p, sp, np, adkim, aspf or t")
        if not is_valid(policy, name, absent=False):
            raise ValueError(f"{name}={value} is no value of this tag (RFC 9989 §4.7)")
        after = after._replace(**{name: value.lower()})
    return after


def stricter(record: Record) -> Record | None:
    """The next step on the way: p=quarantine, then p=reject, then subdomains that do not exist; None at the end."""
    level = LEVELS.index(record.p) if record.p in LEVELS else 0
    if level < len(LEVELS) - 1:
        return record._replace(p=LEVELS[level + 1], t="n")
    if record.t == "y":
        return record._replace(t="n")
    if record.sp in LEVELS[:2]:
        return record._replace(sp="reject")
    return record._replace(np="reject") if record.np in LEVELS[:2] else None
