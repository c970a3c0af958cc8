"""What the views show and do: the same over SQLite and a real node, and nothing before somebody asks for it."""

import gzip
import json
import re
from io import BytesIO
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from email_report_processor.desk.contacts import ContactOptions
from email_report_processor.desk.events import Event, Incident, to_row
from email_report_processor.desk.lookup import Lookup
from email_report_processor.desk.web import lookups
from email_report_processor.desk.web.asking import read_place, term, write_place
from email_report_processor.desk.web.desk import moment
from email_report_processor.desk.web.options import WebOptions
from email_report_processor.desk.web.pending import Pending
from email_report_processor.documents.document import Document
from email_report_processor.message.blob import Memory
from email_report_processor.process import Layout
from email_report_processor.settings import SettingsError
from email_report_processor.stores import kept
from email_report_processor.stores.opening import open_store
from email_report_processor.stores.opensearch import OpenSearchStore
from email_report_processor.stores.query import QueryError, parse
from tests.desk import registries
from tests.desk.web.desks import Made, Person, audit, make
from tests.dns_server import running
from tests.nodes import Node
from tests.pages.conftest import rows
from tests.places import GOLDEN

REPORT = (GOLDEN / "dmarc-aggregate/banner.eml").read_bytes()
VIEWS = (
    "/",
    "/?domain=example.net&since=7d",
    "/senders",
    "/failures",
    "/failures?q=class:spoof+country:BR+since:1y",
    "/campaigns",
    "/networks",
    "/hosts/203.0.113.150",
    "/hosts/203.0.113.0/24",
    "/urls",
    "/policy?domain=example.org",
)


# The same over both stores


def main_of(text: str) -> str:
    """What a page says, without where it comes from, and without places in a store."""
    body = text.partition("<main")[2].partition("<footer")[0]
    return re.sub(r'after=[\w-]+|name="form_token" value="\w+"', "", body)


def test_pages_are_the_same_over_both_stores(
    made: Made, recent: list[Document], node: Node, prefix: str, tmp_path: Path
) -> None:
    store = open_store(node.url, prefix=prefix)
    assert isinstance(store, OpenSearchStore)
    store.write(rows(recent, prefix))
    store.refresh()
    store.close()
    other = make(tmp_path / "other", node.url, prefix=prefix)
    sqlite, cluster = made.owner(), other.owner()
    for path in VIEWS:
        one, two = main_of(sqlite.text(path)), main_of(cluster.text(path))
        assert one == two, path
        assert re.search(r"example\.(org|net)|AS6|phish", one), path
    assert listed(sqlite, "/failures?q=") == listed(cluster, "/failures?q=")


def listed(person: Person, path: str) -> list[str]:
    """The ids of a list, page after page."""
    found: list[str] = []
    while path:
        text = person.text(path)
        found += re.findall(r'href="/message/([0-9a-f]+)"', text)
        older = re.search(r'href="([^"]+)" rel="next">Older', text)
        path = older[1].replace("&amp;", "&") if older else ""
    return found


def test_a_list_shows_every_document_once(made: Made, recent: list[Document]) -> None:
    failed = sorted(
        (one for one in recent if one.dataset in {"dmarc-failure", "arf"}),
        key=lambda one: (one.fields["@timestamp"], one.id),
        reverse=True,
    )
    assert listed(made.owner(), "/failures?q=") == [one.id for one in failed]


@pytest.mark.parametrize(
    "after", ["x", "!", "W10", "e30", "W251bGxd", "W1tdXQ", "WzEsMV0", "x" * 5000, "W" * 601, "Imludm9pY2Ui"]
)
def test_a_place_that_is_none_is_told(made: Made, after: str) -> None:
    response = made.owner().get(f"/failures?after={after}")
    assert response.status_code == (200 if after == "W10" else 400), response.text


def test_places_go_into_links_and_come_back() -> None:
    for place in ((), ("2026-11-20T00:00:00", "abc"), (1, 2, "i-1"), ('é"&', "x")):
        text = write_place(place)
        assert re.fullmatch(r"[\w-]*", text)
        assert read_place(text) == place


@pytest.mark.parametrize("path", ["/failures?q=(", "/failures?q=nofield:x", "/campaigns?q=%22", "/urls?q=count:x"])
def test_a_query_that_cannot_be_read_shows_the_place(made: Made, path: str) -> None:
    response = made.owner().get(path)
    assert response.status_code == 400
    assert "^</pre>" in response.text


@pytest.mark.parametrize("value", ["wire transfer", 'a "quote"', "back\\slash", "x:", "a*b", "(x)", "-x", "ü"])
def test_a_field_of_the_form_is_one_term(value: str) -> None:
    from datetime import UTC, datetime

    node = parse(f"class:spoof {term('subject', value)}", datetime.now(UTC))
    assert len(node.nodes) == 2  # type: ignore[union-attr]  # an And
    with pytest.raises(QueryError):
        parse("subject:", datetime.now(UTC))


def test_the_form_becomes_a_query(made: Made) -> None:
    owner = made.owner()
    response = owner.get("/failures?q=a+or+b&class=spoof&subject=wire+transfer&delivered=1")
    assert response.status_code == 303
    location = response.headers["Location"]
    assert location == "/failures?q=%28a+or+b%29+class%3Aspoof+subject%3A%22wire+transfer%22+delivered"
    assert owner.get(location).status_code == 200


# Reported


def incident(document: Document) -> Incident:
    """A report about one message."""
    fields = document.fields
    return Incident(
        token="k7q2mzd4b6h3ncew5a2t",
        contact="abuse@network.example",
        begin=fields["@timestamp"],
        end=fields["@timestamp"],
        address=fields["source.ip"],
        as_number=fields["source.as.number"],
        domains=tuple(fields["feedback.reported_domain"]),
        documents=(document.id,),
    )


def test_what_was_reported_is_grey_and_its_network_is_judged(
    recent: list[Document], recent_store: str, tmp_path: Path
) -> None:
    spoofs = [one for one in recent if one.fields.get("class") == "spoof" and one.dataset == "dmarc-failure"]
    told = max(spoofs, key=lambda one: one.fields["@timestamp"])
    path = tmp_path / "reports.sqlite"
    store = open_store(f"sqlite:{path}")
    store.write(rows(recent))
    event = Event("sent", incident(told), "2024-01-01T00:00:00Z", by="ana")
    store.write([to_row(event, now="2026-11-28T00:00:00Z", layout=Layout())])
    store.close()
    owner = make(tmp_path / "state", f"sqlite:{path}").owner()
    text = owner.text("/failures?q=class:spoof")
    (row,) = re.findall(rf'<tr class="[^"]*">\s*<th scope="row"><a href="/message/{told.id}">.*?</tr>', text, re.DOTALL)
    assert " reported" in row.partition(">")[0]
    assert text.count(">reported</span>") == 1
    assert listed(owner, "/failures?q=reported") == [told.id]
    assert told.id not in listed(owner, "/failures?q=class:spoof+-reported")
    (line,) = [one for one in owner.text("/networks").split("<tr>") if "abuse@network.example" in one]
    assert f"AS{told.fields['source.as.number']}" in line
    assert "still sending" in line


# Campaigns and URLs


def test_campaigns_are_those_of_the_command(made: Made) -> None:
    owner = made.owner()
    text = owner.text("/campaigns")
    names = re.findall(r'href="/campaigns/([a-z]{5}-[a-z]{5})', text)
    assert len(names) == 3
    one = owner.text(f"/campaigns/{names[0]}?q=class:spoof+since:30d")
    assert "phish" in one or "files" in one
    assert re.search(r"Messages</dt><dd>\d+ from \d+ addresses", one)
    assert owner.get("/campaigns/xxxxx-xxxxx").status_code == 404


@pytest.mark.parametrize(
    ("form", "type_", "shows"),
    [
        ("plain", "text/plain", "https://login.phish.example/"),
        ("csv", "text/csv", "url,host,messages"),
        ("hosts", "text/plain", "0.0.0.0 login.phish.example"),
        ("rpz", "text/dns", "*.login.phish.example CNAME ."),
        ("misp", "application/json", '"type": "url"'),
        ("stix", "application/json", '"pattern_type": "stix"'),
    ],
)
def test_lists_for_those_who_block(made: Made, form: str, type_: str, shows: str) -> None:
    response = made.owner().get(f"/urls/export/{form}?q=class:spoof+since:1y")
    assert response.status_code == 200
    assert response.content_type.startswith(type_)
    assert "attachment" in response.headers["Content-Disposition"]
    assert shows in response.text
    assert list(audit(made))[-1]["what"] == "exported URLs"


def test_no_list_in_an_unknown_format(made: Made) -> None:
    assert made.owner().get("/urls/export/exe").status_code == 404


# Paste and upload

SPAM = b"""Received: from bad.example (bad.example [203.0.113.77]) by mx.example.org; Fri, 20 Nov 2026 08:30:00 +0000
From: "CEO" <ceo@example.org>
To: anna@example.org
Subject: Wire transfer <script>alert(1)</script>
Message-ID: <pasted@bad.example>

Pay here: http://evil.phish.example/pay
"""


def test_a_pasted_spam_is_shown_and_stored_only_on_demand(recent_store: str, tmp_path: Path) -> None:
    made = make(tmp_path / "state", f"sqlite:{tmp_path / 'r.sqlite'}")
    owner = made.owner()
    page = owner.post("/paste", message=SPAM.decode().replace("\n", "\r\n"))
    assert "203.0.113.77" in page.text
    assert "hxxp://evil[.]phish.example/pay" in page.text
    assert "<script>" not in page.text
    assert not (tmp_path / "r.sqlite").exists()
    name = re.search(r'name="name" value="([0-9a-f]{64})"', page.text)
    assert name
    form = {"form_token": owner.token("/paste"), "way": "paste", "name": name[1]}
    stored = owner.client.post("/taken", data=form)
    assert "1 document stored" in stored.text or "2 documents stored" in stored.text, stored.text
    (link,) = re.findall(r'href="(/message/[0-9a-f]+)"', stored.text)
    message = owner.text(link)
    assert "Wire transfer &lt;script&gt;" in message
    assert "pasted" in message
    assert owner.client.post("/taken", data=form).status_code == 410, "it is not held twice"
    assert {"looked at a message", "stored a message", "saw a sample"} <= {one["what"] for one in audit(made)}


@pytest.mark.parametrize("data", [REPORT, gzip.compress(b'{"organization-name": "x"}'), b"nonsense", b"\x00\xff" * 500])
def test_an_uploaded_file_is_looked_at(tmp_path: Path, data: bytes) -> None:
    owner = make(tmp_path / "state", f"sqlite:{tmp_path / 'r.sqlite'}").owner()
    page = owner.post("/upload", file=(BytesIO(data), "../../<b>.eml"))
    assert page.status_code == 200
    assert "nothing is stored yet" in page.text
    assert not (tmp_path / "r.sqlite").exists()
    assert ("Store it" in page.text) == (data == REPORT)


def test_nothing_is_no_message(made: Made) -> None:
    owner = made.owner()
    assert owner.post("/upload").status_code == 400
    assert owner.post("/paste", message="  ").status_code == 400


def test_what_is_held_is_bounded_and_its_users_own() -> None:
    pending = Pending()
    name = pending.put("ana", b"x")
    assert pending.take("kim", name) is None
    assert pending.take("ana", name) == b"x"
    names = [pending.put("ana", bytes([number]) * 30_000_000) for number in range(4)]
    assert [pending.take("ana", one) is not None for one in names] == [False, False, True, True]
    names = [pending.put("ana", bytes([number])) for number in range(25)]
    assert sum(pending.take("ana", one) is not None for one in names) == 20


# Kept messages


@pytest.fixture
def keeping(tmp_path: Path) -> tuple[Made, str]:
    made = make(tmp_path / "state", f"sqlite:{tmp_path / 'r.sqlite'}")
    maildir, options = made.desk.job.maildir, kept.KeptOptions()
    kept.keep(maildir, Memory(b"<script>\x1b[31m hello"), "no-report", "<b>why</b>", "2026-11-20T00:00:00Z", options)
    kept.keep(maildir, Memory(REPORT), "unfinished", "the store was away", "2026-11-21T00:00:00Z", options)
    return made, [one.path.name for one in kept.listing(maildir)][1]


def test_what_cannot_be_read_hides_no_kept_message(keeping: tuple[Made, str]) -> None:
    made, name = keeping
    (Path(made.desk.job.maildir) / "new" / "folder").mkdir()
    owner = made.owner()
    listed_ = owner.text("/kept")
    assert name[:12] in listed_
    assert "cannot be read (Is a directory)" in listed_
    one = owner.get("/kept/folder")
    assert (one.status_code, "Is a directory" in one.text) == (503, True)


def test_kept_messages_are_read_and_fed_again(keeping: tuple[Made, str], tmp_path: Path) -> None:
    made, name = keeping
    owner = made.owner()
    listed_ = owner.text("/kept")
    assert listed_.index("the store was away") < listed_.index("&lt;b&gt;why&lt;/b&gt;"), "the newest first"
    assert "feedback" in owner.text(f"/kept/{name}") or "Content-Type" in owner.text(f"/kept/{name}")
    done = owner.post(f"/kept/{name}", "/kept")
    assert "stored%2C+and+not+kept" in done.headers["Location"]
    assert owner.get(f"/kept/{name}").status_code == 404
    assert [one["what"] for one in audit(made)][-1] == "fed again"


@pytest.mark.parametrize("name", ["..", "../state", "x", ".", "%2e%2e%2fdesk-audit.jsonl"])
def test_only_kept_messages_are_shown(keeping: tuple[Made, str], name: str) -> None:
    assert keeping[0].owner().get(f"/kept/{name}").status_code in {404, 308}


# Addresses


def test_an_address_in_any_writing(made: Made) -> None:
    owner = made.owner()
    assert ">2001:db8:30::1<" in owner.text("/hosts/2001:DB8:30:0::1")
    nonsense = owner.get("/hosts/nonsense")
    assert (nonsense.status_code, "is no address and no network: write 192.0.2.1" in nonsense.text) == (400, True)
    assert "Look it up" not in owner.text("/hosts/203.0.113.0/24")


def test_others_are_asked_on_a_click_alone(recent_store: str, tmp_path: Path) -> None:
    with running() as dns:
        dns.records["150.113.0.203.in-addr.arpa", "PTR"] = ["host.network.example."]
        dns.records["host.network.example", "A"] = ["203.0.113.150"]
        dns.records["150.113.0.203.zen.list.example", "A"] = ["127.0.0.4"]
        dns.records["150.113.0.203.errors.example", "A"] = ["127.255.255.254"]
        web = {"resolver": dns.address, "dnsbl": ["zen.list.example", "errors.example", "clean.example"]}
        made = make(tmp_path / "state", recent_store, web=web)
        owner = made.owner()
        owner.text("/hosts/203.0.113.150")
        assert dns.seen == []
        said = owner.post("/hosts/203.0.113.150").text
        assert "host.network.example" in said
        assert "listed: 127.0.0.4" in said
        assert "not checked: 127.255.255.254 is an error code of the list" in said
        assert "not listed" in said
        assert list(audit(made))[-1]["what"] == "looked up"


def test_a_registry_is_asked_on_a_click_where_the_settings_say_so(recent_store: str, tmp_path: Path) -> None:
    with running() as dns, registries.running() as rdap:
        abuse = {"rdap": rdap.url}
        quiet = make(tmp_path / "quiet", recent_store, web={"resolver": dns.address}, abuse=abuse).owner()
        assert "Registry" not in quiet.post("/hosts/198.51.100.7").text
        assert rdap.seen == []
        made = make(tmp_path / "state", recent_store, web={"resolver": dns.address, "rdap": True}, abuse=abuse)
        owner = made.owner()
        owner.text("/hosts/198.51.100.7")
        assert made.person().client.post("/hosts/198.51.100.7").status_code == 401
        assert owner.client.post("/hosts/198.51.100.7").status_code == 400, "without the token of the form"
        assert rdap.seen == []
        said = owner.post("/hosts/198.51.100.7").text
        assert "NET-198.51.100.0; 198.51.100.0 to 198.51.100.255; NL; write to abuse@eu-net.example" in said
        assert "Registry" not in owner.text("/hosts/198.51.100.7"), "it is not asked again by a link"
        assert [one for one in rdap.seen if "/ip/" in one] == ["/ripe/ip/198.51.100.7"]
        assert "no registry has it" in owner.post("/hosts/8.8.8.8").text
        rdap.answers["ripe"] = 503
        assert "not answered: 127.0.0.1 answered 503" in owner.post("/hosts/198.51.100.7").text
        rdap.answers["ripe"] = {**registries.ripe(), "name": "<script>alert(1)</script>\u202e"}
        hostile = owner.post("/hosts/198.51.100.7").text
        assert "<script>alert" not in hostile
        assert "\u202e" not in hostile
        assert rdap.seen.count("/ipv4.json") == 1, "the list of servers is remembered"


@pytest.mark.parametrize("registry", registries.SHAPES)
def test_what_each_registry_says(registry: str, tmp_path: Path) -> None:
    with registries.running() as rdap:
        lookup = Lookup(tmp_path, ContactOptions(rdap=rdap.url), moment())
        address = str(ip_network(registries.PLACES[registry][0])[9])
        said = lookups.registered(address, lookup)
    assert said.state == "ok"
    assert registries.SHAPES[registry]["startAddress"] in said.text
    assert re.search(r"write to [a-z]+@[a-z]{2}-net\.example", said.text), said


def test_a_name_that_does_not_lead_back_is_none() -> None:
    with running() as dns:
        dns.records["1.2.0.192.in-addr.arpa", "PTR"] = ["mail.google.example."]
        dns.records["mail.google.example", "A"] = ["203.0.113.1"]
        (name,) = lookups.ask("192.0.2.1", WebOptions(resolver=dns.address))
    assert name.state == "unknown"
    assert "google" not in name.text


@pytest.mark.parametrize(
    ("codes", "state"),
    [
        (["127.0.0.2"], "listed"),
        (["127.0.0.2", "127.255.255.252"], "unknown"),
        (["127.255.255.255"], "unknown"),
        (["203.0.113.1"], "unknown"),
        ([], "ok"),
        (["SERVFAIL"], "unknown"),
    ],
)
def test_codes_of_lists(codes: list[str], state: str) -> None:
    with running() as dns:
        name = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.list.example"
        if codes:
            dns.records[name, "A"] = codes
        said = lookups.ask("2001:db8::1", WebOptions(resolver=dns.address, dnsbl=("list.example.",)))
    assert said[1].state == state, said


# Policy


def test_the_policy_page_is_the_answer_of_the_command(made: Made, users: Made) -> None:
    owner = made.owner()
    text = owner.text("/policy?domain=example.org&try=p%3Dreject")
    assert "Receivers saw:" in text
    assert "reject" in text
    assert owner.get("/policy?domain=nothing.example").status_code == 400
    assert owner.get("/policy?domain=example.org&try=p%3Dnonsense").status_code == 400
    net = users.logged_in("net")
    assert net.get("/policy?domain=example.net").status_code == 200
    assert net.get("/policy?domain=example.org").status_code == 404


def test_a_verdict_on_the_policy_page_is_a_click(made: Made, users: Made) -> None:
    """Whoever may not give one sees the command; after the click the page says so, and the mail is judged."""
    owner = made.owner()
    page = "/policy?domain=example.org&try=p%3Dreject&since=all"
    text = owner.text(page)
    assert "email-report-admin verdict" not in text
    form = next(one for one in re.findall(r"<form.*?</form>", text, re.DOTALL) if 'name="verdict"' in one)
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form))
    assert fields.keys() == {"form_token", "what", "domain", "try", "since"}
    assert re.findall(r'<button name="verdict" value="(\w+)"', form) == ["mine", "service", "forwarder", "stranger"]
    clicked = owner.client.post("/senders", data={**fields, "verdict": "stranger"})
    assert clicked.status_code == 303
    assert clicked.headers["Location"].startswith("/policy?domain=example.org&try=p%3Dreject&since=all&said=")
    after = owner.text(clicked.headers["Location"])
    assert "Written down:" in after
    assert form not in after
    assert "email-report-admin verdict" in users.logged_in("net").text("/policy?domain=example.net&since=all")


# POST /reports

TOKEN = "a-token-of-this-site-0123456789"


@pytest.fixture
def receiving(tmp_path: Path) -> Made:
    (tmp_path / "token").write_text(TOKEN + "\n")
    web = {"reports_token_file": str(tmp_path / "token"), "upload_bytes": 300_000, "attempts": 3}
    return make(tmp_path / "state", f"sqlite:{tmp_path / 'r.sqlite'}", web=web)


def send(made: Made, data: bytes, type_: str = "message/rfc822", token: str = TOKEN) -> Any:
    """What a program sends."""
    fields = {"Authorization": f"Bearer {token}"} if token else {}
    return made.app.test_client().post("/reports", data=data, content_type=type_, headers=fields)


TLS = (GOLDEN / "smtp-tls/google-no-policy.eml").read_bytes()
JSON = json.dumps(
    {
        "organization-name": "Company-X",
        "date-range": {"start-datetime": "2026-11-20T00:00:00Z", "end-datetime": "2026-11-20T23:59:59Z"},
        "contact-info": "sts-reporting@company-x.example",
        "report-id": "5065427c-23d3-47ca-b6e0-946ea0e8c4be",
        "policies": [
            {
                "policy": {"policy-type": "no-policy-found", "policy-domain": "example.org"},
                "summary": {"total-successful-session-count": 5, "total-failure-session-count": 0},
            }
        ],
    }
).encode()


NOT_A_REPORT = b"From: a@example.org\nSubject: hello\n\nHow are you?\n"
CUT_SHORT = gzip.compress(b"<feedback>" + bytes(range(256)) * 9)[:200]


@pytest.mark.parametrize(
    ("data", "type_"),
    [
        (JSON, "application/tlsrpt+json"),
        (gzip.compress(JSON), "application/tlsrpt+gzip"),
        (gzip.compress(JSON), "application/tlsrpt+json"),
        (JSON, "application/x-www-form-urlencoded"),
        (JSON, "multipart/form-data; boundary=x"),
        (TLS, ""),
        (REPORT, "message/rfc822"),
    ],
)
def test_a_report_is_stored_whatever_its_label(receiving: Made, data: bytes, type_: str) -> None:
    answer = send(receiving, data, type_)
    assert answer.status_code == 200, answer.text
    told = answer.get_json()
    assert told["stored"] > 0
    assert told["reports"][0]["dataset"] in {"smtp-tls", "dmarc-aggregate"}
    again = send(receiving, data, type_).get_json()
    assert (again["stored"], again["already"]) == (0, told["stored"]), "twice changes nothing"
    assert "Set-Cookie" not in answer.headers


def test_what_is_no_report_is_kept(receiving: Made) -> None:
    answer = send(receiving, b"From: a@example.org\nSubject: hello\n\nHow are you?\n")
    assert answer.status_code == 202
    assert answer.get_json()["kept"] == "no-report"
    (one,) = kept.listing(receiving.desk.job.maildir)
    assert one.category == "no-report"


@pytest.mark.parametrize("data", [NOT_A_REPORT, CUT_SHORT], ids=["no-report", "unreadable"])
def test_what_a_site_wants_back_is_given_back(tmp_path: Path, data: bytes) -> None:
    """[filter] unreadable = "65" is for who sorts: nothing is stored and nothing is kept, and the sender hears so."""
    (tmp_path / "token").write_text(TOKEN + "\n")
    web = {"reports_token_file": str(tmp_path / "token")}
    made = make(tmp_path / "state", f"sqlite:{tmp_path / 'r.sqlite'}", web=web, filter={"unreadable": "65"})
    answer = send(made, data)
    assert answer.status_code == 422
    told = answer.get_json()
    assert (told["stored"], told["already"], told["kept"]) == (0, 0, "")
    assert told["reason"]
    assert list(kept.listing(made.desk.job.maildir)) == []
    assert not (tmp_path / "r.sqlite").exists()
    assert send(made, JSON).status_code == 200, "a report is taken all the same"


def test_our_faults_are_to_come_again(receiving: Made, tmp_path: Path) -> None:
    (tmp_path / "r.sqlite").mkdir()
    answer = send(receiving, JSON)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "300"
    assert str(tmp_path) not in answer.text
    (tmp_path / "r.sqlite").rmdir()
    assert send(receiving, JSON).status_code == 200


def test_only_the_token_opens_it(receiving: Made, made: Made) -> None:
    for token in ("", TOKEN + "x", TOKEN[:-1]):
        assert send(receiving, JSON, token=token).status_code == 401
    refused = send(receiving, JSON, token="another")
    assert refused.status_code == 429, "and guessing has to wait"
    assert int(refused.headers["Retry-After"]) > 0
    assert send(receiving, JSON).status_code == 200, "who has it does not wait for those who guess"
    owner = receiving.owner()
    assert owner.get("/").status_code == 200, "nor do people who come in"
    assert owner.client.post("/reports", data=JSON).status_code == 429, "and no session counts here"
    assert send(made, JSON).status_code == 404, "off by default"


def test_a_token_that_can_be_guessed_starts_nothing(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n")
    with pytest.raises(SettingsError, match="20 characters") as raised:
        make(tmp_path / "state", f"sqlite:{tmp_path / 'r.sqlite'}", web={"reports_token_file": str(tmp_path / "token")})
    assert "secret" not in str(raised.value)


def test_a_body_is_bounded(receiving: Made) -> None:
    assert send(receiving, b"x" * 400_000).status_code == 413


def test_a_post_of_a_report_makes_no_user(receiving: Made) -> None:
    fields = {"Authorization": f"Bearer {TOKEN}"}
    assert receiving.app.test_client().get("/", headers=fields).status_code == 401
