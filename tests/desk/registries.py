"""An RDAP server on loopback that answers in the shapes of the five registries, and fails as it is told.

The shapes are those of the live servers in 2026; names and addresses are made up.
"""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]


def card(name: str, *addresses: str) -> list[Any]:
    """A jCard (RFC 7095)."""
    rows = [["version", {}, "text", "4.0"], ["fn", {}, "text", name], ["kind", {}, "text", "group"]]
    return ["vcard", [*rows, *(["email", {}, "text", address] for address in addresses)]]


def entity(handle: str, *roles: str, addresses: tuple[str, ...] = (), **more: Any) -> Json:
    """An entity with a jCard."""
    made = {"objectClassName": "entity", "handle": handle, "roles": list(roles), "vcardArray": card(handle, *addresses)}
    return {**made, **more}


def network(first: str, last: str, *entities: Json, **more: Any) -> Json:
    """An `ip network` object (RFC 9083 §5.4)."""
    return {
        "rdapConformance": ["rdap_level_0", "cidr0"],
        "objectClassName": "ip network",
        "handle": f"NET-{first}",
        "startAddress": first,
        "endAddress": last,
        "ipVersion": "v6" if ":" in first else "v4",
        "entities": list(entities),
        "notices": [{"title": "Terms", "description": ["…"], "links": [{"rel": "self", "href": "https://…"}]}],
        **more,
    }


def arin() -> Json:
    """The points of contact stand within the organisation."""
    inner = (
        entity("ABUSE1-ARIN", "abuse", addresses=("Abuse@us-net.example",), status=["validated"]),
        entity("NOC1-ARIN", "technical", "noc", addresses=("noc@us-net.example",)),
    )
    return network("192.0.2.0", "192.0.2.255", entity("USNET", "registrant", entities=list(inner)))


def ripe() -> Json:
    """The abuse contact stands beside the others; the maintainer is the registrant."""
    return network(
        "198.51.100.0", "198.51.100.255",
        entity("MNT-EU", "registrant"),
        entity("AB1-RIPE", "abuse", addresses=("abuse@eu-net.example",)),
        entity("TC1-RIPE", "technical", "administrative", addresses=("tech@eu-net.example",)),
        country="NL",
    )  # fmt: skip


def apnic() -> Json:
    """An incident response team with two addresses, and entities without any."""
    team = entity("IRT-AS-NET", "abuse", addresses=("abuse@as-net.example", "mailto:irt@as-net.example"))
    return network("203.0.113.0", "203.0.113.127", entity("NOBODY", "administrative"), team)


def lacnic() -> Json:
    """Contacts of persons are taken away; the abuse role stands within the owner."""
    inner = entity("ABL", "abuse", addresses=("removed@lacnic.net", "abuse@br-net.example"))
    return network("203.0.113.128", "203.0.113.255", entity("BR-NET", "registrant", entities=[inner]), lang="pt")


def afrinic() -> Json:
    """No abuse role; a technical contact, and entities without a jCard."""
    return network(
        "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
        {"objectClassName": "entity", "handle": "ORG-ZA", "roles": ["registrant"], "links": []},
        entity("TC-ZA", "technical", addresses=("tech@za-net.example",)),
    )  # fmt: skip


SHAPES = {"arin": arin(), "ripe": ripe(), "apnic": apnic(), "lacnic": lacnic(), "afrinic": afrinic()}
PLACES = {
    "arin": ["192.0.2.0/24"],
    "ripe": ["198.51.100.0/24"],
    "apnic": ["203.0.113.0/25"],
    "lacnic": ["203.0.113.128/25"],
    "afrinic": ["2001:db8::/32"],
}


class Registries:
    """`answers`: registry -> what it says, or a status. `seen` has every path that was asked for."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/"
        self.answers: dict[str, Json | int | str] = dict(SHAPES)
        self.seen: list[str] = []

    def answer(self, path: str) -> Json | int | str:
        """The object at a path, a status, or where to look instead."""
        self.seen.append(path)
        if path in {"/ipv4.json", "/ipv6.json"}:
            version = 6 if path == "/ipv6.json" else 4
            here = {name: places for name, places in PLACES.items() if (":" in places[0]) == (version == 6)}
            return {
                "version": "1.0",
                "publication": "2026-11-01T00:00:00Z",
                "services": [[places, [f"{self.url}{name}/"]] for name, places in here.items()],
            }
        return self.answers.get(path.split("/")[1], 404)


@contextlib.contextmanager
def running() -> Iterator[Registries]:
    """On a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = registries.answer(self.path)
            if isinstance(answer, str):
                self.send_response(302)
                self.send_header("Location", answer)
            else:
                self.send_response(answer if isinstance(answer, int) else 200)
            body = b"" if isinstance(answer, int | str) else json.dumps(answer).encode()
            self.send_header("Content-Type", "application/rdap+json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # http.server's own name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    registries = Registries(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield registries
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
