"""What is ours to say of a document: when it was stored, from where a message came, who sent it, and its class.

Rows of one kind repeat: what depends on nothing but a layer is worked out once for it, and remembered with it.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from ..values.fields import Fields, Layer
from .classify import OF_THE_POLICY, Site, classify
from .document import Document
from .encode import Form, encode, fill, form_of, written
from .enrich import Databases, named
from .senders import Senders

_SENDER = ("source.name", "source.name_rule")
_FORMS = 8  # remembered for a layer: own fields have few sets of names


class _About(NamedTuple):
    """A report, as far as its documents are written by it."""

    policy: tuple[tuple[str, Any], ...]  # what the rules look at in its layer
    tops: frozenset[str]  # the outermost names of the layer


_about = lru_cache(maxsize=256)(_About)  # the same object for the next report that is like this one


class _Noted(NamedTuple):
    """What a site says of all documents that have a layer, in reports that are alike."""

    site: Site
    senders: Senders | None
    about: _About
    layer: Layer  # with the class
    sender: Fields
    forms: dict[tuple[str, ...], Form | None]  # by the names of the other fields; None: seen once, or there is no form


class Completion:
    """Completes documents; made anew for each message.

    now: `event.ingested`, RFC 3339. site and senders: the same objects each time, by which a layer knows what was
    worked out for them.
    """

    def __init__(
        self, now: str, site: Site, senders: Senders | None = None, databases: Databases | None = None
    ) -> None:
        self._event = {"event.ingested": now}
        self._undated = {"@timestamp": now}  # of a report that says no date, and came without a message
        self._site = site
        self._senders = senders
        self._databases = databases
        self._by_address = bool(site.own_networks) or bool(senders and (senders.networks or senders.systems))
        self._first = self._stamped = Layer()
        self._before = b""  # how documents with these begin
        self._about = _about((), frozenset())

    def layers(self, document: Document) -> tuple[Layer, ...]:
        """Add what is missing to the document's own fields, and return its layers, completed too."""
        dataset, _, own, layers, _ = document
        self._place(own)
        if not layers:
            own |= self._undated | own | self._event
            own |= self._said_of(own)
            return ()
        if layers[0] is not self._first:
            self._begin(layers[0])
        if self._by_address:
            own |= self._said_of(document.fields)
            return (self._stamped, *layers[1:])
        noted = self._noted(layers[-1], dataset)
        own |= noted.sender
        return (self._stamped, *layers[1:-1], noted.layer)

    def encode(self, document: Document) -> bytes:
        """The document with everything that is missing, as JSON. What repeats is written into a form."""
        dataset, _, own, layers, _ = document
        if len(layers) != 2 or self._by_address or layers[0] is not self._first:
            return encode(own, self.layers(document))
        if self._databases is not None and "source.ip" in own:
            own |= self._databases.look_up(own["source.ip"])
        noted = self._noted(layers[1], dataset)
        names = tuple(own)
        form = noted.forms.get(names)
        if form is not None:
            return fill(form, self._before, own.values())
        completed = (self._stamped, noted.layer)
        _note_form(noted, names, completed)
        return encode(own | noted.sender, completed)

    def _place(self, own: Fields) -> None:
        if self._databases is not None and "source.ip" in own:
            own |= self._databases.look_up(own["source.ip"])

    def _begin(self, head: Layer) -> None:
        """Documents of another report follow."""
        self._first, self._stamped = head, Layer(self._undated | head | self._event)
        self._before = b"{" + written(self._stamped)
        policy = tuple((name, head[name]) for name in OF_THE_POLICY if name in head)
        self._about = _about(policy, self._stamped.tops)

    def _noted(self, layer: Layer, dataset: str) -> _Noted:
        """What is said of all documents that have the layer: their class, who sends them, how they are written."""
        noted: _Noted | None = layer.noted
        known = noted is not None and noted.site is self._site and noted.senders is self._senders
        if noted is None or not known or noted.about is not self._about:
            said = self._said_of({**layer, **dict(self._about.policy), "event.dataset": dataset})
            sender = {name: said.pop(name) for name in _SENDER if name in said}
            noted = _Noted(self._site, self._senders, self._about, Layer(layer | said), sender, {})
            layer.noted = noted
        return noted

    def _said_of(self, fields: Mapping[str, Any]) -> Fields:
        return said_of(fields, self._site, self._senders)


def said_of(fields: Mapping[str, Any], site: Site, senders: Senders | None) -> Fields:
    """The class of a document, and who sends."""
    said: Fields = {}
    found = classify(fields, site)
    if found is not None:
        said["class"], said["class_rule"] = found
    name, rule = named(fields, senders)
    if name:
        said["source.name"], said["source.name_rule"] = name, rule
    return said


def _note_form(noted: _Noted, names: tuple[str, ...], layers: tuple[Layer, ...]) -> None:
    """A form is made when documents like this one come again: most kinds come once in a report."""
    forms = noted.forms
    if names in forms:
        forms[names] = form_of(names, noted.sender, layers)
    elif len(forms) < _FORMS:
        forms[names] = None
