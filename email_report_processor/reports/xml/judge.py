"""Whether a document is well-formed XML that may be read: expat's word, under the rules of defusedxml.

The only module that imports defusedxml. Its exceptions are there for each report; the code of its handlers, which
says what of a DTD is refused, is loaded when a document has something for it.
"""

import pyexpat
from collections.abc import Callable
from typing import Any

from defusedxml.common import DefusedXmlException, DTDForbidden, EntitiesForbidden

from ...message.payload import OverBound
from .encoding import NATIVE

__all__ = ["DefusedXmlException", "Judge", "refuse_declaration", "why_forbidden"]

# What expat finds, and the method of defusedxml's parsers that is asked about it (forbid_dtd and all the others).
HANDLERS = {
    "StartDoctypeDeclHandler": "defused_start_doctype_decl",
    "EntityDeclHandler": "defused_entity_decl",
    "UnparsedEntityDeclHandler": "defused_unparsed_entity_decl",
    "ExternalEntityRefHandler": "defused_external_entity_ref_handler",
}


def _asking(method: str) -> Callable[..., Any]:
    """A handler for expat that is the one of defusedxml's parser."""

    def handler(*said: Any) -> Any:
        from defusedxml.expatbuilder import DefusedExpatBuilder  # 4 ms, only for a document that has a DTD

        return getattr(DefusedExpatBuilder(forbid_dtd=True), method)(*said)

    return handler


_HANDLERS = tuple((name, _asking(method)) for name, method in HANDLERS.items())


class Judge:
    """Is given the bytes of a document in pieces, and holds what expat complains of ('' when it is well-formed)."""

    def __init__(self, encoding: str, complaint: str, longest: int) -> None:
        self.native = encoding in NATIVE  # expat decodes it itself; anything else it gets as UTF-8
        self.parser = pyexpat.ParserCreate(None if self.native else "utf-8")
        for name, handler in _HANDLERS:
            setattr(self.parser, name, handler)
        self.complaint = complaint
        self.fed = 0
        self.longest = longest

    def feed(self, piece: bytes, final: bool = False) -> None:
        """Judge a piece. Raises DefusedXmlException; OverBound for a tag or comment that expat would have to hold."""
        if self.complaint:
            return
        self._parse(piece, final=final)
        self.fed += len(piece)
        if self._held() > self.longest:
            self._catch_up()
            if self._held() > self.longest:
                raise OverBound(f"a tag or comment has more bytes than bounds.record_bytes = {self.longest}")

    def _parse(self, piece: bytes, *, final: bool) -> None:
        try:
            self.parser.Parse(piece, final)
        except DefusedXmlException:  # which is a ValueError
            raise
        except (pyexpat.ExpatError, LookupError, ValueError) as error:  # the last two: a wrong label after a mark
            self.complaint = str(error)[:80]

    def _held(self) -> int:
        """Bytes that expat has made nothing of yet."""
        return 0 if self.complaint else self.fed - self.parser.CurrentByteIndex

    def _catch_up(self) -> None:
        """Have expat look at all that it holds: from 2.6 on it waits until that has doubled."""
        if hasattr(self.parser, "SetReparseDeferralEnabled"):
            self.parser.SetReparseDeferralEnabled(False)
            self._parse(b"", final=False)
            self.parser.SetReparseDeferralEnabled(True)


def refuse_declaration(text: str) -> None:
    """Refuse a `<!DOCTYPE …` or `<!ENTITY …` that stands where expat does not come to. Raises DefusedXmlException."""
    raise DTDForbidden(text, None, None)


def why_forbidden(error: DefusedXmlException) -> str:
    """A sentence for people, without what a stranger could say at length."""
    if isinstance(error, DTDForbidden):
        return f"it has a DOCTYPE ({error.name[:40]!r}), which is refused"
    what = "declares" if isinstance(error, EntitiesForbidden) else "refers to"
    return f"it {what} an entity, which is refused"
