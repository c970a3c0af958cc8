"""PostgreSQL as a store, against a real server: the answers of the embedded store, and what happens when it fails."""

import contextlib
import json
import random
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from benchmarks.messages import message
from email_report_processor.desk.message import BRIEF, from_row
from email_report_processor.desk.message import DATASETS as MESSAGES
from email_report_processor.privacy.prune import prune
from email_report_processor.stores.follow import Cursor, send_on
from email_report_processor.stores.opening import open_store
from email_report_processor.stores.postgresql import PostgresqlOptions, PostgresqlStore
from email_report_processor.stores.query import And, parse
from email_report_processor.stores.sqlite import SqliteStore
from email_report_processor.stores.store import Question, Row, Selection, Store, StoreError, Written
from tests.conftest import Program, missing
from tests.mta.packages import UnavailableError
from tests.postgresql.server import Postgresql, postgresql
from tests.stores import test_follow, test_query, test_sums

Make = Callable[..., PostgresqlStore]


@pytest.fixture(scope="module")
def server() -> Iterator[Postgresql]:
    try:
        made = postgresql()
    except UnavailableError as error:
        missing(str(error))
    with contextlib.closing(made.server):
        yield made


def clean(server: Postgresql) -> None:
    with connected(server) as connection:
        connection.execute("DROP TABLE IF EXISTS email_reports CASCADE")


def connected(server: Postgresql) -> Any:
    return psycopg.connect(server.url, password=server.password_file.read_text().strip(), autocommit=True)


@pytest.fixture
def make(server: Postgresql) -> Iterator[Make]:
    clean(server)
    opened: list[PostgresqlStore] = []

    def one(**options: Any) -> PostgresqlStore:
        mine = PostgresqlOptions(str(server.password_file))
        opened.append(PostgresqlStore(server.url, mine, **{"budget": 20.0, **options}))
        return opened[-1]

    yield one
    for store in opened:
        store.close()


def rows(number: int, first: int = 0) -> list[Row]:
    return [test_follow.row(one) for one in range(first, first + number)]


def test_stored_once_and_read_back(make: Make) -> None:
    store = make()
    assert store.write(rows(2500)) == Written(2500, 0)
    assert store.write([*rows(10), *rows(10)]) == Written(0, 20)  # as SQLite counts
    assert make().write(rows(20, 2490)) == Written(10, 10)
    found = list(store.scan())
    assert [one.id for one in found] == [one.id for one in rows(2510)]
    assert json.loads(found[0].source) == json.loads(rows(1)[0].source)
    assert [one.id for one in store.scan((found[1].index, found[1].id))] == [one.id for one in found[2:]]


def test_the_same_report_at_once_in_many_processes(make: Make, server: Postgresql) -> None:
    results: list[Written] = []

    def write(reverse: bool) -> None:
        store = make()
        results.append(store.write(rows(2000)[:: -1 if reverse else 1]))

    threads = [threading.Thread(target=write, args=(number % 2 == 1,)) for number in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sum((one for one in results), Written(0, 0)) == Written(2000, 6000)


def test_parcels_hear_of_their_own(make: Make) -> None:
    store = make()
    store.write(rows(1))
    assert store.write_together([rows(3), rows(3, 2), []]) == [Written(2, 1), Written(2, 1), Written(0, 0)]


def test_what_it_cannot_hold_is_refused_alone(make: Make) -> None:
    bad = Row("email-report-arf-2026.11", "f" * 40, b'{"raw":{"x":"a\\u0000b"}}')
    store = make()
    written = store.write([*rows(30), bad, *rows(30, 30)])
    assert (written.stored, [one.row for one in written.rejected]) == (60, [bad])
    assert store.write_together([[bad], rows(1)])[1] == Written(0, 1)


def test_what_is_erased_and_what_is_old(make: Make) -> None:
    """As the embedded store does it: tests/privacy."""
    store = make()
    some = rows(10)
    assert store.write(some).stored == 10
    assert store.delete(some[:2]) == 2
    assert store.replace([some[5]._replace(source=some[6].source)]) == 1
    store.settle()
    found = {one.id: json.loads(one.source) for one in store.scan()}
    assert found == {one.id: json.loads(one.source) for one in some[2:]} | {some[5].id: json.loads(some[6].source)}
    datasets = {json.loads(one.source)["event"]["dataset"] for one in some}
    never, always = dict.fromkeys(datasets, "2000-01-01T00:00:00Z"), dict.fromkeys(datasets, "2100-01-01T00:00:00Z")
    assert prune(store, never, really=True) == {}
    assert sum(prune(store, always, really=False).values()) == 8
    assert sum(prune(store, always, really=True).values()) == 8
    assert list(store.scan()) == []


@pytest.fixture(scope="module")
def both(server: Postgresql, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Store]]:
    """The embedded store, which is held against OpenSearch elsewhere, and PostgreSQL, with the same documents."""
    clean(server)
    embedded = SqliteStore(str(tmp_path_factory.mktemp("both") / "reports.sqlite"))
    other = PostgresqlStore(server.url, PostgresqlOptions(str(server.password_file)))
    dice = random.Random(11)
    documents = [*test_query.documents(7, 400), *(test_sums.row(dice, number) for number in range(10**6, 10**6 + 600))]
    for store in (embedded, other):
        assert store.write(documents).stored == 1000
    yield embedded, other
    for store in (embedded, other):
        store.close()


@pytest.mark.parametrize("seed", range(4))
def test_the_same_documents_are_found(both: tuple[Store, Store], seed: int) -> None:
    dice = random.Random(seed)
    sizes = set()
    for _ in range(40):
        text = test_query.query(dice)
        embedded, other = (test_query.found(store, text) for store in both)
        assert embedded == other, text  # also in the same order
        sizes.add(len(embedded))
    assert len(sizes) > 10


@pytest.mark.parametrize("seed", range(4))
def test_the_same_sums(both: tuple[Store, Store], seed: int) -> None:
    dice = random.Random(seed)
    sizes = set()
    for _ in range(40):
        question = test_sums.question(dice)
        if question.dataset == "dmarc-aggregate" and dice.random() < 0.3:
            question = question._replace(by=(*question.by, "warnings"))
        embedded, other = (store.totals(question) for store in both)
        assert sorted(embedded, key=repr) == sorted(other, key=repr), question  # '' and None have no order
        sizes.add(len(embedded))
    assert len(sizes) > 5


def test_sums_of_lists_and_of_what_a_query_finds(both: tuple[Store, Store]) -> None:
    for text in ("class:spoof", "ip:192.0.2.0/24 -count:>10", "subject:*ü*", "file:*"):
        node = parse(text, test_query.NOW)
        for by in (("file.name",), ("url.domain", "class"), ("sample.headers_only",), ()):
            question = Question("arf", by=by, node=node, where={"url.domain": "phish.example"})
            embedded, other = (store.totals(question) for store in both)
            assert sorted(embedded, key=repr) == sorted(other, key=repr), (text, by)
            none = Question("dmarc-failure", by=by, where={"url.domain": None, "class": "spoof"})
            assert sorted(both[0].totals(none), key=repr) == sorted(both[1].totals(none), key=repr)


def test_page_by_page(both: tuple[Store, Store]) -> None:
    pages: list[str] = []
    place: tuple[Any, ...] = ()
    while page := list(both[1].select(Selection(And(), size=137), place)):
        pages += [one.row.id for one in page]
        place = tuple(json.loads(json.dumps(page[-1].place)))
    assert pages == [one.row.id for one in both[0].select(Selection(And()))]
    with pytest.raises(ValueError, match="no place"):
        list(both[1].select(Selection(And()), (1,)))
    with pytest.raises(ValueError, match="no dataset"):
        both[1].select(Selection(And(), ("spam",)))
    with pytest.raises(ValueError, match="no field"):
        both[1].totals(Question("arf", by=("nothing",)))


def test_some_fields_of_what_is_found(both: tuple[Store, Store]) -> None:
    found = [[from_row(one.row) for one in store.select(Selection(And(), MESSAGES, fields=BRIEF))] for store in both]
    assert found[0] == found[1]
    assert any(one.count > 1 and one.subject and one.source_ip for one in found[1])
    assert not any(b"null" in one.row.source for one in both[1].select(Selection(And(), MESSAGES, fields=BRIEF)))


def test_people_find_views(both: tuple[Store, Store], server: Postgresql) -> None:
    with connected(server) as connection:
        found = connection.execute(
            'SELECT count(*), sum("count") FROM email_reports_arf '
            "WHERE \"class\" = 'spoof' AND idx LIKE 'email-report-arf-%'"  # a view has every prefix
        ).fetchone()
    (total,) = both[0].totals(Question("arf", where={"class": "spoof"}))
    assert found == (total.documents, total.sums[0])


def test_it_can_be_followed(make: Make, tmp_path: Path) -> None:
    store = make()
    target = test_follow.Target()

    def round_() -> None:
        with contextlib.closing(Cursor(str(tmp_path), store.name, "target", "")) as cursor:
            send_on(store, test_follow.target_store(target), cursor)

    store.write([test_follow.row(number, 700 - number) for number in range(700)])
    round_()
    store.write([test_follow.row(1000, 300), test_follow.row(1001)])
    round_()
    round_()
    assert target.came == dict.fromkeys(test_follow.ids([*range(700), 1000, 1001]), 1)


def test_a_server_that_restarts_in_mid_write(make: Make, server: Postgresql) -> None:
    """The connections break; what was committed is there, the rest is sent again, each row once."""
    store = make(insists=True)
    port = server.server.port
    restarted = threading.Event()

    def start() -> None:
        server.start()
        restarted.set()

    def rows_while_it_restarts() -> Iterator[Row]:
        for number, one in enumerate(rows(6000)):
            if number == 2500:
                server.stop()
                threading.Thread(target=start).start()
            yield one

    written = store.write(rows_while_it_restarts())
    assert restarted.wait(60)
    assert server.server.port == port
    assert written == Written(6000, 0)
    assert len(list(store.scan())) == 6000


def test_an_answer_that_is_lost(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection is cut behind the commit: sent again, it is there already, once."""
    from email_report_processor.stores import postgresql as module

    store = make()
    insert = module._insert
    cut = iter([True, False])

    def insert_and_lose(connection: Any, some: Any) -> Any:
        result = insert(connection, some)
        if next(cut):
            connection.execute("COMMIT")  # what the server heard
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        return result

    monkeypatch.setattr(module, "_insert", insert_and_lose)
    assert store.write(rows(5)) == Written(0, 5)
    assert len(list(store.scan())) == 5


def test_nobody_there(tmp_path: Path) -> None:
    sleeps: list[float] = []
    store = PostgresqlStore(f"postgresql://{quote(str(tmp_path), safe='')}/x", PostgresqlOptions(), sleep=sleeps.append)
    with pytest.raises(StoreError, match=r"No such file.*\(tried twice\)"):
        store.write(rows(1))
    assert sleeps == [1.0]
    sleeps.clear()
    store = PostgresqlStore("postgresql://127.0.0.1:1/x", PostgresqlOptions(), sleep=sleeps.append)
    with pytest.raises(StoreError, match=r"postgresql://127.0.0.1:1/x cannot be reached: .*refused"):
        store.write(rows(1))
    assert len(sleeps) == 1


def test_wrong_passwords_and_rights(server: Postgresql, make: Make, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("wrong")
    store = PostgresqlStore(server.url, PostgresqlOptions(str(tmp_path / "password")))
    with pytest.raises(StoreError, match=r"password authentication failed.*password_file") as caught:
        store.write(rows(1))
    assert "wrong" not in str(caught.value)
    with pytest.raises(StoreError, match="cannot be read"):
        PostgresqlStore(server.url, PostgresqlOptions(str(tmp_path / "absent"))).write(rows(1))
    nothing = PostgresqlStore(
        server.url.removesuffix("/reports") + "/nothing", PostgresqlOptions(str(server.password_file))
    )
    with pytest.raises(StoreError, match="does not exist"):
        nothing.write(rows(1))
    make().write(rows(1))
    with connected(server) as connection:
        connection.execute("DROP ROLE IF EXISTS somebody")
        connection.execute("CREATE ROLE somebody LOGIN PASSWORD 'known'")
    (tmp_path / "password").write_text("known")
    somebody = PostgresqlStore(
        server.url.replace("reports@", "somebody@"), PostgresqlOptions(str(tmp_path / "password"))
    )
    with pytest.raises(StoreError, match=r"permission denied.*INSERT, SELECT"):
        somebody.write(rows(1))
    with connected(server) as connection:
        connection.execute("GRANT INSERT, SELECT ON email_reports TO somebody")
    assert somebody.write(rows(2)) == Written(1, 1)
    somebody.close()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://reports:hunter2@host/db", "password_file"),
        ("postgresql://host/db?password=hunter2", "not a URL"),
        ("postgresql://host", "not a URL"),
        ("postgresql:///db", "not a URL"),
        ("postgresql://host:x/db", "not a URL"),
        ("postgresql://host/a/b", "not a URL"),
    ],
)
def test_urls_that_are_none(url: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        open_store(url)
    assert "hunter2" not in f"{caught.value} {caught.value.__cause__}"


def test_tls_is_checked_unless_it_stays_on_this_machine() -> None:
    def parameters(url: str, **options: str) -> dict[str, str]:
        return PostgresqlStore(url, PostgresqlOptions(**options))._parameters  # type: ignore[arg-type]  # texts

    assert parameters("postgresql://db.example/x")["sslmode"] == "verify-full"
    assert parameters("postgresql://db.example/x")["sslrootcert"] == "system"
    assert parameters("postgresql://db.example/x", ca_file="ca.pem")["sslrootcert"] == "ca.pem"
    assert parameters("postgresql://db.example/x?sslmode=require")["sslmode"] == "require"
    assert "sslmode" not in parameters("postgresql://127.0.0.1/x")
    assert parameters("postgresql://db%2Euser@[::1]:5433/x") == {
        "host": "::1", "dbname": "x", "port": "5433", "user": "db.user", "application_name": "email-report-processor"
    }  # fmt: skip


def test_the_authorities_of_the_system_are_found(server: Postgresql, monkeypatch: pytest.MonkeyPatch) -> None:
    """The OpenSSL in the wheel of psycopg looks for them where nothing is: OPENSSLDIR of its builder."""
    certificate = server.directory / "server.crt"
    if not certificate.exists():
        missing("needs openssl for a certificate; on Debian: apt-get install openssl")
    url = server.url.replace("127.0.0.1", "localhost") + "?sslmode=verify-full&sslrootcert=system"
    options = PostgresqlOptions(str(server.password_file))
    with pytest.raises(StoreError, match="certificate verify failed"):
        PostgresqlStore(url, options).probe()
    known = ssl.get_default_verify_paths()._replace(cafile=str(certificate))
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: known)
    store = PostgresqlStore(url, options)
    store.probe()
    store.close()


def test_psycopg_waits_until_it_is_used() -> None:
    code = "import sys; from email_report_processor.stores.opening import open_store; "
    code += "open_store('postgresql://127.0.0.1/x'); print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"psycopg", "sqlite3", "opensearchpy", "ssl"} & set(said.stdout.split())


def test_the_filter_and_people(run_filter: Program, run_admin: Program, server: Postgresql, make: Make) -> None:
    settings = f'[store]\nurl = "{server.url}"\n[postgresql]\npassword_file = "{server.password_file}"\n'
    for _ in range(2):
        assert run_filter(message(20), settings=settings).status == 0
    assert len(list(make().scan())) == 21
    assert f"{server.url.replace('reports@', '')} can be reached" in run_admin(b"", "doctor", settings=settings).stdout
    summary = run_admin(b"", "summary", "--since=all", settings=settings)
    assert summary.status == 0, summary.stderr
    assert "20" in summary.stdout
    embedded = run_filter.directory / "copy.sqlite"
    copied = run_admin(b"", "copy", f"--from={server.url}", f"--to=sqlite:{embedded}", settings=settings)
    assert copied.stdout.startswith("21 copied")
    same = run_admin(b"", "summary", "--since=all", store=f"sqlite:{embedded}")
    assert same.stdout.splitlines()[1:] == summary.stdout.splitlines()[1:]  # the first names the store
