"""`email-report-admin policy`, as a person types it, over both stores."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.messages import message
from email_report_processor.documents.encode import decode
from email_report_processor.stores.opening import open_store
from tests import dns_server
from tests.conftest import Outcome, Program
from tests.nodes import Node


@pytest.fixture(params=["sqlite", "node"])
def ask(
    request: pytest.FixtureRequest, run_filter: Program, run_admin: Program, tmp_path: Path
) -> Callable[..., Program]:
    """`policy` over a store with one report of 30 rows."""
    settings = ""
    if request.param == "node":
        node: Node = request.getfixturevalue("node")
        prefix = request.getfixturevalue("prefix")
        settings = f'[store]\nurl = "{node.url}"\nindex_prefix = "{prefix}"\n'
    assert run_filter(message(30), settings=settings).status == 0
    if request.param == "node":
        node.ask("POST", f"/{prefix}*/_refresh")
    return lambda: run_admin


def test_the_answer(ask: Callable[[], Program], tmp_path: Path) -> None:
    admin = ask()
    found = admin(b"", "policy", "example.org", "--since", "all", "--try", "p=reject", "--json")
    page = json.loads(found.stdout)
    assert page["title"].startswith("example.org: v=DMARC1; p=reject")
    fates = next(one for one in page["figures"] if one["name"] == "cost-by-reporter")
    assert found.status == (0 if "It loses nothing" in page["answers"][0]["sentence"] else 1)
    assert sum(sum(row[1:]) for row in fates["rows"]) > 0
    written = admin(b"", "policy", "example.org", "--since", "all", "--html", str(tmp_path / "policy.html"))
    assert written.stdout.strip() == str(tmp_path / "policy.html")
    assert "What would it have lost?" in (tmp_path / "policy.html").read_text("utf-8")
    assert "receivers saw: v=DMARC1" in admin(b"", "policy", "example.org", "--since", "all").stdout


def test_its_sums_are_those_of_the_store(run_filter: Program, run_admin: Program) -> None:
    assert run_filter(message(30)).status == 0
    store = open_store(f"sqlite:{run_admin.state / 'reports.sqlite'}")
    counts = [decode(row.source).get("count", 0) for row in store.scan() if b'"dmarc-aggregate"' in row.source]
    page = json.loads(run_admin(b"", "policy", "example.org", "--since", "all", "--json").stdout)
    fates = next(one for one in page["figures"] if one["name"] == "cost-by-day")
    assert sum(sum(row[1:]) for row in fates["rows"]) == sum(counts)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["example.org", "--try", "p=block"], "p=block is no value of this tag"),
        (["absent.example"], "there are no reports about absent.example"),
        (["not a domain"], "is no domain name"),
    ],
)
def test_wrong_usage(run_filter: Program, run_admin: Program, arguments: list[str], reason: str) -> None:
    assert run_filter(message(2)).status == 0
    found = run_admin(b"", "policy", "--since", "all", *arguments)
    assert (found.status, reason in found.stderr) == (2, True)


def test_without_a_mechanism(run_filter: Program, run_admin: Program) -> None:
    """30 rows; SPF passes for example.org from an address that one include alone has."""
    report = AGGREGATE.replace("COUNT", "7")
    assert run_filter(report.encode()).status == 0
    with dns_server.running() as server:
        server.txt("example.org", "v=spf1 include:spf.example.net ip4:198.51.100.0/24 -all")
        server.txt("spf.example.net", "v=spf1 ip4:192.0.2.0/24 -all")

        def ask(*arguments: str) -> Outcome:
            usual = ("policy", "example.org", "--since", "all", "--server", server.address)
            return run_admin(b"", *usual, *arguments)

        gone = ask("--without", "include:spf.example.net", "--json", "--try", "p=reject")
        page = json.loads(gone.stdout)
        figure = next(one for one in page["figures"] if one["name"] == "spf-gone")
        assert [row[1:] for row in figure["rows"]] == [[0, 7]]
        assert gone.status == 1
        assert "spf-gone" not in ask("--without", "ip4:198.51.100.0/24", "--json", "--try", "p=reject").stdout
        wrong = ask("--without", "include:other.example")
        assert wrong.status == 2
        assert "there are include:spf.example.net, ip4:198.51.100.0/24, -all" in wrong.stderr


def test_subdomains_that_do_not_exist(run_filter: Program, run_admin: Program) -> None:
    """The DNS says which; where it says nothing, that is said and the stricter policy counts."""
    for number, name in enumerate(("there.example.org", "gone.example.org")):
        report = (
            AGGREGATE.replace("COUNT", "7")
            .replace("<spf>pass", "<spf>fail")
            .replace("<report_id>1", f"<report_id>{number}")
        )
        report = report.replace("<header_from>example.org", f"<header_from>{name}")
        assert run_filter(report.encode()).status == 0
    settings = '[[senders]]\nnetwork = "192.0.2.0/24"\nverdict = "mine"\n'
    with dns_server.running() as server:
        server.records["there.example.org", "A"] = ["192.0.2.1"]

        def ask(tags: str) -> tuple[int, dict[str, int], str]:
            usual = ("policy", "example.org", "--since", "all", "--server", server.address, "--timeout", "0.5")
            done = run_admin(b"", *usual, "--json", "--try", tags, settings=settings)
            figure = next(one for one in json.loads(done.stdout)["figures"] if one["name"] == "cost-by-day")
            (row,) = figure["rows"]
            return done.status, {"kept": row[1], "lost": row[2]}, done.stderr

        assert ask("p=none; sp=none; np=reject")[:2] == (1, {"kept": 7, "lost": 7})
        assert ask("p=none; sp=reject; np=none")[:2] == (1, {"kept": 7, "lost": 7})
        server.seen.clear()
        assert ask("p=none; sp=none; np=none")[:2] == (0, {"kept": 14, "lost": 0})
        assert ask("p=none; sp=reject")[:2] == (1, {"kept": 0, "lost": 14})
        assert server.seen == [], "the DNS is asked where it matters"
        server.records["gone.example.org", "MX"] = [dns_server.SERVFAIL]
        status, fates, said = ask("p=none; sp=none; np=reject")
        assert (status, fates) == (1, {"kept": 0, "lost": 14})
        assert "whether subdomains exist is left open" in said


AGGREGATE = """<?xml version="1.0"?>
<feedback><report_metadata><org_name>Example</org_name><email>a@example.com</email><report_id>1</report_id>
<date_range><begin>1763510400</begin><end>1763596800</end></date_range></report_metadata>
<policy_published><domain>example.org</domain><p>none</p></policy_published>
<record><row><source_ip>192.0.2.1</source_ip><count>COUNT</count>
<policy_evaluated><disposition>none</disposition><dkim>fail</dkim><spf>pass</spf></policy_evaluated></row>
<identifiers><header_from>example.org</header_from></identifiers>
<auth_results><spf><domain>example.org</domain><result>pass</result></spf></auth_results></record></feedback>
"""
