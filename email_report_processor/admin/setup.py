"""`email-report-admin setup`: templates, retention, pipelines, roles and dashboards, as often as one likes."""

import argparse
import json
import os
import re
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..cluster import dashboards_api, roles, saved_objects
from ..cluster.setup import ASKED_FOR, PARTS, Cluster, PartError, Plan, SkippedError, read_retention
from ..documents.senders import OURS
from ..job import choose_senders, choose_store
from ..process import Layout
from ..settings import Settings, SettingsError, secret
from .text import fail

if TYPE_CHECKING:
    from ..stores.opensearch import OpenSearchStore

_ALL = {**PARTS, **ASKED_FOR}
_BUDGET = 20.0  # seconds that OpenSearch may be away


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of this sub-command."""
    parser.add_argument("--dry-run", action="store_true", help="print each request instead of sending it")
    parser.add_argument("--only", metavar="PART,…", help=f"some of {', '.join(_ALL)}; monitors only here")
    parser.add_argument("--channel", metavar="ID", default="", help="of Notifications: who monitors tell")
    parser.add_argument(
        "--retention", metavar="DATASET=DAYS", action="append", default=[], help="how long; 0 for ever; repeatable"
    )
    parser.add_argument(
        "--user", metavar="ROLE=USER", action="append", default=[], help=f"give a user one of {', '.join(roles.NAMES)}"
    )
    parser.add_argument("--roles", action="store_true", help="print the roles as JSON and leave")
    parser.add_argument("--index-prefix", metavar="PREFIX", help="of the indices, instead of the settings'")
    parser.add_argument("--dashboards-url", metavar="URL", help="https://HOST:5601; a server beside OpenSearch")
    parser.add_argument("--workspace", metavar="ID", default="", help="of Dashboards: what follows /w/ in its URLs")
    parser.add_argument("--dashboards-tenant", metavar="NAME", help="of Dashboards (global, or as --tenant)")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Make OpenSearch ready, and say what was done."""
    if arguments.index_prefix is not None:
        settings = _with_prefix(settings, arguments.index_prefix)
    prefix = settings.record("store", Layout).index_prefix
    if arguments.roles:
        print(json.dumps(roles.roles(prefix, _place_of_roles(arguments, settings)), indent=2))
        return 0
    parts = _parts(arguments)
    plan = _plan(arguments, settings, prefix, parts)
    store = open_cluster(settings, "setup")
    try:
        shown: list[str] = []
        cluster = Cluster(store, shown.append if arguments.dry_run else None)
        status = _do(cluster, plan, parts, asked=arguments.only is not None)
        if arguments.dry_run and (shown or not status):
            print("\n".join(shown) or "nothing to do: all of it is there already")
        elif plan.dashboards is not None and "dashboards" in parts and not status:
            print(f"open {dashboards_api.link(plan.dashboards)}")
        return status
    finally:
        store.close()


def open_cluster(settings: Settings, what: str) -> "OpenSearchStore":
    """The store of the settings, which has to be OpenSearch. Raises SettingsError."""
    from ..stores.opensearch import OpenSearchStore

    choice = choose_store(settings, os.environ, budget=_BUDGET)
    if not choice.url.startswith(("http:", "https:")):
        raise SettingsError(
            f"{what} is for OpenSearch, and the store is {choice.url}; name one: --store https://HOST:9200"
        )
    store = choice.open()
    assert isinstance(store, OpenSearchStore)
    return store


def _do(cluster: Cluster, plan: Plan, parts: Iterable[str], *, asked: bool) -> int:
    """Every part. 0 when what could be done is done, 1 when something failed or a part asked for was left out."""
    skipped: dict[str, str] = {}
    failed: dict[str, str] = {}
    say = _quiet if cluster.show is not None else print
    for part in parts:
        try:
            for line in _ALL[part](cluster, plan):
                say(f"{part}: {line}")
        except SkippedError as error:
            skipped[part] = str(error)
        except PartError as error:
            failed[part] = str(error)
    if skipped:
        sys.stderr.write("left out:\n" + "".join(f"  {part}: {reason}\n" for part, reason in skipped.items()))
    for part, reason in failed.items():
        fail(f"{part}: {reason}", 1)
    return 1 if failed or (skipped and asked) else 0


def _quiet(_line: str) -> None:
    """Nothing was done: the requests are what there is to see."""


def _parts(arguments: argparse.Namespace) -> list[str]:
    if arguments.only is None:
        return list(PARTS)
    wanted = [part.strip() for part in arguments.only.split(",") if part.strip()]
    for part in wanted:
        if part not in _ALL:
            raise SettingsError(f"--only {arguments.only}: there is no part {part!r}; it is {', '.join(_ALL)}")
    if "dashboards" in wanted and not arguments.dashboards_url:
        raise SettingsError("--only dashboards needs --dashboards-url, such as https://HOST:5601")
    return [part for part in _ALL if part in wanted]


def _plan(arguments: argparse.Namespace, settings: Settings, prefix: str, parts: list[str]) -> Plan:
    from ..stores.client import OpenSearchOptions

    place = _place(arguments, settings) if arguments.dashboards_url else None
    objects = saved_objects.read(prefix) if place is not None and "dashboards" in parts else b""
    period = settings.record("store", Layout).index_period
    replicas = settings.record("opensearch", OpenSearchOptions).replicas
    plan = Plan(prefix, period, replicas, _retention(arguments.retention), _users(arguments.user), place, objects)
    plan = plan._replace(place=_place_of_roles(arguments, settings))
    if "monitors" not in parts:
        return plan
    return plan._replace(thresholds=_thresholds(settings), ours=_ours(settings), channel=arguments.channel)


def _place_of_roles(arguments: argparse.Namespace, settings: Settings) -> str:
    """The tenant of Dashboards that the roles may see: one of [[tenants]] has its own."""
    named = arguments.dashboards_tenant or settings.tenant
    return roles.GLOBAL if named in {None, "", dashboards_api.GLOBAL} or not settings.tenant else named


def _thresholds(settings: Settings) -> dict[str, float]:
    """Of the rules, as [alerts] has them."""
    from ..alerts.options import AlertOptions
    from ..alerts.rules import RULES

    options = settings.record("alerts", AlertOptions)
    return {rule.name: getattr(options, rule.name) for rule in RULES}


def _ours(settings: Settings) -> tuple[str, ...]:
    """Names that documents have of senders whose verdict is mine or service."""
    senders = choose_senders(settings)
    if senders is None:
        return ()
    places = [*senders.systems.values(), *senders.domains.values(), *senders.keys.values(), *senders.names.values()]
    every = [*places, *(sender for _, sender in senders.networks)]
    return tuple(sorted({one.name for one in every if one.name and one.verdict in OURS}))


def _retention(given: Iterable[str]) -> dict[str, int]:
    try:
        return dict(map(read_retention, given))
    except ValueError as error:
        raise SettingsError(f"--retention: {error}") from None


def _users(given: Iterable[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for text in given:
        role, _, user = text.partition("=")
        if role not in roles.NAMES or not user:
            raise SettingsError(f"--user {text}: write ROLE=USER, with one of {', '.join(roles.NAMES)}")
        found[role] = (*found.get(role, ()), user)
    return found


def _place(arguments: argparse.Namespace, settings: Settings) -> dashboards_api.Place:
    from ..stores.client import OpenSearchOptions

    options = settings.record("opensearch", OpenSearchOptions)
    try:
        dashboards_api.check(arguments.dashboards_url)
    except ValueError as error:
        raise SettingsError(f"--dashboards-url: {error}") from None
    return dashboards_api.Place(
        arguments.dashboards_url,
        arguments.dashboards_tenant or settings.tenant or dashboards_api.GLOBAL,
        options.username,
        secret(settings, "opensearch", "password") or options.password,
        options.ca_file,
        options.client_cert,
        options.client_key,
        options.verify,
        _workspace(arguments),
    )


def _workspace(arguments: argparse.Namespace) -> str:
    workspace: str = arguments.workspace
    if workspace and not re.fullmatch(r"[\w-]+", workspace, re.ASCII):
        raise SettingsError(f"--workspace {workspace}: write its id alone, as it follows /w/ in the browser's URL")
    if workspace and "/w/" in arguments.dashboards_url:
        raise SettingsError(f"--workspace {workspace}: the URL names a workspace too ({arguments.dashboards_url})")
    return workspace


def _with_prefix(settings: Settings, prefix: str) -> Settings:
    from ..settings import Setting

    table = {section: dict(values) for section, values in settings.table.items()}
    table.setdefault("store", {})["index_prefix"] = Setting(prefix, "flag --index-prefix")
    return settings._replace(table=table)
