"""Six generated months of a well-kept site, and a store in a list that answers quickly."""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from email_report_processor.alerts import changes
from email_report_processor.alerts.look import Look
from email_report_processor.documents.senders import Senders, read_senders
from email_report_processor.stores.kept import Kept
from email_report_processor.stores.query import And, Between, Exists, Node, Not, Or, Text, field_of
from email_report_processor.stores.store import Question, Total
from email_report_processor.values.fields import write_date

BEGIN = datetime(2026, 1, 1, 6, tzinfo=UTC)
DAYS = 182
DOMAIN = "example.org"
REPORTERS = ("Big Mail", "Other Mail", "Third Mail")
SENDERS = read_senders(
    {}, [{"sender": "example.org", "verdict": "mine"}, {"sender": "crm.example", "verdict": "service"}]
)

Document = dict[str, Any]


class Days:
    """Documents by the day on which they were stored. Answers `totals` over event.ingested, as the stores do."""

    name = "a list"

    def __init__(self, documents: Callable[[int], Iterator[Document]]) -> None:
        self.documents = [list(documents(number)) for number in range(DAYS)]

    def totals(self, question: Question) -> list[Total]:
        node = question.node or Between(field_of("event.ingested"), "", "9999")
        stored, *more = node.nodes if isinstance(node, And) else (node,)
        assert isinstance(stored, Between)
        counts: defaultdict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
        sizes: Counter[tuple[Any, ...]] = Counter()
        for document in self._between(str(stored.low), str(stored.high)):
            about = document["event.dataset"] == question.dataset and document["@timestamp"] >= question.since
            if about and all(fits(document, one) for one in more):
                for key in _keys(document, question):
                    sizes[key] += 1
                    for name in question.sum:
                        counts[key][name] += document.get(name, 0)
        return [Total(key, sizes[key], tuple(counts[key][name] for name in question.sum)) for key in sizes]

    def _between(self, low: str, high: str) -> Iterator[Document]:
        for documents in self.documents:
            if documents and low[:10] <= documents[0]["event.ingested"][:10] <= high[:10]:
                yield from (one for one in documents if low <= one["event.ingested"] < high)


def fits(document: Document, node: Node) -> bool:
    """Whether a document is what the rules ask for."""
    match node:
        case And(nodes):
            return all(fits(document, one) for one in nodes)
        case Or(nodes):
            return any(fits(document, one) for one in nodes)
        case Not(Exists(field)):
            return document.get(field.name) is None
        case Text(field, pieces):
            return node == changes.PASSED or document.get(field.name) == "".join(pieces)
    raise AssertionError(node)


def _keys(document: Document, question: Question) -> list[tuple[Any, ...]]:
    keys: list[tuple[Any, ...]] = [(document["@timestamp"][:10],) if question.every else ()]
    for name in question.by:
        value = document.get(name)
        keys = [(*key, one) for key in keys for one in (value if isinstance(value, list) else [value])]
    return keys


def look(store: Any, number: int, kept: tuple[Kept, ...] = (), senders: Senders | None = SENDERS) -> Look:
    """The evaluation of the morning after a day's reports were stored."""
    return Look(store, BEGIN + timedelta(days=number + 1), senders, kept, 1000, 10**9)


class Month:
    """What a site's reports say on an ordinary day; what goes wrong overrides it."""

    def __init__(self, seed: int = 1) -> None:
        self.random = random.Random(seed)

    def day(self, number: int, **wrong: Any) -> Iterator[Document]:
        """The documents that are stored on one day: reports about the day before."""
        for index, reporter in enumerate(wrong.get("reporters", REPORTERS)):
            yield self._document(number, reporter, "report", **{"report.org_name": reporter})
            yield from self._rows(number, reporter, index, wrong)
            yield from self._tls(number, reporter, wrong)

    def _rows(self, number: int, reporter: str, index: int, wrong: dict[str, Any]) -> Iterator[Document]:
        selector = wrong.get("selector", "s1")
        policy = wrong.get("policy", "reject")
        failing = wrong.get("failing", 0)
        some = self.random.randint
        yield self._row(number, reporter, policy, "example.org", some(400, 600), selector=selector)
        yield self._row(number, reporter, policy, "crm.example", some(50, 100), selector="crm")
        yield self._row(number, reporter, policy, "example.org", some(0, 1) + failing, passes=False)
        yield self._row(number, reporter, policy, "", some(2, 12), passes=False, class_="spoof")
        yield self._row(number, reporter, policy, "list.example", some(5, 15), passes=False, class_="forwarded")
        if spoofs := wrong.get("spoofs", {}).get(reporter, 0):
            yield self._row(number, reporter, policy, "", spoofs, passes=False, class_="spoof")
        if index == 0 and "service" in wrong:
            yield self._row(number, reporter, policy, wrong["service"], 80, selector="new")

    def _tls(self, number: int, reporter: str, wrong: dict[str, Any]) -> Iterator[Document]:
        lines = ["version: STSv1", f"mode: {wrong.get('mode', 'testing')}"]
        sessions = {"sessions.successful": 300, "sessions.failed": self.random.randint(0, 3) + wrong.get("tls", 0)}
        about = {"policy.domain": DOMAIN, "policy.string": lines, "report.org_name": reporter}
        yield self._document(number, reporter, "smtp-tls", **about, **sessions)
        if "result_type" in wrong:
            failure = {"failure.result_type": wrong["result_type"], "failure.failed_session_count": 5}
            yield self._document(number, reporter, "smtp-tls", **about, **failure)

    def _row(
        self,
        number: int,
        reporter: str,
        policy: str,
        sender: str,
        messages: int,
        *,
        passes: bool = True,
        class_: str = "",
        selector: str = "",
    ) -> Document:
        signed: list[str | None] = [f"{sender} / {selector} / pass"] if passes else [None]
        more = {"source.name": sender} if sender else {}
        return self._document(
            number,
            reporter,
            "dmarc-aggregate",
            **{
                "policy_published.domain": DOMAIN,
                "policy_published.p": policy,
                "report.org_name": reporter,
                "source.ip": "192.0.2.1" if sender else "203.0.113.9",
                "class": class_ or ("aligned" if passes else "broken-signature"),
                "dmarc.result": "pass" if passes else "fail",
                "dkim.signatures": signed,
                "count": messages,
                **more,
            },
        )

    def _document(self, number: int, reporter: str, dataset: str, **fields: Any) -> Document:
        stored = BEGIN + timedelta(days=number, hours=REPORTERS.index(reporter) if reporter in REPORTERS else 5)
        return {
            "event.dataset": dataset,
            "event.ingested": write_date(stored),
            "@timestamp": write_date(stored - timedelta(days=1)),
            **fields,
        }
