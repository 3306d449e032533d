"""The open sessions of a person: list and end them."""

from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from axes.helpers import get_client_ip_address, get_client_user_agent
from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.sessions.exceptions import SessionInterrupted
from django.http import HttpRequest

from payments.domain.card_numbers import holds_card_number
from payments.identity import factors
from payments.identity.models import LONGEST_BROWSER, Session
from payments.identity.session_store import ADDRESS, BEGAN, BROWSER, SEEN, SessionStore

# In seconds: a request stores its time only if the stored time is at least this old.
_SEEN_EVERY: Final = 60


def begin(request: HttpRequest, *, at: datetime) -> None:
    """Store where and when the session began, and delete the rows of expired sessions."""
    browser: str = get_client_user_agent(request)
    request.session[BEGAN] = request.session[SEEN] = at.timestamp()
    request.session[ADDRESS] = get_client_ip_address(request)
    request.session[BROWSER] = "" if holds_card_number(browser) else browser[:LONGEST_BROWSER]
    Session.objects.filter(expire_date__lt=at).delete()


def touch(request: HttpRequest, *, at: datetime) -> None:
    """Extend the session, because the person is active."""
    if at.timestamp() - request.session.get(SEEN, 0.0) >= _SEEN_EVERY:
        request.session[SEEN] = at.timestamp()


def require_open(request: HttpRequest) -> None:
    """Lock the person's factors, and check that the session is still open.

    Without this check, Django would store an ended session again under another key. The caller must
    have opened a transaction. Raises SessionInterrupted if the session has been ended.
    """
    user: Any = request.user
    factors.lock(user)
    if not Session.objects.filter(session_key=request.session.session_key).exists():
        raise SessionInterrupted("This session was ended, perhaps on another page.")


def open_sessions(user: Any, *, at: datetime) -> Iterable[Session]:
    """Return the person's open sessions, the most recently used first."""
    return Session.objects.filter(user=user, expire_date__gt=at).order_by("-seen_at", "-began_at")


def public_id(key: str | None) -> str:
    """Return an id of the session for pages. The key itself would give access to the session."""
    return sha256((key or "").encode()).hexdigest()[:16]


def end(user: Any, chosen: str) -> bool:
    """End the person's session with this public id. Return whether it was open."""
    keys = Session.objects.filter(user=user).values_list("session_key", flat=True)
    found = [key for key in keys if public_id(key) == chosen]
    return bool(Session.objects.filter(session_key__in=found).delete()[0])


def end_others(request: HttpRequest) -> int:
    """End all sessions of the person except the one of the request. Return their number."""
    user: Any = request.user
    own = request.session.session_key
    return Session.objects.filter(user_id=user.pk).exclude(session_key=own).delete()[0]


def end_all(user_pk: int) -> None:
    Session.objects.filter(user_id=user_pk).delete()


def rehash(user_pk: int, before: str, after: str) -> None:
    """Replace password hash `before` in the person's sessions. The caller opens a transaction."""
    for row in Session.objects.select_for_update().filter(user_id=user_pk):
        found = row.get_decoded()
        if found.get(HASH_SESSION_KEY) == before:
            row.session_data = SessionStore().encode(found | {HASH_SESSION_KEY: after})
            row.save(update_fields=["session_data"])
