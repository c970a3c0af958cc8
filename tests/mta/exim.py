"""Exim on a loopback port, with the examples behind an address each."""

from .box import DMARC, EXAMPLES, Box, User, free_port, wait_until
from .packages import unpacked
from .wires import Sink, send

# Accounts of the same user: each has a home directory of its own.
FILTER = User("filter", DMARC.uid, "/var/lib/filter")
LMTP = "lmtp@example.org"
WAYS = {"router": "tlsrpt@example.org", "forward": "dmarcfwd@example.org", "filter": "filter@example.org"}

_USERS = (
    User("Debian-exim", 4020, "/var/spool/exim4"),
    User("dmarcfwd", DMARC.uid, "/var/lib/dmarcfwd"),
    FILTER,
)
_CONFIG = """
primary_hostname = mail.example.org
domainlist local_domains = example.org
acl_smtp_rcpt = accept
acl_smtp_data = accept
log_file_path = /var/log/exim4/%slog
never_users = root
tls_advertise_hosts =
accept_8bitmime = true
keep_environment =

begin routers
elsewhere:
  driver = manualroute
  domains = ! +local_domains
  transport = sink
  route_list = * 127.0.0.1
  self = send
  no_more
.include /etc/exim4/exim-router.conf
.include /etc/exim4/exim-lmtp-router.conf
userforward:
  driver = redirect
  check_local_user
  file = $home/.forward
  check_ancestor
  allow_filter
  no_verify
  no_expn
  file_transport = address_file
  pipe_transport = address_pipe
localuser:
  driver = accept
  check_local_user
  transport = mailbox

begin transports
.include /etc/exim4/exim-transport.conf
.include /etc/exim4/exim-lmtp-transport.conf
sink:
  driver = smtp
  port = {sink}
  hosts_try_fastopen =
address_pipe:
  driver = pipe
  return_fail_output
address_file:
  driver = appendfile
mailbox:
  driver = appendfile
  file = /var/mail/$local_part_data
  mode = 0600

begin retry
* * F,4d,15m
"""


class Exim:
    """A running Exim. Ends with its box."""

    mortal: tuple[str, ...] = ("bin/email-report-processor ",)

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.port = free_port()
        self.box = Box([unpacked("exim", "exim4-daemon-light")], _USERS)
        for name in ("exim-router.conf", "exim-transport.conf", "exim-lmtp-router.conf", "exim-lmtp-transport.conf"):
            text = (EXAMPLES / name).read_text(encoding="utf-8")
            if "lmtp" in name:  # at an address of its own
                text = text.replace("dmarc : tlsrpt", "lmtp")
            self.box.write(f"/etc/exim4/{name}", text)
        self.box.write("/etc/exim4/exim4.conf", _CONFIG.format(sink=sink.port))
        for name, user in (("forward", _USERS[1]), ("exim-forward-filter", FILTER)):
            self.box.write(f"{user.home}/.forward", (EXAMPLES / name).read_text(encoding="utf-8"), 0o600, user)
        self.box.run("install", "-d", "-o", "Debian-exim", "-g", "Debian-exim", "/var/log/exim4", "/var/spool/exim4")
        self.box.run("chmod", "u+s", "/usr/sbin/exim4")
        self.box.run("chmod", "1777", "/var/mail")
        self._start()

    def deliver(self, message: bytes, *recipients: str) -> None:
        """Hand in a message and wait until every delivery was tried once."""
        send(self.port, message, recipients)
        wait_until(lambda: len(self.box.processes("exim4")) == 1, "deliveries do not end", 60)

    def retry(self) -> None:
        """Run the queue."""
        self.box.run("exim4", "-qff")

    def waiting(self) -> int:
        """How many messages are on the queue."""
        return int(self.box.run("exim4", "-bpc").stdout)

    def log(self) -> str:
        """Exim's log."""
        return self.box.path("/var/log/exim4/mainlog").read_text(encoding="utf-8", errors="replace")

    def writers(self) -> list[int]:
        """The deliveries, while a wrapper of theirs runs."""
        return self.box.above("/bin/sh /usr/local/bin/email-report-processor-pipe")

    def stop(self) -> None:
        """All of it, as a service is stopped: a delivery ignores SIGTERM, and is killed then."""
        found = self.box.processes("exim4")
        for name in ("-TERM", "-KILL"):
            self.box.run("kill", name, *map(str, found), check=False)
        wait_until(lambda: not set(found) & set(self.box.processes("exim4")), "Exim does not end")

    def start(self) -> None:
        """Start it, if it does not run."""
        if not self.box.processes("exim4 -bdf"):
            self._start()

    def _start(self) -> None:
        # Killed deliveries stay counted there for six hours, and max_parallel of them stop the transport.
        self.box.path("/var/spool/exim4/db/misc").unlink(missing_ok=True)
        self.box.spawn(self.port, "exim4", "-bdf", "-oX", f"127.0.0.1.{self.port}")

    def close(self) -> None:
        """End it."""
        self.box.close()
