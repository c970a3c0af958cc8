"""Queries of people: what text means, what is refused, and that both stores find the same documents."""

import contextlib
import json
import random
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.desk.message import BRIEF, Message, from_row
from email_report_processor.desk.message import DATASETS as MESSAGES
from email_report_processor.documents.datasets import DATASETS
from email_report_processor.documents.document import make_id
from email_report_processor.stores.opening import open_store
from email_report_processor.stores.query import (
    _FIELDS,
    _WORDS,
    LONGEST,
    LONGEST_VALUE,
    MOST_TERMS,
    SHORT,
    And,
    Between,
    Exists,
    Ids,
    Is,
    Not,
    Or,
    QueryError,
    Text,
    Within,
    among,
    field_of,
    parse,
)
from email_report_processor.stores.store import Question, Row, Selection, Store, StoreError
from email_report_processor.values.fields import Field, write_date
from tests.nodes import Node

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def field(name: str) -> Field:
    return _FIELDS[name]


def test_every_short_name_stands_for_fields_of_one_type() -> None:
    for names in (*SHORT.values(), _WORDS):
        assert len({field(name).type.name for name in names}) == 1, names


def test_a_name_is_one_field_in_all_datasets() -> None:
    """The tree has one Field for a name: its type, and whether it is a list, must not depend on the dataset."""
    for dataset in DATASETS:
        for one in dataset.fields:
            known = _FIELDS[one.name]
            assert (one.type.mapping, one.many, one.objects) == (known.type.mapping, known.many, known.objects), (
                one.name
            )


SUBJECT, CLASS, URL = field("sample.subject"), field("class"), field("url.full")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("", And()),
        ("class:spoof", Text(CLASS, ("spoof",))),
        ('subject:"wire transfer"', Text(SUBJECT, ("", "wire transfer", ""))),
        ("subject:wire*", Text(SUBJECT, ("wire", ""))),
        ("url:*mail.htm", Text(URL, ("", "mail.htm"))),
        (r"url:*\*mail", Text(URL, ("", "*mail"))),
        ('url:"*mail"', Text(URL, ("*mail",))),
        ("url:https://phish.example/a:b", Text(URL, ("https://phish.example/a:b",))),
        ("url:*", Exists(URL)),
        ("as:64500", Between(field("source.as.number"), 64500, 64500)),
        ("count:>10", Between(field("count"), 11, None)),
        ("count:<=10", Between(field("count"), None, 10)),
        ("count:10..20", Between(field("count"), 10, 20)),
        ("count:..20", Between(field("count"), None, 20)),
        ("ip:192.0.2.7/24", Within(field("source.ip"), "192.0.2.0/24")),
        ("ip:2001:db8::1", Within(field("source.ip"), "2001:db8::1/128")),
        ("sample.headers_only:true", Is(field("sample.headers_only"), True)),
        ("since:2d", Between(field("@timestamp"), "2026-11-26T12:00:00Z", None)),
        ("until:2026-11-20", Between(field("@timestamp"), None, "2026-11-20T00:00:00Z")),
        ("date:2026-11-20", Between(field("@timestamp"), "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z")),
        ("date:2026-11-01..2026-11-02", Between(field("@timestamp"), "2026-11-01T00:00:00Z", "2026-11-03T00:00:00Z")),
        ("date:>2026-11-20", Between(field("@timestamp"), "2026-11-21T00:00:00Z", None)),
        ("date:<=2026-11-20", Between(field("@timestamp"), None, "2026-11-21T00:00:00Z")),
        ("-class:spoof", Not(Text(CLASS, ("spoof",)))),
        ("class:a class:b", And((Text(CLASS, ("a",)), Text(CLASS, ("b",))))),
        ("class:a and class:b", And((Text(CLASS, ("a",)), Text(CLASS, ("b",))))),
        ("class:a or class:b class:c", Or((Text(CLASS, ("a",)), And((Text(CLASS, ("b",)), Text(CLASS, ("c",))))))),
        ("-(class:a OR class:b)", Not(Or((Text(CLASS, ("a",)), Text(CLASS, ("b",)))))),
        ('class:"or"', Text(CLASS, ("or",))),
        (r'class:"a\"b"', Text(CLASS, ('a"b',))),
        ("reported", Ids(frozenset({"1"}))),
        ("-reported", Not(Ids(frozenset({"1"})))),
        ("invoice", Or(tuple(Text(field(name), ("", "invoice", "")) for name in _WORDS))),
    ],
)
def test_what_text_means(text: str, tree: Any) -> None:
    assert parse(text, NOW, {"reported": Ids(frozenset({"1"}))}) == tree


@pytest.mark.parametrize(
    ("text", "reason", "place"),
    [
        ('subject:"wire', 'a " without its end', 0),
        ("class:a (class:b", "a ( without its )", 8),
        ("class:a )", "a ) without its (", 8),
        ("()", "a term is missing here", 1),
        ("class:a or", "a term is missing here", 10),
        ("or class:a", "a term is missing here", 0),
        ("clas:a", "there is no field clas", 0),
        ("class:a count:many", "write a number", 8),
        ("count:>1..2", "write a number", 0),
        ("count:99999999999999999999", "write a number", 0),
        ("ip:300.1.1.1", "write an address or a network", 0),
        ("since:yesterday", "write a date", 0),
        ("since:999999y", "write a date", 0),
        ("sample.headers_only:maybe", "write true or false", 0),
        ("class:>a", "class has no order", 0),
        ("url:(a or b)", "write the field before each value", 0),
        ("sample.body:x", "cannot be searched", 0),
        ("class: spoof", "write field and value together", 0),
        (">10", "write field and value together", 0),
        ("url:" + "a*" * 9, "more than 8 stars", 0),
        ("url:" + "a" * 201, "more than 200 characters", 0),
        ("(" * 30 + "a" + ")" * 30, "parentheses within each other", 21),
        ("a " * (MOST_TERMS + 1), "more than 100 terms", 200),
    ],
)
def test_what_is_refused(text: str, reason: str, place: int) -> None:
    with pytest.raises(QueryError) as caught:
        parse(text, NOW)
    first, shown, mark = str(caught.value).split("\n")
    assert reason in first
    assert len(mark) - 3 == min(place, 30)  # two blanks before it, and the mark itself
    assert text[place : place + 10].strip() in shown


def test_one_of_some_values() -> None:
    name = field_of("source.name")
    nodes = (Not(Exists(name)), Text(name, ("a",)), Text(name, ("b",)))
    assert among("source.name", ["b", None, "a", ""]) == Or(nodes)
    assert among("source.name", []) == Or()
    assert among("source.name", ["a", "ä" * (LONGEST_VALUE + 1)]) == And()  # no pattern of OpenSearch is that long


def test_a_query_is_bounded() -> None:
    with pytest.raises(QueryError, match="more than"):
        parse("a" * (LONGEST + 1), NOW)


@given(st.text(max_size=300) | st.text(alphabet=' ()-:*"\\<>.orabc12', max_size=LONGEST + 10))
def test_any_text_is_a_tree_or_an_error(text: str) -> None:
    with contextlib.suppress(QueryError):
        parse(text, NOW)


# The same query finds the same documents in every store.

WORDS = [
    "invoice",
    "Wire",
    "transfer",
    "ÜBERWEISUNG",
    "überweisung",
    "50%",
    "a_b",
    "a*b",
    "[x]",
    "what?",
    "\\n",
    "ﬁ",
    "İ",
]
HOSTS = ["phish.example", "Example.org", "mail.example.org", "xn--mnchen-3ya.example"]
ADDRESSES = ["192.0.2.1", "192.0.2.200", "198.51.100.7", "2001:db8::1", "2001:db8:0:1::5"]


def documents(seed: int, number: int) -> Iterator[Row]:
    """Feedback documents that differ in everything that a query can ask for, many fields absent."""
    random_ = random.Random(seed)

    def some(values: Sequence[Any]) -> list[Any]:
        return random_.sample(values, random_.randint(1, 2))

    for count in range(number):
        moment = NOW - timedelta(hours=random_.randint(0, 200), milliseconds=random_.choice([0, 0, 500]))
        urls = [f"https://{host}/{random_.choice(WORDS)}" for host in some(HOSTS)] + random_.choice([[], ["x" * 5000]])
        fields: dict[str, Any] = {
            "class": random_.choice(["spoof", "Spoof", "forwarded"]),
            "count": random_.choice([1, 2, 10, 11, 10**9]),
            "source": {"ip": random_.choice(ADDRESSES), "as": {"number": random_.choice([64500, 64501])}},
            "sample": {
                "subject": " ".join(random_.choices(WORDS, k=random_.randint(1, 3))) * random_.choice([1, 1, 300]),
                "headers_only": random_.choice([True, False]),
            },
            "url": {"full": urls, "domain": some(HOSTS)},
            "file": [{"name": random_.choice(["a.zip", "B.ZIP"]), "size": 5}] * random_.randint(1, 2),
        }
        for name in random_.sample(sorted(fields), random_.randint(0, 3)):
            del fields[name]
        dataset = random_.choice(["dmarc-failure", "arf"])
        fields |= {"@timestamp": write_date(moment), "event": {"dataset": dataset}}
        source = json.dumps(fields, ensure_ascii=False).encode()
        yield Row(f"email-report-{dataset}-2026.11", make_id("query", count), source)


def leaf(random_: random.Random) -> str:
    word = random_.choice(WORDS)
    quoted = '"' + word.replace("\\", "\\\\") + '"'
    return random_.choice(
        [
            f"class:{random_.choice(['spoof', 'SPOOF', 'forward*', '*o*'])}",
            f"subject:{quoted}",
            f"subject:{random_.choice(['wire*', '*fer', 'Wire', '*%*', 'a_b*', 'w*r*e', '*ung', '*Ü*', '*fI*'])}",
            f"url:*/{random_.choice(['invoice', 'wIRE', 'überweisung', 'ÜBERWEISUNG'])}",
            f"url:https://{random_.choice(HOSTS)}/*",
            f"host:{random_.choice(HOSTS)}",
            f"ip:{random_.choice(['192.0.2.0/24', '192.0.2.1', '2001:db8::/32', '2001:db8:0:1::/64', '0.0.0.0/0'])}",
            f"as:{random_.choice(['64500', '>64500', '64499..64500'])}",
            f"count:{random_.choice(['>1', '<=10', '2..11', '>=1000000000', '<2'])}",
            f"sample.headers_only:{random_.choice(['true', 'false'])}",
            f"file:{random_.choice(['a.zip', '*.zip', 'b*'])}",
            f"{random_.choice(['class', 'url', 'file', 'count', 'ip', 'subject', 'sample.headers_only'])}:*",
            f"since:{random_.choice(['2d', '100h', '2026-11-25', '2026-11-27T06:00:00Z'])}",
            f"date:{random_.choice(['2026-11-26', '<2026-11-25', '2026-11-22..2026-11-24', '>2026-11-26'])}",
            quoted,
            "wire",
            "count:>5 or class:spoof",
        ]
    )


def query(random_: random.Random, depth: int = 0) -> str:
    kind = random_.random()
    if depth > 2 or kind < 0.5:
        return leaf(random_)
    if kind < 0.65:
        return f"-({query(random_, depth + 1)})"
    joint = " or " if kind < 0.8 else " "
    return joint.join(f"({query(random_, depth + 1)})" for _ in range(random_.randint(2, 3)))


@pytest.fixture(scope="module")
def stores(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Store]]:
    prefix = f"erp-test-query-{time.monotonic_ns()}-"
    embedded = open_store(f"sqlite:{tmp_path_factory.mktemp('query') / 'reports.sqlite'}", prefix=prefix)
    cluster = open_store(node.url, prefix=prefix)
    rows = [row._replace(index=row.index.replace("email-report-", prefix)) for row in documents(7, 400)]
    for store in (embedded, cluster):
        assert store.write(rows).stored == len(rows)
    node.ask("POST", f"/{prefix}*/_refresh")
    yield embedded, cluster
    for store in (embedded, cluster):
        store.close()
    node.wipe(prefix)


def found(store: Store, text: str, **options: Any) -> list[str]:
    return [one.row.id for one in store.select(Selection(parse(text, NOW), **options))]


@pytest.mark.parametrize("seed", range(8))
def test_both_stores_find_the_same(stores: tuple[Store, Store], seed: int) -> None:
    random_ = random.Random(seed)
    sizes = set()
    for _ in range(40):
        text = query(random_)
        embedded, cluster = (found(store, text) for store in stores)
        assert sorted(embedded) == sorted(cluster), text
        sizes.add(len(embedded))
    assert len(sizes) > 10  # it does not find the same always


def _without_what_is_large(one: Message) -> Message:
    short = one._replace(headers="", body="", mail_from="", message_id="")
    return short._replace(feed="", user_agent="", port=0, reporter="")


def test_some_fields_of_what_is_found(stores: tuple[Store, Store]) -> None:
    """As many messages are looked at: the same is read of them as of whole documents, but for header and text."""
    for store in stores:
        whole = [from_row(one.row) for one in store.select(Selection(And(), MESSAGES))]
        brief = [from_row(one.row) for one in store.select(Selection(And(), MESSAGES, fields=BRIEF))]
        assert brief == [_without_what_is_large(one) for one in whole]
        assert any(one.count > 1 and one.subject and one.source_ip for one in brief)


def test_without_any_node(stores: tuple[Store, Store]) -> None:
    """`And` of nothing is every document, `Or` of nothing is none, also within `not`."""
    for node, none in ((Or(), True), (And(), False), (Not(Or()), False), (Not(And()), True), (And((Or(),)), True)):
        numbers = [sum(1 for _ in store.select(Selection(node))) for store in stores]
        assert numbers[0] == numbers[1]
        assert (numbers[0] == 0) == none, node


def test_newest_first_and_page_by_page(stores: tuple[Store, Store]) -> None:
    everything = []
    for store in stores:
        pages: list[str] = []
        place: tuple[Any, ...] = ()
        while page := list(store.select(Selection(parse("class:*", NOW), size=37), place)):
            pages += [one.row.id for one in page]
            moments = [json.loads(one.row.source)["@timestamp"].removesuffix("Z") for one in page]
            assert moments == sorted(moments, reverse=True)
            place = tuple(json.loads(json.dumps(page[-1].place)))  # as in a link
        assert len(pages) == len(set(pages))
        assert sorted(pages) == sorted(found(store, "class:*"))
        everything.append(sorted(pages))
    assert everything[0] == everything[1]


def test_datasets_narrow_it(stores: tuple[Store, Store]) -> None:
    for store in stores:
        assert sorted(found(store, "", datasets=("arf",))) == sorted(found(store, "dataset:arf"))
        assert found(store, "", datasets=("smtp-tls",)) == []
        with pytest.raises(ValueError, match="no dataset"):
            found(store, "", datasets=("spam",))


@pytest.mark.parametrize("place", [("x",), ("a", "b", "c"), (1, 2), ({}, [])])
def test_a_place_that_is_none(stores: tuple[Store, Store], place: tuple[Any, ...]) -> None:
    for store in stores:
        with pytest.raises(ValueError, match="no place"):
            list(store.select(Selection(And()), place))


def test_sums_of_what_a_query_finds(stores: tuple[Store, Store]) -> None:
    for text in ("class:spoof", "ip:192.0.2.0/24 -count:>10", "subject:*ü*"):
        question = Question("arf", by=("class",), node=parse(text, NOW))
        embedded, cluster = (store.totals(question) for store in stores)
        assert embedded == cluster
        assert sum(one.documents for one in embedded) == len(found(stores[0], text, datasets=("arf",)))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such file"):
        list(open_store(f"sqlite:{tmp_path / 'absent'}").select(Selection(And())))
