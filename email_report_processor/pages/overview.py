"""The page that answers: is my mail authenticated, who sends in my name, what do I have to fix?"""

import sys
from collections.abc import Iterable

from ..stores.kept import Kept
from ..stores.store import Store
from . import failures, fixing, intake, mail, sources, tls, versions, words
from .asking import DOMAIN, Scope, ask, cut, forged, future, until_now
from .figure import Answer, Figure, Fix, Level, Page, Period
from .lanes import lanes


def overview(store: Store, scope: Scope, kept: Iterable[Kept], made: str) -> Page:
    """Ask a store everything. `kept` are the kept messages, `made` is now (RFC 3339). Raises StoreError."""
    asked, scope = scope, until_now(store, scope, made)
    with lanes(store) as begin:
        counted = begin(lambda: mail.read(store, scope))
        seen = begin(lambda: sources.seen(store, scope))
        sending = begin(lambda: sources.senders(store, scope._replace(top=sys.maxsize), scope.top))
        hosts = begin(lambda: sources.hosts(store, scope))
        places = begin(lambda: sources.places(store, scope))
        told = begin(lambda: tls.read(store, scope))
        failed = begin(lambda: failures.read(store, scope))
        reporting = begin(lambda: intake.reporters(store, scope, made))
        several = begin(lambda: versions.read(store, scope))
        repaired = begin(lambda: intake.repairs(store, scope))
        lying = begin(lambda: forged(store, scope) + (() if asked.period.until else future(store, scope)))
        found, policies = counted(), seen()
        things = fixing.fixes(store, scope, found.by_rule(), policies, begin)
        senders, sessions, there, feedback = sending(), told(), places(), failed()
        figures = (
            mail.rate_by_day(found, scope),
            mail.volume_by_day(found, scope),
            mail.failing_by_day(found, scope),
            mail.domains(found, scope),
            cut(senders, scope),
            hosts(),
            sources.countries(there, scope),
            sources.networks(there, scope),
            sources.policies(policies, scope),
            tls.by_day(sessions, scope),
            tls.policies(sessions, scope),
            tls.failures(store, scope, sessions),
            failures.by_day(feedback, scope),
            failures.classes(feedback, scope),
            intake.reporting(reporting(), scope),
            versions.figure(*several(), scope),
            repaired(),
            intake.kept(kept, scope),
        )
        left_out = lying()
    return Page(
        scope.domain or "All domains",
        store.name,
        scope.domain,
        asked.period,
        made,
        answers(found, things, senders, "" if found.slices else newest(store, scope, made)),
        things,
        figures,
        left_out,
    )


def newest(store: Store, scope: Scope, made: str) -> str:
    """The newest day up to today that the store has aggregate reports about, '' none."""
    ever = scope._replace(period=Period())
    days = [one.key[0] for one in ask(store, ever, mail.DATASET, every="day")]
    return max((day for day in days if day <= words.day(made)), default="")


def answers(found: mail.Mail, things: tuple[Fix, ...], senders: Figure, latest: str = "") -> tuple[Answer, ...]:
    """The three questions. `latest`: the newest day of the store where there is nothing of the time asked for."""
    return (_authenticated(found, things, latest), _who(found, senders), _to_fix(found, things))


def _none(latest: str) -> str:
    """Why there is no answer, said once on a page."""
    if not latest:
        return mail.NO_REPORTS + mail.NONE_EVER
    return f"{mail.NO_REPORTS} The newest that are stored are about {latest}: `--since all` shows everything."


def _authenticated(found: mail.Mail, things: tuple[Fix, ...], latest: str) -> Answer:
    question = "Is my mail authenticated?"
    judged = found.passed + found.failed
    if not found.slices:
        return Answer(question, "-", _none(latest))
    if not judged:
        return Answer(question, "-", mail.unjudged(found) or "The reports of this time count no message.")
    open_ = sum(fix.things for fix in things if fix.turn == "fix")
    lost = found.count(lambda one: one.result == "fail" and fixing.turn_of(one.class_) == "fix")
    rate = words.share(words.part(found.passed, judged))
    passed = f"{words.number(found.passed)} ({rate}) {words.verb(found.passed, 'was')} authenticated"
    more = f"{words.number(lost)} that may be yours {words.verb(lost, 'was')} not: {words.count(open_, 'thing')} to fix"
    sentence = f"Of {words.count(judged, 'message')} in your name {passed}; {more if open_ else _NONE_LOST}."
    sentence += f" {mail.unjudged(found)}" if mail.unjudged(found) else ""
    return Answer(question, rate, sentence, _level(lost, judged), found.by_group())


_NONE_LOST = "nothing that looks like yours was left out"


def _level(lost: int, judged: int) -> Level:
    """Bad where a stricter policy would lose more than one message in a hundred."""
    return "bad" if lost * 100 > judged else "warn" if lost else "ok"


_UNKNOWN = "Unknown without reports."


def _who(found: mail.Mail, senders: Figure) -> Answer:
    question = "Who sends in my name?"
    if not senders.rows:
        return Answer(question, "-", _UNKNOWN)
    number = len(senders.rows)
    known = number - any(row[0] == sources.NOBODY for row in senders.rows)
    strangers = found.count(lambda one: one.result == "fail" and fixing.turn_of(one.class_) == "decide")
    largest = next((row for row in senders.rows if row[0] != sources.NOBODY), None)
    sentence = f"{words.count(known, 'sender')} can be named by what authenticated"
    if largest is not None:
        sentence += (
            f"; the largest is {words.plain(largest[0], 80)} with {words.count(int(str(largest[1])), 'message')}"
        )
    sentence += (
        f". {words.count(strangers, 'message')} came from senders that nothing names: strangers, or yours forgotten."
    )
    return Answer(question, words.number(known), sentence, trend=found.trend(), step=found.trend_days())


def _to_fix(found: mail.Mail, things: tuple[Fix, ...]) -> Answer:
    question = "What do I have to fix?"
    if not things:
        return Answer(question, "-", _UNKNOWN)
    open_ = [fix for fix in things if fix.turn == "fix"]
    if not open_:
        later = sum(fix.things for fix in things if fix.turn in {"decide", "improve"})
        more = f" {words.count(later, 'thing')} below can be judged or made safer." if later else ""
        return Answer(question, "0", "Nothing of yours fails." + more, "ok")
    number = sum(fix.things for fix in open_)
    first, others = open_[0], number - 1
    amount = f"{words.count(first.messages, 'message')} of {words.count(first.hosts, 'host')}"
    sentence = f"First {words.plain(first.subject, 80)} ({first.class_}): {amount}."
    if others:
        sentence += f" {words.count(others, 'more thing')} {words.verb(others, 'is')} listed below it."
    return Answer(question, words.number(number), sentence, "warn", found.by_failing_class())


def seen_domains(store: Store, scope: Scope) -> list[str]:
    """The domains that there are reports about, those with the most messages first."""
    asked = ((mail.DATASET, ("count",)), ("smtp-tls", ("sessions.successful",)))
    found = [one for dataset, sums in asked for one in ask(store, scope, dataset, (DOMAIN[dataset],), sum=sums)]
    return list(dict.fromkeys(str(one.key[0]) for one in found if one.key[0]))
