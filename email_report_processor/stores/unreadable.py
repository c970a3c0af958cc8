"""What cannot be read back: the half of a store that only takes documents."""

from collections.abc import Iterator
from typing import Any, NoReturn

from .store import Found, Question, Row, Selection, StoreError, Total


class Unreadable:
    """To be inherited by a store that takes documents and hands none out."""

    name: str

    def scan(self, after: tuple[str, str] | None = None) -> Iterator[Row]:
        """Raises StoreError."""
        self._unreadable()

    def totals(self, question: Question) -> list[Total]:
        """Raises StoreError."""
        self._unreadable()

    def select(self, selection: Selection, after: tuple[Any, ...] = ()) -> Iterator[Found]:
        """Raises StoreError."""
        self._unreadable()

    def _unreadable(self) -> NoReturn:
        raise StoreError(f"{self.name} cannot be read back: name a store as sqlite:PATH or https://HOST:9200")
