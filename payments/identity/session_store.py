"""Store sessions of staff. They end when idle, and at the latest some hours after sign-in.

The row stores the end of the session, so loading a session enforces it without another query. Some
columns copy data of the session, for a person's list of their own sessions.
"""

from datetime import UTC, datetime
from typing import Any, Final

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends import db
from django.utils import timezone

# Keys of the session.
BEGAN: Final = "began_at"
SEEN: Final = "seen_at"
ADDRESS: Final = "address"
BROWSER: Final = "browser"


class SessionStore(db.SessionStore):
    @classmethod
    def get_model_class(cls) -> Any:
        from payments.identity.models import (
            Session,
        )  # the models need the settings, which name this module

        return Session

    def create_model_instance(self, data: dict[str, Any]) -> Any:
        row: Any = super().create_model_instance(data)
        if BEGAN in data:
            row.user_id = int(data[SESSION_KEY])
            row.began_at, row.seen_at = _moment(data[BEGAN]), _moment(data[SEEN])
            row.address, row.browser = data[ADDRESS], data[BROWSER]
        return row

    def get_expiry_date(self, **kwargs: Any) -> datetime:
        began, seen = self.get(BEGAN), self.get(SEEN)
        if began is None or seen is None:
            return super().get_expiry_date(**kwargs)
        return _moment(
            min(began + settings.SESSION_COOKIE_AGE, seen + settings.SESSION_IDLE_SECONDS)
        )

    def get_expiry_age(self, **kwargs: Any) -> int:
        if self.get(BEGAN) is None:
            return super().get_expiry_age(**kwargs)
        return max(0, int((self.get_expiry_date() - timezone.now()).total_seconds()))


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
