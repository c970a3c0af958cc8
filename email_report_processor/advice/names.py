"""Who sends, where no verdict and no result says so: by the DNS, in the background. The filter never asks it.

The rules in their order; the first that finds a name counts:

spf     the host passes through the SPF record of the From domain: the organization that it includes, else its own
table   it passes through the published record of a large sender
map     the site's own map names the organization of its confirmed host name
ptr     its host name, confirmed by a look-up in the other direction, has an organizational domain
as      the organization of its autonomous system, by the site's databases
"""

import csv
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, NamedTuple

from ..checking.resolver import Look, Records, UnansweredError
from ..checking.spf import check_host
from ..values.domains import organizational_domain
from ..values.fields import clean, read_domain
from .large_senders import LARGE_SENDERS

RULES = ("spf", "table", "map", "ptr", "as")
_MOST_HOSTS = 5  # names of one address that are looked at


class Named(NamedTuple):
    """A name and the rule that found it."""

    name: str
    rule: str  # of RULES


def read_map(lines: Iterable[str]) -> dict[str, str]:
    """The widespread map of reverse DNS: CSV with the columns base_reverse_dns and name, others are ignored.

    Raises ValueError when the columns are not there.
    """
    rows = csv.DictReader(lines)
    try:
        if not {"base_reverse_dns", "name"} <= set(rows.fieldnames or ()):
            raise ValueError("it has no columns base_reverse_dns and name in its first line")
        pairs = [(read_domain(row["base_reverse_dns"] or ""), clean(row["name"] or "")) for row in rows]
    except csv.Error as error:
        raise ValueError(f"line {rows.line_num}: {error}") from error
    return {domain: name[:1024] for domain, name in pairs if domain and name}


def namer(look: Look, names: Mapping[str, str]) -> Callable[[Mapping[str, Any]], Named | None]:
    """What names a document (flat) by its host. look: asks the DNS; names: of `read_map`.

    Raises UnansweredError: what the DNS does not tell today could be the name of a better rule.
    """

    heard = _insisting(look)

    @lru_cache(maxsize=100_000)
    def by_spf(address: str, author: str) -> str:
        outcome = check_host(address, author, heard)
        if outcome.result != "pass":
            return ""
        own = organizational_domain(author)
        domains = [organizational_domain(domain) for domain, _ in outcome.path]
        return next((domain for domain in domains if domain != own), own)

    @lru_cache(maxsize=100_000)
    def by_table(address: str) -> str:
        records = ((one.name, domain) for one in LARGE_SENDERS for domain in one.spf)
        passes = (name for name, domain in records if check_host(address, domain, heard).result == "pass")
        return next(passes, "")

    confirmed = lru_cache(maxsize=100_000)(lambda address: host_of(address, heard))

    def find(fields: Mapping[str, Any]) -> Named | None:
        address = str(fields.get("source.ip", ""))
        if not address:
            return None
        author = str(fields.get("identifiers.header_from") or fields.get("policy_published.domain", ""))
        if author and (name := by_spf(address, author)):
            return Named(name, "spf")
        if name := by_table(address):
            return Named(name, "table")
        base = organizational_domain(confirmed(address))
        if base:
            return Named(names[base], "map") if base in names else Named(base, "ptr")
        system = str(fields.get("source.as.organization.name", ""))
        return Named(system, "as") if system else None

    return find


def _insisting(look: Look) -> Look:
    """Raises UnansweredError where no server says anything: one that says it cannot tell is an answer."""

    def ask(name: str, kind: str) -> Records:
        answer = look(name, kind)
        if answer.unheard:
            raise UnansweredError(answer.fault)
        return answer

    return ask


def host_of(address: str, look: Look) -> str:
    """The first of an address's names that leads back to it, '' when none does."""
    value = ip_address(address)
    for text in look(value.reverse_pointer, "PTR").texts[:_MOST_HOSTS]:
        name = read_domain(text)
        if str(value) in look(name, "A" if value.version == 4 else "AAAA").texts:
            return name
    return ""
