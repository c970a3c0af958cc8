"""What the rules look at: groups of the store by when they were stored, and the kept messages, asked for once each."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, NamedTuple

from ..documents.senders import Senders, verdict
from ..stores.follow import Behind
from ..stores.kept import Kept
from ..stores.query import Between, Node, field_of
from ..stores.store import Question, Store, Total
from ..values.fields import write_date

_GROUPS = 100_000
_NOT_FORGED: Mapping[str, Any] = {"report.authentication": "fail"}
RECENT = timedelta(days=1)
BEFORE = timedelta(days=28)
LATE = timedelta(days=14)  # that a report comes after its time, at the most


class Sent(NamedTuple):
    """Mail of one sender, of one domain, from one host, with one fate."""

    domain: str
    sender: str
    address: str
    system: int
    class_: str
    result: str  # pass, fail or ''
    disposition: str
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

    @cached_property
    def before(self) -> list[Sent]:
        """What was stored in the four weeks before."""
        return self._sent(self.now - RECENT - BEFORE, self.now - RECENT)

    def _sent(self, since: datetime, until: datetime) -> list[Sent]:
        by = (
            "policy_published.domain",
            "source.name",
            "source.ip",
            "source.as.number",
            "class",
            "dmarc.result",
            "policy_evaluated.disposition",
            "report.org_name",
        )
        return [self._one(group) for group in self.ask("dmarc-aggregate", by, since, until)]

    def _one(self, group: Total) -> Sent:
        domain, sender, address, system, class_, result, disposition, reporter = group.key
        fields = {"source.name": sender or "", **({"source.ip": address} if address else {})}
        fields |= {"source.as.number": system} if system else {}
        said = verdict(fields, self.senders, self.now.date().isoformat())
        domain, sender, address, class_, result, disposition, reporter = (
            str(one or "") for one in (domain, sender, address, class_, result, disposition, reporter)
        )
        word = said.verdict if said else ""
        return Sent(domain, sender, address, system or 0, class_, result, disposition, reporter, group.sums[0], word)

    def ever(self) -> bool:
        """Whether any report was ever stored."""
        return any(one.documents for one in self.store.totals(Question("report", (), ())))

    def ask(
        self,
        dataset: str,
        by: tuple[str, ...],
        since: datetime,
        until: datetime,
        *,
        sums: tuple[str, ...] = ("count",),
        every: bool = False,
    ) -> list[Total]:
        """The groups of what was stored from `since` on and before `until`, but what forged reports say.

        What is about a time long before is an import of old mail, and nothing to tell anybody of.
        """
        stored: Node = Between(field_of("event.ingested"), write_date(since), write_date(until))
        about = write_date(since - LATE)
        question = Question(dataset, by, sums, since=about, node=stored, size=_GROUPS, unless=_NOT_FORGED)
        return self.store.totals(question._replace(every="day") if every else question)


def moment(text: str) -> datetime:
    """The time of a text that `flags.now` wrote."""
    return datetime.fromisoformat(text).astimezone(UTC)
