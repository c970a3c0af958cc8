"""Answers that are worth remembering: those to short questions, and not more than so many.

A stranger chooses the questions. What is long hardly comes again, and would take the memory that short ones need.
"""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, TypeVar

Question = TypeVar("Question")
Answer = TypeVar("Answer")


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
