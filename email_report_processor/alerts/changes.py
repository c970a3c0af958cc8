"""What reports say of the site's own records: values that were not there in the four weeks before."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from ..stores.query import Text, field_of
from ..values.domains import aligned
from .look import BEFORE, RECENT, Look

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
    start = look.now - RECENT
    recent = _seen(look, start, look.now)
    before = _seen(look, start - BEFORE, start)
    for place, now in recent.items():
        then = before.get(place)
        if then is None:
            continue
        for value, reporters in now.reporters.items():
            if value not in then.reporters and len(reporters) >= min(least, len(then.every)):
                yield place[0], now.what, _usual(then) if now.what != "DKIM selector" else "", value


def _usual(then: Seen) -> str:
    return max(then.reporters, key=lambda value: len(then.reporters[value]))


def _seen(look: Look, since: datetime, until: datetime) -> dict[tuple[str, str], Seen]:
    found: dict[tuple[str, str], Seen] = {}

    def add(domain: object, what: str, value: object, reporter: object) -> None:
        text = ("y" if value else "n") if isinstance(value, bool) else str(value or "")
        one = found.setdefault((str(domain or ""), what), Seen(what, defaultdict(set), set()))
        one.reporters[text].add(str(reporter or ""))
        one.every.add(str(reporter or ""))

    by = ("policy_published.domain", "report.org_name", *(f"policy_published.{tag}" for tag in _TAGS))
    for group in look.ask("dmarc-aggregate", by, since, until, sums=()):
        for number, tag in enumerate(_TAGS):
            add(group.key[0], f"policy tag {tag}", group.key[2 + number], group.key[1])
    keys = ("policy_published.domain", "report.org_name", "dkim.signatures")
    for group in look.ask("dmarc-aggregate", keys, since, until, PASSED):
        parts = str(group.key[2] or "").split(" / ")
        own = len(parts) == 3 and parts[2] == "pass" and aligned(parts[0], str(group.key[0] or ""))
        if own and parts[1] not in {"", "-"} and group.sums[0] >= _FEW:
            add(group.key[0], "DKIM selector", parts[1], group.key[1])
    for group in look.ask("smtp-tls", ("policy.domain", "report.org_name", "policy.string"), since, until, sums=()):
        line = str(group.key[2] or "")
        if line.startswith(_MODE):
            add(group.key[0], "MTA-STS mode", line.removeprefix(_MODE), group.key[1])
    return found
