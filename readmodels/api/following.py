"""Payments in the order of the log, for clients that follow the list without missing a payment.

The place of a payment is the position of its first event, which never changes. The list ends where the read
model has read the log, in the snapshot of the page itself, so nothing appears before the cursor later. It
also ends before a payment that waits for a repair, which will appear at its own place.
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
# Filters on fields that change: a payment that matches later would be missed.
_CHANGING: Final = ("status", "requires_review")
_PARAMETER: Final = re.compile(r"%\((\w+)\)s")
_REPAIR_SECONDS: Final = 60  # before another attempt, when people have to repair or rebuild

# The first parked event of a payment that the table does not have yet. Later events of known payments are
# missing as in any other list. Payments of other clients and customers do not end the list.
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
# Positions in rows that another version of the code filled may be wrong.
_END: Final = """
SELECT least(position, (FIRST_PARKED) - 1)
  FROM readmodels_checkpoint WHERE name = %(projection)s AND version = %(version)s
""".replace("FIRST_PARKED", _FIRST_PARKED)
_STATE: Final = """
SELECT version, (FIRST_PARKED) FROM readmodels_checkpoint WHERE name = %(projection)s
""".replace("FIRST_PARKED", _FIRST_PARKED)


def unfit_filters(given: Mapping[str, Any]) -> list[FieldError]:
    """Return errors for the filters that a list in this order cannot have."""
    if given.get("ordering") != ORDERING:
        return []
    return [
        FieldError(
            name,
            "not_with_ordering",
            f"It changes with time, so ordering={ORDERING} would miss payments.",
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
        """Return the rows that can be listed now, in order. One statement reads them and the end."""
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
    return Problem(code, detail, headers={"Retry-After": str(_REPAIR_SECONDS)})
