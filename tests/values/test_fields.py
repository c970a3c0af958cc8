"""Values of single fields, as reporters write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.values.fields import read_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("a@b.example", "a@b.example"),
        ("<a@b.example>", "a@b.example"),  # secureserver.net
        (" \u2039a@b.example\u203a ", "a@b.example"),
        ("\u00aba@b.example\u00bb", "a@b.example"),
        ("\uff1ca@b.example\uff1e", "a@b.example"),
        ("\u201ca@b.example\u201d", "a@b.example"),
        ("Post Master <a@b.example>", "a@b.example"),
        ("mailto:a@b.example", "a@b.example"),
        ("<mailto:a@b.example>", "a@b.example"),
        ("a@b.example>", "a@b.example"),
        ("o'neil@b.example", "o'neil@b.example"),
        ("a@b.example, c@d.example", "a@b.example, c@d.example"),
        ("https://b.example/contact?a=<b>&c", "https://b.example/contact?a=<b>&c"),
        ("a@b.example;", "a@b.example"),
        ("a@b.example.", "a@b.example"),
        ("[a@b.example]", "a@b.example"),
        ("Post Master (a@b.example)", "a@b.example"),
        ("Post Master a@b.example", "a@b.example"),
        ("a@[192.0.2.1]", "a@[192.0.2.1]"),
        ("a(at)b.example", "a(at)b.example"),
        ("@b.example", "@b.example"),
        ("<>", ""),
        ("", ""),
    ],
)
def test_address(text: str, address: str) -> None:
    assert read_address(text) == address


@given(st.text() | st.text("<>@ab \u2039\u203a\"':mailto"))
def test_any_address(text: str) -> None:
    assert len(read_address(text)) <= len(text)
