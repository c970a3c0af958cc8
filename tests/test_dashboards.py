"""The dashboards: sound as saved objects, true to the templates, and every panel's figures right on a real node."""

import json
import re
import secrets
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from email_report_processor.cluster import saved_objects
from email_report_processor.documents.classify import AGGREGATE_RULES, CLASSES, FAILURE_RULES, RAW
from email_report_processor.documents.datasets import BY_NAME
from email_report_processor.documents.encode import encode
from email_report_processor.documents.layout import index_of
from email_report_processor.pages.example import weeks
from email_report_processor.pages.fixing import turn_of
from email_report_processor.reports.reading import read_message
from email_report_processor.stores import templates
from email_report_processor.values.fields import Fields
from tests import panels
from tests.conftest import REPOSITORY
from tests.logins.month import month_of_logins
from tests.nodes import Node
from tools.dashboards.__main__ import DASHBOARDS, files

Json = dict[str, Any]
FOLDER = REPOSITORY / "contrib/dashboards"
NAMES = [one.NAME for one in DASHBOARDS]
ALL = saved_objects.parse((FOLDER / "all.ndjson").read_bytes())
BY_ID = {one["id"]: one for one in ALL}
PATTERNS = {one["id"]: one["attributes"] for one in ALL if one["type"] == "index-pattern"}
BOARDS = [one for one in ALL if one["type"] == "dashboard"]

# Newer is refused by the versions that we promise, older is migrated.
MIGRATIONS = {"index-pattern": "7.6.0", "search": "7.9.3", "visualization": "7.10.0", "dashboard": "7.9.3"}


def state_of(one: Json) -> Json:
    state: Json = json.loads(one["attributes"]["visState"])
    return state


def is_text(one: Json) -> bool:
    return bool(state_of(one)["type"] == "markdown")


def asks(one: Json) -> bool:
    """Whether it shows data: no dashboard, no index pattern, no text."""
    return bool(one["type"] == "search") or (one["type"] == "visualization" and not is_text(one))


ASKING = [one for one in ALL if asks(one)]


# As saved objects


@pytest.mark.parametrize("name", [*NAMES, "all"])
def test_the_files_are_what_their_sources_generate(name: str) -> None:
    assert (FOLDER / f"{name}.ndjson").read_bytes() == files()[f"{name}.ndjson"], "run: python -m tools.dashboards"


def test_ids_are_unique_and_all_repeats_the_others() -> None:
    each = [saved_objects.parse((FOLDER / f"{name}.ndjson").read_bytes()) for name in NAMES]
    together = [one for found in each for one in found]
    assert [one["id"] for one in together] == list(dict.fromkeys(one["id"] for one in together))
    assert together == ALL
    assert all(one["id"].startswith("email-report") for one in ALL)


@pytest.mark.parametrize("name", NAMES)
def test_references_end_within_their_file(name: str) -> None:
    found = saved_objects.parse((FOLDER / f"{name}.ndjson").read_bytes())
    here = {(one["type"], one["id"]) for one in found}
    for one in found:
        assert {(to["type"], to["id"]) for to in one["references"]} <= here, one["id"]
        names = [to["name"] for to in one["references"]]
        assert len(names) == len(set(names)), one["id"]
        used = set(re.findall(r'(?:RefName)\\*":\\*"([^"\\]+)', json.dumps(one)))
        assert used == set(names), one["id"]


@pytest.mark.parametrize("one", ALL, ids=lambda one: one["id"])
def test_an_object_has_the_shape_of_its_type(one: Json) -> None:
    assert set(one) == {"attributes", "id", "migrationVersion", "references", "type"}
    assert one["migrationVersion"] == {one["type"]: MIGRATIONS[one["type"]]}
    for key, value in one["attributes"].items():
        if key.endswith("JSON") or key in {"visState", "fields", "fieldFormatMap"}:
            json.loads(value)


@pytest.mark.parametrize("board", BOARDS, ids=lambda one: one["id"])
def test_the_first_screen_is_full_and_answers(board: Json) -> None:
    """1500 x 900 leaves 25 units of 28 pixels below the bars of Dashboards (2.11, measured)."""
    placed = json.loads(board["attributes"]["panelsJSON"])
    names = {to["name"]: to["id"] for to in board["references"]}
    first = [one for one in placed if one["gridData"]["y"] < 25]
    assert all(one["gridData"]["y"] + one["gridData"]["h"] <= 25 for one in first)
    assert sum(one["gridData"]["w"] * one["gridData"]["h"] for one in first) == 48 * 25
    kinds = [BY_ID[names[one["panelRefName"]]] for one in first]
    types = {state_of(one)["type"] for one in kinds}
    assert {"metric", "markdown", "table"} <= types
    assert types & {"metrics", "histogram"}
    assert board["attributes"]["timeRestore"] is True
    assert not {"tile_map", "region_map"} & types, "no answer may stand on a map"


@pytest.mark.parametrize("board", BOARDS, ids=lambda one: one["id"])
def test_a_text_leads_to_the_other_dashboards(board: Json) -> None:
    texts = "".join(
        state_of(BY_ID[to["id"]])["params"].get("markdown", "")
        for to in board["references"]
        if to["type"] == "visualization"
    )
    others = {one["id"] for one in BOARDS} - {board["id"]}
    assert set(re.findall(r"\(#/view/([\w-]+)\)", texts)) == others
    assert set(re.findall(r"\(discover#/view/([\w-]+)\)", texts)) <= {
        one["id"] for one in ALL if one["type"] == "search"
    }


def in_pixels(columns: int, window: int = 1280) -> float:
    """The width inside of a panel: 8 pixels between panels and on each side, 15 of a scroll bar, 16 of padding."""
    return (window - 15 - 8) * columns / 48 - 8 - 16


def panels_of(board: Json) -> Iterator[tuple[Json, int]]:
    """(object, width in columns) of every visualization of a dashboard."""
    names = {to["name"]: to["id"] for to in board["references"]}
    for one in json.loads(board["attributes"]["panelsJSON"]):
        if BY_ID[names[one["panelRefName"]]]["type"] == "visualization":
            yield BY_ID[names[one["panelRefName"]]], one["gridData"]["w"]


@pytest.mark.parametrize("board", BOARDS, ids=lambda one: one["id"])
def test_tables_and_controls_fit_into_a_narrow_window(board: Json) -> None:
    """EuiDataGrid gives columns without a width what is left, and 100 pixels at least; a control has 250 and gaps."""
    for one, columns in panels_of(board):
        state = state_of(one)
        if state["type"] == "table":
            looks = json.loads(one["attributes"]["uiStateJSON"]).get("vis", {}).get("columnsWidth", [])
            needed = sum(look["width"] for look in looks) + 100 * (len(state["aggs"]) - len(looks))
            assert needed <= in_pixels(columns), one["id"]
        if state["type"] == "input_control_vis":
            assert 274 * len(state["params"]["controls"]) - 24 <= in_pixels(columns), one["id"]


def luminance(colour: str) -> float:
    """WCAG 2.1, relative luminance."""
    shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_what_stands_on_a_coloured_tile_can_be_read() -> None:
    """4.5:1 (WCAG 2.1, 1.4.3). What TSVB itself would write there, in a half transparent colour, is blank."""
    tiles = [state_of(one)["params"] for one in ASKING if one["type"] == "visualization"]
    tiles = [one for one in tiles if one.get("type") == "metric" and "series" in one]
    assert len(tiles) >= 4
    for tile in tiles:
        assert [one["label"].strip() for one in tile["series"]] == [""]
        for rule in tile["background_color_rules"]:
            light, dark = luminance(rule["color"]) + 0.05, luminance(rule["background_color"]) + 0.05
            assert light / dark >= 4.5, rule


def test_no_legend_shows_a_value_of_today() -> None:
    lines = [state_of(one)["params"] for one in ASKING if one["type"] == "visualization"]
    lines = [one for one in lines if one.get("type") == "timeseries"]
    assert lines
    assert all(one["show_legend"] == 0 for one in lines)


def test_every_class_of_failures_has_a_saved_search() -> None:
    queries = {
        json.loads(one["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])["query"]["query"]
        for one in ALL
        if one["type"] == "search"
    }
    assert {f'class: "{rule.class_}"' for rule in FAILURE_RULES} <= queries


def test_classes_and_rules_have_their_sentences() -> None:
    for pattern in ("email-report-dmarc-aggregate", "email-report-feedback"):
        formats = json.loads(PATTERNS[pattern]["fieldFormatMap"])
        entries = {
            name: {one["key"] for one in formats[name]["params"]["lookupEntries"]} for name in ("class", "class_rule")
        }
        assert entries["class"] == set(CLASSES)
        assert entries["class_rule"] == {
            *(rule.name for rule in (*AGGREGATE_RULES, *FAILURE_RULES)),
            *(f"{rule.name}{RAW}" for rule in AGGREGATE_RULES),
        }


@pytest.mark.parametrize("board", BOARDS, ids=lambda one: one["id"])
def test_forged_reports_are_left_out_where_mail_is_counted(board: Json) -> None:
    filters = filters_of(board)
    assert bool(filters) is (board["id"].removeprefix("email-report-dashboard-") not in {"intake-health", "logins"})
    assert all(not one.holds({"report.authentication": "fail"}) and one.holds({}) for one in filters)


# Fields

_NUMBERS = {"long", "integer"}
_ALLOWED = {
    "sum": _NUMBERS, "median": _NUMBERS, "percentile": _NUMBERS, "filter_ratio": _NUMBERS,
    "min": {*_NUMBERS, "date"}, "max": {*_NUMBERS, "date"},
    "geohash_grid": {"geo_point"}, "time": {"date"}, "date_histogram": {"date"},
    "terms": {"keyword", "ip", "boolean", *_NUMBERS}, "cardinality": {"keyword", "ip", *_NUMBERS},
    "list": {"keyword", "ip"}, "top_hits": {"keyword", "ip", "date", "boolean", *_NUMBERS},
}  # fmt: skip


def mapping_of(title: str) -> dict[str, str]:
    """Field -> type in every index of a pattern."""
    found: list[dict[str, str]] = []
    for part in title.split(","):
        dataset = part.removeprefix(saved_objects.PREFIX).removesuffix("-*")
        found.append({name: one["type"] for name, one in templates.mapped_fields(BY_NAME[dataset]).items()})
    assert all(one == found[0] for one in found)
    return found[0]


def uses(value: Any) -> Iterator[tuple[str, str]]:
    """(field, use) of every aggregation in a visualization's state."""
    if isinstance(value, list):
        for one in value:
            yield from uses(one)
    elif isinstance(value, dict):
        if "pivot_id" in value:
            yield value["pivot_id"], "terms"
        if "time_field" in value:
            yield value["time_field"], "time"
        if "fieldName" in value:
            yield value["fieldName"], value["type"]
        params = value.get("params", value)
        if isinstance(params, dict) and "field" in params and value.get("type") in _ALLOWED:
            yield params["field"], value["type"]
            yield from ((params[key], "top_hits") for key in ("sortField",) if key in params)
        for one in value.values():
            yield from uses(one)


def queries(value: Any) -> Iterator[str]:
    """Every query in a state."""
    if isinstance(value, list):
        for one in value:
            yield from queries(one)
    elif isinstance(value, dict):
        if value.get("language") == "kuery":
            yield value["query"]
        for one in value.values():
            yield from queries(one)


def pattern_of(one: Json) -> Json:
    """The index pattern of an object; TSVB names it by its title."""
    ids = [to["id"] for to in one["references"] if to["type"] == "index-pattern"]
    params = state_of(one)["params"] if one["type"] == "visualization" else {}
    if "spec" in params:
        title = json.loads(params["spec"])["data"][0]["url"]["index"]
    else:
        title = PATTERNS[ids[0]]["title"] if ids else params["index_pattern"]
    found: Json = next(pattern for pattern in PATTERNS.values() if pattern["title"] == title)
    return found


@pytest.mark.parametrize("one", ASKING, ids=lambda one: one["id"])
def test_every_field_is_in_the_mapping_and_fit_for_its_use(one: Json) -> None:
    mapping = mapping_of(pattern_of(one)["title"])
    source = json.loads(one["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])
    state = state_of(one) if one["type"] == "visualization" else {}
    found = list(uses(state))
    assert found or one["type"] == "search" or state["type"] in {"metric", "vega"}
    for field, use in found:
        assert mapping[field] in _ALLOWED[use], f"{use} of {field}"
    named = {field for text in (*queries(state), *queries(source)) for field in panels.fields_of(text)}
    if one["type"] == "search":
        named |= {*one["attributes"]["columns"], *(field for field, _ in one["attributes"]["sort"])}
    assert named - {"_index"} <= mapping.keys()


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=lambda one: one["title"])
def test_an_index_pattern_knows_the_fields_of_the_template(pattern: Json) -> None:
    mapping = mapping_of(pattern["title"])
    listed = {one["name"]: one for one in json.loads(pattern["fields"])}
    assert {name for name in listed if not name.startswith("_")} == mapping.keys()
    assert {name: one["esTypes"] for name, one in listed.items() if name in mapping} == {
        name: [type_] for name, type_ in mapping.items()
    }
    assert json.loads(pattern["fieldFormatMap"]).keys() <= mapping.keys()
    assert mapping[pattern["timeFieldName"]] == "date"


# Another prefix


def test_our_prefix_changes_nothing() -> None:
    assert saved_objects.with_prefix(ALL, saved_objects.PREFIX) == ALL


def test_another_prefix_moves_every_pattern() -> None:
    moved = saved_objects.with_prefix(ALL, "post-")
    text = saved_objects.write(moved).decode()
    assert not re.findall(rf"{saved_objects.PREFIX}(?:{'|'.join(BY_NAME)})-", text)
    assert [(one["type"], one["id"], one["references"]) for one in moved] == [
        (one["type"], one["id"], one["references"]) for one in ALL
    ]
    titles = {one["attributes"]["title"] for one in moved if one["type"] == "index-pattern"}
    assert titles == {
        "post-dmarc-aggregate-*",
        "post-dmarc-failure-*,post-arf-*",
        "post-smtp-tls-*",
        "post-report-*",
        "post-mail-login-*",
    }
    assert saved_objects.with_prefix(moved, "other-") == moved, "what is not ours stays"


def test_vega_moves_too() -> None:
    spec = {"data": {"url": {"index": "email-report-smtp-tls-*,logs-*", "body": {"size": 0}}}}
    vega = {"type": "visualization", "attributes": {"visState": json.dumps({"params": {"spec": json.dumps(spec)}})}}
    moved = saved_objects.with_prefix([vega], "post-")[0]
    assert json.loads(state_of(moved)["params"]["spec"])["data"]["url"]["index"] == "post-smtp-tls-*,logs-*"


def test_an_export_of_dashboards_can_be_read() -> None:
    assert saved_objects.parse(b'{"id":"a"}\n\n{"exportedCount":1}\n') == [{"id": "a"}]


def test_what_is_imported_is_what_is_here() -> None:
    assert saved_objects.read() == (FOLDER / "all.ndjson").read_bytes()
    assert b"post-dmarc-aggregate-*" in saved_objects.read("post-")


def test_without_the_files_the_error_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved_objects, "_FOLDERS", (tmp_path,))
    with pytest.raises(FileNotFoundError, match="dashboards are not installed"):
        saved_objects.read()


# Documents about them

_NAMED = (
    "What to fix", "Pass rate by From domain", "Who sends in my name", "Published policies", "What failed",
    "Failed and delivered", "Sessions over TLS", "At which of my MX", "Sender not checked", "First seen",
)  # fmt: skip


def test_the_page_for_readers_speaks_of_every_class_and_panel_it_names() -> None:
    page = (REPOSITORY / "docs/reading-the-dashboards.md").read_text()
    assert {name for name in CLASSES if f"`{name}`" not in page} == {"aligned"}, "nothing to do about it"
    titles = " ".join(one["attributes"]["title"] for one in ALL) + "".join(map(json.dumps, ALL))
    for panel in _NAMED:
        assert f"*{panel}*" in page
        assert panel in titles


def test_each_dashboard_has_its_file_and_its_picture_in_the_readme() -> None:
    readme = (FOLDER / "README.md").read_text()
    for name in NAMES:
        assert f"`{name}.ndjson`" in readme
        if name == "logins":  # made where there was no OpenSearch Dashboards to take a picture of
            continue
        picture = REPOSITORY / f"docs/images/dashboard-{name}.png"
        assert f"docs/images/{picture.name}" in readme
        assert picture.read_bytes()[16:24] == (1500).to_bytes(4) + (900).to_bytes(4), "the first screen"
        assert picture.stat().st_size < 300_000


# On a node


class Indexed(NamedTuple):
    """A node that holds documents, and the documents."""

    node: Node
    prefix: str
    documents: list[tuple[str, Fields]]  # index, fields

    def of(self, pattern: str) -> list[Fields]:
        """The documents of an index pattern, with their index."""
        starts = tuple(one.removesuffix("*") for one in pattern.split(","))
        return [fields | {"_index": index} for index, fields in self.documents if index.startswith(starts)]

    def ask(self, request: panels.Request) -> Json:
        """The answer, which has to be 200."""
        answer: Json = self.node.ask("POST", f"/{request.pattern}/_search", request.body)
        assert answer["_shards"]["failed"] == 0
        return answer

    @property
    def objects(self) -> dict[str, Json]:
        """The saved objects for its prefix."""
        return {one["id"]: one for one in saved_objects.with_prefix(ALL, self.prefix)}

    @property
    def patterns(self) -> dict[str, Json]:
        return {id_: one["attributes"] for id_, one in self.objects.items() if one["type"] == "index-pattern"}


def fill(node: Node, prefix: str, documents: Iterable[tuple[str, str, Fields]]) -> Indexed:
    """Store (index, id, fields) under templates that refuse unknown fields."""
    for request in templates.requests(prefix, strict=True):
        node.ask(request.method, request.path, request.body)
    stored = {(index, id_): fields for index, id_, fields in documents}
    lines = [
        json.dumps({"create": {"_index": index, "_id": id_}}).encode() + b"\n" + encode(fields) + b"\n"
        for (index, id_), fields in stored.items()
    ]
    for begin in range(0, len(lines), 2000):
        answer = node.ask("POST", "/_bulk?refresh=true", b"".join(lines[begin : begin + 2000]))
        assert not answer["errors"], next(one for one in answer["items"] if one["create"]["status"] >= 300)
    return Indexed(node, prefix, [(index, fields) for (index, _), fields in stored.items()])


LAST = datetime(2026, 11, 20, tzinfo=UTC)
TIME = panels.Range(LAST - timedelta(days=25, hours=3), LAST + timedelta(days=3))


@pytest.fixture(scope="module")
def made(node: Node) -> Iterator[Indexed]:
    """Five weeks of made-up reports."""
    prefix = f"erp-test-{secrets.token_hex(5)}-"
    made_up: Iterable[tuple[str, str, Fields]] = chain((one[:3] for one in weeks(LAST)), month_of_logins(LAST))
    documents = (
        (index_of(str(fields.get("report.begin", fields["@timestamp"])), "2026-11-22T00:00:00Z", prefix=prefix,
                  dataset=dataset, granularity="month", months_since=2024), id_, fields)
        for dataset, id_, fields in made_up
    )  # fmt: skip
    try:
        yield fill(node, prefix, documents)
    finally:
        node.wipe(prefix)


def filters_of(board: Json) -> list[panels.Query]:
    """The filters that a dashboard opens with; ours are all of one kind."""
    source = json.loads(board["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])
    found = []
    for filter_ in source["filter"]:
        assert filter_["meta"]["negate"] is True
        assert filter_["meta"]["disabled"] is False
        [(field, value)] = filter_["query"]["match_phrase"].items()
        dsl = {"bool": {"must_not": [filter_["query"]]}}
        without = panels.parse(f'not {field}: "{value}"')
        found.append(panels.Query(dsl, without.holds))
    return found


def board_of(one: Json) -> Json:
    """The dashboard that shows an object; saved searches of a class stand on none."""
    for board in BOARDS:
        if one["id"] in {to["id"] for to in board["references"]}:
            return board
    assert one["type"] == "search"
    return BY_ID["email-report-dashboard-failures"]


@pytest.mark.parametrize("id_", [one["id"] for one in ASKING])
def test_a_panel_shows_the_right_figures(made: Indexed, id_: str) -> None:
    one = made.objects[id_]
    asked = list(panels.requests(one, made.patterns, filters_of(board_of(one)), TIME))
    assert asked
    figures = 0
    for request in asked:
        matching = [doc for doc in made.of(request.pattern) if request.holds(doc)]
        figures += compare(one, request, made.ask(request), matching)
    assert figures > 0, "no figure was compared"


def compare(one: Json, request: panels.Request, answer: Json, docs: list[Fields]) -> int:
    """Compare an answer with the documents; the number of figures that were compared."""
    assert answer["hits"]["total"]["value"] == len(docs)
    if one["type"] == "search":
        return 1
    kind = state_of(one)["type"]
    if kind == "input_control_vis":
        return compare_control(request.part, answer, docs)
    if kind == "vega":
        return compare_map(answer["aggregations"]["countries"]["buckets"], docs)
    if kind == "metrics":
        return compare_tsvb(request.part, state_of(one)["params"], answer["aggregations"], docs)
    return compare_rows(request.part["aggs"], answer.get("aggregations", {}), docs, len(docs))


def compare_map(buckets: list[Json], docs: list[Fields]) -> int:
    placed: dict[str, Counter[str]] = {}
    for doc in docs:
        if "source.geo.country_iso_code" in doc:
            counts = placed.setdefault(doc["source.geo.country_iso_code"], Counter())
            counts["messages"] += doc["count"]
            counts["failed"] += doc["count"] if doc["dmarc.result"] == "fail" else 0
    found = {one["key"]: (one["messages"]["value"], one["failed"]["messages"]["value"]) for one in buckets}
    assert found == {code: (counts["messages"], counts["failed"]) for code, counts in placed.items()}
    return len(found)


def compare_control(control: Json, answer: Json, docs: list[Fields]) -> int:
    counted = Counter(value for doc in docs for value in panels.values(doc, control["fieldName"]))
    buckets = answer["aggregations"]["termsAgg"]["buckets"]
    assert {one["key"]: one["doc_count"] for one in buckets}.items() <= counted.items()
    assert len(buckets) == min(10, len(counted))
    return len(buckets)


# Core visualizations: every row of every table


def compare_rows(aggs: list[Json], found: Json, docs: list[Fields], count: int) -> int:
    buckets = [one for one in aggs if one["schema"] != "metric"]
    if not buckets:
        return sum(compare_metric(agg, found, docs, count) for agg in aggs)
    if buckets[0]["type"] == "geohash_grid":
        placed = [doc for doc in docs if "source.geo.location" in doc]
        cells = found[buckets[0]["id"]]["buckets"]
        assert sum(cell["1"]["value"] for cell in cells) == sum(doc["count"] for doc in placed)
        return len(cells)
    agg, rest = buckets[0], [one for one in aggs if one is not buckets[0]]
    if agg["type"] == "filters":
        return compare_filters(agg, rest, found[agg["id"]]["buckets"], docs)
    groups = by_day(agg, docs) if agg["type"] == "date_histogram" else grouped(agg, docs)
    rows = found[agg["id"]]["buckets"]
    assert len(rows) == min(agg["params"].get("size", len(groups)), len(groups))
    figures = 0
    for row in rows:
        inside = groups[row["key"] if agg["type"] == "date_histogram" else row.get("key_as_string", row["key"])]
        assert row["doc_count"] == len(inside)
        figures += compare_rows(rest, row, inside, len(inside))
    return figures


def compare_filters(agg: Json, rest: list[Json], found: Json, docs: list[Fields]) -> int:
    """Each filter's own bucket, named by its label."""
    queries = {one["label"]: panels.parse(one["input"]["query"]) for one in agg["params"]["filters"]}
    assert found.keys() == queries.keys()
    figures = 0
    for label, query in queries.items():
        inside = [doc for doc in docs if query.holds(doc)]
        assert found[label]["doc_count"] == len(inside)
        figures += compare_rows(rest, found[label], inside, len(inside))
    return figures


def by_day(agg: Json, docs: list[Fields]) -> dict[Any, list[Fields]]:
    """Documents by the key of their day."""
    groups: dict[Any, list[Fields]] = defaultdict(list)
    for doc in docs:
        groups[panels.day(doc[agg["params"]["field"]])].append(doc)
    return groups


def grouped(agg: Json, docs: list[Fields]) -> dict[Any, list[Fields]]:
    """Documents by the values of a terms aggregation; a document with several values is in several groups."""
    params = agg["params"]
    advice = json.loads(params.get("json", "{}"))
    groups: dict[Any, list[Fields]] = defaultdict(list)
    for doc in docs:
        found = panels.values(doc, params["field"])
        if not found and params["missingBucket"]:
            found = ["__missing__"]
        elif not found and "missing" in advice:
            found = [advice["missing"]]
        for value in found:
            groups[str(value).lower() if isinstance(value, bool) else value].append(doc)
    return {key: inside for key, inside in groups.items() if len(inside) >= advice.get("min_doc_count", 1)}


def compare_metric(agg: Json, found: Json, docs: list[Fields], count: int) -> int:
    params = agg["params"]
    if agg["type"] == "count":
        assert count == len(docs)
        return 1
    answer = found[agg["id"]]
    if agg["type"] == "sum_bucket":
        inside = [
            doc
            for doc in docs
            if panels.parse(params["customBucket"]["params"]["filters"][0]["input"]["query"]).holds(doc)
        ]
        field = params["customMetric"]["params"].get("field")
        assert answer["value"] == (sum(doc.get(field, 0) for doc in inside) if field else len(inside))
        return 1
    if agg["type"] == "top_hits":
        newest = max(docs, key=lambda doc: doc[params["sortField"]])
        found_ = answer["hits"]["hits"][0].get("fields", {}).get(params["field"], [])
        assert found_ == sorted(panels.values(newest, params["field"]))
        return 1
    every = [value for doc in docs for value in panels.values(doc, params["field"])]
    if agg["type"] == "median":
        return compare_median(answer["values"]["50.0"], every)
    if agg["type"] == "cardinality":
        assert answer["value"] == len(set(every))
        return 1
    if agg["type"] != "sum":  # of dates: milliseconds
        every = [panels.moment(value).timestamp() * 1000 if isinstance(value, str) else value for value in every]
        assert answer["value"] == ((min if agg["type"] == "min" else max)(every) if every else None)
        return 1
    assert answer["value"] == sum(every)
    return 1


def compare_median(found: float | None, every: list[int]) -> int:
    """The node estimates: between the values beside the middle."""
    if not every:
        assert found is None
        return 0
    ordered, middle = sorted(every), len(every) // 2
    assert found is not None
    assert ordered[max(0, middle - 2)] <= found <= ordered[min(len(ordered) - 1, middle + 2)]
    return 1


# TSVB


def compare_tsvb(part: Json, panel: Json, found: Json, docs: list[Fields]) -> int:
    if panel["type"] == "table":
        return compare_pivot(panel, found["pivot"]["buckets"], docs)
    buckets = found[part["id"]]["timeseries"]["buckets"]
    if panel.get("time_range_mode") == "entire_time_range":
        assert len(buckets) == 1
        return compare_series(part, buckets[0], docs)
    assert [one["key"] for one in buckets] == panels.days_of(TIME)
    by_day: dict[int, list[Fields]] = defaultdict(list)
    for doc in docs:
        by_day[panels.day(doc[panel["time_field"]])].append(doc)
    return sum(compare_series(part, one, by_day[one["key"]]) for one in buckets)


def compare_pivot(panel: Json, rows: list[Json], docs: list[Fields]) -> int:
    groups: dict[str, list[Fields]] = defaultdict(list)
    for doc in docs:
        for value in panels.values(doc, panel["pivot_id"]):
            groups[value].append(doc)
    assert len(rows) == min(int(panel["pivot_rows"]), len(groups))
    figures = 0
    for row in rows:
        for series in panel["series"]:
            [bucket] = row[series["id"]]["timeseries"]["buckets"]
            figures += compare_series(series, bucket, groups[row["key"]])
    return figures


def compare_series(series: Json, bucket: Json, docs: list[Fields]) -> int:
    """Each metric of a series in one bucket."""
    assert bucket["doc_count"] == len(docs)
    figures = 0
    for metric in series["metrics"]:
        if metric["type"] == "sum":
            assert bucket[metric["id"]]["value"] == sum(doc.get(metric["field"], 0) for doc in docs)
        elif metric["type"] == "count":
            assert bucket.get(metric["id"], {"value": 0})["value"] == len(docs)
        elif metric["type"] == "filter_ratio":
            assert bucket.get(metric["id"], {"value": None})["value"] == ratio(metric, docs)
        elif metric["type"] == "percentile":
            every = sorted(doc[metric["field"]] for doc in docs if metric["field"] in doc)
            value = next(iter(bucket[metric["id"]]["values"].values()))
            assert value is None or every[0] <= value <= every[-1]
            if metric["percentiles"][0]["value"] == 50:
                compare_median(value, every)
        else:
            assert metric["type"] == "math", "Dashboards works it out"
        figures += 1
    return figures


def ratio(metric: Json, docs: list[Fields]) -> float | None:
    part, whole = (
        sum(doc[metric["field"]] for doc in docs if panels.parse(metric[end]["query"]).holds(doc))
        for end in ("numerator", "denominator")
    )
    return None if not docs else part / whole if whole else 0.0


# The answers that people come for, counted without any of the above


def answer_of(made: Indexed, id_: str, part: int = 0) -> Json:
    one = made.objects[id_]
    asked = list(panels.requests(one, made.patterns, filters_of(board_of(one)), TIME))
    found: Json = made.ask(asked[part])["aggregations"]
    return found


def rows_of(made: Indexed, dataset: str) -> list[Fields]:
    start, end = (one.strftime("%Y-%m-%dT%H:%M:%SZ") for one in TIME)
    return [
        doc
        for index, doc in made.documents
        if f"{dataset}-" in index and start <= doc["@timestamp"] <= end and doc["report.authentication"] != "fail"
    ]


def test_messages_and_pass_rate(made: Indexed) -> None:
    rows = rows_of(made, "dmarc-aggregate")
    passed = sum(row["count"] for row in rows if "pass" in (row["policy_evaluated.dkim"], row["policy_evaluated.spf"]))
    messages = sum(row["count"] for row in rows)
    assert messages > len(rows) > 0, "a message is no document"
    assert answer_of(made, "email-report-mail-totals")["1"]["value"] == messages
    [bucket] = answer_of(made, "email-report-mail-pass-rate")["rate"]["timeseries"]["buckets"]
    assert bucket["share"]["value"] == passed / messages


def test_what_to_fix_is_ordered_by_messages_and_leaves_out_what_needs_nothing(made: Indexed) -> None:
    counted: Counter[str] = Counter()
    for row in rows_of(made, "dmarc-aggregate"):
        counted[row["class"]] += row["count"]
    for name, turns in {
        "to-fix": {"fix"},
        "to-judge": {"decide", "improve", "watch"},
        "nothing-to-do": {"none"},
    }.items():
        table = state_of(made.objects[f"email-report-mail-{name}"])["aggs"]
        by_class = next(agg["id"] for agg in table if agg["type"] == "terms")
        buckets = answer_of(made, f"email-report-mail-{name}")[by_class]["buckets"]
        expected = Counter({class_: number for class_, number in counted.items() if turn_of(class_) in turns})
        assert [(one["key"], one["1"]["value"]) for one in buckets] == expected.most_common()


@pytest.mark.parametrize("zone", ["-12:00", "America/Los_Angeles", "UTC", "Asia/Tokyo", "+11:00"])
def test_bars_stand_on_the_day_of_the_report_wherever_one_looks(made: Indexed, zone: str) -> None:
    counted: Counter[str] = Counter()
    for row in rows_of(made, "dmarc-aggregate"):
        counted[row["report.begin"][:10]] += row["count"] if row["dmarc.result"] == "fail" else 0
    one = made.objects["email-report-mail-over-time"]
    request = next(
        asked
        for asked in panels.requests(one, made.patterns, filters_of(board_of(one)), TIME)
        if asked.part["id"] == "fail"
    )
    lines = request.body["aggs"]["fail"]["aggs"]["timeseries"]
    lines["date_histogram"] |= {"time_zone": zone, "format": "yyyy-MM-dd"}
    buckets = made.ask(request)["aggregations"]["fail"]["timeseries"]["buckets"]
    found = {bucket["key_as_string"]: bucket["sum"]["value"] for bucket in buckets if bucket["sum"]["value"]}
    assert found == {day: messages for day, messages in counted.items() if messages}


def test_a_session_counts_once(made: Indexed) -> None:
    """Policies and their details are documents of one index: only the policies hold sessions."""
    rows = rows_of(made, "smtp-tls")
    good = sum(row["sessions.successful"] for row in rows if row["tls.record"] == "policy")
    assert answer_of(made, "email-report-tls-totals")["1"]["value"] == good
    assert any(row["tls.record"] == "failure" for row in rows)


def test_unsigned_mail_shows_as_unsigned(made: Indexed) -> None:
    unsigned = sum(row["count"] for row in rows_of(made, "dmarc-aggregate") if "auth_results.dkim" not in row)
    assert unsigned > 0
    bucket = next(
        one for one in answer_of(made, "email-report-mail-dkim")["2"]["buckets"] if one["key"] == "__missing__"
    )
    assert bucket["1"]["value"] == unsigned
    params = state_of(BY_ID["email-report-mail-dkim"])["aggs"][1]["params"]
    assert params["missingBucketLabel"] == "unsigned"


def test_what_there_is_to_fix_has_a_share(made: Indexed) -> None:
    rows = rows_of(made, "dmarc-aggregate")
    to_fix = sum(row["count"] for row in rows if turn_of(row["class"]) == "fix")
    [bucket] = answer_of(made, "email-report-mail-share-to-fix")["share"]["timeseries"]["buckets"]
    assert 0 < bucket["share"]["value"] == to_fix / sum(row["count"] for row in rows)


def test_the_longest_silence_stands_first(made: Indexed) -> None:
    last: dict[str, list[str]] = defaultdict(list)
    start, end = (one.strftime("%Y-%m-%dT%H:%M:%SZ") for one in TIME)
    for fields in made.of(f"{made.prefix}report-*"):
        if start <= fields["event.ingested"] <= end:
            for name in panels.values(fields, "report.from_domain"):
                last[name].append(fields["event.ingested"])
    expected = sorted(max(stored) for stored in last.values() if len(stored) >= 5)
    [rows] = answer_of(made, "email-report-intake-silent").values()
    found = [datetime.fromtimestamp(one["1"]["value"] / 1000, UTC) for one in rows["buckets"]]
    assert found == [panels.moment(one) for one in expected]


def test_what_failed_is_in_order_from_the_first_row_to_the_last(made: Indexed) -> None:
    by_rule = next(iter(answer_of(made, "email-report-failures-what-failed").values()))["buckets"]
    messages = [row["1"]["value"] for one in by_rule for row in one["6"]["buckets"]]
    assert len(messages) > 3
    assert messages == sorted(messages, reverse=True)
    classes: dict[str, set[str]] = defaultdict(set)
    for rule in FAILURE_RULES:
        classes[rule.name].add(rule.class_)
    assert [names for names in classes.values() if len(names) > 1] == [{"complaint", "not-spam"}], "one row a rule"


def test_a_policy_of_a_domain_stands_on_one_row(made: Indexed) -> None:
    rows = [row for row in rows_of(made, "smtp-tls") if row["tls.record"] == "policy"]
    aggs = state_of(BY_ID["email-report-tls-policies"])["aggs"]
    buckets = [agg["params"]["field"] for agg in aggs if agg["schema"] == "bucket"]
    assert buckets == ["policy.domain", "policy.type"]
    sessions = sum(row["sessions.successful"] for row in rows)
    found = next(iter(answer_of(made, "email-report-tls-policies").values()))["buckets"]
    assert sum(one["1"]["value"] for one in found) == sessions


def test_the_intake_sees_what_is_odd(made: Indexed) -> None:
    names = [agg["params"]["customLabel"] for agg in state_of(BY_ID["email-report-intake-totals"])["aggs"]]
    found = answer_of(made, "email-report-intake-totals")
    figures = {name: found[str(place)]["value"] for place, name in enumerate(names, 1) if place > 1}
    assert figures["Dates out of range"] == 1
    assert figures["Longer than 26 hours"] == 1
    assert figures["Sender failed authentication"] == 4  # two domains on two days
    assert figures["Salvaged"] > 0
    versions = answer_of(made, "email-report-intake-versions")
    [report] = next(iter(versions.values()))["buckets"]
    [identity] = report["6"]["buckets"]
    said = {one["key"]: one["1"]["value"] for one in identity["7"]["buckets"]}
    mine = [row for row in rows_of(made, "report") if row["report.identity"] == identity["key"]]
    assert len(mine) == report["doc_count"] == identity["doc_count"] == len(said) == 2
    assert said == {row["report.sha256"]: row["messages"] for row in mine}, "messages of each version"


# With the real messages


@pytest.fixture(scope="module")
def real(node: Node, corpus: Path) -> Iterator[Indexed]:
    """Every message of the corpus, read by the program."""
    prefix = f"erp-test-{secrets.token_hex(5)}-"

    def documents() -> Iterator[tuple[str, str, Fields]]:
        for path in sorted(corpus.glob("*/*")):
            reading = read_message(path.read_bytes())
            for report in reading.reports:
                for document in report.documents():
                    # One index, so that a report that came as a file and in a mail is one.
                    index = index_of(
                        "2026-01-01T00:00:00Z",
                        "2026-01-01T00:00:00Z",
                        prefix=prefix,
                        dataset=document.dataset,
                        granularity="none",
                        months_since=2024,
                    )
                    yield index, document.id, {"event.ingested": "2026-11-21T00:00:00Z", **document.fields}

    try:
        yield fill(node, prefix, documents())
    finally:
        node.wipe(prefix)


ALWAYS = panels.Range(datetime(2000, 1, 1, tzinfo=UTC), datetime(2099, 12, 31, tzinfo=UTC))


@pytest.mark.parametrize("board", BOARDS, ids=lambda one: one["id"])
def test_every_panel_answers_over_the_real_messages(real: Indexed, board: Json) -> None:
    asked = 0
    for to in board["references"]:
        if to["type"] == "index-pattern":
            continue
        for request in panels.requests(real.objects[to["id"]], real.patterns, filters_of(board), ALWAYS):
            answer = real.ask(request)
            docs = [doc for doc in real.of(request.pattern) if request.holds(doc)]
            assert answer["hits"]["total"]["value"] == len(docs), to["id"]
            asked += 1
    assert asked > 10


def test_messages_of_the_real_reports(real: Indexed, truth: list[Json]) -> None:
    """What the reporters' table and the rows sum up, report by report, against the corpus's own list."""
    expected: dict[str, set[tuple[Any, ...]]] = defaultdict(set)
    for line in truth:
        for report in line["expected"].get("reports", ()):
            if "total_count" in report:
                rows = json.dumps([report[name] for name in ("org_name", "email", "domain", "begin", "end", "rows")])
                expected[str(report["report_id"]).strip("<> ")].add((line["kind"], rows, report["total_count"]))
    by_id = {"terms": {"field": "report.id", "size": 1000}, "aggs": {"messages": {"sum": {"field": "count"}}}}
    body = {"size": 0, "aggs": {"reports": by_id}}
    answer = real.ask(panels.Request(f"{real.prefix}dmarc-aggregate-*", body, lambda _: True, {}))
    found = {one["key"]: one["messages"]["value"] for one in answer["aggregations"]["reports"]["buckets"]}
    # Left out: ids under which different reports came, and broken ones, of which as much is stored as can be read.
    alone = {
        id_: {total for _, _, total in one}
        for id_, one in expected.items()
        if len({rows for _, rows, _ in one}) == 1 and not any(kind.startswith("malformed") for kind, _, _ in one)
    }
    wanted = {id_: total for id_, totals in alone.items() for total in totals if total}
    assert len(wanted) > 200
    assert {id_: found.get(id_) for id_ in wanted} == wanted
