"""The datasets and their fields, each spelled once (design §3)."""

from typing import NamedTuple

from ..values.fields import (
    ADDRESS,
    BOOLEAN,
    COUNT,
    DATE,
    DOMAIN,
    EPOCH,
    GEO_POINT,
    IDENTIFIER,
    INTEGER,
    IP,
    KEYWORD,
    LONG,
    LONG_KEYWORD,
    ONE_DOMAIN,
    PORT,
    SUBJECT,
    UNINDEXED,
    WORD,
    Field,
)

SCHEMA_VERSION = 1


class Dataset(NamedTuple):
    """One kind of document: drives templates, roles, retention, copy and views."""

    name: str
    fields: tuple[Field, ...]
    retention_days: int  # default of `setup`; 0 keeps for ever
    personal: bool  # holds addresses and subjects of people: shorter retention, a role of its own
    meaning: str

    @property
    def by_name(self) -> dict[str, Field]:
        """Fields by their dotted name."""
        return {field.name: field for field in self.fields}


_R = "RFC 9990 §3.1.1"
_META = "feedback/report_metadata"
_POLICY = "feedback/policy_published"
_ROW = "record/row"
_EVALUATED = "record/row/policy_evaluated"

_COMMON = (
    Field("@timestamp", DATE, "", "ours", "The middle of the report period, else its end; arrival of the failed message, else the sample's Date; else the Date of the report mail.", "2026-11-19T12:00:00Z"),
    Field("event.dataset", KEYWORD, "", "ECS", "Which kind of document this is.", "dmarc-aggregate"),
    Field("event.ingested", DATE, "", "ECS", "When it was stored. Reports come days late: alerts look at this.", "2026-11-20T06:12:44Z"),
    Field("schema_version", INTEGER, "", "ours", "Version of this model of documents.", 1),
    Field("report.from_domain", DOMAIN, "", "RFC 5322 §3.6.2", "Domain of the From field of the message that brought the report.", "google.com"),
    Field("report.message_id", IDENTIFIER, "", "RFC 5322 §3.6.4", "Message-ID of the message that brought the report.", "17204@google.com"),
    Field("report.received", DATE, "", "RFC 5321 §4.4", "When the message arrived: its topmost Received field, else its Date.", "2026-11-20T06:12:40Z"),
    Field("report.feed", KEYWORD, "", "ours", "The name given by `--feed`: which address or source this came through.", "rua"),
    Field("report.authentication", KEYWORD, "", "RFC 8601 §2.7", "What a trusted Authentication-Results field says of the reporter: pass, fail or unchecked.", "pass"),
    Field("report.format", KEYWORD, "", "ours", "The format the report follows: draft, rfc7489, rfc9990, rfc5965, rfc6591, rfc9991, rfc8460, xarf, or rfc5322 for a message that nobody reported.", "rfc9990"),
    Field("warnings", KEYWORD, "", "ours", "What had to be repaired or could not be read.", ["source.ip: not an address"], many=True),
)  # fmt: skip

_PERIOD_REPORT = (
    Field("report.id", IDENTIFIER, f"{_META}/report_id", f"{_R}.4, RFC 8460 §4.4", "The reporter's id of the report, without angle brackets.", "9391651994964116463"),
    Field("report.org_name", KEYWORD, f"{_META}/org_name", f"{_R}.4, RFC 8460 §4.4", "The reporting organization.", "google.com"),
    Field("report.email", ADDRESS, f"{_META}/email", f"{_R}.4, RFC 8460 §4.4", "The reporter's contact address.", "noreply-dmarc-support@google.com"),
    Field("report.begin", EPOCH, f"{_META}/date_range/begin", f"{_R}.4, RFC 8460 §4.4", "Begin of the report period.", "2026-11-19T00:00:00Z"),
    Field("report.end", EPOCH, f"{_META}/date_range/end", f"{_R}.4, RFC 8460 §4.4", "End of the report period.", "2026-11-20T00:00:00Z"),
    Field("report.duration", LONG, "", "ours", "Length of the period in seconds.", 86400),
)  # fmt: skip

# Only in aggregate reports.
_REPORTER = (
    Field("report.extra_contact_info", KEYWORD, f"{_META}/extra_contact_info", f"{_R}.4", "More about the reporter, often a URL.", "https://support.google.com/a/answer/2466580"),
    Field("report.generator", KEYWORD, f"{_META}/generator", f"{_R}.4", "The program that made the report.", "Example DMARC 1.2"),
)  # fmt: skip

_PLACE = (
    Field("source.name", KEYWORD, "", "ours", "Who sends: the site's [senders] map, else the organizational domain that authenticated.", "sendgrid.net"),
    Field("source.name_rule", KEYWORD, "", "ours", "Which rule named it: verdict ([senders]) or authenticated; of `email-report-admin names`: spf, table, map, ptr or as.", "authenticated"),
    Field("source.as.number", LONG, "", "ECS", "Number of the autonomous system of the sending host.", 15169),
    Field("source.as.organization.name", KEYWORD, "", "ECS", "Organization of that autonomous system.", "Google LLC"),
    Field("source.geo.country_iso_code", KEYWORD, "", "ECS", "Country of the sending host, ISO 3166-1 alpha-2.", "US"),
    Field("source.geo.location", GEO_POINT, "", "ECS", "Place of the sending host.", {"lat": 37.75, "lon": -97.82}),
)  # fmt: skip

_CLASS = (
    Field("class", KEYWORD, "", "ours", "What this most likely is, for a person to sort by. Never decides what is stored.", "forwarded"),
    Field("class_rule", KEYWORD, "", "ours", "The rule that said so (docs/classification.md).", "A4"),
)  # fmt: skip

AGGREGATE = Dataset(
    "dmarc-aggregate",
    (
        *_COMMON,
        *_PERIOD_REPORT,
        *_REPORTER,
        Field("source.ip", IP, f"{_ROW}/source_ip", f"{_R}.8", "The sending host.", "192.0.2.1"),
        *_PLACE,
        Field("count", COUNT, f"{_ROW}/count", f"{_R}.8", "Number of messages in this row. Sum it; never count rows.", 12),
        Field("policy_published.domain", ONE_DOMAIN, f"{_POLICY}/domain", f"{_R}.5", "The domain whose policy was found.", "example.org"),
        Field("policy_published.p", WORD, f"{_POLICY}/p", f"{_R}.5", "Policy for the domain: none, quarantine or reject.", "reject"),
        Field("policy_published.sp", WORD, f"{_POLICY}/sp", f"{_R}.5", "Policy for subdomains.", "quarantine"),
        Field("policy_published.np", WORD, f"{_POLICY}/np", f"{_R}.5", "Policy for subdomains that do not exist.", "reject"),
        Field("policy_published.adkim", WORD, f"{_POLICY}/adkim", f"{_R}.5", "DKIM alignment: r (relaxed) or s (strict).", "r"),
        Field("policy_published.aspf", WORD, f"{_POLICY}/aspf", f"{_R}.5", "SPF alignment: r (relaxed) or s (strict).", "s"),
        Field("policy_published.pct", INTEGER, f"{_POLICY}/pct", "RFC 7489 App. C", "Percentage the policy applies to (gone in RFC 9990).", 100),
        Field("policy_published.fo", KEYWORD, f"{_POLICY}/fo", f"{_R}.5", "When failure reports are asked for: 0, 1, d, s, joined by colons.", "1:d:s"),
        Field("policy_published.testing", BOOLEAN, f"{_POLICY}/testing", f"{_R}.5", "The policy's t tag: apply one level lower.", True),
        Field("policy_published.discovery_method", WORD, f"{_POLICY}/discovery_method", f"{_R}.5", "How the policy domain was found: psl or treewalk.", "treewalk"),
        Field("policy_evaluated.disposition", WORD, f"{_EVALUATED}/disposition", f"{_R}.9", "What was done: none, pass, quarantine or reject.", "none"),
        Field("policy_evaluated.dkim", WORD, f"{_EVALUATED}/dkim", f"{_R}.9", "DMARC's DKIM verdict (authentic and aligned): pass or fail.", "pass"),
        Field("policy_evaluated.spf", WORD, f"{_EVALUATED}/spf", f"{_R}.9", "DMARC's SPF verdict (authentic and aligned): pass or fail.", "fail"),
        Field("policy_evaluated.reason.type", WORD, f"{_EVALUATED}/reason/type", f"{_R}.10", "Why the disposition differs from the policy.", ["mailing_list"], many=True),
        Field("policy_evaluated.reason.comment", KEYWORD, f"{_EVALUATED}/reason/comment", f"{_R}.10", "More about that.", ["arc=pass"], many=True),
        Field("identifiers.header_from", ONE_DOMAIN, "record/identifiers/header_from", f"{_R}.11", "Domain of the message's From field.", "news.example.org"),
        Field("identifiers.envelope_from", ONE_DOMAIN, "record/identifiers/envelope_from", f"{_R}.11", "Domain of the message's MAIL FROM; empty is the null reverse-path.", "bounce.example.org"),
        Field("identifiers.envelope_to", ONE_DOMAIN, "record/identifiers/envelope_to", f"{_R}.11", "Domain of the recipient.", "example.com"),
        Field("auth_results.dkim.domain", ONE_DOMAIN, "record/auth_results/dkim/domain", f"{_R}.13", "The signing domain (d=).", "example.org", objects="auth_results.dkim"),
        Field("auth_results.dkim.selector", KEYWORD, "record/auth_results/dkim/selector", f"{_R}.13", "The signature's selector (s=).", "2026a", objects="auth_results.dkim"),
        Field("auth_results.dkim.result", WORD, "record/auth_results/dkim/result", f"{_R}.13", "Result of the signature.", "pass", objects="auth_results.dkim"),
        Field("auth_results.dkim.human_result", KEYWORD, "record/auth_results/dkim/human_result", f"{_R}.13", "The reporter's words about it.", "signature ok", objects="auth_results.dkim"),
        Field("auth_results.spf.domain", ONE_DOMAIN, "record/auth_results/spf/domain", f"{_R}.14", "The checked domain.", "bounce.example.org", objects="auth_results.spf"),
        Field("auth_results.spf.scope", WORD, "record/auth_results/spf/scope", f"{_R}.14", "mfrom, or helo before RFC 9990.", "mfrom", objects="auth_results.spf"),
        Field("auth_results.spf.result", WORD, "record/auth_results/spf/result", f"{_R}.14", "Result of the check.", "pass", objects="auth_results.spf"),
        Field("auth_results.spf.human_result", KEYWORD, "record/auth_results/spf/human_result", f"{_R}.14", "The reporter's words about it.", "sender authorized", objects="auth_results.spf"),
        Field("dkim.signatures", KEYWORD, "", "ours", "Each DKIM result as `domain / selector / result`, for tables.", ["example.org / 2026a / pass"], many=True),
        Field("spf.checks", KEYWORD, "", "ours", "Each SPF result as `domain / scope / result`, for tables.", ["bounce.example.org / mfrom / pass"], many=True),
        Field("dmarc.result", KEYWORD, "", "RFC 9989 §5.3.5", "pass when the DKIM or the SPF verdict is pass, else fail; absent when neither was reported.", "pass"),
        *_CLASS,
    ),
    retention_days=400,
    personal=False,
    meaning="One record of a DMARC aggregate report: what one host sent with one combination of results.",
)  # fmt: skip

_FEEDBACK = (
    *_COMMON,
    Field("report.feed_kind", KEYWORD, "", "ours", "Of a message that is no report: the kind of its feed, spamtrap or own-mx (docs/feeds.md).", "own-mx"),
    Field("report.id", IDENTIFIER, "", "X-ARF", "The reporter's id of an X-ARF report.", "550e8400-e29b-41d4-a716-446655440000"),
    Field("report.org_name", KEYWORD, "", "X-ARF", "The organization that reports, in an X-ARF report.", "Example Abuse Desk"),
    Field("report.email", ADDRESS, "", "X-ARF", "Its address, in an X-ARF report.", "abuse@example.com"),
    Field("source.ip", IP, "Source-IP", "RFC 5965 §3.2", "The host that the failed message came from; of an X-ARF report, what is reported.", "192.0.2.1"),
    Field("source.port", PORT, "Source-Port", "RFC 6692 §2", "Its TCP port.", 52311),
    Field("source.domain", DOMAIN, "Source-IP", "OpenDMARC", "The host's name, where the reporter adds it as a comment.", "mail.example.net"),
    *_PLACE,
    Field("count", COUNT, "", "RFC 5965 §3.2", "Number of messages: Incidents, else 1.", 1),
    Field("feedback.type", WORD, "Feedback-Type", "RFC 5965 §3.1", "abuse, fraud, virus, other, not-spam, auth-failure, …", "auth-failure"),
    Field("feedback.category", WORD, "", "X-ARF", "What an X-ARF report is about: messaging, content, connection, …; the ReportClass of v3.", "content"),
    Field("feedback.report_type", WORD, "", "X-ARF", "What exactly: spam, phishing, login_attack, …", "phishing"),
    Field("feedback.user_agent", KEYWORD, "User-Agent", "RFC 5965 §3.1", "The program that made the report.", "SomeGenerator/1.0"),
    Field("feedback.version", KEYWORD, "Version", "RFC 5965 §3.1", "Version of the format.", "1"),
    Field("feedback.auth_failure", WORD, "Auth-Failure", "RFC 6591 §3.1", "What failed: adsp, bodyhash, revoked, signature, spf or dmarc.", ["dmarc"], many=True),
    Field("feedback.delivery_result", WORD, "Delivery-Result", "RFC 6591 §3.2.2", "delivered, spam, policy, reject or other.", "reject"),
    Field("feedback.identity_alignment", WORD, "Identity-Alignment", "RFC 7489 §7.3.1, RFC 9991 §4", "As reported. The two RFCs give it opposite meanings: derive nothing from it.", ["none"], many=True),
    Field("feedback.original_mail_from", KEYWORD, "Original-Mail-From", "RFC 5965 §3.2", "MAIL FROM of the failed message; empty is the null reverse-path.", "bounce@example.org"),
    Field("feedback.original_rcpt_to", KEYWORD, "Original-Rcpt-To", "RFC 5965 §3.2", "Its recipients.", ["user@example.com"], many=True),
    Field("feedback.original_envelope_id", KEYWORD, "Original-Envelope-Id", "RFC 5965 §3.2", "Its envelope id.", "QQ314159"),
    Field("feedback.reported_domain", ONE_DOMAIN, "Reported-Domain", "RFC 5965 §3.2", "The domains that the report is about.", ["example.org"], many=True),
    Field("feedback.reported_uri", LONG_KEYWORD, "Reported-URI", "RFC 5965 §3.2", "The URIs that the report is about.", ["https://phish.example/login"], many=True),
    Field("feedback.reporting_mta", KEYWORD, "Reporting-MTA", "RFC 5965 §3.2", "The reporting host.", "dns; mx.example.com"),
    Field("feedback.authentication_results", LONG_KEYWORD, "Authentication-Results", "RFC 5965 §3.2", "What the reporter found, as reported.", ["mx.example.com; dmarc=fail header.from=example.org"], many=True),
    Field("feedback.dkim_domain", DOMAIN, "DKIM-Domain", "RFC 6591 §3.2.3", "d= of the signature.", "example.org"),
    Field("feedback.dkim_identity", KEYWORD, "DKIM-Identity", "RFC 6591 §3.2.3", "i= of the signature.", "@example.org"),
    Field("feedback.dkim_selector", KEYWORD, "DKIM-Selector", "RFC 6591 §3.2.3", "s= of the signature.", "2026a"),
    Field("feedback.spf_dns", LONG_KEYWORD, "SPF-DNS", "RFC 6591 §3.2.6", "The SPF records that were used.", ["txt : example.org : \"v=spf1 -all\""], many=True),
    Field("feedback.incidents", COUNT, "Incidents", "RFC 5965 §3.2", "How many messages this report stands for.", 3),
    Field("sample.from", KEYWORD, "From", "RFC 5322 §3.6.2", "Address in the From field of the failed message.", "ceo@example.org"),
    Field("sample.to", KEYWORD, "To", "RFC 5322 §3.6.3", "Its recipients.", ["user@example.com"], many=True),
    Field("sample.subject", SUBJECT, "Subject", "RFC 5322 §3.6.5", "Its subject.", "Invoice overdue"),
    Field("sample.date", DATE, "Date", "RFC 5322 §3.6.1", "Its date.", "2026-11-19T08:30:00Z"),
    Field("sample.message_id", IDENTIFIER, "Message-ID", "RFC 5322 §3.6.4", "Its Message-ID.", "abc@example.org"),
    Field("sample.signals", KEYWORD, "", "ours", "What its header says about how it travelled; the input of `class`.", ["list-id", "arc-pass"], many=True),
    Field("sample.headers_only", BOOLEAN, "", "RFC 6522 §4", "Whether the reporter sent the header alone.", True),
    Field("sample.headers", UNINDEXED, "", "RFC 5965 §2", "Its header as it came (sample = headers or full).", "From: …"),
    Field("sample.body", UNINDEXED, "", "RFC 5965 §2", "The beginning of its text (sample = full).", "Dear customer, …"),
    Field("url.full", LONG_KEYWORD, "", "ECS", "URLs in the failed message, up to 4 KiB each.", ["https://phish.example/login"], many=True),
    Field("url.domain", DOMAIN, "", "ECS", "Their hosts.", ["phish.example"], many=True),
    Field("file.name", KEYWORD, "", "ECS", "Name of an attachment of the failed message.", "invoice.zip", objects="file"),
    Field("file.type", WORD, "", "RFC 2045 §5", "Its media type.", "application/zip", objects="file"),
    Field("file.size", LONG, "", "ECS", "Its size in bytes.", 18120, objects="file"),
    Field("file.hash.sha256", KEYWORD, "", "ECS", "Its SHA-256.", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", objects="file"),
    *_CLASS,
)  # fmt: skip

FAILURE = Dataset(
    "dmarc-failure",
    _FEEDBACK,
    retention_days=90,
    personal=True,
    meaning="One authentication failure report: a message that failed SPF, DKIM or DMARC; or such a message itself, from a feed.",
)

ARF = Dataset(
    "arf",
    _FEEDBACK,
    retention_days=90,
    personal=True,
    meaning="Any other feedback report: a complaint about a message, not-spam, or a report of other abuse (X-ARF).",
)

_DETAIL = "policies/failure-details"

SMTP_TLS = Dataset(
    "smtp-tls",
    (
        *_COMMON,
        *_PERIOD_REPORT,
        Field("tls.record", KEYWORD, "", "ours", "policy: the sums of one policy; failure: one failure detail.", "policy"),
        Field("policy.type", WORD, "policies/policy/policy-type", "RFC 8460 §4.4", "tlsa, sts or no-policy-found.", "sts"),
        Field("policy.domain", ONE_DOMAIN, "policies/policy/policy-domain", "RFC 8460 §4.4", "The domain whose policy this is.", "example.org"),
        Field("policy.string", KEYWORD, "policies/policy/policy-string", "RFC 8460 §4.4", "The policy's lines.", ["version: STSv1", "mode: enforce"], many=True),
        Field("policy.mx_host", KEYWORD, "policies/policy/mx-host", "RFC 8460 §4.4", "The policy's MX patterns (`mx-host` or `mx-host-pattern`).", ["*.mail.example.org"], many=True),
        Field("sessions.successful", COUNT, "policies/summary/total-successful-session-count", "RFC 8460 §4.4", "Sessions that were fine; on policy documents only.", 5326),
        Field("sessions.failed", COUNT, "policies/summary/total-failure-session-count", "RFC 8460 §4.4", "Sessions that failed; on policy documents only.", 303),
        Field("source.ip", IP, f"{_DETAIL}/sending-mta-ip", "RFC 8460 §4.4", "The sending MTA of a failure.", "192.0.2.1"),
        *_PLACE,
        Field("failure.result_type", WORD, f"{_DETAIL}/result-type", "RFC 8460 §4.3", "What failed.", "certificate-expired"),
        Field("failure.sending_mta_ip", IP, f"{_DETAIL}/sending-mta-ip", "RFC 8460 §4.4", "The sending MTA.", "192.0.2.1"),
        Field("failure.receiving_mx_hostname", DOMAIN, f"{_DETAIL}/receiving-mx-hostname", "RFC 8460 §4.4", "The receiving MX.", "mx1.mail.example.org"),
        Field("failure.receiving_mx_helo", KEYWORD, f"{_DETAIL}/receiving-mx-helo", "RFC 8460 §4.4", "The name in its greeting.", "mx1.example.org"),
        Field("failure.receiving_ip", IP, f"{_DETAIL}/receiving-ip", "RFC 8460 §4.4", "Its address.", "198.51.100.7"),
        Field("failure.failed_session_count", COUNT, f"{_DETAIL}/failed-session-count", "RFC 8460 §4.4", "Sessions with this failure; one session may count under several.", 100),
        Field("failure.reason_code", KEYWORD, f"{_DETAIL}/failure-reason-code", "RFC 8460 §4.4", "The reporter's own code.", "X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED"),
        Field("failure.additional_information", KEYWORD, f"{_DETAIL}/additional-information", "RFC 8460 §4.4", "Where to read more (also `additional-info-uri`).", "https://reports.example.com/tls/1"),
    ),
    retention_days=400,
    personal=False,
    meaning="One policy of an SMTP TLS report with its sums, or one failure detail.",
)  # fmt: skip

REPORT = Dataset(
    "report",
    (
        *_COMMON,
        *_PERIOD_REPORT,
        *_REPORTER,
        Field("report.dataset", KEYWORD, "", "ours", "The dataset of the report's rows.", "dmarc-aggregate"),
        Field("report.domain", DOMAIN, "", "ours", "The domains that the report is about.", ["example.org"], many=True),
        Field("report.identity", KEYWORD, "", "ours", "The same for every version of this report: two documents with one identity are a revised resend.", "5d41402abc4b2a76b9719d911017c592a1b2c3d4"),
        Field("report.delay", LONG, "", "ours", "Seconds from the end of the period to the arrival of the message.", 22360),
        Field("report.sha256", KEYWORD, "", "ours", "SHA-256 of the report itself, decompressed.", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        Field("report.errors", KEYWORD, f"{_META}/error", f"{_R}.4", "What the reporter could not do.", ["DNS timeout for _dmarc.example.org"], many=True),
        Field("rows", LONG, "", "ours", "How many documents the report has beside this one.", 214),
        Field("messages", LONG, "", "ours", "Sum of their counts: messages, or TLS sessions.", 50213),
        Field("salvaged", BOOLEAN, "", "ours", "Whether the report was broken and read record by record.", True),
    ),
    retention_days=400,
    personal=False,
    meaning="One report, written after its rows: it also says that the report is complete.",
)  # fmt: skip

LOGIN = Dataset(
    "mail-login",
    (
        Field("@timestamp", DATE, "", "ours", "When the server wrote the line.", "2026-11-19T03:12:09Z"),
        Field("event.dataset", KEYWORD, "", "ECS", "Which kind of document this is.", "mail-login"),
        Field("event.ingested", DATE, "", "ECS", "When it was stored.", "2026-11-19T03:12:11Z"),
        Field("schema_version", INTEGER, "", "ours", "Version of this model of documents.", 1),
        Field("event.action", KEYWORD, "", "ECS", "login, or quota: a message was refused because its sender is over a quota.", "login"),
        Field("event.outcome", KEYWORD, "", "ECS", "success or failure.", "success"),
        Field("event.reason", KEYWORD, "", "ECS", "Why it failed, in the server's words.", "authentication failed: bad password"),
        Field("count", COUNT, "", "ours", "How many attempts the line tells of. Sum it; never count documents.", 1),
        Field("user.name", KEYWORD, "sasl_username, user", "ECS", "The account, in lower case; absent when the client did not get to name one.", "alice@example.org"),
        Field("user.domain", DOMAIN, "", "ECS", "What stands behind its last @.", "example.org"),
        Field("source.ip", IP, "client, rip", "ECS", "The address that the client came from.", "192.0.2.1"),
        Field("source.port", PORT, "client", "ECS", "Its TCP port, where the server logs it.", 52311),
        Field("source.domain", DOMAIN, "client", "ECS", "Its name, which the server has followed back to the address.", "host.example.net"),
        *_PLACE[2:],
        Field("host.name", KEYWORD, "", "ECS", "The server that wrote the line, where the line says so.", "mail"),
        Field("login.server", KEYWORD, "", "ours", "postfix, dovecot or exim.", "postfix"),
        Field("login.service", KEYWORD, "", "ours", "smtp, submission, smtps, imap, pop3, managesieve.", "submission"),
        Field("login.method", KEYWORD, "sasl_method, method, A", "RFC 4422", "The SASL mechanism, or the name of Exim's authenticator.", "PLAIN"),
        Field("login.session", KEYWORD, "session", "ours", "Queue id or session id.", "4XyZ3T0CA9z9x"),
        Field("login.sender", KEYWORD, "sasl_sender, from", "RFC 4954 §5", "Whom the client said it acts for (AUTH=), or the envelope's sender.", "boss@example.org"),
        Field("login.relay", KEYWORD, "", "ours", "The host of ours that passed the client on (XFORWARD), or the one that a proxy went on to.", "10.0.0.5:143"),
    ),
    retention_days=30,
    personal=True,
    meaning="One login at a mail server, or one that failed, as a line of its log tells it. The id is the line's hash.",
)  # fmt: skip

ABUSE = Dataset(
    "abuse",
    (
        Field("@timestamp", DATE, "", "ours", "When it happened.", "2026-11-20T09:30:00Z"),
        Field("event.dataset", KEYWORD, "", "ECS", "Which kind of document this is.", "abuse"),
        Field("event.ingested", DATE, "", "ECS", "When it was stored.", "2026-11-20T09:30:01Z"),
        Field("schema_version", INTEGER, "", "ours", "Version of this model of documents.", 1),
        Field("event.action", KEYWORD, "", "ECS", "prepared, sent, bounced, answered or closed.", "sent"),
        Field("event.reason", KEYWORD, "", "ECS", "Why, in the words of a mail server or of a person.", "550 5.1.1 user unknown"),
        Field("user.name", KEYWORD, "", "ECS", "Who prepared, sent or closed it; of an automatic report the saved search.", "alice"),
        Field("report.id", IDENTIFIER, "", "ours", "The token of our report: an answer to it brings it back. The same in all events of one report.", "k7q2mzd4b6h3ncew5a2t"),
        Field("report.begin", DATE, "", "ours", "When the first of the reported messages arrived; it chooses the index of every event of the report.", "2026-11-19T08:31:00Z"),
        Field("report.end", DATE, "", "ours", "When the last of them arrived.", "2026-11-19T16:02:10Z"),
        Field("feedback.type", WORD, "Feedback-Type", "RFC 5965 §3.1", "What our report says it is: fraud or abuse.", "fraud"),
        Field("feedback.reported_domain", ONE_DOMAIN, "Reported-Domain", "RFC 5965 §3.2", "Our domains that the messages claimed to be from.", ["example.org"], many=True),
        Field("count", COUNT, "Incidents", "RFC 5965 §3.2", "How many messages our report stands for.", 12),
        Field("source.ip", IP, "Source-IP", "RFC 5965 §3.2", "The host that our report names first.", "192.0.2.1"),
        *_PLACE[2:5],
        Field("url.domain", DOMAIN, "", "ECS", "Hosts of the URLs that were reported.", ["phish.example"], many=True),
        Field("abuse.contact", ADDRESS, "", "ours", "Whom the report is for.", "abuse@network.example"),
        Field("abuse.via", WORD, "", "ours", "How that contact was found: settings, rdap or abusix.", "rdap"),
        Field("abuse.network", KEYWORD, "", "RFC 9083 §5.4", "The network that the contact answers for.", "192.0.2.0/24"),
        Field("abuse.campaign", KEYWORD, "", "ours", "The campaign that the messages belong to (docs/abuse-desk.md).", "lusab-babad"),
        Field("abuse.address", IP, "", "ours", "All hosts of the network that sent them; of prepared and sent.", ["192.0.2.1"], many=True),
        Field("abuse.document", KEYWORD, "", "ours", "Ids of the documents that the report is about; of prepared and sent.", ["5d41402abc4b2a76b9719d911017c592a1b2c3d4"], many=True),
        Field("abuse.outcome", WORD, "", "ours", "bounced: dead, unreachable, full, refused, form, loop or member (somebody behind the contact); answered: person, solved, ticket, form or machine; closed: solved, silent or dropped.", "dead"),
        Field("abuse.status", WORD, "Status", "RFC 3464 §2.3.4", "The status code of a bounce.", "5.1.1"),
        Field("abuse.from", ADDRESS, "", "ours", "Who answered, or the recipient that a bounce is about.", "noc@network.example"),
        Field("abuse.message_id", IDENTIFIER, "Message-ID", "RFC 5322 §3.6.4", "Of the report that was sent, of the bounce, or of the answer.", "abuse.k7q2mzd4b6h3ncew5a2t@example.org"),
        Field("abuse.form", LONG_KEYWORD, "", "ours", "The web form that an answer asks to use.", "https://network.example/abuse"),
        Field("abuse.text", UNINDEXED, "", "ours", "The beginning of an answer.", "We have shut down the host."),
    ),
    retention_days=400,
    personal=True,
    meaning="What became of a report that we sent to a network: one event of it, which is never changed.",
)  # fmt: skip

DATASETS = (AGGREGATE, FAILURE, ARF, SMTP_TLS, REPORT, LOGIN, ABUSE)
BY_NAME = {dataset.name: dataset for dataset in DATASETS}
