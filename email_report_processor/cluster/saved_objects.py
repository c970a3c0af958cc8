"""The dashboards that come with the program, as saved objects for any prefix of the indices. Pure but for `read`.

They are generated in the repository (tools/dashboards) and installed with the package as one file of NDJSON.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..documents.datasets import BY_NAME

PREFIX = "email-report-"  # of the indices that the files name
# Installed within the package; in the repository they stand in contrib/.
_FOLDERS = (Path(__file__).parents[1] / "dashboards", Path(__file__).parents[2] / "contrib/dashboards")
# Keys whose text is an index pattern: of TSVB's panels, series and annotations; `index` is Vega's.
_PATTERN_KEYS = frozenset({"index_pattern", "default_index_pattern", "series_index_pattern", "index"})

Object = dict[str, Any]


def read(prefix: str = PREFIX) -> bytes:
    """All saved objects as the import of Dashboards takes them (`POST /api/saved_objects/_import`), for a prefix.

    Raises FileNotFoundError when the package was installed without its dashboards.
    """
    for folder in _FOLDERS:
        path = folder / "all.ndjson"
        if path.exists():
            return write(with_prefix(parse(path.read_bytes()), prefix))
    raise FileNotFoundError(f"the dashboards are not installed: no all.ndjson in {_FOLDERS[0]}")


def parse(ndjson: bytes) -> list[Object]:
    """The objects of a file, without the summary that Dashboards writes at the end of an export.

    Raises ValueError when a line is not JSON.
    """
    objects = [json.loads(line) for line in ndjson.splitlines() if line.strip()]
    return [one for one in objects if "exportedCount" not in one]


def write(objects: Iterable[Mapping[str, Any]]) -> bytes:
    """One object a line, keys in order: the same objects are the same bytes."""
    lines = (json.dumps(one, ensure_ascii=False, sort_keys=True, separators=(",", ":")) for one in objects)
    return "".join(line + "\n" for line in lines).encode()


def with_prefix(objects: Iterable[Object], prefix: str) -> list[Object]:
    """The same objects for indices of another prefix: titles of index patterns, the patterns that TSVB and Vega name
    without a reference, and `_index` in queries. Ids stay: a second set needs a tenant or workspace of its own."""
    return [_moved(one, prefix) for one in objects]


def _moved(one: Object, prefix: str) -> Object:
    attributes = dict(one["attributes"])
    if one["type"] == "index-pattern":
        attributes["title"] = _pattern(attributes["title"], prefix)
    if "visState" in attributes:
        attributes["visState"] = _rewritten(attributes["visState"], prefix)
    meta = attributes.get("kibanaSavedObjectMeta")
    if meta is not None:
        attributes["kibanaSavedObjectMeta"] = {"searchSourceJSON": _rewritten(meta["searchSourceJSON"], prefix)}
    return {**one, "attributes": attributes}


def _rewritten(text: str, prefix: str) -> str:
    """JSON in JSON."""
    return json.dumps(_inside(json.loads(text), prefix), ensure_ascii=False, separators=(",", ":"))


def _inside(value: Any, prefix: str) -> Any:
    """Rewrite every index pattern in a visualization's state."""
    if isinstance(value, dict):
        return {key: _value(key, one, prefix) for key, one in value.items()}
    if isinstance(value, list):
        return [_inside(one, prefix) for one in value]
    return value


def _value(key: str, value: Any, prefix: str) -> Any:
    if key in _PATTERN_KEYS and isinstance(value, str):
        return _pattern(value, prefix)
    if key == "spec" and isinstance(value, str):  # Vega's
        return _rewritten(value, prefix)
    if key == "query" and isinstance(value, str):
        return value.replace(f'_index: "{PREFIX}', f'_index: "{prefix}')
    return _inside(value, prefix)


def _pattern(title: str, prefix: str) -> str:
    """`a-*,b-*` with another prefix; patterns of other indices stay as they are."""
    return ",".join(_one_pattern(one, prefix) for one in title.split(","))


def _one_pattern(pattern: str, prefix: str) -> str:
    dataset = pattern.removeprefix(PREFIX).removesuffix("-*")
    return f"{prefix}{dataset}-*" if dataset in BY_NAME and pattern == f"{PREFIX}{dataset}-*" else pattern
