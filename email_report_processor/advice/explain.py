"""What a stored document says, field by field, which rule made its class, and what to do. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ..documents.classify import AGGREGATE_RULES, CLASSES, FAILURE_RULES, RAW, Rule, advice
from ..documents.datasets import BY_NAME
from ..documents.senders import Senders, verdict

_RULES = {rule.name: rule for rule in (*AGGREGATE_RULES, *FAILURE_RULES)}
_LONG = 2000  # characters of one value


class Line(NamedTuple):
    """One field."""

    name: str
    value: str
    meaning: str
    source: str  # RFC and section, or 'ours'
    wire: str  # where it stands in the report, '' when it is ours


class Explained(NamedTuple):
    """Everything about one document."""

    dataset: str
    about: str  # a sentence: what this document is
    class_: str  # '' none
    rule: str  # a sentence: which rule made the class
    do: str  # what to do
    verdict: str  # a sentence: what the site says of the sender, '' nothing
    lines: tuple[Line, ...]


def explain(fields: Mapping[str, Any], senders: Senders | None = None, day: str = "") -> Explained:
    """Explain a flat document. day: today, for verdicts that end."""
    dataset = str(fields.get("event.dataset", ""))
    class_ = str(fields.get("class", ""))
    rule = _RULES.get(str(fields.get("class_rule", "")).removesuffix(RAW))
    return Explained(
        dataset,
        BY_NAME[dataset].meaning if dataset in BY_NAME else "A document of another program.",
        class_,
        _rule(fields, rule),
        (advice(rule) if rule else CLASSES[class_].do if class_ in CLASSES else ""),
        _said(fields, senders, day),
        tuple(_lines(fields, dataset)),
    )


def _rule(fields: Mapping[str, Any], rule: Rule | None) -> str:
    name = str(fields.get("class_rule", ""))
    if rule is None:
        return f"{name}: a rule that this version does not have" if name else ""
    raw = " A verdict is missing in the report: it was worked out from the results." if name.endswith(RAW) else ""
    what = CLASSES[rule.class_].what if rule.class_ in CLASSES else ""
    return f"{name}: {rule.when} {what}{raw}".strip()


def _said(fields: Mapping[str, Any], senders: Senders | None, day: str) -> str:
    found = verdict(fields, senders, day)
    if found is None:
        return ""
    parts = [found.verdict, found.name, found.comment, f"by {found.by}" if found.by else "", found.at]
    return ", ".join(part for part in parts if part)


def _lines(fields: Mapping[str, Any], dataset: str) -> Iterator[Line]:
    """Fields in the order of their table, then what the table does not have (`raw.…`)."""
    known = BY_NAME[dataset].by_name if dataset in BY_NAME else {}
    objects = {field.objects for field in known.values() if field.objects}
    for name, field in known.items():
        if name in fields:
            yield Line(name, _value(fields[name]), field.meaning, field.source, field.wire)
        elif field.objects and (
            values := _within(fields.get(field.objects, ()), name.removeprefix(f"{field.objects}."))
        ):
            yield Line(name, _value(values), field.meaning, field.source, field.wire)
    for name in sorted(fields.keys() - known.keys() - objects):
        meaning = "A text that could not be read as the value of its field." if name.startswith("raw") else ""
        yield Line(name, _value(fields[name]), meaning, "ours", "")


def _within(objects: Any, name: str) -> list[Any]:
    """The values of one member of a list of objects."""
    found = []
    for one in objects:
        value: Any = one
        for part in (name,) if name in one else name.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if value is not None:
            found.append(value)
    return found


def _value(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_value(one) for one in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_value(one)}" for name, one in value.items())
    text = str(value)
    return text if len(text) <= _LONG else f"{text[:_LONG]}… ({len(text)} characters)"
