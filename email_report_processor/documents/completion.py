"""What is ours to say of a document: when it was stored, from where a message came, who sent it, and its class.

Rows of one kind repeat: what depends on nothing but a layer is worked out once for it, and remembered with it.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..values.fields import Fields, Layer
from .classify import OF_THE_POLICY, Site, classify
from .document import Document
from .encode import Prepared, encode, fill, prepare
from .enrich import Databases, named
from .senders import Senders

_SENDER = ("source.name", "source.name_rule")
_FORMS = 2048  # that are remembered: a report has a few, an attacker's has as many as rows


class _Known(NamedTuple):
    """How rows of one kind are written."""

    head: Layer
    layer: Layer
    form: Prepared


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
        # By the identity of the last layer, and the names of the own fields that differ.
        self._forms: dict[tuple[int, tuple[str, ...]], _Known] = {}
        self._policy: tuple[tuple[str, Any], ...] = ()  # what the rules look at in the first layer

    def layers(self, document: Document) -> tuple[Layer, ...]:
        """Add what is missing to the document's own fields, and return its layers, completed too."""
        self._place(document.own)
        return self._layers(document)

    def _place(self, own: Fields) -> None:
        if self._databases is not None and "source.ip" in own:
            own |= self._databases.look_up(own["source.ip"])

    def _layers(self, document: Document) -> tuple[Layer, ...]:
        dataset, _, own, layers, _ = document
        if not layers:
            own |= self._undated | own | self._event
            own |= self._said_of(own)
            return ()
        if layers[0] is not self._first:
            self._first, self._stamped = layers[0], Layer(self._undated | layers[0] | self._event)
            self._policy = tuple((name, layers[0][name]) for name in OF_THE_POLICY if name in layers[0])
        if self._by_address:
            own |= self._said_of(document.fields)
            return (self._stamped, *layers[1:])
        classified, sender = self._noted(layers[-1], dataset)
        own |= sender
        return (self._stamped, *layers[1:-1], classified)

    def encode(self, document: Document) -> bytes:
        """The document with everything that is missing, as JSON. Rows of one kind are written into one form."""
        own, layers = document.own, document.layers
        self._place(own)
        names = tuple(own)
        known = self._forms.get((id(layers[-1]), names)) if layers else None
        if known is not None and known.layer is layers[-1] and known.head is layers[0]:
            return fill(known.form, own.values())
        completed = self._layers(document)
        if completed and not self._by_address:
            self._remember(names, {name: own[name] for name in own if name not in names}, layers, completed)
        return encode(own, completed)

    def _remember(
        self, names: tuple[str, ...], constant: Fields, layers: tuple[Layer, ...], completed: tuple[Layer, ...]
    ) -> None:
        form = prepare(names, constant, completed)
        if form is not None:
            if len(self._forms) >= _FORMS:
                self._forms.clear()
            self._forms[id(layers[-1]), names] = _Known(layers[0], layers[-1], form)

    def _noted(self, layer: Layer, dataset: str) -> tuple[Layer, Fields]:
        """The layer with the class of all documents that have it, and who sends them."""
        noted = layer.noted
        known = noted is not None and noted[0] is self._site and noted[1] is self._senders
        if not known or noted[2] != self._policy:
            said = self._said_of({**layer, **dict(self._policy), "event.dataset": dataset})
            sender = {name: said.pop(name) for name in _SENDER if name in said}
            noted = layer.noted = (self._site, self._senders, self._policy, (Layer(layer | said), sender))
        found: tuple[Layer, Fields] = noted[3]
        return found

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
