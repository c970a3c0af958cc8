"""What `doctor` looks at on this machine: user, settings, state, kept messages, limits, log, compiled files.

Nothing is changed: what is written to try it is removed again. The store stands in store_checks.py.
"""

import importlib.util
import os
import pwd
import resource
import stat
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from .. import __version__
from ..job import choose_store, make_job
from ..log import LogOptions
from ..process import FilterOptions, Routing
from ..settings import PREFIX, Settings, SettingsError, state_dir
from ..stores import kept
from ..values.fields import write_date
from .finding import Finding, failure, ok, warning
from .places import look

_ROOM = 1024**3  # bytes of free space below which somebody should look
_NO_ROOM = 64 * 1024**2  # and below which a message of the usual limit has no place
_NEARLY_FULL = 0.8
_OLD = 7 * 86400  # seconds: what waits for a retry longer than this waits for somebody
_SYSLOG = "/dev/log"
_DOVECOT, _SHORTEST, _POSTFIX = 10, 240, 1000  # seconds that mail servers wait (docs/mail-servers.md)
_RETRY = "look with `email-report-admin kept`, then `email-report-admin kept --retry`"
_READ_REPLIES = (
    "read them with `email-report-admin abuse answers`, best by the timer email-report-answers (docs/abuse-desk.md)"
)
_SOON_READ = timedelta(minutes=30)  # three times what its timer waits
_DEPENDENCIES = ("opensearchpy", "urllib3", "dateutil", "publicsuffixlist")


def check_user(uid: int) -> Iterator[Finding]:
    """As whom this looks."""
    name = user_name(uid)
    if uid == 0:
        text = "checked as root, who may do everything"
        yield warning("user", text, "name the user that the mail server runs the filter as: --user NAME")
    else:
        yield ok("user", f"{name} (version {__version__})")


def check_program() -> Iterator[Finding]:
    """Whether this user may run it at all."""
    package = Path(__file__).parents[1]
    hidden = [
        str(path) for path in (Path(sys.executable), *sorted(package.rglob("*.py"))) if not os.access(path, os.R_OK)
    ]
    if hidden or not os.access(sys.executable, os.X_OK):
        text = f"this user may not read {', '.join(hidden[:3]) or sys.executable}"
        remedy = "let everybody read it, and enter the directories above: `namei -l` with its path shows them"
        yield failure("program", text, remedy)


def user_name(uid: int) -> str:
    """Of the passwd file, else the number."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def check_settings(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Where they come from, and whether all of them can be used."""
    variables = [source for source in settings.sources if source.startswith(PREFIX)]
    files = [source for source in settings.sources if not source.startswith(PREFIX)]
    if variables:
        remedy = "write them into the file: a mail server hands on no variables of your shell"
        yield warning("settings", f"from {', '.join(files + variables)}", remedy)
    elif files:
        yield ok("settings", f"from {', '.join(files)}")
    else:
        yield warning("settings", "none: everything has its default", "write /etc/email-report-processor.toml")
    yield from (finding for file in files for finding in _file_of_settings(Path(file), settings))
    yield from _optional_parts(settings, environ)


def _file_of_settings(path: Path, settings: Settings) -> Iterator[Finding]:
    mode = path.stat().st_mode
    secrets = [key for key in ("password",) if settings.given("opensearch", key)]
    if mode & stat.S_IWOTH or (mode & stat.S_IWGRP and path.stat().st_gid != 0):
        yield failure("settings", f"{path} can be written by others", f"chmod go-w {path}")
    if secrets and mode & stat.S_IROTH:
        remedy = f"chmod o-r {path}, or move the password into a file of its own (password_file)"
        yield warning("settings", f"everybody may read the password in {path}", remedy)


def _optional_parts(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Databases, senders, networks: what the filter reads before each message."""
    warnings: list[str] = []
    try:
        job = make_job(settings, environ, choose_store(settings, environ), lambda: "", warnings.append)
    except SettingsError as error:
        yield failure("settings", str(error), "the filter answers 75 until it is corrected")
        return
    if job.routes is not None:
        yield from _tenants(job.routes, settings)
    for text in warnings:
        yield warning("databases", text, "correct [geo] databases, or install the extra: email-report-processor[geo]")
    if job.databases is not None:
        yield from map(look, job.databases.databases)


def _tenants(routes: Routing, settings: Settings) -> Iterator[Finding]:
    """Whether the settings of each tenant say enough; what its store is like is for a doctor of its own."""
    try:
        routes.check()
    except SettingsError as error:
        yield failure("tenants", str(error), "the filter answers 75 until it is corrected")
    else:
        if not settings.tenant:
            yield ok("tenants", f"{len(routes.names)}: {', '.join(routes.names)}; doctor --tenant NAME looks at each")


def check_state(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """The state directory: there, ours alone, writable, with room."""
    directory = state_dir(settings, environ)
    existing = nearest(directory)
    if fault := cannot_write(existing):
        remedy = f"install -d -m 700 -o {user_name(os.geteuid())} {directory}"
        yield failure("state", f"{directory}: {existing} {fault}", remedy)
        return
    if existing != directory:
        yield ok("state", f"{directory} will be made with the first message")
    else:
        yield from _mode(directory)
        yield from _strangers(directory)
    yield from _free_space(existing)


def nearest(path: Path) -> Path:
    """The path, or what is there of those above it."""
    while not os.path.exists(path) and path != path.parent:  # pathlib's raises where it may not look
        path = path.parent
    return path


def cannot_write(directory: Path) -> str:
    """Why no file can be made there, '' when it can."""
    try:
        _try_to_write(directory)
    except OSError as error:
        return f"cannot be written ({error.strerror})"
    return ""


def _strangers(directory: Path) -> Iterator[Finding]:
    """What root or another user left there, such as `kept --retry` as root."""
    inside = (directory / "kept", *(directory / "kept" / folder for folder in ("new", "cur", "tmp")))
    files = [path for path in directory.iterdir() if path.is_file()]
    wrong = [str(path) for path in (*inside, *files) if path.exists() and not os.access(path, os.W_OK)]
    if wrong:
        remedy = f"chown -R {user_name(os.geteuid())} {directory}"
        yield failure("state", f"cannot be written: {', '.join(wrong[:5])}", remedy)


def _try_to_write(directory: Path) -> None:
    path = directory / f".doctor.{os.getpid()}"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, b"try\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
        path.unlink(missing_ok=True)


def _mode(directory: Path) -> Iterator[Finding]:
    mode = stat.S_IMODE(directory.stat().st_mode)
    if mode & 0o077:
        text = f"{directory} has mode {mode:o}: others may look at reports"
        yield warning("state", text, f"chmod 700 {directory}")
    else:
        yield ok("state", f"{directory}, mode {mode:o}, can be written")


def _free_space(directory: Path) -> Iterator[Finding]:
    space = os.statvfs(directory)
    free = space.f_bavail * space.f_frsize
    text = f"{size(free)} free for {directory}"
    if free < _NO_ROOM:
        yield failure("space", text, "make room: messages cannot be kept, and the mail server gets 75")
    elif free < _ROOM or (space.f_files and space.f_favail < 1000):
        yield warning("space", f"{text}, {space.f_favail:,} files", "make room before messages cannot be kept")
    else:
        yield ok("space", text)


def size(number: int) -> str:
    """Bytes for people."""
    for unit, value in (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024)):
        if number >= value:
            return f"{number / value:.1f} {unit}"
    return f"{number} bytes"


def check_kept(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Messages that wait for a retry, and how much room there is for more."""
    options = settings.record("kept", kept.KeptOptions)
    maildir = kept.directory(state_dir(settings, environ))
    try:
        messages = list(kept.listing(maildir))
    except OSError as error:
        yield failure("kept", f"{maildir} cannot be read ({error.strerror})", "correct its owner and mode")
        return
    if not messages:
        yield ok("kept", f"no message is kept in {maildir}")
        return
    counts = Counter(one.category for one in messages)
    text = ", ".join(f"{number:,} {category}" for category, number in sorted(counts.items()))
    waiting = [one for one in messages if one.category in {"unfinished", "failed", "rejected"}]
    oldest = f"the oldest of {messages[0].time[:10]}" if messages[0].time else "of unknown age"
    if waiting:
        yield warning("kept", f"{text}; {oldest}", _RETRY)
    else:
        yield ok("kept", f"{text}; {oldest}")
    yield from _unread_replies(messages)
    yield from _room_for_kept(messages, options)


def _unread_replies(messages: list[kept.Kept]) -> Iterator[Finding]:
    """What networks answered and nobody read. The timer of the examples reads it every ten minutes."""
    since = write_date(datetime.now(UTC) - _SOON_READ)
    waiting = sorted(one.time for one in messages if one.category == "reply" and one.time < since)
    if waiting:
        text = f"{len(waiting):,} replies of networks to abuse reports are unread, the oldest of {waiting[0][:16]}"
        yield warning("replies", text, _READ_REPLIES)


def _room_for_kept(messages: list[kept.Kept], options: kept.KeptOptions) -> Iterator[Finding]:
    used = sum(one.size for one in messages)
    for what, number, limit in (
        ("max_messages", len(messages), options.max_messages),
        ("max_bytes", used, options.max_bytes),
    ):
        if number >= limit * _NEARLY_FULL:
            text = f"{number:,} of at most {limit:,} ([kept] {what})"
            yield warning("kept", text, f"{_RETRY}; remove what is of no use, or raise [kept] {what}")


def check_limits(settings: Settings) -> Iterator[Finding]:
    """The deadline against what mail servers wait, and limits of this process."""
    deadline = settings.record("filter", FilterOptions).deadline
    text = f"{deadline:g} s for one message"
    if deadline >= _POSTFIX:
        yield failure(
            "deadline", f"{text}: Postfix kills after {_POSTFIX} s and bounces", "set [filter] deadline = 120"
        )
    elif deadline >= _SHORTEST:
        remedy = "set [filter] deadline = 120: OpenSMTPD and maildrop wait 300 s, the wrapper 240 s"
        yield warning("deadline", text, remedy)
    elif deadline >= _DOVECOT:
        yield ok("deadline", f"{text}; below Dovecot's Sieve as it comes (10 s) it must be 8")
    else:
        yield ok("deadline", text)
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY and limit < 256 * 1024**2:
        yield warning("memory", f"limited to {size(limit)} (RLIMIT_AS)", "allow 256 MiB: ulimit -v 262144")


def check_log(settings: Settings) -> Iterator[Finding]:
    """Whether our one line per message arrives somewhere."""
    to = settings.record("log", LogOptions).to
    if to in {"", "syslog"}:
        if os.path.exists(_SYSLOG):
            yield ok("log", "syslog, facility mail")
        else:
            remedy = "start a system log, or name a file: [log] to"
            yield warning("log", f"there is no {_SYSLOG}: what the filter says is lost", remedy)
    elif to == "none":
        yield warning("log", "[log] to = none: nobody is told why a message is kept", "set [log] to = syslog")
    elif to != "stderr":
        yield from _file_of_log(Path(to))
    else:
        remedy = "set [log] to = syslog: several mail servers put what is printed into a bounce"
        yield warning("log", "[log] to = stderr", remedy)


def _file_of_log(path: Path) -> Iterator[Finding]:
    place = path if path.exists() else path.parent
    if os.access(place, os.W_OK):
        yield ok("log", f"{path}")
    else:
        user = user_name(os.geteuid())
        yield warning(
            "log", f"{path} cannot be written: lines go to syslog", f"install -m 600 -o {user} /dev/null {path}"
        )


def check_bytecode() -> Iterator[Finding]:
    """Compiled files: without them each message costs twice as much, and the mail user should not make them."""
    package = Path(__file__).parents[1]
    missing = [path for path in sorted(package.rglob("*.py")) if not _compiled(path)]
    for name in _DEPENDENCIES:
        found = importlib.util.find_spec(name)
        if found is not None and found.origin and not _compiled(Path(found.origin)):
            missing.append(Path(found.origin))
    if missing:
        places = sorted({str(_root(path, package)) for path in missing})
        remedy = f"as the owner of these files: python3 -m compileall -q {' '.join(places)}"
        yield warning("bytecode", f"{len(missing)} modules are not compiled for this Python", remedy)
    else:
        yield ok("bytecode", f"compiled, in {package}")
    if os.geteuid() != 0 and any(os.access(path, os.W_OK) for path in (package, package / "__init__.py")):
        text = f"this user may change the program ({package})"
        yield warning("bytecode", text, f"let it belong to another: chown -R root: {package}")


def _root(path: Path, package: Path) -> Path:
    return package if package in path.parents else path.parent


def _compiled(path: Path) -> bool:
    """Whether Python takes the compiled file: it holds time and size of its source (PEP 552)."""
    cached = Path(importlib.util.cache_from_source(str(path)))
    try:
        head, source = cached.read_bytes()[:16], path.stat()
    except OSError:
        return False
    if head[:4] != importlib.util.MAGIC_NUMBER:
        return False
    if int.from_bytes(head[4:8], "little"):  # by hash of the source
        return True
    both = (
        (int(source.st_mtime) & 0xFFFFFFFF).to_bytes(4, "little"),
        (source.st_size & 0xFFFFFFFF).to_bytes(4, "little"),
    )
    return head[8:12] + head[12:16] == b"".join(both)


def check_clock() -> Iterator[Finding]:
    """It cannot be before this program was installed."""
    from datetime import UTC, datetime

    now, installed = time.time(), Path(__file__).stat().st_mtime
    text = write_date(datetime.fromtimestamp(int(now), UTC))
    if now < installed - 86400:
        yield failure(
            "clock", f"{text} is before this program was installed", "set the clock: timedatectl set-ntp true"
        )
    else:
        yield ok("clock", text)
