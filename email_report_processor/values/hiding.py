"""What the site wants of addresses in failed messages; `redaction` does it (8 ms, only where it is wanted)."""

from typing import Literal, NamedTuple

Mode = Literal["none", "recipients", "strict"]


class Redaction(NamedTuple):
    """What is hidden, and by which key."""

    mode: Mode = "none"  # recipients: also users of ours; strict: every address but that of the From field
    key: bytes = b""
    own: tuple[str, ...] = ()  # domains whose users are ours
