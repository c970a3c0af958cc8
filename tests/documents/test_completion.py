"""What is ours to say of a document: by its layers, and as if there were none."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import messages
from email_report_processor.documents.classify import Site
from email_report_processor.documents.completion import Completion
from email_report_processor.documents.document import Document
from email_report_processor.documents.encode import encode
from email_report_processor.documents.enrich import Databases, open_databases
from email_report_processor.documents.senders import Senders, read_senders
from email_report_processor.reports.reading import read_message
from email_report_processor.values.fields import Layer
from tests.documents.test_enrich import GEOLITE_ASN, database
from tests.places import GOLDEN

NOW = "2026-11-21T00:00:00Z"
SITES = (Site(), Site(own_domains=("crm.example",)), Site(own_networks=("192.0.0.0/31", "2001:db8::/32")))
SENDERS = (
    None,
    read_senders({"mailer.example": "The mailer"}),
    read_senders({"192.0.0.2/31": "Ours", "crm.example": "CRM"}),
    read_senders({"AS64500": "Hosting"}),
)


def documents() -> Iterator[Document]:
    """Of many reports; a layer of one comes again in others."""
    inputs = [messages.message(30, str(number)) for number in range(3)]
    inputs += [path.read_bytes() for path in sorted(GOLDEN.rglob("*")) if path.is_file() and path.suffix != ".json"]
    for data in inputs:
        for report in read_message(data).reports:
            yield from report.documents()


@pytest.mark.parametrize("located", [False, True], ids=["", "geo"])
@pytest.mark.parametrize("senders", SENDERS)
@pytest.mark.parametrize("site", SITES)
def test_layers_change_nothing(site: Site, senders: Senders | None, located: bool, tmp_path: Path) -> None:
    databases: Databases | None = None
    if located:
        databases, _ = open_databases([database(tmp_path / "asn.mmdb", {"192.0.0.4/30": GEOLITE_ASN})])
    layered = 0
    for document in documents():
        whole = Document(document.dataset, document.id, dict(document.fields))
        completion = Completion(NOW, site, senders, databases)
        assert completion.layers(whole) == ()
        layers = completion.layers(document)
        assert json.loads(encode(document.own, layers)) == json.loads(encode(whole.own))
        assert all(document.own.keys().isdisjoint(layer) for layer in layers)
        layered += bool(layers)
    assert layered > 90


def test_a_layer_is_worked_out_once_for_a_site_and_its_senders() -> None:
    row = next(documents())
    site, senders = Site(), read_senders({"example.org": "Ours"})

    def last(site: Site, senders: Senders | None) -> tuple[Layer, object]:
        document = row._replace(own={})
        return Completion(NOW, site, senders).layers(document)[-1], document.own.get("source.name")

    one, name = last(site, senders)
    assert last(site, senders)[0] is one
    other, none = last(site, None)
    assert other is not one
    assert other == one
    assert name != none
    assert last(Site(own_domains=("crm.example",)), senders)[0] is not one


def test_a_layer_of_two_reports_is_classified_by_the_policy_of_each() -> None:
    row = {
        "policy_evaluated.dkim": "fail",
        "policy_evaluated.spf": "fail",
        "identifiers.header_from": "example.org",
        "auth_results.spf": [{"domain": "bounce.example.org", "result": "pass"}],
    }
    shared = Layer(row)
    reports = [
        Layer({"event.dataset": "dmarc-aggregate", "policy_published.aspf": mode}) for mode in ("s", "r", "s", "r")
    ]
    completion = Completion(NOW, Site())
    rules = []
    for report in reports:
        document = Document("dmarc-aggregate", "1", {"source.ip": "192.0.2.1"}, (report, shared))
        rules.append(completion.layers(document)[-1]["class_rule"])
    assert rules == ["A12", "A13", "A12", "A13"]
