"""DMARC failures and feedback: which messages failed, what was in them, were they delivered? (failure reports, ARF)"""

from email_report_processor.documents import classify

from . import bars
from . import objects as o
from .common import CLASS_COLOURS, FEEDBACK, NO_DATA, PATTERNS, class_parts, id_of, links, short

NAME = "failures"

_MESSAGES = o.total("count", "Messages")
_DELIVERED = o.total_where("feedback.delivery_result: delivered", "count", "Delivered")
_SPOOF = o.total_where("class: spoof", "count", "Spoof")
_SOURCES = o.different("source.ip", "Hosts")

# The classes that a failed message can have, in the order of the rules.
_CLASSES = list(dict.fromkeys(rule.class_ for rule in classify.FAILURE_RULES))


def _id(name: str) -> str:
    return f"email-report-failures-{name}"


def _intro() -> o.Object:
    return o.text(
        _id("intro"),
        "DMARC failures and feedback: how to read",
        f"""
**Which messages failed, what was in them, and were they delivered?** Each report shows one message (its *count* says if
it stands for more). Few receivers send them, so this is a sample; how much fails
is on *Mail authentication*.
Class is triage from what the message says of itself. {NO_DATA}
Other dashboards: {links(NAME)}
""",
    )


def _first_screen() -> list[tuple[int, list[o.Panel]]]:
    choose = o.controls(
        _id("controls"),
        "DMARC failures and feedback: choose",
        FEEDBACK,
        {"feedback.reported_domain": "Domain", "report.from_domain": "Reporter", "class": "Class"},
    )
    return [
        (
            4,
            [
                o.Panel(_delivered_share(), 7),
                o.Panel(_totals(), 9, titled=False),
                o.Panel(choose, 32, titled=False),
            ],
        ),
        (8, [o.Panel(_over_time(), 20), o.Panel(_results(), 14), o.Panel(_intro(), 14, titled=False)]),
        (13, [o.Panel(_what_failed(), 48)]),
    ]


def _delivered_share() -> o.Object:
    share = o.share("feedback.delivery_result: delivered", "feedback.delivery_result: *", "count")
    row = o.series("share", "Failed and delivered", o.FAIL, share, formatter=o.PERCENT)
    steps = [(0, o.GOOD_TILE), (0.05, o.FAIR_TILE), (0.25, o.BAD_TILE)]
    query = "event.dataset: dmarc-failure and feedback.delivery_result: *"
    return o.big_rate(_id("delivered-share"), "Failed and delivered", FEEDBACK, row, steps, query=query)


def _totals() -> o.Object:
    numbers = [
        o.total_where("event.dataset: dmarc-failure", "count", "Failed"),
        o.total_where("event.dataset: arf", "count", "Feedback"),
    ]
    return o.numbers(_id("totals"), "Failed messages, and feedback", FEEDBACK, numbers, size=16)


def _over_time() -> o.Object:
    return bars.by_day(_id("over-time"), "Messages by day and class", FEEDBACK, _MESSAGES, class_parts(_CLASSES))


def _results() -> o.Object:
    colours = {
        "delivered": o.FAIL,
        "spam": o.BETWEEN,
        "policy": "#B9A888",
        "reject": o.PASS,
        "other": "#98A2B3",
    }
    parts = [bars.Part(name, colour, f"feedback.delivery_result: {name}") for name, colour in colours.items()]
    parts.append(bars.Part("not said", "#D3DAE6", "not feedback.delivery_result: *"))
    return bars.by_day(_id("results"), "What became of them, by day", FEEDBACK, _MESSAGES, parts)


def _what_failed() -> o.Object:
    """Rule by rule, so that the order is true: all but one (of recipients' votes) speak of one class."""
    aggs = [
        _MESSAGES,
        _DELIVERED,
        _SOURCES,
        o.different("sample.from", "Authors"),
        o.terms("class_rule", "What to do", 20),
        o.terms("class", "What it is", 2),
    ]
    return o.table(
        _id("what-failed"),
        "What failed, and what to do: most messages first",
        FEEDBACK,
        aggs,
        widths=(0, 380, 95, 95, 80, 80),
        rows=0,
    )


def _messages() -> list[tuple[int, list[o.Panel]]]:
    return [
        (13, [o.Panel(_subjects(), 26), o.Panel(_senders(), 22)]),
        (13, [o.Panel(_hosts(), 26), o.Panel(_countries(), 22)]),
        (13, [o.Panel(_map(), 26), o.Panel(_kinds(), 22)]),
        (13, [o.Panel(_url_hosts(), 18), o.Panel(_urls(), 30)]),
        (11, [o.Panel(_files(), 26), o.Panel(_feeds(), 22)]),
        (16, [o.Panel(_searches_text(), 12, titled=False), o.Panel(searches()[0], 36)]),
    ]


def _subjects() -> o.Object:
    aggs = [
        _MESSAGES,
        _DELIVERED,
        _SPOOF,
        o.terms("sample.subject", "Subject", 100, missing="(none stored)"),
    ]
    return o.table(_id("subjects"), "Subjects", FEEDBACK, aggs, widths=(0, 95, 95, 80))


def _senders() -> o.Object:
    aggs = [
        _MESSAGES,
        _DELIVERED,
        _SOURCES,
        o.terms("sample.from", "From address", 100, missing="(none stored)"),
    ]
    return o.table(_id("senders"), "From addresses", FEEDBACK, aggs, widths=(0, 95, 95, 80))


def _hosts() -> o.Object:
    aggs = [
        _MESSAGES,
        _DELIVERED,
        o.terms("source.ip", "Host", 100),
        o.terms("source.domain", "Its name", 1, missing="—"),
        o.terms("source.as.organization.name", "Network", 1, missing="(not looked up)"),
    ]
    return o.table(_id("hosts"), "Hosts (the link looks the address up)", FEEDBACK, aggs, widths=(150, 0, 0, 95, 95))


def _countries() -> o.Object:
    by = o.terms("source.geo.country_iso_code", "Country", 250, missing="(not looked up)")
    return o.table(_id("countries"), "Countries of the sending hosts", FEEDBACK, [_MESSAGES, _DELIVERED, _SOURCES, by])


def _map() -> o.Object:
    title = "Where the hosts are (tiles come from the Internet, places from a look-up of cities)"
    return o.coordinates(_id("map"), title, FEEDBACK, _MESSAGES, "source.geo.location")


def _kinds() -> o.Object:
    aggs = [
        _MESSAGES,
        o.terms("feedback.type", "Feedback-Type", 20, missing="(a notice)"),
        o.terms("feedback.auth_failure", "Auth-Failure", 10, missing="—"),
        o.terms("feedback.delivery_result", "Delivery-Result", 10, missing="not said"),
    ]
    return o.table(_id("kinds"), "Kinds: a message counts once for each failure", FEEDBACK, aggs)


def _url_hosts() -> o.Object:
    aggs = [
        _MESSAGES,
        _DELIVERED,
        o.terms("url.domain", "Host in a URL", 100),
    ]
    return o.table(_id("url-hosts"), "URL hosts: a message counts for each", FEEDBACK, aggs, widths=(230,))


def _urls() -> o.Object:
    aggs = [_MESSAGES, _SPOOF, o.terms("url.full", "URL (no link: it may bite)", 100)]
    return o.table(_id("urls"), "URLs in the messages", FEEDBACK, aggs, widths=(0, 95, 80))


def _files() -> o.Object:
    aggs = [
        _MESSAGES,
        o.different("source.ip", "Hosts"),
        o.terms("file.hash.sha256", "SHA-256 (the link asks VirusTotal)", 100),
        o.terms("file.name", "Name", 3, missing="—"),
    ]
    return o.table(
        _id("files"),
        "Attachments: with several, names and hashes of one message are mixed",
        FEEDBACK,
        aggs,
        widths=(0, 180, 95, 80),
    )


def _feeds() -> o.Object:
    aggs = [
        _MESSAGES,
        o.number("Reports"),
        o.metric("max", "event.ingested", "Last stored"),
        o.terms("report.feed", "Feed", 50, missing="(no name given)"),
        o.terms("report.from_domain", "Reporter", 50, missing="—"),
    ]
    return o.table(_id("feeds"), "Feeds and reporters", FEEDBACK, aggs)


_COLUMNS = (
    "class",
    "sample.from",
    "sample.subject",
    "source.ip",
    "feedback.delivery_result",
    "report.from_domain",
)


def searches() -> list[o.Object]:
    """Saved searches: everything, each class, delivered spoofs, by URL host."""
    everything = o.search(_id("messages"), "Failed messages: all", FEEDBACK, _COLUMNS)
    by_class = [
        o.search(_id(f"class-{name}"), f"Failed messages: {short(name)}", FEEDBACK, _COLUMNS, query=f'class: "{name}"')
        for name in sorted(_CLASSES)
    ]
    delivered = o.search(
        _id("delivered-spoofs"),
        "Failed messages: unauthenticated and delivered",
        FEEDBACK,
        _COLUMNS,
        query="class: spoof and feedback.delivery_result: delivered",
    )
    by_host = o.search(
        _id("by-url-host"),
        "Failed messages: by URL host",
        FEEDBACK,
        ["url.domain", "url.full", "class", "sample.from", "sample.subject", "source.ip"],
        query="url.domain: *",
        description="Choose url.domain in the list of fields to see the most frequent hosts.",
    )
    return [everything, *by_class, delivered, by_host]


def _searches_text() -> o.Object:
    """Links relative to /app/dashboards, so that they hold under every base path."""
    lines = [f"* [{one['attributes']['title'].partition(': ')[2]}](discover#/view/{one['id']})" for one in searches()]
    return o.text(
        _id("searches"), "DMARC failures and feedback: saved searches", "**Saved searches**\n\n" + "\n".join(lines)
    )


def objects() -> list[o.Object]:
    """Everything of this dashboard, the dashboard last."""
    placed = [*_first_screen(), *_messages()]
    board = o.dashboard(
        id_of(NAME),
        "E-mail reports: DMARC failures and feedback",
        "Which messages failed, what was in them, and were they delivered?",
        placed,
        filtered=FEEDBACK,
    )
    return [PATTERNS[FEEDBACK], *searches()[1:], *(panel.object for _, row in placed for panel in row), board]


assert set(_CLASSES) <= CLASS_COLOURS.keys(), "a colour for each class"
