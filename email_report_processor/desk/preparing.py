"""From reported messages to drafts: one report for each network and incident, to one contact. Pure but for the lookups.

An incident is a campaign, and for messages that belong to none all that one address sent. What is left out is told.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from ipaddress import ip_network
from typing import NamedTuple

from ..values.fields import clean
from ..values.networks import Network, is_in, read_network
from ..values.redaction import named_recipients, redact
from .campaigns import Campaign
from .contacts import Choice
from .events import Incident
from .message import Message
from .report import Draft, ReportOptions, beside, compose, draft_urls, is_own, whole_sample
from .tokens import derived, find, make_token
from .xarf import to_json

MOST_DOCUMENTS = 5000  # of one report
# Nobody's networks, about which nobody can be told (RFC 6890).
_NOWHERE = tuple(
    read_network(str(ip_network(one)))
    for one in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16",
        "224.0.0.0/3", "::/127", "fc00::/7", "fe80::/10", "ff00::/8",
    )
)  # fmt: skip

FRAUD = frozenset({"spoof"})  # classes of messages that claimed to be ours; anything else is abuse


class LeftOut(NamedTuple):
    """Messages that nobody will be told of, and why."""

    why: str
    messages: int
    about: str = ""  # an address or network
    form: str = ""  # URL of a web form that a person can use


class Prepared(NamedTuple):
    """One report, composed and not yet kept."""

    incident: Incident
    message: bytes  # CRLF


class Given(NamedTuple):
    """What preparing needs of the site."""

    options: ReportOptions
    key: bytes
    now: datetime
    own_domains: Sequence[str]
    own_networks: Sequence[Network]
    done: Mapping[str, str]  # document id -> token of a report or draft about it
    earlier: Mapping[str, int]  # document id -> how many reports about it bounced
    contact_of: Callable[[str, int], Choice]  # address, AS
    is_wanted: Callable[[Message], bool] = lambda _: False  # whether the site trusts who sent it (verdicts)


class Group(NamedTuple):
    """Messages of one incident, and whom to tell."""

    choice: Choice
    campaign: str
    messages: tuple[Message, ...]  # oldest first


def prepare(
    messages: Iterable[Message], campaigns: Iterable[Campaign], given: Given
) -> tuple[list[Prepared], list[LeftOut]]:
    """Reports about these messages, those of the most messages first, and what is left out."""
    wanted, left_out = _reportable(messages, given)
    names = {one.id: campaign.name for campaign in campaigns for one in campaign.messages}
    groups, without = _groups(wanted, names, given)
    made = [_prepared(group, given) for group in groups]
    return sorted(made, key=lambda one: -one.incident.count), [*left_out, *without]


def _reportable(messages: Iterable[Message], given: Given) -> tuple[list[Message], list[LeftOut]]:
    wanted: list[Message] = []
    refused: dict[str, int] = {}
    for one in messages:
        why = _why_not(one, given)
        if why:
            refused[why] = refused.get(why, 0) + 1
        else:
            wanted.append(one)
    return wanted, [LeftOut(why, number) for why, number in refused.items()]


def _why_not(message: Message, given: Given) -> str:
    """Why a message is not reported, '' when it can be."""
    if not message.source_ip:
        return "the report does not say which host sent it (Source-IP)"
    if find(message.user_agent, given.key) or message.reporter.lower() == given.options.sender.lower():
        return "it is a report of ours that came back"
    if is_in(message.source_ip, tuple(given.own_networks)):
        return "the host is ours ([site] own_networks)"
    if is_in(message.source_ip, _NOWHERE):
        return "the address belongs to nobody (RFC 6890)"
    if message.class_ == "not-spam":
        return "its recipient says that it is no spam"
    if given.is_wanted(message):
        return "the sender has the verdict mine or service"
    if message.id in given.done:
        return "reported already, or in a draft"
    return ""


def _groups(
    messages: Iterable[Message], campaigns: Mapping[str, str], given: Given
) -> tuple[list[Group], list[LeftOut]]:
    """One for each incident and network, and what has no contact."""
    choices: dict[tuple[str, int], Choice] = {}
    found: dict[tuple[str, str, str], list[Message]] = {}
    chosen: dict[tuple[str, str, str], Choice] = {}
    for one in sorted(messages, key=lambda message: (message.at, message.id)):
        host = (one.source_ip, one.as_number)
        choice = choices[host] = choices.get(host) or given.contact_of(*host)
        campaign = campaigns.get(one.id, "")
        network = choice.network or one.source_ip
        key = (campaign or one.source_ip, network, choice.contact or choice.why)
        chosen.setdefault(key, choice)
        found.setdefault(key, []).append(one)
    groups, left_out = [], []
    for key, some in found.items():
        choice = chosen[key]
        if not choice.contact:
            left_out.append(LeftOut(choice.why, len(some), key[1], choice.form))
            continue
        groups.append(Group(choice, campaigns.get(some[0].id, ""), tuple(some[:MOST_DOCUMENTS])))
        if len(some) > MOST_DOCUMENTS:
            why = f"a report stands for {MOST_DOCUMENTS} messages at the most: prepare again when it is sent"
            left_out.append(LeftOut(why, len(some) - MOST_DOCUMENTS, key[1]))
    return groups, left_out


def _prepared(group: Group, given: Given) -> Prepared:
    incident = _incident(group, given)
    key = derived(given.key, "redaction")
    recipients = sorted(_recipients(group.messages))
    urls = draft_urls(group.messages, [*given.own_domains, *incident.domains])

    def hidden(header: str, body: str) -> tuple[str, str]:
        return redact(header, body, recipients, given.own_domains, key, given.options.redact)

    first = group.messages[0]
    sender = hidden("", first.mail_from)[1]
    messages = (first._replace(mail_from=sender), *group.messages[1:])
    shown = tuple(hidden("", url)[1] for url in urls)
    draft = Draft(incident.token, incident.contact, messages, incident.domains, shown, incident.kind)
    sample = _sample(group.messages, given.options, hidden)
    message = compose(draft, given.options, given.now, sample)
    if given.options.xarf and (content := to_json(draft, given.options, sample)):
        message = beside(message, "xarf.json", content)
    return Prepared(incident, message)


def _recipients(messages: Sequence[Message]) -> set[str]:
    """Who got them, also where only the header says so: a URL of one message names them as well."""
    return {one for message in messages for one in (*message.recipients, *named_recipients(message.headers))}


def _sample(
    messages: Sequence[Message], options: ReportOptions, hidden: Callable[[str, str], tuple[str, str]]
) -> bytes:
    """Of the first message of which one is stored: of the host that the report names, if there is one."""
    ordered = sorted(messages, key=lambda one: one.source_ip != messages[0].source_ip)
    found = next((one for one in ordered if one.headers), None)
    if found is None or options.sample == "none":
        return b""
    header, body = hidden(found.headers, found.body)
    if options.sample == "full":
        return whole_sample(header, body)
    return header.encode("utf-8", "replace")


def _incident(group: Group, given: Given) -> Incident:
    messages, choice = group.messages, group.choice
    first = messages[0]
    ids = tuple(one.id for one in messages)
    earlier = max((given.earlier.get(one, 0) for one in ids), default=0)
    domains = _domains(messages, given.own_domains)
    return Incident(
        token=make_token(given.key, choice.contact, ids, earlier),
        contact=choice.contact,
        begin=first.at,
        end=messages[-1].at,
        address=first.source_ip,
        count=sum(one.count for one in messages),
        kind="fraud" if domains and any(one.class_ in FRAUD for one in messages) else "abuse",
        network=choice.network,
        via=choice.via,
        campaign=group.campaign,
        as_number=first.as_number,
        as_name=first.as_name,
        country=first.country,
        domains=domains,
        hosts=tuple(dict.fromkeys(host for one in messages for host in one.hosts))[:100],
        addresses=tuple(dict.fromkeys(one.source_ip for one in messages)),
        documents=ids,
    )


def _domains(messages: Sequence[Message], own: Sequence[str]) -> tuple[str, ...]:
    """Ours, that the messages claimed to be from; where the site does not say which are ours, what the reports name."""
    named = dict.fromkeys(clean(name).lower() for one in messages for name in one.reported_domains)
    return tuple(name for name in named if name and (not own or is_own(name, own)))[:10]
