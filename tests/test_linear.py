"""The measure of linear time: what it lets pass, and what it does not."""

import gc

import pytest

from tests.linear import MOST, TIMES, assert_linear, ratio


def linear(size: int) -> int:
    return sum(range(size))


def quadratic(size: int) -> int:
    return sum(linear(size) for _ in range(size))


def test_linear_work_passes() -> None:
    assert_linear(linear, lambda size: size, 10, 1_000, 100_000)
    assert_linear(sorted, lambda size: [(number * 7919) % size for number in range(size)], 10_000)  # n log n
    assert_linear(len, bytes, 1_000)  # takes no time at all


def test_quadratic_work_fails() -> None:
    with pytest.raises(AssertionError, match=r"4 times as much as 300 takes \d\d"):
        assert_linear(quadratic, lambda size: size, 300)


def test_text_that_is_copied_for_each_character_fails() -> None:
    def copies(text: str) -> None:
        while text:
            text = text[1:]

    with pytest.raises(AssertionError, match=r"takes \d\d"):
        assert_linear(copies, lambda size: "x" * size, 30_000)


def test_each_size_counts() -> None:
    """Quadratic up to a bound of 400."""

    def bounded(size: int) -> int:
        return quadratic(min(size, 400))

    assert_linear(bounded, lambda size: size, 400)
    with pytest.raises(AssertionError):
        assert_linear(bounded, lambda size: size, 400, 100)


def test_ratio() -> None:
    assert TIMES / 2 < ratio(lambda: linear(TIMES * 10_000), lambda: linear(10_000), MOST) < TIMES * 2
    assert ratio(lambda: linear(1_000), lambda: linear(1_000_000), 0.1) < 0.1


def test_the_garbage_collector_is_as_it_was() -> None:
    def work(_: int) -> None:
        assert not gc.isenabled()

    assert gc.isenabled()
    assert_linear(work, lambda size: size, 1)
    assert gc.isenabled()
