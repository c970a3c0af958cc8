"""What the rules look at: groups of the store by when they were stored, and the kept messages, asked for once each."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, NamedTuple

from ..documents.senders import Senders, verdict
from ..stores.follow import Behind
from ..stores.kept import Kept
from ..stores.query import And, Between, Node, Or, Within, among, field_of
from ..stores.store import Question, Store, Total
from ..values.fields import write_date
from ..values.networks import write_network

_GROUPS = 100_000
_FEW = 50  # networks and systems with verdicts that a question names; of more, each host is asked for
_PLACE = ("source.ip", "source.as.number")
_ROWS = "dmarc-aggregate"
_SENT = ("policy_published.domain", "report.org_name", "source.name", "class", "dmarc.result")
_NOT_FORGED: Mapping[str, Any] = {"report.authentication": "fail"}
RECENT = timedelta(days=1)
BEFORE = timedelta(days=28)
NEAR = timedelta(days=2)  # before RECENT: what is there needs not be looked for in all of BEFORE
LATE = timedelta(days=14)  # that a report comes after its time, at the most


class Sent(NamedTuple):
    """Mail of one sender, of one domain, with one fate."""

    domain: str
    sender: str
    address: str  # '' where nobody asked for it
    class_: str
    result: str  # pass, fail or ''
    reporter: str
    messages: int
    verdict: str  # what the site says of the sender, '' nothing


class Look:
    """One evaluation. Nothing is asked for that no rule looks at."""

    def __init__(
        self,
        store: Store,
        now: datetime,
        senders: Senders | None,
        kept: tuple[Kept, ...],
        kept_most: int,
        kept_bytes: int,
        followers: tuple[Behind, ...] = (),
    ) -> None:
        self.store = store
        self.now = now
        self.senders = senders
        self.kept = kept
        self.kept_most = kept_most  # messages that the Maildir may have
        self.kept_bytes = kept_bytes  # and their bytes
        self.followers = followers  # `copy --follow`

    @cached_property
    def recent(self) -> list[Sent]:
        """What was stored within the last day."""
        return self._sent(self.now - RECENT, self.now)

    def before(self, domains: Collection[str], *nodes: Node) -> list[Sent]:
        """What was stored in the four weeks before of some domains. nodes: what else must hold.

        Four weeks of all domains are too much to ask every few minutes: a rule asks for those of which it may have to
        say something.
        """
        period = (self.now - RECENT - BEFORE, self.now - RECENT)
        return self._sent(*period, among(_SENT[0], domains), *nodes) if domains else []

    def _sent(self, since: datetime, until: datetime, *nodes: Node) -> list[Sent]:
        """By host only where a verdict is about networks or systems: hosts are many, and no rule compares them."""
        places = self._places()
        if len(places) > _FEW:
            return self._of(self.ask(_ROWS, (*_SENT, *_PLACE), since, until, *nodes))
        everything = self.ask(_ROWS, _SENT, since, until, *nodes)
        if not places:
            return self._of(everything)
        there = self.ask(_ROWS, (*_SENT, *_PLACE), since, until, *nodes, Or(places))
        return self._of(there) + self._of(_without(everything, there))

    def known(self, pairs: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
        """Those of the pairs of a domain and a sender that were there in the four weeks before."""
        end = self.now - RECENT
        near = self._pairs(end - NEAR, end) if pairs else set()
        names = {sender for domain, sender in pairs if (domain, sender) not in near}
        far = self._pairs(end - BEFORE, end, among("source.name", names)) if names else set()
        return (near | far) & set(pairs)

    def _pairs(self, since: datetime, until: datetime, *nodes: Node) -> set[tuple[str, str]]:
        found = self.ask(_ROWS, (_SENT[0], "source.name"), since, until, *nodes, sums=())
        return {(str(one.key[0] or ""), str(one.key[1] or "")) for one in found}

    def old(self, domains: Collection[str]) -> set[str]:
        """Those of the domains that were there in the four weeks before."""
        end = self.now - RECENT
        found = self.ask(_ROWS, _SENT[:1], end - BEFORE, end, among(_SENT[0], domains), sums=()) if domains else ()
        return {str(one.key[0] or "") for one in found}

    def _places(self) -> tuple[Node, ...]:
        """Where verdicts that are not about a name hold."""
        if self.senders is None:
            return ()
        networks = [write_network(one) for one, sender in self.senders.networks if sender.verdict]
        systems = [number for number, sender in self.senders.systems.items() if sender.verdict]
        host, system = (field_of(name) for name in _PLACE)
        return (*(Within(host, one) for one in networks), *(Between(system, one, one) for one in systems))

    def _of(self, groups: Iterable[Total]) -> list[Sent]:
        """Groups by _SENT, and by _PLACE where they say it."""
        return [self._one(group) for group in groups]

    def _one(self, group: Total) -> Sent:
        fields = dict(zip((*_SENT, *_PLACE), group.key, strict=False))
        said = verdict({name: value for name, value in fields.items() if value}, self.senders, self._day)
        domain, reporter, sender, class_, result = (str(fields[name] or "") for name in _SENT)
        address = str(fields.get("source.ip") or "")
        return Sent(domain, sender, address, class_, result, reporter, group.sums[0], said.verdict if said else "")

    @cached_property
    def _day(self) -> str:
        return self.now.date().isoformat()

    def ever(self) -> bool:
        """Whether any report was ever stored."""
        return any(one.documents for one in self.store.totals(Question("report", (), ())))

    def ask(
        self,
        dataset: str,
        by: tuple[str, ...],
        since: datetime,
        until: datetime,
        *nodes: Node,
        sums: tuple[str, ...] = ("count",),
        every: bool = False,
    ) -> list[Total]:
        """The groups of what was stored from `since` on and before `until`, but what forged reports say.

        nodes: what else must hold.
        What is about a time long before is an import of old mail, and nothing to tell anybody of.
        """
        stored: Node = Between(field_of("event.ingested"), write_date(since), write_date(until))
        node = And((stored, *nodes)) if nodes else stored
        about = write_date(since - LATE)
        question = Question(dataset, by, sums, since=about, node=node, size=_GROUPS, unless=_NOT_FORGED)
        return self.store.totals(question._replace(every="day") if every else question)


def _without(everything: list[Total], some: list[Total]) -> Iterator[Total]:
    """What is left of groups. some: a part of the same documents, with more in their keys behind the same."""
    documents: Counter[tuple[Any, ...]] = Counter()
    messages: Counter[tuple[Any, ...]] = Counter()
    for one in some:
        documents[one.key[: len(_SENT)]] += one.documents
        messages[one.key[: len(_SENT)]] += one.sums[0]
    for one in everything:
        if one.documents > documents[one.key]:
            yield one._replace(documents=one.documents - documents[one.key], sums=(one.sums[0] - messages[one.key],))


def moment(text: str) -> datetime:
    """The time of a text that `flags.now` wrote."""
    return datetime.fromisoformat(text).astimezone(UTC)
