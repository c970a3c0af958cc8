"""What reports say of the site's own records: values that were not there in the four weeks before."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import NamedTuple

from ..stores.query import Node, Text, among, field_of
from ..values.domains import aligned
from .look import BEFORE, NEAR, RECENT, Look

_TAGS = ("p", "sp", "np", "adkim", "aspf", "testing")
_MODE = "mode: "
PASSED = Text(field_of("dkim.signatures"), ("", " / pass"))  # documents where any did
_FEW = 20  # messages below which a new selector is chance


class Seen(NamedTuple):
    """Who saw a value."""

    what: str  # `policy tag p`, `DKIM selector`, `MTA-STS mode`
    reporters: dict[str, set[str]]  # value -> reporters
    every: set[str]  # reporters that said anything


def found(look: Look, least: int) -> Iterator[tuple[str, str, str, str]]:
    """Domain, what, the value before ('' none), and the new one, which so many reporters saw, or all that there are."""
    for part in (_policies, _selectors, _modes):
        recent = part(look, look.now - RECENT, look.now)
        before = _before(look, part, recent)
        for place, now in recent.items():
            then = before.get(place)
            if then is None:
                continue
            for value, reporters in now.reporters.items():
                if value not in then.reporters and len(reporters) >= min(least, len(then.every)):
                    yield place[0], now.what, _usual(then) if now.what != "DKIM selector" else "", value


def _usual(then: Seen) -> str:
    return max(then.reporters, key=lambda value: len(then.reporters[value]))


Found = dict[tuple[str, str], Seen]  # by domain and what
Part = Callable[..., Found]


def _before(look: Look, part: Part, recent: Found) -> Found:
    """What was seen in the four weeks before; of domains of which the last days show nothing else, those alone."""
    end = look.now - RECENT
    near = part(look, end - NEAR, end)
    open_ = {
        place[0]
        for place, now in recent.items()
        if place not in near or now.reporters.keys() - near[place].reporters.keys()
    }
    return near | part(look, end - BEFORE, end, among(_DOMAIN[part], open_)) if open_ else near


def _add(found: Found, domain: object, what: str, value: object, reporter: object) -> None:
    text = ("y" if value else "n") if isinstance(value, bool) else str(value or "")
    one = found.setdefault((str(domain or ""), what), Seen(what, defaultdict(set), set()))
    one.reporters[text].add(str(reporter or ""))
    one.every.add(str(reporter or ""))


def _policies(look: Look, since: datetime, until: datetime, *nodes: Node) -> Found:
    found: Found = {}
    by = ("policy_published.domain", "report.org_name", *(f"policy_published.{tag}" for tag in _TAGS))
    for group in look.ask("dmarc-aggregate", by, since, until, *nodes, sums=()):
        for number, tag in enumerate(_TAGS):
            _add(found, group.key[0], f"policy tag {tag}", group.key[2 + number], group.key[1])
    return found


def _selectors(look: Look, since: datetime, until: datetime, *nodes: Node) -> Found:
    found: Found = {}
    keys = ("policy_published.domain", "report.org_name", "dkim.signatures")
    for group in look.ask("dmarc-aggregate", keys, since, until, PASSED, *nodes):
        parts = str(group.key[2] or "").split(" / ")
        own = len(parts) == 3 and parts[2] == "pass" and aligned(parts[0], str(group.key[0] or ""))
        if own and parts[1] not in {"", "-"} and group.sums[0] >= _FEW:
            _add(found, group.key[0], "DKIM selector", parts[1], group.key[1])
    return found


def _modes(look: Look, since: datetime, until: datetime, *nodes: Node) -> Found:
    found: Found = {}
    by = ("policy.domain", "report.org_name", "policy.string")
    for group in look.ask("smtp-tls", by, since, until, *nodes, sums=()):
        line = str(group.key[2] or "")
        if line.startswith(_MODE):
            _add(found, group.key[0], "MTA-STS mode", line.removeprefix(_MODE), group.key[1])
    return found


_DOMAIN: dict[Part, str] = {
    _policies: "policy_published.domain",
    _selectors: "policy_published.domain",
    _modes: "policy.domain",
}
