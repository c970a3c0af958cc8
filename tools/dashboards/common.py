"""What the dashboards share: index patterns, field formats, the words for classes, links to each other."""

from email_report_processor.cluster.saved_objects import PREFIX
from email_report_processor.documents import classify
from email_report_processor.documents.datasets import AGGREGATE, BY_NAME, FAILURE, REPORT, SMTP_TLS
from email_report_processor.pages.tls import TO_DO

from . import bars
from . import objects as o

# Ids of our objects begin with this; they stay the same under another prefix of the indices.
OURS = "email-report"

MAIL = o.Pattern(f"{OURS}-dmarc-aggregate", f"{PREFIX}dmarc-aggregate-*", "@timestamp")
FEEDBACK = o.Pattern(f"{OURS}-feedback", f"{PREFIX}dmarc-failure-*,{PREFIX}arf-*", "@timestamp")
TLS = o.Pattern(f"{OURS}-smtp-tls", f"{PREFIX}smtp-tls-*", "@timestamp")
# By arrival: a report with forged dates must show, and what matters here is whether the mail comes in.
INTAKE = o.Pattern(f"{OURS}-report", f"{PREFIX}report-*", "event.ingested")

DASHBOARDS = {
    "mail-authentication": "Mail authentication",
    "failures": "DMARC failures and feedback",
    "smtp-tls": "SMTP TLS",
    "intake-health": "Intake health",
    "logins": "Logins",
}


def id_of(dashboard: str) -> str:
    """The id of a dashboard."""
    return f"{OURS}-dashboard-{dashboard}"


def links(here: str) -> str:
    """The other dashboards, as links in Markdown."""
    others = [f"[{title}](#/view/{id_of(name)})" for name, title in DASHBOARDS.items() if name != here]
    return " · ".join(others)


def what(class_: str) -> str:
    """A class, for people: its name and what it is."""
    sentence = classify.CLASSES[class_].what
    if class_ == "spoof":  # the word would say more than a report can know
        return f"{sentence[0].lower()}{sentence[1:].rstrip('.')} (spoof)"
    return f"{class_}: {sentence}"


def _to_do() -> dict[str, str]:
    """Rule -> what to do about what it found. Rules of several classes say so for each."""
    rules: dict[str, list[classify.Rule]] = {}
    for rule in (*classify.AGGREGATE_RULES, *classify.FAILURE_RULES):
        rules.setdefault(rule.name, []).append(rule)
    for rule in classify.AGGREGATE_RULES:
        rules[f"{rule.name}{classify.RAW}"] = [rule]
    return {name: f"{_advice(found)} [{name}]" for name, found in sorted(rules.items())}


def _advice(rules: list[classify.Rule]) -> str:
    if len(rules) == 1:
        return classify.advice(rules[0])
    return " ".join(f"{rule.class_}: {classify.advice(rule)}" for rule in reversed(rules))


CLASS_FORMATS = {
    "class": o.lookup({name: what(name) for name in classify.CLASSES}),
    "class_rule": o.lookup(_to_do()),
}

_VERDICT = o.coloured(**{"pass": o.PASS, "fail": o.FAIL})
_ADDRESS = o.link("https://stat.ripe.net/{{value}}")
FORMATS = {
    **CLASS_FORMATS,
    "dmarc.result": _VERDICT,
    "policy_evaluated.dkim": _VERDICT,
    "policy_evaluated.spf": _VERDICT,
    "policy_evaluated.disposition": o.coloured(reject=o.FAIL, quarantine="#9C7414"),
    "feedback.delivery_result": o.coloured(delivered=o.FAIL, reject=o.PASS, spam="#9C7414"),
    "report.authentication": _VERDICT,
    "source.ip": _ADDRESS,
    "failure.sending_mta_ip": _ADDRESS,
    "failure.receiving_ip": _ADDRESS,
    "source.as.number": o.link("https://stat.ripe.net/AS{{value}}"),
    "file.hash.sha256": o.link("https://www.virustotal.com/gui/file/{{value}}"),
    "failure.result_type": o.lookup({name: f"{name}: {meaning}" for name, meaning in TO_DO.items()}),
    "policy.type": o.lookup({"tlsa": "DANE (tlsa)", "sts": "MTA-STS (sts)", "no-policy-found": "no policy found"}),
    **dict.fromkeys(("event.ingested", "report.begin", "report.end", "report.received"), o.MINUTES),
    "report.duration": o.SECONDS,
    "report.delay": o.SECONDS,
    "file.size": o.BYTES,
    "source.port": o.PLAIN_NUMBER,
}

# The middle of a period is a day; a failed message has a time.
_DAY, _MINUTE = {"@timestamp": o.DAYS}, {"@timestamp": o.MINUTES}
PATTERNS = {
    MAIL: o.index_pattern(MAIL, AGGREGATE, FORMATS | _DAY),
    FEEDBACK: o.index_pattern(FEEDBACK, FAILURE, FORMATS | _MINUTE),
    TLS: o.index_pattern(TLS, SMTP_TLS, FORMATS | _DAY),
    INTAKE: o.index_pattern(INTAKE, REPORT, FORMATS | _DAY | {"event.ingested": o.AGO}),  # who has fallen silent
}

# At the end of each text that explains a dashboard.
NO_DATA = """Where a panel says "No results found": choose a longer time, or see whether reports come (*Intake health*,
`email-report-admin doctor`)."""

# A colour for each class, the same on every chart; what needs nothing is calm.
CLASS_COLOURS = {
    "aligned": "#209280",
    "aligned-dkim-only": "#54B399",
    "aligned-spf-only": "#A8D5C5",
    "forwarded": "#6092C0",
    "mailing-list": "#9170B8",
    "own-unaligned": "#E0A030",
    "own-misconfigured": "#DA8B45",
    "broken-signature": "#D6BF57",
    "third-party-unaligned": "#B9A888",
    "temperror": "#98A2B3",
    "spoof": "#CC5642",
    "dmarc-pass": "#54B399",
    "bounce": "#C5B9A0",
    "auto-reply": "#A987D1",
    "automated": "#E7A977",
    "complaint": "#AA6556",
    "incident": "#7B3B5F",
    "not-spam": "#79AAD9",
    "unknown": "#98A2B3",
}
assert CLASS_COLOURS.keys() == classify.CLASSES.keys(), "a colour for each class"
assert BY_NAME["arf"].fields == BY_NAME["dmarc-failure"].fields, "one index pattern serves both"


def short(class_: str) -> str:
    """A class in a legend."""
    return "unauthenticated (spoof)" if class_ == "spoof" else class_


def class_parts(names: list[str]) -> list[bars.Part]:
    """A colour of a stack for each class."""
    return [bars.Part(short(name), CLASS_COLOURS[name], f'class: "{name}"') for name in names]
