"""Whether the settings let the program tell reporters from strangers: seen by what is stored.

Reports whose sender nobody vouches for are `unchecked`. Some always are (imports, reporters without DKIM); where most
are, a setting is missing more often than the reporters' signatures.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from ..documents.classify import Site
from ..reports.report import Options
from ..stores.store import Question, Store, StoreError
from ..values.fields import write_date
from .finding import Finding, ok, warning

_DAYS = 90
_FEW = 10  # reports, of which a share says nothing
_ABOUT = "senders"


def check_believing(store: Store, options: Options, site: Site, now: datetime) -> Iterator[Finding]:
    """Nothing is said where this user may not search, as the writer of OpenSearch may not, or few reports are there."""
    since = write_date(now - timedelta(days=_DAYS))
    try:
        found = store.totals(Question("report", by=("report.authentication",), sum=(), since=since))
    except StoreError:
        return
    total = sum(one.documents for one in found)
    unchecked = sum(one.documents for one in found if one.key[0] in {None, "unchecked"})
    if total < _FEW:
        return
    seen = f"{unchecked:,} of {total:,} reports of the last {_DAYS} days are unchecked"
    if 2 * unchecked < total:
        yield ok(_ABOUT, seen)
        return
    if options.authserv_ids:
        text = f"{seen}, although [read] authserv_ids believes {', '.join(options.authserv_ids)}"
        remedy = "compare it with what stands first in the Authentication-Results fields that your mail server writes"
    else:
        text = f"{seen}: nobody's Authentication-Results are believed, so anybody's reports count"
        remedy = "set [read] authserv_ids to the name that stands first in those that your mail server writes"
    yield warning(_ABOUT, text, remedy)
    if not site.own_networks:
        text = f"{seen}, and no host is known as yours: a forged report cannot be told from your own server's failures"
        yield warning(_ABOUT, text, "set [site] own_networks to the addresses of your mail servers")
