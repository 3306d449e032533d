"""Payments in the order of the log, for clients that follow the list: page after page, none is passed by.

A payment stands at the position of its first event, which never changes. The list ends where the read
model has read the log, in the snapshot of the page itself: nothing appears later before the cursor. A
payment that waits for a repair ends the list too, since it will appear at its own place.
"""

import re
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django.db.models import BigIntegerField, QuerySet
from django.db.models.expressions import RawSQL

from payments.api.problems import FieldError, Problem
from payments.events.database import execute
from readmodels.models import PaymentSummary
from readmodels.projections import payment_summary

ORDERING: Final = "position"
FIELD: Final = "first_position"
# Filters by what changes: a payment that they take in later would have been passed by.
_CHANGING: Final = ("status", "requires_review")
_PARAMETER: Final = re.compile(r"%\((\w+)\)s")
_LATER: Final = (
    60  # seconds until it is worth trying again, when people have to repair or to rebuild
)

# The first event that is parked of a payment that the table does not have yet. An event whose payment is
# there waits as in any other list. Other clients' payments, and other customers', hold nobody up.
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
# Of rows that another version of the code filled, the positions may mean nothing.
_END: Final = """
SELECT least(position, (FIRST_PARKED) - 1)
  FROM readmodels_checkpoint WHERE name = %(projection)s AND version = %(version)s
""".replace("FIRST_PARKED", _FIRST_PARKED)
_STATE: Final = """
SELECT version, (FIRST_PARKED) FROM readmodels_checkpoint WHERE name = %(projection)s
""".replace("FIRST_PARKED", _FIRST_PARKED)


def unfit_filters(given: Mapping[str, Any]) -> list[FieldError]:
    """The filters that a list in this order cannot have."""
    if given.get("ordering") != ORDERING:
        return []
    return [
        FieldError(
            name,
            "not_with_ordering",
            f"It changes with time, so ordering={ORDERING} would pass payments by.",
        )
        for name in _CHANGING
        if name in given
    ]


class Following:
    """What a client, or one of its customers, may see of the list after a position."""

    def __init__(self, client_id: UUID, customer_id: UUID | None, *, after: int) -> None:
        self._parameters = {
            "projection": payment_summary.PROJECTION.name,
            "version": payment_summary.PROJECTION.version,
            "client": str(client_id),
            "customer": None if customer_id is None else str(customer_id),
            "after": after,
        }

    def rows(self, rows: QuerySet[PaymentSummary]) -> QuerySet[PaymentSummary]:
        """The rows that can be listed now, in order. One statement reads them and where they end."""
        in_order = [self._parameters[name] for name in _PARAMETER.findall(_END)]
        text = _PARAMETER.sub("%s", _END)
        end = RawSQL(text, in_order, output_field=BigIntegerField())  # noqa: S611 - all constant
        return rows.filter(
            **{f"{FIELD}__gt": self._parameters["after"], f"{FIELD}__lte": end}
        ).order_by(FIELD)

    def check_goes_on(self) -> None:
        """Raise Problem if a page is empty because people have to act first."""
        found = execute(_STATE, self._parameters)
        ((version, parked),) = found or ((self._parameters["version"], None),)
        if version != self._parameters["version"]:
            raise _unavailable("projection_behind", "payment_summary has to be rebuilt first.")
        if parked is not None:
            raise _unavailable(
                "projection_parked",
                f"payment_summary could not take the event at {parked}, which waits for a repair."
                " The list goes on there, with the same cursor.",
            )


def _unavailable(code: str, detail: str) -> Problem:
    return Problem(code, detail, headers={"Retry-After": str(_LATER)})
