"""Every path of the desk, in the order of its navigation."""

from .route import Route
from .views import (
    campaigns,
    entering,
    failures,
    hosts,
    kept,
    logins,
    message,
    networks,
    overview,
    policy,
    receiving,
    reports,
    senders,
    taking,
    urls,
)

ROUTES: tuple[Route, ...] = (
    *entering.ROUTES,
    *overview.ROUTES,
    *senders.ROUTES,
    *failures.ROUTES,
    *message.ROUTES,
    *campaigns.ROUTES,
    *networks.ROUTES,
    *hosts.ROUTES,
    *urls.ROUTES,
    *reports.ROUTES,
    *policy.ROUTES,
    *logins.ROUTES,
    *kept.ROUTES,
    *taking.ROUTES,
    *receiving.ROUTES,
)
