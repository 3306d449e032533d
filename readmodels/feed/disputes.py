"""Dispute events as clients see them, in the feed and in the history of a payment."""

from typing import Annotated, Any, Final, assert_never

from msgspec import UNSET, Meta, Struct, UnsetType

from payments.domain.money import MAX_MINOR
from payments.domain.payment.codes import DisputeKind, DisputeOutcome
from payments.domain.payment.events import (
    AnyDisputeEvent,
    DisputeStatement,
    PaymentDisputeClosed,
    PaymentDisputed,
    PaymentDisputeResponded,
    PaymentDisputeUpdated,
)
from payments.domain.text import Moment, rfc3339

_AMOUNT: Final = {"minimum": 1, "maximum": MAX_MINOR}


class DisputeData(Struct, frozen=True, kw_only=True):
    """The fields of events of disputes."""

    dispute_id: Annotated[
        str | UnsetType, Meta(description="The id of the dispute, as it was sent.")
    ] = UNSET
    dispute_kind: Annotated[DisputeKind | UnsetType, Meta(description="The kind of dispute.")] = (
        UNSET
    )
    network: Annotated[
        str | UnsetType | None, Meta(description="The card network; null: unknown.")
    ] = UNSET
    network_reason_code: Annotated[
        str | UnsetType | None, Meta(description="The network's own reason code; null: unknown.")
    ] = UNSET
    disputed_amount: Annotated[
        int | UnsetType, Meta(description="The disputed amount.", extra_json_schema=_AMOUNT)
    ] = UNSET
    respond_by: Annotated[
        Moment | UnsetType | None,
        Meta(description="Until when a response is possible (UTC); null: unknown."),
    ] = UNSET
    opened_at: Annotated[
        Moment | UnsetType | None,
        Meta(
            description="When the dispute was opened (UTC); null: only a later notice has arrived."
        ),
    ] = UNSET
    dispute_updated_at: Annotated[
        Moment | UnsetType, Meta(description="When the dispute changed (UTC).")
    ] = UNSET
    responded_at: Annotated[
        Moment | UnsetType, Meta(description="When the dispute was contested (UTC).")
    ] = UNSET
    outcome: Annotated[DisputeOutcome | UnsetType, Meta(description="How the dispute ended.")] = (
        UNSET
    )
    lost_amount: Annotated[
        int | UnsetType,
        Meta(
            description="The amount that the dispute took; 0: none.",
            extra_json_schema={"minimum": 0, "maximum": MAX_MINOR},
        ),
    ] = UNSET
    closed_at: Annotated[Moment | UnsetType, Meta(description="When the dispute ended (UTC).")] = (
        UNSET
    )


def dispute_data(event: AnyDisputeEvent) -> dict[str, Any]:
    """Return the fields of DisputeData that the event has, and its reason."""
    match event:
        case PaymentDisputed(opened_at=at, inferred=inferred):
            return {**_stated(event), "opened_at": None if inferred else rfc3339(at)}
        case PaymentDisputeUpdated(updated_at=at):
            return {**_stated(event), "dispute_updated_at": rfc3339(at)}
        case PaymentDisputeResponded(responded_at=at):
            return {"dispute_id": event.dispute_id, "responded_at": rfc3339(at)}
        case PaymentDisputeClosed(outcome=outcome, lost=lost, closed_at=at):
            return {
                "dispute_id": event.dispute_id,
                "outcome": outcome,
                "lost_amount": lost.minor,
                "closed_at": rfc3339(at),
            }
        case _:
            assert_never(event)


def _stated(event: DisputeStatement) -> dict[str, Any]:
    return {
        "dispute_id": event.dispute_id,
        "dispute_kind": event.kind,
        "reason": event.reason,
        "network": event.network,
        "network_reason_code": event.network_reason_code,
        "disputed_amount": event.disputed.minor,
        "respond_by": rfc3339(event.respond_by),
    }
