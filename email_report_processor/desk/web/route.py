"""Which view answers what, and who may ask it."""

from collections.abc import Callable
from typing import Literal, NamedTuple

from .desk import Answer

FORM_BYTES = 64 * 1024  # of a form without a message in it


class Route(NamedTuple):
    """One path and method."""

    rule: str  # of werkzeug's routing
    view: Callable[..., Answer]
    role: str = "reader"  # that is needed; '' none: also who has not come in yet
    method: Literal["GET", "POST"] = "GET"  # what changes anything is a POST, and carries the token of its form
    whole: bool = False  # only for users without a list of domains: what it shows belongs to no domain
    message: bool = False  # its body may be as large as a message
    bearer: bool = False  # a program comes with a token of its own (RFC 6750): no cookie counts, and no form token
