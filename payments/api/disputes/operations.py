"""Describe the commands on disputes for the OpenAPI document."""

from typing import Any, Final

from drf_spectacular.utils import OpenApiExample, OpenApiParameter

from payments.api.disputes.bodies import (
    CloseDisputeBody,
    OpenDisputeBody,
    RespondToDisputeBody,
    UpdateDisputeBody,
)
from payments.api.disputes.representation import DisputedPayment
from payments.api.openapi.commands import MAY_MATCH, PAYMENT_PARAMETER, command
from payments.api.openapi.components import answer_example, body_example
from payments.api.openapi.operations import decided

_DISPUTE_PARAMETER: Final = OpenApiParameter(
    "dispute_id",
    str,
    OpenApiParameter.PATH,
    description="The id of the dispute, percent-encoded, 1 to 100 characters.",
    examples=[OpenApiExample("a dispute", "dp_1042")],
)
_REFUSED: Final = (
    "payment_not_found",
    "not_disputable",
    "stale_version",
    "precondition_failed",
)
_NOTICE: Final = (
    *_REFUSED,
    "dispute_contradicted",
    "dispute_currency_differs",
    "dispute_too_large",
    "too_many_disputes",
)
_ANY_ORDER: Final = (
    "Notices may arrive in any order and repeatedly: the same notices lead to the same dispute. A notice"
    " without news changes nothing, and its answer has `Idempotency-Replayed: true`."
)
_BY_REFERENCE: Final = (
    "`GET /api/v1/payments?reference=...` finds the `id` of a payment by your own id of it."
)
_STATED: Final = {
    "kind": "chargeback",
    "reason": "fraudulent",
    "amount": 500_000,
    "currency": "USD",
    "network": "visa",
    "network_reason_code": "10.4",
    "respond_by": "2026-12-08T23:59:59.000000Z",
}
DISPUTE: Final[dict[str, Any]] = {
    "id": "dp_1042",
    **_STATED,
    "opened_at": "2026-11-24T09:00:00.000000Z",
    "responded_at": None,
    "outcome": None,
    "lost_amount": None,
    "closed_at": None,
}


def _answer(name: str, **changes: Any) -> OpenApiExample:
    payment = decided(
        "approved",
        "verified_with_customer",
        status="completed",
        version=5,
        position=4730,
        updated_at="2026-11-29T09:00:00.000000Z",
        open_disputes=0 if "outcome" in changes else 1,
        disputed_amount=0 if "outcome" in changes else 500_000,
        lost_amount=changes.get("lost_amount", 0),
        disputes=[DISPUTE | changes],
        dispute=DISPUTE | changes,
    )
    return answer_example(name, payment)


OPEN: Final = command(
    body=OpenDisputeBody,
    answer=DisputedPayment,
    status=200,
    summary="Record that a payment is disputed",
    description="Send this when your provider reports a dispute, an inquiry included. While it is open, the"
    f" payment cannot be refunded.\n\n{_ANY_ORDER}\n\n{_BY_REFERENCE}",
    refused=_NOTICE,
    parameters=[PAYMENT_PARAMETER, MAY_MATCH],
    examples=[
        body_example(
            "a chargeback",
            {"dispute_id": "dp_1042", **_STATED, "opened_at": "2026-11-24T09:00:00Z"},
        ),
        _answer("opened"),
    ],
    tags=["disputes"],
    operation_id="open_dispute",
)
UPDATE: Final = command(
    body=UpdateDisputeBody,
    answer=DisputedPayment,
    status=200,
    summary="Record that a dispute has changed",
    description="The body states the whole dispute, for example when an inquiry becomes a chargeback, which"
    f" keeps its id. An update never opens a closed dispute again.\n\n{_ANY_ORDER}",
    refused=_NOTICE,
    parameters=[PAYMENT_PARAMETER, _DISPUTE_PARAMETER, MAY_MATCH],
    examples=[
        body_example("a lower amount", _STATED | {"updated_at": "2026-11-25T09:00:00Z"}),
        _answer("updated"),
    ],
    tags=["disputes"],
    operation_id="update_dispute",
)
RESPOND: Final = command(
    body=RespondToDisputeBody,
    answer=DisputedPayment,
    status=200,
    summary="Record that you contest a dispute",
    description="Send the evidence to your provider. The service keeps its SHA-256 digests, which prove later"
    " what was sent. Each response has its own time, and the latest one counts. The same response again"
    " changes nothing, and its answer has `Idempotency-Replayed: true`.",
    refused=[
        *_REFUSED,
        "dispute_not_found",
        "dispute_closed",
        "dispute_contradicted",
        "too_many_responses",
    ],
    parameters=[PAYMENT_PARAMETER, _DISPUTE_PARAMETER, MAY_MATCH],
    examples=[
        body_example(
            "a receipt",
            {
                "evidence": ["9f86d081" * 8],
                "note": "Signed delivery note.",
                "responded_at": "2026-11-26T09:00:00Z",
            },
        ),
        _answer("contested", responded_at="2026-11-26T09:00:00.000000Z"),
    ],
    tags=["disputes"],
    operation_id="respond_to_dispute",
)
CLOSE: Final = command(
    body=CloseDisputeBody,
    answer=DisputedPayment,
    status=200,
    summary="Record that a dispute has ended",
    description="A lost amount reduces what can be refunded. The latest outcome counts, but a dispute that"
    " was lost or accepted stays so. A dispute that was never opened here is opened and closed at once."
    f"\n\n{_ANY_ORDER}",
    refused=[*_NOTICE, "dispute_closed", "dispute_loss_invalid"],
    parameters=[PAYMENT_PARAMETER, _DISPUTE_PARAMETER, MAY_MATCH],
    examples=[
        body_example(
            "lost",
            {
                "outcome": "lost",
                "lost_amount": 500_000,
                "currency": "USD",
                "closed_at": "2026-11-28T09:00:00Z",
                "reason": "fraudulent",
            },
        ),
        _answer(
            "lost",
            outcome="lost",
            lost_amount=500_000,
            closed_at="2026-11-28T09:00:00.000000Z",
        ),
    ],
    tags=["disputes"],
    operation_id="close_dispute",
)
