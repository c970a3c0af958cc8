"""Answers that are worth remembering: those to short questions, and not more than so many.

A stranger chooses the questions. What is long hardly comes again, and would take the memory that short ones need.
"""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Generations(Generic[Question, Answer]):
    """Answers, of which those that are asked for stay: at least the last `most`, and at most twice as many.

    What was not asked for while `most` others were is forgotten; None is no answer.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._young: dict[Question, Answer] = {}
        self._old: dict[Question, Answer] = {}

    def __len__(self) -> int:
        """How many there are."""
        return len(self._young) + len(self._old)

    def get(self, question: Question) -> Answer | None:
        """The answer; None when it is not there any more."""
        answer = self._young.get(question)
        if answer is None and self._old:
            answer = self._old.pop(question, None)
            if answer is not None:
                self.put(question, answer)
        return answer

    def put(self, question: Question, answer: Answer) -> None:
        """Remember an answer."""
        if len(self._young) >= self.most:
            self._old, self._young = self._young, {}
        self._young[question] = answer


class _Answers(dict[Question, Answer]):
    """Answers to questions that were asked: who asks by `[]` pays for no call."""

    def __init__(
        self, function: Callable[[Question], Answer], most: int, longest: int, size: Callable[[Any], int]
    ) -> None:
        super().__init__()
        self._function = function
        self._most = most
        self._longest = longest
        self._size = size

    def __missing__(self, question: Question) -> Answer:
        answer = self._function(question)
        if self._size(question) <= self._longest:
            if len(self) >= self._most:
                self.clear()
            self[question] = answer
        return answer


def remembered(
    most: int, longest: int, size: Callable[[Any], int] = len
) -> Callable[[Callable[[Question], Answer]], Callable[[Question], Answer]]:
    """Remember answers of a pure function to arguments of at most `longest` by `size`.

    Where there are `most` of them, all are forgotten: those that matter come again soon.
    """

    def decorate(function: Callable[[Question], Answer]) -> Callable[[Question], Answer]:
        return _Answers(function, most, longest, size).__getitem__

    return decorate
