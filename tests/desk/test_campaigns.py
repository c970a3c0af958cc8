"""Campaigns: a bot net is one, a month of honest mail is none."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.desk.campaigns import Campaign, find_campaigns, plain_subject
from email_report_processor.desk.message import Message

WORDS = ["report", "meeting", "lunch", "weekly", "minutes", "travel", "budget", "garden", "music", "school"]
HOSTS = [f"site{number}.example" for number in range(40)]


def message(number: int, **fields: object) -> Message:
    at = f"2026-11-{1 + number % 28:02}T{number % 24:02}:00:00Z"
    return Message(str(number), at, source_ip=f"198.51.{number // 200}.{number % 200}")._replace(**fields)  # type: ignore[arg-type]  # names of fields


def botnet(number: int, seed: int = 1) -> list[Message]:
    """One page, or one of two attachments, behind ever other subjects, from as many addresses."""
    random_ = random.Random(seed)
    found = []
    for one in range(number):
        subject = f"{random_.choice(['Payment', 'Invoice', 'Order'])} {random_.randint(10**4, 10**6)}"
        hosts = ("login.phish.example",) if one % 3 else ()
        files = (("a.zip", "f" * 64),) if one % 3 != 1 else ()
        found.append(message(one, subject=subject, hosts=hosts, files=files))
    return found


def honest(number: int, seed: int = 2) -> list[Message]:
    """People write what nobody else writes, and link to what everybody links to."""
    random_ = random.Random(seed)
    found = []
    for one in range(number):
        subject = " ".join(random_.sample(WORDS, 5)) + f" {one}"
        hosts = ("www.w3.org", *random_.sample(HOSTS, 2))
        files = (("logo.png", "a" * 64), ("photo.jpg", f"{one:064}"))
        found.append(message(1000 + one, subject=subject, hosts=hosts, files=files))
    return found


def test_a_bot_net_over_300_addresses_is_one_campaign() -> None:
    (found,) = find_campaigns([*botnet(300), *honest(300)])
    assert len(found.messages) == found.addresses == 300
    assert {one.id for one in found.messages} == {str(number) for number in range(300)}
    assert set(found.keys) == {("host", "login.phish.example"), ("file", "f" * 64)}


def test_a_month_of_honest_mail_is_none() -> None:
    assert find_campaigns(honest(600)) == []


def test_its_name_stays_while_it_grows() -> None:
    (early,) = find_campaigns(botnet(30))
    (late,) = find_campaigns(botnet(300))
    assert early.messages[0] == late.messages[0]
    assert early.name == late.name


def test_the_order_of_the_messages_means_nothing() -> None:
    mail = [*botnet(50), *honest(50)]
    expected = find_campaigns(mail)
    random.Random(3).shuffle(mail)
    assert find_campaigns(mail) == expected


def test_one_address_is_no_campaign() -> None:
    assert find_campaigns(one._replace(source_ip="192.0.2.1") for one in botnet(20)) == []


def test_own_domains_join_nothing() -> None:
    mail = [message(number, hosts=("www.example.org",), subject=f"{'x' * number}") for number in range(1, 9)]
    assert len(find_campaigns(mail)) == 1
    assert find_campaigns(mail, own_domains=["example.org"]) == []
    assert len(find_campaigns(mail, own_domains=["ample.org"])) == 1


@pytest.mark.parametrize(
    ("subject", "plain"),
    [
        ("Re: Fwd: Your invoice 4711 of 3.11.2026", "your invoice of"),
        ("AW: Wire transfer for anna@example.org", "wire transfer for"),
        ("Anna, your parcel waits", "your parcel waits"),
        ("Überweisung von 12,50 € dringend", "überweisung von dringend"),
        ("Hello", ""),
        ("4711-22 0815", ""),
        ("", ""),
    ],
)
def test_plain_subjects(subject: str, plain: str) -> None:
    assert plain_subject(subject, ("anna@example.org",)) == plain


@given(
    st.lists(st.builds(Message, st.text(max_size=3), st.text(max_size=3), subject=st.text(max_size=40)), max_size=20)
)
def test_nothing_raises(mail: list[Message]) -> None:
    for campaign in find_campaigns(mail):
        assert isinstance(campaign, Campaign)
        assert len(campaign.messages) >= 3
