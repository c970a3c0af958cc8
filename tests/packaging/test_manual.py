"""The manual pages: clean mdoc(7), and nothing of the program is missing from them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from email_report_processor import settings
from email_report_processor.admin.command import COMMANDS
from email_report_processor.admin.command import parser as admin_parser
from email_report_processor.flags import parser as filter_parser
from tests.conftest import missing
from tests.places import ROOT
from tools import manual, option_records
from tools.mdoc import argument, paragraph

MAN = ROOT / "contrib/man"
PAGES = sorted(MAN.glob("man*/*"))


def mandoc(*arguments: str | Path) -> str:
    """What mandoc prints."""
    if shutil.which("mandoc") is None:
        missing("needs mandoc; on Debian: apt-get install mandoc")
    done = subprocess.run(["mandoc", *arguments], capture_output=True, text=True, check=False)
    return done.stdout


def shown(page: Path) -> str:
    """The page as a terminal has it, without bold, with single blanks."""
    return " ".join(re.sub(r".\x08", "", mandoc("-T", "utf8", "-O", "width=1000", page)).split())


def test_there_is_a_page_for_each_command_and_the_settings() -> None:
    names = {page.name for page in PAGES}
    expected = {"email-report-processor.1", "email-report-admin.1", "email-report-processor.toml.5"}
    expected |= {f"{name}.1" for name in manual.SCRIPTS}
    assert names == expected | {f"email-report-admin-{name}.1" for name in COMMANDS}


def test_mandoc_has_nothing_to_say() -> None:
    said = mandoc("-T", "lint", *PAGES).splitlines()
    # They are not installed where mandoc looks for them; the next test looks among them.
    assert [line for line in said if "referenced manual not found" not in line] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_refer_to_pages_that_are_there(page: Path) -> None:
    names = re.findall(r"^\.Xr (\S+) (\d)", page.read_text("utf-8"), re.MULTILINE)
    assert names
    assert [name for name in names if not (MAN / f"man{name[1]}" / ".".join(name)).exists()] == []


def test_each_flag_of_the_filter_is_there() -> None:
    text = shown(MAN / "man1/email-report-processor.1")
    for action in filter_parser()._actions:
        for name in action.option_strings or [str(action.metavar)]:
            assert name in text


@pytest.mark.parametrize("name", COMMANDS)
def test_each_flag_of_each_command_is_there(name: str) -> None:
    text = shown(MAN / f"man1/email-report-admin-{name}.1")
    made = manual._subparsers(admin_parser())[name]
    for one in (made, *manual._subparsers(made).values()):
        for action in manual._actions(one):
            for flag in action.option_strings or [manual._placeholder(action)]:
                assert flag in text
            if action.help:
                assert " ".join(action.help.replace("%%", "%").split())[1:40] in text
    assert "EXIT STATUS" in text


def test_each_setting_is_there_with_its_default() -> None:
    text = shown(MAN / "man5/email-report-processor.toml.5")
    for section in (*settings.SECTIONS, *settings.OUTER, *settings.FREE[:1]):
        assert f" [{section}] " in text
    for section in (*settings.SECTIONS, *settings.OUTER):
        for kind in settings.records(section):
            for key in option_records.types(kind):
                assert f" {key} = " in text, (section, key)
    assert "retry_seconds = 30.0 (number) Seconds that one message" in text


@pytest.mark.parametrize("text", [".Sh is no macro here", "'quoted' too", "a \\ back-slash", "U+2264 is ≤", "`x` y"])
def test_text_comes_out_as_it_is(text: str, tmp_path: Path) -> None:
    page = tmp_path / "t.1"
    page.write_text("\n".join([".Dd November 1, 2026", ".Dt T 1", ".Os", ".Sh NAME", *paragraph(text), ""]))
    assert text.replace("`", "") in shown(page)


@pytest.mark.parametrize("word", ["Sh", "Op", "a b", 'say "x"', "|yes|no", ".", "\\n", "-x"])
def test_a_word_is_no_macro(word: str, tmp_path: Path) -> None:
    page = tmp_path / "t.1"
    page.write_text(f".Dd November 1, 2026\n.Dt T 1\n.Os\n.Sh NAME\n.Ar {argument(word)} end\n")
    assert f"{word} end" in shown(page)
