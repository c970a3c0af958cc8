"""`[[tenants]]` in the settings: what is refused, what decides, and what a tenant has of the site's settings."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor import settings as module
from email_report_processor.job import choose_store
from email_report_processor.process import Layout
from email_report_processor.reports.report import Report
from email_report_processor.routing import decide
from email_report_processor.settings import Settings, SettingsError, load, state_place
from email_report_processor.stores.client import OpenSearchOptions
from email_report_processor.tenants import OWN, SHARED, Tenants, for_tenant

from .site import OWNERS, SETTINGS, Part, owners

COMMON = """
[store]
url = "https://os.example:9200"
[opensearch]
username = "writer"
password = "secret-of-the-site"
[alerts]
mail_to = ["operator@msp.example"]
webhook_file = "/etc/webhook"
spoofing = 7
[site]
own_networks = ["192.0.2.0/24"]
senders_file = "/etc/verdicts.toml"
[senders]
"sendgrid.net" = "SendGrid"
[[users]]
name = "operator"
[[inbox]]
host = "imap.example"
"""


def read(tmp_path: Path, text: str, **flags: str) -> Settings:
    path = tmp_path / "settings.toml"
    path.write_text(text)
    given_ = {("store", "url"): flags["store"]} if "store" in flags else {}
    return load({("state", "dir"): str(tmp_path / "state"), **given_}, str(path), {})


def tenant(tmp_path: Path, text: str, name: str = "acme", **flags: str) -> Settings:
    return for_tenant(read(tmp_path, text, **flags), name, {})


def test_a_tenant_has_a_prefix_a_state_and_channels_of_its_own(tmp_path: Path) -> None:
    acme = tenant(tmp_path, COMMON + SETTINGS)
    assert acme.record("store", Layout).index_prefix == "acme-email-report-"
    assert choose_store(acme, {}).url == "https://os.example:9200"
    assert acme.record("opensearch", OpenSearchOptions, ["username"]).username == "writer"
    assert state_place(acme, {}) == str(tmp_path / "state/tenants/acme")
    said = {key: setting.value for key, setting in acme.table["alerts"].items()}
    assert said == {"spoofing": 7}
    assert {key: setting.value for key, setting in acme.table["site"].items()} == {"own_networks": ["192.0.2.0/24"]}
    assert acme.mapping("senders") == {"sendgrid.net": "SendGrid"}
    assert not acme.tables("users")
    assert "inbox" not in acme.table


def test_what_a_tenant_says_counts(tmp_path: Path) -> None:
    more = '[tenants.alerts]\nmail_to = ["a@acme.example"]\nspoofing = 3\n[[tenants.senders]]\nnetwork = "192.0.2.1"\n'
    text = COMMON.replace('[senders]\n"sendgrid.net" = "SendGrid"', '[[senders]]\ndomain = "x.example"\nname = "X"')
    acme = tenant(tmp_path, text + SETTINGS.replace("[tenants.read]", more + "[tenants.read]"))
    assert {key: setting.value for key, setting in acme.table["alerts"].items()} == {
        "mail_to": ["a@acme.example"],
        "spoofing": 3,
    }
    assert [list(one) for one in acme.tables("senders")] == [["domain", "name"], ["network"]]


def test_whose_way_is_its_own_has_no_password_of_the_site(tmp_path: Path) -> None:
    own = '[tenants.store]\nurl = "https://acme.example:9200"\n'
    acme = tenant(tmp_path, COMMON + SETTINGS.replace("[tenants.read]", own + "[tenants.read]"))
    assert choose_store(acme, {}).url == "https://acme.example:9200"
    assert acme.record("opensearch", OpenSearchOptions, ["username", "password"]) == OpenSearchOptions()


def test_the_environment_says_nothing_of_tenants(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(SETTINGS)
    environ = {"EMAIL_REPORT_PROCESSOR_TENANTS_NAME": "acme"}
    with pytest.raises(SettingsError, match="write a table for each in the file"):
        Tenants(load({}, str(path), environ), {})


def test_a_flag_names_the_store_of_whoever_is_meant(tmp_path: Path) -> None:
    assert choose_store(tenant(tmp_path, SETTINGS, store="sqlite:/x"), {}).url == "sqlite:/x"
    with pytest.raises(SettingsError, match="store of the site itself already"):
        Tenants(read(tmp_path, SETTINGS, store="sqlite:/x"), {})


@pytest.mark.parametrize("section", sorted(SHARED))
def test_every_key_of_a_shared_section_was_thought_of(section: str) -> None:
    """A new key of these sections is inherited by tenants: say here that it may be, or add it to SHARED."""
    keys = {key for kind in module.records(section) for key in module._types(kind)} if section in KNOWN else set()
    assert keys - SHARED[section] == set(KNOWN.get(section, ()))


KNOWN = {
    "store": ("retry_seconds", "index_period", "months_since"),
    "read": ("sample", "authserv_ids", "redact", "feed_kinds"),
    "site": ("own_networks", "own_domains"),
    "alerts": (
        *("mail_from", "sendmail", "smtp", "timeout", "again_days", "quiet", "wanted_fails", "pass_rate", "new_sender"),
        *("spoofing", "tls_failures", "changed", "silent_reporter", "unreadable", "store_stands_still", "sink_behind"),
        "kept_full",
    ),
    "abuse": (
        *("sample", "redact", "xarf", "lookup", "rdap", "abusix", "dns_server", "lookup_seconds", "cache_days"),
        *("dead_days", "contact_daily", "auto_daily", "silent_days"),
    ),
    "web": (
        *("hosts", "https", "proxies", "user_header", "session_hours", "attempts", "upload_bytes", "threads", "dnsbl"),
        *("resolver", "rdap"),
    ),
}


def test_private_keys_are_keys() -> None:
    for section, private in SHARED.items():
        if section not in module.FREE:
            assert private <= {key for kind in module.records(section) for key in module._types(kind)}
    assert set(OWN) <= {*module.SECTIONS, *module.FREE, *module.OUTER}


FIRST = '[[tenants]]\nname = "a"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[tenants]\nname = "a"\n', "write a table for each"),
        ("[[tenants]]\n", "name = None"),
        ('[[tenants]]\nname = "A b"\n', "lower-case letters"),
        (FIRST + FIRST, "of this name already"),
        (FIRST + 'domain = ["x.example"]\n', "'domain' stands in no tenant"),
        (FIRST + "[tenants.inbox]\n", "'inbox' stands in no tenant"),
        (FIRST + "alerts = 3\n", r"write \[tenants.alerts\]"),
        (FIRST + "[tenants.store]\nurls = 3\n", "has no key 'urls'"),
        (FIRST + "[tenants.read]\nfeed = 'x'\n", "comes with the message"),
        (FIRST + "recipients = 'x'\n" + FIRST.replace('"a"', '"b"') + "recipients = ['X']\n", "is tenant a's already"),
        (FIRST + "domains = ['']\n", "'' is none"),
        (FIRST + "recipients = ['@']\n", "'@' is none"),
        (FIRST + "[tenants.store]\nurl = '-'\n", "for all of them, or for none"),
        (FIRST + "[tenants.store]\nindex_prefix = 'email-report-a-'\n", "begin alike"),
        ("[store]\nindex_prefix = ''\n" + FIRST, "begin alike"),
        ("[store]\nurl = 'sqlite:/x'\n" + FIRST, "only OpenSearch keeps several apart"),
        ("[store]\nurl = 'kafka://h/t'\n" + FIRST, "only OpenSearch keeps several apart"),
        (
            "[store]\nurl = 'sqlite:/x'\n" + FIRST + "[tenants.store]\nurl = 'sqlite:/y/../x'\n",
            "of the site itself already",
        ),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as error:
        Tenants(read(tmp_path, text), {})
    assert str(tmp_path / "settings.toml") in str(error.value)


def test_no_prefix_is_the_beginning_of_another(tmp_path: Path) -> None:
    text = '[[tenants]]\nname = "a"\n[[tenants]]\nname = "a-email-report-b"\n'
    with pytest.raises(SettingsError, match="begin alike"):
        Tenants(read(tmp_path, text), {})


def test_there_is_no_such_tenant(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no tenant 'gamma'; it is acme, beta"):
        tenant(tmp_path, SETTINGS, "gamma")
    with pytest.raises(SettingsError, match="it is none"):
        tenant(tmp_path, "", "gamma")


@pytest.mark.parametrize(
    ("address", "whose"),
    [
        ("one@a.example", "a"),
        ("ONE+x@A.EXAMPLE", "a"),
        ("one@b.example", ""),
        ("two+b@a.example", "b"),
        ("<who@b.test>", "b"),
        ("who+a1@b.test", "a"),
        ("rua@anywhere.example", "b"),
        ("rua", "b"),
        ("one@a.example.b.test", ""),
        ("", ""),
        ("@", ""),
        ("b", ""),
    ],
)
def test_whose_an_address_is(tmp_path: Path, address: str, whose: str) -> None:
    text = '[[tenants]]\nname = "a"\nrecipients = ["one@a.example", "+a1"]\n'
    text += '[[tenants]]\nname = "b"\nrecipients = ["+b", "@b.test", "rua"]\n'
    assert Tenants(read(tmp_path, text), {}).of_recipient(address) == whose


def test_the_longest_domain_counts(tmp_path: Path) -> None:
    text = '[[tenants]]\nname = "a"\ndomains = ["example.org", "bücher.example"]\n'
    text += '[[tenants]]\nname = "b"\ndomains = ["shop.example.org"]\n'
    tenants = Tenants(read(tmp_path, text), {})
    said = {name: tenants.of_domain(name) for name in ("example.org", "x.example.org", "a.shop.example.org", "org", "")}
    assert said == {"example.org": "a", "x.example.org": "a", "a.shop.example.org": "b", "org": "", "": ""}
    assert tenants.of_domain("xn--bcher-kva.example") == "a"
    assert tenants.of_domain("notexample.org") == ""


KINDS = {"aggregate": "dmarc-aggregate", "tls": "smtp-tls", "failure": "dmarc-failure", "abuse": "arf"}
DOMAINS = st.lists(st.sampled_from(sorted(OWNERS)), min_size=1, max_size=4, unique=True)
TO = st.lists(st.sampled_from(["acme", "beta"]), max_size=2, unique=True).map(tuple)


@given(st.sampled_from(sorted(KINDS)), DOMAINS, TO)
def test_the_table_of_the_page(kind: str, domains: list[str], to: tuple[str, ...]) -> None:
    """Twice the same opinion, and whatever else: of what has a policy nobody gets what is another's domain."""
    report = Report(KINDS[kind], {"report.domain": domains}, 1, lambda: iter(()))
    decided = decide(report, to, OWNERS.__getitem__)
    assert decided.owners == owners(Part(kind, tuple(domains)), to)
    assert len(set(decided.owners)) == len(decided.owners) > 0
    if kind != "abuse":
        for owner in filter(None, decided.owners):
            assert {OWNERS[domain] for domain in domains} <= {owner, ""}
    if decided.note:
        assert re.search("several|came to an address of tenant", decided.note)
