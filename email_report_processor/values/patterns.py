"""Patterns that are compiled when they are used for the first time.

A hundred patterns take 14 ms to compile, and most messages need a third of them. After its first use a method of such a
pattern is an attribute like any other: it costs nothing more.
"""

import re
from typing import Any, AnyStr, cast


class _Pattern:
    def __init__(self, source: str | bytes, flags: int) -> None:
        self._source = source
        self._flags = flags

    def __getattr__(self, name: str) -> Any:
        """The first use of a method: `re` itself remembers what it compiled."""
        value = getattr(re.compile(self._source, self._flags), name)
        setattr(self, name, value)
        return value


def pattern(source: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """Like `re.compile`; what is wrong with a pattern is said when it is used."""
    return cast("re.Pattern[AnyStr]", _Pattern(source, flags))
