"""The rules: what is looked at when, why, and with what default (docs/logins.md).

An alarm is for the postmaster, and stops the account where the settings say so. A notice is worth a question to the
user and no more: an honest journey, a new VPN and a new café look the same.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple

from .countries import distance
from .lines.login import Login
from .lines.times import write_time
from .memory import DAY, Account, Memory, Seen
from .options import LoginOptions
from .places import Place

Severity = Literal["alarm", "notice"]
_LINES = 20  # of evidence
_LEARNING = 7  # windows in which every country is new to an account, and nothing is said of one
_PROVIDERS = 3  # whose addresses a bot net has at the least
_FAR = 500.0  # km: below that, country borders are nearer than databases are exact


class Finding(NamedTuple):
    """What a rule found, with its evidence."""

    rule: str
    severity: Severity
    account: str
    time: float  # of the login that completed it
    sentence: str
    lines: tuple[bytes, ...]
    address: str = ""
    country: str = ""
    system: str = ""


class Moment(NamedTuple):
    """What a rule looks at: a login, its place, and what is remembered, the login included."""

    login: Login
    place: Place
    account: Account
    memory: Memory
    options: LoginOptions


Found = tuple[Severity, str, Iterable[bytes]]  # severity, sentence, evidence


class Rule(NamedTuple):
    """One row of the table."""

    name: str
    when: str  # what must have happened: a new country, system or network; sent, failed, refused
    setting: str  # that holds its threshold
    reason: str
    find: Callable[[Moment], Found | None]


def _countries(moment: Moment) -> Found | None:
    fresh = moment.memory.fresh(moment.account.countries, moment.login.time)
    if len(fresh) < moment.options.countries:
        return None
    return "alarm", f"{len(fresh)} new countries within {_window(moment)}: {_names(fresh)}", _evidence(fresh)


def _systems(moment: Moment) -> Found | None:
    fresh = moment.memory.fresh(moment.account.systems, moment.login.time)
    if len(fresh) < moment.options.systems:
        return None
    return (
        "alarm",
        f"{len(fresh)} new networks of providers within {_window(moment)}: {_names(fresh)}",
        _evidence(fresh),
    )


def _addresses(moment: Moment) -> Found | None:
    """A phone changes its address all day, but not its provider: networks of known systems do not count."""
    systems = moment.memory.fresh(moment.account.systems, moment.login.time)
    if len(systems) < _PROVIDERS:
        return None
    fresh = moment.memory.fresh(moment.account.networks, moment.login.time)
    strange = {key: seen for key, seen in fresh.items() if seen.system in systems}
    if len(strange) < moment.options.addresses or len({seen.system for seen in strange.values()}) < _PROVIDERS:
        return None
    return "alarm", f"{len(strange)} new networks within {_window(moment)}: {_names(strange)}", _evidence(strange)


def _travel(moment: Moment) -> Found | None:
    login, place, account, _, options = moment
    if account.last is None or not place.country or not account.last[1].country:
        return None
    before, there = account.last
    apart = distance(there.country, place.country, there.spot, place.spot)
    hours = max(login.time - before, 60.0) / 3600
    if apart < _FAR or apart / hours <= options.speed:
        return None
    account.jumps[place.country] = Seen(login.time, login.time, login.line)
    jumps = moment.memory.fresh(account.jumps, login.time)
    text = f"from {there.country} to {place.country}, at least {apart:,.0f} km, in {hours:.1f} hours"
    if len(jumps) > 1:
        return "alarm", f"{text}; and so to {len(jumps)} new countries within {_window(moment)}", _evidence(jumps)
    return ("notice", text, [login.line]) if _settled(moment) else None


def _new_country(moment: Moment) -> Found | None:
    if not _settled(moment):
        return None
    known = _names(key for key in moment.account.countries if key != moment.place.country)
    days = moment.options.days
    return (
        "notice",
        f"a login from {moment.place.country}, new within {days} days (known: {known})",
        [moment.login.line],
    )


def _accounts(moment: Moment) -> Found | None:
    """Not colleagues on a journey, and not an office: for each of the accounts the country is new."""
    if not _settled(moment):
        return None
    moment.memory.stranger(moment.login, moment.place)
    strange = moment.memory.fresh(moment.memory.networks[moment.place.network].strange, moment.login.time)
    if len(strange) < moment.options.accounts:
        return None
    where = f"{moment.place.network} within {_window(moment)}"
    text = f"{len(strange)} accounts new to {moment.place.country} came from {where}"
    return "alarm", f"{text}: {_names(strange)}", _evidence(strange)


def _guessed(moment: Moment) -> Found | None:
    network = moment.memory.networks.get(moment.place.network)
    failed = moment.memory.fresh(network.failed, moment.login.time) if network else {}
    if len(failed) < moment.options.guesses:
        return None
    text = (
        f"a login from {moment.place.network}, which failed for {len(failed)} other accounts within {_window(moment)}"
    )
    return "alarm", f"{text}: {_names(failed)}", [*_evidence(failed), moment.login.line]


def _guessers(moment: Moment) -> Found | None:
    failing = moment.memory.fresh(moment.account.failing, moment.login.time)
    if len(failing) < moment.options.guessers:
        return None
    return "notice", f"logins failed from {len(failing)} networks within {_window(moment)}", _evidence(failing)


def _volume(moment: Moment) -> Found | None:
    days, today = moment.account.days, int(moment.login.time // DAY)
    sent = days.get(today, 0)
    if sent < moment.options.volume:
        return None
    busiest = max((number for day, number in days.items() if day < today - 1), default=0)  # it may have begun yesterday
    if sent <= moment.options.habit * busiest:
        return None
    return "alarm", f"{sent} messages in a day; the busiest of the days before had {busiest}", moment.account.sent


def _quota(moment: Moment) -> Found | None:
    since = moment.login.time - moment.memory.window
    refused = sum(1 for time in moment.account.refusals if time > since)
    if refused <= moment.options.quota:
        return None
    return "alarm", f"{refused} messages refused over the sender's quota within {_window(moment)}", [moment.login.line]


RULES = (
    Rule(
        "many-countries", "country", "countries",
        "a journey with a change of planes is two new countries in a day", _countries,
    ),
    Rule(
        "many-systems", "system", "systems",
        "home, phone and office are known; airport, hotel, café, train and a conference are fewer than six", _systems,
    ),
    Rule(
        "many-addresses", "network", "addresses",
        "a bot net sends one message from each; phones change addresses within a provider that is known", _addresses,
    ),
    Rule(
        "impossible-travel", "country", "speed",
        "into one new country it is often a new VPN, so that is a notice; into two it is none", _travel,
    ),
    Rule("new-country", "country", "days", "most are journeys: worth a question to the user", _new_country),
    Rule(
        "many-accounts", "country", "accounts",
        "one machine that uses many stolen accounts; colleagues who travel together are fewer", _accounts,
    ),
    Rule(
        "guessed", "network", "guesses",
        "an address that guesses and then comes in; colleagues behind one address come in themselves", _guessed,
    ),
    Rule(
        "slow-guessing", "failed", "guessers",
        "one try from each address fires no rate limit; every public address sees it, so it is a notice", _guessers,
    ),
    Rule(
        "volume", "sent", "volume",
        "hundreds of messages, and five times as many as on the busiest of thirty days", _volume,
    ),
    Rule("quota", "refused", "quota", "a program goes on where a person would stop", _quota),
)  # fmt: skip

_BY_TRIGGER = {when: tuple(rule for rule in RULES if rule.when == when) for when in {rule.when for rule in RULES}}


def triggered(triggers: Iterable[str], moment: Moment) -> Iterator[Finding]:
    """The findings of the rules that these triggers call for, each at most once within `again` hours."""
    found: dict[str, Finding] = {}
    for rule in (rule for trigger in triggers for rule in _BY_TRIGGER.get(trigger, ())):
        result = rule.find(moment)
        finding = _finding(rule.name, result, moment) if result is not None else None
        if finding is not None and not _told(finding, moment):
            found[rule.name] = finding
    if "impossible-travel" in found:
        found.pop("new-country", None)  # says the same with less
    for finding in found.values():
        moment.account.told[key(finding)] = moment.login.time
        yield finding


def key(finding: Finding) -> str:
    """What is told once: a rule and its severity; each country of a notice about a country is told of its own."""
    about = finding.country if finding.severity == "notice" and finding.rule != "slow-guessing" else ""
    return f"{finding.rule} {finding.severity} {about}"


def _told(finding: Finding, moment: Moment) -> bool:
    when = moment.account.told.get(key(finding))
    return when is not None and moment.login.time - when < moment.options.again * 3600


def _finding(name: str, result: Found, moment: Moment) -> Finding:
    severity, sentence, lines = result
    login, place = moment.login, moment.place
    return Finding(
        name, severity, login.account, login.time, sentence, tuple(lines), login.address, place.country, place.system
    )


def _settled(moment: Moment) -> bool:
    """Whether the account has been known for long enough to have habits."""
    return moment.login.time - moment.account.since > _LEARNING * moment.memory.window


def _window(moment: Moment) -> str:
    return f"{moment.options.hours} hours"


def _names(values: Iterable[str]) -> str:
    names = sorted(values)
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


def _evidence(values: dict[str, Seen]) -> list[bytes]:
    """The lines, in the order of their times."""
    return [seen.line for seen in sorted(values.values(), key=_first) if seen.line][:_LINES]


def _first(seen: Seen) -> float:
    return seen.first


def describe(finding: Finding) -> str:
    """One line for a log."""
    where = " ".join(word for word in (finding.address, finding.country, finding.system) if word)
    when = write_time(finding.time).strftime("%Y-%m-%d %H:%M:%SZ")
    return f"{finding.severity} {finding.rule} for {finding.account}: {finding.sentence} ({where}, {when})"
