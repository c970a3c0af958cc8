"""The stores that few use: one file each, loaded when its URL is named; what each can promise is in docs/stores.md."""

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

from .store import Store

# Scheme of the URL -> module of this room, which has `open_url(url, chosen) -> Store`.
OTHERS = {
    "csv": "csv_files",
    "gelf": "syslog",
    "gelf+tls": "syslog",
    "http+webhook": "webhook",
    "https+webhook": "webhook",
    "kafka": "kafka",
    "parquet": "parquet",
    "postgresql": "postgresql",
    "splunk+http": "splunk",
    "splunk+https": "splunk",
    "syslog": "syslog",
    "syslog+tls": "syslog",
}


class Chosen(NamedTuple):
    """What every store is told."""

    prefix: str  # of the index names
    budget: float  # seconds that one `write` may wait
    insists: bool  # wait for all of it, also where nobody takes the connection
    options: Callable[[str, Any], Any]  # section and option record -> the record, filled from the settings


def open_other(scheme: str, url: str, chosen: Chosen) -> Store:
    """The store of a scheme in OTHERS. Touches neither files nor the network. Raises ValueError for a wrong URL."""
    store: Store = importlib.import_module(f".{OTHERS[scheme]}", __package__).open_url(url, chosen)
    return store
