"""What the settings say of the desk's web server: section [web]."""

from typing import NamedTuple


class WebOptions(NamedTuple):
    """Where the pages of `email-report-admin desk` are, and who may see them (docs/abuse-desk.md)."""

    listen: str = "127.0.0.1:8025"  # a loopback address with its port, unix:PATH, or systemd
    listen_anywhere: bool = False  # `listen` may be an address that other machines reach; better put a proxy in front
    socket_mode: str = "0660"  # of unix:PATH
    socket_group: str = ""  # of unix:PATH; empty: the group of the process
    hosts: tuple[str, ...] = ()  # names of the pages beside localhost, such as desk.example.org; others are refused
    https: bool = False  # a proxy in front speaks HTTPS: cookies are sent over nothing else
    proxies: tuple[str, ...] = ()  # addresses of proxies whose headers are believed; `unix` is who uses the socket
    user_header: str = ""  # the header in which such a proxy names the user, such as X-Remote-User
    session_hours: float = 12.0  # after which a user logs in again
    attempts: int = 5  # wrong passwords for one name or from one address, within five minutes
    upload_bytes: int = 26214400  # of one message that is pasted, uploaded or posted
    reports_token_file: str = ""  # its first line is the token that POST /reports takes; empty: there is no such thing
    threads: int = 4  # requests that are answered at once
    dnsbl: tuple[str, ...] = ()  # zones that are asked about an address, on a click: zen.spamhaus.org
    rdap: bool = False  # the registry of an address is asked about it as well (see [abuse] rdap), on a click
    resolver: str = ""  # the DNS server that is asked on a click; empty: the system's
