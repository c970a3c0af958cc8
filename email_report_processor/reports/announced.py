"""What announces a report that is not there: a gateway took it away, or it was lost on the way.

Such mail is kept with the reason and never counted as mail without a report: somebody has to ask for it again. Replies
and bounces quote the subjects of reports that we sent ourselves; they announce nothing.
"""

import re

from ..message.headers import Headers
from ..message.mail import Part
from ..values.patterns import pattern

# RFC 7489 §7.2.1.1: receiver "!" policy-domain "!" begin "!" end [ "!" unique-id ] "." extension; RFC 8460 §5.1 too.
_NAME = pattern(r"[^!\s/]{1,255}![^!\s/]{1,255}![0-9]{9,11}![0-9]{9,11}(?:![^\s/]{1,255})?\.[A-Za-z]", re.IGNORECASE)
_OTHER_NAME = pattern(
    r"(?:dmarc|tls-?rpt|tls[._ -]report)[^/]{0,200}\.(?:xml|json|gz|zip|bz2|xz|zst|7z|rar)\Z"
    r"|\.(?:xml|json)\.(?:gz|zip|bz2|xz|zst|7z|rar)\Z",
    re.IGNORECASE,
)
# RFC 7489 §7.2.1.1 and RFC 8460 §5.3, behind what gateways and people put in front
_SUBJECT = pattern(
    r"(?:\s{0,5}(?:\[[^\[\]]{0,80}\]|\*{1,5}[^*]{0,80}\*{1,5}|(?:fwd?|wg|tr|rv|enc|i|vs|doorst)\s{0,3}:)){0,5}"
    r"\s{0,5}(?:report[ -]domain\s{0,3}:\s{0,3}\S.{0,300}\bsubmitter\s{0,3}:|dmarc aggregate report\b)",
    re.IGNORECASE,
)
_TYPES = {
    "application/tlsrpt+gzip": "an SMTP TLS report",
    "application/tlsrpt+json": "an SMTP TLS report",
    "application/pkcs7-mime": "S/MIME data",
    "application/x-pkcs7-mime": "S/MIME data",
    "application/ms-tnef": "TNEF data",
    "application/vnd.ms-tnef": "TNEF data",
    "application/vnd.ms-outlook": "an Outlook message",
}
_REPORT_TYPES = {"tlsrpt": "an SMTP TLS report", "feedback-report": "a feedback report"}


def is_report_name(name: str) -> bool:
    """Whether a file has the name of a report."""
    return _NAME.search(name) is not None or _OTHER_NAME.search(name) is not None


def by_label(part: Part) -> str:
    """Why a part in which no report was found should have had one; '' when nothing says so."""
    if part.content_type == "message/partial":
        return "a piece of a message that was sent in several (message/partial), which cannot be read alone"
    if part.content_type in _TYPES:
        return f"it is labelled as {_TYPES[part.content_type]}, and there is no message or file in it"
    if is_report_name(part.name):
        return "it has the name of a report, and there is none in it"
    return ""


def by_header(message: Part) -> str:
    """Why a message in which no report was found should have had one; '' when nothing says so."""
    headers = message.headers
    report_type = _REPORT_TYPES.get(message.parameters.get("report-type", "").strip().lower())
    if message.content_type == "multipart/report" and report_type:
        return f"it is labelled as {report_type}, and there is none in it"
    if _is_answer(headers):
        return ""
    if headers.raw_value("tls-report-domain") and headers.raw_value("tls-report-submitter"):
        return "its header announces an SMTP TLS report, and there is none in it"
    if _SUBJECT.match((headers.get("subject") or "")[:1000]):
        return "its subject announces a report, and there is none in it"
    return ""


def _is_answer(headers: Headers) -> bool:
    """Whether it answers a message of ours, or was written by a machine that does (RFC 3834)."""
    automatic = (headers.get("auto-submitted") or "").lower()
    return bool(headers.raw_value("in-reply-to")) or automatic.startswith("auto-replied")
