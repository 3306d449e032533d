"""Lists in the order of the log, which clients follow without missing a payment.

A payment is listed at the position of its first event, which never changes. The list ends at the read model's
checkpoint, read in the same snapshot as the page, so nothing appears before the cursor later. It also ends
before a payment that has to be repaired, which will appear at its own position.
"""

import re
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django.db.models import BigIntegerField, QuerySet
from django.db.models.expressions import RawSQL

from payments.api.problems.problem import FieldError, Problem
from payments.database import execute
from readmodels.models import PaymentSummary
from readmodels.projections import payment_summary

ORDERING: Final = "position"
FIELD: Final = "first_position"
# These fields change. A list filtered by them would miss a payment that matches only later.
_CHANGING: Final = ("status", "requires_review")
_PARAMETER: Final = re.compile(r"%\((\w+)\)s")
_REPAIR_SECONDS: Final = 60  # Retry-After while an operator has to repair or rebuild

# The first parked event of a payment that the table lacks. If the table has the payment, the list
# shows it without its parked events, as any other list does. Payments of other clients and
# customers do not end the list.
_FIRST_PARKED: Final = """
SELECT parked.position
  FROM readmodels_parkedevent AS parked
  JOIN events_event AS event ON event.position = parked.position
 WHERE parked.projection = %(projection)s AND parked.position > %(after)s
   AND event.data ->> 'client_id' = %(client)s
   AND (%(customer)s::text IS NULL OR event.data ->> 'customer_id' = %(customer)s)
   AND NOT EXISTS (
         SELECT FROM readmodels_paymentsummary AS known WHERE known.payment_id = parked.aggregate_id)
 ORDER BY parked.position LIMIT 1
"""
# Rows that another version of the code wrote may have wrong positions.
_END: Final = """
SELECT least(position, (FIRST_PARKED) - 1)
  FROM readmodels_checkpoint WHERE name = %(projection)s AND version = %(version)s
""".replace("FIRST_PARKED", _FIRST_PARKED)
_STATE: Final = """
SELECT version, (FIRST_PARKED) FROM readmodels_checkpoint WHERE name = %(projection)s
""".replace("FIRST_PARKED", _FIRST_PARKED)


def unfit_filters(given: Mapping[str, Any]) -> list[FieldError]:
    """Return an error for each filter that this ordering does not accept."""
    if given.get("ordering") != ORDERING:
        return []
    return [
        FieldError(
            name,
            "not_with_ordering",
            f"This field changes, so a list with ordering={ORDERING} would miss payments.",
        )
        for name in _CHANGING
        if name in given
    ]


class Following:
    """The part of the list after a position, for a client or one of its customers."""

    def __init__(self, client_id: UUID, customer_id: UUID | None, *, after: int) -> None:
        self._parameters = {
            "projection": payment_summary.PROJECTION.name,
            "version": payment_summary.PROJECTION.version,
            "client": str(client_id),
            "customer": None if customer_id is None else str(customer_id),
            "after": after,
        }

    def rows(self, rows: QuerySet[PaymentSummary]) -> QuerySet[PaymentSummary]:
        """Return the rows that can be listed now. One statement reads the rows and the end of the list."""
        in_order = [self._parameters[name] for name in _PARAMETER.findall(_END)]
        text = _PARAMETER.sub("%s", _END)
        end = RawSQL(text, in_order, output_field=BigIntegerField())  # noqa: S611 - all constant
        return rows.filter(
            **{f"{FIELD}__gt": self._parameters["after"], f"{FIELD}__lte": end}
        ).order_by(FIELD)

    def check_not_blocked(self) -> None:
        """Raise Problem if a page is empty because an operator has to act."""
        found = execute(_STATE, self._parameters)
        ((version, parked),) = found or ((self._parameters["version"], None),)
        if version != self._parameters["version"]:
            raise Problem(
                "projection_behind",
                "payment_summary has to be rebuilt first.",
                retry_after=_REPAIR_SECONDS,
            )
        if parked is not None:
            raise Problem(
                "projection_parked",
                f"payment_summary could not apply the event at {parked}, which has to be repaired."
                " The list then continues with the same cursor.",
                retry_after=_REPAIR_SECONDS,
            )
