"""What is remembered, and what is not."""

from email_report_processor.values.remembered import remembered


def test_short_questions_are_asked_once_and_long_ones_each_time() -> None:
    asked = []

    @remembered(most=2, longest=3)
    def twice(text: str) -> str:
        asked.append(text)
        return text * 2

    assert [twice(one) for one in ("abc", "abc", "abcd", "abcd")] == ["abcabc", "abcabc", "abcdabcd", "abcdabcd"]
    assert asked == ["abc", "abcd", "abcd"]
    assert [twice(one) for one in ("b", "c", "abc")] == ["bb", "cc", "abcabc"]
    assert asked[3:] == ["b", "c", "abc"]


def test_another_size() -> None:
    asked = []

    @remembered(most=2, longest=10, size=abs)
    def same(number: int) -> int:
        asked.append(number)
        return number

    assert [same(one) for one in (-10, -10, -11, -11)] == [-10, -10, -11, -11]
    assert asked == [-10, -11, -11]
