"""Documents as the filter makes them, for the tests of stores."""

from functools import lru_cache

from benchmarks.messages import message
from email_report_processor.documents.encode import encode
from email_report_processor.documents.layout import date_of, index_of
from email_report_processor.reports.reading import read_message
from email_report_processor.stores.store import Row

NOW = "2026-11-28T12:00:00Z"


@lru_cache
def rows(number: int) -> tuple[Row, ...]:
    """The rows of a report with so many records, and the document of the report itself."""
    made = []
    for report in read_message(message(number)).reports:
        for document in report.documents():
            fields = {**document.fields, "event.ingested": NOW}
            index = index_of(
                date_of(fields),
                NOW,
                prefix="email-report-",
                dataset=document.dataset,
                granularity="month",
                months_since=2024,
            )
            made.append(Row(index, document.id, encode(fields)))
    return tuple(made)
