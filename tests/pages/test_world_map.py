"""The table of countries, and the steps by which tools/world_map.py makes it."""

import re
from itertools import pairwise

import pytest

from email_report_processor.pages.figure import Column, Figure
from email_report_processor.pages.worldmap import draw_map, name_of, shade, table
from tools import world_map

WORLD = table()


def steps(path: str) -> list[tuple[int, int]]:
    """The differences of a path's lines."""
    numbers = [int(one) for part in re.findall(r"l([^zM]*)", path) for one in re.findall(r"-?\d+", part)]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def test_countries_that_are_easily_lost_are_there() -> None:
    """Singapore and the like are missing at 1:110m; Kosovo has no number; Australia's number is there twice."""
    for code in ("SG", "HK", "MT", "SC", "XK", "AU", "MC", "VA", "TV", "BM", "FJ", "RU", "NZ", "FR", "NO"):
        assert code in WORLD["countries"]
    assert len(WORLD["countries"]) > 230
    assert WORLD["countries"]["AU"][3].startswith("M")
    assert WORLD["countries"]["SG"][3] == "", "a dot"
    assert name_of("XK") == "Kosovo"
    assert name_of("ZZ") == "ZZ"


def test_nothing_is_drawn_across_the_map() -> None:
    """A ring that crosses the antimeridian would leave a line through the whole world."""
    for code, (_, x, y, path) in WORLD["countries"].items():
        assert 0 <= x <= WORLD["width"], code
        assert 0 <= y <= WORLD["height"], code
        for right, down in steps(path):
            assert abs(right) < WORLD["width"] / 6, code
            assert abs(down) < WORLD["height"] / 3, code


def test_a_ring_across_the_antimeridian_is_cut_there() -> None:
    ring = [(170.0, 60.0), (-170.0, 60.0), (-170.0, 70.0), (170.0, 70.0), (170.0, 60.0)]
    parts = world_map.unwrapped(ring)
    assert len(parts) == 2
    edges = sorted((min(x for x, _ in part), max(x for x, _ in part)) for part in parts)
    assert edges == [(-180.0, -170.0), (170.0, 180.0)]
    whole = [(10.0, 0.0), (20.0, 0.0), (20.0, 10.0), (10.0, 0.0)]
    assert world_map.unwrapped(whole) == [whole]


def test_equal_earth() -> None:
    """Values of the paper's own implementation: the poles, and the corner of the map."""
    assert world_map.equal_earth(0, 0) == (0, 0)
    assert world_map.equal_earth(0, 90)[1] == pytest.approx(1.3173627591574)
    assert world_map.equal_earth(180, 0)[0] == pytest.approx(2.7066297319)
    heights = [world_map.equal_earth(0, latitude)[1] for latitude in range(-90, 91, 5)]
    assert all(low < high for low, high in pairwise(heights))


def test_simplified_keeps_the_ends_and_what_stands_out() -> None:
    line = [(0.0, 0.0), (1.0, 0.01), (2.0, 0.0), (3.0, 5.0), (4.0, 0.0)]
    assert world_map.simplified(line, 0.1) == [(0.0, 0.0), (2.0, 0.0), (3.0, 5.0), (4.0, 0.0)]


def test_a_country_is_shaded_by_its_mail() -> None:
    assert [shade(value, 10_000) for value in (0, 1, 10, 100, 1000, 10_000)] == [0, 1, 2, 3, 4, 5]
    columns = (Column("Country", "country"), Column("Messages", "number"), Column("Not authenticated", "number"))
    drawn = draw_map(Figure("x", "x", columns, (("DE", 100, 50), ("SG", 7, 0), ("<b>", 3, 3)), chart="map"))
    assert "Germany: 100 messages, 50 not authenticated" in drawn
    assert drawn.count('class="bad"') == 1, "what is no country has no place"
    assert "<b>" not in drawn
