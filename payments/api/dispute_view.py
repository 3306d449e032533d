"""The representation of a dispute in API responses."""

from typing import Annotated, Self

from msgspec import Meta, Struct

from payments.domain.money import MAX_MINOR
from payments.domain.payment.codes import DisputeKind, DisputeOutcome, DisputeReason
from payments.domain.payment.disputes import Dispute
from payments.domain.text import Moment, rfc3339


class DisputeView(Struct, frozen=True, kw_only=True):
    """A dispute of a payment. It is open while `outcome` is null."""

    id: Annotated[str, Meta(description="Its id, as it was sent.")]
    kind: Annotated[DisputeKind, Meta(description="The stage of the dispute.")]
    reason: Annotated[DisputeReason, Meta(description="Why the customer disputes the payment.")]
    amount: Annotated[
        int,
        Meta(
            description="The disputed amount, in minor units of the currency.",
            extra_json_schema={"minimum": 1, "maximum": MAX_MINOR},
        ),
    ]
    currency: Annotated[str, Meta(description="An ISO 4217 code, that of the payment.")]
    network: Annotated[str | None, Meta(description="The card network; null: unknown.")]
    network_reason_code: Annotated[
        str | None, Meta(description="The network's own reason code; null: unknown.")
    ]
    opened_at: Annotated[
        Moment | None,
        Meta(description="When it was opened (UTC); null: only a later notice has arrived."),
    ]
    respond_by: Annotated[
        Moment | None, Meta(description="Until when a response is possible (UTC); null: unknown.")
    ]
    responded_at: Annotated[
        Moment | None, Meta(description="The latest response (UTC); null: none.")
    ]
    outcome: Annotated[DisputeOutcome | None, Meta(description="How it ended; null: it is open.")]
    lost_amount: Annotated[
        int | None,
        Meta(
            description="What it took, in minor units; null: it is open.",
            extra_json_schema={"minimum": 0, "maximum": MAX_MINOR},
        ),
    ]
    closed_at: Annotated[Moment | None, Meta(description="When it ended (UTC); null: it is open.")]

    @classmethod
    def of(cls, dispute: Dispute) -> Self:
        return cls(
            id=dispute.dispute_id,
            kind=dispute.kind,
            reason=dispute.reason,
            amount=dispute.disputed.minor,
            currency=dispute.disputed.currency,
            network=dispute.network,
            network_reason_code=dispute.network_reason_code,
            opened_at=None if dispute.inferred else rfc3339(dispute.opened_at),
            respond_by=rfc3339(dispute.respond_by),
            responded_at=rfc3339(dispute.responded_at),
            outcome=dispute.outcome,
            lost_amount=None if dispute.lost is None else dispute.lost.minor,
            closed_at=rfc3339(dispute.closed_at),
        )
