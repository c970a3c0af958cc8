"""What a document gains from offline tables: who sends (`source.name`), from which country and network.

No DNS and no network. Nothing here loses a row: a database that is missing or broken is a warning.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from ..values.domains import organizational_domain
from ..values.fields import Fields, clean
from .allocation import NAME, Allocation
from .senders import Senders, matches, passed

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Reader(Protocol):
    """An open MMDB file (maxminddb.Reader)."""

    def get(self, ip_address: str) -> Any:
        """The record of an address, None when there is none."""
        ...


class Database(NamedTuple):
    """One open MMDB file, or the table of allocations."""

    path: str
    reader: Reader
    ip_version: int  # 4: it has no IPv6 addresses
    built: int = 0  # seconds since 1970, 0 unknown


# Who sends


def source_name(fields: Mapping[str, Any], senders: Senders | None = None) -> str:
    """Who sends, '' when nobody can be named."""
    return named(fields, senders)[0]


def named(fields: Mapping[str, Any], senders: Senders | None = None) -> tuple[str, str]:
    """Who sends and by which rule, `verdict` or `authenticated`; '' for both when nobody can be named (design §3).

    The site's own name for the network, the AS number or an authenticated domain; else the organizational domain of a
    DKIM signature, or else of an SPF check, that passed for another domain than From's; else From's if it passed.
    """
    if senders is not None:
        name = next((one.name for one in matches(fields, senders) if one.name), "")
        if name:
            return name, "verdict"
    own = organizational_domain(_author(fields))
    names = [organizational_domain(domain) for domain in passed(fields)]
    name = next((name for name in names if name not in {own, ""}), own if own in names else "")
    return name, "authenticated" if name else ""


def _author(fields: Mapping[str, Any]) -> str:
    """The From domain."""
    domain: str = fields.get("identifiers.header_from") or fields.get("sample.from", "").rpartition("@")[2]
    return domain or next(iter(fields.get("feedback.reported_domain", ())), "")


# Where from


class Databases:
    """Open MMDB files; the first that knows something of an address says it."""

    def __init__(self, databases: Sequence[Database], broken: tuple[type[Exception], ...]) -> None:
        self.databases = list(databases)
        self.broken = broken
        self.faults: list[str] = []  # of databases that turned out to be broken while they were used, each once
        self.look_up: Callable[[str], Mapping[str, Any]] = lru_cache(maxsize=4096)(self._look_up)
        if len(databases) == 1 and isinstance(table := databases[0].reader, Allocation):
            self.look_up = lambda address: _allocated(table.country(address))  # as quick as what is remembered

    def _look_up(self, address: str) -> Mapping[str, Any]:
        """The fields of an address in canonical form; they are shared, copy them."""
        if len(self.databases) == 1:
            return self._ask(self.databases[0], address)
        found: Fields = {}
        for database in tuple(self.databases):
            for name, value in self._ask(database, address).items():
                found.setdefault(name, value)
        return found

    def _ask(self, database: Database, address: str) -> Mapping[str, Any]:
        if database.ip_version == 4 and ":" in address:
            return _NOTHING
        if isinstance(database.reader, Allocation):
            return _allocated(database.reader.country(address))
        try:
            return read_record(database.reader.get(address))
        except self.broken as error:
            self.databases.remove(database)
            self.faults.append(f"{database.path}: the database is broken and was left out ({error})")
            return _NOTHING


@lru_cache(maxsize=512)
def _allocated(country: str) -> Mapping[str, Any]:
    return read_record({"country_code": country})


def open_databases(paths: Sequence[str], *, allocation: bool = False) -> tuple[Databases | None, list[str]]:
    """Open MMDB files of GeoLite2, DB-IP or IPinfo. What cannot be opened is left out, with a warning for people.

    allocation: where no file knows the country, the one that the address is allocated to, by iptocc if it is there.
    """
    opened, broken, warnings = _open_files(paths) if paths else ([], (), [])
    if allocation:
        opened.append(Database(NAME, Allocation(), 6))
    return Databases(opened, broken) if opened else None, warnings


def _open_files(paths: Sequence[str]) -> tuple[list[Database], tuple[type[Exception], ...], list[str]]:
    try:
        import maxminddb  # 48 ms, only where databases are configured
    except ImportError:
        return [], (), ["[geo] databases needs the Python package maxminddb: install email-report-processor[geo]"]
    # A damaged file makes the reader raise all of these, at opening or at any look-up.
    broken = (maxminddb.InvalidDatabaseError, ValueError, TypeError, LookupError, ArithmeticError, RecursionError)
    opened, warnings = [], []
    for path in paths:
        try:
            reader = maxminddb.open_database(path)
            metadata = reader.metadata()
            opened.append(Database(path, reader, metadata.ip_version, metadata.build_epoch))
        except (OSError, MemoryError, *broken) as error:
            warnings.append(f"{path}: the database cannot be opened and is left out ({error})")
    return opened, broken, warnings


def read_record(record: Any) -> Fields:
    """The fields of one MMDB record: MaxMind's and DB-IP's shape (nested) or IPinfo's (flat texts)."""
    if not isinstance(record, dict):
        return {}
    country = record.get("country_code") or record.get("country")
    number = record.get("autonomous_system_number", record.get("asn"))
    organization = record.get("autonomous_system_organization") or record.get("as_name")
    found = {
        "source.geo.country_iso_code": _country(country.get("iso_code") if isinstance(country, dict) else country),
        "source.geo.location": _location(record),
        "source.as.number": _number(number),
        "source.as.organization.name": _text(organization or (record.get("name") if "asn" in record else None)),
    }
    return {name: value for name, value in found.items() if value is not None}


def _country(value: Any) -> str | None:
    text = _text(value)
    return text.upper() if text is not None and len(text) == 2 and text.isascii() and text.isalpha() else None


def _text(value: Any) -> str | None:
    return (clean(value)[:1024] or None) if isinstance(value, str) else None


def _number(value: Any) -> int | None:
    """`15169` or `AS15169`."""
    digits = str(value).upper().removeprefix("AS")
    return int(digits) if digits.isascii() and digits.isdigit() and 0 < len(digits) <= 10 else None


def _location(record: Mapping[str, Any]) -> dict[str, float] | None:
    place = record.get("location")
    pair: tuple[Any, Any] = (
        (place.get("latitude"), place.get("longitude"))
        if isinstance(place, dict)
        else (record.get("latitude", record.get("lat")), record.get("longitude", record.get("lng")))
    )
    try:
        latitude, longitude = (float(value) for value in pair)
    except (TypeError, ValueError):
        return None
    return {"lat": latitude, "lon": longitude} if abs(latitude) <= 90 and abs(longitude) <= 180 else None
