"""Bars by day, stacked: Dashboards' own histogram, whose legend has names and no value.

TSVB writes the value of the last bucket beside each name; that is today, of which no report speaks yet: "fail 0".
"""

from collections.abc import Sequence
from typing import NamedTuple

from . import objects as o


class Part(NamedTuple):
    """A colour of the stack: which documents it counts."""

    label: str
    colour: str
    where: str


def by_day(
    id_: str, title: str, pattern: o.Pattern, metric: o.Agg, parts: Sequence[Part], *, query: str = ""
) -> o.Object:
    """A bar for each day, of a long time for each week or month (`histogram:maxBars` in Advanced settings)."""
    colours = {part.label: part.colour for part in parts}
    return o.visualization(
        id_,
        title,
        "histogram",
        _look(metric["params"]["customLabel"]),
        [metric, _days(pattern), _stack(parts)],
        pattern=pattern,
        query=query,
        ui={"vis": {"colors": colours}},
    )


def _days(pattern: o.Pattern) -> o.Agg:
    params = {
        "field": pattern.time_field,
        "interval": "d",
        "drop_partials": False,
        "min_doc_count": 1,
        "extended_bounds": {},
        "customLabel": "Day",
    }
    return {"type": "date_histogram", "schema": "segment", "params": params}


def _stack(parts: Sequence[Part]) -> o.Agg:
    filters = [{"input": o.kuery(part.where), "label": part.label} for part in parts]
    return {"type": "filters", "schema": "group", "params": {"filters": filters}}


def _look(label: str) -> o.Json:
    axis = {"show": True, "style": {}}
    across = {"id": "CategoryAxis-1", "type": "category", "position": "bottom", "scale": {"type": "linear"}}
    up = {"id": "ValueAxis-1", "name": "LeftAxis-1", "type": "value", "position": "left"}
    stack = {
        "show": True,
        "type": "histogram",
        "mode": "stacked",
        "data": {"label": label, "id": "1"},
        "valueAxis": "ValueAxis-1",
        "drawLinesBetweenPoints": True,
        "showCircles": True,
    }
    return {
        "type": "histogram",
        "grid": {"categoryLines": False},
        "categoryAxes": [axis | across | {"labels": {"show": True, "filter": True, "truncate": 100}, "title": {}}],
        "valueAxes": [
            axis
            | up
            | {
                "scale": {"type": "linear", "mode": "normal"},
                "labels": {"show": True, "rotate": 0, "filter": False, "truncate": 100},
                "title": {"text": label},
            }
        ],
        "seriesParams": [stack],
        "addTooltip": True,
        "addLegend": True,
        "legendPosition": "right",
        "times": [],
        "addTimeMarker": False,
    }
