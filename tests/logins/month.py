"""Documents of a month of logins, for the dashboard."""

from collections.abc import Iterator
from datetime import UTC, datetime

from benchmarks.logins import Databases
from benchmarks.logins_year import DAY, START, Year
from email_report_processor.documents.datasets import LOGIN
from email_report_processor.logins.lines.login import Login
from email_report_processor.logins.lines.scan import Scanner
from email_report_processor.logins.lines.times import Clock, write_time
from email_report_processor.logins.rows import fields_of, id_of
from email_report_processor.values.fields import Fields, write_date


def month_of_logins(last: datetime) -> Iterator[tuple[str, str, Fields]]:
    """Dataset, id and fields of what twelve people and their guessers do in 28 days before `last`."""
    year = Year(12, 28, 2, seed=5)
    shift = last.timestamp() - START - 28 * DAY
    databases = Databases()
    for login in Scanner().scan(b"".join(year.lines()), Clock(last.timestamp(), UTC)):
        for one in (login, *_refused(login)):
            fields = fields_of(one) | {"event.ingested": write_date(last)}
            fields["@timestamp"] = write_date(write_time(login.time + shift))
            yield LOGIN.name, id_of(one), {**fields, **databases.look_up(one.address)}


def _refused(login: Login) -> Iterator[Login]:
    """Every tenth message is one too many."""
    if login.server == "postfix" and login.outcome == "success" and int(login.time) % 10 == 0:
        reason = "554 5.7.1 Recipient address rejected: Quota per hour exceeded"
        yield login._replace(line=login.line + b" refused", outcome="quota", reason=reason)
