"""Which tables say where a sending host is, and how old they are."""

import time
from datetime import UTC, datetime

from ..documents import allocation
from ..documents.enrich import Database
from .finding import Finding, ok, warning

_OLD = 90 * 86400  # seconds: networks are sold and moved


def look(database: Database) -> Finding:
    """What `doctor` says of one table."""
    if database.path == allocation.NAME:
        return _allocation(allocation.version())
    built = datetime.fromtimestamp(database.built, UTC).date()
    if time.time() - database.built > _OLD:
        return warning("databases", f"{database.path} is of {built}", "fetch a newer one: networks are sold and moved")
    return ok("databases", f"countries and networks are looked up in {database.path}, of {built}")


def _allocation(version: str) -> Finding:
    if version:
        return ok("databases", f"countries of allocation are looked up in iptocc {version}, as old as that release")
    return ok("databases", "no table of countries is installed; pip install 'email-report-processor[geo]' adds one")
