"""Whether work grows with its input and not with its square: ratios within one run, no absolute times.

CPU time, without the garbage collector. Noise only ever makes a run dearer, so the cheapest of several counts, and
what is small is repeated until it takes long enough to be measured.
"""

import gc
import math
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

TIMES = 4  # as much work: the big input against the small one; quadratic work takes 16 times as long
MOST = 2.5 * TIMES  # what linear work never takes, with caches that are too small and a loaded machine
_ENOUGH = 0.01  # seconds of CPU of the cheaper one, so that the clock and one interrupt are nothing
_ATTEMPTS = 4  # pairs of measurements before it is believed that the ratio is too big

T = TypeVar("T")


def assert_linear(work: Callable[[T], object], make: Callable[[int], T], *sizes: int) -> None:
    """Work on `make(size)` and on TIMES as much, for each size; the second may take MOST times as long.

    A size and its multiple must lie on the same side of every bound of the code: what is cut at 4096 characters is
    linear beyond them whatever it does before.
    """
    for size in sizes:
        small, big = make(size), make(TIMES * size)
        seen = ratio(partial(work, big), partial(work, small), MOST)
        assert seen < MOST, f"{TIMES} times as much as {size} takes {seen:.1f} times as long"


def ratio(one: Callable[[], object], other: Callable[[], object], most: float) -> float:
    """CPU time of one piece of work in CPU times of another, measured again while it is not below `most`."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        return _ratio(one, other, most)
    finally:
        if enabled:
            gc.enable()


def _ratio(one: Callable[[], object], other: Callable[[], object], most: float) -> float:
    first = _seconds(other, 1)
    if first < _ENOUGH:
        first = _seconds(other, 1)  # without imports
    number = max(1, math.ceil(_ENOUGH / max(first, 1e-6)))
    ones, others = [math.inf], [first * number]
    for _ in range(_ATTEMPTS):
        ones.append(_seconds(one, number))
        others.append(_seconds(other, number))
        if min(ones) < most * min(others):
            break
    return min(ones) / min(others)


def _seconds(work: Callable[[], object], number: int) -> float:
    begin = time.process_time()
    for _ in range(number):
        work()
    return time.process_time() - begin
