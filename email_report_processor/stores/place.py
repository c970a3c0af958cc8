"""URLs of stores that are reached over the network."""

from urllib.parse import SplitResult, urlsplit

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def read(url: str, form: str, section: str) -> SplitResult:
    """The parts of a URL. form: how it is written; section: where its secrets stand. Raises ValueError, no password."""
    try:
        place = urlsplit(url)
        port = place.port
    except ValueError as error:
        raise ValueError(f"not a URL of the form {form}") from error
    if "@" in place.netloc or place.password:
        raise ValueError(f"credentials do not belong into the URL, where logs show them: see the section [{section}]")
    if not place.hostname or port == 0 or place.fragment:
        raise ValueError(f"not a URL of the form {form}")
    return place


def insist_on_tls(place: SplitResult, form: str) -> None:
    """Raises ValueError for what would cross a network in the clear."""
    if place.hostname not in LOOPBACK:
        raise ValueError(f"without TLS it goes to this machine only (127.0.0.1): write {form}")
