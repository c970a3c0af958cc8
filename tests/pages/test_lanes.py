"""Several questions at once: the same answers, errors where they are waited for, and no thread that stays."""

import threading

import pytest

from email_report_processor.pages.lanes import lanes
from email_report_processor.stores.store import StoreError


class Several:
    """A store that answers so many questions at once, as far as `lanes` looks."""

    name = "several"

    def __init__(self, number: int) -> None:
        self.lanes = number


@pytest.mark.parametrize("number", [1, 4])
def test_answers_come_where_they_are_waited_for(number: int) -> None:
    with lanes(Several(number)) as begin:  # type: ignore[arg-type]  # nothing is asked
        begun = [begin(lambda one=one: 2 * one) for one in range(20)]  # type: ignore[misc]  # mypy has no lambda defaults
        assert [one() for one in begun] == [2 * one for one in range(20)]


def test_questions_meet() -> None:
    """Each waits for the other: in turn they would wait for ever."""
    meeting = threading.Barrier(2, timeout=60)
    with lanes(Several(2)) as begin:  # type: ignore[arg-type]  # nothing is asked
        one, other = begin(meeting.wait), begin(meeting.wait)
        assert {one(), other()} == {0, 1}


def asked(number: int) -> int:
    def fail() -> int:
        raise StoreError("away")

    with lanes(Several(number)) as begin:  # type: ignore[arg-type]  # nothing is asked
        wait = begin(fail)
        begin(lambda: 1)
        return wait()


@pytest.mark.parametrize("number", [1, 4])
def test_an_error_is_told_and_nothing_goes_on(number: int) -> None:
    before = threading.active_count()
    with pytest.raises(StoreError, match="away"):
        asked(number)
    assert threading.active_count() == before
