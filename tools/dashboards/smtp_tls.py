"""SMTP TLS: do other servers reach mine over TLS, and if not, what is wrong? (RFC 8460)"""

from email_report_processor.pages.tls import TO_DO

from . import bars
from . import objects as o
from .common import NO_DATA, PATTERNS, TLS, id_of, links

NAME = "smtp-tls"

# Sessions stand on policy documents only; failure details are further counts that do not add up to them.
_POLICIES = "tls.record: policy"
_FAILURES = "tls.record: failure"
_GOOD, _BAD = "sessions.successful", "sessions.failed"
_SESSIONS = o.total("failure.failed_session_count", "Sessions")


def _id(name: str) -> str:
    return f"email-report-tls-{name}"


def _intro() -> o.Object:
    return o.text(
        _id("intro"),
        "SMTP TLS: how to read",
        f"""
**Do other servers reach mine over TLS?** Sessions are summed over policies; a reporter that speaks of two policies
(DANE and MTA-STS) may mean the same sessions twice. *What failed* counts details: a session may stand under several,
and they need not add up to the sessions. {NO_DATA}
Other dashboards: {links(NAME)}
""",
    )


def _first_screen() -> list[tuple[int, list[o.Panel]]]:
    choose = o.controls(
        _id("controls"),
        "SMTP TLS: choose",
        TLS,
        {"policy.domain": "Domain", "report.org_name": "Reporter", "policy.type": "Policy"},
    )
    return [
        (
            4,
            [
                o.Panel(_success(), 7),
                o.Panel(_totals(), 9, titled=False),
                o.Panel(choose, 32, titled=False),
            ],
        ),
        (8, [o.Panel(_over_time(), 20), o.Panel(_domains(), 14), o.Panel(_intro(), 14, titled=False)]),
        (13, [o.Panel(_what_failed(), 48)]),
    ]


def _success() -> o.Object:
    row = o.series("rate", "Sessions over TLS", o.PASS, o.rate(_GOOD, _BAD), formatter=o.PERCENT)
    steps = [(0, o.BAD_TILE), (0.95, o.FAIR_TILE), (0.99, o.GOOD_TILE)]
    return o.big_rate(_id("success"), "Sessions over TLS", TLS, row, steps, query=_POLICIES)


def _totals() -> o.Object:
    numbers = [
        o.total(_GOOD, "Ok"),
        o.total(_BAD, "Failed"),
    ]
    return o.numbers(_id("totals"), "Sessions", TLS, numbers, query=_POLICIES, size=14)


def _over_time() -> o.Object:
    rows = [
        o.series("good", "ok", o.PASS, o.sum_of(_GOOD)),
        o.series("bad", "failed", o.FAIL, o.sum_of(_BAD)),
        o.line("rate", "rate of ok (right)", o.LINE, o.rate(_GOOD, _BAD)),
    ]
    return o.time_line(
        _id("over-time"),
        "Sessions by day: ok green, failed red; line: rate of ok",
        TLS,
        rows,
        query=f"{_POLICIES} and not report.duration > 93600",
    )


def _rated(id_: str, title: str, by: tuple[str, str], size: int = 50) -> o.Object:
    rows = [
        o.series("good", "ok", o.PASS, o.sum_of(_GOOD)),
        o.series("bad", "failed", o.FAIL, o.sum_of(_BAD)),
        o.series(
            "rate", "rate of ok", o.PASS, o.rate(_GOOD, _BAD), formatter=o.PERCENT, color_rules=o.graded(0.99, 0.95)
        ),
    ]
    return o.rate_table(_id(id_), title, TLS, by, rows, size=size, query=_POLICIES, sort="bad")


def _domains() -> o.Object:
    return _rated("domains", "Sessions by policy domain", ("policy.domain", "Domain"))


def _what_failed() -> o.Object:
    """One key, so that the order is true; the domains and MX of each stand below."""
    aggs = [
        _SESSIONS,
        o.different("policy.domain", "Domains"),
        o.different("failure.receiving_mx_hostname", "MX"),
        o.different("report.org_name", "Reporters"),
        o.metric("max", "@timestamp", "Last seen"),
        o.terms(
            "failure.result_type", "What failed: what it means, what to do (a session may count under several)", 20
        ),
    ]
    return o.table(
        _id("what-failed"),
        "What failed, most sessions first",
        TLS,
        aggs,
        query=_FAILURES,
        widths=(0, 95, 90, 60, 105, 110),
        rows=0,
    )


def _details() -> list[tuple[int, list[o.Panel]]]:
    reporters = _rated("reporters", "Sessions by reporter", ("report.org_name", "Reporter"), 100)
    types = _rated("types", "Sessions by kind of policy", ("policy.type", "Policy"))
    return [
        (10, [o.Panel(reporters, 24), o.Panel(types, 24)]),
        (13, [o.Panel(_receivers(), 26), o.Panel(_senders(), 22)]),
        (13, [o.Panel(_failures_over_time(), 26), o.Panel(_reasons(), 22)]),
        (12, [o.Panel(_policies(), 48)]),
        (15, [o.Panel(documents(), 48)]),
    ]


def _receivers() -> o.Object:
    aggs = [
        _SESSIONS,
        o.terms("failure.receiving_mx_hostname", "My MX", 50, missing="(not said)"),
        o.terms("failure.receiving_ip", "Its address", 20),
        o.terms("failure.result_type", "What failed", 20),
    ]
    return o.table(_id("receivers"), "At which of my MX", TLS, aggs, query=_FAILURES, widths=(190, 140, 0, 95))


def _senders() -> o.Object:
    aggs = [
        _SESSIONS,
        o.terms("failure.sending_mta_ip", "Sending host", 100),
        o.terms("source.as.organization.name", "Network", 1, missing="(not looked up)"),
        o.terms("report.org_name", "Reporter", 3),
    ]
    return o.table(_id("senders"), "From which sending hosts", TLS, aggs, query=_FAILURES, widths=(150, 0, 0, 95))


def _failures_over_time() -> o.Object:
    colours = [
        "#CC5642",
        "#DA8B45",
        "#D6BF57",
        "#9170B8",
        "#98A2B3",
        "#6092C0",
        "#54B399",
        "#AA6556",
        "#B9A888",
        "#CA8EAE",
        "#5B6BB5",
    ]
    parts = [
        bars.Part(name, colour, f'failure.result_type: "{name}"') for name, colour in zip(TO_DO, colours, strict=True)
    ]
    return bars.by_day(_id("failures-over-time"), "What failed, by day", TLS, _SESSIONS, parts, query=_FAILURES)


def _reasons() -> o.Object:
    aggs = [
        _SESSIONS,
        o.terms("failure.reason_code", "Reason code", 50, missing="(none)"),
        o.terms("failure.additional_information", "More", 10, missing="—"),
    ]
    return o.table(_id("reasons"), "Reason codes of the reporters", TLS, aggs, query=_FAILURES, widths=(200, 0, 95))


def _policies() -> o.Object:
    """One row for a policy: its lines and patterns as the newest report has them, else sessions stood on each."""
    aggs = [
        o.total(_GOOD, "Sessions ok"),
        o.total(_BAD, "Sessions failed"),
        o.metric("min", "@timestamp", "First seen"),
        o.metric("max", "@timestamp", "Last seen"),
        o.latest("policy.mx_host", "MX patterns", "@timestamp"),
        o.latest("policy.string", "Lines of the policy", "@timestamp"),
        o.terms("policy.domain", "Domain", 50),
        o.terms("policy.type", "Policy", 5),
    ]
    return o.table(
        _id("policies"),
        "Policies, as the newest report has them",
        TLS,
        aggs,
        query=_POLICIES,
        widths=(180, 150, 100, 110, 100, 100, 200),
    )


def documents() -> o.Object:
    """The documents themselves."""
    columns = [
        "tls.record",
        "policy.domain",
        "policy.type",
        "sessions.successful",
        "sessions.failed",
        "failure.result_type",
        "failure.failed_session_count",
        "failure.receiving_mx_hostname",
        "report.org_name",
    ]
    return o.search(_id("documents"), "SMTP TLS: policies and failure details", TLS, columns)


def objects() -> list[o.Object]:
    """Everything of this dashboard, the dashboard last."""
    placed = [*_first_screen(), *_details()]
    board = o.dashboard(
        id_of(NAME),
        "E-mail reports: SMTP TLS",
        "Do other servers reach mine over TLS, and if not, what is wrong?",
        placed,
        filtered=TLS,
    )
    return [PATTERNS[TLS], *(panel.object for _, row in placed for panel in row), board]
