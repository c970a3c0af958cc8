"""What the settings say of the ways in that stay."""

from typing import Literal, NamedTuple


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


class InboxOptions(NamedTuple):
    """A mailbox that `email-report-admin inbox` empties by IMAP; one table `[[inbox]]` for each."""

    host: str = ""  # the IMAP server, by the name that its certificate has
    port: int = 0  # 0: 993 with security = "tls", else 143
    security: Literal["tls", "starttls", "none"] = "tls"  # none: only to this machine itself
    ca_file: str = ""  # certificates (PEM) to trust instead of the system's
    verify: bool = True  # false believes any certificate: for trying only
    username: str = ""  # mostly the address of the mailbox
    password: str = ""  # better in a file or a variable
    password_file: str = ""  # the password is its first line
    password_variable: str = ""  # name of an environment variable that has the password
    token_command: tuple[
        str, ...
    ] = ()  # prints an OAuth2 access token (XOAUTH2): a program and its arguments, no shell
    token_seconds: float = 30.0  # seconds that token_command may take
    folders: tuple[str, ...] = ("INBOX",)  # that are read, each by a process and a connection of its own
    done: Literal["move", "delete", "leave"] = "move"  # a message that is stored; leave: only remember that it was read
    archive: str = "archive/reports"  # folder for messages that are stored (done = "move")
    unreadable: str = "archive/unreadable"  # folder for those without a report, or that cannot be read (move, delete)
    feed: str = ""  # becomes report.feed in the place of [read] feed
    tenant: str = ""  # whose mailbox it is: one of [[tenants]]
    look_seconds: float = 300.0  # seconds between two looks; where the server knows IDLE, new mail is seen at once
    timeout: float = 60.0  # seconds for one answer of the server


class BucketOptions(NamedTuple):
    """Objects of S3 that `email-report-admin inbox` reads as they come (SES); one table `[[bucket]]` for each."""

    url: str = ""  # s3://BUCKET/PREFIX; how it is reached stands in [s3]
    feed: str = ""  # becomes report.feed in the place of [read] feed
    tenant: str = ""  # whose they are: one of [[tenants]]
    look_seconds: float = 60.0  # seconds between two looks
