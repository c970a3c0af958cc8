"""RDAP answers in the shapes of the five registries; nothing raises."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.desk.rdap import Answer, is_contact, read_answer, server_of

BOOTSTRAP = {
    "version": "1.0",
    "services": [
        [["192.0.0.0/8"], ["https://rdap.arin.example/registry/", "http://rdap.arin.example/registry/"]],
        [["192.0.2.0/24"], ["http://rdap.ripe.example/", "https://rdap.ripe.example/"]],
        [["2001:db8::/32"], ["https://rdap.apnic.example/"]],
    ],
}


@pytest.mark.parametrize(
    ("address", "server"),
    [
        ("192.0.2.7", "https://rdap.ripe.example/"),
        ("192.1.2.7", "https://rdap.arin.example/registry/"),
        ("2001:db8::1", "https://rdap.apnic.example/"),
        ("203.0.113.1", ""),
    ],
)
def test_the_server_of_the_longest_prefix(address: str, server: str) -> None:
    assert server_of(BOOTSTRAP, address) == server


def card(*addresses: str, roles: tuple[str, ...] = ("abuse",), **more: Any) -> dict[str, Any]:
    rows = [["version", {}, "text", "4.0"], *(["email", {"type": "work"}, "text", one] for one in addresses)]
    return {"objectClassName": "entity", "roles": list(roles), "vcardArray": ["vcard", rows], **more}


def network(*entities: dict[str, Any]) -> dict[str, Any]:
    return {"startAddress": "192.0.2.0", "endAddress": "192.0.2.255", "handle": "NET-1", "entities": list(entities)}


def test_beside_the_registrant() -> None:
    """RIPE and APNIC."""
    found = read_answer(network(card(roles=("registrant",)), card("Abuse@Net.example")))
    assert found == Answer("192.0.2.0", "192.0.2.255", "NET-1", ("abuse@net.example",))


def test_within_the_registrant() -> None:
    """ARIN nests the point of contact in the organisation."""
    organisation = card(
        roles=("registrant",), entities=[card("abuse@net.example"), card("noc@net.example", roles=("noc",))]
    )
    assert read_answer(network(organisation)).contacts == ("abuse@net.example",)


def test_a_technical_contact_is_better_than_none() -> None:
    """LACNIC and AFRINIC often have no abuse role."""
    assert read_answer(network(card("tech@net.example", roles=("technical",)))).contacts == ("tech@net.example",)


def test_placeholders_are_no_contacts() -> None:
    placeholders = ("removed@lacnic.net", "redacted for privacy", "not-disclosed@registry.example", "abuse@example.com")
    found = read_answer(network(card(*placeholders), card("tech@net.example", roles=("technical",))))
    assert found.contacts == ("tech@net.example",)


def test_several_addresses_stand_in_their_order_once() -> None:
    found = read_answer(network(card("b@net.example", "mailto:a@net.example"), card("b@net.example")))
    assert found.contacts == ("b@net.example", "a@net.example")


@pytest.mark.parametrize(
    "address",
    ["", "abuse", "a b@net.example", "abuse@net", "a@b@net.example", "<abuse@net.example>", "ábuse@net.example"],
)
def test_what_is_no_address(address: str) -> None:
    assert not is_contact(address)


JSON = st.recursive(
    st.none() | st.text(max_size=8) | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["entities", "roles", "vcardArray", "startAddress"]), inner, max_size=4)
    ),
)


@given(st.dictionaries(st.sampled_from(["entities", "startAddress", "handle"]), JSON))
def test_nothing_raises(answer: dict[str, Any]) -> None:
    assert isinstance(read_answer(answer), Answer)


def test_entities_without_end_are_bounded() -> None:
    deep: dict[str, Any] = card("abuse@net.example")
    for _ in range(100):
        deep = card(roles=(), entities=[deep])
    assert read_answer(network(deep)).contacts == ()
