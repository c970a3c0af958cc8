"""Monitors of Alerting: each query on the real node, each trigger there by `_scripts/painless/_execute`; their shape.

The plugin itself is on no node of the tests. What it takes and refuses follows the public sources of its parser
(opensearch-project/common-utils, 2026: Monitor.kt, QueryLevelTrigger.kt, Action.kt, Throttle.kt, Schedule.kt), read and
rewritten here; this is all that can be tested of these requests.
"""

import json
import secrets
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from email_report_processor.admin.command import main
from email_report_processor.alerts.options import AlertOptions
from email_report_processor.alerts.rules import RULES
from email_report_processor.cluster import monitors
from email_report_processor.stores import templates
from tests.fake_plugins import FakeCluster
from tests.nodes import Node

THRESHOLDS = {rule.name: rule.threshold for rule in RULES}
OURS = ("Our own",)
ALL = {one.rule: one for one in monitors.monitors(THRESHOLDS, OURS)}
OF_THIS_MACHINE = {"unreadable", "kept_full", "sink_behind"}
NOW = datetime.now(UTC)


def test_every_rule_is_a_monitor_or_of_this_machine() -> None:
    assert set(ALL) == {rule.name for rule in RULES} - OF_THIS_MACHINE
    assert THRESHOLDS.keys() <= set(AlertOptions._fields)


def test_without_senders_of_ours_nothing_is_said_of_them() -> None:
    assert {one.rule for one in monitors.monitors(THRESHOLDS, ())} == set(ALL) - {"wanted_fails"}


def test_a_rule_that_is_switched_off_is_no_monitor() -> None:
    assert "spoofing" not in {one.rule for one in monitors.monitors({**THRESHOLDS, "spoofing": 0}, ())}


# The shape


def takes(monitor: dict[str, Any]) -> None:
    """What the plugin's parser demands; anything else it refuses."""
    assert monitor["type"] == "monitor"
    assert monitor["monitor_type"] == "query_level_monitor"
    assert monitor["name"]
    assert monitor["schedule"] == {"period": {"interval": 1, "unit": "HOURS"}}
    (input_,) = monitor["inputs"]  # one at the most
    assert input_["search"].keys() == {"indices", "query"}
    (named,) = monitor["triggers"]  # ten at the most
    trigger = named["query_level_trigger"]
    assert trigger.keys() == {"id", "name", "severity", "condition", "actions"}
    assert isinstance(trigger["severity"], str)
    assert trigger["condition"].keys() == {"script"}
    assert trigger["condition"]["script"]["lang"] == "painless"
    for action in trigger["actions"]:
        # An unknown field of an action is an error there.
        assert action.keys() == {
            *("id", "name", "destination_id", "subject_template", "message_template", "throttle_enabled", "throttle")
        }
        for template in ("subject_template", "message_template"):
            assert action[template]["lang"] == "mustache"
        assert action["throttle"]["unit"] == "MINUTES"
        assert action["throttle"]["value"] > 0


@pytest.mark.parametrize("rule", ALL)
@pytest.mark.parametrize("channel", ["", "abc"])
def test_shape(rule: str, channel: str) -> None:
    body = monitors.body("email-report-", ALL[rule], channel)
    takes(body)
    assert len(body["triggers"][0]["query_level_trigger"]["actions"]) == (1 if channel else 0)
    there = {**json.loads(json.dumps(body)), "enabled_time": 1, "schema_version": 8}
    assert monitors.says_the_same(there, body)
    assert not monitors.says_the_same(there, monitors.body("email-report-", ALL[rule], "other"))


def test_found_by_its_name() -> None:
    body = monitors.body("email-report-", ALL["spoofing"], "")
    answer = {"hits": {"hits": [{"_id": "x1", "_source": {"monitor": body}}, {"_id": "x2", "_source": body}]}}
    assert monitors.found(answer) == {"email-report: spoofing": ("x2", body)}
    assert monitors.found(None) == {}
    assert monitors.put("email-report-", ALL["spoofing"], "", "x1").path == f"{monitors.BASE}/x1"
    assert monitors.put("email-report-", ALL["spoofing"], "").method == "POST"


# On the node


def row(days: float, **more: Any) -> dict[str, Any]:
    """A document that was stored so many days ago, about the day before; dotted names."""
    stored = NOW - timedelta(days=days)
    fields: dict[str, Any] = {
        "@timestamp": (stored - timedelta(days=1)).isoformat(), "event.ingested": stored.isoformat(),
        "policy_published.domain": "example.org", "report.authentication": "pass", "count": 100,
        "report.org_name": "one", "class": "aligned", "dmarc.result": "pass", "source.name": "Our own",
        "policy_published.p": "none",
    }  # fmt: skip
    return fields | {name.replace("__", "."): value for name, value in more.items()}


MONTH = [row(days, report__org_name=who) for days in range(2, 28, 5) for who in ("one", "two")]
QUIET = [*MONTH, row(0.1), row(0.1, report__org_name="two")]


def two(**more: Any) -> list[dict[str, Any]]:
    return [*QUIET, row(0.2, **more), row(0.2, report__org_name="two", **more)]


def tls(**more: Any) -> list[dict[str, Any]]:
    base = {"policy__domain": "example.org", "sessions__successful": 1000, "sessions__failed": 20}
    return [row(0.1, **base | more)]


def daily(last: int) -> list[dict[str, Any]]:
    """Three reporters that come daily, one of them until so many days ago."""
    return [row(n - 0.5, report__org_name=who) for who in ("one", "two") for n in range(1, 20)] + [
        row(n - 0.5, report__org_name="gone") for n in range(last, 20)
    ]


# Rule -> documents of a quiet month, and of one in which it is to tell
CASES: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {
    "wanted_fails": (QUIET, [*QUIET, row(0.1, dmarc__result="fail", **{"class": "broken-signature"})]),
    "pass_rate": (QUIET, two(dmarc__result="fail", **{"class": "broken-signature"})),
    "new_sender": (QUIET, [*QUIET, row(0.1, source__name="A stranger", count=51)]),
    "spoofing": (two(**{"class": "spoof"}, count=40), two(**{"class": "spoof"}, count=60)),
    "tls_failures": (tls(), tls(sessions__failed=80)),
    "changed": (QUIET, two(policy_published__p="reject")),
    "silent_reporter": (daily(1), daily(6)),
    "store_stands_still": (QUIET, MONTH),
}


@pytest.fixture(scope="module")
def prefix(node: Node) -> Iterator[str]:
    """One for all tests, with the mappings that real indices have."""
    name = f"erp-test-{secrets.token_hex(5)}-"
    for request in templates.requests(name, ["dmarc-aggregate", "smtp-tls", "report"]):
        node.ask(request.method, request.path, request.body)
    yield name
    node.wipe(name)


@pytest.mark.parametrize("rule", ALL)
def test_on_the_node(rule: str, node: Node, prefix: str) -> None:
    for told, documents in zip((False, True), CASES[rule], strict=True):
        assert asked(node, prefix, rule, documents) is told, (rule, told)
    if rule != "store_stands_still":
        assert asked(node, prefix, rule, []) is False  # nothing there is no reason


@pytest.mark.parametrize(
    "more", [{"policy__string": ["mode: enforce"]}, {"failure__result_type": "certificate-expired"}]
)
def test_tls_failures_are_told_sooner_where_mail_is_lost(node: Node, prefix: str, more: dict[str, Any]) -> None:
    documents = tls(**more, failure__failed_session_count=1)
    assert asked(node, prefix, "tls_failures", documents) is True


def signed(selector: str, days: float, count: int = 100, domain: str = "example.org") -> list[dict[str, Any]]:
    """What two reporters saw so many days ago."""
    more = {"policy_evaluated.dkim": "pass", "dkim.signatures": [f"{domain} / {selector} / pass"], "count": count}
    return [row(days, report__org_name=who, **more) for who in ("one", "two")]


def mode(word: str, days: float) -> list[dict[str, Any]]:
    """An MTA-STS policy as two reporters saw it so many days ago."""
    lines = ["version: STSv1", f"mode: {word}"]
    return [row(days, report__org_name=who, policy__domain="example.org", policy__string=lines) for who in "ab"]


OLD = [one for days in (3, 9, 20) for one in signed("s1", days) + mode("testing", days)]


@pytest.mark.parametrize(
    ("new", "told"),
    [
        (signed("s1", 0.1), False),
        (signed("s2", 0.1), True),
        (signed("s2", 0.1, count=19), False),  # too few to mean anything
        (signed("s2", 0.1)[:1], False),  # one reporter
        (signed("s2", 0.1, domain="mail.example.org"), True),
        (signed("k1", 0.1, domain="service.example"), False),  # somebody else's key
        (signed("k1", 0.1, domain="notexample.org"), False),
        (mode("testing", 0.1), False),
        (mode("enforce", 0.1), True),
        (mode("enforce", 0.1)[:1], False),
        (two(policy_published__sp="none"), True),  # which there was not
        (two(policy_published__testing=False), False),  # which nobody having said is the same
        (two(policy_published__testing=True), True),
        (two(policy_published__adkim="s"), True),
    ],
)
def test_what_changed(node: Node, prefix: str, new: list[dict[str, Any]], told: bool) -> None:
    assert asked(node, prefix, "changed", [*OLD, *new]) is told


@pytest.mark.parametrize("rule", ["pass_rate", "spoofing", "changed"])
def test_one_reporter_moves_nothing(node: Node, prefix: str, rule: str) -> None:
    documents = [one | {"report.org_name": "one"} if one not in MONTH else one for one in CASES[rule][1]]
    assert asked(node, prefix, rule, documents) is False


def test_what_forged_reports_say_is_left_out(node: Node, prefix: str) -> None:
    documents = [one | {"report.authentication": "fail"} for one in CASES["wanted_fails"][1]]
    assert asked(node, prefix, "wanted_fails", documents) is False


def asked(node: Node, prefix: str, rule: str, documents: Iterable[dict[str, Any]]) -> bool:
    """What the trigger says of what the query finds."""
    monitor = ALL[rule]
    body = monitors.body(prefix, monitor, "")
    for dataset in monitor.datasets:
        node.request("DELETE", f"/{prefix}{dataset}-2026.11")
        node.ask("PUT", f"/{prefix}{dataset}-2026.11")
    for number, one in enumerate(documents):
        dataset = "smtp-tls" if "policy.domain" in one else monitor.datasets[0]
        node.ask("PUT", f"/{prefix}{dataset}-2026.11/_doc/{number}", one)
    node.ask("POST", f"/{prefix}*/_refresh")
    search = body["inputs"][0]["search"]
    answer = node.ask("POST", f"/{','.join(search['indices'])}/_search", search["query"])
    script = body["triggers"][0]["query_level_trigger"]["condition"]["script"]["source"]
    run = {"script": {"source": f"def ctx = params.ctx; {script}", "params": {"ctx": {"results": [answer]}}}}
    result: str = node.ask("POST", "/_scripts/painless/_execute", run)["result"]
    return {"true": True, "false": False}[result]


# setup --only monitors


@pytest.fixture
def plugin() -> Iterator[FakeCluster]:
    with FakeCluster("alerting") as cluster:
        yield cluster


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(plugin: FakeCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*more: str, settings: str = "") -> tuple[int, str, str]:
        file = tmp_path / "settings.toml"
        file.write_text(settings)
        ours = [f"--config={file}", f"--state={tmp_path}/state", f"--store={plugin.url}"]
        return (main(["setup", *ours, "--only=monitors", *more]), *capsys.readouterr())

    return run


VERDICTS = """
[alerts]
spoofing = 0
[[senders]]
domain = "crm.example"
name = "The CRM"
verdict = "service"
[[senders]]
domain = "bad.example"
name = "Bad"
verdict = "stranger"
"""


def test_setup_puts_them_once_and_changes_what_changed(plugin: FakeCluster, run: Run) -> None:
    status, out, err = run(settings=VERDICTS)
    assert (status, err) == (0, "")
    assert len(plugin.monitors) == len(ALL) - 1  # one is switched off
    assert "they tell nobody" in out
    for one in plugin.monitors.values():
        takes({name: value for name, value in one.items() if name != "enabled_time"})
    named = next(one for one in plugin.monitors.values() if one["name"] == "email-report: wanted_fails")
    assert {"terms": {"source.name": ["The CRM"]}} in named["inputs"][0]["search"]["query"]["query"]["bool"]["filter"]
    status, out, _ = run(settings=VERDICTS)
    assert out.count(": there") == len(plugin.monitors)
    status, out, _ = run("--channel=abc", settings=VERDICTS)
    assert out.count(": changed\n") == len(plugin.monitors) == len(ALL) - 1
    assert "they tell nobody" not in out
    _, out, _ = run("--channel=abc", settings=VERDICTS.replace("The CRM", "Another"))
    assert out.count(": changed\n") == 2  # wanted_fails and new_sender name it


def test_setup_without_verdicts_says_what_is_left_out(plugin: FakeCluster, run: Run) -> None:
    _, out, _ = run()
    assert "wanted_fails is left out" in out
    assert len(plugin.monitors) == len(ALL) - 1


def test_a_dry_run_changes_nothing(plugin: FakeCluster, run: Run) -> None:
    status, out, _ = run("--dry-run")
    assert (status, plugin.monitors) == (0, {})
    assert out.count("POST /_plugins/_alerting/monitors\n") == len(ALL) - 1


def test_without_the_plugin(plugin: FakeCluster, run: Run) -> None:
    plugin.plugins = ()
    status, _, err = run()
    assert status == 1
    assert "the plugin opensearch-alerting is not installed" in err
