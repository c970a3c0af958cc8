"""What a stored document would say if it came today, under other rules, verdicts and own networks. Pure."""

from collections.abc import Mapping
from typing import Any

from ..values.fields import Fields
from .classify import Site
from .completion import said_of
from .senders import Senders

DATASETS = ("dmarc-aggregate", "dmarc-failure", "arf")  # those whose documents have a class or a sender's name
FIELDS = ("class", "class_rule", "source.name", "source.name_rule")  # what is worked out from the rest of a document

_BACKGROUND = frozenset({"spf", "table", "map", "ptr", "as"})  # rules of `email-report-admin names`: its names stay


def renewed(fields: Mapping[str, Any], site: Site, senders: Senders | None) -> Fields | None:
    """The flat fields with what is worked out anew; None where they say it already."""
    said = said_of(fields, site, senders)
    if "source.name" not in said and fields.get("source.name_rule") in _BACKGROUND:
        said |= {name: fields[name] for name in ("source.name", "source.name_rule") if name in fields}
    if all(fields.get(name) == said.get(name) for name in FIELDS):
        return None
    return {**{name: value for name, value in fields.items() if name not in FIELDS}, **said}
