"""Several questions at once, to a store that answers several at a time.

A node works on the next question while this process reads the answer to the last: the page of a month of ten million
rows takes two thirds of the time.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

from ..stores.store import Store

Found = TypeVar("Found")


class Begin(Protocol):
    """Begins some work, and gives what waits for it: to be called once."""

    def __call__(self, work: Callable[[], Found], /) -> Callable[[], Found]:
        """See the class."""
        ...


def in_turn(work: Callable[[], Found], /) -> Callable[[], Found]:
    """Of a store that answers one question at a time: the work is done when it is waited for."""
    return work


@contextmanager
def lanes(store: Store) -> Iterator[Begin]:
    """What begins work over this store. Raises what the work raises, where it is waited for."""
    number: int = getattr(store, "lanes", 1)
    if number == 1:
        yield in_turn
        return
    from concurrent.futures import ThreadPoolExecutor  # 6 ms, for people only

    pool = ThreadPoolExecutor(number)

    def begin(work: Callable[[], Found], /) -> Callable[[], Found]:
        return pool.submit(work).result

    try:
        yield begin
    finally:
        pool.shutdown(cancel_futures=True)  # of which there are some where another one failed
