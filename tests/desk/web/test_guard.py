"""Who is let in, and what of: each guard of the desk by a test that fails without it."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from email_report_processor.desk.web import guard
from email_report_processor.desk.web.attempts import WINDOW, Attempts, place
from email_report_processor.desk.web.audit import Audit, AuditError
from email_report_processor.desk.web.options import WebOptions
from email_report_processor.desk.web.routes import ROUTES
from email_report_processor.desk.web.serving import listen
from email_report_processor.desk.web.sessions import Sessions
from email_report_processor.desk.web.start import make_desk
from email_report_processor.desk.web.users import OWNER, User, hash_password, is_password, read_users
from email_report_processor.settings import SettingsError
from tests.desk.web.desks import PASSWORD, Clock, Made, audit, make, nothing, settings_of

OPEN = {"/style.css", "/login", "/enter/<token>", "/enter", "/reports"}  # before anybody is known
READING = [route for route in ROUTES if route.method == "GET" and route.role]
WRITING = [route for route in ROUTES if route.method == "POST" and route.rule != "/reports"]


def filled(rule: str) -> str:
    """A path of a rule."""
    return re.sub(r"<[^>]*>", "x", rule)


def test_what_needs_no_role_is_what_comes_before_one_is_known() -> None:
    assert {route.rule for route in ROUTES if not route.role} <= OPEN


@pytest.mark.parametrize("route", READING, ids=lambda route: route.rule)
def test_a_stranger_sees_no_page(made: Made, route: Any) -> None:
    response = made.person().get(filled(route.rule))
    assert response.status_code == 401
    assert "example.org" not in response.text


@pytest.mark.parametrize("route", WRITING, ids=lambda route: route.rule)
def test_a_form_without_its_token_does_nothing(users: Made, route: Any) -> None:
    sam = users.logged_in("sam")
    before = list(audit(users))
    for form in ({}, {"form_token": "0" * 64}, {"form_token": users.logged_in("ana").token("/senders")}):
        response = sam.client.post(filled(route.rule), data=form)
        assert response.status_code == 400, response.text
        assert "form" in response.text
    assert [one for one in audit(users) if one["who"] == "sam"] == [one for one in before if one["who"] == "sam"]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.rule}")
def test_what_changes_anything_is_no_get(made: Made, route: Any) -> None:
    writing = route.method == "POST" and not any(other.rule == route.rule and other.method == "GET" for other in ROUTES)
    if writing:
        assert made.owner().get(filled(route.rule)).status_code == 405


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 303),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, 303),
        ({"Origin": "http://localhost"}, 303),
        ({"Sec-Fetch-Site": "cross-site"}, 400),
        ({"Sec-Fetch-Site": "same-site"}, 400),
        ({"Origin": "http://evil.example"}, 400),
    ],
)
def test_a_form_of_another_site_does_nothing(made: Made, fields: dict[str, str], status: int) -> None:
    owner = made.owner()
    form = {"form_token": owner.token("/senders")}
    assert owner.client.post("/logout", data=form, headers=fields).status_code == status


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("localhost:8025", 200),
        ("127.0.0.1:8025", 200),
        ("[::1]:8025", 200),
        ("desk.example.org", 200),
        ("DESK.example.org:443", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("[::1", 421),
        ("", 421),
    ],
)
@pytest.mark.parametrize("path", ["/style.css", "/login"])
def test_other_names_lead_nowhere(
    tmp_path: Path, recent_store: str, hashed: str, host: str, status: int, path: str
) -> None:
    ana = [{"name": "ana", "role": "analyst", "password": hashed}]
    made = make(tmp_path / "state", recent_store, web={"hosts": ["desk.example.org"]}, users=ana)
    assert made.person().get(path, environ_overrides={"HTTP_HOST": host}).status_code == status


@pytest.mark.parametrize("path", ["/", "/style.css", "/login", "/nothing", "/message/x", "/failures?q=("])
def test_header_fields_of_every_answer(made: Made, path: str) -> None:
    for person in (made.person(), made.owner()):
        fields = person.get(path).headers
        policy = fields["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert "form-action 'self'" in policy
        assert fields["X-Content-Type-Options"] == "nosniff"
        assert fields["X-Frame-Options"] == "DENY"
        assert fields["Referrer-Policy"] == "no-referrer"
        assert "Server" not in fields
        assert fields["Cache-Control"] == (
            "no-store" if path != "/style.css" else "public, max-age=31536000, immutable"
        )
        break


@pytest.mark.parametrize("https", [False, True])
def test_the_cookie_is_for_no_script_and_for_no_other_site(tmp_path: Path, recent_store: str, https: bool) -> None:
    made = make(tmp_path / "state", recent_store, web={"https": https})
    person = made.person()
    told = [person.get(f"/enter/{made.token}").headers["Set-Cookie"]]
    if https:
        assert "; Secure" in told[0]
        assert told[0].startswith("__Host-desk=")
    else:
        told.append(person.enter(made.token).headers["Set-Cookie"])
        assert told[0] != told[1], "a session that was planted before is none"
    for one in told:
        assert "HttpOnly" in one
        assert "SameSite=Lax" in one
        assert "Path=/" in one
        assert "Domain" not in one


# The one-time token


def test_the_token_lets_one_browser_in_once(made: Made) -> None:
    assert made.person().get(f"/enter/{made.token}").status_code == 200, "looking ahead is no entrance"
    owner = made.owner()
    assert owner.get("/").status_code == 200
    late = made.person()
    assert late.enter(made.token).status_code == 401
    assert late.get("/").status_code == 401
    assert [one["what"] for one in audit(made)] == ["came in", "entrance refused"]
    assert made.token not in made.desk.audit.path.read_text()


@pytest.mark.parametrize("token", ["", "x", "é", "x" * 5000])
def test_a_wrong_token_lets_nobody_in(made: Made, token: str) -> None:
    person = made.person()
    response = person.post("/enter", "/enter/x", token=token)
    assert response.status_code == 401
    assert person.get("/").status_code == 401


def test_where_there_are_users_there_is_no_token(users: Made) -> None:
    assert users.token == ""
    assert users.person().post("/enter", "/enter/x", token="").status_code == 401


# Passwords


def test_a_password_opens_a_session_and_leads_back(users: Made) -> None:
    person = users.person()
    assert person.get("/failures?q=class:spoof").headers["Location"] == "/login?next=%2Ffailures%3Fq%3Dclass%3Aspoof"
    response = person.log_in("ana", PASSWORD, next="/failures?q=class:spoof")
    assert response.headers["Location"] == "/failures?q=class:spoof"
    assert person.get("/").status_code == 200
    assert person.post("/logout", "/").status_code == 303
    assert person.get("/").status_code == 303
    assert [one["what"] for one in audit(users)] == ["came in", "logged out"]


_ELSEWHERE = ("//evil.example", "/\\evil.example", "https://evil.example/", "evil", "")
_BLANKS = ("/\t/evil.example", "/\t\\evil.example", "/\n/evil.example", "/\r/evil.example", "\t//evil.example")


@pytest.mark.parametrize("next_", [*_ELSEWHERE, *_BLANKS])
def test_a_log_in_leads_to_no_other_site(users: Made, next_: str) -> None:
    assert users.person().log_in("ana", PASSWORD, next=next_).headers["Location"] == "/"


@pytest.mark.parametrize(("name", "password"), [("ana", "wrong"), ("nobody", PASSWORD), ("ana", ""), ("", "")])
def test_a_wrong_password_opens_nothing(users: Made, name: str, password: str) -> None:
    person = users.person()
    response = person.log_in(name, password)
    assert response.status_code == 401
    assert "Wrong name or password" in response.text
    assert person.get("/").status_code == 303


def test_a_session_that_was_planted_is_not_that_of_who_logs_in(users: Made) -> None:
    person = users.person()
    person.get("/login")
    planted = person.client.get_cookie("desk")
    assert planted is not None
    person.log_in("ana", PASSWORD)
    thief = users.person()
    thief.client.set_cookie("desk", planted.value)
    assert thief.get("/").status_code == 303


def test_wrong_passwords_have_to_wait(users: Made) -> None:
    clock = Clock()
    users = users._replace(desk=users.desk._replace(attempts=Attempts(clock, 3)))
    from email_report_processor.desk.web.app import make_app

    users = users._replace(app=make_app(users.desk))
    for _ in range(3):
        assert users.person().log_in("ana", "wrong").status_code == 401
    refused = users.person().log_in("ana", PASSWORD)
    assert refused.status_code == 429, "also with the right one"
    assert "300 seconds" in refused.text
    clock.now += WINDOW
    assert users.person().log_in("ana", PASSWORD).status_code == 303


def test_attempts_are_bounded_in_number_and_count_by_name_and_address() -> None:
    clock = Clock()
    attempts = Attempts(clock, 2)
    for number in range(20_000):
        attempts.fail(f"name {number}", "address 192.0.2.1")
    assert attempts.wait("name 19999") == 0
    assert attempts.wait("name x", "address 192.0.2.1") > 0
    assert attempts.wait("name x", "address 192.0.2.2") == 0
    assert len(attempts._failed) <= 10_000
    attempts.forget("address 192.0.2.1")
    assert attempts.wait("address 192.0.2.1") == 0


def test_what_was_typed_as_a_name_is_not_kept_whole() -> None:
    attempts = Attempts(Clock(), 1)
    attempts.fail("name " + "x" * 60_000)
    assert max(map(len, attempts._failed)) <= 200
    assert attempts.wait("name " + "x" * 60_000) > 0
    attempts.forget("name " + "x" * 60_000)
    assert attempts.wait("name " + "x" * 60_000) == 0


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("unix", "unix"),
    ],
)
def test_a_customer_with_many_addresses_is_one(address: str, counted: str) -> None:
    assert place(address) == counted


def test_guessing_from_a_network_of_ipv6_has_to_wait(tmp_path: Path, recent_store: str, hashed: str) -> None:
    users = [{"name": "ana", "role": "reader", "password": hashed}]
    made = make(tmp_path / "s", recent_store, users=users, web={"proxies": ["127.0.0.1"], "attempts": 2})
    for number, status in enumerate((401, 401, 429)):
        fields = {"X-Forwarded-For": f"2001:db8:0:1::{number}"}
        person = made.person()
        form = {"form_token": person.token("/login"), "name": f"n{number}", "password": "wrong"}
        response = person.client.post("/login", data=form, headers=fields)
        assert response.status_code == status
    assert int(response.headers["Retry-After"]) > 0


def test_sessions_end_and_are_bounded() -> None:
    clock = Clock()
    sessions = Sessions(clock, 60)
    first = sessions.begin(OWNER)
    assert sessions.user(first) == OWNER
    clock.now += 60
    assert sessions.user(first) is None
    ids = [sessions.begin(OWNER) for _ in range(2001)]
    assert sessions.user(ids[0]) is None
    assert sessions.user(ids[-1]) == OWNER
    assert not sessions.is_form_token("", "", sessions.form_token("", ""))


def test_a_hash_is_of_one_password_and_never_the_same_twice() -> None:
    one, two = hash_password(PASSWORD), hash_password(PASSWORD)
    assert one != two
    assert one.startswith("scrypt:")
    assert is_password(User("x", password=one), PASSWORD)
    assert not is_password(User("x", password=one), PASSWORD + "x")
    assert not is_password(None, "nobody has this password")


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        (["ana"], "it is no table"),
        ([{"name": "ana", "role": "admin"}], "role = 'admin'; write one of reader, analyst, sender"),
        ([{"role": "reader"}], "it has no name"),
        ([{"name": "ana", "role": "reader", "pasword": "x"}], "there is no key 'pasword'"),
        ([{"name": "ana", "role": "reader", "password": "secret"}], "password is no hash"),
        ([{"name": "ana", "role": "reader", "domains": "example.org"}], "domains is no list"),
        ([{"name": "ana", "role": "reader", "domains": [""]}], "domains is no list"),
        ([{"name": "ana", "role": "reader"}] * 2, "there is a user 'ana' already"),
    ],
)
def test_users_that_are_wrong_are_named_without_their_password(entries: list[Any], why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)) as error:
        read_users(entries)
    assert "secret" not in str(error.value)


# A proxy


def proxied(tmp_path: Path, store: str, **web: Any) -> Made:
    """A desk behind a proxy that names users."""
    entries = [{"name": "ana", "role": "analyst"}, {"name": "*", "role": "reader", "domains": ["example.net"]}]
    options = {"proxies": ["192.0.2.7", "unix"], "user_header": "X-Remote-User", **web}
    return make(tmp_path / "state", store, web=options, users=entries)


@pytest.mark.parametrize(
    ("peer", "name", "shown"),
    [
        ("192.0.2.7", "ana", "ana</bdi>, analyst"),
        ("localhost", "ana", "ana</bdi>, analyst"),
        ("192.0.2.7", "kim", "kim</bdi>, reader, <bdi>example.net"),
        ("192.0.2.7", "", ""),
        ("192.0.2.7", "*", ""),
        ("192.0.2.8", "ana", ""),
        ("127.0.0.1", "ana", ""),
    ],
)
def test_only_a_proxy_that_is_named_can_name_a_user(
    tmp_path: Path, recent_store: str, peer: str, name: str, shown: str
) -> None:
    made = proxied(tmp_path, recent_store)
    response = made.person().get("/senders", headers={"X-Remote-User": name}, environ_overrides={"REMOTE_ADDR": peer})
    assert response.status_code == (200 if shown else 401)
    assert shown in response.text


def test_a_planted_cookie_sends_no_form_of_another_user(tmp_path: Path, recent_store: str) -> None:
    """Who can set a cookie from a neighbouring host, and is a user too, has a token for that cookie."""
    made = proxied(tmp_path, recent_store)

    def as_user(name: str) -> dict[str, Any]:
        return {"headers": {"X-Remote-User": name}, "environ_overrides": {"REMOTE_ADDR": "192.0.2.7"}}

    person = made.person()
    person.client.set_cookie("desk", "planted")
    token = re.search(r'name="form_token" value="([^"]+)"', person.get("/paste", **as_user("ana")).text)
    assert token
    form = {"form_token": token[1], "message": "Subject: x"}
    assert person.client.post("/paste", data=form, **as_user("ana")).status_code == 200
    made.desk.users["bob"] = User("bob", "sender")  # type: ignore[index]  # a dict
    assert person.client.post("/paste", data=form, **as_user("bob")).status_code == 400


def test_nobody_comes_in_beside_the_proxy(tmp_path: Path, recent_store: str) -> None:
    made = proxied(tmp_path, recent_store)
    assert made.token == ""
    assert made.person().get("/login").status_code == 404


@pytest.mark.parametrize(
    ("peer", "said", "address"),
    [
        ("192.0.2.7", "203.0.113.9", "203.0.113.9"),
        ("192.0.2.7", "10.0.0.1, 203.0.113.9", "203.0.113.9"),
        ("192.0.2.7", "nonsense", "192.0.2.7"),
        ("192.0.2.8", "203.0.113.9", "192.0.2.8"),
    ],
)
def test_only_a_proxy_says_who_asks(tmp_path: Path, recent_store: str, peer: str, said: str, address: str) -> None:
    made = proxied(tmp_path, recent_store)
    with made.app.test_request_context(
        headers={"X-Forwarded-For": said}, environ_overrides={"REMOTE_ADDR": peer}
    ) as context:
        assert guard.address(made.desk, context.request) == address


@pytest.mark.parametrize(
    ("web", "users", "why"),
    [
        ({"user_header": "X-Remote-User"}, [{"name": "ana", "role": "reader"}], "name the proxy that sends it"),
        ({"user_header": "X-Remote-User", "proxies": ["127.0.0.1"]}, [], "whom the proxy may let in"),
        ({}, [{"name": "ana", "role": "boss"}], "entry 1: role = 'boss'"),
    ],
)
def test_settings_that_would_let_anybody_in_start_nothing(
    tmp_path: Path, web: dict[str, Any], users: list[Any], why: str
) -> None:
    with pytest.raises(SettingsError, match=re.escape(why)):
        make_desk(settings_of(tmp_path, f"sqlite:{tmp_path}/x", web=web, users=users), nothing)


# Roles and domains


def test_each_role_may_what_it_may(users: Made) -> None:
    path = re.search(r'href="(/message/[0-9a-f]+)"', users.logged_in("ria").text("/failures?q=class:spoof"))
    assert path
    sees = {name: users.logged_in(name).text(path[1]) for name in ("ria", "ana", "sam")}
    assert all("All fields" in text for text in sees.values())
    assert {name: "X-Mailer" in text for name, text in sees.items()} == {"ria": False, "ana": True, "sam": True}
    seen = [(one["who"], one["document"]) for one in audit(users) if one["what"] == "saw a sample"]
    id_ = path[1].removeprefix("/message/")
    assert seen == [("ana", id_), ("sam", id_)], "who saw a sample is written down"
    ria = users.logged_in("ria")
    form = {"form_token": ria.token("/senders"), "what": "example.com", "verdict": "mine"}
    refused = ria.client.post("/senders", data=form)
    assert refused.status_code == 403
    assert "needs the role analyst" in refused.text
    assert not (users.desk.audit.path.parent / "senders.toml").exists()


SCOPED = ("/", "/senders", "/failures?q=", "/campaigns", "/networks", "/hosts/203.0.113.0/24", "/urls", "/policy")


def test_a_user_sees_no_document_of_other_domains(users: Made, recent: Any) -> None:
    net, sam = users.logged_in("net"), users.logged_in("sam")
    failed = [one for one in recent if one.dataset in {"dmarc-failure", "arf"}]
    own = [one.id for one in failed if one.fields["feedback.reported_domain"] == ["example.net"]]
    others = [one.id for one in failed if one.fields["feedback.reported_domain"] != ["example.net"]]
    assert own
    assert others
    assert net.get(f"/message/{own[0]}").status_code == 200
    assert sam.get(f"/message/{others[0]}").status_code == 200
    assert {net.get(f"/message/{one}").status_code for one in others} == {404}
    for path in SCOPED:
        assert not re.search(r"(?<![\w.-])(?:[\w-]+\.)*example\.org", net.text(path)), path
    assert "Nothing fits" in net.text("/failures?q=domain:example.org")
    assert "There are no DMARC aggregate reports" in net.text("/?domain=example.org")
    every = net.text("/failures?q=domain:example.org+or+ip:0.0.0.0/0+or+-class:x")
    assert set(re.findall("/message/([0-9a-f]+)", every)) <= set(own)
    assert "example.org" in sam.text("/failures?q=")


def test_what_belongs_to_no_domain_is_for_those_who_see_all(users: Made) -> None:
    net = users.logged_in("net")
    form = {"form_token": net.token("/senders"), "what": "example.com", "verdict": "mine"}
    assert net.client.post("/senders", data=form).status_code == 403


# Bodies and the audit trail


def test_a_form_is_bounded(made: Made) -> None:
    owner = made.owner()
    form = {"form_token": owner.token("/senders"), "what": "x" * 70_000, "verdict": "mine"}
    assert owner.client.post("/senders", data=form).status_code == 413


def test_who_changes_something_is_written_down_first(made: Made) -> None:
    owner = made.owner()
    assert owner.post("/senders", what="sender:crm.example", verdict="service", comment="ours").status_code == 303
    entry = list(audit(made))[-1]
    assert entry | {"at": ""} == {
        "at": "",
        "who": "owner",
        "address": "127.0.0.1",
        "what": "verdict",
        "about": "sender:crm.example",
        "verdict": "service",
    }
    assert made.desk.audit.path.stat().st_mode & 0o777 == 0o600


def test_what_cannot_be_written_down_does_not_happen(made: Made) -> None:
    owner = made.owner()
    made.desk.audit.path.unlink()
    made.desk.audit.path.mkdir()
    response = owner.post("/senders", what="sender:crm.example", verdict="service")
    assert response.status_code == 503
    assert not (made.desk.audit.path.parent / "senders.toml").exists()


def test_an_entry_is_one_line_whatever_was_typed(tmp_path: Path) -> None:
    trail = Audit(tmp_path / "trail", lambda: "2026-11-28T00:00:00Z")
    trail("a\nb\u2028", "192.0.2.1", "log-in refused", about='"}\n{"who": "root"')
    (line,) = (tmp_path / "trail").read_bytes().splitlines()
    assert json.loads(line)["who"] == "a\nb\u2028"
    os.symlink(tmp_path / "elsewhere", tmp_path / "link")
    with pytest.raises(AuditError):
        Audit(tmp_path / "link", lambda: "")("x", "", "y")


# Where it listens


@pytest.mark.parametrize("said", ["0.0.0.0:0", "192.0.2.1:8025", "[::]:8025"])
def test_other_machines_reach_it_only_where_that_is_said(said: str) -> None:
    with pytest.raises(SettingsError, match="listen_anywhere"):
        listen(WebOptions(listen=said), {})


def test_an_address_that_is_taken() -> None:
    first = listen(WebOptions(listen="127.0.0.1:0"), {})
    port = first.socket.getsockname()[1]
    with first.socket, pytest.raises(SettingsError, match="another desk runs there, or name another address"):
        listen(WebOptions(listen=f"127.0.0.1:{port}"), {})


@pytest.mark.parametrize("said", ["", "8025", "localhost:8025", "127.0.0.1:x", "127.0.0.1:99999", "unix:", "systemd"])
def test_an_address_that_is_none(said: str) -> None:
    with pytest.raises(SettingsError, match=re.escape("[web] listen")):
        listen(WebOptions(listen=said), {})


def test_a_socket_in_the_file_system_has_its_rights_from_the_beginning(tmp_path: Path) -> None:
    path = tmp_path / "desk.sock"
    for mode in (0o660, 0o600):  # the second one replaces the first
        listening = listen(WebOptions(listen=f"unix:{path}", socket_mode=f"{mode:04o}"), {})
        listening.socket.close()
        assert path.stat().st_mode & 0o777 == mode
    assert [one.name for one in tmp_path.iterdir()] == ["desk.sock"]
    (tmp_path / "file").write_text("x")
    with pytest.raises(SettingsError, match="no socket"):
        listen(WebOptions(listen=f"unix:{tmp_path / 'file'}"), {})
