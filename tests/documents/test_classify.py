"""Both tables, one test for every rule and more for those that lie close together; docs/classification.md."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.documents.classify import (
    AGGREGATE_RULES,
    CLASSES,
    FAILURE_RULES,
    RAW,
    Rule,
    Site,
    advice,
    check,
    classify,
)
from email_report_processor.documents.encode import decode, encode
from email_report_processor.reports.signals import SIGNALS
from tests.places import ROOT

PAGE = ROOT / "docs" / "classification.md"
SITE = Site(own_networks=("192.0.2.0/24", "2001:db8:1::/48", "198.51.100.7"), own_domains=("example.net",))

Object = dict[str, Any]

OWN = {"source.ip": "192.0.2.9"}


def row(dkim: str | None = "fail", spf: str | None = "fail", **more: Any) -> Object:
    fields = {
        "event.dataset": "dmarc-aggregate",
        "source.ip": "203.0.113.1",
        "identifiers.header_from": "example.org",
        "policy_evaluated.dkim": dkim,
        "policy_evaluated.spf": spf,
        **{name.replace("__", "."): value for name, value in more.items()},
    }
    return {name: value for name, value in fields.items() if value is not None}


def raw(**more: Any) -> Object:
    """A row of 2012, without verdicts."""
    return row(None, None, policy_published__domain="example.org", **more)


def results(*pairs: tuple[str, str]) -> list[Object]:
    return [{"domain": domain, "result": result} for domain, result in pairs]


ROWS: list[tuple[str, Object]] = [
    ("A1", row("pass", "pass")),
    ("A1", row("pass", "pass") | OWN),
    ("A2", row("fail", "pass")),
    ("A2-raw", row(None, "pass", auth_results__dkim=results(("example.org", "fail")))),
    ("A2", row("fail", "pass", auth_results__dkim=results(("esp.example", "pass"), ("example.org", "fail")))),
    ("A2s", row("fail", "pass", auth_results__dkim=results(("mail.example.org", "pass")))),
    ("A2t", row("fail", "pass", auth_results__dkim=results(("example.org", "temperror")))),
    ("A4", row("pass", "fail", auth_results__spf=results(("bounce.example.org", "softfail")))),
    ("A4", row("pass", "fail", auth_results__spf=results(("x.example", "pass"), ("example.net", "fail")))),
    ("A4", row("pass", "fail", auth_results__spf=results(("example.org", "neutral"), ("mta.example", "none")))),
    # SPF passed for our own name: a forwarder's host cannot do that.
    ("A3s", row("pass", "fail", auth_results__spf=results(("bounce.example.org", "pass")))),
    ("A3s", row("pass", "fail", auth_results__spf=results(("example.org", "fail"), ("bounce.example.org", "pass")))),
    ("A3s", row("pass", "fail", auth_results__spf=results(("example.net", "pass")))),
    ("A3t", row("pass", "fail", auth_results__spf=results(("example.org", "temperror")))),
    ("A3n", row("pass", "fail", auth_results__spf=results(("example.org", "none")))),
    ("A3n", row("pass", "fail", auth_results__spf=results(("bounce.example.org", "permerror"))) | OWN),
    ("A3", row("pass", "fail", auth_results__spf=results(("example.org", "policy")))),
    ("A3", row("pass", "fail", auth_results__spf=results(("bounce.example.org", "softfail"))) | OWN),
    ("A3", row("pass", "fail", auth_results__spf=results(("esp.example", "pass")))),
    ("A3", row("pass", None)),
    ("A3", row("pass", "fail", auth_results__spf=[{"result": "none"}], identifiers__header_from=None)),
    # Strict alignment breaks what is the site's own, also from its own hosts and through a list.
    ("A12", row(auth_results__spf=results(("bounce.example.org", "pass")), policy_published__aspf="s")),
    ("A12", row(auth_results__dkim=results(("mail.example.org", "pass")), policy_published__adkim="s")),
    ("A12", row(auth_results__spf=results(("bounce.example.org", "pass")))),  # mox leaves defaults out, Yahoo all
    ("A12", row(auth_results__spf=results(("bounce.example.org", "pass")), policy_published__aspf="s") | OWN),
    (
        "A12",
        row(
            identifiers__header_from="news.example.org",
            auth_results__dkim=results(("example.org", "pass")),
            policy_published__adkim="s",
            policy_evaluated__reason__type=["mailing_list"],
        ),
    ),
    (
        "A12",
        row(
            auth_results__dkim=results(("esp.example", "pass"), ("m.example.org", "pass")), policy_published__adkim="s"
        ),
    ),
    (
        "A9",
        row(
            auth_results__dkim=results(("example.org", "fail")),
            auth_results__spf=results(("bounce.example.org", "pass")),
            policy_published__aspf="s",
        ),
    ),
    ("A13", row(auth_results__spf=results(("example.org", "pass")), policy_published__aspf="s")),  # OpenDMARC
    ("A13", row(auth_results__dkim=results(("mail.example.org", "pass")), policy_published__adkim="r")),
    # Ours, but of another organization than From's: no relaxation helps.
    ("A14", row(auth_results__spf=results(("bounce.example.net.", "pass")))),
    ("A14", row(auth_results__dkim=results(("esp.example", "pass"), ("EXAMPLE.NET", "pass")))),
    (
        "A9",
        row(auth_results__dkim=results(("example.org", "fail")), auth_results__spf=results(("example.net", "pass"))),
    ),
    ("A6", row(auth_results__dkim=results(("example.org", "pass")), policy_evaluated__reason__type=["mailing_list"])),
    ("A5", row() | OWN),
    ("A5", row() | {"source.ip": "2001:db8:1::25"}),
    ("A5", row() | {"source.ip": "198.51.100.7"}),
    ("A5", row(policy_evaluated__reason__type=["mailing_list"]) | OWN),
    ("A6", row(policy_evaluated__reason__type=["other", "mailing_list"])),
    ("A7", row(policy_evaluated__reason__type=["trusted_forwarder"])),
    ("A7", row(policy_evaluated__reason__type=["forwarded"])),
    (
        "A7",
        row(
            policy_evaluated__reason__type=["local_policy"],
            policy_evaluated__reason__comment=["ARC=pass as[1]"],
        ),
    ),
    ("A8", row(auth_results__dkim=results(("example.org", "temperror")))),
    (
        "A8",
        row(auth_results__spf=results(("x.example", "temperror")), auth_results__dkim=results(("a.example", "fail"))),
    ),
    ("A9", row(auth_results__dkim=results(("x.example", "pass"), ("mail.example.org", "fail")))),
    ("A9", row(auth_results__dkim=results(("example.org", "permerror")))),
    ("A9", row(auth_results__dkim=results(("example.org", "neutral")))),
    ("A9", row(auth_results__dkim=results(("example.org", "policy")))),
    ("A10", row(auth_results__dkim=results(("x.example", "pass"), ("y.example", "temperror")))),
    ("A10", row(auth_results__spf=results(("x.example", "pass")))),
    ("A11", row(auth_results__dkim=results(("x.example", "fail")), auth_results__spf=results(("y.example", "none")))),
    ("A11", row()),
    ("A11", row("fail", None)),
    ("A11", row(auth_results__dkim=[{"domain": "example.org"}], source__ip=None)),
    # Without verdicts: what is there says it.
    (
        "A1-raw",
        raw(auth_results__dkim=results(("example.org", "pass")), auth_results__spf=results(("example.org", "pass"))),
    ),
    ("A2-raw", raw(auth_results__spf=results(("bounce.example.org", "pass")))),
    ("A3-raw", raw(auth_results__dkim=results(("example.org", "pass")))),
    (
        "A4-raw",
        raw(auth_results__dkim=results(("example.org", "pass")), auth_results__spf=results(("example.org", "fail"))),
    ),
    ("A5-raw", raw(auth_results__spf=results(("example.org", "fail"))) | OWN),
    ("A6-raw", raw(policy_evaluated__reason__type=["mailing_list"])),
    ("A6-raw", raw(policy_evaluated__reason__type=["mailing_list"], auth_results__spf=results(("l.example", "pass")))),
    ("A7-raw", raw(policy_evaluated__reason__type=["forwarded"])),
    ("A8-raw", raw(auth_results__spf=results(("example.org", "temperror")))),
    ("A9-raw", raw(auth_results__dkim=results(("example.org", "fail")))),
    ("A10-raw", raw(auth_results__spf=results(("x.example", "pass")))),
    ("A11-raw", raw(auth_results__spf=results(("x.example", "fail")))),
    ("A12-raw", raw(auth_results__spf=results(("b.example.org", "pass")), policy_published__aspf="s")),
    # The domain of the policy where From's is missing, too.
    ("A2-raw", raw(identifiers__header_from=None, auth_results__spf=results(("example.org", "pass")))),
    ("A10", row("fail", None, auth_results__dkim=results(("x.example", "pass")))),
    ("A2-raw", row("fail", None, auth_results__spf=results(("example.org", "pass")))),
]


def failure(*signals: str, **more: Any) -> Object:
    fields: Object = {"event.dataset": "dmarc-failure", "feedback.type": "auth-failure", "source.ip": "203.0.113.1"}
    fields |= {name.replace("__", "."): value for name, value in more.items()}
    return fields | ({"sample.signals": list(signals)} if signals else {})


def found(*values: str) -> Object:
    return {"feedback__authentication_results": [f"mx.example.com; {value}" for value in values]}


ABOUT: Object = {"feedback__reported_domain": ["example.org"]}


def xarf(category: str | None, type_: str | None) -> Object:
    fields = {"feedback.type": "xarf", "feedback.category": category, "feedback.report_type": type_}
    return {"event.dataset": "arf", **{name: value for name, value in fields.items() if value}}


def message(*signals: str, **more: Any) -> Object:
    """As a feed of messages brings it: nobody reported it."""
    fields = failure(*signals, report__format="rfc5322", **more)
    del fields["feedback.type"]
    return fields


FAILURES: list[tuple[str, Object]] = [
    ("F0", failure(feedback__type="abuse", event__dataset="arf") | OWN),
    ("F0", failure("list-id", feedback__type="not-spam", event__dataset="arf")),
    ("F0", {"event.dataset": "arf"}),
    ("F0", xarf("messaging", "spam")),
    ("F0", xarf("activity", "Spam")),  # v3
    ("F0", xarf("abuse", "spamvertised")),  # 0.2
    ("F0", xarf("messaging", "bulk_messaging")),
    ("F0x", xarf("content", "phishing")),
    ("F0x", xarf("activity", "loginattack")),
    ("F0x", xarf("abuse", "login-attack")),
    ("F0x", xarf("vulnerability", None) | OWN),
    ("F0x", xarf(None, "ddos")),
    ("F1", failure("dkim-aligned", **found("spf=fail", "dmarc=pass header.from=example.org")) | OWN),
    # Reported for fo=1 or fo=s: one method failed, the other carried the message.
    ("F1b", failure(**found("spf=fail smtp.mailfrom=a@l.example; dkim=pass header.d=example.org"), **ABOUT)),
    ("F1b", failure("pass-aligned", feedback__auth_failure=["spf"], **found("spf=fail"), **ABOUT)),
    ("F12", failure("pass-aligned", "list-id", feedback__auth_failure=["dmarc"])),
    ("F12", failure("pass-aligned", **found("dmarc=fail header.from=example.org")) | OWN),
    ("F12", failure(**found("dmarc=fail header.from=example.org", "spf=pass smtp.mailfrom=b.example.org"))),
    ("F12", failure("dkim-aligned", **found("dmarc=fail; dkim=pass header.d=mail.example.org"), **ABOUT)),
    ("F12", failure(**found("dmarc=fail; dkim=pass header.d=m.example.org"), sample__from="a@example.org")),
    ("F12", {"event.dataset": "dmarc-failure", "sample.signals": ["pass-aligned"]}),
    ("F2", failure("null-sender", "list-id") | OWN),
    ("F3", failure("delivery-status", "auto-replied")),
    ("F3", failure("disposition-notification")),
    ("F3", failure("null-sender", "from-daemon", "auto-submitted")),
    ("F4", failure("auto-replied", "auto-submitted", "null-sender")),
    ("F4", failure("x-autoreply")),
    ("F4", failure("precedence-auto-reply", "list-id")),
    ("F4b", failure("null-sender", "auto-submitted", "list-id")),
    ("F3b", failure("null-sender", "list-id")),
    ("F5", failure("list-id", "forwarded", "auto-submitted")),
    ("F5", failure("list-software")),
    ("F5", failure("list-sender", "pass-unaligned")),
    ("F5", failure("precedence-list", "list-fields")),
    ("F6", failure("srs", "precedence-list", "dkim-aligned")),
    ("F6", failure("caf")),
    ("F6", failure("forwarded")),
    ("F6", failure("resent")),
    ("F6", failure("arc-pass")),
    ("F7", failure("dkim-signed", "dkim-aligned", "auto-submitted")),
    ("F8", failure("auto-submitted", "dkim-signed", **found("spf=pass smtp.mailfrom=a@x.example"))),
    ("F8b", failure("dkim-signed", **found("dkim=fail header.d=y.example; dkim=pass header.d=x.example"))),
    ("F8b", failure("pass-unaligned", **found("dmarc=fail"))),
    ("F8o", failure(**found("dmarc=fail; spf=pass smtp.mailfrom=a@bounce.example.net"))),
    ("F5", failure("list-id", **found("dkim=pass header.d=example.net"))),
    ("F8b", failure("no-headers", **found("spf=pass smtp.mailfrom=a@x.example"))),
    ("F9", failure("dkim-signed", "from-daemon", "list-fields", **found("dmarc=fail", "spf=softfail"))),
    ("F9", failure()),
    ("F9", {"event.dataset": "dmarc-failure"}),  # a notice in plain text has no Feedback-Type
    ("F10", failure("no-headers")),
    ("F1r", message("dkim-aligned", **found("dmarc=pass header.from=example.org"))),
    ("F1r", message("pass-aligned")),
    ("F12", message("pass-aligned", **found("dmarc=fail header.from=example.org"))),
    ("F3", message("delivery-status", **found("dmarc=pass header.from=example.org"))),
    ("F7", message("dkim-aligned")),
    ("F9", message()),
]


@pytest.mark.parametrize(("rule", "fields"), [*ROWS, *FAILURES])
def test_rule(rule: str, fields: Object) -> None:
    answer = classify(fields, SITE)
    assert answer is not None
    assert answer[1] == rule
    assert answer[0] in {one.class_ for one in (*AGGREGATE_RULES, *FAILURE_RULES) if one.name == rule.removesuffix(RAW)}
    assert classify(decode(encode(fields)), SITE) == answer  # as it is stored


def test_every_rule_has_a_test() -> None:
    tested = {name for name, _ in (*ROWS, *FAILURES) if not name.endswith(RAW)}
    assert tested == {rule.name for rule in (*AGGREGATE_RULES, *FAILURE_RULES)}


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        ("not-spam", "not-spam"),
        *((name, "complaint") for name in ("abuse", "fraud", "virus", "other", "xarf", "opt-out")),
    ],
)
def test_f0_has_two_classes(type_: str, expected: str) -> None:
    assert classify(failure(feedback__type=type_, event__dataset="arf"), Site()) == (expected, "F0")


def test_an_absent_mail_from_is_no_null_sender() -> None:
    """Golden documents: one has `Original-Mail-From:` empty, one has none at all."""
    golden = {
        path.stem: json.loads(path.read_text("utf-8")) for path in (ROOT / "tests/golden/dmarc-failure").glob("*.json")
    }
    classes = {}
    for name, documents in golden.items():
        for dataset, _, fields in documents:
            if dataset == "dmarc-failure":
                classes[name] = (classify(fields, Site()), fields.get("feedback.original_mail_from"))
    assert classes["null-sender"] == (("auto-reply", "F4b"), "")
    absent = [answer for answer, sender in classes.values() if sender is None]
    assert absent
    assert all(answer is not None and answer[1] not in {"F3", "F3b", "F4b"} for answer in absent)


GOLDEN_RULES = {
    "arf/abuse": ["F0"],
    "arf/xarf": ["F0x"],
    "arf/xarf-0.2": ["F0x"],
    "arf/xarf-v3": ["F0"],
    "xarf/v4-alone": ["F0x"],
    "dmarc-aggregate/international": ["A1", "A10"],
    "dmarc-aggregate/rfc7489": ["A2", "A2", "A11-raw"],
    "dmarc-aggregate/rfc9990": ["A3n", "A6"],
    "dmarc-aggregate/without-verdicts": ["A3s-raw", "A6-raw", None],
    "dmarc-failure/everything": ["F7"],
    "dmarc-failure/netease-base64": ["F8b"],
    "dmarc-failure/notice-exim": ["F9"],
    "dmarc-failure/notice-list": ["F5"],
    "dmarc-failure/opendmarc": ["F8b"],
    "dmarc-failure/redacted": ["F10"],
    "raw-message/spoof": ["F9"],
    "raw-message/vacation": ["F4"],
}


@pytest.mark.parametrize("name", GOLDEN_RULES)
def test_golden_pairs(name: str) -> None:
    documents = json.loads((ROOT / f"tests/golden/{name}.json").read_text("utf-8"))
    answers = [classify(fields, Site()) for dataset, _, fields in documents if dataset != "report"]
    assert [answer and answer[1] for answer in answers] == GOLDEN_RULES[name]


@pytest.mark.parametrize(
    "fields",
    [
        {"event.dataset": "report"},
        {"event.dataset": "smtp-tls", "source.ip": "192.0.2.1"},
        row(None, None),
        row(None, None) | OWN,
        raw(policy_evaluated__reason__type=["local_policy"], auth_results__spf=[{"domain": "example.org"}]),
    ],
)
def test_no_class(fields: Object) -> None:
    assert classify(fields, SITE) is None


def test_without_own_networks_nothing_is_own() -> None:
    assert classify(row() | OWN, Site()) == ("spoof", "A11")
    assert classify(failure() | OWN, Site()) == ("spoof", "F9")


def test_check() -> None:
    check(Site())
    check(SITE)
    check(Site(own_networks=("192.0.2.1/24",)))  # host bits
    for wrong in ("192.0.2.0/33", "example.org", ""):
        with pytest.raises(ValueError, match=f"own_networks: '{wrong}' is neither"):
            check(Site(own_networks=("192.0.2.0/24", wrong)))


NAMES = st.sampled_from(["example.org", "mail.example.org", "x.example", "", "a..b"])
RESULTS = st.lists(
    st.fixed_dictionaries(
        {}, optional={"domain": NAMES, "result": st.sampled_from(["pass", "fail", "none", "temperror", "odd"])}
    ),
    max_size=3,
)


@given(
    st.fixed_dictionaries(
        {"event.dataset": st.just("dmarc-aggregate")},
        optional={
            "source.ip": st.ip_addresses().map(str),
            "policy_evaluated.dkim": st.sampled_from(["pass", "fail", "odd"]),
            "policy_evaluated.spf": st.sampled_from(["pass", "fail", "odd"]),
            "identifiers.header_from": NAMES,
            "auth_results.dkim": RESULTS,
            "auth_results.spf": RESULTS,
            "policy_evaluated.reason.type": st.lists(st.sampled_from(["mailing_list", "other", ""]), max_size=2),
            "policy_evaluated.reason.comment": st.lists(st.text(max_size=5), max_size=2),
        },
    )
    | st.fixed_dictionaries(
        {"event.dataset": st.sampled_from(["dmarc-failure", "arf"])},
        optional={
            "source.ip": st.ip_addresses().map(str),
            "feedback.type": st.sampled_from(["auth-failure", "abuse", ""]),
            "feedback.authentication_results": st.lists(st.text(max_size=30), max_size=2),
            "sample.signals": st.lists(st.sampled_from([signal.name for signal in SIGNALS]), max_size=4),
        },
    )
)
def test_every_document_has_a_class(fields: Object) -> None:
    answer = classify(fields, SITE)
    if answer is None:
        assert "policy_evaluated.dkim" not in fields
        assert "policy_evaluated.spf" not in fields
        assert not any(
            one.get("result") for method in ("dkim", "spf") for one in fields.get(f"auth_results.{method}", ())
        )
    else:
        assert answer[0] in CLASSES


def test_classes_and_rules_belong_together() -> None:
    used = {rule.class_ for rule in (*AGGREGATE_RULES, *FAILURE_RULES)}
    assert used == CLASSES.keys()
    assert "unauthenticated: a stranger, or a sender of yours you forgot" in CLASSES["spoof"].what.lower()
    for rule in (*AGGREGATE_RULES, *FAILURE_RULES):
        assert advice(rule).endswith(".")
    for one in CLASSES.values():
        assert one.what.endswith(".")
        assert one.do.endswith(".")


def test_signals_of_the_rules_exist() -> None:
    names = {signal.name for signal in SIGNALS}
    said = {word for rule in FAILURE_RULES if "Signal" in rule.when for word in rule.when.split("`")[1::2]}
    assert said <= names


# docs/classification.md: its tables are these


def lines(rules: tuple[Rule, ...]) -> list[str]:
    return [f"| {rule.name} | `{rule.class_}` | {' '.join(filter(None, [rule.when, rule.do]))} |" for rule in rules]


def tables() -> dict[str, list[str]]:
    return {
        "classes": [f"| `{name}` | {one.what} | {one.do} |" for name, one in CLASSES.items()],
        "aggregate": lines(AGGREGATE_RULES),
        "failure": lines(FAILURE_RULES),
        "signals": [f"| `{signal.name}` | {signal.meaning} |" for signal in SIGNALS],
    }


@pytest.mark.parametrize("name", ["classes", "aggregate", "failure", "signals"])
def test_page(name: str) -> None:
    """The page has each table whole, in the order of the code; when it differs, copy what is expected into it."""
    text = PAGE.read_text("utf-8")
    begin = text.index(f"<!-- table: {name} -->\n")
    rows = text[begin : text.index("\n\n", begin)].splitlines()[3:]
    assert rows == tables()[name]
