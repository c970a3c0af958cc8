"""What is shown, as values: the same for every clothing (text, svg, html, data)."""

from typing import Literal, NamedTuple

# `share` is a fraction from 0 to 1; `trend` is a tuple of numbers, oldest first; `code` is shown as written.
Kind = Literal["text", "number", "share", "day", "trend", "class", "country", "code"]
Value = str | int | float | tuple[int, ...] | None
Level = Literal["ok", "warn", "bad", "none"]


class Column(NamedTuple):
    """One column of a figure's table."""

    name: str  # its heading
    kind: Kind = "text"
    series: str = ""  # drawn in the chart under this name (a key of `words.PAINT`); '' is not drawn


class Period(NamedTuple):
    """The time that is asked about: RFC 3339, `until` exclusive, '' is open."""

    since: str = ""
    until: str = ""


class Figure(NamedTuple):
    """A table that may be drawn as a chart. The rows are the chart's own: nothing is drawn that no row says."""

    name: str  # short and lower case: file name of its CSV, place on the page
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]
    unit: str = "messages"  # what its numbers count
    chart: Literal["", "stack", "rate", "map"] = ""
    period: Period = Period()
    left_out: tuple[str, ...] = ()  # sentences: what is not counted here, and how much of it there is
    more: int = 0  # rows that there are beyond these
    note: str = ""  # a sentence that says how to read it
    empty: str = ""  # without rows: what that means, and what to do


class Part(NamedTuple):
    """A part of a whole."""

    series: str  # key of its colour
    name: str
    amount: int


class Answer(NamedTuple):
    """One of the questions that the page opens with, answered in a sentence with numbers."""

    question: str
    number: str  # what to see first: 99.3%
    sentence: str
    level: Level = "none"
    parts: tuple[Part, ...] = ()  # of the messages, as one bar
    trend: tuple[int, ...] = ()  # messages by day, or by `step` days
    step: int = 1


class Host(NamedTuple):
    """A sending host, as evidence."""

    address: str
    network: str  # '' unknown
    messages: int


class Record(NamedTuple):
    """A DNS record to paste; `…` stands where only the reader knows what to write."""

    name: str
    type: str
    text: str
    note: str = ""

    @property
    def line(self) -> str:
        """As in a zone file."""
        value = f'"{self.text}"' if self.type == "TXT" else self.text
        return f"{self.name}.  IN {self.type}  {value}"


class Fix(NamedTuple):
    """One thing that may have to be done, with its evidence."""

    turn: str  # a key of `fixing.TURNS`: how soon, and by whom
    class_: str  # a key of `classify.CLASSES`
    subject: str  # who or what: a domain, a service
    messages: int
    hosts: int  # different addresses
    reporters: int
    evidence: str  # a sentence with numbers
    how: str
    shown: tuple[Host, ...] = ()  # the largest of the hosts
    things: int = 1  # how many it stands for: small ones are told together
    records: tuple[Record, ...] = ()
    command: str = ""  # to paste into a shell
    judged_by: str = ""  # what a verdict about it names, as `email-report-admin verdict` takes it; '' for none


class Page(NamedTuple):
    """Everything about one scope."""

    title: str
    store: str  # its name, without credentials
    domain: str  # '' all
    period: Period
    made: str  # when, RFC 3339
    answers: tuple[Answer, ...]
    fixes: tuple[Fix, ...]  # ranked
    figures: tuple[Figure, ...]
    left_out: tuple[str, ...] = ()  # of every figure

    def figure(self, name: str) -> Figure:
        """The figure of this name. Raises KeyError."""
        for figure in self.figures:
            if figure.name == name:
                return figure
        raise KeyError(name)
