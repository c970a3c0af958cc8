"""What the settings say of the ways in that stay."""

from typing import NamedTuple


class LmtpOptions(NamedTuple):
    """How messages are taken by LMTP (`--lmtp ADDRESS`)."""

    socket_mode: str = "0660"  # of the socket of `--lmtp unix:PATH`
    socket_group: str = ""  # of that socket, such as postfix; empty: the group of the process
    connections: int = 100  # at once; one more is told to come again
    recipients: int = 1000  # of one message
    idle: float = 300.0  # seconds without a byte, after which a connection is closed
    workers: int = 0  # processes that read and store; 0: one for each core, and two at the least
    worker_bytes: int = 60 * 1024**2  # memory of a worker, above which it is replaced when its messages are done
    memory_bytes: int = 256 * 1024**2  # data that a worker may have; a message that needs more is kept; 0: any
    drain: float = 30.0  # seconds that messages have to be done when the process is told to end
