"""What the pages say is what the program does."""

import re
import shlex
from pathlib import Path

import pytest

from email_report_processor import __version__
from email_report_processor.admin.command import COMMANDS
from email_report_processor.admin.command import _parse as command_line
from email_report_processor.flags import parser
from email_report_processor.settings import FREE, OUTER, SECTIONS, SettingsError, load
from tests.places import ROOT
from tools import generate_docs

PAGES = sorted(
    {*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("contrib/**/*.md"), *ROOT.glob("benchmarks/*.md")}
)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@pytest.mark.parametrize("name", generate_docs.PAGES)
def test_generated_pages_are_what_the_code_says(name: str) -> None:
    assert (generate_docs.DOCS / name).read_text("utf-8") == generate_docs.PAGES[name](), "run make docs"


@pages
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text("utf-8")):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), target


@pages
def test_commands_and_flags_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    for command in re.findall(r"email-report-admin ([a-z]+)(?=[ `\n])", text):
        assert command in COMMANDS or command.isupper(), command
    known = parser().format_help()
    for line in re.findall(r"^email-report-processor (.*)$", text, re.MULTILINE):
        for flag in re.findall(r"(?<![\w-])--[a-z-]+", line):
            assert flag in known, flag


@pages
def test_commands_in_blocks_are_understood(page: Path) -> None:
    """Each line that calls `email-report-admin` is given to its parser, with placeholders as they stand."""
    blocks = re.findall(r"^```(?:sh|console)?\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    for line in "".join(blocks).replace("\\\n", " ").splitlines():
        if line.startswith("email-report-admin "):
            words = shlex.split(line, comments=True)
            end = next((place for place, word in enumerate(words) if word in {"|", ">", ">>", "<", "&&", ";"}), None)
            try:
                command_line(words[1:end])
            except SystemExit as error:
                raise AssertionError(f"{page}: {line}") from error


@pages
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for target in re.findall(r"(?:`|^)make ([a-z-]+)", page.read_text("utf-8"), re.MULTILINE):
        assert target in targets, target


@pages
def test_settings_in_examples_exist(page: Path, tmp_path: Path) -> None:
    for number, example in enumerate(re.findall(r"```toml\n(.*?)```", page.read_text("utf-8"), re.DOTALL)):
        path = tmp_path / f"{number}.toml"
        path.write_text(example, "utf-8")
        try:
            load({}, str(path), {})
        except SettingsError as error:
            raise AssertionError(f"{page}: {error}") from error


@pages
def test_settings_in_the_text_exist(page: Path) -> None:
    for section in re.findall(r"`\[([a-z]+)\][ `]", page.read_text("utf-8")):
        extras = {"geo", "imap", "aws", "metrics", "notify", "kafka", "parquet", "pictures", "marks", "desk"}
        assert section in {*SECTIONS, *OUTER, *FREE} | extras, section


def test_the_changelog_begins_with_what_is_new() -> None:
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert headings[0] == "Unreleased" or re.fullmatch(rf"{re.escape(__version__)} - \d{{4}}-\d\d-\d\d", headings[0])


def test_the_page_of_stores_names_tests_that_exist() -> None:
    page = (ROOT / "docs/stores.md").read_text("utf-8").partition("**How each was tried**")[2].partition("## Files")[0]
    names = {name for row in page.splitlines() if row.startswith("|") for name in re.findall(r"`(\w+)`", row)}
    text = "".join(path.read_text("utf-8") for path in (ROOT / "tests/stores").glob("test_*.py"))
    assert len(names) > 15
    assert [name for name in sorted(names) if f"\ndef test_{name}(" not in text] == []


def reporters() -> list[tuple[str, list[str]]]:
    """Each line of docs/reporters.md, and what it says shows it."""
    lines = (ROOT / "docs/reporters.md").read_text("utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    return [(f"{row[0]}: {row[1]}", re.findall(r"`([^`]+)`", row[-1])) for row in cells if row[0] != "who"]


def shows(name: str) -> bool:
    if "/" in name and ".py" not in name:
        return any((ROOT / "tests/golden").glob(f"{name}.*"))
    file, _, function = name.rpartition("::")
    path = ROOT / "tests" / (file or "reports/test_reporters.py")
    return path.is_file() and f"\ndef {function}(" in path.read_text("utf-8")


@pytest.mark.parametrize(("line", "names"), reporters())
def test_each_oddity_of_a_reporter_is_shown(line: str, names: list[str]) -> None:
    assert names, line
    assert [name for name in names if not shows(name)] == []


def test_each_test_of_a_reporter_stands_on_the_page() -> None:
    named = {name for _, names in reporters() for name in names}
    text = (ROOT / "tests/reports/test_reporters.py").read_text("utf-8")
    assert set(re.findall(r"^def (test_\w+)", text, re.MULTILINE)) <= named
