"""Decide on the notices of disputes and on responses to them.

The same notices in any order lead to the same state. A notice without news appends nothing. The README of
the domain lists the rules.
"""

from datetime import datetime
from typing import Any, Final, assert_never

from msgspec.structs import replace

from payments.domain.money import Money
from payments.domain.payment.codes import DisputeOutcome
from payments.domain.payment.commands import (
    AnyDisputeCommand,
    CloseDispute,
    DisputeCommand,
    OpenDispute,
    RespondToDispute,
    StateDispute,
    UpdateDispute,
)
from payments.domain.payment.disputes import (
    FINAL,
    Dispute,
    Response,
    Source,
    evidence_digest,
    find,
    merged,
)
from payments.domain.payment.events import (
    AnyDisputeEvent,
    PaymentDisputeClosed,
    PaymentDisputed,
    PaymentDisputeResponded,
    PaymentDisputeUpdated,
)
from payments.domain.payment.refusals import (
    DisputeClosed,
    DisputeContradicted,
    DisputeCurrencyDiffers,
    DisputeLossInvalid,
    DisputeNotFound,
    DisputeTooLarge,
    NotDisputable,
    TooManyDisputes,
    TooManyResponses,
)
from payments.domain.payment.state import Payment, Status

_DISPUTABLE: Final = {Status.COMPLETED, Status.PARTIALLY_REFUNDED, Status.REFUNDED}
# Won disputes free their amount, so the payment's amount does not bound the number of disputes.
MOST_DISPUTES: Final = 100
MOST_RESPONSES: Final = 20
MOST_EVIDENCE: Final = 50  # documents per response
TAKES_NOTHING: Final = frozenset({DisputeOutcome.WON, DisputeOutcome.WITHDRAWN})
# The most characters in a dispute's id, in its network and in the network's reason code.
LONGEST_TEXT: Final = 100
# Fields whose names differ, from the name in the state to the name in a command.
_COMMANDED: Final = {"disputed": "amount", "lost": "lost_amount"}


def dispute(payment: Payment, command: AnyDisputeCommand) -> tuple[AnyDisputeEvent, ...]:
    """Return the events of a notice or response: none if it brings no news. Raises PaymentError."""
    if payment.status not in _DISPUTABLE:
        raise NotDisputable(payment_id=payment.payment_id, status=payment.status)
    known = find(payment.disputes, command.dispute_id)
    match command:
        case OpenDispute():
            _require_same_statement(
                payment, known, _stated(command), command.opened_at, Source.OPENING
            )
            events = _open(payment, command)
        case UpdateDispute():
            _require_same_statement(
                payment, known, _stated(command), command.updated_at, Source.UPDATE
            )
            events = _update(payment, command)
        case RespondToDispute():
            events = _respond(payment, known, command)
        case CloseDispute():
            events = _close(payment, known, command)
        case _:
            assert_never(command)
    return _news(payment, known, events)


def _open(payment: Payment, command: OpenDispute) -> tuple[AnyDisputeEvent, ...]:
    _require_amount(payment, command.amount, at_least=1)
    return (
        PaymentDisputed(
            opened_at=command.opened_at, **_stated(command), **_terms(payment, command)
        ),
    )


def _update(payment: Payment, command: UpdateDispute) -> tuple[AnyDisputeEvent, ...]:
    _require_amount(payment, command.amount, at_least=1)
    facts = _stated(command) | _terms(payment, command)
    return (
        PaymentDisputed(opened_at=command.updated_at, inferred=True, **facts),
        PaymentDisputeUpdated(updated_at=command.updated_at, **facts),
    )


def _respond(
    payment: Payment, known: Dispute | None, command: RespondToDispute
) -> tuple[AnyDisputeEvent, ...]:
    if known is None:
        raise DisputeNotFound(payment_id=payment.payment_id, dispute_id=command.dispute_id)
    responded_at = command.responded_at or command.at
    repeated = known.response_at(responded_at)
    if repeated is not None:
        facts = {
            "responder": command.responder,
            "evidence": evidence_digest(command.evidence),
            "note": command.note,
        }
        _require_same(payment, command.dispute_id, repeated, facts)
        return ()
    if known.closed_at is not None and responded_at >= known.closed_at:
        raise _closed(payment, known)
    if len(known.responses) >= MOST_RESPONSES:
        raise TooManyResponses(
            payment_id=payment.payment_id, dispute_id=known.dispute_id, limit=MOST_RESPONSES
        )
    return (
        PaymentDisputeResponded(
            by=command.responder,
            responded_at=responded_at,
            note=command.note,
            evidence=command.evidence,
            **_terms(payment, command),
        ),
    )


def _close(
    payment: Payment, known: Dispute | None, command: CloseDispute
) -> tuple[AnyDisputeEvent, ...]:
    _require_amount(payment, command.lost_amount, at_least=0)
    if command.amount is not None:
        _require_amount(payment, command.amount, at_least=1)
    if command.lost_amount.minor and command.outcome in TAKES_NOTHING:
        raise DisputeLossInvalid(
            payment_id=payment.payment_id, outcome=command.outcome, lost=command.lost_amount
        )
    if known is not None and known.closed_at is not None:
        if known.closed_at == command.closed_at:
            facts = {"outcome": command.outcome, "lost": command.lost_amount}
            _require_same(payment, command.dispute_id, known, facts)
        if (
            known.outcome in FINAL
            and command.outcome not in FINAL
            and command.closed_at > known.closed_at
        ):
            raise _closed(payment, known)
    terms = _terms(payment, command)
    stated: dict[str, Any] = {
        "kind": command.kind,
        "reason": command.reason,
        "network": command.network,
        "network_reason_code": command.network_reason_code,
        "disputed": command.amount
        or (command.lost_amount if command.lost_amount.minor else payment.amount),
    }
    _require_same_statement(payment, known, stated, command.closed_at, Source.INFERRED)
    inferred = PaymentDisputed(opened_at=command.closed_at, inferred=True, **stated, **terms)
    closed = PaymentDisputeClosed(
        outcome=command.outcome, lost=command.lost_amount, closed_at=command.closed_at, **terms
    )
    return (inferred, closed)


def _news(
    payment: Payment, known: Dispute | None, events: tuple[AnyDisputeEvent, ...]
) -> tuple[AnyDisputeEvent, ...]:
    """Return the events that change the dispute. Raises DisputeTooLarge, TooManyDisputes."""
    changed, news = known, []
    for event in events:
        after = merged(changed, event)
        if after != changed:
            figures = {"before": changed and changed.figures, "after": after.figures}
            changed = after
            news.append(replace(event, **figures))
    others = [each for each in payment.disputes if each is not known]
    if len(others) >= MOST_DISPUTES:
        raise TooManyDisputes(payment_id=payment.payment_id, limit=MOST_DISPUTES)
    taken = sum(each.counted.minor for each in others)
    if changed is not None and taken + changed.counted.minor > payment.amount.minor:
        raise _too_large(payment, changed.counted, payment.amount.minor - taken)
    return tuple(news)


def _require_amount(payment: Payment, amount: Money, *, at_least: int) -> None:
    if amount.currency != payment.amount.currency:
        raise DisputeCurrencyDiffers(
            payment_id=payment.payment_id, currency=payment.amount.currency
        )
    if not at_least <= amount.minor <= payment.amount.minor:
        raise _too_large(payment, amount, payment.amount.minor)


def _require_same_statement(
    payment: Payment,
    known: Dispute | None,
    stated: dict[str, Any],
    at: datetime,
    source: Source,
) -> None:
    if known is not None and (known.stated_at, known.source) == (at, source):
        _require_same(payment, known.dispute_id, known, stated)


def _require_same(
    payment: Payment, dispute_id: str, known: Dispute | Response, facts: dict[str, Any]
) -> None:
    """Raise DisputeContradicted if a repetition of the known notice states other facts."""
    fields = tuple(
        _COMMANDED.get(name, name) for name, value in facts.items() if getattr(known, name) != value
    )
    if fields:
        raise DisputeContradicted(
            payment_id=payment.payment_id, dispute_id=dispute_id, fields=fields
        )


def _closed(payment: Payment, known: Dispute) -> DisputeClosed:
    assert known.outcome is not None and known.closed_at is not None  # noqa: S101, PT018
    return DisputeClosed(
        payment_id=payment.payment_id,
        dispute_id=known.dispute_id,
        outcome=known.outcome,
        closed_at=known.closed_at,
    )


def _too_large(payment: Payment, amount: Money, rest: int) -> DisputeTooLarge:
    return DisputeTooLarge(
        payment_id=payment.payment_id,
        disputed=amount,
        disputable=Money(rest, payment.amount.currency),
    )


def _stated(command: StateDispute) -> dict[str, Any]:
    return {
        "kind": command.kind,
        "reason": command.reason,
        "network": command.network,
        "network_reason_code": command.network_reason_code,
        "disputed": command.amount,
        "respond_by": command.respond_by,
    }


def _terms(payment: Payment, command: DisputeCommand) -> dict[str, Any]:
    own = {"dispute_id": command.dispute_id, "refunded": payment.refunded}
    return payment.terms(command.at) | own
