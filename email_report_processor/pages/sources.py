"""Figures about who sends in our name: senders, hosts, countries, networks, and the policies that receivers saw."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import NamedTuple

from ..stores.query import Exists, Node, Not, Or, Within, among, field_of
from ..stores.store import Store, Total
from . import words
from .asking import Scope, ask, cut
from .days import Trends
from .figure import Column, Figure, Value
from .mail import DATASET, NO_REPORTS


class _Sender:
    """What is added up for one sender."""

    def __init__(self) -> None:
        self.messages = self.failed = 0
        self.first, self.last = "9999", ""


def senders(store: Store, scope: Scope, counted: int = 0) -> Figure:
    """Who sends: by name, with hosts, failures, and since when. counted: rows of which hosts are counted, 0 all."""
    groups = ask(store, scope, DATASET, ("source.name", "dmarc.result"), every="day")
    found: dict[str | None, _Sender] = defaultdict(_Sender)
    trends = Trends(one.key[0] for one in groups)
    for day, name, result, messages in ((*one.key, one.sums[0]) for one in groups):
        sender = found[name]
        sender.messages += messages
        sender.failed += messages if result == "fail" else 0
        sender.first, sender.last = min(sender.first, day), max(sender.last, day)
        trends.add(name or "", day, messages)
    ordered = sorted(found.items(), key=lambda item: (-item[1].messages, item[0] or ""))
    hosts = _hosts_of(store, scope, [name for name, _ in ordered[: counted or scope.top]])
    rows = tuple(
        (name or NOBODY, one.messages, one.failed, hosts.get(name), one.first, one.last, trends.of(name or ""))
        for name, one in ordered
        if one.messages  # a row may count none
    )
    columns = (
        Column("Sender"),
        Column("Messages", "number"),
        Column("Failed", "number"),
        Column("Hosts", "number"),
        Column("First", "day"),
        Column("Last", "day"),
        Column("Trend", "trend"),
    )
    title = "Who sends in my name? By sender"
    return cut(Figure("senders", title, columns, rows, empty=NO_REPORTS, note=_NAMED), scope)


NOBODY = "(nobody authenticated)"
_NAMED = "A sender is named by what it authenticates as, or by your own [senders]; First and Last within this time."


def hosts(store: Store, scope: Scope) -> Figure:
    """Sending hosts, those with the most failed messages first: clean ones of our own come last."""
    failed: Counter[str | None] = Counter()
    messages: Counter[str | None] = Counter()
    for group in ask(store, scope, DATASET, ("source.ip", "dmarc.result")):
        messages[group.key[0]] += group.sums[0]
        failed[group.key[0]] += group.sums[0] if group.key[1] == "fail" else 0
    ordered = sorted(+messages, key=lambda address: (-failed[address], -messages[address], address or "-"))
    shown = ordered[: scope.top]
    about = _about(store, scope, shown)
    rows = tuple((one or "-", failed[one], messages[one], *(value or "-" for value in about[one])) for one in shown)
    columns = (
        Column("Host", "code"),
        Column("Failed", "number"),
        Column("Messages", "number"),
        Column("Sender"),
        Column("Network"),
        Column("Country", "country"),
    )
    title = "From which hosts? Most failed messages first"
    figure = Figure("hosts", title, columns, rows, period=scope.period, empty=NO_REPORTS)
    return figure._replace(more=len(ordered) - len(shown))


_ABOUT = ("source.name", "source.as.organization.name", "source.geo.country_iso_code", "dmarc.result")
_NAMED_AT_ONCE = 200  # hosts or senders of one question


def _about(store: Store, scope: Scope, addresses: list[str | None]) -> dict[str | None, tuple[Value, ...]]:
    """What is known of some hosts: of each what its largest group says."""
    found: dict[str | None, tuple[Value, ...]] = {}
    for first in range(0, len(addresses), _NAMED_AT_ONCE):
        these = Or(tuple(_at(one) for one in addresses[first : first + _NAMED_AT_ONCE]))
        for group in ask(store, scope, DATASET, ("source.ip", *_ABOUT), node=these):
            found.setdefault(group.key[0], group.key[1:4])
    return found


def _hosts_of(store: Store, scope: Scope, names: list[str | None]) -> dict[str | None, int]:
    """How many hosts each of some senders has. They are listed: a count takes the node 256 KiB for each sender."""
    found: dict[str | None, set[str]] = {name: set() for name in names}
    for first in range(0, len(names), _NAMED_AT_ONCE):
        node = among("source.name", names[first : first + _NAMED_AT_ONCE])
        for one in ask(store, scope, DATASET, ("source.name", "source.ip"), node=node):
            if one.key[0] in found and one.key[1] is not None:
                found[one.key[0]].add(one.key[1])
    return {name: len(hosts) for name, hosts in found.items()}


def _at(address: str | None) -> Node:
    field = field_of("source.ip")
    return Not(Exists(field)) if address is None else Within(field, f"{address}/{128 if ':' in address else 32}")


class Place(NamedTuple):
    """Mail from one network of one country."""

    network: str  # '' not known, as the others
    system: str
    country: str
    messages: int
    failed: int


def places(store: Store, scope: Scope) -> list[Place]:
    """Ask once where mail comes from."""
    messages: Counter[tuple[str, ...]] = Counter()
    failed: Counter[tuple[str, ...]] = Counter()
    by = ("source.as.organization.name", "source.as.number", "source.geo.country_iso_code", "dmarc.result")
    for group in ask(store, scope, DATASET, by):
        key = tuple("" if value is None else str(value) for value in group.key[:-1])
        messages[key] += group.sums[0]
        failed[key] += group.sums[0] if group.key[-1] == "fail" else 0
    return [Place(key[0], key[1], key[2], messages[key], failed[key]) for key in messages]


def _added(found: Iterable[Place], key: Callable[[Place], tuple[str, ...]]) -> list[tuple[tuple[str, ...], int, int]]:
    """Groups with all and with failed messages, the largest first."""
    messages: Counter[tuple[str, ...]] = Counter()
    failed: Counter[tuple[str, ...]] = Counter()
    for one in found:
        messages[key(one)] += one.messages
        failed[key(one)] += one.failed
    return [(one, messages[one], failed[one]) for one in sorted(+messages, key=lambda one: (-messages[one], one))]


_NO_PLACES = (
    "No country is known of any host. `pip install 'email-report-processor[geo]'` adds them without any download;"
    " documents stored before stay without."
)


def countries(there: Iterable[Place], scope: Scope) -> Figure:
    """From which countries."""
    found = _added(there, lambda one: (one.country,))
    unknown = sum(messages for key, messages, _ in found if key == ("",))
    rows = tuple((key[0], messages, failed) for key, messages, failed in found if key != ("",))
    columns = (
        Column("Country", "country"),
        Column("Messages", "number", "pass"),
        Column("Not authenticated", "number", "failed"),
    )
    is_ = words.verb(unknown, "is")
    said = f"{words.count(unknown, 'message')} of hosts whose country is not known {is_} in none of them."
    return Figure(
        "countries",
        "From where?",
        columns,
        rows,
        chart="map",
        period=scope.period,
        left_out=(said,) if unknown and rows else (),
        note="The stronger its colour, the more mail comes from a country; circles are mail that is not authenticated.",
        empty=_NO_PLACES if found else NO_REPORTS,
    )


def networks(there: Iterable[Place], scope: Scope) -> Figure:
    """From which autonomous systems."""
    found = _added(there, lambda one: (one.network, one.system))
    rows = tuple((key[0], f"AS{key[1]}" if key[1] else "-", all_, bad) for key, all_, bad in found if any(key))
    columns = (Column("Network"), Column("AS", "code"), Column("Messages", "number"), Column("Failed", "number"))
    empty = "No network is known of any host: [geo] databases in the settings names files that say it."
    return cut(Figure("networks", "From which networks?", columns, rows, empty=empty if found else NO_REPORTS), scope)


_POLICY = ("policy_published.domain", "policy_published.p", "policy_published.sp", "policy_published.np")


def seen(store: Store, scope: Scope) -> list[Total]:
    """The policies that receivers saw, by day: domain, p, sp, np."""
    return ask(store, scope, DATASET, _POLICY, every="day")


def policies(groups: Iterable[Total], scope: Scope) -> Figure:
    """Each policy that reporters saw, and when: a new row is a change. groups: see `seen`."""
    first: dict[tuple[Value, ...], str] = {}
    last: dict[tuple[Value, ...], str] = {}
    messages: Counter[tuple[Value, ...]] = Counter()
    for group in groups:
        day, *key = group.key
        named = tuple(value or "-" for value in key)
        messages[named] += group.sums[0]
        first[named] = min(first.get(named, "9999"), day)
        last[named] = max(last.get(named, ""), day)
    ordered = sorted(messages, key=lambda key: (str(key[0]), last[key], first[key]), reverse=True)
    rows = tuple((*key, first[key], last[key], messages[key]) for key in ordered)
    columns = (
        *(Column(name) for name in ("Domain", "p", "sp", "np")),
        Column("First", "day"),
        Column("Last", "day"),
        Column("Messages", "number"),
    )
    return cut(Figure("policies", "Which policy did receivers see?", columns, rows, empty=NO_REPORTS), scope)
