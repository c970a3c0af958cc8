"""A connection to a mailbox elsewhere, in our terms (RFC 3501, 9051). The only module that imports imap_tools.

Of imap-tools its connections, IDLE and the encoding of folder names are used. Its `fetch` holds and parses whole
messages; its `delete`, `flag` and, without MOVE, `move` end with EXPUNGE, which removes for good what another client
has marked as deleted; and it asks for MOVE before the log-in, when most servers do not name it yet.
"""

import imaplib
import json
import re
import select
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple, NoReturn

from .credentials import Credential
from .options import InboxOptions

PIECE = 1024**2  # bytes of a message that are fetched at once
WINDOW = 1000  # UIDs that are asked about at first; more where few of them are there
MANY = 500  # messages of one answer; with more, fewer UIDs are asked about
_TRIES = 5  # to list messages while another client deletes some

_UID = re.compile(rb"\bUID (\d+)")
_SIZE = re.compile(rb"\bRFC822\.SIZE (\d+)")
_QUOTED = re.compile(rb'BODY\[\](?:<\d+>)? "((?:[^"\\]|\\.)*)"')
_CERTIFICATE = (
    ("ostname mismatch", "name the host as its certificate does"),
    ("IP address mismatch", "name the host as its certificate does"),
    ("certificate has expired", "its owner has to renew it"),
    ("CERTIFICATE_VERIFY_FAILED", "name the authority that signed it with ca_file"),
    ("WRONG_VERSION_NUMBER", 'it does not speak TLS on this port: set security = "starttls", or another port'),
)


class InboxError(Exception):
    """The server is away, or says no. lasting: it will say so again until somebody changes something."""

    def __init__(self, text: str, *, lasting: bool = False) -> None:
        super().__init__(text)
        self.lasting = lasting


class Selected(NamedTuple):
    """A folder that was opened."""

    validity: int  # UIDVALIDITY: while it stays, a UID means the same message (RFC 3501 §2.3.1.1)
    messages: int


class Found(NamedTuple):
    """A message of the folder."""

    uid: int
    size: int  # bytes, as the server says: Exchange is often wrong
    deleted: bool  # somebody has marked it so


class Moved(NamedTuple):
    """What came of moving messages."""

    said: str  # '' when it is done, else why not
    copied: bool  # they are in the other folder, and only their removal may be missing


def announced(told: Mapping[str, Sequence[Any]]) -> bool:
    """Whether a server has told of new messages since the folder was opened, in its answers to other commands.

    told: untagged responses since SELECT, as imaplib has them. IDLE does not tell it again (RFC 2177, section 3).
    """
    exists, gone = told.get("EXISTS", ()), told.get("EXPUNGE", ())
    return len(exists) > 1 and int(exists[-1]) > int(exists[0]) - len(gone)


class Connection:
    """A connection that is logged in. Everything raises InboxError, and the connection is of no use after it."""

    def __init__(self, mailbox: Any, name: str) -> None:
        self._mailbox = mailbox
        self._client: imaplib.IMAP4 = mailbox.client
        self._name = name
        with self._said("CAPABILITY"):
            self.capabilities = self._capabilities()
            self._delimiter = self._separator()
        self._selected = False

    def select(self, folder: str, *, read_only: bool) -> Selected:
        """Open a folder, or look at it again."""
        self._selected = False
        with self._said(f"SELECT {folder}"):
            try:
                status, data = self._client.select(self._encoded(folder), read_only)  # type: ignore[arg-type]  # bytes
            except imaplib.IMAP4.readonly as error:
                raise InboxError(
                    f'{self._name}: {folder} can only be read: set done = "leave"', lasting=True
                ) from error
            if status != "OK":
                raise InboxError(f"{self._name}: {folder} cannot be opened: {_text(data)}", lasting=True)
            validity = self._client.response("UIDVALIDITY")[1]
            if not validity or validity[-1] is None:
                raise InboxError(f"{self._name}: {folder} has no UIDVALIDITY, so messages have no names", lasting=True)
            self._selected = True
            return Selected(int(validity[-1]), int(data[0] or b"0"))

    def pages(self, above: int) -> Iterator[list[Found]]:
        """The messages of a folder that is not empty, with a higher UID than this, some at a time."""
        last = self.last()
        window = WINDOW
        while above < last:
            until = min(last, above + window)
            lines = self._listed(f"{above + 1}:{until}", "(UID FLAGS RFC822.SIZE)")
            found = sorted({one.uid: one for one in map(_found, lines) if one}.values())
            if found:
                yield found
            above = until
            window = max(1, window // 2) if len(found) > MANY else window * 2 if len(found) < MANY // 4 else window

    def fetch(self, uids: Sequence[int], start: int = 0, size: int = PIECE) -> dict[int, bytes]:
        """Bytes of messages; one that is no longer there is absent. Leaves \\Seen as it is."""
        try:
            lines = self._uid("FETCH", _set(uids), f"(UID BODY.PEEK[]<{start}.{size}>)")
        except _RefusedError:  # Dovecot says NO [EXPUNGEISSUED] when one of them was just deleted
            return {} if len(uids) == 1 else {k: v for uid in uids for k, v in self.fetch([uid], start, size).items()}
        return dict(_bodies(lines))

    def move(self, uids: Sequence[int], folder: str) -> Moved:
        """Move messages; without MOVE (RFC 6851) they are copied, and then deleted."""
        target = self._encoded(folder)
        command = "MOVE" if "MOVE" in self.capabilities else "COPY"
        said = self._tried(command, _set(uids), target)
        if "TRYCREATE" in said or "exist" in said:
            said = self._create(folder, target) or self._tried(command, _set(uids), target)
        if said or command == "MOVE":
            return Moved(said, copied=False)
        return Moved(self.delete(uids), copied=True)

    def delete(self, uids: Sequence[int]) -> str:
        """Delete messages, and no others; '' when it is done. Without UIDPLUS they are only marked (RFC 4315)."""
        said = self._tried("STORE", _set(uids), "+FLAGS.SILENT", r"(\Deleted)")
        return said or (self._tried("EXPUNGE", _set(uids)) if "UIDPLUS" in self.capabilities else "")

    def idle(self, seconds: float, other: int) -> None:
        """Wait until the server has something to say, or `other` can be read, or for so many seconds."""
        if "IDLE" not in self.capabilities or not self._selected:
            select.select([other], [], [], seconds)
            return
        with self._said("IDLE"):
            from imap_tools.errors import ImapToolsError

            try:
                self._mailbox.idle.start()
            except ImapToolsError:  # it says IDLE, and refuses it
                self.capabilities = self.capabilities - {"IDLE"}
                return
            if not self._has_more() and not announced(self._client.untagged_responses):
                select.select([self._client.sock.fileno(), other], [], [], seconds)
            self._mailbox.idle.stop()

    def folders(self) -> list[str]:
        """The names of all folders, as they are written in the settings."""
        with self._said("LIST"):
            return [one.name.replace(one.delim or "/", "/") for one in self._mailbox.folder.list()]

    def close(self) -> None:
        """Say goodbye."""
        try:
            self._client.logout()
        except (imaplib.IMAP4.error, OSError):
            self.drop()

    def drop(self) -> None:
        """Close it as it is: it may be broken, or hang."""
        self._client.shutdown()

    def _has_more(self) -> bool:
        """Whether bytes came together with the answer to IDLE: select() does not see what was read already."""
        file: Any = getattr(self._client, "_file", None) or self._client.file  # _file: Python 3.14
        self._client.sock.settimeout(0)
        try:
            return bool(file.peek(1))
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        finally:
            self._client.sock.settimeout(self._mailbox._timeout)

    def last(self) -> int:
        """The highest UID of a folder that is not empty."""
        lines = self._listed("*", "(UID)")
        return max((int(uid[1]) for line in lines if isinstance(line, bytes) and (uid := _UID.search(line))), default=0)

    def _listed(self, which: str, what: str) -> list[Any]:
        for _ in range(_TRIES):
            try:
                return self._uid("FETCH", which, what)
            except _RefusedError as error:
                said = str(error)
            if "EXPUNGEISSUED" not in said:
                break
            with self._said("NOOP"):  # another client deletes: the server tells which are gone (RFC 5530, section 3)
                self._client.noop()
        raise InboxError(f"{self._name}: the messages cannot be listed: {said}")

    def _tried(self, command: str, *arguments: Any) -> str:
        """'' when it is done, else what the server said."""
        try:
            self._uid(command, *arguments)
        except _RefusedError as error:
            return str(error) or "no"
        return ""

    def _uid(self, command: str, *arguments: Any) -> list[Any]:
        with self._said(command):
            status, data = self._client.uid(command, *arguments)
        if status != "OK":
            self._client.untagged_responses.clear()
            raise _RefusedError(_text(data))
        return [line for line in data if line is not None]

    def _create(self, folder: str, target: bytes) -> str:
        with self._said("CREATE"):
            status, data = self._client.create(target)  # type: ignore[arg-type]  # bytes
            if status == "OK":
                self._client.subscribe(target)  # type: ignore[arg-type]  # bytes; else many programs do not show it
        return "" if status == "OK" else f"the folder {folder} cannot be made: {_text(data)}"

    def _capabilities(self) -> frozenset[str]:
        """After the log-in there are more of them: Dovecot names MOVE and UIDPLUS only then."""
        status, data = self._client.capability()
        if status != "OK":
            raise imaplib.IMAP4.error(_text(data))
        return frozenset(b" ".join(one for one in data if one).decode("ascii", "replace").upper().split())

    def _separator(self) -> str:
        """What stands between a folder and one in it: / or . or nothing (RFC 3501 §6.3.8)."""
        _, data = self._client.list('""', '""')
        line = data[0] if data and isinstance(data[0], bytes) else b""
        found = re.match(rb'\([^)]*\) "\\?(.)"', line)
        return found[1].decode("ascii", "replace") if found else "/"

    def _encoded(self, folder: str) -> bytes:
        from imap_tools.utils import encode_folder

        return encode_folder(folder.replace("/", self._delimiter))

    @contextmanager
    def _said(self, doing: str) -> Iterator[None]:
        with _told(self._name, doing):
            yield


class _RefusedError(Exception):
    """A tagged NO: the connection is as good as before. BAD is not among them: it is an InboxError."""


def connect(options: InboxOptions, credential: Credential) -> Connection:
    """Connect and log in. Raises InboxError."""
    name = f"{options.username} on {options.host}"
    try:
        import imap_tools
    except ImportError as error:
        raise InboxError(
            "an inbox needs imap-tools: pip install 'email-report-processor[imap]'", lasting=True
        ) from error
    port = options.port or (993 if options.security == "tls" else 143)
    with _told(name, f"connecting to port {port} (as host, port and security of [[inbox]] say)"):
        if options.security == "none":
            mailbox: Any = imap_tools.MailBoxUnencrypted(options.host, port, options.timeout)
        else:
            kind = imap_tools.MailBox if options.security == "tls" else imap_tools.MailBoxStartTls
            mailbox = kind(options.host, port, options.timeout, ssl_context=_tls(name, options))
        with ExitStack() as failing:
            failing.callback(mailbox.client.shutdown)
            _log_in(mailbox.client, options.username, credential, name)
            connection = Connection(mailbox, name)
            failing.pop_all()
            return connection


def _log_in(client: imaplib.IMAP4, username: str, credential: Credential, name: str) -> None:
    challenges: list[bytes] = []
    if credential.is_token:
        first = f"user={username}\1auth=Bearer {credential.secret}\1\1".encode()
        mechanism = "XOAUTH2"
    else:
        first = f"\0{username}\0{credential.secret}".encode()  # RFC 4616: UTF-8, which LOGIN does not know
        mechanism = "PLAIN"

    def answer(challenge: bytes) -> bytes:
        challenges.append(challenge)
        return first if len(challenges) == 1 else b""  # the second one is why not, in JSON; it wants an empty answer

    try:
        if mechanism == "PLAIN" and "AUTH=PLAIN" not in client.capabilities and credential.secret.isascii():
            client.login(username, credential.secret)
        else:
            client.authenticate(mechanism, answer)
    except imaplib.IMAP4.abort:
        raise  # the connection was cut: this may be a matter of time
    except imaplib.IMAP4.error as error:
        _refused(name, mechanism, str(error), challenges[1:])


def _refused(name: str, mechanism: str, said: str, challenges: Sequence[bytes]) -> NoReturn:
    what = "the token of token_command" if mechanism == "XOAUTH2" else "the user name or the password"
    try:
        reason = json.loads(challenges[0]) if challenges else {}
    except ValueError:
        reason = {}
    more = f" (status {reason.get('status')})" if isinstance(reason, dict) and reason.get("status") else ""
    said = _plain(said)
    lasting = "UNAVAILABLE" not in said.upper()
    raise InboxError(f"{name}: the server refuses {what}{more}: {said}", lasting=lasting) from None


def _tls(name: str, options: InboxOptions) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=options.ca_file or None)
    except OSError as error:  # ssl.SSLError is one
        said = f"{name}: ca_file {options.ca_file}: {error.strerror or error}: it must be a readable PEM file"
        raise InboxError(said, lasting=True) from error
    if not options.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


@contextmanager
def _told(name: str, doing: str) -> Iterator[None]:
    """What imaplib, imap-tools, TLS and sockets raise becomes an InboxError."""
    try:
        yield
    except ssl.SSLError as error:
        said = str(getattr(error, "verify_message", "") or error.reason or error)
        for words, remedy in _CERTIFICATE:
            if words in f"{error} {said}":
                raise InboxError(f"{name}: {said}: {remedy}", lasting=True) from error
        raise InboxError(f"{name}: {doing}: {said}") from error
    except TimeoutError as error:
        raise InboxError(f"{name}: {doing}: no answer in time") from error
    except OSError as error:
        raise InboxError(f"{name}: {doing}: {error.strerror or error}") from error
    except imaplib.IMAP4.error as error:  # among them abort: the connection was cut
        raise InboxError(f"{name}: {doing}: {_plain(str(error))}") from error
    except (RuntimeError, ValueError, IndexError, AttributeError, TypeError) as error:
        # Where a server says what no server should, imaplib and imap-tools raise whatever comes.
        raise InboxError(f"{name}: {doing}: an answer that is none ({type(error).__name__})") from error


def _plain(said: str) -> str:
    """What imaplib raises is often the repr of bytes."""
    found = re.fullmatch(r"b(['\"])(.*)\1", said, re.DOTALL)
    return (found[2] if found else said)[:300]


def _text(data: Sequence[Any]) -> str:
    return b" ".join(one for one in data if isinstance(one, bytes)).decode("utf-8", "replace")[:300]


def _set(uids: Sequence[int]) -> str:
    """A sequence set: `1:5,7`."""
    parts: list[list[int]] = []
    for uid in sorted(uids):
        if parts and parts[-1][1] == uid - 1:
            parts[-1][1] = uid
        else:
            parts.append([uid, uid])
    return ",".join(str(first) if first == last else f"{first}:{last}" for first, last in parts)


def _found(line: Any) -> Found | None:
    """A line of the answer about UIDs, flags and sizes."""
    if not isinstance(line, bytes):
        return None
    uid, size = _UID.search(line), _SIZE.search(line)
    return Found(int(uid[1]), int(size[1]), rb"\Deleted" in line) if uid and size else None


def _bodies(lines: Sequence[Any]) -> Iterator[tuple[int, bytes]]:
    """UIDs and bytes. A message is a literal (a tuple) and the line behind it, or one line; its UID is in either."""
    for number, line in enumerate(lines):
        if isinstance(line, tuple):
            head, data = line[0], line[1]
            behind = lines[number + 1] if number + 1 < len(lines) else b""
            head += behind if isinstance(behind, bytes) else b""
        elif (quoted := _QUOTED.search(line)) is not None:
            head, data = line[: quoted.start()] + line[quoted.end() :], re.sub(rb"\\(.)", rb"\1", quoted[1])
        elif re.search(rb"BODY\[\](?:<\d+>)? NIL", line):
            head, data = line, b""
        else:
            continue
        if (uid := _UID.search(head)) is not None:
            yield int(uid[1]), data
