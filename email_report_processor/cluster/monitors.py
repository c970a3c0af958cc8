"""The rules of `alert` as monitors of OpenSearch's plugin Alerting, as requests. Pure: nothing is sent.

A monitor asks by its query once an hour, and its trigger, a script in Painless, says whether anybody is to be told.
Left out are the rules that look at this machine (kept messages, `copy --follow`) and, without names of your own
senders, the one about them: OpenSearch knows no verdicts. Checked against opensearch-project/common-utils (2026):
Monitor.kt, SearchInput.kt, QueryLevelTrigger.kt, Action.kt, Throttle.kt (which takes minutes alone).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from ..stores.templates import Request, base_name

BASE = "/_plugins/_alerting/monitors"
_AGAIN = 24 * 60  # minutes until the same is told again
_DAYS = 28  # of what is compared with
_LATE = 14  # days that a report comes after its time, at the most
_MOST = 200  # domains, senders and reporters that are looked at
_NOTHING_DONE = ["mailing-list", "forwarded", "temperror"]

Json = dict[str, Any]


class Monitor(NamedTuple):
    """One rule."""

    rule: str  # as `alert` has it
    severity: str  # 1 is the highest
    datasets: tuple[str, ...]
    what: str  # a sentence for who is told
    query: Json
    script: str  # Painless; sees ctx.results[0], the answer to the query


def name_of(prefix: str, rule: str) -> str:
    """The monitor's name."""
    return f"{base_name(prefix)}: {rule}"


def search(prefix: str) -> Request:
    """All monitors of this prefix."""
    wanted = {"prefix": {"monitor.name.keyword": f"{base_name(prefix)}: "}}
    return Request("POST", f"{BASE}/_search", {"size": 100, "query": wanted})


def found(answer: Any) -> dict[str, tuple[str, Json]]:
    """Name -> id and monitor, of the answer to `search`."""
    hits = answer.get("hits", {}).get("hits", ()) if isinstance(answer, dict) else ()
    pairs = ((one["_id"], one["_source"].get("monitor", one["_source"])) for one in hits)
    return {monitor["name"]: (id_, monitor) for id_, monitor in pairs if "name" in monitor}


def put(prefix: str, monitor: Monitor, channel: str, id_: str = "") -> Request:
    """Make it, or change the one of this id. channel: id of a channel of Notifications, '' tells nobody."""
    path = f"{BASE}/{id_}" if id_ else BASE
    return Request("PUT" if id_ else "POST", path, body(prefix, monitor, channel))


def body(prefix: str, monitor: Monitor, channel: str) -> Json:
    """The monitor as the plugin takes it."""
    indices = [f"{prefix}{dataset}-*" for dataset in monitor.datasets]
    trigger = {
        "id": f"{monitor.rule}-{_digest(monitor.query)}",
        "name": monitor.rule,
        "severity": monitor.severity,
        "condition": {"script": {"lang": "painless", "source": monitor.script}},
        "actions": [_action(monitor, channel)] if channel else [],
    }
    return {
        "type": "monitor",
        "monitor_type": "query_level_monitor",
        "name": name_of(prefix, monitor.rule),
        "enabled": True,
        "schedule": {"period": {"interval": 1, "unit": "HOURS"}},
        "inputs": [{"search": {"indices": indices, "query": monitor.query}}],
        "triggers": [{"query_level_trigger": trigger}],
    }


def _digest(query: Json) -> str:
    """By which a changed query is seen: the plugin writes queries in words of its own."""
    return sha256(json.dumps(query, sort_keys=True).encode()).hexdigest()[:8]


def _action(monitor: Monitor, channel: str) -> Json:
    return {
        "id": f"{monitor.rule}-tell",
        "name": "tell",
        "destination_id": channel,
        "subject_template": {"lang": "mustache", "source": "{{ctx.monitor.name}}"},
        "message_template": {"lang": "mustache", "source": f"{monitor.what} Look: email-report-admin check"},
        "throttle_enabled": True,
        "throttle": {"value": _AGAIN, "unit": "MINUTES"},
    }


def says_the_same(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a monitor is the wanted one. The plugin adds keys of its own: times, users, defaults of a query."""
    return all(_contains(there.get(key), wanted[key]) for key in ("name", "enabled", "schedule", "triggers"))


def _contains(there: Any, wanted: Any) -> bool:
    if isinstance(wanted, Mapping):
        return isinstance(there, Mapping) and all(_contains(there.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        same = isinstance(there, list) and len(there) == len(wanted)
        return same and all(map(_contains, there, wanted))
    return bool(there == wanted)


# The rules


def monitors(thresholds: Mapping[str, float], ours: Sequence[str]) -> Iterator[Monitor]:
    """Those that are not switched off. thresholds: of [alerts]. ours: names of senders that are mine or a service."""
    made = (_wanted_fails, _pass_rate, _new_sender, _spoofing, _tls_failures, _changed, _silent, _stands_still)
    for one in made:
        monitor = one(thresholds, ours)
        if monitor is not None and thresholds[monitor.rule] > 0:
            yield monitor


def _ask(days: str, *filters: Json, without: Sequence[Json] = (), aggs: Json | None = None) -> Json:
    """A query for what was stored since; what forged reports say, and old mail that is imported, is left out."""
    about = {"range": {"@timestamp": {"gte": f"now-{_DAYS + 1 + _LATE}d"}}}
    stored = {"range": {"event.ingested": {"gte": f"now-{days}"}}}
    forged = {"term": {"report.authentication": "fail"}}
    asked: Json = {
        "size": 0,
        "track_total_hits": True,
        "query": {"bool": {"filter": [stored, about, *filters], "must_not": [forged, *without]}},
    }
    return {**asked, "aggregations": aggs} if aggs else asked


def _by(name: str, field: str, inner: Json) -> Json:
    return {name: {"terms": {"field": field, "size": _MOST}, "aggregations": inner}}


def _then_and_now(inner: Json) -> Json:
    recent = {"range": {"event.ingested": {"gte": "now-1d"}}}
    before = {"range": {"event.ingested": {"lt": "now-1d"}}}
    return {"times": {"filters": {"filters": {"recent": recent, "before": before}}, "aggregations": inner}}


_MESSAGES: Json = {"messages": {"sum": {"field": "count"}}}
_REPORTERS = _by("reporters", "report.org_name", _MESSAGES)
_DOMAIN = "policy_published.domain"
_EACH = "for (d in ctx.results[0].aggregations.domains.buckets) {{ {} }} return false;"


def _wanted_fails(thresholds: Mapping[str, float], ours: Sequence[str]) -> Monitor | None:
    if not ours:
        return None
    named, failed = {"terms": {"source.name": sorted(ours)}}, {"term": {"dmarc.result": "fail"}}
    passed_on = {"terms": {"class": _NOTHING_DONE}}
    senders = _by("senders", "source.name", _MESSAGES)
    query = _ask("1d", named, failed, without=[passed_on], aggs=_by("domains", _DOMAIN, senders))
    least = thresholds["wanted_fails"]
    script = _EACH.format(f"for (s in d.senders.buckets) {{ if (s.messages.value >= {least}) {{ return true; }} }}")
    what = "Mail of senders that are yours or a service of yours is not authenticated."
    return Monitor("wanted_fails", "1", ("dmarc-aggregate",), what, query, script)


def _pass_rate(thresholds: Mapping[str, float], ours: Sequence[str]) -> Monitor:
    passed = {"passed": {"filter": {"term": {"dmarc.result": "pass"}}, "aggregations": _MESSAGES}}
    reporters = _by("reporters", "report.org_name", {**_MESSAGES, **passed})
    skipped = {"terms": {"class": [*_NOTHING_DONE, "spoof"]}}
    query = _ask(
        f"{_DAYS + 1}d",
        {"exists": {"field": "dmarc.result"}},
        without=[skipped],
        aggs=_by("domains", _DOMAIN, _then_and_now({**_MESSAGES, **passed, **reporters})),
    )
    points = thresholds["pass_rate"]
    script = _EACH.format(
        "def now = d.times.buckets.recent; def then = d.times.buckets.before;"
        " if (now.messages.value < 50 || then.messages.value < 50) { continue; }"
        " double usual = then.passed.messages.value / then.messages.value;"
        f" if (100 * (usual - now.passed.messages.value / now.messages.value) < {points}) {{ continue; }}"
        " int lower = 0;"
        " for (r in now.reporters.buckets) {"
        f" if (usual - r.passed.messages.value / r.messages.value > {points} / 200.0) {{ lower++; }} }}"
        " if (lower >= 2) { return true; }"
    )
    what = "The pass rate of a domain drops against its own four weeks, as two reporters see it."
    return Monitor("pass_rate", "1", ("dmarc-aggregate",), what, query, script)


def _new_sender(thresholds: Mapping[str, float], ours: Sequence[str]) -> Monitor:
    senders = _by("senders", "source.name", _then_and_now(_MESSAGES))
    if ours:
        senders["senders"]["terms"]["exclude"] = sorted(ours)
    aggs = _by("domains", _DOMAIN, {**_then_and_now(_MESSAGES), **senders})
    query = _ask(f"{_DAYS + 1}d", {"exists": {"field": "source.name"}}, aggs=aggs)
    script = _EACH.format(
        "if (d.times.buckets.before.doc_count == 0) { continue; }"
        " for (s in d.senders.buckets) { if (s.times.buckets.before.doc_count == 0"
        f" && s.times.buckets.recent.messages.value >= {thresholds['new_sender']}) {{ return true; }} }}"
    )
    what = "A sender that was not there in four weeks sends in your name."
    return Monitor("new_sender", "2", ("dmarc-aggregate",), what, query, script)


def _spoofing(thresholds: Mapping[str, float], ours: Sequence[str]) -> Monitor:
    aggs = _by("domains", _DOMAIN, _then_and_now({**_MESSAGES, **_REPORTERS}))
    query = _ask(f"{_DAYS + 1}d", {"term": {"class": "spoof"}}, aggs=aggs)
    times = thresholds["spoofing"]
    script = _EACH.format(
        "def now = d.times.buckets.recent; def then = d.times.buckets.before;"
        f" if (now.messages.value < {times} * Math.max(then.messages.value / {_DAYS}.0, 10)) {{ continue; }}"
        " def usual = new HashMap(); for (r in then.reporters.buckets) { usual.put(r.key, r.messages.value); }"
        " int rising = 0; for (r in now.reporters.buckets) {"
        f" if (r.messages.value >= {times} / 2.0 * Math.max(usual.getOrDefault(r.key, 0.0) / {_DAYS}.0, 10))"
        " { rising++; } }"
        " if (rising >= 2) { return true; }"
    )
    what = "Spoofs of a domain are many times what they were on an average day, as two reporters see it."
    return Monitor("spoofing", "2", ("dmarc-aggregate",), what, query, script)


def _tls_failures(thresholds: Mapping[str, float], ours: Sequence[str]) -> Monitor:
    failed = {"failed": {"sum": {"field": "sessions.failed"}}}
    enforced = {"filter": {"term": {"policy.string": "mode: enforce"}}, "aggregations": failed}
    expired = {
        "filter": {"term": {"failure.result_type": "certificate-expired"}},
        "aggregations": {"failed": {"sum": {"field": "failure.failed_session_count"}}},
    }
    inner = {**failed, "good": {"sum": {"field": "sessions.successful"}}, "enforced": enforced, "expired": expired}
    query = _ask("1d", aggs=_by("domains", "policy.domain", inner))
    percent = thresholds["tls_failures"]
    script = _EACH.format(
        "double bad = d.failed.value; if (bad == 0) { continue; }"
        f" double least = d.expired.failed.value > 0 ? 0 : d.enforced.failed.value > 0 ? {percent} / 5.0 : {percent};"
        " if (100 * bad >= least * (d.good.value + bad)) { return true; }"
    )
    what = "TLS sessions of a domain fail."
    return Monitor("tls_failures", "1", ("smtp-tls",), what, query, script)


_TAGS = ("p", "sp", "np", "adkim", "aspf", "testing")
_FEW = 20  # messages of each reporter below which a selector is chance
# Whether a value is new, and not one reporter's alone; `least` is all reporters where there were fewer before.
_NEW = (
    " def known = new HashSet(); for (v in {then}.buckets) {{ known.add(v.key); }}"
    " for (v in {now}.buckets) {{ if (!known.isEmpty() && !known.contains(v.key)"
    " && v.reporters.value >= least{more}) {{ return true; }} }}"
)
_BOTH = (
    "def now = d.times.buckets.recent; def then = d.times.buckets.before;"
    " if (then.doc_count == 0) {{ continue; }} double least = Math.min({least}, then.reporters.value);"
)
# A key of the domain's own, or of a name above or below it; and enough mail.
_OWN = (
    " && v.messages.value >= {few} * least && (v.key.startsWith(d.key + ' / ')"
    " || v.key.indexOf('.' + d.key + ' / ') > 0"
    " || d.key.endsWith('.' + v.key.substring(0, v.key.indexOf(' / '))))"
)


def _changed(thresholds: Mapping[str, float], ours: Sequence[str]) -> Monitor:
    seen: Json = {"reporters": {"cardinality": {"field": "report.org_name"}}}
    tags = {tag: _values(f"policy_published.{tag}", seen, missing=False if tag == "testing" else "-") for tag in _TAGS}
    passed = _values("dkim.signatures", seen | _MESSAGES, include=".* / pass")
    keys = {"keys": {"filter": {"term": {"policy_evaluated.dkim": "pass"}}, "aggregations": {"passed": passed}}}
    modes = _values("policy.string", seen, include="mode: .*")
    domains = _by("domains", _DOMAIN, _then_and_now({**seen, **tags, **keys}))
    query = _ask(
        f"{_DAYS + 1}d", aggs=domains | _by("receivers", "policy.domain", _then_and_now({**seen, "modes": modes}))
    )
    both = _BOTH.format(least=thresholds["changed"])
    tag = _NEW.format(now="now[t]", then="then[t]", more="")
    own = _NEW.format(now="now.keys.passed", then="then.keys.passed", more=_OWN.format(few=_FEW))
    mode = _NEW.format(now="now.modes", then="then.modes", more="")
    script = (
        f"for (d in ctx.results[0].aggregations.domains.buckets) {{ {both} for (t in {[*_TAGS]}) {{{tag} }}{own} }}"
        f" for (d in ctx.results[0].aggregations.receivers.buckets) {{ {both}{mode} }} return false;"
    )
    what = (
        "The published policy, a DKIM selector or an MTA-STS mode of a domain differs from the four weeks before, as"
        " reporters say."
    )
    return Monitor("changed", "2", ("dmarc-aggregate", "smtp-tls"), what, query, script)


def _values(field: str, inner: Json, **more: Any) -> Json:
    """The values of a field. missing: what stands for none."""
    return {"terms": {"field": field, "size": _MOST, **more}, "aggregations": inner}


def _silent(thresholds: Mapping[str, float], ours: Sequence[str]) -> Monitor:
    days = {"days": {"date_histogram": {"field": "@timestamp", "calendar_interval": "day", "min_doc_count": 1}}}
    until = {"range": {"@timestamp": {"lte": "now"}}}
    query = _ask(f"{_DAYS + _LATE}d", until, aggs=_by("reporters", "report.org_name", days))
    script = (
        "def lasts = new ArrayList(); for (r in ctx.results[0].aggregations.reporters.buckets)"
        " { lasts.add(r.days.buckets[r.days.buckets.length - 1].key); }"
        " if (lasts.size() < 2) { return false; } Collections.sort(lasts);"
        " long newest = lasts.get(lasts.size() - 2); long day = 86400000L;"
        " for (r in ctx.results[0].aggregations.reporters.buckets) {"
        " long last = r.days.buckets[r.days.buckets.length - 1].key; int there = 0;"
        f" for (one in r.days.buckets) {{ if (one.key > last - {_LATE} * day) {{ there++; }} }}"
        f" if (newest - last >= {thresholds['silent_reporter']} * day && there >= {_LATE - 2}) {{ return true; }} }}"
        " return false;"
    ).replace(".length", ".size()")
    what = "A reporter that came daily is silent."
    return Monitor("silent_reporter", "3", ("report",), what, query, script)


def _stands_still(thresholds: Mapping[str, float], ours: Sequence[str]) -> Monitor:
    query = _ask(f"{int(thresholds['store_stands_still'])}h")
    script = "return ctx.results[0].hits.total.value == 0;"
    what = "No report was stored for a day."
    return Monitor("store_stands_still", "1", ("report",), what, query, script)
