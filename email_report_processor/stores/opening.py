"""The store that a URL names. Each is loaded when it is asked for."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO

from .store import Store

if TYPE_CHECKING:
    from .client import OpenSearchOptions


def open_store(
    url: str,
    *,
    prefix: str = "email-report-",
    budget: float = 30.0,
    state: str = "",
    output: BinaryIO | None = None,
    opensearch: "OpenSearchOptions | None" = None,
    insists: bool = False,
    options: Callable[[str, Any], Any] = lambda section, record: record(),
) -> Store:
    """The store that a URL names: `https://HOST:9200` (several: joined by commas), `sqlite:PATH`, `-`, see others.py.


    prefix: of the index names. budget: seconds that one `write` may wait for the store. state: directory that may
    remember what was seen to be in place, '' for none. output: where `-` goes. opensearch: what is special to it.
    insists: wait for all of the budget also where nobody takes the connection. options: the record of a section, for
    the stores in others.py.
    Touches neither files nor the network. Raises ValueError, with a sentence for people, for any other URL.
    """
    if url == "-":
        return _to_stream(output)
    scheme, _, place = url.partition(":")
    if scheme == "sqlite" and place:
        from .sqlite import SqliteStore  # 5 ms

        return SqliteStore(place, prefix=prefix, budget=budget)
    if scheme in {"http", "https"}:
        from .client import OpenSearchOptions
        from .opensearch import OpenSearchStore  # opensearch-py itself (187 ms) waits until it is used

        special = opensearch or OpenSearchOptions()
        urls = tuple(url.split(","))
        return OpenSearchStore(urls, special, prefix=prefix, budget=budget, state=state, insists=insists)
    from .others import OTHERS, Chosen, open_other  # 1 ms, only for these

    if scheme in OTHERS:
        return open_other(scheme, url, Chosen(prefix, budget, insists, options))
    raise ValueError(
        f"the store is https://HOST:9200, sqlite:PATH, -, or one of docs/stores.md, not {_without_secrets(url)!r}"
    )


def _to_stream(output: BinaryIO | None) -> Store:
    from .ndjson import NdjsonStore  # 1 ms

    if output is None:
        import sys

        output = sys.stdout.buffer
    return NdjsonStore(output)


def _without_secrets(url: str) -> str:
    """A URL without what stands before its last @: it may be a password."""
    return url.rpartition("@")[2]
