"""What `check`, `metrics` and `alert` have in common: one evaluation of the rules."""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager

from ..alerts.look import Look, moment
from ..alerts.options import AlertOptions
from ..flags import now
from ..job import choose_senders, choose_store
from ..settings import Settings, state_dir, state_place
from ..stores import kept
from ..stores.follow import followers


def reads_much() -> None:
    """A hundred thousand groups have no circles: without it a tenth of the time is spent on looking for some."""
    gc.set_threshold(100_000, 50, 100)


@contextmanager
def looking(settings: Settings) -> Iterator[tuple[Look, AlertOptions]]:
    """A look at the store that the settings name, closed at the end. Raises SettingsError."""
    reads_much()
    options = settings.record("alerts", AlertOptions)
    keeping = settings.record("kept", kept.KeptOptions)
    maildir = kept.directory(state_dir(settings, os.environ))
    senders = choose_senders(settings)
    store = choose_store(settings, os.environ).open()
    try:
        messages = tuple(kept.listing(maildir))
        followed = tuple(followers(state_place(settings, os.environ)))
        room = (keeping.max_messages, keeping.max_bytes)
        yield Look(store, moment(now()), senders, messages, *room, followed), options
    finally:
        store.close()
