"""Recognize a repeated command by the metadata of the events that it appended.

The log is never pruned, so keys never expire.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, assert_never
from uuid import UUID, uuid5

from payments.domain.payment.commands import (
    AddNote,
    ApprovePayment,
    AssignReview,
    CancelPayment,
    ClaimReview,
    CloseDispute,
    EscalateReview,
    ExpireReview,
    OpenDispute,
    PaymentCommand,
    ProcessPayment,
    RefundPayment,
    RejectPayment,
    ReleaseReview,
    RespondToDispute,
    ResumeReview,
    SnoozeReview,
    StateDispute,
    TakeOverReview,
    UpdateDispute,
)
from payments.pseudonyms import keyed_digest

_KEY_BYTES: Final = 16
_FIELD_BYTES: Final = 8


class KeyReused(Exception):
    """The idempotency key was used for another command. `fields` names the differing fields."""

    def __init__(self, fields: tuple[str, ...]) -> None:
        super().__init__(
            f"This Idempotency-Key was used for a request with another {', '.join(fields)}."
        )
        self.fields = fields


def payment_id(client_id: UUID, key: str) -> UUID:
    """Return the id of a new payment. It derives from the key, so a repetition has the same id."""
    return uuid5(client_id, key)


def command_key(command: str, *, actor: str, key: str) -> str:
    """Return the digest of an idempotency key that the log stores.

    The digest also depends on the command and the actor.
    """
    return keyed_digest("idempotency", actor, command, key)[:_KEY_BYTES].hex()


def field_digests(command: PaymentCommand, note: str | None) -> dict[str, str]:
    """Return a short keyed digest of each field that the caller chose, by name."""
    return {
        name: keyed_digest("field", name, value)[:_FIELD_BYTES].hex()
        for name, value in _chosen_fields(command, note).items()
        if value is not None
    }


def check_same(stored: Mapping[str, str], sent: Mapping[str, str]) -> None:
    """Raise KeyReused unless the fields of both commands have the same values."""
    differing = tuple(
        sorted(name for name in stored.keys() | sent.keys() if stored.get(name) != sent.get(name))
    )
    if differing:
        raise KeyReused(differing)


def _chosen_fields(command: PaymentCommand, note: str | None) -> dict[str, str | None]:
    match command:
        case ProcessPayment(card=card, signals=signals):
            return {
                "amount": str(command.amount.minor),
                "currency": command.amount.currency,
                "method": command.method,
                "customer_id": str(command.customer_id),
                "reference": command.reference,
                "card": None if card is None else f"{card.fingerprint} {card.brand} {card.last4}",
                "country": command.features.country if command.features else None,
                "ip_address": signals.ip_address if signals else None,
                "device_id": signals.device_id if signals else None,
                "email": signals.email if signals else None,
            }
        case ApprovePayment() | RejectPayment() | EscalateReview() | CancelPayment():
            return {"reason": command.reason, "note": note}
        case RefundPayment():
            amount = command.amount
            return {
                "amount": None if amount is None else str(amount.minor),
                "currency": None if amount is None else amount.currency,
                "reason": command.reason,
                "reference": command.reference,
                "note": note,
            }
        case AddNote(files=files):
            return {"note": note, "files": " ".join(files) or None}
        case OpenDispute():
            return _stated(command) | {"opened_at": _time(command.opened_at)}
        case UpdateDispute():
            return _stated(command) | {"updated_at": _time(command.updated_at)}
        case RespondToDispute():
            return {
                "dispute_id": command.dispute_id,
                "responded_at": _time(command.responded_at),
                "note": note,
                "evidence": " ".join(command.evidence) or None,
            }
        case CloseDispute(amount=amount):
            return {
                "dispute_id": command.dispute_id,
                "outcome": command.outcome,
                "lost_amount": str(command.lost_amount.minor),
                "currency": command.lost_amount.currency,
                "closed_at": _time(command.closed_at),
                "kind": command.kind,
                "reason": command.reason,
                "amount": None if amount is None else str(amount.minor),
                "network": command.network,
                "network_reason_code": command.network_reason_code,
            }
        case SnoozeReview(until=until):
            return {"until": _time(until), "reason": command.reason, "note": note}
        case AssignReview(to=to):
            return {"to": to, "note": note}
        case TakeOverReview(holder=holder):
            return {"holder": holder}
        case ClaimReview() | ReleaseReview() | ResumeReview() | ExpireReview():
            return {}
        case _:
            assert_never(command)


def _stated(command: StateDispute) -> dict[str, str | None]:
    return {
        "dispute_id": command.dispute_id,
        "kind": command.kind,
        "reason": command.reason,
        "amount": str(command.amount.minor),
        "currency": command.amount.currency,
        "network": command.network,
        "network_reason_code": command.network_reason_code,
        "respond_by": _time(command.respond_by),
    }


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat()
