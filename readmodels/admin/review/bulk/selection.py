"""The selection of a bulk action: payments at the previewed versions, signed for one person.

The form of the preview and the URL of the outcome carry it, so that the server stores nothing.
"""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from django.core import signing
from msgspec import Struct

from readmodels.admin.review.actions import IN_BULK, Action

MINUTES: Final = 10
# Two salts, because the token in the URL of an outcome must not confirm a bulk action.
FORM: Final = "bulk.form"
OUTCOME: Final = "bulk.outcome"
ACTIONS: Final = {action.name: action for action in IN_BULK}


class Selection(Struct, frozen=True, kw_only=True):
    """The payments, with the position of the preview's evidence, `seen`, and the assignee, `to`."""

    bulk_id: UUID
    action_name: str
    actor: str
    seen: int
    versions: dict[UUID, int]
    to: str | None = None

    @property
    def action(self) -> Action:
        return ACTIONS[self.action_name]

    @property
    def correlation_id(self) -> str:
        """Return the correlation id that all events of the bulk action share."""
        return f"bulk:{self.bulk_id}"


def signed(selection: Selection, *, salt: str) -> str:
    return signing.dumps(msgspec.to_builtins(selection), salt=salt, compress=True)


def read(text: str, actor: str, *, salt: str, max_age: timedelta | None = None) -> Selection:
    """Return the selection that was signed for this person.

    Raises BadSignature, and its subclass SignatureExpired.
    """
    stored: Any = signing.loads(text, salt=salt, max_age=max_age)
    try:
        found = msgspec.convert(stored, Selection)
    except msgspec.ValidationError as error:
        raise signing.BadSignature("Another release signed this.") from error
    if found.actor != actor or found.action_name not in ACTIONS:
        raise signing.BadSignature("This was signed for another person or action.")
    return found
