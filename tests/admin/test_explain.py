"""`email-report-admin explain`: every field of every golden document is explained."""

import json
from pathlib import Path

import pytest

from email_report_processor.advice.explain import explain
from email_report_processor.documents.senders import read_senders
from tests.conftest import Program
from tests.places import GOLDEN

PAIRS = sorted(GOLDEN.glob("*/*.json"))


@pytest.mark.parametrize("path", PAIRS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_field_is_explained(path: Path) -> None:
    for dataset, _, fields in json.loads(path.read_text("utf-8")):
        told = explain({**fields, "event.dataset": dataset})
        lines = {line.name for line in told.lines}
        for name, value in fields.items():
            objects = isinstance(value, list) and value and isinstance(value[0], dict)
            assert name in lines or (objects and any(line.startswith(name + ".") for line in lines)), name
        assert all(line.meaning for line in told.lines), [line.name for line in told.lines if not line.meaning]
        assert bool(told.class_) == bool(told.rule) == bool(told.do)


def test_the_verdict_stands_there() -> None:
    senders = read_senders({}, [{"as": 64500, "verdict": "service", "comment": "CRM", "by": "anna"}])
    told = explain({"event.dataset": "arf", "source.as.number": 64500}, senders, "2026-11-28")
    assert told.verdict == "service, CRM, by anna"


def test_a_rule_of_another_version() -> None:
    assert "does not have" in explain({"event.dataset": "arf", "class": "spoof", "class_rule": "Z9"}).rule


def test_the_command(run_filter: Program, run_admin: Program) -> None:
    assert run_filter((GOLDEN / "dmarc-failure" / "everything.eml").read_bytes()).status == 0
    (document,) = run_admin(b"", "search", "--json", "dataset:dmarc-failure").lines
    found = run_admin(b"", "explain", document["_id"])
    assert found.status == 0
    assert found.stdout.startswith(f"dmarc-failure {document['_id']}\n")
    assert "source.ip = 2001:db8::25\n    The host that the failed message came from" in found.stdout
    assert "(RFC 5965 §3.2, Source-IP)" in " ".join(found.stdout.split())
    (told,) = run_admin(b"", "explain", "--json", document["_id"]).lines
    assert told["class_"] == document["class"]


def test_what_is_not_there(run_filter: Program, run_admin: Program) -> None:
    assert run_filter((GOLDEN / "dmarc-failure" / "everything.eml").read_bytes()).status == 0
    found = run_admin(b"", "explain", "f" * 40)
    assert (found.status, "there is no document of this id" in found.stderr) == (1, True)
