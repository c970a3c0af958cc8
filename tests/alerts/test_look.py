"""What the rules look at in the embedded store is what a plain loop over all documents says, moment by moment."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from email_report_processor.alerts import changes, rules
from email_report_processor.alerts.look import BEFORE, LATE, RECENT, Look
from email_report_processor.documents.document import make_id
from email_report_processor.documents.encode import encode
from email_report_processor.documents.senders import Senders, read_senders, verdict
from email_report_processor.stores import totals_sqlite
from email_report_processor.stores.opening import open_store
from email_report_processor.stores.sqlite import SqliteStore
from email_report_processor.stores.store import Row
from email_report_processor.values.fields import write_date
from tests.nodes import Node

NOW = datetime(2026, 11, 21, 5, 17, 3, tzinfo=UTC)
BY_NAME = [{"sender": "example.org", "verdict": "mine"}, {"sender": "crm.example", "verdict": "service"}]
BY_PLACE = [
    {"network": "192.0.2.0/25", "verdict": "mine"},
    {"network": "192.0.2.8/32", "verdict": "ignore", "until": "2026-11-20"},
    {"network": "2001:db8::/32", "verdict": "forwarder"},
    {"network": "203.0.113.0/24", "name": "Without a verdict"},
    {"as": "AS64501", "verdict": "stranger"},
]
MANY = [{"network": f"198.51.100.{number}/32", "verdict": "service"} for number in range(60)]
VERDICTS = {
    "nobody judged": None,
    "names": read_senders({}, BY_NAME),
    "places": read_senders({}, BY_PLACE),
    "both": read_senders({}, BY_NAME + BY_PLACE),
    "more than a question names": read_senders({}, BY_NAME + BY_PLACE + MANY),
}
VALUES: dict[str, list[Any]] = {
    "policy_published.domain": ["example.org", "example.net"],
    "policy_published.p": ["none", "reject"],
    "policy_published.testing": [True, False, None],
    "report.org_name": ["One", "Two", None],
    "report.authentication": ["pass", "fail", None],
    "source.name": ["example.org", "crm.example", "other.example", None],
    "source.ip": ["192.0.2.7", "192.0.2.8", "192.0.2.200", "2001:db8::1", "198.51.100.3", "203.0.113.9", None],
    "source.as.number": [64500, 64501, None],
    "class": ["aligned", "spoof", "forwarded", None],
    "dmarc.result": ["pass", "fail", None],
    "dkim.signatures": [
        ["example.org / s1 / pass"],
        ["example.org / s2 / fail"],
        ["example.org / s3 / pass", "other.example / k / fail", "mail.example.net / s4 / pass"],
        ["other.example / k / pass"],
        None,
    ],
    "count": [0, 1, 30],
}
# Both ends of both periods, to the millisecond, and times between.
STORED = [
    moment + timedelta(milliseconds=late)
    for moment in (NOW, NOW - RECENT, NOW - RECENT - BEFORE)
    for late in (-3_600_000, -1, 0, 1)
]
Document = dict[str, Any]


def document(dice: random.Random) -> Document:
    stored = dice.choice(STORED)
    about = dice.choice(STORED[:8] + [one - LATE for one in STORED])
    fields = {name: dice.choice(values) for name, values in VALUES.items()}
    fields |= {"event.ingested": _written(stored), "@timestamp": _written(about)}
    return {name: value for name, value in fields.items() if value is not None}


def _written(moment: datetime) -> str:
    """As another program may have written it, with milliseconds."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z" if moment.microsecond else write_date(moment)


def _read(text: str) -> datetime:
    return datetime.fromisoformat(text)


def within(documents: list[Document], since: datetime, until: datetime) -> Iterator[Document]:
    for one in documents:
        stored, about = _read(one["event.ingested"]), _read(one["@timestamp"])
        if since <= stored < until and about >= since - LATE and one.get("report.authentication") != "fail":
            yield one


def plainly(documents: list[Document], senders: Senders | None) -> Counter[tuple[str, ...]]:
    """Messages by all that rules tell apart."""
    found: Counter[tuple[str, ...]] = Counter()
    for one in documents:
        said = verdict(one, senders and senders._replace(domains={}, keys={}), f"{NOW:%Y-%m-%d}")
        names = ("policy_published.domain", "report.org_name", "source.name", "class", "dmarc.result")
        key = (*(str(one.get(name, "")) for name in names), said.verdict if said else "")
        found[key] += one["count"]
    return found


def looked(sent: list[Any]) -> Counter[tuple[str, ...]]:
    found: Counter[tuple[str, ...]] = Counter()
    for one in sent:
        found[one.domain, one.reporter, one.sender, one.class_, one.result, one.verdict] += one.messages
    return found


@pytest.fixture(params=range(3))
def documents(request: pytest.FixtureRequest) -> list[Document]:
    dice = random.Random(request.param)
    return [document(dice) for _ in range(600)]


@pytest.fixture
def store(documents: list[Document], tmp_path: Path) -> Iterator[SqliteStore]:
    made = SqliteStore(str(tmp_path / "reports.sqlite"))
    made.write(rows("email-report-", documents))
    yield made
    made.close()


def rows(prefix: str, documents: list[Document]) -> Iterator[Row]:
    for number, one in enumerate(documents):
        source = encode(one | {"event.dataset": "dmarc-aggregate"})
        yield Row(f"{prefix}dmarc-aggregate-2026.11", make_id(prefix, number), source)


@pytest.mark.parametrize("verdicts", VERDICTS)
@pytest.mark.parametrize("summed", [True, False], ids=["sums", "documents"])
def test_both_periods_are_what_documents_say(
    documents: list[Document], store: SqliteStore, verdicts: str, summed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not summed:
        monkeypatch.setattr(totals_sqlite, "holding", lambda checked, dataset: None)
    senders = VERDICTS[verdicts]
    look = Look(store, NOW, senders, (), 1000, 10**9)
    recent = list(within(documents, NOW - RECENT, NOW))
    before = list(within(documents, NOW - RECENT - BEFORE, NOW - RECENT))
    assert recent
    assert before
    agree(look, senders, recent, before)


def agree(look: Look, senders: Senders | None, recent: list[Document], before: list[Document]) -> None:
    assert looked(look.recent) == plainly(recent, senders)
    domains = VALUES["policy_published.domain"]
    assert looked(look.before(domains)) == plainly(before, senders)
    assert looked(look.before(domains[:1])) == plainly(
        [one for one in before if one["policy_published.domain"] == domains[0]], senders
    )
    assert look.before([]) == []
    there = {(one["policy_published.domain"], one.get("source.name", "")) for one in before}
    asked = {(domain, sender) for domain in [*domains, "new.example"] for sender in ("crm.example", "new.example", "")}
    assert look.known(asked) == asked & there
    assert look.old([*domains, "new.example"]) == set(domains)
    judged = [one for one in look.recent if one.verdict and not one.sender]  # by their places, which a rule names
    assert all(one.address for one in judged if one.verdict != "stranger")  # a system may be of no address


def test_opensearch_says_the_same(node: Node, prefix: str) -> None:
    dice = random.Random(9)
    documents = [document(dice) for _ in range(600)]
    store = open_store(node.url, prefix=prefix)
    store.write(rows(prefix, documents))
    node.ask("POST", f"/{prefix}*/_refresh")
    recent = list(within(documents, NOW - RECENT, NOW))
    before = list(within(documents, NOW - RECENT - BEFORE, NOW - RECENT))
    for senders in VERDICTS.values():
        look = Look(store, NOW, senders, (), 1000, 10**9)
        agree(look, senders, recent, before)
        hold_changes(look, documents)
    store.close()


def test_changes_are_what_documents_say(documents: list[Document], store: SqliteStore) -> None:
    hold_changes(Look(store, NOW, None, (), 1000, 10**9), documents)


def hold_changes(look: Look, documents: list[Document]) -> None:
    since, until = NOW - RECENT - BEFORE, NOW - RECENT
    messages: Counter[tuple[str, str, str]] = Counter()
    tags: defaultdict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
    for one in within(documents, since, until):
        domain, reporter = one["policy_published.domain"], one.get("report.org_name", "")
        for text in one.get("dkim.signatures", ()):
            signer, selector, result = text.split(" / ")
            if result == "pass" and signer.endswith(domain):
                messages[domain, selector, reporter] += one["count"]
        tags[domain, "policy tag p"].add((one["policy_published.p"], reporter))
        said = one.get("policy_published.testing")
        tags[domain, "policy tag testing"].add(("" if said is None else "y" if said else "n", reporter))
    for (domain, selector, reporter), number in messages.items():
        if number >= 20:
            tags[domain, "DKIM selector"].add((selector, reporter))
    seen = changes._policies(look, since, until) | changes._selectors(look, since, until)
    assert {("example.org", "DKIM selector"), ("example.net", "DKIM selector")} <= tags.keys()
    for place, pairs in tags.items():
        assert {(value, who) for value, names in seen[place].reporters.items() for who in names} == pairs, place
    found = [sorted(changes.found(look, least)) for least in (1, 2)]
    with pytest.MonkeyPatch.context() as patch:  # without the short way
        patch.setattr(changes, "_before", lambda look, part, recent: part(look, since, until))
        assert [sorted(changes.found(look, least)) for least in (1, 2)] == found


def test_no_question_of_the_rules_reads_documents(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(checked: Any, dataset: str, prefix: str) -> Any:
        raise AssertionError(f"every document of {dataset} is read")

    monkeypatch.setattr(totals_sqlite, "_from_documents", refuse)
    for senders in VERDICTS.values():
        look = Look(store, NOW, senders, (), 1000, 10**9)
        for rule in rules.RULES:
            list(rule.find(look, rule.threshold))
