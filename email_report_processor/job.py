"""From settings to what the pipeline needs: the store that was chosen, and a Job."""

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from .documents.classify import Site
from .documents.classify import check as check_site
from .message.bounds import Bounds
from .process import FilterOptions, Job, Layout
from .reports.report import Options, Ours
from .settings import GeoOptions, SenderFile, Settings, SettingsError, StoreOptions, secret, state_place
from .stores import kept
from .stores.opening import open_store
from .stores.store import Store
from .values.hiding import Redaction

Result = TypeVar("Result")

if TYPE_CHECKING:
    from .documents.enrich import Databases
    from .documents.senders import Senders
    from .stores.client import OpenSearchOptions

OF_READ = ("sample", "authserv_ids", "redact", "feed", "feed_kinds")  # of Options; the others come from elsewhere
EMBEDDED = "reports.sqlite"  # the embedded store, in the state directory


class StoreChoice(NamedTuple):
    """The store of the settings; `open` touches neither files nor the network."""

    url: str
    open: Callable[[], Store]
    configured: bool  # whether anybody chose it
    like: Callable[[Settings], "StoreChoice"]  # that of other settings, with the same time and output

    @property
    def first_use(self) -> bool:
        """Whether it is to be said that nobody chose it: until the embedded store is there."""
        return not self.configured and not os.path.exists(self.url.removeprefix("sqlite:"))


def choose_store(
    settings: Settings,
    environ: Mapping[str, str],
    *,
    stdout: int = 1,
    budget: float | None = None,
    insists: bool = False,
) -> StoreChoice:
    """The store of the settings, else the embedded one. Raises SettingsError.

    budget: seconds one write may take, no more than [store] retry_seconds. insists: all of them, see open_store.
    """
    options = settings.record("store", StoreOptions)
    url = options.url or f"sqlite:{os.path.join(state_place(settings, environ), EMBEDDED)}"
    seconds = options.retry_seconds if budget is None else budget if insists else min(budget, options.retry_seconds)
    return StoreChoice(
        url,
        lambda: open_url(url, settings, environ, stdout=stdout, budget=seconds, insists=insists),
        bool(options.url),
        lambda other: choose_store(other, environ, stdout=stdout, budget=budget, insists=insists),
    )


def open_url(
    url: str,
    settings: Settings,
    environ: Mapping[str, str],
    *,
    stdout: int = 1,
    budget: float | None = None,
    insists: bool = False,
) -> Store:
    """A store by its URL, with the [store] options of the settings; insists: see open_store. Raises SettingsError."""
    given = settings.table.get("store", {}).get("url")
    state = state_place(settings, environ)
    if url.startswith("sqlite:"):
        kept.make_directory(os.path.dirname(url.removeprefix("sqlite:")))
    try:
        return open_store(
            url,
            prefix=settings.record("store", Layout).index_prefix,
            budget=settings.record("store", StoreOptions).retry_seconds if budget is None else budget,
            state=state,
            output=os.fdopen(stdout, "wb", closefd=False) if url == "-" else None,
            opensearch=_opensearch(settings) if url.startswith(("http:", "https:")) else None,
            insists=insists,
            options=settings.record,
        )
    except ValueError as error:
        raise SettingsError(f"{given.origin if given else 'command line'}: [store] url: {error}") from error


def _opensearch(settings: Settings) -> "OpenSearchOptions":
    from .stores.client import OpenSearchOptions  # 8 ms of ssl and sockets

    options = settings.record("opensearch", OpenSearchOptions)
    return options._replace(password=secret(settings, "opensearch", "password") or options.password)


def make_job(
    settings: Settings,
    environ: Mapping[str, str],
    choice: StoreChoice,
    now: Callable[[], str],
    warn: Callable[[str], None] = lambda text: None,
) -> Job:
    """What the pipeline needs. `warn` is told what is optional and missing. Raises SettingsError."""
    from .documents.enrich import open_databases  # 3 ms, with networks

    geo = settings.record("geo", GeoOptions)
    databases, warnings = open_databases(geo.databases, allocation=geo.allocation)
    for warning in warnings:
        warn(warning)
    job = _make(settings, environ, choice, now, databases)
    return _routed(job, settings, environ, choice) if settings.has_tenants else job


def _routed(job: Job, settings: Settings, environ: Mapping[str, str], choice: StoreChoice) -> Job:
    """The job where there are [[tenants]], of which `settings` may be one's. Raises SettingsError."""
    from .routing import Routes  # 3 ms with tenants, only where there are some
    from .tenants import Tenants

    tenants = Tenants(
        settings.common or settings, environ, apart=("store", "url") not in settings.flags or not settings.tenant
    )

    def make(name: str) -> Job:
        theirs = tenants.settings(name)
        return _make(theirs, environ, choice.like(theirs), job.now, job.databases)

    return Routes(tenants, settings.tenant, job, make).start()


def _make(
    settings: Settings,
    environ: Mapping[str, str],
    choice: StoreChoice,
    now: Callable[[], str],
    databases: "Databases | None",
) -> Job:
    site = settings.record("site", Site)
    senders = choose_senders(settings)
    _checked(settings, "site", lambda: check_site(site))
    options = settings.record("read", Options, OF_READ)
    return Job(
        open_store=choice.open,
        now=now,
        maildir=kept.place(state_place(settings, environ)),
        options=options._replace(
            feed_kinds={**Options().feed_kinds, **options.feed_kinds},
            ours=Ours(site.own_networks, site.own_domains),
            redaction=_redaction(settings, environ, options, site),
            bounds=settings.record("bounds", Bounds),
        ),
        layout=settings.record("store", Layout),
        site=site,
        senders=senders,
        databases=databases,
        filter=settings.record("filter", FilterOptions),
        keeping=settings.record("kept", kept.KeptOptions),
    )


def _redaction(settings: Settings, environ: Mapping[str, str], options: Options, site: Site) -> Redaction:
    if options.redact == "none":
        return Redaction()
    from .keys import redaction_key  # 1 ms, only where addresses are hidden

    return Redaction(options.redact, redaction_key(settings, environ), site.own_domains)


def choose_senders(settings: Settings) -> "Senders | None":
    """What the site says of senders: [senders], `[[senders]]`, and the file of verdicts. Raises SettingsError."""
    from .documents.senders import read_senders  # 3 ms, with networks

    names, entries = settings.mapping("senders"), settings.tables("senders")
    senders = _checked(settings, "senders", lambda: read_senders(names, entries))
    file = settings.record("site", SenderFile).senders_file
    if not file:
        return senders
    try:
        return read_senders(names, [*entries, *read_entries(file)])
    except ValueError as error:
        raise SettingsError(f"{file}: {error}") from error


def read_entries(file: str) -> list[Any]:
    """The `[[senders]]` tables of a file of verdicts; none when it is not there yet. Raises SettingsError."""
    import tomllib  # 5 ms, only where there is such a file

    try:
        with open(file, "rb") as opened:
            content = tomllib.load(opened)
    except FileNotFoundError:
        return []
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(f"{file}: {reason}: it must be TOML with [[senders]] tables") from error
    entries = content.get("senders", [])
    if not isinstance(entries, list) or content.keys() - {"senders"}:
        raise SettingsError(f"{file}: it must have [[senders]] tables and nothing else")
    return entries


def _checked(settings: Settings, section: str, step: Callable[[], Result]) -> Result:
    try:
        return step()
    except ValueError as error:
        origins = dict.fromkeys(setting.origin for setting in settings.table[section].values())
        raise SettingsError(f"{' and '.join(origins)}: [{section}] {error}") from error
