"""Figures about who sends in our name: senders, hosts, countries, networks, and the policies that receivers saw."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from ..stores.store import Store
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


def senders(store: Store, scope: Scope) -> Figure:
    """Who sends: by name, with hosts, failures, and since when."""
    groups = ask(store, scope, DATASET, ("source.name", "dmarc.result"), every="day")
    hosts = {one.key[0]: one.different for one in ask(store, scope, DATASET, ("source.name",), different=_HOSTS)}
    found: dict[str | None, _Sender] = defaultdict(_Sender)
    trends = Trends(one.key[0] for one in groups)
    for day, name, result, messages in ((*one.key, one.sums[0]) for one in groups):
        sender = found[name]
        sender.messages += messages
        sender.failed += messages if result == "fail" else 0
        sender.first, sender.last = min(sender.first, day), max(sender.last, day)
        trends.add(name or "", day, messages)
    ordered = sorted(found.items(), key=lambda item: (-item[1].messages, item[0] or ""))
    rows = tuple(
        (name or NOBODY, one.messages, one.failed, hosts[name][0], one.first, one.last, trends.of(name or ""))
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
_HOSTS = ("source.ip",)
_NAMED = "A sender is named by what it authenticates as, or by your own [senders]; First and Last within this time."


def hosts(store: Store, scope: Scope) -> Figure:
    """Sending hosts, those with the most failed messages first: clean ones of our own come last."""
    by = ("source.ip", "source.name", "source.as.organization.name", "source.geo.country_iso_code", "dmarc.result")
    failed: Counter[str] = Counter()
    messages: Counter[str] = Counter()
    about: dict[str, tuple[Value, ...]] = {}
    for group in ask(store, scope, DATASET, by):
        address = group.key[0] or "-"
        messages[address] += group.sums[0]
        failed[address] += group.sums[0] if group.key[4] == "fail" else 0
        about.setdefault(address, group.key[1:4])  # of its largest group
    ordered = sorted(+messages, key=lambda address: (-failed[address], -messages[address], address))
    rows = tuple((one, failed[one], messages[one], *(value or "-" for value in about[one])) for one in ordered)
    columns = (
        Column("Host", "code"),
        Column("Failed", "number"),
        Column("Messages", "number"),
        Column("Sender"),
        Column("Network"),
        Column("Country", "country"),
    )
    return cut(Figure("hosts", "From which hosts? Most failed messages first", columns, rows, empty=NO_REPORTS), scope)


def _two(store: Store, scope: Scope, by: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int, int]]:
    """Groups with all and with failed messages, the largest first."""
    messages: Counter[tuple[str, ...]] = Counter()
    failed: Counter[tuple[str, ...]] = Counter()
    for group in ask(store, scope, DATASET, (*by, "dmarc.result")):
        key = tuple("" if value is None else str(value) for value in group.key[:-1])
        messages[key] += group.sums[0]
        failed[key] += group.sums[0] if group.key[-1] == "fail" else 0
    for key in sorted(+messages, key=lambda key: (-messages[key], key)):
        yield key, messages[key], failed[key]


_NO_PLACES = (
    "No country is known of any host. `pip install 'email-report-processor[geo]'` adds them without any download;"
    " documents stored before stay without."
)


def countries(store: Store, scope: Scope) -> Figure:
    """From which countries."""
    found = list(_two(store, scope, ("source.geo.country_iso_code",)))
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


def networks(store: Store, scope: Scope) -> Figure:
    """From which autonomous systems."""
    found = list(_two(store, scope, ("source.as.organization.name", "source.as.number")))
    rows = tuple((key[0], f"AS{key[1]}" if key[1] else "-", all_, bad) for key, all_, bad in found if any(key))
    columns = (Column("Network"), Column("AS", "code"), Column("Messages", "number"), Column("Failed", "number"))
    empty = "No network is known of any host: [geo] databases in the settings names files that say it."
    return cut(Figure("networks", "From which networks?", columns, rows, empty=empty if found else NO_REPORTS), scope)


_POLICY = ("policy_published.domain", "policy_published.p", "policy_published.sp", "policy_published.np")


def policies(store: Store, scope: Scope) -> Figure:
    """Each policy that reporters saw, and when: a new row is a change."""
    first: dict[tuple[Value, ...], str] = {}
    last: dict[tuple[Value, ...], str] = {}
    messages: Counter[tuple[Value, ...]] = Counter()
    for group in ask(store, scope, DATASET, _POLICY, every="day"):
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
