"""What is remembered of what was asked for lately."""

from hypothesis import given
from hypothesis import strategies as st

from email_report_processor.values.remembered import Generations


@given(st.lists(st.integers(0, 9)), st.integers(1, 5))
def test_the_last_ones_stay_and_no_more_than_twice_as_many(questions: list[int], most: int) -> None:
    answers: Generations[int, str] = Generations(most)
    for at, question in enumerate(questions):
        lately = list(dict.fromkeys(reversed(questions[:at])))[:most]
        known = answers.get(question)
        assert known == str(question) if question in lately else known in {None, str(question)}
        if known is None:
            answers.put(question, str(question))
        assert len(answers) <= 2 * most


def test_what_is_not_asked_for_is_forgotten() -> None:
    answers: Generations[int, str] = Generations(3)
    answers.put(0, "x")
    for number in range(1, 7):
        answers.put(number, "y")
    assert answers.get(0) is None
    assert answers.get(6) == "y"
