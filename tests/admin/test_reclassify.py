"""`email-report-admin reclassify`: stored documents say afterwards what new ones would, over both stores."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from benchmarks.messages import message
from email_report_processor.documents.encode import decode
from email_report_processor.stores.opening import open_store
from email_report_processor.stores.query import And
from email_report_processor.stores.renewing import Renewable, Renewal
from email_report_processor.stores.sqlite import SqliteStore
from email_report_processor.stores.store import Question, Selection, Store
from tests.conftest import Outcome, Program
from tests.nodes import Node
from tests.places import GOLDEN

RULES = '[site]\nown_networks = ["192.0.0.0/28", "192.0.2.0/24"]\n[senders]\n"192.0.0.16/28" = "Renamed"\n'
FAILURE = sorted((GOLDEN / "dmarc-failure").glob("*.eml"))[:3]


class Stored(NamedTuple):
    """A store with some reports."""

    settings: str
    open: Callable[[], Store]
    reclassify: Callable[..., Outcome]
    refresh: Callable[[], None]


@pytest.fixture(params=["sqlite", "node"])
def stored(request: pytest.FixtureRequest, run_filter: Program, run_admin: Program, tmp_path: Path) -> Stored:
    url, prefix = f"sqlite:{tmp_path / 'reports.sqlite'}", "email-report-"
    if request.param == "node":
        node: Node = request.getfixturevalue("node")
        prefix = request.getfixturevalue("prefix")
        url = node.url
    settings = f'[store]\nurl = "{url}"\nindex_prefix = "{prefix}"\n'

    def refresh() -> None:
        if url.startswith("http"):
            node.ask("POST", f"/{prefix}*/_refresh")

    for data in (message(60), *(path.read_bytes() for path in FAILURE)):
        assert run_filter(data, settings=settings).status == 0
    refresh()

    def reclassify(*arguments: str, rules: str = RULES) -> Outcome:
        done = run_admin(b"", "reclassify", *arguments, settings=settings + rules)
        refresh()
        return done

    return Stored(settings, lambda: open_store(url, prefix=prefix), reclassify, refresh)


def documents(store: Store) -> dict[str, Mapping[str, Any]]:
    """Id -> fields, but when they were stored."""
    found = {one.row.id: decode(one.row.source) for one in store.select(Selection(And()))}
    store.close()
    return {id_: {name: value for name, value in one.items() if name != "event.ingested"} for id_, one in found.items()}


def test_they_say_what_new_ones_would(stored: Stored, run_filter: Program, tmp_path: Path) -> None:
    before = documents(stored.open())
    fresh = f"sqlite:{tmp_path / 'fresh.sqlite'}"
    for data in (message(60), *(path.read_bytes() for path in FAILURE)):
        assert run_filter(data, settings=f'[store]\nurl = "{fresh}"\n{RULES}').status == 0
    expected = documents(open_store(fresh))
    assert expected != before
    dry = stored.reclassify("--dry-run")
    assert (dry.status, documents(stored.open())) == (0, before)
    done = stored.reclassify()
    assert done.status == 0, done.stderr
    assert documents(stored.open()) == expected
    assert done.stdout.splitlines()[1:] == dry.stdout.splitlines()[1:]
    assert done.stdout.startswith(f"{sum(before[id_] != expected[id_] for id_ in before)} of ")
    assert stored.reclassify().stdout.startswith("0 of ")
    assert stored.reclassify(rules="").status == 0
    assert documents(stored.open()) == before


def test_what_somebody_changed_meanwhile_stays(stored: Stored) -> None:
    store = stored.open()
    assert isinstance(store, Renewable)
    old = list(store.versioned(Selection(And())))
    first = [Renewal(one.found.row._replace(source=b'{"first":1}'), one.version) for one in old[:3]]
    assert store.renew(first) == 3
    second = [Renewal(one.found.row._replace(source=b'{"second":1}'), one.version) for one in old[:5]]
    assert store.renew(second) == 2
    stored.refresh()
    now = {row.id: row.source for row in store.scan()}
    assert len(now) == len(old)
    said = [now[one.found.row.id] for one in old[:5]]
    assert said == [b'{"first":1}'] * 3 + [b'{"second":1}'] * 2
    assert store.renew([]) == 0
    store.close()


def test_it_goes_on_where_it_stood(stored: Stored) -> None:
    store = stored.open()
    places = [one.place for one in store.select(Selection(And(), ("dmarc-aggregate", "dmarc-failure", "arf")))]
    store.close()
    after = stored.reclassify("--after", json.dumps(places[9]), "--dry-run")
    assert after.stdout.splitlines()[0].endswith(f"of {len(places) - 10} documents would say something else")
    assert stored.reclassify("--after", "x").status == 2
    assert stored.reclassify("--after", "[1]").status == 2


def test_daily_sums_stay_true(run_filter: Program, run_admin: Program) -> None:
    assert run_filter(message(60)).status == 0
    path = str(run_filter.state / "reports.sqlite")
    question = Question("dmarc-aggregate", ("class", "source.name"), every="day")

    def asked() -> dict[tuple[Any, ...], int]:
        store = SqliteStore(path)
        found = {one.key: one.sums[0] for one in store.totals(question)}
        store.close()
        return found

    before = asked()
    assert run_admin(b"", "reclassify", settings=RULES).status == 0
    found: dict[tuple[Any, ...], int] = {}
    store = SqliteStore(path)
    for one in store.select(Selection(And(), ("dmarc-aggregate",))):
        fields = decode(one.row.source)
        key = (fields["@timestamp"][:10], fields.get("class"), fields.get("source.name"))
        found[key] = found.get(key, 0) + fields["count"]
    store.close()
    assert asked() == found != before
