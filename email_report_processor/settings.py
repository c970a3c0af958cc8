"""Settings: defaults < TOML file < environment < flags, filled into the option records of the modules that use them.

A setting is spelled once, as a field of an option record with its type, its default and a comment; `SECTIONS` says
which section of the file fills which record. Every fault names the file (or variable, or flag), the key, what is wrong
with the value, and what to write instead. A secret is never quoted.
"""

import importlib
import os
import pwd
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar, get_args, get_origin

from .documents.classify import Site
from .documents.datasets import BY_NAME
from .log import LogOptions
from .message.bounds import Bounds
from .process import FilterOptions, Layout
from .reports.report import FEED_KINDS, Options
from .stores.kept import KeptOptions

if TYPE_CHECKING:
    from pathlib import Path

PREFIX = "EMAIL_REPORT_PROCESSOR_"
CONFIG_VARIABLE = f"{PREFIX}CONFIG"
CONFIG_FILE = "/etc/email-report-processor.toml"
STATE_DIRECTORY = "/var/lib/email-report-processor"

_UNITS = {"": 1, "B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "kB": 10**3, "MB": 10**6, "GB": 10**9}
_SECRET = ("password", "secret", "token")

Record = TypeVar("Record")


class SettingsError(Exception):
    """A setting is wrong: the text names where it stands, what is wrong, and what to write."""


class StoreOptions(NamedTuple):
    """Where the documents go."""

    url: str = ""  # https://host:9200, sqlite:PATH, or another of docs/stores.md; empty: sqlite in the state directory
    retry_seconds: float = 30.0  # seconds that one message may wait for a store that is busy or away


class SecretFiles(NamedTuple):
    """Files that hold a secret, so that the settings themselves may be read by everybody."""

    password_file: str = ""  # the password is its first line; in the place of `password`


class RedactionKey(NamedTuple):
    """The key of the tokens that stand for addresses."""

    redact_key_file: str = ""  # its first line is the key; empty: one that is made in the state directory


class StateOptions(NamedTuple):
    """Where the program keeps what it must remember."""

    dir: str = ""  # kept messages, the embedded store, markers; empty: see docs/settings.md


class GeoOptions(NamedTuple):
    """Offline look-ups of countries and networks (needs the extra `geo`)."""

    databases: tuple[str, ...] = ()  # MMDB files of GeoLite2, DB-IP or IPinfo
    allocation: bool = True  # where they say no country, the one the address is allocated to (iptocc, if installed)


class Setting(NamedTuple):
    """One value that somebody gave, and where."""

    value: Any
    origin: str  # for people: file, variable or flag


Table = dict[str, dict[str, Setting]]


class Settings(NamedTuple):
    """Everything that was said, by section; `record` fills an option record from it."""

    table: Table
    sources: tuple[str, ...]  # what was read, for doctor: file and variables
    flags: frozenset[tuple[str, str]] = frozenset()  # sections and keys that were said on the command line
    tenant: str = ""  # whose they are, see tenants.py; '' is the site itself
    common: "Settings | None" = None  # of a tenant's: those of the site, of which they were made

    def record(self, section: str, kind: Callable[..., Record], names: Iterable[str] | None = None) -> Record:
        """Fill an option record from a section; what nobody said keeps its default. Raises SettingsError."""
        if section in OUTER:
            _refuse_unknown_keys(section, self.table.get(section, {}))
        types = _types(kind)
        given = self.table.get(section, {})
        wanted = types.keys() if names is None else names
        return kind(**{key: _convert(section, key, types[key], given[key]) for key in wanted if key in given})

    def each(self, section: str, kind: Callable[..., Record]) -> list[Record]:
        """The records of a section that may be there several times (`[[inbox]]`); what a variable says is in all.

        Raises SettingsError.
        """
        common = {key: setting for key, setting in self.table.get(section, {}).items() if key != TABLES}
        tables = self.table.get(section, {}).get(TABLES)
        if tables is None:
            return [_fill(section, kind, common)] if common else []
        found = []
        for number, table in enumerate(tables.value, 1):
            origin = f"{tables.origin}: [[{section}]] number {number}"
            if not isinstance(table, dict):
                raise SettingsError(f"{origin}: {table!r} is no table")
            own = {key: Setting(value, origin) for key, value in table.items()}
            found.append(_fill(section, kind, own | common))
        return found

    def mapping(self, section: str) -> dict[str, str]:
        """A section whose keys are the user's own ([senders])."""
        given = self.table.get(section, {})
        return {key: _text(section, key, setting) for key, setting in given.items() if key != TABLES}

    def tables(self, section: str) -> list[Any]:
        """The tables of a section that was written as a list of them (`[[senders]]`)."""
        setting = self.table.get(section, {}).get(TABLES)
        return setting.value if setting is not None else []

    @property
    def has_tenants(self) -> bool:
        """Whether there are `[[tenants]]`, of which these may be one's settings."""
        return "tenants" in (self.common or self).table

    def given(self, section: str, key: str) -> bool:
        """Whether anybody said it."""
        return key in self.table.get(section, {})


class SenderFile(NamedTuple):
    """Where verdicts on senders stand beside the settings."""

    senders_file: str = ""  # TOML with [[senders]] tables, as `email-report-admin verdict` writes it


SECTIONS: dict[str, tuple[Any, ...]] = {
    "store": (StoreOptions, Layout),
    "opensearch": (SecretFiles,),  # and OpenSearchOptions, see `records`
    "state": (StateOptions,),
    "filter": (FilterOptions,),
    "read": (Options, RedactionKey),
    "bounds": (Bounds,),
    "site": (Site, SenderFile),
    "geo": (GeoOptions,),
    "kept": (KeptOptions,),
    "log": (LogOptions,),
}

# Sections of the rooms around the core, and of stores that few use -> their option records, as `room.module:Record`.
# They are loaded by who uses them; the filter takes no notice of others, so that a fault in one stops no mail.
OUTER: dict[str, tuple[str, ...]] = {
    "abuse": ("desk.report:ReportOptions", "desk.contacts:ContactOptions", "desk.reporting:SendOptions"),
    "alerts": ("alerts.options:AlertOptions",),
    "inbox": ("inboxes.options:InboxOptions",),
    "lmtp": ("inboxes.options:LmtpOptions",),
    "logins": ("logins.options:LoginOptions",),
    "bucket": ("inboxes.options:BucketOptions",),
    "s3": ("objects:S3Options",),
    "kafka": ("stores.kafka:KafkaOptions",),
    "splunk": ("stores.splunk:SplunkOptions",),
    "syslog": ("stores.syslog:SyslogOptions",),
    "webhook": ("stores.webhook:WebhookOptions",),
    "postgresql": ("stores.postgresql:PostgresqlOptions",),
    "web": ("desk.web.options:WebOptions",),
    "tenants": ("tenants:TenantOptions",),
}

# Flag -> the setting that it stands for.
FLAGS = {
    "store": ("store", "url"),
    "state": ("state", "dir"),
    "feed": ("read", "feed"),
    "deadline": ("filter", "deadline"),
    "unreadable": ("filter", "unreadable"),
    "log": ("log", "to"),
}
_FLAG_OF = {place: flag for flag, place in FLAGS.items()}
TABLES = ""  # the key of a list of tables: no key of TOML that anybody writes
FREE = ("senders", "searches", "feeds", "users", "contacts")  # sections whose keys are names of the user's own
SEVERAL = ("inbox", "bucket", "tenants")  # that may be there several times, as [[inbox]]: see Settings.each


def _fill(section: str, kind: Callable[..., Record], given: Mapping[str, Setting]) -> Record:
    _refuse_unknown_keys(section, given)
    types = _types(kind)
    return kind(**{key: _convert(section, key, types[key], setting) for key, setting in given.items()})


def records(section: str) -> tuple[Any, ...]:
    """The option records that a section fills."""
    if section == "opensearch":
        from .stores.client import OpenSearchOptions  # 8 ms of ssl and sockets, only where it is set

        return (OpenSearchOptions, *SECTIONS[section])
    if section in OUTER:
        return tuple(_outer(name) for name in OUTER[section])
    return SECTIONS[section]


def _outer(name: str) -> Any:
    """An option record of a room around the core, by its name."""
    module, _, record = name.partition(":")
    return getattr(importlib.import_module(f".{module}", __package__), record)


def load(flags: Mapping[tuple[str, str], Any], config: str | None, environ: Mapping[str, str]) -> Settings:
    """Read every source of settings. `flags` maps (section, key) to a value. Raises SettingsError."""
    table: Table = {}
    sources = []
    path, asked = _config_path(config, environ)
    if asked or os.path.lexists(path):
        _add_file(table, path)
        sources.append(path)
    sources += _add_environment(table, environ)
    for (section, key), value in flags.items():
        table.setdefault(section, {})[key] = Setting(value, f"flag --{_FLAG_OF[section, key]}")
    refuse_unknown(table)
    return Settings(table, tuple(sources), frozenset(flags))


def secret(settings: Settings, section: str, name: str) -> str:
    """The secret in the file that `<section>.<name>_file` names, '' when there is none. Raises SettingsError."""
    setting = settings.table.get(section, {}).get(f"{name}_file")
    if setting is None:
        return ""
    path = _text(section, f"{name}_file", setting)
    return read_secret(path, f"{setting.origin}: [{section}] {name}_file = {path!r}")


def read_secret(path: str, place: str) -> str:
    """The secret in the first line of a file. place: where the file is named, for people. Raises SettingsError."""
    try:
        with open(path, encoding="utf-8") as file:
            first = file.read().partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        fault = getattr(error, "strerror", None) or "it is not UTF-8"
        raise SettingsError(f"{place} cannot be read: {fault}") from None
    if not first:
        raise SettingsError(f"{place}: its first line is empty")
    return first


def state_dir(settings: Settings, environ: Mapping[str, str]) -> "Path":
    """The state directory (design §2); it need not exist yet."""
    from pathlib import Path  # 3 ms, for people only

    return Path(state_place(settings, environ))


def state_place(settings: Settings, environ: Mapping[str, str]) -> str:
    """The path of the state directory."""
    said = settings.record("state", StateOptions).dir or environ.get("STATE_DIRECTORY", "").split(":")[0]
    if said:
        return said
    if environ.get("XDG_STATE_HOME"):
        return os.path.join(environ["XDG_STATE_HOME"], "email-report-processor")
    if os.access(STATE_DIRECTORY, os.W_OK | os.X_OK):
        return STATE_DIRECTORY
    return os.path.join(_home(), ".local/state/email-report-processor")


def _home() -> str:
    # Mail servers set no HOME, or somebody else's; the passwd file knows whose process this is.
    try:
        return pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError as error:
        raise SettingsError(
            f"user {os.geteuid()} is not in the passwd file, so there is no place for the state; set [state] dir"
        ) from error


def _config_path(config: str | None, environ: Mapping[str, str]) -> tuple[str, bool]:
    said = config or environ.get(CONFIG_VARIABLE)
    return (said, True) if said else (CONFIG_FILE, False)


def _add_file(table: Table, path: str) -> None:
    import tomllib  # 5 ms, only where there is a file

    try:
        with open(path, "rb") as file:
            content = tomllib.load(file)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}); correct its path or permissions") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SettingsError(f"{path}: is not TOML ({error}); see docs/settings.md for an example") from error
    for section, values in content.items():
        if section in (*FREE, *SEVERAL) and isinstance(values, list):
            table.setdefault(section, {})[TABLES] = Setting(values, path)
            continue
        if not isinstance(values, dict):
            raise SettingsError(f"{path}: {section!r} stands in no section; write it below one of {_names()}")
        for key, value in values.items():
            table.setdefault(section, {})[key] = Setting(value, path)


def _add_environment(table: Table, environ: Mapping[str, str]) -> list[str]:
    found = [name for name in environ if name.startswith(PREFIX) and name != CONFIG_VARIABLE]
    if not found:
        return []
    known = _variables(SECTIONS)
    if not known.keys() >= set(found):
        known |= _variables(OUTER)
    for name in found:
        if name not in known:
            raise SettingsError(f"environment variable {name}: there is no such setting{_similar(name, known)}")
        section, key = known[name]
        table.setdefault(section, {})[key] = Setting(environ[name], f"environment variable {name}")
    return found


def _variables(sections: Iterable[str]) -> dict[str, tuple[str, str]]:
    return {f"{PREFIX}{section}_{key}".upper(): (section, key) for section in sections for key in _keys(section)}


def refuse_unknown(table: Table) -> None:
    """Raises SettingsError for a section that there is none of, and for a key that a section of the core has not."""
    for section, settings in table.items():
        origin = next((setting.origin for setting in settings.values()), "")
        known = [*SECTIONS, *FREE, *OUTER]
        if section not in known:
            raise SettingsError(f"{origin}: there is no section [{section}]{_similar(section, known)}")
        if section in SECTIONS:
            _refuse_unknown_keys(section, settings)


def _refuse_unknown_keys(section: str, settings: Mapping[str, Setting]) -> None:
    for key, setting in settings.items():
        if key not in _keys(section):
            raise SettingsError(
                f"{setting.origin}: [{section}] has no key {key!r}{_similar(key, _keys(section))}"
                f"; it has {', '.join(_keys(section))}"
            )


def _similar(word: str, known: Iterable[str]) -> str:
    import difflib  # 4 ms, only for a mistake

    close = difflib.get_close_matches(word, list(known), 1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _names() -> str:
    return ", ".join(f"[{name}]" for name in (*SECTIONS, *FREE))


def _keys(section: str) -> list[str]:
    return [key for kind in records(section) for key in _types(kind)]


def _types(kind: Callable[..., Any]) -> dict[str, Any]:
    # A record within a record (Options.bounds) is a section of its own.
    annotations: dict[str, Any] = kind.__annotations__
    return {key: type_ for key, type_ in annotations.items() if not hasattr(type_, "_fields")}


def _convert(section: str, key: str, type_: Any, setting: Setting) -> Any:
    reader = _READERS.get(get_origin(type_) or type_)
    if reader is None:
        raise TypeError(f"settings: no reader for {section}.{key}: {type_}")
    try:
        value = reader(setting.value, type_, key)
        if check := _CHECKS.get((section, key)):
            check(value)
    except ValueError as error:
        shown = "" if any(word in key for word in _SECRET) else f" = {setting.value!r}"
        raise SettingsError(f"{setting.origin}: [{section}] {key}{shown}: {error}") from None
    return value


def _text(section: str, key: str, setting: Setting) -> str:
    if not isinstance(setting.value, str):
        raise SettingsError(f"{setting.origin}: [{section}] {key} = {setting.value!r}: write a text in quotes")
    return setting.value


def _read_str(value: Any, _type: Any, _key: str) -> str:
    if not isinstance(value, str):
        raise ValueError("write a text in quotes")
    return value


def _read_bool(value: Any, _type: Any, _key: str) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).lower() in {"true", "yes", "1", "false", "no", "0"}:
        return str(value).lower() in {"true", "yes", "1"}
    raise ValueError("write true or false")


def _read_int(value: Any, _type: Any, key: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str):
        number, unit = _split_unit(value)
        if number and (unit in _UNITS if key.endswith("_bytes") else unit == ""):
            return int(number) * _UNITS[unit]
    examples = 'such as 1048576 or "1 MiB"' if key.endswith("_bytes") else "such as 100"
    raise ValueError(f"write a whole number of 0 or more, {examples}")


def _split_unit(value: str) -> tuple[str, str]:
    text = value.strip()
    digits = len(text) - len(text.lstrip("0123456789"))
    return text[:digits], text[digits:].strip()


def _read_float(value: Any, _type: Any, _key: str) -> float:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise ValueError("write a number from 0 on, such as 120") from None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 10**7:
        raise ValueError("write a number from 0 on, such as 120")
    return float(value)


def _read_choice(value: Any, type_: Any, _key: str) -> str:
    if value not in get_args(type_):
        raise ValueError(f"write one of {', '.join(repr(choice) for choice in get_args(type_))}")
    return str(value)


def _read_list(value: Any, _type: Any, _key: str) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(item.strip() for item in value.split(",") if item.strip())
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise ValueError('write a list of texts, such as ["one", "two"]')
    return tuple(value)


def _read_mapping(value: Any, _type: Any, _key: str) -> dict[str, str]:
    if isinstance(value, str):  # of a variable
        pairs = [item.partition("=") for item in value.split(",") if item.strip()]
        if not all(equals and name.strip() for name, equals, _ in pairs):
            raise ValueError("write name=value, several joined by commas")
        value = {name.strip(): item.strip() for name, _, item in pairs}
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise ValueError('write a table of texts, such as {name = "value"}')
    return dict(value)


_READERS: dict[Any, Callable[[Any, Any, str], Any]] = {
    str: _read_str,
    bool: _read_bool,
    int: _read_int,
    float: _read_float,
    tuple: _read_list,
    Mapping: _read_mapping,
    Literal: _read_choice,
}


# What a type cannot say. Each raises ValueError with what to write instead.


def _check_seconds(value: float) -> None:
    if not value:
        raise ValueError("write more than 0 seconds, such as 120")


def _check_datasets(value: Iterable[str]) -> None:
    for name in value:
        if name not in BY_NAME:
            raise ValueError(f"there is no dataset {name!r}; write some of {', '.join(BY_NAME)}")


def _check_feed_kinds(value: Mapping[str, str]) -> None:
    for name, kind in value.items():
        if kind not in FEED_KINDS:
            raise ValueError(f"{name}: write one of {', '.join(repr(one) for one in FEED_KINDS)}, not {kind!r}")


def _check_prefix(value: str) -> None:
    # What OpenSearch takes for the name of an index, of at most 255 bytes with dataset and period behind it.
    if not re.fullmatch(r"(?:[a-z0-9][a-z0-9._-]{0,199})?", value):
        raise ValueError("write lower-case letters, digits, dots, dashes and underscores, such as email-report-")


def _check_mode(value: str) -> None:
    if not re.fullmatch(r"0?[0-7]{3}", value):
        raise ValueError('write three octal digits, such as "0660"')


def _check_one(value: int) -> None:
    if not value:
        raise ValueError("write 1 or more")


_CHECKS: dict[tuple[str, str], Callable[[Any], None]] = {
    ("filter", "deadline"): _check_seconds,
    ("filter", "datasets"): _check_datasets,
    ("opensearch", "timeout"): _check_seconds,
    ("opensearch", "pipelines"): _check_datasets,
    ("read", "feed_kinds"): _check_feed_kinds,
    ("store", "index_prefix"): _check_prefix,
    ("bucket", "look_seconds"): _check_seconds,
    ("s3", "timeout"): _check_seconds,
    ("inbox", "look_seconds"): _check_seconds,
    ("inbox", "timeout"): _check_seconds,
    ("inbox", "token_seconds"): _check_seconds,
    ("lmtp", "socket_mode"): _check_mode,
    ("web", "socket_mode"): _check_mode,
    ("web", "threads"): _check_one,
    ("lmtp", "connections"): _check_one,
    ("lmtp", "recipients"): _check_one,
    ("lmtp", "idle"): _check_seconds,
}
