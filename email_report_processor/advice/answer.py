"""What a record would have cost, as a page: a sentence with numbers, what to do first, who, where and when."""

import shlex
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from datetime import date, timedelta

from ..pages import words
from ..pages.figure import Answer, Column, Figure, Fix, Host, Level, Page, Period
from ..pages.fixing import how
from .cost import FATES, Cost, Group

_SHOWN = 5  # hosts of one thing to do
_MOST = 8  # things of one fate
_TURN = {"lost": "fix", "unknown": "decide"}
_DRAWN = {"kept": "pass", "lost": "fix", "forwarded": "forwarded", "unknown": "other", "stopped": "stranger"}
_BROKEN = "It passes under the record of today: what is tried breaks it. Leave alignment or SPF as it is for this mail."
LEAST_DAYS = 14
LEAST_REPORTERS = 2
_FEW = 0.99  # of the mail that one reporter may report before it is said to move the answer alone


def page(cost: Cost, period: Period, store: str, made: str, absent: Container[str] | None = None) -> Page:
    """Everything about one record that was tried. absent: as of cost.Site."""
    record = cost.record
    return Page(
        f"{record.domain}: {record.text()}",
        store,
        record.domain,
        period,
        made,
        (verdict(cost), *_without_spf(cost), _stopped(cost), _way(cost, made, absent), confidence(cost, absent)),
        tuple(_fixes(cost)),
        (*_spf_gone(cost), _by_day(cost), _by_sender(cost), _by_reporter(cost)),
    )


def verdict(cost: Cost) -> Answer:
    """The answer itself."""
    lost, unknown, forwarded = (cost.fates[name] for name in ("lost", "unknown", "forwarded"))
    question = "What would it have lost?"
    if not cost.messages:
        there = "The reports" if cost.days else "There is no report"
        said = "in this time count no message" if cost.days else "in this time"
        return Answer(question, "-", f"{there} about {cost.record.domain} {said}: nothing can be said.")
    passed = f"Of {words.count(cost.messages, 'message')}, {words.number(cost.fates['kept'])} would still be delivered."
    if lost:
        text = f"{words.count(lost, 'message')} that you want would be lost: mend what stands below first."
        alone = [name for name, fates in cost.reporters.items() if fates["lost"]]
        if len(alone) == 1 and len(cost.reporters) > 1:
            text += f" {words.plain(alone[0], 80)} alone says so: it may be its fault."
        return Answer(question, words.number(lost), f"{passed} {text}", "bad")
    if unknown or cost.unsure:
        text = f"Nothing known to be wanted is lost, but nobody has said whose {words.count(unknown, 'message')} are."
        if cost.unsure:
            text += f" Of {words.count(cost.unsure, 'message')} the reporters left out what this takes."
        return Answer(question, f"≤ {words.number(unknown + cost.unsure)}", f"{passed} {text}", "warn")
    if forwarded:
        text = f"Nothing is lost but {words.count(forwarded, 'message')} that others passed on: no record saves them."
        return Answer(question, words.number(forwarded), f"{passed} {text}", "warn")
    if not is_safe(cost):
        return Answer(question, "0", f"{passed} Nothing of it is lost; but that is the word of one reporter.", "warn")
    return Answer(question, "0", f"{passed} It loses nothing.", _sure(cost))


def is_safe(cost: Cost) -> bool:
    """Whether it loses nothing, and more than one reporter says so; a record that asks for nothing cannot lose any."""
    asks = {cost.record.p, cost.record.sp or "none", cost.record.np or "none"} != {"none"}
    return cost.loses_nothing and (len(cost.reporters) >= LEAST_REPORTERS or not asks)


def _sure(cost: Cost) -> Level:
    return "ok" if not _doubts(cost) else "warn"


def _stopped(cost: Cost) -> Answer:
    stopped = cost.fates["stopped"]
    text = (
        f"{words.count(stopped, 'message')} of strangers that {words.verb(stopped, 'was')} delivered would be stopped."
    )
    refused = cost.fates["refused"]
    if refused:
        text += f" {words.count(refused, 'message')} {words.verb(refused, 'was')} refused already."
    ours = cost.refused_wanted.total()
    if ours:
        look = "looks" if ours == 1 else "look"
        text += f" {words.number(ours)} of those {look} like yours: see email-report-admin summary."
    return Answer("What would it have stopped?", words.number(stopped), text, "warn" if ours else "none")


def _without_spf(cost: Cost) -> Iterator[Answer]:
    """Whose SPF pass would go."""
    if cost.spf_gone:
        both, alone = (sum(one[dkim] for one in cost.spf_gone.values()) for dkim in (True, False))
        text = (
            f"{words.count(both + alone, 'message')} would no longer pass SPF. DKIM still passes for "
            f"{words.number(both)} of them; {words.number(alone)} would fail DMARC."
        )
        yield Answer("Which SPF passes would go?", words.number(both + alone), text, "bad" if alone else "warn")


def _spf_gone(cost: Cost) -> Iterator[Figure]:
    columns = (Column("Sender"), Column("DKIM still passes", "number", "pass"), Column("Fails DMARC", "number", "fix"))
    senders = sorted(cost.spf_gone.items(), key=lambda one: (-one[1][False], -one[1][True], one[0]))
    if senders:
        rows = tuple((name or "-", one[True], one[False]) for name, one in senders)
        yield Figure("spf-gone", "What would no longer pass SPF", columns, rows)


def _way(cost: Cost, made: str, absent: Container[str] | None) -> Answer:
    """The strictest record that loses nothing, and the step behind it."""
    question, found = "How strict can it be today?", cost.strictest(absent)
    if found is None:
        return Answer(question, "-", "Without reports nobody can say.")
    text = f"The strictest that loses nothing of this is {found.text()}, with your rua."
    in_the_way = cost.failing[cost.record.domain]
    if found.p != "reject" and in_the_way:
        text += f" {words.count(in_the_way, 'message')} {'keeps' if in_the_way == 1 else 'keep'} p from being stricter."
    if found.p == "none" and found.sp != "reject":
        text = "Nothing stricter than p=none loses nothing: mend and judge what stands below."
    elif found.p == "reject" and cost.record.p != "reject":
        text += " Publish it with p=quarantine first where you can wait: what is lost then can be found."
    later = date.fromisoformat(made[:10]) + timedelta(days=LEAST_DAYS)
    return Answer(question, f"p={found.p}", f"{text} Ask again on {later.isoformat()}.", "none")


def confidence(cost: Cost, absent: Container[str] | None = None) -> Answer:
    """How far the reports carry."""
    reporters = len(cost.reporters)
    text = f"{words.count(reporters, 'reporter')} on {words.count(len(cost.days), 'day')}."
    doubts = _doubts(cost)
    if absent is None and cost.record.asks_what_exists:
        doubts.append("Which subdomains exist is not known here: the stricter of sp and np was taken for each.")
    return Answer("How sure is that?", words.number(reporters), " ".join([text, *doubts]), "warn" if doubts else "ok")


def _doubts(cost: Cost) -> list[str]:
    """Why the answer may be another tomorrow."""
    doubts = []
    if len(cost.days) < LEAST_DAYS:
        doubts.append(f"Look at {LEAST_DAYS} days at least: what sends once a month is not seen yet.")
    if len(cost.reporters) < LEAST_REPORTERS:
        doubts.append("One reporter alone says all of this.")
    elif cost.messages:
        name, most = max(((one, counts.total()) for one, counts in cost.reporters.items()), key=lambda pair: pair[1])
        if most > _FEW * cost.messages:
            doubts.append(f"Nearly all of it is said by {words.plain(name, 80)} alone.")
    return doubts


def _fixes(cost: Cost) -> Iterator[Fix]:
    """What to mend and what to judge, the largest first."""
    for fate, turn in _TURN.items():
        groups = [(group, number) for group, number in cost.groups.most_common() if group.fate == fate and number]
        for group, number in groups[:_MOST]:
            yield _fix(cost, group, turn, number)


def _fix(cost: Cost, group: Group, turn: str, number: int) -> Fix:
    hosts = cost.addresses[group]
    evidence = f"{words.count(number, 'message')} of {words.count(len(hosts), 'host')}, {FATES[group.fate]}."
    advice = how(group.class_ or "spoof")
    if advice.startswith("Nothing"):  # it passes today
        advice = _BROKEN
    judged_by = (group.judged_by or group.sender) if group.fate == "unknown" else ""
    word, others = _WORDS["spoof" if group.class_ == "spoof" else ""]
    if judged_by:
        advice = f"Say whose it is, by the command below or with {others} in the place of {word}. {advice}"
    shown = tuple(Host(address or "-", "", messages) for address, messages in hosts.most_common(_SHOWN))
    return Fix(
        turn,
        group.class_ or "unknown",
        " · ".join(one for one in (group.sender, group.author) if one) or "-",
        number,
        len(hosts),
        len(cost.reporters),
        evidence,
        advice,
        shown,
        command=f"email-report-admin verdict {shlex.quote(judged_by)} {word}" if judged_by else "",
        judged_by=judged_by,
    )


_WORDS = {"spoof": ("stranger", "mine or service"), "": ("service", "mine, forwarder or stranger")}  # the likely one


def _columns(first: Column) -> tuple[Column, ...]:
    return (first, *(Column(name.capitalize(), "number", _DRAWN.get(name, "")) for name in FATES))


def _rows(counts: Iterable[tuple[str, Mapping[str, int]]]) -> tuple[tuple[str | int, ...], ...]:
    return tuple((name or "-", *(one.get(fate, 0) for fate in FATES)) for name, one in counts)


def _by_day(cost: Cost) -> Figure:
    columns = _columns(Column("Day", "day"))
    return Figure("cost-by-day", "By day", columns, _rows(sorted(cost.days.items())), chart="stack", empty=_NOTHING)


def _by_sender(cost: Cost) -> Figure:
    senders: dict[str, Counter[str]] = {}
    for group, number in cost.groups.items():
        senders.setdefault(group.sender, Counter())[group.fate] += number
    return Figure("cost-by-sender", "By sender", _columns(Column("Sender")), _rows(_worst(senders)), empty=_NOTHING)


def _by_reporter(cost: Cost) -> Figure:
    note = "Forwarded mail fails at the receiver that it was forwarded to: no record of yours changes that."
    rows = _rows(_worst(cost.reporters))
    return Figure("cost-by-reporter", "By reporter", _columns(Column("Reporter")), rows, note=note, empty=_NOTHING)


def _worst(counts: Mapping[str, Counter[str]]) -> list[tuple[str, Counter[str]]]:
    """What is lost first, then what is not known, then all."""
    some = ((name, fates) for name, fates in counts.items() if fates.total())  # a row may count no message
    return sorted(some, key=lambda one: (-one[1]["lost"], -one[1]["unknown"], -one[1].total(), one[0]))


_NOTHING = "No reports about this domain in this time."
