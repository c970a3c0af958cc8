"""What a record would have cost: each row's fate, and the sums of them. Pure.

The question is not how much mail passes but which wanted mail would be lost, and what nobody has judged yet.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any, NamedTuple

from ..documents.senders import OURS, Senders, verdict
from ..stores.kinds import Combined
from ..values.domains import aligned
from ..values.networks import tester
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
_WANTED = ("lost", "unknown", "forwarded")
_TOLD = frozenset({"lost", "unknown"})  # their hosts are told
_SURE = frozenset({"stopped", "refused", "ignored"})  # whatever the results were
_OWN_CLASSES = frozenset({"own-misconfigured", "own-unaligned"})
_PASSED_ON = frozenset({"forwarded", "mailing-list"})


class Group(NamedTuple):
    """Messages of one sender with one fate."""

    sender: str  # source.name, else the address
    fate: str  # a key of FATES
    class_: str
    author: str  # From domain
    judged_by: str  # of `unknown`: what a verdict names, as `email-report-admin verdict` takes it; '' the address


class Cost(NamedTuple):
    """The sums of all rows."""

    record: Record
    fates: Counter[str]
    groups: Counter[Group]
    reporters: dict[str, Counter[str]]  # reporter -> fates
    days: dict[str, Counter[str]]  # 2026-11-28 -> fates
    addresses: dict[Group, Counter[str]]  # hosts behind what is lost or unknown, with their messages
    unsure: int  # messages whose reporter left out what the judgement takes
    spf_gone: dict[str, Counter[bool]]  # sender -> messages that no longer pass SPF, by whether DKIM passes
    refused_wanted: Counter[str]  # sender -> messages that were refused, and look like wanted ones
    failing: Counter[str]  # From domain -> messages that keep a policy from being strict, were there one for it

    @property
    def messages(self) -> int:
        """All of them."""
        return self.fates.total()

    @property
    def loses_nothing(self) -> bool:
        """Whether nothing wanted would be lost, also none that others passed on, and nothing is left to judge."""
        wanted = sum(self.fates[name] for name in _WANTED)
        return self.messages > 0 and not (wanted or self.unsure)

    def strictest(self, absent: Container[str] | None = None) -> Record | None:
        """The strictest record with this alignment that loses nothing; None without messages. absent: as of Site."""
        if not self.messages:
            return None
        fails = {author for author, number in self.failing.items() if number} - {""}
        own = self.record.domain in fails
        others = fails - {self.record.domain}
        missing = any(absent is None or one in absent for one in others)  # each may be one, where nobody knows
        below = any(absent is None or one not in absent for one in others)
        p, sp, np = ("none" if one else "reject" for one in (own, below, missing))
        return self.record._replace(p=p, sp=sp if sp != p else "", np=np if np != sp else "", t="n")


class Site(NamedTuple):
    """What the site knows."""

    senders: Senders | None = None
    day: str = ""  # today, for verdicts that end
    absent: Container[str] | None = None  # names below the domain that do not exist; None: nobody knows which
    loses_spf: Callable[[str, str], bool] | None = None  # address and envelope domain: see judge


class _Found(NamedTuple):
    """What was found out about a kind of row at a host."""

    group: Group
    unsure: bool
    would_fail: bool  # under a policy, whatever it is that is tried
    judged: Judged
    wanted: bool  # refused, and as far as can be told mail of the site's own


class _Host:
    """What is added up for the rows of one kind at one host."""

    __slots__ = ("address", "days", "found", "messages", "reporters")

    def __init__(self, found: _Found, address: str, reporters: Counter[str], days: Counter[str]) -> None:
        self.found = found
        self.address = address
        self.messages = 0
        self.reporters = reporters  # of all that have its fate
        self.days = days


def reckon(rows: Iterable[Combined], record: Record, site: Site) -> Cost:
    """The cost over sums of rows: each kind is judged once for each of its hosts."""
    find = _Finder(record, site)
    kinds: dict[int, dict[str, _Host]] = {}
    reporters: dict[str, Counter[str]] = {fate: Counter() for fate in FATES}
    days: dict[str, Counter[str]] = {fate: Counter() for fate in FATES}
    hosts: dict[str, _Host] = {}
    number, last = -1, None
    for fields, address, reporter, day, messages, kind, like in rows:  # a million of them, so nothing is made for each
        if kind is None:
            kind, number = number, number - 1  # noqa: PLW2901  # a kind of its own
        if kind != last:
            hosts, last = kinds.setdefault(kind, {}), kind
        host = hosts.get(like if address is None else address)
        if host is None:
            name = like if address is None else address
            found = find(kind, fields, name)
            fate = found.group.fate
            host = hosts[name] = _Host(found, name, reporters[fate], days[fate])
        if address is not None:
            host.messages += messages
        if reporter is not None:
            host.reporters[reporter] += messages
        if day is not None:
            host.days[day] += messages
    cost = Cost(
        record,
        Counter(),
        Counter(),
        _by_name(reporters),
        _by_name(days),
        defaultdict(Counter),
        0,
        defaultdict(Counter),
        Counter(),
        Counter(),
    )
    return _summed(cost, [one for hosts in kinds.values() for one in hosts.values() if one.messages])


def _by_name(sums: Mapping[str, Mapping[str, int]]) -> dict[str, Counter[str]]:
    """Name -> fates."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for fate, messages in sums.items():
        for name, number in messages.items():
            found[name][fate] += number
    return found


def _summed(cost: Cost, hosts: Iterable[_Host]) -> Cost:
    """With what the hosts add up to."""
    sums: dict[
        int, tuple[_Found, int]
    ] = {}  # by identity: hosts of a kind have one and the same, but where verdicts differ
    for host in hosts:
        found, messages = host.found, host.messages
        sums[id(found)] = found, messages + sums.get(id(found), (found, 0))[1]
        if found.group.fate in _TOLD:
            cost.addresses[found.group][host.address] += messages
    unsure = 0
    for (group, is_unsure, would_fail, judged, wanted), messages in sums.values():
        cost.groups[group] += messages
        cost.fates[group.fate] += messages
        unsure += messages if is_unsure else 0
        if wanted:
            cost.refused_wanted[group.sender] += messages
        if judged.spf_gone:
            cost.spf_gone[group.sender][judged.dkim] += messages
        if would_fail:
            cost.failing[group.author] += messages
    return cost._replace(unsure=unsure)


class _Finder:
    """Judges each kind once, and each of its hosts where one host is not as good as another."""

    def __init__(self, record: Record, site: Site) -> None:
        self._record = record
        self._site = site
        self._is_named = tester(tuple(network for network, _ in site.senders.networks) if site.senders else ())
        self._kinds: dict[int, _Found] = {}

    def __call__(self, kind: int, fields: Mapping[str, Any], address: str) -> _Found:
        found = self._kinds.get(kind)
        if found is None:
            found = self._kinds[kind] = self._find(fields, "")
        if address:
            if self._site.loses_spf is not None:
                found = self._find(fields, address)
            elif self._is_named(address):
                found = self._found({**fields, "source.ip": address}, found.judged)
        if address and not found.group.sender:  # who has no name is called by the address
            found = found._replace(group=found.group._replace(sender=address))
        return found

    def _find(self, fields: Mapping[str, Any], address: str) -> _Found:
        fields = {**fields, "source.ip": address} if address else fields
        judged = judge(fields, self._record, absent=self._site.absent, loses_spf=self._site.loses_spf)
        return self._found(fields, judged)

    def _found(self, fields: Mapping[str, Any], judged: Judged) -> _Found:
        fate = fate_of(fields, judged, self._site)
        author = str(fields.get("identifiers.header_from") or self._record.domain)
        judged_by = _judged_by(fields) if fate == "unknown" else ""  # of others not every sum knows the network
        group = Group(_sender(fields), fate, str(fields.get("class", "")), author, judged_by)
        strict = judged._replace(policy="reject")
        then = fate if strict.does == judged.does else fate_of(fields, strict, self._site)
        would_fail = then in _WANTED or not (judged.passes or judged.sure_results or then in _SURE)
        wanted = fate == "refused" and _is_wanted(fields, self._site)
        return _Found(group, not (judged.sure or fate in _SURE), would_fail, judged, wanted)


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


def _is_wanted(fields: Mapping[str, Any], site: Site) -> bool:
    """Whether a row looks like mail of the site's own, by verdict, class or results."""
    said = verdict(fields, site.senders, site.day)
    if said is not None:
        return said.verdict in OURS
    return fields.get("class") in _OWN_CLASSES or _authenticates_as_ours(fields)


def _authenticates_as_ours(fields: Mapping[str, Any]) -> bool:
    """Whether a result passed for a domain of the From domain's organization: only strict alignment refuses it."""
    author = str(fields.get("identifiers.header_from", ""))
    results = [*fields.get("auth_results.dkim", ()), *fields.get("auth_results.spf", ())]
    return any(one.get("result") == "pass" and aligned(one.get("domain", ""), author) for one in results)


def _judged_by(fields: Mapping[str, Any]) -> str:
    """A verdict about `sender:` is about the name that documents have, which the name of a network is not."""
    if fields.get("source.name"):
        return f"sender:{fields['source.name']}"
    return f"AS{fields['source.as.number']}" if fields.get("source.as.number") else ""


def _sender(fields: Mapping[str, Any]) -> str:
    return str(fields.get("source.name") or fields.get("source.as.organization.name") or fields.get("source.ip", ""))
