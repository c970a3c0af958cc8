"""`[[tenants]]`: whose a report is, and the settings of each: its own, and what it has of the site's (docs/tenants.md).

A tenant is a Settings. Whatever takes Settings (a store, a page, an alert, the desk) then is the tenant's: with a store
or an index prefix, a state directory, channels and users of its own. What `SHARED` does not name is never inherited.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from .process import Layout
from .settings import (
    STATE_DIRECTORY,
    TABLES,
    Setting,
    Settings,
    SettingsError,
    StoreOptions,
    Table,
    refuse_unknown,
    state_place,
)
from .values.fields import read_domain

FOLDER = "tenants"  # in the state directory: one of its own for each


class TenantOptions(NamedTuple):
    """Somebody whose reports are stored apart from those of all others (docs/tenants.md)."""

    name: str = ""  # lower-case letters, digits, dashes and underscores; never changed later
    recipients: tuple[str, ...] = ()  # where its reports arrive: address, "@domain", "+detail", or local part
    feeds: tuple[str, ...] = ()  # names of feeds that are its own
    domains: tuple[str, ...] = ()  # policy domains of its own, with all below them


# Sections that a tenant inherits -> keys that it does not. Who reaches its store by a way of its own inherits nothing
# of [opensearch], so that no password of the site goes there.
SHARED: Mapping[str, frozenset[str]] = {
    "store": frozenset({"url", "index_prefix"}),
    "opensearch": frozenset(),
    "filter": frozenset(),
    "read": frozenset({"feed", "redact_key_file"}),
    "bounds": frozenset(),
    "site": frozenset({"senders_file"}),
    "senders": frozenset(),
    "geo": frozenset(),
    "kept": frozenset(),
    "log": frozenset(),
    "alerts": frozenset({"mail_to", "webhook_file", "webhook_form", "command", "apprise_file"}),
    "abuse": frozenset({"sender", "sender_name", "reply_to", "signature", "copy_to", "auto"}),
    "contacts": frozenset(),
    "web": frozenset({"listen", "listen_anywhere", "socket_mode", "socket_group", "reports_token_file"}),
}

# Sections that may stand below a tenant, as [tenants.alerts].
OWN: tuple[str, ...] = (
    *("store", "opensearch", "read", "site", "senders", "kept", "alerts", "abuse", "contacts", "searches", "users"),
    *("web", "kafka", "splunk", "syslog", "webhook", "postgresql"),
)

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_KEYS = TenantOptions._fields


class _Entry(NamedTuple):
    """A tenant as the file has it."""

    options: TenantOptions
    table: Table  # its own sections
    origin: str


class Tenants:
    """All of them, by what decides. `site` are the settings of the site itself. Raises SettingsError.

    apart: whether each must have a store of its own; not where a person names one for a single tenant.
    """

    def __init__(self, site: Settings, environ: Mapping[str, str], *, apart: bool = True) -> None:
        self._site = site
        self._environ = environ
        self._entries = {entry.options.name: entry for entry in _entries(site)}
        self._recipients = _index(self._entries, "recipients", str.lower)
        self._feeds = _index(self._entries, "feeds", str)
        self._domains = _index(self._entries, "domains", read_domain)
        self.prefixes = self._prefixes()
        if apart:
            self._check_places()

    @property
    def names(self) -> tuple[str, ...]:
        """In the order of the file."""
        return tuple(self._entries)

    @property
    def on_stream(self) -> tuple[str, ...]:
        """Those whose documents go to standard output; '' is the site itself."""
        if _url(self._site) != "-":
            return ()
        return ("", *(name for name, entry in self._entries.items() if _store_url(self._site, entry) == "-"))

    def options(self, name: str) -> TenantOptions:
        """What decides for one."""
        return self._entries[name].options

    def settings(self, name: str) -> Settings:
        """Those of a tenant; '' is the site itself. Raises SettingsError."""
        if not name:
            return self._site
        if name not in self._entries:
            more = "" if self._entries else " (one of Dashboards is named by setup --dashboards-tenant)"
            raise SettingsError(f"there is no tenant {name!r}; it is {', '.join(self._entries) or 'none'}{more}")
        return _merged(self._site, self._entries[name], state_place(self._site, self._environ))

    def of_recipient(self, address: str) -> str:
        """Whose address it is: as it stands, without what is behind a +, by that, by its local part, by its domain."""
        local, at, domain = address.strip("<>").lower().rpartition("@")
        if not at:
            local, domain = domain, ""
        base, plus, detail = local.partition("+")
        keys = (f"{local}@{domain}", f"{base}@{domain}", plus + detail, local, base, f"@{domain}")
        return next((self._recipients[key] for key in keys if key in self._recipients), "")

    def of_domain(self, domain: str) -> str:
        """Whose domain it is, or is below; the longest one counts. '' is nobody's."""
        while domain:
            if domain in self._domains:
                return self._domains[domain]
            domain = domain.partition(".")[2]
        return ""

    def of_message(self, recipients: Iterable[str], feed: str) -> tuple[str, ...]:
        """Whose a message is by what the mail server says of it: its recipients, else its feed."""
        found = dict.fromkeys(filter(None, map(self.of_recipient, recipients)))
        if not found and feed in self._feeds:
            return (self._feeds[feed],)
        return tuple(found)

    def _prefixes(self) -> dict[str, str]:
        """Prefix of index names -> tenant. None begins another, so that a pattern finds what is one's own alone."""
        layout = self._site.record("store", Layout, ("index_prefix",))
        found = {layout.index_prefix: ""}
        for name, entry in self._entries.items():
            prefix = Settings(entry.table, ()).record("store", Layout, ("index_prefix",)).index_prefix
            if "index_prefix" not in entry.table.get("store", {}):
                prefix = f"{name}-{layout.index_prefix}"
            for other, whose in found.items():
                if prefix.startswith(other) or other.startswith(prefix):
                    raise SettingsError(
                        f"{entry.origin}: its index_prefix {prefix!r} and {other!r} of {_called(whose)} begin alike, "
                        "so that one would see the other's; write another [tenants.store] index_prefix"
                    )
            found[prefix] = name
        return found

    def _check_places(self) -> None:
        """Only OpenSearch keeps several apart within one store. Raises SettingsError."""
        found = {_place(_url(self._site)): ""}
        for name, entry in self._entries.items():
            place = _place(_store_url(self._site, entry))
            if place and place in found:
                raise SettingsError(
                    f"{entry.origin}: {place.rpartition('@')[2]} is the store of {_called(found[place])} already, and "
                    "such a store cannot keep them apart; write a [tenants.store] url of its own"
                )
            found[place] = name


def for_tenant(settings: Settings, name: str, environ: Mapping[str, str]) -> Settings:
    """The settings of one of `[[tenants]]`. Raises SettingsError when there is none of that name."""
    return Tenants(settings, environ, apart=("store", "url") not in settings.flags).settings(name)


def recipients_said(environ: Mapping[str, str]) -> Iterator[str]:
    """Where a mail server says that the message came to, best first (docs/tenants.md has which of them does).

    Postfix local(8), OpenSMTPD, Exim, qmail; of Dovecot's sieve ORIG_RECIPIENT. What stands in To: is a stranger's.
    """
    for name in ("ORIGINAL_RECIPIENT", "ORIG_RECIPIENT", "RECIPIENT"):
        if environ.get(name):
            yield environ[name]
    parts = [environ.get(f"LOCAL_PART{part}", "") for part in ("_PREFIX", "", "_SUFFIX")]
    if parts[1] and environ.get("DOMAIN"):
        yield f"{''.join(parts)}@{environ['DOMAIN']}"


def _called(name: str) -> str:
    return f"tenant {name}" if name else "the site itself"


def _entries(site: Settings) -> Iterator[_Entry]:
    given = site.table.get("tenants", {})
    for key, setting in given.items():
        if key != TABLES:
            raise SettingsError(
                f"{setting.origin}: tenants: write a table for each in the file, with [[tenants]] above it"
            )
    names: set[str] = set()
    for number, table in enumerate(site.tables("tenants"), 1):
        entry = _entry(table, f"{given[TABLES].origin}: [[tenants]] number {number}")
        if entry.options.name in names:
            raise SettingsError(f"{entry.origin}: there is a tenant of this name already")
        names.add(entry.options.name)
        yield entry


def _entry(said: Any, origin: str) -> _Entry:
    """One table of the file. Raises SettingsError."""
    if not isinstance(said, Mapping):
        raise SettingsError(f"{origin}: {said!r} is no table")
    name = said.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise SettingsError(f"{origin}: name = {name!r}: write lower-case letters, digits, - and _, 40 at the most")
    origin = f"{origin} ({name})"
    table: Table = {}
    for section, values in said.items():
        if section not in _KEYS:
            table[section] = _section(section, values, origin)
    keys = {"tenants": {key: Setting(said[key], origin) for key in _KEYS if key in said}}
    refuse_unknown(table)
    return _Entry(Settings(keys, ()).record("tenants", TenantOptions), table, origin)


def _section(section: str, values: Any, origin: str) -> dict[str, Setting]:
    if section not in OWN:
        raise SettingsError(
            f"{origin}: {section!r} stands in no tenant; it has {', '.join(_KEYS)}, and below it [tenants.SECTION] of "
            + ", ".join(OWN)
        )
    if isinstance(values, list):
        return {TABLES: Setting(values, origin)}
    if not isinstance(values, Mapping):
        raise SettingsError(f"{origin}: {section} = {values!r}: write [tenants.{section}] above its keys")
    if section == "read" and "feed" in values:
        raise SettingsError(f"{origin}: [tenants.read] feed: the name comes with the message; see feeds")
    return {key: Setting(value, origin) for key, value in values.items()}


def _index(entries: Mapping[str, _Entry], key: str, normal: Any) -> dict[str, str]:
    """What decides -> tenant; nothing may stand for two."""
    found: dict[str, str] = {}
    for name, entry in entries.items():
        for said in getattr(entry.options, key):
            value = normal(said)
            if not value or value in {"@", "+"} or " " in value:
                raise SettingsError(f"{entry.origin}: {key}: {said!r} is none")
            if found.setdefault(value, name) != name:
                raise SettingsError(f"{entry.origin}: {key}: {said!r} is tenant {found[value]}'s already")
    return found


def _merged(site: Settings, entry: _Entry, state: str) -> Settings:
    name, own = entry.options.name, entry.table
    table: Table = {section: _inherited(site, section, private) for section, private in SHARED.items()}
    if not _is_shared(_store_url(site, entry), site):
        table["opensearch"] = {}
    for section, values in own.items():
        table[section] = _over(table.get(section, {}), values)
    table["store"].setdefault("index_prefix", Setting(f"{name}-{_prefix(site)}", entry.origin))
    if url := _store_url(site, entry):
        table["store"]["url"] = Setting(url, entry.origin)
    table["state"] = {"dir": Setting(os.path.join(state, FOLDER, name), entry.origin)}
    return Settings(table, site.sources, site.flags, name, site)


def _inherited(site: Settings, section: str, private: frozenset[str]) -> dict[str, Setting]:
    return {key: setting for key, setting in site.table.get(section, {}).items() if key not in private}


def _over(common: Mapping[str, Setting], own: Mapping[str, Setting]) -> dict[str, Setting]:
    """What is the tenant's counts; of [[senders]] both are there, and later ones count."""
    both = {**common, **own}
    if TABLES in common and TABLES in own:
        both[TABLES] = own[TABLES]._replace(value=[*common[TABLES].value, *own[TABLES].value])
    return both


def _prefix(site: Settings) -> str:
    return site.record("store", Layout, ("index_prefix",)).index_prefix


def _url(settings: Settings) -> str:
    return settings.record("store", StoreOptions, ("url",)).url


def _store_url(site: Settings, entry: _Entry) -> str:
    """The store of a tenant; '' is the embedded one in its state directory. Raises SettingsError."""
    common, own = _url(site), _url(Settings(entry.table, ()))
    if own == "-":
        raise SettingsError(f"{entry.origin}: [tenants.store] url: standard output is for all of them, or for none")
    if ("store", "url") in site.flags:
        return common
    if own or not common or _is_shared(common, site):
        return own or common
    better = f"sqlite:{STATE_DIRECTORY}/{entry.options.name}.sqlite"
    raise SettingsError(
        f"{entry.origin}: only OpenSearch keeps several apart in one store, and the site's is "
        f'{common.partition(":")[0]}:; write [tenants.store], and below it a url of its own, such as url = "{better}"'
    )


def _is_shared(url: str, site: Settings) -> bool:
    """Whether it is the site's store, which keeps several apart: OpenSearch, and a stream that names the index."""
    return url == _url(site) and url.startswith(("http:", "https:", "-"))


def _place(url: str) -> str:
    """What two must not have in common; '' where they may."""
    scheme, _, path = url.partition(":")
    if scheme in {"", "-", "http", "https"}:
        return ""
    return f"{scheme}:{os.path.realpath(path)}" if scheme in {"sqlite", "csv", "parquet"} else url
