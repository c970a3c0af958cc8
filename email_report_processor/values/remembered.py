"""Answers that are worth remembering: those to short questions, and not more than so many.

A stranger chooses the questions. What is long hardly comes again, and would take the memory that short ones need.
"""

from collections.abc import Callable
from functools import lru_cache, wraps
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


def remembered(
    most: int, longest: int, size: Callable[[Any], int] = len
) -> Callable[[Callable[[Question], Answer]], Callable[[Question], Answer]]:
    """Remember the last `most` answers of a pure function to arguments of at most `longest` by `size`."""

    def decorate(function: Callable[[Question], Answer]) -> Callable[[Question], Answer]:
        quick = lru_cache(maxsize=most)(function)

        @wraps(function)
        def answer(question: Question) -> Answer:
            return quick(question) if size(question) <= longest else function(question)

        return answer

    return decorate
