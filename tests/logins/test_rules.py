"""Every rule on both sides of its threshold, with its evidence; what must not set it off."""

from typing import Any

import pytest

from email_report_processor.logins.countries import COUNTRIES as TABLE
from email_report_processor.logins.countries import distance
from email_report_processor.logins.options import LoginOptions
from email_report_processor.logins.rules import RULES
from tests.logins.world import World, address
from tests.places import ROOT

SLOW: dict[str, Any] = {"speed": 10**6}  # nobody is too fast


def test_many_countries() -> None:
    world = World(**SLOW)
    hour = world.habit()
    world.login(hour + 1, address("BR", 2))
    world.login(hour + 9, address("ZA", 2))
    assert world.rules() == ["new-country notice", "new-country notice"]
    (finding, _) = world.login(hour + 23, address("VN", 2))
    assert (finding.rule, finding.severity) == ("many-countries", "alarm")
    assert "3 new countries within 24 hours: BR, VN, ZA" in finding.sentence
    assert finding.lines == (b"line 31", b"line 32", b"line 33")


def test_many_countries_within_the_window_only() -> None:
    world = World(**SLOW)
    hour = world.habit()
    for number, country in enumerate(("BR", "ZA", "VN", "US", "AU", "JP")):
        world.login(hour + 13 * number, address(country, 2))
    assert "many-countries alarm" not in world.rules()


def test_countries_that_are_known_do_not_count() -> None:
    """Two countries a day are the habit of a lorry driver, after the first days."""
    world = World(**SLOW)
    for day in range(60):
        for number, country in enumerate(("DE", "FR", "BR", "ZA")):
            if day % 4 == number or day > 4:
                world.login(24 * day + number, address(country, 2))
    assert {finding.rule for finding in world.findings if finding.time > world.findings[0].time + 5 * 86400} == set()


def test_a_country_is_forgotten() -> None:
    world = World(**SLOW, days=90)
    world.habit()
    for day in range(31, 125):
        world.login(24 * day, address("FR"))
        if day == 119:
            assert world.login(24 * day + 1) == []  # 90 days after the last login from there, all but some hours
    assert world.rules() == ["new-country notice"]
    world.login(24 * 125 + 24 * 91, address("FR"))
    world.login(24 * 125 + 24 * 92, address("DE"))
    assert world.rules() == ["new-country notice"] * 3


def test_many_systems() -> None:
    world = World()
    hour = world.habit()
    for system in range(2, 7):
        assert world.login(hour + system, address(system=system)) == []
    (finding,) = world.login(hour + 20, address(system=7))
    assert (finding.rule, finding.severity, len(finding.lines)) == ("many-systems", "alarm", 6)


def test_many_addresses() -> None:
    """Networks of systems that are new to the account, of three at the least."""
    world = World(systems=99)
    hour = world.habit()
    for number in range(11):
        assert world.login(hour + number, address(system=2 + number % 3, network=number)) == []
    (finding,) = world.login(hour + 12, address(system=4, network=12))
    assert (finding.rule, finding.severity, len(finding.lines)) == ("many-addresses", "alarm", 12)


def test_a_phone_changes_its_address_all_day() -> None:
    world = World()
    hour = world.habit()
    for number in range(100):
        world.login(hour + number / 5, address(system=1, network=number))  # of a provider that is known
        world.login(hour + number / 5, address(system=2, network=number))  # and of one that is new
    assert world.findings == []


def test_a_network_counts_once() -> None:
    world = World()
    hour = world.habit()
    for number in range(250):
        world.login(hour + number / 50, address(system=2 + number % 4, network=7, host=number))
    assert world.findings == []


def test_impossible_travel_into_one_country_is_a_notice() -> None:
    world = World()
    hour = world.habit()
    world.login(hour)
    (finding,) = world.login(hour + 0.5, address("BR", 2))
    assert (finding.rule, finding.severity) == ("impossible-travel", "notice")
    assert "from DE to BR, at least 6," in finding.sentence
    world.login(hour + 1)
    world.login(hour + 2, address("BR", 3))
    assert len(world.findings) == 1


def test_impossible_travel_into_two_countries_is_an_alarm() -> None:
    world = World()
    hour = world.habit()
    world.login(hour)
    world.login(hour + 0.5, address("BR", 2))
    (finding,) = world.login(hour + 1, address("AU", 2))
    assert (finding.rule, finding.severity, finding.lines) == ("impossible-travel", "alarm", (b"line 32", b"line 33"))


def test_a_flight_is_possible() -> None:
    world = World()
    hour = world.habit()
    world.login(hour + 12, address("BR", 2))
    world.login(hour + 30, address("US", 2))
    assert world.rules() == ["new-country notice", "new-country notice"]


def test_new_country_waits_for_a_habit() -> None:
    world = World(**SLOW)
    world.habit(days=3)
    world.login(24 * 4, address("BR"))
    assert world.findings == []
    other = World(**SLOW)
    hour = other.habit(days=9)
    (finding,) = other.login(hour, address("BR"))
    assert (finding.rule, finding.sentence) == ("new-country", "a login from BR, new within 90 days (known: DE)")


def test_many_accounts_from_one_address() -> None:
    world = World(**SLOW)
    for number in range(11):
        world.habit(account=f"user{number}@example.org")
    hour = 24 * 30 + 9
    for number in range(9):
        world.login(hour + number, address("BR", 2), f"user{number}@example.org")
    assert "many-accounts alarm" not in world.rules()
    world.login(hour + 10, address("BR", 2), "user9@example.org")
    assert world.rules().count("many-accounts alarm") == 1
    assert len(world.findings[-1].lines) == 10 or len(world.findings[-2].lines) == 10


def test_an_office_has_many_accounts() -> None:
    """Also a new one, where the country is known to everybody."""
    world = World()
    for number in range(40):
        world.habit(account=f"user{number}@example.org")
    for number in range(40):
        world.login(24 * 30 + 10, address("DE", 5, 9), f"user{number}@example.org")
    assert world.findings == []


def test_guessed() -> None:
    world = World()
    hour = world.habit()
    for number in range(2):
        world.login(hour, address(system=3, network=3), f"user{number}@example.org", "failure")
    assert world.login(hour + 1, address(system=3, network=3)) == []
    for number in range(3):
        world.login(hour, address(system=4, network=4), f"user{number}@example.org", "failure")
    (finding,) = world.login(hour + 1, address(system=4, network=4))
    assert (finding.rule, finding.severity, len(finding.lines)) == ("guessed", "alarm", 4)


def test_colleagues_mistype_and_come_in() -> None:
    world = World()
    hour = world.habit()
    for number in range(10):
        world.login(hour, address(system=4, network=4), f"user{number}@example.org", "failure")
        world.login(hour, address(system=4, network=4), f"user{number}@example.org")
    assert world.login(hour + 1, address(system=4, network=4)) == []


def test_slow_guessing() -> None:
    world = World()
    hour = world.habit()
    for number in range(19):
        assert world.login(hour + number, address(system=number, network=number), outcome="failure") == []
    (finding,) = world.login(hour + 20, address(system=99, network=99), outcome="failure")
    assert (finding.rule, finding.severity, len(finding.lines)) == ("slow-guessing", "notice", 20)


def test_volume() -> None:
    world = World(volume=30, habit=5)
    for day in range(30):
        for number in range(5):
            world.login(24 * day + number, server="postfix")
    for number in range(29):
        world.login(24 * 30 + number / 10, server="postfix")
    assert world.findings == []
    (finding,) = world.login(24 * 30 + 20, server="postfix")
    assert (finding.rule, finding.severity) == ("volume", "alarm")
    assert finding.sentence == "30 messages in a day; the busiest of the days before had 5"
    assert finding.lines[-1] == b"line 180"


def test_volume_that_begins_before_midnight() -> None:
    """The theft's own first hours are no habit."""
    world = World(volume=30, habit=5)
    world.habit(server="postfix")
    for number in range(60):
        world.login(24 * 30 + 23 + number / 20, server="postfix")
    (finding,) = [one for one in world.findings if one.rule == "volume"]
    assert finding.sentence == "30 messages in a day; the busiest of the days before had 1"


def test_volume_within_the_habit() -> None:
    world = World(volume=30, habit=5)
    for day in range(3):
        for number in range(29 if day < 2 else 140):
            world.login(24 * day + number / 10, server="postfix")
    assert world.findings == []
    many = World(volume=30)
    for number in range(100):
        many.login(number / 10, server="dovecot")  # a mailbox that is polled sends nothing
    assert many.findings == []


def test_quota() -> None:
    world = World(quota=3)
    for number in range(3):
        assert world.login(number, outcome="quota") == []
    assert world.login(23, outcome="quota")[0].rule == "quota"
    slow = World(quota=3)
    for number in range(30):
        slow.login(9 * number, outcome="quota")
    assert slow.findings == []


def test_the_same_is_told_once_a_day() -> None:
    world = World(quota=3)
    for number in range(24 * 10):
        world.login(number / 10, outcome="quota")
    assert world.rules() == ["quota alarm"]
    world.login(25, outcome="quota")
    assert world.rules() == ["quota alarm"] * 2


def test_a_bot_net_is_found_on_the_first_day_of_an_account() -> None:
    world = World()
    number = 0
    while not any(finding.severity == "alarm" for finding in world.findings):
        world.login(number / 4, address(("DE", "BR", "VN")[number % 3], number, number))
        number += 1
    assert number == 3


# The table


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_has_a_setting_a_reason_and_a_row_in_the_page(rule: object) -> None:
    row = next(one for one in RULES if one is rule)
    assert row.setting in LoginOptions._fields
    assert len(row.reason) > 20
    default = getattr(LoginOptions(), row.setting)
    line = next(
        line for line in (ROOT / "docs/logins.md").read_text("utf-8").splitlines() if f"| `{row.name}` |" in line
    )
    assert str(default) in line


# Distances


def test_distances() -> None:
    assert 6000 < distance("DE", "BR") < 10000
    assert distance("DE", "FR") == distance("US", "CA") == distance("FI", "RU") == distance("PT", "ES") == 0
    assert distance("DE", "DE") == distance("DE", "??") == 0
    assert distance("DE", "BR", (52.5, 13.4), (-23.5, -46.6)) > 9500
    assert len(TABLE) > 230


@pytest.mark.parametrize(("one", "other"), [(a, b) for a in TABLE for b in TABLE if a < b][::97])
def test_distances_are_the_same_both_ways(one: str, other: str) -> None:
    assert distance(one, other) == pytest.approx(distance(other, one))
    assert 0 <= distance(one, other) < 20016
