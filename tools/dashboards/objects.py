"""Saved objects of OpenSearch Dashboards as values: index patterns, visualizations, searches, dashboards.

The shapes are those of OpenSearch Dashboards 2.11; the same migration versions are the newest that 3.x knows.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from email_report_processor.documents.datasets import Dataset
from email_report_processor.pages.worldmap import table as table_of_countries
from email_report_processor.stores.templates import mapped_fields

Object = dict[str, Any]
Agg = dict[str, Any]
Json = dict[str, Any]

# Above these a server answers "belongs to a more recent version"; below them it migrates what needs no migration.
MIGRATION = {"index-pattern": "7.6.0", "search": "7.9.3", "visualization": "7.10.0", "dashboard": "7.9.3"}
LINE = "#5B6BB5"  # of a rate over bars: seen on white and on black
PERCENT = "0.[0]%"  # of TSVB: one digit at most
COLUMNS = 48  # of a dashboard's grid
_INDEX = "kibanaSavedObjectMeta.searchSourceJSON.index"
_PANEL_VERSION = "7.9.3"  # of a panel's shape: from 7.3 on nothing is migrated

# What the UI calls the types of mappings.
_KINDS = {"keyword": "string", "text": "string", "long": "number", "integer": "number"}

PASS, FAIL, BETWEEN, PLAIN = "#209280", "#CC5642", "#D6A53A", "#6092C0"  # told apart also by the colour-blind
# Behind a white figure: contrast of 4.5:1 and more (WCAG 2.1, 1.4.3).
GOOD_TILE, FAIR_TILE, BAD_TILE = "#16725F", "#8A5F0B", "#B03A26"


class Pattern(NamedTuple):
    """An index pattern that visualizations can stand on."""

    id: str
    title: str
    time_field: str


def dump(value: Any) -> str:
    """JSON in JSON, as saved objects have it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def saved(kind: str, id_: str, attributes: Json, references: Sequence[Json] = ()) -> Object:
    """One saved object."""
    return {
        "attributes": attributes,
        "id": id_,
        "migrationVersion": {kind: MIGRATION[kind]},
        "references": list(references),
        "type": kind,
    }


# Index patterns


def index_pattern(pattern: Pattern, dataset: Dataset, formats: Mapping[str, Json]) -> Object:
    """With the list of fields, so that it serves before the first document, and a user who may not save it."""
    known = {name: one for name, one in formats.items() if name in mapped_fields(dataset)}
    attributes = {
        "title": pattern.title,
        "timeFieldName": pattern.time_field,
        "fields": dump([*_META, *(_field(*pair) for pair in sorted(mapped_fields(dataset).items()))]),
        "fieldFormatMap": dump(known),
    }
    return saved("index-pattern", pattern.id, attributes)


def _field(name: str, mapping: Mapping[str, Any]) -> Json:
    searchable = mapping.get("index", True)
    aggregatable = mapping["type"] != "text"
    field = _described(name, mapping["type"], searchable, aggregatable, aggregatable)
    parent, dot, _ = name.rpartition(".")
    return field | {"subType": {"multi": {"parent": parent}}} if dot and name.endswith(".text") else field


def _described(name: str, type_: str, searchable: bool, aggregatable: bool, doc_values: bool) -> Json:
    return {
        "name": name,
        "type": _KINDS.get(type_, type_),
        "esTypes": [type_],
        "count": 0,
        "scripted": False,
        "searchable": searchable,
        "aggregatable": aggregatable,
        "readFromDocValues": doc_values,
    }


_META = (
    _described("_id", "_id", True, True, False) | {"type": "string"},
    _described("_index", "_index", True, True, False) | {"type": "string"},
    _described("_source", "_source", False, False, False),
)


def lookup(entries: Mapping[str, str]) -> Json:
    """A field format: other words for stored values."""
    return {"id": "static_lookup", "params": {"lookupEntries": [{"key": k, "value": v} for k, v in entries.items()]}}


def link(template: str) -> Json:
    """A field format: a link to a site that knows more."""
    return {"id": "url", "params": {"urlTemplate": template, "labelTemplate": "{{value}}", "type": "a"}}


def coloured(**colours: str) -> Json:
    """A field format: words in a colour."""
    rules = [{"regex": f"^{word}$", "text": colour, "range": "-Infinity:Infinity"} for word, colour in colours.items()]
    return {"id": "color", "params": {"fieldType": "string", "colors": rules}}


SECONDS = {"id": "duration", "params": {"inputFormat": "seconds", "outputFormat": "humanize", "outputPrecision": 1}}
DAYS = {"id": "date", "params": {"pattern": "YYYY-MM-DD"}}
MINUTES = {"id": "date", "params": {"pattern": "YYYY-MM-DD HH:mm"}}
AGO = {"id": "relative_date"}  # "3 days ago"
BYTES = {"id": "bytes"}
PLAIN_NUMBER = {"id": "number", "params": {"pattern": "0"}}  # AS 15169 is no 15,169


# Aggregations. Their ids are given by `visualization`, in order.


def metric(type_: str, field: str, label: str, **params: Any) -> Agg:
    """A number: sum, min, max, cardinality, median, …"""
    return {"type": type_, "schema": "metric", "params": {"field": field, "customLabel": label, **params}}


def total(field: str, label: str) -> Agg:
    """A sum."""
    return metric("sum", field, label)


def number(label: str) -> Agg:
    """The number of documents."""
    return {"type": "count", "schema": "metric", "params": {"customLabel": label}}


def different(field: str, label: str) -> Agg:
    """How many different values."""
    return metric("cardinality", field, label)


def latest(field: str, label: str, sort: str) -> Agg:
    """The newest value."""
    return metric("top_hits", field, label, aggregate="concat", size=1, sortField=sort, sortOrder="desc")


def total_where(query: str, field: str, label: str) -> Agg:
    """A sum over some documents of a row: the sum over the one bucket of a filter."""
    return _where(query, label, {"type": "sum", "schema": "metricAgg", "params": {"field": field}})


def number_where(query: str, label: str) -> Agg:
    """The number of some documents."""
    return _where(query, label, {"type": "count", "schema": "metricAgg", "params": {}})


def _where(query: str, label: str, inner: Agg) -> Agg:
    filters = {"filters": [{"input": kuery(query), "label": ""}]}
    bucket = {"id": "bucket", "enabled": True, "type": "filters", "schema": "bucketAgg", "params": filters}
    metric_ = {"id": "metric", "enabled": True, **inner}
    params = {"customBucket": bucket, "customMetric": metric_, "customLabel": label}
    return {"type": "sum_bucket", "schema": "metric", "params": params}


def terms(
    field: str,
    label: str,
    size: int = 10,
    *,
    missing: str = "",
    order: str = "1",
    least_first: bool = False,
    json_: str = "",
) -> Agg:
    """A row for each value, ordered by the metric with the id `order`; missing: what to call rows without a value."""
    params: Json = {
        "field": field,
        "orderBy": order,
        "order": "asc" if least_first else "desc",
        "size": size,
        "otherBucket": False,
        "otherBucketLabel": "others",
        "missingBucket": bool(missing),
        "missingBucketLabel": missing or "Missing",
        "customLabel": label,
    }
    return {"type": "terms", "schema": "bucket", "params": params | ({"json": json_} if json_ else {})}


def kuery(query: str) -> Json:
    """A query in the language of the search bar."""
    return {"query": query, "language": "kuery"}


# Visualizations


def visualization(
    id_: str,
    title: str,
    type_: str,
    params: Json,
    aggs: Iterable[Agg] = (),
    *,
    pattern: Pattern | None = None,
    query: str = "",
    ui: Json | None = None,
    references: Sequence[Json] = (),
    description: str = "",
) -> Object:
    """One visualization; `pattern` None for those that name their indices themselves."""
    numbered = [_numbered(number, agg) for number, agg in enumerate(aggs, 1)]
    source: Json = {"query": kuery(query), "filter": []}
    found = list(references)
    if pattern is not None:
        source["indexRefName"] = _INDEX
        found.append({"name": _INDEX, "type": "index-pattern", "id": pattern.id})
    attributes = {
        "title": title,
        "description": description,
        "visState": dump({"title": title, "type": type_, "params": params, "aggs": numbered}),
        "uiStateJSON": dump(ui or {}),
        "version": 1,
        "kibanaSavedObjectMeta": {"searchSourceJSON": dump(source)},
    }
    return saved("visualization", id_, attributes, found)


def _numbered(number: int, agg: Agg) -> Agg:
    numbered = {"id": str(number), "enabled": True, **agg}
    if agg["type"] != "sum_bucket":
        return numbered
    params = dict(agg["params"])
    for part in ("customBucket", "customMetric"):
        params[part] = {**params[part], "id": f"{number}-{params[part]['id']}"}
    return numbered | {"params": params}


def table(
    id_: str,
    title: str,
    pattern: Pattern,
    aggs: Iterable[Agg],
    *,
    query: str = "",
    rows: int = 10,
    widths: Sequence[int] = (),
    totals: bool = False,
    description: str = "",
) -> Object:
    """A table; `rows` of a page, 0 for all on one; `widths` in pixels of its first columns, 0 for what is left.

    Columns without a width share what is left (100 pixels at least), so leave one for the widest window.
    """
    params = {
        "perPage": rows or "",
        "showPartialRows": False,
        "showMetricsAtAllLevels": False,
        "showTotal": totals,
        "totalFunc": "sum",
        "percentageCol": "",
    }
    ui = {"vis": {"columnsWidth": [{"colIndex": i, "width": width} for i, width in enumerate(widths) if width]}}
    look = ui if widths else None
    return visualization(
        id_, title, "table", params, aggs, pattern=pattern, query=query, ui=look, description=description
    )


def numbers(id_: str, title: str, pattern: Pattern, aggs: Iterable[Agg], *, query: str = "", size: int = 20) -> Object:
    """Big numbers beside each other; `size` in points."""
    style = {"bgFill": "#000", "bgColor": False, "labelColor": False, "subText": "", "fontSize": size}
    look = {
        "percentageMode": False,
        "useRanges": False,
        "colorSchema": "Green to Red",
        "metricColorMode": "None",
        "colorsRange": [{"from": 0, "to": 10000}],
        "labels": {"show": True},
        "invertColors": False,
        "style": style,
    }
    params = {"addTooltip": True, "addLegend": False, "type": "metric", "metric": look}
    return visualization(id_, title, "metric", params, aggs, pattern=pattern, query=query)


def text(id_: str, title: str, markdown: str) -> Object:
    """A text; its links stay in this tab."""
    return visualization(
        id_, title, "markdown", {"fontSize": 10, "openLinksInNewTab": False, "markdown": markdown.strip()}
    )


def controls(id_: str, title: str, pattern: Pattern, fields: Mapping[str, str]) -> Object:
    """Lists to choose from: field -> label."""
    made, references = [], []
    for place, (field, label) in enumerate(fields.items()):
        name = f"control_{place}_index_pattern"
        options = {"type": "terms", "multiselect": True, "dynamicOptions": True, "size": 100, "order": "desc"}
        made.append(
            {
                "id": f"{id_}-{place}",
                "fieldName": field,
                "parent": "",
                "label": label,
                "type": "list",
                "options": options,
                "indexPatternRefName": name,
            }
        )
        references.append({"name": name, "type": "index-pattern", "id": pattern.id})
    params = {"controls": made, "updateFiltersOnChange": True, "useTimeFilter": True, "pinFilters": False}
    return visualization(id_, title, "input_control_vis", params, references=references)


def coordinates(id_: str, title: str, pattern: Pattern, value: Agg, field: str, *, query: str = "") -> Object:
    """Circles on a map: they show without its tiles too."""
    params = {
        "colorSchema": "Yellow to Red",
        "mapType": "Scaled Circle Markers",
        "isDesaturated": True,
        "addTooltip": True,
        "heatClusterSize": 1.5,
        "legendPosition": "bottomright",
        "mapZoom": 2,
        "mapCenter": [25, 10],
        "wms": {"enabled": False, "options": {"format": "image/png", "transparent": True}},
    }
    grid = {
        "type": "geohash_grid",
        "schema": "segment",
        "params": {
            "field": field,
            "autoPrecision": True,
            "precision": 2,
            "useGeocentroid": True,
            "isFilteredByCollar": True,
            "mapZoom": 2,
            "mapCenter": [25, 10],
        },
    }
    return visualization(id_, title, "tile_map", params, [value, grid], pattern=pattern, query=query)


def countries(id_: str, title: str, pattern: Pattern, field: str) -> Object:
    """A world map by Vega: countries by messages, circles by what failed. The shapes are in it, so it works offline."""
    return visualization(id_, title, "vega", {"spec": dump(_world(pattern, field))})


def _world(pattern: Pattern, field: str) -> Json:
    world = table_of_countries()
    failed = {"filter": {"term": {"dmarc.result": "fail"}}, "aggs": {"messages": _SUM}}
    by = {"terms": {"field": field, "size": 250}, "aggs": {"messages": _SUM, "failed": failed}}
    url = {
        "%context%": True,  # the filters and the query of the dashboard
        "%timefield%": pattern.time_field,
        "index": pattern.title,
        "body": {"size": 0, "aggs": {"countries": by}},
    }
    shapes = [
        {"code": code, "name": name, "x": x, "y": y, "path": path}
        for code, (name, x, y, path) in world["countries"].items()
    ]
    values = ["messages.value", "failed.messages.value"]
    found = {"type": "lookup", "from": "mail", "key": "key", "fields": ["code"], "values": values}
    return {
        "$schema": "https://vega.github.io/schema/vega/v5.json",
        "autosize": {"type": "none"},
        "signals": [
            {"name": "zoom", "update": f"min(width / {world['width']}, height / {world['height']})"},
            {"name": "left", "update": f"(width - zoom * {world['width']}) / 2"},
        ],
        "data": [
            {"name": "mail", "url": url, "format": {"property": "aggregations.countries.buckets"}},
            {
                "name": "world",
                "values": shapes,
                "transform": [{**found, "as": ["messages", "failed"], "default": 0}],
            },
            {
                "name": "most",
                "source": "world",
                "transform": [
                    {"type": "aggregate", "fields": ["messages", "failed"], "ops": ["max", "max"], "as": ["m", "f"]}
                ],
            },
        ],
        "scales": [{"name": "shade", "type": "linear", "domain": [0, 1], "range": ["#C6E1F5", "#0B5F99"]}],
        "marks": [_land(), _dots(), _circles(), _NOTHING],
    }


_SUM: Json = {"sum": {"field": "count"}}
_MOST = "data('most')[0].m"
_SHADE = f"datum.messages > 0 ? scale('shade', log(1 + datum.messages) / log(1 + {_MOST})) : '#DDE2EA'"
_HINT = "{title: datum.name, 'messages': format(datum.messages, ','), 'not authenticated': format(datum.failed, ',')}"


def _land() -> Json:
    fixed = {"path": {"field": "path"}, "x": {"signal": "left"}, "y": {"value": 0}, "stroke": {"value": "#FFFFFF"}}
    moving = {"scaleX": {"signal": "zoom"}, "scaleY": {"signal": "zoom"}, "fill": {"signal": _SHADE}}
    return {
        "type": "path",
        "from": {"data": "world"},
        "encode": {"update": {**fixed, **moving, "strokeWidth": {"value": 0.5}, "tooltip": {"signal": _HINT}}},
    }


def _dots() -> Json:
    """Countries too small to be seen."""
    return {
        "type": "symbol",
        "from": {"data": "world"},
        "encode": {
            "update": {
                **_PLACE,
                "size": {"signal": "datum.path || datum.messages <= 0 ? 0 : 40"},
                "fill": {"signal": _SHADE},
                "tooltip": {"signal": _HINT},
            }
        },
    }


_PLACE: Json = {"x": {"signal": "left + zoom * datum.x"}, "y": {"signal": "zoom * datum.y"}}


def _circles() -> Json:
    size = "datum.failed > 0 ? max(30, 1800 * zoom * datum.failed / data('most')[0].f) : 0"
    return {
        "type": "symbol",
        "from": {"data": "world"},
        "encode": {
            "update": {
                **_PLACE,
                "size": {"signal": size},
                "fill": {"value": FAIL},
                "fillOpacity": {"value": 0.5},
                "stroke": {"value": FAIL},
                "tooltip": {"signal": _HINT},
            }
        },
    }


_NOTHING: Json = {
    "type": "text",
    "encode": {
        "update": {
            "x": {"signal": "width / 2"},
            "y": {"signal": "height / 2"},
            "align": {"value": "center"},
            "fontSize": {"value": 14},
            "fill": {"value": "#69707D"},
            "text": {
                "signal": "length(data('mail')) ? '' : 'No country is known: choose a longer time, or install the extra"
                " [geo] (docs/pages.md)'"
            },
        }
    },
}


# TSVB: time lines with a line of their own, rates, and tables with rates


def sum_of(field: str, id_: str = "sum") -> Json:
    """A sum, as TSVB has it."""
    return {"id": id_, "type": "sum", "field": field}


def share(part: str, whole: str, field: str) -> Json:
    """Sum where `part` holds by sum where `whole` holds."""
    return {
        "id": "share",
        "type": "filter_ratio",
        "numerator": kuery(part),
        "denominator": kuery(whole),
        "metric_agg": "sum",
        "field": field,
    }


def rate(good: str, bad: str) -> list[Json]:
    """good / (good + bad), each the sum of a field; nothing where both are 0."""
    variables = [{"id": name, "name": name, "field": name} for name in ("good", "bad")]
    script = "params.good / (params.good + params.bad)"
    return [
        sum_of(good, "good"),
        sum_of(bad, "bad"),
        {"id": "rate", "type": "math", "script": script, "variables": variables},
    ]


def series(id_: str, label: str, colour: str, metrics: Json | list[Json], *, where: str = "", **more: Any) -> Json:
    """One series: bars, stacked, unless `more` says otherwise."""
    made: Json = {
        "id": id_,
        "label": label,
        "color": colour,
        "metrics": metrics if isinstance(metrics, list) else [metrics],
        "split_mode": "filter" if where else "everything",
        "split_color_mode": "opensearchDashboards",
        "chart_type": "bar",
        "stacked": "stacked",
        "line_width": 0,
        "point_size": 0,
        "fill": 0.9,
        "separate_axis": 0,
        "axis_position": "left",
        "formatter": "number",
        "value_template": "{{value}}",
        "hide_in_legend": 0,
    }
    return made | ({"filter": kuery(where)} if where else {}) | more


def line(id_: str, label: str, colour: str, metrics: Json | list[Json], **more: Any) -> Json:
    """A line with an axis of its own, from 0 to 100 %."""
    look: Json = {
        "chart_type": "line",
        "stacked": "none",
        "line_width": 2,
        "point_size": 3,
        "fill": 0,
        "separate_axis": 1,
        "axis_position": "right",
        "axis_min": 0,
        "axis_max": 1,
        "formatter": "0%",
    }
    return series(id_, label, colour, metrics, **(look | more))


def _tsvb(id_: str, title: str, type_: str, pattern: Pattern, rows: Sequence[Json], query: str, **more: Any) -> Object:
    params: Json = {
        "id": id_,
        "type": type_,
        "series": list(rows),
        "index_pattern": pattern.title,
        "default_index_pattern": pattern.title,
        "time_field": pattern.time_field,
        "default_timefield": pattern.time_field,
        "interval": ">=1d",  # of a long time it grows: TSVB answers more than 2,000 buckets with an error
        "drop_last_bucket": 0,
        "axis_position": "left",
        "axis_formatter": "number",
        "axis_scale": "normal",
        "show_legend": 1,
        "legend_position": "right",
        "show_grid": 1,
        "tooltip_mode": "show_all",
        "isModelInvalid": False,
        "background_color": None,
    }
    ui = more.pop("ui", None)
    wanted = {"filter": kuery(query)} if query else {}
    return visualization(id_, title, "metrics", params | wanted | more, ui=ui)


def time_line(id_: str, title: str, pattern: Pattern, rows: Sequence[Json], *, query: str = "") -> Object:
    """Bars by day. @timestamp is the middle of the period, so they stand on the report's day in every time zone.

    Without a legend, which would show today's empty bucket as the value of each series: the title names the colours.
    """
    return _tsvb(id_, title, "timeseries", pattern, rows, query, show_legend=0)


def big_rate(
    id_: str, title: str, pattern: Pattern, row: Json, steps: Sequence[tuple[float, str]], *, query: str = ""
) -> Object:
    """One number over the whole time range, coloured by steps: at least this value -> background.

    TSVB writes a series' label in 40 or 60 % of white, legible on no colour: the panel's title says what the number is.
    """
    row = row | {"label": " "}  # an empty one would become the name of the aggregation
    rules = [
        {"id": f"step-{place}", "operator": "gte", "value": least, "background_color": colour, "color": "#FFFFFF"}
        for place, (least, colour) in enumerate(steps)
    ]
    whole = {"time_range_mode": "entire_time_range", "background_color_rules": rules}
    return _tsvb(id_, title, "metric", pattern, [row], query, **whole)


def rate_table(
    id_: str,
    title: str,
    pattern: Pattern,
    by: tuple[str, str],
    rows: Sequence[Json],
    *,
    size: int = 10,
    query: str = "",
    sort: str = "",
) -> Object:
    """A table with rates: a row for each value of the field `by` (field, label), ordered by the series `sort`."""
    more = {
        "pivot_id": by[0],
        "pivot_label": by[1],
        "pivot_type": "string",
        "pivot_rows": str(size),
        "time_range_mode": "entire_time_range",
        "bar_color_rules": [],
        "drilldown_url": "",
        "ui": {"table": {"sort": {"column": sort, "order": "desc"}}},
    }
    return _tsvb(id_, title, "table", pattern, rows, query, **more)


def graded(good: float, fair: float) -> list[Json]:
    """Rules for the colour of a rate in a table."""
    return [
        {"id": "bad", "operator": "lt", "value": fair, "text": FAIL},
        {"id": "fair", "operator": "gte", "value": fair, "text": "#9C7414"},
        {"id": "good", "operator": "gte", "value": good, "text": PASS},
    ]


# Searches and dashboards


def search(
    id_: str, title: str, pattern: Pattern, columns: Sequence[str], *, query: str = "", description: str = ""
) -> Object:
    """A saved search, newest first."""
    source = {
        "query": kuery(query),
        "filter": [],
        "highlightAll": True,
        "version": True,
        "indexRefName": _INDEX,
    }
    attributes = {
        "title": title,
        "description": description,
        "hits": 0,
        "columns": list(columns),
        "sort": [[pattern.time_field, "desc"]],
        "version": 1,
        "kibanaSavedObjectMeta": {"searchSourceJSON": dump(source)},
    }
    return saved("search", id_, attributes, [{"name": _INDEX, "type": "index-pattern", "id": pattern.id}])


class Panel(NamedTuple):
    """An object on a dashboard: its width in columns, and whether its title shows."""

    object: Object
    width: int
    titled: bool = True


def not_failed(pattern: Pattern) -> tuple[Json, Json]:
    """The filter that leaves out reports whose reporter failed authentication, and its reference."""
    name = "kibanaSavedObjectMeta.searchSourceJSON.filter[0].meta.index"
    filter_ = {
        "$state": {"store": "appState"},
        "meta": {
            "alias": "reporter failed authentication",
            "disabled": False,
            "negate": True,
            "type": "phrase",
            "key": "report.authentication",
            "params": {"query": "fail"},
            "indexRefName": name,
        },
        "query": {"match_phrase": {"report.authentication": "fail"}},
    }
    return filter_, {"name": name, "type": "index-pattern", "id": pattern.id}


def dashboard(
    id_: str,
    title: str,
    description: str,
    rows: Sequence[tuple[int, Sequence[Panel]]],
    *,
    filtered: Pattern | None = None,
    since: str = "now-30d",
) -> Object:
    """A dashboard of rows: (height in units of 28 pixels, panels from left to right)."""
    panels, references = _placed(rows)
    source: Json = {"query": kuery(""), "filter": []}
    if filtered is not None:
        filter_, reference = not_failed(filtered)
        source["filter"].append(filter_)
        references.append(reference)
    attributes = {
        "title": title,
        "description": description,
        "hits": 0,
        "panelsJSON": dump(panels),
        "optionsJSON": dump({"hidePanelTitles": False, "useMargins": True}),
        "version": 1,
        "timeRestore": True,
        "timeFrom": since,
        "timeTo": "now",
        "refreshInterval": {"pause": True, "value": 0},
        "kibanaSavedObjectMeta": {"searchSourceJSON": dump(source)},
    }
    return saved("dashboard", id_, attributes, references)


def _placed(rows: Sequence[tuple[int, Sequence[Panel]]]) -> tuple[list[Json], list[Json]]:
    panels: list[Json] = []
    references: list[Json] = []
    top = 0
    for height, row in rows:
        left = 0
        for panel in row:
            number = str(len(panels) + 1)
            panels.append(
                {
                    "version": _PANEL_VERSION,
                    "panelIndex": number,
                    "gridData": {"x": left, "y": top, "w": panel.width, "h": height, "i": number},
                    "embeddableConfig": {} if panel.titled else {"hidePanelTitles": True},
                    "panelRefName": f"panel_{number}",
                }
            )
            references.append({"name": f"panel_{number}", "type": panel.object["type"], "id": panel.object["id"]})
            left += panel.width
        assert left == COLUMNS, f"a row of {left} columns"
        top += height
    return panels, references
