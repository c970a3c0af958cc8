"""The indices that come next: those of this period, and of the one after it. Pure."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from ..documents.layout import period_of

_LONGEST = 366  # days of a period


class Coming(NamedTuple):
    """An index that today's or tomorrow's reports go to."""

    name: str
    dataset: str
    begin: datetime  # of its period; for this period's: now


def coming(prefix: str, granularity: str, datasets: Iterable[str], now: datetime) -> list[Coming]:
    """For each dataset this period's index, then the next one's; one alone where there is one period. now: in UTC."""
    begins = [now]
    this = period_of(now.isoformat(), granularity)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    days = (midnight + timedelta(days=number) for number in range(1, _LONGEST + 1))
    begins += [day for day in days if period_of(day.isoformat(), granularity) != this][:1]
    return [
        Coming(f"{prefix}{dataset}-{period_of(begin.isoformat(), granularity)}", dataset, begin)
        for begin in begins
        for dataset in datasets
    ]
