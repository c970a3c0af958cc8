"""The systemd units of the Debian package: one table of services, one of what each is forbidden, and why.

A unit is written only when the program has the command that it starts.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from email_report_processor.admin.command import parser as admin_parser
from email_report_processor.flags import parser as filter_parser
from tools.manual import _actions, _subparsers


class Unit(NamedTuple):
    """A service, and its timer or socket."""

    name: str
    about: str
    command: str
    every: str = ""  # OnCalendar= of a timer that starts it; empty: a service that stays
    socket: str = ""  # ListenStream= of a socket that starts it
    mail: bool = False  # it hands mail to sendmail
    more: tuple[str, ...] = ()  # further lines of [Service]


_RESIDENT = (
    "Type=notify",
    "# Its settings again. Not /bin/kill: a small Debian has none (procps).",
    "ExecReload=/bin/sh -c 'kill -HUP $MAINPID'",
    "WatchdogSec=60",
    "# What is on its way has 30 seconds ([lmtp] drain); workers end with their parent.",
    "KillMode=mixed",
    "TimeoutStopSec=45",
    "MemoryMax=1G",
)
_LOGS = ("# Who may read the journal and the logs below /var/log.", "SupplementaryGroups=systemd-journal adm")
_ENVIRONMENT = (
    "# There: FOLLOW=--from URL --to URL.",
    "EnvironmentFile=-/etc/default/email-report-processor",
)

UNITS = (
    Unit(
        "lmtp", "taken by LMTP", "email-report-processor --lmtp systemd", socket="/run/email-report/lmtp",
        more=_RESIDENT,
    ),
    Unit("inbox", "read from mailboxes", "email-report-admin inbox", more=_RESIDENT),
    Unit("kept", "kept, tried again", "email-report-admin kept --retry --category unfinished", every="hourly"),
    Unit("alert", "told what is wrong", "email-report-admin alert", every="hourly", mail=True),
    Unit("digest", "the mail of the week", "email-report-admin digest", every="Mon 07:00", mail=True),
    Unit("prune", "what has had its time is removed", "email-report-admin prune", every="daily"),
    Unit("desk", "the web pages of the desk", "email-report-admin desk", mail=True, more=("Type=notify",)),
    Unit("logins", "who logs in from where", "email-report-admin logins follow --journal", mail=True, more=_LOGS),
    Unit(
        "policy", "logins stopped while they are asked for",
        "email-report-admin logins policy --listen unix:/run/email-report-policy/socket --mode 666",
        more=("RuntimeDirectory=email-report-policy", "RuntimeDirectoryMode=0755"),
    ),
    Unit("follow", "copied to another store", "email-report-admin copy --follow $FOLLOW", more=_ENVIRONMENT),
)  # fmt: skip

# What holds for every service that does not hand mail to sendmail: directive, value, why.
SANDBOX = (
    ("NoNewPrivileges", "yes", "it starts nothing that is set-user-id"),
    ("CapabilityBoundingSet", "", "it needs no capability: no port below 1024, no file of others"),
    ("AmbientCapabilities", "", "and gets none"),
    ("ProtectSystem", "strict", "it writes in its state directory, and nowhere else"),
    ("ProtectHome", "yes", "settings, state and logs are not in anybody's home"),
    ("PrivateTmp", "yes", "spooled messages are nobody else's"),
    ("PrivateDevices", "yes", "it needs null, random and the like"),
    ("PrivateUsers", "yes", "users other than its own mean nothing to it"),
    ("ProtectClock", "yes", "it reads the clock"),
    ("ProtectControlGroups", "yes", "it has no children to limit"),
    ("ProtectHostname", "yes", "it reads the name of the host"),
    ("ProtectKernelLogs", "yes", "it reads no log of the kernel"),
    ("ProtectKernelModules", "yes", "it loads none"),
    ("ProtectKernelTunables", "yes", "it reads below /proc/sys, and writes nothing"),
    ("ProtectProc", "invisible", "it looks at no processes but its own"),
    ("ProcSubset", "pid", "and at nothing else in /proc"),
    ("RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6", "syslog, OpenSearch, DNS, mail servers"),
    ("RestrictNamespaces", "yes", "it makes none"),
    ("RestrictRealtime", "yes", "it is in no hurry"),
    ("RestrictSUIDSGID", "yes", "it makes no such file"),
    ("LockPersonality", "yes", "it runs as what it is"),
    ("MemoryDenyWriteExecute", "yes", "Python compiles to bytecode, not to machine code"),
    ("RemoveIPC", "yes", "it leaves no shared memory"),
    ("SystemCallArchitectures", "native", "its machine code is this machine's"),
    ("SystemCallFilter", "@system-service", "what a service needs"),
    ("SystemCallFilter", "~@privileged @resources", "less what only root needs, and limits"),
    ("SystemCallErrorNumber", "EPERM", "a library that tries goes on without"),
)  # fmt: skip
# sendmail of most mail servers is set-group-id and writes into a queue below /var/spool: all that would imply
# NoNewPrivileges (filters of system calls, of address families, of namespaces …) or make that directory read-only is
# left out.
SANDBOX_WITH_MAIL = (
    ("ProtectSystem", "full", "/usr, /boot and /etc are read-only; sendmail writes below /var/spool"),
    ("ProtectHome", "read-only", "a mail server's sendmail may look for a file there"),
    ("PrivateTmp", "yes", "spooled messages are nobody else's"),
    ("ProtectControlGroups", "yes", "it has no children to limit"),
    ("CapabilityBoundingSet", "CAP_DAC_OVERRIDE CAP_SETGID CAP_SETUID", "what set-user-id sendmails (Exim) use"),
)


def units() -> dict[str, str]:
    """Name of a file -> the unit, for what the program has."""
    return dict(_files([unit for unit in UNITS if exists(unit.command)]))


def exists(command: str) -> bool:
    """Whether the program has the command and the flags."""
    program, *words = [word for word in command.split() if not word.startswith("$")]
    parser = filter_parser() if program == "email-report-processor" else admin_parser()
    while words and words[0] in (below := _subparsers(parser)):
        parser = below[words.pop(0)]
    if _subparsers(parser):
        return False
    known = {flag for action in _actions(parser) for flag in action.option_strings}
    return all(word in known for word in words if word.startswith("--"))


def _files(chosen: Sequence[Unit]) -> Iterator[tuple[str, str]]:
    for unit in chosen:
        name = f"email-report-{unit.name}"
        yield f"{name}.service", _text(_service(unit))
        if unit.every:
            yield f"{name}.timer", _text(_timer(unit))
        if unit.socket:
            yield f"{name}.socket", _text(_socket(unit))


def _text(lines: Iterator[str]) -> str:
    return "\n".join(lines) + "\n"


def _service(unit: Unit) -> Iterator[str]:
    name = f"email-report-{unit.name}"
    yield from ("[Unit]", f"Description=E-mail reports: {unit.about}", "Documentation=man:email-report-admin(1)")
    yield from (f"Requires={name}.socket",) if unit.socket else ()
    yield from ("After=network-online.target", "Wants=network-online.target", "", "[Service]")
    if unit.every:
        yield "Type=oneshot"
    elif not any(line.startswith("Type=") for line in unit.more):
        yield "Type=exec"
    yield from ("User=email-report", "Group=email-report", "UMask=0077", f"ExecStart=/usr/bin/{unit.command}")
    yield from () if unit.every else ("Restart=on-failure", "RestartSec=5")
    yield from unit.more
    yield "# Makes /var/lib/email-report-processor writable, and names it in $STATE_DIRECTORY."
    yield from ("StateDirectory=email-report-processor", "StateDirectoryMode=0700")
    yield from ("LogsDirectory=email-report-processor", "LogsDirectoryMode=0750")
    yield "# Where AppArmor is not, or does not know the profile, nothing is lost."
    yield "AppArmorProfile=-email-report-processor"
    for directive, value, why in SANDBOX_WITH_MAIL if unit.mail else SANDBOX:
        yield from (f"# {why[0].upper()}{why[1:]}.", f"{directive}={value}")
    if not (unit.every or unit.socket):
        yield from ("", "[Install]", "WantedBy=multi-user.target")


def _timer(unit: Unit) -> Iterator[str]:
    yield from ("[Unit]", f"Description=E-mail reports: {unit.about}, {unit.every}", "", "[Timer]")
    yield from (f"OnCalendar={unit.every}", "RandomizedDelaySec=5min", "Persistent=true")
    yield from ("", "[Install]", "WantedBy=timers.target")


def _socket(unit: Unit) -> Iterator[str]:
    yield from ("[Unit]", f"Description=E-mail reports: {unit.about}", "", "[Socket]", f"ListenStream={unit.socket}")
    yield from (
        "SocketMode=0660",
        "# Who may deliver: the mail server; `systemctl edit` for another group than Postfix's.",
    )
    yield from ("SocketGroup=postfix", "DirectoryMode=0755", "", "[Install]", "WantedBy=sockets.target")
