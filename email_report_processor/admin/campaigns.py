"""`email-report-admin campaigns QUERY`: reported messages that belong together (docs/abuse-desk.md)."""

import argparse
import json
from collections import Counter
from collections.abc import Sequence

from ..desk.campaigns import Campaign, find_campaigns
from ..settings import Settings
from .reported import add_query, own_domains, reported
from .text import table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of this sub-command."""
    add_query(parser, "class:spoof since:30d")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, with the ids of the messages")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print the campaigns, the largest first. 0, also when there are none."""
    messages = reported(arguments, settings)
    found = find_campaigns(messages, own_domains=own_domains(messages, settings))
    if arguments.json:
        for one in found:
            print(json.dumps(_as_json(one), ensure_ascii=False))
    else:
        print(_text(found, len(messages)))
    return 0


def _text(found: Sequence[Campaign], messages: int) -> str:
    if not found:
        return f"{messages} messages, and no three of them from two addresses belong together"
    head = ("campaign", "messages", "addresses", "countries", "delivered", "first", "last", "by")
    return table(head, [_row(one) for one in found], indent="")


def _row(one: Campaign) -> list[object]:
    countries = Counter(message.country for message in one.messages if message.country)
    by = ", ".join(f"{kind} {value}" for kind, value in one.keys[:2])
    return [
        one.name,
        len(one.messages),
        one.addresses,
        " ".join(country for country, _ in countries.most_common(3)) or "-",
        sum(message.delivered for message in one.messages),
        one.messages[0].at[:10],
        one.messages[-1].at[:10],
        by[:100],
    ]


def _as_json(one: Campaign) -> dict[str, object]:
    return {
        "name": one.name,
        "keys": [{"kind": kind, "value": value} for kind, value in one.keys],
        "addresses": sorted({message.source_ip for message in one.messages if message.source_ip}),
        "messages": [message.id for message in one.messages],
        "first": one.messages[0].at,
        "last": one.messages[-1].at,
    }
