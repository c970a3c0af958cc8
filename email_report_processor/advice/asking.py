"""Which sums the advice takes, of a store that has them; else every row.

What no host can change is asked without hosts.
"""

from collections import Counter
from collections.abc import Iterator

from ..documents.encode import decode
from ..documents.senders import Senders
from ..pages.figure import Period
from ..stores.kinds import DATASET, Asked, Combined, sums
from ..stores.query import And, Between, Exists, Node, Not, Or, Text, Within, field_of
from ..stores.store import Selection, Store
from ..values.networks import Network, write_network
from .cost import Site
from .record import Record, observed

_NEWEST = 100  # rows that say what record receivers see


def rows(store: Store, period: Period, record: Record, site: Site) -> Iterator[Combined]:
    """The sums of all rows about the record's domain, without those of reports whose own mail failed authentication."""
    asked = Asked(record.domain, period.since, period.until, _closed(record, site), parts(site.senders, site.day))
    asked = asked._replace(telling=_telling(site.senders))
    if site.loses_spf is not None:
        asked = asked._replace(single=Not(_found("spf", "fail", record.aspf)))
    return sums(store, asked)


def seen(store: Store, domain: str, period: Period) -> Record:
    """The record that most of the newest reports saw. Raises ValueError when there are none, StoreError."""
    about: list[Node] = [Text(field_of("policy_published.domain"), (domain,))]
    if period.since or period.until:
        about.append(Between(field_of("@timestamp"), period.since or None, period.until or None))
    newest = store.select(Selection(And(tuple(about)), (DATASET,), size=_NEWEST))
    found = Counter(observed(decode(one.row.source)) for one in newest)
    if not found:
        raise ValueError(f"there are no reports about {domain} in this time: name another one, or --since all")
    return found.most_common(1)[0][0]._replace(domain=domain)


def _closed(record: Record, site: Site) -> Node:
    """Rows that were refused, and those that the receiver found to pass under the alignment that is tried."""
    refused = [_text("policy_evaluated.disposition", word) for word in ("quarantine", "reject")]
    passed = [_found("dkim", "pass", record.adkim)]
    if site.loses_spf is None:
        passed.append(_found("spf", "pass", record.aspf))
    return Or((*refused, *passed))


def _found(method: str, result: str, mode: str) -> Node:
    """What the receiver found under the alignment that is tried."""
    tag = f"policy_published.a{method}"
    same = _text(tag, mode) if mode == "s" else Or((_text(tag, mode), Not(Exists(field_of(tag)))))
    return And((_text(f"policy_evaluated.{method}", result), same))


def _text(name: str, value: str) -> Node:
    return Text(field_of(name), (value,))


def _telling(senders: Senders | None) -> frozenset[str]:
    """What says who sends and decides nothing, since no verdict looks at it."""
    found = {"source.as.organization.name"}
    if senders is None or not senders.names:
        found.add("source.name")
    if senders is None or not senders.systems:
        found.add("source.as.number")
    return frozenset(found)


def parts(senders: Senders | None, day: str) -> tuple[Node, ...]:
    """Networks by what verdicts say of their hosts, and all that is beside them."""
    nodes: dict[str, list[Node]] = {}
    smaller: list[tuple[Network, str]] = []
    for network, sender in senders.networks if senders is not None else ():  # the smallest first
        if sender.verdict and (not sender.until or day <= sender.until):
            within = [one for one, word in smaller if word != sender.verdict and _holds(network, one)]
            node = _within(network)
            nodes.setdefault(sender.verdict, []).append(
                And((node, Not(Or(tuple(map(_within, within)))))) if within else node
            )
            smaller.append((network, sender.verdict))
    beside = Not(Or(tuple(one for some in nodes.values() for one in some)))
    return (*(Or(tuple(some)) for some in nodes.values()), beside)


def _holds(network: Network, other: Network) -> bool:
    return network.version == other.version and other.number & network.mask == network.number


def _within(network: Network) -> Node:
    return Within(field_of("source.ip"), write_network(network))
