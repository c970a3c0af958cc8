"""Logs of a mail server for a year: honest people who travel, use phones, VPNs and offices, and stolen accounts.

Addresses are made so that country and system stand in them: each /16 is one system (AS) of one country, and `records`
says which, as a database for the program. Lines are those of Postfix and Dovecot through rsyslog with ISO dates.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

HOME = "DE"
ABROAD = ("FR", "AT", "CH", "NL", "PL", "IT", "ES", "GB", "US", "TR", "GR", "DK", "SE", "CZ", "PT", "TH", "AE", "JP")
FAR = ("BR", "VN", "IN", "ID", "RU", "CN", "ZA", "AR", "MX", "PH", "PK", "EG", "NG", "CO", "UA", "KZ", "MY", "CL")
START = datetime(2025, 1, 1, tzinfo=UTC).timestamp()
WAYS = ("botnet", "trickle", "proxies", "spam", "guessed")
DAY = 86400.0
_HOME_SYSTEMS = 60  # the first 6 are where most people live, the next 3 sell phones
_SYSTEMS = 6  # of another country


class Theft(NamedTuple):
    """An account that is stolen: when the thief comes in first, and how he goes about it."""

    account: str
    time: float
    way: str


class System(NamedTuple):
    """An AS with its /16."""

    number: int
    country: str
    first: int
    second: int

    def address(self, third: int, fourth: int) -> str:
        """An address in it."""
        return f"{self.first}.{self.second}.{third % 256}.{1 + fourth % 254}"


def systems() -> dict[str, list[System]]:
    """The systems of each country."""
    found: dict[str, list[System]] = {}
    number = 0
    for country in (HOME, *ABROAD, *FAR):
        for _ in range(_HOME_SYSTEMS if country == HOME else _SYSTEMS):
            found.setdefault(country, []).append(System(65000 + number, country, 20 + number // 250, number % 250))
            number += 1
    return found


def records() -> dict[str, dict[str, object]]:
    """What a database says of each network."""
    return {
        f"{one.first}.{one.second}.0.0/16": {
            "country": {"iso_code": one.country},
            "autonomous_system_number": one.number,
        }
        for group in systems().values()
        for one in group
    }


class Person:
    """Somebody honest."""

    def __init__(self, number: int, world: dict[str, list[System]], rng: random.Random) -> None:
        home = world[HOME]
        self.account = f"user{number}@example.org"
        self.home = home[rng.randrange(6)]
        self.phone = home[6 + rng.randrange(3)]
        self.seed = rng.randrange(65536)
        self.lease = rng.choice((1, 7, 30, 365))  # days until the address at home changes
        self.office = home[9 + number % 11].address(number // 40, 7) if rng.random() < 0.3 else ""
        self.vpn = rng.choice(world[rng.choice(ABROAD)]) if rng.random() < 0.03 else None
        self.active = rng.uniform(0.4, 2.0)  # logins a day
        self.trip: tuple[float, float, System, System | None] | None = None  # from, until, hotel, airport on the way

    def where(self, time: float, world: dict[str, list[System]], rng: random.Random) -> str:
        """From where the next login comes."""
        day = int(time // DAY)
        if self.trip and self.trip[0] <= time < self.trip[1]:
            _, _, hotel, airport = self.trip
            if airport and time < self.trip[0] + 0.3 * DAY:
                return airport.address(3, self.seed)
            if rng.random() < 0.7:  # else the phone, whose roaming leaves through its provider at home
                return hotel.address(self.seed, 9)
        chance = rng.random()
        if chance < 0.3:
            return self.phone.address(rng.randrange(256), rng.randrange(254))
        if self.office and chance < 0.7:
            return self.office
        if self.vpn and chance < 0.8:
            return self.vpn.address(self.seed % 4, 20)
        if chance > 0.98:
            return rng.choice(world[HOME]).address(rng.randrange(256), rng.randrange(254))  # a café, a friend, a train
        return self.home.address(self.seed + day // self.lease, self.seed // 256 + day // self.lease)


class Year:
    """The log; `thefts` says what a watcher is to find."""

    def __init__(self, accounts: int, days: int, stolen: int, seed: int = 1) -> None:
        self.rng = random.Random(seed)
        self.world = systems()
        self.people = [Person(number, self.world, self.rng) for number in range(accounts)]
        self.days = days
        victims = self.rng.sample(range(accounts), stolen)
        first = min(20, days // 3)
        self.thefts = [
            Theft(
                self.people[victim].account, START + self.rng.uniform(first, days - 4) * DAY, WAYS[number % len(WAYS)]
            )
            for number, victim in enumerate(victims)
        ]
        self._number = 0

    def lines(self) -> Iterator[bytes]:
        """All lines, in the order of their times."""
        waiting = sorted((entry for theft in self.thefts for entry in self._stolen(theft)), reverse=True)
        for day in range(self.days):
            begin = START + day * DAY
            entries = list(self._day(begin))
            while waiting and waiting[-1][0] < begin + DAY:
                entries.append(waiting.pop())
            entries.sort()
            for time, kind, account, address in entries:
                yield self._write(time, kind, account, address)

    def _day(self, begin: float) -> Iterator[tuple[float, str, str, str]]:
        rng = self.rng
        if rng.random() < 1 / 30:
            self._company_trip(begin)
        for person in self.people:
            self._change(person, begin)
            count = int(person.active) + (rng.random() < person.active % 1)
            for _ in range(count):
                time = begin + rng.uniform(0.25, 0.95) * DAY
                address = person.where(time, self.world, rng)
                if rng.random() < 0.02:
                    yield time - 30, "failed", person.account, address
                yield time, "sent" if rng.random() < 0.45 else "read", person.account, address
            if rng.random() < 0.0003:  # a circular to the members of a club
                begun, address = begin + rng.uniform(0.3, 0.8) * DAY, person.where(begin, self.world, rng)
                for number in range(rng.randint(30, 200)):
                    yield begun + 2 * number, "sent", person.account, address
        for _ in range(len(self.people) // 50):  # what every public address sees
            system = rng.choice(self.world[rng.choice(FAR)])
            address = system.address(rng.randrange(256), rng.randrange(254))
            yield begin + rng.random() * DAY, "failed", rng.choice(self.people).account, address

    def _change(self, person: Person, begin: float) -> None:
        """A journey begins or ends; a VPN goes out in another country."""
        rng = self.rng
        if person.trip is None or person.trip[1] < begin:
            person.trip = None
            if rng.random() < 0.08 / 30:
                self._travel(person, begin + rng.uniform(0.2, 0.8) * DAY)
        if person.vpn and rng.random() < 1.5 / 365:
            person.vpn = rng.choice(self.world[rng.choice(ABROAD)])

    def _travel(self, person: Person, time: float) -> None:
        rng = self.rng
        country = rng.choice(ABROAD)
        airport = rng.choice(self.world[rng.choice(ABROAD)]) if rng.random() < 0.2 else None
        person.trip = (time, time + rng.uniform(2, 14) * DAY, rng.choice(self.world[country]), airport)

    def _company_trip(self, begin: float) -> None:
        hotel = self.rng.choice(self.world[self.rng.choice(ABROAD)])
        for person in self.rng.sample(self.people, min(self.rng.randint(4, 8), len(self.people))):
            person.trip = (begin + 0.4 * DAY, begin + 3 * DAY, hotel, None)
            person.seed = 7  # one hotel, one network

    def _stolen(self, theft: Theft) -> Iterator[tuple[float, str, str, str]]:
        rng, account, time = self.rng, theft.account, theft.time
        if theft.way == "botnet":
            for number in range(80):
                system = rng.choice(self.world[rng.choice(FAR + ABROAD)])
                yield time + number * 900, "sent", account, system.address(rng.randrange(256), rng.randrange(254))
        elif theft.way == "trickle":
            for number in range(15):
                system = rng.choice(self.world[rng.choice(FAR)])
                yield time + number * 5 * 3600, "read", account, system.address(rng.randrange(256), rng.randrange(254))
        elif theft.way == "proxies":
            for number in range(40):
                system = rng.choice(self.world[HOME][9:])
                yield time + number * 1800, "sent", account, system.address(rng.randrange(256), rng.randrange(254))
        elif theft.way == "spam":
            address = rng.choice(self.world[rng.choice(FAR)]).address(5, 5)
            for number in range(600):
                yield time + number * 60, "sent", account, address
        else:
            address = rng.choice(self.world[rng.choice(FAR)]).address(6, 6)
            for number, other in enumerate(rng.sample(self.people, min(30, len(self.people)))):
                yield time - (number + 1) * 2400, "failed", other.account, address
            yield time, "sent", account, address

    def _write(self, time: float, kind: str, account: str, address: str) -> bytes:
        self._number += 1
        moment = datetime.fromtimestamp(time, UTC)
        head = moment.strftime("%Y-%m-%dT%H:%M:%S.%f+00:00 mail ")
        number = self._number
        if kind == "failed":
            who = f"{head}postfix/submission/smtpd[{number % 30000}]:"
            return (
                f"{who} connect from unknown[{address}]\n"
                f"{who} warning: unknown[{address}]: SASL LOGIN authentication failed: (reason unavailable), "
                f"sasl_username={account}\n"
                f"{who} disconnect from unknown[{address}] ehlo=1 auth=0/1 quit=1 commands=2/3\n"
            ).encode()
        if kind == "read":
            return (
                f"{head}dovecot: imap-login: Login: user=<{account}>, method=PLAIN, rip={address}, lip=192.0.2.25, "
                f"mpid={number}, TLS, session=<{number:016x}>\n"
                f"{head}dovecot: imap({account})<{number}><{number:016x}>: Disconnected: Logged out in=1180 out=9042 "
                "deleted=0 expunged=0 trashed=0 hdr_count=3 hdr_bytes=780 body_count=1 body_bytes=5210\n"
            ).encode()
        queue = f"4{number:011X}"
        who = f"{head}postfix/submission/smtpd[{number % 30000}]:"
        return (
            f"{who} connect from host.example.net[{address}]\n"
            f"{who} {queue}: client=host.example.net[{address}], sasl_method=PLAIN, sasl_username={account}\n"
            f"{head}postfix/cleanup[77]: {queue}: message-id=<{number}@example.org>\n"
            f"{head}postfix/qmgr[183]: {queue}: from=<{account}>, size=3021, nrcpt=1 (queue active)\n"
            f"{who} disconnect from host.example.net[{address}] ehlo=2 starttls=1 auth=1 mail=1 rcpt=1 data=1 quit=1 "
            "commands=8\n"
            f"{head}postfix/smtp[199]: {queue}: to=<x{number % 999}@example.net>, relay=mx.example.net[198.51.100.25], "
            "delay=0.84, delays=0.01/0.02/0.4/0.41, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 4XyZ)\n"
            f"{head}postfix/qmgr[183]: {queue}: removed\n"
        ).encode()
