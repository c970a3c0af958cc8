"""What the page says where there is little to say, and that it says the same at every length and width."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from email_report_processor.documents.document import Document
from email_report_processor.pages import fixing, intake, text
from email_report_processor.pages.figure import Column, Page, Period
from email_report_processor.pages.overview import overview
from email_report_processor.stores.kept import Kept
from email_report_processor.stores.sqlite import SqliteStore
from tests.pages.conftest import NOW, SCOPE, rows

Look = Callable[[Iterable[Document]], Page]


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """From documents to their page."""

    def made(documents: Iterable[Document]) -> Page:
        store = SqliteStore(str(tmp_path / "reports.sqlite"))
        store.write(rows(documents))
        try:
            return overview(store, SCOPE, [], NOW)
        finally:
            store.close()

    return made


def mail(documents: list[Document], **fields: object) -> Iterable[Document]:
    """The first aggregate rows of strangers, each with other fields; None takes one away."""
    some_ = [one for one in documents if one.dataset == "dmarc-aggregate" and one.fields.get("class") == "spoof"][-9:]
    for one in some_:
        changed = dict(one.fields) | {name.replace("__", "."): value for name, value in fields.items()}
        yield Document(one.dataset, one.id, {name: value for name, value in changed.items() if value is not None})


def test_without_reports_it_says_so_once_and_names_the_newest(store: SqliteStore) -> None:
    said = text.page(overview(store, SCOPE._replace(period=Period("2026-11-22T00:00:00Z")), [], "2026-12-20T00:00:00Z"))
    said = " ".join(said.split())
    assert said.count("no DMARC aggregate reports of this time") == 1
    assert "about 2026-11-20: `--since all`" in said
    assert "None ever came" not in said


def test_without_any_report_it_says_what_to_look_at(look: Look, documents: list[Document]) -> None:
    said = " ".join(text.page(look(one for one in documents if one.dataset == "smtp-tls")).split())
    assert said.count("None ever came: `email-report-admin dns DOMAIN`") == 1
    assert "--since all" not in said


def test_messages_without_a_result_are_counted(look: Look, documents: list[Document]) -> None:
    page = look([*mail(documents, dmarc__result=None, **{"class": None}), *documents])
    lost = sum(one.fields["count"] for one in mail(documents))
    said = f"{lost} messages are without a result"
    assert said in page.answers[0].sentence
    assert page.figure("domains").left_out[0].startswith(said)


def test_a_row_that_counts_no_message_is_nothing_to_fix(look: Look, documents: list[Document]) -> None:
    page = look(mail(documents, count=0))
    assert (page.fixes, page.figure("senders").rows, page.figure("hosts").rows) == ((), (), ())
    assert page.answers[0].sentence == "The reports of this time count no message."


def test_columns_that_have_no_room_stand_below_their_row() -> None:
    columns = (Column("Day", "day"), Column("What"), *(Column(f"A long name {n}", "number") for n in range(9)))
    said = text.table(columns, [("2026-11-28", "some words about it", *range(9)), ("2026-11-29", "-", *[None] * 9)], 60)
    assert max(map(len, said.splitlines())) <= 60
    assert "a long name 8: 8" in said
    assert said.splitlines()[-1].split() == ["2026-11-29", *["-"] * (len(said.splitlines()[-1].split()) - 1)]
    assert "a long name" not in text.table(columns, [("2026-11-28", "x", *range(9))], 200)


def test_the_answers_are_the_same_however_long_the_tables_are(store: SqliteStore, page: Page) -> None:
    short = overview(store, SCOPE._replace(top=1), [], NOW)
    assert [one.sentence for one in short.answers] == [one.sentence for one in page.answers]
    assert {len(one.rows) for one in short.figures if not one.chart} <= {0, 1}


def test_top_bounds_what_is_to_fix(store: SqliteStore, page: Page) -> None:
    short = overview(store, SCOPE._replace(top=1), [], NOW)
    for class_ in {one.class_ for one in short.fixes}:
        mine = [one for one in short.fixes if one.class_ == class_]
        assert len([one for one in mine if one.things == 1]) == 1 or len(mine) == 2
    assert all(len(one.shown) <= 1 for one in short.fixes)
    assert sum(one.messages for one in short.fixes) == sum(one.messages for one in page.fixes)


def test_the_advice_against_spoofing_is_one_step_beyond_what_is_published(page: Page) -> None:
    records = {one.subject: one.records[0].text for one in page.fixes if one.class_ == "spoof"}
    assert records["example.org"].startswith("v=DMARC1; p=reject;")  # quarantine for three weeks
    assert records["example.net"].startswith("v=DMARC1; p=quarantine;")


def test_where_reject_is_published_nothing_is_to_be_published(look: Look, documents: list[Document]) -> None:
    reject = {"policy_published__p": "reject", "policy_published__sp": "reject"}
    fixes = [one for one in look(mail(documents, **reject)).fixes if one.class_ == "spoof"]
    assert fixes
    assert all(not one.records and one.how.startswith("Reject is published already") for one in fixes)


@pytest.mark.parametrize(
    ("p", "sp", "step"),
    [
        ("", "", "p=quarantine"),
        ("none", "none", "p=quarantine"),
        ("quarantine", "none", "p=reject"),
        ("reject", "none", "p=reject; sp=quarantine"),
        ("reject", "quarantine", "p=reject; sp=reject"),
        ("reject", "", ""),
    ],
)
def test_steps_of_a_policy(p: str, sp: str, step: str) -> None:
    assert fixing.stricter(p, sp) == step


def test_what_was_refused_already_is_said(look: Look, documents: list[Document]) -> None:
    found = list(mail(documents, policy_evaluated__disposition="none"))
    fates = ["reject"] * 3 + ["quarantine"] * 2
    lost = [
        Document(one.dataset, one.id, one.fields | {"policy_evaluated.disposition": fate, "count": 4})
        for one, fate in zip(found, fates, strict=False)
    ]
    (fix,) = look([*lost, *found[5:]]).fixes
    assert fix.evidence.endswith(" Already 12 messages were rejected and 8 were put into quarantine.")


def test_what_was_not_refused_is_not_said_to_be(look: Look, documents: list[Document]) -> None:
    (fix,) = look(mail(documents, policy_evaluated__disposition="none")).fixes
    assert "Already" not in fix.evidence


def test_repairs_are_told_together_wherever_they_were(look: Look, documents: list[Document]) -> None:
    found = list(mail(documents))
    broken = "the XML is broken: not well-formed (invalid token)"
    places = [": line 1, column 387", ": line 20, column 1", " (line 3, column 9)"]
    found = [
        Document(one.dataset, one.id, one.fields | {"warnings": [broken + places[n % 3]]})
        for n, one in enumerate(found)
    ]
    assert look(found).figure("warnings").rows == ((broken, "dmarc-aggregate", 9),)


def test_every_table_fits_on_a_terminal_and_nothing_is_cut(page: Page) -> None:
    for figure in (one for one in page.figures if one.chart in {"", "map"}):
        said = text.figure(figure, 80)
        assert max((len(line) for line in said.splitlines()), default=0) <= 80, figure.name
        assert "…" not in said.replace("… and", "")


def test_a_trend_stays_on_its_line(page: Page) -> None:
    figure = page.figure("senders")
    said = text.table(figure.columns, figure.rows, 80).splitlines()
    assert sum(any(bar in line for bar in "▁▂▃▄▅▆▇█") for line in said) == len(figure.rows)
    assert not any(re.fullmatch("[ ▁▂▃▄▅▆▇█]+", line) for line in said)


@given(
    some.lists(some.tuples(some.text("ab -", max_size=90), some.integers(0, 10**9)), min_size=1, max_size=4),
    some.integers(48, 120),
)
def test_a_table_of_anything_fits_and_keeps_every_letter(found: list[tuple[str, int]], width: int) -> None:
    columns = (Column("Name"), Column("Number", "number"), Column("Trend", "trend"), Column("Code", "code"))
    table = [(name, number, (number, 0) * 20, name[::-1]) for name, number in found]
    said = text.table(columns, table, width)
    assert max(map(len, said.splitlines())) <= width
    for letter in "ab":
        assert said.count(letter) == 2 * sum(name.count(letter) for name, _ in found) + "NameNumber".count(letter)


@given(some.lists(some.integers(0, 99), max_size=70).map(tuple), some.integers(0, 40))
def test_a_condensed_trend_is_short_and_loses_no_peak(values: tuple[int, ...], most: int) -> None:
    made = text.condensed(values, most)
    assert len(made) <= (most or len(values))
    assert bool(any(made)) is bool(any(values))


def test_kept_messages_say_where_and_how_many() -> None:
    days = ("2026-11-03T00:00:00Z", "2026-11-02T00:00:00Z")
    figure = intake.kept([Kept(Path("a"), "failed", "", day, 2 * 1024**2, 0) for day in days], SCOPE)
    assert figure.rows[0][:2] == ("failed", 2)
    assert figure.note.startswith("On this machine, 4.0 MiB, the oldest of 2026-11-02. ")
    assert intake.kept([], SCOPE).note.startswith("`email-report-admin kept`")
