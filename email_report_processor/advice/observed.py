"""What reports say of what a domain publishes: which SPF mechanisms and DKIM keys carried mail, and who is silent."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from typing import Any, NamedTuple

from ..checking.finding import Finding, failure, ok, warning
from ..checking.record import parse
from ..checking.resolver import Look
from ..checking.spf import check_host
from ..documents.senders import OURS, Senders, verdict
from ..pages import words
from ..pages.figure import Period
from ..stores.kinds import DATASET, Asked, Combined, sums
from ..stores.store import Question, Store
from ..values.domains import aligned
from . import observed_dkim, observed_spf
from .observed_spf import Carried

_LATE = 14  # days without a report before a reporter is called silent
_REGULAR = 10  # days with reports that make somebody a reporter to expect
_SHOWN = 5


class Seen(NamedTuple):
    """What the rows about a domain say."""

    carried: Carried
    signatures: observed_dkim.Signatures
    messages: int


def check_observed(
    domain: str, store: Store, period: Period, look: Look, senders: Senders | None, today: str
) -> Iterator[Finding]:
    """Everything about one domain (A-labels, lower case)."""
    seen = read(domain, sums(store, Asked(domain, period.since, period.until)), look, senders, today)
    yield from destinations(domain, store, period, look)
    yield from observed_spf.findings(domain, seen.carried, look)
    yield from observed_dkim.findings(domain, seen.signatures, _signatures(store, domain), look)
    yield from silent(domain, store, today)


def read(domain: str, rows: Iterable[Combined], look: Look, senders: Senders | None = None, today: str = "") -> Seen:
    """Add up what the rows say."""
    hosts: Counter[tuple[str, str]] = Counter()  # address and envelope domain -> messages, of what should pass
    signatures: observed_dkim.Signatures = {}
    messages = 0
    for one in rows:
        if one.address is None:
            continue
        messages += one.messages
        observed_dkim.count(signatures, one, domain)
        if _is_ours(one, senders, today):
            hosts[one.address, _envelope(one.fields, domain)] += one.messages
    return Seen(_carried(domain, hosts, look), signatures, messages)


def _is_ours(one: Combined, senders: Senders | None, today: str) -> bool:
    """Whether a row is mail that the site wants: what authenticates, its own hosts, and what a verdict says."""
    fields = one.fields
    passes = "pass" in {fields.get("policy_evaluated.dkim"), fields.get("policy_evaluated.spf")}
    if passes or fields.get("class") in {"own-misconfigured", "own-unaligned"}:
        return True
    found = verdict({**fields, "source.ip": one.address} if one.address else fields, senders, today)
    return found is not None and found.verdict in OURS


def _envelope(fields: Mapping[str, Any], domain: str) -> str:
    """The domain that SPF was checked for; '' where it is none of this organization."""
    for one in fields.get("auth_results.spf", ()):
        if one.get("scope") != "helo" and aligned(one.get("domain", ""), domain):
            return str(one["domain"])
    return ""


def _carried(domain: str, hosts: Counter[tuple[str, str]], look: Look) -> Carried:
    """The messages of each mechanism, by the records that the DNS has now."""
    terms: Counter[tuple[str, str]] = Counter()
    outside: Counter[str] = Counter()
    errors: dict[str, str] = {}
    void = 0
    for (address, envelope), messages in hosts.items():
        if not envelope or not address:
            continue
        outcome = check_host(address, envelope, look)
        void = max(void, outcome.void)
        terms.update(dict.fromkeys(outcome.path, messages) if outcome.result == "pass" else {})
        if outcome.result != "pass":
            outside[address] += messages
        if outcome.why:
            errors[address] = outcome.why
    return Carried(terms, outside, void, errors)


def _signatures(store: Store, domain: str) -> set[tuple[str, str]]:
    """Domain and selector of every signature that ever passed."""
    question = Question(DATASET, ("dkim.signatures",), where={"policy_published.domain": domain}, size=10_000)
    parts = (str(one.key[0] or "").split(" / ") for one in store.totals(question))
    return {(one[0], one[1]) for one in parts if len(one) == 3 and one[2] == "pass" and aligned(one[0], domain)}


# Who is silent


class _Kind(NamedTuple):
    """One kind of reports: where they are asked for, and where they are stored."""

    dataset: str
    field: str  # that names the domain
    record: str
    pattern: str  # of the record
    tag: str


_KINDS = (
    _Kind(DATASET, "policy_published.domain", "_dmarc", r"v\s*=\s*DMARC1", "rua"),
    _Kind("dmarc-failure", "feedback.reported_domain", "_dmarc", r"v\s*=\s*DMARC1", "ruf"),
    _Kind("smtp-tls", "policy.domain", "_smtp._tls", r"v\s*=\s*TLSRPTv1", "rua"),
)


def destinations(domain: str, store: Store, period: Period, look: Look) -> Iterator[Finding]:
    """Whether anything came from the addresses that the domain publishes for reports."""
    for kind in _KINDS:
        found = [text for text in look(f"{kind.record}.{domain}", "TXT").texts if re.match(kind.pattern, text)]
        addresses = parse(domain, found[0]).get(kind.tag) if found else ""
        if not addresses:
            continue
        question = Question(kind.dataset, (), (), {kind.field: domain}, period.since, period.until)
        number = sum(one.documents for one in store.totals(question))
        about = f"{domain} {kind.tag}"
        if number:
            yield ok(about, f"{addresses}: {words.count(number, 'document')} of {kind.dataset} in this time")
        elif kind.tag == "ruf":
            yield ok(about, f"{addresses}: no failure report came from it in this time; few receivers send any")
        else:
            remedy = "send a message there yourself, look at the log of the filter, and at --since"
            yield warning(about, f"{addresses}: nothing of {kind.dataset} came from it in this time", remedy)


def silent(domain: str, store: Store, today: str) -> Iterator[Finding]:
    """Reporters that came regularly and stopped."""
    about = f"{domain} reporters"
    question = Question(
        DATASET, ("report.org_name",), where={"policy_published.domain": domain}, every="day", size=1_000_000
    )
    days: dict[str, list[str]] = {}
    for one in store.totals(question):
        if one.key[0] and one.key[1]:
            days.setdefault(str(one.key[1]), []).append(str(one.key[0]))
    last = {name: max(some) for name, some in days.items() if len(some) >= _REGULAR}
    late = (date.fromisoformat(today) - timedelta(days=_LATE)).isoformat()
    gone = sorted((day, name) for name, day in last.items() if day < late)
    for day, name in gone[-_SHOWN:]:
        text = f"{words.plain(name, 80)} reported on {words.count(len(days[name]), 'day')}, and the last time on {day}"
        yield warning(about, text, "look whether its reports are kept or refused: email-report-admin kept")
    if len(gone) > _SHOWN:
        yield warning(about, f"and {len(gone) - _SHOWN} more that stopped earlier", "see above")
    if last and not gone:
        yield ok(about, f"none of {words.count(len(last), 'regular reporter')} is silent")
    if days and max(map(max, days.values())) < late:
        newest = max(map(max, days.values()))
        yield failure(about, f"nobody reported since {newest}", "look at rua, the mailbox, and the log of the filter")
