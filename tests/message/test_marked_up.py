"""The text of HTML pages: the same however the bytes come, and in linear time."""

from collections.abc import Iterator
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from email_report_processor.message.marked_up import is_page, text_of
from tests.linear import assert_linear


def text(data: bytes, size: int = 10**6) -> bytes:
    def pieces() -> Iterator[bytes]:
        return (data[at : at + size] for at in range(0, len(data), size))

    return b"".join(text_of(pieces))


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (b"<p>a<br>b<br/>c</p>", b"\na\nb\nc\n"),
        (b"a<b class='x'>c</b>d<!-- e -->", b"acd"),
        (b"&lt;x y=&quot;1&quot;&gt;&amp;lt;&nbsp;&#39;", b'<x y="1">&lt; \''),
        (b"1 < 2 and 3 > 2 &", b"1 < 2 and 3 > 2 &"),
        (b"a<!-- &lt; -->b<", b"ab<"),
    ],
)
def test_text(page: bytes, expected: bytes) -> None:
    for size in (1, 3, 100):
        assert text(page, size) == expected


@settings(max_examples=1000)
@given(st.lists(st.sampled_from([b"<", b">", b"<br>", b"&lt;", b"&", b"a", b"\n", b"</div>", b"<!", b"\xff"])))
def test_it_does_not_depend_on_pieces(parts: list[bytes]) -> None:
    data = b"".join(parts)
    assert text(data, 1) == text(data, 7) == text(data)


def test_linear() -> None:
    for part in (b"<", b"<a", b"<br", b"&", b"<a " + b"x" * 1000):
        assert_linear(
            lambda data: text(data, 65536), partial(lambda part, size: part * (size // len(part)), part), 10**5
        )


def test_pages() -> None:
    assert is_page(b"  <!DOCTYPE html>")
    assert is_page(b"<PRE>x")
    assert not is_page(b"M<P2X5A 1 < 2")
