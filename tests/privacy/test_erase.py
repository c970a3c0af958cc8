"""`email-report-admin erase`: an address goes from both stores, kept messages and the state directory, and no other."""

import base64
import gzip
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from email_report_processor.admin import command
from email_report_processor.job import choose_store, make_job
from email_report_processor.logins.state import State, Stop
from email_report_processor.message.blob import Memory
from email_report_processor.process import process
from email_report_processor.settings import load
from email_report_processor.stores import sums_sqlite
from tests.nodes import Node

ANNA = "Anna@Example.net"
SETTINGS = '[read]\nsample = "full"\n[site]\nown_domains = ["example.org"]\n[log]\nto = "none"\n'


def complaint(to: str, number: int, more: str = "") -> bytes:
    return f"""\
From: fbl@example.com
Content-Type: multipart/report; report-type=feedback-report; boundary=b

--b
Content-Type: message/feedback-report

Feedback-Type: auth-failure
User-Agent: x/1
Version: 1
Original-Rcpt-To: {to}
Arrival-Date: Thu, 19 Nov 2026 08:00:00 +0000

--b
Content-Type: message/rfc822

From: boss@example.org
To: {to}
Subject: hello
Message-ID: <{number}@example.com>

Dear reader, {more}
--b--
""".encode()


AGGREGATE = """<feedback><report_metadata><org_name>anna@example.net</org_name><email>anna@example.net</email>
<report_id>1</report_id><date_range><begin>1763510400</begin><end>1763596799</end></date_range></report_metadata>
<policy_published><domain>example.org</domain><p>none</p></policy_published>
<record><row><source_ip>192.0.2.1</source_ip><count>7</count><policy_evaluated><disposition>none</disposition>
<dkim>pass</dkim><spf>pass</spf></policy_evaluated></row><identifiers><header_from>example.org</header_from>
</identifiers></record></feedback>
"""
LOGIN = {
    "@timestamp": "2026-11-19T03:12:09Z", "event": {"dataset": "mail-login", "ingested": "2026-11-19T03:12:11Z"},
    "user": {"name": "anna@example.net"}, "count": 1,
}  # fmt: skip

Look = Callable[[], list[str]]


class Admin:
    """The second command, in this process."""

    def __init__(self, directory: Path, state: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.file = directory / "settings.toml"
        self.state = state
        self.capsys = capsys

    def __call__(self, *arguments: str, settings: str) -> tuple[int, str, str]:
        self.file.write_text(settings)
        status = command.main([*arguments, f"--config={self.file}", f"--state={self.state}"])
        return (status, *self.capsys.readouterr())

    def store(self, *messages: bytes, settings: str) -> None:
        """As the filter does."""
        self.file.write_text(settings)
        read = load({("state", "dir"): str(self.state)}, str(self.file), {})
        choice = choose_store(read, {})
        store = choice.open()
        job = make_job(read, {}, choice, lambda: "2026-11-20T00:00:00Z")._replace(open_store=lambda: store)
        for message in messages:
            process(Memory(message), job)
        store.close()


@pytest.fixture
def admin(tmp_path: Path, state: Path, capsys: pytest.CaptureFixture[str]) -> Admin:
    return Admin(tmp_path, state, capsys)


class Place:
    """A store, filled and looked into."""

    def __init__(self, url: str, prefix: str, look: Look, put: Callable[[str, str, str], None]) -> None:
        self.url = url
        self.settings = f'{SETTINGS}[store]\nurl = "{url}"\nindex_prefix = "{prefix}"\n'
        self.look = look
        self.put = put
        self.prefix = prefix


@pytest.fixture(params=["sqlite", "node"])
def place(request: pytest.FixtureRequest, state: Path) -> Place:
    return _sqlite(state) if request.param == "sqlite" else _node(request)


def _sqlite(state: Path) -> Place:
    path = state / "reports.sqlite"

    def look() -> list[str]:
        with sqlite3.connect(path) as connection:
            return [source for (source,) in connection.execute("SELECT source FROM documents ORDER BY id")]

    def put(index: str, id_: str, source: str) -> None:
        with sqlite3.connect(path) as connection:
            connection.execute("INSERT INTO documents VALUES (?, ?, ?)", (index, id_, source))

    return Place(f"sqlite:{path}", "email-report-", look, put)


def _node(request: pytest.FixtureRequest) -> Place:
    node: Node = request.getfixturevalue("node")
    prefix: str = request.getfixturevalue("prefix")

    def look() -> list[str]:
        return [json.dumps(one.source, ensure_ascii=False) for one in node.documents(f"{prefix}*")]

    def put(index: str, id_: str, source: str) -> None:
        node.ask("PUT", f"/{index}/_doc/{id_}", json.loads(source))

    return Place(node.url, prefix, look, put)


def fill(place: Place, admin: Admin) -> None:
    others = ["joanna@example.net", "anna@example.network", "anna@sub.example.net", "anna.x@example.net"]
    messages = [complaint(to, n) for n, to in enumerate(["anna@example.net", "Bert <bert@example.net>", *others])]
    writings = ["ANNA@example.net", "https://x.example/?u=anna%40example.net", "l-anna=example.net@l.example"]
    messages += [complaint("x@example.com", number, text) for number, text in enumerate(writings, 20)]
    admin.store(*messages, AGGREGATE.encode(), settings=place.settings)
    place.put(f"{place.prefix}mail-login-2026.11", "1", json.dumps(LOGIN))


def test_an_address_goes_and_nobody_elses(place: Place, admin: Admin) -> None:
    fill(place, admin)
    before = place.look()
    dry = admin("erase", ANNA, "--dry-run", settings=place.settings)
    assert dry[0] == 0, dry
    assert place.look() == before
    assert "dmarc-failure: 4 documents: would be erased" in dry[1]
    done = admin("erase", ANNA, settings=place.settings)
    assert done[0] == 0, done
    assert done[1] == dry[1].replace("would be erased", "erased").replace("would be", "is")
    assert "dmarc-failure: 4 documents: erased" in done[1]
    assert "mail-login: 1 document: erased" in done[1]
    assert "dmarc-aggregate: 1 document: the address is taken out" in done[1]
    after = place.look()
    assert len(after) == len(before) - 5
    for other in ("joanna@example.net", "anna@example.network", "anna@sub.example.net", "anna.x@example.net"):
        assert sum(other in one for one in after) == sum(other in one for one in before) > 0
    assert "erased.invalid" in "".join(after)
    again = admin("erase", ANNA, settings=place.settings)
    assert again[1] == "anna@example.net: nothing names it\n"


def test_nothing_of_it_is_left_in_the_embedded_file(admin: Admin, state: Path) -> None:
    """Neither in free pages nor in the log nor in the daily sums, which stay true."""
    place = _sqlite(state)
    fill(place, admin)
    assert admin("summary", "--json", settings=place.settings)[0] == 0  # makes the sums
    assert admin("erase", ANNA, settings=place.settings)[0] == 0
    data = b"".join(path.read_bytes().lower() for path in state.glob("reports.sqlite*"))
    for text in (
        b"<anna@example.net",
        b'"anna@example.net"',
        b"u=anna%40",
        b"-anna=example.net",
        b"\x00anna@example.net",
    ):
        assert text not in data
    with sqlite3.connect(state / "reports.sqlite") as connection:
        sums = connection.execute("SELECT sum(documents), sum(s0) FROM sums_reporters").fetchone()
        tables = [one.table for one in sums_sqlite.SUMS]
        names = [row for table in tables for row in connection.execute(f"SELECT * FROM {table}") if "anna" in str(row)]
        kinds = [row for row in connection.execute("SELECT * FROM kinds") if "anna" in str(row)]
    assert kinds == []
    assert (sums, names) == ((1, 7), [])


def test_the_token_of_an_address_is_found(admin: Admin, state: Path) -> None:
    settings = SETTINGS.replace("[read]\n", '[read]\nredact = "recipients"\n')
    admin.store(complaint("anna@example.net", 1), settings=settings)
    admin.store(complaint("bert@example.net", 2), settings=settings)
    done = admin("erase", "anna@example.net", settings=settings)
    assert "dmarc-failure: 1 document: erased" in done[1]


def test_kept_messages(admin: Admin, state: Path) -> None:
    """As text, encoded, and within a compressed report; others stay."""
    texts = [
        b"To: anna@example.net\nSubject: x\n\nHello\n",
        b"To: x@example.com\nSubject: x\nContent-Transfer-Encoding: base64\n\nRGVhciBhbm5hQGV4YW1wbGUubmV0LA==\n",
        b"To: bert@example.net\nSubject: x\n\nHello\n",
    ]
    for text in texts:
        admin.store(text, settings=SETTINGS)
    packed = b"Content-Type: application/gzip\nContent-Transfer-Encoding: base64\nFrom: a@b.example\nSubject: x\n\n"
    (state / "kept/new/packed").write_bytes(packed + base64.encodebytes(gzip.compress(AGGREGATE.encode())))
    done = admin("erase", "anna@example.net", settings=SETTINGS)
    assert f"{state}/kept: 3 messages: erased\n" in done[1]
    assert [path.read_bytes().endswith(texts[2]) for path in (state / "kept/new").iterdir()] == [True]


def test_the_state_of_logins_alerts_and_the_desk(admin: Admin, state: Path) -> None:
    held = State(state)
    held.teach("anna@example.net", "countries", "FR")
    held.teach("joanna@example.net", "countries", "FR")
    held.close()
    (state / "alerts.json").write_text('{"notes": {"a\\nanna@example.net": "bert@example.net"}}')
    (state / "desk").mkdir()
    (state / "desk/draft.eml").write_bytes(b"To: abuse@example.com\n\nsent to anna@example.net\n")
    (state / "desk/other.eml").write_bytes(b"To: abuse@example.com\n\nsent to bert@example.net\n")
    (state / "binary").write_bytes(b"\xff\xfe anna@example.net ")
    done = admin("erase", "anna@example.net", settings=SETTINGS)
    assert done[0] == 1
    assert "it is no text: look at it by hand" in done[2]
    assert "(lessons): 1 place: the address is taken out" in done[1]
    left = {path.name: path.read_bytes() for path in state.rglob("*") if path.is_file()}
    assert "draft.eml" not in left
    assert b"bert@example.net" in left["other.eml"]
    assert json.loads(left["alerts.json"])["notes"].popitem()[1] == "bert@example.net"
    assert all(
        b"anna@example.net" not in data.replace(b"joanna", b"") for name, data in left.items() if name != "binary"
    )


def test_a_table_without_rowid(admin: Admin, state: Path) -> None:
    """As `copy --follow` keeps one beside the other state; its rows are named by their primary key."""
    (state / "follow").mkdir(parents=True)
    path = state / "follow/x.sqlite"
    said = [("anna@example.net", 1, "to anna@example.net"), ("bert@example.net", 1, "to bert@example.net")]
    with closing(sqlite3.connect(path)) as database:
        database.execute(
            "CREATE TABLE sent (id TEXT, number INTEGER, text TEXT, PRIMARY KEY (id, number)) WITHOUT ROWID"
        )
        database.executemany("INSERT INTO sent VALUES (?, ?, ?)", said)
        database.commit()
    done = admin("erase", "anna@example.net", settings=SETTINGS)
    assert (done[0], "(sent): 1 place: the address is taken out" in done[1]) == (0, True)
    with closing(sqlite3.connect(path)) as database:
        left = database.execute("SELECT * FROM sent ORDER BY id").fetchall()
    assert [row for row in left if "bert" in row[0]] == said[1:]
    assert len(left) == 2
    assert "anna" not in str(left)


def test_an_account_that_is_stopped_stays_stopped(admin: Admin, state: Path) -> None:
    held = State(state)
    held.stop(Stop("anna@example.net", 0.0, "root", "stolen"))
    held.close()
    done = admin("erase", "anna@example.net", settings=SETTINGS)
    assert done[0] == 1
    assert "logins release" in done[2]
    held = State(state)
    assert list(held.stops()) == ["anna@example.net"]
    held.close()


@pytest.mark.parametrize(
    "address", ["anna", "@example.net", "anna@", "anna@net", "a b@example.net", "anna@exa mple.net"]
)
def test_what_is_no_address(address: str, capsys: pytest.CaptureFixture[str], state: Path) -> None:
    assert command.main(["erase", address, f"--state={state}"]) == 2
    assert "is no address" in capsys.readouterr().err


def test_a_store_that_cannot_forget(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["erase", "a@example.org", "--store=-"]) == 75
    assert "cannot forget" in capsys.readouterr().err


def test_an_account_without_a_domain(admin: Admin, state: Path) -> None:
    """In logins alone: elsewhere a name is a word like any other."""
    place = _sqlite(state)
    admin.store(complaint("anna@example.net", 1, "anna writes"), settings=place.settings)
    for number, user in enumerate(["anna", "anna.b", "anna@example.net", "joanna"]):
        login = {**LOGIN, "user": {"name": user}}
        place.put("email-report-mail-login-2026.11", str(number), json.dumps(login))
    held = State(state)
    for user in ("anna", "joanna", "anna@example.net"):
        held.teach(user, "countries", "FR")
    held.close()
    status, out, err = admin("erase", "Anna", "--account", settings=place.settings)
    assert (status, err) == (0, "")
    assert "mail-login: 1 document: erased" in out
    assert "(lessons): 1 place: the address is taken out" in out
    assert sum("anna writes" in one for one in place.look()) == 1
    assert sum("mail-login" in one for one in place.look()) == 3
    held = State(state)
    assert {"joanna", "anna@example.net"} < {one.account for one in held.lessons(0)}
    assert "anna" not in {one.account for one in held.lessons(0)}
    held.close()
    assert admin("erase", "an na", "--account", settings=place.settings)[0] == 2
