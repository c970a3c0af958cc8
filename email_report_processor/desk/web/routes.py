"""Every path of the desk, in the order of its navigation. Most wants no role: what comes before a user is known."""

from .route import Route
from .views import entering, failures, message, overview, senders

ROUTES: tuple[Route, ...] = (
    *entering.ROUTES,
    *overview.ROUTES,
    *senders.ROUTES,
    *failures.ROUTES,
    *message.ROUTES,
)
