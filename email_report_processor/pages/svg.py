"""Charts as SVG, drawn here: no script, nothing from elsewhere, colours by class name from the page's style sheet.

A chart is drawn for a width, since its words do not shrink well: the page holds a wide and a narrow one.
`standalone` is a chart with its own colours and legend, for a mail or a picture.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import ceil, floor, log10

from . import words
from .figure import Column, Figure, Part, Value
from .words import PAINT
from .worldmap import draw_map
from .xml import attributes, escape

WIDE, NARROW = 570, 340
_HEIGHT = 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 8, 10, 24


def chart(figure: Figure, width: int = WIDE) -> str:
    """The chart of a figure as an SVG element; '' when it has none, or nothing to draw."""
    if not figure.rows or not figure.chart:
        return ""
    if figure.chart == "map":
        return draw_map(figure)
    draw = {"stack": _stack, "rate": _rate}[figure.chart]
    return _svg(width, _HEIGHT, "".join(draw(figure, _Plot(width, len(figure.rows)))))


def series(figure: Figure) -> list[tuple[str, str]]:
    """Key of the colour and name of each series that is drawn, for a legend."""
    return [(column.series, column.name) for column in figure.columns if column.series in PAINT]


def _svg(width: int, height: float, inner: str, more: str = "") -> str:
    # Hidden from screen readers: the table under it says the same.
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:g}" width="{width}" height="{height:g}"'
        f' class="chart" aria-hidden="true" focusable="false"{more}>{inner}</svg>'
    )


class _Plot:
    """Where things stand in a chart with one column of room a row."""

    def __init__(self, width: int, rows: int) -> None:
        self.left, self.right = _LEFT, width - _RIGHT
        self.top, self.bottom = _TOP, _HEIGHT - _BOTTOM
        self.rows = rows
        self.step = (self.right - self.left) / rows

    def x(self, row: float) -> float:
        """The left of a row's room."""
        return round(self.left + row * self.step, 1)

    def y(self, share: float) -> float:
        """From 0 at the bottom to 1 at the top."""
        return round(self.bottom - share * (self.bottom - self.top), 1)

    def grid(self, marks: Iterable[tuple[float, str]]) -> Iterator[str]:
        """Lines across, with what they stand for."""
        for share, text in marks:
            y = self.y(share)
            yield f'<line class="grid" x1="{self.left}" y1="{y}" x2="{self.right}" y2="{y}"/>'
            yield f'<text class="axis" x="{self.left - 6}" y="{y + 4:g}" text-anchor="end">{escape(text)}</text>'

    def days(self, rows: Sequence[Sequence[Value]]) -> Iterator[str]:
        """Days below, as many as have room."""
        every = max(1, ceil(len(rows) / max(1, int((self.right - self.left) / 84))))
        long = str(rows[0][0])[:4] != str(rows[-1][0])[:4]
        for number in range(0, len(rows), every):
            x = self.x(number + 0.5)
            if x > self.right - 30 and number:
                continue
            text = str(rows[number][0]) if long else _day(str(rows[number][0]))
            place = attributes(x=max(x, self.left + 18), y=self.bottom + 17)
            yield f'<text class="axis" {place} text-anchor="middle">{escape(text)}</text>'

    def hints(self, figure: Figure) -> Iterator[str]:
        """What a pointer over a row shows; narrow charts are for fingers, which have none."""
        told = [(place, one) for place, one in enumerate(figure.columns) if one.series in PAINT or one.kind == "number"]
        for number, row in enumerate(figure.rows if self.right > NARROW else ()):
            text = ", ".join(f"{column.name} {_said(column, row[place])}" for place, column in told if row[place])
            box = attributes(x=self.x(number), y=self.top, width=round(self.step, 2), height=self.bottom - self.top)
            yield f'<rect class="hint" {box}><title>{escape(f"{row[0]}: {text or 0}")}</title></rect>'


_MONTHS = ("", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _day(text: str) -> str:
    """`21 Nov`."""
    return f"{int(text[8:10])} {_MONTHS[int(text[5:7])]}"


def _said(column: Column, value: Value) -> str:
    if column.kind == "share":
        return words.share(value if isinstance(value, float) else None)
    return words.number(value) if isinstance(value, int | float) else str(value)


# Bars by day, stacked


def _stack(figure: Figure, plot: _Plot) -> Iterator[str]:
    drawn = [(number, column.series) for number, column in enumerate(figure.columns) if column.series]
    sums = [sum(_number(row[number]) for number, _ in drawn) for row in figure.rows]
    top, marks = ticks(max(sums))
    yield from plot.grid((mark / top, short(mark)) for mark in marks)
    heights = [0.0] * plot.rows
    gap = 0 if plot.step < 3 else min(3.0, plot.step * 0.2)
    for number, key in drawn:
        path = []
        for place, row in enumerate(figure.rows):
            value = _number(row[number])
            if value:
                low, high = plot.y(heights[place] / top), plot.y((heights[place] + value) / top)
                high = min(high, low - 1) if heights[place] == 0 else high  # one message is seen too
                path.append(_bar(plot.x(place) + gap / 2, plot.step - gap, low, high))
                heights[place] += value
        yield f'<path class="s-{escape(key)}" d="{"".join(path)}"/>'
    yield from plot.days(figure.rows)
    yield from plot.hints(figure)


def _bar(x: float, width: float, low: float, high: float) -> str:
    return f"M{x:.1f} {low:g}h{width:.1f}V{high:g}h-{width:.1f}z"


def _number(value: Value) -> float:
    return value if isinstance(value, int | float) else 0


def ticks(highest: float) -> tuple[float, list[float]]:
    """The top of an axis and its marks: 1, 2 or 5 with noughts, three to five of them."""
    if highest <= 0:
        return 1, [0, 1]
    rough = highest / 4
    power = 10 ** floor(log10(rough))
    step = max(1, next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough))
    number = ceil(highest / step)
    return number * step, [step * one for one in range(number + 1)]


def short(value: float) -> str:
    """`12k` for 12,000."""
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


# A line with its band


def _rate(figure: Figure, plot: _Plot) -> Iterator[str]:
    places = {column.series: number for number, column in enumerate(figure.columns) if column.series}
    key = next(name for name in places if name not in {"low", "high"})
    points = [(row[places[key]], row[places["low"]], row[places["high"]]) for row in figure.rows]
    lowest = min((_number(low) for _, low, _ in points if low is not None), default=0)
    floor_ = max(0, min(90, floor(lowest * 20) * 5)) / 100

    def y(value: Value) -> float:
        return plot.y((_number(value) - floor_) / (1 - floor_))

    step = (1 - floor_) / (5 if round((1 - floor_) * 100) % 25 == 0 else 4 if round((1 - floor_) * 100) % 4 == 0 else 2)
    marks = [floor_ + n * step for n in range(round((1 - floor_) / step) + 1)]
    yield from plot.grid(((mark - floor_) / (1 - floor_), f"{100 * mark:g}%") for mark in marks)
    for run in _runs([low for _, low, _ in points]):
        yield f'<path class="band s-{key}" d="{_band(plot, run, points, y)}"/>'
    for run in _runs([rate for rate, _, _ in points]):
        if len(run) == 1:
            yield f'<circle class="s-{key}" cx="{plot.x(run[0] + 0.5)}" cy="{y(points[run[0]][0])}" r="3"/>'
        else:
            line = "L".join(f"{plot.x(n + 0.5):g} {y(points[n][0]):g}" for n in run)
            yield f'<path class="line l-{key}" d="M{line}"/>'
    yield from plot.days(figure.rows)
    yield from plot.hints(figure)


def _runs(values: Sequence[Value]) -> Iterator[list[int]]:
    """Numbers of rows that follow each other and have a value: a line ends where a day has none."""
    run: list[int] = []
    for number, value in enumerate(values):
        if value is not None:
            run.append(number)
        elif run:
            yield run
            run = []
    if run:
        yield run


def _band(
    plot: _Plot, run: Sequence[int], points: Sequence[tuple[Value, Value, Value]], y: Callable[[Value], float]
) -> str:
    half = 0.5 if len(run) > 1 else 0.2
    there = [f"{plot.x(n + 0.5):g} {y(points[n][2]):g}" for n in run]
    back = [f"{plot.x(n + 0.5):g} {y(points[n][1]):g}" for n in reversed(run)]
    if len(run) == 1:
        left, right = plot.x(run[0] + half), plot.x(run[0] + 1 - half)
        there = [f"{x:g} {y(points[run[0]][2]):g}" for x in (left, right)]
        back = [f"{x:g} {y(points[run[0]][1]):g}" for x in (right, left)]
    return "M" + "L".join(there + back) + "z"


# Small ones


def sparkline(values: Sequence[int], width: int = 90, height: int = 18) -> str:
    """A trend in a table's cell."""
    top = max(values, default=0) or 1
    step = width / max(1, len(values))
    bars = "".join(
        f"M{n * step:.1f} {height}v-{max(1.5, value / top * height):.1f}h{max(step - 0.8, 0.8):.1f}V{height}z"
        for n, value in enumerate(values)
        if value
    )
    size = attributes(viewBox=f"0 0 {width} {height}", width=width, height=height)
    return f'<svg class="spark" {size} aria-hidden="true" focusable="false"><path d="{bars}"/></svg>'


def proportions(parts: Sequence[Part], width: int = 320, height: int = 12) -> str:
    """One bar of parts; every part that there is can be seen."""
    whole = sum(part.amount for part in parts) or 1
    x, drawn = 0.0, []
    for part in parts:
        wide = max(2.0, part.amount / whole * width) if part.amount else 0
        drawn.append(f'<rect class="s-{escape(part.series)}" x="{x:.1f}" width="{wide:.1f}" height="{height}"/>')
        x += wide
    size = attributes(viewBox=f"0 0 {max(x, 1):.1f} {height}", preserveAspectRatio="none")
    return f'<svg class="parts" {size} aria-hidden="true" focusable="false">{"".join(drawn)}</svg>'


# On its own


def standalone(figure: Figure, width: int = WIDE, *, dark: bool = False) -> str:
    """The chart as a file: with a background, a title, a legend, and its colours in it."""
    inner = chart(figure, width)
    if not inner:
        return ""
    head, legend_height = 26, 20 * len(_legend_rows(figure, width))
    viewed = inner.partition('viewBox="0 0 ')[2].partition('"')[0].split()
    scale = width / float(viewed[0])
    height = head + legend_height + float(viewed[1]) * scale + 6
    moved = f'<g transform="translate(0 {head + legend_height}) scale({scale:g})">'
    body = (
        f'<rect class="back" width="{width}" height="{height:g}"/>'
        f'<text class="title" x="8" y="18">{escape(figure.title)}</text>'
        f"{''.join(_legend(figure, width, head + 12))}{moved}{inner.partition('>')[2].removesuffix('</svg>')}</g>"
    )
    return _svg(width, height, f"<style>{style(dark=dark)}</style>{body}")


def _legend_rows(figure: Figure, width: int) -> list[list[tuple[str, str]]]:
    rows: list[list[tuple[str, str]]] = []
    room = 0.0
    for key, name in series(figure) if len(series(figure)) > 1 else []:
        room -= 30 + 7 * len(name)
        if room < 0:
            rows.append([])
            room = width - 16 - 30 - 7 * len(name)
        rows[-1].append((key, name))
    return rows


def _legend(figure: Figure, width: int, y: float) -> Iterator[str]:
    for row in _legend_rows(figure, width):
        x = 8
        for key, name in row:
            yield f'<rect class="s-{key}" x="{x}" y="{y - 9}" width="11" height="11"/>'
            yield f'<text class="axis" x="{x + 16}" y="{y}">{escape(name)}</text>'
            x += 30 + 7 * len(name)
        y += 20


def style(*, dark: bool) -> str:
    """The rules for charts alone; the page has the same as variables."""
    back, ink, soft, grid = _PLAIN[dark]
    bad = PAINT["failed"][dark]
    paint = "".join(f".s-{key}{{fill:{pair[dark]}}}.l-{key}{{stroke:{pair[dark]}}}" for key, pair in PAINT.items())
    shades = "".join(f".q{n}{{fill:{colour}}}" for n, colour in enumerate(words.SHADES[dark]))
    return (
        f".back{{fill:{back}}}text{{font:12px sans-serif;fill:{soft}}}.title{{font-size:15px;fill:{ink}}}"
        f".grid{{stroke:{grid}}}.line{{fill:none;stroke-width:2}}.band{{opacity:.2}}.hint{{fill:none}}"
        f".land{{stroke:{back};stroke-width:1.6}}.bad{{fill:{bad};fill-opacity:.55;stroke:{bad}}}{shades}{paint}"
    )


_PLAIN = (("#ffffff", "#1c1c22", "#55555f", "#e6e6eb"), ("#191c22", "#ececf1", "#b0b0bc", "#2b2f38"))
