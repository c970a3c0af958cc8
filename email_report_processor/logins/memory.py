"""What is remembered of accounts and networks: enough for the rules, bounded, and as text for the state.

Of each account: the networks, systems and countries of its logins with the first and the last time, messages by day,
and what was told of it. A value is *fresh* while its first time lies in the window of the rules.
"""

import json
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from .lines.login import Login
from .places import Place

DAY = 86400.0
MAX_NETWORKS = 50_000  # networks with failures; the oldest go first: a stranger can fail from anywhere
MAX_STRANGERS = 20_000  # accounts that never logged in, such as those that a stranger makes up
_DISORDER = 3600.0  # seconds by which lines of a log may be out of order
_NETWORK_WINDOWS = 7  # after which a network is forgotten: a phone has a new one every hour
_MOST = 500  # accounts of one network, or networks that failed for one account
_HABIT_DAYS = 30
_SENDING = frozenset({"postfix", "exim"})  # each of their lines is a message


class Seen:
    """When a value was seen, and the line of the first time while it is fresh. system: of a network."""

    __slots__ = ("first", "last", "line", "system")

    def __init__(self, first: float, last: float, line: bytes = b"", system: str = "") -> None:
        self.first = first
        self.last = last
        self.line = line
        self.system = system

    def write(self) -> list[Any]:
        """For the state."""
        return [self.first, self.last, self.line.decode("latin-1"), self.system]


def _read_seen(value: list[Any]) -> Seen:
    return Seen(value[0], value[1], value[2].encode("latin-1"), value[3])


class Account:
    """One account."""

    __slots__ = (
        "countries",
        "days",
        "failing",
        "jumps",
        "last",
        "networks",
        "refusals",
        "sent",
        "since",
        "systems",
        "told",
    )

    def __init__(self, since: float) -> None:
        self.since = since
        self.networks: dict[str, Seen] = {}
        self.systems: dict[str, Seen] = {}
        self.countries: dict[str, Seen] = {}
        self.failing: dict[str, Seen] = {}  # networks that failed
        self.jumps: dict[str, Seen] = {}  # countries that nobody reaches so fast
        self.days: dict[int, int] = {}  # day since 1970 -> messages
        self.sent: deque[bytes] = deque(maxlen=3)  # the last lines of messages
        self.refusals: deque[float] = deque(maxlen=10_000)
        self.told: dict[str, float] = {}  # rule -> when
        self.last: tuple[float, Place] | None = None  # the login before

    def write(self) -> str:
        """For the state."""
        return json.dumps(
            {
                "since": self.since,
                "days": list(self.days.items()),
                "sent": [line.decode("latin-1") for line in self.sent],
                "refusals": list(self.refusals),
                "told": self.told,
                "last": self.last,
                **{kind: {key: seen.write() for key, seen in getattr(self, kind).items()} for kind in _KINDS},
            }
        )


_KINDS = ("networks", "systems", "countries", "failing", "jumps")


def read_account(text: str) -> Account:
    """An account that `Account.write` wrote."""
    said = json.loads(text)
    account = Account(said["since"])
    account.days = dict(said["days"])
    account.sent.extend(line.encode("latin-1") for line in said["sent"])
    account.refusals.extend(said["refusals"])
    account.told = said["told"]
    if said["last"]:
        time, (network, system, country, spot, ignored) = said["last"]
        account.last = (time, Place(network, system, country, tuple(spot) if spot else None, ignored))
    for kind in _KINDS:
        setattr(account, kind, {key: _read_seen(value) for key, value in said[kind].items()})
    return account


class Network:
    """One network: accounts that failed there and never came in, and those new to its country."""

    __slots__ = ("failed", "strange")

    def __init__(self) -> None:
        self.failed: dict[str, Seen] = {}
        self.strange: dict[str, Seen] = {}

    def write(self) -> str:
        """For the state."""
        return json.dumps([{key: seen.write() for key, seen in one.items()} for one in (self.failed, self.strange)])


def read_network(text: str) -> Network:
    """A network that `Network.write` wrote."""
    network = Network()
    network.failed, network.strange = (
        {key: _read_seen(value) for key, value in one.items()} for one in json.loads(text)
    )
    return network


class Memory:
    """Accounts and networks.

    window, horizon: seconds in which a value is fresh, and after which it is forgotten. busy: messages of a day below
    which nobody need look.
    """

    def __init__(self, window: float, horizon: float, busy: int = 1) -> None:
        self.busy = busy
        self.window = window
        self.horizon = horizon
        self.accounts: dict[str, Account] = {}
        self.strangers: dict[str, Account] = {}  # who never logged in
        self.networks: dict[str, Network] = {}
        self.changed_accounts: set[str] = set()  # since the state was written
        self.changed_networks: set[str] = set()
        self._swept = 0.0

    def success(self, login: Login, place: Place) -> tuple[Account, list[str]]:
        """Remember a login, and say what is new in it: country, system, network; sent, on a busy day."""
        account, new = self._known(login), []
        if not place.ignored:
            if place.country and self._is_new(account.countries, place.country, login, place):
                new.append("country")
            if self._is_new(account.systems, place.system, login, place):
                new.append("system")
            if self._is_new(account.networks, place.network, login, place, self.window * _NETWORK_WINDOWS):
                new.append("network")
            network = self.networks.get(place.network)
            if network is not None and network.failed.pop(login.account, None) is not None:
                self.changed_networks.add(place.network)
        if login.server in _SENDING:
            day = int(login.time // DAY)
            account.days[day] = sent = account.days.get(day, 0) + 1
            account.sent.append(login.line)
            if sent >= self.busy:
                new.append("sent")
        self.changed_accounts.add(login.account)
        return account, new

    def _is_new(self, values: dict[str, Seen], value: str, login: Login, place: Place, horizon: float = 0.0) -> bool:
        seen, time = values.get(value), login.time
        if seen is not None and time - seen.last < (horizon or self.horizon):
            seen.last = max(seen.last, time)
            return False
        if seen is not None:
            del values[value]  # its place is at the end
        values[value] = Seen(time, time, login.line, place.system)
        return True

    def failure(self, login: Login, place: Place) -> None:
        """Remember attempts that failed."""
        account = self.account_of(login)
        if account.failing.pop(place.network, None) or len(account.failing) < _MOST:
            account.failing[place.network] = Seen(login.time, login.time, login.line, place.system)
        self.changed_accounts.add(login.account)
        network = self._network(place.network)
        network.failed.pop(login.account, None)
        if login.account not in account.networks and len(network.failed) < _MOST:
            network.failed[login.account] = Seen(login.time, login.time, login.line)
            self.changed_networks.add(place.network)

    def stranger(self, login: Login, place: Place) -> None:
        """Remember at the network that an account came in from there which was never seen in its country."""
        strange = self._network(place.network).strange
        if strange.pop(login.account, None) or len(strange) < _MOST:
            strange[login.account] = Seen(login.time, login.time, login.line)
        self.changed_networks.add(place.network)

    def account_of(self, login: Login) -> Account:
        """The account, also one that never logged in."""
        account = self.accounts.get(login.account) or self.strangers.get(login.account)
        if account is None:
            account = self.strangers[login.account] = Account(login.time)
            _shrink(self.strangers, MAX_STRANGERS)
        return account

    def fresh(self, values: dict[str, Seen], now: float) -> dict[str, Seen]:
        """The values whose first time lies in the window. The newest stand last: the others are not looked at."""
        since = now - self.window
        found = {}
        for key, seen in reversed(values.items()):
            if seen.first > since:
                found[key] = seen
            elif seen.first < since - _DISORDER:
                break
        return found

    def teach(self, name: str, kind: str, value: str) -> None:
        """Somebody said that a country, system or network is theirs: it is no longer fresh."""
        account = self.accounts.get(name)
        if account is not None:
            values: dict[str, Seen] = getattr(account, kind)
            last = max(account.since, account.last[0] if account.last else 0.0)
            values.pop(value, None)
            setattr(account, kind, {value: Seen(0.0, last), **values})  # in front: what is oldest
            account.jumps.pop(value, None)
            self.changed_accounts.add(name)

    def clear(self, name: str) -> None:
        """An account was released: what is fresh is forgotten, and what was told may be told again."""
        account = self.accounts.get(name)
        if account is not None:
            latest = max((seen.last for seen in account.networks.values()), default=0.0)
            for values in (account.networks, account.systems, account.countries):
                for key in self.fresh(values, latest):
                    del values[key]
            account.jumps.clear()
            account.refusals.clear()
            account.told.clear()
            account.days.pop(int(latest // DAY), None)
            self.changed_accounts.add(name)

    def sweep(self, now: float) -> None:
        """Forget what is older than the horizon, once in a week of the log."""
        if now - self._swept < 7 * DAY:
            return
        self._swept = now
        for account in self.accounts.values():
            _forget(account, now, self.window, self.horizon)
        for name in [key for key, one in self.strangers.items() if not _alive(one, now - self.window)]:
            del self.strangers[name]
            self.changed_accounts.add(name)
        for name, network in list(self.networks.items()):
            for values in (network.failed, network.strange):
                for key in [key for key, seen in values.items() if seen.last <= now - self.window]:
                    del values[key]
            if not network.failed and not network.strange:
                del self.networks[name]
                self.changed_networks.add(name)

    def changes(self) -> Iterator[tuple[str, str, str | None]]:
        """What changed since the last call, as (kind, key, text for the state); None for what is gone."""
        names, self.changed_accounts = self.changed_accounts, set()
        networks, self.changed_networks = self.changed_networks, set()
        for name in names:
            account = self.accounts.get(name) or self.strangers.get(name)
            yield "account", name, account.write() if account is not None else None
        for key in networks:
            network = self.networks.get(key)
            yield "network", key, network.write() if network is not None else None

    def load(self, rows: Iterable[tuple[str, str, str]]) -> None:
        """Take in what `changes` gave."""
        for kind, key, text in rows:
            if kind == "network":
                self.networks[key] = read_network(text)
            else:
                account = read_account(text)
                (self.accounts if account.networks or account.last else self.strangers)[key] = account

    def _known(self, login: Login) -> Account:
        account = self.accounts.get(login.account)
        if account is None:
            account = self.strangers.pop(login.account, None) or Account(login.time)
            self.accounts[login.account] = account
        return account

    def _network(self, key: str) -> Network:
        network = self.networks.get(key)
        if network is None:
            network = self.networks[key] = Network()
            for gone in _shrink(self.networks, MAX_NETWORKS):
                self.changed_networks.add(gone)
        return network


def _alive(account: Account, since: float) -> bool:
    refused = account.refusals[-1] if account.refusals else 0.0
    return refused > since or any(seen.last > since for seen in account.failing.values())


def _shrink(values: dict[str, Any], most: int) -> list[str]:
    """Take the oldest away, a tenth at once, when there are too many."""
    if len(values) <= most:
        return []
    gone = list(values)[: most // 10]
    for key in gone:
        del values[key]
    return gone


def _forget(account: Account, now: float, window: float, horizon: float) -> None:
    for values, age in (
        (account.networks, window * _NETWORK_WINDOWS),
        (account.systems, horizon),
        (account.countries, horizon),
        (account.failing, window),
        (account.jumps, window),
    ):
        for key in [key for key, seen in values.items() if seen.last <= now - age]:
            del values[key]
        for seen in values.values():
            if seen.line and seen.first <= now - window:
                seen.line = b""  # evidence is what is fresh
    oldest = int(now // DAY) - _HABIT_DAYS
    for day in [day for day in account.days if day < oldest]:
        del account.days[day]
