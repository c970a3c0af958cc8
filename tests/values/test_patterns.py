"""Patterns that are compiled when they are used."""

import re

import pytest

from email_report_processor.values.patterns import pattern


def test_it_is_what_re_makes() -> None:
    lazy, real = pattern(r"(a+)(b)?", re.IGNORECASE), re.compile(r"(a+)(b)?", re.IGNORECASE)
    for method in ("match", "search", "fullmatch"):
        assert str(getattr(lazy, method)("xAAb")) == str(getattr(real, method)("xAAb"))
    assert lazy.sub("-", "xAAb") == "x-"
    assert [one[0] for one in pattern(rb"\d+").finditer(b"1 23")] == [b"1", b"23"]
    assert (lazy.pattern, lazy.flags, lazy.groups) == (real.pattern, real.flags, real.groups)


def test_a_method_is_looked_up_once() -> None:
    lazy = pattern("a")
    assert "match" not in vars(lazy)
    assert lazy.match("a")
    assert lazy.match is vars(lazy)["match"]


def test_a_wrong_one_says_so_when_it_is_used() -> None:
    wrong = pattern("(")
    with pytest.raises(re.error):
        wrong.match("x")
