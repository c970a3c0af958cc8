"""A real Dovecot with IMAP, in a box: users are made as tests need them, and their mailboxes are looked at as files."""

import contextlib
import os
import shutil
import ssl
import time
from collections.abc import Iterable, Iterator
from imaplib import IMAP4_SSL
from pathlib import Path

from tests.mta.box import DMARC, Box, User, free_port
from tests.mta.dovecot import PACKAGES
from tests.mta.packages import UnavailableError, offered

_USERS = (User("dovecot", 4040, "/usr/lib/dovecot"), User("dovenull", 4041, "/nonexistent"))
_CONFIG = """
protocols = imap
mail_location = maildir:~/Maildir
mail_plugins = quota
maildir_very_dirty_syncs = no
disable_plaintext_auth = yes
auth_mechanisms = plain xoauth2
auth_failure_delay = 0
auth_cache_size = 0
passdb {{
  driver = passwd-file
  args = /etc/dovecot/users
  mechanisms = plain
}}
passdb {{
  driver = oauth2
  mechanisms = xoauth2
  args = /etc/dovecot/oauth2.conf
}}
userdb {{
  driver = passwd-file
  args = /etc/dovecot/users
}}
service imap-login {{
  inet_listener imap {{
    address = 127.0.0.1
    port = {plain}
  }}
  inet_listener imaps {{
    address = 127.0.0.1
    port = {tls}
    ssl = yes
  }}
}}
ssl = yes
ssl_cert = </etc/ssl/imap.crt
ssl_key = </etc/ssl/imap.key
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
mail_max_userip_connections = 100
imap_idle_notify_interval = 2 mins
protocol imap {{
  mail_plugins = quota imap_quota
}}
plugin {{
  quota = maildir:User quota
  quota_grace = 0%%
}}
"""
_OAUTH2 = """
tokeninfo_url = http://127.0.0.1:{port}/tokeninfo?access_token=
introspection_mode =
username_attribute = username
"""

# All users are there from the start: Dovecot looks once in a second, at the most, whether the file has changed.
_USER = f"{{name}}:{{{{PLAIN}}}}secret:{DMARC.uid}:{DMARC.uid}::/home/{{name}}::{{fields}}\n"
NARROW = "userdb_imap_capability=IMAP4rev1 userdb_quota_rule=*:messages=45"  # no MOVE, no IDLE, and little room


class Server:
    """A running Dovecot. Ends with its box."""

    def __init__(self, tokens: int = 0) -> None:
        self.box = Box(offered(PACKAGES[0], "dovecot", *PACKAGES[1:]), _USERS)
        self.plain, self.tls = free_port(), free_port()
        self.ca = self._certify()
        self._free = {"": [f"u{number}" for number in range(60)], "narrow": [f"n{number}" for number in range(4)]}
        lines = [_USER.format(name=name, fields="") for name in self._free[""]]
        lines += [_USER.format(name=name, fields=NARROW) for name in self._free["narrow"]]
        self.box.write("/etc/dovecot/users", "".join(lines))
        self.box.write("/etc/dovecot/oauth2.conf", _OAUTH2.format(port=tokens))
        self.box.write("/etc/dovecot/dovecot.conf", _CONFIG.format(plain=self.plain, tls=self.tls))
        self.box.spawn(self.tls, "dovecot", "-F")

    def mailbox(self, kind: str = "") -> "Mailbox":
        """An empty mailbox of a user that no other test has; narrow: see NARROW."""
        return Mailbox(self, self._free[kind].pop())

    def close(self) -> None:
        """End it."""
        self.box.close()

    def _certify(self) -> Path:
        if not shutil.which("openssl"):
            raise UnavailableError("needs openssl for a certificate; on Debian: apt-get install openssl")
        self.box.run(
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "/etc/ssl/imap.key", "-out", "/etc/ssl/imap.crt"),
        )
        return self.box.path("/etc/ssl/imap.crt")


class Mailbox:
    """The mailbox of one user."""

    def __init__(self, server: Server, name: str) -> None:
        self.server = server
        self.name = name
        self.path = server.box.path(f"/home/{name}/Maildir")
        self._number = 0
        self.path.parent.mkdir(mode=0o700)
        os.chown(self.path.parent, DMARC.uid, DMARC.uid)
        self.make("")

    def put(self, messages: Iterable[bytes], folder: str = "") -> None:
        """Messages arrive, as a delivery agent brings them (maildir(5))."""
        place = self._place(folder)
        for message in messages:
            self._number += 1
            name = f"{time.time():.6f}.{self._number}.box"
            path = place / "tmp" / name
            path.write_bytes(message)
            os.chown(path, DMARC.uid, DMARC.uid)
            path.rename(place / "new" / name)

    def make(self, folder: str) -> None:
        """A folder."""
        place = self._place(folder)
        for path in (place, *(place / one for one in ("new", "cur", "tmp"))):
            path.mkdir(mode=0o700)
            os.chown(path, DMARC.uid, DMARC.uid)

    def count(self, folder: str = "") -> int:
        """How many messages are in a folder, '' is INBOX."""
        place = self._place(folder)
        return sum(len(os.listdir(place / one)) for one in ("new", "cur") if (place / one).is_dir())

    def _place(self, folder: str) -> Path:
        """Dovecot names `a/b` `.a.b`."""
        return self.path / ("." + folder.replace("/", ".")) if folder else self.path

    @contextlib.contextmanager
    def client(self) -> Iterator[IMAP4_SSL]:
        """Another client, logged in, with INBOX open."""
        context = ssl.create_default_context(cafile=str(self.server.ca))
        with IMAP4_SSL("127.0.0.1", self.server.tls, ssl_context=context) as client:
            client.login(self.name, "secret")
            client.select("INBOX")
            yield client

    def forget(self) -> None:
        """The folder gets another UIDVALIDITY, as after a restore or a move to another server."""
        for path in self.path.glob("dovecot*"):
            path.unlink()

    def settings(self, more: str = "", *, port: int = 0) -> str:
        """The table of this mailbox for the settings."""
        return f"""
[[inbox]]
host = "127.0.0.1"
port = {port or self.server.tls}
ca_file = "{self.server.ca}"
username = "{self.name}"
password_variable = "SECRET"
{more}
"""
