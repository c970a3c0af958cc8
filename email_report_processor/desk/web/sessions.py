"""Who came in: sessions in memory, which end with the process, and the tokens that forms carry against forgery."""

import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from threading import Lock
from typing import NamedTuple

from .users import OWNER, User

_MOST = 2000  # sessions: more people than that work at no desk


class _Session(NamedTuple):
    user: User
    until: float


class Sessions:
    """Sessions by the hash of their cookie. seconds: how long one lasts. clock: any that only grows."""

    def __init__(self, clock: Callable[[], float], seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._known: OrderedDict[bytes, _Session] = OrderedDict()
        self._key = secrets.token_bytes(32)
        self._lock = Lock()

    def begin(self, user: User) -> str:
        """A new session: what its cookie holds. The oldest go when there are too many."""
        id_ = new_id()
        with self._lock:
            self._known[_name(id_)] = _Session(user, self._clock() + self._seconds)
            while len(self._known) > _MOST:
                self._known.popitem(last=False)
        return id_

    def user(self, id_: str) -> User | None:
        """Whose session it is; None when there is none, or it is over."""
        with self._lock:
            session = self._known.get(_name(id_))
        return session.user if session is not None and self._clock() < session.until else None

    def end(self, id_: str) -> None:
        """Log out."""
        with self._lock:
            self._known.pop(_name(id_), None)

    def form_token(self, id_: str, name: str) -> str:
        """What a form of this session carries: another site cannot know it.

        name: of the user. Where a proxy names users, a cookie that somebody planted has no token of another's.
        """
        return hmac.new(self._key, f"{id_}\n{name}".encode("utf-8", "replace"), sha256).hexdigest()

    def is_form_token(self, id_: str, name: str, token: str) -> bool:
        """Whether a form came from a page of this session and user."""
        right = self.form_token(id_, name).encode()
        return bool(id_) and hmac.compare_digest(right, token.encode("utf-8", "replace"))


def new_id() -> str:
    """What a cookie holds: 256 bits of chance."""
    return secrets.token_urlsafe(32)


def _name(id_: str) -> bytes:
    return sha256(id_.encode("utf-8", "replace")).digest()


class Entrance:
    """The token of the URL that the start prints: whoever has it comes in once."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._lock = Lock()

    @property
    def is_open(self) -> bool:
        """Whether nobody came in yet."""
        return bool(self._token)

    def take(self, token: str) -> User | None:
        """The owner, for the right token and once."""
        with self._lock:
            right = self.is_open and hmac.compare_digest(self._token.encode(), token.encode("utf-8", "replace"))
            if right:
                self._token = ""
        return OWNER if right else None
