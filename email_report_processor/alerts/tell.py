"""One evaluation told: what is new is written down as owed before anybody is told, and as told after a channel took it.

Whoever is killed in between tells again what may have been told, under the same id; nothing is lost.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, time
from pathlib import Path

from . import memory
from .channels import Channel, ChannelError, telling
from .event import Event
from .options import AlertOptions


def tell(
    path: Path,
    found: Iterable[Event],
    channels: Mapping[str, Channel],
    options: AlertOptions,
    now: datetime,
    *,
    write: Callable[[Path, memory.Memory], None] = memory.write,
) -> list[str]:
    """Tell each channel what it is owed. Returns what went wrong, a sentence each. Raises ForgottenError."""
    known = memory.renew(memory.read(path), found, now)
    write(path, known)
    faults = []
    silent = is_quiet(options.quiet, now.astimezone().time())
    for name, channel in channels.items():
        while notes := known.sending.get(name) or memory.owed(
            known, name, now, options.again_days, critical_only=silent
        ):
            known = memory.begin(known, name, notes)
            write(path, known)
            try:
                channel(telling(name, notes, now))
            except ChannelError as error:
                faults.append(str(error))
                break
            known = memory.took(known, name, now)
            write(path, known)
    return faults


def is_quiet(hours: str, at: time) -> bool:
    """Whether a time of the day lies within `22:00-07:00`. Raises ValueError for what is none."""
    if not hours:
        return False
    begin, dash, end = (part.strip() for part in hours.partition("-"))
    if not dash:
        raise ValueError(f"{hours!r} are no hours; write 22:00-07:00")
    first, last = time.fromisoformat(begin), time.fromisoformat(end)
    return first <= at < last if first <= last else at >= first or at < last


def worst(events: Sequence[Event]) -> int:
    """0 ok, 1 warning, 2 critical: the status of a monitoring plug-in."""
    levels = {event.level for event in events}
    return 2 if "critical" in levels else 1 if levels else 0
