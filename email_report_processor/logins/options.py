"""What a site says of logins: section [logins] of the settings."""

from typing import Literal, NamedTuple

from .lines.scan import QUOTA_MESSAGES

CLOUDS = ("AS8075", "AS15169")  # Outlook and Gmail on phones log in from there, not from where the phone is
CGN = ("100.64.0.0/10",)  # carrier-grade NAT (RFC 6598)


class LoginOptions(NamedTuple):
    """How logins are judged, who is told, and whether accounts are stopped."""

    mode: Literal["observe", "stop"] = "observe"  # stop: an alarm stops the account; observe: the log says it would
    hours: int = 24  # the window of the rules
    days: int = 90  # how long a country or AS stays known to an account after its last login from there
    countries: int = 3  # alarm: so many countries new to an account within the window
    systems: int = 6  # alarm: so many AS new to an account within the window
    addresses: int = 12  # alarm: so many networks (/24, /48) of AS new to an account within the window
    speed: int = 1000  # km/h; notice: faster than this into a new country; alarm: into two of them
    accounts: int = 10  # alarm: so many accounts in a country new to them, from one network within the window
    guesses: int = 3  # alarm: a login from a new network that failed for so many accounts within the window
    guessers: int = 20  # notice: so many networks failed for one account within the window
    volume: int = 300  # alarm: so many messages of one account in a day, if that is out of its habit
    habit: int = 5  # out of habit: more than so many times the busiest of the last 30 days
    quota: int = 150  # alarm: more than so many refusals of one sender over its quota within the window
    quota_messages: tuple[str, ...] = QUOTA_MESSAGES  # texts of such a refusal
    ignore_networks: tuple[str, ...] = ()  # networks that no rule counts, such as your own VPN
    ignore_systems: tuple[str, ...] = CLOUDS  # AS that no rule counts: clouds that fetch mail for phones
    ignore_countries: tuple[str, ...] = ()  # countries that no rule counts, such as "DE"
    ignore_users: tuple[str, ...] = ()  # accounts, or domains as "@example.org", that no rule looks at
    ignore_names: tuple[str, ...] = ()  # names that lead back to the address: "a.example.org", or all ".example.org"
    one_network: tuple[str, ...] = CGN  # networks that count as one address, such as a provider's NAT
    again: int = 24  # hours until the same is told of the same account again
    answer: Literal["DEFER", "REJECT"] = "DEFER"  # to Postfix for a stopped account: try again later, or no
    sentence: str = "this account is stopped because of unusual logins; ask your postmaster"  # behind that answer
    command: tuple[str, ...] = ()  # a command and its arguments, for each finding: JSON on standard input, no shell
    command_seconds: float = 10.0  # seconds that it may take
    ask: bool = False  # mail users whether a login from a new country was theirs
    second_addresses: str = ""  # a file of lines `account address`: where to ask instead of in the account itself
    postmaster: str = ""  # who is told of alarms by mail; empty: nobody
    mail_from: str = ""  # sender of our mails; empty: as `postmaster`
    sendmail: str = "/usr/sbin/sendmail"  # takes our mails on standard input
    zone: str = ""  # of dates in logs that have none, such as Europe/Berlin; empty: this machine's
