"""Who is signed in: kept in the server, known to the browser by a random cookie only."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed_queue.dashboard.gate import Viewer

COOKIE = "dq_session"
LONGEST_SECONDS = 12 * 3600.0
"""After which one signs in again."""
IDLE_SECONDS = 3600.0
"""After which one does so too, if no page was looked at."""
MAX_SESSIONS = 1000
"""The oldest is ended first."""
_OPEN = b"open"


class Session(NamedTuple):
    """One sign-in. Times are of a clock that only goes forward."""

    digest: bytes
    """Of the cookie: a dump of the memory lets nobody in."""
    viewer: Viewer
    began: float
    seen: float


class Sessions:
    """For use in one event loop."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._secret = secrets.token_bytes(32)
        self._sessions: OrderedDict[bytes, Session] = OrderedDict()

    def begin(self, viewer: Viewer) -> str:
        """Sign someone in; the cookie."""
        cookie = secrets.token_urlsafe(32)
        now = self._monotonic()
        digest = _digest(cookie)
        self._sessions[digest] = Session(digest, viewer, now, now)
        if len(self._sessions) > MAX_SESSIONS:
            self._sessions.popitem(last=False)
        return cookie

    def find(self, cookie: str | None, *, seen: bool = True) -> Session | None:
        """The session of a cookie; ``seen`` says that someone looks, rather than a page by itself."""
        digest = _digest(cookie or "")
        session = self._sessions.get(digest)
        if session is None:
            return None
        if not self.knows(session):
            del self._sessions[digest]
            return None
        if seen:
            session = self._sessions[digest] = session._replace(seen=self._monotonic())
        return session

    def knows(self, session: Session) -> bool:
        """Whether the session of an earlier request goes on."""
        found = self._sessions.get(session.digest)
        if found is None:
            return False
        now = self._monotonic()
        return now - found.began < LONGEST_SECONDS and now - found.seen < IDLE_SECONDS

    def end(self, session: Session) -> None:
        """Sign out."""
        self._sessions.pop(session.digest, None)

    def form_token(self, session: Session | None) -> str:
        """What a form of this session has to bring along: pages of other sites cannot know it."""
        return hmac.new(self._secret, session.digest if session else _OPEN, hashlib.sha256).hexdigest()

    def is_form_token(self, session: Session | None, token: str) -> bool:
        """Whether the token was made for this session, by this process."""
        return hmac.compare_digest(self.form_token(session).encode(), token.encode("utf-8", "replace"))


def _digest(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode("utf-8", "replace")).digest()
