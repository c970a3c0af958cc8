"""The rules: one table, each with its threshold, its reason, and what it looks at."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import NamedTuple

from ..documents.senders import OURS
from ..pages import words
from ..stores.query import Text, field_of
from ..values.fields import write_date
from . import changes
from .event import Event
from .look import RECENT, Look, Sent

_DAYS = 28  # of what is compared with
_FORTNIGHT = 14  # days: who missed at most two of them came daily
_FEW_SPOOFS = 10  # messages a day that are always usual
_LEAST_JUDGED = 50  # messages below which a rate is chance
_LEAST_REPORTERS = 2  # one forger, and one reporter's mistake, move nothing
_NOTHING_DONE = frozenset({"mailing-list", "forwarded", "temperror"})
_EXPLAINED = frozenset({"mine", "service", "forwarder", "ignore"})  # verdicts on what is no spoof
_BROKEN = frozenset({"unreadable", "rejected", "failed", "unfinished"})  # categories of kept messages
_ENFORCED = 5  # so much sooner are failures told where they lose mail


class Rule(NamedTuple):
    """One line of the table."""

    name: str
    threshold: float  # default of [alerts] NAME; 0 switches the rule off
    unit: str  # of the threshold
    reason: str  # why this threshold
    find: Callable[[Look, float], Iterator[Event]]  # its docstring is what the rule means

    @property
    def meaning(self) -> str:
        """What the rule finds, in a sentence."""
        return (self.find.__doc__ or "").partition("\n")[0]


def wanted_fails(look: Look, least: float) -> Iterator[Event]:
    """Mail of senders that are mine or a service is not authenticated."""
    failed: Counter[tuple[str, str]] = Counter()
    for one in look.recent:
        if one.verdict in OURS and one.result == "fail" and one.class_ not in _NOTHING_DONE:
            failed[one.domain, one.sender or one.address] += one.messages
    for (domain, sender), messages in failed.items():
        if messages >= least:
            text = f"{words.count(messages, 'message')} of {_plain(sender)} for {_plain(domain)} failed authentication."
            do = f"Look at what to fix: email-report-admin summary --domain {_plain(domain)}"
            yield Event("wanted_fails", f"{domain} {sender}", "critical", text, do)


def pass_rate(look: Look, points: float) -> Iterator[Event]:
    """The pass rate of a domain drops against its own four weeks."""
    recent = {domain: now for domain, now in _by_domain(look.recent).items() if _may_have_dropped(now, points)}
    before = _by_domain(look.before(recent))
    for domain, now in recent.items():
        then = before.get(domain)
        if then is None or then.judged < _LEAST_JUDGED:
            continue
        drop = 100 * (then.rate - now.rate)
        if drop >= points and sum(then.rate - rate > points / 200 for rate in now.rates()) >= _LEAST_REPORTERS:
            rates = f"{words.share(now.rate)} passed, {words.share(then.rate)} in the four weeks before"
            do = f"email-report-admin summary --domain {_plain(domain)} --since 7d"
            yield Event("pass_rate", domain, "critical", f"{_plain(domain)}: {rates}.", do)


def _may_have_dropped(now: "_Rate", points: float) -> bool:
    """Whether there can be a rate from which it has dropped so far: none is above 100 %."""
    enough = now.judged >= _LEAST_JUDGED and len(now.lower) >= _LEAST_REPORTERS
    return enough and 100 * (1 - now.rate) >= points


def new_sender(look: Look, least: float) -> Iterator[Event]:
    """A sender that nobody has judged, that authenticates somehow, and was not there in four weeks."""
    seen: Counter[tuple[str, str]] = Counter()
    for one in look.recent:
        if one.sender and not one.verdict:
            seen[one.domain, one.sender] += one.messages
    many = {pair for pair, messages in seen.items() if messages >= least}
    new = many - look.known(many)
    old = look.old({domain for domain, _ in new})  # of a domain that is new itself, every sender is
    for (domain, sender), messages in seen.items():
        if (domain, sender) in new and domain in old:
            text = (
                f"{_plain(sender)} sends for {_plain(domain)}: {words.count(messages, 'message')}, never seen before."
            )
            do = f"Whose is it? email-report-admin verdict sender:{_plain(sender)!r} stranger (or service, mine)"
            yield Event("new_sender", f"{domain} {sender}", "warning", text, do, lasts=False)


def spoofing(look: Look, times: float) -> Iterator[Event]:
    """Spoofs of a domain are many times what they were on an average day, as two reporters see it."""
    now = {
        domain: reporters
        for domain, reporters in _spoofs(look.recent).items()
        if reporters.total() >= times * _FEW_SPOOFS and len(reporters) >= _LEAST_REPORTERS
    }
    then = _spoofs(look.before(now, Text(field_of("class"), ("spoof",))))
    for domain, reporters in now.items():
        before = then.get(domain, Counter())
        usual = max(before.total() / _DAYS, _FEW_SPOOFS)
        rising = [
            who for who, number in reporters.items() if number >= times / 2 * max(before[who] / _DAYS, _FEW_SPOOFS)
        ]
        if reporters.total() >= times * usual and len(rising) >= _LEAST_REPORTERS:
            many = words.count(reporters.total(), "message")
            text = f"{many} that claimed to be from {_plain(domain)} passed nothing; {usual:.0f} are usual."
            do = f"email-report-admin policy {_plain(domain)} --try p=reject"
            yield Event("spoofing", domain, "warning", text, do)


def _spoofs(sent: list[Sent]) -> dict[str, Counter[str]]:
    """Domain -> spoofs by reporter."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for one in sent:
        if one.class_ == "spoof" and one.verdict not in _EXPLAINED:
            found[one.domain][one.reporter] += one.messages
    return found


def tls_failures(look: Look, percent: float) -> Iterator[Event]:
    """TLS sessions of a domain fail: any for an expired certificate, a fifth as many where the policy is enforced."""
    expired, enforced = _expired(look), _enforced(look)
    for domain, (good, bad) in _sessions(look).items():
        at_once = domain in expired or domain in enforced
        least = 0 if domain in expired else percent / _ENFORCED if domain in enforced else percent
        if bad and 100 * bad >= least * (good + bad):
            why = " A certificate has expired." if domain in expired else ""
            lost = " The policy is enforced: this mail waits, or is returned." if domain in enforced else ""
            sessions = f"{words.number(bad)} of {words.count(good + bad, 'TLS session')}"
            text = f"{sessions} to {_plain(domain)} failed.{why}{lost}"
            query = f"dataset:smtp-tls policy.domain:{_plain(domain)} event.ingested:>=2d failure.result_type:*"
            do = f"email-report-admin search '{query}'"
            yield Event("tls_failures", domain, "critical" if at_once else "warning", text, do)


def _sessions(look: Look) -> dict[str, tuple[int, int]]:
    sums = ("sessions.successful", "sessions.failed")
    found = look.ask("smtp-tls", ("policy.domain",), look.now - RECENT, look.now, sums=sums)
    return {str(one.key[0]): (one.sums[0], one.sums[1]) for one in found if one.key[0]}


def _expired(look: Look) -> set[str]:
    by, sums = ("policy.domain", "failure.result_type"), ("failure.failed_session_count",)
    found = look.ask("smtp-tls", by, look.now - RECENT, look.now, sums=sums)
    return {str(one.key[0]) for one in found if one.key[1] == "certificate-expired" and one.sums[0]}


def _enforced(look: Look) -> set[str]:
    """Domains with failed sessions under an enforced MTA-STS policy."""
    by, sums = ("policy.domain", "policy.string"), ("sessions.failed",)
    found = look.ask("smtp-tls", by, look.now - RECENT, look.now, sums=sums)
    return {str(one.key[0]) for one in found if one.key[1] == "mode: enforce" and one.sums[0]}


def changed(look: Look, reporters: float) -> Iterator[Event]:
    """The published policy, a DKIM selector or an MTA-STS mode differs from the four weeks before, as reports say."""
    for domain, what, before, after in changes.found(look, int(reporters)):
        then, now = _plain(before) or "none", _plain(after) or "none"
        text = f"{_plain(domain)}: {what} went from {then} to {now}, say reporters."
        do = f"If that was not you, look at the DNS: email-report-admin journal {_plain(domain)}"
        yield Event("changed", f"{domain} {what} {before} {after}", "warning", text, do, lasts=False)


def silent_reporter(look: Look, days: float) -> Iterator[Event]:
    """A reporter that came daily is silent."""
    seen = _days_of_reporters(look)
    newest = sorted((max(one) for one in seen.values()), reverse=True)[:_LEAST_REPORTERS]
    for reporter, there in seen.items():
        last = max(there)
        fortnight = {last - timedelta(days=number) for number in range(_FORTNIGHT)}
        if (newest[-1] - last).days >= days and len(fortnight & there) >= _FORTNIGHT - 2:
            text = f"{_plain(reporter)} sent a report each day until {last}, and none since."
            do = "See that its mail arrives (the log of the mail server), and that your rua address is the one it uses."
            yield Event("silent_reporter", reporter, "warning", text, do)


def _days_of_reporters(look: Look) -> dict[str, set[date]]:
    """Reporter -> the days that its reports are about."""
    since = look.now - timedelta(days=_DAYS + _FORTNIGHT)
    seen: dict[str, set[date]] = defaultdict(set)
    for one in look.ask("report", ("report.org_name",), since, look.now, sums=(), every=True):
        day = date.fromisoformat(str(one.key[0]))
        if one.key[1] and day <= look.now.date():  # a clock may be wrong, and a report forged
            seen[str(one.key[1])].add(day)
    return seen


def unreadable(look: Look, least: float) -> Iterator[Event]:
    """Messages were kept because they could not be read or stored."""
    since = write_date(look.now - RECENT)
    found = [one for one in look.kept if one.category in _BROKEN and one.time >= since]
    if len(found) >= least:
        reasons = Counter(one.category for one in found)
        which = words.listed([f"{name} {number}" for name, number in reasons.most_common()])
        text = f"{words.count(len(found), 'message')} {words.verb(len(found), 'was')} kept within a day: {which}."
        yield Event("unreadable", "kept messages", "warning", text, "email-report-admin kept")


def store_stands_still(look: Look, hours: float) -> Iterator[Event]:
    """No report was stored for a day."""
    if _reports(look, timedelta(hours=hours)):
        return
    if not look.ever():
        do = "See the prefix of the indices, and that reports can arrive: email-report-admin doctor, then dns"
        yield Event("store_stands_still", "store", "warning", "No report was ever stored here.", do)
    else:
        text = f"No report was stored within {hours:.0f} hours."
        do = "See that mail arrives and what the filter logs: email-report-admin doctor"
        yield Event("store_stands_still", "store", "critical", text, do)


def _reports(look: Look, span: timedelta) -> int:
    return sum(one.documents for one in look.ask("report", (), look.now - span, look.now, sums=()))


def kept_full(look: Look, percent: float) -> Iterator[Event]:
    """The Maildir of kept messages is nearly full: then mail stays in the queue of the mail server."""
    number, size = len(look.kept), sum(one.size for one in look.kept)
    full = max(number / look.kept_most if look.kept_most else 0, size / look.kept_bytes if look.kept_bytes else 0)
    if 100 * full >= percent:
        what = f"{words.count(number, 'message')}, {size:,} bytes"
        text = f"The kept messages take {words.share(full)} of their room: {what}."
        yield Event("kept_full", "kept messages", "critical", text, "email-report-admin kept; remove what you know")


def sink_behind(look: Look, minutes: float) -> Iterator[Event]:
    """What is new in the store does not reach another store (`copy --follow`)."""
    for one in look.followers:
        late = one.lag(look.now)
        if late >= 60 * minutes:
            why = f" {_plain(one.trouble)}" if one.trouble else ""
            text = f"{_plain(one.target)} is {words.number(int(late / 60))} minutes behind {_plain(one.source)}.{why}"
            do = f"See that its copy --follow runs, and what it logs; remove {one.file} when nobody follows any more"
            yield Event("sink_behind", one.file, "critical", text, do)


class _Rate:
    """Pass and fail of one domain, by reporter."""

    def __init__(self) -> None:
        self.lower: defaultdict[str, Counter[str]] = defaultdict(Counter)

    @property
    def judged(self) -> int:
        return sum(counts.total() for counts in self.lower.values())

    @property
    def rate(self) -> float:
        return sum(counts["pass"] for counts in self.lower.values()) / max(self.judged, 1)

    def rates(self) -> list[float]:
        """Of each reporter."""
        return [counts["pass"] / counts.total() for counts in self.lower.values() if counts.total()]


def _by_domain(sent: list[Sent]) -> dict[str, _Rate]:
    """Without what others passed on, and without what strangers send: nobody here can do anything about either."""
    found: dict[str, _Rate] = defaultdict(_Rate)
    for one in sent:
        if one.result and one.class_ not in {*_NOTHING_DONE, "spoof"} and one.verdict not in {"stranger", "ignore"}:
            found[one.domain].lower[one.reporter][one.result] += one.messages
    return found


def _plain(text: str) -> str:
    """A stranger's name on one harmless line."""
    return words.plain(text, 80)


RULES: tuple[Rule, ...] = (
    Rule(
        "wanted_fails", 5, "messages a day", "Single messages fail when somebody changes them on the way.", wanted_fails
    ),
    Rule("pass_rate", 10, "points", "Days differ by some points from each other.", pass_rate),
    Rule("new_sender", 50, "messages a day", "A person who tries a service sends fewer.", new_sender),
    Rule("spoofing", 10, "times an average day", "Spoofs come in waves: three times is every week.", spoofing),
    Rule("tls_failures", 5, "percent of the sessions", "Some senders always fail.", tls_failures),
    Rule("changed", 2, "reporters", "One reporter alone may be forged or wrong.", changed),
    Rule("silent_reporter", 4, "days", "Reports are late by two or three days at times.", silent_reporter),
    Rule("unreadable", 5, "messages a day", "Junk comes to every public address.", unreadable),
    Rule("store_stands_still", 26, "hours", "Most reporters send once a day.", store_stands_still),
    Rule("sink_behind", 15, "minutes", "A target that restarts is away for some minutes.", sink_behind),
    Rule("kept_full", 80, "percent", "At 100 mail stays in the queue of the mail server.", kept_full),
)
