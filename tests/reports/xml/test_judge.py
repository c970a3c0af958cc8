"""What defusedxml forbids is forbidden, on every path, and by defusedxml."""

import pyexpat

import defusedxml.ElementTree
import pytest
from defusedxml.common import DefusedXmlException, DTDForbidden, EntitiesForbidden
from defusedxml.expatbuilder import DefusedExpatBuilder

from email_report_processor.reports.xml.judge import HANDLERS
from email_report_processor.reports.xml.survey import ForbiddenError
from tests.reports.xml.read import document, look, records

ATTACKS = {
    "billion laughs": "<!DOCTYPE feedback [<!ENTITY a 'lol'><!ENTITY b '&a;&a;&a;&a;&a;'>]><feedback>&b;</feedback>",
    "quadratic": f"<!DOCTYPE feedback [<!ENTITY a '{'x' * 5000}'>]><feedback>{'&a;' * 99}</feedback>",
    "cyclic": "<!DOCTYPE feedback [<!ENTITY a '&b;'><!ENTITY b '&a;'>]><feedback>&a;</feedback>",
    "external": "<!DOCTYPE feedback [<!ENTITY e SYSTEM 'http://www.example.com/e.xml'>]><feedback>&e;</feedback>",
    "external file": "<!DOCTYPE feedback [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><feedback>&e;</feedback>",
    "parameter": "<!DOCTYPE feedback [<!ENTITY % p SYSTEM 'http://example.com/p.dtd'> %p;]><feedback/>",
    "unparsed": "<!DOCTYPE feedback [<!NOTATION n SYSTEM 'n'><!ENTITY u SYSTEM 'u' NDATA n>]><feedback/>",
    "dtd": "<!DOCTYPE feedback PUBLIC '-//W3C//DTD XHTML 1.0//EN' 'http://example.com/x.dtd'><feedback/>",
    "retrieval": "<!DOCTYPE feedback SYSTEM 'http://example.com/feedback.dtd'><feedback></feedback>",
    "within a comment's reach": "<!-- --><!DOCTYPE feedback><!-- --><feedback/>",
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "iso-8859-1"])
@pytest.mark.parametrize("name", ATTACKS)
def test_refuses_what_defusedxml_refuses(name: str, encoding: str) -> None:
    declaration = "<?xml version='1.0' encoding='iso-8859-1'?>" if encoding == "iso-8859-1" else ""
    data = (declaration + ATTACKS[name]).encode(encoding)
    if encoding != "utf-32":  # expat does not know it
        with pytest.raises((DTDForbidden, EntitiesForbidden)):
            defusedxml.ElementTree.fromstring(data, forbid_dtd=True)
    with pytest.raises(ForbiddenError) as refused:
        look(data)
    assert isinstance(refused.value.__cause__, DefusedXmlException)


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("before", ["", "junk & ", "<feedback>\0", "<feedback><x></y>"])
def test_refuses_it_also_in_what_is_broken(name: str, before: str) -> None:
    with pytest.raises(ForbiddenError):
        look(before + ATTACKS[name] + "<report_metadata></oops>")


@pytest.mark.parametrize("size", range(65520, 65540))
def test_refuses_it_wherever_our_pieces_are_cut(size: int) -> None:
    with pytest.raises(ForbiddenError):
        look("<feedback>\0" + "x" * size + "<!DOCTYPE x>")


def test_leaves_alone_what_only_looks_like_it() -> None:
    text = document("<!-- <!DOCTYPE x> --><record><a><![CDATA[<!ENTITY x>]]></a></record>")
    assert look(text).strict
    assert records(text) == ['["record",1,"a","<!ENTITY x>"]']


def test_a_release_of_defusedxml_that_looks_at_more_is_noticed() -> None:
    """The handlers that its parser sets are the ones that are asked."""
    parser = pyexpat.ParserCreate()
    DefusedExpatBuilder(forbid_dtd=True).install(parser)
    handlers = {name: getattr(parser, name) for name in dir(parser) if name.endswith("Handler")}
    its_own = {name: one.__name__ for name, one in handlers.items() if one and one.__module__.startswith("defusedxml")}
    assert its_own == HANDLERS
