"""Receive e-mail reports (DMARC, ARF, SMTP TLS) and put them into OpenSearch."""

from typing import TYPE_CHECKING, Any

__version__ = "1.0.0"
__all__ = ["Bounds", "Options", "Reading", "read_message"]

if TYPE_CHECKING:
    from .message.bounds import Bounds
    from .reports.reading import read_message
    from .reports.report import Options, Reading


def __getattr__(name: str) -> Any:
    """The library's names, loaded when they are used: the command needs none of them at its start."""
    if name == "read_message":
        from .reports.reading import read_message

        return read_message
    if name == "Bounds":
        from .message.bounds import Bounds

        return Bounds
    if name in __all__:
        from .reports import report

        return getattr(report, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
