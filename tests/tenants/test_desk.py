"""One server for the desks of all: whoever came in sees the own tenant's documents, and nothing of another's."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.security import generate_password_hash
from werkzeug.test import Client

from email_report_processor.desk.web.desk import Desk
from email_report_processor.desk.web.front import make_front
from email_report_processor.desk.web.routes import ROUTES
from email_report_processor.desk.web.start import make_desk
from email_report_processor.job import choose_store, make_job
from email_report_processor.message.blob import Memory
from email_report_processor.process import process
from email_report_processor.settings import Settings, SettingsError, load
from email_report_processor.tenants import for_tenant
from tests.desk.web.desks import PASSWORD, Person, nothing

from . import site
from .site import ADDRESSES, SETTINGS, Part
from .test_crossing import BROKEN

WORDS = {"": ("site.example", "x.test"), "acme": ("acme.example",), "beta": ("beta.example",)}
PEOPLE = {"olga": "", "anna": "acme", "bob": "beta"}
TOKENS = {name: f"{name or 'site'}-token-of-twenty-characters" for name in WORDS}
KINDS = ("aggregate", "tls", "failure", "abuse")


def write(folder: Path, more: str = "") -> Settings:
    """A site with two tenants, a user and a token for each."""
    hashed = generate_password_hash(PASSWORD, "scrypt:1024:8:1")
    for name, token in TOKENS.items():
        (folder / f"token-{name}").write_text(token + "\n")
    text = SETTINGS + more
    for user, name in PEOPLE.items():
        below = "tenants." if name else ""
        users = f'[[{below}users]]\nname = "{user}"\nrole = "sender"\npassword = "{hashed}"\n'
        web = f'[{below}web]\nreports_token_file = "{folder}/token-{name}"\n'
        if not name:
            text = users + web + text
            continue
        head, _, rest = text.partition(f'name = "{name}"\n')
        keys, _, sections = rest.partition("[tenants.")
        text = f'{head}name = "{name}"\n{keys}{users}{web}[tenants.{sections}'
    path = folder / "settings.toml"
    path.write_text(text)
    return load({("state", "dir"): str(folder / "state")}, str(path), {})


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """With reports about everybody, and what cannot be read at each address."""
    settings = write(tmp_path_factory.mktemp("desks"))
    job = make_job(settings, {}, choose_store(settings, {}), lambda: f"{site.day():%Y-%m-%d}T06:00:00Z")
    for number, kind in enumerate(KINDS):
        for word in (one for words in WORDS.values() for one in words):
            process(Memory(site.mail(Part(kind, (word,), number))), job)
    for address, name in (("dmarc@msp.example", ""), ("dmarc@ACME.example", "acme"), ("beta@msp.example", "beta")):
        broken = site.mail(more=BROKEN).replace(b"Subject: ", b"Subject: " + WORDS[name][0].encode() + b" ")
        process(Memory(broken), site.addressed(job, ADDRESSES[address]))
    return make_desk(settings, nothing).desk


def person(desk: Desk) -> Person:
    return Person(Client(make_front(desk)))  # type: ignore[arg-type]  # as much of Flask's as Person uses


def logged_in(desk: Desk, user: str) -> Person:
    made = person(desk)
    assert made.log_in(user, PASSWORD).status_code == 303
    return made


def pages(desk: Desk, name: str) -> Iterator[str]:
    """Every page of the desk that is asked for by GET, with the documents and kept messages that a tenant has."""
    home = desk.tenants[name] if name else desk
    ids = list(site.stored(Path(desk.settings.table["state"]["dir"].value))[name])
    kept = [path.name for path in (Path(home.job.maildir) / "new").iterdir()]
    values = {"id": ids, "id_": ids, "name": kept, "domain": list(WORDS[name]), "address": ["192.0.2.9"]}
    for route in ROUTES:
        if route.method != "GET" or route.bearer or route.rule == "/login" or "/enter" in route.rule:
            continue
        if "<" not in route.rule:
            yield route.rule
            continue
        head, _, rest = route.rule.partition("<")
        key = rest.partition(">")[0].rpartition(":")[2]
        for value in values.get(key, ids)[:12]:
            yield head + value + rest.partition(">")[2]


@pytest.mark.parametrize("user", PEOPLE)
def test_everybody_sees_the_own_tenant_alone(desk: Desk, user: str) -> None:
    name = PEOPLE[user]
    browser = logged_in(desk, user)
    seen = ""
    answered = 0
    for path in pages(desk, name):
        response = browser.get(path)
        answered += response.status_code == 200
        seen += response.text
    assert answered > 20
    for other, words in WORDS.items():
        for word in words:
            assert (word in seen) == (other == name), word


@pytest.mark.parametrize("user", PEOPLE)
def test_a_link_of_another_leads_nowhere(desk: Desk, user: str) -> None:
    browser = logged_in(desk, user)
    for other, words in WORDS.items():
        if other != PEOPLE[user]:
            for path in pages(desk, other):
                text = browser.get(path).text
                for word in words:
                    assert text.count(word) <= path.count(word) * 20, path  # as asked for, at the most
                    assert f"of {word}" not in text


def test_a_session_ends_where_it_began(desk: Desk) -> None:
    browser = logged_in(desk, "anna")
    assert "acme.example" in browser.text("/")
    browser.post("/logout", "/")
    assert browser.get("/").status_code == 303
    assert person(desk).log_in("anna", "another password").status_code == 401
    again = logged_in(desk, "anna")
    again.log_in("bob", PASSWORD)  # in the same browser
    assert "beta.example" in again.text("/")
    assert "acme.example" not in again.text("/")


def test_a_form_of_one_desk_is_none_of_another(desk: Desk) -> None:
    anna, bob = logged_in(desk, "anna"), logged_in(desk, "bob")
    token = bob.token("/")
    assert anna.client.post("/logout", data={"form_token": token}).status_code == 400


def test_the_trail_is_the_tenants(desk: Desk) -> None:
    logged_in(desk, "bob")
    trail = desk.tenants["beta"].audit.path.read_text()
    assert '"who": "bob"' in trail
    for other in (desk, desk.tenants["acme"]):
        text = other.audit.path.read_text() if other.audit.path.exists() else ""
        assert '"who": "bob"' not in text


@pytest.mark.parametrize("name", WORDS)
def test_what_is_posted_goes_where_it_belongs(tmp_path: Path, name: str) -> None:
    made = make_desk(write(tmp_path), nothing).desk
    client = Client(make_front(made))
    parts = [Part("aggregate", ("acme.example",)), Part("tls", ("beta.example",), 1), Part("aggregate", ("x.test",), 2)]
    message = site.mail(*parts)
    for _ in range(2):
        answer = client.post("/reports", data=message, headers={"Authorization": f"Bearer {TOKENS[name]}"})
        assert answer.status_code == 200, answer.text
    assert site.stored_ids(tmp_path / "state") == site.expected([(parts, message, (name,) if name else ())])
    wrong = client.post("/reports", data=message, headers={"Authorization": "Bearer beta-token-of-twenty-character"})
    assert wrong.status_code == 401


def test_what_is_uploaded_goes_where_it_belongs(tmp_path: Path) -> None:
    made = make_desk(write(tmp_path), nothing).desk
    anna = logged_in(made, "anna")
    message = site.mail(Part("aggregate", ("x.test",)))
    data: dict[str, Any] = {"form_token": anna.token("/upload"), "file": (io.BytesIO(message), "report.eml")}
    page = anna.client.post("/upload", data=data)
    fields = {
        key: page.text.partition(f'name="{key}" value="')[2].partition('"')[0] for key in ("form_token", "name", "way")
    }
    assert anna.client.post("/taken", data=fields).status_code == 200
    assert site.stored_ids(tmp_path / "state") == site.expected(
        [([Part("aggregate", ("x.test",))], message, ("acme",))]
    )


@pytest.mark.parametrize("more", [{}, {"Authorization": "Basic Ym9iOng="}])
def test_a_proxy_names_people_of_each(tmp_path: Path, more: dict[str, str]) -> None:
    """Also one that asked for their passwords itself, as nginx with auth_basic, and hands them on."""
    web = '[web]\nuser_header = "X-Remote-User"\nproxies = ["127.0.0.1"]\n'
    settings = write(tmp_path)
    text = (tmp_path / "settings.toml").read_text().replace("[web]\n", web, 1)
    (tmp_path / "settings.toml").write_text(text)
    settings = load({("state", "dir"): str(tmp_path / "state")}, str(tmp_path / "settings.toml"), {})
    made = make_desk(settings, nothing).desk
    for domain in ("beta.example", "acme.example", "x.test"):
        process(Memory(site.mail(Part("aggregate", (domain,)))), made.job)
    client = Client(make_front(made))
    said = {
        user: client.get("/", headers={"X-Remote-User": user, **more}, environ_overrides={"REMOTE_ADDR": "127.0.0.1"})
        for user in ("bob", "anna", "nobody", "olga")
    }
    assert {user: answer.status_code for user, answer in said.items()} == {
        "bob": 200,
        "anna": 200,
        "nobody": 401,
        "olga": 200,
    }
    assert ["beta.example" in said[user].text for user in ("bob", "anna", "olga")] == [True, False, False]
    forged = client.get("/", headers={"X-Remote-User": "bob"}, environ_overrides={"REMOTE_ADDR": "127.0.0.9"})
    assert forged.status_code == 401


def test_a_desk_of_one_tenant_alone(tmp_path: Path) -> None:
    settings = write(tmp_path)
    made = make_desk(for_tenant(settings, "beta", {}), nothing).desk
    assert list(made.users) == ["bob"]
    assert made.tenants == {}
    process(Memory(site.mail(Part("aggregate", ("beta.example",)))), made.job)
    browser = logged_in(made, "bob")
    assert "beta.example" in browser.text("/")
    assert person(made).log_in("anna", PASSWORD).status_code == 401


def test_names_and_tokens_are_of_one_desk(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    settings = write(tmp_path / "one", '[[tenants.users]]\nname = "olga"\nrole = "reader"\n')
    with pytest.raises(SettingsError, match="'olga' is the site itself's too"):
        make_desk(settings, nothing)
    (tmp_path / "two").mkdir()
    settings = write(tmp_path / "two")
    (tmp_path / "two/token-beta").write_text(TOKENS[""])
    with pytest.raises(SettingsError, match="another desk has this token"):
        make_desk(settings, nothing)
