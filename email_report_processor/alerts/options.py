"""How somebody is told, and from when on: the section [alerts]."""

from typing import Literal, NamedTuple


class AlertOptions(NamedTuple):
    """Who is told of what."""

    mail_to: tuple[str, ...] = ()  # addresses that get a mail
    mail_from: str = ""  # its sender; '' is the first of mail_to
    sendmail: str = "/usr/sbin/sendmail"  # the command that takes mail; '' uses smtp
    smtp: str = ""  # HOST:PORT that takes mail instead of sendmail, without a password
    webhook_file: str = ""  # file with a URL on its first line: it is a secret
    webhook_form: Literal["json", "slack", "mattermost", "teams"] = "json"  # what the URL expects
    command: tuple[str, ...] = ()  # gets each event as JSON on standard input; no shell
    apprise_file: str = ""  # file with URLs of Apprise, one a line (extra [notify])
    timeout: float = 20.0  # seconds that one channel may take
    again_days: float = 0.0  # tell what lasts again after so many days; 0 is never
    quiet: str = ""  # hours (local time) in which only what is critical is told, such as 22:00-07:00
    wanted_fails: float = 5  # messages a day; 0 switches a rule off
    pass_rate: float = 10  # points
    new_sender: float = 50  # messages a day
    spoofing: float = 10  # times an average day
    tls_failures: float = 5  # percent of the sessions
    changed: float = 2  # reporters
    silent_reporter: float = 4  # days
    unreadable: float = 5  # messages a day
    store_stands_still: float = 26  # hours
    sink_behind: float = 15  # minutes
    kept_full: float = 80  # percent
