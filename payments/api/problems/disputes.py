"""The problem codes of disputes, a part of the catalogue."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from payments.api.problems.kind import Kind, Repeat

DISPUTES: Final[Mapping[str, Kind]] = {
    "dispute_open": Kind(
        HTTPStatus.CONFLICT,
        "A dispute of the payment is open",
        Repeat.LATER,
        "A refund during a dispute could pay the customer twice. `dispute_id` is open.",
        "Wait for the outcome of the dispute. Or accept the dispute instead of a refund, and close it.",
    ),
    "not_disputable": Kind(
        HTTPStatus.CONFLICT,
        "Only a completed payment can be disputed",
        Repeat.LATER,
        "The payment is not completed. `payment_status` shows its status.",
        "Check the id of the payment. If it waits for review, send the notice again after the decision.",
    ),
    "dispute_not_found": Kind(
        HTTPStatus.NOT_FOUND,
        "The payment has no such dispute",
        Repeat.LATER,
        "No notice of a dispute with this id has arrived for the payment.",
        "Open the dispute, then respond.",
    ),
    "dispute_closed": Kind(
        HTTPStatus.CONFLICT,
        "The dispute is closed",
        Repeat.NEVER,
        "A response came after the end of the dispute, or an outcome without loss after a final loss."
        " `outcome` and `closed_at` show how the dispute ended.",
        "Read the payment again. Open a dispute with a new id if the provider has begun another one.",
    ),
    "dispute_contradicted": Kind(
        HTTPStatus.CONFLICT,
        "An earlier notice of the same time differs",
        Repeat.CORRECTED,
        "A notice of the same kind, dispute and time has other values. `errors` names these fields.",
        "If the first notice was wrong, send another notice with its own time.",
    ),
    "too_many_disputes": Kind(
        HTTPStatus.CONFLICT,
        "There are 100 disputes",
        Repeat.NEVER,
        "A payment can have 100 disputes.",
        "Use the id that the provider gave to the dispute for all its notices.",
    ),
    "too_many_responses": Kind(
        HTTPStatus.CONFLICT,
        "There are 20 responses",
        Repeat.NEVER,
        "A dispute can have 20 responses.",
        "Send one response with all its evidence.",
    ),
    "dispute_too_large": Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "Disputes would take more than the payment",
        Repeat.CORRECTED,
        "Open and lost disputes take at most the amount of the payment. This one can take `disputable`,"
        " in minor units.",
        "Check the amount. If another dispute has ended or shrunk, send that notice first.",
    ),
    "dispute_currency_differs": Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The dispute has another currency than the payment",
        Repeat.CORRECTED,
        "The payment's currency is `currency`.",
        "Send the amount in the payment's currency.",
    ),
    "dispute_loss_invalid": Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The outcome excludes a loss",
        Repeat.CORRECTED,
        "A dispute that was won or withdrawn takes nothing.",
        "Send the `lost_amount` 0, or another outcome.",
    ),
}
