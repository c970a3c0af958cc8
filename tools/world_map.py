"""Reduce Natural Earth's countries to one small table: code, name, a point inside, an SVG path in Equal Earth.

    npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz          (npm; ISC licence, data public domain)
    apt-get install iso-codes                                            (numeric codes to alpha-2)
    python -m tools.world_map package/countries-50m.json

writes email_report_processor/pages/countries.json. The same input gives the same file; a test looks at the traps:
rings that cross the antimeridian (Russia, Fiji), id 036 twice (Australia and its Ashmore and Cartier Islands), shapes
without an id (Kosovo has none in ISO 3166; XK is in use), and countries too small to be seen, which become dots.
The 110m set lacks Singapore, Hong Kong, Malta and Seychelles.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from math import asin, cos, radians, sin, sqrt
from pathlib import Path
from typing import Any

OUTPUT = Path(__file__).parents[1] / "email_report_processor/pages/countries.json"
ISO_CODES = Path("/usr/share/iso-codes/json/iso_3166-1.json")
WIDTH = 2000
TOLERANCE = 0.12  # degrees; a unit of the map is about 0.36
LEAST_RING = 2.4  # square units; smaller islands are left out, unless a country has nothing else
LEAST_COUNTRY = 20  # square units; smaller countries are dots
NO_MAIL = {"AQ"}  # a third of the height, and no mail servers to speak of
# Shapes without an id that are shown with the country that ISO 3166 counts them to, or under a code in use.
WITHOUT_ID = {"Kosovo": "XK", "Somaliland": "SO", "N. Cyprus": "CY", "Siachen Glacier": "IN", "Indian Ocean Ter.": "CX"}

# Codes of their own that the shapes have within another country, or not at all: dots at these degrees.
DOTS = {
    "BQ": (-68.3, 12.2),
    "CC": (96.8, -12.2),
    "GF": (-53.1, 4.0),
    "GI": (-5.35, 36.14),
    "GP": (-61.55, 16.25),
    "MQ": (-61.0, 14.65),
    "RE": (55.5, -21.1),
    "SJ": (16.0, 78.5),
    "TK": (-171.8, -9.2),
    "TV": (179.2, -8.5),
    "YT": (45.15, -12.8),
}

Point = tuple[float, float]
Ring = list[Point]


def main(atlas: Path, iso: Path = ISO_CODES) -> None:
    """Write the table."""
    made = table(json.loads(atlas.read_text("utf-8")), json.loads(iso.read_text("utf-8"))["3166-1"])
    OUTPUT.write_text(as_json(made), "utf-8")
    print(f"{len(made['countries'])} countries, {OUTPUT.stat().st_size:,} bytes")


def table(topology: Mapping[str, Any], iso: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """The whole table: `width`, `height`, `countries` (code -> name, x, y, path; the path of a dot is '')."""
    codes = {int(one["numeric"]): one["alpha_2"] for one in iso}
    names = {one["alpha_2"]: one.get("common_name", one["name"]) for one in iso} | {"XK": "Kosovo"}
    rings: dict[str, list[Ring]] = defaultdict(list)
    for code, ring in _rings(topology, codes):
        if code not in NO_MAIL:
            rings[code] += [[equal_earth(*point) for point in part] for part in unwrapped(ring)]
    left = min(x for some in rings.values() for ring in some for x, _ in ring)
    right = max(x for some in rings.values() for ring in some for x, _ in ring)
    top = max(y for some in rings.values() for ring in some for _, y in ring)
    bottom = min(y for some in rings.values() for ring in some for _, y in ring)
    scale = WIDTH / (right - left)
    placed = {
        code: [[((x - left) * scale, (top - y) * scale) for x, y in ring] for ring in some]
        for code, some in sorted(rings.items())
    }
    countries = {code: [names[code], *_shape(some)] for code, some in placed.items()}
    for code in DOTS.keys() - countries.keys():
        x, y = equal_earth(*DOTS[code])
        place = min(max(round((x - left) * scale), 8), WIDTH - 8)  # no shape reaches as far as Tuvalu
        countries[code] = [names[code], place, round((top - y) * scale), ""]
    countries = dict(sorted(countries.items()))
    return {"width": WIDTH, "height": round((top - bottom) * scale), "countries": countries}


def as_json(made: Mapping[str, Any]) -> str:
    """One country a line, so that a change can be read."""
    lines = (
        f"{json.dumps(code)}:{json.dumps(one, ensure_ascii=False, separators=(',', ':'))}"
        for code, one in made["countries"].items()
    )
    return f'{{"width":{made["width"]},"height":{made["height"]},"countries":{{\n' + ",\n".join(lines) + "\n}}\n"


def _rings(topology: Mapping[str, Any], codes: Mapping[int, str]) -> Iterator[tuple[str, Ring]]:
    """Every outer ring in degrees, with the country it belongs to. (Holes are other countries, drawn above.)"""
    arcs = list(_arcs(topology))
    for geometry in topology["objects"]["countries"]["geometries"]:
        name = geometry["properties"]["name"]
        code = codes[int(geometry["id"])] if "id" in geometry else WITHOUT_ID[name]
        polygons = [geometry["arcs"]] if geometry["type"] == "Polygon" else geometry["arcs"]
        for polygon in polygons:
            yield code, _ring(polygon[0], arcs)


def _arcs(topology: Mapping[str, Any]) -> Iterator[Ring]:
    """Each arc is quantized and holds differences (TopoJSON specification, 2.2)."""
    (width, height), (left, bottom) = topology["transform"]["scale"], topology["transform"]["translate"]
    for arc in topology["arcs"]:
        x = y = 0
        points = []
        for right, up in arc:
            x, y = x + right, y + up
            points.append((x * width + left, y * height + bottom))
        yield simplified(points, TOLERANCE)


def simplified(points: Ring, tolerance: float) -> Ring:
    """Without points that lie closer to the line between their neighbours (Douglas and Peucker, 1973).

    Done to arcs, so that two countries keep one border. The ends stay; tolerance is in degrees of a great circle.
    """
    keep = {0, len(points) - 1}
    spans = [(0, len(points) - 1)]
    while spans:
        first, last = spans.pop()
        inner = [(_distance(points[n], points[first], points[last]), n) for n in range(first + 1, last)]
        if inner and max(inner)[0] > tolerance:
            middle = max(inner)[1]
            keep.add(middle)
            spans += [(first, middle), (middle, last)]
    return [points[n] for n in sorted(keep)]


def _distance(point: Point, one: Point, two: Point) -> float:
    """Of a point from a stretch of a line."""
    flat = cos(radians(point[1]))
    x, y, dx, dy = (point[0] - one[0]) * flat, point[1] - one[1], (two[0] - one[0]) * flat, two[1] - one[1]
    length = dx * dx + dy * dy
    share = max(0.0, min(1.0, (x * dx + y * dy) / length)) if length else 0.0
    return sqrt((x - share * dx) ** 2 + (y - share * dy) ** 2)


def _ring(indices: Sequence[int], arcs: Sequence[Ring]) -> Ring:
    """Arcs joined; ~n is arc n backwards. Each begins where the last one ended."""
    points: Ring = []
    for index in indices:
        arc = arcs[index] if index >= 0 else arcs[~index][::-1]
        points += arc[1:] if points else arc
    return points


def unwrapped(ring: Ring) -> list[Ring]:
    """The parts of a ring on one map: what crosses the antimeridian is cut there."""
    shift, points = 0.0, [ring[0]]
    for (before, _), (longitude, latitude) in pairwise(ring):
        if abs(longitude - before) > 180:
            shift += 360 if longitude < before else -360
        points.append((longitude + shift, latitude))
    if all(-180 <= longitude <= 180 for longitude, _ in points):
        return [points]
    parts = [
        [(longitude - turn, latitude) for longitude, latitude in _clip(_clip(points, turn - 180, 1), turn + 180, -1)]
        for turn in (-360.0, 0.0, 360.0)
    ]
    return [part for part in parts if len(part) > 3]


def _clip(points: Ring, edge: float, side: int) -> Ring:
    """What of a closed ring lies on one side of a meridian (Sutherland and Hodgman, 1974)."""
    kept: Ring = []
    for one, two in zip(points, points[1:] + points[:1], strict=True):
        inside = (one[0] - edge) * side >= 0
        if inside:
            kept.append(one)
        if inside != ((two[0] - edge) * side >= 0):
            share = (edge - one[0]) / (two[0] - one[0])
            kept.append((edge, one[1] + share * (two[1] - one[1])))
    return kept


def equal_earth(longitude: float, latitude: float) -> Point:
    """Equal areas, in a shape that people know (Šavrič, Patterson, Jenny, 2018)."""
    a1, a2, a3, a4 = 1.340264, -0.081106, 0.000893, 0.003796
    angle = asin(sqrt(3) / 2 * sin(radians(latitude)))
    square = angle * angle
    sixth = square**3
    x = radians(longitude) * cos(angle) / (sqrt(3) / 2 * (a1 + 3 * a2 * square + sixth * (7 * a3 + 9 * a4 * square)))
    return x, angle * (a1 + a2 * square + sixth * (a3 + a4 * square))


def area(ring: Ring) -> float:
    """Without sign."""
    return abs(_twice(ring)) / 2


def _twice(ring: Ring) -> float:
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(ring, ring[1:] + ring[:1], strict=True))


def _center(ring: Ring) -> Point:
    """The centre of gravity of the largest part."""
    twice = _twice(ring)
    if abs(twice) < 0.01:
        return ring[0]
    pairs = list(zip(ring, ring[1:] + ring[:1], strict=True))
    x = sum((a[0] + b[0]) * (a[0] * b[1] - b[0] * a[1]) for a, b in pairs)
    y = sum((a[1] + b[1]) * (a[0] * b[1] - b[0] * a[1]) for a, b in pairs)
    return x / (3 * twice), y / (3 * twice)


def _shape(rings: list[Ring]) -> tuple[float, float, str]:
    """A point inside, and the path, '' for a dot."""
    rings = sorted(rings, key=area, reverse=True)
    x, y = _center(rings[0])
    if sum(map(area, rings)) < LEAST_COUNTRY:
        return round(x), round(y), ""
    return round(x), round(y), "".join(_path(ring) for n, ring in enumerate(rings) if n == 0 or area(ring) > LEAST_RING)


def _path(ring: Ring) -> str:
    """Whole units, as differences; what lies on a straight line is left out."""
    points: list[tuple[int, int]] = []
    for x, y in ring:
        point = (round(x), round(y))
        if points and point == points[-1]:
            continue
        if len(points) > 1 and _straight(points[-2], points[-1], point):
            points[-1] = point
        else:
            points.append(point)
    if len(points) > 1 and points[0] == points[-1]:
        points.pop()
    steps = "".join(
        (f"{bx - ax}" if bx - ax < 0 or not first else f" {bx - ax}") + (f"{by - ay}" if by - ay < 0 else f" {by - ay}")
        for number, ((ax, ay), (bx, by)) in enumerate(pairwise(points))
        for first in (number > 0,)
    )
    return f"M{points[0][0]} {points[0][1]}l{steps}z" if len(points) > 2 else ""


def _straight(one: tuple[int, int], two: tuple[int, int], three: tuple[int, int]) -> bool:
    ahead = (two[0] - one[0]) * (three[0] - two[0]) + (two[1] - one[1]) * (three[1] - two[1]) > 0
    return ahead and (two[0] - one[0]) * (three[1] - two[1]) == (three[0] - two[0]) * (two[1] - one[1])


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
