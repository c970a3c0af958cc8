"""What Dashboards would ask OpenSearch for a saved object, and the same figures counted in Python.

The requests follow the sources of OpenSearch Dashboards 2.11: data/common/search/aggs (core visualizations),
vis_type_timeseries/server/lib/vis_data (TSVB), input_control_vis, and the language of the search bar (kuery).
The counting knows nothing of OpenSearch: documents are flat dicts, as the program makes them.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

Json = dict[str, Any]
Doc = Mapping[str, Any]
Test = Callable[[Doc], bool]


class Query(NamedTuple):
    """A query, as OpenSearch takes it and as a test of a document."""

    dsl: Json
    holds: Test


# The language of the search bar, as far as our objects use it

_TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[():]|<=|>=|<|>|[^\s():<>"]+)')


def parse(text: str) -> Query:
    """A kuery. Raises AssertionError for what it does not know."""
    tokens = _TOKEN.findall(text)
    if not tokens:
        return Query({"match_all": {}}, lambda _: True)
    query = _either(tokens)
    assert not tokens, f"not understood in {text!r}: {tokens}"
    return query


def fields_of(text: str) -> set[str]:
    """The fields that a kuery names."""
    return set(re.findall(r"([\w.@]+)\s*(?::|<=|>=|<|>)", re.sub(r'"[^"]*"', "", text)))


def _either(tokens: list[str]) -> Query:
    parts = [_both(tokens)]
    while tokens and tokens[0] == "or":
        tokens.pop(0)
        parts.append(_both(tokens))
    return parts[0] if len(parts) == 1 else _any(parts)


def _any(parts: list[Query]) -> Query:
    dsl = {"bool": {"should": [one.dsl for one in parts], "minimum_should_match": 1}}
    return Query(dsl, lambda doc: any(one.holds(doc) for one in parts))


def _both(tokens: list[str]) -> Query:
    parts = [_term(tokens)]
    while tokens and tokens[0] == "and":
        tokens.pop(0)
        parts.append(_term(tokens))
    if len(parts) == 1:
        return parts[0]
    dsl = {"bool": {"filter": [one.dsl for one in parts]}}
    return Query(dsl, lambda doc: all(one.holds(doc) for one in parts))


def _term(tokens: list[str]) -> Query:
    word = tokens.pop(0)
    if word == "not":
        inner = _term(tokens)
        return Query({"bool": {"must_not": inner.dsl}}, lambda doc: not inner.holds(doc))
    if word == "(":
        inner = _either(tokens)
        assert tokens.pop(0) == ")"
        return inner
    operator = tokens.pop(0)
    if operator != ":":
        return _range(word, operator, float(tokens.pop(0)))
    if tokens[0] != "(":
        return _equals(word, tokens.pop(0))
    tokens.pop(0)
    choices = [_equals(word, tokens.pop(0))]
    while tokens.pop(0) == "or":
        choices.append(_equals(word, tokens.pop(0)))
    return _any(choices)


def _equals(field: str, word: str) -> Query:
    if word == "*":
        return Query({"exists": {"field": field}}, lambda doc: bool(values(doc, field)))
    value = word.strip('"')
    kind = "match_phrase" if word.startswith('"') else "match"
    return Query({kind: {field: value}}, lambda doc: value in map(_key, values(doc, field)))


def _range(field: str, operator: str, bound: float) -> Query:
    name = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}[operator]
    test: Callable[[float], bool] = {
        "<": lambda value: value < bound,
        "<=": lambda value: value <= bound,
        ">": lambda value: value > bound,
        ">=": lambda value: value >= bound,
    }[operator]
    return Query({"range": {field: {name: bound}}}, lambda doc: any(map(test, values(doc, field))))


# Documents


def values(doc: Doc, field: str) -> list[Any]:
    """The different values of a field, also of fields of objects in lists."""
    if field in doc:
        value = doc[field]
        return list(dict.fromkeys(value)) if isinstance(value, list) else [value]
    parent, _, name = field.partition(".")
    if isinstance(doc.get(parent), list):
        return list(dict.fromkeys(one[name] for one in doc[parent] if name in one))
    return []


def _key(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def moment(text: str) -> datetime:
    """A stored date."""
    return datetime.fromisoformat(text)


class Range(NamedTuple):
    """The time range of a dashboard; both ends belong to it."""

    start: datetime
    end: datetime

    def query(self, field: str) -> Query:
        """Documents in it."""
        bounds = {"gte": self.start.isoformat(), "lte": self.end.isoformat(), "format": "strict_date_optional_time"}
        dsl = {"range": {field: bounds}}
        return Query(dsl, lambda doc: any(self.start <= moment(one) <= self.end for one in values(doc, field)))


# What Dashboards asks


class Request(NamedTuple):
    """One search for a saved object: where, what, and which documents it is about."""

    pattern: str
    body: Json
    holds: Test
    part: Json  # what asked: the visualization's state, a series, a control, the attributes of a search


def requests(one: Json, patterns: Mapping[str, Json], filters: Iterable[Query], time: Range) -> Iterator[Request]:
    """All searches for a visualization or saved search on a dashboard with these filters. Texts ask nothing."""
    if one["type"] == "search":
        yield _search(one, patterns, filters, time)
        return
    state = json.loads(one["attributes"]["visState"])
    kind = state["type"]
    if kind == "markdown":
        return
    if kind == "metrics":
        ui = json.loads(one["attributes"]["uiStateJSON"])
        yield from _tsvb(state["params"] | {"ui": ui}, list(filters), time)
    elif kind == "vega":
        yield _vega(json.loads(state["params"]["spec"]), filters, time)
    elif kind == "input_control_vis":
        yield from _controls(one, state["params"], patterns, time)
    else:
        pattern = patterns[_reference(one, "kibanaSavedObjectMeta.searchSourceJSON.index")]
        query = _all([_own(one), time.query(pattern["timeFieldName"]), *filters])
        yield Request(pattern["title"], _body(query, _aggs(state["aggs"], pattern)), query.holds, state)


def _reference(one: Json, name: str) -> str:
    return str(next(found["id"] for found in one["references"] if found["name"] == name))


def _own(one: Json) -> Query:
    return parse(json.loads(one["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])["query"]["query"])


def _all(queries: Iterable[Query]) -> Query:
    parts = list(queries)
    return Query({"bool": {"filter": [one.dsl for one in parts]}}, lambda doc: all(one.holds(doc) for one in parts))


def _body(query: Query, aggs: Json) -> Json:
    return {"size": 0, "track_total_hits": True, "query": query.dsl, "aggs": aggs}


def _search(one: Json, patterns: Mapping[str, Json], filters: Iterable[Query], time: Range) -> Request:
    pattern = patterns[_reference(one, "kibanaSavedObjectMeta.searchSourceJSON.index")]
    query = _all([_own(one), time.query(pattern["timeFieldName"]), *filters])
    sort = [{field: {"order": order, "unmapped_type": "boolean"}} for field, order in one["attributes"]["sort"]]
    body = {"size": 10, "track_total_hits": True, "query": query.dsl, "sort": sort, "version": True}
    return Request(pattern["title"], body, query.holds, one["attributes"])


def _controls(one: Json, params: Json, patterns: Mapping[str, Json], time: Range) -> Iterator[Request]:
    for control in params["controls"]:
        pattern = patterns[_reference(one, control["indexPatternRefName"])]
        query = time.query(pattern["timeFieldName"])
        aggs = {"termsAgg": {"terms": {"field": control["fieldName"], "order": {"_count": "desc"}}}}
        yield Request(pattern["title"], _body(query, aggs), query.holds, control)


def _vega(spec: Json, filters: Iterable[Query], time: Range) -> Request:
    """`%context%` and `%timefield%` become the query (src/plugins/vis_type_vega, es_query_parser)."""
    url = spec["data"][0]["url"]
    assert url["%context%"] is True
    query = _all([time.query(url["%timefield%"]), *filters])
    return Request(url["index"], _body(query, url["body"]["aggs"]), query.holds, url["body"])


# Core visualizations


def _aggs(aggs: list[Json], pattern: Json) -> Json:
    """Buckets within each other, in their order; the metrics stand in the innermost, the one of an order in each."""
    metrics: Json = {}
    for agg in aggs:
        if agg["schema"] == "metric" and agg["type"] != "count":
            metrics |= _metric(agg)
    body = metrics
    for agg in reversed([one for one in aggs if one["schema"] != "metric"]):
        ordered = {name: one for name, one in metrics.items() if name == agg["params"].get("orderBy")}
        inside = ordered | body
        body = {agg["id"]: _bucket(agg, metrics, pattern) | ({"aggs": inside} if inside else {})}
    return body


def _metric(agg: Json) -> Json:
    params, id_ = agg["params"], agg["id"]
    if agg["type"] == "sum_bucket":
        bucket, inner = params["customBucket"], params["customMetric"]
        filters = {one["input"]["query"]: parse(one["input"]["query"]).dsl for one in bucket["params"]["filters"]}
        within = {} if inner["type"] == "count" else {"aggs": _metric(inner)}
        path = f"{bucket['id']}>{'_count' if inner['type'] == 'count' else inner['id']}"
        sibling = {bucket["id"]: {"filters": {"filters": filters}} | within}
        return sibling | {id_: {"sum_bucket": {"buckets_path": path}}}
    if agg["type"] == "median":
        return {id_: {"percentiles": {"field": params["field"], "percents": [50]}}}
    if agg["type"] == "top_hits":
        docvalues = [{"field": params["field"]}]
        sort = [{params["sortField"]: {"order": params["sortOrder"]}}]
        return {id_: {"top_hits": {"docvalue_fields": docvalues, "_source": params["field"], "size": 1, "sort": sort}}}
    return {id_: {agg["type"]: {"field": params["field"]}}}


def _bucket(agg: Json, metrics: Json, pattern: Json) -> Json:
    params = agg["params"]
    if agg["type"] == "geohash_grid":
        return {"geohash_grid": {"field": params["field"], "precision": params["precision"]}}
    if agg["type"] == "date_histogram":
        assert params["interval"] == "d"
        return {"date_histogram": {"field": params["field"], "calendar_interval": "1d", "min_doc_count": 1}}
    if agg["type"] == "filters":  # src/plugins/data/common/search/aggs/buckets/filters.ts: the label is the key
        return {"filters": {"filters": {one["label"]: parse(one["input"]["query"]).dsl for one in params["filters"]}}}
    assert agg["type"] == "terms"
    order = params["orderBy"] if params["orderBy"] in metrics else "_count"
    terms: Json = {"field": params["field"], "size": params["size"], "order": {order: params["order"]}}
    if params["missingBucket"] and field_type(pattern, params["field"]) == "string":
        terms["missing"] = "__missing__"
    return {"terms": terms | json.loads(params.get("json", "{}"))}


def field_type(pattern: Json, field: str) -> str:
    """What an index pattern says of a field."""
    return str(next(one["type"] for one in json.loads(pattern["fields"]) if one["name"] == field))


# TSVB


def _tsvb(params: Json, filters: list[Query], time: Range) -> Iterator[Request]:
    query = _all([time.query(params["time_field"]), _filter(params), *filters])
    if params["type"] == "table":
        yield Request(params["index_pattern"], _body(query, _pivot(params, time)), query.holds, params)
        return
    for series in params["series"]:
        own = _all([query, _filter(series)])
        aggs = {
            series["id"]: {"filter": _filter(series).dsl, "aggs": {"timeseries": _timeseries(params, series, time)}}
        }
        yield Request(params["index_pattern"], _body(own, aggs), own.holds, series)


def _filter(part: Json) -> Query:
    return parse(part.get("filter", {"query": ""})["query"])


def _timeseries(params: Json, series: Json, time: Range) -> Json:
    aggs = {name: one for metric in series["metrics"] for name, one in _tsvb_metric(metric).items()}
    if params.get("time_range_mode") == "entire_time_range":
        return {"auto_date_histogram": {"field": params["time_field"], "buckets": 1}, "aggs": aggs}
    bounds = {"min": int(time.start.timestamp() * 1000), "max": int(time.end.timestamp() * 1000)}
    by_day = {
        "field": params["time_field"],
        "calendar_interval": params["interval"].removeprefix(">="),  # of a month, `auto` would be less than a day
        "min_doc_count": 0,
        "time_zone": "UTC",
        "extended_bounds": bounds,
    }
    return {"date_histogram": by_day, "aggs": aggs}


def _tsvb_metric(metric: Json) -> Json:
    id_ = metric["id"]
    if metric["type"] == "math":
        return {}
    if metric["type"] == "count":
        script = {"source": "count * 1", "lang": "expression"}
        return {id_: {"bucket_script": {"buckets_path": {"count": "_count"}, "script": script, "gap_policy": "skip"}}}
    if metric["type"] == "percentile":
        percents = [one["value"] for one in metric["percentiles"]]
        return {id_: {"percentiles": {"field": metric["field"], "percents": percents}}}
    if metric["type"] == "filter_ratio":
        inner = {"metric": {metric["metric_agg"]: {"field": metric["field"]}}}
        ends: Json = {
            f"{id_}-{end}": {"filter": parse(metric[end]["query"]).dsl, "aggs": inner}
            for end in ("numerator", "denominator")
        }
        paths = {end: f"{id_}-{end}>metric" for end in ("numerator", "denominator")}
        share = (
            "params.numerator != null && params.denominator != null && params.denominator > 0"
            " ? params.numerator / params.denominator : 0"
        )
        return ends | {id_: {"bucket_script": {"buckets_path": paths, "script": share}}}
    return {id_: {metric["type"]: {"field": metric["field"]}}}


def _pivot(params: Json, time: Range) -> Json:
    series = params["series"]
    sorting = next(one for one in series if one["id"] == params["ui"]["table"]["sort"]["column"])["metrics"][-1]
    assert sorting["type"] == "sum", "TSVB orders its rows by simple metrics only"
    key = f"{sorting['id']}-SORT"
    terms = {"field": params["pivot_id"], "size": params["pivot_rows"], "order": {key: "desc"}}
    aggs: Json = {key: {"sum": {"field": sorting["field"]}}}
    for one in series:
        aggs[one["id"]] = {"filter": {"match_all": {}}, "aggs": {"timeseries": _timeseries(params, one, time)}}
    return {"pivot": {"terms": terms, "aggs": aggs}}


def day(text: str) -> int:
    """The key of a day's bucket: milliseconds of its begin, UTC."""
    whole = moment(text).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return int(whole.timestamp() * 1000)


def days_of(time: Range) -> list[int]:
    """The keys of the days that a range touches."""
    first = day(time.start.isoformat())
    number = (day(time.end.isoformat()) - first) // 86_400_000
    return [first + step * 86_400_000 for step in range(number + 1)]
