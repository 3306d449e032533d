"""The record of changes to how staff sign in, for auditors."""

import logging
from datetime import datetime
from typing import Final

from payments import actors
from payments.identity.models import Change, SecurityRecord

logger: Final = logging.getLogger(__name__)


def add(change: Change, staff_pk: int, *, actor: str, at: datetime) -> None:
    """Record the change, in the transaction that makes it."""
    SecurityRecord.objects.create(staff_id=staff_pk, change=change, actor=actor, at=at)
    logger.info("Sign-in of staff:%s: %s by %s.", staff_pk, change.value, actor)


def own(change: Change, staff_pk: int, *, at: datetime) -> None:
    """Record a change that the person made."""
    add(change, staff_pk, actor=actors.staff(staff_pk), at=at)
