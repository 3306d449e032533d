"""Pages that begin after a row instead of at a number: as fast at any depth, and never a count."""

from datetime import datetime
from typing import TypeVar
from uuid import UUID

from django.db.models import Model, Q, QuerySet

M = TypeVar("M", bound=Model)


def older_than(at: datetime, payment_id: UUID) -> Q:
    """Payments after this one in the order newest first.

    The first condition is what an index on (initiated_at, payment_id) can begin at.
    """
    return Q(initiated_at__lte=at) & (Q(initiated_at__lt=at) | Q(payment_id__lt=payment_id))


def newer_than(at: datetime, payment_id: UUID) -> Q:
    """Payments after this one in the order oldest first."""
    return Q(initiated_at__gte=at) & (Q(initiated_at__gt=at) | Q(payment_id__gt=payment_id))


def page(rows: QuerySet[M], size: int) -> tuple[list[M], bool]:
    """At most `size` rows, and whether there are more."""
    found = list(rows[: size + 1])
    return found[:size], len(found) > size
