"""Numbers of every command line: what nobody can mean is refused, with what may be written."""

import argparse
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.admin.command import parser
from email_report_processor.admin.numbers import span, whole

_NOT_CHECKED = frozenset({int, float})


def options(made: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Of all sub-commands and theirs."""
    for action in made._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in dict.fromkeys(action.choices.values()):
                yield from options(below)
        elif action.type is not None and isinstance(action.default, int | float | None):
            yield action


NUMBERS = {"/".join(one.option_strings): one for one in options(parser()) if one.option_strings}


def test_they_are_found() -> None:
    assert {"--limit", "--top", "--least", "--weeks", "--port", "--timeout", "--hours", "--window"} <= NUMBERS.keys()


@pytest.mark.parametrize("text", ["-1", "1e400", "nan", "inf", "-inf", "x", "", "9" * 30, "9" * 5000, "٣x"])
def test_no_option_takes_what_nobody_means(text: str) -> None:
    for action in NUMBERS.values():
        assert action.type not in _NOT_CHECKED, action.option_strings
        assert callable(action.type)
        with pytest.raises(argparse.ArgumentTypeError, match="write"):
            action.type(text)


@given(st.text(max_size=30))
def test_any_text_is_a_number_within_bounds_or_refused(text: str) -> None:
    for read in (whole(1, 50), span(1, 50)):
        try:
            assert 1 <= read(text) <= 50
        except argparse.ArgumentTypeError:
            continue


def test_both_bounds_are_taken() -> None:
    assert [whole(0, 7)("0"), whole(0, 7)("7"), span(0.5)("0.5")] == [0, 7, 0.5]


def test_the_words_of_the_refusal(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parser(["search"]).parse_args(["search", "--limit", "-1", "class:spoof"])
    assert ended.value.code == 2
    assert "argument --limit: '-1': write a whole number from 0 to 1000000000" in capsys.readouterr().err
