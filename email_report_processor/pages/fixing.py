"""What to fix: ranked, each with its evidence, how to do it, and the DNS record to paste.

First what is, or may be, our own and fails: a strict policy loses it. What no record can mend comes last.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from ..documents.classify import AGGREGATE_RULES, CLASSES, RAW
from ..stores.query import And, Node, Not, Or, Text, among, field_of
from ..stores.store import Store, Total
from ..stores.totals import largest
from . import words
from .asking import DOMAIN, Scope, ask
from .figure import Fix, Host, Record
from .lanes import Begin, in_turn

_DATASET = "dmarc-aggregate"
_SHOWN = 5  # hosts of one thing to fix
_MOST = 8  # things of one class; the others are one more

# How soon, in the order of the page, and its heading.
TURNS: Mapping[str, str] = {
    "fix": "To fix: a strict policy loses this mail",
    "decide": "To judge: is it yours?",
    "improve": "To make safer: passes today by one of SPF and DKIM alone",
    "watch": "To watch",
    "none": "Nothing to do",
}
_TURN = {
    "own-unaligned": "fix",
    "own-misconfigured": "fix",
    "broken-signature": "fix",
    "third-party-unaligned": "fix",
    "spoof": "decide",
    "aligned-spf-only": "improve",
    "temperror": "watch",
}
# Rules whose advice is not that of their class, and those of them that are not as urgent as their class either.
_OTHERWISE = {rule.name: rule for rule in AGGREGATE_RULES if rule.do}
_TURN_OF_RULE = {"A2t": "watch", "A3t": "watch", "A3n": "improve"}
# Classes of mail that is not authenticated, in the order in which they are stacked.
FAILING = (
    "own-unaligned",
    "own-misconfigured",
    "broken-signature",
    "third-party-unaligned",
    "mailing-list",
    "forwarded",
    "temperror",
    "spoof",
)
_STRICTEST = (
    "Reject is published already: there is nothing stricter. If you know a source, set up SPF and DKIM for it; what"
    " strangers send is refused by receivers that follow the policy."
)
# One thing to fix is one domain and, beside it, one value of this field: whose record it is, or which service.
_BESIDE = {
    "own-misconfigured": "identifiers.header_from",
    "broken-signature": "identifiers.header_from",
    "third-party-unaligned": "source.name",
    "aligned-spf-only": "source.name",
}
_LOST = frozenset({"fix", "decide"})  # turns of mail that is refused, or would be
_REFUSED = {"reject": "rejected", "quarantine": "put into quarantine"}
_SIGNED = frozenset({"broken-signature", "third-party-unaligned"})  # their signatures name the record

_HOW = {
    "own-misconfigured": "Have these hosts sign with DKIM for the domain in From, or send through a server that signs;"
    " and add them to its SPF record.",
    "broken-signature": "See that the record of the selector is published whole and holds the key that signs. Where"
    " only some hosts fail, a gateway or a footer changes mail after it was signed.",
    "third-party-unaligned": "If this is a service of yours, have it sign with DKIM for your domain and publish what it"
    " names: most ask for the record below. If nobody in the house knows it, treat it as spoof.",
    "aligned-spf-only": "Sign this mail with DKIM for the domain in From: SPF alone breaks as soon as it is forwarded.",
    "spoof": "If you know a source, set up SPF and DKIM for it. When only strangers are left and nothing stands above,"
    " a stricter policy stops them.",
    "temperror": "Nothing once. If it goes on, look at your DNS servers: look-ups of receivers failed.",
}


def turn_of(class_: str) -> str:
    """How soon a class asks for something: a key of TURNS."""
    return _TURN.get(class_, "none")


def how(class_: str) -> str:
    """What to do about a class."""
    return _HOW.get(class_) or (CLASSES[class_].do if class_ in CLASSES else "")


def rank(fix: Fix) -> tuple[int, bool, int, str]:
    """The key of the order: how soon, then the most messages; what is told together comes last."""
    return list(TURNS).index(fix.turn), fix.things > 1, -fix.messages, fix.subject


class _Sort(NamedTuple):
    """Mail about which the same is advised: of a class, but for what rules of it that advise otherwise have found."""

    class_: str
    rule: str = ""  # '' what the class advises

    @property
    def turn(self) -> str:
        """A key of TURNS."""
        return _TURN_OF_RULE.get(self.rule, turn_of(self.class_))

    @property
    def what(self) -> str:
        """What it is."""
        return _OTHERWISE[self.rule].when.replace("`", "") if self.rule else words.what(self.class_)

    @property
    def how(self) -> str:
        """What to do about it."""
        return _OTHERWISE[self.rule].do if self.rule else how(self.class_)


def fixes(
    store: Store,
    scope: Scope,
    messages: Mapping[tuple[str, str], int],
    seen: list[Total],
    begin: Begin = in_turn,
) -> tuple[Fix, ...]:
    """Everything that calls for something, and what does not.

    messages: by class and rule. seen: the policies that receivers saw, see `sources.seen`.
    """
    counts: Counter[_Sort] = Counter()
    for (class_, rule), number in messages.items():
        counts[_sort(class_, rule)] += number
    strictness = published(seen)
    open_ = [sort for sort in counts if sort.turn != "none"]
    begun = [begin(partial(_of_sort, store, scope, sort, strictness)) for sort in open_]
    found = [fix for some in begun for fix in some()]
    found += [_nothing(sort, counts[sort]) for sort in counts if sort.turn == "none" and sort.class_ in CLASSES]
    return tuple(sorted((fix for fix in found if fix.messages), key=rank))  # a row may count no message


def _sort(class_: str, name: str) -> _Sort:
    """Of a row, by its `class` and `class_rule`."""
    rule = _OTHERWISE.get(name.removesuffix(RAW))
    return _Sort(class_, rule.name if rule and rule.class_ == class_ else "")


def _ask(store: Store, scope: Scope, sort: _Sort, by: tuple[str, ...], *nodes: Node) -> list[Total]:
    """The groups of a sort, the largest first. nodes: what else must hold."""
    others = [name for name, one in _OTHERWISE.items() if one.class_ == sort.class_]
    rules = [_named([sort.rule])] if sort.rule else [Not(_named(others))] if others else []
    node = And((*rules, *nodes)) if rules or nodes else None
    return ask(store, scope, _DATASET, by, where={"class": sort.class_}, node=node)


def _named(names: Iterable[str]) -> Node:
    """That one of these rules made the class."""
    return Or(tuple(Text(field_of("class_rule"), (name + more,)) for name in names for more in ("", RAW)))


def _nothing(sort: _Sort, messages: int) -> Fix:
    return Fix("none", sort.class_, sort.class_, messages, 0, 0, sort.what, sort.how)


class _Found(NamedTuple):
    """Evidence about one class; the keys begin with the domain and, where it matters, the sender."""

    size: int  # how many values of a key these are
    hosts: list[Total]  # and address, network
    reporters: list[Total]  # and reporter
    authors: list[Total]  # and From domain
    signatures: list[Total]  # and `domain / selector / result`
    refused: Mapping[tuple[Any, ...], dict[str, int]]  # messages that were rejected, quarantined already
    published: Mapping[str, tuple[str, str]]  # p and sp that receivers saw last, by domain

    def of(self, groups: list[Total], key: tuple[Any, ...]) -> list[Total]:
        """Those of one thing."""
        return [one for one in groups if one.key[: self.size] == key]


def _of_sort(store: Store, scope: Scope, sort: _Sort, strictness: Mapping[str, tuple[str, str]]) -> list[Fix]:
    most = min(_MOST, scope.top)
    things = _ask(store, scope, sort, _who(sort))
    found = _look(store, scope, sort, things[:most], strictness)
    made = [_fix(sort, thing, found, min(_SHOWN, scope.top)) for thing in things[:most]]
    return made + _rest(sort, things[most:])


def _who(sort: _Sort) -> tuple[str, ...]:
    """The fields of which each combination of values is one thing to fix."""
    return (DOMAIN[_DATASET], *((_BESIDE[sort.class_],) if sort.class_ in _BESIDE else ()))


def _look(
    store: Store, scope: Scope, sort: _Sort, things: list[Total], strictness: Mapping[str, tuple[str, str]]
) -> _Found:
    """Evidence about the things that are shown, and about no others."""
    who = _who(sort)
    about = And(tuple(among(name, (thing.key[number] for thing in things)) for number, name in enumerate(who)))

    def by(*fields: str) -> list[Total]:
        return _ask(store, scope, sort, (*who, *fields), about)

    authors = by("identifiers.header_from", "policy_evaluated.disposition")
    return _Found(
        len(who),
        by("source.ip", "source.as.organization.name"),
        by("report.org_name"),
        _without_last(authors),
        by("dkim.signatures") if sort.class_ in _SIGNED else [],
        _refused(authors, len(who)) if sort.turn in _LOST else {},
        strictness if sort.class_ == "spoof" else {},
    )


def _without_last(groups: list[Total]) -> list[Total]:
    """The groups by all values of their keys but the last, the largest first."""
    sums: Counter[tuple[Any, ...]] = Counter()
    for one in groups:
        sums[one.key[:-1]] += one.sums[0]
    return largest((Total(key, 0, (number,)) for key, number in sums.items()), len(sums))


def _refused(groups: list[Total], size: int) -> dict[tuple[Any, ...], dict[str, int]]:
    found: dict[tuple[Any, ...], dict[str, int]] = {}
    for one in groups:
        if one.key[-1] in _REFUSED:
            counts = found.setdefault(one.key[:size], {})
            counts[one.key[-1]] = counts.get(one.key[-1], 0) + one.sums[0]
    return found


def published(seen: list[Total]) -> dict[str, tuple[str, str]]:
    """p and sp of each domain as the receivers of its last day saw them, the most messages of that day.

    seen: by day, domain, p, sp and what else of the policy.
    """
    sums: Counter[tuple[str, str | None, str | None, str | None]] = Counter()
    for one in seen:
        day, domain, p, sp = one.key[:4]
        sums[day, domain, p, sp] += one.sums[0]
    ordered = sorted(sums, key=lambda key: (key[0], sums[key]))
    return {domain or "": (p or "", sp or "") for _, domain, p, sp in ordered}


def _fix(sort: _Sort, thing: Total, found: _Found, most: int) -> Fix:
    hosts = [Host(one.key[-2] or "-", one.key[-1] or "", one.sums[0]) for one in found.of(found.hosts, thing.key)]
    authors = [str(one.key[-1]) for one in found.of(found.authors, thing.key) if one.key[-1]]
    signatures = [str(one.key[-1]) for one in found.of(found.signatures, thing.key) if one.key[-1]]
    domain, beside = thing.key[0] or "", "".join(thing.key[1:]) if all(thing.key[1:]) else ""
    shown = tuple(hosts[:most])
    step = stricter(*found.published.get(domain, ("", "")))
    made = Fix(
        sort.turn,
        sort.class_,
        _subject(domain, beside),
        thing.sums[0],
        len({one.address for one in hosts} - {"-"}),
        len({one.key[-1] for one in found.of(found.reporters, thing.key)} - {None}),
        evidence="",
        how=sort.how if sort.class_ != "spoof" or step else _STRICTEST,
        shown=shown,
        records=tuple(_records(sort, _place(domain, authors), beside, shown, signatures, step, _place(domain, []))),
    )
    evidence = _evidence(made, authors, sort.what) + _lost(found.refused.get(thing.key, {}))
    return made._replace(evidence=evidence)


def _subject(domain: str, beside: str) -> str:
    """`crm.example for example.org`; a name within the domain says enough."""
    if beside == domain or beside.endswith(f".{domain}"):
        return beside or "-"
    return f"{beside} for {domain}" if beside else domain


def _evidence(fix: Fix, authors: list[str], what: str) -> str:
    """`1,177 messages of 1 host, seen by 4 reporters, with billing.example.org in From. SPF or DKIM passes, …`."""
    seen = f", seen by {words.count(fix.reporters, 'reporter')}"
    name = f", with {words.listed([words.plain(one, 80) for one in authors], 3)} in From" if authors else ""
    some = f"{words.count(fix.messages, 'message')} of {words.count(fix.hosts, 'host')}"
    return f"{some}{seen}{name}. {what}"


def _lost(refused: Mapping[str, int]) -> str:
    """` Already 300 messages were rejected and 20 put into quarantine.`; '' for none."""
    said = [
        (words.count(number, "message") if first else words.number(number))
        + f" {words.verb(number, 'was')} {_REFUSED[name]}"
        for first, (name, number) in zip((True, False), sorted(refused.items(), reverse=True), strict=False)
    ]
    return f" Already {' and '.join(said)}." if said else ""


def _rest(sort: _Sort, things: list[Total]) -> list[Fix]:
    if not things:
        return []
    messages = sum(one.sums[0] for one in things)
    evidence = f"{words.count(messages, 'message')} of {words.count(len(things), 'sender')}."
    name = f"{len(things):,} more"
    return [Fix(sort.turn, sort.class_, name, messages, 0, 0, evidence, sort.how, things=len(things))]


# Records. From domains and selectors are a stranger's to choose: nothing else than a name gets into one.

_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?\Z")
_SELECTOR = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9_])?\Z")


def _place(domain: str, authors: list[str]) -> str:
    """The name that a record is for: the first From domain within the policy's domain, else that; '' for no name."""
    inside = (one for one in authors if one == domain or one.endswith(f".{domain}"))
    return next((one for one in inside if _NAME.match(one)), domain if _NAME.match(domain) else "")


_RECORDS_OF = {"A2s": "own-unaligned"}  # rule -> the class whose records are advised


def _records(
    sort: _Sort, author: str, service: str, hosts: Iterable[Host], signatures: Iterable[str], step: str, domain: str
) -> Iterator[Record]:
    """None for a rule that advises otherwise than its class, unless the advice is a record."""
    class_ = _RECORDS_OF.get(sort.rule, "") if sort.rule else sort.class_
    if not author:
        return
    selector = next(_selectors(signatures), "SELECTOR")
    key = Record(f"{selector}._domainkey.{author}", "TXT", "v=DKIM1; k=rsa; p=…", "the public key that signs")
    if class_ == "own-misconfigured":
        yield _spf(author, hosts)
    if class_ in {"own-misconfigured", "aligned-spf-only", "broken-signature"}:
        yield key
    if class_ == "third-party-unaligned" and _NAME.match(service):
        target = f"{selector}._domainkey.{service}."
        yield key._replace(type="CNAME", text=target, note="the service says which names and which targets")
    if class_ == "own-unaligned":
        note = "the record of today with relaxed alignment"
        yield Record(f"_dmarc.{author}", "TXT", "v=DMARC1; p=…; adkim=r; aspf=r; rua=mailto:…", note)
    if class_ == "spoof" and step and domain:
        note = "the record of today, one step stricter than what receivers saw last"
        note += "" if step.endswith("reject") else "; after some weeks p=reject"
        yield Record(f"_dmarc.{domain}", "TXT", f"v=DMARC1; {step}; rua=mailto:…", note)


_STEP = {"none": "quarantine", "quarantine": "reject"}


def stricter(p: str, sp: str) -> str:
    """The policy after the one that is published; '' where nothing is stricter. sp binds names below the domain."""
    if p != "reject":
        return f"p={_STEP.get(p, 'quarantine')}"
    return f"p=reject; sp={_STEP[sp]}" if sp in _STEP else ""


def _spf(author: str, hosts: Iterable[Host]) -> Record:
    known = (host.address for host in hosts if host.address != "-")
    mechanisms = " ".join(f"{'ip6' if ':' in address else 'ip4'}:{address}" for address in known)
    return Record(author, "TXT", f"v=spf1 … {mechanisms} ~all", "what the record says today stands in place of …")


def _selectors(signatures: Iterable[str]) -> Iterator[str]:
    """The selectors of texts such as `example.org / 2026a / fail`."""
    for one in signatures:
        parts = one.split(" / ")
        if len(parts) == 3 and _SELECTOR.match(parts[1]):
            yield parts[1]
