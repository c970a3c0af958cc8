"""Intake health: do the reports come in, whole and in time? (one document per report)"""

from email_report_processor.documents.layout import OUT_OF_RANGE

from . import bars
from . import objects as o
from .common import INTAKE, PATTERNS, id_of, links

NAME = "intake-health"

_REPORTS = o.number("Reports")
_ARRIVAL = o.metric("max", "event.ingested", "Last arrival")
_LONG = "report.duration > 93600"  # 26 hours: a day, and the hour that some reporters are late
_OUT_OF_RANGE = f'_index: "{INTAKE.title.removesuffix("*")}{OUT_OF_RANGE}"'
_DELAY = o.metric("median", "report.delay", "Delay")

_COLOURS = {"dmarc-aggregate": "#209280", "dmarc-failure": "#CC5642", "arf": "#DA8B45", "smtp-tls": "#6092C0"}


def _id(name: str) -> str:
    return f"email-report-intake-{name}"


def _intro() -> o.Object:
    return o.text(
        _id("intro"),
        "Intake health: how to read",
        f"""
**Do the reports come in, whole and in time?** Each number counts reports; the time is when they were stored, so an
import of old mail is one bar on the day of the import, beside which others look flat: draw over the days beside it. A
reporter that falls silent, a delay that grows, or warnings are what to look for. What could not be read at all is in
`email-report-admin kept`. Where nothing is shown: choose a longer time, or run `email-report-admin doctor`. Other
dashboards: {links(NAME)}
""",
    )


def _first_screen() -> list[tuple[int, list[o.Panel]]]:
    return [
        (9, [o.Panel(_silent(), 28), o.Panel(_last_by_domain(), 20)]),
        (4, [o.Panel(_choose(), 48, titled=False)]),
        (4, [o.Panel(_totals(), 48, titled=False)]),
        (8, [o.Panel(_per_day(), 18), o.Panel(_delays(), 14), o.Panel(_intro(), 16, titled=False)]),
    ]


def _choose() -> o.Object:
    fields = {"report.dataset": "Kind", "report.from_domain": "Reporter", "report.feed": "Feed"}
    return o.controls(_id("controls"), "Intake health: choose", INTAKE, fields)


def _totals() -> o.Object:
    tiles = {
        "With warnings": "warnings: *",
        "Salvaged": "salvaged: true",
        "Sender failed authentication": "report.authentication: fail",
        "Sender not checked": "report.authentication: unchecked",
        "Longer than 26 hours": _LONG,
        "Dates out of range": _OUT_OF_RANGE,
    }
    numbers = [o.number("Reports"), *(o.number_where(query, label) for label, query in tiles.items())]
    return o.numbers(_id("totals"), "Reports", INTAKE, numbers)


def _per_day() -> o.Object:
    parts = [bars.Part(name, colour, f"report.dataset: {name}") for name, colour in _COLOURS.items()]
    return bars.by_day(_id("per-day"), "Reports stored by day and kind", INTAKE, _REPORTS, parts)


def _delays() -> o.Object:
    def percentile(value: int) -> o.Json:
        percentiles = [{"id": f"p{value}", "mode": "line", "shade": 0.2, "value": value, "percentile": ""}]
        return {"id": f"percentile-{value}", "type": "percentile", "field": "report.delay", "percentiles": percentiles}

    look: o.Json = {
        "chart_type": "line",
        "stacked": "none",
        "line_width": 2,
        "point_size": 3,
        "fill": 0,
        "formatter": "s,h,1",
    }
    rows = [
        o.series("median", "median", "#209280", percentile(50), **look),
        o.series("slowest", "slowest 5 %", "#DA8B45", percentile(95), **look),
    ]
    return o.time_line(_id("delays"), "Hours to the arrival: median green, slowest 5 % orange", INTAKE, rows)


def _silent() -> o.Object:
    """Longest silence first; who sent a report or two, once, has not fallen silent."""
    aggs = [
        _ARRIVAL,
        _REPORTS,
        o.metric("max", "report.end", "Last period ends"),
        o.terms("report.from_domain", "Reporter", 200, least_first=True, json_='{"min_doc_count":5}'),
    ]
    title = "Longest silence first: reporters of five reports and more"
    return o.table(_id("silent"), title, INTAKE, aggs, widths=(0, 140, 90, 160))


def _last_by_reporter() -> o.Object:
    aggs = [
        _REPORTS,
        _ARRIVAL,
        o.metric("max", "report.end", "Last period ends"),
        _DELAY,
        o.terms("report.from_domain", "Reporter", 200, missing="(no message)"),
        o.terms("report.dataset", "Kind", 5),
    ]
    return o.table(
        _id("last-by-reporter"), "Last report of each reporter", INTAKE, aggs, widths=(150, 130, 80, 105, 140)
    )


def _last_by_domain() -> o.Object:
    aggs = [
        _REPORTS,
        _ARRIVAL,
        o.different("report.from_domain", "Reporters"),
        o.terms("report.domain", "My domain", 200),
    ]
    return o.table(_id("last-by-domain"), "Last report about each of my domains", INTAKE, aggs, widths=(170, 85, 120))


def _details() -> list[tuple[int, list[o.Panel]]]:
    return [
        (12, [o.Panel(_last_by_reporter(), 28), o.Panel(_long(), 20)]),
        (12, [o.Panel(_warnings(), 26), o.Panel(_authentication(), 22)]),
        (12, [o.Panel(_versions(), 48)]),
        (12, [o.Panel(_out_of_range(), 26), o.Panel(_errors(), 22)]),
        (11, [o.Panel(_salvaged(), 48)]),
        (16, [o.Panel(documents(), 48)]),
    ]


def _warnings() -> o.Object:
    aggs = [
        _REPORTS,
        o.different("report.from_domain", "Reporters"),
        o.terms("warnings", "Warning: what had to be repaired", 100),
        o.terms("report.from_domain", "Reporter", 5, missing="—"),
    ]
    return o.table(_id("warnings"), "Warnings: a report counts for each", INTAKE, aggs, widths=(0, 150, 85, 100))


def _authentication() -> o.Object:
    aggs = [
        _REPORTS,
        o.terms("report.authentication", "The report's own mail", 3, missing="—"),
        o.terms("report.from_domain", "Says it is from", 100, missing="—"),
        o.terms("report.org_name", "For", 10, missing="—"),
    ]
    return o.table(
        _id("authentication"),
        "Reports whose sender failed, or was not checked",
        INTAKE,
        aggs,
        query="report.authentication: fail or report.authentication: unchecked",
    )


def _versions() -> o.Object:
    """Only buckets of two and more, which has no form in the editor but the JSON of experts.

    An identity is a hash, so the report's own id stands before it; different reports may have the same. Behind it
    stands each version. What their rows hold together is in other indices, whose documents know no identity: see
    `summary`.
    """
    several = '{"min_doc_count":2}'
    aggs = [
        o.total("messages", "Messages it says"),
        o.total("rows", "Rows"),
        o.latest("report.from_domain", "Reporter", "event.ingested"),
        _ARRIVAL,
        o.terms("report.id", "Report id", 100, json_=several),
        o.terms("report.identity", "Identity", 100, json_=several),
        o.terms("report.sha256", "Version", 10),
    ]
    title = "Reports with several versions: equal rows count once (summary: the sums)"
    return o.table(_id("versions"), title, INTAKE, aggs, widths=(300, 120, 120, 110, 70, 160))


def _long() -> o.Object:
    aggs = [
        _REPORTS,
        o.metric("max", "report.duration", "Longest"),
        o.terms("report.from_domain", "Reporter", 100, missing="(no message)"),
        o.terms("report.dataset", "Kind", 5),
    ]
    return o.table(_id("long"), "Periods above 26 hours", INTAKE, aggs, query=_LONG)


def _out_of_range() -> o.Object:
    aggs = [
        _REPORTS,
        o.metric("min", "report.begin", "Earliest begin"),
        o.metric("max", "report.end", "Latest end"),
        o.terms("report.from_domain", "Reporter", 100, missing="(no message)"),
    ]
    return o.table(
        _id("out-of-range"), "Dates out of range: before 2012, ahead, or none", INTAKE, aggs, query=_OUT_OF_RANGE
    )


def _errors() -> o.Object:
    aggs = [
        _REPORTS,
        o.terms("report.errors", "What the reporter could not do", 100),
        o.terms("report.from_domain", "Reporter", 5, missing="—"),
    ]
    return o.table(_id("errors"), "Errors that reporters tell of", INTAKE, aggs, widths=(350,))


def _salvaged() -> o.Object:
    aggs = [
        _REPORTS,
        o.total("rows", "Rows read"),
        o.total("messages", "Messages"),
        o.terms("report.from_domain", "Reporter", 100, missing="(no message)"),
        o.terms("report.id", "Report id", 100, missing="—"),
        o.terms("warnings", "Warning", 5, missing="—"),
    ]
    return o.table(
        _id("salvaged"), "Salvaged: broken reports, read as far as they go", INTAKE, aggs, query="salvaged: true"
    )


def documents() -> o.Object:
    """The reports themselves."""
    columns = [
        "report.dataset",
        "report.from_domain",
        "report.id",
        "report.domain",
        "report.begin",
        "report.end",
        "report.delay",
        "rows",
        "messages",
        "warnings",
    ]
    return o.search(_id("documents"), "Intake health: reports", INTAKE, columns)


def objects() -> list[o.Object]:
    """Everything of this dashboard, the dashboard last."""
    placed = [*_first_screen(), *_details()]
    board = o.dashboard(
        id_of(NAME),
        "E-mail reports: Intake health",
        "Do the reports come in, whole and in time?",
        placed,
        since="now-90d",  # who has been silent for a month is in no shorter time
    )
    return [PATTERNS[INTAKE], *(panel.object for _, row in placed for panel in row), board]
