"""Who may use the desk: names, roles, domains, and passwords as scrypt hashes (RFC 7914). Pure."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple

from werkzeug.security import check_password_hash, generate_password_hash

from ...values.fields import clean, read_domain

ROLES = ("reader", "analyst", "sender")  # each may do what those before it may
ANYBODY = "*"  # an entry for everybody else whom the proxy lets in
_KEYS = ("name", "role", "domains", "password")


class User(NamedTuple):
    """Somebody who may come in."""

    name: str
    role: str = "reader"
    domains: tuple[str, ...] = ()  # whose documents the user sees, with those of their subdomains; () is all
    password: str = ""  # its hash

    def may(self, role: str) -> bool:
        """Whether the role is the user's, or one below it."""
        return ROLES.index(self.role) >= ROLES.index(role)


OWNER = User("owner", "sender")  # who comes by the one-time token: whoever started the server


def read_users(entries: Iterable[Any]) -> dict[str, User]:
    """The `[[users]]` tables of the settings by name. Raises ValueError, which names the entry and never a password."""
    found: dict[str, User] = {}
    for number, entry in enumerate(entries, 1):
        try:
            user = _user(entry)
        except ValueError as error:
            raise ValueError(f"entry {number}: {error}") from None
        if user.name in found:
            raise ValueError(f"entry {number}: there is a user {user.name!r} already")
        found[user.name] = user
    return found


def _user(entry: Any) -> User:
    if not isinstance(entry, Mapping):
        raise ValueError("it is no table; write [[users]], and its keys below")
    if unknown := sorted(entry.keys() - set(_KEYS)):
        raise ValueError(f"there is no key {unknown[0]!r}; it has {', '.join(_KEYS)}")
    name, role, password = (entry.get(key, "") for key in ("name", "role", "password"))
    if not isinstance(name, str) or not clean(name):
        raise ValueError("it has no name")
    if role not in ROLES:
        raise ValueError(f"role = {role!r}; write one of {', '.join(ROLES)}")
    if not isinstance(password, str) or (password and not password.startswith(("scrypt:", "pbkdf2:"))):
        raise ValueError("password is no hash; make one with `email-report-admin desk --hash`")
    return User(clean(name), role, _domains(entry.get("domains", [])), password)


def _domains(said: Any) -> tuple[str, ...]:
    if not isinstance(said, list) or not all(isinstance(one, str) and clean(one) for one in said):
        raise ValueError('domains is no list of texts; write ["example.org"]')
    return tuple(read_domain(one) for one in said)


def hash_password(password: str) -> str:
    """With a salt of its own: scrypt, N=32768, r=8, p=1 (32 MiB, a tenth of a second)."""
    return generate_password_hash(password)


@cache
def _nobody() -> str:
    return hash_password("nobody has this password")


def is_password(user: User | None, password: str) -> bool:
    """Whether it is the user's. Nobody learns from the time it takes whether there is such a user."""
    right = check_password_hash((user.password if user else "") or _nobody(), password)
    return right and user is not None and bool(user.password)
