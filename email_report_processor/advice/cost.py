"""What a record would have cost: each row's fate, and the sums of them. Pure.

The question is not how much mail passes but which wanted mail would be lost, and what nobody has judged yet.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

from ..documents.senders import OURS, Senders, verdict
from ..values.domains import aligned
from .judge import Judged, judge
from .record import Record

# Fates of what the receiver delivered, in the order in which a person reads them.
FATES = {
    "kept": "delivered, and would still be",
    "lost": "wanted, and would be lost",
    "forwarded": "forwarded or from a list: no record saves it at this receiver",
    "unknown": "nobody has said whose they are",
    "stopped": "of strangers, and would be stopped",
    "ignored": "not looked at, as a verdict says",
    "refused": "was not delivered already",
}
_OWN_CLASSES = frozenset({"own-misconfigured", "own-unaligned"})
_PASSED_ON = frozenset({"forwarded", "mailing-list"})


class Group(NamedTuple):
    """Messages of one sender with one fate."""

    sender: str  # source.name, else the address
    fate: str  # a key of FATES
    class_: str
    author: str  # From domain


class Cost(NamedTuple):
    """The sums of all rows."""

    record: Record
    fates: Counter[str]
    groups: Counter[Group]
    reporters: dict[str, Counter[str]]  # reporter -> fates
    days: dict[str, Counter[str]]  # 2026-11-28 -> fates
    addresses: dict[Group, Counter[str]]  # hosts behind what is lost or unknown, with their messages
    unsure: int  # messages whose reporter left out what the judgement takes

    @property
    def messages(self) -> int:
        """All of them."""
        return self.fates.total()

    @property
    def loses_nothing(self) -> bool:
        """Whether nothing wanted would be lost, also none that others passed on, and nothing is left to judge."""
        wanted = sum(self.fates[name] for name in ("lost", "unknown", "forwarded"))
        return self.messages > 0 and not (wanted or self.unsure)


class Site(NamedTuple):
    """What the site knows."""

    senders: Senders | None = None
    day: str = ""  # today, for verdicts that end
    absent: Collection[str] = ()  # names below the domain that do not exist
    loses_spf: Callable[[str], bool] = lambda address: False


def reckon(rows: Iterable[Mapping[str, Any]], record: Record, site: Site) -> Cost:
    """The cost over flat documents of dmarc-aggregate."""
    cost = Cost(record, Counter(), Counter(), defaultdict(Counter), defaultdict(Counter), defaultdict(Counter), 0)
    unsure = 0
    for fields in rows:
        count = fields.get("count", 0)
        judged = judge(fields, record, absent=site.absent, loses_spf=site.loses_spf)
        fate = fate_of(fields, judged, site)
        group = Group(
            _sender(fields), fate, str(fields.get("class", "")), str(fields.get("identifiers.header_from", ""))
        )
        cost.fates[fate] += count
        cost.groups[group] += count
        cost.reporters[str(fields.get("report.org_name", ""))][fate] += count
        cost.days[str(fields.get("@timestamp", ""))[:10]][fate] += count
        if fate in {"lost", "unknown"}:
            cost.addresses[group][str(fields.get("source.ip", ""))] += count
        unsure += 0 if judged.sure or fate in {"stopped", "refused", "ignored"} else count
    return cost._replace(unsure=unsure)


def fate_of(fields: Mapping[str, Any], judged: Judged, site: Site) -> str:
    """What would have become of a row, a key of FATES."""
    if fields.get("policy_evaluated.disposition") in {"quarantine", "reject"}:
        return "refused"
    if judged.does == "none":
        return "kept"
    said = verdict(fields, site.senders, site.day)
    word = said.verdict if said is not None else ""
    class_ = fields.get("class", "")
    if word in OURS:
        return "lost"
    if word:
        return {"stranger": "stopped", "forwarder": "forwarded", "ignore": "ignored"}[word]
    if class_ in _OWN_CLASSES or _authenticates_as_ours(fields):
        return "lost"
    return "forwarded" if class_ in _PASSED_ON else "unknown"


def _authenticates_as_ours(fields: Mapping[str, Any]) -> bool:
    """Whether a result passed for a domain of the From domain's organization: only strict alignment refuses it."""
    author = str(fields.get("identifiers.header_from", ""))
    results = [*fields.get("auth_results.dkim", ()), *fields.get("auth_results.spf", ())]
    return any(one.get("result") == "pass" and aligned(one.get("domain", ""), author) for one in results)


def _sender(fields: Mapping[str, Any]) -> str:
    return str(fields.get("source.name") or fields.get("source.as.organization.name") or fields.get("source.ip", ""))
