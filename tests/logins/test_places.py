"""Networks, systems, countries; ignore lists; names that are believed only when they lead back."""

from typing import Any

import pytest

from email_report_processor.checking.resolver import Records
from email_report_processor.logins.names import Confirmed
from email_report_processor.logins.options import LoginOptions
from email_report_processor.logins.places import Places
from tests.logins.world import Databases, World, address

PLAIN = {"ignore_systems": (), "one_network": ()}


def places(**options: object) -> Places:
    return Places(LoginOptions(**{**PLAIN, **options}), Databases())  # type: ignore[arg-type]  # each has its type


@pytest.mark.parametrize(
    ("one", "network", "system"),
    [
        ("198.51.100.7", "198.51.100.0/24", "198.51.0.0/16"),
        ("2001:db8:1:2::3", "2001:db8:1::/48", "2001:db8::/32"),
        ("21.7.9.1", "21.7.9.0/24", "AS64507"),
        ("64:ff9b::c633:6407", "198.51.100.0/24", "198.51.0.0/16"),  # NAT64: 198.51.100.7 inside
        ("64:ff9b::1507:901", "21.7.9.0/24", "AS64507"),
    ],
)
def test_networks_and_systems(one: str, network: str, system: str) -> None:
    place = places().of(one)
    assert (place.network, place.system, place.ignored) == (network, system, "")


def test_a_prefix_that_counts_as_one() -> None:
    nat = places(one_network=("198.18.0.0/15", "2001:db8::/32"))
    assert {nat.of(f"198.18.{n}.1").network for n in range(256)} == {"198.18.0.0/15"}
    assert nat.of("2001:db8:7::1").network == "2001:db8::/32"
    assert nat.of("198.20.0.1").network == "198.20.0.0/24"
    assert Places(LoginOptions()).of("100.64.3.4").network == "100.64.0.0/10"


@pytest.mark.parametrize("one", ["10.1.2.3", "192.168.0.1", "127.0.0.1", "::1", "fd00::1", "fe80::1", ""])
def test_private_addresses_are_not_counted(one: str) -> None:
    assert places().of(one).ignored


@pytest.mark.parametrize(
    ("options", "ignored", "counted"),
    [
        ({"ignore_networks": ("21.7.0.0/16",)}, "21.7.1.1", "21.8.1.1"),
        ({"ignore_systems": ("as64507",)}, "21.7.1.1", "21.8.1.1"),
        ({"ignore_systems": ("64507",)}, "21.7.1.1", "21.8.1.1"),
        ({"ignore_countries": ("br",)}, "21.7.1.1", "22.7.1.1"),
    ],
)
def test_ignore_lists(options: dict[str, object], ignored: str, counted: str) -> None:
    assert places(**options).of(ignored).ignored == next(iter(options))
    assert places(**options).of(counted).ignored == ""


def test_the_clouds_that_fetch_mail_are_ignored_by_default() -> None:
    default = Places(LoginOptions(), Clouds())
    assert default.of("192.0.2.75").ignored == "ignore_systems"
    assert default.of("192.0.2.69").ignored == "ignore_systems"
    assert default.of("192.0.2.1").ignored == ""


class Clouds(Databases):
    """Two clouds and somebody else."""

    @property
    def look_up(self):  # type: ignore[no-untyped-def]  # as the class above
        """By the last number."""
        return lambda one: {"source.as.number": {"75": 8075, "69": 15169}.get(one.rpartition(".")[2], 64500)}


def test_empty_lists_ignore_nothing() -> None:
    """(b) of the old tool: an empty list ignored every address."""
    nothing = places(ignore_networks=(), ignore_countries=(), ignore_names=(), ignore_users=())
    assert all(nothing.of(address(country)).ignored == "" for country in ("DE", "BR", "VN"))
    empty: dict[str, Any] = {name: () for name in LoginOptions._fields if name.startswith("ignore_")}
    world = World(**empty)
    hour = world.habit()
    for number, country in enumerate(("BR", "VN", "ZA")):
        world.login(hour + number, address(country, 2))
    assert "many-countries alarm" in world.rules()


def test_users_are_ignored_as_a_whole() -> None:
    """(m) and `email_skip` of the old tool: by equality, not by a part of the name."""
    world = World(ignore_users=("Alice@example.org", "@test.example"), quota=0)
    for account in ("alice@example.org", "x@test.example"):
        assert world.login(1, account=account, outcome="quota") == []
    for account in ("malice@example.org", "alice@example.org.example", "x@my.test.example"):
        assert len(world.login(1, account=account, outcome="quota")) == 1


# Names


class Dns:
    """Answers, and how often it was asked. None: no answer."""

    def __init__(self, **records: tuple[str, ...] | None) -> None:
        self.records = records
        self.asked = 0

    def __call__(self, name: str, kind: str) -> Records:
        """See Look."""
        self.asked += 1
        answer = self.records.get({"PTR": "ptr"}.get(kind, "back"), ())
        return Records(fault="no answer") if answer is None else Records(answer)


def named(dns: Dns, *names: str) -> Places:
    options = LoginOptions(ignore_systems=(), ignore_names=names)
    return Places(options, None, Confirmed(dns).name)


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ({"ptr": ("a.vpn.example.",), "back": ("192.0.2.1",)}, "ignore_names"),
        ({"ptr": ("A.VPN.example.",), "back": ("198.51.100.1", "192.0.2.1")}, "ignore_names"),
        ({"ptr": ("a.vpn.example.",), "back": ("198.51.100.1",)}, ""),  # (d): anybody can write any name
        ({"ptr": ("a.vpn.example.",)}, ""),
        ({"ptr": ("vpn.example.net.",), "back": ("192.0.2.1",)}, ""),
        ({"ptr": ("x-vpn.example.",), "back": ("192.0.2.1",)}, ""),
        ({"ptr": ()}, ""),
    ],
)
def test_names_lead_back(records: dict[str, tuple[str, ...]], expected: str) -> None:
    one = named(Dns(**records), ".vpn.example", "exact.example")
    assert one.of("192.0.2.1").ignored == expected
    assert one.said() == []


@pytest.mark.parametrize("records", [{"ptr": None}, {"ptr": ("a.vpn.example.",), "back": None}])
def test_a_look_up_that_fails_is_said_and_counts(records: dict[str, tuple[str, ...] | None]) -> None:
    """(c) of the old tool: a failed question ended in a traceback, or in silence."""
    one = named(Dns(**records), ".vpn.example")
    assert one.of("192.0.2.1").ignored == ""
    (fault,) = one.said()
    assert "192.0.2.1: the DNS did not answer" in fault
    assert one.said() == []


def test_names_are_asked_for_only_where_they_are_ignored() -> None:
    dns = Dns()
    assert named(dns).of("192.0.2.1").ignored == ""
    assert dns.asked == 0


def test_a_broken_database_is_said() -> None:
    databases = Databases()
    one = Places(LoginOptions(), databases)
    databases.faults.append("geo.mmdb: the database is broken and was left out")
    assert one.said() == ["geo.mmdb: the database is broken and was left out"]
    assert one.said() == []
