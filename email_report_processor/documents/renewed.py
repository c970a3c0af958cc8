"""What a stored document would say if it came today, under other rules, verdicts and own networks. Pure."""

from collections.abc import Mapping
from typing import Any

from ..values.fields import Fields
from .classify import Site
from .completion import said_of
from .senders import Senders

DATASETS = ("dmarc-aggregate", "dmarc-failure", "arf")  # those whose documents have a class or a sender's name
FIELDS = ("class", "class_rule", "source.name")  # what is worked out from the rest of a document


def renewed(fields: Mapping[str, Any], site: Site, senders: Senders | None) -> Fields | None:
    """The flat fields with what is worked out anew; None where they say it already."""
    said = said_of(fields, site, senders)
    if all(fields.get(name) == said.get(name) for name in FIELDS):
        return None
    return {**{name: value for name, value in fields.items() if name not in FIELDS}, **said}
