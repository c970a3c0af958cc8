"""Mail authentication: is my mail authenticated, who sends in my name, what do I have to fix? (aggregate reports)"""

from email_report_processor.documents import classify
from email_report_processor.pages.fixing import turn_of

from . import bars
from . import objects as o
from .common import CLASS_COLOURS, MAIL, NO_DATA, PATTERNS, class_parts, id_of, links

NAME = "mail-authentication"

_MESSAGES = o.total("count", "Messages")
_FAILED = o.total_where("dmarc.result: fail", "count", "Failed")
_ON_A_DAY = "not report.duration > 93600"  # 26 hours: a report about weeks belongs to no day
_DECIDED = "dmarc.result: pass or dmarc.result: fail"
_PASS_SHARE = o.share("dmarc.result: pass", _DECIDED, "count")
_HOSTS = o.different("source.ip", "Hosts")
_DOMAINS = o.different("identifiers.header_from", "Domains")
_FIRST = o.metric("min", "@timestamp", "First seen")
_LAST = o.metric("max", "@timestamp", "Last seen")


def _id(name: str) -> str:
    return f"email-report-mail-{name}"


def _intro() -> o.Object:
    return o.text(
        _id("intro"),
        "Mail authentication: how to read",
        f"""
**Is my mail authenticated, and what do I have to fix?** Numbers are messages, as receivers counted them; the pass rate
is pass / (pass + fail). Start with *What to fix*: hover over a row and filter for it, then see below who sends it.
Days are those the reports speak of; reports about more than 26 hours are on no time line. Reports whose own mail failed
authentication are left out here, as in `email-report-admin summary`. {NO_DATA}
Other dashboards: {links(NAME)}
""",
    )


def _first_screen() -> list[tuple[int, list[o.Panel]]]:
    choose = o.controls(
        _id("controls"),
        "Mail authentication: choose",
        MAIL,
        {"identifiers.header_from": "From domain", "report.org_name": "Reporter", "class": "Class"},
    )
    return [
        (
            4,
            [
                o.Panel(_pass_rate(), 7),
                o.Panel(_share_to_fix(), 7),
                o.Panel(choose, 34, titled=False),
            ],
        ),
        (8, [o.Panel(_over_time(), 20), o.Panel(_domains(), 14), o.Panel(_intro(), 14, titled=False)]),
        (7, [o.Panel(_to_fix(), 48)]),
        (6, [o.Panel(_hosts_to_fix(), 38), o.Panel(_totals(), 10, titled=False)]),
    ]


def _pass_rate() -> o.Object:
    row = o.series("rate", "DMARC pass rate", o.PASS, _PASS_SHARE, formatter=o.PERCENT)
    return o.big_rate(_id("pass-rate"), "DMARC pass rate", MAIL, row, (), query=_DECIDED)


def _share_to_fix() -> o.Object:
    """This one has the colour: what strangers send in one's name lowers the pass rate and leaves nothing to fix.

    Amber begins where the figure is no longer 0 %.
    """
    row = o.series("share", "To fix", o.PASS, o.share(_classes("fix"), "class: *", "count"), formatter=o.PERCENT)
    steps = [(0, o.GOOD_TILE), (0.0005, o.FAIR_TILE), (0.01, o.BAD_TILE)]
    return o.big_rate(_id("share-to-fix"), "Yours, to fix", MAIL, row, steps)


def _totals() -> o.Object:
    numbers = [
        _MESSAGES,
        _FAILED,
        _HOSTS,
        o.different("report.org_name", "Reporters"),
    ]
    return o.numbers(_id("totals"), "Messages, hosts, reporters", MAIL, numbers, size=14)


def _over_time() -> o.Object:
    rows = [
        o.series("pass", "pass", o.PASS, o.sum_of("count"), where="dmarc.result: pass"),
        o.series("fail", "fail", o.FAIL, o.sum_of("count"), where="dmarc.result: fail"),
        o.series("undecided", "not said", "#98A2B3", o.sum_of("count"), where="not dmarc.result: *"),
        o.line("share", "pass rate (right)", o.LINE, _PASS_SHARE),
    ]
    title = "Messages by day: pass green, fail red; line: pass rate"
    return o.time_line(_id("over-time"), title, MAIL, rows, query=_ON_A_DAY)


def _dispositions() -> o.Object:
    colours = {"none": "#98A2B3", "pass": o.PASS, "quarantine": o.BETWEEN, "reject": o.FAIL}
    labels = {"none": "none (delivered)", "pass": "pass (RFC 9990)"}
    parts = [
        bars.Part(labels.get(name, name), colour, f"policy_evaluated.disposition: {name}")
        for name, colour in colours.items()
    ]
    return bars.by_day(_id("dispositions"), "What receivers did, by day", MAIL, _MESSAGES, parts, query=_ON_A_DAY)


def _domains() -> o.Object:
    """Without a link: one would open the dashboard anew, without the filters that are set."""
    rows = [
        o.series("messages", "Messages", o.PLAIN, o.sum_of("count")),
        o.series("rate", "Pass rate", o.PASS, _PASS_SHARE, formatter=o.PERCENT, color_rules=o.graded(0.95, 0.8)),
    ]
    return o.rate_table(
        _id("domains"),
        "Pass rate by From domain",
        MAIL,
        ("identifiers.header_from", "From domain"),
        rows,
        size=50,
        query=_DECIDED,
        sort="messages",
    )


def _classes(*turns: str) -> str:
    """A query for the classes that ask for something so soon."""
    names = [name for name in classify.CLASSES if turn_of(name) in turns and name not in _ONLY_FEEDBACK]
    return f"class: ({' or '.join(names)})"


def _to_fix() -> o.Object:
    """One key, so that the order is true; every class of these has one rule, whose text is what to do."""
    aggs = [
        _MESSAGES,
        o.total_where("policy_evaluated.disposition: none", "count", "Delivered"),
        _HOSTS,
        _DOMAINS,
        o.latest("class_rule", "What to do", "@timestamp"),
        o.terms("class", "What it is", 20),
    ]
    return o.table(
        _id("to-fix"),
        "What to fix: mail that is or may be yours, and that a stricter policy would lose",
        MAIL,
        aggs,
        query=_classes("fix"),
        widths=(340, 100, 100, 80, 100),
        rows=0,
        description="Class is triage: most signals are the sender's to choose. Rules: docs/classification.md",
    )


def _hosts_to_fix() -> o.Object:
    aggs = [
        _MESSAGES,
        o.different("report.org_name", "Reporters"),
        o.latest("source.as.organization.name", "Network", "@timestamp"),
        o.latest("identifiers.header_from", "From domain", "@timestamp"),
        o.latest("class", "What it is", "@timestamp"),
        o.terms("source.ip", "Host to fix", 50),
    ]
    title = "Hosts to fix, most messages first"
    return o.table(_id("hosts-to-fix"), title, MAIL, aggs, query=_classes("fix"), widths=(210, 100, 100, 190, 170))


def _to_judge() -> o.Object:
    by = o.terms("class", "What it is", 20)
    title = "To judge, to make safer, to watch: nothing of it is surely yours, or it passes today"
    query = _classes("decide", "improve", "watch")
    return o.table(_id("to-judge"), title, MAIL, [_MESSAGES, _HOSTS, by], query=query, widths=(420, 90, 70), rows=0)


def _nothing_to_do() -> o.Object:
    by = o.terms("class", "What it is", 20)
    return o.table(
        _id("nothing-to-do"),
        "Nothing to do",
        MAIL,
        [_MESSAGES, _HOSTS, by],
        query=_classes("none"),
        widths=(420, 90, 70),
        rows=0,
    )


def _sources() -> list[tuple[int, list[o.Panel]]]:
    return [
        (8, [o.Panel(_to_judge(), 24), o.Panel(_nothing_to_do(), 24)]),
        (10, [o.Panel(_classes_over_time(), 26), o.Panel(_dispositions(), 22)]),
        (13, [o.Panel(_by_name(), 26), o.Panel(_by_system(), 22)]),
        (13, [o.Panel(_by_address(), 26), o.Panel(_by_country(), 22)]),
        (13, [o.Panel(_forwarded(), 26), o.Panel(_overrides(), 22)]),
    ]


def _by_name() -> o.Object:
    by = o.terms("source.name", "Source", 200, missing="(nothing authenticated)")
    return o.table(
        _id("by-name"),
        "Who sends in my name (first seen in the chosen time)",
        MAIL,
        [_MESSAGES, _FAILED, _HOSTS, _FIRST, _LAST, by],
        widths=(210, 90, 75, 70),
    )


def _classes_over_time() -> o.Object:
    names = [name for name in CLASS_COLOURS if name not in {"aligned", *_ONLY_FEEDBACK}]
    title = "What is not fully authenticated, by day and class"
    return bars.by_day(_id("classes"), title, MAIL, _MESSAGES, class_parts(names), query=_ON_A_DAY)


_ONLY_FEEDBACK = {"dmarc-pass", "bounce", "auto-reply", "automated", "complaint", "not-spam", "unknown"}


def _by_address() -> o.Object:
    """By failed messages: clean servers of one's own need no look."""
    aggs = [
        o.total("count", "Not authenticated"),
        o.different("report.org_name", "Reporters"),
        o.latest("source.name", "Sender", "@timestamp"),
        o.terms("source.ip", "Host", 100),
    ]
    title = "Hosts whose mail is not authenticated (the link looks the address up)"
    return o.table(_id("by-address"), title, MAIL, aggs, query="dmarc.result: fail", widths=(200, 150, 100))


def _by_system() -> o.Object:
    aggs = [
        _MESSAGES,
        _FAILED,
        _HOSTS,
        o.latest("source.as.number", "AS", "@timestamp"),
        o.terms("source.as.organization.name", "Network", 50, missing="(not looked up)"),
    ]
    return o.table(_id("by-network"), "Networks (autonomous systems)", MAIL, aggs, widths=(200, 90, 80, 75))


def _by_country() -> o.Object:
    by = o.terms("source.geo.country_iso_code", "Country", 250, missing="(not looked up)")
    return o.table(_id("by-country"), "Countries", MAIL, [_MESSAGES, _FAILED, by])


def _map() -> o.Object:
    title = "From where? The stronger the colour, the more mail; circles are mail that is not authenticated"
    return o.countries(_id("map"), title, MAIL, "source.geo.country_iso_code")


def _details() -> list[tuple[int, list[o.Panel]]]:
    return [
        (13, [o.Panel(_dkim(), 24), o.Panel(_spf(), 24)]),
        (11, [o.Panel(_policies(), 48)]),
        (13, [o.Panel(_reporters(), 48)]),
        (14, [o.Panel(_map(), 48)]),
        (16, [o.Panel(rows(), 48)]),
    ]


def _overrides() -> o.Object:
    aggs = [
        _MESSAGES,
        o.terms("policy_evaluated.reason.type", "Reason", 20),
        o.terms("policy_evaluated.reason.comment", "Comment", 10, missing="—"),
        o.terms("policy_evaluated.disposition", "Disposition", 5, missing="—"),
    ]
    return o.table(
        _id("overrides"),
        "Overrides: why a receiver did not follow the policy",
        MAIL,
        aggs,
        query='policy_evaluated.reason.type: * and not policy_evaluated.reason.comment: "arc=fail"',
        description="Without arc=fail, which OpenDMARC gives every record (docs/reporters.md).",
    )


def _forwarded() -> o.Object:
    aggs = [
        _MESSAGES,
        _FAILED,
        o.different("report.org_name", "Reporters"),
        o.terms("source.as.organization.name", "Network", 20, missing="(not looked up)"),
        o.terms("source.ip", "Host", 20),
    ]
    return o.table(
        _id("forwarded"),
        "Forwarded mail and mailing lists",
        MAIL,
        aggs,
        query="class: forwarded or class: mailing-list or policy_evaluated.reason.type: (forwarded or mailing_list or trusted_forwarder)",  # noqa: E501 - one query
        widths=(0, 150, 90, 75, 95),
    )


def _dkim() -> o.Object:
    aggs = [
        _MESSAGES,
        o.terms("dkim.signatures", "Signature: domain / selector / result", 200, missing="unsigned"),
        o.terms("policy_evaluated.dkim", "Aligned and valid", 3, missing="not said"),
        o.terms("identifiers.header_from", "From domain", 10, missing="—"),
    ]
    title = "DKIM: a message counts once for each of its signatures"
    return o.table(_id("dkim"), title, MAIL, aggs, widths=(0, 130, 130, 90))


def _spf() -> o.Object:
    aggs = [
        _MESSAGES,
        o.terms("spf.checks", "Check: domain / scope / result", 200, missing="no check reported"),
        o.terms("policy_evaluated.spf", "Aligned and valid", 3, missing="not said"),
        o.terms("identifiers.header_from", "From domain", 10, missing="—"),
    ]
    return o.table(_id("spf"), "SPF: a message counts once for each check", MAIL, aggs, widths=(0, 130, 130, 90))


def _policies() -> o.Object:
    """A row for each policy that was seen, so a change is a new row. An absent `testing` reads as false."""
    aggs = [
        _MESSAGES,
        _FIRST,
        _LAST,
        o.different("report.org_name", "Reporters"),
        o.terms("policy_published.domain", "Domain", 50),
        o.terms("policy_published.p", "p", 5, missing="—"),
        o.terms("policy_published.sp", "sp", 5, missing="—"),
        o.terms("policy_published.np", "np", 5, missing="—"),
        o.terms("policy_published.testing", "Testing", 2, json_='{"missing":false}'),
    ]
    return o.table(
        _id("policies"),
        "Published policies, and since when each was seen",
        MAIL,
        aggs,
        widths=(0, 100, 100, 100, 90, 100, 110, 110, 100),
    )


def _reporters() -> o.Object:
    aggs = [
        _MESSAGES,
        _FAILED,
        o.different("report.id", "Reports"),
        o.metric("max", "report.end", "Last period ends"),
        o.terms("report.org_name", "Reporter", 100),
    ]
    return o.table(_id("reporters"), "Reporters", MAIL, aggs, widths=(0, 120, 120, 120, 160))


def rows() -> o.Object:
    """The rows themselves."""
    columns = [
        "identifiers.header_from",
        "source.ip",
        "source.name",
        "count",
        "dmarc.result",
        "dkim.signatures",
        "spf.checks",
        "policy_evaluated.disposition",
        "report.org_name",
    ]
    return o.search(_id("rows"), "Mail authentication: rows of the reports", MAIL, columns)


def objects() -> list[o.Object]:
    """Everything of this dashboard, the dashboard last."""
    placed = [*_first_screen(), *_sources(), *_details()]
    board = o.dashboard(
        id_of(NAME),
        "E-mail reports: Mail authentication",
        "Is my mail authenticated, who sends in my name, and what do I have to fix?",
        placed,
        filtered=MAIL,
    )
    return [PATTERNS[MAIL], *(panel.object for _, row in placed for panel in row), board]
