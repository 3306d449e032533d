"""What one bulk action takes: payments at the versions that its preview showed, signed for one person.

The form of the preview and the address of the outcome carry it, so that the server stores nothing.
"""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from django.core import signing
from msgspec import Struct

from readmodels.admin.review.actions import IN_BULK, Action

MINUTES: Final = 10
# The address of an outcome must not confirm a bulk action.
FORM: Final = "bulk.form"
OUTCOME: Final = "bulk.outcome"
ACTIONS: Final = {action.name: action for action in IN_BULK}


class Selection(Struct, frozen=True, kw_only=True):
    """`seen` is the position of the preview's evidence. `to` is the assignee, if the action takes one."""

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
        """Return what the events of the bulk action have in common."""
        return f"bulk:{self.bulk_id}"


def signed(selection: Selection, *, salt: str) -> str:
    return signing.dumps(msgspec.to_builtins(selection), salt=salt, compress=True)


def read(text: str, actor: str, *, salt: str, max_age: timedelta | None = None) -> Selection:
    """Return a signed selection of this person. Raises SignatureExpired and BadSignature."""
    stored: Any = signing.loads(text, salt=salt, max_age=max_age)
    try:
        found = msgspec.convert(stored, Selection)
    except msgspec.ValidationError as error:
        raise signing.BadSignature("Another release signed this.") from error
    if found.actor != actor or found.action_name not in ACTIONS:
        raise signing.BadSignature("This was signed for another person or action.")
    return found
